#!/usr/bin/env bash
# Checks what run.sh promises, apart from the kernel: exit codes, the output, what
# the guest has, and that nothing is left. Takes about a minute.

set -euo pipefail

run=$(dirname "${BASH_SOURCE[0]}")/run.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TMPDIR=$work

# Runs run.sh with the arguments after the exit code that it must end with.
expect() {
	local wanted=$1 status=0
	shift
	"$run" "$@" >"$work/out" 2>"$work/err" || status=$?
	if [[ $status -ne $wanted ]]; then
		echo "FAILED: $* ended with $status, not $wanted"
		cat "$work/out" "$work/err"
		exit 1
	fi
}

said() {
	if ! grep -qE "$2" "$work/$1"; then
		echo "FAILED: no \"$2\" in std$1"
		cat "$work/out" "$work/err"
		exit 1
	fi
}

the_kernel_is_debian_12s() {
	expect 0 uname -r
	said out '^6\.1\.[0-9]+-[0-9]+'
}

exit_codes_are_passed_on() {
	expect 7 sh -c 'exit 7'
	expect 137 sh -c 'kill -9 $$'
}

words_and_variables_arrive_unchanged() {
	X="a'b \$c" expect 0 --env X --env Y='d "e' sh -c 'echo "<$X><$Y><$1><$2>"' sh "it's  two" $'new\nline'
	[[ $(<"$work/out") == "<a'b \$c><d \"e><it's  two><new"$'\n'"line>" ]] || expect_words_failed
}

expect_words_failed() {
	echo "FAILED: the words are $(<"$work/out")"
	exit 1
}

# The dynamic linker, an interpreter, a relative path, and what agents need of a host.
the_guest_is_a_host() {
	cat >"$work/host.sh" <<-'TEXT'
		#!/usr/bin/env bash
		set -euo pipefail
		ip netns add peer
		ip link add v0 type veth peer name v1 netns peer
		ip link add bridge0 type bridge
		ip link add dummy0 type dummy
		ip link add link v0 name v0.5 type vlan id 5
		tc qdisc add dev v0 clsact
		for folder in /sys/fs/cgroup/cgroup.procs /sys/kernel/btf/vmlinux /sys/kernel/tracing/events; do
			[[ -e $folder ]]
		done
		touch /sys/fs/cgroup/cgroup.procs /tmp/file /run/file
		mkdir /sys/fs/bpf/folder
		grep -q word added.txt
		echo is a host
	TEXT
	chmod +x "$work/host.sh"
	echo word >"$work/word"
	cd "$work"
	expect 0 --add word:"$work/added.txt" ./host.sh
	cd - >/dev/null
	said out '^is a host$'
}

a_panic_fails_with_the_console() {
	expect 125 sh -c 'echo c >/proc/sysrq-trigger; sleep 60'
	said err 'Kernel panic'
}

a_command_that_does_not_end_is_ended() {
	expect 124 --timeout 15 sh -c 'echo started; sleep 600'
	said out '^started$'
}

nothing_is_left() {
	local rest
	rm -f "$work"/{out,err,word,host.sh}
	rest=$(ls -A "$work")
	[[ -z $rest ]] || { echo "FAILED: left: $rest" && exit 1; }
}

run=$(realpath "$run")
for check in the_kernel_is_debian_12s exit_codes_are_passed_on words_and_variables_arrive_unchanged \
	the_guest_is_a_host a_panic_fails_with_the_console a_command_that_does_not_end_is_ended nothing_is_left; do
	$check
	echo "ok: ${check//_/ }"
done

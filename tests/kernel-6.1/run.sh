#!/usr/bin/env bash
# Runs a program on Debian 12's own kernel (6.1), in an emulated machine that
# needs no KVM and no disk: the kernel of Debian's package and an initramfs that
# holds the program. 6.1 is the oldest kernel that we promise, and its verifier
# refuses programs that later ones accept.
#
# What the program writes is on stdout as it comes, and its exit code is ours.
# 124: it did not end in time. 125: the machine could not be made, or it died.

set -euo pipefail
shopt -s inherit_errexit

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${HEADERTAP_KERNEL_CACHE:-$here/../../target/kernel-6.1}
accelerator=${HEADERTAP_QEMU_ACCEL:-tcg}
timeout_s=300
memory_mib=1024
cpus=2
work=
qemu=
added=()
environment=()
modules=()

usage() {
	cat <<-'TEXT'
		usage: run.sh [OPTION...] [--] COMMAND [ARG...]

		COMMAND, and every ARG that names a file by a path with a slash, is copied to
		the same path in the guest with the libraries or the interpreter it needs. The
		guest starts in the same working directory. A COMMAND that is not on this host
		is one of busybox, which the guest has: `run.sh sh -c 'ip link'`.

		  --add FILE[:DEST]    copy another file or folder, to DEST in the guest
		  --env NAME[=VALUE]   set a variable in the guest, as it is here or to VALUE
		  --module NAME        load another kernel module
		  --timeout SECONDS    end the guest after this long, boot included (300)
		  --memory MIB         memory of the guest (1024)
		  --cpus N             processors of the guest (2)

		HEADERTAP_KERNEL_CACHE keeps the kernel (target/kernel-6.1 of this repository);
		remove it to get a newer 6.1.
		HEADERTAP_QEMU_ACCEL is the accelerator (tcg; kvm where there is one).
	TEXT
}

fail() {
	echo "kernel-6.1: $*" >&2
	exit 125
}

parse_arguments() {
	while [[ ${1-} == -* ]]; do
		case $1 in
		--) shift && break ;;
		-h | --help) usage && exit 0 ;;
		--add | --env | --module | --timeout | --memory | --cpus)
			[[ $# -ge 2 ]] || fail "$1 needs a value"
			set_option "$1" "$2"
			shift 2
			;;
		*) fail "no option $1: see --help" ;;
		esac
	done
	[[ $# -ge 1 ]] || fail "no command: see --help"
	command=("$@")
}

set_option() {
	case $1 in
	--add) added+=("$2") ;;
	--env) environment+=("$2") ;;
	--module) modules+=("$2") ;;
	--timeout) timeout_s=$2 ;;
	--memory) memory_mib=$2 ;;
	--cpus) cpus=$2 ;;
	esac
}

check_tools() {
	local tool package missing=()
	while read -r tool package; do
		command -v "$tool" >/dev/null || missing+=("$package")
	done <<-'LIST'
		qemu-system-x86_64 qemu-system-x86
		busybox busybox-static
		cpio cpio
		ip iproute2
		tc iproute2
		apt-get apt
		dpkg-deb dpkg
		ldd libc-bin
		flock util-linux
	LIST
	# The other busybox package is linked to libraries, which the guest's first process has not.
	if command -v busybox >/dev/null && ldd "$(command -v busybox)" >/dev/null 2>&1; then
		missing+=(busybox-static)
	fi
	[[ ${#missing[@]} -eq 0 ]] ||
		fail "missing: run apt-get install --no-install-recommends $(printf '%s\n' "${missing[@]}" | sort -u | xargs)"
}

# The newest 6.1 package: the cloud flavour is a fifth of the other's size and has
# BTF, cgroup v2 and every module that we need.
kernel_package() {
	local flavour name
	for flavour in cloud-amd64 amd64; do
		name=$(apt-cache search --names-only "^linux-image-6\.1\.[0-9]+-[0-9]+-$flavour\$" |
			cut -d' ' -f1 | sort -V | tail -n1)
		[[ -z $name ]] || break
	done
	[[ -n $name ]] || fail "apt knows no linux-image-6.1.*-amd64: run apt-get update with Debian 12 (bookworm) among the sources"
	echo "$name"
}

# Leaves vmlinuz and modules/ in the cache, for good: remove the folder to get a
# newer 6.1. Parallel runs wait for the first one.
fetch_kernel() {
	local lock name
	mkdir -p "$cache"
	cache=$(cd "$cache" && pwd)
	exec {lock}>"$cache/lock"
	flock "$lock"
	if [[ ! -e $cache/kernel/vmlinuz ]]; then
		name=$(kernel_package) # on its own line: its failure is ours
		unpack_kernel "$name"
	fi
	exec {lock}>&-
}

unpack_kernel() {
	local fresh=$cache/unpacking version
	rm -rf "$fresh" && mkdir "$fresh"
	# apt would read the folder as its own user, who may not.
	(cd "$fresh" && apt-get -qq -o APT::Sandbox::User=root download "$1" >&2) ||
		fail "cannot download $1: run apt-get update"
	dpkg-deb -x "$fresh/$1"_*.deb "$fresh/package"
	version=$(ls "$fresh/package/lib/modules")
	busybox depmod -b "$fresh/package" "$version"
	mv "$fresh/package/boot/vmlinuz-$version" "$fresh/vmlinuz"
	mv "$fresh/package/lib/modules/$version" "$fresh/modules"
	rm -rf "$fresh/package" "$fresh"/*.deb
	echo "$1" >"$fresh/package-name"
	rm -rf "$cache/kernel"
	mv "$fresh" "$cache/kernel" # last: whole, or not there
}

# Prints modules.dep's path of $1; names may be written with either - or _.
module_path() {
	local pattern=${1//[-_]/[-_]}
	sed -nE "s,^(.*/$pattern\.ko[^:]*):.*,\1,p" "$cache/kernel/modules/modules.dep" | head -n1
}

# Puts module $1 (a path in modules.dep) and all that it needs in load order.
order_module() {
	local path=$1 needed
	grep -qxF "/guest/$path" "$root/guest/modules" && return
	for needed in $(sed -n "s,^$path:,,p" "$cache/kernel/modules/modules.dep"); do
		order_module "$needed"
	done
	grep -qxF "/guest/$path" "$root/guest/modules" && return
	install -D -m 644 "$cache/kernel/modules/$path" "$root/guest/$path"
	echo "/guest/$path" >>"$root/guest/modules"
}

add_modules() {
	local name path
	: >"$root/guest/modules"
	for name in $(grep -v '^#' "$here/modules.txt") ${modules[@]+"${modules[@]}"}; do
		path=$(module_path "$name")
		# A module that is built in needs no loading.
		if [[ -n $path ]]; then
			order_module "$path"
		elif ! grep -q "/${name//[-_]/[-_]}\.ko" "$cache/kernel/modules/modules.builtin"; then
			fail "$(<"$cache/kernel/package-name") has no module $name"
		fi
	done
}

# Copies file or folder $1 to the guest's path $2, with what its programs need.
add_path() {
	local file
	mkdir -p "$root$(dirname "$2")"
	# A link of busybox may be there: it must be replaced, not followed.
	cp -rL --preserve=mode --remove-destination "$1" "$root$2" || fail "cannot copy $1"
	while IFS= read -r -d '' file; do
		add_needs "$file"
	done < <(find -L "$1" -type f -print0)
}

add_needs() {
	local magic
	IFS= read -r -n 4 magic <"$1" 2>/dev/null || true
	case $magic in
	$'\x7fELF') add_libraries "$1" ;;
	'#!'*) add_interpreter "$1" ;;
	esac
}

add_libraries() {
	local needed library
	needed=$(ldd "$1" 2>/dev/null) || return 0 # static, or not for this machine
	if grep -q 'not found' <<<"$needed"; then
		fail "$1 needs a library that is not here:$(sed -n 's/=> not found//p' <<<"$needed" | xargs printf ' %s')"
	fi
	for library in $(grep -oE '/[^ ]+' <<<"$needed"); do
		# ldd prints the path that the loader will open, links and all.
		[[ -e $root$library ]] || add_file_only "$library"
	done
}

add_file_only() {
	mkdir -p "$root$(dirname "$1")"
	cp -L --preserve=mode "$1" "$root$1"
}

add_interpreter() {
	local line words interpreter
	IFS= read -r line <"$1"
	read -ra words <<<"${line#'#!'}"
	interpreter=${words[0]-}
	# `env NAME` looks NAME up: both are needed, and busybox is our env.
	[[ ${interpreter##*/} != env ]] || interpreter=$(command -v "${words[-1]}" || true)
	if [[ -x $interpreter && ! -e $root$interpreter ]]; then
		add_path "$interpreter" "$interpreter"
	fi
}

make_root() {
	local folder
	root=$work/root
	mkdir -p "$root"/{dev,proc,sys,run,tmp,root,guest,etc,usr/{bin,sbin,lib,lib64}}
	for folder in bin sbin lib lib64; do ln -s "usr/$folder" "$root/$folder"; done
	cp "$(command -v busybox)" "$root/bin/busybox"
	busybox --list | while read -r folder; do
		[[ $folder == busybox ]] || ln -s busybox "$root/bin/$folder"
	done
	echo root:x:0:0:root:/root:/bin/sh >"$root/etc/passwd"
	echo root:x:0: >"$root/etc/group"
	printf '%s\n' '127.0.0.1 localhost guest' '::1 localhost' >"$root/etc/hosts"
	echo 'hosts: files' >"$root/etc/nsswitch.conf"
	install -m 755 "$here/init.sh" "$root/init"
	# busybox's shell would run its own ip and tc, which know no clsact, whatever
	# PATH says: so the guest's shell is this host's.
	for folder in sh ip tc; do
		rm -f "$root/bin/$folder"
		add_path "$(command -v "$folder")" "/sbin/$folder"
	done
	ln -s ../sbin/sh "$root/bin/sh"
}

# Words that the guest's shell reads back as they are here.
quoted() {
	local word
	for word in "$@"; do printf "'%s' " "${word//\'/\'\\\'\'}"; done
}

add_command() {
	local file word extra
	file=$(type -P -- "${command[0]}" || true)
	if [[ -n $file ]]; then
		command[0]=$(realpath -s -- "$file")
		add_path "${command[0]}" "${command[0]}"
	elif ! [[ -L $root/bin/${command[0]} ]]; then
		fail "no command ${command[0]}, here or in busybox"
	fi
	for word in "${command[@]:1}"; do
		if [[ $word == */* && -f $word ]]; then
			word=$(realpath -s -- "$word")
			case $word in /proc/* | /sys/* | /dev/*) ;; *) add_path "$word" "$word" ;; esac
		fi
	done
	for extra in ${added[@]+"${added[@]}"}; do add_extra "$extra"; done
	mkdir -p "$root$PWD"
	write_command
}

add_extra() {
	local file=${1%%:*} target
	[[ -e $file ]] || fail "--add: no file $file"
	target=$(realpath -s -- "$file")
	if [[ $1 == *:* ]]; then target=${1#*:}; fi
	[[ $target == /* ]] || fail "--add: $target is not an absolute path"
	add_path "$file" "$target"
}

write_command() {
	local name
	{
		for name in ${environment[@]+"${environment[@]}"}; do
			if [[ $name == *=* ]]; then
				echo "export ${name%%=*}=$(quoted "${name#*=}")"
			elif [[ -n ${!name+set} ]]; then
				echo "export $name=$(quoted "${!name}")"
			fi
		done
		echo "cd $(quoted "$PWD")"
		# Not exec: a signal that kills the command must leave a status.
		quoted "${command[@]}"
		echo
	} >"$root/guest/command"
}

# Not compressed: reading it costs the guest less than inflating it.
make_initramfs() {
	(cd "$root" && find . | cpio -o -H newc -R 0:0 --quiet) >"$work/initramfs"
	rm -rf "$root"
}

# qemu makes its stdout non-blocking, which it may share with our caller's other
# processes: so it writes to a pipe of ours.
run_machine() {
	local reader status=0
	mkfifo "$work/output"
	cat <"$work/output" &
	reader=$!
	timeout --kill-after=5 "$timeout_s" qemu-system-x86_64 \
		-nodefaults -no-user-config -display none -no-reboot \
		-machine pc -accel "$accelerator" -cpu max -smp "$cpus" -m "$memory_mib" \
		-kernel "$cache/kernel/vmlinuz" -initrd "$work/initramfs" \
		-append "console=ttyS0 quiet panic=-1 oops=panic" \
		-serial "file:$work/console" -chardev stdio,id=output -serial chardev:output \
		</dev/null >"$work/output" 2>"$work/qemu-errors" &
	qemu=$!
	wait "$qemu" || status=$?
	qemu=
	wait "$reader" || true
	return "$status"
}

console_tail() {
	{
		echo "kernel-6.1: the last lines of the console:"
		cat "$work/qemu-errors"
		tr -d '\r' <"$work/console" | tail -n 60
	} >&2
}

# Prints what the guest's init wrote after $1.
verdict() {
	tr -d '\r' <"$work/console" | sed -n "s/^guest-$1: //p" | tail -n1
}

clean_up() {
	[[ -z $qemu ]] || kill "$qemu" 2>/dev/null || true # timeout passes it on to qemu
	[[ -z $work ]] || rm -rf "$work"
}

main() {
	local status=0 guest_status
	parse_arguments "$@"
	check_tools
	fetch_kernel
	work=$(mktemp -d)
	trap clean_up EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	make_root
	add_modules
	add_command
	make_initramfs
	: >"$work/console" # there even if qemu does not start
	run_machine || status=$?
	guest_status=$(verdict exit)
	if [[ -n $guest_status ]]; then exit "$guest_status"; fi
	console_tail
	if [[ $status -eq 124 || $status -eq 137 ]]; then
		echo "kernel-6.1: not done after $timeout_s s" >&2
		exit 124
	fi
	# A long trace may have pushed the line that says why out of the tail.
	fail "the machine died: $(grep -m1 -aoE 'Kernel panic.*|guest-init: .*' "$work/console" || echo "qemu's exit code is $status")"
}

main "$@"

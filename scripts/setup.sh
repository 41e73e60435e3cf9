#!/usr/bin/env bash
# usage: setup.sh [--refresh] GROUP...
#
# Installs what the groups of scripts/packages need and this machine lacks, and
# says nothing if that is nothing. --refresh reads the package lists anew, for
# a caller that will fetch a package by itself.

set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
policy=/usr/sbin/policy-rc.d
log=
policy_is_ours=

fail() {
	echo "setup: $*" >&2
	exit 1
}

# Prints `package<TAB>why` of each package that a group in $1 (`a|b`) needs and that is not here.
missing_packages() {
	local groups probe package why
	while read -r groups probe package why; do
		[[ $groups != '#'* && ,$groups, =~ ,($1), ]] || continue
		case $probe in
		/*) [[ -e $probe ]] ;;
		*) command -v "$probe" >/dev/null ;;
		esac || printf '%s\t%s\n' "$package" "$why"
	done <"$here/packages"
}

need_rust() {
	command -v cargo >/dev/null ||
		fail "cargo is missing: install Rust with rustup; rust-version in Cargo.toml is the oldest that will do"
}

need_debian_and_root() {
	local packages
	packages=$(cut -f1 <<<"$missing" | xargs)
	command -v apt-get >/dev/null ||
		fail "missing: $packages (Debian's names): this is not Debian, install them with its own package manager"
	[[ $(id -u) -eq 0 ]] ||
		fail "missing: $packages: run make setup as root, or apt-get install --no-install-recommends $packages"
}

quietly() {
	"$@" >"$log" 2>&1 || {
		cat "$log" >&2
		fail "$1 failed"
	}
}

# A package may start a service as it is installed. Nobody asked us for a web
# server on port 80, so none starts, unless this machine has a rule of its own.
forbid_services() {
	[[ ! -e $policy ]] || return 0
	policy_is_ours=yes
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 755 "$policy"
}

clean_up() {
	[[ -z $policy_is_ours ]] || rm -f "$policy"
	rm -f "$log"
}

install_packages() {
	local package why
	while IFS=$'\t' read -r package why; do
		echo "installing $package: it $why"
	done <<<"$missing"
	forbid_services
	cut -f1 <<<"$missing" |
		DEBIAN_FRONTEND=noninteractive quietly xargs \
			apt-get -qq -y -o DPkg::Lock::Timeout=300 install --no-install-recommends
	# Nor at the next boot.
	if grep -q '^nginx' <<<"$missing"; then
		quietly update-rc.d nginx disable
	fi
}

main() {
	local refresh=
	if [[ ${1-} == --refresh ]]; then
		refresh=yes
		shift
	fi
	[[ $# -ge 1 ]] || fail "no group: see $here/packages"
	need_rust
	missing=$(missing_packages "$(IFS='|' && echo "$*")" | sort -u)
	[[ -z $missing ]] || need_debian_and_root
	[[ $(id -u) -eq 0 ]] || refresh=
	[[ -n $missing$refresh ]] || return 0
	log=$(mktemp)
	trap clean_up EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	quietly apt-get -qq -o DPkg::Lock::Timeout=300 update
	[[ -z $missing ]] || install_packages
}

main "$@"

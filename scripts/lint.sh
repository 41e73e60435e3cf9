#!/usr/bin/env bash
# Runs every check that reads the sources and starts nothing.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

deny_version=0.20.2
tools=$PWD/target/tools

fail() {
	echo "lint: $*" >&2
	exit 1
}

need_component() {
	cargo "$1" --version >/dev/null 2>&1 || fail "cargo $1 is missing: rustup component add $2"
}

check_rust() {
	need_component fmt rustfmt
	need_component clippy clippy
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets --all-features -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --workspace --no-deps --document-private-items
}

check_bpf() {
	clang-format --dry-run -Werror bpf/*.[ch]
}

check_shell() {
	local file scripts=(.ci/run)
	while IFS= read -r file; do
		scripts+=("$file")
	done < <(find scripts examples tests otel-collector -name '*.sh' | sort)
	shellcheck --severity=warning --external-sources --source-path=SCRIPTDIR "${scripts[@]}"
}

install_cargo_deny() {
	[[ $("$tools/bin/cargo-deny" --version 2>/dev/null || true) != "cargo-deny $deny_version" ]] || return 0
	echo "building cargo-deny $deny_version into target/tools: it checks what the dependencies may be (minutes, once)"
	cargo install --quiet --locked --root "$tools" --target-dir "$tools/build" "cargo-deny@$deny_version"
	rm -rf "$tools/build"
}

check_dependencies() {
	install_cargo_deny
	"$tools/bin/cargo-deny" --log-level warn check bans licenses sources
	if timeout 60 "$tools/bin/cargo-deny" fetch db &>/dev/null; then
		"$tools/bin/cargo-deny" --log-level warn check --disable-fetch advisories
	else
		echo "advisories: not checked, their database cannot be reached from here"
	fi
}

check_rust
check_bpf
check_shell
check_dependencies

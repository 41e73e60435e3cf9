#!/usr/bin/env bash
# usage: fuzz.sh [SECONDS]
#
# Runs each fuzz target for a minute, or for SECONDS, one after the other.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

seconds=${1:-60}

fail() {
	echo "fuzz: $*" >&2
	exit 1
}

cargo +nightly --version >/dev/null 2>&1 || fail "Rust nightly is missing: rustup toolchain install nightly"
cargo +nightly fuzz --version >/dev/null 2>&1 || fail "cargo-fuzz is missing: cargo install --locked cargo-fuzz"
targets=$(cargo +nightly fuzz list)
[[ -n $targets ]] || fail "there is no target in fuzz/"
for target in $targets; do
	echo "== $target, $seconds s"
	mkdir -p "target/fuzz/$target" # what the fuzzer finds is the start of the next run
	cargo +nightly fuzz run "$target" "target/fuzz/$target" "fuzz/seeds/$target" -- \
		-max_total_time="$seconds"
done

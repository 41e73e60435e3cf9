#!/usr/bin/env bash
# usage: test-kernel.sh [TEST-ARGUMENT...]
#
# Runs the kernel tests on Debian's own kernel, 6.1: the oldest that we promise.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# The package lists may name a kernel that is no longer to be had.
[[ -e ${HEADERTAP_KERNEL_CACHE:-target/kernel-6.1}/kernel/vmlinuz ]] || scripts/setup.sh --refresh kernel
cargo build --release --locked -p headertap
test_program=$(cargo test --quiet --locked -p e2e --test kernel --no-run --message-format=json |
	sed -nE '/"kind":\["test"\].*"name":"kernel"/s/.*"executable":"([^"]+)".*/\1/p')
headertap=$(realpath "${CARGO_TARGET_DIR:-target}/release/headertap")
tests/kernel-6.1/run.sh --add "$headertap" --env "HEADERTAP=$headertap" --env RUST_BACKTRACE=0 \
	-- "$test_program" "$@"

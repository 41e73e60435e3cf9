#!/usr/bin/env bash
# Runs every test that needs neither an emulated kernel nor a collector.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if [[ $(id -u) -ne 0 ]]; then
	cargo test --locked --workspace --exclude e2e
	cargo test --locked -p e2e --test layers --test replay
	echo "test: the kernel and network tests did not run: they need root. Run make test as root" >&2
	exit 1
fi
# The end-to-end tests start the release, as users do.
cargo build --release --locked --package headertap
cargo test --locked --workspace

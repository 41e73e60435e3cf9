#!/usr/bin/env bash
# Starts the real Collector, Jaeger and log store, runs the tests that ask them what
# they received, and stops them whatever came of it.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tests/stack/stack.sh build
# The tests start the release.
cargo build --release --locked -p headertap
trap 'tests/stack/stack.sh down' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
tests/stack/stack.sh up
cargo test --locked -p e2e --features stack --test stack

# Everything is started from here; the work is in scripts/, and `make` alone says what there is.

.DEFAULT_GOAL := help
.PHONY: help setup build demo test test-corpus lint bench fuzz stack stack-down test-stack test-compose test-kernel-6.1
.NOTPARALLEL:

help: ## print this list
	@sed -nE 's/^([a-z0-9.-]+):[^#]*## (.*)/\1\t\2/p' Makefile | expand -t 18

setup: ## install what is missing from Debian's packages, for every target
	@scripts/setup.sh build traffic lint kernel stack fuzz bench

build: ## build target/release/headertap
	@scripts/setup.sh build
	cargo build --release --locked -p headertap

demo: ## watch HTTP between network namespaces; DEMO_OTLP=http://host:4317 exports it too
	@scripts/setup.sh build traffic
	cargo build --release --locked -p headertap
	@examples/demo/demo.sh

test: ## run all tests but those below; needs root
	@scripts/setup.sh build traffic
	@scripts/test.sh

test-kernel-6.1: ## run the kernel tests on Debian's 6.1, emulated
	@scripts/setup.sh build kernel
	@scripts/test-kernel.sh

test-stack: ## run headertap against a real Collector, Jaeger and log store; needs root and Go
	@scripts/setup.sh build stack
	@scripts/test-stack.sh

test-compose: ## check docker-compose.yml; needs Go
	@tests/stack/compose_check.sh

test-corpus: ## replay the captures that HEADERTAP_CORPUS names and score what was read
	@scripts/setup.sh build corpus
	@scripts/test-corpus.sh

lint: ## check layout, lints, documentation, licences and shell scripts
	@scripts/setup.sh build lint
	@scripts/lint.sh

bench: ## measure what headertap costs; needs root
	@scripts/setup.sh build traffic bench
	cargo run --release --locked -p e2e --bin bench

fuzz: ## run each fuzz target for a minute; needs Rust nightly and cargo-fuzz
	@scripts/setup.sh build fuzz
	@scripts/fuzz.sh

stack: ## start a Collector, Jaeger and a log store on loopback; needs Go
	@scripts/setup.sh stack
	@tests/stack/stack.sh build
	@tests/stack/stack.sh up

stack-down: ## stop them
	@tests/stack/stack.sh down

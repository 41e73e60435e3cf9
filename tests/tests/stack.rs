//! headertap, nginx and curl against a real Collector, Jaeger and log store: what their own query
//! APIs answer. `make test-stack` starts the three (tests/stack/stack.sh) and runs this.

mod stack {
    mod accounting;
    mod answers;
    mod collector;
    mod run;
    mod stores;
}

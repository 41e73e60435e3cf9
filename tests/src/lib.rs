//! Guards for kernel, network namespace and whole-stack tests.

//! headertap: header elements of a host's traffic as OpenTelemetry data.

pub mod connection;
pub mod exchange;
pub mod fields;
pub mod flow;
pub mod http;
pub mod process;
pub mod stats;

//! headertap: header elements of a host's traffic as OpenTelemetry data.
//!
//! Data flows one way, and every module below is one stage of the way or a word that stages share:
//! `capture` and `event` bring what the kernel saw, `packet` and `replay` what is in files, `reassemble` and `parse` make messages of it,
//! `correlate` makes exchanges, `policy` decides what may leave, `export` encodes and `deliver`
//! sends. `pipeline` alone names them all. ARCHITECTURE.md tells why.

pub mod capture;
pub mod cli;
pub mod config;
pub mod connection;
pub mod correlate;
pub mod deliver;
pub mod dns;
pub mod event;
pub mod exchange;
pub mod export;
pub mod fields;
pub mod flow;
pub mod host;
pub mod http;
pub mod output;
pub mod packet;
pub mod parse;
pub mod pipeline;
pub mod policy;
pub mod process;
pub mod reassemble;
pub mod replay;
pub mod stats;
pub mod telemetry;
pub mod tls;
pub mod trace_context;

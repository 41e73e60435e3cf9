//! Who owns a socket: a pid in, the facts of its process out (read from `/proc` once, then kept).
//!
//! Owns the order in which a service's name is looked for: `OTEL_SERVICE_NAME`, `service.name` in
//! `OTEL_RESOURCE_ATTRIBUTES`, the systemd unit, the executable. Asks no container runtime.

mod cgroup;
mod otel;
mod read;
mod table;

pub use table::Processes;

/// The observed process: what the OTLP Resource says. Immutable once read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Process {
    /// Process id in the host's pid namespace; 0 where unknown.
    pub pid: u32,
    /// `process.parent_pid`; 0 where unknown.
    pub parent_pid: u32,
    /// `service.name`, in this order: environment, container, systemd unit, executable.
    pub service_name: String,
    /// `service.namespace`, from `OTEL_RESOURCE_ATTRIBUTES`; empty: unknown.
    pub service_namespace: String,
    /// `service.version`, from `OTEL_RESOURCE_ATTRIBUTES`; empty: unknown.
    pub service_version: String,
    /// `service.instance.id`: the same for the process's whole life, a UUID; empty: unknown.
    pub service_instance_id: String,
    /// `deployment.environment.name`, from `OTEL_RESOURCE_ATTRIBUTES`; empty: unknown.
    pub deployment_environment: String,
    /// `process.executable.name`; empty: unknown.
    pub executable_name: String,
    /// `container.id`, 64 hex digits; empty: not in a container.
    pub container_id: String,
    /// An OpenTelemetry SDK is active in the process, so it makes its own spans.
    pub instrumented: bool,
}

//! Numbers that stages without libbpf have in common with the kernel side.
//!
//! They stand there as constants of their own; here the build ends if `bpf/event.h` has others.

use crate::event::{
    KIND_CLOSE, KIND_DATAGRAM, KIND_EXISTING, KIND_FAILED, KIND_OPEN, KIND_SEGMENT, ROLE_CLIENT,
    ROLE_SERVER,
};
use crate::flow::COPY_WINDOW_BYTES;

use super::skeleton::types::{event_kind, socket_role, window};

const _: () = assert!(KIND_SEGMENT as u32 == event_kind::EVENT_SEGMENT.0);
const _: () = assert!(KIND_OPEN as u32 == event_kind::EVENT_OPEN.0);
const _: () = assert!(KIND_CLOSE as u32 == event_kind::EVENT_CLOSE.0);
const _: () = assert!(KIND_FAILED as u32 == event_kind::EVENT_FAILED.0);
const _: () = assert!(KIND_EXISTING as u32 == event_kind::EVENT_EXISTING.0);
const _: () = assert!(KIND_DATAGRAM as u32 == event_kind::EVENT_DATAGRAM.0);
const _: () = assert!(ROLE_CLIENT as u32 == socket_role::ROLE_CLIENT.0);
const _: () = assert!(ROLE_SERVER as u32 == socket_role::ROLE_SERVER.0);
const _: () = assert!(COPY_WINDOW_BYTES == window::COPY_WINDOW.0);

//! TC programs on interfaces: tcx links where the kernel has them (6.6), else clsact filters.
//!
//! tcx links end with the process. clsact filters do not, so ours are known by handle, priority
//! and program name: removed at the end, and at the next start. The clsact qdisc itself is never
//! deleted: it may carry another tool's filters.

use std::io;
use std::mem;
use std::os::fd::AsFd;
use std::ptr;

use anyhow::{Context, Result, bail};
use libbpf_rs::{
    AsRawLibbpf, Link as BpfLink, ProgramHandle, ProgramMut, TC_EGRESS, TC_INGRESS, TcAttachPoint,
    TcHook, TcHookBuilder,
};

use super::links::Link;
use crate::config::Attach;

/// Ours among the clsact filters; "ht" in hexadecimal.
const HANDLE: u32 = 0x6874;
const PRIORITY: u32 = 0x6874;
/// Cut to 15 bytes by the kernel.
const PROGRAM_NAMES: [&str; 4] = ["tc_egress", "tc_ingress", "tc_egress_l3", "tc_ingress_l3"];

/// A program on one hook of one interface; detached when dropped.
#[derive(Debug)]
pub(super) enum Attachment {
    Tcx { _link: BpfLink },
    Clsact(TcHook),
}

impl Drop for Attachment {
    fn drop(&mut self) {
        if let Self::Clsact(hook) = self
            && let Err(error) = hook.replace(false).detach()
        {
            // Usually the interface is gone, and the filter with it.
            tracing::debug!(%error, "a clsact filter could not be detached");
        }
    }
}

/// Attaches `program` to `link`.
///
/// # Errors
/// If the kernel refuses, or has no tcx and `how` demands it.
pub(super) fn attach(
    program: &ProgramMut<'_>,
    link: &Link,
    hook: TcAttachPoint,
    how: Attach,
) -> Result<Attachment> {
    match how {
        Attach::Tcx => attach_tcx(program, link),
        Attach::Clsact => attach_clsact(program, link, hook),
        Attach::Auto => attach_tcx(program, link).or_else(|tcx| {
            attach_clsact(program, link, hook).with_context(|| format!("after tcx: {tcx:#}"))
        }),
    }
}

#[expect(unsafe_code, reason = "libbpf-rs has no attach_tcx")]
fn attach_tcx(program: &ProgramMut<'_>, link: &Link) -> Result<Attachment> {
    let opts = libbpf_sys::bpf_tcx_opts {
        sz: mem::size_of::<libbpf_sys::bpf_tcx_opts>() as libbpf_sys::size_t,
        ..Default::default()
    };
    // SAFETY: the program is loaded and outlives the call, and `opts` says its own size.
    let raw = unsafe {
        libbpf_sys::bpf_program__attach_tcx(program.as_libbpf_object().as_ptr(), link.index, &opts)
    };
    let Some(raw) = ptr::NonNull::new(raw) else {
        let error = io::Error::last_os_error();
        bail!("interface {}: tcx: {error}", link.name);
    };
    // SAFETY: the link was just made, and nothing else owns it.
    Ok(Attachment::Tcx { _link: unsafe { BpfLink::from_ptr(raw) } })
}

fn attach_clsact(
    program: &ProgramMut<'_>,
    link: &Link,
    point: TcAttachPoint,
) -> Result<Attachment> {
    let mut hook = hook(program, link.index, point);
    // A qdisc that is there already is another tool's, or ours of an earlier start: both are fine.
    hook.create().with_context(|| format!("interface {}: clsact", link.name))?;
    hook.attach().with_context(|| format!("interface {}: clsact filter", link.name))?;
    Ok(Attachment::Clsact(hook))
}

fn hook(program: &ProgramMut<'_>, ifindex: i32, point: TcAttachPoint) -> TcHook {
    TcHookBuilder::new(program.as_fd())
        .ifindex(ifindex)
        .handle(HANDLE)
        .priority(PRIORITY)
        .replace(true)
        .hook(point)
}

/// Removes the filters that an earlier headertap left on `link` when it was killed.
pub(super) fn remove_leftovers(program: &ProgramMut<'_>, link: &Link) {
    for point in [TC_INGRESS, TC_EGRESS] {
        let mut leftover = hook(program, link.index, point);
        if is_ours(&mut leftover) && leftover.replace(false).detach().is_ok() {
            tracing::info!(interface = link.name, "removed a filter of an earlier headertap");
        }
    }
}

/// Another tool may have chosen the same handle and priority, but not our program names as well.
fn is_ours(hook: &mut TcHook) -> bool {
    let program = hook.query().and_then(ProgramHandle::from_prog_id);
    program.is_ok_and(
        |program| matches!(program.name().to_str(), Some(name) if PROGRAM_NAMES.contains(&name)),
    )
}

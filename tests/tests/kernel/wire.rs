//! Two interfaces and a wire between them, for packets that BPF_PROG_TEST_RUN does not take: cut
//! within the IP header, or larger than a page, in page fragments, as a network stack sends them.

use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::process::Command;
use std::thread;

use anyhow::{Context, Result, ensure};
use libbpf_rs::{TC_EGRESS, TcHook, TcHookBuilder};
use rustix::thread::UnshareFlags;

use super::Kernel;

const NEAR: &str = "near0";
const FAR: &str = "far0";
/// Two interfaces joined by a wire, in a network namespace that ends with the test.
pub(crate) struct Wire {
    pub(crate) near: u32,
    pub(crate) far: u32,
}

impl Wire {
    /// Runs a test on a thread that alone is in a new network namespace.
    pub(crate) fn with(test: impl FnOnce(&Self) -> Result<()> + Send) -> Result<()> {
        let inside = || -> Result<()> {
            enter_new_namespace().context("a network namespace: as root?")?;
            ip(&format!("link add {NEAR} type veth peer name {FAR}"))?;
            ip(&format!("link set {NEAR} up"))?;
            ip(&format!("link set {FAR} up"))?;
            test(&Self { near: index(NEAR)?, far: index(FAR)? })
        };
        thread::scope(|scope| scope.spawn(inside).join()).expect("a panic is the test's own")
    }
}

/// Lets the wire take frames as large as a network stack hands to an interface.
pub(crate) fn set_largest_frame() -> Result<()> {
    ip(&format!("link set {FAR} mtu 65521"))?;
    ip(&format!("link set {NEAR} mtu 65521"))
}

#[expect(unsafe_code, reason = "rustix cannot know that no file descriptor is shared")]
fn enter_new_namespace() -> io::Result<()> {
    // SAFETY: NEWNET leaves the table of file descriptors as it is.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNET) }.map_err(Into::into)
}

fn ip(arguments: &str) -> Result<()> {
    let status = Command::new("ip").args(arguments.split(' ')).status()?;
    ensure!(status.success(), "ip {arguments}: {status}");
    Ok(())
}

fn index(name: &str) -> Result<u32> {
    let output = Command::new("ip").args(["-o", "link", "show", "dev", name]).output()?;
    let line = String::from_utf8(output.stdout)?;
    line.split(':').next().and_then(|index| index.parse().ok()).context("ip prints the index")
}

/// Sends frames of any size: a packet socket whose frames say that they are to be segmented
/// (`struct virtio_net_hdr`), as a network stack hands them to an interface.
pub(crate) struct Sender {
    socket: OwnedFd,
    ifindex: u32,
}

impl Sender {
    #[expect(unsafe_code, reason = "the standard library has no packet sockets")]
    pub(crate) fn new(ifindex: u32) -> Result<Self> {
        // SAFETY: takes integers only.
        let raw = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
        ensure!(raw >= 0, "a packet socket: {}", io::Error::last_os_error());
        // SAFETY: it was just made, and nothing else owns it.
        let socket = unsafe { OwnedFd::from_raw_fd(raw) };
        let on: libc::c_int = 1;
        let size = libc::socklen_t::try_from(mem::size_of_val(&on))?;
        // SAFETY: the option's value is an int, which lives through the call.
        let result = unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_VNET_HDR,
                (&raw const on).cast(),
                size,
            )
        };
        ensure!(result == 0, "PACKET_VNET_HDR: {}", io::Error::last_os_error());
        Ok(Self { socket, ifindex })
    }

    #[expect(unsafe_code, reason = "the standard library has no packet sockets")]
    pub(crate) fn send(&self, frame: &[u8], offload: [u8; OFFLOAD_BYTES]) -> Result<()> {
        let mut message = offload.to_vec();
        message.extend(frame);
        let address = libc::sockaddr_ll {
            sll_family: u16::try_from(libc::AF_PACKET)?,
            sll_protocol: u16::from_be_bytes([frame[12], frame[13]]).to_be(),
            sll_ifindex: i32::try_from(self.ifindex)?,
            sll_hatype: 0,
            sll_pkttype: 0,
            sll_halen: 6,
            sll_addr: [2, 0, 0, 0, 0, 2, 0, 0],
        };
        let size = libc::socklen_t::try_from(mem::size_of_val(&address))?;
        // SAFETY: message and address live through the call, with the sizes that are given.
        let sent = unsafe {
            libc::sendto(
                self.socket.as_raw_fd(),
                message.as_ptr().cast(),
                message.len(),
                0,
                (&raw const address).cast(),
                size,
            )
        };
        ensure!(sent >= 0, "{} bytes: {}", frame.len(), io::Error::last_os_error());
        Ok(())
    }
}

/// Bytes of `struct virtio_net_hdr`.
const OFFLOAD_BYTES: usize = 10;
/// A frame that is sent as it is.
pub(crate) const AS_IT_IS: [u8; OFFLOAD_BYTES] = [0; OFFLOAD_BYTES];

/// A frame whose checksum is to be filled in and which is to be cut into segments of 1400 bytes.
/// Its first `linear` bytes are to lie together, the rest in page fragments; Ethernet, IP and TCP
/// headers without options take `header_bytes`.
pub(crate) fn to_be_segmented(linear: u16, header_bytes: u8, is_ipv4: bool) -> [u8; OFFLOAD_BYTES] {
    const NEEDS_CHECKSUM: u8 = 1;
    const TCP_BYTES: u8 = 20;
    const CHECKSUM_OFFSET: u8 = 16;
    let kind = if is_ipv4 { 1 } else { 4 };
    let [together, together_high] = linear.to_le_bytes();
    let [size, size_high] = 1400_u16.to_le_bytes();
    let tcp = header_bytes - TCP_BYTES;
    [NEEDS_CHECKSUM, kind, together, together_high, size, size_high, tcp, 0, CHECKSUM_OFFSET, 0]
}

/// The egress program on an interface, by clsact, which every kernel has.
pub(crate) struct Attached(TcHook);

impl Attached {
    pub(crate) fn egress(kernel: &Kernel, ifindex: u32) -> Result<Self> {
        let program = kernel.programs.program("tc_egress");
        let mut hook = TcHookBuilder::new(program.as_fd())
            .ifindex(i32::try_from(ifindex)?)
            .handle(1)
            .priority(1)
            .hook(TC_EGRESS);
        hook.create()?;
        hook.attach()?;
        Ok(Self(hook))
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        // The interface ends with its namespace, and the filter with it.
        self.0.detach().unwrap_or_default();
    }
}

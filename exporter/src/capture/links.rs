//! Network interfaces that come and go (rtnetlink(7)): a dump, then every change after it.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use anyhow::{Context, Result};
use netlink_packet_core::{
    NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::link::{LinkAttribute, LinkLayerType, LinkMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

const RTNLGRP_LINK: u32 = 1;

/// An interface of this network namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) index: i32,
    pub(super) name: String,
    /// Its frames begin with an Ethernet header; else with the network header.
    pub(super) ethernet: bool,
    pub(super) loopback: bool,
}

/// What happened to an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LinkChange {
    /// It is there: new, or changed.
    Present(Link),
    /// It is gone.
    Gone(i32),
}

/// A socket that tells of interfaces.
pub(super) struct Links {
    socket: Socket,
}

impl Links {
    /// Begins to listen, and asks for the interfaces that are there already.
    pub(super) fn watch() -> Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE).context("cannot open a netlink socket")?;
        socket.bind_auto()?;
        socket.add_membership(RTNLGRP_LINK)?;
        socket.set_non_blocking(true)?;
        let links = Self { socket };
        links.ask()?;
        Ok(links)
    }

    fn ask(&self) -> Result<()> {
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | NLM_F_DUMP;
        let get = RouteNetlinkMessage::GetLink(LinkMessage::default());
        let mut message = NetlinkMessage::new(header, NetlinkPayload::from(get));
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.socket
            .send_to(&bytes, &SocketAddr::new(0, 0), 0)
            .context("cannot ask the kernel for its interfaces")?;
        Ok(())
    }

    /// The changes since the last call, oldest first; does not wait.
    pub(super) fn changes(&self) -> Vec<LinkChange> {
        let mut changes = Vec::new();
        loop {
            match self.socket.recv_from_full() {
                Ok((datagram, _)) => read_datagram(&datagram, &mut changes),
                Err(error) if error.raw_os_error() == Some(ENOBUFS) => {
                    // Changes were lost: what is there now is what counts.
                    if let Err(error) = self.ask() {
                        tracing::warn!(%error, "interface changes were lost");
                    }
                }
                Err(_) => return changes,
            }
        }
    }
}

const ENOBUFS: i32 = 105;

impl AsFd for Links {
    #[expect(unsafe_code, reason = "netlink-sys gives a raw descriptor only")]
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the socket is open for as long as `self` is borrowed.
        unsafe { BorrowedFd::borrow_raw(self.socket.as_raw_fd()) }
    }
}

fn read_datagram(datagram: &[u8], changes: &mut Vec<LinkChange>) {
    let mut rest = datagram;
    while let Ok(message) = NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest) {
        match message.payload {
            NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(link)) => {
                changes.extend(present(link));
            }
            // Of the family AF_BRIDGE it means that the interface has left a bridge.
            NetlinkPayload::InnerMessage(RouteNetlinkMessage::DelLink(link))
                if link.header.interface_family == AddressFamily::Unspec =>
            {
                changes.extend(i32::try_from(link.header.index).map(LinkChange::Gone));
            }
            _ => {}
        }
        let length = usize::try_from(message.header.length).unwrap_or(usize::MAX);
        match rest.get(length.next_multiple_of(4)..) {
            Some(next) if length > 0 && !next.is_empty() => rest = next,
            _ => return,
        }
    }
}

fn present(link: LinkMessage) -> Option<LinkChange> {
    let name = link.attributes.into_iter().find_map(|attribute| match attribute {
        LinkAttribute::IfName(name) => Some(name),
        _ => None,
    })?;
    let loopback = link.header.link_layer_type == LinkLayerType::Loopback;
    Some(LinkChange::Present(Link {
        index: i32::try_from(link.header.index).ok()?,
        name,
        ethernet: loopback || link.header.link_layer_type == LinkLayerType::Ether,
        loopback,
    }))
}

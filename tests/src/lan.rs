//! Two hosts and the wire between them: network namespaces, joined the way that a test is about.
//!
//! Every network has addresses of its own (RFC 2544 and RFC 3849 set them aside), as agents hear
//! of the sockets of all namespaces of the host.

use std::process;

use crate::netns::{Interface, Netns};
use crate::{neighbour, sh, unique};

/// A client and a server, and how they reach each other.
#[derive(Debug)]
pub struct Lan {
    /// Where clients run.
    pub client: Netns,
    /// Where servers run.
    pub server: Netns,
    /// The host's interfaces on the way: the client's side, the server's, and what joins them.
    pub interfaces: Vec<Interface>,
    number: u32,
}

/// What an address ends in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Host {
    Client = 1,
    Server = 2,
    /// The host between, seen from the client.
    ClientGateway = 3,
    /// The host between, seen from the server.
    ServerGateway = 4,
}

impl Lan {
    fn unconnected() -> Self {
        let number = (process::id().wrapping_mul(61).wrapping_add(unique())) % 512;
        Self { client: Netns::new(), server: Netns::new(), interfaces: Vec::new(), number }
    }

    /// client - veth - bridge of the host - veth - server.
    #[must_use]
    pub fn bridged() -> Self {
        let mut lan = Self::unconnected();
        lan.join_by_bridge();
        lan.address_hosts();
        lan
    }

    /// client - veth - the server's namespace; the host only holds the names.
    #[must_use]
    pub fn direct() -> Self {
        let lan = Self::unconnected();
        sh(&format!(
            "ip link add eth0 netns {} type veth peer name eth0 netns {}",
            lan.client.name(),
            lan.server.name()
        ));
        for netns in [&lan.client, &lan.server] {
            netns.sh("ip link set eth0 up");
        }
        lan.address_hosts();
        lan
    }

    /// client - veth - a router (third namespace) - veth - server.
    #[must_use]
    pub fn routed() -> (Self, Netns) {
        let lan = Self::unconnected();
        let router = Netns::new();
        for (host, netns, gateway) in [
            (Host::Client, &lan.client, Host::ClientGateway),
            (Host::Server, &lan.server, Host::ServerGateway),
        ] {
            let port = format!("to-{}", gateway as u32);
            sh(&format!(
                "ip link add {port} netns {} type veth peer name eth0 netns {}",
                router.name(),
                netns.name()
            ));
            lan.join_router(&router, &port, host, netns, gateway);
        }
        router.sh("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
        (lan, router)
    }

    /// Point-to-point addresses, and a default route by the router.
    fn join_router(&self, router: &Netns, port: &str, host: Host, netns: &Netns, gateway: Host) {
        netns.sh("ip link set eth0 up");
        router.sh(&format!("ip link set {port} up"));
        for (own, other, bits, family) in [
            (self.v4(host), self.v4(gateway), 32, ""),
            (self.v6(host), self.v6(gateway), 128, "-6"),
        ] {
            let nodad = if bits == 128 { "nodad" } else { "" };
            netns.sh(&format!("ip address add {own}/{bits} dev eth0 {nodad}"));
            router.sh(&format!("ip address add {other}/{bits} dev {port} {nodad}"));
            netns.sh(&format!("ip {family} route add {other} dev eth0"));
            netns.sh(&format!("ip {family} route add default via {other} dev eth0"));
            router.sh(&format!("ip {family} route add {own} dev {port}"));
        }
    }

    /// As [`Lan::bridged`]; what is on the wire has a VLAN tag, or two. The hosts push and pop
    /// them by filters of their own, as not every kernel has VLAN interfaces.
    #[must_use]
    pub fn tagged(twice: bool) -> Self {
        let lan = Self::bridged();
        for netns in [&lan.client, &lan.server] {
            let more = if twice { "2" } else { "" };
            neighbour::filter(Some(netns), "eth0", "egress", &format!("tc/tag{more}"));
            neighbour::filter(Some(netns), "eth0", "ingress", &format!("tc/untag{more}"));
        }
        lan
    }

    /// As [`Lan::bridged`], but the server's address is on a macvlan interface over its `eth0`.
    #[must_use]
    pub fn stacked() -> Self {
        let mut lan = Self::unconnected();
        lan.join_by_bridge();
        lan.server.sh("ip link add link eth0 name eth0.5 type macvlan");
        lan.server.sh("ip link set eth0.5 up");
        lan.address(Host::Client, &lan.client, "eth0");
        lan.address(Host::Server, &lan.server, "eth0.5");
        lan
    }

    fn join_by_bridge(&mut self) {
        let bridge = Interface::bridge();
        for netns in [&self.client, &self.server] {
            let port = Interface::veth(netns);
            sh(&format!("ip link set {} master {}", port.name(), bridge.name()));
            self.interfaces.push(port);
        }
        self.interfaces.push(bridge);
    }

    fn address(&self, host: Host, netns: &Netns, interface: &str) {
        netns.sh(&format!("ip address add {}/24 dev {interface}", self.v4(host)));
        netns.sh(&format!("ip address add {}/64 dev {interface} nodad", self.v6(host)));
    }

    /// Gives `eth0` of both hosts its addresses, once they have it.
    pub fn address_hosts(&self) {
        self.address(Host::Client, &self.client, "eth0");
        self.address(Host::Server, &self.server, "eth0");
    }

    /// Gives the client's `eth0` its addresses again, when it is a new one.
    pub fn address_client(&self) {
        self.address(Host::Client, &self.client, "eth0");
    }

    fn v4(&self, host: Host) -> String {
        format!("198.{}.{}.{}", 18 + self.number / 256, self.number % 256, host as u32)
    }

    fn v6(&self, host: Host) -> String {
        format!("2001:db8:{:x}::{}", self.number, host as u32)
    }

    /// The server's IPv4 address.
    #[must_use]
    pub fn server_v4(&self) -> String {
        self.v4(Host::Server)
    }

    /// The server's IPv6 address, without brackets.
    #[must_use]
    pub fn server_v6(&self) -> String {
        self.v6(Host::Server)
    }

    /// The client's IPv4 address.
    #[must_use]
    pub fn client_v4(&self) -> String {
        self.v4(Host::Client)
    }

    /// Names of the host's interfaces, as `--interface` takes them.
    #[must_use]
    pub fn interface_names(&self) -> Vec<&str> {
        self.interfaces.iter().map(Interface::name).collect()
    }
}

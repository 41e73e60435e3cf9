//! A network namespace, and interfaces of the host.

use std::fs::File;
use std::os::fd::AsFd;
use std::process::Command;
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::{prefix, sh, unique};

/// A named network namespace with its loopback up; deleted when dropped.
#[derive(Debug)]
pub struct Netns {
    name: String,
}

impl Default for Netns {
    fn default() -> Self {
        Self::new()
    }
}

impl Netns {
    /// Makes one.
    #[must_use]
    pub fn new() -> Self {
        let name = format!("{}n{}", prefix(), unique());
        sh(&format!("ip netns add {name}"));
        let netns = Self { name };
        netns.sh("ip link set lo up");
        netns
    }

    /// Its name, as `ip netns` knows it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A command that will run inside. Only the network is another one: unlike under
    /// `ip netns exec`, /sys and the cgroups stay. The process id is the command's own.
    #[must_use]
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/run/netns/{}", self.name)).arg("--").arg(program);
        command
    }

    /// Runs a command given as words inside, and gives what it printed.
    ///
    /// # Panics
    /// If it cannot be run, or fails.
    pub fn sh(&self, words: &str) -> String {
        sh(&format!("nsenter --net=/run/netns/{} -- {words}", self.name))
    }

    /// Calls `work` on a thread inside; the sockets that it makes may leave.
    ///
    /// # Panics
    /// If the namespace cannot be entered, or `work` panics.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let path = format!("/run/netns/{}", self.name);
        thread::scope(|scope| {
            let entered = scope.spawn(|| {
                let netns = File::open(path).expect("the namespace has a name");
                move_into_link_name_space(netns.as_fd(), Some(LinkNameSpaceType::Network))
                    .expect("root may enter a network namespace");
                work()
            });
            entered.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}

impl Drop for Netns {
    fn drop(&mut self) {
        // Not `sh`: a panic while the test panics would hide why.
        let deleted = Command::new("ip").args(["netns", "delete", &self.name]).status();
        if !deleted.is_ok_and(|status| status.success()) {
            eprintln!("the network namespace {} was not deleted", self.name);
        }
    }
}

/// An interface of the host; deleted when dropped, its veth peer with it.
#[derive(Debug)]
pub struct Interface {
    name: String,
}

impl Interface {
    /// A bridge that is up.
    #[must_use]
    pub fn bridge() -> Self {
        let interface = Self { name: Self::unused_name() };
        sh(&format!("ip link add {} type bridge", interface.name));
        sh(&format!("ip link set {} up", interface.name));
        interface
    }

    /// A veth pair: this end stays on the host and is up, the other is `eth0` of `netns`.
    #[must_use]
    pub fn veth(netns: &Netns) -> Self {
        Self::named_veth(&Self::unused_name(), netns)
    }

    /// As [`Interface::veth`], with a name of the caller's choice.
    #[must_use]
    pub fn named_veth(name: &str, netns: &Netns) -> Self {
        sh(&format!("ip link add {name} type veth peer name eth0 netns {}", netns.name()));
        let interface = Self { name: name.to_owned() };
        sh(&format!("ip link set {name} up"));
        netns.sh("ip link set eth0 up");
        interface
    }

    /// A name that no interface has, and that fits the glob of this test.
    #[must_use]
    pub fn unused_name() -> String {
        format!("{}v{}", prefix(), unique())
    }

    /// What fits exactly this interface.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Interface {
    fn drop(&mut self) {
        // It may have gone with its namespace.
        let _gone = Command::new("ip").args(["link", "delete", &self.name]).output();
    }
}

//! DNS in tests: a resolver with names of its own, and those who ask it.

use std::process::{Child, Command, Stdio};

use crate::netns::Netns;
use crate::wait_for;

/// The address of every name but the ones below.
pub const ADDRESS: &str = "192.0.2.7";
/// A name whose TXT records take more than an Ethernet frame, and less than 4 KiB.
pub const LARGE: &str = "large.test";
/// How many records it has.
pub const LARGE_RECORDS: usize = 12;
/// A name that there is not.
pub const MISSING: &str = "missing.invalid";

/// A running dnsmasq; killed when dropped.
#[derive(Debug)]
pub struct Resolver {
    child: Child,
    /// The port it listens on, by UDP and TCP.
    pub port: u16,
}

impl Resolver {
    /// Starts one in a namespace, and waits until it listens.
    ///
    /// # Panics
    /// If it does not.
    #[must_use]
    pub fn start(netns: &Netns, port: u16) -> Self {
        let mut command = netns.command("dnsmasq");
        command.args([
            "--keep-in-foreground",
            "--conf-file=/dev/null",
            "--pid-file",
            "--user=root",
        ]);
        command.args(["--no-resolv", "--no-hosts", "--edns-packet-max=4096", "--local=/invalid/"]);
        command.arg(format!("--port={port}")).arg(format!("--address=/test/{ADDRESS}"));
        command.arg("--address=/test/2001:db8::7");
        for number in 0..LARGE_RECORDS {
            command.arg(format!("--txt-record={LARGE},{number}-{}", "x".repeat(250)));
        }
        let child =
            command.stderr(Stdio::null()).spawn().expect("dnsmasq is installed: make setup");
        let this = Self { child, port };
        for sockets in ["-Hlnu", "-Hlnt"] {
            wait_for("dnsmasq to listen", || {
                let listening = netns.sh(&format!("ss {sockets} sport = :{port}"));
                (!listening.is_empty()).then_some(())
            });
        }
        this
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Resolver {
    fn drop(&mut self) {
        let _killed = self.child.kill();
        let _waited = self.child.wait();
    }
}

/// A dig that has ended.
#[derive(Debug)]
pub struct Dig {
    /// Its process id.
    pub pid: u32,
    /// What it printed.
    pub output: String,
}

/// Runs dig in a namespace with arguments given as words.
///
/// # Panics
/// If it cannot be run.
#[must_use]
pub fn dig(netns: &Netns, arguments: &str) -> Dig {
    ended(netns.command("dig").args(arguments.split(' ')))
}

fn ended(command: &mut Command) -> Dig {
    let child = command.stdout(Stdio::piped()).spawn().expect("dig is installed: make setup");
    let pid = child.id();
    let output = child.wait_with_output().expect("it is our child").stdout;
    Dig { pid, output: String::from_utf8_lossy(&output).into_owned() }
}

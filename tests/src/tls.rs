//! TLS for tests: a certificate, and OpenSSL's server and client.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

use crate::lan::Lan;
use crate::{run, wait_for};

/// The name that clients of [`Server::ask`] ask for.
pub const NAME: &str = "shop.example.test";

/// A key and a certificate that it signs itself.
#[derive(Debug)]
pub struct Certificate(TempDir);

impl Default for Certificate {
    fn default() -> Self {
        Self::new()
    }
}

impl Certificate {
    /// Makes one.
    ///
    /// # Panics
    /// If OpenSSL does not.
    #[must_use]
    pub fn new() -> Self {
        let this = Self(tempfile::tempdir().expect("a temporary folder"));
        let mut command = Command::new("openssl");
        command.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]);
        command.args(["-subj", &format!("/CN={NAME}")]);
        command.arg("-keyout").arg(this.key()).arg("-out").arg(this.certificate());
        run(&mut command);
        this
    }

    /// The file of the key.
    #[must_use]
    pub fn key(&self) -> PathBuf {
        self.0.path().join("key.pem")
    }

    /// The file of the certificate.
    #[must_use]
    pub fn certificate(&self) -> PathBuf {
        self.0.path().join("certificate.pem")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// A running `openssl s_server`, which answers requests by a page; killed when dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    certificate: Certificate,
    /// The port it listens on.
    pub port: u16,
}

impl Server {
    /// Starts it with more options, and waits until it listens.
    ///
    /// # Panics
    /// If it does not.
    #[must_use]
    pub fn start(lan: &Lan, options: &[&str]) -> Self {
        let (certificate, port) = (Certificate::new(), crate::port());
        let said = certificate.file("said");
        let mut command = lan.server.command("openssl");
        command.args(["s_server", "-www", "-accept", &port.to_string()]).args(options);
        command.arg("-key").arg(certificate.key()).arg("-cert").arg(certificate.certificate());
        command.stdout(File::create(&said).expect("our own folder")).stderr(Stdio::null());
        let child = command.spawn().expect("OpenSSL is installed: make setup");
        let this = Self { child, certificate, port };
        wait_for("openssl s_server to listen", || {
            std::fs::read_to_string(&said).ok().filter(|said| said.contains("ACCEPT"))
        });
        this
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A file in its folder.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.certificate.file(name)
    }

    /// Asks it for its page by `openssl s_client` with more options. Gives the client's process
    /// id, and what came of it.
    ///
    /// # Panics
    /// If the client cannot be run.
    pub fn ask(&self, lan: &Lan, options: &[&str]) -> (u32, Output) {
        let mut command = lan.client.command("openssl");
        let server = format!("{}:{}", lan.server_v4(), self.port);
        command.args(["s_client", "-ign_eof", "-connect", &server, "-servername", NAME]);
        command.args(options).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("OpenSSL is installed: make setup");
        let pid = child.id();
        let mut stdin = child.stdin.take().expect("it is piped");
        // The client may be gone already: then there is nobody to be asked.
        let _written = stdin.write_all(b"GET / HTTP/1.0\r\n\r\n");
        drop(stdin);
        (pid, child.wait_with_output().expect("it is our child"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _killed = self.child.kill();
        let _waited = self.child.wait();
    }
}

/// A path as text.
///
/// # Panics
/// If it is not UTF-8.
#[must_use]
pub fn text(path: &Path) -> &str {
    path.to_str().expect("temporary folders have plain names")
}

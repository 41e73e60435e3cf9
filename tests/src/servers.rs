//! Servers for tests: nginx with a configuration and folder of its own, and a tiny one in Perl.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::netns::Netns;
use crate::wait_for;

/// A running nginx; stopped when dropped.
#[derive(Debug)]
pub struct Nginx {
    master: Child,
    folder: TempDir,
    /// The port it listens on.
    pub port: u16,
}

/// How nginx is to be started.
#[derive(Debug)]
pub struct Start {
    netns: Option<String>,
    listen: Vec<String>,
    server: String,
    port: u16,
}

impl Start {
    /// On every IPv4 and IPv6 address of the host, or of a namespace.
    #[must_use]
    pub fn new(netns: Option<&Netns>) -> Self {
        let port = crate::port();
        Self {
            netns: netns.map(|netns| netns.name().to_owned()),
            listen: vec![port.to_string(), format!("[::]:{port}")],
            server: String::new(),
            port,
        }
    }

    /// Speaks HTTP/2 without TLS, and nothing else.
    #[must_use]
    pub fn http2(mut self) -> Self {
        self.listen.iter_mut().for_each(|listen| listen.push_str(" http2"));
        self
    }

    /// Adds directives to its `server` block.
    #[must_use]
    pub fn server(mut self, directives: &str) -> Self {
        self.server.push_str(directives);
        self
    }

    /// Starts it and waits until it listens.
    ///
    /// # Panics
    /// If it does not.
    #[must_use]
    pub fn start(self) -> Nginx {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(folder.path().join("www")).expect("our own folder");
        fs::write(folder.path().join("nginx.conf"), self.configuration()).expect("our own folder");
        let mut command = self.command(folder.path());
        let said = File::create(folder.path().join("said")).expect("our own folder");
        let mut master = command.stderr(said).spawn().expect("nginx is installed: make setup");
        // nginx writes its process id when it listens.
        let pid_file = folder.path().join("pid");
        wait_for("nginx to listen", || {
            let said = fs::read_to_string(folder.path().join("said")).unwrap_or_default();
            let ended = master.try_wait().expect("it is our child");
            assert!(ended.is_none(), "nginx ended: {said}");
            fs::read_to_string(&pid_file).ok().filter(|pid| !pid.trim().is_empty())
        });
        Nginx { master, folder, port: self.port }
    }

    fn command(&self, folder: &Path) -> Command {
        let mut command = match &self.netns {
            Some(name) => {
                let mut command = Command::new("nsenter");
                command.arg(format!("--net=/run/netns/{name}")).arg("--").arg("nginx");
                command
            }
            None => Command::new("nginx"),
        };
        command.arg("-p").arg(folder).arg("-c").arg(folder.join("nginx.conf"));
        command.args(["-e", "error.log"]);
        command
    }

    /// `X-Request-Id` comes back in the answer: an answer paired with the wrong request shows.
    fn configuration(&self) -> String {
        let listen: String = self.listen.iter().map(|at| format!("listen {at};\n")).collect();
        format!(
            "daemon off;
user root;
worker_processes 1;
pid pid;
events {{ worker_connections 1024; }}
http {{
    log_format ids '$http_x_request_id $status $request_uri';
    access_log access.log ids;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    keepalive_requests 1000000;
    keepalive_timeout 600s;
    large_client_header_buffers 8 128k;
    client_max_body_size 0;
    server {{
        {listen}
        add_header X-Request-Id $http_x_request_id always;
        location / {{ return 200 'hello\\n'; }}
        location /files/ {{ alias www/; }}
        {server}
    }}
}}
",
            server = self.server
        )
    }
}

impl Nginx {
    /// A plain one: `/` answers 200, `/files/` serves [`Nginx::put`].
    #[must_use]
    pub fn start(netns: &Netns) -> Self {
        Start::new(Some(netns)).start()
    }

    /// Process id of the master, which made the listening sockets.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.master.id()
    }

    /// Process ids of the workers.
    ///
    /// # Panics
    /// If nginx has none.
    #[must_use]
    pub fn workers(&self) -> Vec<u32> {
        let path = format!("/proc/{0}/task/{0}/children", self.pid());
        wait_for("nginx to have workers", || {
            let children = fs::read_to_string(&path).ok()?;
            let pids: Vec<u32> = children.split(' ').filter_map(|pid| pid.parse().ok()).collect();
            (!pids.is_empty()).then_some(pids)
        })
    }

    /// Makes `/files/NAME`.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn put(&self, name: &str, bytes: &[u8]) {
        fs::write(self.folder.path().join("www").join(name), bytes).expect("our own folder");
    }

    /// Its access log: a line a request, `ID STATUS PATH`.
    #[must_use]
    pub fn access_log(&self) -> String {
        fs::read_to_string(self.folder.path().join("access.log")).unwrap_or_default()
    }

    /// Ends master and workers by SIGKILL, at once.
    ///
    /// # Panics
    /// If they are gone already.
    pub fn kill(&mut self) {
        let workers = self.workers();
        kill_process(Pid::from_child(&self.master), Signal::KILL).expect("it is our child");
        for worker in workers {
            let pid = i32::try_from(worker).ok().and_then(Pid::from_raw);
            kill_process(pid.expect("a process id"), Signal::KILL).expect("its master was alive");
        }
        self.master.wait().expect("it is our child");
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        if self.master.try_wait().is_ok_and(|ended| ended.is_none()) {
            let _asked = kill_process(Pid::from_child(&self.master), Signal::TERM);
            let _waited = self.master.wait();
        }
    }
}

/// Answers every connection's first request, and tells when it listens. nginx writes over its
/// environment to give its processes their titles; this server does not.
const PERL: &str = "
use IO::Socket::INET;
my $listener = IO::Socket::INET->new(
    LocalAddr => '0.0.0.0', LocalPort => $ARGV[0], Listen => 16, ReuseAddr => 1) or die $!;
open(my $ready, '>', $ARGV[1]) or die $!;
print $ready 'ready';
close $ready;
while (my $peer = $listener->accept) {
    while (<$peer>) { last if /^\\r?$/ }
    print $peer \"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok\";
    close $peer;
}
";

/// A server whose environment can be read; killed when dropped.
#[derive(Debug)]
pub struct Perl {
    child: Child,
    /// The port it listens on.
    pub port: u16,
}

impl Perl {
    /// Starts it with one more variable in its environment.
    ///
    /// # Panics
    /// If it does not listen in time.
    #[must_use]
    pub fn start(netns: &Netns, (name, value): (&str, &str)) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let ready = folder.path().join("ready");
        let port = crate::port();
        let mut command = netns.command("perl");
        command.args(["-e", PERL]).arg(port.to_string()).arg(&ready).env(name, value);
        let child = command.spawn().expect("Perl is a part of Debian");
        let this = Self { child, port };
        wait_for("the Perl server to listen", || ready.exists().then_some(()));
        this
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Perl {
    fn drop(&mut self) {
        let _killed = self.child.kill();
        let _waited = self.child.wait();
    }
}

//! A gRPC service, and a client that asks as it is told, both by Google's own implementation.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use crate::lan::Lan;
use crate::wait_for;

/// `e2e.Echo`: `Say` gives back what it is told, or fails, or is slow; `Count` answers in pieces.
const SERVICE: &str = "
import concurrent.futures, sys, time, grpc

def begin(context):
    ids = [v for k, v in context.invocation_metadata() if k == 'x-request-id']
    context.send_initial_metadata([('x-request-id', i) for i in ids])
    context.set_trailing_metadata([('x-cost', '3')])

def say(request, context):
    begin(context)
    if request == b'fail':
        context.abort(grpc.StatusCode.NOT_FOUND, 'there is none')
    if request == b'slow':
        time.sleep(3)
    return request

def count(request, context):
    begin(context)
    for n in range(int(request)):
        yield b'piece %d' % n

server = grpc.server(concurrent.futures.ThreadPoolExecutor(8))
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler('e2e.Echo', {
    'Say': grpc.unary_unary_rpc_method_handler(say),
    'Count': grpc.unary_stream_rpc_method_handler(count),
}),))
assert server.add_insecure_port('0.0.0.0:' + sys.argv[1])
server.start()
print('ready', flush=True)
server.wait_for_termination()
";

/// Each line of its input is a call: `METHOD ID MESSAGE TIMEOUT [KEY=VALUE]`; each line of its
/// output how one ended. `Cancel` is a `Say` that the client breaks off.
const CLIENT: &str = "
import sys, time, grpc

channel = grpc.insecure_channel(sys.argv[1])
for line in sys.stdin:
    method, id, message, timeout, *pairs = line.split()
    metadata = [('x-request-id', id)] + [tuple(pair.split('=')) for pair in pairs]
    message = b'x' * int(message[1:]) if message[0] == '#' else message.encode()
    asked = {'metadata': metadata, 'timeout': float(timeout)}
    try:
        if method == 'Cancel':
            call = channel.unary_unary('/e2e.Echo/Say').future(message, **asked)
            time.sleep(0.3)
            print('cancelled' if call.cancel() else 'answered', flush=True)
        elif method == 'Count':
            print('OK', len(list(channel.unary_stream('/e2e.Echo/Count')(message, **asked))), flush=True)
        else:
            print('OK', len(channel.unary_unary('/e2e.Echo/' + method)(message, **asked)), flush=True)
    except grpc.RpcError as error:
        print(error.code().name, flush=True)
";

/// Debian's own Python has Debian's grpcio.
const PYTHON: &str = "/usr/bin/python3";

/// A service and one connection to it; both are killed when dropped.
#[derive(Debug)]
pub struct Calls {
    service: Child,
    client: Child,
    asked: ChildStdin,
    answered: BufReader<ChildStdout>,
    /// The port of the service.
    pub port: u16,
}

impl Calls {
    /// Starts both, each in its namespace.
    ///
    /// # Panics
    /// If the service does not listen in time.
    #[must_use]
    pub fn over(lan: &Lan) -> Self {
        let port = crate::port();
        let mut command = lan.server.command(PYTHON);
        command.args(["-c", SERVICE]).arg(port.to_string()).stdout(Stdio::piped());
        let mut service = command.spawn().expect("Python is a part of Debian");
        let mut said = BufReader::new(service.stdout.take().expect("it is piped"));
        let mut line = String::new();
        said.read_line(&mut line).expect("it is a pipe");
        assert_eq!(line, "ready\n", "grpcio is installed: make setup");
        let mut command = lan.client.command(PYTHON);
        command.args(["-c", CLIENT]).arg(format!("{}:{port}", lan.server_v4()));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut client = command.spawn().expect("Python is a part of Debian");
        let asked = client.stdin.take().expect("it is piped");
        let answered = BufReader::new(client.stdout.take().expect("it is piped"));
        Self { service, client, asked, answered, port }
    }

    /// Makes a call, `METHOD ID MESSAGE TIMEOUT [KEY=VALUE]`, and gives how it ended.
    ///
    /// # Panics
    /// If the client has ended.
    pub fn call(&mut self, call: &str) -> String {
        writeln!(self.asked, "{call}").expect("the client reads");
        let mut line = String::new();
        self.answered.read_line(&mut line).expect("the client writes");
        assert!(!line.is_empty(), "the client has ended");
        line.trim_end().to_owned()
    }

    /// Closes the connection, as the client ends.
    ///
    /// # Panics
    /// If it does not.
    pub fn hang_up(&mut self) {
        self.client.kill().expect("it is our child");
        wait_for("the client to end", || self.client.try_wait().expect("it is our child"));
    }
}

impl Drop for Calls {
    fn drop(&mut self) {
        for child in [&mut self.client, &mut self.service] {
            let _killed = child.kill();
            let _waited = child.wait();
        }
    }
}

//! A collector of the tests' own: speaks both carriers on one port, and answers as it is told.

use std::convert::Infallible;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ::http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use bytes::{BufMut, Bytes, BytesMut};
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsPartialSuccess, ExportLogsServiceResponse,
};
use prost::Message;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tonic_types::{ErrorDetails, StatusExt};

/// What the peer does with a request.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// It takes all of it.
    Accept,
    /// It takes all but this many records.
    Reject(i64),
    /// A gRPC status, with `RetryInfo` if there is a delay.
    Grpc(i32, Option<Duration>),
    /// An HTTP status, with `Retry-After` if there is one.
    Http(u16, Option<&'static str>),
    /// It never answers.
    Hang,
    /// It breaks off the connection, or the stream.
    Break,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    /// The request message: unframed and decompressed.
    pub(crate) body: Vec<u8>,
    pub(crate) at: Instant,
}

type Script = dyn FnMut(&Seen) -> Reply + Send;

/// A running peer.
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<(Seen, Reply)>>>,
    task: JoinHandle<()>,
}

impl Peer {
    /// Answers every request by `script`.
    pub(crate) async fn start(script: impl FnMut(&Seen) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        Self::on(listener, script)
    }

    pub(crate) fn on(
        listener: TcpListener,
        script: impl FnMut(&Seen) -> Reply + Send + 'static,
    ) -> Self {
        let address = listener.local_addr().expect("the listener is bound");
        let seen = Arc::default();
        let script: Arc<Mutex<Script>> = Arc::new(Mutex::new(script));
        let task = tokio::spawn(serve(listener, None, script, Arc::clone(&seen)));
        Self { address, seen, task }
    }

    /// Accepts everything, over TLS with `identity`.
    pub(crate) async fn over_tls(identity: ServerConfig) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("the listener is bound");
        let seen = Arc::default();
        let script: Arc<Mutex<Script>> = Arc::new(Mutex::new(|_: &Seen| Reply::Accept));
        let tls = Some(TlsAcceptor::from(Arc::new(identity)));
        let task = tokio::spawn(serve(listener, tls, script, Arc::clone(&seen)));
        Self { address, seen, task }
    }

    /// Gives the replies in turn, then accepts.
    pub(crate) async fn replying(replies: impl Into<Vec<Reply>>) -> Self {
        let mut replies = replies.into().into_iter();
        Self::start(move |_| replies.next().unwrap_or(Reply::Accept)).await
    }

    /// The requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        let seen = self.seen.lock().expect("no panic");
        seen.iter().map(|(seen, _)| seen.clone()).collect()
    }

    /// The requests that it took at least in part.
    pub(crate) fn accepted(&self) -> Vec<Seen> {
        let seen = self.seen.lock().expect("no panic");
        let taken = |reply: &Reply| matches!(reply, Reply::Accept | Reply::Reject(_));
        seen.iter().filter(|(_, reply)| taken(reply)).map(|(seen, _)| seen.clone()).collect()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    script: Arc<Mutex<Script>>,
    seen: Arc<Mutex<Vec<(Seen, Reply)>>>,
) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let (socket, _) = listener.accept().await.expect("the listener lives");
        let (tls, script, log) = (tls.clone(), script.clone(), seen.clone());
        connections.spawn(async move {
            let service = service_fn(|request| {
                let (script, log) = (script.clone(), log.clone());
                async move {
                    // The client may break off while it is read.
                    let seen = read(request).await.map_err(io::Error::other)?;
                    let reply = script.lock().expect("no panic")(&seen);
                    log.lock().expect("no panic").push((seen.clone(), reply.clone()));
                    respond(&seen, reply).await
                }
            });
            let server = auto::Builder::new(TokioExecutor::new());
            let Some(tls) = tls else {
                drop(server.serve_connection(TokioIo::new(socket), service).await);
                return;
            };
            // A client that does not trust the certificate breaks off here.
            if let Ok(socket) = tls.accept(socket).await {
                drop(server.serve_connection(TokioIo::new(socket), service).await);
            }
        });
    }
}

fn is_grpc(headers: &HeaderMap) -> bool {
    headers.get("content-type").is_some_and(|value| value == "application/grpc")
}

async fn read(request: Request<Incoming>) -> Result<Seen, hyper::Error> {
    let (head, body) = request.into_parts();
    let mut body = body.collect().await?.to_bytes();
    let mut gzip = head.headers.get("content-encoding").is_some_and(|value| value == "gzip");
    if is_grpc(&head.headers) {
        // Length-prefixed message: one byte that says whether it is compressed, four of length.
        gzip = body.first() == Some(&1);
        body = body.split_off(5);
    }
    let mut whole = body.to_vec();
    if gzip {
        whole.clear();
        GzDecoder::new(body.as_ref()).read_to_end(&mut whole).expect("it is gzip");
    }
    let path = head.uri.path().to_owned();
    Ok(Seen { path, headers: head.headers, body: whole, at: Instant::now() })
}

type Body = UnsyncBoxBody<Bytes, Infallible>;

async fn respond(seen: &Seen, reply: Reply) -> io::Result<Response<Body>> {
    let rejected = match reply {
        Reply::Accept => 0,
        Reply::Reject(n) => n,
        Reply::Grpc(code, after) => return Ok(failure(code, after)),
        Reply::Http(status, after) => {
            let mut response = Response::new(Full::default().boxed_unsync());
            *response.status_mut() = StatusCode::from_u16(status).expect("a status");
            if let Some(after) = after {
                response.headers_mut().insert("retry-after", HeaderValue::from_static(after));
            }
            return Ok(response);
        }
        Reply::Hang => std::future::pending().await,
        Reply::Break => return Err(io::ErrorKind::ConnectionReset.into()),
    };
    let message = ExportLogsServiceResponse {
        partial_success: (rejected != 0).then(|| ExportLogsPartialSuccess {
            rejected_log_records: rejected,
            error_message: "too old".to_owned(),
        }),
    }
    .encode_to_vec();
    if is_grpc(&seen.headers) {
        return Ok(framed(message, seen.headers.contains_key("grpc-encoding")));
    }
    Ok(Response::new(Full::from(message).boxed_unsync()))
}

/// A gRPC response that is compressed if the request was, as grpc-go's are.
fn framed(mut message: Vec<u8>, gzip: bool) -> Response<Body> {
    if gzip {
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&message).expect("a vector takes every write");
        message = encoder.finish().expect("a vector takes every write");
    }
    let mut framed = BytesMut::new();
    framed.put_u8(u8::from(gzip));
    framed.put_u32(u32::try_from(message.len()).expect("it is short"));
    framed.put_slice(&message);
    let trailers = HeaderMap::from_iter([(GRPC_STATUS, HeaderValue::from_static("0"))]);
    let body = Full::from(framed.freeze()).with_trailers(async { Some(Ok(trailers)) });
    let mut response = Response::new(body.boxed_unsync());
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    if gzip {
        response.headers_mut().insert("grpc-encoding", HeaderValue::from_static("gzip"));
    }
    response
}

const GRPC_STATUS: ::http::HeaderName = ::http::HeaderName::from_static("grpc-status");

/// A response of headers only, as a server gives it that fails before the first message.
fn failure(code: i32, after: Option<Duration>) -> Response<Body> {
    let code = tonic::Code::from_i32(code);
    let status = match after {
        Some(_) => {
            let details = ErrorDetails::with_retry_info(after);
            tonic::Status::with_error_details(code, "told to", details)
        }
        None => tonic::Status::new(code, "told to"),
    };
    status.into_http::<Full<Bytes>>().map(|body| body.boxed_unsync())
}

//! Two exchanges with a secret wherever one can be. Each is of letters and digits only, so that
//! every form of output would write it as it is.

use e2e::lan::Lan;
use e2e::traffic::Conversation;

/// Values of header fields, on either side, in heads, interim responses and trailers.
pub(crate) const IN_FIELDS: [&str; 12] = [
    "sekritAuthorization01",
    "sekritProxyAuthorization02",
    "sekritCookie03",
    "sekritApiKey04",
    "sekritAuthToken05",
    "sekritCsrf06",
    "sekritReferer07",
    "sekritLocation08",
    "sekritSetCookie09",
    "sekritInterimCookie10",
    "sekritTrailer11",
    "sekritLink12",
];

/// Parts of request targets.
pub(crate) const IN_TARGETS: [&str; 5] =
    ["sekritToken21", "sekritAccess22", "sekritSig23", "sekritUser24", "sekritPassword25"];

/// Parts of bodies. The first of each message is in the segment of its head.
pub(crate) const IN_BODIES: [&str; 5] = [
    "sekritRequestBody31",
    "sekritRequestBody32",
    "sekritChunk33",
    "sekritChunk34",
    "sekritResponseBody35",
];

/// What is not secret: it shows that the exchanges were exported.
pub(crate) const SHOWN: [&str; 4] =
    ["plainLogin41", "plainRequest42", "plainMoved43", "plainAnswer44"];

/// Both exchanges, in segments of their own; gives the server's port.
pub(crate) fn hold(lan: &Lan) -> u16 {
    let mut talk = Conversation::over(lan);
    log_in(&mut talk, &lan.server_v4());
    be_moved(&mut talk);
    talk.port
}

fn log_in(talk: &mut Conversation, host: &str) {
    let port = talk.port;
    talk.request(format!(
        "POST http://sekritUser24:sekritPassword25@{host}:{port}/plainLogin41\
         ?token=sekritToken21&page=2&access_token=sekritAccess22&sig=sekritSig23 HTTP/1.1\r\n\
         Host: {host}:{port}\r\n\
         X-Request-Id: plainRequest42\r\n\
         Authorization: Bearer sekritAuthorization01\r\n\
         Proxy-Authorization: Basic sekritProxyAuthorization02\r\n\
         Cookie: theme=dark; id=sekritCookie03\r\n\
         X-Api-Key: sekritApiKey04\r\n\
         X-Auth-Token: sekritAuthToken05\r\n\
         X-CSRF-Token: sekritCsrf06\r\n\
         Content-Length: 39\r\n\r\nsekritRequestBody31&"
    ));
    talk.request("sekritRequestBody32");
    talk.response(
        "HTTP/1.1 103 Early Hints\r\nSet-Cookie: id=sekritInterimCookie10; Secure\r\n\r\n",
    );
    talk.response(
        "HTTP/1.1 200 OK\r\nSet-Cookie: id=sekritSetCookie09; HttpOnly\r\n\
         Trailer: X-Session-Token\r\nTransfer-Encoding: chunked\r\n\r\nd\r\nsekritChunk33\r\n",
    );
    talk.response("d\r\nsekritChunk34\r\n");
    talk.response("0\r\nX-Session-Token: sekritTrailer11\r\n\r\n");
}

fn be_moved(talk: &mut Conversation) {
    talk.request(
        "GET /plainMoved43 HTTP/1.1\r\nHost: test\r\n\
         Referer: http://test/from?token=sekritReferer07\r\n\r\n",
    );
    talk.response(
        "HTTP/1.1 302 Found\r\nLocation: http://test/to?token=sekritLocation08\r\n\
         Link: </next?page=2&access_token=sekritLink12>; rel=next\r\n\
         X-Request-Id: plainAnswer44\r\nContent-Length: 20\r\n\r\nsekritResponseBody35",
    );
}

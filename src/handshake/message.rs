//! The heads that we send.

use super::HandshakeError;
use super::accept::Field;
use super::head::{is_header_name, is_header_value};
use super::uri::Uri;
use crate::ascii::until;
use crate::buffer::{Storage, WriteBuffer};
use crate::config::SMALL;
#[cfg(feature = "deflate")]
use crate::deflate::DeflateConfig;
use crate::{Error, Misuse};

/// What a client asks for: given to [`WebSocket::connect`](crate::WebSocket::connect).
///
/// ```
/// use sockless::handshake::{Request, Uri};
///
/// let uri = Uri::parse("ws://example.com/chat?room=1")?;
/// let request = Request::new(&uri)
///     .subprotocols(&["chat.v2", "chat.v1"])
///     .origin("https://example.com")
///     .headers(&[("Authorization", "Bearer 1234")]);
/// # Ok::<(), sockless::handshake::UriError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub(super) host: [&'a str; 3],
    pub(super) resource: [&'a str; 3],
    pub(super) origin: Option<&'a str>,
    pub(super) subprotocols: &'a [&'a str],
    pub(super) headers: &'a [(&'a str, &'a str)],
    #[cfg(feature = "deflate")]
    pub(super) deflate: Option<DeflateConfig>,
}

impl<'a> Request<'a> {
    /// A request for what the URI names: its host goes into `Host`, its path and query are the target.
    #[must_use]
    pub fn new(uri: &Uri<'a>) -> Request<'a> {
        Request {
            host: uri.host_header().parts(),
            resource: uri.resource_name().parts(),
            origin: None,
            subprotocols: &[],
            headers: &[],
            #[cfg(feature = "deflate")]
            deflate: None,
        }
    }

    /// Offers subprotocols, the best liked first.
    #[must_use]
    pub const fn subprotocols(mut self, names: &'a [&'a str]) -> Request<'a> {
        self.subprotocols = names;
        self
    }

    /// Says on whose behalf it is made (RFC 6454). Only browsers have to.
    #[must_use]
    pub const fn origin(mut self, origin: &'a str) -> Request<'a> {
        self.origin = Some(origin);
        self
    }

    /// Offers compression. Whether the server takes it up, [`WebSocket::deflate`](crate::WebSocket::deflate) says.
    #[cfg(feature = "deflate")]
    #[must_use]
    pub const fn deflate(mut self, config: DeflateConfig) -> Request<'a> {
        self.deflate = Some(config);
        self
    }

    /// Further headers, such as for authentication.
    #[must_use]
    pub const fn headers(mut self, headers: &'a [(&'a str, &'a str)]) -> Request<'a> {
        self.headers = headers;
        self
    }

    pub(super) fn check(&self) -> Result<(), Misuse> {
        check_headers(self.headers, &[])?;
        let origin = self.origin.is_none_or(is_header_value);
        let unique = |(i, name): (usize, &&str)| {
            is_header_name(name) && !self.subprotocols.iter().take(i).any(|earlier| earlier == name)
        };
        if origin && self.subprotocols.iter().enumerate().all(unique) {
            Ok(())
        } else {
            Err(Misuse::InvalidHeader)
        }
    }
}

/// What a server accepts with: given to [`WebSocket::accept`](crate::WebSocket::accept).
///
/// ```
/// let response = sockless::handshake::Response::new()
///     .subprotocol("chat.v2")
///     .headers(&[("Set-Cookie", "id=1; HttpOnly")]);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Response<'a> {
    pub(super) subprotocol: Option<&'a str>,
    pub(super) headers: &'a [(&'a str, &'a str)],
    #[cfg(feature = "deflate")]
    pub(super) deflate: Option<DeflateConfig>,
}

impl<'a> Response<'a> {
    /// A plain 101: no subprotocol, no further headers.
    #[must_use]
    pub const fn new() -> Response<'a> {
        Response {
            subprotocol: None,
            headers: &[],
            #[cfg(feature = "deflate")]
            deflate: None,
        }
    }

    /// Chooses a subprotocol, which has to be one of those offered. Most browsers end the connection when they
    /// offered some and none is chosen.
    #[must_use]
    pub const fn subprotocol(mut self, name: &'a str) -> Response<'a> {
        self.subprotocol = Some(name);
        self
    }

    /// Agrees to compression, if the client offers any that the configuration can meet; what came of it,
    /// [`WebSocket::deflate`](crate::WebSocket::deflate) says.
    #[cfg(feature = "deflate")]
    #[must_use]
    pub const fn deflate(mut self, config: DeflateConfig) -> Response<'a> {
        self.deflate = Some(config);
        self
    }

    /// Further headers.
    #[must_use]
    pub const fn headers(mut self, headers: &'a [(&'a str, &'a str)]) -> Response<'a> {
        self.headers = headers;
        self
    }

    pub(super) fn check(&self) -> Result<(), Misuse> {
        check_headers(self.headers, &[])
    }
}

/// An answer of HTTP instead of a WebSocket: a page, a redirect, a refusal. Given to
/// [`WebSocket::answer`](crate::WebSocket::answer). `Connection: close` and `Content-Length` are added.
///
/// ```
/// let answer = sockless::handshake::Answer::new(401)
///     .headers(&[("WWW-Authenticate", "Basic"), ("Content-Type", "text/plain")])
///     .body(b"who are you?");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    status: u16,
    headers: &'a [(&'a str, &'a str)],
    body: &'a [u8],
    /// Whether the body is sent, and not only measured.
    send_body: bool,
}

impl<'a> Answer<'a> {
    /// An answer with this status, 200-599, and nothing in it.
    #[must_use]
    pub const fn new(status: u16) -> Answer<'a> {
        Answer { status, headers: &[], body: b"", send_body: true }
    }

    /// Headers.
    #[must_use]
    pub const fn headers(mut self, headers: &'a [(&'a str, &'a str)]) -> Answer<'a> {
        self.headers = headers;
        self
    }

    /// The body.
    #[must_use]
    pub const fn body(mut self, body: &'a [u8]) -> Answer<'a> {
        self.body = body;
        self
    }

    /// Leaves the body out and keeps its `Content-Length`: the answer to a HEAD.
    #[must_use]
    pub const fn head_only(mut self) -> Answer<'a> {
        self.send_body = false;
        self
    }

    pub(super) fn check(&self) -> Result<(), Misuse> {
        // RFC 9110 6.4.1: "All 204 (No Content) ... and 304 (Not Modified) responses do not include content."
        let bodiless = matches!(self.status, 204 | 304);
        if !(200..600).contains(&self.status) || (bodiless && !self.body.is_empty()) {
            return Err(Misuse::InvalidStatus);
        }
        // A 426 names them.
        check_headers(self.headers, &[Field::Upgrade, Field::Version])
    }

    pub(super) fn write(&self, out: &mut Out<'_>) {
        out.put("HTTP/1.1 ");
        let mut digits = [0; 20];
        let digits = decimal(usize::from(self.status), &mut digits);
        out.bytes(digits);
        out.bytes(reason(digits));
        out.put("\r\nConnection: close\r\n");
        // RFC 9110 8.6: "A server MUST NOT send a Content-Length header field in any response with a status
        // code of 1xx (Informational) or 204 (No Content)."
        if self.status != 204 {
            out.put("Content-Length: ");
            out.bytes(decimal(self.body.len(), &mut [0; 20]));
            out.put("\r\n");
        }
        for (name, value) in self.headers {
            out.header(name, value);
        }
        out.put("\r\n");
        if self.send_body {
            out.bytes(self.body);
        }
    }
}

impl Answer<'static> {
    /// The refusal of a handshake, with the headers that its status calls for.
    pub(super) fn refusal(error: HandshakeError) -> Answer<'static> {
        let status = error.status();
        let headers: &[(&str, &str)] = match status {
            // RFC 6455 4.4, and RFC 9110 15.5.22: 426 names the protocol that is asked for.
            426 => &UPGRADE_REQUIRED,
            405 => &[PLAIN, ("Allow", "GET")],
            _ => &[PLAIN],
        };
        Answer::new(status).headers(headers).body(error.text().as_bytes())
    }

    /// What a request that is none for a WebSocket gets when the caller has no answer for it.
    pub(super) fn upgrade_required() -> Answer<'static> {
        Answer::new(426).headers(&UPGRADE_REQUIRED).body(b"this is a WebSocket server")
    }

    /// What a request by another method than GET gets when the caller has no answer for it.
    pub(super) fn method_not_allowed() -> Answer<'static> {
        // No body: the method may be HEAD.
        Answer::new(405).headers(&[("Allow", "GET")])
    }

    /// What a request for a WebSocket gets when the caller has no answer for it.
    pub(super) fn forbidden() -> Answer<'static> {
        Answer::new(403)
    }
}

const PLAIN: (&str, &str) = ("Content-Type", "text/plain");
const UPGRADE_REQUIRED: [(&str, &str); 3] =
    [PLAIN, ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")];

/// A caller's headers must not end their line early, nor say again what the handshake says, but for `free`.
fn check_headers(headers: &[(&str, &str)], free: &[Field]) -> Result<(), Misuse> {
    let good = |&(name, value): &(&str, &str)| {
        let field = Field::of(name.as_bytes());
        is_header_name(name)
            && is_header_value(value)
            && (field == Field::Other || free.contains(&field))
    };
    if headers.iter().all(good) { Ok(()) } else { Err(Misuse::InvalidHeader) }
}

/// The reason phrase of a status, behind a space (RFC 9110 section 15). It means nothing to a peer, and may be empty.
fn reason(digits: &[u8]) -> &'static [u8] {
    let mut lines = STATUS.as_bytes();
    while !lines.is_empty() {
        if let Some(reason) = until(&mut lines, b'\n').strip_prefix(digits) {
            return reason;
        }
        lines = lines.get(1..).unwrap_or_default();
    }
    b" "
}

const STATUS: &str = "200 OK\n\
    204 No Content\n\
    301 Moved Permanently\n\
    302 Found\n\
    303 See Other\n\
    307 Temporary Redirect\n\
    308 Permanent Redirect\n\
    400 Bad Request\n\
    401 Unauthorized\n\
    403 Forbidden\n\
    404 Not Found\n\
    405 Method Not Allowed\n\
    426 Upgrade Required\n\
    429 Too Many Requests\n\
    431 Request Header Fields Too Large\n\
    500 Internal Server Error\n\
    503 Service Unavailable\n\
    505 HTTP Version Not Supported";

/// Writes a head into memory that may be too short, and counts what it would need.
pub(super) struct Out<'a> {
    /// What is left of the memory.
    room: &'a mut [u8],
    len: usize,
}

impl Out<'_> {
    #[cfg_attr(target_os = "none", inline(never))]
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.len = self.len.saturating_add(bytes.len());
        if let Some((to, room)) = core::mem::take(&mut self.room).split_at_mut_checked(bytes.len())
        {
            if SMALL {
                // Not every level of optimisation sees that the lengths are the same.
                to.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
            } else {
                to.copy_from_slice(bytes);
            }
            self.room = room;
        }
    }

    pub(super) fn put(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    pub(super) fn header(&mut self, name: &str, value: &str) {
        self.put(name);
        self.put(": ");
        self.put(value);
        self.put("\r\n");
    }
}

/// The digits of a number.
#[cfg_attr(target_os = "none", inline(never))]
fn decimal(mut number: usize, digits: &mut [u8; 20]) -> &[u8] {
    let mut first = digits.len();
    for (place, digit) in digits.iter_mut().enumerate().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
        first = place;
        if number == 0 {
            break;
        }
    }
    digits.get(first..).unwrap_or_default()
}

/// Puts a head, and leaves room for `keep` bytes behind it: measured first, then written, or refused with what it
/// needs.
pub(super) fn put<T: Storage>(
    tx: &mut WriteBuffer<T>,
    keep: usize,
    write: impl Fn(&mut Out<'_>),
) -> Result<(), Error> {
    let mut len = 0;
    loop {
        let room = if len == 0 { &mut [] } else { tx.room_beside(len, keep)? };
        let mut out = Out { room, len: 0 };
        write(&mut out);
        if out.len == len {
            break;
        }
        len = out.len;
    }
    tx.commit(len);
    Ok(())
}

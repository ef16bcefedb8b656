//! The heads that we write, and their fields for those whose HTTP library writes the head.

use core::fmt;

use super::compression::{Agreed, Offer};
use super::error::HandshakeError;
use super::fields::{Field, HeaderField, is_field_value, is_token};
use super::key::Key;
use super::rules::check_response;
use super::uri::Uri;
use crate::ascii::until;
use crate::buffer::{Storage, WriteBuffer};
use crate::config::SMALL;
#[cfg(feature = "deflate")]
use crate::deflate::{DeflateConfig, OfferShape};
use crate::error::{Error, Misuse};

/// A client's request to open a WebSocket; see [`WebSocket::connect`](crate::WebSocket::connect).
///
/// ```
/// use sockless::handshake::{ConnectRequest, Uri};
///
/// let uri = Uri::parse("ws://example.com/chat?room=1")?;
/// let request = ConnectRequest::new(&uri)
///     .with_subprotocols(&["chat.v2", "chat.v1"])
///     .with_origin("https://example.com")
///     .with_headers(&[("Authorization", "Bearer 1234")]);
/// # Ok::<(), sockless::handshake::UriError>(())
/// ```
#[derive(Clone, Copy)]
pub struct ConnectRequest<'a> {
    host: [&'a str; 3],
    resource: [&'a str; 3],
    origin: Option<&'a str>,
    subprotocols: &'a [&'a str],
    headers: &'a [(&'a str, &'a str)],
    pub(super) offer: Offer,
}

impl<'a> ConnectRequest<'a> {
    /// Makes a request for the resource of `uri`: its host is the `Host`, its path and query are
    /// the target.
    #[must_use]
    pub fn new(uri: &Uri<'a>) -> ConnectRequest<'a> {
        ConnectRequest {
            host: uri.host_header().parts(),
            resource: uri.resource_name().parts(),
            origin: None,
            subprotocols: &[],
            headers: &[],
            offer: Offer::NONE,
        }
    }

    /// Offers subprotocols in the order of preference (RFC 6455 section 1.9).
    #[must_use]
    pub const fn with_subprotocols(mut self, names: &'a [&'a str]) -> ConnectRequest<'a> {
        self.subprotocols = names;
        self
    }

    /// Sets the `Origin` (RFC 6454). Only browsers have to send one.
    #[must_use]
    pub const fn with_origin(mut self, origin: &'a str) -> ConnectRequest<'a> {
        self.origin = Some(origin);
        self
    }

    /// Offers compression. [`WebSocket::deflate`](crate::WebSocket::deflate) returns what the server
    /// agreed to.
    #[cfg(feature = "deflate")]
    #[must_use]
    pub const fn with_deflate(mut self, config: DeflateConfig) -> ConnectRequest<'a> {
        self.offer.config = Some(config);
        self
    }

    /// Sets the shape of the offer of compression: some servers refuse offers with parameters.
    #[cfg(feature = "deflate")]
    #[must_use]
    pub const fn with_deflate_shape(mut self, shape: OfferShape) -> ConnectRequest<'a> {
        self.offer.shape = shape;
        self
    }

    /// Adds header fields, such as for authentication. What the handshake writes itself is refused.
    #[must_use]
    pub const fn with_headers(mut self, headers: &'a [(&'a str, &'a str)]) -> ConnectRequest<'a> {
        self.headers = headers;
        self
    }

    /// Returns the header fields of the request but for `Host`, for an HTTP library to send: with
    /// `key` those of a GET over HTTP/1.1 (RFC 6455 section 4.1), without a key those of an extended
    /// CONNECT, whose `:protocol` is `websocket` (RFC 8441 section 5, RFC 9220).
    ///
    /// # Errors
    /// - [`Misuse::InvalidHeader`] if a name or value would break the head.
    /// - [`Misuse::ReservedHeader`] if a header is one that the handshake writes.
    /// - [`Misuse::InvalidSubprotocol`] if the subprotocols are not unique tokens.
    ///
    /// ```
    /// use sockless::handshake::{ConnectRequest, Uri};
    ///
    /// let uri = Uri::parse("wss://example.com/chat").unwrap();
    /// let request = ConnectRequest::new(&uri).with_subprotocols(&["chat"]);
    /// let fields: Vec<_> =
    ///     request.fields(None)?.map(|(name, value)| format!("{name}: {value}")).collect();
    /// assert_eq!(fields, ["Sec-WebSocket-Version: 13", "Sec-WebSocket-Protocol: chat"]);
    /// # Ok::<(), sockless::Misuse>(())
    /// ```
    pub fn fields(
        &self,
        key: Option<&Key>,
    ) -> Result<impl Iterator<Item = (&'a str, FieldValue<'a>)> + use<'a>, Misuse> {
        self.check()?;
        Ok(self.checked_fields(key))
    }

    /// Judges the response to this request: with `key` the 101 of an upgrade (RFC 6455 section 4.1),
    /// without a key the 2xx of an extended CONNECT (RFC 8441 section 5). Returns what was agreed.
    ///
    /// # Errors
    /// Returns the [`HandshakeError`] of the first rule that the response breaks.
    pub fn check_response<'h, I>(
        &self,
        key: Option<&Key>,
        status: u16,
        headers: I,
    ) -> Result<Agreed<'h>, HandshakeError>
    where
        I: IntoIterator<Item: HeaderField<'h>> + Clone,
    {
        let accept = key.map(Key::accept);
        let accepted = if key.is_some() { status == 101 } else { (200..300).contains(&status) };
        if !accepted {
            return Err(HandshakeError::Status);
        }
        check_response(accept.as_ref(), headers, self.offer)?.offered_in(self.subprotocols)
    }

    pub(super) fn check(&self) -> Result<(), Misuse> {
        check_headers(self.headers, &[])?;
        if !self.origin.is_none_or(is_field_value) {
            return Err(Misuse::InvalidHeader);
        }
        let unique = |(i, name): (usize, &&str)| {
            is_token(name.as_bytes())
                && !self.subprotocols.iter().take(i).any(|earlier| earlier == name)
        };
        if !self.subprotocols.iter().enumerate().all(unique) {
            return Err(Misuse::InvalidSubprotocol);
        }
        Ok(())
    }

    fn checked_fields(
        &self,
        key: Option<&Key>,
    ) -> impl Iterator<Item = (&'a str, FieldValue<'a>)> + use<'a> {
        let (request, key) = (*self, key.copied());
        let subprotocols = Some(request.subprotocols).filter(|names| !names.is_empty());
        fields(request.headers, move |place| match place {
            0 => key.map(|_| UPGRADE),
            1 => key.map(|_| CONNECTION),
            2 => key.map(|key| ("Sec-WebSocket-Key", FieldValue(Inner::Key(key)))),
            3 => Some(text("Sec-WebSocket-Version", "13")),
            4 => request.origin.map(|origin| text("Origin", origin)),
            5 => {
                subprotocols.map(|names| ("Sec-WebSocket-Protocol", FieldValue(Inner::List(names))))
            }
            _ => request
                .offer
                .value()
                .map(|value| (EXTENSIONS, FieldValue(Inner::Extensions(value)))),
        })
    }

    /// Writes the request of an upgrade, which is known to be valid.
    pub(super) fn write<T: Storage>(
        &self,
        key: &Key,
        tx: &mut WriteBuffer<T>,
    ) -> Result<(), Error> {
        // No reply can be due before the request has left.
        write_head(tx, 0, |out| {
            out.put("GET ");
            self.resource.iter().for_each(|part| out.put(part));
            out.put(" HTTP/1.1\r\nHost: ");
            self.host.iter().for_each(|part| out.put(part));
            out.put("\r\n");
            out.fields(self.checked_fields(Some(key)));
        })
    }
}

impl fmt::Debug for ConnectRequest<'_> {
    /// Shows no target, no origin and no header: they can hold credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectRequest")
            .field("subprotocols", &self.subprotocols)
            .field("headers", &self.headers.len())
            .finish_non_exhaustive()
    }
}

/// How a server accepts a request; see [`WebSocket::accept`](crate::WebSocket::accept).
///
/// ```
/// let accept = sockless::handshake::Accept::new()
///     .with_subprotocol("chat.v2")
///     .with_headers(&[("Set-Cookie", "id=1; HttpOnly")]);
/// ```
#[derive(Clone, Copy, Default)]
pub struct Accept<'a> {
    pub(super) subprotocol: Option<&'a str>,
    headers: &'a [(&'a str, &'a str)],
    pub(super) offer: Offer,
}

impl<'a> Accept<'a> {
    /// Accepts with no subprotocol and no further headers.
    #[must_use]
    pub const fn new() -> Accept<'a> {
        Accept { subprotocol: None, headers: &[], offer: Offer::NONE }
    }

    /// Chooses one of the subprotocols that were offered. Most browsers end the connection if they
    /// offered some and none is chosen.
    #[must_use]
    pub const fn with_subprotocol(mut self, name: &'a str) -> Accept<'a> {
        self.subprotocol = Some(name);
        self
    }

    /// Agrees to the first offer of compression that `config` can meet, if the client made one.
    /// [`WebSocket::deflate`](crate::WebSocket::deflate) returns what was agreed.
    #[cfg(feature = "deflate")]
    #[must_use]
    pub const fn with_deflate(mut self, config: DeflateConfig) -> Accept<'a> {
        self.offer.config = Some(config);
        self
    }

    /// Adds header fields. What the handshake writes itself is refused.
    #[must_use]
    pub const fn with_headers(mut self, headers: &'a [(&'a str, &'a str)]) -> Accept<'a> {
        self.headers = headers;
        self
    }

    pub(super) fn check(&self) -> Result<(), Misuse> {
        check_headers(self.headers, &[])
    }
}

impl fmt::Debug for Accept<'_> {
    /// Shows no header: they can hold credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accept")
            .field("subprotocol", &self.subprotocol)
            .field("headers", &self.headers.len())
            .finish_non_exhaustive()
    }
}

/// The response that accepts a request; made by [`Upgrade::accept`](super::Upgrade::accept).
#[derive(Clone, Copy, Debug)]
pub struct Accepted<'a> {
    /// The value that answers the key; an extended CONNECT has none.
    pub(super) accept: Option<[u8; 28]>,
    pub(super) extensions: Option<ExtensionsValue>,
    pub(super) response: Accept<'a>,
    pub(super) agreed: Agreed<'a>,
}

impl<'a> Accepted<'a> {
    /// Returns the status: 101 for an upgrade, 200 for an extended CONNECT.
    #[must_use]
    pub const fn status(&self) -> u16 {
        if self.accept.is_some() { 101 } else { 200 }
    }

    /// Returns the header fields of the response, the caller's included.
    pub fn fields(&self) -> impl Iterator<Item = (&'a str, FieldValue<'a>)> + use<'a> {
        let Accepted { accept, extensions, response, .. } = *self;
        fields(response.headers, move |place| match place {
            0 => accept.map(|_| UPGRADE),
            1 => accept.map(|_| CONNECTION),
            2 => accept.map(|accept| ("Sec-WebSocket-Accept", FieldValue(Inner::Accept(accept)))),
            3 => response.subprotocol.map(|name| text("Sec-WebSocket-Protocol", name)),
            4 => extensions.map(|value| (EXTENSIONS, FieldValue(Inner::Extensions(value)))),
            _ => None,
        })
    }

    /// Returns what the connection has agreed on.
    #[must_use]
    pub const fn agreed(&self) -> Agreed<'a> {
        self.agreed
    }
}

/// The value of a header field that we send. [`Display`](fmt::Display) writes it; it is text
/// without control characters.
#[derive(Clone, Copy, Debug)]
pub struct FieldValue<'a>(Inner<'a>);

#[cfg(feature = "deflate")]
type ExtensionsValue = crate::deflate::HeaderValue;
#[cfg(not(feature = "deflate"))]
type ExtensionsValue = &'static str;

#[derive(Clone, Copy, Debug)]
enum Inner<'a> {
    Text(&'a str),
    /// Elements of a list, to be separated by commas.
    List(&'a [&'a str]),
    Key(Key),
    Accept([u8; 28]),
    Extensions(ExtensionsValue),
}

impl FieldValue<'_> {
    fn write(&self, mut write: impl FnMut(&[u8])) {
        match &self.0 {
            Inner::Text(text) => write(text.as_bytes()),
            Inner::List(names) => {
                for (i, name) in names.iter().enumerate() {
                    write(if i == 0 { b"" } else { b", " });
                    write(name.as_bytes());
                }
            }
            Inner::Key(key) => write(key.as_str().as_bytes()),
            Inner::Accept(accept) => write(accept),
            Inner::Extensions(value) => write(value.as_ref()),
        }
    }
}

impl fmt::Display for FieldValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut result = Ok(());
        self.write(|bytes| {
            result = result.and_then(|()| f.write_str(core::str::from_utf8(bytes).unwrap_or("")));
        });
        result
    }
}

const EXTENSIONS: &str = "Sec-WebSocket-Extensions";
const UPGRADE: (&str, FieldValue<'_>) = text("Upgrade", "websocket");
const CONNECTION: (&str, FieldValue<'_>) = text("Connection", "Upgrade");

const fn text<'a>(name: &'a str, value: &'a str) -> (&'a str, FieldValue<'a>) {
    (name, FieldValue(Inner::Text(value)))
}

/// Chains the fields of seven places, of which some are empty, and the caller's.
fn fields<'a>(
    headers: &'a [(&'a str, &'a str)],
    own: impl Fn(u8) -> Option<(&'a str, FieldValue<'a>)>,
) -> impl Iterator<Item = (&'a str, FieldValue<'a>)> {
    let theirs = headers.iter().map(|&(name, value)| text(name, value));
    (0..7).filter_map(own).chain(theirs)
}

/// An HTTP response instead of a WebSocket: a page, a redirect, a refusal; see
/// [`WebSocket::respond`](crate::WebSocket::respond). `Connection: close` and `Content-Length` are
/// added when it is written.
///
/// ```
/// let response = sockless::handshake::HttpResponse::new(401)
///     .with_headers(&[("WWW-Authenticate", "Basic"), ("Content-Type", "text/plain")])
///     .with_body(b"who are you?");
/// ```
#[derive(Clone, Copy)]
pub struct HttpResponse<'a> {
    status: u16,
    headers: &'a [(&'a str, &'a str)],
    body: &'a [u8],
    send_body: bool,
}

impl<'a> HttpResponse<'a> {
    /// Makes a response with this status, 200 to 599, without headers and body.
    #[must_use]
    pub const fn new(status: u16) -> HttpResponse<'a> {
        HttpResponse { status, headers: &[], body: b"", send_body: true }
    }

    /// Sets the header fields.
    #[must_use]
    pub const fn with_headers(mut self, headers: &'a [(&'a str, &'a str)]) -> HttpResponse<'a> {
        self.headers = headers;
        self
    }

    /// Sets the body.
    #[must_use]
    pub const fn with_body(mut self, body: &'a [u8]) -> HttpResponse<'a> {
        self.body = body;
        self
    }

    /// Leaves the body out and keeps its `Content-Length`: the response to HEAD.
    #[must_use]
    pub const fn head_only(mut self) -> HttpResponse<'a> {
        self.send_body = false;
        self
    }

    /// Returns the status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// Returns the header fields, without `Connection` and `Content-Length`.
    #[must_use]
    pub const fn headers(&self) -> &'a [(&'a str, &'a str)] {
        self.headers
    }

    /// Returns the body.
    #[must_use]
    pub const fn body(&self) -> &'a [u8] {
        self.body
    }

    pub(super) fn check(&self) -> Result<(), Misuse> {
        // RFC 9110 6.4.1: "All 204 (No Content) ... and 304 (Not Modified) responses do not include
        // content."
        let bodiless = matches!(self.status, 204 | 304);
        if !(200..600).contains(&self.status) || (bodiless && !self.body.is_empty()) {
            return Err(Misuse::InvalidStatus);
        }
        // A 426 names both.
        check_headers(self.headers, &[Field::Upgrade, Field::Version])
    }

    /// Writes the response, behind which nothing is sent.
    #[inline(never)]
    pub(super) fn write<T: Storage>(&self, tx: &mut WriteBuffer<T>) -> Result<(), Error> {
        write_head(tx, 0, |out| {
            out.put("HTTP/1.1 ");
            let mut digits = [0; 20];
            let digits = decimal(usize::from(self.status), &mut digits);
            out.bytes(digits);
            out.bytes(reason(digits));
            out.put("\r\nConnection: close\r\n");
            // RFC 9110 8.6: "A server MUST NOT send a Content-Length header field in any response
            // with a status code of 1xx (Informational) or 204 (No Content)."
            if self.status != 204 {
                out.put("Content-Length: ");
                out.bytes(decimal(self.body.len(), &mut [0; 20]));
                out.put("\r\n");
            }
            out.fields(self.headers.iter().map(|&(name, value)| text(name, value)));
            if self.send_body {
                out.bytes(self.body);
            }
        })
    }
}

impl HttpResponse<'static> {
    /// The response to a request for something else, if the caller has none.
    pub(super) const UPGRADE_REQUIRED: HttpResponse<'static> = HttpResponse::new(426)
        .with_headers(&UPGRADE_REQUIRED)
        .with_body(b"this is a WebSocket server");

    /// The response to a request by another method than GET, if the caller has none. It has no body:
    /// the method may be HEAD.
    pub(super) const METHOD_NOT_ALLOWED: HttpResponse<'static> =
        HttpResponse::new(405).with_headers(&[("Allow", "GET")]);

    /// The response to a request for a WebSocket, if the caller has none.
    pub(super) const FORBIDDEN: HttpResponse<'static> = HttpResponse::new(403);
}

impl fmt::Debug for HttpResponse<'_> {
    /// Shows lengths only: headers and body can hold credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpResponse")
            .field("status", &self.status)
            .field("headers", &self.headers.len())
            .field("body", &self.body.len())
            .finish_non_exhaustive()
    }
}

impl HandshakeError {
    /// Returns the response that refuses the request over HTTP/1.1, with the headers that its status
    /// calls for (RFC 9110 sections 15.5.6 and 15.5.22, RFC 6455 section 4.4). An HTTP library
    /// that sends it answers what [`ServerHandshake`](super::ServerHandshake) answers.
    ///
    /// ```
    /// use sockless::handshake::HandshakeError;
    ///
    /// let refusal = HandshakeError::WebSocketVersion.response();
    /// assert_eq!(refusal.status(), 426);
    /// assert!(refusal.headers().contains(&("Sec-WebSocket-Version", "13")));
    /// ```
    #[must_use]
    pub fn response(self) -> HttpResponse<'static> {
        let headers: &[(&str, &str)] = match self.status() {
            426 => &UPGRADE_REQUIRED,
            405 => &[PLAIN, ("Allow", "GET")],
            _ => &[PLAIN],
        };
        HttpResponse::new(self.status()).with_headers(headers).with_body(self.text().as_bytes())
    }

    /// Returns the response that refuses an extended CONNECT. HTTP/2 and HTTP/3 have no `Upgrade`
    /// field (RFC 9113 section 8.2.2), and so no 426: another version gets 400, and the one that is
    /// spoken in `Sec-WebSocket-Version`.
    #[must_use]
    pub fn connect_response(self) -> HttpResponse<'static> {
        match self {
            HandshakeError::WebSocketVersion => HttpResponse::new(400)
                .with_headers(&[PLAIN, ("Sec-WebSocket-Version", "13")])
                .with_body(self.text().as_bytes()),
            _ => self.response(),
        }
    }
}

const PLAIN: (&str, &str) = ("Content-Type", "text/plain");
const UPGRADE_REQUIRED: [(&str, &str); 3] =
    [PLAIN, ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")];

/// Checks that the caller's headers do not end their line early, and do not repeat a field of the
/// handshake, except those in `free`.
fn check_headers(headers: &[(&str, &str)], free: &[Field]) -> Result<(), Misuse> {
    for (name, value) in headers {
        if !is_token(name.as_bytes()) || !is_field_value(value) {
            return Err(Misuse::InvalidHeader);
        }
        let field = Field::of(name.as_bytes());
        if field != Field::Other && !free.contains(&field) {
            return Err(Misuse::ReservedHeader);
        }
    }
    Ok(())
}

/// Returns the reason phrase of a status behind a space (RFC 9110 section 15). It means nothing to a
/// peer and may be empty.
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

/// Writes a head into memory that may be too short, and counts the bytes that it needs.
pub(super) struct Out<'a> {
    /// The memory that is left.
    free: &'a mut [u8],
    len: usize,
}

impl Out<'_> {
    #[cfg_attr(target_os = "none", inline(never))]
    fn bytes(&mut self, bytes: &[u8]) {
        self.len = self.len.saturating_add(bytes.len());
        if let Some((to, free)) = core::mem::take(&mut self.free).split_at_mut_checked(bytes.len())
        {
            if SMALL {
                // Not every level of optimization sees that the lengths are equal.
                to.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
            } else {
                to.copy_from_slice(bytes);
            }
            self.free = free;
        }
    }

    pub(super) fn put(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// Writes the field lines and the empty line behind them.
    pub(super) fn fields<'a>(&mut self, fields: impl Iterator<Item = (&'a str, FieldValue<'a>)>) {
        for (name, value) in fields {
            self.put(name);
            self.put(": ");
            value.write(|bytes| self.bytes(bytes));
            self.put("\r\n");
        }
        self.put("\r\n");
    }
}

/// Writes the decimal digits of a number.
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

/// Writes a head, and keeps `keep` bytes free behind it: measured first, then written, or refused
/// with the size that it needs.
pub(super) fn write_head<T: Storage>(
    tx: &mut WriteBuffer<T>,
    keep: usize,
    write: impl Fn(&mut Out<'_>),
) -> Result<(), Error> {
    let mut len = 0;
    loop {
        let free = if len == 0 { &mut [] } else { tx.room_beside(len, keep)? };
        let mut out = Out { free, len: 0 };
        write(&mut out);
        if out.len == len {
            break;
        }
        len = out.len;
    }
    tx.commit(len);
    Ok(())
}

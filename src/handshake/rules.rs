//! Checks the rules of requests and responses, for headers of any source (RFC 6455 sections 4.1 and
//! 4.2, RFC 8441).

use core::fmt;

use super::accept::{Accept, Accepted};
use super::compression::{Agreed, Offer};
use super::error::HandshakeError;
use super::fields::{
    Field, Framing, HeaderField, Lines, has_token, is_token, next_element, token, trim,
};
use super::key::{KEY_LEN, Key};
use super::uri::is_host_and_port;
use crate::error::Misuse;
use crate::extensions;

/// Limits the number of subprotocols in a request.
const MAX_SUBPROTOCOLS: usize = 100;

/// Represents a request to open a WebSocket that satisfies RFC 6455 section 4.2.1 or RFC 8441
/// section 5.
///
/// `I` is the source of the headers: `&http::HeaderMap`, a slice of pairs, or
/// [`Headers`](super::Headers).
///
/// ```
/// use sockless::handshake::{Accept, Upgrade};
///
/// let headers = [ // as hyper, h2 or any other library has them
///     ("host", "example.com"),
///     ("upgrade", "websocket"),
///     ("connection", "keep-alive, Upgrade"),
///     ("sec-websocket-version", "13"),
///     ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
///     ("sec-websocket-protocol", "chat, superchat"),
/// ];
/// let upgrade = Upgrade::from_request("GET", &headers)?.expect("a request for a WebSocket");
/// assert!(upgrade.subprotocols().any(|name| name == "superchat"));
/// let accepted = upgrade.accept(Accept::new().with_subprotocol("superchat"))?;
/// assert_eq!(accepted.status(), 101);
/// for (name, value) in accepted.fields() {
///     println!("{name}: {value}"); // the headers of the 101
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Upgrade<I> {
    /// The key of an upgrade, or `None` for an extended CONNECT.
    key: Option<Key>,
    headers: I,
}

impl<'a, I: IntoIterator<Item: HeaderField<'a>> + Clone> Upgrade<I> {
    /// Checks the headers of a request with this `method`. Returns `Ok(None)` if the request does
    /// not ask for a WebSocket. The caller checks the HTTP version.
    ///
    /// # Errors
    /// Returns a [`HandshakeError`] if the request breaks a rule. Send its
    /// [`response`](HandshakeError::response).
    pub fn from_request(method: &str, headers: I) -> Result<Option<Upgrade<I>>, HandshakeError> {
        let found = Found::in_headers(headers.clone());
        let key = judge_request(&found, method, headers.clone())?;
        Ok(key.map(|key| Upgrade::new(Key::from_checked(key), headers)))
    }

    /// Checks an extended CONNECT of HTTP/2 (RFC 8441) or HTTP/3 (RFC 9220). `method` and
    /// `protocol` are the pseudo-header fields `:method` and `:protocol`. Returns `Ok(None)` if the
    /// request does not ask for a WebSocket.
    ///
    /// An extended CONNECT has no key and no `Sec-WebSocket-Accept`. A 2xx response accepts the
    /// request. The end of the stream replaces closing the TCP connection (RFC 8441 section 5):
    ///
    /// - A server ends its side of the stream (`END_STREAM`) after its Close.
    /// - A client ends its side after it has received the server's end.
    /// - A server reads until the client's end, because HTTP libraries reset a stream that is
    ///   dropped earlier.
    /// - A stream reset corresponds to a TCP reset: no Close is received.
    ///
    /// # Errors
    /// Returns a [`HandshakeError`] if the request breaks a rule. Send its
    /// [`connect_response`](HandshakeError::connect_response).
    ///
    /// ```
    /// use sockless::handshake::{Accept, Upgrade};
    ///
    /// let headers = [("sec-websocket-version", "13"), ("origin", "https://example.com")];
    /// let upgrade = Upgrade::from_connect("CONNECT", "websocket", &headers)?;
    /// let upgrade = upgrade.expect("a WebSocket");
    /// assert_eq!(upgrade.accept(Accept::new())?.status(), 200);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_connect(
        method: &str,
        protocol: &str,
        headers: I,
    ) -> Result<Option<Upgrade<I>>, HandshakeError> {
        if method != "CONNECT" || !protocol.eq_ignore_ascii_case("websocket") {
            return Ok(None);
        }
        let found = Found::in_headers(headers.clone());
        // RFC 8441 section 5: the version, subprotocols and extensions follow RFC 6455.
        found.check_version()?;
        found.check_lists(headers.clone())?;
        Ok(Some(Upgrade { key: None, headers }))
    }

    pub(super) const fn new(key: Key, headers: I) -> Upgrade<I> {
        Upgrade { key: Some(key), headers }
    }

    /// Returns the key, or `None` for an extended CONNECT.
    #[must_use]
    pub const fn key(&self) -> Option<Key> {
        self.key
    }

    /// Returns the offered subprotocols, in the order of the client's preference (RFC 6455 section
    /// 1.9).
    pub fn subprotocols(&self) -> impl Iterator<Item = &'a str> + use<'a, I> {
        subprotocols(self.headers.clone())
    }

    /// Returns the offered extensions, in the order of the client's preference (RFC 6455 section
    /// 9.1).
    pub fn extensions(
        &self,
    ) -> extensions::Extensions<'a, impl Iterator<Item = &'a [u8]> + use<'a, I>> {
        extension_list(self.headers.clone())
    }

    /// Makes the response that accepts the request.
    ///
    /// # Errors
    /// - Returns [`Misuse::SubprotocolNotOffered`] if the chosen subprotocol was not offered (RFC
    ///   6455 section 4.2.2).
    /// - Returns [`Misuse::InvalidHeader`] if a name or value would break the head.
    /// - Returns [`Misuse::ReservedHeader`] if one of the headers belongs to the handshake.
    pub fn accept<'r>(&self, accept: Accept<'r>) -> Result<Accepted<'r>, Misuse> {
        accept.check()?;
        // RFC 6455 section 4.2.2: "The value chosen MUST be derived from the client's handshake,
        // specifically by selecting one of the values from the |Sec-WebSocket-Protocol| field".
        if accept.subprotocol.is_some_and(|chosen| !self.subprotocols().any(|name| name == chosen))
        {
            return Err(Misuse::SubprotocolNotOffered);
        }
        let (extensions, compression) = accept.offer.answer(self.extensions());
        Ok(Accepted {
            accept: self.key.map(|key| key.accept()),
            extensions,
            response: accept,
            agreed: Agreed { subprotocol: accept.subprotocol, compression },
        })
    }
}

impl<I> fmt::Debug for Upgrade<I> {
    /// Omits the headers: headers can contain credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgrade").field("key", &self.key).finish_non_exhaustive()
    }
}

/// Checks an HTTP/1.1 request. Returns its key if the request asks for a WebSocket.
pub(super) fn judge_request<'a>(
    found: &Found<'a>,
    method: &str,
    headers: impl IntoIterator<Item: HeaderField<'a>> + Clone,
) -> Result<Option<&'a [u8; KEY_LEN]>, HandshakeError> {
    let [host, key, ..] = found.once;
    // RFC 9112 section 3.2 requires a 400 if `Host` is missing, repeated or invalid. `Host` may be
    // empty, and is checked even if the target is in absolute form.
    if !host.is_some_and(is_host_and_port) {
        return Err(HandshakeError::Host);
    }
    // RFC 9112 section 6.3: to an invalid `Content-Length`, and to a `Transfer-Encoding` whose last
    // coding is not chunked, a server "MUST respond with the 400 (Bad Request) status code".
    let framing = found.framing;
    let unclear = if framing.coded { !framing.chunked } else { framing.invalid_length };
    if unclear {
        return Err(HandshakeError::Body);
    }
    if !found.upgrade {
        return Ok(None);
    }
    if method != "GET" {
        return Err(HandshakeError::Method);
    }
    if framing.coded || framing.length.is_some_and(|digits| !digits.is_empty()) {
        return Err(HandshakeError::Body);
    }
    if !found.connection {
        return Err(HandshakeError::Connection);
    }
    found.check_version()?;
    let key = key.and_then(Key::check).ok_or(HandshakeError::Key)?;
    found.check_lists(headers)?;
    Ok(Some(key))
}

/// Checks the rules of a response that do not depend on the offered subprotocols. `accept` is the
/// expected `Sec-WebSocket-Accept`, or `None` for an extended CONNECT.
pub(super) fn check_response<'a>(
    found: &Found<'a>,
    accept: Option<&[u8; 28]>,
    headers: impl IntoIterator<Item: HeaderField<'a>> + Clone,
    offer: Offer,
) -> Result<Agreed<'a>, HandshakeError> {
    let [.., answer, protocol, upgrade] = found.once;
    if let Some(accept) = accept {
        // RFC 6455 section 4.1: a value that is not "an ASCII case-insensitive match for the value
        // "websocket"" fails the connection. It is not a list here.
        if !upgrade.is_some_and(|upgrade| upgrade.eq_ignore_ascii_case(b"websocket")) {
            return Err(HandshakeError::Upgrade);
        }
        if !found.connection {
            return Err(HandshakeError::Connection);
        }
        if answer != Some(accept) {
            return Err(HandshakeError::Accept);
        }
    }
    let subprotocol = if found.has(Field::Protocol) {
        Some(protocol.and_then(token).ok_or(HandshakeError::Subprotocol)?)
    } else {
        None
    };
    // RFC 6455 section 4.1: an extension "that was not present in the client's handshake" fails the
    // connection. An empty list names no extension.
    let compression = match found.extensions {
        Extensions::None => Default::default(),
        Extensions::WellFormed => offer.accept_response(extension_list(headers))?,
        Extensions::Malformed => return Err(HandshakeError::Extension),
    };
    Ok(Agreed { subprotocol, compression })
}

impl<'a> Agreed<'a> {
    /// Checks that the chosen subprotocol is in `offered` (RFC 6455 section 4.1).
    ///
    /// # Errors
    /// Returns [`HandshakeError::Subprotocol`] if the chosen subprotocol was not offered.
    pub(super) fn offered_in(self, offered: &[&str]) -> Result<Agreed<'a>, HandshakeError> {
        match self.subprotocol {
            Some(chosen) if !offered.contains(&chosen) => Err(HandshakeError::Subprotocol),
            _ => Ok(self),
        }
    }
}

/// Returns the extensions that a request offers or a response names, from any number of
/// `Sec-WebSocket-Extensions` lines (RFC 6455 section 9.1).
pub fn extension_list<'a, I>(
    headers: I,
) -> extensions::Extensions<'a, impl Iterator<Item = &'a [u8]> + use<'a, I>>
where
    I: IntoIterator<Item: HeaderField<'a>>,
{
    extensions::parse(values(headers, Field::Extensions))
}

/// Returns the subprotocols that a request offers, in the order of the client's preference. Reads
/// any number of `Sec-WebSocket-Protocol` lines (RFC 6455 section 11.3.4). Omits elements that are
/// not tokens.
pub fn subprotocols<'a, I>(headers: I) -> impl Iterator<Item = &'a str> + use<'a, I>
where
    I: IntoIterator<Item: HeaderField<'a>>,
{
    elements(headers, Field::Protocol).filter_map(token)
}

fn values<'a, I: IntoIterator<Item: HeaderField<'a>>>(
    headers: I,
    field: Field,
) -> impl Iterator<Item = &'a [u8]> + use<'a, I> {
    headers.into_iter().filter_map(move |header| {
        let (name, value) = header.name_and_value();
        (Field::of(name) == field).then_some(value)
    })
}

/// Returns the list elements of all lines of a field.
fn elements<'a, I: IntoIterator<Item: HeaderField<'a>>>(
    headers: I,
    field: Field,
) -> Elements<'a, I::IntoIter> {
    Elements { headers: headers.into_iter(), field, line: &[] }
}

struct Elements<'a, H> {
    headers: H,
    field: Field,
    /// The rest of the current line.
    line: &'a [u8],
}

impl<'a, H: Iterator<Item: HeaderField<'a>>> Iterator for Elements<'a, H> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            if let Some(element) = next_element(&mut self.line) {
                return Some(element);
            }
            let (name, value) = self.headers.next()?.name_and_value();
            if Field::of(name) == self.field {
                self.line = value;
            }
        }
    }
}

/// Number of subprotocols that one pass compares with the rest of the list.
const BLOCK: usize = 25;

/// Checks the subprotocols of a request. Each pass compares one block with all later elements. At
/// most four passes are made, so the work is linear in the length of the list.
fn check_offered<'a>(
    headers: impl IntoIterator<Item: HeaderField<'a>> + Clone,
) -> Result<(), HandshakeError> {
    let mut done = 0_usize;
    loop {
        let mut block = [&[][..]; BLOCK];
        let mut count = 0_usize;
        for name in elements(headers.clone(), Field::Protocol) {
            let place = count;
            count += 1;
            let Some(at) = place.checked_sub(done) else { continue };
            // RFC 6455 section 4.1: the elements are tokens "and MUST all be unique strings".
            let repeated = block.iter().take(at).any(|&earlier| earlier == name);
            if repeated || !is_token(name) || place == MAX_SUBPROTOCOLS {
                return Err(HandshakeError::Subprotocol);
            }
            if let Some(free) = block.get_mut(at) {
                *free = name;
            }
        }
        done += BLOCK;
        if count <= done {
            return Ok(());
        }
    }
}

/// Collects the values of the relevant header lines in one pass.
pub(super) struct Found<'a> {
    /// One bit for each field that is present.
    fields: u16,
    /// The values of the first six fields of [`Field`], if present exactly once.
    once: [Option<&'a [u8]>; 6],
    /// `true` if `Upgrade` contains the token `websocket`.
    upgrade: bool,
    /// `true` if `Connection` contains the token `Upgrade`.
    connection: bool,
    pub(super) framing: Framing<'a>,
    extensions: Extensions,
}

/// Describes the extensions of all lines together.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extensions {
    None,
    WellFormed,
    Malformed,
}

impl<'a> Found<'a> {
    const NONE: Found<'a> = Found {
        fields: 0,
        once: [None; 6],
        upgrade: false,
        connection: false,
        framing: Framing::NONE,
        extensions: Extensions::None,
    };

    /// Reads the recorded lines, or all headers if a line is not recorded.
    pub(super) fn in_head(
        head: &'a [u8],
        lines: &Lines,
        headers: impl IntoIterator<Item: HeaderField<'a>>,
    ) -> Found<'a> {
        let Some(places) = lines.places() else { return Found::in_headers(headers) };
        let mut found = Found::NONE;
        for &(field, start, end) in places {
            found.add(field, head.get(start as usize..end as usize).unwrap_or_default());
        }
        found
    }

    pub(super) fn in_headers(headers: impl IntoIterator<Item: HeaderField<'a>>) -> Found<'a> {
        let mut found = Found::NONE;
        for header in headers {
            let (name, value) = header.name_and_value();
            let field = Field::of(name);
            if field != Field::Other {
                found.add(field, value);
            }
        }
        found
    }

    fn add(&mut self, field: Field, value: &'a [u8]) {
        let value = trim(value);
        let repeated = self.has(field);
        if let Some(once) = self.once.get_mut(field as usize) {
            *once = if repeated { None } else { Some(value) };
        }
        self.fields |= 1 << field as u16;
        match field {
            Field::Upgrade => self.upgrade |= has_token(value, b"websocket"),
            Field::Connection => self.connection |= has_token(value, b"upgrade"),
            Field::ContentLength => self.framing.add_length(value),
            Field::TransferEncoding => self.framing.add_codings(value),
            // Each line is a complete list: no extension continues in the next line.
            Field::Extensions if self.extensions != Extensions::Malformed => {
                for item in extensions::parse([value]) {
                    let good = item.is_ok();
                    self.extensions =
                        if good { Extensions::WellFormed } else { Extensions::Malformed };
                }
            }
            _ => {}
        }
    }

    const fn has(&self, field: Field) -> bool {
        self.fields >> field as u16 & 1 == 1
    }

    fn check_version(&self) -> Result<(), HandshakeError> {
        match self.once {
            [_, _, Some(b"13"), ..] => Ok(()),
            _ => Err(HandshakeError::WebSocketVersion),
        }
    }

    /// Checks the lists of subprotocols and extensions.
    fn check_lists(
        &self,
        headers: impl IntoIterator<Item: HeaderField<'a>> + Clone,
    ) -> Result<(), HandshakeError> {
        if self.has(Field::Protocol) {
            check_offered(headers)?;
        }
        // RFC 6455 section 9.1: the recipient of an invalid value "MUST immediately _Fail the
        // WebSocket Connection_".
        if self.extensions == Extensions::Malformed {
            return Err(HandshakeError::Extension);
        }
        Ok(())
    }
}

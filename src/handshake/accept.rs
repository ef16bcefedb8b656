//! The rules of both heads over any source of headers, and the key that one answers the other with.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Agreement, DeflateConfig, HandshakeError};
use crate::ascii::{Ascii, until};
use crate::config::SMALL;
use crate::extensions::{self, TOKEN};

/// RFC 6455 section 1.3.
const GUID: &[u8; 36] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// How many subprotocols a request may offer: they are compared with each other.
const MAX_SUBPROTOCOLS: usize = 100;

/// Length of a `Sec-WebSocket-Key`: the base64 of 16 bytes.
const KEY_LEN: usize = 24;

/// The `Sec-WebSocket-Accept` that answers a `Sec-WebSocket-Key`: the base64 of the SHA-1 of the key as it was
/// sent, without the white space around it, and a fixed GUID (RFC 6455 section 4.2.2, 5.4).
///
/// ```
/// let accept = sockless::handshake::accept_key(b"dGhlIHNhbXBsZSBub25jZQ==");
/// assert_eq!(&accept, b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
/// ```
#[must_use]
pub fn accept_key(key: &[u8]) -> [u8; 28] {
    let mut sha1 = sha1_smol::Sha1::new();
    sha1.update(key);
    sha1.update(GUID);
    encode_digest(&sha1.digest().bytes())
}

/// The same for a key of the right length. That it is known here spares firmware what would deal with others.
pub(super) fn accept_of(key: &[u8; KEY_LEN]) -> [u8; 28] {
    let mut text = [0; KEY_LEN + GUID.len()];
    if let Some(start) = text.first_chunk_mut() {
        *start = *key;
    }
    if let Some(end) = text.last_chunk_mut() {
        *end = *GUID;
    }
    encode_digest(&digest(&text))
}

/// A call of `sha1_smol`, and nothing else: what in it could panic in theory can be told apart from our own code.
#[inline(never)]
fn digest(text: &[u8; KEY_LEN + GUID.len()]) -> [u8; 20] {
    sha1_smol::Sha1::from(text).digest().bytes()
}

/// A call of `base64`, likewise. 20 bytes always make 28 characters.
#[inline(never)]
fn encode_digest(digest: &[u8; 20]) -> [u8; 28] {
    let mut accept = [0; 28];
    let _ = STANDARD.encode_slice(digest, &mut accept);
    accept
}

/// The base64 of a nonce: the `Sec-WebSocket-Key` of a request.
pub(super) fn encode_nonce(nonce: &[u8; 16]) -> [u8; KEY_LEN] {
    // As the start of 20 bytes, so that base64 is there for one length only. The bits behind the last byte are zeros, as
    // they have to be; the padding takes the place of the last two characters.
    let mut bytes = [0; 20];
    let mut key = [b'='; KEY_LEN];
    if let Some(start) = bytes.first_chunk_mut() {
        *start = *nonce;
    }
    for (to, from) in key.iter_mut().zip(encode_digest(&bytes)).take(22) {
        *to = from;
    }
    key
}

/// The key, if `value` is the base64 of 16 bytes: 22 characters of the alphabet and the padding. That the last
/// character's low bits, which belong to no byte, are zero is not asked for: RFC 6455 itself gives a sample that has
/// set ones (erratum 3150).
fn key_of(value: &[u8]) -> Option<&[u8; KEY_LEN]> {
    let key = <&[u8; KEY_LEN]>::try_from(value).ok()?;
    let letters = key.strip_suffix(b"==")?;
    BASE64.has_all(letters).then_some(key)
}

/// A request to open a WebSocket that keeps the rules of RFC 6455 section 4.2.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upgrade<'a> {
    key: &'a [u8; KEY_LEN],
}

impl<'a> Upgrade<'a> {
    /// Judges the headers of a request that was made by `method`, in one pass over them; `None` is a request
    /// for something else. Names in any case, values with or without white space around them. The version
    /// of HTTP is the caller's to check.
    ///
    /// # Errors
    /// The first rule that is broken, in the order of [`HandshakeError`]'s list, and within what an upgrade is
    /// asked for.
    pub fn of_request<I>(method: &str, headers: I) -> Result<Option<Upgrade<'a>>, HandshakeError>
    where
        I: IntoIterator<Item = (&'a [u8], &'a [u8])>,
        I::IntoIter: Clone,
    {
        let headers = headers.into_iter();
        let mut good_extensions = true;
        let found = Found::in_headers(headers.clone(), |list| {
            good_extensions &= extensions::parse([list]).all(|extension| extension.is_ok());
        });
        let [host, key, version, ..] = found.once;
        // RFC 9112 3.2: 400 to a request without a Host, with more than one, or with one that is no host. It may be
        // empty.
        if !host.is_some_and(|host| HOST.has_all(host)) {
            return Err(HandshakeError::Host);
        }
        if !found.upgrade {
            return Ok(None);
        }
        if method != "GET" {
            return Err(HandshakeError::Method);
        }
        if found.body {
            return Err(HandshakeError::Body);
        }
        if !found.connection {
            return Err(HandshakeError::Connection);
        }
        if version != Some(b"13") {
            return Err(HandshakeError::Version);
        }
        let key = key.and_then(key_of).ok_or(HandshakeError::Key)?;
        if found.has(Field::Protocol) {
            check_offered(headers)?;
        }
        // RFC 6455 9.1: whoever receives a value that does not conform "MUST immediately _Fail the WebSocket
        // Connection_".
        if !good_extensions {
            return Err(HandshakeError::Extension);
        }
        Ok(Some(Upgrade { key }))
    }

    /// The value of `Sec-WebSocket-Accept` that accepts it.
    #[must_use]
    pub fn accept(&self) -> [u8; 28] {
        accept_of(self.key)
    }
}

/// Judges the headers of a 101 that answers a request with this `key` (RFC 6455 section 4.1). `offered` are the
/// subprotocols of the request; the one that was chosen, if any, is returned.
///
/// # Errors
/// The rule that is broken; an extension that was not offered among them, and none is offered by this crate
/// on its own.
pub fn check_response<'a, I>(
    key: &[u8],
    headers: I,
    offered: &[&str],
) -> Result<Option<&'a str>, HandshakeError>
where
    I: IntoIterator<Item = (&'a [u8], &'a [u8])>,
    I::IntoIter: Clone,
{
    let (chosen, _) = check_answer(&accept_key(key), headers.into_iter(), None)?;
    was_offered(chosen, offered)
}

/// Judges a 101 as [`check_response`] does, where compression was offered with `deflate`: what was agreed on it, if
/// anything was.
///
/// # Errors
/// As for [`check_response`]; an answer that the offer does not allow (RFC 7692 section 7.1).
#[cfg(feature = "deflate")]
pub fn check_response_deflate<'a, I>(
    key: &[u8],
    headers: I,
    offered: &[&str],
    deflate: &DeflateConfig,
) -> Result<(Option<&'a str>, Option<Agreement>), HandshakeError>
where
    I: IntoIterator<Item = (&'a [u8], &'a [u8])>,
    I::IntoIter: Clone,
{
    let (chosen, agreement) = check_answer(&accept_key(key), headers.into_iter(), Some(*deflate))?;
    Ok((was_offered(chosen, offered)?, agreement))
}

fn was_offered<'a>(
    chosen: Option<&'a str>,
    offered: &[&str],
) -> Result<Option<&'a str>, HandshakeError> {
    match chosen {
        Some(chosen) if !offered.contains(&chosen) => Err(HandshakeError::Subprotocol),
        chosen => Ok(chosen),
    }
}

/// The rules of a 101 that need no knowledge of which subprotocols were offered: the one it chose, if any, and what was
/// agreed on compression.
pub(super) fn check_answer<'a>(
    expected: &[u8; 28],
    headers: impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone,
    deflate: Option<DeflateConfig>,
) -> Result<(Option<&'a str>, Option<Agreement>), HandshakeError> {
    let mut extensions = false;
    // RFC 6455 4.1: an extension "that was not present in the client's handshake" fails; an empty list names none.
    let found = Found::in_headers(headers.clone(), |list| extensions |= !list.is_empty());
    let [.., accept, protocol] = found.once;
    if extensions && deflate.is_none() {
        return Err(HandshakeError::Extension);
    }
    if !found.upgrade {
        return Err(HandshakeError::Upgrade);
    }
    if !found.connection {
        return Err(HandshakeError::Connection);
    }
    if accept != Some(expected) {
        return Err(HandshakeError::Accept);
    }
    let protocol = if found.has(Field::Protocol) {
        Some(protocol.and_then(token).ok_or(HandshakeError::Subprotocol)?)
    } else {
        None
    };
    #[cfg(feature = "deflate")]
    let agreement = match deflate.filter(|_| extensions) {
        Some(config) => {
            config.conclude(extension_list(headers)).map_err(|_| HandshakeError::Extension)?
        }
        None => None,
    };
    #[cfg(not(feature = "deflate"))]
    let agreement = None;
    Ok((protocol, agreement))
}

/// The extensions that a request offers or a response names, over any number of `Sec-WebSocket-Extensions` lines
/// (RFC 6455 section 9.1).
pub fn extension_list<'a, I>(
    headers: I,
) -> extensions::Extensions<'a, impl Iterator<Item = &'a [u8]> + use<'a, I>>
where
    I: IntoIterator<Item = (&'a [u8], &'a [u8])>,
{
    let lines = headers.into_iter().filter(|&(name, _)| Field::of(name) == Field::Extensions);
    extensions::parse(lines.map(|(_, value)| value))
}

/// The subprotocols that a request offers, in the order of the client's preference, over any number of
/// `Sec-WebSocket-Protocol` lines (RFC 6455 section 11.3.4). Elements that are not tokens are left out.
pub fn subprotocols<'a, I>(headers: I) -> impl Iterator<Item = &'a str> + Clone
where
    I: IntoIterator<Item = (&'a [u8], &'a [u8])>,
    I::IntoIter: Clone,
{
    offered(headers.into_iter()).filter_map(token)
}

fn offered<'a>(
    headers: impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone,
) -> impl Iterator<Item = &'a [u8]> + Clone {
    Offered { headers, rest: &[] }
}

/// The elements of all `Sec-WebSocket-Protocol` lines.
#[derive(Clone)]
struct Offered<'a, I> {
    headers: I,
    rest: &'a [u8],
}

impl<'a, I: Iterator<Item = (&'a [u8], &'a [u8])>> Iterator for Offered<'a, I> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            if let Some(element) = next_element(&mut self.rest) {
                return Some(element);
            }
            let (name, value) = self.headers.next()?;
            if Field::of(name) == Field::Protocol {
                self.rest = value;
            }
        }
    }
}

fn check_offered<'a>(
    headers: impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone,
) -> Result<(), HandshakeError> {
    for (i, name) in offered(headers.clone()).enumerate() {
        // RFC 6455 4.1: the elements are tokens "and MUST all be unique strings".
        if i == MAX_SUBPROTOCOLS
            || !is_token(name)
            || offered(headers.clone()).take(i).any(|earlier| earlier == name)
        {
            return Err(HandshakeError::Subprotocol);
        }
    }
    Ok(())
}

/// What the header lines of either head say, found in one pass over them.
struct Found<'a> {
    /// Which fields there are, a bit for each.
    fields: u16,
    /// The values of those that have to be there once and are, white space around them left out, in the order of
    /// [`Field`].
    once: [Option<&'a [u8]>; 5],
    /// Whether the field holds what asks for a WebSocket.
    upgrade: bool,
    connection: bool,
    /// Whether a body follows.
    body: bool,
}

impl<'a> Found<'a> {
    /// Goes through the headers; `extension_list` is given the lists of extensions. None of their elements goes on in
    /// the next line.
    fn in_headers(
        headers: impl Iterator<Item = (&'a [u8], &'a [u8])>,
        mut extension_list: impl FnMut(&'a [u8]),
    ) -> Found<'a> {
        let mut found =
            Found { fields: 0, once: [None; 5], upgrade: false, connection: false, body: false };
        for (name, value) in headers {
            let field = Field::of(name);
            if field == Field::Other {
                continue;
            }
            let value = trim(value);
            let repeated = found.has(field);
            if let Some(once) = found.once.get_mut(field as usize) {
                *once = if repeated { None } else { Some(value) };
            }
            found.fields |= 1 << field as u16;
            match field {
                Field::Upgrade => found.upgrade |= has_token(value, b"websocket"),
                Field::Connection => found.connection |= has_token(value, b"upgrade"),
                Field::ContentLength => found.body |= value != b"0",
                Field::TransferEncoding => found.body = true,
                Field::Extensions => extension_list(value),
                _ => {}
            }
        }
        found
    }

    const fn has(&self, field: Field) -> bool {
        self.fields >> field as u16 & 1 == 1
    }
}

/// The headers that mean something to a handshake.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Host,
    Key,
    Version,
    Accept,
    Protocol,
    Upgrade,
    Connection,
    Extensions,
    ContentLength,
    TransferEncoding,
    Other,
}

impl Field {
    pub(super) fn of(name: &[u8]) -> Field {
        // A name's length tells which it can be.
        let (known, field): (&[u8], Field) = match name.len() {
            4 => (b"Host", Field::Host),
            7 => (b"Upgrade", Field::Upgrade),
            10 => (b"Connection", Field::Connection),
            14 => (b"Content-Length", Field::ContentLength),
            17 if matches!(name, [b'T' | b't', ..]) => {
                (b"Transfer-Encoding", Field::TransferEncoding)
            }
            17 => (b"Sec-WebSocket-Key", Field::Key),
            20 => (b"Sec-WebSocket-Accept", Field::Accept),
            21 => (b"Sec-WebSocket-Version", Field::Version),
            22 => (b"Sec-WebSocket-Protocol", Field::Protocol),
            24 => (b"Sec-WebSocket-Extensions", Field::Extensions),
            _ => return Field::Other,
        };
        // Most peers write it like that.
        let same = !SMALL && name == known || name.eq_ignore_ascii_case(known);
        if same { field } else { Field::Other }
    }
}

/// What can be in a host and a port (RFC 3986 section 3.2).
const HOST: &Ascii = &Ascii::alphanumeric_and(b"-._~:[]%!$&'()*+;=");

/// What base64 is made of, but for the padding.
const BASE64: &Ascii = &Ascii::alphanumeric_and(b"+/");

/// Takes the next element off a comma-separated list (RFC 9110 section 5.6.1); empty ones are left out.
fn next_element<'a>(list: &mut &'a [u8]) -> Option<&'a [u8]> {
    while !list.is_empty() {
        let element = trim(until(list, b','));
        *list = list.get(1..).unwrap_or_default();
        if !element.is_empty() {
            return Some(element);
        }
    }
    None
}

fn has_token(mut list: &[u8], token: &[u8]) -> bool {
    while let Some(element) = next_element(&mut list) {
        if element.eq_ignore_ascii_case(token) {
            return true;
        }
    }
    false
}

/// Without the optional white space around it (RFC 9110 section 5.6.3).
pub(super) fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// `value`, if it is a token (RFC 9110 section 5.6.2).
pub(super) fn token(value: &[u8]) -> Option<&str> {
    if is_token(value) { core::str::from_utf8(value).ok() } else { None }
}

pub(super) fn is_token(value: &[u8]) -> bool {
    !value.is_empty() && TOKEN.has_all(value)
}

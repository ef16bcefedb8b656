//! The peer's HTTP head: where it ends, what it says, and a view of it where it lies.

use core::mem::MaybeUninit;
use core::ops::Range;

use super::accept::{is_token, trim};
use super::{HandshakeError, Upgrade, extension_list, subprotocols};
use crate::buffer::{ReadBuffer, Storage};
use crate::config::SMALL;
use crate::extensions::Extensions;
use crate::websocket::HeadLimits;

/// A request that was received. Borrows the read buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHead<'b> {
    pub(super) method: &'b str,
    pub(super) target: &'b str,
    pub(super) headers: Headers<'b>,
    /// Answers the key, if this is a request to open a WebSocket.
    pub(super) upgrade: Option<Upgrade<'b>>,
}

impl<'b> RequestHead<'b> {
    /// The method; of an upgrade always `GET`.
    #[must_use]
    pub const fn method(&self) -> &'b str {
        self.method
    }

    /// The request target as it was sent, not validated: path and query, for a usual request.
    #[must_use]
    pub const fn target(&self) -> &'b str {
        self.target
    }

    /// The header lines in order.
    #[must_use]
    pub fn headers(&self) -> Headers<'b> {
        self.headers.clone()
    }

    /// The first header of this name, in any case, without the white space around its value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'b [u8]> {
        self.headers().first(name)
    }

    /// The `Origin`, which a browser sends and a page's script cannot change. A server that identifies users by
    /// cookies must compare it, or any page that a user visits can connect in the user's name (RFC 6455 section
    /// 10.2).
    ///
    /// ```
    /// use sockless::handshake::{Answer, RequestHead, Response};
    /// use sockless::{Error, Server, Storage, WebSocket, WriteBuffer};
    ///
    /// /// Accepts requests of our own pages, and of programs that are no browsers and send no `Origin`.
    /// fn answer(
    ///     ws: &mut WebSocket<Server>,
    ///     request: &RequestHead<'_>,
    ///     tx: &mut WriteBuffer<impl Storage>,
    /// ) -> Result<(), Error> {
    ///     match request.origin() {
    ///         None | Some(b"https://example.com") => ws.accept(request, Response::new(), tx),
    ///         Some(_) => ws.answer(Answer::new(403), tx),
    ///     }
    /// }
    /// ```
    #[must_use]
    pub fn origin(&self) -> Option<&'b [u8]> {
        self.header("Origin")
    }

    /// The subprotocols offered, in the order of the client's preference (RFC 6455 section 1.9).
    pub fn subprotocols(&self) -> impl Iterator<Item = &'b str> + Clone + use<'b> {
        subprotocols(self.headers())
    }

    /// The extensions offered, in the order of the client's preference (RFC 6455 section 9.1).
    pub fn extensions(&self) -> Extensions<'b, impl Iterator<Item = &'b [u8]> + use<'b>> {
        extension_list(self.headers())
    }
}

/// An answer that was received. Borrows the read buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseHead<'b> {
    pub(super) status: u16,
    pub(super) headers: Headers<'b>,
    pub(super) subprotocol: Option<&'b str>,
}

impl<'b> ResponseHead<'b> {
    /// The status: 101, unless the handshake was refused.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The header lines in order.
    #[must_use]
    pub fn headers(&self) -> Headers<'b> {
        self.headers.clone()
    }

    /// The first header of this name, in any case, without the white space around its value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'b [u8]> {
        self.headers().first(name)
    }

    /// The subprotocol that the server chose.
    #[must_use]
    pub const fn subprotocol(&self) -> Option<&'b str> {
        self.subprotocol
    }
}

/// The header lines of a head: pairs of name and value, the value without the white space around it. Values are
/// bytes: they need not be UTF-8.
#[derive(Clone, PartialEq, Eq)]
pub struct Headers<'b> {
    /// The lines that are left, with the empty one at the end.
    lines: &'b [u8],
}

impl<'b> Headers<'b> {
    fn first(mut self, name: &str) -> Option<&'b [u8]> {
        self.find(|(given, _)| given.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value)
    }
}

impl<'b> Iterator for Headers<'b> {
    type Item = (&'b [u8], &'b [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (line, rest) = split_line(self.lines)?;
        let colon = line.iter().position(|&byte| byte == b':')?;
        let (name, value) = (line.get(..colon)?, line.get(colon + 1..)?);
        self.lines = rest;
        Some((name, trim(value)))
    }
}

impl core::fmt::Debug for Headers<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let mut map = f.debug_map();
        for (name, value) in self.clone() {
            let (name, value) = (name.escape_ascii(), value.escape_ascii());
            map.entry(&format_args!("{name}"), &format_args!("\"{value}\""));
        }
        map.finish()
    }
}

/// The first line of `bytes` without its line end, and what follows.
fn split_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = line_feed(bytes)?;
    let (line, rest) = bytes.split_at_checked(end)?;
    Some((line.strip_suffix(b"\r").unwrap_or(line), rest.get(1..)?))
}

/// Finds the end of the head in the unread input: its length in bytes, or `None` until more is there. However the input
/// is cut, all but the last two bytes are searched once; `searched` remembers how far.
pub(super) fn find_end<S: Storage>(
    rx: &ReadBuffer<S>,
    limits: HeadLimits,
    searched: &mut u32,
) -> Result<Option<usize>, HandshakeError> {
    let max = rx.capacity().min(limits.size as usize);
    let bytes = rx.unread();
    let bytes = bytes.get(..max).unwrap_or(bytes);
    let end = behind_empty_line(bytes, *searched as usize);
    *searched = bytes.len().saturating_sub(2) as u32;
    if end.is_none() && bytes.len() >= max { Err(HandshakeError::HeadTooLarge) } else { Ok(end) }
}

/// The place behind the first empty line that follows another line, from `at` on. Whether its line end is a proper one is
/// judged with the others.
fn behind_empty_line(bytes: &[u8], mut at: usize) -> Option<usize> {
    if !SMALL {
        // A line that begins with CR or LF is empty, or none of a good head. A compiler looks for several at once.
        let last = bytes.len().saturating_sub(3);
        while at < last {
            let end = last.min(at.saturating_add(BLOCK));
            let pairs = bytes.get(at..end)?.iter().zip(bytes.get(at + 1..)?);
            if pairs.fold(false, |any, (&a, &b)| any | (a == b'\n') & (b & 0xF0 == 0)) {
                break;
            }
            at = end;
        }
    }
    let mut rest = bytes.get(at..)?;
    loop {
        match rest {
            [b'\n', b'\n', ..] => return Some(at + 2),
            [b'\n', b'\r', b'\n', ..] => return Some(at + 3),
            [_, behind @ ..] => rest = behind,
            [] => return None,
        }
        at += 1;
    }
}

/// How many bytes are looked at before one is looked at for itself.
const BLOCK: usize = 256;

/// Makes the version of a request of HTTP/1.2 or a later 1.x, which HTTP/1.1 serves as well (RFC 9110 section 2.5), the
/// one that the parser knows.
pub(super) fn accept_later_versions(head: &mut [u8]) {
    if let Some([b'1', b'.', minor @ b'2'..=b'9']) = version(head).and_then(|at| head.get_mut(at)) {
        *minor = b'1';
    }
}

/// Parses a whole request head, and judges it.
pub(super) fn parse_request(
    head: &[u8],
    max_headers: u16,
) -> Result<RequestHead<'_>, HandshakeError> {
    with_room(max_headers, |lines| {
        let (method, target, lines) = request_into(head, lines)?;
        let headers = check_lines(head, lines)?;
        let upgrade = Upgrade::of_request(method, Lines(lines.iter()))?;
        Ok(RequestHead { method, target, headers, upgrade })
    })
}

/// Room for so many header lines. An array takes its room on the stack for the time of this call only.
fn with_room<'b, R>(
    max_headers: u16,
    mut parse: impl FnMut(&mut [MaybeUninit<httparse::Header<'b>>]) -> R,
) -> R {
    let parse: &mut dyn FnMut(&mut [MaybeUninit<httparse::Header<'b>>]) -> R = &mut parse;
    let max_headers = usize::from(max_headers);
    match max_headers {
        0..=16 => with_array::<16, R>(max_headers, parse),
        17..=32 => with_array::<32, R>(max_headers, parse),
        33..=64 => with_array::<64, R>(max_headers, parse),
        _ => with_array::<128, R>(max_headers, parse),
    }
}

#[inline(never)]
fn with_array<'b, const N: usize, R>(
    max_headers: usize,
    parse: &mut dyn FnMut(&mut [MaybeUninit<httparse::Header<'b>>]) -> R,
) -> R {
    let mut lines = [const { MaybeUninit::uninit() }; N];
    parse(lines.get_mut(..max_headers.min(N)).unwrap_or_default())
}

/// What `httparse` makes of it; a function of its own for the same reason as `digest` in [`super::accept`].
#[inline(never)]
fn request_into<'h, 'b>(
    head: &'b [u8],
    lines: &'h mut [MaybeUninit<httparse::Header<'b>>],
) -> Result<(&'b str, &'b str, &'h [httparse::Header<'b>]), HandshakeError> {
    let mut request = httparse::Request::new(&mut []);
    let whole = request.parse_with_uninit_headers(head, lines);
    match (whole, request.method, request.path, request.version) {
        (Ok(httparse::Status::Complete(len)), Some(method), Some(target), Some(1))
            if len == head.len() =>
        {
            Ok((method, target, request.headers))
        }
        (Ok(httparse::Status::Complete(_)), _, _, Some(0)) => Err(HandshakeError::HttpVersion),
        (Err(httparse::Error::Version), ..) if names_a_version(head) => {
            Err(HandshakeError::HttpVersion)
        }
        (Err(httparse::Error::TooManyHeaders), ..) => Err(HandshakeError::TooManyHeaders),
        _ => Err(HandshakeError::Malformed),
    }
}

/// Where at the end of a request line a version of HTTP is named, whichever it is.
fn version(head: &[u8]) -> Option<Range<usize>> {
    let line = head.get(..line_end(head))?.strip_suffix(b"\r\n")?;
    let (parts, digits) = line.split_last_chunk::<3>()?;
    let named = parts.ends_with(b" HTTP/") && matches!(digits, [b'0'..=b'9', b'.', b'0'..=b'9']);
    named.then_some(parts.len()..line.len())
}

/// Whether a request line has three parts, of which the last is a version of HTTP.
fn names_a_version(head: &[u8]) -> bool {
    let parts = version(head).and_then(|version| head.get(..version.start));
    parts.is_some_and(|parts| parts.iter().filter(|&&byte| byte == b' ').count() == 2)
}

/// Parses a whole response head; `judge` is given its status and its header lines.
pub(super) fn parse_response<'b, V>(
    head: &'b [u8],
    max_headers: u16,
    judge: impl Fn(u16, Lines<'_, 'b>) -> Result<V, HandshakeError>,
) -> Result<(u16, Headers<'b>, V), HandshakeError> {
    with_room(max_headers, |lines| {
        let (status, lines) = response_into(head, lines)?;
        let headers = check_lines(head, lines)?;
        Ok((status, headers, judge(status, Lines(lines.iter()))?))
    })
}

/// As [`request_into`].
#[inline(never)]
fn response_into<'h, 'b>(
    head: &'b [u8],
    lines: &'h mut [MaybeUninit<httparse::Header<'b>>],
) -> Result<(u16, &'h [httparse::Header<'b>]), HandshakeError> {
    let mut response = httparse::Response::new(&mut []);
    let whole = httparse::ParserConfig::default().parse_response_with_uninit_headers(
        &mut response,
        head,
        lines,
    );
    match (whole, response.code, response.version) {
        (Ok(httparse::Status::Complete(len)), Some(status), Some(version)) if len == head.len() => {
            // RFC 6455 4.1 asks for 101 of HTTP/1.1 or later; any other answer may be of HTTP/1.0.
            if status == 101 && version == 0 {
                return Err(HandshakeError::HttpVersion);
            }
            Ok((status, response.headers))
        }
        (Err(httparse::Error::Version), ..) => Err(HandshakeError::HttpVersion),
        (Err(httparse::Error::TooManyHeaders), ..) => Err(HandshakeError::TooManyHeaders),
        _ => Err(HandshakeError::Malformed),
    }
}

/// The header lines as the parser has them.
#[derive(Clone)]
pub(super) struct Lines<'h, 'b>(core::slice::Iter<'h, httparse::Header<'b>>);

impl<'b> Iterator for Lines<'_, 'b> {
    type Item = (&'b [u8], &'b [u8]);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|line| (line.name.as_bytes(), line.value))
    }
}

/// Where the first line ends, behind its line feed. An empty line may stand before it (RFC 9112 section 2.2).
fn line_end(head: &[u8]) -> usize {
    let empty = if head.starts_with(b"\r\n") { 2 } else { 0 };
    let line = head.get(empty..).and_then(line_feed);
    line.map_or(head.len(), |line| empty + line + 1)
}

/// A line ends in CR LF and nothing else: what one reader takes for a line end and another does not is how requests
/// are smuggled (RFC 9112 section 2.2). The parser knows no other line feeds than those at line ends, so it is enough to
/// look before where each line begins. What is left of the head behind its first line.
fn check_lines<'b>(
    head: &'b [u8],
    lines: &[httparse::Header<'b>],
) -> Result<Headers<'b>, HandshakeError> {
    let place =
        |line: &httparse::Header<'_>| line.name.as_ptr().addr().wrapping_sub(head.as_ptr().addr());
    let good = |at| head.get(..at).is_some_and(|before| before.ends_with(b"\r\n"));
    // In front of the first line there may be an empty one, behind the last there is one.
    let ends = !head.starts_with(b"\n") && head.ends_with(b"\r\n\r\n");
    if !ends || !lines.iter().map(place).all(good) {
        return Err(HandshakeError::Malformed);
    }
    let first = lines.first().map_or(head.len().saturating_sub(2), place);
    Ok(Headers { lines: head.get(first..).unwrap_or_default() })
}

/// The place of the first line feed. A head is searched for them several times, so eight bytes are looked at at once.
fn line_feed(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
    const TOPS: u64 = u64::from_ne_bytes([0x80; 8]);
    let mut at = 0;
    if !SMALL {
        for word in bytes.chunks_exact(8) {
            let Ok(&word) = <&[u8; 8]>::try_from(word) else { break };
            // Where a byte is a line feed the difference is 0, and only below such a byte can a borrow begin.
            let difference = u64::from_ne_bytes(word) ^ u64::from_ne_bytes([b'\n'; 8]);
            if difference.wrapping_sub(ONES) & !difference & TOPS != 0 {
                break;
            }
            at += 8;
        }
    }
    let rest = bytes.get(at..)?;
    rest.iter().position(|&byte| byte == b'\n').map(|place| at + place)
}

/// Whether `text` can be a header's name.
pub(super) fn is_header_name(text: &str) -> bool {
    is_token(text.as_bytes())
}

/// Whether `text` can be a header's value: no control characters, so that it cannot end its line.
pub(super) fn is_header_value(text: &str) -> bool {
    text.bytes().all(|byte| byte == b'\t' || (byte >= b' ' && byte != 0x7F))
}

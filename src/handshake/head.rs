//! The peer's HTTP head: where it ends, what it says, and a view of it where it lies.

use core::mem::MaybeUninit;

use super::accept::{token, trim};
use super::{HandshakeError, extension_list, subprotocols};
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
    pub(super) upgrade: Option<super::Upgrade<'b>>,
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

/// Finds the end of the head in the unread input: its length in bytes, or `None` until more is there. Each byte is
/// searched once, however the input is cut; `searched` remembers how far.
pub(super) fn find_end<S: Storage>(
    rx: &ReadBuffer<S>,
    limits: HeadLimits,
    searched: &mut u32,
) -> Result<Option<usize>, HandshakeError> {
    let max = rx.capacity().min(limits.size as usize);
    let bytes = rx.unread();
    let bytes = bytes.get(..max).unwrap_or(bytes);
    let mut at = *searched as usize;
    while let Some(line) = bytes.get(at..).and_then(line_feed) {
        // Ends at an empty line; whether its line end is a proper one is judged with the others.
        let next = at + line + 1;
        match bytes.get(next..).unwrap_or_default() {
            [b'\n', ..] => return Ok(Some(next + 1)),
            [b'\r', b'\n', ..] => return Ok(Some(next + 2)),
            [] | [b'\r'] => {
                *searched = (next - 1) as u32;
                return if bytes.len() >= max {
                    Err(HandshakeError::HeadTooLarge)
                } else {
                    Ok(None)
                };
            }
            _ => at = next,
        }
    }
    *searched = bytes.len() as u32;
    if bytes.len() >= max { Err(HandshakeError::HeadTooLarge) } else { Ok(None) }
}

/// Makes the version of a request of HTTP/1.2 or a later 1.x, which HTTP/1.1 serves as well (RFC 9110 section 2.5), the
/// one that the parser knows.
pub(super) fn accept_later_versions(head: &mut [u8]) {
    let line = head.get_mut(..line_end(head)).unwrap_or_default();
    if let [.., b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor @ b'2'..=b'9', b'\r', b'\n'] = line
    {
        *minor = b'1';
    }
}

/// Parses a whole request head: its method, target and headers.
pub(super) fn parse_request(
    head: &[u8],
    max_headers: u16,
) -> Result<(&str, &str, Headers<'_>), HandshakeError> {
    check_line_ends(head)?;
    let parse = match max_headers {
        0..=16 => request_with::<16>,
        17..=32 => request_with::<32>,
        33..=64 => request_with::<64>,
        _ => request_with::<128>,
    };
    let (method, target) = parse(head, usize::from(max_headers))?;
    Ok((method, target, headers_of(head)))
}

/// The array takes its room on the stack for the time of this call only.
#[inline(never)]
fn request_with<const N: usize>(
    head: &[u8],
    max_headers: usize,
) -> Result<(&str, &str), HandshakeError> {
    let mut lines = [const { MaybeUninit::uninit() }; N];
    request_into(head, lines.get_mut(..max_headers.min(N)).unwrap_or_default())
}

/// What `httparse` makes of it; a function of its own for the same reason as `digest` in [`super::accept`].
#[inline(never)]
fn request_into<'b>(
    head: &'b [u8],
    lines: &mut [MaybeUninit<httparse::Header<'b>>],
) -> Result<(&'b str, &'b str), HandshakeError> {
    let mut request = httparse::Request::new(&mut []);
    let whole = request.parse_with_uninit_headers(head, lines);
    match (whole, request.method, request.path, request.version) {
        (Ok(httparse::Status::Complete(len)), Some(method), Some(target), Some(1))
            if len == head.len() =>
        {
            Ok((method, target))
        }
        (Ok(httparse::Status::Complete(_)), _, _, Some(0)) => Err(HandshakeError::HttpVersion),
        (Err(httparse::Error::Version), ..) if names_a_version(head) => {
            Err(HandshakeError::HttpVersion)
        }
        (Err(httparse::Error::TooManyHeaders), ..) => Err(HandshakeError::TooManyHeaders),
        _ => Err(HandshakeError::Malformed),
    }
}

/// Whether a request line has three parts, of which the last is a version of HTTP, whichever it is.
fn names_a_version(head: &[u8]) -> bool {
    let line = head.get(..line_end(head)).unwrap_or_default();
    line.iter().filter(|&&byte| byte == b' ').count() == 2
        && matches!(
            line,
            [.., b' ', b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9', b'\r', b'\n']
        )
}

/// Parses a whole response head: its status and headers.
pub(super) fn parse_response(
    head: &[u8],
    max_headers: u16,
) -> Result<(u16, Headers<'_>), HandshakeError> {
    check_line_ends(head)?;
    let parse = match max_headers {
        0..=16 => response_with::<16>,
        17..=32 => response_with::<32>,
        33..=64 => response_with::<64>,
        _ => response_with::<128>,
    };
    let status = parse(head, usize::from(max_headers))?;
    Ok((status, headers_of(head)))
}

/// As [`request_with`].
#[inline(never)]
fn response_with<const N: usize>(head: &[u8], max_headers: usize) -> Result<u16, HandshakeError> {
    let mut lines = [const { MaybeUninit::uninit() }; N];
    response_into(head, lines.get_mut(..max_headers.min(N)).unwrap_or_default())
}

/// As [`request_into`].
#[inline(never)]
fn response_into<'b>(
    head: &'b [u8],
    lines: &mut [MaybeUninit<httparse::Header<'b>>],
) -> Result<u16, HandshakeError> {
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
            Ok(status)
        }
        (Err(httparse::Error::Version), ..) => Err(HandshakeError::HttpVersion),
        (Err(httparse::Error::TooManyHeaders), ..) => Err(HandshakeError::TooManyHeaders),
        _ => Err(HandshakeError::Malformed),
    }
}

fn headers_of(head: &[u8]) -> Headers<'_> {
    Headers { lines: head.get(line_end(head)..).unwrap_or_default() }
}

/// Where the first line ends, behind its line feed. Empty lines may stand before it (RFC 9112 section 2.2).
fn line_end(head: &[u8]) -> usize {
    let mut rest = head;
    while let Some((line, behind)) = split_line(rest) {
        rest = behind;
        if !line.is_empty() {
            break;
        }
    }
    head.len() - rest.len()
}

/// A line ends in CR LF and nothing else: what one reader takes for a line end and another does not is how requests
/// are smuggled (RFC 9112 section 2.2).
fn check_line_ends(head: &[u8]) -> Result<(), HandshakeError> {
    let mut rest = head;
    while let Some((line, behind)) = line_feed(rest).and_then(|end| rest.split_at_checked(end)) {
        if line.last() != Some(&b'\r') {
            return Err(HandshakeError::Malformed);
        }
        rest = behind.get(1..).unwrap_or_default();
    }
    Ok(())
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
    token(text.as_bytes()).is_some()
}

/// Whether `text` can be a header's value: no control characters, so that it cannot end its line.
pub(super) fn is_header_value(text: &str) -> bool {
    text.bytes().all(|byte| byte == b'\t' || (byte >= b' ' && byte != 0x7F))
}

//! The syntax and the limits of an HTTP/1.1 head, judged as its bytes arrive (RFC 9112 sections 2
//! to 5).

use core::ops::Range;

use super::error::HandshakeError;
use super::fields::{Lines, is_token_byte};
use super::scan::{length_while, text_len, token_len};
use crate::buffer::{ReadBuffer, Storage};
use crate::config::{Config, OPTIMIZE_FOR_SIZE};
use crate::error::{Error, Failure};

/// Reads one head, byte after byte, and remembers how far it came. No byte is read twice, however
/// the input is cut, and the first byte that cannot belong to a head is an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HeadReader<const RESPONSE: bool> {
    max_size: u32,
    max_headers: u16,
    /// Bytes read so far, counted from the first byte of the head.
    at: u32,
    /// Header lines begun so far.
    headers: u16,
    state: State,
}

/// The result of reading more of a head.
pub(super) enum Received {
    /// More input is needed.
    Nothing,
    /// The place of the head, which was taken off the input.
    Head(Range<usize>),
    /// The stream ended before the head did.
    EndOfStream,
    /// The fault, and the size that the read buffer must have if it is too small.
    Failed(HandshakeError, u32),
}

/// Returns what the caller is told of a [`Received::Failed`].
pub(super) fn failure(error: HandshakeError, minimum: u32) -> Failure {
    match minimum {
        0 => Failure::Handshake(error),
        _ => Failure::Local(Error::ReadBufferTooSmall { minimum: minimum as usize }),
    }
}

/// The part of the head that the next byte belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Start,
    /// Behind the CR of an empty line in front of a request line.
    StartLineFeed,
    Method,
    /// Before the first byte of the target.
    TargetStart,
    Target,
    /// In `HTTP/` digit `.` digit, of which so many bytes were read.
    Version(u8),
    /// Behind the version.
    VersionEnd,
    /// In the status code, of which so many digits were read.
    Status(u8),
    StatusEnd,
    Reason,
    /// Behind the CR of a line that is not empty.
    LineFeed,
    LineStart,
    Name,
    Value,
    /// Behind the CR of the empty line.
    LastLineFeed,
}

impl<const RESPONSE: bool> HeadReader<RESPONSE> {
    const START: State = if RESPONSE { State::Version(0) } else { State::Start };

    /// Makes a reader of a request, or of a response if `RESPONSE` is `true`.
    pub(super) const fn new(config: &Config) -> HeadReader<RESPONSE> {
        HeadReader {
            max_size: config.max_head_size,
            max_headers: config.max_headers,
            at: 0,
            headers: 0,
            state: Self::START,
        }
    }

    /// Starts over, for the head behind an interim response.
    pub(super) const fn restart(&mut self) {
        (self.at, self.headers, self.state) = (0, 0, Self::START);
    }

    /// Reads on in what was received, and takes the head off it when it is whole.
    pub(super) fn receive<S: Storage>(
        &mut self,
        rx: &mut ReadBuffer<S>,
        lines: &mut Lines,
    ) -> Received {
        match self.read(rx.unread_mut(), lines) {
            Ok(Some(len)) => {
                lines.finish(self.headers);
                Received::Head(rx.take(0, len))
            }
            Ok(None) if rx.at_end() => Received::EndOfStream,
            // The configuration would allow the head, and the buffer cannot hold it.
            Ok(None) if rx.unread().len() == rx.capacity() => {
                Received::Failed(HandshakeError::HeadTooLarge, self.max_size)
            }
            Ok(None) => Received::Nothing,
            Err(error) => Received::Failed(error, 0),
        }
    }

    /// Reads on in `head`, which begins with the first byte of the head. Returns the length of the
    /// head in bytes, or `None` if more input is needed.
    ///
    /// In a response, line folds are replaced by spaces (RFC 9112 section 5.2).
    ///
    /// # Errors
    /// Returns the error of the first byte that breaks the syntax or a limit.
    fn read(
        &mut self,
        head: &mut [u8],
        lines: &mut Lines,
    ) -> Result<Option<usize>, HandshakeError> {
        let within = head.len().min(self.max_size as usize);
        let head = head.get_mut(..within).unwrap_or_default();
        loop {
            let at = self.at as usize;
            let Some(rest) = head.get(at..) else { return Ok(None) };
            let Some(&byte) = rest.first() else {
                let full = at == self.max_size as usize;
                return if full { Err(HandshakeError::HeadTooLarge) } else { Ok(None) };
            };
            if !OPTIMIZE_FOR_SIZE && self.read_line(rest, lines) {
                continue;
            }
            // The bytes up to the next one that ends a name, a value or the like.
            let run = match self.state {
                State::Method | State::Name => token_len(rest),
                State::Target => length_while(rest, |byte| byte.is_ascii_graphic()),
                State::Value | State::Reason => text_len(rest),
                _ => 0,
            };
            if run > 0 {
                self.at += run as u32;
                continue;
            }
            self.state = match (self.state, byte) {
                // RFC 9112 2.2: a server "SHOULD ignore at least one empty line (CRLF) received
                // prior to the request-line"; one it is.
                (State::Start, b'\r') if at == 0 && !RESPONSE => State::StartLineFeed,
                (State::StartLineFeed, b'\n') if !RESPONSE => State::Start,
                (State::Start, _) if !RESPONSE && is_token_byte(byte) => State::Method,
                (State::Method, b' ') if !RESPONSE => State::TargetStart,
                // RFC 9112 3.2: origin-form and absolute-form; "*" and an authority are for the
                // methods OPTIONS and CONNECT.
                (State::TargetStart, b'/' | b'*' | b'[') if !RESPONSE => State::Target,
                (State::TargetStart, _) if !RESPONSE && byte.is_ascii_alphanumeric() => {
                    State::Target
                }
                (State::Target, b' ') if !RESPONSE => State::Version(0),
                (State::Version(count), _) => {
                    let good = match b"HTTP/".get(usize::from(count)) {
                        Some(&letter) => byte == letter,
                        None if count == 6 => byte == b'.',
                        None => byte.is_ascii_digit(),
                    };
                    match count {
                        _ if !good => return Err(HandshakeError::Malformed),
                        7 => State::VersionEnd,
                        _ => State::Version(count + 1),
                    }
                }
                (State::VersionEnd, b'\r' | b' ') if (byte == b' ') == RESPONSE => {
                    // RFC 9110 2.5: 1.1 and every later 1.x; a response may be of HTTP/1.0, unless
                    // it is the 101.
                    match at.checked_sub(3).and_then(|digits| head.get(digits..at)) {
                        Some([b'1', _, b'0']) if !RESPONSE => {
                            return Err(HandshakeError::HttpVersion);
                        }
                        Some([b'1', ..]) if RESPONSE => State::Status(0),
                        Some([b'1', ..]) => State::LineFeed,
                        _ => return Err(HandshakeError::HttpVersion),
                    }
                }
                (State::Status(2), b'0'..=b'9') if RESPONSE => State::StatusEnd,
                (State::Status(0), b'1'..=b'9') if RESPONSE => State::Status(1),
                (State::Status(1), b'0'..=b'9') if RESPONSE => State::Status(2),
                // RFC 9112 4: the space behind the code is required; some servers leave it out
                // together with the reason.
                (State::StatusEnd, b' ') if RESPONSE => State::Reason,
                (State::StatusEnd | State::Reason | State::Value, b'\r') => State::LineFeed,
                (State::LineFeed, b'\n') => State::LineStart,
                (State::LineStart, b'\r') => State::LastLineFeed,
                (State::LineStart, _) if is_token_byte(byte) => {
                    if self.headers == self.max_headers {
                        return Err(HandshakeError::TooManyHeaders);
                    }
                    self.headers += 1;
                    State::Name
                }
                (State::LineStart, b' ' | b'\t') if RESPONSE && self.headers > 0 => {
                    lines.forget();
                    // One byte at a time: `fill` links `memset`, 220 bytes of flash.
                    for place in [at.wrapping_sub(2), at.wrapping_sub(1)] {
                        if let Some(fold) = head.get_mut(place) {
                            *fold = b' ';
                        }
                    }
                    State::Value
                }
                (State::Name, b':') => State::Value,
                (State::LastLineFeed, b'\n') => return Ok(Some(at + 1)),
                _ => return Err(HandshakeError::Malformed),
            };
            self.at += 1;
        }
    }

    /// Consumes the part of a header line that has arrived, or the version of a request. Returns
    /// `false` if `rest` starts with neither.
    #[inline]
    fn read_line(&mut self, rest: &[u8], lines: &mut Lines) -> bool {
        match self.state {
            State::Version(0) if !RESPONSE && rest.starts_with(b"HTTP/1.1\r\n") => {
                self.at += 10;
                self.state = State::LineStart;
                true
            }
            State::LineStart if self.headers < self.max_headers => {
                let name_len = token_len(rest);
                if name_len == 0 {
                    return false;
                }
                self.headers += 1;
                let (name, rest) = rest.split_at_checked(name_len).unwrap_or_default();
                let end = self.at as usize + name_len;
                (self.at, self.state) = if let [b':', value @ ..] = rest {
                    let len = text_len(value);
                    let value_end = end + 1 + len;
                    if let Some([b'\r', b'\n', ..]) = value.get(len..) {
                        lines.record(name, end + 1..value_end);
                        (value_end as u32 + 2, State::LineStart)
                    } else {
                        (value_end as u32, State::Value)
                    }
                } else {
                    (end as u32, State::Name)
                };
                true
            }
            _ => false,
        }
    }
}

/// Returns where the HTTP head at the start of `bytes` ends: its length in bytes with the empty
/// line, or `None` if more bytes are needed. An empty line in front of the head is part of it
/// (RFC 9112 section 2.2).
///
/// A proxy or an inspector finds with it where the frames begin. The head is not validated.
///
/// ```
/// use sockless::handshake::head_len;
///
/// assert_eq!(head_len(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n\x81\x80"), Some(27));
/// assert_eq!(head_len(b"GET / HTTP/1.1\r\nHost: a\r\n"), None);
/// ```
#[must_use]
pub fn head_len(bytes: &[u8]) -> Option<usize> {
    let skipped = if bytes.starts_with(b"\r\n") { 2 } else { 0 };
    let head = bytes.get(skipped..)?;
    let at = head.windows(4).position(|end| end == b"\r\n\r\n")?;
    Some(skipped + at + 4)
}

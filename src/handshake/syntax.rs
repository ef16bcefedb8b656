//! Checks the syntax and the limits of an HTTP/1.1 head as its bytes arrive (RFC 9112 sections 2 to
//! 5).

use core::ops::Range;

use super::error::HandshakeError;
use super::fields::{Lines, is_token_byte};
use super::scan::{length_while, text_len, token_len};
use crate::buffer::{ReadBuffer, Storage};
use crate::config::{Config, OPTIMIZE_FOR_SIZE};
use crate::error::{Error, Failure};

/// Size of the smallest head in bytes: a response without a reason and without headers. A lower
/// limit would refuse heads before their method has arrived, which decides on the body of a
/// refusal.
const MIN_SIZE: u32 = "HTTP/1.1 101\r\n\r\n".len() as u32;

/// Parses one head incrementally and stores its progress. No byte is parsed twice, however the
/// input is split. The first byte that cannot belong to a head is an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HeadReader<const RESPONSE: bool> {
    max_size: u32,
    max_headers: u16,
    /// Number of bytes parsed so far, counted from the first byte of the head.
    at: u32,
    /// Number of header lines started so far.
    headers: u16,
    state: State,
}

/// Describes the result of parsing more of a head.
pub(super) enum Received {
    /// More input is needed.
    Nothing,
    /// The range of the head, which is consumed from the input.
    Head(Range<usize>),
    /// The stream ended before the end of the head.
    EndOfStream,
    /// The error, and the minimum capacity of the read buffer if the buffer is too small, else 0.
    Failed(HandshakeError, u32),
}

/// Returns the failure that the caller receives for a [`Received::Failed`].
pub(super) fn failure(error: HandshakeError, minimum: u32) -> Failure {
    match minimum {
        0 => Failure::Handshake(error),
        _ => Failure::Local(Error::ReadBufferTooSmall { minimum: minimum as usize }),
    }
}

/// Names the part of the head that contains the next byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Start,
    /// After the CR of an empty line before a request line.
    StartLineFeed,
    Method,
    /// Before the first byte of the target.
    TargetStart,
    Target,
    /// Inside `HTTP/` digit `.` digit, after this number of bytes.
    Version(u8),
    /// After the version.
    VersionEnd,
    /// Inside the status code, after this number of digits.
    Status(u8),
    StatusEnd,
    Reason,
    /// After the CR of a line that is not empty.
    LineFeed,
    LineStart,
    Name,
    Value,
    /// After the CR of the empty line that ends the head.
    LastLineFeed,
}

impl<const RESPONSE: bool> HeadReader<RESPONSE> {
    const START: State = if RESPONSE { State::Version(0) } else { State::Start };

    /// Makes a reader of a response if `RESPONSE` is `true`, else of a request.
    pub(super) const fn new(config: &Config) -> HeadReader<RESPONSE> {
        HeadReader {
            max_size: if config.max_head_size < MIN_SIZE { MIN_SIZE } else { config.max_head_size },
            max_headers: config.max_headers,
            at: 0,
            headers: 0,
            state: Self::START,
        }
    }

    /// Resets the reader, for the head after an interim response.
    pub(super) const fn restart(&mut self) {
        (self.at, self.headers, self.state) = (0, 0, Self::START);
    }

    /// Parses the unread input, and consumes the head once the head is complete.
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
            // The configuration allows a longer head, but the buffer is full. The end of the stream
            // may arrive with the last bytes or later, so it is checked afterwards.
            Ok(None) if rx.unread().len() == rx.capacity() => {
                Received::Failed(HandshakeError::HeadTooLarge, self.max_size)
            }
            Ok(None) if rx.at_end() => Received::EndOfStream,
            Ok(None) => {
                rx.starve();
                Received::Nothing
            }
            Err(error) => Received::Failed(error, 0),
        }
    }

    /// Parses more of `head`, which starts with the first byte of the head. Returns the length of
    /// the head in bytes, or `None` if more input is needed.
    ///
    /// In a response, line folds are replaced by spaces (RFC 9112 section 5.2).
    ///
    /// # Errors
    /// Returns a [`HandshakeError`] if a byte breaks the syntax or a limit.
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
            // Number of bytes before the next delimiter or invalid byte.
            let run = match self.state {
                State::Method | State::Name => token_len(rest),
                // RFC 9112 section 3.2: a target has no fragment.
                State::Target => length_while(rest, |byte| byte.is_ascii_graphic() && byte != b'#'),
                State::Value | State::Reason => text_len(rest),
                _ => 0,
            };
            if run > 0 {
                self.at += run as u32;
                continue;
            }
            self.state = match (self.state, byte) {
                // RFC 9112 section 2.2: a server "SHOULD ignore at least one empty line (CRLF)
                // received prior to the request-line". This parser ignores exactly one.
                (State::Start, b'\r') if at == 0 && !RESPONSE => State::StartLineFeed,
                (State::StartLineFeed, b'\n') if !RESPONSE => State::Start,
                (State::Start, _) if !RESPONSE && is_token_byte(byte) => State::Method,
                (State::Method, b' ') if !RESPONSE => State::TargetStart,
                // RFC 9112 section 3.2: origin-form and absolute-form. "*" is for OPTIONS, and an
                // authority is for CONNECT.
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
                    // RFC 9110 section 2.5: 1.1 and every later 1.x are accepted. A response other
                    // than a 101 may also be HTTP/1.0.
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
                // RFC 9112 section 4 requires a space after the code. Some servers omit the space
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
                    // Written byte by byte: `fill` would link `memset`, which takes 220 bytes of
                    // flash.
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

    /// Parses the part of a header line that has arrived, or the version of a request. Returns
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

/// Returns the length in bytes of the HTTP head at the start of `bytes`, or `None` if more bytes
/// are needed. The length includes the empty line that ends the head, and an empty line before the
/// head (RFC 9112 section 2.2).
///
/// A proxy or an inspector can find the first frame with this length. The head is not validated.
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

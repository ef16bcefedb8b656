//! Parses the body of a response that rejects a handshake: finds its end and removes the chunked
//! coding (RFC 9112 sections 6.3 and 7.1).

use super::error::HandshakeError;
use super::fields::Framing;

/// Stores the state of a body that is being received. Packed, so that the body does not increase
/// the size of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(Rust, packed(4))]
pub(super) struct Body {
    /// Remaining bytes of the body or of the current chunk.
    remaining: u64,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// `remaining` bytes follow, then the body ends.
    Length,
    /// The end of the stream ends the body.
    EndOfStream,
    /// Inside the size of a chunk. `true` if a digit was read.
    Size(bool),
    Extension,
    SizeLineFeed,
    Chunk,
    ChunkEnd,
    ChunkLineFeed,
    /// At the start of a trailer line.
    TrailerStart,
    Trailer,
    TrailerLineFeed,
    LastLineFeed,
    End,
}

impl Body {
    /// Returns the body that the status and the headers announce.
    ///
    /// # Errors
    /// Returns [`HandshakeError::Body`] if the length is invalid.
    pub(super) fn announced(status: u16, framing: Framing<'_>) -> Result<Body, HandshakeError> {
        let (remaining, state) = match framing {
            _ if matches!(status, 204 | 304) => (0, State::Length),
            // RFC 9112 section 6.3: a transfer coding overrides a length. If the last coding is not
            // chunked, the end of the stream ends the body.
            Framing { chunked: true, .. } => (0, State::Size(false)),
            Framing { coded: true, .. } => (0, State::EndOfStream),
            // RFC 9112 section 6.3: with an invalid length, "the user agent MUST close the
            // connection to the server and discard the received response".
            Framing { invalid_length: true, .. } => return Err(HandshakeError::Body),
            Framing { length: Some(digits), .. } => {
                // A length above `u64::MAX` saturates. So long a body never ends in practice.
                let length = digits.iter().fold(0u64, |sum, digit| {
                    sum.saturating_mul(10).saturating_add(u64::from(digit.wrapping_sub(b'0')))
                });
                (length, State::Length)
            }
            Framing { length: None, .. } => (0, State::EndOfStream),
        };
        Ok(Body { remaining, state })
    }

    /// Returns `true` if the body is complete.
    pub(super) fn is_complete(&self) -> bool {
        match self.state {
            State::Length => self.remaining == 0,
            state => state == State::End,
        }
    }

    /// Parses more of the body in `input`. Returns the number of bytes to skip and the number of
    /// body bytes after them. The second number is 0 if more input is needed or the body is
    /// complete.
    ///
    /// # Errors
    /// Returns [`HandshakeError::Malformed`] if a byte breaks the chunked coding.
    pub(super) fn read(&mut self, input: &[u8]) -> Result<(usize, usize), HandshakeError> {
        let mut at = 0;
        while let Some(&byte) = input.get(at) {
            self.state = match (self.state, byte) {
                (State::End, _) => break,
                (State::EndOfStream, _) => return Ok((at, input.len() - at)),
                (State::Length | State::Chunk, _) => {
                    let left = usize::try_from(self.remaining).unwrap_or(usize::MAX);
                    let len = left.min(input.len() - at);
                    self.remaining -= len as u64;
                    if self.remaining == 0 && self.state == State::Chunk {
                        self.state = State::ChunkEnd;
                    }
                    return Ok((at, len));
                }
                (State::Size(_), b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                    let digit = char::from(byte).to_digit(16).unwrap_or(0);
                    // A size above `u64::MAX` saturates. A chunk of so many bytes never ends in
                    // practice.
                    self.remaining = self.remaining.saturating_mul(16).saturating_add(digit.into());
                    State::Size(true)
                }
                (State::Size(true) | State::Extension, b'\r') => State::SizeLineFeed,
                (State::Size(true), b';' | b' ' | b'\t') => State::Extension,
                (State::Extension, byte) if byte == b'\t' || (byte >= b' ' && byte != 0x7F) => {
                    State::Extension
                }
                (State::SizeLineFeed, b'\n') if self.remaining > 0 => State::Chunk,
                (State::SizeLineFeed, b'\n') => State::TrailerStart,
                (State::ChunkEnd, b'\r') => State::ChunkLineFeed,
                (State::ChunkLineFeed, b'\n') => State::Size(false),
                (State::TrailerStart, b'\r') => State::LastLineFeed,
                (State::LastLineFeed, b'\n') => State::End,
                (State::Trailer, b'\r') => State::TrailerLineFeed,
                (State::TrailerLineFeed, b'\n') => State::TrailerStart,
                (State::TrailerStart | State::Trailer, byte)
                    if byte == b'\t' || (byte >= b' ' && byte != 0x7F) =>
                {
                    State::Trailer
                }
                _ => return Err(HandshakeError::Malformed),
            };
            at += 1;
        }
        Ok((at, 0))
    }
}

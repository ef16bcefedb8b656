//! What can be wrong with the peer's part of the handshake.

use core::fmt;

/// How the peer broke the opening handshake. As a server the refusal with
/// [`status`](HandshakeError::status) is in the output already; as a client there is nothing to send (RFC
/// 6455 sections 4.2.2 and 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[non_exhaustive]
pub enum HandshakeError {
    /// Not an HTTP/1.1 head: 400.
    Malformed,
    /// The head is over the configured size, or over what the read buffer holds: 431.
    HeadTooLarge,
    /// More header lines than configured: 431.
    TooManyHeaders,
    /// Not HTTP/1.1 or a later 1.x: 505.
    HttpVersion,
    /// `Host` is missing, there twice, or no host: 400.
    Host,
    /// A request to upgrade by another method than GET: 405.
    Method,
    /// A request to upgrade that announces a body, whose bytes one reader takes for frames and another does not: 400.
    Body,
    /// `Upgrade` does not hold the token `websocket`: 400.
    Upgrade,
    /// `Connection` does not hold the token `Upgrade`: 400.
    Connection,
    /// `Sec-WebSocket-Version` is not 13, or not there once: 426.
    Version,
    /// `Sec-WebSocket-Key` is not the base64 of 16 bytes, or not there once: 400. Set bits behind the last byte are let
    /// through, as RFC 6455 itself has them in a sample (erratum 3150).
    Key,
    /// `Sec-WebSocket-Protocol` does not hold unique tokens, of which there may be 100, or as a client: not one that was
    /// offered.
    Subprotocol,
    /// `Sec-WebSocket-Extensions` does not parse, or as a client: names one that was not offered.
    Extension,
    /// As a client: `Sec-WebSocket-Accept` is not the answer to our key, or not there once.
    Accept,
}

impl HandshakeError {
    /// The HTTP status that a server refuses the request with.
    #[cfg_attr(target_os = "none", inline(never))]
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            HandshakeError::HeadTooLarge | HandshakeError::TooManyHeaders => 431,
            HandshakeError::HttpVersion => 505,
            HandshakeError::Method => 405,
            HandshakeError::Version => 426,
            _ => 400,
        }
    }
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl HandshakeError {
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) const fn text(self) -> &'static str {
        match self {
            HandshakeError::Malformed => "malformed HTTP head",
            HandshakeError::HeadTooLarge => "HTTP head too large",
            HandshakeError::TooManyHeaders => "too many header lines",
            HandshakeError::HttpVersion => "HTTP/1.1 is required",
            HandshakeError::Method => "the method is not GET",
            HandshakeError::Host => "exactly one Host is required",
            HandshakeError::Body => "an upgrade has no body",
            HandshakeError::Upgrade => "Upgrade: websocket is required",
            HandshakeError::Connection => "Connection: Upgrade is required",
            HandshakeError::Version => "Sec-WebSocket-Version: 13 is required",
            HandshakeError::Key => "Sec-WebSocket-Key is not one of 16 bytes in base64",
            HandshakeError::Subprotocol => "invalid Sec-WebSocket-Protocol",
            HandshakeError::Extension => "invalid Sec-WebSocket-Extensions",
            HandshakeError::Accept => "Sec-WebSocket-Accept does not match the key",
        }
    }
}

impl core::error::Error for HandshakeError {}

//! Defines the peer's errors in the opening handshake.

use core::fmt;

/// Describes an error of the peer in the opening handshake.
///
/// On a server, the refusal is in the output before the error is returned (RFC 6455 section 4.2.1).
/// If an HTTP library reads the head, send the [`response`](HandshakeError::response) instead. On a
/// client, there is nothing to send (RFC 6455 section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[non_exhaustive]
pub enum HandshakeError {
    /// The bytes are not an HTTP/1.1 head: 400. On a client, also: a chunked body is broken, or
    /// bytes arrived before the request was written.
    Malformed,
    /// The head is larger than configured: 431, even if its target alone is too long.
    HeadTooLarge,
    /// The head has more header lines than configured: 431.
    TooManyHeaders,
    /// The HTTP version is not 1.1 or a later 1.x: 505. A client accepts 1.0 too, except in a 101.
    HttpVersion,
    /// `Host`, or the authority of the target, is missing, repeated or not `host [":" port]`: 400.
    Host,
    /// The method of an upgrade request is not GET: 405.
    Method,
    /// An upgrade request announces a body: 400. Some servers would read its bytes as frames. Or
    /// the length of a body is invalid: 400.
    Body,
    /// On a client: `Upgrade` is not `websocket`. To a server, such a request asks for something
    /// else.
    Upgrade,
    /// `Connection` does not contain the token `Upgrade`: 400.
    Connection,
    /// `Sec-WebSocket-Version` is not 13, or not present exactly once: 426.
    WebSocketVersion,
    /// `Sec-WebSocket-Key` is not 16 bytes in base64, or not present exactly once: 400. Set bits
    /// after the last byte are accepted, because a sample in RFC 6455 has such bits (erratum 3150).
    Key,
    /// `Sec-WebSocket-Protocol` is not a list of at most 100 unique tokens: 400. On a client: the
    /// server's value is not a single offered subprotocol, or the caller did not call `confirm`.
    Subprotocol,
    /// `Sec-WebSocket-Extensions` breaks the grammar: 400. An empty list is accepted. On a
    /// client: the server names an extension or parameters that the offer does not allow.
    Extension,
    /// `Sec-WebSocket-Accept` does not match the client's key, or is not present exactly once.
    Accept,
    /// The status does not accept the client's request. A 101 accepts an upgrade, and a 2xx accepts
    /// an extended CONNECT.
    Status,
}

impl HandshakeError {
    /// Returns the status of the HTTP response that refuses the request.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            HandshakeError::HeadTooLarge | HandshakeError::TooManyHeaders => 431,
            HandshakeError::HttpVersion => 505,
            HandshakeError::Method => 405,
            HandshakeError::WebSocketVersion => 426,
            _ => 400,
        }
    }

    pub(super) const fn text(self) -> &'static str {
        match self {
            HandshakeError::Malformed => "malformed HTTP head",
            HandshakeError::HeadTooLarge => "HTTP head too large",
            HandshakeError::TooManyHeaders => "too many header lines",
            HandshakeError::HttpVersion => "HTTP/1.1 is required",
            HandshakeError::Method => "the method is not GET",
            HandshakeError::Host => "exactly one valid Host is required",
            HandshakeError::Body => "a body in an upgrade, or of invalid length",
            HandshakeError::Upgrade => "Upgrade: websocket is required",
            HandshakeError::Connection => "Connection: Upgrade is required",
            HandshakeError::WebSocketVersion => "Sec-WebSocket-Version: 13 is required",
            HandshakeError::Key => "Sec-WebSocket-Key is not one of 16 bytes in base64",
            HandshakeError::Subprotocol => "invalid Sec-WebSocket-Protocol",
            HandshakeError::Extension => "invalid Sec-WebSocket-Extensions",
            HandshakeError::Accept => "Sec-WebSocket-Accept does not match the key",
            HandshakeError::Status => "the status does not accept the handshake",
        }
    }
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl core::error::Error for HandshakeError {}

//! Defines the events of a connection.

use core::fmt;

use crate::close::Close;
use crate::error::Failure;
#[cfg(feature = "handshake")]
use crate::handshake::{RequestHead, ResponseHead};
use crate::receiver::Chunk;

/// Describes an event of a connection. Borrows the [`ReadBuffer`](crate::ReadBuffer), never the
/// [`WebSocket`](crate::WebSocket).
///
/// A `_ =>` arm may ignore events that the application does not need. Requests, pings and the
/// peer's Close are answered without the caller. Only a client that offered subprotocols must
/// handle `UpgradeResponse`. After [`Close`](Event::Close) and [`Failed`](Event::Failed), write the
/// output until [`is_done`](crate::WebSocket::is_done) returns `true`.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'b> {
    /// A valid request to open a WebSocket, received by a server. Call
    /// [`accept`](crate::WebSocket::accept) or [`respond`](crate::WebSocket::respond) before the
    /// next `receive`, which refuses the request with 403.
    #[cfg(feature = "handshake")]
    UpgradeRequest(RequestHead<'b>),
    /// A request for something else, such as a page, received by a server. Call
    /// [`respond`](crate::WebSocket::respond) before the next `receive`, which responds to a GET
    /// with 426 and to other methods with 405.
    #[cfg(feature = "handshake")]
    OtherRequest(RequestHead<'b>),
    /// A valid 101, received by a client. Only the subprotocol is not checked. If subprotocols were
    /// offered, call [`confirm`](crate::WebSocket::confirm) before the next `receive`. Messages can
    /// be sent after either of the two calls.
    #[cfg(feature = "handshake")]
    UpgradeResponse(ResponseHead<'b>),
    /// A response other than 101, received by a client (RFC 6455 section 4.1). Its body follows as
    /// [`RejectionBody`](Event::RejectionBody), until its announced end or the end of the stream.
    /// [`is_done`](crate::WebSocket::is_done) then returns `true`, without a further event. A
    /// server may delay the end of the stream for a long time.
    #[cfg(feature = "handshake")]
    Rejected(ResponseHead<'b>),
    /// Bytes of the body of a rejection, without the chunked coding (RFC 9112 section 7.1).
    #[cfg(feature = "handshake")]
    RejectionBody(&'b [u8]),
    /// A complete text message.
    Text(&'b str),
    /// A complete binary message.
    Binary(&'b [u8]),
    /// A piece of a message. [`receive_chunks`](crate::WebSocket::receive_chunks) returns this
    /// event, and [`receive`](crate::WebSocket::receive) inside a message that started in chunks.
    Chunk(Chunk<'b>),
    /// A ping. Unless our Close was sent, the pong is already in the output. After
    /// 4 KiB of unsent output, or in the reserve, a pong replaces the pong queued directly before
    /// it, unless that one is partly sent (RFC 6455 section 5.5.3).
    Ping(&'b [u8]),
    /// A pong.
    Pong(&'b [u8]),
    /// The peer's Close, or the end of the stream without a Close. The reply to a Close is already
    /// in the output. A Close without a code has the code 1005, and the end of the stream has 1006.
    /// [`Close::is_clean`] distinguishes the two.
    Close(Close<'b>),
    /// The connection has failed. The Close or the refusal is already in the output; see
    /// [`Failure`] for exceptions.
    Failed(Failure),
}

impl fmt::Debug for Event<'_> {
    /// Shows the lengths of payloads, not their bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            #[cfg(feature = "handshake")]
            Event::UpgradeRequest(head) => f.debug_tuple("UpgradeRequest").field(head).finish(),
            #[cfg(feature = "handshake")]
            Event::OtherRequest(head) => f.debug_tuple("OtherRequest").field(head).finish(),
            #[cfg(feature = "handshake")]
            Event::UpgradeResponse(head) => f.debug_tuple("UpgradeResponse").field(head).finish(),
            #[cfg(feature = "handshake")]
            Event::Rejected(head) => f.debug_tuple("Rejected").field(head).finish(),
            #[cfg(feature = "handshake")]
            Event::RejectionBody(bytes) => write!(f, "RejectionBody({} bytes)", bytes.len()),
            Event::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Event::Binary(bytes) => write!(f, "Binary({} bytes)", bytes.len()),
            Event::Chunk(chunk) => chunk.fmt(f),
            Event::Ping(payload) => write!(f, "Ping({} bytes)", payload.len()),
            Event::Pong(payload) => write!(f, "Pong({} bytes)", payload.len()),
            Event::Close(close) => close.fmt(f),
            Event::Failed(failure) => f.debug_tuple("Failed").field(failure).finish(),
        }
    }
}

/// Generates an event of an open connection that receives complete messages.
#[cfg(feature = "arbitrary")]
impl<'a> arbitrary::Arbitrary<'a> for Event<'a> {
    fn arbitrary(u: &mut arbitrary::Unstructured<'a>) -> arbitrary::Result<Event<'a>> {
        fn control<'a>(u: &mut arbitrary::Unstructured<'a>) -> arbitrary::Result<&'a [u8]> {
            let payload: &[u8] = u.arbitrary()?;
            Ok(payload.get(..125).unwrap_or(payload))
        }
        Ok(match u.int_in_range(0..=6)? {
            0 => Event::Text(u.arbitrary()?),
            1 => Event::Binary(u.arbitrary()?),
            2 => Event::Ping(control(u)?),
            3 => Event::Pong(control(u)?),
            4 => Event::Close(u.arbitrary()?),
            5 => Event::Close(Close::ABNORMAL),
            _ => Event::Failed(Failure::Protocol(u.arbitrary()?)),
        })
    }
}

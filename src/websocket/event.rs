//! What a connection reports.

use core::fmt;

use crate::close::Close;
use crate::error::Failure;
#[cfg(feature = "handshake")]
use crate::handshake::{RequestHead, ResponseHead};
use crate::receiver::Chunk;

/// What the peer did. It borrows the [`ReadBuffer`](crate::ReadBuffer), never the machine.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'b> {
    /// As a server: a request to open a WebSocket that keeps all rules. Answer it by
    /// [`accept`](crate::WebSocket::accept) or [`respond`](crate::WebSocket::respond) before the next
    /// `receive`, which would refuse it with 403.
    #[cfg(feature = "handshake")]
    UpgradeRequest(RequestHead<'b>),
    /// As a server: a request for something else, such as a page. Answer it by
    /// [`respond`](crate::WebSocket::respond) before the next `receive`, which would answer 426, or
    /// 405 unless it is a GET.
    #[cfg(feature = "handshake")]
    OtherRequest(RequestHead<'b>),
    /// As a client: the server's 101, which keeps all rules but for the subprotocol. If any was
    /// offered, call [`confirm`](crate::WebSocket::confirm) before the next `receive`.
    #[cfg(feature = "handshake")]
    UpgradeResponse(ResponseHead<'b>),
    /// As a client: a response other than 101 (RFC 6455 section 4.1). Its body follows as
    /// [`RejectionBody`](Event::RejectionBody), up to its announced end or the end of the stream,
    /// which a server may be slow to bring about.
    #[cfg(feature = "handshake")]
    Rejected(ResponseHead<'b>),
    /// As a client: bytes of the body of the response that rejected the handshake, without the
    /// chunked coding (RFC 9112 section 7.1).
    #[cfg(feature = "handshake")]
    RejectionBody(&'b [u8]),
    /// A whole text message.
    Text(&'b str),
    /// A whole binary message.
    Binary(&'b [u8]),
    /// A piece of a message; from [`receive_chunks`](crate::WebSocket::receive_chunks).
    Chunk(Chunk<'b>),
    /// A ping. The pong is in the output already. With more than 4 KiB queued, the pong replaces the
    /// last unsent pong (RFC 6455 section 5.5.3).
    Ping(&'b [u8]),
    /// A pong.
    Pong(&'b [u8]),
    /// The peer's Close, answered already; with 1005 if it carried no code. Or the end of the stream
    /// before any Close, with 1006: [`Close::is_clean`] tells them apart.
    Close(Close<'b>),
    /// The connection has failed. The answer that is due is in the output already.
    Failed(Failure),
}

impl fmt::Debug for Event<'_> {
    /// Shows lengths in the place of payloads.
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

/// An event of an open connection whose messages are taken whole: what a handler of events has to be ready for.
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

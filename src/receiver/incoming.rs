//! The items that a receiver hands out.

use core::fmt;

use crate::close::Close;
use crate::frame::MessageKind;
use crate::utf8::late_text;

/// An item that a [`Receiver`](crate::Receiver) found in its input. Borrows the input, never the
/// receiver.
///
/// A `_ =>` arm may ignore [`Pong`](Incoming::Pong). All others need care:
/// [`reply`](Incoming::reply) says what to send.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Incoming<'b> {
    /// A part of a message, or all of it.
    Data(Chunk<'b>),
    /// A ping with a payload of at most 125 bytes. Reply with a pong with the same payload (RFC
    /// 6455 section 5.5.2).
    Ping(&'b [u8]),
    /// A pong, also without a ping (RFC 6455 section 5.5.3).
    Pong(&'b [u8]),
    /// The peer's Close. Reply with a Close with the same code, unless one was sent (RFC 6455
    /// section 5.5.1).
    Close(Close<'b>),
    /// The end of the stream: the last item. An unfinished message is lost. Without a Close before
    /// it, the end is abnormal (1006, RFC 6455 section 7.1.5).
    End,
}

/// A piece of a message: all that has arrived of it, validated.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Chunk<'b> {
    pub(super) bytes: &'b [u8],
    /// The bytes of a whole text message as text, if it is made early.
    pub(super) text: Option<&'b str>,
    pub(super) kind: MessageKind,
    pub(super) first: bool,
    pub(super) last: bool,
    pub(super) compressed: bool,
}

impl fmt::Debug for Incoming<'_> {
    /// Shows the lengths of payloads, not their bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Incoming::Data(chunk) => chunk.fmt(f),
            Incoming::Ping(payload) => write!(f, "Ping({} bytes)", payload.len()),
            Incoming::Pong(payload) => write!(f, "Pong({} bytes)", payload.len()),
            Incoming::Close(close) => close.fmt(f),
            Incoming::End => f.write_str("End"),
        }
    }
}

impl fmt::Debug for Chunk<'_> {
    /// Shows the length, not the bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chunk")
            .field("kind", &self.kind)
            .field("len", &self.bytes.len())
            .field("first", &self.first)
            .field("last", &self.last)
            .field("compressed", &self.compressed)
            .finish()
    }
}

impl<'b> Chunk<'b> {
    /// Returns the kind of the message.
    #[must_use]
    pub const fn kind(&self) -> MessageKind {
        self.kind
    }

    /// Returns the bytes. In a text message they are the next piece of valid UTF-8. A character may
    /// be cut at either end; the chunks together are valid. There are never more of them
    /// than the capacity of the read buffer.
    #[must_use]
    pub const fn bytes(&self) -> &'b [u8] {
        self.bytes
    }

    /// Returns the text if this chunk is a [whole](Self::is_whole) text message.
    #[must_use]
    pub const fn text(&self) -> Option<&'b str> {
        if self.is_whole() && matches!(self.kind, MessageKind::Text) && !self.compressed {
            return late_text(self.text, self.bytes);
        }
        None
    }

    /// Returns `true` if the message begins here.
    #[must_use]
    pub const fn is_first(&self) -> bool {
        self.first
    }

    /// Returns `true` if the message ends here. The last chunk may be empty.
    #[must_use]
    pub const fn is_last(&self) -> bool {
        self.last
    }

    /// Returns `true` if this chunk is a whole message.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.first && self.last
    }

    /// Returns `true` if the bytes are still compressed, and so not validated (RFC 7692 section
    /// 6.2). Only after [`Receiver::allow_rsv1`](crate::Receiver::allow_rsv1), and from
    /// [`Receiver::receive_chunk_in_place`](crate::Receiver::receive_chunk_in_place) with
    /// compression.
    #[must_use]
    pub const fn is_compressed(&self) -> bool {
        self.compressed
    }
}

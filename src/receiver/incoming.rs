//! Defines the items that a receiver returns.

use core::fmt;

use crate::close::Close;
use crate::frame::MessageKind;
use crate::utf8::late_text;

/// Describes an item that a [`Receiver`](crate::Receiver) found in its input. Borrows the input,
/// never the receiver.
///
/// A `_ =>` arm may ignore [`Pong`](Incoming::Pong). Handle all other items:
/// [`reply`](Incoming::reply) returns the reply to send.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Incoming<'b> {
    /// A piece of a message, or a complete message.
    Data(Chunk<'b>),
    /// A ping with a payload of at most 125 bytes. Reply with a pong that has an equal payload (RFC
    /// 6455 section 5.5.2).
    Ping(&'b [u8]),
    /// A pong, which may be unsolicited (RFC 6455 section 5.5.3).
    Pong(&'b [u8]),
    /// The peer's Close. If you have not sent a Close, reply with a Close that has an equal code
    /// (RFC 6455 section 5.5.1).
    Close(Close<'b>),
    /// The end of the stream, which is the last item. An unfinished message is lost. If no Close
    /// was received, the end is abnormal (1006, RFC 6455 section 7.1.5).
    End,
}

/// Represents a piece of a message. Its text is validated unless it is compressed.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Chunk<'b> {
    pub(super) bytes: &'b [u8],
    /// The bytes of a complete text message as text, if already converted.
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

    /// Returns the bytes of the chunk. In a text message, a character may be split between two
    /// chunks, but the chunks together are valid UTF-8. A chunk is never longer than the capacity
    /// of the read buffer.
    #[must_use]
    pub const fn bytes(&self) -> &'b [u8] {
        self.bytes
    }

    /// Returns the text if the chunk is a [whole](Self::is_whole) text message, else `None`.
    #[must_use]
    pub const fn text(&self) -> Option<&'b str> {
        if self.is_whole() && matches!(self.kind, MessageKind::Text) && !self.compressed {
            return late_text(self.text, self.bytes);
        }
        None
    }

    /// Returns `true` if the chunk starts the message.
    #[must_use]
    pub const fn is_first(&self) -> bool {
        self.first
    }

    /// Returns `true` if the chunk ends the message. The last chunk may be empty.
    #[must_use]
    pub const fn is_last(&self) -> bool {
        self.last
    }

    /// Returns `true` if the chunk is a complete message.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.first && self.last
    }

    /// Returns `true` if the bytes are still compressed, and therefore not validated (RFC 7692
    /// section 6.2). Possible only after [`Receiver::allow_rsv1`](crate::Receiver::allow_rsv1), or
    /// from [`Receiver::receive_chunk_in_place`](crate::Receiver::receive_chunk_in_place) with
    /// compression.
    #[must_use]
    pub const fn is_compressed(&self) -> bool {
        self.compressed
    }
}

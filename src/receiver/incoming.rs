//! What a receiver hands out.

use core::fmt;

use crate::close::Close;
use crate::frame::MessageKind;
use crate::utf8::late_text;

/// What a [`Receiver`](crate::Receiver) found in its input. Borrows the input, never the receiver.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Incoming<'b> {
    /// A part of a message, or all of it.
    Data(Chunk<'b>),
    /// A ping and its payload of at most 125 bytes, to be answered by a pong with the same (RFC 6455
    /// section 5.5.2).
    Ping(&'b [u8]),
    /// A pong, asked for or not (RFC 6455 section 5.5.3).
    Pong(&'b [u8]),
    /// The peer's Close, to be answered by one with the same code unless one was sent (RFC 6455 section
    /// 5.5.1).
    Close(Close<'b>),
    /// The end of the stream; the last item, once. A message that had begun is lost. Before a Close it
    /// is an abnormal end (1006, RFC 6455 section 7.1.5).
    End,
}

/// A piece of a message, as large as what had arrived of it, checked as far as it goes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Chunk<'b> {
    pub(super) bytes: &'b [u8],
    /// The same bytes, where they are all of a text message; made when asked for where flash counts.
    pub(super) text: Option<&'b str>,
    pub(super) kind: MessageKind,
    pub(super) first: bool,
    pub(super) last: bool,
    pub(super) compressed: bool,
}

impl fmt::Debug for Incoming<'_> {
    /// Shows lengths in the place of payloads.
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
    /// Shows the length in the place of the bytes.
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
    /// The kind of the message.
    #[must_use]
    pub const fn kind(&self) -> MessageKind {
        self.kind
    }

    /// The bytes. Those of a text message are the next piece of valid UTF-8; a character may be cut at
    /// either end of the piece, and what the chunks make together is valid.
    #[must_use]
    pub const fn bytes(&self) -> &'b [u8] {
        self.bytes
    }

    /// The text, where this chunk [is all](Self::is_whole) of a text message.
    #[must_use]
    pub const fn text(&self) -> Option<&'b str> {
        if self.is_whole() && matches!(self.kind, MessageKind::Text) && !self.compressed {
            return late_text(self.text, self.bytes);
        }
        None
    }

    /// Whether the message begins here.
    #[must_use]
    pub const fn is_first(&self) -> bool {
        self.first
    }

    /// Whether the message ends here. The last chunk may be empty.
    #[must_use]
    pub const fn is_last(&self) -> bool {
        self.last
    }

    /// Whether this is all of a message.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.first && self.last
    }

    /// Whether the bytes are still compressed, and unchecked for that (RFC 7692 section 6.2): only those of
    /// [`Receiver::receive_chunk_in_place`](crate::Receiver::receive_chunk_in_place) where compression was agreed, and where [`Receiver::allow_rsv1`](crate::Receiver::allow_rsv1) was called.
    #[must_use]
    pub const fn is_compressed(&self) -> bool {
        self.compressed
    }
}

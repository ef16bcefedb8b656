//! Defines the replies that received items demand, which link a receiver to a sender.

use crate::receiver::Incoming;
use crate::{CloseCode, Violation};

/// Largest payload of a pong in bytes (RFC 6455 section 5.5).
const MAX_PONG: usize = 125;

/// Represents a reply that the protocol demands: a pong with its payload, or a Close with its
/// status code.
///
/// A reply is a value that the receiving task can pass to the sending task. [`Incoming::reply`] or
/// a [`Violation`] makes a reply, and [`Sender::reply`](crate::Sender::reply) writes it.
///
/// ```
/// use sockless::{Config, ReadBuffer, Receiver, Reply, Sender, WriteBuffer};
///
/// let mut receiver = Receiver::client(Config::default());
/// let mut sender = Sender::server(); // for the example, without a mask
/// let (mut rx, mut tx) = (ReadBuffer::new([0; 512]), WriteBuffer::new([0; 512]));
/// let _ = rx.extend(b"\x89\x02hi\x88\x02\x03\xe8");
/// loop {
///     let reply = match receiver.receive(&mut rx) {
///         Ok(None) => break,
///         Ok(Some(item)) => item.reply(), // and use the item
///         Err(violation) => Some(Reply::from(violation)),
///     };
///     if let Some(reply) = reply {
///         sender.reply(reply, &mut tx)?; // or send it to the task that has the sender
///     }
/// }
/// assert_eq!(tx.bytes(), b"\x8a\x02hi\x88\x02\x03\xe8");
/// # Ok::<(), sockless::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Reply(pub(crate) Kind);

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Pong { len: u8, payload: [u8; MAX_PONG] },
    Close(CloseCode),
}

impl Reply {
    /// Makes a pong with `payload`, or returns `None` if `payload` has more than 125 bytes.
    #[must_use]
    pub fn pong(payload: &[u8]) -> Option<Reply> {
        let mut copy = [0; MAX_PONG];
        for (to, from) in copy.get_mut(..payload.len())?.iter_mut().zip(payload) {
            *to = *from;
        }
        Some(Reply(Kind::Pong { len: payload.len() as u8, payload: copy }))
    }

    /// Makes a Close with `code`. With [`CloseCode::NO_STATUS_RECEIVED`], the frame has no code.
    #[must_use]
    pub const fn close(code: CloseCode) -> Reply {
        Reply(Kind::Close(code))
    }

    /// Returns `true` for a Close. No frame is sent after a Close.
    #[must_use]
    pub const fn is_close(&self) -> bool {
        matches!(self.0, Kind::Close(_))
    }
}

impl From<Violation> for Reply {
    /// Makes the Close that fails the connection (RFC 6455 section 7.1.7).
    fn from(violation: Violation) -> Reply {
        Reply::close(violation.close_code())
    }
}

impl core::fmt::Debug for Reply {
    /// Shows the length of a payload, not its bytes.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.0 {
            Kind::Pong { len, .. } => write!(f, "Pong({len} bytes)"),
            Kind::Close(code) => write!(f, "Close({})", code.get()),
        }
    }
}

/// Stores the unsent replies: the latest pong and the first Close.
///
/// The size is constant, so a task can store the replies next to a bounded queue of messages. A
/// later pong may replace a pong (RFC 6455 section 5.5.3). A Close must not be lost.
///
/// ```
/// use sockless::{CloseCode, Replies, Reply};
///
/// let mut replies = Replies::new();
/// replies.push(Reply::close(CloseCode::NORMAL));
/// replies.extend(Reply::pong(b"1"));
/// replies.extend(Reply::pong(b"2"));
/// assert_eq!(replies.pop(), Reply::pong(b"2"));
/// assert_eq!(replies.pop(), Some(Reply::close(CloseCode::NORMAL)));
/// assert_eq!(replies.pop(), None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replies {
    pong: Option<Reply>,
    close: Option<Reply>,
}

impl Replies {
    /// Makes an empty collection.
    #[must_use]
    pub const fn new() -> Replies {
        Replies { pong: None, close: None }
    }

    /// Adds a reply. A pong replaces an earlier pong. The first of several Closes is kept.
    pub fn push(&mut self, reply: Reply) {
        if reply.is_close() {
            self.close = self.close.or(Some(reply));
        } else {
            self.pong = Some(reply);
        }
    }

    /// Removes and returns the next reply to send: the pong first, then the Close.
    pub fn pop(&mut self) -> Option<Reply> {
        self.pong.take().or_else(|| self.close.take())
    }

    /// Returns `true` if there is no unsent reply.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.pong.is_none() && self.close.is_none()
    }
}

impl Extend<Reply> for Replies {
    fn extend<I: IntoIterator<Item = Reply>>(&mut self, replies: I) {
        for reply in replies {
            self.push(reply);
        }
    }
}

impl Incoming<'_> {
    /// Returns the reply that the item demands, or `None`. A ping demands a pong with an equal
    /// payload (RFC 6455 section 5.5.2). A Close demands a Close with an equal code (RFC 6455
    /// section 5.5.1).
    #[must_use]
    pub fn reply(&self) -> Option<Reply> {
        match self {
            Incoming::Ping(payload) => Reply::pong(payload),
            Incoming::Close(close) => Some(Reply::close(close.code())),
            _ => None,
        }
    }
}

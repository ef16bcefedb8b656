//! Where bytes to be sent are put.

use core::fmt;
use core::num::NonZeroUsize;

#[cfg(feature = "alloc")]
use super::GrowableBuffer;
use super::Storage;
use crate::bytes::move_down;
use crate::{Error, Misuse};

/// The least capacity of a [`WriteBuffer`] in bytes: a pong that is just leaving (131 with a masked
/// header), the latest one that waits behind it (131), and a Close with a code alone (8).
pub const WRITE_BUFFER_MIN: usize = 270;

/// What a [`WriteBuffer`] keeps free of the caller's sends: one pong and one Close.
pub(crate) const REPLY_ROOM: usize = 131 + CLOSE_ROOM;
/// A masked Close frame with a code alone.
const CLOSE_ROOM: usize = 8;

/// How many unsent bytes there may be for a further pong to be queued behind them. Past that, only the
/// latest is kept.
const PONG_BACKLOG: usize = 4096;

/// Where bytes to be sent are put, and taken from by the caller's writes.
///
/// The last 139 bytes of its capacity are kept for replies, so that a pong and a Close always find
/// room; see [`WRITE_BUFFER_MIN`]. With 149 bytes more than the [`ReadBuffer`](crate::ReadBuffer) has, a server can answer each message
/// of a read by one of the same size, and runs out of no room.
///
/// ```
/// use sockless::{Sender, WriteBuffer};
///
/// let mut tx = WriteBuffer::new([0; 512]);
/// Sender::server().text("Hello", &mut tx)?;
/// assert_eq!(tx.bytes(), b"\x81\x05Hello");
/// tx.consume(3); // a write took so many
/// assert_eq!(tx.bytes(), b"ello");
/// tx.clear(); // a write took all
/// # Ok::<(), sockless::Error>(())
/// ```
#[derive(Clone)]
pub struct WriteBuffer<S> {
    storage: S,
    /// What waits to be sent is `start..end`.
    start: usize,
    end: usize,
    /// Where, counted from `start`, a pong lies that a newer one takes the place of.
    pong: Option<usize>,
    /// What is sent of it lies elsewhere.
    payload: Option<Payload>,
}

/// A payload that stays with the caller.
#[derive(Clone, Copy, Debug)]
struct Payload {
    /// Where it belongs, counted from the start of what waits.
    at: usize,
    /// How much of it waits, and how much there was.
    left: NonZeroUsize,
    len: usize,
}

impl<S> fmt::Debug for WriteBuffer<S> {
    /// Shows lengths only: the bytes are the caller's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteBuffer")
            .field("unsent", &self.end.saturating_sub(self.start))
            .field("has_payload", &self.payload.is_some())
            .finish_non_exhaustive()
    }
}

impl<S: Storage> WriteBuffer<S> {
    /// A buffer in this memory, of at least [`WRITE_BUFFER_MIN`] bytes.
    #[inline]
    #[must_use]
    pub const fn new(storage: S) -> WriteBuffer<S> {
        WriteBuffer { storage, start: 0, end: 0, pong: None, payload: None }
    }

    /// How many bytes it can hold, at most.
    #[inline]
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.storage.limit()
    }

    /// What waits to be sent, in order, up to where the payload of a vectored send belongs: while one waits, write
    /// [`slices`](Self::slices) instead, or nothing behind it ever leaves.
    #[inline]
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        let end = match self.payload {
            Some(payload) => self.start + payload.at,
            None => self.end,
        };
        let before = self.storage.as_ref().get(..end).unwrap_or_default();
        before.get(self.start..).unwrap_or_default()
    }

    /// All that waits to be sent, in order, with the `payload` given to the last
    /// [vectored send](crate::WebSocket::send_binary_vectored) in its place: for a vectored write. Without a pending
    /// payload, `payload` is ignored.
    ///
    /// # Errors
    /// Returns [`Misuse::WrongPayload`] if `payload` is not as long as the one that is pending.
    #[inline]
    pub fn slices<'a>(&'a self, payload: &'a [u8]) -> Result<[&'a [u8]; 3], Misuse> {
        let bytes = self.storage.as_ref();
        match self.payload {
            None => Ok([self.bytes(), &[], &[]]),
            // Nothing stands in for a payload that is not the one announced.
            Some(Payload { len, .. }) if payload.len() != len => Err(Misuse::WrongPayload),
            Some(Payload { at, left, len }) => Ok([
                self.bytes(),
                payload.get(len - left.get()..).unwrap_or_default(),
                bytes.get(self.start + at..self.end).unwrap_or_default(),
            ]),
        }
    }

    /// How many bytes wait to be sent, the payload of a vectored send included: the mark to hold back
    /// a fast producer by.
    #[inline]
    #[must_use]
    pub const fn len(&self) -> usize {
        let payload = match self.payload {
            Some(payload) => payload.left.get(),
            None => 0,
        };
        self.end - self.start + payload
    }

    /// Whether nothing waits to be sent.
    #[inline]
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Says that the first `n` bytes of [`slices`](Self::slices), or of [`bytes`](Self::bytes), have
    /// been sent. More than there are counts as all.
    #[inline]
    pub fn consume(&mut self, n: usize) {
        if n >= self.len() {
            (self.start, self.end, self.pong, self.payload) = (0, 0, None, None);
            return;
        }
        let Some(payload) = self.payload else { return self.advance(n) };
        let own = n.min(payload.at);
        self.advance(own);
        let n = n - own;
        if n == 0 {
            return;
        }
        let left = payload.left.get().saturating_sub(n);
        self.payload = NonZeroUsize::new(left).map(|left| Payload { at: 0, left, ..payload });
        if left == 0 {
            self.advance((n - payload.left.get()).min(self.end - self.start));
        }
    }

    #[inline]
    fn advance(&mut self, n: usize) {
        self.start += n;
        if let Some(payload) = &mut self.payload {
            payload.at = payload.at.saturating_sub(n);
        }
        // A pong that has begun to leave is not replaced any more.
        self.pong = self.pong.and_then(|at| at.checked_sub(n));
        if self.start == self.end {
            (self.start, self.end, self.pong) = (0, 0, None);
        }
    }

    /// Says that all of [`bytes`](Self::bytes) has been sent. A pending payload stays pending: only
    /// [`consume`](Self::consume) takes it out, and until then further data is refused.
    #[inline]
    pub fn clear(&mut self) {
        match self.payload {
            None => (self.start, self.end, self.pong) = (0, 0, None),
            Some(payload) => self.advance(payload.at),
        }
    }

    /// Gives memory that has grown back to the allocator, if the buffer is empty.
    pub fn release(&mut self) {
        if self.is_empty() {
            self.storage.release();
        }
    }

    /// Returns the storage. Its bytes in front of and after the unsent ones are unspecified.
    #[inline]
    #[must_use]
    pub const fn storage(&self) -> &S {
        &self.storage
    }

    /// Returns the storage, for use in another buffer. Unsent bytes are lost.
    #[inline]
    #[must_use]
    pub fn into_inner(self) -> S {
        self.storage
    }

    /// Room for `n` more bytes of the caller's. They count once [`commit`](Self::commit) is called.
    #[inline]
    pub(crate) fn room(&mut self, n: usize) -> Result<&mut [u8], Error> {
        self.room_beside(n, REPLY_ROOM)
    }

    /// Makes way for a pong of `n` bytes: in line as long as there is not much before it, else in the place of the last
    /// that could not be queued, if that has not begun to leave. What has to stay free behind it.
    pub(crate) fn make_way(&mut self, n: usize) -> usize {
        if let Some(at) = self.pong {
            self.end = self.start + at;
        } else if self.end - self.start + n > PONG_BACKLOG || !self.reserve(n, REPLY_ROOM) {
            self.pong = Some(self.end - self.start);
        }
        if self.pong.is_some() { CLOSE_ROOM } else { REPLY_ROOM }
    }

    /// Room for `n` more bytes with `keep` free behind them: for what is sent last, which a Close with a code alone is and
    /// an answer of HTTP, none has to be.
    #[inline]
    pub(crate) fn room_beside(&mut self, n: usize, keep: usize) -> Result<&mut [u8], Error> {
        let fits = self.reserve(n, keep);
        if keep == REPLY_ROOM && fits {
            // A pong with something behind it stays where it is.
            self.pong = None;
        }
        let no_room = if fits { Error::NoRoom } else { self.no_room(n.saturating_add(keep)) };
        let room = if fits {
            self.storage.as_mut().get_mut(self.end..).and_then(|room| room.get_mut(..n))
        } else {
            None
        };
        match room {
            Some(room) => Ok(room),
            None => Err(no_room),
        }
    }

    /// Tells a lack of space that a flush ends from one that it does not end: the buffer is too small,
    /// or the allocator has no memory.
    #[cold]
    fn no_room(&self, needed: usize) -> Error {
        let never = needed > self.capacity() || self.is_empty();
        if never { Error::NeverFits { needed } } else { Error::NoRoom }
    }

    /// Sees to it that `n` bytes fit behind what is there, with `keep` more behind them, if they can.
    #[inline]
    fn reserve(&mut self, n: usize, keep: usize) -> bool {
        let wanted = n.saturating_add(keep);
        wanted <= self.storage.as_ref().len().saturating_sub(self.end) || self.make_room(wanted)
    }

    #[inline(never)]
    fn make_room(&mut self, wanted: usize) -> bool {
        let len = self.end - self.start;
        // Moved only where that frees at least as much as it moves, or where growing is no way out:
        // the work of moving stays linear in the bytes sent.
        if self.start >= len || self.end.saturating_add(wanted) > self.storage.limit() {
            move_down(self.storage.as_mut(), self.start..self.end, 0);
            (self.start, self.end) = (0, len);
        }
        let size = self.end.saturating_add(wanted);
        if size > self.storage.limit() {
            return false;
        }
        self.storage.grow(size)
    }

    /// Makes the first `n` bytes of the room just given part of what is to be sent.
    #[inline]
    pub(crate) fn commit(&mut self, n: usize) {
        self.end += n;
    }

    /// Makes a payload of `len` bytes, which stays with the caller, part of what is to be sent.
    pub(crate) fn commit_payload(&mut self, len: usize) {
        let at = self.end - self.start;
        self.payload = NonZeroUsize::new(len).map(|left| Payload { at, left, len });
    }

    /// How many bytes [`room`](Self::room) can give at most.
    #[cfg(feature = "deflate")]
    pub(crate) fn available(&self) -> usize {
        self.storage.limit().saturating_sub(self.end - self.start).saturating_sub(REPLY_ROOM)
    }

    pub(crate) const fn has_payload(&self) -> bool {
        self.payload.is_some()
    }
}

#[cfg(feature = "alloc")]
impl WriteBuffer<GrowableBuffer> {
    /// A buffer that allocates as bytes are put into it, and never holds more than `limit` bytes.
    #[must_use]
    pub const fn growing(limit: usize) -> WriteBuffer<GrowableBuffer> {
        WriteBuffer::new(GrowableBuffer::new(limit))
    }
}

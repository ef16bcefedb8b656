//! Defines the buffer for output: unsent frames and heads.

use core::fmt;
use core::num::NonZeroUsize;

#[cfg(feature = "alloc")]
use super::GrowableBuffer;
use super::{SHORT_MOVE, Storage, pays};
use crate::bytes::{copy, move_down};
use crate::{Error, Misuse};

/// Specifies the minimum capacity of a [`WriteBuffer`] in bytes: a partly sent pong (131 with a
/// masked header), the latest pong (131), and a Close with only a code (8).
pub const WRITE_BUFFER_MIN: usize = 270;

/// Bytes that the caller's sends leave free in a [`WriteBuffer`], for one pong and one Close.
pub(crate) const CONTROL_RESERVE: usize = 131 + CLOSE_LEN;
/// Length in bytes of a masked Close frame with only a code.
const CLOSE_LEN: usize = 8;

/// Number of unsent bytes beyond which only the latest pong is kept.
const MAX_PONG_BACKLOG: usize = 4096;

/// Buffers output. The library appends frames, and the caller consumes them after each write.
///
/// The last 139 bytes of the capacity are reserved for replies, so that a pong and a Close always
/// fit; see [`WRITE_BUFFER_MIN`]. A server without compression that answers each message with a
/// message of equal size never gets [`Error::NoRoom`] if it writes all output before each read, and
/// if this buffer has 149 bytes more than the [`ReadBuffer`](crate::ReadBuffer). Compressed answers
/// can be longer than the messages.
///
/// ```
/// use sockless::{Sender, WriteBuffer};
///
/// let mut tx = WriteBuffer::new([0; 512]);
/// Sender::server().text("Hello", &mut tx)?;
/// assert_eq!(tx.bytes(), b"\x81\x05Hello");
/// tx.consume(3); // after a write of 3 bytes
/// assert_eq!(tx.bytes(), b"ello");
/// tx.clear(); // after a write of the rest
/// # Ok::<(), sockless::Error>(())
/// ```
#[derive(Clone)]
pub struct WriteBuffer<S> {
    storage: S,
    /// The unsent bytes are `start..end`.
    start: usize,
    end: usize,
    /// Offset from `start` of the pong that a newer pong replaces.
    pong: Option<usize>,
    /// The payload of a vectored send, which is not stored in this buffer.
    payload: Option<Payload>,
}

/// Describes the payload of a vectored send, which stays in the caller's memory.
#[derive(Clone, Copy, Debug)]
struct Payload {
    /// Offset of the payload in the unsent bytes.
    at: usize,
    /// The number of unsent payload bytes, and the length of the payload.
    left: NonZeroUsize,
    len: usize,
}

impl<S> fmt::Debug for WriteBuffer<S> {
    /// Shows lengths only: the bytes belong to the caller.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteBuffer")
            .field("unsent", &self.end.saturating_sub(self.start))
            .field("has_payload", &self.payload.is_some())
            .finish_non_exhaustive()
    }
}

impl<S: Storage> WriteBuffer<S> {
    /// Makes an empty buffer in `storage`, which must have at least [`WRITE_BUFFER_MIN`] bytes.
    #[inline]
    #[must_use]
    pub const fn new(storage: S) -> WriteBuffer<S> {
        WriteBuffer { storage, start: 0, end: 0, pong: None, payload: None }
    }

    /// Removes the first `n` bytes of [`slices`](Self::slices), or of [`bytes`](Self::bytes), after
    /// a write. An `n` above the number of unsent bytes removes all bytes.
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

    /// Removes all of [`bytes`](Self::bytes). A pending payload stays pending and further data is
    /// refused, until [`consume`](Self::consume) removes the payload.
    #[inline]
    pub fn clear(&mut self) {
        match self.payload {
            None => (self.start, self.end, self.pong) = (0, 0, None),
            Some(payload) => self.advance(payload.at),
        }
    }

    /// Copies the unsent part of a vectored payload into the buffer, for example after a partial
    /// write. The caller can then reuse its memory. Does nothing if no payload is pending.
    ///
    /// # Errors
    /// - Returns [`Misuse::WrongPayload`] if the length of `payload` differs from the pending
    ///   payload.
    /// - Returns [`Error::NoRoom`] or [`Error::NeverFits`] if the buffer has no space for the
    ///   payload.
    ///
    /// After an error nothing has changed.
    pub fn absorb_payload(&mut self, payload: &[u8]) -> Result<(), Error> {
        let [_, unsent, _] = self.slices(payload)?;
        let n = unsent.len();
        if n == 0 {
            return Ok(());
        }
        self.reserve(n)?;
        let at = self.payload.take().map_or(0, |payload| payload.at);
        let place = self.storage.as_mut().get_mut(self.start + at..self.end + n);
        if let Some(place) = place {
            // Frames after the payload stay after it.
            place.rotate_right(n);
            copy(payload.get(payload.len() - n..).unwrap_or_default(), place);
        }
        self.commit(n, CONTROL_RESERVE);
        Ok(())
    }

    /// Returns grown memory to the allocator, if the buffer is empty.
    pub fn release(&mut self) {
        if self.is_empty() {
            self.storage.release();
        }
    }

    /// Returns the largest number of bytes that the buffer can store.
    #[inline]
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.storage.limit()
    }

    /// Returns the unsent bytes before the payload of a vectored send. While a payload is unsent,
    /// write [`slices`](Self::slices) instead. Without a payload, returns all unsent bytes.
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

    /// Returns the unsent bytes for a vectored write, in three slices. The first contains the bytes
    /// before the payload of the last [vectored send](crate::WebSocket::send_binary_vectored). The
    /// second is the unsent part of `payload`. The third contains the bytes after the payload. If
    /// no payload is pending, `payload` is ignored.
    ///
    /// # Errors
    /// Returns [`Misuse::WrongPayload`] if the length of `payload` differs from the pending
    /// payload.
    #[inline]
    pub fn slices<'a>(&'a self, payload: &'a [u8]) -> Result<[&'a [u8]; 3], Misuse> {
        let bytes = self.storage.as_ref();
        match self.payload {
            None => Ok([self.bytes(), &[], &[]]),
            // A payload of another length cannot be the announced payload.
            Some(Payload { len, .. }) if payload.len() != len => Err(Misuse::WrongPayload),
            Some(Payload { at, left, len }) => Ok([
                self.bytes(),
                payload.get(len - left.get()..).unwrap_or_default(),
                bytes.get(self.start + at..self.end).unwrap_or_default(),
            ]),
        }
    }

    /// Returns the number of unsent bytes, including the payload of a vectored send. Compare the
    /// number with a high-water mark to apply backpressure to a fast producer.
    #[inline]
    #[must_use]
    pub const fn len(&self) -> usize {
        let payload = match self.payload {
            Some(payload) => payload.left.get(),
            None => 0,
        };
        self.end - self.start + payload
    }

    /// Returns `true` if no byte is unsent.
    #[inline]
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the storage. Its bytes before and after the unsent bytes are unspecified.
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

    #[inline]
    fn advance(&mut self, n: usize) {
        self.start += n;
        if let Some(payload) = &mut self.payload {
            payload.at = payload.at.saturating_sub(n);
        }
        // A partly sent pong is not replaced.
        self.pong = self.pong.and_then(|at| at.checked_sub(n));
        if self.start == self.end {
            (self.start, self.end, self.pong) = (0, 0, None);
        }
    }

    /// Returns space for `n` bytes of the caller's messages. [`commit`](Self::commit) appends them.
    ///
    /// # Errors
    /// Returns [`Error::NoRoom`] or [`Error::NeverFits`] if the bytes do not fit.
    #[inline]
    pub(crate) fn reserve(&mut self, n: usize) -> Result<&mut [u8], Error> {
        self.reserve_and_keep(n, CONTROL_RESERVE)
    }

    /// Chooses the position of a pong of `n` bytes. If few bytes are unsent, the pong is appended.
    /// Otherwise the pong replaces the last unsent pong, if there is one. Returns the number of
    /// bytes to keep free after the pong.
    pub(crate) fn place_pong(&mut self, n: usize) -> usize {
        if let Some(at) = self.pong {
            self.end = self.start + at;
        } else if self.end - self.start + n > MAX_PONG_BACKLOG
            || !self.has_space(n, CONTROL_RESERVE)
        {
            self.pong = Some(self.end - self.start);
        }
        if self.pong.is_some() { CLOSE_LEN } else { CONTROL_RESERVE }
    }

    /// Returns space for `n` bytes, with `keep` free bytes after them. `keep` is 0 for a final
    /// write: a bare Close or an HTTP response.
    ///
    /// # Errors
    /// Returns [`Error::NoRoom`] or [`Error::NeverFits`] if the bytes do not fit.
    #[inline]
    pub(crate) fn reserve_and_keep(&mut self, n: usize, keep: usize) -> Result<&mut [u8], Error> {
        let fits = self.has_space(n, keep);
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

    /// Returns [`Error::NoRoom`] if a flush frees enough space. Returns [`Error::NeverFits`] if the
    /// buffer is too small or the allocator has no memory.
    #[cold]
    fn no_room(&self, needed: usize) -> Error {
        let never = needed > self.capacity() || self.is_empty();
        if never { Error::NeverFits { needed } } else { Error::NoRoom }
    }

    /// Returns `true` if `n + keep` bytes fit after the unsent bytes. If necessary, moves the
    /// unsent bytes or grows the storage.
    #[inline]
    fn has_space(&mut self, n: usize, keep: usize) -> bool {
        let wanted = n.saturating_add(keep);
        wanted <= self.storage.as_ref().len().saturating_sub(self.end) || self.make_space(wanted)
    }

    #[inline(never)]
    fn make_space(&mut self, wanted: usize) -> bool {
        let len = self.end - self.start;
        // The unsent bytes move only if the move frees at least as many bytes, or if the storage
        // cannot grow.
        let full = self.end.saturating_add(wanted) > self.storage.limit();
        if self.start >= len || full && self.may_move() {
            move_down(self.storage.as_mut(), self.start..self.end, 0);
            (self.start, self.end) = (0, len);
        }
        let size = self.end.saturating_add(wanted);
        if size > self.storage.limit() {
            return false;
        }
        self.storage.grow(size)
    }

    /// Returns `true` if the unsent bytes may move to the front. The work of moving stays linear in
    /// the bytes sent, also if the peer reads slowly from a full buffer.
    const fn may_move(&self) -> bool {
        let len = self.end - self.start;
        // Short output always moves, so that a pong and a Close always fit.
        len <= SHORT_MOVE || pays(len, self.start)
    }

    /// Appends the first `n` bytes of the last reserved space to the unsent bytes. `keep` is the
    /// argument of the reservation.
    #[inline]
    pub(crate) fn commit(&mut self, n: usize, keep: usize) {
        if keep == CONTROL_RESERVE {
            // A pong with other bytes after it is not replaced.
            self.pong = None;
        }
        self.end += n;
    }

    /// Appends a payload of `len` bytes that stays in the caller's memory.
    pub(crate) fn commit_payload(&mut self, len: usize) {
        let at = self.end - self.start;
        self.payload = NonZeroUsize::new(len).map(|left| Payload { at, left, len });
    }

    /// Returns the largest number of bytes that [`reserve`](Self::reserve) can return from the
    /// empty buffer.
    #[cfg(feature = "deflate")]
    pub(crate) fn largest_reserve(&self) -> usize {
        self.storage.limit().saturating_sub(CONTROL_RESERVE)
    }

    /// Returns the largest number of bytes that [`reserve`](Self::reserve) can return.
    pub(crate) fn available(&self) -> usize {
        let used = if self.may_move() { self.end - self.start } else { self.end };
        self.storage.limit().saturating_sub(used).saturating_sub(CONTROL_RESERVE)
    }

    pub(crate) const fn has_payload(&self) -> bool {
        self.payload.is_some()
    }
}

#[cfg(feature = "alloc")]
impl WriteBuffer<GrowableBuffer> {
    /// Makes a buffer that allocates on demand, and never stores more than `limit` bytes.
    #[must_use]
    pub const fn growing(limit: usize) -> WriteBuffer<GrowableBuffer> {
        WriteBuffer::new(GrowableBuffer::new(limit))
    }
}

//! Where bytes to be sent are put.

#[cfg(feature = "alloc")]
use super::Growing;
use super::{Storage, move_down};
use crate::Error;

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
#[derive(Clone, Debug)]
pub struct WriteBuffer<S> {
    storage: S,
    /// What waits to be sent is `start..end`.
    start: usize,
    end: usize,
    /// Where, counted from `start`, a pong lies that a newer one takes the place of.
    pong: Option<usize>,
    /// Where, counted from `start`, a payload belongs that lies elsewhere, and how much of it waits.
    payload_at: usize,
    payload: usize,
    payload_len: usize,
}

impl<S: Storage> WriteBuffer<S> {
    /// A buffer in this memory, of at least [`WRITE_BUFFER_MIN`] bytes.
    #[inline]
    #[must_use]
    pub const fn new(storage: S) -> WriteBuffer<S> {
        WriteBuffer {
            storage,
            start: 0,
            end: 0,
            pong: None,
            payload_at: 0,
            payload: 0,
            payload_len: 0,
        }
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
        let end = if self.payload > 0 { self.start + self.payload_at } else { self.end };
        self.storage.as_ref().get(self.start..end).unwrap_or_default()
    }

    /// All that waits to be sent, in order, with the `payload` given to the last
    /// [vectored send](crate::WebSocket::send_binary_vectored) in its place: for a vectored write.
    #[inline]
    #[must_use]
    pub fn slices<'a>(&'a self, payload: &'a [u8]) -> [&'a [u8]; 3] {
        let bytes = self.storage.as_ref();
        let at = self.start + self.payload_at;
        // Nothing stands in for a payload that is not the one announced.
        match payload.get(self.payload_len - self.payload..) {
            Some(rest) if self.payload > 0 && payload.len() == self.payload_len => {
                [self.bytes(), rest, bytes.get(at..self.end).unwrap_or_default()]
            }
            _ => [self.bytes(), &[], &[]],
        }
    }

    /// How many bytes wait to be sent, the payload of a vectored send included: the mark to hold back
    /// a fast producer by.
    #[inline]
    #[must_use]
    pub const fn len(&self) -> usize {
        self.end - self.start + self.payload
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
            (self.start, self.end, self.pong, self.payload) = (0, 0, None, 0);
            return;
        }
        let before = if self.payload > 0 { self.payload_at } else { self.end - self.start };
        let own = n.min(before);
        self.advance(own);
        if self.payload > 0 && own < n {
            let payload = self.payload.min(n - own);
            self.payload -= payload;
            if self.payload == 0 {
                self.advance((n - own - payload).min(self.end - self.start));
            }
        }
    }

    #[inline]
    fn advance(&mut self, n: usize) {
        self.start += n;
        self.payload_at = self.payload_at.saturating_sub(n);
        // A pong that has begun to leave is not replaced any more.
        self.pong = self.pong.and_then(|at| at.checked_sub(n));
        if self.start == self.end {
            (self.start, self.end, self.pong) = (0, 0, None);
        }
    }

    /// Says that all of [`bytes`](Self::bytes) has been sent.
    #[inline]
    pub fn clear(&mut self) {
        if self.payload == 0 {
            (self.start, self.end, self.pong) = (0, 0, None);
        } else {
            self.consume(self.payload_at);
        }
    }

    /// Gives memory that has grown back to the allocator, if the buffer is empty.
    pub fn release(&mut self) {
        if self.is_empty() {
            self.storage.release();
        }
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
        } else if self.end - self.start + n > PONG_BACKLOG || self.reserve(n, REPLY_ROOM).is_err() {
            self.pong = Some(self.end - self.start);
        }
        if self.pong.is_some() { CLOSE_ROOM } else { REPLY_ROOM }
    }

    /// Room for `n` more bytes with `keep` free behind them: for what is sent last, which a Close with a code alone is and
    /// an answer of HTTP, none has to be.
    #[inline]
    pub(crate) fn room_beside(&mut self, n: usize, keep: usize) -> Result<&mut [u8], Error> {
        self.reserve(n, keep)?;
        if keep == REPLY_ROOM {
            // A pong with something behind it stays where it is.
            self.pong = None;
        }
        self.tail(n)
    }

    /// Sees to it that `n` bytes fit behind what is there, with `keep` more behind them.
    #[inline]
    fn reserve(&mut self, n: usize, keep: usize) -> Result<(), Error> {
        let wanted = n.saturating_add(keep);
        if wanted > self.storage.as_ref().len().saturating_sub(self.end) {
            self.make_room(wanted)?;
        }
        Ok(())
    }

    #[inline]
    fn tail(&mut self, n: usize) -> Result<&mut [u8], Error> {
        let (start, end) = (self.end, self.end.saturating_add(n));
        let room = self.storage.as_mut().get_mut(start..end);
        room.ok_or(Error::BufferTooSmall { needed: n })
    }

    #[inline(never)]
    fn make_room(&mut self, wanted: usize) -> Result<(), Error> {
        let len = self.end - self.start;
        // Moved only where that frees at least as much as it moves, or where growing is no way out:
        // the work of moving stays linear in the bytes sent.
        if self.start >= len || self.end.saturating_add(wanted) > self.storage.limit() {
            move_down(self.storage.as_mut(), self.start..self.end, 0);
            (self.start, self.end) = (0, len);
        }
        let size = self.end.saturating_add(wanted);
        if size > self.storage.limit() {
            return Err(Error::BufferTooSmall { needed: wanted });
        }
        self.storage.grow(size);
        Ok(())
    }

    /// Makes the first `n` bytes of the room just given part of what is to be sent.
    #[inline]
    pub(crate) fn commit(&mut self, n: usize) {
        self.end = self.end.saturating_add(n).min(self.storage.as_ref().len());
    }

    /// Makes a payload of `len` bytes, which stays with the caller, part of what is to be sent.
    pub(crate) fn commit_payload(&mut self, len: usize) {
        self.payload_at = self.end - self.start;
        (self.payload, self.payload_len) = (len, len);
    }

    /// How many bytes [`room`](Self::room) can give at most.
    #[cfg(feature = "deflate")]
    pub(crate) fn available(&self) -> usize {
        self.storage.limit().saturating_sub(self.end - self.start).saturating_sub(REPLY_ROOM)
    }

    pub(crate) const fn has_payload(&self) -> bool {
        self.payload > 0
    }
}

#[cfg(feature = "alloc")]
impl WriteBuffer<Growing> {
    /// A buffer that allocates as bytes are put into it, and never holds more than `limit` bytes.
    #[must_use]
    pub const fn growing(limit: usize) -> WriteBuffer<Growing> {
        WriteBuffer::new(Growing::new(limit))
    }
}

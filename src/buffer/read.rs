//! The buffer for input: received bytes, and the message that is being collected.

use core::fmt;
use core::ops::Range;

#[cfg(feature = "alloc")]
use super::GrowableBuffer;
use super::Storage;
#[cfg(feature = "deflate")]
use super::grow;
use crate::bytes::{copy, move_down};

/// The minimum capacity of a [`ReadBuffer`] in bytes: the largest frame header (14) with the
/// largest control frame payload (125). It is enough for any message that is received in chunks.
pub const READ_BUFFER_MIN: usize = 139;

/// A growable buffer grows up to this size once a read has filled its space.
const READ_SIZE: usize = 64 << 10;

/// Input up to this length moves to the front of the buffer while the buffer has space left: the
/// move costs less than the cache lines that a walk through the buffer would bring in.
const SHORT_MOVE: usize = 4 << 10;

/// The buffer for input. The caller reads into it, and messages are handed out of it in place.
///
/// Between events it holds only unconsumed input, so an [empty](Self::is_empty) buffer can be
/// shared by many connections.
///
/// ```
/// use sockless::ReadBuffer;
///
/// let mut rx = ReadBuffer::new([0; 1024]);
/// let space = rx.space(); // read into the space, ...
/// space[..2].copy_from_slice(&[0x89, 0x00]);
/// rx.filled(2); // ... and report how much was read
/// assert_eq!(rx.unread(), [0x89, 0x00]);
/// ```
#[derive(Clone)]
pub struct ReadBuffer<S> {
    storage: S,
    /// The message that is being collected is `start..start + held`, ...
    start: usize,
    held: usize,
    /// ... and the unread input is `unread..end`.
    unread: usize,
    end: usize,
    /// Number of bytes at the end of the held message that are still masked.
    masked: u32,
    /// `true` if the last read filled the space: more is likely to follow.
    full: bool,
    /// `false` between the end of the stream and its processing.
    open: bool,
    /// Memory for inflated messages, and the number of inflated bytes in it.
    #[cfg(feature = "deflate")]
    inflated: alloc::vec::Vec<u8>,
    #[cfg(feature = "deflate")]
    inflated_len: usize,
}

impl<S> fmt::Debug for ReadBuffer<S> {
    /// Shows lengths only: the bytes are the peer's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadBuffer")
            .field("unread", &self.end.saturating_sub(self.unread))
            .field("held", &self.held)
            .finish_non_exhaustive()
    }
}

impl<S: Storage> ReadBuffer<S> {
    /// Makes an empty buffer in `storage`, which has at least [`READ_BUFFER_MIN`] bytes.
    ///
    /// A message that is received whole must fit, with its header. If it comes in fragments,
    /// [`READ_BUFFER_MIN`] more bytes are needed, for control frames between them.
    #[inline]
    #[must_use]
    pub const fn new(storage: S) -> ReadBuffer<S> {
        ReadBuffer {
            storage,
            start: 0,
            held: 0,
            unread: 0,
            end: 0,
            masked: 0,
            full: false,
            open: true,
            #[cfg(feature = "deflate")]
            inflated: alloc::vec::Vec::new(),
            #[cfg(feature = "deflate")]
            inflated_len: 0,
        }
    }

    /// Returns the space for the next read. It is never empty after
    /// [`WebSocket::receive`](crate::WebSocket::receive) has returned `None`, unless the allocator
    /// has no memory for storage that grows.
    ///
    /// The space borrows the buffer, so bind the length of the read first:
    /// `let n = stream.read(rx.space())?;`, then `rx.filled(n)`.
    #[inline]
    pub fn space(&mut self) -> &mut [u8] {
        if self.held == 0 {
            self.start = self.unread;
            if self.unread == self.end {
                (self.start, self.unread, self.end) = (0, 0, 0);
            }
        } else if self.start + self.held < self.unread {
            // Headers leave a gap between the held message and the unread input, which is shorter
            // than a control frame. If gaps stayed open, many small fragments could leave no space.
            self.pull(self.unread, self.start + self.held);
        }
        self.make_space();
        self.storage.as_mut().get_mut(self.end..).unwrap_or_default()
    }

    /// Appends the first `n` bytes of [`space`](Self::space) to the input, after a read. An `n` of
    /// 0 is always the end of the stream. An `n` above the length of the space counts as all of it.
    #[inline]
    pub fn filled(&mut self, n: usize) {
        let room = self.storage.as_ref().len().saturating_sub(self.end);
        self.end += n.min(room);
        self.open &= n > 0;
        self.full = n >= room;
    }

    /// Reports the end of the stream, for callers who learn of it without a read of 0 bytes.
    #[inline]
    pub fn end_of_stream(&mut self) {
        self.open = false;
    }

    /// Copies bytes that were received elsewhere, such as those that an HTTP server read after an
    /// upgrade request. Returns the number of copied bytes: all of them if there is space.
    #[must_use = "bytes that are not copied are lost"]
    pub fn extend(&mut self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        while let Some(rest) = bytes.get(taken..).filter(|rest| !rest.is_empty()) {
            let space = self.space();
            let len = space.len().min(rest.len());
            if len == 0 {
                break;
            }
            copy(rest, space);
            self.filled(len);
            taken += len;
        }
        taken
    }

    /// Returns memory that has grown to the allocator, if the buffer is empty.
    pub fn release(&mut self) {
        if self.is_empty() {
            #[cfg(feature = "deflate")]
            {
                self.inflated = alloc::vec::Vec::new();
            }
            self.storage.release();
            (self.start, self.unread, self.end, self.full) = (0, 0, 0, false);
        }
    }

    /// Returns the largest number of bytes that the buffer can hold.
    #[inline]
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.storage.limit()
    }

    /// Returns the input that is not consumed. If another library takes over the connection, it
    /// needs these bytes.
    #[must_use]
    pub fn unread(&self) -> &[u8] {
        self.storage.as_ref().get(self.unread..self.end).unwrap_or_default()
    }

    /// Returns `true` if there is no unread input, no unfinished message that is received whole,
    /// and no end of the stream that is not processed. Another connection can use the buffer then.
    #[inline]
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        #[cfg(feature = "deflate")]
        if self.inflated_len > 0 {
            return false;
        }
        self.open && self.held == 0 && self.unread == self.end
    }

    /// Returns the storage. Its bytes in front of and after the unread ones are unspecified.
    #[inline]
    #[must_use]
    pub const fn storage(&self) -> &S {
        &self.storage
    }

    /// Returns the storage, for use in another buffer. Unconsumed input is lost.
    #[inline]
    #[must_use]
    pub fn into_inner(self) -> S {
        self.storage
    }

    /// Returns `true` between the end of the stream and its processing.
    #[inline]
    #[must_use]
    pub const fn at_end(&self) -> bool {
        !self.open
    }

    fn make_space(&mut self) {
        let len = self.storage.as_ref().len();
        let (kept, free) = (self.end - self.start, len.saturating_sub(self.end));
        // Unconsumed input moves to the front if that frees at least as much as it moves, so that
        // the total work stays linear in the bytes received. A long piece of input moves only once
        // half of the buffer is used up, and any length if there is no other way to get space.
        if self.start > 0 && kept <= self.start && (kept <= SHORT_MOVE || free < len / 2) {
            self.pull(self.start, 0);
        }
        // Many small reads cost more than memory does: a buffer that a read has filled grows before
        // a message asks for it. The memory stays within twice what was in the buffer at once.
        if self.end == len || self.full && len < READ_SIZE {
            self.full = false;
            if !self.storage.grow(len.saturating_add(1)) && self.start > 0 {
                self.pull(self.start, 0);
            }
        }
    }

    /// Moves the bytes from `from` on down to `to`, with the unread input among them.
    #[inline(never)]
    fn pull(&mut self, from: usize, to: usize) {
        move_down(self.storage.as_mut(), from..self.end, to);
        self.start = self.start.min(to);
        self.unread -= from - to;
        self.end -= from - to;
    }

    #[inline]
    pub(crate) fn unread_mut(&mut self) -> &mut [u8] {
        match self.input() {
            Some(bytes) => bytes,
            None => &mut [],
        }
    }

    /// Returns the unread bytes, or `None` if the range is invalid.
    #[inline]
    pub(crate) fn input(&mut self) -> Option<&mut [u8]> {
        self.storage.as_mut().get_mut(self.unread..self.end)
    }

    pub(crate) const fn held(&self) -> usize {
        self.held
    }

    /// Drops all input and the end of the stream, after a failure or the end of the connection.
    pub(crate) fn discard(&mut self) {
        self.open = true;
        self.discard_input();
    }

    /// Drops all input.
    pub(crate) fn discard_input(&mut self) {
        (self.start, self.held, self.unread, self.end) = (0, 0, 0, 0);
        (self.masked, self.full) = (0, false);
        #[cfg(feature = "deflate")]
        {
            self.inflated_len = 0;
        }
    }

    /// Consumes `skip + len` unread bytes. Returns the range of the last `len`.
    #[inline]
    pub(crate) fn take(&mut self, skip: usize, len: usize) -> Range<usize> {
        let start = self.unread + skip;
        self.unread = start + len;
        start..self.unread
    }

    /// Consumes `len` unread bytes and appends them to the held message.
    #[inline]
    pub(crate) fn hold(&mut self, len: usize) {
        let piece = self.take(0, len);
        if self.held == 0 {
            self.start = piece.start;
        } else if len > 0 && piece.start > self.start + self.held {
            move_down(self.storage.as_mut(), piece, self.start + self.held);
        }
        self.held += len;
    }

    #[inline]
    pub(crate) const fn unread_len(&self) -> usize {
        self.end - self.unread
    }

    /// Returns the number of bytes at the end of the held message that are still masked.
    #[inline]
    pub(crate) const fn masked(&self) -> usize {
        self.masked as usize
    }

    #[inline]
    pub(crate) const fn set_masked(&mut self, len: usize) {
        self.masked = len as u32;
    }

    /// Returns a part of the held message.
    #[inline]
    pub(crate) fn held_slice(&self, part: Range<usize>) -> &[u8] {
        self.slice(self.start + part.start..self.start + part.end)
    }

    #[inline]
    pub(crate) fn held_mut(&mut self, part: Range<usize>) -> &mut [u8] {
        let part = self.start + part.start..self.start + part.end;
        self.storage.as_mut().get_mut(part).unwrap_or_default()
    }

    /// Releases the held message. Returns its range.
    #[inline]
    pub(crate) fn release_held(&mut self) -> Range<usize> {
        self.start..self.start + core::mem::take(&mut self.held)
    }

    pub(crate) fn slice(&self, place: Range<usize>) -> &[u8] {
        let before = self.storage.as_ref().get(..place.end).unwrap_or_else(nothing);
        before.get(place.start..).unwrap_or_else(nothing)
    }
}

/// Returns no bytes, for a range outside of the storage. Ranges never are: a cold call keeps the
/// check out of the way.
#[cold]
const fn nothing<'a>() -> &'a [u8] {
    &[]
}

#[cfg(feature = "deflate")]
impl<S: Storage> ReadBuffer<S> {
    /// Returns the held bytes, which are to be inflated, and the space for their inflated form. A
    /// message inflates to at most `most` bytes.
    pub(crate) fn inflating(&mut self, most: usize) -> (&[u8], &mut [u8]) {
        if self.inflated.len() <= self.inflated_len {
            // Text often inflates to a few times its size. The last step goes up to the limit, so
            // that at most half of the memory is copied then.
            let guess = self.held.saturating_mul(4).max(1).saturating_add(self.inflated_len);
            let size = guess.max(self.inflated_len.saturating_mul(2));
            let size = if size > most / 2 { most } else { size.max(1024).min(most) };
            grow(&mut self.inflated, size, most);
        }
        let held = self.storage.as_ref().get(self.start..self.start + self.held);
        let room = self.inflated.get_mut(self.inflated_len..);
        let room = room.unwrap_or_default();
        let len = room.len().min(most.saturating_sub(self.inflated_len));
        (held.unwrap_or_default(), room.get_mut(..len).unwrap_or_default())
    }

    /// Removes `consumed` held bytes and appends `produced` inflated ones.
    pub(crate) fn inflated_by(&mut self, consumed: usize, produced: usize) {
        let consumed = consumed.min(self.held);
        self.start += consumed;
        self.held -= consumed;
        self.inflated_len = self.inflated_len.saturating_add(produced);
    }

    pub(crate) const fn inflated_len(&self) -> usize {
        self.inflated_len
    }

    /// Releases the inflated bytes. Returns their range.
    pub(crate) fn release_inflated(&mut self) -> Range<usize> {
        0..core::mem::take(&mut self.inflated_len)
    }

    pub(crate) fn inflated(&self, place: Range<usize>) -> &[u8] {
        self.inflated.get(place).unwrap_or_default()
    }
}

#[cfg(feature = "alloc")]
impl ReadBuffer<GrowableBuffer> {
    /// Makes a buffer that allocates as bytes arrive, and never holds more than `limit` bytes.
    #[must_use]
    pub const fn growing(limit: usize) -> ReadBuffer<GrowableBuffer> {
        ReadBuffer::new(GrowableBuffer::new(limit))
    }
}

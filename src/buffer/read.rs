//! Defines the buffer for input: received bytes, and the message that is being collected.

use core::fmt;
use core::ops::Range;

#[cfg(feature = "alloc")]
use super::GrowableBuffer;
#[cfg(feature = "deflate")]
use super::grow;
use super::{SHORT_MOVE, Storage, pays};
use crate::bytes::{copy, move_down};

/// Specifies the minimum capacity of a [`ReadBuffer`] in bytes: the largest frame header (14) and
/// the largest control frame payload (125). This capacity is enough for any message that is
/// received in chunks.
pub const READ_BUFFER_MIN: usize = 139;

/// Size in bytes up to which a growable buffer grows after a read has filled its space.
const READ_SIZE: usize = 64 << 10;

/// Length in bytes from which on a read ends with the frame. Moving so much costs more than another
/// read.
const LARGE_FRAME: u64 = 16 << 10;

/// Buffers input. The caller reads into the buffer, and messages are returned in place.
///
/// Between events the buffer contains only unconsumed input. Many connections can therefore share
/// an [empty](Self::is_empty) buffer.
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
    /// The message that is being collected is `start..start + held`.
    start: usize,
    held: usize,
    /// The unread input is `unread..end`.
    unread: usize,
    end: usize,
    /// Number of bytes at the end of the held message that are still masked.
    masked: u32,
    /// Number of bytes up to the end of the large frame that is arriving, or 0.
    rest_of_frame: u32,
    /// `true` if `receive` has returned `None` since the last consumed input.
    starved: bool,
    /// `true` if the last read filled the space. More input is then likely.
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
    /// Shows lengths only: the bytes belong to the peer.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadBuffer")
            .field("unread", &self.end.saturating_sub(self.unread))
            .field("held", &self.held)
            .finish_non_exhaustive()
    }
}

impl<S: Storage> ReadBuffer<S> {
    /// Makes an empty buffer in `storage`, which must have at least [`READ_BUFFER_MIN`] bytes.
    ///
    /// A message that is received whole must fit. If the message is fragmented, control frames
    /// between the fragments need [`READ_BUFFER_MIN`] more bytes.
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
            rest_of_frame: 0,
            starved: false,
            full: false,
            open: true,
            #[cfg(feature = "deflate")]
            inflated: alloc::vec::Vec::new(),
            #[cfg(feature = "deflate")]
            inflated_len: 0,
        }
    }

    /// Returns the space for the next read. Call it after
    /// [`WebSocket::receive`](crate::WebSocket::receive) has returned `None`: the space is then not
    /// empty, unless the allocator has no memory for growable storage. Before that, the space can
    /// be empty, and a read into it returns 0 like the end of the stream.
    ///
    /// While a large frame of a whole message arrives, the space ends with the frame. The next
    /// message then starts at the front of the buffer, and need not move there later.
    ///
    /// The space borrows the buffer, so bind the length of the read first: `let n =
    /// stream.read(rx.space())?;`, then `rx.filled(n)`.
    #[inline]
    pub fn space(&mut self) -> &mut [u8] {
        if self.held == 0 {
            self.start = self.unread;
            if self.unread == self.end {
                (self.start, self.unread, self.end) = (0, 0, 0);
            }
        } else if self.start + self.held < self.unread {
            // Headers and control frames leave a gap between the held message and the unread input.
            // Without closing the gaps, many small fragments could use up the space.
            let gap = self.unread - (self.start + self.held);
            if self.may_move(self.unread_len(), gap) {
                self.pull(self.unread, self.start + self.held);
            }
        }
        self.make_space();
        let len = self.space_len();
        self.storage.as_mut().get_mut(self.end..self.end + len).unwrap_or_default()
    }

    /// Returns the length of the space after the input, up to the end of a large frame.
    #[inline]
    fn space_len(&self) -> usize {
        let free = self.storage.as_ref().len().saturating_sub(self.end);
        match self.rest_of_frame {
            0 => free,
            rest => free.min(rest as usize),
        }
    }

    /// Appends the first `n` bytes of [`space`](Self::space) to the input, after a read. An `n` of
    /// 0 always means the end of the stream. An `n` above the length of the space counts as the
    /// complete space.
    #[inline]
    pub fn filled(&mut self, n: usize) {
        self.open &= n > 0;
        let n = n.min(self.space_len());
        self.end += n;
        self.rest_of_frame = self.rest_of_frame.saturating_sub(n as u32);
        self.full = self.end == self.storage.as_ref().len();
    }

    /// Reports the end of the stream, for callers that learn of the end without a read of 0 bytes.
    #[inline]
    pub fn end_of_stream(&mut self) {
        self.open = false;
    }

    /// Copies bytes that were received elsewhere into the input, for example bytes that an HTTP
    /// server read after an upgrade request. Returns the number of copied bytes, which is lower
    /// than the length of `bytes` if there is no [`space`](Self::space).
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

    /// Returns grown memory to the allocator, if the buffer is empty.
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

    /// Returns the largest number of bytes that the buffer can store.
    #[inline]
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.storage.limit()
    }

    /// Returns the unconsumed input. Pass these bytes on if another library takes over the
    /// connection.
    #[must_use]
    pub fn unread(&self) -> &[u8] {
        self.storage.as_ref().get(self.unread..self.end).unwrap_or_default()
    }

    /// Returns `true` if the buffer contains no unread input, no part of a message, and no
    /// unprocessed end of the stream. Another connection can then use the buffer.
    #[inline]
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        #[cfg(feature = "deflate")]
        if self.inflated_len > 0 {
            return false;
        }
        self.open && self.held == 0 && self.unread == self.end
    }

    /// Returns the storage. Its bytes before and after the unread bytes are unspecified.
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
        // Unconsumed input moves to the front only if the move frees at least as many bytes as it
        // moves. Short input moves while the buffer still has space, because that costs less than
        // the cache misses of walking through the buffer. Long input moves only once half of the
        // buffer is used.
        if self.start > 0 && kept <= self.start && (kept <= SHORT_MOVE || free < len / 2) {
            self.pull(self.start, 0);
        }
        // Many small reads cost more than memory. A buffer that a read has filled therefore grows
        // before a message needs more space. The memory stays within four times the largest number
        // of buffered bytes: the buffer doubles only if more than half of it was in use.
        if self.end == len || self.full && len < READ_SIZE {
            self.full = false;
            let grown = self.storage.grow(len.saturating_add(1));
            if !grown && self.start > 0 && self.may_move(kept, self.start) {
                self.pull(self.start, 0);
            }
        }
    }

    /// Returns `true` if `len` bytes may move to free `freed` bytes. The total work stays linear in
    /// the bytes received, because incomplete input moves only once in a buffer.
    fn may_move(&self, len: usize, freed: usize) -> bool {
        self.starved || self.unread_len() <= SHORT_MOVE || pays(len, freed)
    }

    /// Notes that the unread input is incomplete.
    #[inline]
    pub(crate) const fn starve(&mut self) {
        self.starved = true;
    }

    /// Moves the bytes from `from` to the end of the input down to `to`.
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

    /// Discards all input and the end of the stream, after a failure or the end of the connection.
    pub(crate) fn discard(&mut self) {
        (self.start, self.held, self.unread, self.end) = (0, 0, 0, 0);
        (self.masked, self.rest_of_frame) = (0, 0);
        (self.starved, self.full, self.open) = (false, false, true);
        #[cfg(feature = "deflate")]
        {
            self.inflated_len = 0;
        }
    }

    /// Consumes `skip + len` unread bytes. Returns the range of the last `len` bytes.
    #[inline]
    pub(crate) fn take(&mut self, skip: usize, len: usize) -> Range<usize> {
        let start = self.unread + skip;
        self.unread = start + len;
        self.starved = false;
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
    pub(crate) fn masked(&self) -> usize {
        // The caller may have replaced the buffer in a message, which leaves an old number here.
        self.held.min(self.masked as usize)
    }

    #[inline]
    pub(crate) const fn set_masked(&mut self, len: usize) {
        self.masked = len as u32;
    }

    /// Ends the next reads with the frame, if the held message is large. Without this, the start of
    /// the next message would have to move later.
    #[inline]
    pub(crate) fn expect_frame(&mut self, rest: u64) {
        let large = self.held > 0 && (self.held as u64).saturating_add(rest) >= LARGE_FRAME;
        self.rest_of_frame = if large { u32::try_from(rest).unwrap_or(u32::MAX) } else { 0 };
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
        self.rest_of_frame = 0;
        self.start..self.start + core::mem::take(&mut self.held)
    }

    pub(crate) fn slice(&self, place: Range<usize>) -> &[u8] {
        let before = self.storage.as_ref().get(..place.end).unwrap_or_else(nothing);
        before.get(place.start..).unwrap_or_else(nothing)
    }
}

/// Returns an empty slice, for a range outside of the storage. No caller passes such a range. A
/// cold function keeps this case out of the fast path.
#[cold]
const fn nothing<'a>() -> &'a [u8] {
    &[]
}

#[cfg(feature = "deflate")]
impl<S: Storage> ReadBuffer<S> {
    /// Returns the held compressed bytes, and the space for the inflated bytes. A message inflates
    /// to at most `most` bytes.
    pub(crate) fn inflating(&mut self, most: usize) -> (&[u8], &mut [u8]) {
        if self.inflated.len() <= self.inflated_len {
            // Text often inflates to a few times its size. A size above half of the limit is raised
            // to the limit. The last growth therefore copies at most half of the memory.
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

    /// Removes `consumed` held bytes and appends `produced` inflated bytes.
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
    /// Makes a buffer that allocates on demand, and never stores more than `limit` bytes.
    #[must_use]
    pub const fn growing(limit: usize) -> ReadBuffer<GrowableBuffer> {
        ReadBuffer::new(GrowableBuffer::new(limit))
    }
}

//! The caller's memory: where bytes are read into and taken from. Over arrays, slices, or vectors that
//! grow up to a limit.

use core::ops::Range;

use crate::Error;
use crate::config::SMALL;

/// The least capacity of a [`ReadBuffer`] in bytes: the largest frame header (14) with the largest
/// control frame payload (125). It is enough for any message taken in chunks.
pub const READ_BUFFER_MIN: usize = 139;

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

/// Memory for a buffer: an array, a slice, or what the feature `alloc` adds, `Growing`, and boxed slices and vectors,
/// which keep the length that they have.
///
/// An implementation of your own has to keep its length, but for [`grow`](Self::grow) and [`release`](Self::release), and
/// never to be longer than its [`limit`](Self::limit). Where it does not, bytes are lost; nothing panics.
pub trait Storage: AsRef<[u8]> + AsMut<[u8]> {
    /// The size in bytes that the storage can have at most.
    #[inline]
    fn limit(&self) -> usize {
        self.as_ref().len()
    }

    /// Makes the storage at least `size` bytes long, where that is within its limit. The bytes that it
    /// holds stay.
    #[inline]
    fn grow(&mut self, size: usize) {
        let _ = size;
    }

    /// Gives back what memory it can. The bytes that it holds may go.
    #[inline]
    fn release(&mut self) {}
}

impl<const N: usize> Storage for [u8; N] {}
impl<const N: usize> Storage for &mut [u8; N] {}
impl Storage for &mut [u8] {}
#[cfg(feature = "alloc")]
impl Storage for alloc::boxed::Box<[u8]> {}
#[cfg(feature = "alloc")]
impl Storage for alloc::vec::Vec<u8> {}

/// Memory that starts empty and grows to a limit as bytes need it.
#[cfg(feature = "alloc")]
#[derive(Clone, Debug)]
pub struct Growing {
    bytes: alloc::vec::Vec<u8>,
    limit: usize,
}

#[cfg(feature = "alloc")]
impl Growing {
    /// Empty memory that never grows past `limit` bytes.
    #[must_use]
    pub const fn new(limit: usize) -> Growing {
        Growing { bytes: alloc::vec::Vec::new(), limit }
    }
}

#[cfg(feature = "alloc")]
impl AsRef<[u8]> for Growing {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(feature = "alloc")]
impl AsMut<[u8]> for Growing {
    #[inline]
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

#[cfg(feature = "alloc")]
impl Storage for Growing {
    #[inline]
    fn limit(&self) -> usize {
        self.limit
    }

    #[inline]
    fn grow(&mut self, size: usize) {
        if size > self.bytes.len() && size <= self.limit {
            // At least doubled, so that the total work of growing is linear in the bytes stored.
            let size = size.max(self.bytes.len().saturating_mul(2)).max(1024).min(self.limit);
            self.bytes.reserve_exact(size - self.bytes.len());
            self.bytes.resize(size, 0);
        }
    }

    fn release(&mut self) {
        self.bytes = alloc::vec::Vec::new();
    }
}

/// Where received bytes are read into, and where messages are handed out from.
///
/// Between two events it holds what of the input is incomplete, and nothing of the connection but
/// that: while [`is_empty`](Self::is_empty) it may serve another connection.
///
/// ```
/// use sockless::ReadBuffer;
///
/// let mut rx = ReadBuffer::new([0; 1024]);
/// let space = rx.space(); // read into it ...
/// space[..2].copy_from_slice(&[0x89, 0x00]);
/// rx.filled(2); // ... and say how much it was
/// assert_eq!(rx.unread(), [0x89, 0x00]);
/// ```
#[derive(Clone, Debug)]
pub struct ReadBuffer<S> {
    storage: S,
    /// The message that is being put together lies at `start..start + held`, ...
    start: usize,
    held: usize,
    /// ... what was received and not looked at in `unread..end`.
    unread: usize,
    end: usize,
    /// Whether the end of the stream was reached and not yet taken note of.
    eof: bool,
    /// Where compressed messages are inflated to, and how much of one lies there.
    #[cfg(feature = "deflate")]
    inflated: Growing,
    #[cfg(feature = "deflate")]
    inflated_len: usize,
}

impl<S: Storage> ReadBuffer<S> {
    /// A buffer in this memory. It must have [`READ_BUFFER_MIN`] bytes, and as many as the largest
    /// message that is to be received whole; with [`READ_BUFFER_MIN`] more if the message comes in fragments, between
    /// which control frames may stand.
    #[inline]
    #[must_use]
    pub const fn new(storage: S) -> ReadBuffer<S> {
        ReadBuffer {
            storage,
            start: 0,
            held: 0,
            unread: 0,
            end: 0,
            eof: false,
            #[cfg(feature = "deflate")]
            inflated: Growing::new(0),
            #[cfg(feature = "deflate")]
            inflated_len: 0,
        }
    }

    /// How many bytes it can hold, at most.
    #[inline]
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.storage.limit()
    }

    /// Where to read the next bytes to. Never empty when the machine has taken what it can, as it has
    /// after [`WebSocket::receive`](crate::WebSocket::receive) said `None`.
    #[inline]
    pub fn space(&mut self) -> &mut [u8] {
        if self.held == 0 {
            self.start = self.unread;
            if self.unread == self.end {
                (self.start, self.unread, self.end) = (0, 0, 0);
            }
        } else if self.start + self.held < self.unread {
            // Headers left a gap between the message and what is unread, of which there is less than a control
            // frame. Closed, or many small fragments could leave no space at all.
            let message_end = self.start + self.held;
            move_down(self.storage.as_mut(), self.unread..self.end, message_end);
            self.end -= self.unread - message_end;
            self.unread = message_end;
        }
        self.make_space();
        self.storage.as_mut().get_mut(self.end..).unwrap_or_default()
    }

    fn make_space(&mut self) {
        let len = self.storage.as_ref().len();
        // What is kept is moved to the front where that frees as much as it moves, so that the work stays linear in
        // the bytes received, or where there is no other space.
        if self.start > 0 && (self.end - self.start <= self.start || self.end == len) {
            move_down(self.storage.as_mut(), self.start..self.end, 0);
            self.unread -= self.start;
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == len {
            self.storage.grow(self.end.saturating_add(1));
        }
    }

    /// Says that the first `n` bytes of [`space`](Self::space) were read into. 0 is the end of the
    /// stream. More than the space had counts as all of it; where it had nothing, nothing happens.
    #[inline]
    pub fn filled(&mut self, n: usize) {
        let room = self.storage.as_ref().len().saturating_sub(self.end);
        if room > 0 {
            self.end += n.min(room);
            self.eof |= n == 0;
        }
    }

    /// Says that the stream has ended, where the caller learns it otherwise than by a read of 0 bytes.
    #[inline]
    pub fn end_of_stream(&mut self) {
        self.eof = true;
    }

    /// Copies bytes that were received elsewhere, such as those read behind an upgrade request by the
    /// HTTP server that answered it. Returns how many were taken, all of them if there is space.
    pub fn extend(&mut self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        while let Some(rest) = bytes.get(taken..).filter(|rest| !rest.is_empty()) {
            let space = self.space();
            let len = space.len().min(rest.len());
            if len == 0 {
                break;
            }
            for (to, from) in space.iter_mut().zip(rest) {
                *to = *from;
            }
            self.filled(len);
            taken += len;
        }
        taken
    }

    /// What was received and not consumed. After an upgrade away from this crate, or a request that
    /// was left to another server, these bytes are for whoever goes on.
    #[must_use]
    pub fn unread(&self) -> &[u8] {
        self.storage.as_ref().get(self.unread..self.end).unwrap_or_default()
    }

    /// Whether it holds nothing: no unread input and no unfinished message.
    #[inline]
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        #[cfg(feature = "deflate")]
        if self.inflated_len > 0 {
            return false;
        }
        self.held == 0 && self.unread == self.end && !self.eof
    }

    /// Gives memory that has grown back to the allocator, if the buffer is empty.
    pub fn release(&mut self) {
        if self.is_empty() {
            #[cfg(feature = "deflate")]
            self.inflated.release();
            self.storage.release();
            (self.start, self.unread, self.end) = (0, 0, 0);
        }
    }

    #[inline]
    pub(crate) fn unread_mut(&mut self) -> &mut [u8] {
        match self.input() {
            Some(bytes) => bytes,
            None => &mut [],
        }
    }

    /// What is unread, for those who do not mind that there may be nothing.
    #[inline]
    pub(crate) fn input(&mut self) -> Option<&mut [u8]> {
        self.storage.as_mut().get_mut(self.unread..self.end)
    }

    /// Whether the end of the stream was reached, and not yet taken note of.
    #[inline]
    #[must_use]
    pub const fn at_end(&self) -> bool {
        self.eof
    }

    pub(crate) const fn held(&self) -> usize {
        self.held
    }

    /// Forgets all input, as a failed or finished connection does.
    pub(crate) fn discard(&mut self) {
        (self.start, self.held, self.unread, self.end, self.eof) = (0, 0, 0, 0, false);
        #[cfg(feature = "deflate")]
        {
            self.inflated_len = 0;
        }
    }

    /// Takes the next `skip + len` bytes off the unread ones: the place of the last `len`.
    #[inline]
    pub(crate) fn take(&mut self, skip: usize, len: usize) -> Range<usize> {
        let start = self.unread + skip;
        self.unread = start + len;
        start..self.unread
    }

    /// Takes bytes likewise and puts them behind the message that is being held.
    #[inline]
    pub(crate) fn hold(&mut self, skip: usize, len: usize) {
        let piece = self.take(skip, len);
        if self.held == 0 {
            self.start = piece.start;
        } else if len > 0 {
            move_down(self.storage.as_mut(), piece, self.start + self.held);
        }
        self.held += len;
    }

    /// The place of the message held, which is held no longer.
    #[inline]
    pub(crate) fn release_held(&mut self) -> Range<usize> {
        self.start..self.start + core::mem::take(&mut self.held)
    }

    #[inline]
    pub(crate) fn slice(&self, place: Range<usize>) -> &[u8] {
        self.storage.as_ref().get(place).unwrap_or_else(nothing)
    }
}

/// What a place outside of the memory holds. Places never are; kept apart, it costs a message no time.
#[cold]
const fn nothing<'a>() -> &'a [u8] {
    &[]
}

#[cfg(feature = "deflate")]
impl<S: Storage> ReadBuffer<S> {
    /// What is held, to be inflated, and where to: behind what was inflated of the message, which is to have `most`
    /// bytes at most.
    pub(crate) fn inflating(&mut self, most: usize) -> (&[u8], &mut [u8]) {
        self.inflated.limit = most;
        if self.inflated.bytes.len() <= self.inflated_len {
            // Text often inflates to a few times its size. The last step goes up to the limit, so that what is moved
            // to new memory then is at most half of it.
            let guess = self.held.saturating_mul(4).max(1).saturating_add(self.inflated_len);
            let size = guess.max(self.inflated_len.saturating_mul(2));
            self.inflated.grow(if size > most / 2 { most } else { size });
        }
        let held = self.storage.as_ref().get(self.start..self.start + self.held);
        let room = self.inflated.bytes.get_mut(self.inflated_len..);
        let room = room.unwrap_or_default();
        let len = room.len().min(most.saturating_sub(self.inflated_len));
        (held.unwrap_or_default(), room.get_mut(..len).unwrap_or_default())
    }

    /// Says what became of the two.
    pub(crate) fn inflated_by(&mut self, consumed: usize, produced: usize) {
        let consumed = consumed.min(self.held);
        self.start += consumed;
        self.held -= consumed;
        self.inflated_len = self.inflated_len.saturating_add(produced);
    }

    pub(crate) const fn inflated_len(&self) -> usize {
        self.inflated_len
    }

    /// The place of what was inflated, which is held no longer.
    pub(crate) fn release_inflated(&mut self) -> Range<usize> {
        0..core::mem::take(&mut self.inflated_len)
    }

    pub(crate) fn inflated(&self, place: Range<usize>) -> &[u8] {
        self.inflated.bytes.get(place).unwrap_or_default()
    }
}

#[cfg(feature = "alloc")]
impl ReadBuffer<Growing> {
    /// A buffer that allocates as bytes arrive, and never holds more than `limit` bytes.
    #[must_use]
    pub const fn growing(limit: usize) -> ReadBuffer<Growing> {
        ReadBuffer::new(Growing::new(limit))
    }
}

/// Moves `from` down to where `to` is, in the same bytes.
#[inline]
fn move_down(bytes: &mut [u8], from: Range<usize>, to: usize) {
    // The condition always holds; saying so leaves no panic behind.
    if to < from.start && from.start <= from.end && from.end <= bytes.len() {
        if SMALL {
            // Byte by byte, in cells because the places overlap; `memmove` takes 700 bytes of flash.
            let cells = core::cell::Cell::from_mut(bytes).as_slice_of_cells();
            let (to, from) =
                (cells.get(to..).unwrap_or_default(), cells.get(from).unwrap_or_default());
            for (to, from) in to.iter().zip(from) {
                to.set(from.get());
            }
        } else {
            bytes.copy_within(from, to);
        }
    }
}

/// Where bytes to be sent are put, and taken from by the caller's writes.
///
/// The last 139 bytes of its capacity are kept for replies, so that a pong and a Close always find
/// room; see [`WRITE_BUFFER_MIN`]. With 149 bytes more than the [`ReadBuffer`] has, a server can answer each message
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
    /// [`send_vectored`](crate::WebSocket::send_vectored) in its place: for a vectored write.
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
    pub fn consume(&mut self, n: usize) {
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

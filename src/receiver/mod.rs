//! Receives frames: parses, unmasks and checks them in place. Returns messages or validated chunks,
//! and complete control frames.

mod collect;
mod frames;
mod incoming;
#[cfg(feature = "deflate")]
mod inflate;
mod item;
mod ready;
mod small;

use core::fmt;
pub use incoming::{Chunk, Incoming};

use item::FrameItem;

use crate::buffer::{ReadBuffer, Storage};
use crate::close::Close;
#[cfg(feature = "deflate")]
use crate::deflate::Inflation;
use crate::frame::MessageKind;
use crate::utf8::{Utf8Validator, early_text};
use crate::{Config, Violation};

/// Receives frames: the receiving half of an open connection.
///
/// A receiver works in place on the caller's bytes, and stores none of them. [`WebSocket`] contains
/// a receiver. Use a receiver alone if one task reads and another task writes. Pass
/// [`Incoming::reply`], and the [`Reply`](crate::Reply) to a violation, to [`Sender::reply`]. After
/// a handshake, [`WebSocket::split`](crate::WebSocket::split) returns both halves.
///
/// ```
/// use sockless::{Config, Incoming, Receiver};
///
/// let mut receiver = Receiver::server(Config::default());
/// // "Hello" as in RFC 6455 section 5.7, and the first byte of another frame.
/// let mut bytes = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58, 0x81];
/// let mut input = &mut bytes[..];
/// let item = receiver.receive_chunk_in_place(&mut input)?;
/// let Some(Incoming::Data(chunk)) = item else { panic!() };
/// assert_eq!(chunk.text(), Some("Hello"));
/// assert!(receiver.receive_chunk_in_place(&mut input)?.is_none());
/// assert_eq!(input, [0x81]); // pass it again, with more bytes after it
/// # Ok::<(), sockless::Violation>(())
/// ```
///
/// [`WebSocket`]: crate::WebSocket
/// [`Sender::reply`]: crate::Sender::reply
pub struct Receiver {
    /// Payload bytes of the current data frame that are not consumed yet.
    remaining: u64,
    /// Payload bytes of the current message, summed over the headers so far.
    message_len: u64,
    max_frame: u64,
    max_message: u64,
    /// Number of further frames that the current message may have.
    fragments: u32,
    max_fragments: u32,
    /// The masking key, rotated for the next payload byte.
    key: [u8; 4],
    utf8: Utf8Validator,
    state: State,
    kind: MessageKind,
    /// `true` if the peer is a client, which must mask its frames.
    masked: bool,
    /// `true` if RSV1 may mark a compressed message.
    rsv1: bool,
    /// `true` if the current frame is the last one of its message.
    fin: bool,
    /// `true` until the first chunk of the current message is returned.
    fresh: bool,
    /// `true` if the current message is collected, to be returned whole.
    collected: bool,
    /// `true` if the current message is compressed.
    compressed: bool,
    /// The decompressor, if compression was negotiated.
    #[cfg(feature = "deflate")]
    pub(crate) inflation: Option<alloc::boxed::Box<Inflation>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Between messages.
    Idle,
    /// Inside a message, within a frame or between two frames.
    Message,
    /// After the last frame of a compressed message, until the message is inflated.
    #[cfg(feature = "deflate")]
    Inflating,
    /// The peer's Close was received.
    Closed,
    /// The stream has ended. `closed` is `true` if a Close was received before the end.
    Ended {
        closed: bool,
    },
    Failed(Violation),
}

/// Selects the delivery of messages: whole, or in chunks as they arrive.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    Messages,
    Chunks,
}

/// Largest payload length that a frame header can have, in bytes (RFC 6455 section 5.2).
const MAX_PAYLOAD_LEN: u64 = u64::MAX >> 1;

impl fmt::Debug for Receiver {
    /// Omits the masking key of the current frame.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("state", &self.state)
            .field("frame_remaining", &self.remaining)
            .finish_non_exhaustive()
    }
}

impl Receiver {
    /// Makes a receiver for a server: the peer's frames must be masked.
    #[must_use]
    pub const fn server(config: Config) -> Receiver {
        Receiver::new(config, true)
    }

    /// Makes a receiver for a client: the peer's frames must not be masked.
    #[must_use]
    pub const fn client(config: Config) -> Receiver {
        Receiver::new(config, false)
    }

    /// Accepts RSV1 on compressed messages, after permessage-deflate was negotiated (RFC 7692
    /// section 6). Chunks of compressed messages are returned compressed. Of the size limits, only
    /// the frame limit applies to them.
    pub const fn allow_rsv1(&mut self) {
        self.rsv1 = true;
    }

    /// Consumes the next item at the start of `input`, and advances `input`. Returns `None` if more
    /// bytes are needed after the remaining bytes. A control frame is consumed only when complete,
    /// so a buffer of 139 bytes is enough for any input.
    ///
    /// After a Close, returns `None`. The rest of the input is then left, and can be ignored.
    ///
    /// Change between this method and [`receive`](Self::receive) or
    /// [`receive_chunks`](Self::receive_chunks) only between two messages, after a call that
    /// returned `None`. A change inside a message can lose its bytes, or mix them with those of
    /// another message. With context takeover, do not return to these methods after a compressed
    /// message was received here: the decompressor has not seen it.
    ///
    /// # Errors
    /// Returns a [`Violation`] if the peer broke the protocol. Send a Close with
    /// [`Violation::close_code`]. Every later call returns an equal violation.
    pub fn receive_chunk_in_place<'b>(
        &mut self,
        input: &mut &'b mut [u8],
    ) -> Result<Option<Incoming<'b>>, Violation> {
        if let Some((skip, len, kind)) = self.small_message(input) {
            self.start_message(kind);
            return self.chunk(take_front(input, skip, len), 0, false).map(Some);
        }
        if let State::Failed(violation) = self.state {
            return Err(violation);
        }
        while !matches!(self.state, State::Closed | State::Ended { .. }) {
            if self.remaining == 0 {
                let found = self.next_header(input)?;
                match found.item {
                    FrameItem::Incomplete => break,
                    FrameItem::Data => {
                        take_front(input, found.skip, 0);
                    }
                    item => {
                        let payload = take_front(input, found.skip, found.len);
                        return self.control(item, payload).map(Some);
                    }
                }
            }
            if let Some(len) = self.take_piece(input) {
                return self.chunk(take_front(input, 0, len), 0, self.compressed).map(Some);
            }
            if self.remaining > 0 {
                break;
            }
        }
        Ok(None)
    }

    /// Consumes the next item of `rx`. Messages are whole: each chunk is the first and the last
    /// chunk of its message, except in a message that has started in chunks. Returns `None` if more
    /// bytes are needed.
    ///
    /// # Errors
    /// - Returns a [`Violation`] if the peer broke the protocol; see
    ///   [`receive_chunk_in_place`](Self::receive_chunk_in_place).
    /// - Returns [`Violation::MessageTooBig`] if the buffer cannot hold the message.
    pub fn receive<'b, S: Storage>(
        &mut self,
        rx: &'b mut ReadBuffer<S>,
    ) -> Result<Option<Incoming<'b>>, Violation> {
        if let Some((place, kind)) = self.take_small_message(rx) {
            self.start_message(kind);
            return self.whole_message(rx.slice(place), 0, false).map(Some);
        }
        self.read(rx, Delivery::Messages)
    }

    /// Consumes the next item of `rx`. Messages are returned in chunks as they arrive.
    ///
    /// # Errors
    /// Returns a [`Violation`] if the peer broke the protocol; see
    /// [`receive_chunk_in_place`](Self::receive_chunk_in_place).
    pub fn receive_chunks<'b, S: Storage>(
        &mut self,
        rx: &'b mut ReadBuffer<S>,
    ) -> Result<Option<Incoming<'b>>, Violation> {
        if let Some((place, kind)) = self.take_small_message(rx) {
            self.start_message(kind);
            return self.chunk(rx.slice(place), 0, false).map(Some);
        }
        self.read(rx, Delivery::Chunks)
    }

    /// Returns the kind of the message that is being received, or `None` between messages. The kind
    /// is known from the header of the first frame on.
    #[must_use]
    pub fn message_kind(&self) -> Option<MessageKind> {
        self.in_message().then_some(self.kind)
    }

    /// Returns `true` if a Close was received. Input after the Close is ignored.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed | State::Ended { closed: true })
    }

    /// Returns `true` for a client. After both Closes, a client waits for [`Incoming::End`],
    /// because the server closes the transport first (RFC 6455 section 7.1.1).
    #[must_use]
    pub const fn awaits_end(&self) -> bool {
        !self.masked
    }

    /// Returns the number of missing payload bytes of the current frame, as a hint for the size of
    /// reads. The number is within the limits, but the peer may never send so many bytes.
    #[must_use]
    pub const fn frame_remaining(&self) -> u64 {
        self.remaining
    }

    pub(crate) const fn new(config: Config, masked: bool) -> Receiver {
        let (max_frame, max_message) = (config.max_frame_size, config.max_message_size);
        // A frame cannot be longer than this limit, and adding an eighth does not overflow.
        let max_frame = if max_frame > MAX_PAYLOAD_LEN { MAX_PAYLOAD_LEN } else { max_frame };
        Receiver {
            remaining: 0,
            message_len: 0,
            max_frame: if max_frame < max_message { max_frame } else { max_message },
            max_message,
            fragments: 0,
            // A message has at least one frame.
            max_fragments: if config.max_fragments == 0 { 1 } else { config.max_fragments },
            key: [0; 4],
            utf8: Utf8Validator::new(),
            state: State::Idle,
            kind: MessageKind::Binary,
            masked,
            rsv1: false,
            fin: false,
            fresh: true,
            collected: false,
            compressed: false,
            #[cfg(feature = "deflate")]
            inflation: None,
        }
    }

    #[inline]
    fn in_message(&self) -> bool {
        #[cfg(feature = "deflate")]
        if self.state == State::Inflating {
            return true;
        }
        self.state == State::Message
    }

    /// Returns the next item. Tests for an empty buffer first, because most calls without an item
    /// have one.
    ///
    /// # Errors
    /// Returns a [`Violation`] if the peer broke the protocol.
    pub(crate) fn read<'b, S: Storage>(
        &mut self,
        rx: &'b mut ReadBuffer<S>,
        delivery: Delivery,
    ) -> Result<Option<Incoming<'b>>, Violation> {
        if !crate::config::OPTIMIZE_FOR_SIZE && rx.is_empty() && self.is_waiting() {
            return Ok(None);
        }
        self.read_any(rx, delivery)
    }

    /// Returns `true` if an item is impossible without further input.
    #[inline]
    fn is_waiting(&self) -> bool {
        #[cfg(feature = "deflate")]
        if self.is_inflating() {
            return false;
        }
        matches!(self.state, State::Idle | State::Message)
    }

    /// Drops what the buffer and the inflater still have of a message that
    /// [`receive_chunk_in_place`](Self::receive_chunk_in_place) has ended.
    #[inline]
    fn drop_remainder<S: Storage>(&mut self, rx: &mut ReadBuffer<S>) {
        if rx.held() > 0 {
            self.stop_collecting(rx);
        }
        #[cfg(feature = "deflate")]
        if let Some(inflation) = &mut self.inflation {
            inflation.abandon(rx);
        }
    }

    /// Returns the next item. Computes the range of the item first, and borrows the buffer only
    /// once, at the end.
    #[inline(never)]
    fn read_any<'b, S: Storage>(
        &mut self,
        rx: &'b mut ReadBuffer<S>,
        delivery: Delivery,
    ) -> Result<Option<Incoming<'b>>, Violation> {
        match self.state {
            State::Failed(violation) => {
                rx.discard();
                return Err(violation);
            }
            // Input is discarded, so that there is space for more until the end of the stream.
            State::Closed | State::Ended { .. } => return Ok(self.end_of_input(rx)),
            State::Idle => self.drop_remainder(rx),
            _ => {}
        }
        // A message that started in chunks continues in chunks, even if only its header has
        // arrived.
        let whole = delivery == Delivery::Messages && (self.collected || !self.in_message());
        loop {
            #[cfg(feature = "deflate")]
            if self.is_inflating() || (!whole && rx.inflated_len() > 0) {
                if let Some((place, validated)) = self.inflate(rx, whole)? {
                    let bytes = rx.inflated(place);
                    return if whole {
                        self.whole_message(bytes, validated, false).map(Some)
                    } else {
                        self.chunk(bytes, validated, false).map(Some)
                    };
                }
            }
            if !whole && rx.held() > 0 {
                let (place, validated) = self.stop_collecting(rx);
                return self.chunk(rx.slice(place), validated, self.compressed).map(Some);
            }
            if self.remaining == 0 {
                let found = self.next_header(rx.unread_mut())?;
                let place = rx.take(found.skip, found.len);
                match found.item {
                    FrameItem::Incomplete => break,
                    FrameItem::Data => self.collected = whole,
                    item => return self.control(item, rx.slice(place)).map(Some),
                }
            }
            #[cfg(feature = "deflate")]
            if self.inflates() {
                if !self.feed_inflation(rx) && self.remaining > 0 {
                    break;
                }
                continue;
            }
            if whole {
                if let Some((place, validated)) = self.collect(rx)? {
                    return self
                        .whole_message(rx.slice(place), validated, self.compressed)
                        .map(Some);
                }
            } else if let Some(len) = self.take_piece(rx.unread_mut()) {
                let place = rx.take(0, len);
                return self.chunk(rx.slice(place), 0, self.compressed).map(Some);
            }
            if self.remaining > 0 {
                break;
            }
        }
        if rx.at_end() {
            return Ok(self.end_of_input(rx));
        }
        rx.starve();
        Ok(None)
    }

    /// Discards all input of a closed connection. Returns the end of the stream, once.
    #[cold]
    fn end_of_input<'b, S: Storage>(&mut self, rx: &mut ReadBuffer<S>) -> Option<Incoming<'b>> {
        let at_end = rx.at_end();
        // The buffer is ready for another connection.
        rx.discard();
        if !at_end || matches!(self.state, State::Ended { .. }) {
            return None;
        }
        self.state = State::Ended { closed: self.state == State::Closed };
        Some(Incoming::End)
    }

    /// Returns a chunk. The first `validated` bytes of its text are already validated. If invalid
    /// text follows valid text, returns the valid text first. The next call then fails, as it would
    /// after a smaller chunk.
    fn chunk<'b>(
        &mut self,
        bytes: &'b [u8],
        validated: usize,
        compressed: bool,
    ) -> Result<Incoming<'b>, Violation> {
        let first = core::mem::replace(&mut self.fresh, false);
        self.collected = false;
        let last = !self.in_message();
        let kind = self.kind;
        let mut chunk = Chunk { bytes, text: None, kind, first, last, compressed };
        if kind == MessageKind::Text && !compressed {
            if first && last {
                if let Some(text) = early_text(bytes) {
                    chunk.text = Some(text);
                    return Ok(Incoming::Data(chunk));
                }
            }
            let good = match self.utf8.check(bytes.get(validated..).unwrap_or_default()) {
                // RFC 6455 section 8.1: a message that ends inside a character is not valid UTF-8.
                Ok(()) if last && !self.utf8.is_complete() => bytes.len(),
                Ok(()) => return Ok(Incoming::Data(chunk)),
                Err(good) => validated + good,
            };
            if good == 0 {
                return self.fail(Violation::InvalidUtf8);
            }
            self.state = State::Failed(Violation::InvalidUtf8);
            (chunk.bytes, chunk.last) = (bytes.get(..good).unwrap_or_default(), false);
        }
        Ok(Incoming::Data(chunk))
    }

    #[inline]
    fn control<'b>(
        &mut self,
        item: FrameItem,
        payload: &'b [u8],
    ) -> Result<Incoming<'b>, Violation> {
        match item {
            FrameItem::Ping => Ok(Incoming::Ping(payload)),
            FrameItem::Pong => Ok(Incoming::Pong(payload)),
            _ => self.close(payload),
        }
    }

    fn close<'b>(&mut self, payload: &'b [u8]) -> Result<Incoming<'b>, Violation> {
        match Close::parse(payload) {
            Ok(close) => {
                self.state = State::Closed;
                Ok(Incoming::Close(close))
            }
            Err(violation) => self.fail(violation),
        }
    }

    fn fail<T>(&mut self, violation: Violation) -> Result<T, Violation> {
        self.state = State::Failed(violation);
        Err(violation)
    }
}

/// Removes `skip + len` bytes from the start of `input`. Returns the last `len` of the removed
/// bytes.
#[inline]
fn take_front<'b>(input: &mut &'b mut [u8], skip: usize, len: usize) -> &'b [u8] {
    let Some((front, rest)) = core::mem::take(input).split_at_mut_checked(skip + len) else {
        return &[];
    };
    *input = rest;
    front.get(skip..).unwrap_or_default()
}

//! Bytes in: frames are parsed, unmasked and checked where they lie, and handed out as validated chunks
//! and whole control frames.

use core::ops::Range;

use crate::buffer::{READ_BUFFER_MIN, ReadBuffer, Storage};
use crate::close::Close;
use crate::config::SMALL;
#[cfg(feature = "deflate")]
use crate::deflate::Inflation;
use crate::frame::{FrameHeader, MessageKind, OpCode};
use crate::mask::mask;
use crate::utf8::{Utf8, from_utf8};
use crate::{Config, Violation};

/// The receiving half of an open connection.
///
/// It takes bytes where the caller has them and needs no memory for any of them. [`WebSocket`] is built
/// on it; use it alone when one task reads and another writes, and answer what [`Incoming`] says: a ping
/// with [`Sender::pong`], a Close with [`Sender::close`], an error with its
/// [`close_code`](Violation::close_code).
///
/// ```
/// use sockless::{Config, Incoming, Receiver};
///
/// let mut receiver = Receiver::server(Config::default());
/// // "Hello" as in RFC 6455 section 5.7, and the first byte of another frame.
/// let mut bytes = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58, 0x81];
/// let mut input = &mut bytes[..];
/// let Some(Incoming::Data(chunk)) = receiver.receive(&mut input)? else { panic!() };
/// assert_eq!(chunk.text(), Some("Hello"));
/// assert!(receiver.receive(&mut input)?.is_none());
/// assert_eq!(input, [0x81]); // to be given again, with more behind it
/// # Ok::<(), sockless::Violation>(())
/// ```
///
/// [`WebSocket`]: crate::WebSocket
/// [`Sender::pong`]: crate::Sender::pong
/// [`Sender::close`]: crate::Sender::close
#[derive(Debug)]
pub struct Receiver {
    /// Payload bytes of the current data frame that have not been consumed.
    remaining: u64,
    /// Payload bytes of the current message, by the headers so far.
    message_len: u64,
    max_frame: u64,
    max_message: u64,
    fragments: u32,
    max_fragments: u32,
    /// The key for the next payload byte.
    key: [u8; 4],
    utf8: Utf8,
    state: State,
    kind: MessageKind,
    /// Whether the peer must mask: it is a client.
    masked: bool,
    /// Whether RSV1 may mark a compressed message.
    rsv1: bool,
    /// Whether the current frame ends its message.
    fin: bool,
    /// Whether no byte of the current message was handed out.
    fresh: bool,
    /// Whether the current message is collected, to be handed out whole.
    whole: bool,
    /// Whether the current message is compressed.
    compressed: bool,
    /// What inflates such messages, if that was agreed.
    #[cfg(feature = "deflate")]
    pub(crate) inflation: Option<alloc::boxed::Box<Inflation>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Between messages.
    Idle,
    /// Inside a message, in a frame or between two.
    Message,
    /// Behind the last frame of a compressed message, of which there is more to be had.
    #[cfg(feature = "deflate")]
    Inflating,
    /// The peer's Close was received.
    Closed,
    Failed(Violation),
}

/// What a [`Receiver`] found in its input. Borrows the input, never the receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
}

/// A piece of a message, as large as what had arrived of it, checked as far as it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk<'b> {
    bytes: &'b [u8],
    /// The same bytes, where they are all of a text message.
    text: Option<&'b str>,
    kind: MessageKind,
    first: bool,
    last: bool,
    compressed: bool,
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
        self.text
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
    /// [`Receiver::receive`] where compression was agreed, and where [`Receiver::allow_rsv1`] was called.
    #[must_use]
    pub const fn is_compressed(&self) -> bool {
        self.compressed
    }
}

/// Whether messages are collected or handed out as they come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    Messages,
    Chunks,
}

/// Positions of what [`Receiver::step`] found. The bytes before `skip + len` are consumed, those of
/// `skip..skip + len` are the payload, unmasked.
#[derive(Clone, Copy)]
pub(crate) struct Found {
    pub(crate) skip: usize,
    pub(crate) len: usize,
    pub(crate) what: What,
}

#[derive(Clone, Copy)]
pub(crate) enum What {
    /// Nothing, until more bytes arrive.
    More,
    /// A message in one piece. Text is not validated: whoever makes the `&str` does it.
    Whole(MessageKind),
    /// A piece of a message, validated.
    Chunk {
        last: bool,
    },
    Ping,
    Pong,
    Close,
}

/// Room for one message where messages are handed out in chunks.
const NO_LIMIT: u64 = u64::MAX;

impl Receiver {
    /// Receives as a server: the peer's frames must be masked.
    #[must_use]
    pub const fn server(config: Config) -> Receiver {
        Receiver::new(config, true)
    }

    /// Receives as a client: the peer's frames must not be masked.
    #[must_use]
    pub const fn client(config: Config) -> Receiver {
        Receiver::new(config, false)
    }

    pub(crate) const fn new(config: Config, masked: bool) -> Receiver {
        let (max_frame, max_message) = (config.max_frame_size, config.max_message_size);
        Receiver {
            remaining: 0,
            message_len: 0,
            max_frame: if max_frame < max_message { max_frame } else { max_message },
            max_message,
            fragments: 0,
            // A message has at least one frame.
            max_fragments: if config.max_fragments == 0 { 1 } else { config.max_fragments },
            key: [0; 4],
            utf8: Utf8::new(),
            state: State::Idle,
            kind: MessageKind::Binary,
            masked,
            rsv1: false,
            fin: false,
            fresh: true,
            whole: false,
            compressed: false,
            #[cfg(feature = "deflate")]
            inflation: None,
        }
    }

    /// Lets RSV1 mark compressed messages, as permessage-deflate was agreed (RFC 7692 section 6).
    /// Their chunks come as they are on the wire, limited by the frame size alone.
    pub const fn allow_rsv1(&mut self) {
        self.rsv1 = true;
    }

    /// The kind of the message that is being received, from its first frame's header on.
    #[must_use]
    pub fn message(&self) -> Option<MessageKind> {
        self.in_message().then_some(self.kind)
    }

    #[inline]
    fn in_message(&self) -> bool {
        #[cfg(feature = "deflate")]
        if self.state == State::Inflating {
            return true;
        }
        self.state == State::Message
    }

    /// Whether a Close was received: what follows it is ignored, and the input stays as it is.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// How many payload bytes of the current frame are still to come: a hint how much to read. A claim
    /// of the peer within the limits, not a fact.
    #[must_use]
    pub const fn remaining(&self) -> u64 {
        self.remaining
    }

    /// Takes the next item off the front of `input`, which is moved on past it. `None` asks for more
    /// bytes behind those that are left. A control frame is taken only when it is whole, so 139 bytes
    /// of buffer are enough for any input.
    ///
    /// # Errors
    /// The peer broke the protocol; send a Close with [`Violation::close_code`]. Final: from then on
    /// every call says the same.
    pub fn receive<'b>(
        &mut self,
        input: &mut &'b mut [u8],
    ) -> Result<Option<Incoming<'b>>, Violation> {
        let found = self.step(input, NO_LIMIT)?;
        let bytes = core::mem::take(input);
        let Some((item, rest)) = bytes.split_at_mut_checked(found.skip + found.len) else {
            return Ok(None);
        };
        *input = rest;
        self.item(item.get(found.skip..).unwrap_or_default(), found.what)
    }

    /// Takes the next item out of `rx`, messages whole, as [`WebSocket::receive`](crate::WebSocket::receive) does
    /// it: a chunk is the first and the last of its message. `None` asks for more bytes, unless the stream
    /// [has ended](ReadBuffer::at_end).
    ///
    /// # Errors
    /// As for [`receive`](Self::receive); [`Violation::MessageTooBig`] also for a message that the buffer cannot
    /// hold.
    pub fn receive_from<'b, S: Storage>(
        &mut self,
        rx: &'b mut ReadBuffer<S>,
    ) -> Result<Option<Incoming<'b>>, Violation> {
        self.read(rx, Delivery::Messages)
    }

    /// Takes the next item out of `rx`, messages in chunks as they arrive.
    ///
    /// # Errors
    /// As for [`receive`](Self::receive).
    pub fn receive_chunks_from<'b, S: Storage>(
        &mut self,
        rx: &'b mut ReadBuffer<S>,
    ) -> Result<Option<Incoming<'b>>, Violation> {
        self.read(rx, Delivery::Chunks)
    }

    /// The next item, if there is anything to look at. Most calls that find nothing find an empty buffer.
    #[inline]
    pub(crate) fn read<'b, S: Storage>(
        &mut self,
        rx: &'b mut ReadBuffer<S>,
        delivery: Delivery,
    ) -> Result<Option<Incoming<'b>>, Violation> {
        if rx.is_empty() && self.is_waiting() {
            return Ok(None);
        }
        self.read_any(rx, delivery)
    }

    /// Whether nothing can come of no input.
    #[inline]
    fn is_waiting(&self) -> bool {
        #[cfg(feature = "deflate")]
        if self.is_inflating() {
            return false;
        }
        matches!(self.state, State::Idle | State::Message)
    }

    /// Whole messages are chunks held back until the last one is there. Positions are found first, and the
    /// buffer is borrowed for the event once, at the end.
    #[inline(never)]
    fn read_any<'b, S: Storage>(
        &mut self,
        rx: &'b mut ReadBuffer<S>,
        delivery: Delivery,
    ) -> Result<Option<Incoming<'b>>, Violation> {
        // A message that was begun as chunks ends as chunks.
        let whole = delivery == Delivery::Messages && (self.whole || !self.in_message());
        self.whole &= whole;
        let room = if whole { (rx.capacity() as u64).min(NO_LIMIT - 1) } else { NO_LIMIT };
        // The buffer may be another than the one in which the message was found to fit.
        if self.state == State::Message && (rx.held() as u64).saturating_add(self.rest()) > room {
            return self.fail(Violation::MessageTooBig);
        }
        let (place, what) = loop {
            #[cfg(feature = "deflate")]
            if self.is_inflating() || (!whole && rx.inflated_len() > 0) {
                if let Some((place, what)) = self.inflate(rx, whole)? {
                    let mut item = self.event(rx.inflated(place), what, whole)?;
                    if let Some(Incoming::Data(chunk)) = &mut item {
                        chunk.compressed = false;
                    }
                    return Ok(item);
                }
            }
            if !whole && rx.held() > 0 {
                break (rx.release_held(), What::Chunk { last: false });
            }
            let found = self.step(rx.unread_mut(), room)?;
            match found.what {
                #[cfg(feature = "deflate")]
                What::Chunk { last } if self.inflates() => {
                    rx.hold(found.skip, found.len);
                    if let Some(inflation) = &mut self.inflation {
                        inflation.begin(last);
                    }
                    if last {
                        self.state = State::Inflating;
                    }
                }
                What::Chunk { last } if whole => {
                    rx.hold(found.skip, found.len);
                    if last {
                        break (rx.release_held(), What::Whole(self.kind));
                    }
                }
                what => break (rx.take(found.skip, found.len), what),
            }
        };
        self.event(rx.slice(place), what, whole)
    }

    #[inline]
    fn event<'b>(
        &mut self,
        bytes: &'b [u8],
        what: What,
        whole: bool,
    ) -> Result<Option<Incoming<'b>>, Violation> {
        match self.item(bytes, what)? {
            // Of text that is not UTF-8 there is no whole message to hand out.
            Some(Incoming::Data(chunk)) if whole && !chunk.last => Err(Violation::InvalidUtf8),
            item => Ok(item),
        }
    }

    /// What was found, around its payload. The checks of a payload as a whole are here.
    #[inline]
    pub(crate) fn item<'b>(
        &mut self,
        bytes: &'b [u8],
        what: What,
    ) -> Result<Option<Incoming<'b>>, Violation> {
        let chunk = match what {
            What::More => return Ok(None),
            What::Whole(kind) => {
                let text = match kind {
                    MessageKind::Binary => None,
                    MessageKind::Text => match from_utf8(bytes) {
                        Some(text) => Some(text),
                        None => return self.broken_text(bytes),
                    },
                };
                Chunk { bytes, text, kind, first: true, last: true, compressed: false }
            }
            What::Chunk { last } => {
                let first = core::mem::replace(&mut self.fresh, false);
                let (kind, compressed) = (self.kind, self.compressed);
                // A whole message behind a header that came alone: the same as if they had come together.
                let text = if first && last && kind == MessageKind::Text && !compressed {
                    from_utf8(bytes)
                } else {
                    None
                };
                Chunk { bytes, text, kind, first, last, compressed }
            }
            What::Ping => return Ok(Some(Incoming::Ping(bytes))),
            What::Pong => return Ok(Some(Incoming::Pong(bytes))),
            What::Close => return self.close(bytes),
        };
        Ok(Some(Incoming::Data(chunk)))
    }

    /// A whole text message that is not UTF-8: its good part is a chunk like any other, so that every
    /// cut of the input gives the same bytes before the failure.
    #[cold]
    fn broken_text<'b>(&mut self, bytes: &'b [u8]) -> Result<Option<Incoming<'b>>, Violation> {
        self.state = State::Failed(Violation::InvalidUtf8);
        let good = Utf8::new().check(bytes).err().unwrap_or(bytes.len());
        let bytes = bytes.get(..good).unwrap_or_default();
        if bytes.is_empty() {
            return Err(Violation::InvalidUtf8);
        }
        let kind = MessageKind::Text;
        let (text, compressed) = (None, false);
        Ok(Some(Incoming::Data(Chunk { bytes, text, kind, first: true, last: false, compressed })))
    }

    fn close<'b>(&mut self, payload: &'b [u8]) -> Result<Option<Incoming<'b>>, Violation> {
        match Close::parse(payload) {
            Ok(close) => {
                self.state = State::Closed;
                Ok(Some(Incoming::Close(close)))
            }
            Err(violation) => self.fail(violation),
        }
    }

    #[cfg(feature = "deflate")]
    const fn inflates(&self) -> bool {
        self.compressed && self.inflation.is_some()
    }

    /// Whether there is more of a message to be had without further input.
    #[cfg(feature = "deflate")]
    fn is_inflating(&self) -> bool {
        self.inflation.as_ref().is_some_and(|inflation| inflation.is_busy())
    }

    /// Goes on with what is being inflated: the place of what is to be handed out, or `None` when all that is there
    /// has been inflated.
    #[cfg(feature = "deflate")]
    fn inflate<S: Storage>(
        &mut self,
        rx: &mut ReadBuffer<S>,
        whole: bool,
    ) -> Result<Option<(core::ops::Range<usize>, What)>, Violation> {
        let Some(inflation) = &mut self.inflation else { return Ok(None) };
        if let State::Failed(violation) = self.state {
            return Err(violation);
        }
        let before = rx.inflated_len();
        let mut last = false;
        if inflation.is_busy() && (whole || before == 0) {
            let limit =
                if whole { self.max_message.min(rx.capacity() as u64) } else { self.max_message };
            last = match inflation.run(rx, limit, whole) {
                Ok(last) => last,
                Err(violation) => {
                    // What came out before the fault may hold an earlier one.
                    let inflated = rx.inflated(before..rx.inflated_len());
                    let text = self.kind == MessageKind::Text;
                    let first = text && self.utf8.check(inflated).is_err();
                    return self.fail(if first { Violation::InvalidUtf8 } else { violation });
                }
            };
        }
        if last {
            self.state = State::Idle;
        }
        if last && self.fresh {
            return Ok(Some((rx.release_inflated(), What::Whole(self.kind))));
        }
        let text = self.kind == MessageKind::Text;
        let len = rx.inflated_len();
        if whole {
            // RFC 6455 8.1: what is not UTF-8 fails when it is there, not when the message is.
            if text && self.utf8.check(rx.inflated(before..len)).is_err() {
                return self.fail(Violation::InvalidUtf8);
            }
            return Ok(None);
        }
        if len == 0 && !last {
            return Ok(None);
        }
        let place = rx.release_inflated();
        // What was collected before the caller asked for chunks has been checked.
        if text && before == 0 {
            let good = match self.utf8.check(rx.inflated(place.clone())) {
                Err(good) => good,
                Ok(()) if last && !self.utf8.is_complete() => len,
                Ok(()) => return Ok(Some((place, What::Chunk { last }))),
            };
            if good == 0 {
                return self.fail(Violation::InvalidUtf8);
            }
            self.state = State::Failed(Violation::InvalidUtf8);
            return Ok(Some((0..good, What::Chunk { last: false })));
        }
        Ok(Some((place, What::Chunk { last })))
    }

    fn fail<T>(&mut self, violation: Violation) -> Result<T, Violation> {
        self.state = State::Failed(violation);
        Err(violation)
    }

    /// A whole small message at the front of `rx`: its place and its kind, its text not yet validated.
    #[inline]
    pub(crate) fn quick_from<S: Storage>(
        &self,
        rx: &mut ReadBuffer<S>,
    ) -> Option<(Range<usize>, MessageKind)> {
        let (skip, len, kind) = self.quick(rx.input()?)?;
        Some((rx.take(skip, len), kind))
    }

    /// Whether a whole small message lies at the front of `input`: the length of its header, that of its
    /// payload, which is unmasked then, and its kind. Whatever is not such a message takes the long way, which
    /// gives the same for these.
    #[inline]
    fn quick(&self, input: &mut [u8]) -> Option<(usize, usize, MessageKind)> {
        if SMALL {
            return None;
        }
        let [first, second, rest @ ..] = input else { return None };
        let kind = match *first {
            0x81 => MessageKind::Text,
            0x82 => MessageKind::Binary,
            _ => return None,
        };
        // Where the mask bit is not as it has to be, this is past any length in question.
        let short = *second ^ if self.masked { 0x80 } else { 0 };
        if self.state != State::Idle {
            return None;
        }
        // Small processors take longer messages the long way, which costs them little, and save the code.
        let medium = cfg!(not(target_pointer_width = "32"));
        let (rest, header, len) = match short {
            0..=125 => (rest, 2, usize::from(short)),
            126 if medium => {
                let (len, rest) = rest.split_first_chunk_mut::<2>()?;
                let len = u16::from_be_bytes(*len);
                if len < 126 {
                    return None;
                }
                (rest, 4, usize::from(len))
            }
            _ => return None,
        };
        if len as u64 > self.max_frame {
            return None;
        }
        if self.masked {
            let (key, payload) = rest.split_first_chunk_mut::<4>()?;
            mask(payload.get_mut(..len)?, *key);
            Some((header + 4, len, kind))
        } else {
            rest.get(..len)?;
            Some((header, len, kind))
        }
    }

    /// Finds the next item in `input` and unmasks it there. `room` is how many bytes of one message the
    /// caller can hold, if it has to hold a message whole; [`NO_LIMIT`] if not.
    #[inline]
    fn step(&mut self, input: &mut [u8], room: u64) -> Result<Found, Violation> {
        if let Some((skip, len, kind)) = self.quick(input) {
            return Ok(Found { skip, len, what: What::Whole(kind) });
        }
        self.step_any(input, room)
    }

    #[inline(never)]
    fn step_any(&mut self, input: &mut [u8], room: u64) -> Result<Found, Violation> {
        match self.state {
            State::Failed(violation) => return Err(violation),
            State::Closed => return Ok(Found { skip: 0, len: 0, what: What::More }),
            State::Idle | State::Message => {}
            #[cfg(feature = "deflate")]
            State::Inflating => {}
        }
        let mut skip = 0;
        loop {
            let mut whole = false;
            if self.remaining == 0 {
                let rest = input.get_mut(skip..).unwrap_or_default();
                let judge = |opcode, rsv, masked| self.judge(opcode, rsv, masked);
                let (header, header_len) = match FrameHeader::parse_and(rest, judge) {
                    Ok(Some(header)) => header,
                    Ok(None) => return Ok(Found { skip, len: 0, what: What::More }),
                    Err(violation) => return self.fail(violation),
                };
                if let Err(violation) = self.judge_size(&header, room) {
                    return self.fail(violation);
                }
                let payload = rest.get_mut(header_len..).unwrap_or_default();
                if header.opcode.is_control() {
                    let Some(payload) = payload.get_mut(..header.payload_len as usize) else {
                        return Ok(Found { skip, len: 0, what: What::More });
                    };
                    if let Some(key) = header.mask {
                        mask(payload, key);
                    }
                    let what = match header.opcode {
                        OpCode::Ping => What::Ping,
                        OpCode::Pong => What::Pong,
                        _ => What::Close,
                    };
                    return Ok(Found { skip: skip + header_len, len: payload.len(), what });
                }
                whole = header.fin
                    && self.state == State::Idle
                    && header.rsv == 0
                    && payload.len() as u64 >= header.payload_len;
                self.begin(&header, room != NO_LIMIT);
                skip += header_len;
                if header.payload_len == 0 && !header.fin {
                    continue;
                }
            }
            let rest = input.get_mut(skip..).unwrap_or_default();
            let len = usize::try_from(self.remaining).unwrap_or(usize::MAX).min(rest.len());
            if len == 0 && self.remaining > 0 {
                return Ok(Found { skip, len: 0, what: What::More });
            }
            let payload = rest.get_mut(..len).unwrap_or_default();
            if self.masked {
                self.key = mask(payload, self.key);
            }
            self.remaining -= len as u64;
            let last = self.fin && self.remaining == 0;
            if last {
                self.state = State::Idle;
            }
            if whole {
                return Ok(Found { skip, len, what: What::Whole(self.kind) });
            }
            let found = Found { skip, len, what: What::Chunk { last } };
            if self.kind == MessageKind::Binary || self.compressed {
                return Ok(found);
            }
            // The end of a text that is collected is not checked twice: whoever makes the `&str` goes through all of it.
            if last && room != NO_LIMIT {
                return Ok(found);
            }
            let good = match self.utf8.check(payload) {
                Err(good) => good,
                // RFC 6455 8.1: a message that ends inside a character is not UTF-8 either.
                Ok(()) if last && !self.utf8.is_complete() => len,
                Ok(()) => return Ok(found),
            };
            self.state = State::Failed(Violation::InvalidUtf8);
            if good == 0 {
                return Err(Violation::InvalidUtf8);
            }
            // The good part first: whoever gets the input in smaller pieces got it, too.
            return Ok(Found { skip, len: good, what: What::Chunk { last: false } });
        }
    }

    /// The rules of a header that depend on the role, the extensions and what came before.
    fn judge(&self, opcode: OpCode, rsv: u8, masked: bool) -> Result<(), Violation> {
        let starts = matches!(opcode, OpCode::Text | OpCode::Binary);
        // RFC 6455 5.2: a reserved bit "MUST be 0 unless an extension is negotiated"; RFC 7692 6.1
        // defines RSV1, for the first frame of a message alone.
        let rsv = if self.rsv1 && starts { rsv & !FrameHeader::RSV1 } else { rsv };
        if rsv != 0 {
            return Err(Violation::ReservedBit);
        }
        // RFC 6455 5.1: "The server MUST close the connection upon receiving a frame that is not
        // masked", "A client MUST close a connection if it detects a masked frame".
        match (self.masked, masked) {
            (true, false) => return Err(Violation::NotMasked),
            (false, true) => return Err(Violation::Masked),
            _ => {}
        }
        // RFC 6455 5.4: the fragments of one message "MUST NOT be interleaved" with another's.
        match (opcode, self.state) {
            (OpCode::Continuation, State::Idle) => Err(Violation::UnexpectedContinuation),
            (OpCode::Text | OpCode::Binary, State::Message) => Err(Violation::ExpectedContinuation),
            _ => Ok(()),
        }
    }

    /// The limits of a data frame.
    fn judge_size(&self, header: &FrameHeader, room: u64) -> Result<(), Violation> {
        if header.opcode.is_control() {
            return Ok(());
        }
        let starts = header.opcode != OpCode::Continuation;
        let (before, fragments) = if starts { (0, 0) } else { (self.message_len, self.fragments) };
        if fragments >= self.max_fragments {
            return Err(Violation::TooManyFragments);
        }
        let compressed = if starts { header.rsv != 0 } else { self.compressed };
        // Where the message's limit is the frame's, it is meant for what is inflated: what does not compress may be
        // an eighth longer on the wire.
        let slack = if compressed && self.max_frame == self.max_message {
            self.max_message / 8 + 64
        } else {
            0
        };
        if header.payload_len > self.max_frame.saturating_add(slack) {
            return Err(Violation::FrameTooBig);
        }
        if !compressed {
            let message_len = before.saturating_add(header.payload_len);
            if message_len > self.max_message
                || before.saturating_add(room_for(header.payload_len, header.fin)) > room
            {
                return Err(Violation::MessageTooBig);
            }
        }
        Ok(())
    }

    /// How much room the rest of the current frame takes behind what is held of its message.
    fn rest(&self) -> u64 {
        if self.compressed { 0 } else { room_for(self.remaining, self.fin) }
    }

    fn begin(&mut self, header: &FrameHeader, whole: bool) {
        if header.opcode != OpCode::Continuation {
            self.kind = match header.opcode {
                OpCode::Text => MessageKind::Text,
                _ => MessageKind::Binary,
            };
            self.state = State::Message;
            self.compressed = header.rsv != 0;
            self.message_len = 0;
            self.fragments = 0;
            self.utf8 = Utf8::new();
            self.fresh = true;
            self.whole = whole;
        }
        // Neither can overflow: `judge` compared both with their limits.
        self.fragments = self.fragments.saturating_add(1);
        self.message_len = self.message_len.saturating_add(header.payload_len);
        self.remaining = header.payload_len;
        self.fin = header.fin;
        self.key = header.mask.unwrap_or_default();
    }
}

/// How much room the payload of a frame takes where its message is held. If the frame does not end the message, there has
/// to be room for the control frames that may come before the next one.
const fn room_for(payload_len: u64, fin: bool) -> u64 {
    if fin { payload_len } else { payload_len.saturating_add(READ_BUFFER_MIN as u64) }
}

//! Bytes in: frames are parsed, unmasked and checked where they lie, and handed out as validated chunks
//! and whole control frames.

mod incoming;
#[cfg(feature = "deflate")]
mod inflate;
mod step;

pub use incoming::{Chunk, Incoming};
use step::What;

use crate::buffer::{ReadBuffer, Storage};
use crate::close::Close;
use crate::config::SMALL;
#[cfg(feature = "deflate")]
use crate::deflate::Inflation;
use crate::frame::MessageKind;
use crate::utf8::{Utf8, from_utf8};
use crate::{Config, Violation};

/// The receiving half of an open connection.
///
/// It takes bytes where the caller has them and needs no memory for any of them. [`WebSocket`] is built
/// on it; use it alone when one task reads and another writes, and answer what [`Incoming`] says: a ping
/// with [`Sender::answer`], a Close with [`Sender::close`], an error with its
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
/// [`Sender::answer`]: crate::Sender::answer
/// [`Sender::close`]: crate::Sender::close
#[derive(Debug)]
pub struct Receiver {
    /// Payload bytes of the current data frame that have not been consumed.
    remaining: u64,
    /// Payload bytes of the current message, by the headers so far.
    message_len: u64,
    max_frame: u64,
    max_message: u64,
    /// How many frames the current message may still have.
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

/// Whether messages are collected or handed out as they come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    Messages,
    Chunks,
}

/// Room for one message where messages are handed out in chunks.
const NO_LIMIT: u64 = u64::MAX;

/// The longest payload that a frame's header can tell of (RFC 6455 section 5.2).
const MOST: u64 = u64::MAX >> 1;

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
        // No frame is longer than this, and an eighth more of it does not overflow.
        let max_frame = if max_frame > MOST { MOST } else { max_frame };
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
        loop {
            let found = self.step(input, NO_LIMIT)?;
            let bytes = core::mem::take(input);
            let Some((item, rest)) = bytes.split_at_mut_checked(found.skip + found.len) else {
                return Ok(None);
            };
            *input = rest;
            if found.skip == 0 || !matches!(found.what, What::More) {
                return self.item(item.get(found.skip..).unwrap_or_default(), found.what);
            }
        }
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
    #[cfg_attr(not(target_os = "none"), inline)]
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn read<'b, S: Storage>(
        &mut self,
        rx: &'b mut ReadBuffer<S>,
        delivery: Delivery,
    ) -> Result<Option<Incoming<'b>>, Violation> {
        if !SMALL && rx.is_empty() && self.is_waiting() {
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
    #[cfg_attr(not(target_os = "none"), inline(never))]
    fn read_any<'b, S: Storage>(
        &mut self,
        rx: &'b mut ReadBuffer<S>,
        delivery: Delivery,
    ) -> Result<Option<Incoming<'b>>, Violation> {
        // A message that was begun as chunks ends as chunks.
        let whole = delivery == Delivery::Messages && (self.whole || !self.in_message());
        let room = if whole { (rx.capacity() as u64).min(NO_LIMIT - 1) } else { NO_LIMIT };
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
                    // The buffer may be another than the one in which the message was found to fit.
                    if rx.held() as u64 + self.rest() > room {
                        return self.fail(Violation::MessageTooBig);
                    }
                    if !SMALL && rx.unread().is_empty() {
                        return Ok(None);
                    }
                }
                What::More if found.skip > 0 => {
                    rx.take(found.skip, 0);
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
    fn item<'b>(&mut self, bytes: &'b [u8], what: What) -> Result<Option<Incoming<'b>>, Violation> {
        let chunk = match what {
            What::More => return Ok(None),
            What::Whole(kind) => {
                let text = match kind {
                    MessageKind::Binary => None,
                    MessageKind::Text if SMALL => None,
                    MessageKind::Text => match from_utf8(bytes) {
                        Some(text) => Some(text),
                        None => return self.broken_text(bytes),
                    },
                };
                Chunk { bytes, text, kind, first: true, last: true, compressed: false }
            }
            What::Chunk { last } => {
                let first = core::mem::replace(&mut self.fresh, false);
                self.whole = false;
                let (kind, compressed) = (self.kind, self.compressed);
                // A whole message behind a header that came alone: the same as if they had come together.
                let whole = first && last && kind == MessageKind::Text && !compressed;
                let text = if whole && !SMALL { from_utf8(bytes) } else { None };
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

    fn fail<T>(&mut self, violation: Violation) -> Result<T, Violation> {
        self.state = State::Failed(violation);
        Err(violation)
    }
}

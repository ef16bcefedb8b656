//! Frames out: headers, masking, and the order of frames.

pub(crate) mod broadcast;
pub(crate) mod stream;

use crate::buffer::{CONTROL_RESERVE, Storage, WriteBuffer};
use crate::bytes::copy;
use crate::close::{CloseCode, truncate_reason};
#[cfg(feature = "deflate")]
use crate::deflate::Deflation;
use crate::entropy::Entropy;
use crate::frame::{FrameHeader, MessageKind, OpCode, write_header};
use crate::mask::{mask, mask_into};
use crate::reply::{Kind, Reply};
use crate::role::private::Token;
use crate::role::{Client, Role, Server};
use crate::utf8::Utf8Validator;
use crate::{Error, Misuse};

/// The largest payload of a control frame in bytes (RFC 6455 section 5.5).
const MAX_CONTROL: usize = 125;

/// The sending half of an open connection.
///
/// Each call appends whole frames to a [`WriteBuffer`], or nothing if they do not fit.
/// [`WebSocket`](crate::WebSocket) is built on it. Use it alone if one task reads and another
/// writes; [`WebSocket::split`](crate::WebSocket::split) makes both halves after a handshake.
///
/// ```
/// use sockless::{MessageKind, Sender, WriteBuffer};
///
/// let mut tx = WriteBuffer::new([0; 512]);
/// let mut sender = Sender::server();
/// sender.fragment(MessageKind::Text, b"Hel", false, &mut tx)?;
/// sender.ping(b"", &mut tx)?; // control frames may come between fragments
/// sender.fragment(MessageKind::Text, b"lo", true, &mut tx)?;
/// assert_eq!(tx.bytes(), b"\x01\x03Hel\x89\x00\x80\x02lo");
/// # Ok::<(), sockless::Error>(())
/// ```
pub struct Sender<R> {
    role: R,
    /// The kind of the message whose first fragment was sent.
    fragmented: Option<MessageKind>,
    utf8: Utf8Validator,
    closed: bool,
    /// The compressor, if compression was negotiated or is offered.
    #[cfg(feature = "deflate")]
    pub(crate) deflation: Option<alloc::boxed::Box<Deflation>>,
}

impl<R> core::fmt::Debug for Sender<R> {
    /// Does not show the role, which contains the source of keys.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Sender").field("closed", &self.closed).finish_non_exhaustive()
    }
}

impl Sender<Server> {
    /// Sends as a server: frames are not masked.
    #[must_use]
    pub const fn server() -> Sender<Server> {
        Sender::new(Server)
    }
}

impl<E: Entropy> Sender<Client<E>> {
    /// Sends as a client: each frame is masked with a fresh key from `entropy`.
    #[must_use]
    pub const fn client(entropy: E) -> Sender<Client<E>> {
        Sender::new(Client::new(entropy))
    }
}

impl<R: Role> Sender<R> {
    /// Writes a text message as a single frame.
    ///
    /// # Errors
    /// Returns [`Misuse::Closed`] after a Close, [`Misuse::MessageUnfinished`] inside a message,
    /// [`Misuse::PayloadPending`] while the payload of a vectored send is unsent, [`Error::NoRoom`]
    /// if the frame does not fit now, [`Error::NeverFits`] if it does not fit in the empty buffer,
    /// and [`Error::Entropy`] if a client has no key. Nothing is written then.
    #[inline]
    pub fn text<S: Storage>(&mut self, text: &str, tx: &mut WriteBuffer<S>) -> Result<(), Error> {
        self.message(MessageKind::Text, text.as_bytes(), tx)
    }

    /// Writes a binary message as a single frame.
    ///
    /// # Errors
    /// As for [`text`](Self::text).
    #[inline]
    pub fn binary<S: Storage>(
        &mut self,
        bytes: &[u8],
        tx: &mut WriteBuffer<S>,
    ) -> Result<(), Error> {
        self.message(MessageKind::Binary, bytes, tx)
    }

    /// Writes the header of a text message. The payload stays in the caller's memory: send
    /// [`WriteBuffer::slices`] with it. A client masks the payload into the buffer, with the same
    /// calls. The message is not compressed.
    ///
    /// # Errors
    /// As for [`text`](Self::text).
    #[inline]
    pub fn text_vectored<S: Storage>(
        &mut self,
        text: &str,
        tx: &mut WriteBuffer<S>,
    ) -> Result<(), Error> {
        self.vectored(OpCode::Text, text.as_bytes(), tx)
    }

    /// Writes the header of a binary message, as [`text_vectored`](Self::text_vectored) does.
    ///
    /// # Errors
    /// As for [`text_vectored`](Self::text_vectored).
    ///
    /// ```
    /// use sockless::{Sender, WriteBuffer};
    ///
    /// let mut tx = WriteBuffer::new([0; 512]);
    /// let payload = vec![7; 1 << 20];
    /// let mut sender = Sender::server();
    /// sender.binary_vectored(&payload, &mut tx)?;
    /// while !tx.is_empty() {
    ///     let [head, payload, tail] = tx.slices(&payload)?;
    ///     let n = head.len() + payload.len() + tail.len(); // let n = socket.write_vectored(...)?;
    ///     tx.consume(n);
    /// }
    /// # Ok::<(), sockless::Error>(())
    /// ```
    #[inline]
    pub fn binary_vectored<S: Storage>(
        &mut self,
        bytes: &[u8],
        tx: &mut WriteBuffer<S>,
    ) -> Result<(), Error> {
        self.vectored(OpCode::Binary, bytes, tx)
    }

    /// Writes the next fragment of a message; with `fin`, the last one. `kind` is the kind of the
    /// message, the same for each fragment. Text may be cut anywhere, also inside a character.
    /// A first fragment with `fin` is a whole message: of text, too, that lies in a byte array.
    ///
    /// # Errors
    /// As for [`text`](Self::text), without [`Misuse::MessageUnfinished`]. Returns
    /// [`Misuse::WrongKind`] inside a message of the other kind, and [`Misuse::InvalidText`] if the
    /// text so far cannot become UTF-8.
    pub fn fragment<S: Storage>(
        &mut self,
        kind: MessageKind,
        bytes: &[u8],
        fin: bool,
        tx: &mut WriteBuffer<S>,
    ) -> Result<(), Error> {
        #[cfg(feature = "deflate")]
        if self.compresses_part(bytes, fin) {
            self.may_send_data(tx)?;
            self.next_opcode(kind)?;
            let utf8 = self.utf8_behind(kind, bytes, fin)?;
            if let Some(deflation) = &mut self.deflation {
                deflation.write_frame(kind, bytes, fin, &mut self.role, tx)?;
            }
            self.utf8 = utf8;
            self.fragmented = if fin { None } else { Some(kind) };
            return Ok(());
        }
        self.plain_fragment(kind, bytes, fin, tx)
    }

    /// Writes the next fragment of a message that is not compressed.
    fn plain_fragment<S: Storage>(
        &mut self,
        kind: MessageKind,
        bytes: &[u8],
        fin: bool,
        tx: &mut WriteBuffer<S>,
    ) -> Result<(), Error> {
        self.may_send_data(tx)?;
        let opcode = self.next_opcode(kind)?;
        let utf8 = self.utf8_behind(kind, bytes, fin)?;
        self.frame(opcode.first_byte(fin), bytes, tx)?;
        self.utf8 = utf8;
        self.fragmented = if fin { None } else { Some(kind) };
        Ok(())
    }

    /// Returns the header of the next frame of a message. Its payload of `len` bytes stays in the
    /// caller's memory: send [`FrameHeader::encode`], then the payload, in order with all other
    /// output. Any number of payloads can be queued without a copy.
    ///
    /// A client masks the payload with the key of the header first; see [`mask`](crate::mask()).
    /// The payload is not compressed. Text is not validated: a text message must be UTF-8, and a
    /// payload in front of a [`fragment`](Self::fragment) must end between two characters.
    ///
    /// # Errors
    /// Returns [`Misuse::Closed`] after a Close, [`Misuse::WrongKind`] inside a message of the
    /// other kind, [`Misuse::MessageCompressed`] inside a compressed message,
    /// [`Misuse::PayloadTooLong`] if `len` is 2^63 or more, and [`Error::Entropy`] if a client has
    /// no key.
    ///
    /// ```
    /// use sockless::{MessageKind, Sender};
    ///
    /// let mut sender = Sender::server();
    /// let header = sender.header(MessageKind::Binary, true, 5)?;
    /// assert_eq!(header.encode().as_bytes(), b"\x82\x05"); // followed by the payload
    /// # Ok::<(), sockless::Error>(())
    /// ```
    pub fn header(&mut self, kind: MessageKind, fin: bool, len: u64) -> Result<FrameHeader, Error> {
        self.may_send()?;
        let opcode = self.next_opcode(kind)?;
        #[cfg(feature = "deflate")]
        if self.deflation.as_ref().is_some_and(|deflation| deflation.takes(false, &[], fin)) {
            return Err(Misuse::MessageCompressed.into());
        }
        // RFC 6455 section 5.2: of the 64-bit length "the most significant bit MUST be 0".
        if len >> 63 != 0 {
            return Err(Misuse::PayloadTooLong.into());
        }
        let mask = self.role.key(Token)?;
        self.utf8 = Utf8Validator::new();
        self.fragmented = if fin { None } else { Some(kind) };
        Ok(FrameHeader { fin, rsv: 0, opcode, mask, payload_len: len })
    }

    /// Writes a ping with a payload of at most 125 bytes (RFC 6455 section 5.5.2).
    ///
    /// # Errors
    /// Returns [`Misuse::Closed`] after a Close, [`Misuse::ControlTooLong`] for a longer payload,
    /// [`Error::NoRoom`] if the frame does not fit now, and [`Error::Entropy`] if a client has no
    /// key.
    pub fn ping<S: Storage>(
        &mut self,
        payload: &[u8],
        tx: &mut WriteBuffer<S>,
    ) -> Result<(), Error> {
        self.control(OpCode::Ping, payload, tx)
    }

    /// Writes a pong with a payload of at most 125 bytes, also without a ping (RFC 6455 section
    /// 5.5.3).
    ///
    /// # Errors
    /// As for [`ping`](Self::ping).
    pub fn pong<S: Storage>(
        &mut self,
        payload: &[u8],
        tx: &mut WriteBuffer<S>,
    ) -> Result<(), Error> {
        self.control(OpCode::Pong, payload, tx)
    }

    /// Writes a Close (RFC 6455 section 5.5.1). A `reason` of more than 123 bytes is cut between
    /// two characters. With [`CloseCode::NO_STATUS_RECEIVED`] the frame has no code and no reason.
    /// A Close without a reason always fits.
    ///
    /// # Errors
    /// Returns [`Misuse::Closed`] after a Close, [`Misuse::InvalidCloseCode`] for a code that may
    /// not be sent or a reason without a code, [`Error::NoRoom`] if a reason does not fit now, and
    /// [`Error::Entropy`] if a client has no key.
    pub fn close<S: Storage>(
        &mut self,
        code: CloseCode,
        reason: &str,
        tx: &mut WriteBuffer<S>,
    ) -> Result<(), Error> {
        self.may_send()?;
        let number = code.get().to_be_bytes();
        let number = if code.is_sendable() {
            &number[..]
        } else if code == CloseCode::NO_STATUS_RECEIVED {
            &[]
        } else {
            return Err(Misuse::InvalidCloseCode.into());
        };
        let reason = truncate_reason(reason);
        if number.is_empty() && !reason.is_empty() {
            // RFC 6455 section 5.5.1: the reason follows the code.
            return Err(Misuse::InvalidCloseCode.into());
        }
        let keep = if reason.is_empty() { 0 } else { CONTROL_RESERVE };
        let put =
            self.long_frame(OpCode::Close.first_byte(true), [number, reason.as_bytes()], tx, keep);
        self.closed = put.is_ok();
        put
    }

    /// Sends a reply that the protocol demands. Does nothing after our own Close, because nothing
    /// may follow it.
    ///
    /// A pong and a Close always fit in a buffer of [`WRITE_BUFFER_MIN`](crate::WRITE_BUFFER_MIN).
    ///
    /// # Errors
    /// Returns [`Error::Entropy`] if a client has no key for it, and [`Misuse::InvalidCloseCode`]
    /// for a Close with a code that may not be sent.
    pub fn reply<S: Storage>(
        &mut self,
        reply: Reply,
        tx: &mut WriteBuffer<S>,
    ) -> Result<(), Error> {
        match reply.0 {
            Kind::Pong { len, payload } => {
                self.reply_pong(payload.get(..usize::from(len)).unwrap_or_default(), tx)
            }
            Kind::Close(code) => self.reply_close(code, tx),
        }
    }

    /// Returns `true` if a Close was sent. Nothing can follow it.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.closed
    }

    pub(crate) const fn new(role: R) -> Sender<R> {
        Sender {
            role,
            fragmented: None,
            utf8: Utf8Validator::new(),
            closed: false,
            #[cfg(feature = "deflate")]
            deflation: None,
        }
    }

    #[cfg(feature = "handshake")]
    pub(crate) const fn role(&mut self) -> &mut R {
        &mut self.role
    }

    /// Refuses all further frames, also a Close.
    pub(crate) const fn shut(&mut self) {
        self.closed = true;
    }

    #[inline]
    fn message<S: Storage>(
        &mut self,
        kind: MessageKind,
        payload: &[u8],
        tx: &mut WriteBuffer<S>,
    ) -> Result<(), Error> {
        self.may_begin(tx)?;
        #[cfg(feature = "deflate")]
        if let Some(deflation) = &mut self.deflation {
            if deflation.compresses(payload.len())
                && deflation.has_capacity(payload.len(), R::MASKS, tx)
            {
                return deflation.write_frame(kind, payload, true, &mut self.role, tx);
            }
        }
        self.frame(kind.opcode().first_byte(true), payload, tx)
    }

    #[inline]
    fn vectored<S: Storage>(
        &mut self,
        opcode: OpCode,
        payload: &[u8],
        tx: &mut WriteBuffer<S>,
    ) -> Result<(), Error> {
        self.may_begin(tx)?;
        if R::MASKS {
            return self.frame(opcode.first_byte(true), payload, tx);
        }
        let payload_len = payload.len() as u64;
        let len = FrameHeader::len_for(payload_len, false);
        write_header(opcode.first_byte(true), payload_len, None, tx.reserve(len)?);
        tx.commit(len);
        tx.commit_payload(payload.len());
        Ok(())
    }

    /// Returns the state of the text after the next fragment.
    #[inline(never)]
    fn utf8_behind(
        &self,
        kind: MessageKind,
        bytes: &[u8],
        fin: bool,
    ) -> Result<Utf8Validator, Misuse> {
        let mut utf8 = if self.fragmented.is_some() { self.utf8 } else { Utf8Validator::new() };
        // RFC 6455 section 5.6: "the whole message MUST contain valid UTF-8", not each frame.
        if kind == MessageKind::Text && (utf8.check(bytes).is_err() || fin && !utf8.is_complete()) {
            return Err(Misuse::InvalidText);
        }
        Ok(utf8)
    }

    /// Writes the Close that replies to the peer's, unless ours was sent.
    pub(crate) fn reply_close<S: Storage>(
        &mut self,
        code: CloseCode,
        tx: &mut WriteBuffer<S>,
    ) -> Result<(), Error> {
        if self.closed { Ok(()) } else { self.close(code, "", tx) }
    }

    /// Writes the pong that replies to a ping, unless our Close was sent. Unlike
    /// [`pong`](Self::pong) it always fits in a buffer of
    /// [`WRITE_BUFFER_MIN`](crate::WRITE_BUFFER_MIN). After 4 KiB of unsent output, or if the
    /// reserve is used up, it replaces the last unsent pong: RFC 6455 section 5.5.3 asks for a
    /// reply to the latest ping only.
    ///
    /// Fails if a client has no key. The earlier pong may be gone then.
    pub(crate) fn reply_pong<S: Storage>(
        &mut self,
        payload: &[u8],
        tx: &mut WriteBuffer<S>,
    ) -> Result<(), Error> {
        if self.closed {
            return Ok(());
        }
        let keep =
            tx.place_pong(FrameHeader::len_for(payload.len() as u64, R::MASKS) + payload.len());
        self.long_frame(OpCode::Pong.first_byte(true), [&[], payload], tx, keep)
    }

    #[inline]
    fn may_send(&self) -> Result<(), Misuse> {
        // RFC 6455 section 5.5.1: "The application MUST NOT send any more data frames after sending
        // a Close frame."
        if self.closed { Err(Misuse::Closed) } else { Ok(()) }
    }

    /// Refuses data after a pending payload. A caller who writes only the buffer would never send
    /// it.
    #[inline]
    fn may_send_data<S: Storage>(&self, tx: &WriteBuffer<S>) -> Result<(), Misuse> {
        self.may_send()?;
        if tx.has_payload() { Err(Misuse::PayloadPending) } else { Ok(()) }
    }

    /// Returns the opcode of the next fragment of a message of this kind.
    fn next_opcode(&self, kind: MessageKind) -> Result<OpCode, Misuse> {
        match self.fragmented {
            None => Ok(kind.opcode()),
            Some(begun) if begun == kind => Ok(OpCode::Continuation),
            Some(_) => Err(Misuse::WrongKind),
        }
    }

    #[inline]
    fn may_begin<S: Storage>(&self, tx: &WriteBuffer<S>) -> Result<(), Misuse> {
        self.may_send_data(tx)?;
        if self.fragmented.is_some() { Err(Misuse::MessageUnfinished) } else { Ok(()) }
    }

    fn control<S: Storage>(
        &mut self,
        opcode: OpCode,
        payload: &[u8],
        tx: &mut WriteBuffer<S>,
    ) -> Result<(), Error> {
        self.may_send()?;
        if payload.len() > MAX_CONTROL {
            return Err(Misuse::ControlTooLong.into());
        }
        self.frame(opcode.first_byte(true), payload, tx)
    }

    /// Writes one frame that starts with the byte `first`.
    #[inline]
    fn frame<S: Storage>(
        &mut self,
        first: u8,
        payload: &[u8],
        tx: &mut WriteBuffer<S>,
    ) -> Result<(), Error> {
        // Most frames are short. With a constant length of the header, the compiler removes most of
        // the code.
        if !crate::config::OPTIMIZE_FOR_SIZE && payload.len() <= MAX_CONTROL {
            let header_len = FrameHeader::len_for(0, R::MASKS);
            return self.write_frame(header_len, first, [&[], payload], tx, CONTROL_RESERVE);
        }
        self.long_frame(first, [&[], payload], tx, CONTROL_RESERVE)
    }

    /// Writes one frame of any length. Its payload is in two parts.
    #[inline(never)]
    fn long_frame<S: Storage>(
        &mut self,
        first: u8,
        payload: [&[u8]; 2],
        tx: &mut WriteBuffer<S>,
        keep: usize,
    ) -> Result<(), Error> {
        let payload_len = (payload[0].len() + payload[1].len()) as u64;
        let header_len = FrameHeader::len_for(payload_len, R::MASKS);
        self.write_frame(header_len, first, payload, tx, keep)
    }

    /// Writes one frame with a header of `header_len` bytes. Space is reserved first, so that no
    /// key is drawn for a frame that does not fit.
    #[inline(always)]
    fn write_frame<S: Storage>(
        &mut self,
        header_len: usize,
        first: u8,
        [begin, rest]: [&[u8]; 2],
        tx: &mut WriteBuffer<S>,
        keep: usize,
    ) -> Result<(), Error> {
        let payload_len = begin.len() + rest.len();
        // Cannot overflow: a slice is at most half of the address space.
        let len = header_len + payload_len;
        let out = tx.reserve_and_keep(len, keep)?;
        let key = self.role.key(Token)?;
        if let Some((head, body)) = out.split_at_mut_checked(header_len) {
            write_header(first, payload_len as u64, key, head);
            match key {
                Some(key) if begin.is_empty() => mask_into(rest, body, key),
                _ => {
                    copy(begin, body);
                    copy(rest, body.get_mut(begin.len()..).unwrap_or_default());
                    if let Some(key) = key {
                        mask(body, key);
                    }
                }
            }
        }
        tx.commit(len);
        Ok(())
    }
}

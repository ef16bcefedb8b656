//! Sends frames: writes headers, masks payloads, and checks the order of frames.

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

/// Largest payload of a control frame in bytes (RFC 6455 section 5.5).
const MAX_CONTROL: usize = 125;

/// Sends frames: the sending half of an open connection.
///
/// Each call appends complete frames to a [`WriteBuffer`], or nothing if they do not fit.
/// [`WebSocket`](crate::WebSocket) contains a sender. Use a sender alone if one task reads and
/// another task writes. After a handshake, [`WebSocket::split`](crate::WebSocket::split) returns
/// both halves.
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
    /// The kind of the message whose last fragment is not sent yet.
    fragmented: Option<MessageKind>,
    utf8: Utf8Validator,
    closed: bool,
    /// The compressor, if compression was negotiated.
    #[cfg(feature = "deflate")]
    pub(crate) deflation: Option<alloc::boxed::Box<Deflation>>,
}

impl<R> core::fmt::Debug for Sender<R> {
    /// Omits the role, which contains the source of masking keys.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Sender").field("closed", &self.closed).finish_non_exhaustive()
    }
}

impl Sender<Server> {
    /// Makes a sender for a server: frames are not masked.
    #[must_use]
    pub const fn server() -> Sender<Server> {
        Sender::new(Server)
    }
}

impl<E: Entropy> Sender<Client<E>> {
    /// Makes a sender for a client: each frame is masked with a fresh key from `entropy`.
    #[must_use]
    pub const fn client(entropy: E) -> Sender<Client<E>> {
        Sender::new(Client::new(entropy))
    }
}

impl<R: Role> Sender<R> {
    /// Writes a text message as a single frame.
    ///
    /// # Errors
    /// - Returns [`Misuse::Closed`] if a Close was sent.
    /// - Returns [`Misuse::MessageUnfinished`] if a fragmented message is not finished.
    /// - Returns [`Misuse::PayloadPending`] if the payload of a vectored send is unsent.
    /// - Returns [`Error::NoRoom`] if the frame does not fit now.
    /// - Returns [`Error::NeverFits`] if the frame does not fit in the empty buffer.
    /// - Returns [`Error::Entropy`] if a client gets no masking key.
    ///
    /// After an error nothing is written.
    #[inline]
    pub fn text<S: Storage>(&mut self, text: &str, tx: &mut WriteBuffer<S>) -> Result<(), Error> {
        self.message(MessageKind::Text, text.as_bytes(), tx)
    }

    /// Writes a binary message as a single frame.
    ///
    /// # Errors
    /// Returns the errors of [`text`](Self::text).
    #[inline]
    pub fn binary<S: Storage>(
        &mut self,
        bytes: &[u8],
        tx: &mut WriteBuffer<S>,
    ) -> Result<(), Error> {
        self.message(MessageKind::Binary, bytes, tx)
    }

    /// Writes the header of a text message. The payload stays in the caller's memory: write
    /// [`WriteBuffer::slices`] with the payload. A client instead masks the payload into the
    /// buffer, and the caller makes the same calls. The message is not compressed.
    ///
    /// # Errors
    /// Returns the errors of [`text`](Self::text).
    #[inline]
    pub fn text_vectored<S: Storage>(
        &mut self,
        text: &str,
        tx: &mut WriteBuffer<S>,
    ) -> Result<(), Error> {
        self.vectored(OpCode::Text, text.as_bytes(), tx)
    }

    /// Writes the header of a binary message; see [`text_vectored`](Self::text_vectored).
    ///
    /// # Errors
    /// Returns the errors of [`text_vectored`](Self::text_vectored).
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

    /// Writes the next fragment of a message. With `fin`, the fragment is the last one. `kind` is
    /// the kind of the message, and must not change between its fragments. Text may be split
    /// anywhere, even inside a character. A first fragment with `fin` is a complete message, so
    /// text in a byte slice can be sent in one call.
    ///
    /// A first fragment with `fin` is compressed as by [`text`](Self::text). Any other first
    /// fragment is compressed if compression was negotiated and is not switched off, unless its
    /// largest compressed size exceeds the empty buffer. A later fragment of a compressed message
    /// can need a seventh more than its length. [`stream`](Self::stream) needs no such space.
    ///
    /// # Errors
    /// - Returns the errors of [`text`](Self::text), except [`Misuse::MessageUnfinished`].
    /// - Returns [`Misuse::WrongKind`] if the unfinished message has another kind.
    /// - Returns [`Misuse::InvalidText`] if the text so far cannot become valid UTF-8.
    pub fn fragment<S: Storage>(
        &mut self,
        kind: MessageKind,
        bytes: &[u8],
        fin: bool,
        tx: &mut WriteBuffer<S>,
    ) -> Result<(), Error> {
        #[cfg(feature = "deflate")]
        let compressed = match self.fragmented {
            None if fin => self.compresses_message(bytes, tx),
            None => self.compresses_part(bytes, fin) && self.can_fit(bytes, tx),
            Some(_) => self.compresses_part(bytes, fin),
        };
        #[cfg(not(feature = "deflate"))]
        let compressed = false;
        self.write_fragment(kind, bytes, fin, compressed, tx)
    }

    /// Returns the header of the next frame of a message, with a payload of `len` bytes. The
    /// payload stays in the caller's memory: send [`FrameHeader::encode`], then the payload, in
    /// order with all other output. Any number of payloads can be queued without a copy.
    ///
    /// A client must mask the payload with the key of the header before sending it; see
    /// [`mask`](crate::mask()). The payload is not compressed. Text is not validated: a text
    /// message must be UTF-8. If a [`fragment`](Self::fragment) follows, the payload must end
    /// between two characters.
    ///
    /// # Errors
    /// - Returns [`Misuse::Closed`] if a Close was sent.
    /// - Returns [`Misuse::WrongKind`] if the unfinished message has another kind.
    /// - Returns [`Misuse::MessageCompressed`] if the unfinished message is compressed.
    /// - Returns [`Misuse::PayloadTooLong`] if `len` is 2^63 or more.
    /// - Returns [`Error::Entropy`] if a client gets no masking key.
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
    /// - Returns [`Misuse::Closed`] if a Close was sent.
    /// - Returns [`Misuse::ControlTooLong`] if the payload has more than 125 bytes.
    /// - Returns [`Error::NoRoom`] if the frame does not fit now.
    /// - Returns [`Error::NeverFits`] if the frame does not fit in the empty buffer.
    /// - Returns [`Error::Entropy`] if a client gets no masking key.
    pub fn ping<S: Storage>(
        &mut self,
        payload: &[u8],
        tx: &mut WriteBuffer<S>,
    ) -> Result<(), Error> {
        self.control(OpCode::Ping, payload, tx)
    }

    /// Writes an unsolicited pong with a payload of at most 125 bytes (RFC 6455 section 5.5.3).
    ///
    /// # Errors
    /// Returns the errors of [`ping`](Self::ping).
    pub fn pong<S: Storage>(
        &mut self,
        payload: &[u8],
        tx: &mut WriteBuffer<S>,
    ) -> Result<(), Error> {
        self.control(OpCode::Pong, payload, tx)
    }

    /// Writes a Close (RFC 6455 section 5.5.1). A `reason` of more than 123 bytes is truncated
    /// between two characters. With [`CloseCode::NO_STATUS_RECEIVED`], the frame has no code and no
    /// reason. A Close without a reason always fits.
    ///
    /// # Errors
    /// - Returns [`Misuse::Closed`] if a Close was sent.
    /// - Returns [`Misuse::InvalidCloseCode`] if the code must not be sent, or a reason has no
    ///   code.
    /// - Returns [`Error::NoRoom`] or [`Error::NeverFits`] if a Close with a reason does not fit.
    /// - Returns [`Error::Entropy`] if a client gets no masking key.
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

    /// Writes a reply that the protocol demands. Does nothing after our own Close, because nothing
    /// may follow a Close.
    ///
    /// A pong and a Close always fit in a buffer of [`WRITE_BUFFER_MIN`](crate::WRITE_BUFFER_MIN)
    /// bytes.
    ///
    /// # Errors
    /// - Returns [`Error::Entropy`] if a client gets no masking key.
    /// - Returns [`Misuse::InvalidCloseCode`] if the code of a Close must not be sent.
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

    /// Returns `true` if a Close was sent. No frame can follow a Close.
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

    /// Refuses all further frames, including a Close.
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
        if self.compresses_message(payload, tx) {
            if let Some(deflation) = &mut self.deflation {
                return deflation.write_frame(kind, payload, true, &mut self.role, tx);
            }
        }
        self.frame(kind.opcode().first_byte(true), payload, tx)
    }

    #[cfg(feature = "deflate")]
    #[inline]
    fn compresses_message<S: Storage>(&self, payload: &[u8], tx: &mut WriteBuffer<S>) -> bool {
        self.deflation
            .as_ref()
            .is_some_and(|deflation| deflation.compresses_message(payload.len(), R::MASKS, tx))
    }

    #[cfg(feature = "deflate")]
    fn can_fit<S: Storage>(&self, fragment: &[u8], tx: &WriteBuffer<S>) -> bool {
        self.deflation
            .as_ref()
            .is_some_and(|deflation| deflation.can_fit(fragment.len(), R::MASKS, tx))
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
        tx.commit(len, CONTROL_RESERVE);
        tx.commit_payload(payload.len());
        Ok(())
    }

    /// Returns the validation state of the text after the next fragment.
    ///
    /// # Errors
    /// Returns [`Misuse::InvalidText`] if the text cannot become valid UTF-8.
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

    /// Writes the Close that replies to the peer's Close, unless our Close was sent.
    pub(crate) fn reply_close<S: Storage>(
        &mut self,
        code: CloseCode,
        tx: &mut WriteBuffer<S>,
    ) -> Result<(), Error> {
        if self.closed { Ok(()) } else { self.close(code, "", tx) }
    }

    /// Writes the pong that replies to a ping, unless our Close was sent. Unlike
    /// [`pong`](Self::pong), the reply always fits in a buffer of
    /// [`WRITE_BUFFER_MIN`](crate::WRITE_BUFFER_MIN) bytes. A pong that was queued after 4 KiB of
    /// unsent output, or in the reserve, is replaced by the next pong, until it is partly sent. RFC
    /// 6455 section 5.5.3 allows a reply to only the latest ping.
    ///
    /// # Errors
    /// Returns [`Error::Entropy`] if a client gets no masking key. The earlier pong may then be
    /// lost.
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

    /// Writes the next fragment of a message, compressed or not.
    fn write_fragment<S: Storage>(
        &mut self,
        kind: MessageKind,
        bytes: &[u8],
        fin: bool,
        compressed: bool,
        tx: &mut WriteBuffer<S>,
    ) -> Result<(), Error> {
        self.may_send_data(tx)?;
        let opcode = self.next_opcode(kind)?;
        let utf8 = self.utf8_behind(kind, bytes, fin)?;
        if !compressed {
            self.frame(opcode.first_byte(fin), bytes, tx)?;
        }
        #[cfg(feature = "deflate")]
        if let Some(deflation) = self.deflation.as_mut().filter(|_| compressed) {
            deflation.write_frame(kind, bytes, fin, &mut self.role, tx)?;
        }
        self.utf8 = utf8;
        self.fragmented = if fin { None } else { Some(kind) };
        Ok(())
    }

    /// Checks that no payload is pending. A caller that writes only the buffer would never send the
    /// pending payload.
    ///
    /// # Errors
    /// Returns [`Misuse::PayloadPending`] if a payload is pending, and [`Misuse::Closed`] after a
    /// Close.
    #[inline]
    fn may_send_data<S: Storage>(&self, tx: &WriteBuffer<S>) -> Result<(), Misuse> {
        self.may_send()?;
        if tx.has_payload() { Err(Misuse::PayloadPending) } else { Ok(()) }
    }

    /// Returns the opcode of the next fragment of a message of this kind.
    ///
    /// # Errors
    /// Returns [`Misuse::WrongKind`] if the unfinished message has another kind.
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
        // Most frames are short. With a constant header length, the compiler removes most of the
        // code.
        if !crate::config::OPTIMIZE_FOR_SIZE && payload.len() <= MAX_CONTROL {
            let header_len = FrameHeader::len_for(0, R::MASKS);
            return self.write_frame(header_len, first, [&[], payload], tx, CONTROL_RESERVE);
        }
        self.long_frame(first, [&[], payload], tx, CONTROL_RESERVE)
    }

    /// Writes one frame of any length. Its payload consists of two parts.
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

    /// Writes one frame with a header of `header_len` bytes. Reserves space first, so that no key
    /// is drawn for a frame that does not fit.
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
        tx.commit(len, keep);
        Ok(())
    }
}

//! The whole life of a connection: the opening handshake, the open connection on its two halves, the
//! closing handshake. The one place where what is received causes something to be sent.

use crate::buffer::{READ_BUFFER_MIN, ReadBuffer, Storage, WRITE_BUFFER_MIN, WriteBuffer};
use crate::close::{Close, CloseCode};
use crate::frame::MessageKind;
#[cfg(feature = "handshake")]
use crate::handshake::{RequestHead, ResponseHead};
use crate::receiver::{Chunk, Delivery, Incoming, Receiver};
use crate::role::Role;
use crate::sender::Sender;
use crate::utf8::from_utf8;
use crate::{Config, Error, Failure, Misuse, Violation};

/// A WebSocket connection as a state machine. It is driven by three kinds of calls, in any order:
///
/// 1. Bytes from the peer go into a [`ReadBuffer`]; [`receive`](Self::receive) (or
///    [`receive_chunks`](Self::receive_chunks)) is called until it says `None`.
/// 2. The `send_*` methods, [`close`](Self::close), and in the handshake `accept`, `answer`, `connect` and
///    `establish`, put bytes into a [`WriteBuffer`]. Replies that the protocol asks for are put there by `receive`.
/// 3. What is in the [`WriteBuffer`] is written to the peer, and taken out of it.
///
/// When [`is_done`](Self::is_done), what is left in the [`WriteBuffer`] is written and the transport is
/// closed.
///
/// # Things to know when driving it
///
/// * **A slow peer.** While [`WriteBuffer::len`] is high, call neither `receive` nor `space`: the peer is held back by the
///   transport then. What has been received stays where it is.
/// * **Cancelled futures.** A driver that is dropped between two calls can go on with the same machine and buffers. Where a
///   write may be dropped in the middle, write a part and [`consume`](WriteBuffer::consume) what was taken; a `write_all`
///   that is dropped cannot say how far it came.
/// * **Closing the transport.** Closing a TCP socket while the peer is still sending resets the connection, and our last
///   Close or refusal may be lost with it. Shut down the sending side, read and drop what comes until the end of the stream
///   or for a second, then close.
/// * **After our own [`close`](Self::close)** messages still arrive that were on their way. To answer one is
///   [`Misuse::Closed`]: look at [`state`](Self::state) first.
///
/// A failure is final and needs no care: the Close frame or HTTP refusal that is due is in the output, the
/// reason comes as [`Event::Failed`], and whatever follows is ignored.
///
/// ```
/// use sockless::{Config, Event, ReadBuffer, Server, WebSocket, WriteBuffer};
///
/// // A connection that something else has upgraded; see `WebSocket::server` for the whole life.
/// let mut ws = WebSocket::established(Server, Config::default());
/// let (mut rx, mut tx) = (ReadBuffer::new([0; 1024]), WriteBuffer::new([0; 1024]));
/// rx.extend(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"); // "Hello", masked
/// while let Some(event) = ws.receive(&mut rx, &mut tx) {
///     if let Event::Text(text) = event {
///         ws.send_text(text, &mut tx)?; // the event borrows the buffer, not the machine
///     }
/// }
/// assert_eq!(tx.bytes(), b"\x81\x05Hello");
/// # Ok::<(), sockless::Error>(())
/// ```
#[derive(Debug)]
pub struct WebSocket<R> {
    pub(crate) receiver: Receiver,
    pub(crate) sender: Sender<R>,
    pub(crate) phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// As a client, before `connect`.
    #[cfg(feature = "handshake")]
    Idle(HeadLimits),
    /// The peer's HTTP head is being received; so many bytes of it were searched for its end.
    #[cfg(feature = "handshake")]
    Head {
        limits: HeadLimits,
        searched: u32,
    },
    /// The peer's HTTP head was handed out, and the caller has not said what to do about it.
    #[cfg(feature = "handshake")]
    Answer(crate::handshake::Pending),
    /// As a client, in the body of an answer that refused the handshake.
    #[cfg(feature = "handshake")]
    Body {
        remaining: u64,
    },
    /// Open, or closing.
    Open,
    /// As a client, after the closing handshake: the server is to close first.
    Closed,
    Done,
}

#[cfg(feature = "handshake")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HeadLimits {
    pub(crate) size: u32,
    pub(crate) headers: u16,
}

/// Where in its life a connection is, in the terms of RFC 6455 and of the browsers' `readyState`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// The opening handshake is not finished.
    Connecting,
    /// Messages can be sent and received.
    Open,
    /// A Close was sent or received, and not yet both.
    Closing,
    /// Nothing more will be sent or received.
    Closed,
}

/// What the peer did. Borrows the [`ReadBuffer`], never the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'b> {
    /// As a server: a request to open a WebSocket, checked in full. Answer it by
    /// [`accept`](WebSocket::accept) or [`answer`](WebSocket::answer) before the next `receive`, which would refuse it
    /// with 403.
    #[cfg(feature = "handshake")]
    Request(RequestHead<'b>),
    /// As a server: a request for something else, such as a page. Answer it by
    /// [`answer`](WebSocket::answer) before the next `receive`, which would answer 426, or 405 unless it is a GET.
    #[cfg(feature = "handshake")]
    Http(RequestHead<'b>),
    /// As a client: the server's 101, checked in full but for the subprotocol. If any was offered, call
    /// [`establish`](WebSocket::establish) before the next `receive`.
    #[cfg(feature = "handshake")]
    Response(ResponseHead<'b>),
    /// As a client: an answer other than 101 (RFC 6455 section 4.1). Its body follows as
    /// [`Body`](Event::Body), up to the length that the answer gives or the end of the stream, which a server may be slow
    /// to bring about.
    #[cfg(feature = "handshake")]
    Refused(ResponseHead<'b>),
    /// As a client: bytes of the body of the answer that refused, as they are on the wire.
    #[cfg(feature = "handshake")]
    Body(&'b [u8]),
    /// A whole text message.
    Text(&'b str),
    /// A whole binary message.
    Binary(&'b [u8]),
    /// A piece of a message; from [`receive_chunks`](WebSocket::receive_chunks).
    Chunk(Chunk<'b>),
    /// A ping. The pong is in the output already; where more than some 4 KiB of output wait, in the place of the one
    /// before it, as RFC 6455 section 5.5.3 allows.
    Ping(&'b [u8]),
    /// A pong.
    Pong(&'b [u8]),
    /// The peer's Close, answered already; with 1005 if it carried no code. Or, with 1006, the end of the stream
    /// before any Close.
    Close(Close<'b>),
    /// The connection has failed. The answer that is due is in the output already.
    Failed(Failure),
}

impl<R: Role> WebSocket<R> {
    /// A connection that was opened elsewhere: by an HTTP/1.1 library's upgrade, by an extended CONNECT of
    /// HTTP/2 (RFC 8441) or HTTP/3 (RFC 9220), or by agreement. What was received behind the upgrade goes
    /// into the read buffer by [`ReadBuffer::extend`].
    ///
    /// ```
    /// use sockless::{Client, Config, FnEntropy, Server, WebSocket};
    ///
    /// let server = WebSocket::established(Server, Config::default());
    /// let keys = FnEntropy::new(|key| Ok(key.fill(7))); // the caller's entropy
    /// let client = WebSocket::established(Client::new(keys), Config::default());
    /// ```
    #[must_use]
    pub const fn established(role: R, config: Config) -> WebSocket<R> {
        WebSocket::new(role, config, Phase::Open)
    }

    pub(crate) const fn new(role: R, config: Config, phase: Phase) -> WebSocket<R> {
        WebSocket { receiver: Receiver::new(config, !R::MASKS), sender: Sender::new(role), phase }
    }

    /// The next event, or `None` until more bytes are received. Messages are handed out whole, from the
    /// buffer where they lie; those that cannot fit there fail with 1009 as soon as a header says so.
    ///
    /// Replies go into `tx`. Call it until it says `None`, then send what is in `tx`.
    #[inline]
    pub fn receive<'b, S: Storage, T: Storage>(
        &mut self,
        rx: &'b mut ReadBuffer<S>,
        tx: &mut WriteBuffer<T>,
    ) -> Option<Event<'b>> {
        self.next(rx, tx, Delivery::Messages)
    }

    /// The next event, as [`receive`](Self::receive) does it, except that messages are handed out as
    /// [`Event::Chunk`] as soon as any of their bytes are there: a message of any size through a buffer of
    /// 139 bytes.
    ///
    /// Both may be called on the same connection. A message of which a chunk was handed out goes on in chunks.
    #[inline]
    pub fn receive_chunks<'b, S: Storage, T: Storage>(
        &mut self,
        rx: &'b mut ReadBuffer<S>,
        tx: &mut WriteBuffer<T>,
    ) -> Option<Event<'b>> {
        self.next(rx, tx, Delivery::Chunks)
    }

    #[inline]
    fn next<'b, S: Storage, T: Storage>(
        &mut self,
        rx: &'b mut ReadBuffer<S>,
        tx: &mut WriteBuffer<T>,
        delivery: Delivery,
    ) -> Option<Event<'b>> {
        if self.phase != Phase::Open || !fits(rx, tx) {
            if let Some(failure) = self.settle(rx, tx) {
                return Some(Event::Failed(failure));
            }
            if self.phase != Phase::Open {
                return self.outside(rx, tx);
            }
        }
        self.open(rx, tx, delivery)
    }

    /// What has to happen before any input is looked at: buffers that cannot work are refused, and a handshake that
    /// the caller left unanswered is answered.
    #[inline(never)]
    fn settle<S: Storage, T: Storage>(
        &mut self,
        rx: &ReadBuffer<S>,
        tx: &mut WriteBuffer<T>,
    ) -> Option<Failure> {
        if !matches!(self.phase, Phase::Closed | Phase::Done) && !fits(rx, tx) {
            let error = if rx.capacity() < READ_BUFFER_MIN {
                Error::ReadBufferTooSmall { minimum: READ_BUFFER_MIN }
            } else {
                Error::WriteBufferTooSmall { minimum: WRITE_BUFFER_MIN }
            };
            return Some(self.fail(Failure::Local(error), tx));
        }
        #[cfg(feature = "handshake")]
        if let Phase::Answer(_) = self.phase {
            return R::settle(self, tx);
        }
        None
    }

    /// The phases before and after the open connection.
    #[inline(never)]
    fn outside<'b, S: Storage, T: Storage>(
        &mut self,
        rx: &'b mut ReadBuffer<S>,
        tx: &mut WriteBuffer<T>,
    ) -> Option<Event<'b>> {
        match self.phase {
            Phase::Closed | Phase::Done => {
                if rx.at_end() {
                    self.phase = Phase::Done;
                }
                rx.discard();
                None
            }
            #[cfg(feature = "handshake")]
            _ => R::shake_hands(self, rx, tx),
            #[cfg(not(feature = "handshake"))]
            Phase::Open => {
                let _ = tx;
                None
            }
        }
    }

    #[inline]
    fn open<'b, S: Storage, T: Storage>(
        &mut self,
        rx: &'b mut ReadBuffer<S>,
        tx: &mut WriteBuffer<T>,
        delivery: Delivery,
    ) -> Option<Event<'b>> {
        // Most messages are whole and small. The general path below gives the same for them.
        if delivery == Delivery::Messages {
            if let Some((place, kind)) = self.receiver.take_small_message(rx) {
                let bytes = rx.slice(place);
                return Some(match kind {
                    MessageKind::Binary => Event::Binary(bytes),
                    MessageKind::Text => match from_utf8(bytes) {
                        Some(text) => Event::Text(text),
                        None => Event::Failed(self.fail(Violation::InvalidUtf8.into(), tx)),
                    },
                });
            }
        }
        let item = match delivery {
            Delivery::Messages => self.receiver.read(rx, delivery),
            Delivery::Chunks => self.receiver.receive_chunks(rx),
        };
        match item {
            Ok(Some(Incoming::Data(chunk))) => {
                if delivery == Delivery::Chunks || !chunk.is_whole() {
                    return Some(Event::Chunk(chunk));
                }
                Some(match chunk.text() {
                    Some(text) => Event::Text(text),
                    None => Event::Binary(chunk.bytes()),
                })
            }
            Ok(Some(Incoming::Ping(payload))) => Some(self.ping(payload, tx)),
            Ok(Some(Incoming::Pong(payload))) => Some(Event::Pong(payload)),
            Ok(Some(Incoming::Close(close))) => Some(self.closed_by_peer(close, tx)),
            Ok(Some(Incoming::End)) => self.lost(),
            Ok(None) => None,
            Err(violation) => Some(Event::Failed(self.fail(violation.into(), tx))),
        }
    }

    #[cold]
    fn ping<'b, T: Storage>(&mut self, payload: &'b [u8], tx: &mut WriteBuffer<T>) -> Event<'b> {
        // RFC 6455 5.5.2: a ping is answered "unless it already received a Close frame"; 5.5.1: but
        // nothing is sent behind our own Close.
        if let Err(error) = self.sender.reply_pong(payload, tx) {
            return Event::Failed(self.fail(Failure::Local(error), tx));
        }
        Event::Ping(payload)
    }

    #[cold]
    fn closed_by_peer<'b, T: Storage>(
        &mut self,
        close: Close<'b>,
        tx: &mut WriteBuffer<T>,
    ) -> Event<'b> {
        // RFC 6455 5.5.1: an endpoint that "did not previously send a Close frame ... MUST send a Close
        // frame in response", with the status code that it received.
        if let Err(error) = self.sender.reply_close(close.code(), tx) {
            return Event::Failed(self.fail(Failure::Local(error), tx));
        }
        // RFC 6455 7.1.1: the server closes the transport first, the client waits for it.
        self.phase = if self.receiver.awaits_end() { Phase::Closed } else { Phase::Done };
        Event::Close(close)
    }

    /// The stream has ended before the closing handshake did (RFC 6455 section 7.1.5).
    #[cfg_attr(all(target_os = "none", feature = "handshake"), inline(never))]
    pub(crate) fn lost<'b>(&mut self) -> Option<Event<'b>> {
        self.phase = Phase::Done;
        self.sender.shut();
        Some(Event::Close(Close::new(CloseCode::ABNORMAL, "")))
    }

    /// Fails the connection (RFC 6455 section 7.1.7): the Close frame first, if there is still one to send.
    #[cold]
    pub(crate) fn fail<T: Storage>(
        &mut self,
        failure: Failure,
        tx: &mut WriteBuffer<T>,
    ) -> Failure {
        let code = match failure {
            Failure::Protocol(violation) => violation.close_code(),
            _ => CloseCode::INTERNAL_ERROR,
        };
        if self.phase == Phase::Open {
            // Without a key, or a buffer, there is no Close. Its error is the failure's own.
            let _ = self.sender.close(code, "", tx);
        }
        self.sender.shut();
        self.phase = Phase::Done;
        failure
    }

    /// Whether all is over: no more input is wanted, nothing more will be put into the output. Write what is left in
    /// it, and close the transport.
    #[inline]
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.phase == Phase::Done
    }

    /// Where in its life the connection is.
    #[must_use]
    pub fn state(&self) -> State {
        match self.phase {
            Phase::Open if self.sender.is_closed() => State::Closing,
            Phase::Open => State::Open,
            Phase::Closed | Phase::Done => State::Closed,
            #[cfg(feature = "handshake")]
            _ => State::Connecting,
        }
    }

    /// How many payload bytes of the current frame are still to come; see
    /// [`Receiver::frame_remaining`].
    #[must_use]
    pub const fn frame_remaining(&self) -> u64 {
        self.receiver.frame_remaining()
    }

    /// The kind of the message that is being received, known from its first frame's header on.
    #[must_use]
    pub fn message_kind(&self) -> Option<MessageKind> {
        self.receiver.message_kind()
    }

    /// Takes an open connection apart, for a task that receives and another that sends. The read buffer goes
    /// with the receiver.
    ///
    /// # Errors
    /// The connection itself, unless its state is [`State::Open`].
    pub fn into_halves(self) -> Result<(Receiver, Sender<R>), WebSocket<R>> {
        if self.state() == State::Open { Ok((self.receiver, self.sender)) } else { Err(self) }
    }

    /// Puts a text message in one frame.
    ///
    /// # Errors
    /// [`Misuse::NotOpen`] before the handshake is finished; otherwise as for [`Sender::text`].
    #[inline]
    pub fn send_text<T: Storage>(
        &mut self,
        text: &str,
        tx: &mut WriteBuffer<T>,
    ) -> Result<(), Error> {
        self.sending()?.text(text, tx)
    }

    /// Puts a binary message in one frame.
    ///
    /// # Errors
    /// [`Misuse::NotOpen`] before the handshake is finished; otherwise as for [`Sender::text`].
    #[inline]
    pub fn send_binary<T: Storage>(
        &mut self,
        bytes: &[u8],
        tx: &mut WriteBuffer<T>,
    ) -> Result<(), Error> {
        self.sending()?.binary(bytes, tx)
    }

    /// Puts a text message whose payload is written from where it lies; see [`Sender::text_vectored`].
    ///
    /// # Errors
    /// [`Misuse::NotOpen`] before the handshake is finished; otherwise as for [`Sender::text_vectored`].
    #[inline]
    pub fn send_text_vectored<T: Storage>(
        &mut self,
        text: &str,
        tx: &mut WriteBuffer<T>,
    ) -> Result<(), Error> {
        self.sending()?.text_vectored(text, tx)
    }

    /// Puts a binary message whose payload is written from where it lies; see [`Sender::binary_vectored`].
    ///
    /// # Errors
    /// [`Misuse::NotOpen`] before the handshake is finished; otherwise as for [`Sender::binary_vectored`].
    #[inline]
    pub fn send_binary_vectored<T: Storage>(
        &mut self,
        bytes: &[u8],
        tx: &mut WriteBuffer<T>,
    ) -> Result<(), Error> {
        self.sending()?.binary_vectored(bytes, tx)
    }

    /// Puts the next fragment of a message, and with `fin` its end; see [`Sender::fragment`].
    ///
    /// # Errors
    /// [`Misuse::NotOpen`] before the handshake is finished; otherwise as for [`Sender::fragment`].
    pub fn send_fragment<T: Storage>(
        &mut self,
        kind: MessageKind,
        bytes: &[u8],
        fin: bool,
        tx: &mut WriteBuffer<T>,
    ) -> Result<(), Error> {
        self.sending()?.fragment(kind, bytes, fin, tx)
    }

    /// Puts a ping with a payload of at most 125 bytes.
    ///
    /// # Errors
    /// [`Misuse::NotOpen`] before the handshake is finished; otherwise as for [`Sender::ping`].
    pub fn send_ping<T: Storage>(
        &mut self,
        payload: &[u8],
        tx: &mut WriteBuffer<T>,
    ) -> Result<(), Error> {
        self.sending()?.ping(payload, tx)
    }

    /// Puts a pong that nobody asked for, with a payload of at most 125 bytes. Pings are answered without
    /// this.
    ///
    /// # Errors
    /// [`Misuse::NotOpen`] before the handshake is finished; otherwise as for [`Sender::ping`].
    pub fn send_pong<T: Storage>(
        &mut self,
        payload: &[u8],
        tx: &mut WriteBuffer<T>,
    ) -> Result<(), Error> {
        self.sending()?.pong(payload, tx)
    }

    /// Puts our Close: the connection is closing until the peer's Close arrives. Messages may arrive before
    /// it.
    ///
    /// # Errors
    /// [`Misuse::NotOpen`] before the handshake is finished; otherwise as for [`Sender::close`].
    pub fn close<T: Storage>(
        &mut self,
        code: CloseCode,
        reason: &str,
        tx: &mut WriteBuffer<T>,
    ) -> Result<(), Error> {
        self.sending()?.close(code, reason, tx)
    }

    #[inline]
    pub(crate) fn sending(&mut self) -> Result<&mut Sender<R>, Misuse> {
        match self.phase {
            Phase::Open | Phase::Closed | Phase::Done => Ok(&mut self.sender),
            #[cfg(feature = "handshake")]
            _ => Err(Misuse::NotOpen),
        }
    }
}

#[inline]
fn fits<S: Storage, T: Storage>(rx: &ReadBuffer<S>, tx: &WriteBuffer<T>) -> bool {
    rx.capacity() >= READ_BUFFER_MIN && tx.capacity() >= WRITE_BUFFER_MIN
}

/// An event of an open connection whose messages are taken whole: what a handler of events has to be ready for.
#[cfg(feature = "arbitrary")]
impl<'a> arbitrary::Arbitrary<'a> for Event<'a> {
    fn arbitrary(u: &mut arbitrary::Unstructured<'a>) -> arbitrary::Result<Event<'a>> {
        fn control<'a>(u: &mut arbitrary::Unstructured<'a>) -> arbitrary::Result<&'a [u8]> {
            let payload: &[u8] = u.arbitrary()?;
            Ok(payload.get(..125).unwrap_or(payload))
        }
        Ok(match u.int_in_range(0..=6)? {
            0 => Event::Text(u.arbitrary()?),
            1 => Event::Binary(u.arbitrary()?),
            2 => Event::Ping(control(u)?),
            3 => Event::Pong(control(u)?),
            4 => Event::Close(u.arbitrary()?),
            5 => Event::Close(Close::new(CloseCode::ABNORMAL, "")),
            _ => Event::Failed(Failure::Protocol(u.arbitrary()?)),
        })
    }
}

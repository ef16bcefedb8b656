//! Runs a connection: the opening handshake, the open connection with its two halves, and the
//! closing handshake. Only this module and the server's opening handshake write output because of
//! received bytes.

pub(crate) mod event;
#[cfg(feature = "handshake")]
mod handshake;
pub(crate) mod opening;

use core::fmt;

use crate::buffer::{READ_BUFFER_MIN, ReadBuffer, Storage, WRITE_BUFFER_MIN, WriteBuffer};
use crate::close::{Close, CloseCode};
use crate::config::Config;
use crate::error::{Error, Failure, Misuse, Violation};
use crate::frame::MessageKind;
use crate::receiver::{Delivery, Incoming, Receiver};
use crate::role::Role;
use crate::sender::Sender;
use crate::sender::broadcast::Broadcast;
use crate::sender::stream::Streamed;
use crate::utf8::from_utf8;
use event::Event;
use opening::{Opening as _, Outcome};

/// Runs a WebSocket connection as a state machine. Drive the connection by three kinds of calls, in
/// any order:
///
/// 1. Read bytes from the peer into a [`ReadBuffer`]. Then call [`receive`](Self::receive) or
///    [`receive_chunks`](Self::receive_chunks) until the call returns `None`.
/// 2. The `send_*` methods, [`close`](Self::close), and during the handshake `accept`, `respond`,
///    `connect` and `confirm`, write into a [`WriteBuffer`]. `receive` writes the replies that the
///    protocol demands.
/// 3. Write the bytes of the [`WriteBuffer`] to the peer, and consume them.
///
/// When [`is_done`](Self::is_done) returns `true`, write the rest of the [`WriteBuffer`] and close
/// the transport.
///
/// # Driving a connection
///
/// * **A slow peer.** While [`WriteBuffer::len`] is high, delay your own sends. Continue to read
///   and to call `receive`: replies use constant memory. Two peers that stop reading while they
///   send wait for each other forever. Delay `receive` only if each message makes you send one, as
///   in an echo. Received bytes then stay in the read buffer.
/// * **Blocking writes.** Two blocking loops that both send much data can deadlock, because neither
///   reads while its write blocks. Use a thread for each direction, or a transport that does not
///   block.
/// * **Cancelled futures.** A driver that is dropped between two calls can continue with the same
///   [`WebSocket`] and buffers. If a write can be dropped before its end, use `write` and
///   [`consume`](WriteBuffer::consume) the returned number of bytes. A dropped `write_all` does not
///   report the number of written bytes.
/// * **Closing the transport.** If you close a TCP socket while the peer still sends, the
///   connection is reset. Our last Close or refusal may then be lost. Shut down the sending side.
///   Read and discard input until the end of the stream or for a second, then close.
/// * **After our own [`close`](Self::close).** Messages that the peer has already sent still
///   arrive. A send then fails with [`Misuse::Closed`]: check [`state`](Self::state) first.
///
/// A failure is final. The Close or the HTTP refusal is already in the output, and later input is
/// ignored. A client sends nothing if its opening handshake fails. [`Event::Failed`] contains the
/// reason, unless a call such as `confirm` has returned it.
///
/// ```
/// use sockless::{Config, Event, ReadBuffer, Server, WebSocket, WriteBuffer};
///
/// // A connection that an HTTP library has upgraded; see `WebSocket::server` for the whole life.
/// let mut ws = WebSocket::from_upgraded(Server, Config::default());
/// let (mut rx, mut tx) = (ReadBuffer::new([0; 1024]), WriteBuffer::new([0; 1024]));
/// let _ = rx.extend(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"); // "Hello", masked
/// while let Some(event) = ws.receive(&mut rx, &mut tx) {
///     if let Event::Text(text) = event {
///         ws.send_text(text, &mut tx)?; // the event borrows the buffer, not the machine
///     }
/// }
/// assert_eq!(tx.bytes(), b"\x81\x05Hello");
/// # Ok::<(), sockless::Error>(())
/// ```
pub struct WebSocket<R: Role> {
    pub(crate) receiver: Receiver,
    pub(crate) sender: Sender<R>,
    pub(crate) phase: Phase<R::Handshake>,
}

/// Names the phases of a connection. `H` is the opening handshake of the role.
#[derive(Debug)]
pub(crate) enum Phase<H> {
    #[cfg_attr(
        not(feature = "handshake"),
        expect(dead_code, reason = "without handshakes a connection begins open")
    )]
    Opening(H),
    /// Open, or closing.
    Open,
    /// After the closing handshake of a client: the server closes the transport first.
    Closed,
    Done,
}

/// Describes the state of a connection, in the terms of RFC 6455 and of the browsers' `readyState`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// The opening handshake is not finished.
    Connecting,
    /// Messages can be sent and received.
    Open,
    /// Our Close was sent, and the peer's Close has not arrived. A received Close is echoed at
    /// once, so it leads to [`Closed`](State::Closed).
    Closing,
    /// Nothing more will be sent or received.
    Closed,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            State::Connecting => "connecting",
            State::Open => "open",
            State::Closing => "closing",
            State::Closed => "closed",
        })
    }
}

impl<R: Role> fmt::Debug for WebSocket<R> {
    /// Shows only the state: the connection contains keys and bytes of messages.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket").field("state", &self.state()).finish_non_exhaustive()
    }
}

impl<R: Role> WebSocket<R> {
    /// Makes an open connection after an opening handshake outside of this crate. Examples are an
    /// upgrade by an HTTP/1.1 library, and an extended CONNECT of HTTP/2 (RFC 8441) or HTTP/3 (RFC
    /// 9220). Two programs may also agree to start without a handshake. If bytes were received
    /// after the upgrade, copy them into the read buffer with [`ReadBuffer::extend`],
    /// and receive until `None` before the first read.
    ///
    /// ```
    /// use sockless::{Client, Config, FnEntropy, Server, WebSocket};
    ///
    /// let server = WebSocket::from_upgraded(Server, Config::default());
    /// let keys = FnEntropy::new(|key| Ok(key.fill(7))); // the caller's entropy
    /// let client = WebSocket::from_upgraded(Client::new(keys), Config::default());
    /// ```
    #[must_use]
    pub const fn from_upgraded(role: R, config: Config) -> WebSocket<R> {
        WebSocket::new(role, config, Phase::Open)
    }

    /// Returns the next event, or `None` if more bytes are needed. Messages are complete, and their
    /// payload stays in `rx`. If a message cannot fit, the connection fails with 1009 as soon as a
    /// frame header shows the length.
    ///
    /// Writes replies into `tx`. Call `receive` until it returns `None`, then send the output.
    #[inline]
    #[must_use = "the event is lost otherwise"]
    pub fn receive<'b, S: Storage, T: Storage>(
        &mut self,
        rx: &'b mut ReadBuffer<S>,
        tx: &mut WriteBuffer<T>,
    ) -> Option<Event<'b>> {
        self.next(rx, tx, Delivery::Messages)
    }

    /// Returns the next event, or `None` if more bytes are needed. Unlike
    /// [`receive`](Self::receive), returns messages in pieces as they arrive: [`Event::Chunk`]. A
    /// read buffer of 139 bytes is enough for a message of any size.
    ///
    /// A connection can use both methods. A message that has started in chunks continues in chunks.
    #[inline]
    #[must_use = "the event is lost otherwise"]
    pub fn receive_chunks<'b, S: Storage, T: Storage>(
        &mut self,
        rx: &'b mut ReadBuffer<S>,
        tx: &mut WriteBuffer<T>,
    ) -> Option<Event<'b>> {
        self.next(rx, tx, Delivery::Chunks)
    }

    /// Writes a text message as a single frame; see [`Sender::text`].
    ///
    /// # Errors
    /// Returns [`Misuse::NotOpen`] if the opening handshake is not finished, and otherwise the
    /// errors of [`Sender::text`].
    #[inline]
    pub fn send_text<T: Storage>(
        &mut self,
        text: &str,
        tx: &mut WriteBuffer<T>,
    ) -> Result<(), Error> {
        self.sending()?.text(text, tx)
    }

    /// Writes a binary message as a single frame; see [`Sender::binary`].
    ///
    /// # Errors
    /// Returns [`Misuse::NotOpen`] if the opening handshake is not finished, and otherwise the
    /// errors of [`Sender::binary`].
    #[inline]
    pub fn send_binary<T: Storage>(
        &mut self,
        bytes: &[u8],
        tx: &mut WriteBuffer<T>,
    ) -> Result<(), Error> {
        self.sending()?.binary(bytes, tx)
    }

    /// Writes a text message whose payload stays in the caller's memory; see
    /// [`Sender::text_vectored`].
    ///
    /// # Errors
    /// Returns [`Misuse::NotOpen`] if the opening handshake is not finished, and otherwise the
    /// errors of [`Sender::text_vectored`].
    #[inline]
    pub fn send_text_vectored<T: Storage>(
        &mut self,
        text: &str,
        tx: &mut WriteBuffer<T>,
    ) -> Result<(), Error> {
        self.sending()?.text_vectored(text, tx)
    }

    /// Writes a binary message whose payload stays in the caller's memory; see
    /// [`Sender::binary_vectored`].
    ///
    /// # Errors
    /// Returns [`Misuse::NotOpen`] if the opening handshake is not finished, and otherwise the
    /// errors of [`Sender::binary_vectored`].
    #[inline]
    pub fn send_binary_vectored<T: Storage>(
        &mut self,
        bytes: &[u8],
        tx: &mut WriteBuffer<T>,
    ) -> Result<(), Error> {
        self.sending()?.binary_vectored(bytes, tx)
    }

    /// Writes a message that is sent to many connections; see [`Sender::broadcast`].
    ///
    /// # Errors
    /// Returns [`Misuse::NotOpen`] if the opening handshake is not finished, and otherwise the
    /// errors of [`Sender::broadcast`].
    pub fn send_broadcast<B, T: Storage>(
        &mut self,
        message: &Broadcast<B>,
        tx: &mut WriteBuffer<T>,
    ) -> Result<(), Error> {
        self.sending()?.broadcast(message, tx)
    }

    /// Writes the next fragment of a message. With `fin`, the fragment is the last one. See
    /// [`Sender::fragment`].
    ///
    /// # Errors
    /// Returns [`Misuse::NotOpen`] if the opening handshake is not finished, and otherwise the
    /// errors of [`Sender::fragment`].
    pub fn send_fragment<T: Storage>(
        &mut self,
        kind: MessageKind,
        bytes: &[u8],
        fin: bool,
        tx: &mut WriteBuffer<T>,
    ) -> Result<(), Error> {
        self.sending()?.fragment(kind, bytes, fin, tx)
    }

    /// Writes as much of the next part of a message as fits, and advances `input`. With `fin`, the
    /// part is the last one. See [`Sender::stream`].
    ///
    /// # Errors
    /// Returns [`Misuse::NotOpen`] if the opening handshake is not finished, and otherwise the
    /// errors of [`Sender::stream`].
    pub fn send_stream<T: Storage>(
        &mut self,
        kind: MessageKind,
        input: &mut &[u8],
        fin: bool,
        tx: &mut WriteBuffer<T>,
    ) -> Result<Streamed, Error> {
        self.sending()?.stream(kind, input, fin, tx)
    }

    /// Writes a ping with a payload of at most 125 bytes.
    ///
    /// # Errors
    /// Returns [`Misuse::NotOpen`] if the opening handshake is not finished, and otherwise the
    /// errors of [`Sender::ping`].
    pub fn send_ping<T: Storage>(
        &mut self,
        payload: &[u8],
        tx: &mut WriteBuffer<T>,
    ) -> Result<(), Error> {
        self.sending()?.ping(payload, tx)
    }

    /// Writes an unsolicited pong with a payload of at most 125 bytes. `receive` itself replies to
    /// pings.
    ///
    /// # Errors
    /// Returns [`Misuse::NotOpen`] if the opening handshake is not finished, and otherwise the
    /// errors of [`Sender::pong`].
    pub fn send_pong<T: Storage>(
        &mut self,
        payload: &[u8],
        tx: &mut WriteBuffer<T>,
    ) -> Result<(), Error> {
        self.sending()?.pong(payload, tx)
    }

    /// Writes our Close. The connection is closing until the peer's Close arrives. Messages may
    /// arrive before the peer's Close.
    ///
    /// # Errors
    /// Returns [`Misuse::NotOpen`] if the opening handshake is not finished, and otherwise the
    /// errors of [`Sender::close`].
    pub fn close<T: Storage>(
        &mut self,
        code: CloseCode,
        reason: &str,
        tx: &mut WriteBuffer<T>,
    ) -> Result<(), Error> {
        self.sending()?.close(code, reason, tx)
    }

    /// Returns `true` at the end of the connection: no more input is needed and no more output
    /// follows. Write the rest of the output, and close the transport.
    #[inline]
    #[must_use]
    pub fn is_done(&self) -> bool {
        matches!(self.phase, Phase::Done)
    }

    /// Returns the state of the connection.
    #[must_use]
    pub fn state(&self) -> State {
        match self.phase {
            Phase::Open if self.sender.is_closed() => State::Closing,
            Phase::Open => State::Open,
            Phase::Closed | Phase::Done => State::Closed,
            Phase::Opening(_) => State::Connecting,
        }
    }

    /// Returns the number of missing payload bytes of the current frame; see
    /// [`Receiver::frame_remaining`].
    #[must_use]
    pub const fn frame_remaining(&self) -> u64 {
        self.receiver.frame_remaining()
    }

    /// Returns the kind of the message that is being received, or `None` between messages. The kind
    /// is known from the header of the first frame on.
    #[must_use]
    pub fn message_kind(&self) -> Option<MessageKind> {
        self.receiver.message_kind()
    }

    /// Splits an open connection into halves, for one task that receives and another that sends.
    /// Pass the read buffer to the task with the receiver.
    ///
    /// # Errors
    /// Returns the connection if its state is not [`State::Open`].
    pub fn split(self) -> Result<(Receiver, Sender<R>), WebSocket<R>> {
        if self.state() == State::Open { Ok((self.receiver, self.sender)) } else { Err(self) }
    }

    pub(crate) const fn new(role: R, config: Config, phase: Phase<R::Handshake>) -> WebSocket<R> {
        WebSocket { receiver: Receiver::new(config, !R::MASKS), sender: Sender::new(role), phase }
    }

    #[inline]
    fn next<'b, S: Storage, T: Storage>(
        &mut self,
        rx: &'b mut ReadBuffer<S>,
        tx: &mut WriteBuffer<T>,
        delivery: Delivery,
    ) -> Option<Event<'b>> {
        if !matches!(self.phase, Phase::Open) || !have_capacity(rx, tx) {
            if let Some(failure) = self.resume(rx, tx) {
                return Some(Event::Failed(failure));
            }
            if !matches!(self.phase, Phase::Open) {
                return self.receive_handshake(rx, tx);
            }
        }
        self.receive_frames(rx, tx, delivery)
    }

    /// Fails if a buffer is too small. Finishes a handshake if the caller did not answer the
    /// request or confirm the response.
    #[inline(never)]
    fn resume<S: Storage, T: Storage>(
        &mut self,
        rx: &ReadBuffer<S>,
        tx: &mut WriteBuffer<T>,
    ) -> Option<Failure> {
        if !matches!(self.phase, Phase::Closed | Phase::Done) && !have_capacity(rx, tx) {
            let error = if rx.capacity() < READ_BUFFER_MIN {
                Error::ReadBufferTooSmall { minimum: READ_BUFFER_MIN }
            } else {
                Error::WriteBufferTooSmall { minimum: WRITE_BUFFER_MIN }
            };
            return Some(self.fail(Failure::Local(error), tx));
        }
        let Phase::Opening(opening) = &mut self.phase else { return None };
        let failure = opening.resume(tx);
        self.leave_handshake();
        failure
    }

    /// Receives input before and after the open phase.
    #[inline(never)]
    fn receive_handshake<'b, S: Storage, T: Storage>(
        &mut self,
        rx: &'b mut ReadBuffer<S>,
        tx: &mut WriteBuffer<T>,
    ) -> Option<Event<'b>> {
        let Phase::Opening(opening) = &mut self.phase else {
            if rx.at_end() {
                self.phase = Phase::Done;
            }
            rx.discard();
            return None;
        };
        let event = opening.receive(rx, tx);
        self.leave_handshake();
        event
    }

    /// Leaves the opening handshake if the handshake is over.
    fn leave_handshake(&mut self) {
        let Phase::Opening(opening) = &self.phase else { return };
        match opening.outcome() {
            Outcome::Pending => {}
            Outcome::Open => {
                #[cfg(feature = "deflate")]
                let compression = opening.compression();
                self.phase = Phase::Open;
                #[cfg(feature = "deflate")]
                if let Some((agreement, config)) = compression {
                    self.begin_deflate(agreement, &config);
                }
            }
            Outcome::Done => {
                self.phase = Phase::Done;
                self.sender.shut();
            }
        }
    }

    #[inline]
    fn receive_frames<'b, S: Storage, T: Storage>(
        &mut self,
        rx: &'b mut ReadBuffer<S>,
        tx: &mut WriteBuffer<T>,
        delivery: Delivery,
    ) -> Option<Event<'b>> {
        // Most messages are complete and small. For these messages, the general path below has an
        // equal result.
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
        let in_chunks = delivery == Delivery::Chunks || self.receiver.in_chunks();
        let item = match delivery {
            Delivery::Messages => self.receiver.read(rx, delivery),
            Delivery::Chunks => self.receiver.receive_chunks(rx),
        };
        match item {
            Ok(Some(Incoming::Data(chunk))) => {
                if in_chunks {
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
            Ok(Some(Incoming::End)) => self.end_of_stream(),
            Ok(None) => None,
            Err(violation) => Some(Event::Failed(self.fail(violation.into(), tx))),
        }
    }

    #[cold]
    fn ping<'b, T: Storage>(&mut self, payload: &'b [u8], tx: &mut WriteBuffer<T>) -> Event<'b> {
        // RFC 6455 section 5.5.2: a ping is answered "unless it already received a Close frame";
        // section 5.5.1: nothing follows our own Close.
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
        // RFC 6455 section 5.5.1: an endpoint that "did not previously send a Close frame ... MUST
        // send a Close frame in response". The reply has the received status code.
        if let Err(error) = self.sender.reply_close(close.code(), tx) {
            return Event::Failed(self.fail(Failure::Local(error), tx));
        }
        // RFC 6455 section 7.1.1: the server closes the transport first, and the client waits.
        self.phase = if self.receiver.awaits_end() { Phase::Closed } else { Phase::Done };
        Event::Close(close)
    }

    /// Ends the connection after the end of the stream without a Close (RFC 6455 section 7.1.5).
    #[cfg_attr(all(target_os = "none", feature = "handshake"), inline(never))]
    pub(crate) fn end_of_stream<'b>(&mut self) -> Option<Event<'b>> {
        self.phase = Phase::Done;
        self.sender.shut();
        Some(Event::Close(Close::ABNORMAL))
    }

    /// Fails the connection (RFC 6455 section 7.1.7). If no Close was sent, writes a Close.
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
        if matches!(self.phase, Phase::Open) {
            // An error is ignored: without a key or space there is no Close, and the failure
            // already has a reason.
            let _ = self.sender.close(code, "", tx);
        }
        self.sender.shut();
        self.phase = Phase::Done;
        failure
    }

    #[inline]
    pub(crate) fn sending(&mut self) -> Result<&mut Sender<R>, Misuse> {
        match self.phase {
            Phase::Open | Phase::Closed | Phase::Done => Ok(&mut self.sender),
            Phase::Opening(_) => Err(Misuse::NotOpen),
        }
    }
}

#[inline]
fn have_capacity<S: Storage, T: Storage>(rx: &ReadBuffer<S>, tx: &WriteBuffer<T>) -> bool {
    rx.capacity() >= READ_BUFFER_MIN && tx.capacity() >= WRITE_BUFFER_MIN
}

//! The stream: both directions of a connection in one value.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_sink::Sink;
use sockless::deflate::{DeflateConfig, DeflateParams};
use sockless::{CloseCode, ReadBuffer};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::engine::{Engine, Timer, Whole};
use crate::message::{CloseFrame, Event, Message, Text};
use crate::pool::Pooled;
use crate::read::ReadSide;
use crate::wakers::{Side, Wakers};
use crate::write::WriteSide;
use crate::{Error, Options, Role};

/// An open WebSocket connection over a transport of bytes, in either role.
///
/// It is a [`Stream`] of `Result<Message, Error>` and a [`Sink`] of [`Message`], and has methods of
/// its own for both. What was agreed in the opening handshake is in
/// [`subprotocol`](Self::subprotocol) and [`is_compressed`](Self::is_compressed).
///
/// # Who does what
/// Poll the receiving side, by `next`, `recv` or the `Stream`: it answers pings and Closes, sends
/// pings when the peer is silent, and watches the time limits. A send that waits watches them too.
/// Each method is cancel safe, as it says.
///
/// # Backpressure
/// `feed` and `send` wait while [`Options::high_water`] unsent bytes are queued. A send that waits
/// reads ahead what the peer sends, up to the size of one largest message, so two peers that send
/// to each other before they read do not wait for each other. Beyond that limit they do: read now
/// and then, or [`split`](Self::split) the stream. Answers to pings take constant memory.
///
/// If the peer ends its stream while a send waits, the send fails at once, unless bytes are unread:
/// these may be a Close. Then the send waits for the peer to read, or for a time limit.
pub struct WebSocketStream<IO> {
    pub(crate) engine: Engine<Whole<IO>>,
    pub(crate) agreed: Agreed,
}

/// The agreement of the opening handshake.
#[derive(Default)]
pub(crate) struct Agreed {
    pub(crate) subprotocol: Option<Box<str>>,
    pub(crate) deflate: Option<(DeflateParams, DeflateConfig)>,
}

/// Queues one message without waiting. Writes as much of a large message at once as the transport
/// accepts, which saves a copy.
pub struct Queue<'a, IO> {
    link: &'a mut Whole<IO>,
}

impl<IO> fmt::Debug for WebSocketStream<IO> {
    /// Leaves out the subprotocol, payloads and the transport: they may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketStream")
            .field("subprotocol", &self.agreed.subprotocol.is_some())
            .field("compressed", &self.agreed.deflate.is_some())
            .field("unsent", &self.engine.link.write.unsent())
            .finish_non_exhaustive()
    }
}

impl<IO> fmt::Debug for Queue<'_, IO> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("unsent", &self.link.write.unsent()).finish_non_exhaustive()
    }
}

impl<IO: AsyncWrite + Unpin> Queue<'_, IO> {
    /// Queues a text message.
    ///
    /// # Errors
    /// As for [`WebSocketStream::send`].
    pub fn text(&mut self, text: &str) -> Result<(), Error> {
        let Whole { io, write, wakers, .. } = &mut *self.link;
        write.write_text(text, io, &mut Context::from_waker(wakers.waker()))
    }

    /// Queues a binary message.
    ///
    /// # Errors
    /// As for [`WebSocketStream::send`].
    pub fn binary(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let Whole { io, write, wakers, .. } = &mut *self.link;
        write.write_binary(bytes, io, &mut Context::from_waker(wakers.waker()))
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> WebSocketStream<IO> {
    /// Wraps a transport whose upgrade was done elsewhere. `read` is what was received after the
    /// head of the upgrade, and `agreement` what was negotiated on compression, if anything was.
    /// [`with_subprotocol`](Self::with_subprotocol) adds the subprotocol.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), sockless_tokio::Error> {
    /// use sockless_tokio::{Message, Options, Role, WebSocketStream};
    ///
    /// let (a, b) = tokio::io::duplex(1024);
    /// let options = Options::new();
    /// let mut server = WebSocketStream::from_upgraded(a, Role::Server, None, b"", &options);
    /// let mut client = WebSocketStream::from_upgraded(b, Role::Client, None, b"", &options);
    /// client.send("Hello").await?;
    /// assert_eq!(server.next().await.unwrap()?, Message::text("Hello"));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn from_upgraded(
        io: IO,
        role: Role,
        agreement: Option<DeflateParams>,
        read: &[u8],
        options: &Options,
    ) -> WebSocketStream<IO> {
        let mut rx = ReadBuffer::new(Pooled::new(options.read_limit().max(read.len())));
        let taken = rx.extend(read);
        debug_assert_eq!(taken, read.len());
        let deflate = agreement
            .map(|agreement| (agreement, options.deflate.unwrap_or(DeflateConfig::DEFAULT)));
        let agreed = Agreed { subprotocol: None, deflate };
        WebSocketStream::from_handshake(io, role, agreed, rx, options)
    }

    /// Sets the subprotocol that [`subprotocol`](Self::subprotocol) returns, after an upgrade that
    /// was done elsewhere.
    ///
    /// ```
    /// use sockless_tokio::{Options, Role, WebSocketStream};
    ///
    /// let (io, _) = tokio::io::duplex(1024);
    /// let ws = WebSocketStream::from_upgraded(io, Role::Server, None, b"", &Options::new())
    ///     .with_subprotocol(Some("chat"));
    /// assert_eq!(ws.subprotocol(), Some("chat"));
    /// ```
    #[must_use]
    pub fn with_subprotocol(mut self, name: Option<&str>) -> WebSocketStream<IO> {
        self.agreed.subprotocol = name.map(Into::into);
        self
    }

    pub(crate) fn from_handshake(
        io: IO,
        role: Role,
        agreed: Agreed,
        mut rx: ReadBuffer<Pooled>,
        options: &Options,
    ) -> WebSocketStream<IO> {
        rx.release();
        let wakers = Wakers::new();
        let timer = Timer::new(options.timers, &wakers);
        let alarm = timer.alarm().clone();
        let write = WriteSide::new(role, agreed.deflate, options.high_water, timer);
        let read = ReadSide::new(role, options.config, agreed.deflate, rx);
        let engine = Engine::new(Whole::new(io, write, wakers), role, read, alarm);
        WebSocketStream { engine, agreed }
    }

    /// Receives the next message or control frame; `None` when the connection is over.
    ///
    /// The reply to a ping or a Close is queued before the item is returned. A pong is written by
    /// later calls; of the reply to a Close, as much as the transport accepts is written at once.
    /// After a Close, or an error of the protocol, the next call ends the connection in order: it
    /// flushes, shuts our direction down, reads the peer's to its end, within
    /// [`Options::close_timeout`], and returns `None`.
    ///
    /// # Cancel safety
    /// If the future is dropped, no message is lost: the next call returns it.
    ///
    /// # Errors
    /// Each once, as the last item but `None`, after the messages that were read before it; a time
    /// limit that has passed, after those of one last read.
    /// [`Error::UnexpectedEnd`] if the stream ended without a Close. [`Error::Io`] if a read or a
    /// write has failed. [`Error::TimedOut`] if a limit of [`Options`] has passed.
    pub async fn next(&mut self) -> Option<Result<Message, Error>> {
        Some(self.recv().await?.map(|event| event.to_message()))
    }

    /// Receives the next message or control frame as [`next`](Self::next) does, without a copy: it
    /// lies in the read buffer.
    ///
    /// # Cancel safety
    /// If the future is dropped, no message is lost: the next call returns it.
    ///
    /// # Errors
    /// As for [`next`](Self::next).
    pub async fn recv(&mut self) -> Option<Result<Event<'_>, Error>> {
        poll_fn(|cx| self.engine.poll_ready(Side::Receiving, cx)).await;
        self.engine.take()
    }

    /// Receives as [`recv`](Self::recv) does, and lends a queue for what is to be sent because of
    /// it. It waits first until there is room for a message. What is queued is written when there
    /// is nothing to read, so the answers to many small messages leave together.
    ///
    /// ```
    /// # async fn echo(mut ws: sockless_tokio::WebSocketStream<tokio::net::TcpStream>)
    /// #     -> Result<(), sockless_tokio::Error> {
    /// use sockless_tokio::Event;
    ///
    /// while let Some(received) = ws.recv_and_queue().await {
    ///     match received? {
    ///         (Event::Text(text), mut queue) => queue.text(text)?,
    ///         (Event::Binary(bytes), mut queue) => queue.binary(bytes)?,
    ///         _ => {}
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Cancel safety
    /// If the future is dropped, no message is lost: the next call returns it.
    ///
    /// # Errors
    /// As for [`next`](Self::next).
    pub async fn recv_and_queue(&mut self) -> Option<Result<(Event<'_>, Queue<'_, IO>), Error>> {
        poll_fn(|cx| self.engine.poll_ready_with_room(cx)).await;
        let taken = self.engine.take_and_queue()?;
        Some(taken.map(|(event, link)| (event, Queue { link })))
    }

    /// Sends a message: queues it and flushes.
    ///
    /// # Cancel safety
    /// If the future is dropped, the message is queued whole or not at all, and what is queued is
    /// written by later calls. If you need to know which, [`feed`](Self::feed) and
    /// [`flush`](Self::flush).
    ///
    /// # Errors
    /// [`Error::Closed`] after our Close; [`Error::Io`], [`Error::TimedOut`] or
    /// [`Error::UnexpectedEnd`] if the connection has failed, also for a message that was queued
    /// before; [`Error::Misuse`] for what cannot be sent, such as a ping of more than 125 bytes.
    pub async fn send(&mut self, message: impl Into<Message>) -> Result<(), Error> {
        self.feed(message).await?;
        self.flush().await
    }

    /// Queues a message. It is written by [`flush`](Self::flush), by a receive that has to wait for
    /// the peer, or when the queue is full.
    ///
    /// # Cancel safety
    /// If the future is dropped before it is ready, the message was not queued.
    ///
    /// # Errors
    /// As for [`send`](Self::send).
    pub async fn feed(&mut self, message: impl Into<Message>) -> Result<(), Error> {
        poll_fn(|cx| self.engine.poll_room(Side::Sending, cx)).await?;
        self.engine.queue(message.into())
    }

    /// Waits until everything is written that is queued now.
    ///
    /// # Cancel safety
    /// If the future is dropped, nothing is lost: later calls go on.
    ///
    /// # Errors
    /// As for [`send`](Self::send).
    pub async fn flush(&mut self) -> Result<(), Error> {
        self.engine.link.write.mark();
        poll_fn(|cx| self.engine.poll_flush(Side::Sending, cx)).await
    }

    /// Closes the connection: sends a Close, waits for the peer's and for the end of the stream,
    /// within [`Options::close_timeout`]. Messages that still arrive are dropped; to receive them,
    /// send a [`Message::Close`] instead and call [`next`](Self::next) until it returns `None`.
    ///
    /// The time to write what is queued already counts towards the limit. If the peer may read it
    /// more slowly than that, [`flush`](Self::flush) first.
    ///
    /// # Cancel safety
    /// If the future is dropped, the Close is queued and later calls go on. A second call goes on
    /// waiting.
    ///
    /// # Errors
    /// [`Error::TimedOut`], [`Error::UnexpectedEnd`] or what else came instead of the peer's Close;
    /// [`Error::Misuse`] for a code that cannot be sent.
    pub async fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        if !self.engine.link.write.is_closed() {
            self.engine.link.write.close(code, reason)?;
        }
        while let Some(event) = self.recv().await {
            event?;
        }
        Ok(())
    }

    /// Returns the subprotocol that was agreed on.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.agreed.subprotocol.as_deref()
    }

    /// Returns `true` if permessage-deflate was agreed on.
    #[must_use]
    pub const fn is_compressed(&self) -> bool {
        self.agreed.deflate.is_some()
    }

    /// Returns the number of bytes that are queued and not written.
    #[must_use]
    pub const fn unsent(&self) -> usize {
        self.engine.link.write.unsent()
    }

    /// Returns the transport.
    #[must_use]
    pub const fn get_ref(&self) -> &IO {
        &self.engine.link.io
    }

    /// Returns the transport. What is read from it or written to it breaks the connection.
    #[must_use]
    pub const fn get_mut(&mut self) -> &mut IO {
        &mut self.engine.link.io
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Stream for WebSocketStream<IO> {
    type Item = Result<Message, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let engine = &mut self.get_mut().engine;
        ready!(engine.poll_ready(Side::Receiving, cx));
        Poll::Ready(engine.take().map(|event| event.map(|event| event.to_message())))
    }
}

/// `poll_flush` waits for what was sent, and writes what the transport takes of the replies behind
/// it. `poll_close` sends a Close with code 1000 and flushes it. The rest of the closing handshake
/// is the receiving side's.
impl<IO: AsyncRead + AsyncWrite + Unpin> Sink<Message> for WebSocketStream<IO> {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.get_mut().engine.poll_room(Side::Sending, cx)
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        self.get_mut().engine.queue(message)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.get_mut().engine.poll_flush(Side::Sending, cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let engine = &mut self.get_mut().engine;
        if !engine.link.write.is_closed() {
            let close = CloseFrame { code: CloseCode::NORMAL, reason: Text::from_static("") };
            engine.queue(Message::Close(Some(close)))?;
        }
        engine.poll_flush(Side::Sending, cx)
    }
}

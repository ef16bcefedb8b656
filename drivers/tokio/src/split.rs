//! The two directions of a connection, for two tasks.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_sink::Sink;
use sockless::MessageKind;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, Join, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use crate::engine::{Engine, Linked, Shared, Whole};
use crate::message::{CloseFrame, Event, Message};
use crate::stream::{Agreed, WebSocketStream};
use crate::wakers::Side;
use crate::write::WriteSide;
use crate::{CloseCode, Error};

/// A transport that can be split into an owned reader and an owned writer.
///
/// TCP and Unix sockets split without a lock. [`Transport`](crate::Transport), [`DuplexStream`],
/// the streams of tokio-rustls (feature `rustls`) and those of hyper (feature `http`) split by the
/// lock of [`tokio::io::split`].
///
/// Split a transport of another crate before the handshake. [`Join`] makes one transport of any two
/// halves, and splits into them again:
///
/// ```
/// # async fn run() -> Result<(), sockless_tokio::Error> {
/// # let (socket, _) = tokio::io::duplex(64);
/// # let foreign = tokio::io::BufStream::new(socket);
/// let (reader, writer) = tokio::io::split(foreign);
/// let ws = sockless_tokio::accept(tokio::io::join(reader, writer)).await?;
/// let (mut reader, mut writer) = ws.split();
/// # Ok(())
/// # }
/// ```
pub trait SplitTransport: AsyncRead + AsyncWrite + Unpin + Sized {
    /// The reading half.
    type Reader: AsyncRead + Unpin;
    /// The writing half.
    type Writer: AsyncWrite + Unpin;

    /// Splits the transport.
    fn split(self) -> (Self::Reader, Self::Writer);

    /// Puts the halves together. Both come from one call of [`split`](Self::split).
    fn reunite(reader: Self::Reader, writer: Self::Writer) -> Self;
}

impl SplitTransport for TcpStream {
    type Reader = OwnedReadHalf;
    type Writer = OwnedWriteHalf;

    fn split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        self.into_split()
    }

    fn reunite(reader: OwnedReadHalf, writer: OwnedWriteHalf) -> TcpStream {
        reader.reunite(writer).expect("halves of one socket")
    }
}

#[cfg(unix)]
impl SplitTransport for tokio::net::UnixStream {
    type Reader = tokio::net::unix::OwnedReadHalf;
    type Writer = tokio::net::unix::OwnedWriteHalf;

    fn split(self) -> (Self::Reader, Self::Writer) {
        self.into_split()
    }

    fn reunite(reader: Self::Reader, writer: Self::Writer) -> Self {
        reader.reunite(writer).expect("halves of one socket")
    }
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> SplitTransport for Join<R, W> {
    type Reader = R;
    type Writer = W;

    fn split(self) -> (R, W) {
        self.into_inner()
    }

    fn reunite(reader: R, writer: W) -> Self {
        tokio::io::join(reader, writer)
    }
}

macro_rules! split_by_lock {
    ($([$($generics:tt)*] $transport:ty),+ $(,)?) => {$(
        impl<$($generics)*> SplitTransport for $transport {
            type Reader = ReadHalf<Self>;
            type Writer = WriteHalf<Self>;

            fn split(self) -> (ReadHalf<Self>, WriteHalf<Self>) {
                tokio::io::split(self)
            }

            fn reunite(reader: ReadHalf<Self>, writer: WriteHalf<Self>) -> Self {
                reader.unsplit(writer)
            }
        }
    )+};
}

split_by_lock!([] DuplexStream, [] crate::Transport);
#[cfg(feature = "http")]
split_by_lock!([] crate::http::UpgradedIo);
#[cfg(feature = "rustls")]
split_by_lock!(
    [IO: AsyncRead + AsyncWrite + Unpin] tokio_rustls::server::TlsStream<IO>,
    [IO: AsyncRead + AsyncWrite + Unpin] tokio_rustls::client::TlsStream<IO>,
    [IO: AsyncRead + AsyncWrite + Unpin] tokio_rustls::TlsStream<IO>,
);

/// The receiving half of a [`WebSocketStream`], from [`WebSocketStream::split`].
///
/// It answers pings and Closes, sends pings when the peer is silent, and watches the time limits,
/// while the [`Writer`] sleeps or sends. It reads and parses messages without a lock. It takes the
/// lock of the sending side if it has a reply or a ping to send, and while queued bytes wait for
/// the transport.
pub struct Reader<IO: SplitTransport> {
    engine: Engine<Linked<IO::Reader, IO::Writer>>,
    agreed: Agreed,
}

/// The sending half of a [`WebSocketStream`], from [`WebSocketStream::split`].
///
/// [`send`](Self::send) takes one lock each time it is polled. The lock is free unless the
/// [`Reader`] is writing a reply or queued bytes. A send that waits watches the time limits too, so
/// it ends even if the reader is busy or dropped. Bytes of the peer count when the reader reads
/// them. A writer that is dropped leaves the connection open for the reader; close it by
/// [`close`](Self::close) first.
pub struct Writer<IO: SplitTransport> {
    shared: Arc<Shared<IO::Writer>>,
}

impl<IO: SplitTransport> fmt::Debug for Reader<IO> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reader")
    }
}

impl<IO: SplitTransport> fmt::Debug for Writer<IO> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Writer")
    }
}

/// Halves of two different streams, handed back by [`Reader::reunite`].
pub struct ReuniteError<IO: SplitTransport>(pub Reader<IO>, pub Writer<IO>);

impl<IO: SplitTransport> fmt::Debug for ReuniteError<IO> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReuniteError")
    }
}

impl<IO: SplitTransport> fmt::Display for ReuniteError<IO> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the halves belong to different streams")
    }
}

impl<IO: SplitTransport> std::error::Error for ReuniteError<IO> {}

impl<IO: SplitTransport> WebSocketStream<IO> {
    /// Splits the stream into halves that two tasks own.
    ///
    /// ```
    /// # async fn run(ws: sockless_tokio::WebSocketStream<tokio::net::TcpStream>)
    /// #     -> Result<(), sockless_tokio::Error> {
    /// let (mut reader, mut writer) = ws.split();
    /// let sending = tokio::spawn(async move { writer.send("Hello").await });
    /// while let Some(message) = reader.next().await {
    ///     println!("{:?}", message?);
    /// }
    /// # sending.await.unwrap()
    /// # }
    /// ```
    #[must_use]
    pub fn split(self) -> (Reader<IO>, Writer<IO>) {
        let WebSocketStream { engine, agreed } = self;
        let engine = engine.map(|Whole { io, write, wakers, .. }| {
            let (io, writer) = io.split();
            Linked { io, shared: Arc::new(Shared::new(writer, write, wakers)) }
        });
        let shared = engine.link.shared.clone();
        (Reader { engine, agreed }, Writer { shared })
    }
}

impl<IO: SplitTransport> Reader<IO> {
    /// Receives the next message or control frame; see [`WebSocketStream::next`].
    ///
    /// # Cancel safety
    /// If the future is dropped, no message is lost.
    ///
    /// # Errors
    /// As for [`WebSocketStream::next`].
    pub async fn next(&mut self) -> Option<Result<Message, Error>> {
        Some(self.recv().await?.map(|event| event.to_message()))
    }

    /// Receives without a copy; see [`WebSocketStream::recv`].
    ///
    /// # Cancel safety
    /// If the future is dropped, no message is lost.
    ///
    /// # Errors
    /// As for [`WebSocketStream::next`].
    pub async fn recv(&mut self) -> Option<Result<Event<'_>, Error>> {
        poll_fn(|cx| self.engine.poll_ready(Side::Receiving, cx)).await;
        self.engine.take()
    }

    /// Returns the subprotocol that was agreed on.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.agreed.subprotocol.as_deref()
    }

    /// Puts the halves together.
    ///
    /// # Errors
    /// Returns the halves if they belong to different streams.
    #[allow(clippy::result_large_err)] // The caller gets its halves back as they were.
    pub fn reunite(self, writer: Writer<IO>) -> Result<WebSocketStream<IO>, ReuniteError<IO>> {
        if !Arc::ptr_eq(&self.engine.link.shared, &writer.shared) {
            return Err(ReuniteError(self, writer));
        }
        drop(writer);
        let Reader { engine, agreed } = self;
        let engine = engine.map(|Linked { io, shared }| {
            let shared = Arc::into_inner(shared).expect("no other half is left");
            let (writer, write, wakers) = shared.into_inner();
            Whole::new(IO::reunite(io, writer), write, wakers)
        });
        Ok(WebSocketStream { engine, agreed })
    }
}

impl<IO: SplitTransport> Stream for Reader<IO> {
    type Item = Result<Message, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let engine = &mut self.get_mut().engine;
        ready!(engine.poll_ready(Side::Receiving, cx));
        Poll::Ready(engine.take().map(|event| event.map(|event| event.to_message())))
    }
}

impl<IO: SplitTransport> Unpin for Reader<IO> {}
impl<IO: SplitTransport> Unpin for Writer<IO> {}

impl<IO: SplitTransport> Writer<IO> {
    /// Sends a message: queues it and flushes.
    ///
    /// # Cancel safety
    /// As for [`WebSocketStream::send`]: queued whole or not at all.
    ///
    /// # Errors
    /// As for [`WebSocketStream::send`].
    pub async fn send(&mut self, message: impl Into<Message>) -> Result<(), Error> {
        let mut message = Some(message.into());
        poll_fn(|cx| self.poll_send(&mut message, cx)).await
    }

    /// Queues a message. It is written by [`flush`](Self::flush), by a [`Reader`] that waits for
    /// the peer, or when the queue is full. A reader that waits already is not woken to write what
    /// is queued by the `Sink`.
    ///
    /// # Cancel safety
    /// If the future is dropped before it is ready, the message was not queued.
    ///
    /// # Errors
    /// As for [`WebSocketStream::send`].
    pub async fn feed(&mut self, message: impl Into<Message>) -> Result<(), Error> {
        poll_fn(|cx| self.poll_room(cx)).await?;
        self.feed_now(|write| write.queue(message.into()))
    }

    /// Queues a fragment of a message, and with `fin` its end: a message of any size, which never
    /// lies in memory as a whole. Text may be cut anywhere, also inside a character.
    ///
    /// # Cancel safety
    /// If the future is dropped before it is ready, the fragment was not queued.
    ///
    /// # Errors
    /// As for [`WebSocketStream::send`]; [`Error::Misuse`] for a fragment of another kind than the
    /// message, and for text that is not UTF-8.
    pub async fn feed_fragment(
        &mut self,
        kind: MessageKind,
        bytes: &[u8],
        fin: bool,
    ) -> Result<(), Error> {
        poll_fn(|cx| self.poll_room(cx)).await?;
        self.feed_now(|write| write.queue_fragment(kind, bytes, fin))
    }

    /// Waits until everything is written that is queued now, also by the [`Reader`].
    ///
    /// # Cancel safety
    /// If the future is dropped, nothing is lost.
    ///
    /// # Errors
    /// As for [`WebSocketStream::send`].
    pub async fn flush(&mut self) -> Result<(), Error> {
        self.shared.with(|_, write, _| write.mark());
        poll_fn(|cx| self.poll_write(cx)).await
    }

    /// Sends a Close. The [`Reader`] receives the peer's, and ends the connection.
    ///
    /// # Cancel safety
    /// As for [`send`](Self::send).
    ///
    /// # Errors
    /// As for [`send`](Self::send).
    pub async fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        self.send(Message::Close(Some(CloseFrame { code, reason: reason.into() }))).await
    }

    /// Queues by `queue`. A reader that waits for the peer is woken, to write what is queued when
    /// it is polled. While the transport is awaited, it wakes the reader itself.
    fn feed_now(
        &self,
        queue: impl FnOnce(&mut WriteSide) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let (awaited, queued) = self.shared.with(|_, write, _| (write.is_awaited(), queue(write)));
        if !awaited {
            self.shared.wakers.wake(Side::Receiving);
        }
        queued
    }

    fn poll_room(&self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.shared.with(|io, write, both| self.poll_room_in(io, write, both, cx))
    }

    fn poll_room_in(
        &self,
        io: &mut IO::Writer,
        write: &mut WriteSide,
        both: &mut Context<'_>,
        cx: &Context<'_>,
    ) -> Poll<Result<(), Error>> {
        if write.has_room() {
            return Poll::Ready(Ok(()));
        }
        self.poll_write_in(io, write, both, cx)
    }

    /// Queues the message once there is room and writes it, under one lock.
    fn poll_send(
        &self,
        message: &mut Option<Message>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        self.shared.with(|io, write, both| {
            if message.is_some() {
                ready!(self.poll_room_in(io, write, both, cx))?;
            }
            if let Some(message) = message.take() {
                write.queue(message)?;
            }
            self.poll_write_in(io, write, both, cx)
        })
    }

    fn poll_write(&self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.shared.with(|io, write, both| self.poll_write_in(io, write, both, cx))
    }

    /// Writes what is queued, and waits for what the writer has queued. While the transport takes
    /// nothing, watches the limits: the reader may be busy or dropped.
    fn poll_write_in(
        &self,
        io: &mut IO::Writer,
        write: &mut WriteSide,
        both: &mut Context<'_>,
        cx: &Context<'_>,
    ) -> Poll<Result<(), Error>> {
        if write.is_flushed() {
            return Poll::Ready(Ok(()));
        }
        self.shared.wakers.register(Side::Sending, cx.waker());
        let mut sent = write.poll_sent(io, both);
        if sent.is_pending() {
            write.poll_limits(io, both);
            if write.is_over() {
                sent = write.poll_sent(io, both);
            }
        }
        sent.map(|sent| if sent { Ok(()) } else { Err(write.cause()) })
    }
}

impl<IO: SplitTransport> Sink<Message> for Writer<IO> {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_room(cx)
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        // A sink is flushed next, so nobody is woken.
        self.shared.with(|_, write, _| write.queue(message))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_write(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.shared.with(|io, write, both| {
            if !write.is_closed() {
                write.close(CloseCode::NORMAL, "")?;
            }
            self.poll_write_in(io, write, both, cx)
        })
    }
}

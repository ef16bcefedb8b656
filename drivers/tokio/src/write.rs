//! The sending side of a connection, without its transport.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use sockless::deflate::{DeflateConfig, DeflateParams};
use sockless::{Client, CloseCode, MessageKind, Reply, Sender, Server, WriteBuffer};
use tokio::io::AsyncWrite;

use crate::message::Message;
use crate::pool::{Pooled, ThreadEntropy, with_codecs};
use crate::{Error, Role};

/// From this many bytes on, a server's payload is written from where it lies.
const VECTORED: usize = 4 << 10;

/// From this many bytes on, a server's borrowed payload is written at once. A write of its own
/// costs less than a copy of that size, and more than a copy of a smaller one.
const WRITE_NOW: usize = 32 << 10;

/// Capacity of a write buffer: what memory has. The high-water mark limits what is queued.
const WRITE_LIMIT: usize = isize::MAX as usize / 2;

#[derive(Debug)]
enum AnySender {
    Server(Sender<Server>),
    Client(Sender<Client<ThreadEntropy>>),
}

/// Calls a method of the sender, whatever its role.
macro_rules! with_sender {
    ($self:expr, $sender:ident => $call:expr) => {
        match &mut $self.sender {
            AnySender::Server($sender) => $call,
            AnySender::Client($sender) => $call,
        }
    };
}

/// Calls a method of the sender that queues output. Refuses the output after a failed write, which
/// can have ended inside a frame.
macro_rules! queue {
    ($self:expr, $sender:ident => $call:expr) => {
        if $self.broken {
            Err(Error::Closed)
        } else {
            with_sender!($self, $sender => $call).map_err(Error::from)
        }
    };
}

/// The unsent bytes, and the machine that encodes them.
#[derive(Debug)]
pub(crate) struct WriteSide {
    sender: AnySender,
    tx: WriteBuffer<Pooled>,
    /// The payload that the write buffer refers to.
    payload: Bytes,
    high_water: usize,
    /// `true` if bytes were written since the transport was flushed.
    unflushed: bool,
    /// `true` if compressors are shared and return to the pool after each message.
    shared_codec: bool,
    /// `true` if the transport accepts no more bytes.
    broken: bool,
}

impl WriteSide {
    pub(crate) fn new(
        role: Role,
        agreement: Option<(DeflateParams, DeflateConfig)>,
        high_water: usize,
    ) -> WriteSide {
        let sender = match (role, agreement) {
            (Role::Server, None) => AnySender::Server(Sender::server()),
            (Role::Server, Some((agreement, config))) => {
                AnySender::Server(Sender::server().with_deflate(agreement, &config))
            }
            (Role::Client, None) => AnySender::Client(Sender::client(ThreadEntropy)),
            (Role::Client, Some((agreement, config))) => {
                AnySender::Client(Sender::client(ThreadEntropy).with_deflate(agreement, &config))
            }
        };
        WriteSide {
            sender,
            tx: WriteBuffer::new(Pooled::new(WRITE_LIMIT)),
            payload: Bytes::new(),
            high_water,
            unflushed: false,
            shared_codec: agreement.is_some_and(|(agreement, _)| !agreement.send.takeover),
            broken: false,
        }
    }

    /// Queues a message. Check [`has_room`](Self::has_room) first.
    pub(crate) fn queue(&mut self, message: Message) -> Result<(), Error> {
        match message {
            Message::Text(text) if self.is_vectored(text.len()) => {
                let tx = &mut self.tx;
                queue!(self, sender => sender.text_vectored(&text, tx))?;
                self.payload = text.into();
                Ok(())
            }
            Message::Binary(bytes) if self.is_vectored(bytes.len()) => {
                let tx = &mut self.tx;
                queue!(self, sender => sender.binary_vectored(&bytes, tx))?;
                self.payload = bytes;
                Ok(())
            }
            Message::Text(text) => self.queue_text(&text),
            Message::Binary(bytes) => self.queue_binary(&bytes),
            Message::Ping(payload) => self.ping(&payload),
            Message::Pong(payload) => {
                let tx = &mut self.tx;
                queue!(self, sender => sender.pong(&payload, tx))
            }
            Message::Close(None) => self.close(CloseCode::NO_STATUS_RECEIVED, ""),
            Message::Close(Some(close)) => self.close(close.code, &close.reason),
        }
    }

    pub(crate) fn queue_text(&mut self, text: &str) -> Result<(), Error> {
        self.borrow_codec();
        let tx = &mut self.tx;
        let sent = queue!(self, sender => sender.text(text, tx));
        self.return_codec();
        sent
    }

    pub(crate) fn queue_binary(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.borrow_codec();
        let tx = &mut self.tx;
        let sent = queue!(self, sender => sender.binary(bytes, tx));
        self.return_codec();
        sent
    }

    /// Queues a text message. Writes a large one at once, as far as `io` accepts it, from the
    /// caller's memory: this saves a copy.
    #[inline]
    pub(crate) fn write_text<W: AsyncWrite + Unpin>(
        &mut self,
        text: &str,
        io: &mut W,
        cx: &mut Context<'_>,
    ) -> Result<(), Error> {
        if text.len() < WRITE_NOW || !self.is_vectored(text.len()) {
            return self.queue_text(text);
        }
        let tx = &mut self.tx;
        queue!(self, sender => sender.text_vectored(text, tx))?;
        self.write_now(text.as_bytes(), io, cx)
    }

    /// Queues a binary message, as [`write_text`](Self::write_text) does.
    #[inline]
    pub(crate) fn write_binary<W: AsyncWrite + Unpin>(
        &mut self,
        bytes: &[u8],
        io: &mut W,
        cx: &mut Context<'_>,
    ) -> Result<(), Error> {
        if bytes.len() < WRITE_NOW || !self.is_vectored(bytes.len()) {
            return self.queue_binary(bytes);
        }
        let tx = &mut self.tx;
        queue!(self, sender => sender.binary_vectored(bytes, tx))?;
        self.write_now(bytes, io, cx)
    }

    /// Writes as much as `io` accepts, and copies what remains of the payload.
    fn write_now<W: AsyncWrite + Unpin>(
        &mut self,
        payload: &[u8],
        io: &mut W,
        cx: &mut Context<'_>,
    ) -> Result<(), Error> {
        match self.poll_slices(payload, io, cx) {
            Poll::Ready(Ok(())) => Ok(()),
            // The next send reports the error.
            Poll::Ready(Err(_)) => {
                self.abandon();
                Ok(())
            }
            Poll::Pending => Ok(self.tx.absorb_payload(payload)?),
        }
    }

    /// Queues the next fragment of a message.
    pub(crate) fn queue_fragment(
        &mut self,
        kind: MessageKind,
        bytes: &[u8],
        fin: bool,
    ) -> Result<(), Error> {
        self.borrow_codec();
        let tx = &mut self.tx;
        let sent = queue!(self, sender => sender.fragment(kind, bytes, fin, tx));
        self.return_codec();
        sent
    }

    pub(crate) fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        let tx = &mut self.tx;
        queue!(self, sender => sender.ping(payload, tx))
    }

    /// Queues what a received item obliges us to send. After our Close it is nothing.
    pub(crate) fn reply(&mut self, reply: Reply) -> Result<(), Error> {
        if self.broken {
            return Ok(());
        }
        let tx = &mut self.tx;
        Ok(with_sender!(self, sender => sender.reply(reply, tx))?)
    }

    pub(crate) fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        let tx = &mut self.tx;
        queue!(self, sender => sender.close(code, reason, tx))
    }

    /// Forgets what is queued: the transport takes nothing more.
    pub(crate) fn abandon(&mut self) {
        self.tx.consume(usize::MAX);
        self.tx.release();
        self.payload = Bytes::new();
        (self.unflushed, self.broken) = (false, true);
    }

    /// Writes what is queued, and flushes the transport.
    pub(crate) fn poll_flush<W: AsyncWrite + Unpin>(
        &mut self,
        io: &mut W,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_flushed() {
            return Poll::Ready(Ok(()));
        }
        let done = ready!(self.poll_write(io, cx));
        if done.is_err() {
            self.abandon();
        }
        Poll::Ready(done)
    }

    fn poll_write<W: AsyncWrite + Unpin>(
        &mut self,
        io: &mut W,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        // Moved out of `self`, because `poll_slices` borrows all of `self`.
        let payload = std::mem::take(&mut self.payload);
        let written = self.poll_slices(&payload, io, cx);
        if !matches!(written, Poll::Ready(Ok(()))) {
            self.payload = payload;
        }
        ready!(written)?;
        self.tx.release();
        ready!(Pin::new(io).poll_flush(cx))?;
        self.unflushed = false;
        Poll::Ready(Ok(()))
    }

    /// Writes what is queued, with the payload that the write buffer refers to.
    fn poll_slices<W: AsyncWrite + Unpin>(
        &mut self,
        payload: &[u8],
        io: &mut W,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.tx.is_empty() {
            let slices = self.tx.slices(payload).map_err(io::Error::other)?;
            let first = slices.iter().position(|slice| !slice.is_empty()).unwrap_or_default();
            let several = slices.iter().filter(|slice| !slice.is_empty()).count() > 1;
            let io = Pin::new(&mut *io);
            let n = ready!(if several && io.is_write_vectored() {
                io.poll_write_vectored(cx, &slices.map(IoSlice::new))
            } else {
                io.poll_write(cx, slices[first])
            })?;
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.tx.consume(n);
            self.unflushed = true;
        }
        Poll::Ready(Ok(()))
    }

    /// Returns `true` if a further message can be queued.
    pub(crate) fn has_room(&self) -> bool {
        // Behind a payload that has not left nothing is queued, so that one is kept at a time.
        self.tx.len() < self.high_water && self.payload.is_empty() || self.broken
    }

    pub(crate) const fn unsent(&self) -> usize {
        self.tx.len()
    }

    pub(crate) const fn is_flushed(&self) -> bool {
        self.tx.is_empty() && !self.unflushed
    }

    /// Returns `true` if our Close was queued or the transport is broken.
    pub(crate) const fn is_closed(&self) -> bool {
        self.broken
            || match &self.sender {
                AnySender::Server(sender) => sender.is_closed(),
                AnySender::Client(sender) => sender.is_closed(),
            }
    }

    fn is_vectored(&self, len: usize) -> bool {
        match &self.sender {
            AnySender::Server(sender) => len >= VECTORED && sender.deflate_params().is_none(),
            AnySender::Client(_) => false,
        }
    }

    fn borrow_codec(&mut self) {
        if self.shared_codec {
            with_codecs(|pool| with_sender!(self, sender => sender.borrow_codec_from(pool)));
        }
    }

    fn return_codec(&mut self) {
        if self.shared_codec {
            with_codecs(|pool| with_sender!(self, sender => sender.return_codec_to(pool)));
        }
    }
}

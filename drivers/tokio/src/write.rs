//! The sending side of a connection, without its transport.

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use sockless::deflate::{DeflateConfig, DeflateParams};
use sockless::keepalive::Action;
use sockless::{Client, CloseCode, MessageKind, Reply, Sender, Server, WriteBuffer};
use tokio::io::AsyncWrite;
use tokio::task::coop;

use crate::engine::Timer;
use crate::message::Message;
use crate::pool::{Pooled, ThreadEntropy, with_codecs};
use crate::progress::Progress;
use crate::{Error, Role};

/// From this many bytes on, a server's payload is written from where it lies.
const VECTORED: usize = 4 << 10;

/// From this many bytes on, a server's borrowed payload is written at once. A write of its own
/// costs less than a copy of that size, and more than a copy of a smaller one.
const WRITE_NOW: usize = 32 << 10;

/// Capacity of a write buffer: what memory has. The high-water mark limits what is queued.
const WRITE_LIMIT: usize = isize::MAX as usize / 2;

/// Flag: something queued was not written or not flushed, or it is lost.
pub(crate) const UNSENT: u8 = 1;

/// Flag: our Close was queued.
pub(crate) const CLOSED: u8 = 2;

/// Flag: the connection has failed, and accepts nothing more to send.
pub(crate) const FAILED: u8 = 4;

/// Flag: a read has failed, the stream has ended, or a time limit has passed.
pub(crate) const OVER: u8 = 8;

/// The flags that both sides wait for.
pub(crate) const ENDED: u8 = CLOSED | FAILED | OVER;

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

/// Calls a method of the sender that queues output. Refuses the output after a failure: the last
/// write can have ended inside a frame. After our Close the sender refuses it.
macro_rules! queue {
    ($self:expr, $sender:ident, $tx:ident => $call:expr) => {
        if $self.flags() & (CLOSED | FAILED) == FAILED {
            Err($self.cause())
        } else {
            let $tx = &mut $self.tx;
            let queued = with_sender!($self, $sender => $call).map_err(Error::from);
            if queued.is_ok() {
                $self.mark();
            }
            queued
        }
    };
}

/// The unsent bytes, the machine that encodes them, and the timers of the connection: what both
/// sides share, and where the end of the connection is decided.
pub(crate) struct WriteSide {
    sender: AnySender,
    tx: WriteBuffer<Pooled>,
    /// The payload that the write buffer refers to.
    payload: Bytes,
    high_water: usize,
    /// The number of bytes that were written.
    written: u64,
    /// The number of bytes that had been written when the transport was flushed.
    flushed: u64,
    /// The number of bytes to write until the last of the application is written: a send and a
    /// flush wait for it. Replies behind it hold nobody back, because they take constant memory and
    /// a peer can demand them without end.
    mark: u64,
    /// `true` if compressors are shared and return to the pool after each message.
    shared_codec: bool,
    /// The first failure of the connection. The transport accepts no more bytes.
    failure: Option<Error>,
    /// `true` if unsent bytes were dropped because of the failure.
    lost: bool,
    /// `true` if there is nothing to wait for in the peer's direction either.
    over: bool,
    progress: Progress,
    timer: Timer,
}

/// Returns `true` if the task has budget left in this poll. Otherwise tokio's transports return
/// `Pending` whatever they hold, which proves nothing, and the task is woken to look again.
fn has_budget(cx: &Context<'_>) -> bool {
    let left = coop::has_budget_remaining();
    if !left {
        cx.waker().wake_by_ref();
    }
    left
}

impl fmt::Debug for WriteSide {
    /// Leaves out the payload: it may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteSide")
            .field("unsent", &self.unsent())
            .field("failure", &self.failure)
            .finish_non_exhaustive()
    }
}

impl WriteSide {
    pub(crate) fn new(
        role: Role,
        agreement: Option<(DeflateParams, DeflateConfig)>,
        high_water: usize,
        timer: Timer,
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
            written: 0,
            flushed: 0,
            mark: 0,
            shared_codec: agreement.is_some_and(|(agreement, _)| !agreement.send.takeover),
            failure: None,
            lost: false,
            over: false,
            progress: Progress::new(),
            timer,
        }
    }

    /// Queues a message. Check [`has_room`](Self::has_room) first.
    pub(crate) fn queue(&mut self, message: Message) -> Result<(), Error> {
        match message {
            Message::Text(text) if self.is_vectored(text.len()) => {
                queue!(self, sender, tx => sender.text_vectored(&text, tx))?;
                self.payload = text.into();
                Ok(())
            }
            Message::Binary(bytes) if self.is_vectored(bytes.len()) => {
                queue!(self, sender, tx => sender.binary_vectored(&bytes, tx))?;
                self.payload = bytes;
                Ok(())
            }
            Message::Text(text) => self.queue_text(&text),
            Message::Binary(bytes) => self.queue_binary(&bytes),
            Message::Ping(payload) => self.ping(&payload),
            Message::Pong(payload) => {
                queue!(self, sender, tx => sender.pong(&payload, tx))
            }
            Message::Close(None) => self.close(CloseCode::NO_STATUS_RECEIVED, ""),
            Message::Close(Some(close)) => self.close(close.code, &close.reason),
        }
    }

    pub(crate) fn queue_text(&mut self, text: &str) -> Result<(), Error> {
        self.borrow_codec();
        let sent = queue!(self, sender, tx => sender.text(text, tx));
        self.return_codec();
        sent
    }

    pub(crate) fn queue_binary(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.borrow_codec();
        let sent = queue!(self, sender, tx => sender.binary(bytes, tx));
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
        queue!(self, sender, tx => sender.text_vectored(text, tx))?;
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
        queue!(self, sender, tx => sender.binary_vectored(bytes, tx))?;
        self.write_now(bytes, io, cx)
    }

    /// Writes as much as `io` accepts, and copies what remains of the payload.
    fn write_now<W: AsyncWrite + Unpin>(
        &mut self,
        payload: &[u8],
        io: &mut W,
        cx: &mut Context<'_>,
    ) -> Result<(), Error> {
        match self.poll_slices(payload, u64::MAX, io, cx) {
            Poll::Ready(Ok(())) => Ok(()),
            // The next send reports the error.
            Poll::Ready(Err(error)) => {
                self.abandon(Error::Io(error));
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
        let sent = queue!(self, sender, tx => sender.fragment(kind, bytes, fin, tx));
        self.return_codec();
        sent
    }

    pub(crate) fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        queue!(self, sender, tx => sender.ping(payload, tx))
    }

    /// Queues what a received item obliges us to send. After our Close it is nothing.
    pub(crate) fn reply(&mut self, reply: Reply) -> Result<(), Error> {
        if self.failure.is_some() {
            return Ok(());
        }
        let tx = &mut self.tx;
        let replied = with_sender!(self, sender => sender.reply(reply, tx));
        // A pong before the mark may have given way to a shorter one.
        self.mark = self.mark.min(self.end());
        Ok(replied?)
    }

    pub(crate) fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        let closed = queue!(self, sender, tx => sender.close(code, reason, tx));
        if closed.is_ok() {
            self.timer.closing();
        }
        closed
    }

    /// Queues the last Close and writes what the transport takes of it at once, so that it is sent
    /// even if the stream is dropped now. The limit of the closing handshake starts.
    pub(crate) fn finish<W: AsyncWrite + Unpin>(
        &mut self,
        code: CloseCode,
        io: &mut W,
        cx: &mut Context<'_>,
    ) {
        // It always fits. Without a key there is no Close, and the connection ends without one.
        let _ = self.reply(Reply::close(code));
        self.timer.closing();
        let _ = self.poll_flush(io, cx);
    }

    /// Ends both directions. The cause is told by the receiving side, and by each send.
    pub(crate) fn fail(&mut self, cause: Error) {
        self.abandon(cause);
        self.over = true;
    }

    /// Drops what is queued: the transport takes nothing more.
    fn abandon(&mut self, cause: Error) {
        // The first failure is the cause; later ones follow from it.
        self.failure.get_or_insert(cause);
        self.timer.closing();
        self.lost |= !self.is_flushed();
        self.tx.consume(usize::MAX);
        self.tx.release();
        self.payload = Bytes::new();
    }

    /// Returns why the connection has failed. The first call returns an I/O error as it was, and
    /// later calls its kind.
    pub(crate) fn cause(&mut self) -> Error {
        match &mut self.failure {
            Some(Error::Io(error)) => {
                let kind = error.kind();
                Error::Io(std::mem::replace(error, kind.into()))
            }
            Some(Error::TimedOut(timeout)) => Error::TimedOut(*timeout),
            Some(Error::UnexpectedEnd) => Error::UnexpectedEnd,
            _ => Error::Closed,
        }
    }

    /// Writes what is queued, and flushes the transport. Returns `false` if something queued is
    /// lost.
    pub(crate) fn poll_flush<W: AsyncWrite + Unpin>(
        &mut self,
        io: &mut W,
        cx: &mut Context<'_>,
    ) -> Poll<bool> {
        if self.is_flushed() || self.lost {
            return Poll::Ready(!self.lost);
        }
        let done = self.poll_write(io, cx);
        let alarm = self.timer.alarm();
        self.progress.written(self.written, alarm);
        if done.is_ready() || has_budget(cx) {
            let full = done.is_pending() && self.written < self.stop();
            let waits = done.is_pending() && self.flushed < self.mark;
            self.progress.polled(full.then_some(self.written), waits, alarm);
        }
        if let Err(error) = ready!(done) {
            self.abandon(Error::Io(error));
        }
        Poll::Ready(!self.lost)
    }

    /// Writes as [`poll_flush`](Self::poll_flush) does, and waits only for what the application has
    /// queued.
    pub(crate) fn poll_sent<W: AsyncWrite + Unpin>(
        &mut self,
        io: &mut W,
        cx: &mut Context<'_>,
    ) -> Poll<bool> {
        match self.poll_flush(io, cx) {
            Poll::Pending if self.flushed >= self.mark => Poll::Ready(true),
            sent => sent,
        }
    }

    /// Lets a send or a flush wait for all that is queued now.
    pub(crate) fn mark(&mut self) {
        self.mark = self.end();
    }

    /// The number of bytes that will have been written when all that is queued is.
    const fn end(&self) -> u64 {
        self.written + self.tx.len() as u64
    }

    /// The number of bytes to write until the next flush.
    const fn stop(&self) -> u64 {
        if self.flushed < self.mark { self.mark } else { self.end() }
    }

    /// Does what the timers ask for: sends a ping, or fails the connection.
    pub(crate) fn poll_limits<W: AsyncWrite + Unpin>(&mut self, io: &mut W, cx: &mut Context<'_>) {
        if self.is_closed() {
            self.timer.closing();
        }
        if !self.timer.alarm().is_due() {
            return;
        }
        // A poll without budget proves no silence. The limit of the closing handshake needs none.
        if !self.is_closed() && !has_budget(cx) {
            return;
        }
        self.progress.timer_is_due(self.timer.alarm());
        while let Some(action) = self.timer.poll() {
            match action {
                // Another task can have queued bytes since the last write. The ping is
                // written after these bytes.
                Action::Ping if self.tx.is_empty() || !self.progress.is_awaited() => {
                    // Not marked: no send waits for it.
                    let tx = &mut self.tx;
                    if with_sender!(self, sender => sender.ping(b"", tx)).is_ok() {
                        let _ = self.poll_flush(io, cx);
                    }
                }
                // The transport accepts nothing, so a ping could not leave before the unsent bytes.
                // If these leave in time, it is a sign of life.
                Action::Ping => {}
                Action::TimedOut(timeout) => {
                    let cause = Error::TimedOut(timeout);
                    if let Some(code) = cause.close_code() {
                        let _ = self.reply(Reply::close(code));
                        let _ = self.poll_write(io, cx);
                    }
                    self.fail(cause);
                }
            }
        }
    }

    /// Writes what is queued. Flushes the transport at the mark before it writes on, and at the
    /// end.
    fn poll_write<W: AsyncWrite + Unpin>(
        &mut self,
        io: &mut W,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let stop = self.stop();
            // Moved out of `self`, because `poll_slices` borrows all of `self`.
            let payload = std::mem::take(&mut self.payload);
            let written = self.poll_slices(&payload, stop, io, cx);
            // No payload lies behind the mark.
            if self.written < self.mark {
                self.payload = payload;
            }
            ready!(written)?;
            self.tx.release();
            ready!(Pin::new(&mut *io).poll_flush(cx))?;
            self.flushed = self.written;
            if self.tx.is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Writes what is queued, with the payload that the write buffer refers to, until `stop` bytes
    /// were written.
    fn poll_slices<W: AsyncWrite + Unpin>(
        &mut self,
        payload: &[u8],
        stop: u64,
        io: &mut W,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.tx.is_empty() && self.written < stop {
            let slices = self.tx.slices(payload).map_err(io::Error::other)?;
            let first = slices.iter().position(|slice| !slice.is_empty()).unwrap_or_default();
            let several = slices.iter().filter(|slice| !slice.is_empty()).count() > 1;
            // Replies after the mark are written after the flush, so that no send waits for them.
            let mut left = usize::try_from(stop - self.written).unwrap_or(usize::MAX);
            let slices = slices.map(|slice| {
                let (now, _) = slice.split_at(slice.len().min(left));
                left -= now.len();
                now
            });
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
            self.written += n as u64;
        }
        Poll::Ready(Ok(()))
    }

    /// Returns `true` if a further message can be queued.
    pub(crate) fn has_room(&self) -> bool {
        // Behind a payload that has not left nothing is queued, so that one is kept at a time.
        let unsent = self.mark.saturating_sub(self.written);
        unsent < self.high_water as u64 && self.payload.is_empty() || self.failure.is_some()
    }

    pub(crate) const fn unsent(&self) -> usize {
        self.tx.len()
    }

    pub(crate) const fn is_flushed(&self) -> bool {
        self.tx.is_empty() && self.flushed == self.written && !self.lost
    }

    /// Returns `true` if the transport wakes both sides when it goes on.
    pub(crate) const fn is_awaited(&self) -> bool {
        self.progress.is_awaited()
    }

    /// Returns `true` if our Close was queued or the connection has failed.
    pub(crate) const fn is_closed(&self) -> bool {
        self.flags() & (CLOSED | FAILED) != 0
    }

    /// Returns `true` if there is nothing to wait for in the peer's direction.
    pub(crate) const fn is_over(&self) -> bool {
        self.over
    }

    #[inline]
    pub(crate) const fn flags(&self) -> u8 {
        let closed = match &self.sender {
            AnySender::Server(sender) => sender.is_closed(),
            AnySender::Client(sender) => sender.is_closed(),
        };
        (if self.is_flushed() { 0 } else { UNSENT })
            | (if closed { CLOSED } else { 0 })
            | (if self.failure.is_some() { FAILED } else { 0 })
            | (if self.over { OVER } else { 0 })
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

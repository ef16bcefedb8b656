//! Drives a connection: reads, replies, timers, and the end. The stream and the owned reader
//! are this engine over one transport, and over a shared one.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use sockless::keepalive::{Action, Keepalive, Timeout, Timers};
use sockless::{CloseCode, Incoming, Reply};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, Sleep};

use crate::message::{Event, Message};
use crate::read::ReadSide;
use crate::wakers::{Side, Wakers};
use crate::write::WriteSide;
use crate::{Error, Role};

/// The transport, and the sending side.
pub(crate) trait Link {
    type Read: AsyncRead + Unpin;
    type Write: AsyncWrite + Unpin;

    fn reader(&mut self) -> &mut Self::Read;

    /// Runs `f` with the sending side and what it writes to.
    fn with_writer<T>(&mut self, f: impl FnOnce(&mut Self::Write, &mut WriteSide) -> T) -> T;

    /// Returns `true` if everything queued was written and flushed.
    fn is_flushed(&self) -> bool;

    /// Returns `true` if our Close was queued or the transport is broken.
    fn is_closed(&self) -> bool;
}

/// One transport for both directions.
#[derive(Debug)]
pub(crate) struct Whole<IO> {
    pub(crate) io: IO,
    pub(crate) write: WriteSide,
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Link for Whole<IO> {
    type Read = IO;
    type Write = IO;

    #[inline]
    fn reader(&mut self) -> &mut IO {
        &mut self.io
    }

    #[inline]
    fn with_writer<T>(&mut self, f: impl FnOnce(&mut IO, &mut WriteSide) -> T) -> T {
        f(&mut self.io, &mut self.write)
    }

    #[inline]
    fn is_flushed(&self) -> bool {
        self.write.is_flushed()
    }

    #[inline]
    fn is_closed(&self) -> bool {
        self.write.is_closed()
    }
}

/// The reading half of a transport; the writing half is shared with the task that sends.
#[derive(Debug)]
pub(crate) struct Linked<R, W> {
    pub(crate) io: R,
    pub(crate) shared: Arc<Shared<W>>,
}

/// The sending side of split halves. The writer locks it to queue and to write. The reader reads
/// the flags, and locks it only if there is a reply to queue or something to write.
#[derive(Debug)]
pub(crate) struct Shared<W> {
    /// The flags that the last holder of the lock left: [`UNSENT`] and [`CLOSED`].
    flags: AtomicU8,
    locked: Mutex<(W, WriteSide)>,
}

/// Something queued was not written or not flushed.
const UNSENT: u8 = 1;

/// Our Close was queued, or the transport is broken.
const CLOSED: u8 = 2;

impl<W> Shared<W> {
    pub(crate) fn new(io: W, write: WriteSide) -> Shared<W> {
        Shared { flags: AtomicU8::new(flags(&write)), locked: Mutex::new((io, write)) }
    }

    /// Runs `f` under the lock.
    #[inline]
    pub(crate) fn with<T>(&self, f: impl FnOnce(&mut W, &mut WriteSide) -> T) -> T {
        let mut locked = self.locked.lock().unwrap_or_else(PoisonError::into_inner);
        let (io, write) = &mut *locked;
        let result = f(io, write);
        // Stored under the lock, so that the flags of an earlier holder never replace these.
        self.flags.store(flags(write), Ordering::Release);
        result
    }

    pub(crate) fn into_inner(self) -> (W, WriteSide) {
        self.locked.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns `true` if everything queued was written and flushed.
    #[inline]
    pub(crate) fn is_flushed(&self) -> bool {
        self.flags.load(Ordering::Acquire) & UNSENT == 0
    }

    /// Returns `true` if our Close was queued or the transport is broken.
    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        self.flags.load(Ordering::Acquire) & CLOSED != 0
    }
}

const fn flags(write: &WriteSide) -> u8 {
    (if write.is_flushed() { 0 } else { UNSENT }) | (if write.is_closed() { CLOSED } else { 0 })
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Link for Linked<R, W> {
    type Read = R;
    type Write = W;

    #[inline]
    fn reader(&mut self) -> &mut R {
        &mut self.io
    }

    #[inline]
    fn with_writer<T>(&mut self, f: impl FnOnce(&mut W, &mut WriteSide) -> T) -> T {
        self.shared.with(f)
    }

    #[inline]
    fn is_flushed(&self) -> bool {
        self.shared.is_flushed()
    }

    #[inline]
    fn is_closed(&self) -> bool {
        self.shared.is_closed()
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Engine<Whole<IO>> {
    /// Takes the next event as [`take`](Self::take) does, with the sending side beside it.
    #[expect(clippy::type_complexity)]
    pub(crate) fn take_and_queue(
        &mut self,
    ) -> Option<Result<(Event<'_>, &mut Whole<IO>, &Waker), Error>> {
        let Engine { link, read, wakers, role, phase, .. } = self;
        let event = take(link, read, wakers, *role, phase)?;
        Some(event.map(|event| (event, link, wakers.waker())))
    }
}

/// The phase of a connection.
#[derive(Debug)]
enum Phase {
    Open,
    /// An error of the transport or of a timer is to be handed out, and then nothing more.
    Failing(Error),
    /// The last item was handed out. What is queued is written, our direction is shut down, and the
    /// peer's is read to its end.
    Finishing {
        shut: bool,
    },
    Over,
}

#[derive(Debug)]
pub(crate) struct Engine<L> {
    pub(crate) link: L,
    pub(crate) read: ReadSide,
    pub(crate) wakers: Wakers,
    role: Role,
    phase: Phase,
    timer: Timer,
}

impl<L: Link> Engine<L> {
    pub(crate) fn new(link: L, role: Role, read: ReadSide, timers: Timers) -> Engine<L> {
        Engine {
            link,
            read,
            wakers: Wakers::new(),
            role,
            phase: Phase::Open,
            timer: Timer::new(timers),
        }
    }

    /// Exchanges the transport.
    pub(crate) fn map<M>(self, f: impl FnOnce(L) -> M) -> Engine<M> {
        Engine {
            link: f(self.link),
            read: self.read,
            wakers: self.wakers,
            role: self.role,
            phase: self.phase,
            timer: self.timer,
        }
    }

    /// Waits until [`take`](Self::take) has something to return.
    pub(crate) fn poll_ready(&mut self, side: Side, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            match self.phase {
                Phase::Open if self.read.is_ready() => return Poll::Ready(()),
                Phase::Open => {
                    self.wakers.register(side, cx.waker());
                    if let Err(error) = ready!(self.poll_fill()) {
                        self.phase = Phase::Failing(error);
                    }
                }
                Phase::Finishing { .. } => {
                    self.wakers.register(side, cx.waker());
                    ready!(self.poll_finish());
                    self.read.release();
                    self.phase = Phase::Over;
                }
                Phase::Failing(_) | Phase::Over => return Poll::Ready(()),
            }
        }
    }

    /// Takes the next event, or `None` after the end. Call it only when
    /// [`poll_ready`](Self::poll_ready) was.
    pub(crate) fn take(&mut self) -> Option<Result<Event<'_>, Error>> {
        let Engine { link, read, wakers, role, phase, .. } = self;
        take(link, read, wakers, *role, phase)
    }

    /// Queues a message. Check [`poll_room`](Self::poll_room) first.
    pub(crate) fn queue(&mut self, message: Message) -> Result<(), Error> {
        let wakers = &self.wakers;
        self.link.with_writer(|_, write| {
            write.queue(message)?;
            if write.is_closed() {
                // The limit of the closing handshake starts.
                wakers.wake(Side::Receiving);
            }
            Ok(())
        })
    }

    /// Waits until a further message can be queued.
    pub(crate) fn poll_room(
        &mut self,
        side: Side,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        if self.link.with_writer(|_, write| write.has_room()) {
            return Poll::Ready(Ok(()));
        }
        self.poll_flush(side, cx)
    }

    /// Waits until everything queued is written. While the transport takes nothing, what the peer
    /// sends is read ahead: two peers that both write before they read would wait for each other
    /// for ever.
    pub(crate) fn poll_flush(
        &mut self,
        side: Side,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        if self.link.is_flushed() {
            return Poll::Ready(Ok(()));
        }
        self.wakers.register(side, cx.waker());
        if let Poll::Ready(done) = self.poll_write() {
            return Poll::Ready(done.map_err(Error::Io));
        }
        if !matches!(self.phase, Phase::Open) {
            return Poll::Pending;
        }
        let mut cx = Context::from_waker(self.wakers.waker());
        let read = self.read.read_ahead(self.link.reader(), &mut cx);
        let failure = match read {
            Err(error) => Some(Error::Io(error)),
            Ok(()) => self.poll_timer(),
        };
        if let Some(error) = failure {
            self.link.with_writer(|_, write| write.abandon());
            self.phase = Phase::Failing(error);
            // The cause is handed out by the receiving side.
            self.wakers.wake(Side::Receiving);
            return Poll::Ready(Err(Error::Closed));
        }
        Poll::Pending
    }

    /// Reads once, after what is queued was written as far as the transport takes it.
    fn poll_fill(&mut self) -> Poll<Result<(), Error>> {
        // An error of a write is told by the end of the stream, or by the next send.
        let _ = self.poll_write();
        let mut cx = Context::from_waker(self.wakers.waker());
        match self.read.poll_read(self.link.reader(), &mut cx) {
            Poll::Ready(done) => Poll::Ready(done.map_err(Error::Io)),
            Poll::Pending => {
                self.read.release();
                match self.poll_timer() {
                    Some(error) => Poll::Ready(Err(error)),
                    None => Poll::Pending,
                }
            }
        }
    }

    fn poll_write(&mut self) -> Poll<io::Result<()>> {
        if self.link.is_flushed() {
            return Poll::Ready(Ok(()));
        }
        let mut cx = Context::from_waker(self.wakers.waker());
        self.link.with_writer(|io, write| write.poll_flush(io, &mut cx))
    }

    /// The end, as TCP needs it: a socket that is closed with unread input is reset, and the reset
    /// can destroy our Close before the peer has read it.
    fn poll_finish(&mut self) -> Poll<()> {
        if self.timer.is_over() {
            return Poll::Ready(());
        }
        self.timer.closing();
        let waker = self.wakers.waker().clone();
        let mut cx = Context::from_waker(&waker);
        let flushed = match self.poll_write() {
            Poll::Ready(Ok(())) => true,
            Poll::Ready(Err(_)) => return Poll::Ready(()),
            Poll::Pending => false,
        };
        if let (true, Phase::Finishing { shut: shut @ false }) = (flushed, &mut self.phase) {
            match self.link.with_writer(|io, _| Pin::new(io).poll_shutdown(&mut cx)) {
                Poll::Ready(Ok(())) => *shut = true,
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => {}
            }
        }
        let ended = ReadSide::poll_drain(self.link.reader(), &mut cx).is_ready();
        // A client shuts its direction down after the server did.
        if ended
            && flushed
            && self.link.with_writer(|io, _| Pin::new(io).poll_shutdown(&mut cx)).is_ready()
        {
            return Poll::Ready(());
        }
        while let Some(action) = self.timer.poll(&mut cx) {
            if let Action::TimedOut(_) = action {
                return Poll::Ready(());
            }
        }
        Poll::Pending
    }

    /// Does what the timers ask for: sends a ping, or returns why the connection fails.
    fn poll_timer(&mut self) -> Option<Error> {
        if self.read.take_activity() {
            self.timer.received();
        }
        if self.link.is_closed() {
            self.timer.closing();
        }
        let mut cx = Context::from_waker(self.wakers.waker());
        loop {
            match self.timer.poll(&mut cx)? {
                Action::Ping => {
                    // A peer that takes nothing is not pinged: its silence is measured all the
                    // same.
                    self.link.with_writer(|io, write| {
                        if write.has_room() && write.ping(b"").is_ok() {
                            let _ = write.poll_flush(io, &mut cx);
                        }
                    });
                }
                Action::TimedOut(timeout) => {
                    if timeout != Timeout::Close {
                        finish(&mut self.link, &self.wakers, CloseCode::GOING_AWAY);
                    }
                    self.link.with_writer(|_, write| write.abandon());
                    return Some(Error::TimedOut(timeout));
                }
            }
        }
    }
}

/// Takes the next event. Its memory is the read buffer's alone, so that the sending side can be
/// used beside it.
fn take<'b, L: Link>(
    link: &mut L,
    read: &'b mut ReadSide,
    wakers: &Wakers,
    role: Role,
    phase: &mut Phase,
) -> Option<Result<Event<'b>, Error>> {
    match std::mem::replace(phase, Phase::Over) {
        Phase::Open => {}
        Phase::Failing(error) => return Some(Err(error)),
        other => {
            *phase = other;
            return None;
        }
    }
    let event = match read.take() {
        Ok(Some(Incoming::Data(chunk))) => match chunk.text() {
            Some(text) => Event::Text(text),
            None => Event::Binary(chunk.bytes()),
        },
        Ok(Some(Incoming::Ping(payload))) => {
            // Without a key there is no pong. The next frame that is sent reports it.
            let _ =
                link.with_writer(|_, write| Reply::pong(payload).map(|reply| write.reply(reply)));
            Event::Ping(payload)
        }
        Ok(Some(Incoming::Pong(payload))) => Event::Pong(payload),
        Ok(Some(Incoming::Close(close))) => {
            let code = close.code();
            finish(link, wakers, code);
            // RFC 6455 section 7.1.1: the server closes first, the client waits for it.
            *phase = Phase::Finishing { shut: role == Role::Client };
            return Some(Ok(Event::Close(close)));
        }
        Ok(_) => {
            link.with_writer(|_, write| write.abandon());
            return Some(Err(Error::UnexpectedEnd));
        }
        Err(violation) => {
            finish(link, wakers, violation.close_code());
            *phase = Phase::Finishing { shut: false };
            return Some(Err(violation.into()));
        }
    };
    *phase = Phase::Open;
    Some(Ok(event))
}

/// Queues the last Close and writes what the transport takes of it at once, so that it is sent even
/// if the stream is dropped now.
fn finish<L: Link>(link: &mut L, wakers: &Wakers, code: CloseCode) {
    link.with_writer(|io, write| {
        // It always fits. Without a key there is no Close, and the connection ends without one.
        let _ = write.reply(Reply::close(code));
        let _ = write.poll_flush(io, &mut Context::from_waker(wakers.waker()));
    });
    wakers.wake(Side::Sending);
}

/// The timers of a connection, and the clock's part of them.
#[derive(Debug)]
struct Timer {
    keepalive: Keepalive,
    start: Instant,
    /// When `sleep` ends, in the keepalive's time.
    armed: Option<u64>,
    sleep: Option<Pin<Box<Sleep>>>,
    closing: bool,
    over: bool,
}

impl Timer {
    fn new(timers: Timers) -> Timer {
        let mut keepalive = Keepalive::new(timers, 0);
        keepalive.opened(0);
        Timer {
            keepalive,
            start: Instant::now(),
            armed: None,
            sleep: None,
            closing: false,
            over: false,
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn received(&mut self) {
        self.keepalive.received(self.now());
    }

    fn closing(&mut self) {
        if !self.closing {
            self.closing = true;
            self.keepalive.closing(self.now());
        }
    }

    /// Returns `true` if the limit of the closing handshake has passed.
    const fn is_over(&self) -> bool {
        self.over
    }

    /// Returns what is due. If nothing is, the task is woken when something may be.
    fn poll(&mut self, cx: &mut Context<'_>) -> Option<Action> {
        loop {
            let deadline = self.keepalive.deadline()?;
            // A sleep that ends early is left as it is. So traffic, which moves the deadline on,
            // costs nothing here.
            if self.armed.is_none_or(|armed| armed > deadline) {
                let at = self.start + Duration::from_millis(deadline);
                match &mut self.sleep {
                    Some(sleep) => sleep.as_mut().reset(at),
                    none => *none = Some(Box::pin(tokio::time::sleep_until(at))),
                }
                self.armed = Some(deadline);
            }
            let sleep = self.sleep.as_mut()?;
            if sleep.as_mut().poll(cx).is_pending() {
                return None;
            }
            self.armed = None;
            if let Some(action) = self.keepalive.poll(self.now()) {
                self.over |= action == Action::TimedOut(Timeout::Close);
                return Some(action);
            }
        }
    }
}

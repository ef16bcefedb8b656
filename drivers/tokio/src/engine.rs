//! Drives a connection: reads, replies, timers, and the end. The stream and the owned reader
//! are this engine over one transport, and over a shared one.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker, ready};
use std::time::Duration;

use sockless::keepalive::{Action, Keepalive, Timers};
use sockless::{Incoming, Reply};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, Sleep};

use crate::message::{Event, Message};
use crate::read::ReadSide;
use crate::wakers::{Side, Wakers};
use crate::write::{CLOSED, ENDED, FAILED, OVER, UNSENT, WriteSide};
use crate::{Error, Role};

/// The transport, and the sending side.
pub(crate) trait Link {
    type Read: AsyncRead + Unpin;
    type Write: AsyncWrite + Unpin;

    /// Returns the reading half, and the waker to poll it with.
    fn reader(&mut self) -> (&mut Self::Read, &Waker);

    /// Runs `f` with what is written to, the sending side, and the context to poll with. Afterwards
    /// wakes both sides if `f` has closed the sending side or ended the connection: a blocked send
    /// ends, and the limit of the closing handshake starts.
    fn with_writer<T>(
        &mut self,
        f: impl FnOnce(&mut Self::Write, &mut WriteSide, &mut Context<'_>) -> T,
    ) -> T;

    fn wakers(&self) -> &Wakers;

    /// Returns the flags of the sending side.
    fn flags(&self) -> u8;

    /// Returns `true` if everything queued was written and flushed.
    #[inline]
    fn is_flushed(&self) -> bool {
        self.flags() & UNSENT == 0
    }

    /// Returns `true` if our Close was queued or the transport is broken.
    #[inline]
    fn is_closed(&self) -> bool {
        self.flags() & (CLOSED | FAILED) != 0
    }

    /// Returns `true` if a read has failed or a time limit has passed.
    #[inline]
    fn is_over(&self) -> bool {
        self.flags() & OVER != 0
    }
}

/// One transport for both directions.
#[derive(Debug)]
pub(crate) struct Whole<IO> {
    pub(crate) io: IO,
    pub(crate) write: WriteSide,
    pub(crate) wakers: Wakers,
    /// The flags of [`ENDED`] that both sides were woken for.
    ended: u8,
}

impl<IO> Whole<IO> {
    pub(crate) const fn new(io: IO, write: WriteSide, wakers: Wakers) -> Whole<IO> {
        Whole { io, write, wakers, ended: 0 }
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Link for Whole<IO> {
    type Read = IO;
    type Write = IO;

    #[inline]
    fn reader(&mut self) -> (&mut IO, &Waker) {
        (&mut self.io, self.wakers.waker())
    }

    #[inline]
    fn with_writer<T>(
        &mut self,
        f: impl FnOnce(&mut IO, &mut WriteSide, &mut Context<'_>) -> T,
    ) -> T {
        let waker = self.wakers.waker();
        let result = f(&mut self.io, &mut self.write, &mut Context::from_waker(waker));
        let ended = self.write.flags() & ENDED;
        if ended != self.ended {
            self.ended = ended;
            waker.wake_by_ref();
        }
        result
    }

    #[inline]
    fn wakers(&self) -> &Wakers {
        &self.wakers
    }

    #[inline]
    fn flags(&self) -> u8 {
        self.write.flags()
    }
}

/// The reading half of a transport; the writing half is shared with the task that sends.
#[derive(Debug)]
pub(crate) struct Linked<R, W> {
    pub(crate) io: R,
    pub(crate) shared: Arc<Shared<W>>,
}

/// The sending side of split halves. The writer locks it to queue and to write. The reader reads
/// the flags. It locks only to queue a reply, to write, and when a timer is due.
#[derive(Debug)]
pub(crate) struct Shared<W> {
    /// The flags that the last holder of the lock left.
    flags: AtomicU8,
    locked: Mutex<(W, WriteSide)>,
    pub(crate) wakers: Wakers,
}

impl<W> Shared<W> {
    pub(crate) fn new(io: W, write: WriteSide, wakers: Wakers) -> Shared<W> {
        let flags = AtomicU8::new(write.flags());
        Shared { flags, locked: Mutex::new((io, write)), wakers }
    }

    /// Runs `f` under the lock, as [`Link::with_writer`] does.
    #[inline]
    pub(crate) fn with<T>(
        &self,
        f: impl FnOnce(&mut W, &mut WriteSide, &mut Context<'_>) -> T,
    ) -> T {
        let mut locked = self.locked.lock().unwrap_or_else(PoisonError::into_inner);
        let (io, write) = &mut *locked;
        let waker = self.wakers.waker();
        let result = f(io, write, &mut Context::from_waker(waker));
        let (before, after) = (self.flags.load(Ordering::Relaxed), write.flags());
        // Stored under the lock, so that the flags of an earlier holder never replace these.
        self.flags.store(after, Ordering::Release);
        drop(locked);
        // Woken after the flags are stored: the reader reads them without the lock.
        if after & !before & ENDED != 0 {
            waker.wake_by_ref();
        }
        result
    }

    pub(crate) fn into_inner(self) -> (W, WriteSide, Wakers) {
        let (io, write) = self.locked.into_inner().unwrap_or_else(PoisonError::into_inner);
        (io, write, self.wakers)
    }
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Link for Linked<R, W> {
    type Read = R;
    type Write = W;

    #[inline]
    fn reader(&mut self) -> (&mut R, &Waker) {
        (&mut self.io, self.shared.wakers.waker())
    }

    #[inline]
    fn with_writer<T>(
        &mut self,
        f: impl FnOnce(&mut W, &mut WriteSide, &mut Context<'_>) -> T,
    ) -> T {
        self.shared.with(f)
    }

    #[inline]
    fn wakers(&self) -> &Wakers {
        &self.shared.wakers
    }

    #[inline]
    fn flags(&self) -> u8 {
        self.shared.flags.load(Ordering::Acquire)
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Engine<Whole<IO>> {
    /// Waits as [`poll_ready`](Self::poll_ready) does, and before that for room for a message,
    /// unless the connection is ending.
    pub(crate) fn poll_ready_with_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if matches!(self.phase, Phase::Open) && !self.link.write.has_room() {
            // A failed write is told by what is received, or by the queue.
            ready!(self.poll_sent(Side::Receiving, cx));
        }
        self.poll_ready(Side::Receiving, cx)
    }

    /// Waits until a further message can be queued.
    pub(crate) fn poll_room(
        &mut self,
        side: Side,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        if self.link.write.has_room() { Poll::Ready(Ok(())) } else { self.poll_flush(side, cx) }
    }

    /// Takes the next event as [`take`](Self::take) does, with the sending side beside it.
    pub(crate) fn take_and_queue(&mut self) -> Option<Result<(Event<'_>, &mut Whole<IO>), Error>> {
        let Engine { link, read, role, phase, .. } = self;
        let event = take(link, read, *role, phase)?;
        Some(event.map(|event| (event, link)))
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

/// Most reads before the task gives way to others, if nothing that is read makes an event.
const READS: usize = 64;

#[derive(Debug)]
pub(crate) struct Engine<L> {
    pub(crate) link: L,
    read: ReadSide,
    role: Role,
    phase: Phase,
    alarm: Arc<Alarm>,
}

impl<L: Link> Engine<L> {
    pub(crate) fn new(link: L, role: Role, read: ReadSide, alarm: Arc<Alarm>) -> Engine<L> {
        Engine { link, read, role, phase: Phase::Open, alarm }
    }

    /// Exchanges the transport.
    pub(crate) fn map<M>(self, f: impl FnOnce(L) -> M) -> Engine<M> {
        let Engine { link, read, role, phase, alarm } = self;
        Engine { link: f(link), read, role, phase, alarm }
    }

    /// Waits until [`take`](Self::take) has something to return.
    pub(crate) fn poll_ready(&mut self, side: Side, cx: &mut Context<'_>) -> Poll<()> {
        for _ in 0..READS {
            match self.phase {
                // Messages that were read ahead are handed out before the cause of a failure.
                Phase::Open if self.read.is_ready() => return Poll::Ready(()),
                Phase::Open => {
                    self.link.wakers().register(side, cx.waker());
                    if let Err(error) = ready!(self.poll_fill()) {
                        self.phase = Phase::Failing(error);
                    }
                }
                Phase::Finishing { .. } => {
                    self.link.wakers().register(side, cx.waker());
                    ready!(self.poll_finish());
                    self.read.release();
                    self.phase = Phase::Over;
                }
                Phase::Failing(_) | Phase::Over => return Poll::Ready(()),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Takes the next event, or `None` after the end. Call it only when
    /// [`poll_ready`](Self::poll_ready) was.
    pub(crate) fn take(&mut self) -> Option<Result<Event<'_>, Error>> {
        take(&mut self.link, &mut self.read, self.role, &mut self.phase)
    }

    /// Queues a message. Check [`poll_room`](Self::poll_room) first.
    pub(crate) fn queue(&mut self, message: Message) -> Result<(), Error> {
        self.link.with_writer(|_, write, _| write.queue(message))
    }

    /// Waits until everything that the application has queued is written.
    pub(crate) fn poll_flush(
        &mut self,
        side: Side,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        let sent = ready!(self.poll_sent(side, cx));
        Poll::Ready(if sent { Ok(()) } else { Err(self.cause()) })
    }

    /// Waits as [`poll_flush`](Self::poll_flush) does; returns `false` if it is lost. While the
    /// transport takes nothing, what the peer sends is read ahead: two peers that both write before
    /// they read would wait for each other for ever.
    fn poll_sent(&mut self, side: Side, cx: &mut Context<'_>) -> Poll<bool> {
        if self.link.is_flushed() {
            return Poll::Ready(true);
        }
        self.link.wakers().register(side, cx.waker());
        if let Poll::Ready(sent) = self.link.with_writer(|io, write, cx| write.poll_sent(io, cx)) {
            return Poll::Ready(sent);
        }
        if matches!(self.phase, Phase::Open) {
            let (io, waker) = self.link.reader();
            if let Err(error) = self.read.read_ahead(io, &mut Context::from_waker(waker)) {
                self.link.with_writer(|_, write, _| write.fail(error));
            }
        }
        self.poll_limits();
        if self.link.is_over() { self.poll_write() } else { Poll::Pending }
    }

    /// Reads once, after what is queued was written as far as the transport takes it.
    fn poll_fill(&mut self) -> Poll<Result<(), Error>> {
        if self.link.is_closed() {
            // A peer that ignores our Close can send without end. The other limits need no look
            // before a read: they pass in silence.
            self.poll_limits();
        }
        // A failed write is told when the peer's last messages were read, or after the limit of the
        // closing handshake.
        let _ = self.poll_write();
        if !self.link.is_over() {
            let (io, waker) = self.link.reader();
            match self.read.poll_read(io, &mut Context::from_waker(waker)) {
                Poll::Ready(Ok(())) => {
                    // Noted now: the timers are polled by a waiting send too.
                    self.note_activity();
                    return Poll::Ready(Ok(()));
                }
                Poll::Ready(Err(error)) => {
                    self.link.with_writer(|_, write, _| write.fail(Error::Io(error)));
                }
                Poll::Pending => {
                    self.read.release();
                    self.poll_limits();
                }
            }
        }
        if !self.link.is_over() {
            return Poll::Pending;
        }
        let (io, waker) = self.link.reader();
        if self.read.read_last(io, &mut Context::from_waker(waker)) {
            return Poll::Ready(Ok(()));
        }
        Poll::Ready(Err(self.cause()))
    }

    /// Writes and flushes what is queued; returns `false` if it is lost.
    fn poll_write(&mut self) -> Poll<bool> {
        if self.link.is_flushed() {
            return Poll::Ready(true);
        }
        self.link.with_writer(|io, write, cx| write.poll_flush(io, cx))
    }

    /// The end, as TCP needs it: a socket that is closed with unread input is reset, and the reset
    /// can destroy our Close before the peer has read it.
    fn poll_finish(&mut self) -> Poll<()> {
        self.poll_limits();
        if self.link.is_over() {
            return Poll::Ready(());
        }
        let flushed = match self.poll_write() {
            Poll::Ready(false) => return Poll::Ready(()),
            written => written.is_ready(),
        };
        if let (true, Phase::Finishing { shut: shut @ false }) = (flushed, &mut self.phase) {
            match self.link.with_writer(|io, _, cx| Pin::new(io).poll_shutdown(cx)) {
                Poll::Ready(Ok(())) => *shut = true,
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => {}
            }
        }
        let (io, waker) = self.link.reader();
        let ended = ReadSide::poll_drain(io, &mut Context::from_waker(waker)).is_ready();
        // A client shuts its direction down after the server did.
        if ended
            && flushed
            && self.link.with_writer(|io, _, cx| Pin::new(io).poll_shutdown(cx)).is_ready()
        {
            return Poll::Ready(());
        }
        Poll::Pending
    }

    /// Does what the timers ask for. If a limit has passed, the connection is over.
    fn poll_limits(&mut self) {
        self.note_activity();
        // Asked here as well, to take no lock for nothing.
        if self.alarm.is_due() || self.link.is_closed() {
            self.link.with_writer(|io, write, cx| write.poll_limits(io, cx));
        }
    }

    fn note_activity(&mut self) {
        if self.read.take_activity() {
            self.alarm.alive();
        }
    }

    fn cause(&mut self) -> Error {
        self.link.with_writer(|_, write, _| write.cause())
    }
}

/// Takes the next event. Its memory is the read buffer's alone, so that the sending side can be
/// used beside it.
fn take<'b, L: Link>(
    link: &mut L,
    read: &'b mut ReadSide,
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
            let _ = link
                .with_writer(|_, write, _| Reply::pong(payload).map(|reply| write.reply(reply)));
            Event::Ping(payload)
        }
        Ok(Some(Incoming::Pong(payload))) => Event::Pong(payload),
        Ok(Some(Incoming::Close(close))) => {
            link.with_writer(|io, write, cx| write.finish(close.code(), io, cx));
            // RFC 6455 section 7.1.1: the server closes first, the client waits for it.
            *phase = Phase::Finishing { shut: role == Role::Client };
            return Some(Ok(Event::Close(close)));
        }
        Ok(_) => {
            return Some(Err(link.with_writer(|_, write, _| {
                write.fail(Error::UnexpectedEnd);
                write.cause()
            })));
        }
        Err(violation) => {
            link.with_writer(|io, write, cx| write.finish(violation.close_code(), io, cx));
            *phase = Phase::Finishing { shut: false };
            return Some(Err(violation.into()));
        }
    };
    *phase = Phase::Open;
    Some(Ok(event))
}

/// The clock of a connection, and what may be known of its timers without a lock.
///
/// It is the waker of their sleep: it notes that a timer may be due, and wakes both sides.
#[derive(Debug)]
pub(crate) struct Alarm {
    start: Instant,
    /// The time of the last sign of life, in milliseconds, until the timers take it; or 0.
    heard: AtomicU64,
    due: AtomicBool,
    both: Waker,
}

impl Alarm {
    /// Returns the time in milliseconds.
    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Notes a sign of life of the peer.
    pub(crate) fn alive(&self) {
        self.heard.store(self.now(), Ordering::Relaxed);
    }

    /// Notes that the peer was alive at `time`, unless a later sign is noted.
    pub(crate) fn alive_at(&self, time: u64) {
        self.heard.fetch_max(time, Ordering::Relaxed);
    }

    /// Returns `true` if the timers are to be polled.
    #[inline]
    pub(crate) fn is_due(&self) -> bool {
        self.due.load(Ordering::Acquire)
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.due.store(true, Ordering::Release);
        self.both.wake_by_ref();
    }
}

/// The timers of a connection. Whichever side waits polls them.
#[derive(Debug)]
pub(crate) struct Timer {
    keepalive: Keepalive,
    alarm: Arc<Alarm>,
    waker: Waker,
    /// When `sleep` ends, in the keepalive's time.
    armed: Option<u64>,
    sleep: Option<Pin<Box<Sleep>>>,
    /// The length in milliseconds of the silence before a ping.
    ping_after: Option<u64>,
}

impl Timer {
    pub(crate) fn new(timers: Timers, wakers: &Wakers) -> Timer {
        let mut keepalive = Keepalive::new(timers, 0);
        keepalive.opened(0);
        let alarm = Arc::new(Alarm {
            start: Instant::now(),
            heard: AtomicU64::new(0),
            // The sleep is yet to be armed.
            due: AtomicBool::new(true),
            both: wakers.waker().clone(),
        });
        let waker = alarm.clone().into();
        let ping_after = timers.ping_after();
        Timer { keepalive, alarm, waker, armed: None, sleep: None, ping_after }
    }

    pub(crate) const fn alarm(&self) -> &Arc<Alarm> {
        &self.alarm
    }

    /// Starts the limit of the closing handshake, unless it runs.
    pub(crate) fn closing(&mut self) {
        self.keepalive.closing(self.alarm.now());
        self.alarm.due.store(true, Ordering::Release);
    }

    /// Returns what is due. If nothing is, both sides are woken when something may be.
    pub(crate) fn poll(&mut self) -> Option<Action> {
        self.alarm.due.store(false, Ordering::Release);
        let heard = self.alarm.heard.swap(0, Ordering::Relaxed);
        if heard > 0 {
            self.keepalive.received(heard);
        }
        loop {
            // The clock is asked first: the sleep of a task whose budget is used up never ends.
            if let Some(action) = self.keepalive.poll(self.alarm.now()) {
                return Some(action);
            }
            let mut deadline = self.keepalive.deadline()?;
            if let Some(ping_after) = self.ping_after {
                // If the wait for a pong is longer than `ping_after`, a received byte makes the
                // deadline earlier. Reads do not wake the timer, so it looks again in time.
                deadline = deadline.min(self.alarm.now().saturating_add(ping_after.max(1)));
            }
            // A sleep that ends early is left as it is. So traffic, which moves the deadline on,
            // costs nothing here.
            if self.armed.is_none_or(|armed| armed > deadline) {
                let at = self.alarm.start + Duration::from_millis(deadline);
                match &mut self.sleep {
                    Some(sleep) => sleep.as_mut().reset(at),
                    none => *none = Some(Box::pin(tokio::time::sleep_until(at))),
                }
                self.armed = Some(deadline);
            }
            let sleep = self.sleep.as_mut()?;
            if sleep.as_mut().poll(&mut Context::from_waker(&self.waker)).is_pending() {
                return None;
            }
            self.armed = None;
        }
    }
}

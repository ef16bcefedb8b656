//! Computes the deadlines of a connection: opening handshake, Pings, silence, closing handshake.
//!
//! [`Keepalive`] is independent of the connection. The caller reports each event with its time, and
//! polls for the action that is due. Time is an argument: a number that grows, in a unit of the
//! caller's choice (milliseconds, ticks of a hardware counter). The module reads no clock.
//!
//! RFC 6455 sets none of these times, but names their uses. A Ping "may serve either as a keepalive
//! or as a means to verify that the remote endpoint is still responsive" (section 5.5.2), and a
//! client may give up on a server that does not end the TCP connection "in a reasonable time
//! period" (section 7.1.1).
//!
//! # In a loop
//! ```
//! use sockless::keepalive::{Action, Keepalive, Timeout, Timers};
//!
//! let timers = Timers::OFF
//!     .with_handshake_within(Some(10_000))
//!     .with_ping_after(Some(30_000))
//!     .with_pong_within(Some(10_000))
//!     .with_close_within(Some(5_000));
//! // The connection was accepted at 1 000 and upgraded at 1 020.
//! let mut keepalive = Keepalive::new(timers, 1_000);
//! assert_eq!(keepalive.deadline(), Some(11_000));
//! keepalive.opened(1_020);
//!
//! // A loop waits for the socket, but not past the deadline (epoll's timeout, tokio's
//! // `sleep_until`).
//! // Bytes came at 2 000, then nothing:
//! keepalive.received(2_000);
//! let now = keepalive.deadline().unwrap();
//! assert_eq!(now, 32_000);
//! while let Some(action) = keepalive.poll(now) {
//!     match action {
//!         Action::Ping => { /* send a Ping */ }
//!         Action::TimedOut(_) => { /* end the connection */ }
//!     }
//! }
//!
//! // The Ping went out at 32 000. Nobody answers:
//! assert_eq!(keepalive.deadline(), Some(42_000));
//! assert_eq!(keepalive.wait(40_000), Some(2_000));
//! assert_eq!(keepalive.wait(42_001), Some(0));
//! assert_eq!(keepalive.poll(42_000), Some(Action::TimedOut(Timeout::Pong)));
//! assert_eq!(keepalive.poll(42_000), None);
//! assert_eq!(keepalive.deadline(), None);
//! ```
//!
//! A [`WebSocket`](crate::WebSocket) knows when to call [`opened`](Keepalive::opened) and
//! [`closing`](Keepalive::closing). Do this at each turn of the loop:
//! ```
//! # use sockless::{Config, Server, WebSocket};
//! # use sockless::keepalive::{Keepalive, Timers};
//! use sockless::State;
//!
//! # let (ws, now) = (WebSocket::from_upgraded(Server, Config::new()), 0);
//! # let mut keepalive = Keepalive::new(Timers::OFF, 0);
//! match ws.state() {
//!     State::Connecting => {}
//!     State::Open => keepalive.opened(now),
//!     State::Closing | State::Closed => keepalive.closing(now),
//! }
//! ```
//!
//! # States
//! | state | entered by | left by | what can be due |
//! |---|---|---|---|
//! | handshake | [`new`](Keepalive::new) | [`opened`](Keepalive::opened), [`closing`](Keepalive::closing) | [`Timeout::Handshake`] |
//! | open | `opened`, or bytes received while waiting | a Ping, `closing` | [`Action::Ping`], [`Timeout::Idle`] |
//! | waiting for an answer | a Ping while open | bytes received, `closing` | [`Timeout::Pong`], [`Timeout::Idle`]; without `pong_within` the next Ping |
//! | closing | `closing` | | [`Timeout::Close`] |
//! | silent | [`Timeout::Pong`], [`Timeout::Idle`] | `closing` | nothing |
//! | over | [`Timeout::Handshake`], [`Timeout::Close`] | | nothing |
//!
//! A call that does not fit the state changes nothing.
//!
//! # With two tasks
//! The task that writes waits until the deadline: it sends the Pings and the Close, and calls
//! [`poll`](Keepalive::poll) and [`closing`](Keepalive::closing). The task that reads calls
//! [`received`](Keepalive::received). Put the timers in a lock that both can take. If `pong_within`
//! is not above `ping_after`, received bytes never bring the deadline forward, and the writer need
//! not be woken for them.
//!
//! # While reads are held back
//! Unread bytes do not count as received. A Ping queued after unsent output has not been sent. If
//! you hold back reads until the peer reads your output, [`Timeout::Pong`] ends a peer that reads
//! none of it for `pong_within`, even if it goes on sending.
//!
//! # Clocks that misbehave
//! No value of `now` panics. If `now` is smaller than before, each running timer restarts at `now`.
//! A clock that is set back, or a 32-bit counter that wraps, therefore delays a timer by at most
//! its own length. A counter that wraps may never reach [`deadline`](Keepalive::deadline), so call
//! [`poll`](Keepalive::poll) in each iteration of the loop too. If `now` leaps ahead, because the
//! machine slept or the loop was late, the peer still gets its Ping and all of `pong_within` to
//! answer. `idle_within`, and `pong_within` if the Ping was sent before the leap, count the leap as
//! silence, so read from the socket before you call `poll`.

use core::fmt;

/// The lengths of the timers, in the caller's unit of time. `None` turns a timer off. `Some(0)`
/// counts as one tick, so that repeated calls of [`Keepalive::poll`] with an equal `now` end with
/// `None`.
///
/// Good values depend on the path between the two ends. Proxies and address translators often drop
/// a connection after a minute of silence. A `ping_after` well below a minute prevents this.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct Timers {
    handshake_within: Option<u64>,
    ping_after: Option<u64>,
    pong_within: Option<u64>,
    idle_within: Option<u64>,
    close_within: Option<u64>,
}

impl Timers {
    /// All timers off.
    pub const OFF: Self = Self {
        handshake_within: None,
        ping_after: None,
        pong_within: None,
        idle_within: None,
        close_within: None,
    };

    /// Sets how long the opening handshake may take, from [`Keepalive::new`] to
    /// [`Keepalive::opened`]. Received bytes do not extend it, so a peer that sends its request
    /// byte by byte gains nothing.
    #[must_use]
    pub const fn with_handshake_within(mut self, ticks: Option<u64>) -> Self {
        self.handshake_within = ticks;
        self
    }

    /// Sets the length of silence after which a Ping is due.
    #[must_use]
    pub const fn with_ping_after(mut self, ticks: Option<u64>) -> Self {
        self.ping_after = ticks;
        self
    }

    /// Sets how long after a Ping the next byte may arrive. Any byte counts, of a Pong or of
    /// another frame. While this timer runs, no other Ping is due. With `None`, a Ping is due every
    /// `ping_after`, answered or not.
    #[must_use]
    pub const fn with_pong_within(mut self, ticks: Option<u64>) -> Self {
        self.pong_within = ticks;
        self
    }

    /// Sets how long the peer may be silent, with or without Pings. Use it in a server whose
    /// clients send the Pings, or as a limit above the sum of `ping_after` and `pong_within`.
    #[must_use]
    pub const fn with_idle_within(mut self, ticks: Option<u64>) -> Self {
        self.idle_within = ticks;
        self
    }

    /// Sets how long the connection may take to end after [`Keepalive::closing`]. Received bytes do
    /// not extend it.
    #[must_use]
    pub const fn with_close_within(mut self, ticks: Option<u64>) -> Self {
        self.close_within = ticks;
        self
    }

    /// Returns how long the opening handshake may take.
    #[must_use]
    pub const fn handshake_within(&self) -> Option<u64> {
        self.handshake_within
    }

    /// Returns the length of silence after which a Ping is due.
    #[must_use]
    pub const fn ping_after(&self) -> Option<u64> {
        self.ping_after
    }

    /// Returns how long a Ping may wait for an answer.
    #[must_use]
    pub const fn pong_within(&self) -> Option<u64> {
        self.pong_within
    }

    /// Returns how long the peer may be silent.
    #[must_use]
    pub const fn idle_within(&self) -> Option<u64> {
        self.idle_within
    }

    /// Returns how long the connection may take to end.
    #[must_use]
    pub const fn close_within(&self) -> Option<u64> {
        self.close_within
    }
}

/// An action that is due, from [`Keepalive::poll`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Send a Ping with any payload. Any received byte counts as the answer.
    Ping,
    /// A limit was exceeded: end the connection. Reported once.
    ///
    /// After [`Timeout::Pong`] and [`Timeout::Idle`] you may send a Close first, with a code of
    /// your choice, such as 1008. [`Keepalive::closing`] then limits the wait for the peer's Close.
    TimedOut(Timeout),
}

/// The limit that was exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timeout {
    /// The opening handshake took longer than [`Timers::handshake_within`].
    Handshake,
    /// Nothing arrived for [`Timers::pong_within`] after a Ping.
    Pong,
    /// Nothing arrived for [`Timers::idle_within`].
    Idle,
    /// The connection did not end within [`Timers::close_within`] after [`Keepalive::closing`].
    Close,
}

impl fmt::Display for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Timeout::Handshake => "the opening handshake took too long",
            Timeout::Pong => "a ping was not answered in time",
            Timeout::Idle => "nothing was received for too long",
            Timeout::Close => "the closing handshake took too long",
        })
    }
}

impl core::error::Error for Timeout {}

/// The timers of one connection, 64 bytes. The [module](self) shows its use and its states.
#[derive(Clone, Debug)]
pub struct Keepalive {
    handshake_within: Ticks,
    ping_after: Ticks,
    pong_within: Ticks,
    idle_within: Ticks,
    close_within: Ticks,
    /// The time of the last received byte, or of the opening.
    received: u64,
    /// The start of the running timer of `state`: the handshake, the last byte, the Ping or our
    /// Close.
    since: u64,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Handshake,
    Open,
    Waiting,
    Closing,
    Silent,
    Over,
}

impl Keepalive {
    /// Starts the limit for the handshake. A connection that is open already calls
    /// [`opened`](Self::opened) next.
    #[must_use]
    pub const fn new(timers: Timers, now: u64) -> Self {
        Self {
            handshake_within: Ticks::new(timers.handshake_within),
            ping_after: Ticks::new(timers.ping_after),
            pong_within: Ticks::new(timers.pong_within),
            idle_within: Ticks::new(timers.idle_within),
            close_within: Ticks::new(timers.close_within),
            received: now,
            since: now,
            state: State::Handshake,
        }
    }

    /// Records the end of the handshake. Silence counts from now on.
    pub const fn opened(&mut self, now: u64) {
        if matches!(self.state, State::Handshake) {
            self.alive(now);
        }
    }

    /// Records received bytes. Call it for each read that is not empty.
    pub const fn received(&mut self, now: u64) {
        if matches!(self.state, State::Open | State::Waiting) {
            self.alive(now);
        }
    }

    /// Records that this side only waits for the end of the connection, after it sent a Close or
    /// refused the handshake. Further calls do not extend the limit.
    pub const fn closing(&mut self, now: u64) {
        if !matches!(self.state, State::Closing | State::Over) {
            self.state = State::Closing;
            self.since = now;
        }
    }

    /// Returns the action that is due at `now`, if any. Each action is returned once: the next call
    /// at the same time returns `None`.
    ///
    /// If a limit on silence and a Ping are both due, the limit is returned.
    pub const fn poll(&mut self, now: u64) -> Option<Action> {
        self.restart(now);
        let is_silent = self.silence_ends().is_due(now);
        if !is_silent && !self.phase_ends().is_due(now) {
            return None;
        }
        let timeout = match self.state {
            State::Handshake => Timeout::Handshake,
            State::Closing => Timeout::Close,
            State::Open | State::Waiting if is_silent => Timeout::Idle,
            State::Waiting if self.pong_within.is_on() => Timeout::Pong,
            State::Open | State::Waiting => {
                self.state = State::Waiting;
                self.since = now;
                return Some(Action::Ping);
            }
            // These states have no timer.
            State::Silent | State::Over => return None,
        };
        self.state = match timeout {
            Timeout::Handshake | Timeout::Close => State::Over,
            Timeout::Pong | Timeout::Idle => State::Silent,
        };
        Some(Action::TimedOut(timeout))
    }

    /// Returns the time at which [`poll`](Self::poll) next returns an action, or `None` if no timer
    /// runs. If the time is in the past, an action is due now. Every other method can change the
    /// deadline. [`wait`](Self::wait) returns the time that is left.
    #[must_use]
    pub const fn deadline(&self) -> Option<u64> {
        let (phase, silence) = (self.phase_ends(), self.silence_ends());
        let first = if silence.0 < phase.0 { silence } else { phase };
        if first.is_on() { Some(first.0) } else { None }
    }

    /// Returns how long to wait from `now` on until [`poll`](Self::poll) returns an action: 0 if an
    /// action is due, `None` if no timer runs.
    #[must_use]
    pub const fn wait(&self, now: u64) -> Option<u64> {
        // A clock that was set back restarts the timers at `now`, as `poll` does.
        let mut timers = Self { ..*self };
        timers.restart(now);
        match timers.deadline() {
            Some(deadline) => Some(deadline.saturating_sub(now)),
            None => None,
        }
    }

    /// Returns the time at which the state ends or the next Ping is due.
    const fn phase_ends(&self) -> Ticks {
        let length = match self.state {
            State::Handshake => self.handshake_within,
            State::Waiting if self.pong_within.is_on() => self.pong_within,
            State::Open | State::Waiting => self.ping_after,
            State::Closing => self.close_within,
            State::Silent | State::Over => Ticks::OFF,
        };
        length.after(self.since)
    }

    /// Returns the time at which the peer has been silent for too long.
    const fn silence_ends(&self) -> Ticks {
        match self.state {
            State::Open | State::Waiting => self.idle_within.after(self.received),
            _ => Ticks::OFF,
        }
    }

    /// Restarts the timers that began after `now`.
    const fn restart(&mut self, now: u64) {
        if now < self.since {
            self.since = now;
        }
        if now < self.received {
            self.received = now;
        }
    }

    const fn alive(&mut self, now: u64) {
        self.state = State::Open;
        self.received = now;
        self.since = now;
    }
}

/// A length or a point in time, in half the size of an `Option<u64>`. `u64::MAX` means "off" or
/// "never".
#[derive(Clone, Copy, Debug)]
struct Ticks(u64);

impl Ticks {
    const OFF: Self = Self(u64::MAX);

    const fn new(ticks: Option<u64>) -> Self {
        match ticks {
            None => Self::OFF,
            Some(0) => Self(1),
            // One less makes no difference to a timer that never ends.
            Some(u64::MAX) => Self(u64::MAX - 1),
            Some(ticks) => Self(ticks),
        }
    }

    const fn is_on(self) -> bool {
        self.0 != Self::OFF.0
    }

    /// Returns the end of a timer of this length that began at `start`. An end beyond `u64::MAX` is
    /// never reached.
    const fn after(self, start: u64) -> Self {
        Self(start.saturating_add(self.0))
    }

    /// Returns `true` if the timer has ended.
    const fn is_due(self, now: u64) -> bool {
        self.is_on() && self.0 <= now
    }
}

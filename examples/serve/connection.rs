//! One client: its socket, its state machine, its timers, and the buffers that it holds at the moment.

use std::fmt::Display;
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;

use mio::net::TcpStream;
use sockless::handshake::RequestHead;
use sockless::keepalive::{Action, Keepalive, Timeout, Timers};
use sockless::{Broadcast, CloseCode, Config, Error, Event, Failure, Server, State, WebSocket};

use crate::Shared;
use crate::buffers::{HIGH_MARK, NEWS_MARK, Pool, Rx, Tx};
use crate::compression::CompressionStats;
use crate::echo::{Echo, MAX_MESSAGE};
use crate::routes;

/// Milliseconds.
const TIMERS: Timers = Timers::OFF
    .with_handshake_within(Some(10_000))
    .with_ping_after(Some(30_000))
    .with_pong_within(Some(20_000))
    .with_idle_within(None)
    .with_close_within(Some(5_000));
/// How long a client may leave what we send it unread, once its own message has come to an end or to a halt.
const STALLED_MS: u64 = 20_000;
/// How many reads of 65 KiB at most a client may have in its turn, while others wait for theirs.
const READS_PER_TURN: usize = 4;
/// How much may be made of one read: 65 KiB can inflate to a thousand times that.
const INFLATED_PER_READ: usize = 256 << 10;

/// What a connection is for, once its request has said so.
pub enum Purpose {
    Unknown,
    Echo(Echo),
    Chat,
    Login,
}

/// What to do with a connection after its turn.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Wait until its socket is ready for something.
    Wait,
    /// Give it another turn soon: it had more to do than fits in one.
    Again,
    Drop,
}

pub struct Connection {
    id: usize,
    socket: TcpStream,
    ws: WebSocket<Server>,
    rx: Option<Rx>,
    tx: Option<Tx>,
    keepalive: Keepalive,
    purpose: Purpose,
    /// Since when the socket has taken nothing of what waits for it.
    stalled: Option<u64>,
    /// All has been sent, and the peer was told so; what it still sends is read and thrown away. A socket
    /// closed with unread input is reset instead, and the reset can destroy our Close before it is read.
    lingering: bool,
}

impl Connection {
    pub fn new(id: usize, socket: TcpStream, now: u64) -> Connection {
        Connection {
            id,
            socket,
            ws: WebSocket::server(
                Config::default()
                    .with_max_message_size(MAX_MESSAGE as u64)
                    .with_max_frame_size(MAX_MESSAGE as u64),
            ),
            rx: None,
            tx: None,
            keepalive: Keepalive::new(TIMERS, now),
            purpose: Purpose::Unknown,
            stalled: None,
            lingering: false,
        }
    }

    pub fn socket(&mut self) -> &mut TcpStream {
        &mut self.socket
    }

    /// Does all that can be done now: writes what waits, reads what has come, and acts on it.
    pub fn turn(&mut self, shared: &mut Shared) -> Next {
        if self.lingering {
            return self.linger();
        }
        let (mut rx, mut tx) = (shared.pool.rx(&mut self.rx), shared.pool.tx(&mut self.tx));
        self.ws.borrow_codec_from(&mut shared.pool.deflate);
        let next = self.exchange(&mut rx, &mut tx, shared);
        self.ws.return_codec_to(&mut shared.pool.deflate);
        if let Purpose::Echo(echo) = &self.purpose {
            shared.traffic.update(self.id, || CompressionStats::of(&self.ws, echo.bytes()));
        }
        shared.pool.put_rx(rx, &mut self.rx);
        shared.pool.put_tx(tx, &mut self.tx);
        next
    }

    fn exchange(&mut self, rx: &mut Rx, tx: &mut Tx, shared: &mut Shared) -> Next {
        for _ in 0..READS_PER_TURN {
            let has_more = self.events(rx, tx, shared);
            if self.flush(tx, shared.now).is_err() {
                // The peer is gone. What it said before still counts.
                tx.clear();
                rx.end_of_stream();
                self.events(rx, tx, shared);
                return Next::Drop;
            }
            if matches!(self.ws.state(), State::Closing | State::Closed) {
                self.keepalive.closing(shared.now);
            }
            // Its socket says when it has taken something.
            if !self.may_take(tx, &shared.pool) {
                return Next::Wait;
            }
            if has_more {
                continue;
            }
            if self.ws.is_done() {
                return if tx.is_empty() { self.start_lingering() } else { Next::Wait };
            }
            match self.socket.read(rx.space()) {
                Ok(n) => {
                    rx.filled(n);
                    if n > 0 {
                        self.keepalive.received(shared.now);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Next::Wait,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => rx.end_of_stream(),
            }
        }
        Next::Again
    }

    /// Whether more may be taken from the client. One that does not read is not read from, so that what waits for it
    /// stays bounded; but not in the middle of a message, of which many clients send all before they read: both sides
    /// would wait for the other. Only where too much is held for all clients together it has to wait there, too.
    fn may_take(&self, tx: &Tx, pool: &Pool) -> bool {
        tx.len() <= HIGH_MARK || self.in_message() && pool.may_hold()
    }

    const fn in_message(&self) -> bool {
        matches!(&self.purpose, Purpose::Echo(echo) if echo.in_message())
    }

    /// Acts on what was received, as long as there is room for what that causes to be sent. Says whether it
    /// stopped before the end: for want of room, or to see to the socket and to others.
    fn events(&mut self, rx: &mut Rx, tx: &mut Tx, shared: &mut Shared) -> bool {
        let mut inflated = 0;
        while self.may_take(tx, &shared.pool) && inflated <= INFLATED_PER_READ {
            let event = match self.purpose {
                Purpose::Echo(_) => self.ws.receive_chunks(rx, tx),
                _ => self.ws.receive(rx, tx),
            };
            let Some(event) = event else { return false };
            if let Event::Chunk(chunk) = &event {
                inflated += chunk.bytes().len();
            }
            self.event(event, tx, shared);
        }
        true
    }

    fn event(&mut self, event: Event, tx: &mut Tx, shared: &mut Shared) {
        let outcome = match event {
            Event::UpgradeRequest(request) => {
                self.purpose = routes::upgrade(&request, &mut self.ws, tx, shared);
                self.opened(&request, shared)
            }
            Event::OtherRequest(request) => {
                routes::page(&request, &mut self.ws, tx, shared);
                Ok(())
            }
            Event::Close(close) => {
                let (code, reason) = (close.code().get(), close.reason());
                self.ended(format_args!("closed {code} {reason:?}"), shared);
                Ok(())
            }
            Event::Failed(Failure::Protocol(violation)) => {
                let code = violation.close_code().get();
                self.ended(format_args!("closed {code} \"{violation}\""), shared);
                Ok(())
            }
            Event::Failed(failure) => {
                self.ended(format_args!("refused: {failure}"), shared);
                Ok(())
            }
            // What was sent before our Close arrived there.
            _ if self.ws.state() != State::Open => Ok(()),
            Event::Chunk(chunk) => match &mut self.purpose {
                Purpose::Echo(echo) => {
                    // Nothing can be expected to be read before all is sent.
                    self.stalled = self.stalled.map(|_| shared.now);
                    echo.chunk(&chunk, &mut self.ws, tx).map_err(|_| "cannot send it back")
                }
                _ => Ok(()),
            },
            Event::Text(text) => match self.purpose {
                Purpose::Chat => shared.room.receive(self.id, text, shared.now, &mut shared.outbox),
                Purpose::Login => {
                    shared.logins.receive(self.id, text, shared.now, &mut shared.outbox)
                }
                _ => Ok(()),
            },
            Event::Binary(_) => Err("only text is understood here"),
            _ => Ok(()), // pings are answered already
        };
        if let Err(reason) = outcome {
            self.close(CloseCode::POLICY_VIOLATION, reason, tx, shared);
        }
    }

    fn opened(&mut self, request: &RequestHead, shared: &mut Shared) -> Result<(), &'static str> {
        if self.ws.state() != State::Open {
            return Ok(()); // refused
        }
        self.keepalive.opened(shared.now);
        shared.log.line(self.id, format_args!("open {:?}", request.target()));
        match self.purpose {
            Purpose::Login => {
                let host = routes::host(request).ok_or("no link can be made for this Host")?;
                shared.logins.join(self.id, host, shared.now, &mut shared.outbox)
            }
            Purpose::Echo(_) => {
                if let Some(name) = routes::parameter(request, "name") {
                    shared.traffic.join(self.id, &name);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Nothing more will come of this connection: it leaves its place among the others at once, not when its
    /// socket is closed.
    fn ended(&self, how: impl Display, shared: &mut Shared) {
        shared.log.line(self.id, how);
        shared.leave(self.id);
    }

    fn close(&mut self, code: CloseCode, reason: &str, tx: &mut Tx, shared: &mut Shared) {
        // Behind much that is unsent there may be no room for the reason, but always for the code.
        if self.ws.close(code, reason, tx).or_else(|_| self.ws.close(code, "", tx)).is_ok() {
            self.ended(format_args!("closing with {} {reason:?}", code.get()), shared);
            self.keepalive.closing(shared.now);
        }
    }

    /// Sends a message that another connection caused.
    pub fn send(&mut self, message: &Broadcast<&str>, shared: &mut Shared) -> Next {
        self.output(shared, |this, tx, shared| {
            if tx.len() > NEWS_MARK
                || matches!(
                    this.ws.send_broadcast(message, tx),
                    Err(Error::NoRoom | Error::NeverFits { .. })
                )
            {
                this.close(CloseCode::TRY_AGAIN_LATER, "too slow to follow", tx, shared);
            }
        })
    }

    /// Does what is due at this time.
    pub fn tick(&mut self, shared: &mut Shared) -> Next {
        if self.stalled.is_some_and(|since| shared.now.saturating_sub(since) >= STALLED_MS) {
            self.ended("dropped: does not read", shared);
            return Next::Drop;
        }
        match self.keepalive.poll(shared.now) {
            // Where it had to wait in the middle of a message, room may have been made since: no socket tells.
            None if self.in_message() && self.tx.is_some() && shared.pool.may_hold() => Next::Again,
            None => Next::Wait,
            Some(Action::Ping) => self.output(shared, |this, tx, _| {
                // Behind more there is enough on its way that wants an answer from TCP.
                if tx.len() <= HIGH_MARK {
                    let _ = this.ws.send_ping(b"", tx);
                }
            }),
            Some(Action::TimedOut(Timeout::Pong | Timeout::Idle)) => {
                self.output(shared, |this, tx, shared| {
                    this.close(CloseCode::POLICY_VIOLATION, "no answer to a ping", tx, shared);
                })
            }
            Some(Action::TimedOut(timeout @ (Timeout::Handshake | Timeout::Close))) => {
                if !self.ws.is_done() {
                    self.ended(format_args!("dropped: {timeout:?} took too long"), shared);
                }
                Next::Drop
            }
        }
    }

    fn output(
        &mut self,
        shared: &mut Shared,
        act: impl FnOnce(&mut Self, &mut Tx, &mut Shared),
    ) -> Next {
        let mut tx = shared.pool.tx(&mut self.tx);
        self.ws.borrow_codec_from(&mut shared.pool.deflate);
        act(self, &mut tx, shared);
        self.ws.return_codec_to(&mut shared.pool.deflate);
        let written = self.flush(&mut tx, shared.now);
        shared.pool.put_tx(tx, &mut self.tx);
        // A write that fails leaves its reason to the read that follows.
        if written.is_ok() { Next::Wait } else { Next::Again }
    }

    /// Writes what waits, as far as the socket takes it.
    fn flush(&mut self, tx: &mut Tx, now: u64) -> io::Result<()> {
        while !tx.is_empty() {
            match self.socket.write(tx.bytes()) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(n) => {
                    tx.consume(n);
                    if self.stalled.take().is_some() {
                        // It reads, if slowly. Its Pong may stand behind what we do not read meanwhile.
                        self.keepalive.received(now);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.stalled.get_or_insert(now);
                    break;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn start_lingering(&mut self) -> Next {
        self.lingering = true;
        match self.socket.shutdown(Shutdown::Write) {
            Ok(()) => self.linger(),
            Err(_) => Next::Drop,
        }
    }

    /// Reads until the peer has closed too; `Timeout::Close` bounds how long.
    fn linger(&mut self) -> Next {
        let mut ignored = [0; 4096];
        for _ in 0..READS_PER_TURN {
            match self.socket.read(&mut ignored) {
                Ok(0) => return Next::Drop,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Next::Wait,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Next::Drop,
            }
        }
        Next::Again
    }
}

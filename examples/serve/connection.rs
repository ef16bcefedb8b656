//! One client: its socket, its state machine, its timers, and its borrowed buffers.

use std::fmt::Display;
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;

use mio::net::TcpStream;
use sockless::handshake::RequestHead;
use sockless::keepalive::{Action, Keepalive, Timeout, Timers};
use sockless::{Broadcast, CloseCode, Config, Error, Event, Failure, Server, State, WebSocket};

use crate::Shared;
use crate::buffers::{BROADCAST_MARK, HIGH_WATER_MARK, Pool, Rx, Tx};
use crate::compression::CompressionStats;
use crate::echo::{Echo, MAX_MESSAGE};
use crate::routes;

/// Limits in milliseconds.
const TIMERS: Timers = Timers::OFF
    .with_handshake_within(Some(10_000))
    .with_ping_after(Some(30_000))
    .with_pong_within(Some(20_000))
    .with_idle_within(None)
    .with_close_within(Some(5_000));
/// Time in milliseconds for which a client may read nothing after the last part of its message.
const STALLED_MS: u64 = 20_000;
/// Reads, of at most 65 KiB each, in one turn of a client. Other clients wait meanwhile.
const READS_PER_TURN: usize = 4;
/// Inflated bytes to handle before the next write: 65 KiB can inflate to a thousand times as much.
const INFLATED_PER_READ: usize = 256 << 10;

/// The purpose of a connection, known from its request.
pub enum Purpose {
    Unknown,
    Echo(Echo),
    Chat,
    Login,
}

/// The next step for a connection after its turn.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Wait until its socket is ready.
    Wait,
    /// Give the connection another turn: it has more work than fits in one.
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
    /// The time since when the socket accepts no output, or `None` if it accepts output.
    stalled: Option<u64>,
    /// `true` once all output is sent and the stream is shut down. Further input is read and
    /// ignored: closing a socket with unread input resets the connection, and a reset can destroy
    /// our Close before the peer reads it.
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

    /// Writes, reads and handles events until the socket would block or the turn is over.
    pub fn turn(&mut self, shared: &mut Shared) -> Next {
        if self.lingering {
            return self.linger();
        }
        let (mut rx, mut tx) =
            (shared.pool.take_rx(&mut self.rx), shared.pool.take_tx(&mut self.tx));
        self.ws.borrow_codec_from(&mut shared.pool.deflate);
        let next = self.exchange(&mut rx, &mut tx, shared);
        self.ws.return_codec_to(&mut shared.pool.deflate);
        if let Purpose::Echo(echo) = &self.purpose {
            shared.traffic.update(self.id, || CompressionStats::of(&self.ws, echo.bytes()));
        }
        shared.pool.return_rx(rx, &mut self.rx);
        shared.pool.return_tx(tx, &mut self.tx);
        next
    }

    fn exchange(&mut self, rx: &mut Rx, tx: &mut Tx, shared: &mut Shared) -> Next {
        for _ in 0..READS_PER_TURN {
            let has_more = self.handle_events(rx, tx, shared);
            if self.flush(tx, shared.now).is_err() {
                // The peer is gone. Handle the events that it sent before.
                tx.clear();
                rx.end_of_stream();
                self.handle_events(rx, tx, shared);
                return Next::Drop;
            }
            if matches!(self.ws.state(), State::Closing | State::Closed) {
                self.keepalive.closing(shared.now);
            }
            // The event loop calls again when the socket can accept output.
            if !self.may_receive(tx, &shared.pool) {
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
                    if self.in_message() {
                        // The client need not read before it has sent the whole message, so each
                        // read inside a message restarts the limit.
                        self.stalled = self.stalled.map(|_| shared.now);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Next::Wait,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => rx.end_of_stream(),
            }
        }
        Next::Again
    }

    /// Returns `true` if the server may read more from the client. If the client does not read, the
    /// server stops reading too, which limits the unsent output. In the middle of a message it
    /// reads on, because many clients send a whole message before they read, and both sides would
    /// wait for each other. It stops there too once the output of all clients together reaches its
    /// limit.
    fn may_receive(&self, tx: &Tx, pool: &Pool) -> bool {
        tx.len() <= HIGH_WATER_MARK || self.in_message() && pool.may_grow()
    }

    /// Returns `true` if a message for the echo has arrived in part.
    fn in_message(&self) -> bool {
        matches!(self.purpose, Purpose::Echo(_)) && self.ws.message_kind().is_some()
    }

    /// Handles received events while the output has room. Returns `true` if more events may follow:
    /// the output is full, or the socket and other connections come first.
    fn handle_events(&mut self, rx: &mut Rx, tx: &mut Tx, shared: &mut Shared) -> bool {
        let mut inflated = 0;
        while self.may_receive(tx, &shared.pool) && inflated <= INFLATED_PER_READ {
            let event = match &mut self.purpose {
                Purpose::Echo(echo) => echo.receive(&mut self.ws, rx, tx),
                _ => self.ws.receive(rx, tx),
            };
            let Some(event) = event else { return false };
            if let Event::Chunk(chunk) = &event {
                inflated += chunk.bytes().len();
            }
            self.handle_event(event, tx, shared);
        }
        true
    }

    fn handle_event(&mut self, event: Event, tx: &mut Tx, shared: &mut Shared) {
        let no_echo = |_: Error| "cannot send it back";
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
                self.leave(format_args!("closed {code} {reason:?}"), shared);
                Ok(())
            }
            Event::Failed(Failure::Protocol(violation)) => {
                let code = violation.close_code().get();
                self.leave(format_args!("closed {code} \"{violation}\""), shared);
                Ok(())
            }
            Event::Failed(failure) => {
                self.leave(format_args!("refused: {failure}"), shared);
                Ok(())
            }
            // The peer sent this before it received our Close.
            _ if self.ws.state() != State::Open => Ok(()),
            Event::Text(text) => match &mut self.purpose {
                Purpose::Echo(echo) => echo
                    .message(text.len(), &mut self.ws, |ws| ws.send_text(text, tx))
                    .map_err(no_echo),
                Purpose::Chat => shared.room.receive(self.id, text, shared.now, &mut shared.outbox),
                Purpose::Login => {
                    shared.logins.receive(self.id, text, shared.now, &mut shared.outbox)
                }
                Purpose::Unknown => Ok(()),
            },
            Event::Binary(bytes) => match &mut self.purpose {
                Purpose::Echo(echo) => echo
                    .message(bytes.len(), &mut self.ws, |ws| ws.send_binary(bytes, tx))
                    .map_err(no_echo),
                _ => Err("only text is understood here"),
            },
            Event::Chunk(chunk) => match &mut self.purpose {
                Purpose::Echo(echo) => echo.chunk(&chunk, &mut self.ws, tx).map_err(no_echo),
                _ => Ok(()),
            },
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

    /// Logs the end, and removes the connection from the chat and the log-in now, before its socket
    /// is closed.
    fn leave(&self, how: impl Display, shared: &mut Shared) {
        shared.log.line(self.id, how);
        shared.leave(self.id);
    }

    fn close(&mut self, code: CloseCode, reason: &str, tx: &mut Tx, shared: &mut Shared) {
        // After much unsent output there may be no room for the reason, but always for the code.
        if self.ws.close(code, reason, tx).or_else(|_| self.ws.close(code, "", tx)).is_ok() {
            self.leave(format_args!("closing with {} {reason:?}", code.get()), shared);
            self.keepalive.closing(shared.now);
        }
    }

    /// Sends a message that another connection caused.
    pub fn send(&mut self, message: &Broadcast<&str>, shared: &mut Shared) -> Next {
        self.with_output(shared, |this, tx, shared| {
            if tx.len() > BROADCAST_MARK
                || matches!(
                    this.ws.send_broadcast(message, tx),
                    Err(Error::NoRoom | Error::NeverFits { .. })
                )
            {
                this.close(CloseCode::TRY_AGAIN_LATER, "too slow to follow", tx, shared);
            }
        })
    }

    /// Handles expired timers.
    pub fn tick(&mut self, shared: &mut Shared) -> Next {
        if self.stalled.is_some_and(|since| shared.now.saturating_sub(since) >= STALLED_MS) {
            self.leave("dropped: does not read", shared);
            return Next::Drop;
        }
        match self.keepalive.poll(shared.now) {
            // The connection may have stopped in the middle of a message for lack of room. No
            // socket event reports new room, so the timer tries again.
            None if self.in_message() && self.tx.is_some() && shared.pool.may_grow() => Next::Again,
            None => Next::Wait,
            Some(Action::Ping) => self.with_output(shared, |this, tx, _| {
                // With more unsent output, TCP itself notices a dead peer.
                if tx.len() <= HIGH_WATER_MARK {
                    let _ = this.ws.send_ping(b"", tx);
                }
            }),
            Some(Action::TimedOut(Timeout::Pong | Timeout::Idle)) => {
                self.with_output(shared, |this, tx, shared| {
                    this.close(CloseCode::POLICY_VIOLATION, "no answer to a ping", tx, shared);
                })
            }
            Some(Action::TimedOut(timeout @ (Timeout::Handshake | Timeout::Close))) => {
                if !self.ws.is_done() {
                    self.leave(format_args!("dropped: {timeout:?} took too long"), shared);
                }
                Next::Drop
            }
        }
    }

    fn with_output(
        &mut self,
        shared: &mut Shared,
        act: impl FnOnce(&mut Self, &mut Tx, &mut Shared),
    ) -> Next {
        let mut tx = shared.pool.take_tx(&mut self.tx);
        self.ws.borrow_codec_from(&mut shared.pool.deflate);
        act(self, &mut tx, shared);
        self.ws.return_codec_to(&mut shared.pool.deflate);
        let written = self.flush(&mut tx, shared.now);
        shared.pool.return_tx(tx, &mut self.tx);
        // After a failed write, the next read returns the error.
        if written.is_ok() { Next::Wait } else { Next::Again }
    }

    /// Writes unsent output until the socket would block.
    fn flush(&mut self, tx: &mut Tx, now: u64) -> io::Result<()> {
        while !tx.is_empty() {
            match self.socket.write(tx.bytes()) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(n) => {
                    tx.consume(n);
                    if self.stalled.take().is_some() {
                        // The client reads, if slowly. Its Pong may be in the input that we do not
                        // read meanwhile.
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

    /// Reads until the peer has closed too. `Timeout::Close` limits the time.
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

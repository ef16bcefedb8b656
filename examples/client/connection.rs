//! Drives the connection: one loop over the socket, the input and the timers.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token, Waker};
use sockless::handshake::{HandshakeError, Uri};
use sockless::keepalive::{Action, Keepalive, Timeout, Timers};
use sockless::{
    Client, CloseCode, Config, Error, Event, Failure, GrowableBuffer, MessageKind, Misuse,
    OsEntropy, ReadBuffer, State, WebSocket, WriteBuffer,
};

use crate::Exit;
use crate::input::{self, Piece};
use crate::options::Options;
use crate::output::Output;

const SOCKET: Token = Token(0);
const INPUT: Token = Token(1);

/// Limits in milliseconds.
const TIMERS: Timers = Timers::OFF
    .with_handshake_within(Some(10_000))
    .with_ping_after(Some(30_000))
    .with_pong_within(Some(20_000))
    .with_idle_within(None)
    .with_close_within(Some(3_000));

/// Largest accepted message in bytes.
const MAX_MESSAGE: usize = 64 << 20;
/// Limit on the read buffer: the largest message, and the input after it.
const READ_LIMIT: usize = MAX_MESSAGE + (64 << 10);
/// Unsent bytes beyond which the client reads no more of its standard input.
const HIGH_MARK: usize = 256 << 10;
/// Limit on the write buffer: the mark, one more piece of the input, and replies.
const WRITE_LIMIT: usize = HIGH_MARK + (128 << 10);

/// Codes of a normal end.
const NORMAL: [CloseCode; 3] =
    [CloseCode::NORMAL, CloseCode::GOING_AWAY, CloseCode::NO_STATUS_RECEIVED];

struct Connection<'o> {
    options: &'o Options,
    socket: TcpStream,
    ws: WebSocket<Client<OsEntropy>>,
    rx: ReadBuffer<GrowableBuffer>,
    tx: WriteBuffer<GrowableBuffer>,
    keepalive: Keepalive,
    start: Instant,
    input: Receiver<Piece>,
    output: Output,
    /// The exit code, once known. The first cause decides.
    exit: Option<Exit>,
    /// `true` once all output is sent and the stream is shut down. Further input is read and
    /// ignored: closing a socket with unread input resets the connection, and a reset can destroy
    /// our Close before the server reads it.
    lingering: bool,
}

/// Runs the connection with these options until its end.
pub fn run(socket: std::net::TcpStream, uri: &Uri<'_>, options: &Options) -> io::Result<Exit> {
    socket.set_nonblocking(true)?;
    socket.set_nodelay(true)?;
    let mut socket = TcpStream::from_std(socket);
    let mut poll = Poll::new()?;
    poll.registry().register(&mut socket, SOCKET, Interest::READABLE | Interest::WRITABLE)?;
    let waker = Arc::new(Waker::new(poll.registry(), INPUT)?);
    let mut connection = Connection {
        options,
        socket,
        ws: WebSocket::client(
            Config::default()
                .with_max_message_size(MAX_MESSAGE as u64)
                .with_max_frame_size(MAX_MESSAGE as u64),
            OsEntropy::new(),
        ),
        rx: ReadBuffer::growing(READ_LIMIT),
        tx: WriteBuffer::growing(WRITE_LIMIT),
        keepalive: Keepalive::new(TIMERS, 0),
        start: Instant::now(),
        input: input::start(Arc::clone(&waker)),
        output: Output::new(),
        exit: None,
        lingering: false,
    };
    let (ws, tx) = (&mut connection.ws, &mut connection.tx);
    options.with_request(uri, |request| ws.connect(request, tx)).map_err(io::Error::other)?;
    let mut events = Events::with_capacity(8);
    while !connection.turn()? {
        match poll.poll(&mut events, connection.patience()) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => result?,
        }
    }
    connection.output.flush()?;
    Ok(connection.exit.unwrap_or(Exit::Abnormal))
}

impl Connection<'_> {
    /// Reads, writes and handles events until the socket would block. Returns `true` at the end of
    /// the connection.
    fn turn(&mut self) -> io::Result<bool> {
        loop {
            if self.due() {
                return Ok(true);
            }
            if self.lingering {
                return Ok(self.linger());
            }
            let more_input = self.take_input();
            if self.flush().is_err() {
                // The server is gone. Drop the output, and read what it sent before.
                self.tx.clear();
            }
            if matches!(self.ws.state(), State::Closing | State::Closed) {
                self.keepalive.closing(self.now());
            }
            if self.ws.is_done() {
                if self.tx.is_empty() {
                    self.lingering = true;
                    if self.socket.shutdown(Shutdown::Write).is_err() {
                        return Ok(true);
                    }
                    continue;
                }
                return Ok(false);
            }
            match self.socket.read(self.rx.space()) {
                Ok(n) => {
                    self.rx.filled(n);
                    if n > 0 {
                        self.keepalive.received(self.now());
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.output.flush()?;
                    if more_input && self.tx.is_empty() {
                        continue;
                    }
                    return Ok(false);
                }
                Err(_) => self.rx.end_of_stream(),
            }
            self.receive()?;
        }
    }

    /// Sends lines of the input while the output has room. Returns `true` if there may be more.
    fn take_input(&mut self) -> bool {
        while self.ws.state() == State::Open && self.tx.len() <= HIGH_MARK {
            let sent = match self.input.try_recv() {
                Err(TryRecvError::Empty) => return false,
                Err(TryRecvError::Disconnected) => {
                    let (code, reason) = &self.options.close;
                    self.ws.close(*code, reason, &mut self.tx)
                }
                Ok(Piece { bytes, end }) => {
                    self.ws.send_fragment(MessageKind::Text, &bytes, end, &mut self.tx)
                }
            };
            if let Err(error) = sent {
                eprintln!("client: {error}");
                let ours = error == Error::Misuse(Misuse::InvalidText);
                self.exit.get_or_insert(if ours { Exit::Usage } else { Exit::Abnormal });
                // A Close without a reason always has room.
                let _ = self.ws.close(CloseCode::NORMAL, "", &mut self.tx);
            }
        }
        self.ws.state() == State::Open
    }

    fn receive(&mut self) -> io::Result<()> {
        let we_closed = self.ws.state() == State::Closing;
        while let Some(event) = self.ws.receive(&mut self.rx, &mut self.tx) {
            match event {
                Event::UpgradeResponse(response) => {
                    match self.ws.confirm(&response, &self.options.offered()) {
                        Ok(subprotocol) => {
                            self.keepalive.opened(millis(self.start));
                            self.output.opened(subprotocol)?;
                            if self.options.compress {
                                self.output.compression(self.ws.deflate_params().is_some())?;
                            }
                        }
                        Err(_) => {
                            let failure = Failure::Handshake(HandshakeError::Subprotocol);
                            failed(failure, &mut self.exit);
                        }
                    }
                }
                Event::Rejected(response) => {
                    self.exit.get_or_insert(Exit::Refused);
                    self.output.refused(&response)?;
                }
                Event::RejectionBody(bytes) => self.output.body(bytes)?,
                Event::Text(text) => self.output.text(text)?,
                Event::Binary(bytes) => self.output.bytes("binary", bytes)?,
                Event::Ping(bytes) => self.output.bytes("ping", bytes)?,
                Event::Pong(bytes) => self.output.bytes("pong", bytes)?,
                Event::Close(close) => {
                    let ours = we_closed && close.code() == self.options.close.0;
                    let normal = ours || NORMAL.contains(&close.code());
                    self.exit.get_or_insert(if normal { Exit::Normal } else { Exit::Abnormal });
                    self.output.closed(&close)?;
                }
                Event::Failed(failure) => failed(failure, &mut self.exit),
                _ => {}
            }
        }
        Ok(())
    }

    /// Handles expired timers. Returns `true` if one ends the connection.
    fn due(&mut self) -> bool {
        match self.keepalive.poll(self.now()) {
            None => false,
            Some(Action::Ping) => {
                // If there is no room for a Ping, TCP itself notices a dead server by the unsent
                // output.
                let _ = self.ws.send_ping(b"", &mut self.tx);
                false
            }
            Some(Action::TimedOut(Timeout::Pong | Timeout::Idle)) => {
                eprintln!("client: the server is silent");
                true
            }
            Some(Action::TimedOut(Timeout::Handshake)) => {
                eprintln!("client: the handshake takes too long");
                true
            }
            // The closing handshake is over, or the server does not answer. Only the end of the
            // stream is missing.
            Some(Action::TimedOut(Timeout::Close)) => true,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        while !self.tx.is_empty() {
            match self.socket.write(self.tx.bytes()) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(n) => self.tx.consume(n),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads and ignores input. Returns `true` once the server has closed too.
    fn linger(&mut self) -> bool {
        let mut ignored = [0; 4096];
        loop {
            match self.socket.read(&mut ignored) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return true,
            }
        }
    }

    fn now(&self) -> u64 {
        millis(self.start)
    }

    fn patience(&self) -> Option<Duration> {
        let deadline = self.keepalive.deadline()?;
        Some(Duration::from_millis(deadline.saturating_sub(self.now())))
    }
}

fn millis(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX)
}

fn failed(failure: Failure, exit: &mut Option<Exit>) {
    eprintln!("client: {failure}");
    exit.get_or_insert(match failure {
        Failure::Protocol(_) | Failure::Handshake(_) => Exit::Protocol,
        _ => Exit::Abnormal,
    });
}

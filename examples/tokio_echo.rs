//! An echo server on tokio: each connection has a task that reads and a task that writes, without a lock between
//! them.
//!
//! ```text
//! cargo run --release --example tokio_echo -- [ADDRESS]
//! ```
//!
//! The handshake is done by the whole machine, [`WebSocket`], in one task. Then the machine is taken apart: the
//! [`Receiver`] stays with the half of the socket that is read, the [`Sender`] goes with the other half into a task of its
//! own, and a channel leads from one to the other. What the whole machine does by itself is visible here: pings
//! and Closes are answered by the reader's asking for it.
//!
//! Messages go back in the pieces in which they arrive, so one of 64 MiB passes through a few buffers of 16 KiB. The
//! channel is short: a client that does not read what we send is not read from.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use sockless::handshake::Accept;
use sockless::keepalive::{Action, Keepalive, Timers};
use sockless::{
    CloseCode, Config, Event, Incoming, MessageKind, ReadBuffer, Receiver, Sender, Server, Storage,
    WebSocket, WriteBuffer,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// The largest head of a request, and the largest piece of a message.
const READ: usize = 16 << 10;
/// Several pieces leave in one write.
const WRITE: usize = 64 << 10;
/// How many pieces may wait for the writer.
const WAITING: usize = 8;
/// How long the handshake may take, and how long a client may leave what we send it unread.
const PATIENCE: Duration = Duration::from_secs(10);
/// Milliseconds.
const TIMERS: Timers = Timers::OFF
    .with_handshake_within(None)
    .with_ping_after(Some(30_000))
    .with_pong_within(Some(20_000))
    .with_idle_within(None)
    .with_close_within(Some(5_000));

/// What the reader asks the writer to send.
enum Outgoing {
    Piece { kind: MessageKind, bytes: Vec<u8>, last: bool },
    Pong(Vec<u8>),
    Ping,
    Close(CloseCode),
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8001".to_owned());
    let listener = TcpListener::bind(&address).await?;
    println!("ws://{}/", listener.local_addr()?);
    loop {
        match listener.accept().await {
            Ok((socket, peer)) => drop(tokio::spawn(connection(socket, peer))),
            // No file descriptor is left, most likely: those who are connected go on.
            Err(error) => {
                eprintln!("cannot accept: {error}");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn connection(socket: TcpStream, peer: SocketAddr) {
    match serve(socket).await {
        Ok(end) => eprintln!("{peer}: {end}"),
        Err(error) => eprintln!("{peer}: {error}"),
    }
}

/// The whole life of a connection. Says how it ended.
async fn serve(mut socket: TcpStream) -> io::Result<String> {
    socket.set_nodelay(true)?;
    let mut rx = ReadBuffer::new(vec![0; READ].into_boxed_slice());
    let (receiver, sender) = match timeout(PATIENCE, handshake(&mut socket, &mut rx)).await?? {
        Ok(halves) => halves,
        Err(reason) => {
            socket.shutdown().await?;
            drain(&mut socket).await;
            return Ok(reason);
        }
    };
    let (read_half, write_half) = socket.into_split();
    let (pieces, to_send) = mpsc::channel(WAITING);
    let writer = tokio::spawn(write(sender, write_half, to_send));
    let mut reader = Reader { receiver, rx, socket: read_half, pieces };
    let end = reader.read().await;
    let Reader { socket: mut read_half, pieces, .. } = reader;
    // The writer ends when nothing more can be asked for, and with it our direction of the stream. A client that does
    // not let it end loses it with the socket.
    drop(pieces);
    let abort = writer.abort_handle();
    match timeout(PATIENCE, writer).await {
        Ok(_) => drain(&mut read_half).await,
        Err(_) => abort.abort(),
    }
    end
}

/// Answers the request: the halves of an open connection, or why there is none. What was read behind the request
/// stays in `rx`.
async fn handshake(
    socket: &mut TcpStream,
    rx: &mut ReadBuffer<impl Storage>,
) -> io::Result<Result<(Receiver, Sender<Server>), String>> {
    let mut ws = WebSocket::server(Config::default());
    let mut tx = WriteBuffer::new([0; 1024]);
    let mut reason = "went before its request was whole".to_owned();
    while !ws.is_done() {
        let n = socket.read(rx.space()).await?;
        rx.filled(n);
        while let Some(event) = ws.receive(rx, &mut tx) {
            match event {
                Event::UpgradeRequest(request) => {
                    ws.accept(&request, Accept::new(), &mut tx).map_err(io::Error::other)?;
                    socket.write_all(tx.bytes()).await?;
                    return Ok(ws.split().map_err(|_| "not open".to_owned()));
                }
                // Left without an answer it gets one that says what this server is for.
                Event::OtherRequest(request) => reason = format!("asked for {}", request.target()),
                Event::Failed(failure) => reason = failure.to_string(),
                _ => {}
            }
        }
        socket.write_all(tx.bytes()).await?;
        tx.clear();
    }
    Ok(Err(reason))
}

struct Reader<S> {
    receiver: Receiver,
    rx: ReadBuffer<S>,
    socket: OwnedReadHalf,
    pieces: mpsc::Sender<Outgoing>,
}

impl<S: Storage> Reader<S> {
    /// Reads until the connection is closed. Says how.
    async fn read(&mut self) -> io::Result<String> {
        let start = Instant::now();
        let millis = || start.elapsed().as_millis() as u64;
        let mut keepalive = Keepalive::new(TIMERS, 0);
        keepalive.opened(0);
        loop {
            if let Some(end) = self.take().await? {
                return Ok(end);
            }
            let deadline = keepalive.deadline().unwrap_or(u64::MAX >> 32);
            let deadline = start + Duration::from_millis(deadline);
            // Dropped when its time is up, a read has taken nothing: tokio promises that.
            match timeout_at(deadline, self.socket.read(self.rx.space())).await {
                Ok(n) => {
                    self.rx.filled(n?);
                    keepalive.received(millis());
                }
                Err(_) => match keepalive.poll(millis()) {
                    Some(Action::Ping) => self.send(Outgoing::Ping).await?,
                    Some(Action::TimedOut(_)) => {
                        self.send(Outgoing::Close(CloseCode::POLICY_VIOLATION)).await?;
                        return Ok("silent".to_owned());
                    }
                    None => {}
                },
            }
        }
    }

    /// Takes everything that was read, and asks the writer for what it causes. Says how the connection has ended, if it
    /// has.
    async fn take(&mut self) -> io::Result<Option<String>> {
        loop {
            let (answer, end) = match self.receiver.receive_chunks(&mut self.rx) {
                Ok(Some(Incoming::Data(chunk))) => {
                    let (kind, last) = (chunk.kind(), chunk.is_last());
                    (Outgoing::Piece { kind, bytes: chunk.bytes().to_vec(), last }, None)
                }
                Ok(Some(Incoming::Ping(payload))) => (Outgoing::Pong(payload.to_vec()), None),
                Ok(Some(Incoming::Close(close))) => {
                    let end = format!("closed {} {}", close.code().get(), close.reason());
                    (Outgoing::Close(close.code()), Some(end))
                }
                Ok(Some(Incoming::End)) => return Ok(Some("gone without a Close".to_owned())),
                Ok(Some(_)) => continue,
                Ok(None) => return Ok(None),
                Err(violation) => {
                    let end = format!("failed: {violation}");
                    (Outgoing::Close(violation.close_code()), Some(end))
                }
            };
            self.send(answer).await?;
            if end.is_some() {
                return Ok(end);
            }
        }
    }

    async fn send(&self, what: Outgoing) -> io::Result<()> {
        match timeout(PATIENCE, self.pieces.send(what)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(io::Error::new(io::ErrorKind::BrokenPipe, "cannot be written to")),
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "does not read")),
        }
    }
}

/// Sends what it is asked to, several pieces with one write when they are there. Ends our direction of the
/// stream with the Close, or when nothing more can be asked for.
async fn write(
    mut sender: Sender<Server>,
    mut socket: OwnedWriteHalf,
    mut to_send: mpsc::Receiver<Outgoing>,
) -> io::Result<()> {
    let mut tx = WriteBuffer::new(vec![0; WRITE].into_boxed_slice());
    while let Some(what) = to_send.recv().await {
        let mut next = Some(what);
        while let Some(what) = next {
            if put(&mut sender, &what, &mut tx).is_err() {
                // Nothing was put, for want of room.
                socket.write_all(tx.bytes()).await?;
                tx.clear();
                put(&mut sender, &what, &mut tx).map_err(io::Error::other)?;
            }
            next = to_send.try_recv().ok();
        }
        socket.write_all(tx.bytes()).await?;
        tx.clear();
        if sender.is_closed() {
            break;
        }
    }
    socket.shutdown().await
}

fn put(
    sender: &mut Sender<Server>,
    what: &Outgoing,
    tx: &mut WriteBuffer<impl Storage>,
) -> Result<(), sockless::Error> {
    match what {
        Outgoing::Piece { kind, bytes, last } => sender.fragment(*kind, bytes, *last, tx),
        Outgoing::Pong(payload) => sender.pong(payload, tx),
        Outgoing::Ping => sender.ping(b"", tx),
        Outgoing::Close(code) => sender.close(*code, "", tx),
    }
}

/// Reads and throws away until the client has closed, too: a socket closed with unread input is reset, and the
/// reset can destroy our Close before it is read.
async fn drain(socket: &mut (impl AsyncRead + Unpin)) {
    let mut ignored = [0; 4096];
    let all = async { while !matches!(socket.read(&mut ignored).await, Ok(0) | Err(_)) {} };
    let _ = timeout(Duration::from_secs(5), all).await;
}

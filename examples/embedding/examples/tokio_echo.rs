//! An echo server on tokio over the halves: one task reads and another writes, without a lock.
use std::{io, time::Duration};

use sockless::{Config, Event, GrowableBuffer, Incoming, MessageKind, ReadBuffer, Receiver, Reply};
use sockless::{Sender, Server, State, WebSocket, WriteBuffer, handshake::Accept};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy, sink};
use tokio::net::{TcpListener, TcpStream, tcp};
use tokio::{sync::mpsc, time::sleep, time::timeout};

/// Time limit of the handshake, of the client's silence, of a write, and of the end of the stream.
/// `sockless::keepalive` has pings, which find out whether a silent client is still there.
const PATIENCE: Duration = Duration::from_secs(60);

type Halves = (Receiver, Sender<Server>);

/// A request of the reader to the writer.
enum Outgoing {
    /// A fragment: the kind of its message, its bytes, and `true` for the last.
    Chunk(MessageKind, Vec<u8>, bool),
    Reply(Reply),
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8001".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("ws://{}/", listener.local_addr()?);
    loop {
        match listener.accept().await {
            Ok((socket, _)) => drop(tokio::spawn(serve(socket))),
            Err(_) => sleep(Duration::from_millis(100)).await, // too many open files
        }
    }
}

pub async fn serve(mut socket: TcpStream) -> io::Result<()> {
    let mut rx = ReadBuffer::growing(16 << 10); // the largest head, and the largest chunk
    let (receiver, sender) = timeout(PATIENCE, open(&mut socket, &mut rx)).await??;
    let (mut input, output) = socket.into_split();
    let (to_writer, queue) = mpsc::channel(8); // if the client does not read, neither do we
    let writer = tokio::spawn(write(output, queue, sender));
    read(&mut input, rx, receiver, to_writer).await?;
    writer.await??;
    // Closing a socket with unread input resets the connection, which can destroy our Close.
    timeout(PATIENCE, copy(&mut input, &mut sink())).await?.map(drop)
}

/// Opens the connection, or refuses it. Frames that came with the request stay in `rx`.
async fn open(socket: &mut TcpStream, rx: &mut ReadBuffer<GrowableBuffer>) -> io::Result<Halves> {
    let (mut ws, mut tx) = (WebSocket::server(Config::default()), WriteBuffer::new([0; 1024]));
    while ws.state() == State::Connecting {
        let n = socket.read(rx.space()).await?;
        rx.filled(n);
        while ws.state() == State::Connecting
            && let Some(event) = ws.receive(rx, &mut tx)
        {
            if let Event::UpgradeRequest(request) = event {
                ws.accept(&request, Accept::new(), &mut tx)?;
            }
        }
        socket.write_all(tx.bytes()).await?;
        tx.clear();
    }
    ws.split().map_err(|_| io::Error::other("refused"))
}

async fn read(
    input: &mut tcp::OwnedReadHalf,
    mut rx: ReadBuffer<GrowableBuffer>,
    mut receiver: Receiver,
    to_writer: mpsc::Sender<Outgoing>,
) -> io::Result<()> {
    loop {
        let outgoing = match receiver.receive_chunks(&mut rx) {
            Ok(None) => {
                let n = timeout(PATIENCE, input.read(rx.space())).await??;
                rx.filled(n);
                continue;
            }
            Ok(Some(Incoming::End)) => return Ok(()),
            Ok(Some(Incoming::Data(c))) => {
                Outgoing::Chunk(c.kind(), c.bytes().to_vec(), c.is_last())
            }
            Ok(Some(item)) => match item.reply() {
                Some(reply) => Outgoing::Reply(reply),
                None => continue,
            },
            Err(violation) => Outgoing::Reply(violation.into()),
        };
        let over = matches!(&outgoing, Outgoing::Reply(reply) if reply.is_close());
        if to_writer.send(outgoing).await.is_err() || over {
            return Ok(()); // the writer has failed, or ends with the Close
        }
    }
}

/// Ends our direction of the stream after the Close, or when the reader has ended.
async fn write(
    mut output: tcp::OwnedWriteHalf,
    mut queue: mpsc::Receiver<Outgoing>,
    mut sender: Sender<Server>,
) -> io::Result<()> {
    let mut tx = WriteBuffer::growing(64 << 10);
    while let Some(outgoing) = queue.recv().await {
        match outgoing {
            Outgoing::Chunk(kind, bytes, last) => sender.fragment(kind, &bytes, last, &mut tx),
            Outgoing::Reply(reply) => sender.reply(reply, &mut tx),
        }?;
        if queue.is_empty() || tx.len() > 32 << 10 {
            timeout(PATIENCE, output.write_all(tx.bytes())).await??;
            tx.clear();
        }
    }
    output.shutdown().await
}

//! An echo server on tokio over the halves: one task reads and another writes, without a lock.
use std::{io, time::Duration};

use sockless::handshake::{Accept, ServerEvent, ServerHandshake};
use sockless::{Config, GrowableBuffer, Incoming, MessageKind, ReadBuffer};
use sockless::{Receiver, Reply, Sender, WriteBuffer};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy, sink};
use tokio::net::{TcpListener, TcpStream, tcp};
use tokio::{sync::mpsc, time::timeout};

/// Longest time that a client may send nothing, and longest time that it may read nothing.
const PATIENCE: Duration = Duration::from_secs(60);

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
        let (socket, peer) = listener.accept().await?;
        tokio::spawn(async move { eprintln!("{peer}: {:?}", serve(socket).await) });
    }
}

pub async fn serve(mut socket: TcpStream) -> io::Result<()> {
    let mut rx = ReadBuffer::growing(16 << 10); // the largest head, and the largest chunk
    let open = timeout(PATIENCE, open(&mut socket, &mut rx)).await??;
    let (mut input, output) = socket.into_split();
    let (to_writer, queue) = mpsc::channel(8); // if the client does not read, neither do we
    let writer = tokio::spawn(write(output, queue));
    match open {
        true => read(&mut input, rx, to_writer).await?,
        false => drop(to_writer),
    }
    writer.await??;
    // Closing a socket with unread input resets the connection, which can destroy our Close.
    timeout(PATIENCE, copy(&mut input, &mut sink())).await?.map(drop)
}

/// Returns `true` if the connection is open. Frames that came with the request stay in `rx`.
async fn open(socket: &mut TcpStream, rx: &mut ReadBuffer<GrowableBuffer>) -> io::Result<bool> {
    let (mut opening, mut tx) = (ServerHandshake::new(&Config::new()), WriteBuffer::new([0; 1024]));
    while !opening.is_open() && !opening.is_done() {
        let n = socket.read(rx.space()).await?;
        rx.filled(n);
        while let Some(event) = opening.receive(rx, &mut tx) {
            if let ServerEvent::UpgradeRequest(request) = event {
                opening.accept(&request, Accept::new(), &mut tx).map_err(io::Error::other)?;
            }
        }
        socket.write_all(tx.bytes()).await?;
        tx.clear();
    }
    Ok(opening.is_open())
}

async fn read(
    input: &mut tcp::OwnedReadHalf,
    mut rx: ReadBuffer<GrowableBuffer>,
    to_writer: mpsc::Sender<Outgoing>,
) -> io::Result<()> {
    let mut receiver = Receiver::server(Config::default());
    loop {
        let outgoing = match receiver.receive_chunks(&mut rx) {
            Ok(None) => {
                let n = timeout(PATIENCE, input.read(rx.space())).await??;
                rx.filled(n);
                continue;
            }
            Ok(Some(Incoming::End)) => return Ok(()),
            Ok(Some(Incoming::Data(chunk))) => {
                Outgoing::Chunk(chunk.kind(), chunk.bytes().to_vec(), chunk.is_last())
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
) -> io::Result<()> {
    let (mut sender, mut tx) = (Sender::server(), WriteBuffer::growing(64 << 10));
    while let Some(outgoing) = queue.recv().await {
        match outgoing {
            Outgoing::Chunk(kind, bytes, last) => sender.fragment(kind, &bytes, last, &mut tx),
            Outgoing::Reply(reply) => sender.reply(reply, &mut tx),
        }
        .map_err(io::Error::other)?;
        if queue.is_empty() || tx.len() > 32 << 10 {
            timeout(PATIENCE, output.write_all(tx.bytes())).await??;
            tx.clear();
        }
    }
    output.shutdown().await
}

//! The servers under test: each echoes text and binary messages over any transport.

use std::error::Error;

use fastwebsockets::{FragmentCollector, OpCode, Role, WebSocket};
use futures_util::{FutureExt, SinkExt, StreamExt};
use sockless_tokio::{Event, accept};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::load::Io;

pub type Outcome = Result<(), Box<dyn Error>>;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Server {
    OursRecv,
    OursNextSend,
    TungsteniteMessage,
    TungsteniteRead,
    FastWebSockets,
    TokioWebSocketsMessage,
    TokioWebSocketsRead,
}

pub const ALL: [Server; 7] = [
    Server::OursRecv,
    Server::OursNextSend,
    Server::TungsteniteMessage,
    Server::TungsteniteRead,
    Server::FastWebSockets,
    Server::TokioWebSocketsMessage,
    Server::TokioWebSocketsRead,
];

impl Server {
    pub const fn name(self) -> &'static str {
        match self {
            Server::OursRecv => "sockless-tokio, recv_and_queue",
            Server::OursNextSend => "sockless-tokio, next and send",
            Server::TungsteniteMessage => "tokio-tungstenite, flush per message",
            Server::TungsteniteRead => "tokio-tungstenite, flush per read",
            Server::FastWebSockets => "fastwebsockets",
            Server::TokioWebSocketsMessage => "tokio-websockets, flush per message",
            Server::TokioWebSocketsRead => "tokio-websockets, flush per read",
        }
    }

    pub const fn is_ours(self) -> bool {
        matches!(self, Server::OursRecv | Server::OursNextSend)
    }

    /// Serves one connection until it ends.
    pub async fn serve<T: Io>(self, io: T) -> Outcome {
        match self {
            Server::OursRecv => ours_recv(io).await,
            Server::OursNextSend => ours_next_send(io).await,
            Server::TungsteniteMessage => tungstenite(io, false).await,
            Server::TungsteniteRead => tungstenite(io, true).await,
            Server::FastWebSockets => fastwebsockets(io).await,
            Server::TokioWebSocketsMessage => tokio_websockets(io, false).await,
            Server::TokioWebSocketsRead => tokio_websockets(io, true).await,
        }
    }
}

async fn ours_recv(io: impl Io) -> Outcome {
    let mut ws = accept(io).await?;
    while let Some(received) = ws.recv_and_queue().await {
        match received? {
            (Event::Text(text), mut queue) => queue.text(text)?,
            (Event::Binary(bytes), mut queue) => queue.binary(bytes)?,
            _ => {}
        }
    }
    Ok(())
}

async fn ours_next_send(io: impl Io) -> Outcome {
    let mut ws = accept(io).await?;
    while let Some(message) = ws.next().await.transpose()? {
        if message.is_data() {
            ws.send(message).await?;
        }
    }
    Ok(())
}

/// Echoes what a stream and sink receives. With `lazy` it flushes when no message is ready.
macro_rules! echo {
    ($socket:expr, $lazy:expr) => {
        loop {
            let next = match $lazy.then(|| $socket.next().now_or_never()) {
                Some(Some(next)) => next,
                Some(None) => {
                    $socket.flush().await?;
                    $socket.next().await
                }
                None => $socket.next().await,
            };
            let Some(Ok(message)) = next else { return Ok(()) };
            if message.is_text() || message.is_binary() {
                if $lazy {
                    $socket.feed(message).await?;
                } else {
                    $socket.send(message).await?;
                }
            }
        }
    };
}

async fn tungstenite(io: impl Io, lazy: bool) -> Outcome {
    let mut socket = tokio_tungstenite::accept_async(io).await?;
    echo!(socket, lazy)
}

async fn tokio_websockets(io: impl Io, lazy: bool) -> Outcome {
    let (_, mut socket) = ::tokio_websockets::ServerBuilder::new().accept(io).await?;
    echo!(socket, lazy)
}

/// Shakes hands by hand: the crate's own handshake needs hyper, and is not measured.
async fn fastwebsockets<T: Io>(mut io: T) -> Outcome {
    use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if io.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let head = String::from_utf8(head)?;
    let key = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
    let accept = derive_accept_key(key.ok_or("no key")?.as_bytes());
    let response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    io.write_all(response.as_bytes()).await?;
    fast(io).await
}

async fn fast(io: impl AsyncRead + AsyncWrite + Unpin) -> Outcome {
    let mut socket = FragmentCollector::new(WebSocket::after_handshake(io, Role::Server));
    loop {
        match socket.read_frame().await {
            Ok(frame) if matches!(frame.opcode, OpCode::Text | OpCode::Binary) => {
                socket.write_frame(frame).await?;
            }
            Ok(frame) if frame.opcode == OpCode::Close => return Ok(()),
            Ok(_) => {}
            Err(_) => return Ok(()),
        }
    }
}

//! fastwebsockets: asynchronous, writes each message at once. hyper usually runs its handshake. The
//! handshake here is by hand, because it is not measured.

use std::net::TcpStream;

use fastwebsockets::{FragmentCollector, OpCode, Role, WebSocket};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tungstenite::handshake::derive_accept_key;

use super::{Outcome, block_on};

pub fn per_message(stream: TcpStream) -> Outcome {
    block_on(stream, |mut stream| async move {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if stream.read_buf(&mut head).await? == 0 {
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
        stream.write_all(response.as_bytes()).await?;
        let mut socket = FragmentCollector::new(WebSocket::after_handshake(stream, Role::Server));
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
    })
}

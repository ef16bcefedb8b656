//! This crate: the README's loop unchanged, and with buffers that grow.

use std::net::TcpStream;

use sockless::handshake::Accept;
use sockless::{Config, Event, ReadBuffer, WebSocket, WriteBuffer};

use super::Outcome;

#[allow(clippy::all)]
mod printed {
    include!(concat!(env!("OUT_DIR"), "/readme.rs"));
}

pub fn readme(stream: TcpStream) -> Outcome {
    printed::serve(stream)
}

/// The largest message and its header.
const LIMIT: usize = 1 << 20;

pub fn growing(mut stream: TcpStream) -> Outcome {
    use std::io::{Read, Write};
    let mut ws = WebSocket::server(Config::default());
    let (mut rx, mut tx) = (ReadBuffer::growing(LIMIT), WriteBuffer::growing(LIMIT));
    while !ws.is_done() {
        let n = stream.read(rx.space())?;
        rx.filled(n);
        while let Some(event) = ws.receive(&mut rx, &mut tx) {
            match event {
                Event::UpgradeRequest(request) => ws.accept(&request, Accept::new(), &mut tx)?,
                Event::Text(text) => ws.send_text(text, &mut tx)?,
                Event::Binary(bytes) => ws.send_binary(bytes, &mut tx)?,
                _ => {}
            }
        }
        stream.write_all(tx.bytes())?;
        tx.clear();
    }
    Ok(())
}

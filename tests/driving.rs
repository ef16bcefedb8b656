//! Tests the loops of the documentation over bad transports.

mod common;
use common::*;
use sockless::handshake::{Accept, ConnectRequest, Uri};
use sockless::{Client, Config, Event, ReadBuffer, Role, Server, WebSocket, WriteBuffer};
use std::collections::VecDeque;
use std::io::{Read, Write};

/// A stream that returns one piece of input per read, and records the output.
struct Script {
    input: VecDeque<Vec<u8>>,
    output: Vec<u8>,
}

impl Read for Script {
    fn read(&mut self, space: &mut [u8]) -> std::io::Result<usize> {
        let Some(bytes) = self.input.front_mut() else { return Ok(0) };
        let n = bytes.len().min(space.len());
        space[..n].copy_from_slice(&bytes[..n]);
        bytes.drain(..n);
        if bytes.is_empty() {
            self.input.pop_front();
        }
        Ok(n)
    }
}

impl Write for &mut Script {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.output.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Runs the README's loop with compression and with buffers of this limit.
fn serve(stream: &mut Script, limit: usize) -> Result<(), Box<dyn std::error::Error>> {
    let mut ws = WebSocket::server(Config::default());
    let (mut rx, mut tx) = (ReadBuffer::growing(limit), WriteBuffer::growing(2 * limit));
    while !ws.is_done() {
        let n = stream.read(rx.space())?;
        rx.filled(n);
        while let Some(event) = ws.receive(&mut rx, &mut tx) {
            match event {
                Event::UpgradeRequest(request) => {
                    let accept = Accept::new();
                    #[cfg(feature = "deflate")]
                    let accept = accept.with_deflate(sockless::deflate::DeflateConfig::DEFAULT);
                    ws.accept(&request, accept, &mut tx)?;
                }
                Event::Text(text) => ws.send_text(text, &mut tx)?,
                Event::Binary(bytes) => ws.send_binary(bytes, &mut tx)?,
                _ => {}
            }
            if tx.len() > limit / 16 {
                (&mut *stream).write_all(tx.bytes())?;
                tx.clear();
            }
        }
        (&mut *stream).write_all(tx.bytes())?;
        tx.clear();
    }
    Ok(())
}

/// Hostile input "compressed echoes": four messages of 3,900 equal bytes arrive in one read, and
/// the loop echoes all of them.
#[test]
#[cfg(feature = "deflate")]
fn the_plain_loop_echoes_what_inflates() {
    use sockless::deflate::DeflateConfig;
    for (size, count) in [(3_900, 4), (3_900, 200), (16_000, 50), (16_384, 3)] {
        let uri = Uri::parse("ws://a/").unwrap();
        let mut client = WebSocket::client(Config::default(), sevens as Sevens);
        let (mut rx, mut tx) = (ReadBuffer::growing(1 << 24), WriteBuffer::growing(1 << 24));
        let request = ConnectRequest::new(&uri).with_deflate(DeflateConfig::DEFAULT);
        client.connect(&request, &mut tx).unwrap();
        let mut stream = Script { input: VecDeque::new(), output: Vec::new() };
        stream.input.push_back(tx.bytes().to_vec());
        tx.clear();
        // Compress the messages with a connection that has agreed to compression.
        let mut peer = WebSocket::client(Config::default(), sevens as Sevens);
        peer.connect(&request, &mut tx).unwrap();
        tx.clear();
        let answer = "Sec-WebSocket-Extensions: permessage-deflate";
        let _ = rx.extend(&http::response("Sec-WebSocket-Extensions", &[answer]));
        let event = peer.receive(&mut rx, &mut tx);
        assert!(matches!(event, Some(Event::UpgradeResponse(_))));
        assert!(peer.receive(&mut rx, &mut tx).is_none());
        let message = vec![b'x'; size];
        for _ in 0..count {
            peer.send_binary(&message, &mut tx).unwrap();
        }
        stream.input.push_back(tx.bytes().to_vec());
        serve(&mut stream, 16 << 10).unwrap();

        let _ = rx.extend(&stream.output);
        let mut echoed = 0;
        while let Some(event) = client.receive(&mut rx, &mut WriteBuffer::new([0; 512])) {
            if let Event::Binary(bytes) = event {
                assert_eq!(bytes, message);
                echoed += 1;
            }
        }
        assert_eq!(echoed, count, "{size}");
    }
}

const TOTAL: usize = 10 << 20;
const MESSAGE: usize = 4 << 10;
/// Unsent bytes beyond which a peer sends no further messages of its own.
const HIGH_WATER: usize = 16 << 10;

struct Peer<R: Role> {
    ws: WebSocket<R>,
    rx: ReadBuffer<Box<[u8]>>,
    tx: WriteBuffer<Box<[u8]>>,
    sent: usize,
    received: usize,
}

impl<R: Role> Peer<R> {
    fn new(role: R) -> Peer<R> {
        Peer {
            ws: WebSocket::from_upgraded(role, Config::default()),
            rx: ReadBuffer::new(vec![0; 8 << 10].into()),
            tx: WriteBuffer::new(vec![0; 2 * HIGH_WATER].into()),
            sent: 0,
            received: 0,
        }
    }

    /// Runs one iteration of the duplex loop. It writes until the transport blocks and reads
    /// available input. While output is unsent it delays its own messages, never its reads.
    fn turn(&mut self, input: &mut VecDeque<u8>, output: &mut VecDeque<u8>, room: usize) {
        while self.sent < TOTAL && self.tx.len() < HIGH_WATER {
            self.ws.send_binary(&[7; MESSAGE], &mut self.tx).unwrap();
            self.sent += MESSAGE;
        }
        let n = self.tx.len().min(room - output.len());
        output.extend(&self.tx.bytes()[..n]);
        self.tx.consume(n);
        let space = self.rx.space();
        let n = space.len().min(input.len());
        for (to, byte) in space.iter_mut().zip(input.drain(..n)) {
            *to = byte;
        }
        if n > 0 {
            self.rx.filled(n);
        }
        while let Some(event) = self.ws.receive(&mut self.rx, &mut self.tx) {
            let Event::Binary(bytes) = event else { panic!("{event:?}") };
            assert_eq!(bytes.len(), MESSAGE);
            self.received += bytes.len();
        }
    }
}

/// Hostile input "two peers that both send in bulk".
#[test]
fn two_peers_that_send_in_bulk_both_finish() {
    let (mut server, mut client) = (Peer::new(Server), Peer::new(Client::new(sevens as Sevens)));
    let (mut to_server, mut to_client) = (VecDeque::new(), VecDeque::new());
    let mut turns = 0;
    while server.received < TOTAL || client.received < TOTAL {
        server.turn(&mut to_server, &mut to_client, 64);
        client.turn(&mut to_client, &mut to_server, 64);
        turns += 1;
        assert!(turns < TOTAL / 16, "both wait for each other");
    }
    assert_eq!((server.received, client.received), (TOTAL, TOTAL));
}

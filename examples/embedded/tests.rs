//! Tests both drivers in both roles, with reads and writes of every size.

use embassy_futures::block_on;
use sockless::handshake::{Accept, ConnectRequest, Uri};
use sockless::{
    CloseCode, Config, Error, Event, FnEntropy, ReadBuffer, Server, WebSocket, WriteBuffer,
};

use crate::transport::Script;
use crate::{asynchronous, blocking, main};

const REQUEST: &[u8] = b"GET /chat HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
const ACCEPTED: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
/// "Hello" in one frame, then in two with a ping between, then a Close with 1000; each masked with
/// zeros.
const TALK: &[u8] = b"\x81\x85\0\0\0\0Hello\x01\x83\0\0\0\0Hel\x89\x81\0\0\0\0?\x80\x82\0\0\0\0lo\x88\x82\0\0\0\0\x03\xe8";
const ANSWERS: &[u8] = b"\x81\x05Hello\x8a\x01?\x81\x05Hello\x88\x02\x03\xe8";

fn echo<T: sockless::Storage>(
    ws: &mut WebSocket<Server>,
    event: Event<'_>,
    tx: &mut WriteBuffer<T>,
) -> Result<(), Error> {
    match event {
        Event::UpgradeRequest(request) => ws.accept(&request, Accept::new(), tx),
        Event::Text(text) => ws.send_text(text, tx),
        Event::Binary(bytes) => ws.send_binary(bytes, tx),
        _ => Ok(()),
    }
}

fn buffers() -> (ReadBuffer<[u8; 300]>, WriteBuffer<[u8; 600]>) {
    (ReadBuffer::new([0; 300]), WriteBuffer::new([0; 600]))
}

#[test]
fn a_server_over_pieces_of_every_size() {
    let says = [REQUEST, TALK].concat();
    let answers = [ACCEPTED, ANSWERS].concat();
    for piece in 1..=says.len() {
        let (mut rx, mut tx) = buffers();
        let mut peer = Script::new(&says, piece);
        let mut ws = WebSocket::server(Config::new());
        let Ok(()) = blocking::drive(&mut ws, &mut peer, &mut rx, &mut tx, echo);
        assert_eq!(peer.heard, answers, "blocking, {piece} bytes a read");

        let (mut rx, mut tx) = buffers();
        let mut peer = Script::new(&says, piece);
        let mut ws = WebSocket::server(Config::new());
        let app = async |ws: &mut _, event: Event<'_>, tx: &mut _| echo(ws, event, tx);
        let Ok(()) = block_on(asynchronous::drive(&mut ws, &mut peer, &mut rx, &mut tx, app));
        assert_eq!(peer.heard, answers, "asynchronous, {piece} bytes a read");
    }
}

#[test]
fn a_client_over_pieces_of_every_size() {
    // With a nonce of zeros the key is AAAAAAAAAAAAAAAAAAAAAA==.
    let says = [
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
          Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n\r\n",
        &b"\x81\x02Hi\x88\x02\x03\xe8"[..],
    ]
    .concat();
    let hears: &[u8] = b"GET /chat HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\
        Sec-WebSocket-Version: 13\r\n\r\n\x82\x82\0\0\0\0Hi\x88\x82\0\0\0\0\x03\xe8";
    let uri = Uri::parse("ws://example.com/chat").unwrap();
    for piece in 1..=says.len() {
        let (mut rx, mut tx) = buffers();
        let mut peer = Script::new(&says, piece);
        let mut ws = WebSocket::client(
            Config::new(),
            FnEntropy::new(|bytes| {
                bytes.fill(0);
                Ok(())
            }),
        );
        ws.connect(&ConnectRequest::new(&uri), &mut tx).unwrap();
        let mut closed = None;
        let Ok(()) = blocking::drive(&mut ws, &mut peer, &mut rx, &mut tx, |ws, event, tx| {
            match event {
                Event::Text(text) => ws.send_binary(text.as_bytes(), tx)?,
                Event::Close(close) => closed = Some(close.code()),
                _ => {}
            }
            Ok(())
        });
        assert_eq!(closed, Some(CloseCode::NORMAL));
        assert_eq!(peer.heard, hears, "{piece} bytes a read");
    }
}

#[test]
fn an_event_that_the_application_cannot_take_ends_with_1011() {
    let (mut rx, mut tx) = buffers();
    let mut peer = Script::new(TALK, TALK.len());
    let mut ws = WebSocket::from_upgraded(Server, Config::new());
    let Ok(()) = blocking::drive(&mut ws, &mut peer, &mut rx, &mut tx, |_, event, _| match event {
        Event::Text(_) => Err(Error::NeverFits { needed: 1 }),
        _ => Ok(()),
    });
    assert_eq!(peer.heard, b"\x88\x02\x03\xf3");
}

#[test]
fn a_stream_that_ends_early_ends_the_driver() {
    let (mut rx, mut tx) = buffers();
    let mut peer = Script::new(&TALK[..15], 4);
    let mut ws = WebSocket::from_upgraded(Server, Config::new());
    let mut closed = None;
    let Ok(()) = blocking::drive(&mut ws, &mut peer, &mut rx, &mut tx, |_, event, _| {
        if let Event::Close(close) = event {
            closed = Some(close.code());
        }
        Ok(())
    });
    assert_eq!(closed, Some(CloseCode::ABNORMAL));
}

#[test]
fn two_machines_over_a_wire() {
    main().unwrap();
}

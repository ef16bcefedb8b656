//! Checks that `{:?}` of a public type that has seen traffic shows no payload, credential, cookie
//! or key (hostile input "printed values").

mod common;
use common::*;
use sockless::handshake::{
    Accept, ClientEvent, ClientHandshake, ConnectRequest, HttpResponse, Key, ServerEvent,
    ServerHandshake, Upgrade, Uri,
};
use sockless::{
    Close, CloseCode, Config, Event, FnEntropy, FrameHeader, MessageKind, OpCode, ReadBuffer,
    Receiver, Replies, Reply, Sender, Server, Utf8Validator, WebSocket, WriteBuffer,
};

/// The secrets, in each form that a derived `Debug` would show.
const SECRET: &str = "s3cret";

#[track_caller]
fn hides(value: &dyn std::fmt::Debug) {
    let bytes = format!("{:?}", SECRET.as_bytes());
    let bytes = bytes.trim_matches(['[', ']']);
    for shown in [format!("{value:?}"), format!("{value:#?}").replace(",\n", ", ")] {
        assert!(!shown.contains(SECRET), "{shown}");
        assert!(!shown.contains(bytes), "{shown}");
        assert!(!shown.contains("[55, 250, 33, 61]"), "a masking key: {shown}");
        assert!(!shown.contains("dGhlIHNhbXBsZSBub25jZQ=="), "a handshake key: {shown}");
        assert!(!shown.contains("7, 7, 7, 7"), "a nonce: {shown}");
    }
}

#[test]
fn an_open_connection_shows_no_payload() {
    let input = [
        masked(0x81, SECRET.as_bytes()),
        masked(0x82, SECRET.as_bytes()),
        masked(0x89, SECRET.as_bytes()),
        masked(0x8A, SECRET.as_bytes()),
        masked(0x01, SECRET.as_bytes()),
        masked(0x80, b""),
        close(1000, SECRET),
    ]
    .concat();
    let mut ws = WebSocket::from_upgraded(Server, Config::default());
    let (mut rx, mut tx) = (ReadBuffer::growing(4096), WriteBuffer::growing(4096));
    assert_eq!(rx.extend(&input), input.len());
    hides(&rx);
    let mut events = 0;
    while let Some(event) = ws.receive(&mut rx, &mut tx) {
        hides(&event);
        events += 1;
    }
    assert_eq!(events, 6);
    hides(&ws);
    hides(&tx);
    let mut receiver = Receiver::server(Config::default());
    assert_eq!(rx.extend(&input), input.len());
    while let Ok(Some(item)) = receiver.receive_chunks(&mut rx) {
        hides(&item);
        hides(&item.reply());
        if item == sockless::Incoming::End {
            break;
        }
    }
    hides(&receiver);
    let mut sender = Sender::client(FnEntropy::new(|key| {
        key.copy_from_slice(&KEY[..key.len()]);
        Ok(())
    }));
    sender.text(SECRET, &mut tx).unwrap();
    sender.fragment(MessageKind::Text, SECRET.as_bytes(), false, &mut tx).unwrap();
    hides(&sender);
    hides(&tx);
    hides(&Reply::pong(SECRET.as_bytes()));
    let mut replies = Replies::new();
    replies.extend(Reply::pong(SECRET.as_bytes()));
    hides(&replies);
    hides(&sockless::Broadcast::text(SECRET));
    hides(&Close::new(CloseCode::NORMAL, SECRET));
    hides(&Utf8Validator::new());
    let header =
        FrameHeader { fin: true, rsv: 0, opcode: OpCode::Text, mask: Some(KEY), payload_len: 6 };
    hides(&header);
    hides(&header.encode());
}

#[test]
fn a_handshake_shows_no_credential_and_no_key() {
    let head = format!(
        "GET /{SECRET}?token={SECRET} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: {SECRET}\r\nCookie: {SECRET}\r\nAuthorization: {SECRET}\r\n\r\n"
    );
    let (mut rx, mut tx) = (ReadBuffer::growing(4096), WriteBuffer::growing(4096));
    assert_eq!(rx.extend(head.as_bytes()), head.len());
    let mut handshake = ServerHandshake::new(&Config::default());
    let event = handshake.receive(&mut rx, &mut tx).unwrap();
    hides(&event);
    hides(&handshake);
    let ServerEvent::UpgradeRequest(request) = event else { panic!() };
    hides(&request);
    hides(&request.headers());
    hides(&request.upgrade());
    hides(&Event::UpgradeRequest(request.clone()));
    let headers = [("Set-Cookie", SECRET)];
    let accept = Accept::new().with_subprotocol(SECRET).with_headers(&headers);
    hides(&accept);
    let accepted = request.upgrade().unwrap().accept(accept).unwrap();
    hides(&accepted);
    hides(&accepted.agreed());
    accepted.fields().for_each(|field| hides(&field));
    handshake.accept(&request, accept, &mut tx).unwrap();
    hides(&tx);
    hides(&HttpResponse::new(200).with_headers(&headers).with_body(SECRET.as_bytes()));
    let pairs = [("sec-websocket-version", "13"), ("cookie", SECRET)];
    hides(&Upgrade::from_connect("CONNECT", "websocket", &pairs));

    let address = format!("ws://a/{SECRET}?{SECRET}");
    let uri = Uri::parse(&address).unwrap();
    hides(&uri);
    hides(&uri.resource_name());
    let headers = [("Authorization", SECRET)];
    let request = ConnectRequest::new(&uri).with_subprotocols(&[SECRET]).with_headers(&headers);
    hides(&request);
    request.fields(None).unwrap().for_each(|field| hides(&field));
    hides(&Key::from_nonce(&[7; 16]));
    let mut handshake = ClientHandshake::new(&Config::default());
    handshake.connect(&request, &mut (sevens as Sevens), &mut tx).unwrap();
    hides(&handshake);
    let mut rx = ReadBuffer::growing(4096);
    let rejection =
        format!("HTTP/1.1 401 x\r\nSet-Cookie: {SECRET}\r\nContent-Length: 6\r\n\r\n{SECRET}");
    assert_eq!(rx.extend(rejection.as_bytes()), rejection.len());
    let mut bodies = 0;
    while let Some(event) = handshake.receive(&mut rx) {
        hides(&event);
        bodies += usize::from(matches!(event, ClientEvent::RejectionBody(_)));
    }
    assert_eq!(bodies, 1);
    let mut ws = WebSocket::client(Config::default(), sevens as Sevens);
    ws.connect(&request, &mut tx).unwrap();
    hides(&ws);
    let accepted = String::from_utf8(common::http::response("X", &[])).unwrap();
    let accepted =
        accepted.replacen("\r\n", &format!("\r\nSec-WebSocket-Protocol: {SECRET}\r\n"), 1);
    assert_eq!(rx.extend(accepted.as_bytes()), accepted.len());
    let Some(Event::UpgradeResponse(response)) = ws.receive(&mut rx, &mut tx) else { panic!() };
    assert_eq!(response.subprotocol(), Some(SECRET));
    hides(&response);
}

//! Tests the negotiation of compression in the opening handshake, in both roles. Rules 17, 18, 42
//! and 43.
#![cfg(all(feature = "deflate", feature = "handshake"))]

mod common;

use common::{REQUEST, Sevens, Take, at_every_cut, frames, handshake_by, plain, run_ws, sevens};
use sockless::deflate::{Context, DeflateConfig, DeflateParams, WindowBits};
use sockless::handshake::{
    Accept, ConnectRequest, HandshakeError, Key, Uri, accept_key, extension_list,
};
use sockless::{Client, Config, Event, ReadBuffer, WebSocket, WriteBuffer};

const CONFIG: DeflateConfig = DeflateConfig::DEFAULT.with_threshold(0);
const HELLO: &[u8] = b"\xf2\x48\xcd\xc9\xc9\x07\x00";

/// Appends received bytes to a buffer that has space for them.
fn feed(rx: &mut ReadBuffer<impl sockless::Storage>, bytes: &[u8]) {
    assert_eq!(rx.extend(bytes), bytes.len());
}

/// Returns the request of RFC 6455 with these extension lines, followed by a compressed "Hello".
fn request(lines: &[&str]) -> Vec<u8> {
    let mut input = REQUEST[..REQUEST.len() - 2].to_vec();
    for line in lines {
        input.extend(format!("Sec-WebSocket-Extensions: {line}\r\n").as_bytes());
    }
    input.extend(b"\r\n");
    input.extend(common::masked(0xC1, HELLO));
    input
}

/// Returns the extension line in the response of a server with this configuration, and `true` if
/// "Hello" arrived.
fn answered(config: DeflateConfig, lines: &[&str]) -> (Option<String>, bool) {
    let run = handshake_by(Config::default(), &request(lines), |ws, event, tx| {
        if let Event::UpgradeRequest(request) = event {
            assert_eq!(
                request.extensions().count(),
                lines.iter().flat_map(|line| line.split(',')).count()
            );
            ws.accept(request, Accept::new().with_deflate(config), tx).unwrap();
        }
        if let Event::Text(text) = event {
            ws.send_text(text, tx).unwrap();
        }
    });
    let head = String::from_utf8_lossy(&run.output);
    let line = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Extensions: "));
    let echoed =
        frames(&run.output).iter().any(|(header, payload)| header.rsv == 4 && payload == HELLO);
    assert_eq!(echoed, run.events.contains(&"text \"Hello\"".to_string()));
    (line.map(str::to_owned), echoed)
}

#[test]
fn a_server_answers_the_first_offer_that_it_can_meet() {
    let agreed = |line: &str| (Some(line.to_owned()), true);
    let small = WindowBits::new(10).unwrap();
    let small = CONFIG.with_receive(Context { window_bits: small, takeover: true });
    for (config, lines, expected) in [
        (CONFIG, &["permessage-deflate"][..], agreed("permessage-deflate")),
        (CONFIG, &["permessage-deflate; client_max_window_bits"], agreed("permessage-deflate")),
        (
            CONFIG,
            &["mux", "permessage-deflate;unknown, permessage-deflate"],
            agreed("permessage-deflate"),
        ),
        (CONFIG, &["permessage-deflate; server_max_window_bits=010"], (None, false)),
        (CONFIG, &["mux"], (None, false)),
        (small, &["permessage-deflate"], (None, false)),
        (
            small,
            &["permessage-deflate", "permessage-deflate; client_max_window_bits=\"12\""],
            agreed("permessage-deflate; client_max_window_bits=10"),
        ),
    ] {
        assert_eq!(answered(config, lines), expected, "{lines:?}");
    }
}

/// Checks that a server without compression declines, and that a list which breaks the grammar is
/// refused first.
#[test]
fn declined_and_malformed() {
    let run = handshake_by(Config::default(), &request(&["permessage-deflate"]), common::accept);
    assert!(!String::from_utf8_lossy(&run.output).contains("Extensions"));
    assert_eq!(run.events.last().unwrap(), "failed Protocol(ReservedBit)");
    let run = handshake_by(Config::default(), &request(&["permessage-deflate; ="]), |_, _, _| {});
    assert_eq!(run.events, ["failed Handshake(Extension)"]);
    assert!(run.output.starts_with(b"HTTP/1.1 400 "));
}

/// Runs a client through its handshake, with this extension line in the response and "Hello" after
/// it.
fn answer(config: Option<DeflateConfig>, line: &str) -> (Vec<String>, Option<DeflateParams>) {
    let uri = Uri::parse("ws://example.com/").unwrap();
    let mut input =
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            .to_vec();
    // The accept value for the key of sevens.
    let accept = accept_key(b"BwcHBwcHBwcHBwcHBwcHBw==");
    input.extend(
        [b"Sec-WebSocket-Accept: ", &accept[..], b"\r\n", line.as_bytes(), b"\r\n"].concat(),
    );
    input.extend(plain(0xC1, HELLO));
    let agreement = std::cell::Cell::new(None);
    let run = at_every_cut(&input, |input, cuts| {
        let mut ws = WebSocket::client(Config::default(), sevens as Sevens);
        let mut request = ConnectRequest::new(&uri);
        if let Some(config) = config {
            request = request.with_deflate(config);
        }
        let mut tx = WriteBuffer::new([0; 4096]);
        ws.connect(&request, &mut tx).unwrap();
        let head = String::from_utf8(tx.bytes().to_vec()).unwrap();
        let offer =
            config.map(|config| format!("Sec-WebSocket-Extensions: {}\r\n", config.offer()));
        assert_eq!(head.contains("Extensions"), config.is_some());
        assert!(head.contains(&offer.unwrap_or_default()));
        assert_eq!(ws.deflate_params(), None, "an offer is no agreement");
        run_ws(ws, input, cuts, 1024, Take::Messages, true, |ws, _, _| {
            agreement.set(ws.deflate_params())
        })
    });
    (run.events, agreement.get())
}

#[test]
fn a_client_takes_what_its_offer_allows() {
    let context =
        |bits, takeover| Context { window_bits: WindowBits::new(bits).unwrap(), takeover };
    for (line, send, receive) in [
        ("permessage-deflate", context(15, true), context(15, true)),
        ("permessage-deflate; server_max_window_bits=10", context(15, true), context(10, true)),
        (
            "permessage-deflate; client_max_window_bits=\"9\"; client_no_context_takeover",
            context(9, false),
            context(15, true),
        ),
        ("permessage-deflate;server_no_context_takeover", context(15, true), context(15, false)),
    ] {
        let (events, agreement) =
            answer(Some(CONFIG), &format!("Sec-WebSocket-Extensions: {line}\r\n"));
        assert_eq!(events[..2], ["response None", "text \"Hello\""], "{line}");
        assert_eq!(agreement, Some(DeflateParams { send, receive }));
    }
    // After a declined offer, compressed messages are violations.
    for line in ["", "Sec-WebSocket-Extensions: \r\n"] {
        let (events, agreement) = answer(Some(CONFIG), line);
        assert_eq!(events, ["response None", "failed Protocol(ReservedBit)"]);
        assert_eq!(agreement, None);
    }
}

#[test]
fn a_client_fails_on_what_it_did_not_offer() {
    for (config, line) in [
        (None, "permessage-deflate"),
        (Some(CONFIG), "mux"),
        (Some(CONFIG), "permessage-deflate, permessage-deflate"),
        (Some(CONFIG), "permessage-deflate\r\nSec-WebSocket-Extensions: permessage-deflate"),
        (Some(CONFIG), "permessage-deflate; client_max_window_bits"),
        (Some(CONFIG), "permessage-deflate; server_max_window_bits=16"),
        (Some(CONFIG), "permessage-deflate; unknown"),
        (Some(CONFIG), "permessage-deflate; server_no_context_takeover=1"),
        (Some(CONFIG), "permessage-deflate;"),
        (Some(CONFIG.with_receive(Context::PER_MESSAGE)), "permessage-deflate"),
    ] {
        let (events, _) = answer(config, &format!("Sec-WebSocket-Extensions: {line}\r\n"));
        assert_eq!(events, ["failed Handshake(Extension)"], "{line}");
    }
}

/// Checks the functions for headers of another HTTP library.
#[test]
fn over_headers_from_elsewhere() {
    let key = b"dGhlIHNhbXBsZSBub25jZQ==";
    let accept = accept_key(key);
    let headers: [(&[u8], &[u8]); 4] = [
        (b"upgrade", b"websocket"),
        (b"connection", b"upgrade"),
        (b"sec-websocket-accept", &accept),
        (b"sec-websocket-extensions", b"permessage-deflate; server_no_context_takeover"),
    ];
    let agreement = DeflateParams { send: Context::FULL, receive: Context::PER_MESSAGE };
    assert_eq!(extension_list(headers).count(), 1);
    let key = Key::parse(key).unwrap();
    let uri = Uri::parse("ws://a/").unwrap();
    let plain = ConnectRequest::new(&uri);
    let offering = plain.with_deflate(CONFIG);
    let judged = plain.check_response(Some(&key), 101, &headers);
    assert_eq!(judged, Err(HandshakeError::Extension));
    let agreed = offering.check_response(Some(&key), 101, &headers).unwrap();
    assert_eq!(agreed.compression(), Some((agreement, CONFIG)));
    let agreed = offering.check_response(Some(&key), 101, &headers[..3]).unwrap();
    assert_eq!(agreed.compression(), None);
    let elsewhere = WebSocket::from_upgraded(Client::new(sevens as Sevens), Config::default());
    assert_eq!(elsewhere.with_deflate(agreement, &CONFIG).deflate_params(), Some(agreement));
}

/// Checks every pair of common configurations, from the first byte to a message in each direction.
#[test]
fn our_client_and_our_server() {
    let configs = [Context::FULL, Context::PER_MESSAGE].map(|send| {
        [Context::FULL, Context::PER_MESSAGE]
            .map(|receive| CONFIG.with_send(send).with_receive(receive))
    });
    let uri = Uri::parse("ws://example.com/").unwrap();
    for ours in configs.iter().flatten() {
        for theirs in configs.iter().flatten() {
            let mut client = WebSocket::client(Config::default(), sevens as Sevens);
            let mut server = WebSocket::server(Config::default());
            let (mut rx, mut tx) = (ReadBuffer::new([0; 4096]), WriteBuffer::new([0; 4096]));
            client.connect(&ConnectRequest::new(&uri).with_deflate(*ours), &mut tx).unwrap();
            feed(&mut rx, tx.bytes());
            tx.clear();
            let Some(Event::UpgradeRequest(request)) = server.receive(&mut rx, &mut tx) else {
                panic!()
            };
            server.accept(&request, Accept::new().with_deflate(*theirs), &mut tx).unwrap();
            feed(&mut rx, tx.bytes());
            tx.clear();
            let event = client.receive(&mut rx, &mut tx);
            let Some(Event::UpgradeResponse(response)) = event else { panic!("{event:?}") };
            client.confirm(&response, &[]).unwrap();
            let (at_client, at_server) =
                (client.deflate_params().unwrap(), server.deflate_params().unwrap());
            assert_eq!(at_client.send, at_server.receive);
            assert_eq!(at_client.receive, at_server.send);
            for _ in 0..3 {
                client.send_text("Hello", &mut tx).unwrap();
                feed(&mut rx, tx.bytes());
                tx.clear();
                assert_eq!(server.receive(&mut rx, &mut tx), Some(Event::Text("Hello")));
                server.send_binary(b"Hello", &mut tx).unwrap();
                assert_eq!(tx.bytes()[0], 0xC2);
                feed(&mut rx, tx.bytes());
                tx.clear();
                assert_eq!(client.receive(&mut rx, &mut tx), Some(Event::Binary(b"Hello")));
            }
        }
    }
}

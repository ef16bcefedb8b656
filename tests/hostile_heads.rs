//! Tests hostile inputs in the opening handshake, one test for each row, and mistakes of the
//! caller.

mod common;
use common::allocator::{Counting, cost_of};
use common::http::{Answer, REQUEST_HEADERS, head, replace, request};
use common::*;
use sockless::handshake::{Accept, ConnectRequest, HttpResponse as Reply, Uri};
use sockless::{
    Config, Error, Event, Failure, Misuse, ReadBuffer, State, WRITE_BUFFER_MIN, WebSocket,
    WriteBuffer,
};

#[global_allocator]
static COUNTING: Counting = Counting;

/// Row "header attacks": 10^4 header lines, a line of 1 MiB, a request line without end. Each is
/// refused at the limit, and needs no more memory than the limit.
#[test]
fn heads_without_end() {
    let names: Vec<_> = (0..10_000).map(|i| format!("X-{i}: y")).collect();
    let many = head("GET / HTTP/1.1", names.iter().map(String::as_str));
    let line = [b"GET / HTTP/1.1\r\nX: ", &vec![b'x'; 1 << 20][..]].concat();
    let target = [b"GET /", &vec![b'x'; 1 << 20][..]].concat();
    let newlines = b"\r\n".repeat(1 << 19);
    let nothing = vec![0; 1 << 20];
    for (input, step) in [&many, &line, &target, &newlines, &nothing]
        .iter()
        .flat_map(|&input| [(input, 1), (input, 1460), (input, 1 << 16)])
    {
        let (taken, cost) = cost_of(|| {
            let mut ws = WebSocket::server(Config::default());
            let mut rx = ReadBuffer::growing(1 << 22);
            let mut tx = WriteBuffer::new([0; WRITE_BUFFER_MIN]);
            let mut taken = 0;
            for piece in input.chunks(step) {
                taken += rx.extend(piece);
                if let Some(event) = ws.receive(&mut rx, &mut tx) {
                    assert!(matches!(event, Event::Failed(Failure::Handshake(_))), "{event:?}");
                    assert_eq!(ws.receive(&mut rx, &mut tx), None);
                    break;
                }
            }
            assert!(ws.is_done());
            let status = &tx.bytes()[..12];
            assert!(status == b"HTTP/1.1 431" || status == b"HTTP/1.1 400");
            taken
        });
        assert!(taken < (16 << 10) + step, "{taken}");
        assert!(cost.bytes <= 4 * ((16 << 10) + step), "{cost:?}");
    }
    // If the size limit allows them, the limit on their number applies.
    let run = handshake_with(
        Config::default().with_max_headers(128),
        &head("GET / HTTP/1.1", ["X: y"; 200]),
    );
    assert_eq!(run.events, ["failed Handshake(TooManyHeaders)"]);
    let config = Config::default().with_max_head_size(1 << 20);
    let run = run_ws(WebSocket::server(config), &many, &[], 1 << 20, Take::Messages, true, accept);
    assert_eq!(run.events, ["failed Handshake(TooManyHeaders)"]);
    assert_eq!(Answer::whole(&run.output).status, 431);
}

/// Row "header attacks": NUL, bare CR, names and values that are not ASCII. `handshake_server` has
/// the rules of each. This test puts every byte value at every place of a small head, and expects a
/// response or a failure.
#[test]
fn any_byte_anywhere_in_a_head() {
    let good = head("GET / HTTP/1.1", replace(&REQUEST_HEADERS, "Host", &["Host: a"]));
    for at in 0..good.len() {
        for byte in 0..=255 {
            let mut input = good.clone();
            input[at] = byte;
            let ws = WebSocket::server(Config::default());
            let run = run_ws(ws, &input, &[at], 512, Take::Messages, true, accept);
            let first = &run.events[0];
            if first.starts_with("failed") {
                let answer = Answer::whole(&run.output);
                assert!([400, 405, 426, 431, 505].contains(&answer.status));
            } else {
                assert!(
                    ["request", "http GE", "http ", "close 1"]
                        .iter()
                        .any(|event| first.starts_with(event))
                );
            }
            if [0, b'\r', b'\n', 0x7F].contains(&byte) && good[at] != byte {
                assert!(!first.starts_with("request"), "{byte} at {at}");
            }
        }
    }
}

/// Row "a rejected request with a second one after it": the second request is never parsed.
#[test]
fn what_follows_a_rejected_request_is_never_parsed() {
    let smuggled = [REQUEST, &masked(0x81, b"text")].concat();
    for rejected in [
        request("Sec-WebSocket-Key", &[]),
        request("Sec-WebSocket-Version", &["Sec-WebSocket-Version: 8"]),
        request("Host", &[]),
        b"GET / HTTP/1.1\nHost: a\r\n\r\n".to_vec(),
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 400\r\n\r\n".to_vec(),
    ] {
        let alone = handshake(&rejected);
        assert_eq!(handshake(&[&rejected[..], &smuggled].concat()), alone);
        assert!(alone.done && alone.output.starts_with(b"HTTP/1.1 4"));
        Answer::whole(&alone.output);
    }
}

/// Row "response splitting": a value of the caller that would end its line is refused, and nothing
/// is written.
#[test]
fn header_values_of_the_caller_cannot_end_their_line() {
    let bad = ["a\r\nX: y", "a\n", "\r", "a\0b", "\u{7f}", "a\r\n\r\nHTTP/1.1 200 OK"];
    let invalid = Err(Error::Misuse(Misuse::InvalidHeader));
    let uri = Uri::parse("ws://a/").unwrap();
    for bad in bad {
        for headers in [[("X-Good", bad)], [(bad, "good")], [("", "good")], [("X: y", "z")]] {
            let mut ws = WebSocket::server(Config::default());
            let (mut rx, mut tx) = (ReadBuffer::new([0; 512]), WriteBuffer::new([0; 512]));
            let _ = rx.extend(REQUEST);
            let Some(Event::UpgradeRequest(request)) = ws.receive(&mut rx, &mut tx) else {
                panic!()
            };
            let response = Accept::new().with_headers(&headers);
            assert_eq!(ws.accept(&request, response, &mut tx), invalid);
            assert_eq!(ws.respond(Reply::new(200).with_headers(&headers), &mut tx), invalid);
            assert!(tx.is_empty());
            ws.accept(&request, Accept::new(), &mut tx).unwrap();

            let mut ws = WebSocket::client(Config::default(), sevens as Sevens);
            tx.clear();
            let with = ConnectRequest::new(&uri).with_headers(&headers);
            assert_eq!(ws.connect(&with, &mut tx), invalid);
            assert!(tx.is_empty());
        }
        let mut ws = WebSocket::client(Config::default(), sevens as Sevens);
        let mut tx = WriteBuffer::new([0; 512]);
        assert_eq!(ws.connect(&ConnectRequest::new(&uri).with_origin(bad), &mut tx), invalid);
        let invalid = Err(Error::Misuse(Misuse::InvalidSubprotocol));
        assert_eq!(
            ws.connect(&ConnectRequest::new(&uri).with_subprotocols(&["a", bad]), &mut tx),
            invalid
        );
        assert_eq!(
            ws.connect(&ConnectRequest::new(&uri).with_subprotocols(&["a", "a"]), &mut tx),
            invalid
        );
        assert_eq!(
            ws.connect(&ConnectRequest::new(&uri).with_subprotocols(&[""]), &mut tx),
            invalid
        );
        assert!(tx.is_empty());
        for address in [format!("ws://a/{bad}"), format!("ws://a?{bad}"), format!("ws://{bad}/")] {
            assert!(Uri::parse(&address).is_err(), "{address:?}");
        }
    }
}

/// The caller cannot repeat a header that the handshake writes.
#[test]
fn headers_of_the_handshake_cannot_be_doubled() {
    let reserved = Err(Error::Misuse(Misuse::ReservedHeader));
    let uri = Uri::parse("ws://a/").unwrap();
    for name in [
        "Host",
        "Origin",
        "Connection",
        "upgrade",
        "Sec-WebSocket-Key",
        "Sec-WebSocket-Version",
        "Sec-WebSocket-Accept",
        "Sec-WebSocket-Protocol",
        "Sec-WebSocket-Extensions",
        "Content-Length",
        "Transfer-Encoding",
    ] {
        let headers = [(name, "x")];
        let mut tx = WriteBuffer::new([0; 512]);
        let mut ws = WebSocket::client(Config::default(), sevens as Sevens);
        assert_eq!(
            ws.connect(&ConnectRequest::new(&uri).with_headers(&headers), &mut tx),
            reserved,
            "{name}"
        );
        let mut ws = WebSocket::server(Config::default());
        let mut rx = ReadBuffer::new([0; 512]);
        let _ = rx.extend(REQUEST);
        let Some(Event::UpgradeRequest(request)) = ws.receive(&mut rx, &mut tx) else { panic!() };
        let accepted = ws.accept(&request, Accept::new().with_headers(&headers), &mut tx);
        assert_eq!(accepted, reserved, "{name}");
        assert!(tx.is_empty());
    }
}

/// Row "calls in the wrong order", as a server. `handshake_client` has the client's calls,
/// `closing` those after a Close.
#[test]
fn calls_in_the_wrong_order() {
    let no_handshake = Err(Error::Misuse(Misuse::NoHandshake));
    let mut ws = WebSocket::server(Config::default());
    let (mut rx, mut tx) = (ReadBuffer::new([0; 512]), WriteBuffer::new([0; 512]));
    assert_eq!(ws.respond(Reply::new(200), &mut tx), no_handshake, "answer before a request");
    let _ = rx.extend(REQUEST);
    let Some(Event::UpgradeRequest(request)) = ws.receive(&mut rx, &mut tx) else { panic!() };
    let mut other = WebSocket::server(Config::default());
    assert_eq!(other.accept(&request, Accept::new(), &mut tx), no_handshake, "accept before it");
    assert_eq!(
        ws.send_text("x", &mut tx),
        Err(Error::Misuse(Misuse::NotOpen)),
        "send before accept"
    );
    for status in [0, 99, 100, 101, 199, 600, 65535] {
        let invalid = Err(Error::Misuse(Misuse::InvalidStatus));
        assert_eq!(ws.respond(Reply::new(status), &mut tx), invalid);
    }
    assert!(tx.is_empty());
    ws.accept(&request, Accept::new(), &mut tx).unwrap();
    assert_eq!(tx.bytes(), ACCEPTED);
    assert_eq!(ws.accept(&request, Accept::new(), &mut tx), no_handshake, "accept twice");
    assert_eq!(ws.respond(Reply::new(200), &mut tx), no_handshake, "answer after accept");
    assert_eq!(tx.bytes(), ACCEPTED);
    assert_eq!(ws.state(), State::Open);
    // A request without an upgrade cannot be accepted as a WebSocket.
    let mut ws = WebSocket::server(Config::default());
    let _ = rx.extend(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let Some(Event::OtherRequest(page)) = ws.receive(&mut rx, &mut tx) else { panic!() };
    assert_eq!(ws.accept(&page, Accept::new(), &mut tx), no_handshake);
    ws.respond(Reply::new(200), &mut tx).unwrap();
}

/// Row "upgrade from a foreign Origin": the request has the Origin, and the check is one line.
#[test]
fn an_upgrade_from_a_foreign_origin_can_be_refused() {
    let with = |origin: &[&str]| {
        let run = handshake_by(Config::default(), &request("Origin", origin), |ws, event, tx| {
            let Event::UpgradeRequest(request) = event else { return };
            if request.origin().is_some_and(|from| from != b"https://example.com") {
                ws.respond(Reply::new(403), tx).unwrap();
            } else {
                ws.accept(request, Accept::new(), tx).unwrap();
            }
        });
        Answer::head(&run.output).status
    };
    assert_eq!(with(&["Origin: https://example.com"]), 101);
    assert_eq!(with(&[]), 101, "not a browser");
    for foreign in [
        "Origin: https://example.org",
        "Origin: http://example.com",
        "origin:https://example.com.evil.net",
        "Origin: null",
        "Origin:",
    ] {
        assert_eq!(with(&[foreign]), 403);
    }
}

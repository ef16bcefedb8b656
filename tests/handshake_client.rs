//! Tests protocol rules 14 to 20: the opening handshake of a client (RFC 6455 section 4.1).

mod common;
use common::http::{RESPONSE_HEADERS, head, replace, response};
use common::*;
use sockless::extensions;
use sockless::handshake::{ClientHandshake, ConfirmError, ConnectRequest, HandshakeError, Uri};
use sockless::{
    Client, Config, EntropyError, Error, Event, Failure, FnEntropy, MessageKind, Misuse,
    ReadBuffer, Server, State, WebSocket, WriteBuffer,
};

const ACCEPT: &str = "Sec-WebSocket-Accept: CdXSYUsvsaMthlEXWDNURGWA/1o=";

type Ws = WebSocket<Client<Sevens>>;

/// Returns a client that has sent a request with these subprotocols, and the bytes of the request.
fn asked(config: Config, offered: &[&str]) -> (Ws, Vec<u8>) {
    let uri = Uri::parse("ws://server.example.com/chat").unwrap();
    let mut ws = WebSocket::client(config, sevens as Sevens);
    let mut tx = WriteBuffer::new([0; 1024]);
    ws.connect(&ConnectRequest::new(&uri).with_subprotocols(offered), &mut tx).unwrap();
    (ws, tx.bytes().to_vec())
}

/// Runs a client that has sent its request over this input, at every cut. `answer` handles its
/// events.
fn client_by(
    config: Config,
    offered: &[&str],
    input: &[u8],
    answer: impl Fn(&mut Ws, &Event<'_>, &mut WriteBuffer<&mut [u8]>),
) -> Run {
    at_every_cut(input, |input, cuts| {
        let (ws, _) = asked(config, offered);
        run_ws(ws, input, cuts, 1 << 12, Take::Messages, true, &answer)
    })
}

/// Runs a client that has sent its request over this input, at every cut, and ignores its events.
fn client_run(input: &[u8]) -> Run {
    let run = client_by(Config::default(), &[], input, |_, _, _| {});
    // `ClientHandshake`, followed by an upgraded connection, gives the same result.
    let alone = at_every_cut(input, |input, cuts| machines::client(Config::default(), input, cuts));
    assert_eq!(alone, run);
    run
}

fn accepted(input: &[u8]) {
    let run = client_run(input);
    assert_eq!(run.events, ["response None", "close 1006 \"\""], "{}", input.escape_ascii());
    assert!(run.output.is_empty());
}

/// Checks that the response fails the handshake, that nothing is sent, and that input after the
/// response is ignored.
fn fails(input: &[u8], reason: &str) {
    let run = client_run(&[input, &plain(0x81, b"text")].concat());
    assert_eq!(run.events, [format!("failed Handshake({reason})")], "{}", input.escape_ascii());
    assert!(run.output.is_empty());
    assert_eq!((run.state, run.done), (State::Closed, true));
}

/// Rule 14, section 4.1: the client sends the request, and nothing more before the response.
#[test]
fn rule_14_the_request_goes_out_alone() {
    let (mut ws, request) = asked(Config::default(), &[]);
    assert_eq!(
        request.escape_ascii().to_string(),
        b"GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n\
          Connection: Upgrade\r\nSec-WebSocket-Key: BwcHBwcHBwcHBwcHBwcHBw==\r\n\
          Sec-WebSocket-Version: 13\r\n\r\n"
            .escape_ascii()
            .to_string()
    );
    let not_open = Err(Error::Misuse(Misuse::NotOpen));
    let (mut rx, mut tx) = (ReadBuffer::new([0; 512]), WriteBuffer::new([0; 512]));
    let whole = response("", &[]);
    let (last, others) = whole.split_last().unwrap();
    for &byte in others {
        rx.space()[0] = byte;
        rx.filled(1);
        assert_eq!(ws.receive(&mut rx, &mut tx), None);
        assert_eq!(ws.send_text("early", &mut tx), not_open);
        assert_eq!(ws.send_binary(b"early", &mut tx), not_open);
        assert_eq!(ws.send_binary_vectored(b"early", &mut tx), not_open);
        assert_eq!(ws.send_fragment(MessageKind::Text, b"early", false, &mut tx), not_open);
        assert_eq!(ws.send_ping(b"", &mut tx), not_open);
        assert_eq!(ws.send_pong(b"", &mut tx), not_open);
        assert_eq!(ws.close(1000.into(), "", &mut tx), not_open);
        assert_eq!(ws.state(), State::Connecting);
        assert!(tx.is_empty());
    }
    rx.space()[0] = *last;
    rx.filled(1);
    let Some(Event::UpgradeResponse(response)) = ws.receive(&mut rx, &mut tx) else { panic!() };
    assert_eq!(ws.send_text("still early", &mut tx), not_open);
    assert_eq!(ws.confirm(&response, &[]), Ok(None));
    assert_eq!(ws.send_text("now", &mut tx), Ok(()));
    assert!(!tx.is_empty());
    // Before the request, no input counts as a response.
    let mut ws = WebSocket::client(Config::default(), sevens as Sevens);
    let mut rx = ReadBuffer::new([0; 512]);
    let _ = rx.extend(&whole);
    let mut tx = WriteBuffer::new([0; 512]);
    let early = Event::Failed(Failure::Handshake(HandshakeError::Malformed));
    assert_eq!(ws.receive(&mut rx, &mut tx), Some(early));
    assert!(ws.is_done() && tx.is_empty());
}

/// Rule 14: frames after the 101 are kept, also if they end the connection.
#[test]
fn rule_14_frames_after_the_101_are_kept() {
    let input = [
        &response("", &[])[..],
        &plain(0x01, b"fir"),
        &plain(0x89, b"ping"),
        &plain(0x80, b"st"),
        &plain(0x82, &[7; 3]),
        &plain(0x88, b"\x03\xe8bye"),
    ]
    .concat();
    let run = client_run(&input);
    assert_eq!(
        run.events,
        [
            "response None",
            "ping \"ping\"",
            "text \"first\"",
            "binary \"\\x07\\x07\\x07\"",
            "close 1000 \"bye\""
        ]
    );
    let replies = frames(&run.output);
    assert_eq!(replies[0].1, b"ping");
    assert_eq!(replies[1].1, [3, 0xE8]);
    assert!(replies.iter().all(|(header, _)| header.mask == Some([7; 4])));
}

/// Rule 15, section 4.1: the caller sees each final response whose status is not 101.
#[test]
fn rule_15_other_statuses_are_http_responses() {
    for status in [200, 204, 301, 302, 304, 400, 401, 403, 404, 426, 429, 500, 503, 599] {
        let first = format!("HTTP/1.1 {status} Whatever");
        let input = head(&first, ["Content-Length: 0", "Location: ws://elsewhere/"]);
        let run = client_by(Config::default(), &[], &input, |ws, event, tx| {
            let Event::Rejected(answer) = event else { panic!("{event:?}") };
            assert_eq!(answer.status(), status);
            assert_eq!(answer.header("LOCATION"), Some(&b"ws://elsewhere/"[..]));
            assert_eq!(answer.headers().count(), 2);
            assert_eq!(ws.send_text("no", tx), Err(Error::Misuse(Misuse::NotOpen)));
        });
        assert_eq!(run.events, [format!("refused {status}")]);
        assert_eq!((run.state, run.done), (State::Closed, true));
        assert!(run.output.is_empty());
    }
    for first in ["HTTP/1.1 404 ", "HTTP/1.1 404", "HTTP/1.0 404 Not Found"] {
        assert_eq!(client_run(&head(first, [])).events, ["refused 404"]);
    }
}

/// Rule 15, RFC 9112 section 6.3: the body ends at its length or with the stream. The caller gets
/// its bytes unchanged.
#[test]
fn rule_15_the_body_of_a_refusal_is_delivered() {
    let page = "<p>not here</p>";
    let body = |lines: &[&str], sent: &str| {
        let input =
            [&head("HTTP/1.1 404 Not Found", lines.iter().copied())[..], sent.as_bytes()].concat();
        let run = client_run(&input);
        assert!(run.done);
        assert_eq!(run.events[0], "refused 404");
        run.events[1..].join(" ")
    };
    let whole = format!("body \"{page}\"");
    assert_eq!(body(&["Content-Length: 15"], page), whole);
    assert_eq!(body(&["content-length:15 "], &format!("{page}HTTP/1.1 101 x")), whole);
    assert_eq!(body(&[], page), whole);
    assert_eq!(body(&["Content-Length: 100"], page), whole, "cut short");
    for length in ["18446744073709551615", "18446744073709551616"] {
        assert_eq!(body(&[&format!("Content-Length: {length}")], page), whole);
    }
    // RFC 9112 sections 6.3 and 7.1: a transfer coding overrides a length, and chunks are joined.
    let chunked = ["Transfer-Encoding: gzip, Chunked", "Content-Length: 3"];
    assert_eq!(body(&chunked, "5\r\nhello\r\n0\r\n\r\nrest"), "body \"hello\"");
    let chunks = "2;a=b\r\nhe\r\n0003 ; c\r\nllo\r\n00\r\nTrailer: x\r\n\r\n";
    assert_eq!(body(&chunked[..1], chunks), "body \"hello\"");
    assert_eq!(body(&["Transfer-Encoding: chunked, gzip"], "raw"), "body \"raw\"");
    // RFC 9110 section 5.6.1: empty elements of a list are skipped.
    let trailing = ["Transfer-Encoding: gzip, chunked , ,"];
    assert_eq!(body(&trailing, "5\r\nhello\r\n0\r\n\r\n"), "body \"hello\"");
    let split = ["Transfer-Encoding: chunked", "Transfer-Encoding:", "Transfer-Encoding: ,"];
    assert_eq!(body(&split, "5\r\nhello\r\n0\r\n\r\n"), "body \"hello\"");
    assert_eq!(
        body(&["Transfer-Encoding:", "Content-Length: 3"], "raw and more"),
        "body \"raw and more\""
    );
    // RFC 9110 section 8.6: equal lengths count as one.
    for lines in [&["Content-Length: 15", "Content-Length: 15"][..], &["Content-Length: 15, 015"]] {
        assert_eq!(body(lines, &format!("{page}rest")), whole);
    }
    let chunked = ["Transfer-Encoding: chunked", "Content-Length: many"];
    assert_eq!(body(&chunked, "5\r\nhello\r\n0\r\n\r\n"), "body \"hello\"");
    for lines in [&[][..], &["Content-Length: many"]] {
        let first = "HTTP/1.1 204 No Content";
        let empty = [&head(first, lines.iter().copied())[..], page.as_bytes()].concat();
        assert_eq!(client_run(&empty).events, ["refused 204"]);
    }
}

/// Rule 61, RFC 9112 section 6.3: a client discards a response whose length is invalid.
#[test]
fn rule_61_a_response_of_invalid_length_is_discarded() {
    for lines in [
        &["Content-Length: many"][..],
        &["Content-Length: -1"],
        &["Content-Length:"],
        &["Content-Length: 3, 4"],
        &["Content-Length: 3", "Content-Length: 4"],
        &["Content-Length: 3", "Content-Length: 4", "Content-Length: 3"],
        &["Content-Length: 4, x, 4"],
    ] {
        fails(&head("HTTP/1.1 404 Not Found", lines.iter().copied()), "Body");
    }
}

/// The buffer can serve another connection after a rejection, however its body ends.
#[test]
fn a_rejection_leaves_the_buffer_empty() {
    for (headers, body, end) in [
        ("", "busy", true),
        ("Content-Length: 4", "busy", false),
        ("Content-Length: 4", "busy", true),
        ("Content-Length: 5", "busy", true),
        ("Content-Length: 4", "busyHTTP/1.1 408 y\r\n\r\n", false),
        ("Transfer-Encoding: chunked", "0\r\n\r\n", true),
    ] {
        let (mut ws, _) = asked(Config::default(), &[]);
        let (mut rx, mut tx) = (ReadBuffer::new([0; 512]), WriteBuffer::new([0; 512]));
        let mut input = head("HTTP/1.1 503 x", (!headers.is_empty()).then_some(headers));
        input.extend(body.as_bytes());
        assert_eq!(rx.extend(&input), input.len());
        if end {
            rx.end_of_stream();
        }
        while ws.receive(&mut rx, &mut tx).is_some() {}
        assert!(ws.is_done() && rx.is_empty() && !rx.at_end(), "{headers} {body}");
    }
}

/// A handshake that is over leaves no input and no end of the stream in the buffer.
#[test]
fn a_buffer_serves_another_handshake() {
    let uri = Uri::parse("ws://server.example.com/chat").unwrap();
    let (mut rx, mut tx) = (ReadBuffer::new([0; 512]), WriteBuffer::new([0; 1024]));
    for input in [&b""[..], b"HTTP/1.1 404 x\r\nContent-Length: 1\r\n\r\n12", b"SSH-2.0-OpenSSH"] {
        let mut handshake = ClientHandshake::new(&Config::default());
        handshake.connect(&ConnectRequest::new(&uri), &mut (sevens as Sevens), &mut tx).unwrap();
        tx.clear();
        let _ = rx.extend(input);
        rx.end_of_stream();
        assert!(handshake.receive(&mut rx).is_some());
        while handshake.receive(&mut rx).is_some() {}
        assert!(handshake.is_done() && rx.is_empty() && !rx.at_end());
    }
}

/// Contract 3: bytes before the request fail, whether the end of the stream is read with them or
/// later.
#[test]
fn bytes_before_the_request_fail_at_every_cut() {
    for together in [false, true] {
        let mut ws = WebSocket::client(Config::default(), sevens as Sevens);
        let (mut rx, mut tx) = (ReadBuffer::new([0; 512]), WriteBuffer::new([0; 512]));
        let _ = rx.extend(b"x");
        if together {
            rx.end_of_stream();
        }
        let failure = Failure::Handshake(HandshakeError::Malformed);
        assert_eq!(ws.receive(&mut rx, &mut tx), Some(Event::Failed(failure)));
        rx.end_of_stream();
        assert_eq!(ws.receive(&mut rx, &mut tx), None);
    }
}

/// Rule 15: the connection is done at the end of the body, before the end of the stream.
#[test]
fn rule_15_a_complete_body_ends_the_connection() {
    let input = [&head("HTTP/1.1 404 x", ["Content-Length: 3"])[..], b"abcdef"].concat();
    let (ws, _) = asked(Config::default(), &[]);
    let run = run_ws(ws, &input, &[], 512, Take::Messages, false, |_, _, _| {});
    assert_eq!(run.events, ["refused 404", "body \"abc\""]);
    assert!(run.done);
    // A body without a length ends only with the stream.
    let input = [&head("HTTP/1.1 404 x", [])[..], b"abcdef"].concat();
    let (ws, _) = asked(Config::default(), &[]);
    let run = run_ws(ws, &input, &[], 512, Take::Messages, false, |_, _, _| {});
    assert_eq!((run.state, run.done), (State::Connecting, false));
}

/// Rule 15, RFC 9110 section 15.2: the client skips interim responses.
#[test]
fn rule_15_interim_responses_are_skipped() {
    let input = [
        &head("HTTP/1.1 100 Continue", [])[..],
        &head("HTTP/1.1 103 Early Hints", ["Link: </style.css>"]),
        &response("", &[]),
        &plain(0x81, b"text"),
    ]
    .concat();
    assert_eq!(client_run(&input).events[..2], ["response None", "text \"text\""]);
    let input =
        [head("HTTP/1.1 102 Processing", []), head("HTTP/1.1 404 x", ["Content-Length: 0"])];
    assert_eq!(client_run(&input.concat()).events, ["refused 404"]);
}

/// Rule 15, RFC 9112: a response that is not HTTP/1.1, or that exceeds a limit, fails.
#[test]
fn rule_15_an_invalid_response_fails() {
    for first in ["HTTP/2.0 101 x", "HTTP/1.0 101 x"] {
        fails(&head(first, RESPONSE_HEADERS), "HttpVersion");
    }
    for first in [
        "SSH-2.0-OpenSSH",
        "101 x",
        "HTTP/1.1 1x1 y",
        "HTTP/1.1 10",
        "HTTP/1.1 1010 x",
        "HTTP/1.1 101x",
        "HTTP/1.1 101 x\u{7f}",
    ] {
        fails(&head(first, RESPONSE_HEADERS), "Malformed");
    }
    for line in ["X : y", "X", "X: a\rb", "X: a\nY: b", "X: \0", "X\u{e9}: y"] {
        fails(&response("", &[line]), "Malformed");
    }
    // A bare LF at the end of any line is refused, also at the empty line.
    let whole = response("", &[]);
    for (at, _) in whole.iter().enumerate().filter(|&(_, &byte)| byte == b'\r') {
        fails(&[&whole[..at], &whole[at + 1..]].concat(), "Malformed");
    }
    let many = response("", &["X: y"; 62]);
    fails(&many, "TooManyHeaders");
    accepted(&response("", &["X: y"; 61]));
    let limit = |bytes: usize| {
        client_by(Config::default().with_max_head_size(bytes as u32), &[], &whole, |_, _, _| {})
    };
    assert_eq!(limit(whole.len()).events[0], "response None");
    assert_eq!(limit(whole.len() - 1).events, ["failed Handshake(HeadTooLarge)"]);
    // A buffer filled by half a head is too small, also if the stream ends there.
    let run = at_every_cut(&many[..150], |input, cuts| {
        let (ws, _) = asked(Config::default(), &[]);
        run_ws(ws, input, cuts, 150, Take::Messages, true, |_, _, _| {})
    });
    assert_eq!(run.events, ["failed Local(ReadBufferTooSmall { minimum: 16384 })"]);
    assert_eq!(client_run(&whole[..whole.len() - 1]).events, ["close 1006 \"\""]);
}

/// Rule 16, section 4.1.
#[test]
fn rule_16_upgrade_connection_and_accept_are_checked() {
    for line in ["Upgrade: WebSocket", "UPGRADE:websocket", "Upgrade:\r\n\twebsocket"] {
        accepted(&response("Upgrade", &[line]));
    }
    // The value of a response is not a list.
    for lines in [
        &[][..],
        &["Upgrade:"],
        &["Upgrade: h2c"],
        &["Upgrade: websockets"],
        &["Upgrade: websocket, h2c"],
        &["Upgrade: h2c, websocket"],
        &["Upgrade: websocket", "Upgrade: websocket"],
    ] {
        fails(&response("Upgrade", lines), "Upgrade");
    }
    for lines in [
        &["Connection: keep-alive, Upgrade"][..],
        &["Connection: keep-alive", "connection: upgrade"],
        &["Connection:UPGRADE"],
    ] {
        accepted(&response("Connection", lines));
    }
    for lines in [&[][..], &["Connection: keep-alive"], &["Connection: close"], &["Connection:"]] {
        fails(&response("Connection", lines), "Connection");
    }
    accepted(&response(
        "Sec-WebSocket-Accept",
        &["sec-websocket-accept:CdXSYUsvsaMthlEXWDNURGWA/1o= \t"],
    ));
    // A value may continue in a folded line (RFC 9112 section 5.2).
    accepted(&response(
        "Sec-WebSocket-Accept",
        &["Sec-WebSocket-Accept:\r\n CdXSYUsvsaMthlEXWDNURGWA/1o="],
    ));
    for lines in [
        &[][..],
        &["Sec-WebSocket-Accept:"],
        // Accept values for another key, in another case, truncated, quoted, with more text, and
        // repeated.
        &["Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="],
        &["Sec-WebSocket-Accept: cdxsyusvsamthlexwdnurgwa/1o="],
        &["Sec-WebSocket-Accept: CdXSYUsvsaMthlEXWDNURGWA/1o"],
        &["Sec-WebSocket-Accept: CdXSYUsvsaMthlEXWDNURGWA/1p="],
        &["Sec-WebSocket-Accept: DdXSYUsvsaMthlEXWDNURGWA/1o="],
        &["Sec-WebSocket-Accept: \"CdXSYUsvsaMthlEXWDNURGWA/1o=\""],
        &["Sec-WebSocket-Accept: CdXSYUsvsaMthlEXWDNURGWA/1o=="],
        &[ACCEPT, ACCEPT],
    ] {
        fails(&response("Sec-WebSocket-Accept", lines), "Accept");
    }
}

/// Rule 17, section 4.1.
#[test]
fn rule_17_unrequested_choices_fail() {
    fails(&response("", &["Sec-WebSocket-Extensions: permessage-deflate"]), "Extension");
    fails(&response("", &["Sec-WebSocket-Extensions: x-unheard-of; a=b"]), "Extension");
    accepted(&response("", &["Sec-WebSocket-Extensions:"]));

    let twice = ["Sec-WebSocket-Protocol: chat", "Sec-WebSocket-Protocol: chat"];
    fails(&response("", &twice), "Subprotocol");
    fails(&response("", &["Sec-WebSocket-Protocol: chat, superchat"]), "Subprotocol");
    fails(&response("", &["Sec-WebSocket-Protocol:"]), "Subprotocol");

    // The server chose a subprotocol although none was offered. The handshake fails without the
    // caller.
    let chosen = response("", &["Sec-WebSocket-Protocol: chat"]);
    let run = client_run(&[&chosen[..], &plain(0x81, b"text")].concat());
    assert_eq!(run.events, ["response Some(\"chat\")", "failed Handshake(Subprotocol)"]);
    assert!(run.done && run.output.is_empty());
}

/// Returns the result of `confirm` for the `offered` subprotocols and these lines of the response.
fn chosen(offered: &[&str], lines: &[&str]) -> Result<Option<String>, ConfirmError> {
    let (mut ws, _) = asked(Config::default(), offered);
    let (mut rx, mut tx) = (ReadBuffer::new([0; 512]), WriteBuffer::new([0; 512]));
    let _ = rx.extend(&response("Sec-WebSocket-Protocol", lines));
    let Some(Event::UpgradeResponse(response)) = ws.receive(&mut rx, &mut tx) else { panic!() };
    let chosen = ws.confirm(&response, offered).map(|name| name.map(str::to_string));
    assert_eq!(ws.state(), if chosen.is_ok() { State::Open } else { State::Closed });
    assert_eq!(ws.is_done(), chosen.is_err());
    if chosen.is_err() {
        assert_eq!(ws.send_text("no", &mut tx), Err(Error::Misuse(Misuse::Closed)));
        let _ = rx.extend(&plain(0x81, b"text"));
        assert_eq!(ws.receive(&mut rx, &mut tx), None);
        assert!(tx.is_empty());
    }
    chosen
}

/// Rule 17: if the server chooses no subprotocol, browsers fail and the RFC does not. The caller
/// decides.
#[test]
fn rule_17_the_caller_sees_the_chosen_subprotocol() {
    let offered = ["chat", "superchat"];
    let (_, request) = asked(Config::default(), &offered);
    let request = String::from_utf8(request).unwrap();
    assert!(request.contains("\r\nSec-WebSocket-Protocol: chat, superchat\r\n"));
    let none = ConfirmError::Subprotocol;
    assert_eq!(
        chosen(&offered, &["Sec-WebSocket-Protocol: superchat"]),
        Ok(Some("superchat".to_string()))
    );
    assert_eq!(chosen(&offered, &["sec-websocket-protocol:chat "]), Ok(Some("chat".to_string())));
    assert_eq!(chosen(&offered, &["Sec-WebSocket-Protocol: Chat"]), Err(none));
    assert_eq!(chosen(&offered, &["Sec-WebSocket-Protocol: other"]), Err(none));
    assert_eq!(chosen(&[], &["Sec-WebSocket-Protocol: chat"]), Err(none));
    assert_eq!(chosen(&offered, &[]), Ok(None));
}

/// Rule 18, sections 9.1 and 11.3.2, erratum 3433: a list may span lines, and quoted values are
/// unquoted. A malformed list is refused.
#[test]
fn rule_18_extensions_may_span_lines_and_quote() {
    let lines: [&[u8]; 3] = [b" a; x=1 , b;y=\"2\"", b"", b"c; z=\"\\3\"; flag"];
    let seen: Vec<_> = extensions::parse(lines)
        .map(|extension| {
            let extension = extension.unwrap();
            let parameters: Vec<_> = extension
                .parameters()
                .map(|parameter| {
                    let value = parameter.value().map(|value| value.chars().collect::<String>());
                    (parameter.name(), value)
                })
                .collect();
            (extension.name(), parameters)
        })
        .collect();
    let value = |value: &str| Some(value.to_string());
    assert_eq!(
        seen,
        [
            ("a", vec![("x", value("1"))]),
            ("b", vec![("y", value("2"))]),
            ("c", vec![("z", value("3")), ("flag", None)]),
        ]
    );
    for bad in ["a; x=\"1 2\"", "a; x=\"\"", "a;", "a; x=", "a b", "\"a\"", "a; x=\"1", "\u{e9}"] {
        assert!(extensions::parse([bad.as_bytes()]).any(|extension| extension.is_err()), "{bad}");
        // A server refuses a request with the malformed list.
        let line = format!("Sec-WebSocket-Extensions: {bad}");
        let run = handshake(&http::request("Sec-WebSocket-Extensions", &[&line]));
        assert_eq!(run.events, ["failed Handshake(Extension)"], "{bad}");
        assert!(run.output.starts_with(b"HTTP/1.1 400 "));
    }
    // A valid line does not compensate for a malformed one, in either order.
    let lines = ["Sec-WebSocket-Extensions: a;", "Sec-WebSocket-Extensions: b"];
    for lines in [lines, [lines[1], lines[0]]] {
        let run = handshake(&http::request("Sec-WebSocket-Extensions", &lines));
        assert_eq!(run.events, ["failed Handshake(Extension)"]);
    }
    // A server declines an offer over two lines by omitting the header field.
    let lines = ["Sec-WebSocket-Extensions: a; x=\"1\"", "Sec-WebSocket-Extensions: b, c"];
    let run = handshake(&http::request("Sec-WebSocket-Extensions", &lines));
    assert_eq!(run.output, ACCEPTED);
}

/// Rule 19, section 4.1.
#[test]
fn rule_19_each_key_comes_from_the_entropy_source() {
    let key_of = |request: &[u8]| {
        let text = std::str::from_utf8(request).unwrap();
        let (_, rest) = text.split_once("Sec-WebSocket-Key: ").unwrap();
        rest.split_once("\r\n").unwrap().0.to_string()
    };
    let uri = Uri::parse("ws://a/").unwrap();
    let mut tx = WriteBuffer::new([0; 512]);
    let mut next = 0;
    let mut counting = FnEntropy::new(|bytes: &mut [u8]| {
        assert_eq!(bytes.len(), 16);
        for byte in bytes {
            *byte = next;
            next += 1;
        }
        Ok(())
    });
    for key in ["AAECAwQFBgcICQoLDA0ODw==", "EBESExQVFhcYGRobHB0eHw=="] {
        let mut ws = WebSocket::client(Config::default(), &mut counting);
        ws.connect(&ConnectRequest::new(&uri), &mut tx).unwrap();
        assert_eq!(key_of(tx.bytes()), key);
        tx.clear();
    }

    let mut failures = 1;
    let failing = FnEntropy::new(|bytes: &mut [u8]| {
        if failures > 0 {
            failures -= 1;
            return Err(EntropyError);
        }
        bytes.fill(7);
        Ok(())
    });
    let mut ws = WebSocket::client(Config::default(), failing);
    let before = ws.state();
    assert_eq!(ws.connect(&ConnectRequest::new(&uri), &mut tx), Err(Error::Entropy(EntropyError)));
    assert!(tx.is_empty());
    assert_eq!(ws.state(), before);
    assert_eq!(ws.connect(&ConnectRequest::new(&uri), &mut tx), Ok(()), "tried again");
    assert_eq!(key_of(tx.bytes()), "BwcHBwcHBwcHBwcHBwcHBw==");
    let again = ws.connect(&ConnectRequest::new(&uri), &mut tx);
    assert_eq!(again, Err(Error::Misuse(Misuse::NoHandshake)), "and once only");
}

/// Rule 19, section 4.1: if the buffer is too small, nothing changes and the error has the needed
/// size.
#[test]
fn rule_19_a_request_that_does_not_fit_can_be_retried() {
    let uri = Uri::parse("ws://server.example.com/chat").unwrap();
    let (_, request) = asked(Config::default(), &[]);
    for size in 0..600 {
        let mut ws = WebSocket::client(Config::default(), sevens as Sevens);
        let mut bytes = vec![0; size];
        let mut tx = WriteBuffer::new(&mut bytes[..]);
        match ws.connect(&ConnectRequest::new(&uri), &mut tx) {
            Ok(()) => assert_eq!(tx.bytes(), request),
            Err(error) => {
                let Error::NeverFits { needed } = error else { panic!("{error}") };
                assert!(tx.is_empty() && size < needed && needed < request.len() + 200);
                let mut bytes = vec![0; needed];
                let mut tx = WriteBuffer::new(&mut bytes[..]);
                ws.connect(&ConnectRequest::new(&uri), &mut tx).unwrap();
                assert_eq!(tx.bytes(), request);
            }
        }
    }
}

/// Checks that replies fit after a request that the caller has not written yet. The response and
/// its frames may arrive before the whole request is written.
#[test]
fn replies_fit_after_an_unwritten_request() {
    let (_, request) = asked(Config::default(), &[]);
    let uri = Uri::parse("ws://server.example.com/chat").unwrap();
    let mut ws = WebSocket::client(Config::default(), sevens as Sevens);
    let error = ws.connect(&ConnectRequest::new(&uri), &mut WriteBuffer::new([0; 0]));
    let Err(Error::NeverFits { needed }) = error else { panic!("{error:?}") };
    let mut bytes = vec![0; needed];
    let (mut rx, mut tx) = (ReadBuffer::new([0; 1024]), WriteBuffer::new(&mut bytes[..]));
    ws.connect(&ConnectRequest::new(&uri), &mut tx).unwrap();
    let ping = plain(0x89, &[b'x'; 125]);
    let input = [response("X", &[]), ping, plain(0x88, &[3, 232])].concat();
    assert_eq!(rx.extend(&input), input.len());
    let mut events = Vec::new();
    while let Some(event) = ws.receive(&mut rx, &mut tx) {
        events.push(words(&event));
    }
    assert_eq!(events.len(), 3, "{events:?}");
    assert!(!events.iter().any(|event| event.starts_with("failed")), "{events:?}");
    // The replies are a pong of 125 bytes and a Close with a code, both masked.
    assert_eq!(tx.bytes().len(), request.len() + 131 + 8);
}

/// Rule 20, RFC 8441 section 5 and RFC 9220: extended CONNECT has neither a key nor an accept
/// value.
#[test]
fn rule_20_a_connection_opened_elsewhere_needs_no_key() {
    let mut drawn = 0;
    let entropy = FnEntropy::new(|bytes: &mut [u8]| {
        drawn += bytes.len();
        bytes.fill(7);
        Ok(())
    });
    let mut client = WebSocket::from_upgraded(Client::new(entropy), Config::default());
    let mut server = WebSocket::from_upgraded(Server, Config::default());
    assert_eq!((client.state(), server.state()), (State::Open, State::Open));
    let (mut rx, mut tx) = (ReadBuffer::new([0; 512]), WriteBuffer::new([0; 512]));
    client.send_text("over HTTP/2", &mut tx).unwrap();
    let _ = rx.extend(tx.bytes());
    tx.clear();
    assert_eq!(server.receive(&mut rx, &mut tx), Some(Event::Text("over HTTP/2")));
    server.send_text("likewise", &mut tx).unwrap();
    let _ = rx.extend(tx.bytes());
    tx.clear();
    assert_eq!(client.receive(&mut rx, &mut tx), Some(Event::Text("likewise")));
    assert_eq!(drawn, 4, "one masking key");
}

/// Contract 11: calls in the wrong order are refused and change nothing.
#[test]
fn calls_in_the_wrong_order_are_refused() {
    let (mut ws, _) = asked(Config::default(), &[]);
    let (mut rx, mut tx) = (ReadBuffer::new([0; 512]), WriteBuffer::new([0; 512]));
    let _ = rx.extend(&head("HTTP/1.1 101 x", replace(&RESPONSE_HEADERS, "", &[])));
    let misuse = ConfirmError::NoHandshake;
    let Some(Event::UpgradeResponse(response)) = ws.receive(&mut rx, &mut tx) else { panic!() };
    let (mut other, _) = asked(Config::default(), &[]);
    assert_eq!(other.confirm(&response, &[]), Err(misuse), "before its own answer");
    assert_eq!(other.state(), State::Connecting);
    assert_eq!(ws.confirm(&response, &[]), Ok(None));
    assert_eq!(ws.confirm(&response, &[]), Err(misuse), "twice");
    assert_eq!(ws.state(), State::Open);
    let uri = Uri::parse("ws://a/").unwrap();
    let connect = ws.connect(&ConnectRequest::new(&uri), &mut tx);
    assert_eq!(connect, Err(Error::Misuse(Misuse::NoHandshake)));
    assert!(tx.is_empty());
}

/// Section 4.1: before the request, the end of the stream ends the connection. Unrequested input is
/// not a response.
#[test]
fn input_before_the_request_is_not_a_response() {
    let (mut rx, mut tx) = (ReadBuffer::new([0; 512]), WriteBuffer::new([0; 512]));
    let mut ws = WebSocket::client(Config::default(), sevens as Sevens);
    assert_eq!(ws.receive(&mut rx, &mut tx), None);
    assert_eq!(ws.state(), State::Connecting);
    rx.end_of_stream();
    let Some(Event::Close(close)) = ws.receive(&mut rx, &mut tx) else { panic!() };
    assert_eq!(close.code(), sockless::CloseCode::ABNORMAL);
    assert!(ws.is_done() && tx.is_empty());

    let mut rx = ReadBuffer::new([0; 512]);
    let mut ws = WebSocket::client(Config::default(), sevens as Sevens);
    let _ = rx.extend(b"H");
    let malformed = Failure::Handshake(HandshakeError::Malformed);
    assert_eq!(ws.receive(&mut rx, &mut tx), Some(Event::Failed(malformed)));
}

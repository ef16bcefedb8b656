//! Tests protocol rules 1 to 13: the opening handshake of a server (RFC 6455 section 4.2).

mod common;
use common::http::{Answer, REQUEST_HEADERS, head, replace, request};
use common::*;
use sockless::handshake::{Accept, HttpResponse as Reply, ServerEvent, ServerHandshake};
use sockless::{
    Config, Error, Event, Misuse, ReadBuffer, Server, State, Storage, WebSocket, WriteBuffer,
};
use std::cell::Cell;
use std::rc::Rc;

const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Checks that the request is accepted, at every cut, and returns the response.
fn accepted(input: &[u8]) -> Answer {
    let run = handshake(input);
    assert!(run.events[0].starts_with("request "), "{:?}: {:?}", input.escape_ascii(), run.events);
    assert_eq!(run.events[1..], ["close 1006 \"\""], "the end of the stream and nothing else");
    let answer = Answer::head(&run.output);
    assert_eq!(answer.status, 101);
    assert_eq!(answer.header("Upgrade"), ["websocket"]);
    assert_eq!(answer.header("Connection"), ["Upgrade"]);
    assert!(answer.body.is_empty());
    answer
}

/// Checks that the request is refused for this reason with a complete response, at every cut.
/// Checks that input after the request is ignored: a good request and a frame. Returns the
/// response.
fn refused(input: &[u8], reason: &str, status: u16) -> Answer {
    let run = handshake(input);
    let shown = input.escape_ascii();
    assert_eq!(run.events, [format!("failed Handshake({reason})")], "{shown}");
    assert_eq!(run.state, State::Closed);
    assert!(run.done);
    if input.trim_ascii_start().starts_with(b"HEAD ") {
        // RFC 9110 section 9.3.2: the response to HEAD has the length of the body, and no body.
        let answer = Answer::head(&run.output);
        assert_ne!(answer.header("Content-Length"), ["0"]);
        assert_eq!((answer.status, &answer.body[..]), (status, &b""[..]), "{shown}");
        return answer;
    }
    let followed = handshake(&[input, REQUEST, &masked(0x89, b"ping")].concat());
    assert_eq!(followed, run, "{shown}");
    let answer = Answer::whole(&run.output);
    assert_eq!(answer.status, status, "{shown}");
    assert!(!answer.body.is_empty());
    answer
}

/// Returns the response to a request that is not for a WebSocket, if the caller does not respond.
fn plain_http(input: &[u8], event: &str) -> Answer {
    let run = handshake(input);
    assert_eq!(run.events, [event], "{}", input.escape_ascii());
    assert!(run.done);
    Answer::whole(&run.output)
}

/// Rule 1, sections 4.1 and 4.2.1.
#[test]
fn rule_01_only_get_of_http_1_1_or_later() {
    for method in ["POST", "PUT", "HEAD", "OPTIONS", "get", "GETX"] {
        let answer =
            refused(&head(&format!("{method} / HTTP/1.1"), REQUEST_HEADERS), "Method", 405);
        assert_eq!(answer.header("Allow"), ["GET"]);
    }
    // The response to HEAD has no body, also if another rule refuses the request.
    refused(b"HEAD / HTTP/1.1\r\n\r\n", "Host", 400);
    refused(b"\r\nHEAD / HTTP/1.0\r\n\r\n", "HttpVersion", 505);
    refused(b"HEAD / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", "Malformed", 400);
    for version in ["0.9", "1.0", "2.0", "3.0"] {
        let input = head(&format!("GET / HTTP/{version}"), REQUEST_HEADERS);
        refused(&input, "HttpVersion", 505);
    }
    refused(b"PRI * HTTP/2.0\r\n\r\n", "HttpVersion", 505);
    for version in ["1.1", "1.2", "1.9"] {
        accepted(&head(&format!("GET / HTTP/{version}"), REQUEST_HEADERS));
    }
    for line in [
        "GET /",
        "GET / HTTP",
        "GET / HTTP/1",
        "GET / HTTP/1.10",
        "GET / HTTP/11.1",
        "GET / http/1.1",
        "GET / HTTP/1.1 ",
        "GET  / HTTP/1.1",
        "GET / x HTTP/1.1",
        "GET /\u{1}x HTTP/1.2",
        "GET /\u{7f} HTTP/1.1",
        "GET  HTTP/1.1",
        "GET HTTP/1.1",
        " / HTTP/1.1",
        "GET / HTTP/1.x",
        "GET  / HTTP/1.2",
        "G@T / HTTP/1.1",
        "GET",
        " GET / HTTP/1.1",
    ] {
        refused(&head(line, REQUEST_HEADERS), "Malformed", 400);
    }
}

/// Rule 2, section 4.2.1, and RFC 9112 section 3.2: Host is required, also without an upgrade.
#[test]
fn rule_02_host_occurs_exactly_once() {
    refused(&request("Host", &[]), "Host", 400);
    refused(&request("Host", &["Host: a", "Host: a"]), "Host", 400);
    refused(&request("Host", &["Host: a", "hOST: b"]), "Host", 400);
    refused(b"GET / HTTP/1.1\r\n\r\n", "Host", 400);
    refused(b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "Host", 400);
    accepted(&request("Host", &["HOST: [::1]:8001"]));
}

/// Rule 3, section 4.2.1.
#[test]
fn rule_03_upgrade_contains_the_token_websocket() {
    for lines in [
        &["Upgrade: websocket"][..],
        &["Upgrade: WebSocket"],
        &["uPGRADE:WEBSOCKET"],
        &["Upgrade: h2c, websocket"],
        &["Upgrade: websocket , h2c"],
        &["Upgrade: h2c", "Upgrade: websocket"],
    ] {
        accepted(&request("Upgrade", lines));
    }
    for lines in [
        &[][..],
        &["Upgrade:"],
        &["Upgrade: h2c"],
        &["Upgrade: websockets"],
        &["Upgrade: xwebsocket"],
        &["Upgrade: websocket/13"],
        &["Upgrade: web socket"],
        &["Upgrade: h2c websocket"],
    ] {
        assert_eq!(plain_http(&request("Upgrade", lines), "http GET /chat").status, 426);
    }
}

/// Rule 4, section 4.2.1.
#[test]
fn rule_04_connection_is_a_list_over_any_number_of_lines() {
    for lines in [
        &["Connection: keep-alive, Upgrade"][..],
        &["Connection: keep-alive", "Connection: Upgrade"],
        &["Connection: Upgrade", "Connection: keep-alive"],
        &["connection: upgrade"],
        &["Connection:UPGRADE"],
        &["Connection: ,,a\t,\tUpgrade\t, ,"],
        &["Connection: keep-alive,Upgrade,HTTP2-Settings"],
    ] {
        accepted(&request("Connection", lines));
    }
    for lines in [
        &[][..],
        &["Connection:"],
        &["Connection: keep-alive"],
        &["Connection: close"],
        &["Connection: Upgraded"],
        &["Connection: no-upgrade"],
        &["Connection: keep-alive Upgrade"],
        &["Connection: keep-alive; Upgrade"],
        &["Connection: \"Upgrade\""],
    ] {
        refused(&request("Connection", lines), "Connection", 400);
    }
}

/// Rule 5, section 4.2.1. Bits set after the sixteenth byte are accepted: the sample of the RFC has
/// them (erratum 3150). The accept value is computed from the key as written.
#[test]
fn rule_05_the_key_decodes_to_16_bytes() {
    for (key, accept) in [
        ("AQIDBAUGBwgJCgsMDQ4PEC==", "OfS0wDaT5NoxF2gqm7Zj2YtetzM="),
        ("AQIDBAUGBwgJCgsMDQ4PEA==", "C/0nmHhBztSRGR1CwL6Tf4ZjwpY="),
        ("AQIDBAUGBwgJCgsMDQ4PEF==", "5iV8zYoE1rge9RLQ/enJ9vPjo6I="),
    ] {
        let line = format!("Sec-WebSocket-Key: {key}");
        let answer = accepted(&request("Sec-WebSocket-Key", &[&line]));
        assert_eq!(answer.header("Sec-WebSocket-Accept"), [accept]);
    }
    for key in [
        "",
        "AAAAAAAAAAAAAAAAAAAA",          // 15 bytes
        "AAAAAAAAAAAAAAAAAAAAAAA=",      // 17 bytes
        "AAAAAAAAAAAAAAAAAAAAAAAA",      // 18 bytes
        "AAAAAAAAAAAAAAAAAAAAAA",        // without padding
        "AAAAAAAAAAAAAAAAAAAAAA=",       // with half of the padding
        "AAAAAAAAAAAAAAAAAAAAAA===",     // with too much padding
        "AAAAAAAAAAAAAAAAAAAA=A==",      // with padding in the wrong place
        "AAAAAAAAAAAAAAAAAAAAA-==",      // of the URL-safe alphabet
        "AAAAAAAAAAAAAAAAAAAAA_==",      // of the URL-safe alphabet
        "AAAAAAAAAAA AAAAAAAAAA==",      // with white space
        "dGhlIHNhbXBsZSBub25jZQ==, AAA", // a list
        "\"dGhlIHNhbXBsZSBub25jZ\"",
        "the sample nonce........",
        "dGhlIHNhbXBsZSBub25j\u{e9}==", // not ASCII
    ] {
        let line = format!("Sec-WebSocket-Key: {key}");
        refused(&request("Sec-WebSocket-Key", &[&line]), "Key", 400);
    }
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    refused(&request("Sec-WebSocket-Key", &[]), "Key", 400);
    refused(&request("Sec-WebSocket-Key", &[key, key]), "Key", 400);
}

/// Rule 6, sections 4.2.2 and 4.4.
#[test]
fn rule_06_other_versions_learn_the_supported_one() {
    let refused = |input: &[u8]| {
        let answer = refused(input, "WebSocketVersion", 426);
        assert_eq!(answer.header("Sec-WebSocket-Version"), ["13"]);
        assert_eq!(answer.header("Upgrade"), ["websocket"]);
    };
    for version in
        ["", "0", "4", "7", "8", "12", "14", "013", "+13", "13.0", "13, 8", "13,13", "1 3"]
    {
        let line = format!("Sec-WebSocket-Version: {version}");
        refused(&request("Sec-WebSocket-Version", &[&line]));
    }
    let version = "Sec-WebSocket-Version: 13";
    refused(&request("Sec-WebSocket-Version", &[]));
    refused(&request("Sec-WebSocket-Version", &[version, version]));
    refused(&request("Sec-WebSocket-Version", &[version, "Sec-WebSocket-Version: 8"]));
    // Drafts: hixie-75, hixie-76 (with eight bytes after the head), HyBi-00, HyBi-07, HyBi-10.
    refused(
        b"GET /demo HTTP/1.1\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\nHost: example.com\r\n\
          Origin: http://example.com\r\nWebSocket-Protocol: sample\r\n\r\n",
    );
    refused(
        b"GET /demo HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\n\
          Sec-WebSocket-Key2: 12998 5 Y3 1  .P00\r\nSec-WebSocket-Protocol: sample\r\n\
          Upgrade: WebSocket\r\nSec-WebSocket-Key1: 4 @1  46546xW%0l 1 5\r\n\
          Origin: http://example.com\r\n\r\n^n:ds[4U",
    );
    for version in [0, 7, 8] {
        let version = format!("Sec-WebSocket-Version: {version}");
        let lines = [&version, "Sec-WebSocket-Origin: http://example.com"];
        refused(&request("Sec-WebSocket-Version", &lines));
    }
}

/// Rule 7, section 4.2.2, with the samples of the RFC and of other implementations.
#[test]
fn rule_07_the_accept_value_matches_the_key() {
    for (key, accept) in [
        ("dGhlIHNhbXBsZSBub25jZQ==", ACCEPT),
        ("sN9cRrP/n9NdMgdcy2VJFQ==", "fFBooB7FAkLlXgRSz0BT3v4hq5s="),
        ("x3JJHMbDL1EzLkh9GBhXDw==", "HSmrc0sMlYUkAGmm5OPpG2HaGWk="),
        ("T2a6wZlAwhgQNqruZ2YUyg==", "iBJKv/ALIW2DobfoA4dmr3JHBCY="),
    ] {
        for (before, after) in [(" ", ""), ("", ""), ("   ", " "), ("\t", "\t \t")] {
            let line = format!("Sec-WebSocket-Key:{before}{key}{after}");
            let answer = accepted(&request("Sec-WebSocket-Key", &[&line]));
            assert_eq!(answer.header("Sec-WebSocket-Accept"), [accept]);
        }
    }
    assert_eq!(handshake(REQUEST).output, ACCEPTED);
}

/// Runs a server that accepts with this subprotocol, at every cut.
fn choosing(input: &[u8], name: Option<&str>) -> Run {
    handshake_by(Config::default(), input, |ws, event, tx| {
        if let Event::UpgradeRequest(request) = event {
            let response = Accept::new();
            let response = name.map_or(response, |name| response.with_subprotocol(name));
            if let Err(error) = ws.accept(request, response, tx) {
                assert_eq!(error, Error::Misuse(Misuse::SubprotocolNotOffered));
                assert!(tx.is_empty());
                assert_eq!(ws.state(), State::Connecting);
                ws.accept(request, Accept::new(), tx).unwrap();
            }
        }
    })
}

/// Returns the subprotocols of the response to an offer of these lines, if the caller chooses
/// `name`.
fn protocols(name: Option<&str>, lines: &[&str]) -> Vec<String> {
    let run = choosing(&request("Sec-WebSocket-Protocol", lines), name);
    let answer = Answer::head(&run.output);
    assert_eq!(answer.status, 101);
    answer.header("Sec-WebSocket-Protocol").iter().map(|name| name.to_string()).collect()
}

/// Rule 8, sections 4.1 and 4.2.2.
#[test]
fn rule_08_only_an_offered_subprotocol_is_accepted() {
    let offer = ["Sec-WebSocket-Protocol: chat, superchat"];
    assert_eq!(protocols(Some("superchat"), &offer), ["superchat"]);
    assert_eq!(protocols(Some("chat"), &offer), ["chat"]);
    let none: [&str; 0] = [];
    assert_eq!(protocols(None, &offer), none, "none agreed, no header");
    assert_eq!(protocols(Some("chat"), &[]), none, "none offered");
    assert_eq!(protocols(Some("Chat"), &offer), none, "names are compared with regard to case");
    assert_eq!(protocols(Some("chat, superchat"), &offer), none);
    assert_eq!(protocols(Some(""), &offer), none);
    assert_eq!(protocols(Some("chat\r\nX: y"), &offer), none);
    let lines = ["Sec-WebSocket-Protocol:a,b", "Sec-WebSocket-Protocol: c"];
    assert_eq!(protocols(Some("c"), &lines), ["c"]);
    assert_eq!(protocols(None, &["Sec-WebSocket-Protocol:"]), none);
    for lines in [
        &["Sec-WebSocket-Protocol: a b"][..],
        &["Sec-WebSocket-Protocol: a, \"b\""],
        &["Sec-WebSocket-Protocol: a/b"],
        &["Sec-WebSocket-Protocol: caf\u{e9}"],
        &["Sec-WebSocket-Protocol: a, b, a"],
        &["Sec-WebSocket-Protocol: a, b", "Sec-WebSocket-Protocol: b"],
    ] {
        refused(&request("Sec-WebSocket-Protocol", lines), "Subprotocol", 400);
    }
    // Each name is compared with every other one, so their number is limited.
    let many = |count: usize| {
        let names: Vec<_> = (0..count).map(|i| i.to_string()).collect();
        format!("Sec-WebSocket-Protocol: {}", names.join(","))
    };
    accepted(&request("Sec-WebSocket-Protocol", &[&many(100)]));
    refused(&request("Sec-WebSocket-Protocol", &[&many(101)]), "Subprotocol", 400);
}

/// Rule 8, section 1.9: the offer lists subprotocols in the order of the client's preference.
#[test]
fn rule_08_the_offer_is_listed_in_order() {
    let lines = ["Sec-WebSocket-Protocol: b , ,a", "Sec-WebSocket-Protocol: c"];
    let mut offered = Vec::new();
    let input = request("Sec-WebSocket-Protocol", &lines);
    run_ws(WebSocket::server(Config::default()), &input, &[], 4096, Take::Messages, true, {
        |_, event, _| {
            if let Event::UpgradeRequest(request) = event {
                offered.extend(request.subprotocols().map(str::to_string));
            }
        }
    });
    assert_eq!(offered, ["b", "a", "c"]);
}

/// Rule 9, section 4.2.2: `refused` checks the refusals of other tests. This test checks refusals
/// by the caller, and a request that the caller ignores.
#[test]
fn rule_09_a_refusal_is_complete_and_ends_the_connection() {
    let input = [REQUEST, REQUEST, &masked(0x81, b"text")].concat();
    let run = handshake_by(Config::default(), &input, |ws, event, tx| {
        if let Event::UpgradeRequest(_) = event {
            let headers = [("WWW-Authenticate", "Basic"), ("Content-Type", "text/plain")];
            ws.respond(Reply::new(401).with_headers(&headers).with_body(b"who are you?"), tx)
                .unwrap();
            assert!(ws.is_done());
        }
    });
    assert_eq!(run.events, ["request /chat 6"]);
    assert_eq!((run.state, run.done), (State::Closed, true));
    let answer = Answer::whole(&run.output);
    assert_eq!((answer.status, &answer.body[..]), (401, &b"who are you?"[..]));
    assert_eq!(answer.header("WWW-Authenticate"), ["Basic"]);

    let run = handshake_by(Config::default(), &input, |_, _, _| {});
    assert_eq!(run.events, ["request /chat 6"]);
    assert_eq!((run.state, run.done), (State::Closed, true));
    assert_eq!(Answer::whole(&run.output).status, 403);
}

/// Rule 10, section 4.2.2. Sections 5.4 and 5.5 apply to these frames.
#[test]
fn rule_10_frames_after_the_request_are_kept() {
    let input = [
        REQUEST,
        &masked(0x81, b"first"),
        &masked(0x89, b"ping"),
        &masked(0x02, &[7; 3]),
        &masked(0x80, &[8; 2]),
        &close(1000, "bye"),
    ]
    .concat();
    let run = handshake(&input);
    assert_eq!(
        run.events,
        [
            "request /chat 6",
            "text \"first\"",
            "ping \"ping\"",
            "binary \"\\x07\\x07\\x07\\x08\\x08\"",
            "close 1000 \"bye\"",
        ]
    );
    let behind = [&plain(0x8A, b"ping")[..], &plain(0x88, &[3, 0xE8])].concat();
    assert_eq!(run.output, [ACCEPTED, &behind].concat());
    assert!(run.done);
}

/// Rule 11, RFC 9110 section 5 and RFC 9112 sections 2.2 and 5.
#[test]
fn rule_11_header_lines_are_read_strictly() {
    let key = "SEC-WEBSOCKET-KEY:\t dGhlIHNhbXBsZSBub25jZQ== \t";
    let lower: Vec<_> = replace(&REQUEST_HEADERS, "Sec-WebSocket-Key", &[key])
        .iter()
        .map(|line| match line.split_once(':') {
            Some((name, value)) if line != &key => {
                format!("{}:\t{} \t", name.to_lowercase(), value.trim())
            }
            _ => line.to_string(),
        })
        .collect();
    let input = head("GET / HTTP/1.1", lower.iter().map(String::as_str));
    assert_eq!(accepted(&input).header("Sec-WebSocket-Accept"), [ACCEPT]);

    let with = |line: &[u8]| {
        let mut input = request("", &[]);
        input.truncate(input.len() - 2);
        [&input, line, b"\r\n\r\n"].concat()
    };
    for line in [
        &b"X: caf\xc3\xa9"[..], // bytes above ASCII are accepted
        b"X: \xff\xfe\x80",
        b"X:",
        b"X: a: b",
        b"!#$%&'*+-.^_`|~09AZaz: token",
        b"Content-Length: 0", // sent by Java
        b"Origin: null",
    ] {
        accepted(&with(line));
    }
    for line in [
        &b"X : y"[..], // space before the colon
        b"X\t: y",
        b" X: y", // folded
        b"\tX: y",
        b"X: y\r\n z",
        b"X: a\rb", // bare CR
        b"X: a\r",
        b"X: a\nY: b", // bare LF
        b"X: a\r\n\nY: b",
        b"X: a\0b",
        b"X: \x01",
        b"X: \x7f",
        b"X\0: y",
        b"X\xc3\xa9: y",
        b"X\xff: y",
        b"X Y: z",
        b"X(): y",
        b": y",
        b"X",
        b"\r",
    ] {
        let run = handshake(&with(line));
        assert_eq!(run.events, ["failed Handshake(Malformed)"], "{}", line.escape_ascii());
        assert_eq!(Answer::whole(&run.output).status, 400);
        assert!(run.done);
    }
    for line in ["GET /\0 HTTP/1.1", "GET /a\rb HTTP/1.1", "GET /a\nb HTTP/1.1", "GE\0T / HTTP/1.1"]
    {
        refused(&head(line, REQUEST_HEADERS), "Malformed", 400);
    }
    // RFC 9112 section 2.2: an empty line before the request is ignored.
    accepted(&[b"\r\n", REQUEST].concat());
    refused(b"\r\n\r\n", "Malformed", 400);
    refused(&[b"\n", REQUEST].concat(), "Malformed", 400);
    // A bare LF at the end of any line is refused, also at the empty line.
    for (at, _) in REQUEST.iter().enumerate().filter(|&(_, &byte)| byte == b'\r') {
        refused(&[&REQUEST[..at], &REQUEST[at + 1..]].concat(), "Malformed", 400);
    }
}

/// Rule 11: header values may be any bytes, and arrive unchanged.
#[test]
fn rule_11_values_are_bytes() {
    let mut input = request("", &[]);
    input.truncate(input.len() - 2);
    input.extend(b"X: \t caf\xe9 \xff \r\n\r\n");
    let mut value = Vec::<u8>::new();
    run_ws(WebSocket::server(Config::default()), &input, &[], 4096, Take::Messages, true, {
        |_, event, _| {
            if let Event::UpgradeRequest(request) = event {
                value.extend(request.header("x").unwrap());
                assert_eq!(request.headers().count(), 6);
                let shown = format!("{request:?}");
                assert!(shown.contains("X: 6") && !shown.contains("caf"), "{shown}");
            }
        }
    });
    assert_eq!(value, b"caf\xe9 \xff");
}

/// Rule 12: the limits are exact, and the size of the read buffer is one of them.
#[test]
fn rule_12_heads_are_bounded() {
    let size = REQUEST.len() as u32;
    let accepts = |config: Config, input: &[u8]| {
        let run = handshake_with(config, input);
        assert!(run.events[0].starts_with("request"), "{:?}", run.events);
    };
    let refuses = |config: Config, input: &[u8], reason: &str| {
        let run = handshake_with(config, input);
        assert_eq!(run.events, [format!("failed Handshake({reason})")]);
        assert_eq!(Answer::whole(&run.output).status, 431);
        assert!(run.done);
    };
    accepts(Config::default().with_max_head_size(size), REQUEST);
    accepts(
        Config::default().with_max_head_size(size),
        &[REQUEST, &masked(0x81, &[b'x'; 50])].concat(),
    );
    refuses(Config::default().with_max_head_size(size - 1), REQUEST, "HeadTooLarge");
    // The limit applies as soon as the bytes have arrived, before the end of the head.
    refuses(Config::default().with_max_head_size(50), &REQUEST[..50], "HeadTooLarge");
    assert_eq!(
        handshake_with(Config::default().with_max_head_size(51), &REQUEST[..50]).events,
        ["close 1006 \"\""]
    );
    // A single line exceeds the limit: the request line or a header field.
    let long = [b"GET /", &[b'x'; 5000][..]].concat();
    refuses(Config::default().with_max_head_size(4000), &long, "HeadTooLarge");
    let long = [b"GET / HTTP/1.1\r\nX: ", &[b'x'; 5000][..]].concat();
    refuses(Config::default().with_max_head_size(4000), &long, "HeadTooLarge");

    for limit in [6, 15, 16, 17, 32, 33, 64, 65, 128] {
        let lines = |count: usize| {
            let others = (REQUEST_HEADERS.len()..count).map(|_| "X: y");
            head("GET / HTTP/1.1", REQUEST_HEADERS.into_iter().chain(others))
        };
        let config = Config::default().with_max_headers(limit);
        accepts(config, &lines(usize::from(limit)));
        refuses(config, &lines(usize::from(limit) + 1), "TooManyHeaders");
    }
    // No other limit applies to the number of header fields.
    let many = head("GET / HTTP/1.2", REQUEST_HEADERS.into_iter().chain(["X: y"; 1000]));
    accepts(Config::default().with_max_headers(u16::MAX), &many);

    let run = at_every_cut(REQUEST, |input, cuts| {
        let ws = WebSocket::server(Config::default());
        run_ws(ws, input, cuts, REQUEST.len() - 1, Take::Messages, true, accept)
    });
    // The buffer is too small, but the head is within the limit. The error names a sufficient size.
    assert_eq!(run.events, ["failed Local(ReadBufferTooSmall { minimum: 16384 })"]);
    assert_eq!(Answer::whole(&run.output).status, 431);
    let run = at_every_cut(REQUEST, |input, cuts| {
        let ws = WebSocket::server(Config::default());
        run_ws(ws, input, cuts, REQUEST.len(), Take::Messages, true, accept)
    });
    assert_eq!(run.events[0], "request /chat 6");
    // A buffer filled by half a head is too small, also if the stream ends there.
    let run = at_every_cut(&REQUEST[..150], |input, cuts| {
        let ws = WebSocket::server(Config::default());
        run_ws(ws, input, cuts, 150, Take::Messages, true, accept)
    });
    assert_eq!(run.events, ["failed Local(ReadBufferTooSmall { minimum: 16384 })"]);
    assert_eq!(Answer::whole(&run.output).status, 431);
    // A limit of 0 counts as 16. No result depends on bytes beyond it.
    for limit in [0, 4, 16] {
        let config = Config::default().with_max_head_size(limit);
        let run = handshake_with(config, b"HEAD / HTTP/1.1\r");
        assert_eq!(run.events, ["failed Handshake(HeadTooLarge)"]);
        let run = handshake_with(config, b"HEAD / HTTP/1.1");
        assert_eq!(run.events, ["close 1006 \"\""]);
    }
}

/// Memory that replaces searched bytes by the end of a head. A second search of these bytes finds
/// this end.
struct Trap {
    bytes: Vec<u8>,
    /// The number of bytes that are replaced.
    covered: Rc<Cell<usize>>,
    below: Vec<u8>,
}

impl AsRef<[u8]> for Trap {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl AsMut<[u8]> for Trap {
    fn as_mut(&mut self) -> &mut [u8] {
        let covered = self.covered.get();
        let restored = self.below.len().max(covered);
        self.below.extend(&self.bytes[self.below.len()..restored]);
        self.bytes[..self.below.len()].copy_from_slice(&self.below);
        for pair in self.bytes[..covered].chunks_exact_mut(2) {
            pair.copy_from_slice(b"\n\n");
        }
        &mut self.bytes
    }
}

impl Storage for Trap {}

/// Rule 12, CVE-2023-43669: if a head arrives byte by byte, each byte is searched once. The whole
/// head is parsed once.
#[test]
fn rule_12_no_byte_of_a_head_is_searched_twice() {
    let mut input = REQUEST[..REQUEST.len() - 2].to_vec();
    input.extend(b"X: ");
    input.resize(64 << 10, b'x');
    input.extend(b"\r\n\r\n");
    let covered = Rc::new(Cell::new(0));
    let storage = Trap { bytes: vec![0; 1 << 17], covered: covered.clone(), below: Vec::new() };
    let config = Config::default().with_max_head_size(1 << 17);
    let mut ws = WebSocket::server(config);
    let (mut rx, mut tx) = (ReadBuffer::new(storage), WriteBuffer::new([0; 512]));
    let (last, others) = input.split_last().unwrap();
    for (i, &byte) in others.iter().enumerate() {
        // The last three bytes may be part of the end of the head, so they are searched again.
        covered.set(if i % 64 == 0 { i.saturating_sub(3) } else { 0 });
        rx.space()[0] = byte;
        rx.filled(1);
        assert_eq!(ws.receive(&mut rx, &mut tx), None, "byte {i}");
    }
    covered.set(0);
    rx.space()[0] = *last;
    rx.filled(1);
    let Some(Event::UpgradeRequest(request)) = ws.receive(&mut rx, &mut tx) else { panic!() };
    assert_eq!(request.header("X").map(<[u8]>::len), Some((64 << 10) - REQUEST.len() - 1));
}

/// Rule 13: the caller can respond to a request that is not for a WebSocket.
#[test]
fn rule_13_a_plain_get_can_be_answered() {
    let page = b"GET /health?full HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n";
    let input = [&page[..], page, REQUEST].concat();
    let run = handshake_by(Config::default(), &input, |ws, event, tx| {
        if let Event::OtherRequest(request) = event {
            assert_eq!(request.header("accept"), Some(&b"*/*"[..]));
            let answer = Reply::new(200)
                .with_headers(&[("Content-Type", "text/html")])
                .with_body(b"<p>well");
            ws.respond(answer, tx).unwrap();
            assert_eq!(ws.respond(answer, tx), Err(Error::Misuse(Misuse::NoHandshake)));
        }
    });
    assert_eq!(run.events, ["http GET /health?full"]);
    assert!(run.done);
    let answer = Answer::whole(&run.output);
    assert_eq!((answer.status, &answer.body[..]), (200, &b"<p>well"[..]));
    assert_eq!(answer.header("Content-Type"), ["text/html"]);

    // The response to HEAD has a length and no body.
    let head = b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";
    let run = handshake_by(Config::default(), head, |ws, event, tx| {
        if let Event::OtherRequest(_) = event {
            ws.respond(Reply::new(200).with_body(b"<p>well"), tx).unwrap();
        }
    });
    let answer = Answer::head(&run.output);
    assert_eq!(answer.header("Content-Length"), ["7"]);
    assert!(answer.body.is_empty());

    // If the caller does not respond, the server refuses the request.
    let answer = plain_http(page, "http GET /health?full");
    assert_eq!(answer.status, 426);
    assert_eq!(answer.header("Upgrade"), ["websocket"]);
    assert_eq!(answer.header("Sec-WebSocket-Version"), ["13"]);
    for method in ["POST", "HEAD", "DELETE"] {
        let input = format!("{method} /x HTTP/1.1\r\nHost: a\r\n\r\n");
        let answer = plain_http(input.as_bytes(), &format!("http {method} /x"));
        assert_eq!(answer.status, 405);
        assert_eq!(answer.header("Allow"), ["GET"]);
    }
}

/// Contract 6: before the server has accepted a request, nothing can be sent.
#[test]
fn before_the_101_nothing_can_be_sent() {
    let mut ws = WebSocket::<Server>::server(Config::default());
    let mut tx = WriteBuffer::new([0; 512]);
    assert_eq!(ws.send_text("early", &mut tx), Err(Error::Misuse(Misuse::NotOpen)));
    assert!(tx.is_empty());
    assert_eq!((ws.state(), ws.is_done()), (State::Connecting, false));
}

/// RFC 9112 section 11.2: a proxy could read the body of an upgrade request differently. A length
/// of 0, which Java sends, means no body.
#[test]
fn an_upgrade_that_announces_a_body_is_refused() {
    let with = |headers: &str| {
        let head = String::from_utf8(REQUEST.to_vec()).unwrap();
        handshake(head.replacen("\r\n", &format!("\r\n{headers}"), 1).as_bytes())
    };
    // RFC 9110 section 8.6: a length has one or more digits, and equal values count as one.
    for zero in ["0", "00", "0, 0", "0\r\nContent-Length: 000"] {
        assert_eq!(with(&format!("Content-Length: {zero}\r\n")).output, ACCEPTED, "{zero}");
    }
    for headers in [
        "Content-Length: 5\r\n",
        "Content-Length: 0x0\r\n",
        "Content-Length:\r\n",
        "Content-Length: 0, 5\r\n",
        "Content-Length: 0\r\nContent-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\n",
        "transfer-encoding: identity\r\n",
    ] {
        let run = with(headers);
        assert_eq!(run.last(), "failed Handshake(Body)", "{headers}");
        assert!(run.output.starts_with(b"HTTP/1.1 400 "));
    }
}

/// Rule 61, RFC 9112 section 6.3: a server refuses a request whose body has no clear end, also if
/// the request is for something else.
#[test]
fn rule_61_a_request_of_invalid_length_is_refused() {
    for lines in [
        "Content-Length: 5, 6",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: x",
        "Content-Length: -1",
        "Content-Length:",
        "Transfer-Encoding: gzip",
        "Transfer-Encoding:",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    ] {
        for first in ["GET", "POST"] {
            for upgrade in ["", "Upgrade: websocket\r\n"] {
                let head = format!("{first} / HTTP/1.1\r\nHost: a\r\n{upgrade}{lines}\r\n\r\n");
                let run = handshake(head.as_bytes());
                assert_eq!(run.events, ["failed Handshake(Body)"], "{head}");
                assert!(run.output.starts_with(b"HTTP/1.1 400 "));
            }
        }
    }
    // The caller answers a request with a valid length. The body is not read.
    for lines in [
        "Content-Length: 5",
        "Content-Length: 5, 5",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: gzip\r\nTransfer-Encoding: Chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: x",
    ] {
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\nhello");
        assert!(handshake(head.as_bytes()).output.starts_with(b"HTTP/1.1 405 "), "{lines}");
    }
}

/// RFC 9110 section 9.3.6: a 2xx response to CONNECT promises a tunnel.
#[test]
fn a_connect_is_never_accepted_as_a_tunnel() {
    let mut ws = WebSocket::server(Config::default());
    let (mut rx, mut tx) = (ReadBuffer::new([0; 512]), WriteBuffer::new([0; 512]));
    let _ = rx.extend(b"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n");
    assert!(matches!(ws.receive(&mut rx, &mut tx), Some(Event::OtherRequest(_))));
    for status in [200, 299] {
        let refused = ws.respond(Reply::new(status), &mut tx);
        assert_eq!(refused, Err(Misuse::InvalidStatus.into()));
    }
    assert!(tx.is_empty());
    assert_eq!(ws.respond(Reply::new(300), &mut tx), Ok(()));
}

/// A handshake that is over leaves no input and no end of the stream in the buffer.
#[test]
fn a_buffer_serves_another_handshake() {
    let (mut rx, mut tx) = (ReadBuffer::new([0; 512]), WriteBuffer::new([0; 1024]));
    for input in [&b""[..], b"GET / HTTP/1.1\r\nHost: a\r\n\r\nmore", b"\x16\x03\x01"] {
        let mut handshake = ServerHandshake::new(&Config::default());
        let _ = rx.extend(input);
        rx.end_of_stream();
        assert!(handshake.receive(&mut rx, &mut tx).is_some());
        while handshake.receive(&mut rx, &mut tx).is_some() {}
        assert!(handshake.is_done() && rx.is_empty() && !rx.at_end());
    }
}

/// Rule 2, RFC 9112 section 3.2: an invalid Host is refused.
#[test]
fn rule_02_an_invalid_host_is_refused() {
    let with = |host: &str| {
        let head = String::from_utf8(REQUEST.to_vec()).unwrap();
        handshake(head.replace("server.example.com", host).as_bytes())
    };
    for host in [
        "a b",
        "a/b",
        "a@b",
        "a, b",
        "a\"b",
        "a#b",
        "a?b",
        "\u{e4}",
        "[",
        "[::1",
        "[]",
        "[a]",
        "[::1]x",
        "[::1]:x",
        "%zz",
        "%4",
        "h:p:q",
        "h:port",
        "h:65536",
        "h:-1",
        "::1",
        "1:2:3:4:5:6:7:8",
    ] {
        assert_eq!(with(host).last(), "failed Handshake(Host)", "{host}");
    }
    for host in [
        "",
        "a",
        "a:80",
        "a:",
        "[::1]",
        "[::1]:8001",
        "127.0.0.1",
        "x_y.example",
        "%41",
        "h:65535",
        "h:00080",
    ] {
        assert_eq!(with(host).output, ACCEPTED, "{host}");
    }
}

/// RFC 9110 sections 8.6, 15.3.5 and 15.4.5: responses with status 204 or 304 have no body.
#[test]
fn responses_204_and_304_have_no_body() {
    let answered = |answer: Reply<'_>| {
        let mut ws = WebSocket::server(Config::default());
        let (mut rx, mut tx) = (ReadBuffer::new([0; 512]), WriteBuffer::new([0; 512]));
        let _ = rx.extend(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert!(matches!(ws.receive(&mut rx, &mut tx), Some(Event::OtherRequest(_))));
        ws.respond(answer, &mut tx).map(|()| String::from_utf8(tx.bytes().to_vec()).unwrap())
    };
    let empty = answered(Reply::new(204)).unwrap();
    assert_eq!(empty, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
    // RFC 9110 section 8.6: the length in a 304 would be that of a 200, so 0 would be wrong.
    let unchanged = answered(Reply::new(304)).unwrap();
    assert_eq!(unchanged, "HTTP/1.1 304 \r\nConnection: close\r\n\r\n");
    for status in [204, 205, 304] {
        let refused = answered(Reply::new(status).with_body(b"hey"));
        assert_eq!(refused, Err(Misuse::InvalidStatus.into()));
    }
}

/// Rule 11: a head whose lines end in a bare LF is refused at its empty line. The server does not
/// wait for more input.
#[test]
fn rule_11_a_head_with_bare_line_feeds_is_refused_at_its_end() {
    for before in 0..20 {
        for feeds in 2..20 {
            let head = ["GET /", &"a".repeat(before), &"\n".repeat(feeds)].concat();
            let mut ws = WebSocket::server(Config::default());
            let (mut rx, mut tx) = (ReadBuffer::new([0; 512]), WriteBuffer::new([0; 512]));
            let _ = rx.extend(head.as_bytes());
            let malformed =
                sockless::Failure::Handshake(sockless::handshake::HandshakeError::Malformed);
            assert_eq!(ws.receive(&mut rx, &mut tx), Some(Event::Failed(malformed)), "{head:?}");
            assert!(tx.bytes().starts_with(b"HTTP/1.1 400 "));
        }
    }
}

/// Rule 11, RFC 9110 section 5.5: a value has no control character but the tab. Every position
/// within the words that are scanned at once is tried, and two neighbours.
#[test]
fn rule_11_no_control_character_hides_in_a_value() {
    for len in 1..=20 {
        for at in 0..len {
            for (byte, beside) in (0..=255).flat_map(|byte| [(byte, b' '), (byte, 0x80)]) {
                let mut value = vec![beside; len];
                value[at] = byte;
                let input = [b"GET / HTTP/1.1\r\nHost: a\r\nX:a", &value[..], b"\r\n\r\n"].concat();
                let mut handshake = ServerHandshake::new(&Config::default());
                let (mut rx, mut tx) = (ReadBuffer::new([0; 512]), WriteBuffer::new([0; 512]));
                let _ = rx.extend(&input);
                let event = handshake.receive(&mut rx, &mut tx);
                let good = byte == b'\t' || (byte >= b' ' && byte != 0x7F);
                let is_request = matches!(event, Some(ServerEvent::OtherRequest(_)));
                assert_eq!(is_request, good, "{}", value.escape_ascii());
            }
        }
    }
}

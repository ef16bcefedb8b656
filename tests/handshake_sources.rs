//! Tests the handshake for headers of any source, over HTTP/1.1 and by extended CONNECT. Tests the
//! target of a request, and rules 20, 51, 54, 56, 58 and 59.

mod common;
use common::http::{Answer, REQUEST_HEADERS, RESPONSE_HEADERS, head, replace, request, response};
use common::*;
use sockless::handshake::{
    Accept, ConnectRequest, HandshakeError, HttpResponse, Key, Upgrade, Uri, head_len,
};
use sockless::{Config, Event, Misuse, ReadBuffer, WebSocket, WriteBuffer};
use std::cell::Cell;

const HEADERS: [(&str, &str); 6] = [
    ("host", "example.com"),
    ("upgrade", "websocket"),
    ("connection", "Upgrade"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("sec-websocket-protocol", "chat, superchat"),
];

fn fields<'a>(
    fields: impl Iterator<Item = (&'a str, sockless::handshake::FieldValue<'a>)>,
) -> Vec<String> {
    fields.map(|(name, value)| format!("{name}: {value}")).collect()
}

/// Checks that the result and the response are equal for each source of headers. The sources are
/// `http::HeaderMap`, a slice of pairs, owned pairs and the crate's own headers.
#[test]
fn headers_come_from_any_source() {
    let expected = [
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
        "Sec-WebSocket-Protocol: superchat",
        "Server: x",
    ];
    let accept = Accept::new().with_subprotocol("superchat").with_headers(&[("Server", "x")]);

    let mut map = ::http::HeaderMap::new();
    for (name, value) in HEADERS {
        map.append(name, ::http::HeaderValue::from_static(value));
    }
    let upgrade = Upgrade::from_request("GET", &map).unwrap().unwrap();
    assert_eq!(upgrade.subprotocols().collect::<Vec<_>>(), ["chat", "superchat"]);
    assert_eq!(upgrade.extensions().count(), 0);
    assert_eq!(fields(upgrade.accept(accept).unwrap().fields()), expected);

    let upgrade = Upgrade::from_request("GET", &HEADERS).unwrap().unwrap();
    assert_eq!(fields(upgrade.accept(accept).unwrap().fields()), expected);

    let owned = HEADERS.map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()));
    let upgrade = Upgrade::from_request("GET", &owned).unwrap().unwrap();
    assert_eq!(fields(upgrade.accept(accept).unwrap().fields()), expected);

    let mut ws = WebSocket::server(Config::default());
    let (mut rx, mut tx) = (ReadBuffer::new([0; 512]), WriteBuffer::new([0; 512]));
    let lines = HEADERS.map(|(name, value)| format!("{name}: {value}"));
    assert!(rx.extend(&head("GET / HTTP/1.1", lines.iter().map(String::as_str))) > 0);
    let Some(Event::UpgradeRequest(request)) = ws.receive(&mut rx, &mut tx) else { panic!() };
    let upgrade = request.upgrade().unwrap();
    assert_eq!(fields(upgrade.accept(accept).unwrap().fields()), expected);
    // `WebSocket::accept` writes the same fields.
    ws.accept(&request, accept, &mut tx).unwrap();
    let written = head("HTTP/1.1 101 Switching Protocols", expected);
    assert_eq!(tx.bytes().escape_ascii().to_string(), written.escape_ascii().to_string());
}

/// Checks that an HTTP library can refuse a request with the response that `WebSocket` writes.
#[test]
fn a_refusal_is_the_same_from_any_source() {
    for (name, line, error) in [
        ("Sec-WebSocket-Version", "Sec-WebSocket-Version: 8", HandshakeError::WebSocketVersion),
        ("Connection", "Connection: close", HandshakeError::Connection),
        ("Sec-WebSocket-Key", "Sec-WebSocket-Key: x", HandshakeError::Key),
    ] {
        let run = handshake(&request(name, &[line]));
        let answer = Answer::whole(&run.output);
        let refusal = error.response();
        assert_eq!((answer.status, &answer.body[..]), (refusal.status(), refusal.body()));
        for (name, value) in refusal.headers() {
            assert!(answer.header(name).contains(value), "{name}: {value}");
        }
    }
    // A valid request for something else, which the caller leaves unanswered.
    for method in ["GET", "POST", "HEAD"] {
        let run = handshake(format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
        let answer = Answer::whole(&run.output);
        let refusal = HttpResponse::for_other_request(method);
        assert_eq!((answer.status, &answer.body[..]), (refusal.status(), refusal.body()));
        for (name, value) in refusal.headers() {
            assert!(answer.header(name).contains(value), "{name}: {value}");
        }
    }
    assert!(HandshakeError::Method.response().headers().contains(&("Allow", "GET")));
    // HTTP/2 has no Upgrade field, and so no status 426 (RFC 9113 section 8.2.2, RFC 9110 section
    // 15.5.22).
    let refusal = HandshakeError::WebSocketVersion.connect_response();
    assert_eq!(refusal.status(), 400);
    assert!(refusal.headers().contains(&("Sec-WebSocket-Version", "13")));
    assert!(refusal.headers().iter().all(|(name, _)| *name != "Upgrade"));
    assert_eq!(HandshakeError::Subprotocol.connect_response().status(), 400);
}

/// Rules 20 and 59, RFC 8441 section 5 and RFC 9220: extended CONNECT has no key, no accept value,
/// no Upgrade and no Connection.
#[test]
fn rule_59_extended_connect_as_server() {
    let headers = [("sec-websocket-version", "13"), ("sec-websocket-protocol", "chat")];
    let judge = |method: &str, protocol: &str, headers: &[(&str, &str)]| {
        Upgrade::from_connect(method, protocol, headers).map(|upgrade| upgrade.is_some())
    };
    assert_eq!(judge("CONNECT", "websocket", &headers), Ok(true));
    assert_eq!(judge("GET", "websocket", &headers), Ok(false));
    assert_eq!(judge("CONNECT", "connect-udp", &headers), Ok(false));
    assert_eq!(judge("CONNECT", "websocket", &[]), Err(HandshakeError::WebSocketVersion));
    let bad = [headers[0], ("sec-websocket-protocol", "a, a")];
    assert_eq!(judge("CONNECT", "websocket", &bad), Err(HandshakeError::Subprotocol));
    let bad = [headers[0], ("sec-websocket-extensions", "a;")];
    assert_eq!(judge("CONNECT", "websocket", &bad), Err(HandshakeError::Extension));
    let upgrade = Upgrade::from_connect("CONNECT", "websocket", &headers).unwrap().unwrap();
    assert_eq!(upgrade.key(), None);
    let accepted = upgrade.accept(Accept::new().with_subprotocol("chat")).unwrap();
    assert_eq!(accepted.status(), 200);
    assert_eq!(accepted.agreed().subprotocol(), Some("chat"));
    assert_eq!(fields(accepted.fields()), ["Sec-WebSocket-Protocol: chat"]);
    let other = upgrade.accept(Accept::new().with_subprotocol("other"));
    assert_eq!(other.unwrap_err(), Misuse::SubprotocolNotOffered);
}

/// Rules 20 and 59 for a client: extended CONNECT without a key, and HTTP/1.1 with a key.
#[test]
fn rule_59_extended_connect_as_client() {
    let uri = Uri::parse("wss://example.com/chat").unwrap();
    let request = ConnectRequest::new(&uri)
        .with_subprotocols(&["v2", "v1"])
        .with_origin("https://example.com")
        .with_headers(&[("Cookie", "a=b")]);
    let common = ["Sec-WebSocket-Version: 13", "Origin: https://example.com"];
    let rest = ["Sec-WebSocket-Protocol: v2, v1", "Cookie: a=b"];
    assert_eq!(fields(request.fields(None).unwrap()), [common, rest].concat());
    let key = Key::from_nonce(&[7; 16]);
    let upgrade = [
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: BwcHBwcHBwcHBwcHBwcHBw==",
    ];
    let with_key = fields(request.fields(Some(&key)).unwrap());
    assert_eq!(with_key, [&upgrade[..], &common, &rest].concat());

    let check = |status, headers: &[(&str, &str)]| {
        request
            .check_response(None, status, headers)
            .map(|agreed| agreed.subprotocol().map(str::to_string))
    };
    assert_eq!(check(200, &[]), Ok(None));
    assert_eq!(check(204, &[("sec-websocket-protocol", "v1")]), Ok(Some("v1".to_string())));
    assert_eq!(check(101, &[]), Err(HandshakeError::Status));
    assert_eq!(check(404, &[]), Err(HandshakeError::Status));
    let other = [("sec-websocket-protocol", "v3")];
    assert_eq!(check(200, &other), Err(HandshakeError::Subprotocol));
    let extension = [("sec-websocket-extensions", "permessage-deflate")];
    assert_eq!(check(200, &extension), Err(HandshakeError::Extension));
    // Over HTTP/1.1, a 101 is the only status that accepts.
    let headers = RESPONSE_HEADERS.map(|line| line.split_once(": ").unwrap());
    assert!(request.check_response(Some(&key), 101, &headers).is_ok());
    let judged = request.check_response(Some(&key), 200, &headers);
    assert_eq!(judged, Err(HandshakeError::Status));
    // `fields` refuses the same requests as `connect`.
    let twice = request.with_headers(&[("origin", "x")]);
    assert_eq!(twice.fields(None).err(), Some(Misuse::ReservedHeader));
}

/// Returns the path, query and authority that a server reads from this request line.
fn target(line: &str) -> Option<(String, Option<String>, String)> {
    let mut seen = None;
    let input = head(line, ["Host: host:1"]);
    let ws = WebSocket::server(Config::default());
    run_ws(ws, &input, &[], 512, Take::Messages, true, |_, event, _| {
        if let Event::OtherRequest(request) = event {
            seen = Some((
                request.path().to_string(),
                request.query().map(str::to_string),
                request.authority().to_string(),
            ));
        }
    });
    seen
}

/// Rule 51, RFC 9112 section 3.2: the absolute form is accepted, and its authority replaces Host.
#[test]
fn rule_51_a_target_has_a_path_a_query_and_an_authority() {
    for (written, path, query, authority) in [
        ("/", "/", None, "host:1"),
        ("/a/b?c=d?e", "/a/b", Some("c=d?e"), "host:1"),
        ("/?", "/", Some(""), "host:1"),
        ("/a:b//c", "/a:b//c", None, "host:1"),
        ("ws://h/", "/", None, "h"),
        ("ws://h:8/a?b", "/a", Some("b"), "h:8"),
        ("http://h", "/", None, "h"),
        ("wss://[::1]?q", "/", Some("q"), "[::1]"),
        ("a+b-c.1://h/", "/", None, "h"),
    ] {
        let expected = (path.to_string(), query.map(str::to_string), authority.to_string());
        assert_eq!(target(&format!("GET {written} HTTP/1.1")), Some(expected), "{written}");
    }
    let expected = Some(("*".to_string(), None, "host:1".to_string()));
    assert_eq!(target("OPTIONS * HTTP/1.1"), expected);
    let expected = Some((String::new(), None, "host:1".to_string()));
    assert_eq!(target("CONNECT h:80 HTTP/1.1"), expected);
    // RFC 3986 section 3.1: invalid schemes. RFC 9112 section 3.2.4: "*" is for OPTIONS only.
    for bad in [
        "h:80", "a", "http:/a", "a/b://c", "a?b://c/", "a#://c", "1://h/", "[://h/", "a\"://h/",
        "*",
    ] {
        let run = handshake(&head(&format!("GET {bad} HTTP/1.1"), REQUEST_HEADERS));
        assert_eq!(run.events, ["failed Handshake(Malformed)"], "{bad}");
    }
    // RFC 9110 section 4.2.1: a host must not be empty. The other authorities are invalid.
    for bad in
        ["ws://h:x/", "ws://u@h/", "ws://[::1/", "ws:///p", "ws://", "http://:80/", "ws://?q"]
    {
        let run = handshake(&head(&format!("GET {bad} HTTP/1.1"), REQUEST_HEADERS));
        assert_eq!(run.events, ["failed Handshake(Host)"], "{bad}");
    }
    assert_eq!(handshake(&head("GET ws://h/ HTTP/1.1", REQUEST_HEADERS)).output, ACCEPTED);
    // RFC 9112 section 3.2: an invalid Host is refused with 400, also beside the absolute form.
    for host in ["[", "h:p", "a b"] {
        let lines = replace(&REQUEST_HEADERS, "Host", &[&format!("Host: {host}")]).join("\r\n");
        let run = handshake(format!("GET ws://h/ HTTP/1.1\r\n{lines}\r\n\r\n").as_bytes());
        assert_eq!(run.events, ["failed Handshake(Host)"], "{host}");
    }
}

/// Rule 56: a server refuses garbage at its first invalid byte, or earlier.
#[test]
fn rule_56_garbage_is_refused_at_its_first_bad_byte() {
    for (garbage, bad) in [
        (&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], 0), // a TLS ClientHello
        (b"SSH-2.0-OpenSSH_9.6\r\n", 19),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 5 6\r\n", 12),
        (b"\0\0\0\0", 0),
        (b"GET /\x80 HTTP/1.1\r\n", 5),
        (b"GET / HTTP/1.1\r\nHost : a", 20),
    ] {
        let mut ws = WebSocket::server(Config::default());
        let (mut rx, mut tx) = (ReadBuffer::new([0; 512]), WriteBuffer::new([0; 512]));
        let mut at = 0;
        let event = loop {
            assert_eq!(rx.extend(&garbage[at..=at]), 1);
            if let Some(event) = ws.receive(&mut rx, &mut tx) {
                break event;
            }
            at += 1;
        };
        let malformed = sockless::Failure::Handshake(HandshakeError::Malformed);
        assert_eq!(event, Event::Failed(malformed));
        assert!(tx.bytes().starts_with(b"HTTP/1.1 400 "));
        assert!(at <= bad, "{}: {at}", garbage.escape_ascii());
    }
    // The HTTP/2 preface is a valid head with another version of HTTP.
    let run = handshake(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert_eq!(run.events, ["failed Handshake(HttpVersion)"]);
}

/// Rule 58: the number of passes over a list is limited. Neither empty elements nor repeated ones
/// add to it.
#[test]
fn rule_58_lists_in_a_head_take_linear_time() {
    #[derive(Clone)]
    struct Counted<'a>(&'a [(&'a str, &'a str)], &'a Cell<usize>);

    impl<'a> IntoIterator for Counted<'a> {
        type Item = &'a (&'a str, &'a str);
        type IntoIter = std::slice::Iter<'a, (&'a str, &'a str)>;

        fn into_iter(self) -> Self::IntoIter {
            self.1.set(self.1.get() + 1);
            self.0.iter()
        }
    }

    let passes = |count: usize, between: usize| {
        let names: Vec<_> = (0..count).map(|i| format!("n{i}")).collect();
        let list = names.join(&",".repeat(between));
        let mut headers = HEADERS;
        headers[5].1 = &list;
        let passes = Cell::new(0);
        let upgrade = Upgrade::from_request("GET", Counted(&headers, &passes));
        assert!(upgrade.unwrap().is_some());
        passes.get()
    };
    assert_eq!(passes(1, 1), passes(25, 600), "one pass compares 25 names");
    assert!(passes(99, 150) <= passes(1, 1) + 3);
    assert_eq!(passes(99, 1), passes(99, 150));
}

/// Rule 54, RFC 9112 section 5.2: a client replaces folds by spaces, and a server refuses them.
#[test]
fn rule_54_a_client_unfolds_and_accepts_later_versions() {
    let uri = Uri::parse("ws://server.example.com/chat").unwrap();
    let run = |input: &[u8], see: &dyn Fn(&Event<'_>)| {
        at_every_cut(input, |input, cuts| {
            let mut ws = WebSocket::client(Config::default(), sevens as Sevens);
            ws.connect(&ConnectRequest::new(&uri), &mut WriteBuffer::new([0; 1024])).unwrap();
            run_ws(ws, input, cuts, 1024, Take::Messages, true, |_, event, _| see(event))
        })
    };
    let folded = head(
        "HTTP/1.2 401 no",
        ["WWW-Authenticate: Basic\r\n\t realm=\"x\"\r\n  , Other", "Content-Length: 0"],
    );
    let seen = run(&folded, &|event| {
        let Event::Rejected(response) = event else { panic!("{event:?}") };
        assert_eq!(
            response.header("www-authenticate"),
            Some(&b"Basic  \t realm=\"x\"    , Other"[..])
        );
        assert_eq!(response.headers().count(), 2);
    });
    assert_eq!(seen.events, ["refused 401"]);
    let later =
        [b"HTTP/1.2 101 x", &response("", &[])[b"HTTP/1.1 101 Switching Protocols".len()..]];
    assert_eq!(run(&later.concat(), &|_| {}).events[0], "response None");
    // A line cannot be folded onto the status line.
    let first = run(&head("HTTP/1.1 404 x", [" folded"]), &|_| {});
    assert_eq!(first.events, ["failed Handshake(Malformed)"]);
    let server = handshake(&request("", &["X: a\r\n b"]));
    assert_eq!(server.events, ["failed Handshake(Malformed)"]);
}

/// Checks that `head_len` returns the length of a head with its empty line.
#[test]
fn a_head_ends_after_its_empty_line() {
    for at in 0..REQUEST.len() {
        assert_eq!(head_len(&REQUEST[..at]), None);
    }
    let behind = [REQUEST, b"\r\n\r\n"].concat();
    assert_eq!(head_len(&behind), Some(REQUEST.len()));
    assert_eq!(head_len(&[b"\r\n", REQUEST].concat()), Some(REQUEST.len() + 2));
    assert_eq!(head_len(b"\r\n\r\n"), None);
}

//! Tests the parts of the handshake alone, over header pairs from any source. Callers that parse
//! heads with another library use these parts.

mod common;
use sockless::extensions;
use sockless::handshake::{
    ConnectRequest, HandshakeError, Headers, Key, Upgrade, Uri, accept_key, subprotocols,
};
use sockless::{Config, Event, ReadBuffer, WebSocket, WriteBuffer};
use std::collections::BTreeMap;

const KEY: &[u8] = b"dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &[u8] = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

type Pair<'a> = (&'a [u8], &'a [u8]);

const REQUEST: [Pair<'static>; 5] = [
    (b"host", b"example.com"),
    (b"upgrade", b"websocket"),
    (b"connection", b"keep-alive, Upgrade"),
    (b"sec-websocket-version", b"13"),
    (b"sec-websocket-key", KEY),
];
const RESPONSE: [Pair<'static>; 3] =
    [(b"Upgrade", b"websocket"), (b"Connection", b"Upgrade"), (b"Sec-WebSocket-Accept", ACCEPT)];

/// Returns the pairs with the fields of this name replaced by a single one.
fn with<'a>(pairs: &[Pair<'a>], name: &'a [u8], value: &'a [u8]) -> Vec<Pair<'a>> {
    let mut pairs = without(pairs, name);
    pairs.push((name, value));
    pairs
}

fn without<'a>(pairs: &[Pair<'a>], name: &[u8]) -> Vec<Pair<'a>> {
    pairs.iter().copied().filter(|(given, _)| !given.eq_ignore_ascii_case(name)).collect()
}

/// Rule 7: the accept value is computed from the key as written. The samples are those of the RFC
/// and of other implementations.
#[test]
fn accept_keys() {
    for (key, accept) in [
        ("dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        ("sN9cRrP/n9NdMgdcy2VJFQ==", "fFBooB7FAkLlXgRSz0BT3v4hq5s="),
        ("x3JJHMbDL1EzLkh9GBhXDw==", "HSmrc0sMlYUkAGmm5OPpG2HaGWk="),
        ("T2a6wZlAwhgQNqruZ2YUyg==", "iBJKv/ALIW2DobfoA4dmr3JHBCY="),
        ("AQIDBAUGBwgJCgsMDQ4PEC==", "OfS0wDaT5NoxF2gqm7Zj2YtetzM="),
        ("", "Kfh9QIsMVZcl6xEPYxPHzW8SZ8w="),
    ] {
        assert_eq!(accept_key(key.as_bytes()).escape_ascii().to_string(), accept, "{key}");
    }
}

/// Rules 2 to 6: for pairs of any source, the error names the first rule that is broken.
#[test]
fn requests_from_any_source() {
    let judge = |pairs: &[Pair<'_>]| {
        Upgrade::from_request("GET", pairs.iter().copied()).map(|upgrade| upgrade.is_some())
    };
    let good = Upgrade::from_request("GET", REQUEST).unwrap().unwrap();
    assert_eq!(good.key().unwrap().accept(), ACCEPT);
    assert_eq!(Upgrade::from_request("POST", REQUEST), Err(HandshakeError::Method));
    assert_eq!(judge(&[]), Err(HandshakeError::Host));
    assert_eq!(judge(&without(&REQUEST, b"host")), Err(HandshakeError::Host));
    assert_eq!(judge(&[&REQUEST[..1], &REQUEST].concat()), Err(HandshakeError::Host));
    assert_eq!(judge(&without(&REQUEST, b"upgrade")), Ok(false));
    assert_eq!(judge(&with(&REQUEST, b"Upgrade", b"h2c")), Ok(false));
    assert_eq!(judge(&with(&REQUEST, b"Upgrade", b"h2c,WebSocket")), Ok(true));
    assert_eq!(judge(&without(&REQUEST, b"connection")), Err(HandshakeError::Connection));
    assert_eq!(judge(&with(&REQUEST, b"CONNECTION", b"\tupgrade ")), Ok(true));
    assert_eq!(
        judge(&with(&REQUEST, b"Sec-WebSocket-Version", b"8")),
        Err(HandshakeError::WebSocketVersion)
    );
    assert_eq!(
        judge(&without(&REQUEST, b"sec-websocket-version")),
        Err(HandshakeError::WebSocketVersion)
    );
    assert_eq!(judge(&with(&REQUEST, b"Sec-WebSocket-Key", b"short")), Err(HandshakeError::Key));
    assert_eq!(judge(&without(&REQUEST, b"sec-websocket-key")), Err(HandshakeError::Key));
    let protocol = &b"Sec-WebSocket-Protocol"[..];
    assert_eq!(judge(&with(&REQUEST, protocol, b"a, a")), Err(HandshakeError::Subprotocol));
    let extensions = &b"Sec-WebSocket-Extensions"[..];
    assert_eq!(judge(&with(&REQUEST, extensions, b"a; =")), Err(HandshakeError::Extension));
    assert_eq!(judge(&with(&REQUEST, extensions, b"a; b=c")), Ok(true));
    // White space around a value is ignored.
    let spaced = [b" \t", KEY, b"\t"].concat();
    let pairs = with(&REQUEST, b"Sec-WebSocket-Key", &spaced);
    assert_eq!(Upgrade::from_request("GET", pairs).unwrap().unwrap().key(), good.key());

    // A map as the source of the pairs.
    let map: BTreeMap<&[u8], &[u8]> = REQUEST.into_iter().collect();
    let upgrade = Upgrade::from_request("GET", map.iter().map(|(name, value)| (*name, *value)));
    assert_eq!(upgrade.unwrap().unwrap().key(), good.key());
}

/// Rules 16 and 17: the response is checked against the key of the caller.
#[test]
fn responses_from_any_source() {
    let judge = |pairs: &[Pair<'_>], offered: &[&str]| -> Result<_, HandshakeError> {
        let uri = Uri::parse("ws://a/").unwrap();
        let request = ConnectRequest::new(&uri).with_subprotocols(offered);
        let agreed = request.check_response(Some(&Key::parse(KEY).unwrap()), 101, pairs)?;
        Ok(agreed.subprotocol().map(str::to_string))
    };
    assert_eq!(judge(&RESPONSE, &[]), Ok(None));
    assert_eq!(judge(&RESPONSE, &["chat"]), Ok(None));
    assert_eq!(judge(&without(&RESPONSE, b"upgrade"), &[]), Err(HandshakeError::Upgrade));
    assert_eq!(judge(&without(&RESPONSE, b"connection"), &[]), Err(HandshakeError::Connection));
    let accept = &b"sec-websocket-accept"[..];
    assert_eq!(judge(&without(&RESPONSE, accept), &[]), Err(HandshakeError::Accept));
    let lower = ACCEPT.to_ascii_lowercase();
    assert_eq!(judge(&with(&RESPONSE, accept, &lower), &[]), Err(HandshakeError::Accept));
    let uri = Uri::parse("ws://a/").unwrap();
    let judged =
        ConnectRequest::new(&uri).check_response(Some(&Key::from_nonce(&[7; 16])), 101, RESPONSE);
    assert_eq!(judged, Err(HandshakeError::Accept));
    let protocol = &b"sec-websocket-protocol"[..];
    let chosen = with(&RESPONSE, protocol, b" chat ");
    assert_eq!(judge(&chosen, &["superchat", "chat"]), Ok(Some("chat".to_string())));
    assert_eq!(judge(&chosen, &["Chat"]), Err(HandshakeError::Subprotocol));
    assert_eq!(judge(&chosen, &[]), Err(HandshakeError::Subprotocol));
    let twice = [&chosen[..], &chosen[3..]].concat();
    assert_eq!(judge(&twice, &["chat"]), Err(HandshakeError::Subprotocol));
    let extended = with(&RESPONSE, b"sec-websocket-extensions", b"x");
    assert_eq!(judge(&extended, &[]), Err(HandshakeError::Extension));
}

/// Rule 8: the names are listed in order over all lines. Invalid names are omitted.
#[test]
fn subprotocols_over_lines() {
    let pairs: [Pair<'_>; 4] = [
        (b"Sec-WebSocket-Protocol", b"chat.v2 ,, chat.v1"),
        (b"Cookie", b"chat.v0"),
        (b"SEC-WEBSOCKET-PROTOCOL", b"\tmqtt, no name, \xff"),
        (b"sec-websocket-protocol", b""),
    ];
    assert_eq!(subprotocols(pairs).collect::<Vec<_>>(), ["chat.v2", "chat.v1", "mqtt"]);
    assert_eq!(subprotocols(REQUEST).count(), 0);
    // The server picks the first name that it supports.
    let spoken = ["mqtt", "chat.v1"];
    assert_eq!(subprotocols(pairs).find(|name| spoken.contains(name)), Some("chat.v1"));
}

/// Rule 18: a list of extensions has the same elements over one line or several.
#[test]
fn extensions_over_lines() {
    let names = |lines: &[&[u8]]| {
        extensions::parse(lines.iter().copied())
            .map(|extension| extension.map(|extension| extension.name().to_string()))
            .collect::<Result<Vec<_>, _>>()
    };
    let one = names(&[b"a; x=1, b, c; y=\"2\""]).unwrap();
    assert_eq!(one, ["a", "b", "c"]);
    assert_eq!(names(&[b"a; x=1", b"b", b"", b" c; y=\"2\" "]).unwrap(), one);
    assert!(names(&[b"a", b"b c"]).is_err());
}

/// Checks that the request contains the target and the host of an address unchanged, and that
/// nothing else can follow them.
#[test]
fn an_address_becomes_target_and_host() {
    for (address, target, host) in [
        ("ws://example.com", "/", "example.com"),
        ("ws://example.com:80/chat", "/chat", "example.com"),
        ("ws://example.com:8001/chat?room=1", "/chat?room=1", "example.com:8001"),
        ("wss://Example.com:443?x", "/?x", "Example.com"),
        ("wss://example.com:80/%20", "/%20", "example.com:80"),
        ("ws://[::1]:9/", "/", "[::1]:9"),
        ("ws://127.0.0.1/a/b;c=d?e=/f?g", "/a/b;c=d?e=/f?g", "127.0.0.1"),
    ] {
        let uri = Uri::parse(address).unwrap();
        let mut client = WebSocket::client(Config::default(), common::sevens as common::Sevens);
        let mut tx = WriteBuffer::new([0; 512]);
        client.connect(&ConnectRequest::new(&uri), &mut tx).unwrap();
        let expected = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\n");
        assert!(tx.bytes().starts_with(expected.as_bytes()), "{}", tx.bytes().escape_ascii());
        // A server reads the same target and host.
        let mut server = WebSocket::server(Config::default());
        let (mut rx, mut reply) = (ReadBuffer::new([0; 512]), WriteBuffer::new([0; 512]));
        let _ = rx.extend(tx.bytes());
        let Some(Event::UpgradeRequest(request)) = server.receive(&mut rx, &mut reply) else {
            panic!()
        };
        assert_eq!(request.target(), target);
        assert_eq!(request.header("Host"), Some(host.as_bytes()));
    }
    for address in
        ["ws://a/ HTTP/1.1", "ws://a/\r\nX: y", "ws://a/\u{e9}", "ws://a b/", "ws://a/#x"]
    {
        assert!(Uri::parse(address).is_err(), "{address}");
    }
}

/// Checks that a request contains the fields that the caller set, once and in order.
#[test]
fn a_request_contains_the_given_fields() {
    let uri = Uri::parse("ws://a/").unwrap();
    let request = ConnectRequest::new(&uri)
        .with_subprotocols(&["v2", "v1"])
        .with_origin("https://example.com")
        .with_headers(&[
            ("Cookie", "a=b; c=d"),
            ("X-Empty", ""),
            ("Authorization", "Bearer \u{e9}"),
        ]);
    let mut client = WebSocket::client(Config::default(), common::sevens as common::Sevens);
    let mut tx = WriteBuffer::new([0; 1024]);
    client.connect(&request, &mut tx).unwrap();
    let mut server = WebSocket::server(Config::default());
    let (mut rx, mut reply) = (ReadBuffer::new([0; 1024]), WriteBuffer::new([0; 512]));
    let _ = rx.extend(tx.bytes());
    let Some(Event::UpgradeRequest(head)) = server.receive(&mut rx, &mut reply) else { panic!() };
    assert_eq!(head.method(), "GET");
    assert_eq!(head.origin(), Some(&b"https://example.com"[..]));
    assert_eq!(head.subprotocols().collect::<Vec<_>>(), ["v2", "v1"]);
    assert_eq!(head.header("cookie"), Some(&b"a=b; c=d"[..]));
    assert_eq!(head.header("X-Empty"), Some(&b""[..]));
    assert_eq!(head.header("authorization"), Some("Bearer \u{e9}".as_bytes()));
    assert_eq!(head.header("X-Other"), None);
    let headers: Headers<'_> = head.headers();
    let names: Vec<_> = headers.map(|(name, _)| name.escape_ascii().to_string()).collect();
    assert_eq!(
        names,
        [
            "Host",
            "Upgrade",
            "Connection",
            "Sec-WebSocket-Key",
            "Sec-WebSocket-Version",
            "Origin",
            "Sec-WebSocket-Protocol",
            "Cookie",
            "X-Empty",
            "Authorization"
        ]
    );
}

/// Checks that each error has a text of its own and the documented status.
#[test]
fn each_error_has_a_text_and_a_status() {
    let statuses = [
        (HandshakeError::Malformed, 400),
        (HandshakeError::HeadTooLarge, 431),
        (HandshakeError::TooManyHeaders, 431),
        (HandshakeError::HttpVersion, 505),
        (HandshakeError::Method, 405),
        (HandshakeError::Host, 400),
        (HandshakeError::Upgrade, 400),
        (HandshakeError::Connection, 400),
        (HandshakeError::WebSocketVersion, 426),
        (HandshakeError::Key, 400),
        (HandshakeError::Subprotocol, 400),
        (HandshakeError::Extension, 400),
        (HandshakeError::Accept, 400),
    ];
    let texts: std::collections::BTreeSet<_> = statuses
        .iter()
        .map(|(error, status)| {
            assert_eq!(error.status(), *status, "{error}");
            error.to_string()
        })
        .collect();
    assert_eq!(texts.len(), statuses.len());
}

/// RFC 6455 section 9.1: a quoted value is a token after unescaping. An escaped backslash or quote
/// is not part of a token and is refused. An escaped quote does not end the value.
#[test]
fn an_escape_in_a_quoted_value_stands_for_a_token_character() {
    let value = |list: &[u8]| {
        let extension = extensions::parse([list]).next().unwrap().ok()?;
        let parameter = extension.parameters().next().unwrap();
        Some(parameter.value().unwrap().to_string())
    };
    assert_eq!(value(br#"a; x="1\0""#).as_deref(), Some("10"));
    assert_eq!(value(br#"a; x="\1\0""#).as_deref(), Some("10"));
    assert_eq!(value(b"a; x=10").as_deref(), Some("10"));
    for bad in [
        &br#"a; x="1\\0""#[..],
        br#"a; x="\\""#,
        br#"a; x="1\""#,
        br#"a; x="1\"; y"#,
        br#"a; x="1\"""#,
        br#"a; x="1\"0""#,
        br#"a; x="1\"#,
    ] {
        assert_eq!(value(bad), None, "{}", bad.escape_ascii());
    }
}

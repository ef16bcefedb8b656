//! Lists the conversations of a server, from its first byte: requests of browsers, and invalid
//! ones.

use super::frames::talks;
use super::{Case, in_pieces};
use crate::wire::{BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, Said, TEXT, close, frame, masked};

/// A request in the form that browsers send.
const REQUEST: &str = "GET /echo HTTP/1.1\r\n\
    Host: device.local\r\n\
    Connection: keep-alive, Upgrade\r\n\
    Pragma: no-cache\r\n\
    Cache-Control: no-cache\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36\r\n\
    Upgrade: websocket\r\n\
    Origin: http://device.local\r\n\
    Sec-WebSocket-Version: 13\r\n\
    Accept-Encoding: gzip, deflate\r\n\
    Accept-Language: en-GB,en-US;q=0.9,en;q=0.8,de;q=0.7\r\n\
    Cookie: theme=dark; session=5f0e2c1d8b7a4f639d1c0b2a3e4f5061\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";

const ACCEPTED: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

pub fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for talk in talks() {
        let input = [REQUEST.as_bytes(), &talk.input].concat();
        let said = || Said { head: ACCEPTED.into(), frames: talk.frames.clone() };
        cases.extend(in_pieces(talk.name, &input, said, talk.verdict));
    }
    for (name, input, frames, verdict) in messages() {
        let said = || Said { head: ACCEPTED.into(), frames: frames.clone() };
        cases.extend(in_pieces(name, &input, said, verdict));
    }
    for (name, request, head, verdict) in refusals() {
        let said = || Said { head: head.clone(), frames: vec![] };
        cases.extend(in_pieces(name, &request, said, verdict));
    }
    cases
}

type Talk = (&'static str, Vec<u8>, Vec<(u8, Vec<u8>)>, u32);

/// Returns conversations that need whole messages in a read buffer of 1024 bytes.
fn messages() -> Vec<Talk> {
    let long = vec![7; 900];
    let opened = |rest: &[Vec<u8>]| [REQUEST.as_bytes(), &rest.concat()].concat();
    vec![
        (
            "a message of 900 bytes in nine fragments with pings between",
            opened(&[
                masked(BINARY, &long[..100]),
                (0..7)
                    .flat_map(|i| {
                        [masked(FIN | PING, &[i]), masked(CONTINUATION, &long[..100])].concat()
                    })
                    .collect(),
                masked(FIN | CONTINUATION, &long[..100]),
                masked(FIN | CLOSE, b""),
            ]),
            (0..7)
                .map(|i| (PONG, vec![i]))
                .chain([(BINARY, long.clone()), (CLOSE, vec![])])
                .collect(),
            1005,
        ),
        (
            "a message that the buffer can never hold",
            opened(&[masked(FIN | TEXT, b"good"), masked(FIN | BINARY, &[7; 1025])[..8].to_vec()]),
            vec![(TEXT, b"good".to_vec()), (CLOSE, close(1009, ""))],
            1009,
        ),
        (
            "fragments that the buffer can never hold together",
            opened(&[masked(BINARY, &long[..800]), masked(FIN | CONTINUATION, &long[..300])]),
            vec![(CLOSE, close(1009, ""))],
            1009,
        ),
    ]
}

/// Returns requests that the server refuses, each with the expected response.
fn refusals() -> Vec<(&'static str, Vec<u8>, String, u32)> {
    let replaced = |from: &str, to: &str| {
        assert!(REQUEST.contains(from), "{from}");
        // A second request after the refused one is ignored.
        (REQUEST.replacen(from, to, 1) + REQUEST).into_bytes()
    };
    let plain = |status: &str, headers: &str, body: &str| {
        format!(
            "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\nContent-Type: text/plain\r\n{headers}\r\n{body}",
            body.len()
        )
    };
    let bad = |body| plain("400 Bad Request", "", body);
    let version = |body| {
        let headers = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
        plain("426 Upgrade Required", headers, body)
    };
    let too_large = |body| plain("431 Request Header Fields Too Large", "", body);
    let bad_version = || version("Sec-WebSocket-Version: 13 is required");
    let bad_key = || bad("Sec-WebSocket-Key is not one of 16 bytes in base64");
    let malformed = || bad("malformed HTTP head");
    let headers = |count: usize| {
        REQUEST
            .replace("\r\n\r\n", &("\r\n".to_owned() + &"X: 1\r\n".repeat(count) + "\r\n"))
            .into_bytes()
    };
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    vec![
        (
            "no Host",
            replaced("Host: device.local\r\n", ""),
            bad("exactly one valid Host is required"),
            400,
        ),
        (
            "two Hosts",
            replaced("Host:", "Host: a\r\nHost:"),
            bad("exactly one valid Host is required"),
            400,
        ),
        (
            "POST",
            replaced("GET", "POST"),
            plain("405 Method Not Allowed", "Allow: GET\r\n", "the method is not GET"),
            405,
        ),
        (
            "HTTP/1.0",
            replaced("HTTP/1.1", "HTTP/1.0"),
            plain("505 HTTP Version Not Supported", "", "HTTP/1.1 is required"),
            505,
        ),
        (
            "HTTP/2.0",
            replaced("HTTP/1.1", "HTTP/2.0"),
            plain("505 HTTP Version Not Supported", "", "HTTP/1.1 is required"),
            505,
        ),
        ("version 8", replaced("Version: 13", "Version: 8"), bad_version(), 426),
        ("version 013", replaced("Version: 13", "Version: 013"), bad_version(), 426),
        ("no version", replaced("Sec-WebSocket-Version: 13\r\n", ""), bad_version(), 426),
        ("no key", replaced(key, ""), bad_key(), 400),
        ("two keys", replaced(key, &[key, key].concat()), bad_key(), 400),
        (
            "a short key",
            replaced("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25j"),
            bad_key(),
            400,
        ),
        (
            "a key that is not base64",
            replaced("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBs*SBub25jZQ=="),
            bad_key(),
            400,
        ),
        (
            "no Upgrade in Connection",
            replaced("keep-alive, Upgrade", "keep-alive"),
            bad("Connection: Upgrade is required"),
            400,
        ),
        (
            "the same subprotocol twice",
            replaced(key, &format!("{key}Sec-WebSocket-Protocol: a, b, a\r\n")),
            bad("invalid Sec-WebSocket-Protocol"),
            400,
        ),
        (
            "extensions that do not parse",
            replaced("permessage-deflate;", "permessage-deflate;;"),
            bad("invalid Sec-WebSocket-Extensions"),
            400,
        ),
        ("a bare line feed", replaced("no-cache\r\n", "no-cache\n"), malformed(), 400),
        ("a bare carriage return", replaced("no-cache\r\n", "no-\rcache\r\n"), malformed(), 400),
        ("a NUL", replaced("no-cache", "no\0cache"), malformed(), 400),
        ("a space before the colon", replaced("Pragma:", "Pragma :"), malformed(), 400),
        ("a folded line", replaced("no-cache", "\r\n no-cache"), malformed(), 400),
        (
            "a frame where the request should be",
            frame(FIN | TEXT, Some([0; 4]), b"\r\n\r\n"),
            malformed(),
            400,
        ),
        ("seventeen headers", headers(4), too_large("too many header lines"), 431),
        (
            "a request line without an end",
            [&b"GET /"[..], &[b'a'; 2000]].concat(),
            too_large("HTTP head too large"),
            1,
        ),
        (
            "a header without an end",
            [&b"GET / HTTP/1.1\r\nX: "[..], &[b'a'; 2000]].concat(),
            too_large("HTTP head too large"),
            1,
        ),
        (
            "a request for a page, which the application leaves to the crate",
            b"GET / HTTP/1.1\r\nHost: device.local\r\n\r\n".to_vec(),
            version("this is a WebSocket server"),
            0,
        ),
        (
            "a WebSocket elsewhere, which the application leaves to the crate",
            replaced("/echo", "/"),
            "HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".into(),
            0,
        ),
        ("a request that does not end", REQUEST.as_bytes()[..300].to_vec(), String::new(), 1006),
    ]
}

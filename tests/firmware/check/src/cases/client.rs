//! Lists the conversations of a client, from its first byte.

use super::{Case, in_pieces};
use crate::wire::{BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, Said, TEXT, close, masked, plain};

/// The expected request. The seed of the scenario determines the key.
const REQUEST: &str = "GET /devices?id=7 HTTP/1.1\r\nHost: gateway.local:8080\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: QW7Wv6fZ/yB7mlcOh3PJ0A==\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Protocol: telemetry\r\n\r\n";

/// A response in the form that common servers send.
const RESPONSE: &str = "HTTP/1.1 101 Switching Protocols\r\nServer: gateway/1.0\r\nUpgrade: WebSocket\r\n\
    Connection: keep-alive, Upgrade\r\nSec-WebSocket-Accept: lxDCoXJ4cwmsvpBKgUil/ScNEuw=\r\n\
    Sec-WebSocket-Protocol: telemetry\r\n\r\n";

type Frames = Vec<(u8, Vec<u8>)>;

pub fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, frames, answers, verdict) in talks() {
        let input = [RESPONSE.as_bytes(), &frames].concat();
        let said = || {
            let ready = [(TEXT, b"ready".to_vec())];
            Said {
                head: REQUEST.into(),
                frames: ready.into_iter().chain(answers.clone()).collect(),
            }
        };
        cases.extend(in_pieces(name, &input, said, verdict));
    }
    for (name, response, verdict) in refusals() {
        let said = || Said { head: REQUEST.into(), frames: vec![] };
        cases.extend(in_pieces(name, &response, said, verdict));
    }
    cases
}

fn talks() -> Vec<(&'static str, Vec<u8>, Frames, u32)> {
    let long: Vec<u8> = (0..400_u16).map(|i| i as u8).collect();
    let mut talks = vec![
        (
            "text, binary, fragments with a ping between, and our Close",
            [
                plain(FIN | TEXT, b"set 21.5"),
                plain(FIN | BINARY, &long),
                plain(TEXT, b"a \xE2\x82"),
                plain(FIN | PING, b"between"),
                plain(FIN | CONTINUATION, b"\xAC"),
                plain(FIN | TEXT, b"stop"),
                plain(FIN | PING, b"behind our Close: no answer"),
                plain(FIN | CLOSE, &close(1000, "stopped")),
                plain(FIN | TEXT, b"behind the Close"),
            ]
            .concat(),
            vec![
                (TEXT, b"set 21.5".to_vec()),
                (BINARY, long),
                (PONG, b"between".to_vec()),
                (TEXT, "a €".into()),
                (CLOSE, close(1000, "stopped")),
            ],
            1000,
        ),
        (
            "the server's Close",
            plain(FIN | CLOSE, &close(1001, "restart")),
            vec![(CLOSE, close(1001, ""))],
            1001,
        ),
        ("an end before any Close", plain(FIN | TEXT, b"x"), vec![(TEXT, b"x".to_vec())], 1006),
    ];
    let mut fails = |name, bytes: Vec<u8>, code: u16| {
        let input = [bytes, plain(FIN | TEXT, b"behind")].concat();
        talks.push((name, input, vec![(CLOSE, close(code, ""))], code.into()));
    };
    fails("a masked frame", masked(FIN | TEXT, b"x"), 1002);
    fails("an empty masked frame", masked(FIN | BINARY, b""), 1002);
    fails("RSV1", plain(FIN | 0x40 | TEXT, b"x"), 1002);
    fails("opcode 11", plain(FIN | 0xB, b"x"), 1002);
    fails("a ping of 126 bytes", plain(FIN | PING, &[0; 126]), 1002);
    fails("a message that the buffer can never hold", plain(FIN | BINARY, &[0; 513]), 1009);
    fails("a length of 2^64 - 1", [&[0x82, 127][..], &[0xFF; 8]].concat(), 1002);
    fails("text that is not text", plain(FIN | TEXT, b"abc\xC0\x80"), 1007);
    fails("a Close of one byte", plain(FIN | CLOSE, b"\x03"), 1002);
    fails("Close 1006", plain(FIN | CLOSE, &close(1006, "")), 1002);
    talks
}

/// Returns responses that fail the handshake. The client sends nothing after them.
fn refusals() -> Vec<(&'static str, Vec<u8>, u32)> {
    let replaced = |from: &str, to: &str| {
        assert!(RESPONSE.contains(from), "{from}");
        [RESPONSE.replacen(from, to, 1).as_bytes(), &plain(FIN | TEXT, b"behind")].concat()
    };
    let accept = "Sec-WebSocket-Accept: lxDCoXJ4cwmsvpBKgUil/ScNEuw=\r\n";
    vec![
        ("another Accept", replaced("lxDC", "lxDD"), 400),
        ("no Accept", replaced(accept, ""), 400),
        ("two Accepts", replaced(accept, &[accept, accept].concat()), 400),
        ("no Upgrade", replaced("Upgrade: WebSocket\r\n", ""), 400),
        ("no Upgrade in Connection", replaced("keep-alive, Upgrade", "keep-alive"), 400),
        ("an extension", replaced(accept, &format!("{accept}Sec-WebSocket-Extensions: permessage-deflate\r\n")), 400),
        ("another subprotocol", replaced("Protocol: telemetry", "Protocol: chat"), 400),
        ("HTTP/1.0", replaced("HTTP/1.1", "HTTP/1.0"), 505),
        ("not HTTP", b"hello?\r\n\r\n".to_vec(), 400),
        (
            "404 with a body",
            b"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\nContent-Type: text/plain\r\n\r\nnot here\n".to_vec(),
            404,
        ),
        ("a head without an end", [&b"HTTP/1.1 101 Switching Protocols\r\nX: "[..], &[b'a'; 1000]].concat(), 1),
        ("an end inside the head", RESPONSE.as_bytes()[..100].to_vec(), 1006),
        ("an end before anything", vec![], 1006),
    ]
}

//! Generates heads from a dictionary, most of them almost valid.

use crate::head_differential::{Kind, MAX_INPUT};
use crate::random::mutate;

// The first elements of each list are chosen most often.
const METHODS: &[&str] =
    &["GET", "GET", "POST", "OPTIONS", "CONNECT", "A", "~|.", "get", "", "G(T", "POSTS", "PO"];
const TARGETS: &[&str] = &[
    "/",
    "/chat?a=b",
    "*",
    "ws://h:80/p?q",
    "http://[::1]/",
    "h:443",
    "[::1]:80",
    "http:/",
    "a/b://c",
    "/\u{e9}",
    "\u{fc}",
    "",
    "?q",
    "#f",
    "/\"<>\\^`{|}",
    "-",
    "%2f",
    "http:x://y",
    "/a\tb",
];
const VERSIONS: &[&str] = &[
    "HTTP/1.1",
    "HTTP/1.1",
    "HTTP/1.0",
    "HTTP/1.2",
    "HTTP/1.9",
    "HTTP/2.0",
    "HTTP/0.9",
    "HTTP/1.10",
    "HTTP/11",
    "http/1.1",
    "HTTP/1.",
    "HTTP/3",
    "HTTP/1.x",
    "",
    "ICY",
    "HTTP/9.1",
];
const STATUS: &[&str] = &[
    "101", "200", "401", "100", "103", "999", "000", "099", "1", "20", "1010", "2x0", "", "199",
    "426",
];
const REASONS: &[&str] = &[
    " Switching Protocols",
    " OK",
    " ",
    "",
    "  two  words ",
    " caf\u{e9}",
    "\tx",
    " a\tb",
    " \x01",
    " a\rb",
];
const ENDS: &[&str] =
    &["\r\n", "\r\n", "\n", "\r", "\r\r\n", " \r\n", "\n\r", "\r\n ", "\r\n\t", "\0", "\x0b"];
const NAMES: &[&str] = &[
    "Host",
    "Upgrade",
    "Connection",
    "Sec-WebSocket-Key",
    "Sec-WebSocket-Version",
    "Sec-WebSocket-Accept",
    "Sec-WebSocket-Protocol",
    "Sec-WebSocket-Extensions",
    "Content-Length",
    "Transfer-Encoding",
    "A",
    "X-Very-Long-Header-Name-Of-Forty-Bytes-And-9",
    "!#$%&'*+-.^_`|~",
    "",
    "A B",
    "A\t",
    "N\u{e9}",
    "(x)",
    " Lead",
    "A\0",
    "a\"b",
    "12345678",
];
const COLONS: &[&str] =
    &[": ", ": ", ":", ":  ", ":\t", " : ", "", ":\r\n ", ": :", ":\r\n\t\r\n "];
const VALUES: &[&str] = &[
    "example.com",
    "websocket",
    "Upgrade",
    "keep-alive, Upgrade",
    "dGhlIHNhbXBsZSBub25jZQ==",
    "13",
    "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
    "chat",
    "permessage-deflate; client_max_window_bits",
    "0",
    "",
    "chunked",
    " two  words\t ",
    "caf\u{e9}",
    "a\x7fb",
    "seven b",
    "eight by",
    "nine byte",
    "a\0b",
    "fold\r\n on",
    "fold\r\n\t\r\n  on",
    "sixteen bytes ab",
    "a\x1fb",
    "\u{80}\u{ff}",
    ":",
    "a,b;c=\"d\"",
    "a value of more than thirty-two bytes to see a vector",
    "a value of \x0b sixteen and more bytes",
];
/// The header lines of an upgrade.
const UPGRADE: [[&str; 2]; 5] = [
    ["Host", "example.com"],
    ["Upgrade", "websocket"],
    ["Connection", "Upgrade"],
    ["Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="],
    ["Sec-WebSocket-Version", "13"],
];
const ACCEPT: [[&str; 2]; 3] = [
    ["Upgrade", "websocket"],
    ["Connection", "Upgrade"],
    ["Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="],
];

/// Writes the head that the bytes of `choose` describe to the empty `head`.
pub fn write_head(kind: Kind, head: &mut Vec<u8>, mut choose: impl FnMut() -> u8) {
    // Some heads follow an interim response or an empty line.
    match choose() {
        0..=8 => head.extend_from_slice(b"\r\n"),
        9..=12 => head.extend_from_slice(b"\n\r\n"),
        13..=24 if kind == Kind::Response => {
            head.extend_from_slice(b"HTTP/1.1 103 A\r\nA: b\r\n\r\n")
        }
        _ => {}
    }
    let parts: &[(&[&str], usize)] = match kind {
        Kind::Request => {
            &[(METHODS, 4), (&[" "], 1), (TARGETS, 5), (&[" "], 1), (VERSIONS, 2), (ENDS, 2)]
        }
        Kind::Response => &[(VERSIONS, 3), (&[" "], 1), (STATUS, 4), (REASONS, 7), (ENDS, 2)],
    };
    for (list, good) in parts {
        pick(list, *good, head, &mut choose);
    }
    let shape = choose();
    let lines: &[[&str; 2]] = match (kind, shape & 7) {
        (Kind::Request, 0) => &UPGRADE,
        (Kind::Request, 1..5) => &UPGRADE[..1],
        (Kind::Response, 0) => &ACCEPT,
        _ => &[],
    };
    for [name, value] in lines {
        head.extend([name, ": ", value, "\r\n"].iter().flat_map(|part| part.as_bytes()));
    }
    let count = match shape {
        // More lines than the limit allows, one of which may be invalid.
        248.. => {
            head.extend(b"a:\r\n".repeat(usize::from(shape - 248) + 11));
            2
        }
        _ => shape / 8 % 4,
    };
    for _ in 0..count {
        pick(NAMES, 13, head, &mut choose);
        pick(COLONS, 5, head, &mut choose);
        pick(VALUES, 13, head, &mut choose);
        pick(ENDS, 2, head, &mut choose);
    }
    pick(ENDS, 2, head, &mut choose);
    if choose() & 7 == 0 {
        head.extend_from_slice(b"\x81\x80more");
    }
    for _ in 0..(choose() & 3).saturating_sub(1) {
        mutate(head, &mut choose);
    }
    head.truncate(MAX_INPUT);
}

/// Appends an element of the list, mostly one of the first `good`.
fn pick(list: &[&str], good: usize, head: &mut Vec<u8>, choose: &mut impl FnMut() -> u8) {
    let among = if choose() < 244 { good } else { list.len() };
    let element = list[usize::from(choose()) % among];
    head.extend_from_slice(element.as_bytes());
}

//! Tests every byte value at every position of names, targets, versions and the chunked coding.

mod common;
use common::http::{REQUEST_HEADERS, head};
use common::*;
use sockless::handshake::{ConnectRequest, Uri};
use sockless::{Config, WebSocket, WriteBuffer};

/// Returns `true` if the byte may be part of a token (RFC 9110 section 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Returns `true` if the byte may be part of a value: a tab, a space, a visible character, or above
/// ASCII (RFC 9110 section 5.5).
fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

/// Returns the event of a server for a valid request with this request line and one more `line`.
fn with_line(first: &str, line: &[u8]) -> String {
    let mut input = head(first, REQUEST_HEADERS);
    input.truncate(input.len() - 2);
    input.extend(line);
    input.extend(b"\r\n\r\n");
    let ws = WebSocket::server(Config::default());
    run_ws(ws, &input, &[], 1024, Take::Messages, true, |_, _, _| {}).events.remove(0)
}

/// RFC 9112 section 5.1: a name is a token, and its colon follows at once. The names have 20 bytes,
/// since a server reads names eight bytes at a time.
#[test]
fn names_are_tokens() {
    for (at, byte) in (0..20).flat_map(|at| (0..=u8::MAX).map(move |byte| (at, byte))) {
        for letter in [b'a', b'Z', b'-', b'_', b'0'] {
            let mut line = [letter; 22];
            line[20..].copy_from_slice(b": ");
            line[at] = byte;
            let event = with_line("GET /chat HTTP/1.1", &line);
            if is_token(byte) || byte == b':' && at > 0 {
                assert_eq!(event, "request /chat 6", "{}", line.escape_ascii());
            } else {
                assert_eq!(event, "failed Handshake(Malformed)", "{}", line.escape_ascii());
            }
        }
    }
}

/// RFC 9112 section 3.2: a target begins with a slash or a scheme, and has visible characters only.
#[test]
fn targets_are_of_visible_characters() {
    for byte in (0..0x80).map(char::from) {
        let event = with_line(&format!("GET {byte}a HTTP/1.1"), b"X: y");
        let expected = if byte == '/' { "request /a 6" } else { "failed Handshake(Malformed)" };
        assert_eq!(event, expected, "{byte:?}");
        // The target of a CONNECT has no slash. A server checks the bytes before the method.
        let event = with_line(&format!("CONNECT {byte}a HTTP/1.1"), b"X: y");
        let expected = if byte.is_ascii_alphanumeric() || "/*[".contains(byte) {
            "failed Handshake(Method)"
        } else {
            "failed Handshake(Malformed)"
        };
        assert_eq!(event, expected, "{byte:?}");
        let event = with_line(&format!("GET /{byte}a HTTP/1.1"), b"X: y");
        let expected = if byte.is_ascii_graphic() && byte != '#' {
            format!("request /{byte}a 6")
        } else {
            "failed Handshake(Malformed)".to_string()
        };
        assert_eq!(event, expected, "{byte:?}");
    }
}

/// RFC 9112 sections 3 and 4: a carriage return follows the version of a request. A space follows
/// the version of a response.
#[test]
fn one_byte_follows_the_version() {
    for byte in (0..0x80).filter(|&byte| byte != b'\r').map(char::from) {
        let event = with_line(&format!("GET / HTTP/1.1{byte}\nX: y"), b"X: y");
        assert_eq!(event, "failed Handshake(Malformed)", "{byte:?}");
    }
    for byte in (0..0x80).map(char::from) {
        let first = format!("HTTP/1.1{byte}404 Not Found");
        let events = answered(&head(&first, ["Content-Length: 0"]), &[]).events;
        let expected = if byte == ' ' { "refused 404" } else { "failed Handshake(Malformed)" };
        assert_eq!(events, [expected], "{byte:?}");
    }
    // A request line ends after the version, but a status line does not.
    let events = answered(&head("HTTP/1.1", ["X: y"]), &[]).events;
    assert_eq!(events, ["failed Handshake(Malformed)"]);
}

/// Runs a client that has sent its request over this response.
fn answered(input: &[u8], cuts: &[usize]) -> Run {
    let uri = Uri::parse("ws://server.example.com/chat").unwrap();
    let mut ws = WebSocket::client(Config::default(), sevens as Sevens);
    let mut tx = WriteBuffer::new([0; 1024]);
    ws.connect(&ConnectRequest::new(&uri), &mut tx).unwrap();
    run_ws(ws, input, cuts, 1024, Take::Messages, true, |_, _, _| {})
}

/// Returns the body that a client reads from these chunks of a refusal, at every cut.
fn body(chunks: &[u8]) -> String {
    let head = head("HTTP/1.1 404 Not Found", ["Transfer-Encoding: chunked"]);
    let run = |chunks: &[u8], cuts: &[usize]| {
        let cuts: Vec<_> = cuts.iter().map(|at| at + head.len()).collect();
        answered(&[&head[..], chunks].concat(), &cuts)
    };
    let run = at_every_cut(chunks, run);
    assert_eq!(run.events[0], "refused 404");
    run.events[1..].join(" ")
}

/// Rule 15, RFC 9112 section 7.1: sizes are hexadecimal, and extensions and trailers are text.
#[test]
fn rule_15_every_byte_of_the_chunked_coding() {
    const GOOD: &[u8] = b"3;a\r\nabc\r\n0a\r\n0123456789\r\n0\r\nX:y\r\n\r\n";
    assert_eq!(body(GOOD), "body \"abc0123456789\"");
    for (at, byte) in (0..GOOD.len()).flat_map(|at| (0..=u8::MAX).map(move |byte| (at, byte))) {
        let mut chunks = GOOD.to_vec();
        chunks[at] = byte;
        let good = match GOOD[at] {
            same if same == byte => true,
            // The extension, and the trailer.
            b'a' if at == 2 => is_text(byte),
            b'X' | b':' | b'y' => is_text(byte),
            b';' if !byte.is_ascii_hexdigit() => matches!(byte, b' ' | b'\t'),
            // The data.
            b'a'..=b'c' if at < 8 => true,
            b'0'..=b'9' if (14..24).contains(&at) => true,
            // The ends of lines.
            b'\r' | b'\n' => false,
            // The sizes. White space or an extension may follow the first digit of two.
            _ if !byte.is_ascii_hexdigit() && !b" \t;".contains(&byte) => false,
            _ => continue,
        };
        let said = body(&chunks);
        assert_eq!(!said.contains("failed"), good, "{}: {said}", chunks.escape_ascii());
    }
    for (size, byte) in
        (0..=u8::MAX).filter_map(|byte| Some((char::from(byte).to_digit(16)?, byte)))
    {
        let data = &b"0123456789abcdef"[..size as usize];
        let chunks = [&[byte], &b"\r\n"[..], data, b"\r\n0\r\n\r\n"].concat();
        let expected =
            if size == 0 { String::new() } else { format!("body \"{}\"", data.escape_ascii()) };
        if size > 0 {
            assert_eq!(body(&chunks), expected);
        }
    }
    for bad in ["", ";", " ", "g", "-1", "+1", "0x1"] {
        assert_eq!(
            body(format!("{bad}\r\na").as_bytes()),
            "failed Handshake(Malformed)",
            "{bad:?}"
        );
    }
}

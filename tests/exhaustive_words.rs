//! Tests the text of every error, and every status of a response.

mod common;

use common::http::Answer;
use sockless::handshake::{HandshakeError, HttpResponse, UriError};
use sockless::{
    CloseCode, Config, EntropyError, Error, Event, Failure, Misuse, ReadBuffer, Violation,
    WebSocket, WriteBuffer, extensions,
};

const VIOLATIONS: [Violation; 18] = [
    Violation::ReservedBit,
    Violation::ReservedOpCode,
    Violation::FragmentedControl,
    Violation::ControlTooLong,
    Violation::LengthNotMinimal,
    Violation::LengthTopBit,
    Violation::NotMasked,
    Violation::Masked,
    Violation::UnexpectedContinuation,
    Violation::ExpectedContinuation,
    Violation::InvalidUtf8,
    Violation::CloseTooShort,
    Violation::InvalidCloseCode,
    Violation::FrameTooBig,
    Violation::MessageTooBig,
    Violation::TooManyFragments,
    Violation::CorruptCompression,
    Violation::CompressionRatio,
];

const MISUSES: [Misuse; 17] = [
    Misuse::NotOpen,
    Misuse::Closed,
    Misuse::MessageUnfinished,
    Misuse::WrongKind,
    Misuse::InvalidText,
    Misuse::ControlTooLong,
    Misuse::PayloadTooLong,
    Misuse::InvalidCloseCode,
    Misuse::PayloadPending,
    Misuse::WrongPayload,
    Misuse::MessageCompressed,
    Misuse::NoHandshake,
    Misuse::InvalidHeader,
    Misuse::ReservedHeader,
    Misuse::InvalidSubprotocol,
    Misuse::SubprotocolNotOffered,
    Misuse::InvalidStatus,
];

const HANDSHAKE_ERRORS: [HandshakeError; 15] = [
    HandshakeError::Malformed,
    HandshakeError::HeadTooLarge,
    HandshakeError::TooManyHeaders,
    HandshakeError::HttpVersion,
    HandshakeError::Method,
    HandshakeError::Host,
    HandshakeError::Body,
    HandshakeError::Upgrade,
    HandshakeError::Connection,
    HandshakeError::WebSocketVersion,
    HandshakeError::Key,
    HandshakeError::Subprotocol,
    HandshakeError::Extension,
    HandshakeError::Accept,
    HandshakeError::Status,
];

const URI_ERRORS: [UriError; 7] = [
    UriError::Scheme,
    UriError::Character,
    UriError::UserInfo,
    UriError::Host,
    UriError::Port,
    UriError::Resource,
    UriError::Fragment,
];

/// Checks that the texts differ, and that each fits in a log line: no full stop, no line feed.
fn all_different(words: impl IntoIterator<Item = String>) {
    let mut seen = Vec::new();
    for word in words {
        assert!(word.len() > 5 && !word.ends_with('.') && !word.contains('\n'), "{word:?}");
        assert!(!seen.contains(&word), "{word:?} is said of two things");
        seen.push(word);
    }
}

#[test]
fn errors_have_distinct_texts() {
    all_different(VIOLATIONS.map(|error| error.to_string()));
    all_different(MISUSES.map(|error| error.to_string()));
    all_different(HANDSHAKE_ERRORS.map(|error| error.to_string()));
    all_different(URI_ERRORS.map(|error| error.to_string()));
    all_different([
        extensions::ExtensionSyntaxError.to_string(),
        EntropyError.to_string(),
        Error::NoRoom.to_string(),
        Error::NeverFits { needed: 270 }.to_string(),
        Error::ReadBufferTooSmall { minimum: 270 }.to_string(),
        Error::WriteBufferTooSmall { minimum: 270 }.to_string(),
    ]);
    assert!(Error::NeverFits { needed: 270 }.to_string().contains("270"));
}

/// Checks that the text of a wrapping error includes the cause.
#[test]
fn failures_show_their_cause() {
    for violation in VIOLATIONS {
        assert_eq!(Failure::from(violation).to_string(), violation.to_string());
        let code = violation.close_code();
        assert!(code.is_sendable() && (1002..=1009).contains(&code.get()));
    }
    for misuse in MISUSES {
        let error = Error::from(misuse);
        assert_eq!(error.to_string(), misuse.to_string());
        assert_eq!(Failure::Local(error).to_string(), misuse.to_string());
    }
    for error in HANDSHAKE_ERRORS {
        assert_eq!(Failure::Handshake(error).to_string(), error.to_string());
    }
    assert_eq!(Error::from(EntropyError).to_string(), EntropyError.to_string());
}

/// The close code of each violation, by RFC 6455 section 7.4.1.
#[test]
fn violations_have_their_codes() {
    for violation in VIOLATIONS {
        let expected = match violation {
            // RFC 7692 section 7.2.2 leaves the code open. Data that does not inflate is
            // inconsistent with its type.
            Violation::InvalidUtf8 | Violation::CorruptCompression => CloseCode::INVALID_PAYLOAD,
            Violation::TooManyFragments => CloseCode::POLICY_VIOLATION,
            Violation::FrameTooBig | Violation::MessageTooBig | Violation::CompressionRatio => {
                CloseCode::MESSAGE_TOO_BIG
            }
            _ => CloseCode::PROTOCOL_ERROR,
        };
        assert_eq!(violation.close_code(), expected);
    }
}

#[test]
fn every_status_makes_a_complete_answer_or_none() {
    for status in (0..=1000).chain([u16::MAX]) {
        let mut ws = WebSocket::server(Config::default());
        let mut rx = ReadBuffer::new([0; 200]);
        let mut tx = WriteBuffer::new([0; 400]);
        let _ = rx.extend(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert!(matches!(ws.receive(&mut rx, &mut tx), Some(Event::OtherRequest(_))));
        // Some statuses have no body (RFC 9110).
        let body: &[u8] = if [204, 205, 304].contains(&status) { b"" } else { b"body" };
        let answered = ws.respond(HttpResponse::new(status).with_body(body), &mut tx);
        let answer = tx.bytes();
        if (200..600).contains(&status) {
            assert_eq!(answered, Ok(()), "{status}");
            // RFC 9110 section 8.6: a 204 has no length. The length of a 304 is that of a 200.
            let has_length = ![204, 304].contains(&status);
            let answer = if has_length { Answer::whole(answer) } else { Answer::head(answer) };
            assert_eq!((answer.status, &answer.body[..]), (status, body));
            assert!(answer.header("Connection").contains(&"close"));
            assert_eq!(answer.header("Content-Length").is_empty(), !has_length);
            assert!(ws.is_done());
        } else {
            assert_eq!(answered, Err(Error::Misuse(Misuse::InvalidStatus)));
            assert!(answer.is_empty() && !ws.is_done());
        }
    }
}

#[cfg(feature = "deflate")]
#[test]
fn errors_of_compression_say_what_they_are() {
    use sockless::deflate::{InflateError, NegotiationError};
    all_different(
        [InflateError::Corrupt, InflateError::TooLong, InflateError::Ratio]
            .map(|error| error.to_string()),
    );
    all_different(
        [
            NegotiationError::Syntax,
            NegotiationError::NotOffered,
            NegotiationError::Repeated,
            NegotiationError::Parameter,
            NegotiationError::NotMet,
        ]
        .map(|error| error.to_string()),
    );
}

/// Checks the `Debug` output: headers as text, machines by name and without their memory.
#[cfg(feature = "deflate")]
#[test]
fn debug_output_can_be_read() {
    use sockless::deflate::{Context, DeflateConfig, Deflater, InflateLimits, Inflater, Pool};
    let list = br#"a; b="c\d"; e"#;
    let element = extensions::parse([&list[..]]).next().unwrap().unwrap();
    let shown = format!("{element:?}");
    assert!(shown.contains("\"a\""), "{shown}");
    let parameters: Vec<_> = element.parameters().collect();
    let shown = format!("{parameters:?}");
    assert!(shown.contains("\"b\"") && shown.contains("\"e\""), "{shown}");
    let offer = DeflateConfig::DEFAULT.offer();
    let limits = InflateLimits { message: 1000, ratio: None };
    assert_eq!(format!("{offer:?}"), format!("{:?}", offer.as_str()));
    for (shown, name) in [
        (format!("{:?}", Deflater::new(Context::FULL, &DeflateConfig::DEFAULT)), "Deflater {"),
        (format!("{:?}", Inflater::new(Context::FULL, limits)), "Inflater {"),
        (format!("{:?}", Pool::new(3)), "Pool {"),
    ] {
        assert!(shown.starts_with(name) && shown.len() < 500, "{shown}");
    }
}

/// Checks that a status has its registered name (RFC 9110 section 15, RFC 6585), or none.
#[test]
fn a_status_has_its_registered_name() {
    let names = [
        (200, "OK"),
        (204, "No Content"),
        (301, "Moved Permanently"),
        (302, "Found"),
        (303, "See Other"),
        (307, "Temporary Redirect"),
        (308, "Permanent Redirect"),
        (400, "Bad Request"),
        (401, "Unauthorized"),
        (403, "Forbidden"),
        (404, "Not Found"),
        (405, "Method Not Allowed"),
        (426, "Upgrade Required"),
        (429, "Too Many Requests"),
        (431, "Request Header Fields Too Large"),
        (500, "Internal Server Error"),
        (503, "Service Unavailable"),
        (505, "HTTP Version Not Supported"),
        (299, ""),
        (599, ""),
    ];
    for (status, name) in names {
        let mut ws = WebSocket::server(Config::default());
        let (mut rx, mut tx) = (ReadBuffer::new([0; 200]), WriteBuffer::new([0; 400]));
        let _ = rx.extend(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert!(matches!(ws.receive(&mut rx, &mut tx), Some(Event::OtherRequest(_))));
        ws.respond(HttpResponse::new(status), &mut tx).unwrap();
        let line = format!("HTTP/1.1 {status} {name}\r\n");
        assert!(tx.bytes().starts_with(line.as_bytes()), "{}", tx.bytes().escape_ascii());
    }
}

//! Tests every call in every state of a connection (contract 11). An invalid call returns an error
//! and changes nothing.

mod common;
use common::scenario::{Scenario, Start};
use common::*;
use sockless::handshake::HttpResponse;
use sockless::{CloseCode, Error, MessageKind, Misuse, State};

fn state(start: Start) -> State {
    match start {
        Start::Connecting | Start::Requested => State::Connecting,
        Start::Closing => State::Closing,
        Start::Closed | Start::Failed => State::Closed,
        _ => State::Open,
    }
}

type Call = fn(&mut Scenario) -> Result<(), Error>;

const SENDS: &[(&str, Call)] = &[
    ("text", |s| s.ws.send_text("x", &mut s.tx)),
    ("binary", |s| s.ws.send_binary(b"x", &mut s.tx)),
    ("vectored", |s| s.ws.send_binary_vectored(b"x", &mut s.tx)),
    ("fragment", |s| s.ws.send_fragment(MessageKind::Text, b"x", false, &mut s.tx)),
    ("ping", |s| s.ws.send_ping(b"", &mut s.tx)),
    ("pong", |s| s.ws.send_pong(b"", &mut s.tx)),
    ("close", |s| s.ws.close(CloseCode::NORMAL, "", &mut s.tx)),
];

#[test]
fn every_send_in_every_state() {
    for &start in Start::ALL {
        for (name, send) in SENDS {
            let mut scenario = Scenario::server(start);
            let before = scenario.ws.state();
            assert_eq!(before, state(start), "{start:?}");
            let expected = match before {
                State::Connecting => Err(Error::Misuse(Misuse::NotOpen)),
                State::Open => Ok(()),
                _ => Err(Error::Misuse(Misuse::Closed)),
            };
            assert_eq!(send(&mut scenario), expected, "{name} in {start:?}");
            assert_eq!(scenario.tx.is_empty(), expected.is_err(), "{name} in {start:?}");
            if expected.is_err() {
                assert_eq!(scenario.ws.state(), before, "{name} in {start:?}");
            }
        }
    }
}

#[test]
fn a_response_in_every_state() {
    for &start in Start::ALL {
        let mut scenario = Scenario::server(start);
        let responded = scenario.ws.respond(HttpResponse::new(404), &mut scenario.tx);
        if start == Start::Requested {
            assert_eq!(responded, Ok(()));
            assert!(scenario.sent().starts_with(b"HTTP/1.1 404 Not Found\r\n"));
            assert_eq!(scenario.ws.state(), State::Closed);
        } else {
            assert_eq!(responded, Err(Error::Misuse(Misuse::NoHandshake)), "{start:?}");
            assert!(scenario.tx.is_empty());
            assert_eq!(scenario.ws.state(), state(start));
        }
    }
}

/// The end of the stream ends every state, once (RFC 6455 section 7.1.5).
#[test]
fn the_end_of_the_stream_in_every_state() {
    for &start in Start::ALL {
        let mut scenario = Scenario::server(start);
        scenario.rx.end_of_stream();
        let events = scenario.feed(b"");
        let expected: &[&str] = match start {
            // The unanswered request is refused.
            Start::Requested | Start::Closed | Start::Failed => &[],
            _ => &["close 1006 \"\""],
        };
        assert_eq!(events, expected, "{start:?}");
        assert!(scenario.ws.is_done());
        assert!(scenario.feed(&masked(0x81, b"x")).is_empty(), "what follows is ignored");
    }
}

/// A message that began earlier continues. A finished connection ignores all input.
#[test]
fn a_text_in_every_state() {
    for &start in Start::ALL {
        let mut scenario = Scenario::server(start);
        let (input, expected): (Vec<u8>, &[&str]) = match start {
            Start::MidMessage => (masked(0x80, b"lo"), &["text \"Hello\""]),
            #[cfg(feature = "deflate")]
            Start::MidCompressed => (masked(0x80, b"\xc9\xc9\x07\x00"), &["text \"Hello\""]),
            Start::Connecting => (masked(0x81, b"x"), &["failed Handshake(Malformed)"]),
            Start::Open | Start::Closing => (masked(0x81, b"x"), &["text \"x\""]),
            _ => (masked(0x81, b"x"), &[]),
        };
        assert_eq!(scenario.feed(&input), expected, "{start:?}");
    }
    let mut scenario = Scenario::server(Start::Connecting);
    scenario.accept();
    assert_eq!(scenario.sent(), ACCEPTED);
    assert_eq!(scenario.feed(&masked(0x81, b"x")), ["text \"x\""]);
}

//! Tests small public values: their setters, defaults, numbers and names.

use sockless::keepalive::{Timeout, Timers};
use sockless::{Config, MessageKind, OpCode, State, Violation};

#[test]
fn a_configuration_returns_what_was_set() {
    let config = Config::new()
        .with_max_frame_size(2)
        .with_max_message_size(3)
        .with_max_fragments(4)
        .with_max_head_size(5)
        .with_max_headers(6);
    assert_eq!((config.max_frame_size(), config.max_message_size()), (2, 3));
    assert_eq!((config.max_fragments(), config.max_head_size(), config.max_headers()), (4, 5, 6));
}

/// Checks that the default limits are those in the documentation of `Config::new`.
#[test]
fn the_default_limits_are_the_documented_ones() {
    let config = Config::default();
    assert_eq!(config, Config::new());
    assert_eq!((config.max_frame_size(), config.max_message_size()), (64 << 20, 64 << 20));
    assert_eq!(config.max_fragments(), 131_072);
    assert_eq!((config.max_head_size(), config.max_headers()), (16 << 10, 64));
}

#[test]
fn timers_return_what_was_set() {
    let timers = Timers::OFF
        .with_handshake_within(Some(2))
        .with_ping_after(Some(3))
        .with_pong_within(Some(4))
        .with_idle_within(Some(5))
        .with_close_within(Some(6));
    assert_eq!(timers.handshake_within(), Some(2));
    assert_eq!((timers.ping_after(), timers.pong_within()), (Some(3), Some(4)));
    assert_eq!((timers.idle_within(), timers.close_within()), (Some(5), Some(6)));
    let off = Timers::OFF;
    assert_eq!((off.handshake_within(), off.ping_after(), off.pong_within()), (None, None, None));
    assert_eq!((off.idle_within(), off.close_within()), (None, None));
}

/// Rule 22, RFC 6455 section 5.2: six opcodes are defined, and every other number is refused.
#[test]
fn rule_22_six_numbers_are_opcodes() {
    for number in 0..=u8::MAX {
        let opcode = OpCode::try_from(number);
        match number {
            0..=2 | 8..=10 => assert_eq!(opcode.map(|opcode| opcode as u8), Ok(number)),
            _ => assert_eq!(opcode, Err(Violation::ReservedOpCode), "{number}"),
        }
    }
}

/// Checks the names that a log would show.
#[test]
fn states_opcodes_and_kinds_have_names() {
    let states = [State::Connecting, State::Open, State::Closing, State::Closed];
    let names = ["connecting", "open", "closing", "closed"];
    assert_eq!(states.map(|state| state.to_string()), names);
    let opcodes = [0, 1, 2, 8, 9, 10].map(|number| OpCode::try_from(number).unwrap().to_string());
    assert_eq!(opcodes, ["continuation", "text", "binary", "close", "ping", "pong"]);
    assert_eq!(
        [MessageKind::Text, MessageKind::Binary].map(|kind| kind.to_string()),
        opcodes[1..3]
    );
    let timeouts = [Timeout::Handshake, Timeout::Pong, Timeout::Idle, Timeout::Close];
    all_different(&timeouts.map(|timeout| timeout.to_string()));
}

#[cfg(feature = "handshake")]
#[test]
fn confirm_errors_have_different_texts() {
    use sockless::handshake::ConfirmError;

    let errors = [ConfirmError::NoHandshake, ConfirmError::Subprotocol];
    all_different(&errors.map(|error| error.to_string()));
}

fn all_different(words: &[String]) {
    for (at, word) in words.iter().enumerate() {
        assert!(!word.is_empty() && !words[..at].contains(word), "{word}");
    }
}

#[cfg(feature = "deflate")]
#[test]
fn compression_errors_have_different_texts() {
    use sockless::deflate::{InflateError, NegotiationError};

    let errors = [InflateError::Corrupt, InflateError::TooLong, InflateError::Ratio];
    all_different(&errors.map(|error| error.to_string()));
    let errors = [
        NegotiationError::Syntax,
        NegotiationError::NotOffered,
        NegotiationError::Repeated,
        NegotiationError::Parameter,
        NegotiationError::NotMet,
    ];
    all_different(&errors.map(|error| error.to_string()));
}

#[cfg(feature = "deflate")]
#[test]
fn a_deflate_config_returns_what_was_set() {
    use sockless::deflate::{Context, DeflateConfig, WindowBits};

    let small = Context { window_bits: WindowBits::MIN, takeover: false };
    let config = DeflateConfig::default()
        .with_send(small)
        .with_level(4)
        .with_memory_level(5)
        .with_threshold(6)
        .with_max_ratio(Some(7));
    assert_eq!((config.send(), config.receive()), (small, Context::FULL));
    assert_eq!((config.level(), config.memory_level(), config.threshold()), (4, 5, 6));
    assert_eq!(config.max_ratio(), Some(7));
    assert_eq!(config.with_max_ratio(None).max_ratio(), None);
    let config = DeflateConfig::default().with_receive(small);
    assert_eq!((config.send(), config.receive()), (Context::FULL, small));
}

//! Tests protocol rules 21 to 30: framing (RFC 6455 section 5).

mod common;
use common::*;
use sockless::{Config, State};

fn fails(input: &[u8], reason: &str, code: u16) {
    let run = server(input);
    assert_eq!(run.last(), format!("failed Protocol({reason})"));
    assert_eq!(run.close_sent(), Some(code));
    assert_eq!(run.state, State::Closed);
    assert!(run.done);
}

/// Receives the examples of RFC 6455 section 5.7 as a server.
#[test]
fn the_examples_of_the_rfc_are_understood() {
    let hello = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(server(&hello).events[0], "text \"Hello\"");
    assert_eq!(client(b"\x81\x05Hello").events[0], "text \"Hello\"");
    assert_eq!(client(b"\x01\x03Hel\x80\x02lo").events[0], "text \"Hello\"");
    assert_eq!(client(b"\x89\x05Hello").events[0], "ping \"Hello\"");
    let pong = [0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(server(&pong).events[0], "pong \"Hello\"");
    let binary = plain(0x82, &[7; 256]);
    assert_eq!(binary[..4], [0x82, 0x7E, 0x01, 0x00]);
    assert!(client(&binary).events[0].starts_with("binary 256 bytes"));
}

/// Rule 21, section 5.2.
#[test]
fn rule_21_reserved_bits_fail() {
    for bit in [0x40, 0x20, 0x10, 0x70] {
        for opcode in [0x1, 0x2, 0x8, 0x9, 0xA] {
            fails(&masked(0x80 | bit | opcode, b""), "ReservedBit", 1002);
        }
        let inside = [masked(0x01, b"a"), masked(0x80 | bit, b"b")].concat();
        fails(&inside, "ReservedBit", 1002);
    }
}

/// Rule 22, section 5.2.
#[test]
fn rule_22_reserved_opcodes_fail() {
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        fails(&masked(0x80 | opcode, b""), "ReservedOpCode", 1002);
        fails(&masked(opcode, b"x"), "ReservedOpCode", 1002);
    }
}

/// Rule 23, section 5.2.
#[test]
fn rule_23_longer_forms_of_a_length_fail() {
    for len in [0u16, 1, 125] {
        let [a, b] = len.to_be_bytes();
        fails(&[&[0x82, 0xFE, a, b][..], &KEY].concat(), "LengthNotMinimal", 1002);
    }
    for len in [0u64, 125, 126, 0xFFFF] {
        let bytes = [&[0x82, 0xFF][..], &len.to_be_bytes(), &KEY].concat();
        fails(&bytes, "LengthNotMinimal", 1002);
    }
    for len in [126, 127, 0xFFFF, 0x10000] {
        let run = at_every_cut(&masked(0x82, &vec![1; len]), |input, cuts| {
            let cuts = if cuts.len() > 1 { &[3, 7, 9, 20][..] } else { cuts };
            let ws = sockless::WebSocket::from_upgraded(sockless::Server, Config::default());
            run_ws(ws, input, cuts, 1 << 17, Take::Messages, false, |_, _, _| {})
        });
        assert!(run.last().starts_with("binary"), "{len}");
    }
}

/// Rule 24, section 5.2. The header alone decides about the limit.
#[test]
fn rule_24_the_top_bit_of_a_length_is_1002_and_a_legal_length_over_the_limit_1009() {
    for (len, reason, code) in [
        (1u64 << 63, "LengthTopBit", 1002),
        (u64::MAX, "LengthTopBit", 1002),
        (u64::MAX - 3, "LengthTopBit", 1002),
        ((1 << 63) - 1, "FrameTooBig", 1009),
        ((64 << 20) + 1, "FrameTooBig", 1009),
    ] {
        fails(&[&[0x82, 0xFF][..], &len.to_be_bytes(), &KEY].concat(), reason, code);
    }
}

/// Rule 25, section 5.1.
#[test]
fn rule_25_masks_are_where_they_belong() {
    for first in [0x81, 0x82, 0x88, 0x89, 0x8A, 0x01] {
        for payload in [&b""[..], b"\x03\xe8"] {
            fails(&plain(first, payload), "NotMasked", 1002);
            let run = client(&masked(first, payload));
            assert_eq!(run.last(), "failed Protocol(Masked)");
            assert_eq!(run.close_sent(), Some(1002));
        }
    }
}

/// Rule 26, section 5.5.
#[test]
fn rule_26_control_frames_are_short_and_whole() {
    for opcode in [0x8, 0x9, 0xA] {
        fails(&masked(opcode, b""), "FragmentedControl", 1002);
        fails(&masked(0x80 | opcode, &[b'x'; 126]), "ControlTooLong", 1002);
        fails(&masked(0x80 | opcode, &[b'x'; 200]), "ControlTooLong", 1002);
    }
    let run = server(&masked(0x89, &[b'x'; 125]));
    assert!(run.events[0].starts_with("ping"));
}

/// Rule 27, sections 5.4 and 5.5.
#[test]
fn rule_27_control_frames_between_fragments_disturb_nothing() {
    let input = [
        masked(0x01, "gr\u{fc}n".as_bytes().get(..3).unwrap()),
        masked(0x89, b"one"),
        masked(0x00, &"gr\u{fc}n".as_bytes()[3..4]),
        masked(0x8A, b"two"),
        masked(0x89, b""),
        masked(0x80, &"gr\u{fc}n".as_bytes()[4..]),
    ]
    .concat();
    let run = server(&input);
    assert_eq!(
        run.events[..4],
        ["ping \"one\"", "pong \"two\"", "ping \"\"", "text \"gr\\xc3\\xbcn\""]
    );
    let frames = frames(&run.output);
    assert_eq!(frames[0].1, b"one");
    assert_eq!(frames[1].1, b"");
}

/// Rule 28, section 5.4.
#[test]
fn rule_28_fragments_come_in_order() {
    fails(&masked(0x80, b"x"), "UnexpectedContinuation", 1002);
    fails(&masked(0x00, b""), "UnexpectedContinuation", 1002);
    for second in [0x81, 0x82, 0x01, 0x02] {
        fails(&[masked(0x01, b"a"), masked(second, b"b")].concat(), "ExpectedContinuation", 1002);
        let with_ping = [masked(0x02, b"a"), masked(0x89, b""), masked(second, b"b")].concat();
        fails(&with_ping, "ExpectedContinuation", 1002);
    }
    fails(&[masked(0x81, b"a"), masked(0x80, b"b")].concat(), "UnexpectedContinuation", 1002);
    let ended = [masked(0x01, b"a"), masked(0x80, b"b"), masked(0x80, b"c")].concat();
    fails(&ended, "UnexpectedContinuation", 1002);
}

/// Rule 29, section 5.4.
#[test]
fn rule_29_empty_fragments_are_legal_and_counted() {
    let message = |fragments: usize| {
        let mut input = masked(0x02, b"");
        for _ in 2..fragments {
            input.extend(masked(0x00, b""));
        }
        input.extend(masked(0x80, b"end"));
        input
    };
    assert_eq!(server(&message(5)).events[0], "binary \"end\"");
    let config = Config::default().with_max_fragments(5);
    assert_eq!(server_with(config, &message(5)).events[0], "binary \"end\"");
    let run = server_with(config, &message(6));
    assert_eq!(run.last(), "failed Protocol(TooManyFragments)");
    assert_eq!(run.close_sent(), Some(1008));
    let empty = [masked(0x01, b""), masked(0x80, b"")].concat();
    assert_eq!(server(&empty).events[0], "text \"\"");
}

/// Rule 30, section 8.1: fails at the first invalid byte, before the rest of the frame arrives.
#[test]
fn rule_30_bad_utf8_fails_at_its_first_bad_byte() {
    let bad: [(&[u8], usize); 12] = [
        (b"\xff", 1),
        (b"ab\x80", 3),
        (b"\xc0\xaf", 1),
        (b"\xc1\xbf", 1),
        (b"\xe0\x80\xaf", 2),
        (b"\xed\xa0\x80", 2),
        (b"\xed\xbf\xbf", 2),
        (b"\xf0\x80\x80\xaf", 2),
        (b"\xf4\x90\x80\x80", 2),
        (b"\xf5\x80\x80\x80", 1),
        (b"caf\xc3(", 5),
        (b"\xf0\x9f\x92x", 4),
    ];
    for (text, bad_at) in bad {
        fails(&masked(0x81, text), "InvalidUtf8", 1007);
        for cut in 0..=text.len() {
            let input = [masked(0x01, &text[..cut]), masked(0x89, b""), masked(0x80, &text[cut..])]
                .concat();
            fails(&input, "InvalidUtf8", 1007);
        }
        // A frame of 100 bytes, of which the bytes up to the invalid one have arrived.
        let mut long = masked(0x81, &[text, &vec![b'x'; 100 - text.len()]].concat());
        long.truncate(6 + bad_at);
        let run = server(&long);
        assert_eq!(run.events, ["failed Protocol(InvalidUtf8)"], "{text:?}");
        long.truncate(6 + bad_at - 1);
        assert_eq!(server(&long).events, ["close 1006 \"\""], "{text:?}");
    }
    // An incomplete character at the end of the message, in one frame and before an empty last
    // frame.
    for text in [&b"\xc3"[..], b"ok\xe2\x82", b"\xf0\x9f\x92"] {
        fails(&masked(0x81, text), "InvalidUtf8", 1007);
        fails(&[masked(0x01, text), masked(0x80, b"")].concat(), "InvalidUtf8", 1007);
    }
    let good = "\u{0}\u{7f}\u{80}\u{7ff}\u{800}\u{d7ff}\u{e000}\u{ffff}\u{10000}\u{10ffff}";
    assert!(server(&masked(0x81, good.as_bytes())).events[0].starts_with("text"));
}

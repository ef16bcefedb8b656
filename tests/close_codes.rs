//! Tests close codes and Close bodies: protocol rules 31, 32, 33 and 38 (RFC 6455 sections 5.5.1
//! and 7.4).

use sockless::{Close, CloseCode, MAX_REASON_LEN, Violation, truncate_reason};

/// Returns `true` for a code that a frame may carry, code by code, independently of the ranges in
/// the crate.
fn may_be_sent(code: u16) -> bool {
    const DEFINED: [u16; 12] =
        [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014];
    DEFINED.contains(&code) || [3, 4].contains(&(code / 1000))
}

fn body(code: u16, reason: &[u8]) -> Vec<u8> {
    [&code.to_be_bytes(), reason].concat()
}

#[test]
fn rule_32_every_code_from_0_to_65535() {
    let mut sendable = 0;
    for number in 0..=u16::MAX {
        let code = CloseCode::new(number);
        assert_eq!(code.is_sendable(), may_be_sent(number), "{number}");
        sendable += usize::from(code.is_sendable());

        for reason in ["", "going home"] {
            let body = body(number, reason.as_bytes());
            let expected = if may_be_sent(number) {
                Ok(Close::new(code, reason))
            } else {
                Err(Violation::InvalidCloseCode)
            };
            assert_eq!(Close::parse(&body), expected, "{number} {reason:?}");
        }
    }
    assert_eq!(sendable, 4 + 8 + 2000);
}

#[test]
fn a_code_is_its_number() {
    for number in 0..=u16::MAX {
        let code = CloseCode::from(number);
        assert_eq!(code, CloseCode::new(number));
        assert_eq!(u16::from(code), number);
        assert_eq!(code.get(), number);
        assert_eq!(code.to_string(), number.to_string());
    }
    assert!(CloseCode::NORMAL < CloseCode::GOING_AWAY);
    assert_eq!(format!("{:>6}", CloseCode::NORMAL), "  1000");
    assert_eq!(size_of::<CloseCode>(), 2);
}

#[test]
fn rule_38_only_the_end_without_a_close_is_not_clean() {
    for number in 0..=u16::MAX {
        assert_eq!(Close::new(CloseCode::new(number), "").is_clean(), number != 1006, "{number}");
    }
}

#[test]
fn names_of_section_7_4_1_and_of_the_iana_registry() {
    let names = [
        (CloseCode::NORMAL, 1000),
        (CloseCode::GOING_AWAY, 1001),
        (CloseCode::PROTOCOL_ERROR, 1002),
        (CloseCode::UNSUPPORTED_DATA, 1003),
        (CloseCode::NO_STATUS_RECEIVED, 1005),
        (CloseCode::ABNORMAL, 1006),
        (CloseCode::INVALID_PAYLOAD, 1007),
        (CloseCode::POLICY_VIOLATION, 1008),
        (CloseCode::MESSAGE_TOO_BIG, 1009),
        (CloseCode::MANDATORY_EXTENSION, 1010),
        (CloseCode::INTERNAL_ERROR, 1011),
        (CloseCode::SERVICE_RESTART, 1012),
        (CloseCode::TRY_AGAIN_LATER, 1013),
        (CloseCode::BAD_GATEWAY, 1014),
        (CloseCode::TLS, 1015),
    ];
    for (code, number) in names {
        assert_eq!(code.get(), number);
    }
}

#[test]
fn rule_31_one_byte_is_a_violation_and_rule_38_none_is_1005() {
    let close = Close::parse(b"").unwrap();
    assert_eq!((close.code(), close.reason()), (CloseCode::NO_STATUS_RECEIVED, ""));

    for byte in 0..=u8::MAX {
        let error = Close::parse(&[byte]).unwrap_err();
        assert_eq!(error, Violation::CloseTooShort);
        assert_eq!(error.close_code(), CloseCode::PROTOCOL_ERROR);
    }
}

#[test]
fn rule_33_the_reason_is_utf8_at_every_place() {
    let full = "é€𐍈x".repeat(12) + "abc";
    assert_eq!(full.len(), MAX_REASON_LEN);
    let good = body(1000, full.as_bytes());
    assert_eq!(Close::parse(&good).unwrap().reason(), full);

    // Put an invalid byte at each place, and cut the reason inside each character.
    for at in 0..full.len() {
        let mut bad = good.clone();
        bad[2 + at] = 0xff;
        let error = Close::parse(&bad).unwrap_err();
        assert_eq!(error, Violation::InvalidUtf8, "{at}");
        assert_eq!(error.close_code(), CloseCode::INVALID_PAYLOAD);

        let cut = Close::parse(&good[..2 + at]);
        if full.is_char_boundary(at) {
            assert_eq!(cut, Ok(Close::new(CloseCode::NORMAL, &full[..at])));
        } else {
            assert_eq!(cut, Err(Violation::InvalidUtf8), "{at}");
        }
    }
    // A surrogate, an overlong form, a code point above U+10FFFF.
    for reason in [&b"\xed\xa0\x80"[..], b"\xc0\xaf", b"\xf4\x90\x80\x80"] {
        assert_eq!(Close::parse(&body(3000, reason)), Err(Violation::InvalidUtf8));
    }
    // The code is checked before the reason.
    assert_eq!(Close::parse(&body(999, b"\xff")), Err(Violation::InvalidCloseCode));
}

#[test]
fn an_invalid_code_is_a_protocol_error() {
    let error = Close::parse(&body(1005, b"")).unwrap_err();
    assert_eq!(error.close_code(), CloseCode::PROTOCOL_ERROR);
}

#[test]
fn rule_33_a_long_reason_is_cut_between_characters() {
    /// Appends characters while the next one fits.
    fn oracle(reason: &str) -> String {
        let mut cut = String::new();
        for character in reason.chars() {
            if cut.len() + character.len_utf8() > MAX_REASON_LEN {
                break;
            }
            cut.push(character);
        }
        cut
    }
    for character in ["x", "é", "€", "𐍈"] {
        for before in 0..=130 {
            for count in 0..=35 {
                let reason = "-".repeat(before) + &character.repeat(count);
                let cut = truncate_reason(&reason);
                assert_eq!(cut, oracle(&reason), "{before} {count}");
                assert!(Close::parse(&body(1000, cut.as_bytes())).is_ok());
            }
        }
    }
    // The lengths around the limit.
    assert_eq!(truncate_reason(&"a".repeat(123)).len(), 123);
    assert_eq!(truncate_reason(&"a".repeat(124)).len(), 123);
    assert_eq!(truncate_reason(&("a".repeat(120) + "𐍈")).len(), 120);
}

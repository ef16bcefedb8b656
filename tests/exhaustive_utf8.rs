//! Tests every UTF-8 sequence of up to three bytes, and sequences of four bytes around every
//! boundary, at every cut, against `core::str`.

mod model;

use model::oracle::is_text_so_far;
use sockless::Utf8Validator;

/// Returns the index of the first invalid byte, by `core::str` alone.
fn first_bad(bytes: &[u8]) -> Option<usize> {
    (0..bytes.len()).find(|&at| !is_text_so_far(&bytes[..=at]))
}

/// Validates `bytes` in pieces that end at the places whose bit is set in `cuts`.
fn check(bytes: &[u8], cuts: u32) -> (Option<usize>, bool) {
    let (mut utf8, mut from) = (Utf8Validator::default(), 0);
    for to in 1..=bytes.len() {
        if to == bytes.len() || cuts >> to & 1 == 1 {
            if let Err(at) = utf8.check(&bytes[from..to]) {
                return (Some(from + at), false);
            }
            from = to;
        }
    }
    (None, utf8.is_complete())
}

/// Checks `bytes` at every cut. `bad` is the index of the first invalid byte.
fn same_at_every_cut(bytes: &[u8], bad: Option<usize>) {
    let complete = bad.is_none() && std::str::from_utf8(bytes).is_ok();
    // Bits 1 to len - 1 are the places between bytes.
    for cuts in 0..1u32 << bytes.len().saturating_sub(1) {
        assert_eq!(check(bytes, cuts << 1), (bad, complete), "{bytes:x?} cut {cuts:b}");
    }
}

#[test]
fn every_sequence_of_up_to_three_bytes() {
    same_at_every_cut(&[], None);
    for a in 0..=255 {
        let bad = first_bad(&[a]);
        same_at_every_cut(&[a], bad);
        for b in 0..=255 {
            let bad = bad.or_else(|| first_bad(&[a, b]));
            same_at_every_cut(&[a, b], bad);
            for c in 0..=255 {
                let bytes = [a, b, c];
                // An invalid prefix stays invalid, so one third byte is enough.
                let bad = bad.or_else(|| (!is_text_so_far(&bytes)).then_some(2));
                same_at_every_cut(&bytes, bad);
            }
        }
    }
}

/// Checks sequences of four bytes: every first byte, every second byte, and the ends of each range
/// for the third and fourth.
#[test]
fn four_bytes_around_every_boundary() {
    const ENDS: [u8; 12] = [0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xF0, 0xFF];
    for a in 0x70..=255 {
        for b in 0..=255 {
            for (c, d) in ENDS.iter().flat_map(|c| ENDS.map(|d| (*c, d))) {
                let bytes = [a, b, c, d];
                same_at_every_cut(&bytes, first_bad(&bytes));
            }
        }
    }
}

/// Checks every character, alone and between others, at every cut.
#[test]
fn every_character() {
    let mut buffer = [0; 4];
    for letter in '\0'..=char::MAX {
        same_at_every_cut(letter.encode_utf8(&mut buffer).as_bytes(), None);
    }
    let around = "é\u{7FF}\u{800}\u{FFFF}\u{10000}\u{10FFFF}x";
    same_at_every_cut(&around.as_bytes()[..12], None);
}

/// Checks a piece of valid text before and after long runs of ASCII, where the fast paths of
/// validators start and end.
#[test]
fn invalid_bytes_far_into_a_text() {
    for bad in
        [&b"\xFF"[..], b"\x80", b"\xC0\x80", b"\xED\xA0\x80", b"\xF4\x90\x80\x80", b"\xE2\x82("]
    {
        for len in 0..100 {
            let mut text = vec![b'a'; len];
            text.extend("€".as_bytes());
            text.extend(bad);
            text.extend([b'z'; 70]);
            let expected = first_bad(&text);
            for cut in 0..=text.len() {
                let mut utf8 = Utf8Validator::new();
                let found = match utf8.check(&text[..cut]) {
                    Ok(()) => utf8.check(&text[cut..]).err().map(|at| cut + at),
                    Err(at) => Some(at),
                };
                assert_eq!(found, expected);
            }
        }
    }
}

//! Tests all values of the first two header bytes, in both roles and in every state of
//! fragmentation, against the naive oracle.

mod model;

use model::drive::{Setup, against_oracle, slices_with_rsv1_against_oracle};
use model::oracle::Rules;
use model::stream::frame;
use sockless::{FrameHeader, OpCode};

/// Returns the possible earlier frames: none, an unfinished message of each kind, text that ends
/// inside a character, and a message that has just ended.
fn histories(masked: bool) -> [Vec<u8>; 6] {
    let of = |frames: &[(u8, &[u8])]| {
        let mut bytes = Vec::new();
        frames.iter().for_each(|(first, payload)| frame(&mut bytes, *first, payload, masked));
        bytes
    };
    [
        vec![],
        of(&[(0x01, b"a")]),
        of(&[(0x02, b"")]),
        of(&[(0x01, b"\xE2\x82"), (0x89, b"p")]),
        of(&[(0x02, b"a"), (0x00, b"b"), (0x8A, b"")]),
        of(&[(0x01, b"a"), (0x80, b"b")]),
    ]
}

/// Returns the possible bytes after the first two: an extended length and a key where the header
/// needs them, then a payload that is valid text and a valid Close body.
fn tails(second: u8) -> Vec<Vec<u8>> {
    let lengths: Vec<Vec<u8>> = match second & 0x7F {
        126 => [0, 125, 126, 300].map(|n: u16| n.to_be_bytes().to_vec()).into(),
        127 => [0, 125, 0xFFFF, 0x10000, u64::MAX >> 1, 1 << 63, u64::MAX]
            .map(|n: u64| n.to_be_bytes().to_vec())
            .into(),
        _ => vec![vec![]],
    };
    let key: &[u8] = if second & 0x80 == 0 { b"" } else { &[0x20, 0x20, 0x20, 0x20] };
    let mut payload = vec![b'#' ^ 0x20; 2];
    payload.extend(b"\xE8\x20\xAC\x20 and so on ".iter().cycle().take(310));
    // Start with the code 1000, whose two bytes are also valid text.
    lengths.into_iter().map(|length| [&length[..], key, &payload].concat()).collect()
}

fn judge_all(masked: bool) {
    let rules = Rules { max_frame: 400, max_message: 500, max_fragments: 3 };
    for history in histories(masked) {
        for first in 0..=255 {
            for second in 0..=255 {
                for tail in tails(second) {
                    let head = [&history[..], &[first, second]].concat();
                    let input = [&head[..], &tail].concat();
                    let (setup, cut) = (Setup::CHUNKS, head.len());
                    against_oracle(masked, rules, setup, &input, []);
                    // The two bytes and the rest arrive one by one.
                    against_oracle(masked, rules, setup, &input, cut - 1..cut + 12);
                }
            }
        }
    }
}

#[test]
fn every_header_in_every_state_as_a_server() {
    judge_all(true);
}

#[test]
fn every_header_in_every_state_as_a_client() {
    judge_all(false);
}

/// Returns the possible earlier frames where RSV1 is allowed: none, an unfinished compressed
/// message of each kind, an unfinished uncompressed one, and a compressed message that has just
/// ended.
fn histories_with_rsv1(masked: bool) -> [Vec<u8>; 5] {
    let of = |frames: &[(u8, &[u8])]| {
        let mut bytes = Vec::new();
        frames.iter().for_each(|(first, payload)| frame(&mut bytes, *first, payload, masked));
        bytes
    };
    [
        vec![],
        of(&[(0x41, b"\xF2"), (0x89, b"p")]),
        of(&[(0x42, b""), (0x00, b"a")]),
        of(&[(0x01, b"a")]),
        of(&[(0x41, b"a"), (0x80, b"b")]),
    ]
}

fn judge_all_with_rsv1(masked: bool) {
    let rules = Rules { max_frame: 400, max_message: 500, max_fragments: 3 };
    for history in histories_with_rsv1(masked) {
        for first in 0..=255 {
            for second in 0..=255 {
                for tail in tails(second) {
                    let head = [&history[..], &[first, second]].concat();
                    let (input, cut) = ([&head[..], &tail].concat(), head.len());
                    slices_with_rsv1_against_oracle(true, masked, rules, &input, []);
                    let cuts = cut - 1..cut + 12;
                    slices_with_rsv1_against_oracle(true, masked, rules, &input, cuts);
                }
            }
        }
    }
}

/// RFC 7692 section 6: with permessage-deflate, only the first frame of a message may have RSV1.
#[test]
fn every_header_where_rsv1_is_allowed_as_a_server() {
    judge_all_with_rsv1(true);
}

#[test]
fn every_header_where_rsv1_is_allowed_as_a_client() {
    judge_all_with_rsv1(false);
}

/// Checks the pure functions with these headers. A parsed header encodes to the input bytes. A
/// shorter piece is incomplete or gives an equal error. The payload is not read.
#[test]
fn headers_read_and_written_are_the_same() {
    for first in 0..=255 {
        for second in 0..=255 {
            for tail in tails(second) {
                let bytes = [&[first, second][..], &tail].concat();
                let parsed = FrameHeader::parse(&bytes);
                if let Ok(Some((header, len))) = parsed {
                    assert_eq!(header.encode().as_bytes(), &bytes[..len]);
                    assert_eq!(
                        FrameHeader::len_for(header.payload_len, header.mask.is_some()),
                        len
                    );
                    assert_eq!(OpCode::from_bits(first), Some(header.opcode));
                    assert_eq!(header.opcode.is_control(), first & 8 != 0);
                    assert_eq!(FrameHeader::parse(&bytes[..len]), parsed);
                    (0..len)
                        .for_each(|cut| assert_eq!(FrameHeader::parse(&bytes[..cut]), Ok(None)));
                } else {
                    let violation = parsed.expect_err("everything is there");
                    let early = (0..bytes.len()).map(|cut| FrameHeader::parse(&bytes[..cut]));
                    let early = early.skip_while(|result| *result == Ok(None));
                    early.for_each(|result| assert_eq!(result, Err(violation)));
                }
            }
        }
    }
}

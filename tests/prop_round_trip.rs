//! Tests that sent messages arrive, in both roles, at any cut, in whole messages, in chunks and
//! over slices.

mod model;

use model::halves::{Send, Way, round_trip};
use proptest::collection::vec;
use proptest::prelude::*;
use sockless::{FrameHeader, OpCode, mask};

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    // Lengths around the changes of the length's form.
    let edges = prop::sample::select(vec![0, 1, 125, 126, 127, 65535, 65536]);
    prop_oneof![
        6 => vec(any::<u8>(), 0..300),
        1 => edges.prop_map(|len: usize| (0..len).map(|i| i as u8).collect()),
    ]
}

fn text() -> impl Strategy<Value = String> {
    vec(any::<char>(), 0..60).prop_map(|letters| letters.into_iter().collect())
}

fn send() -> impl Strategy<Value = Send> {
    prop_oneof![
        text().prop_map(Send::Text),
        bytes().prop_map(Send::Binary),
        bytes().prop_map(Send::Vectored),
        (prop::option::of(text()), bytes(), vec(0..40u8, 0..5), any::<bool>())
            .prop_map(|(text, bytes, cuts, pings)| Send::Fragments { text, bytes, cuts, pings }),
        bytes().prop_map(Send::Ping),
        bytes().prop_map(Send::Pong),
    ]
}

fn opcode() -> impl Strategy<Value = OpCode> {
    prop::sample::select(vec![
        OpCode::Continuation,
        OpCode::Text,
        OpCode::Binary,
        OpCode::Close,
        OpCode::Ping,
        OpCode::Pong,
    ])
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: model::cases(2000),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn sent_messages_arrive(
        masks in any::<bool>(),
        sends in vec(send(), 0..8),
        pieces in vec(any::<u8>(), 0..6),
    ) {
        for way in [Way::Slices, Way::Messages, Way::Chunks] {
            round_trip(masks, &sends, &pieces, way);
        }
    }

    #[test]
    fn a_header_is_read_as_it_was_written(
        fin in any::<bool>(),
        rsv in 0..8u8,
        opcode in opcode(),
        mask in any::<Option<[u8; 4]>>(),
        len in prop_oneof![0..126u64, 126..70_000u64, 0..1u64 << 63],
    ) {
        let control = opcode.is_control();
        let header = FrameHeader {
            fin: fin || control,
            rsv,
            opcode,
            mask,
            payload_len: if control { len % 126 } else { len },
        };
        let wire = header.encode();
        let len = wire.as_bytes().len();
        prop_assert_eq!(FrameHeader::parse(wire.as_bytes()), Ok(Some((header, len))));
        prop_assert_eq!(FrameHeader::len_for(header.payload_len, mask.is_some()), len);
        prop_assert!(len <= FrameHeader::MAX_LEN);
    }

    /// Masks in pieces of any length, and compares with masking byte by byte.
    #[test]
    fn masking_in_pieces(
        payload in vec(any::<u8>(), 0..300),
        key in any::<[u8; 4]>(),
        pieces in vec(0..40usize, 0..10),
    ) {
        let expected: Vec<u8> =
            payload.iter().enumerate().map(|(at, byte)| byte ^ key[at % 4]).collect();
        let mut masked = payload.clone();
        let (mut rest, mut next) = (&mut masked[..], key);
        for piece in pieces {
            let (head, tail) = rest.split_at_mut(piece.min(rest.len()));
            next = mask(head, next);
            rest = tail;
        }
        mask(rest, next);
        prop_assert_eq!(masked, expected);
    }
}

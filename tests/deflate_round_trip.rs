//! Tests that compressed messages inflate to themselves, with every parameter, through slices of
//! any size, in this crate and in another implementation. Rules 44, 45 and 50, and RFC 7692 section
//! 7.2.1.
#![cfg(feature = "deflate")]

mod deflate_oracle;

use flate2::{Decompress, FlushDecompress};
use proptest::prelude::*;
use sockless::deflate::{
    Context, DeflateConfig, Deflater, Flush, InflateLimits, Inflater, Pool, Step, WindowBits,
};

const UNLIMITED: InflateLimits = InflateLimits { message: u64::MAX, ratio: None };

fn context(bits: u8, takeover: bool) -> Context {
    let window_bits = WindowBits::new(bits).unwrap();
    Context { window_bits, takeover }
}

fn deflater(context: Context, level: u8, memory_level: u8) -> Deflater {
    let config = DeflateConfig::DEFAULT.with_level(level).with_memory_level(memory_level);
    Deflater::new(context, &config)
}

/// Compresses one message from pieces, through an output of a given size.
fn deflate(deflater: &mut Deflater, pieces: &[&[u8]], size: usize) -> Vec<u8> {
    let mut payload = Vec::new();
    let mut output = vec![0xaa; size];
    for (index, piece) in pieces.iter().enumerate() {
        let last = index + 1 == pieces.len();
        let flush = match last {
            true => Flush::End,
            // A flush may write all consumed bytes at once.
            false if piece.len() % 2 == 1 => Flush::Sync,
            false => Flush::None,
        };
        let mut rest = *piece;
        loop {
            let progress = deflater.deflate(rest, &mut output, flush);
            rest = &rest[progress.consumed..];
            payload.extend_from_slice(&output[..progress.produced]);
            match progress.step {
                Step::OutputFull => assert!(progress.consumed + progress.produced > 0 || size == 0),
                Step::InputTaken => {
                    assert!(!last && rest.is_empty());
                    break;
                }
                Step::End => {
                    assert!(last && rest.is_empty() && deflater.is_between_messages());
                    break;
                }
            }
        }
    }
    payload
}

fn inflate(inflater: &mut Inflater, payload: &[u8], size: usize) -> Vec<u8> {
    let mut message = Vec::new();
    let mut output = vec![0; size];
    let mut rest = payload;
    loop {
        let progress = inflater.inflate(rest, &mut output, true).expect("sound");
        rest = &rest[progress.consumed..];
        message.extend_from_slice(&output[..progress.produced]);
        if progress.step == Step::End {
            return message;
        }
    }
}

/// Inflates a payload with `miniz_oxide`, which keeps its window from message to message.
fn inflate_elsewhere(engine: &mut Decompress, payload: &[u8]) -> Vec<u8> {
    let input = [payload, &[0x00, 0x00, 0xff, 0xff]].concat();
    let mut message = Vec::new();
    let before = engine.total_in();
    while engine.total_in() - before < input.len() as u64 || message.len() == message.capacity() {
        message.reserve(1 << 16);
        let rest = &input[(engine.total_in() - before) as usize..];
        engine.decompress_vec(rest, &mut message, FlushDecompress::Sync).expect("sound");
    }
    message
}

/// Returns text with near and far repetitions, bytes that do not compress, and runs.
fn samples() -> Vec<Vec<u8>> {
    let mut state = 1_u32;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state
    };
    let words =
        ["alpha", "beta", "gamma", "delta", "\u{4f60}\u{597d}", "{\"id\":", "},", " ", "\n"];
    let mut text = Vec::new();
    while text.len() < 1500 {
        text.extend_from_slice(words[random() as usize % words.len()].as_bytes());
        text.extend_from_slice((random() % 100).to_string().as_bytes());
    }
    let noise: Vec<u8> = (0..600).map(|_| random() as u8).collect();
    let far = [&noise[..], &[0; 300], &noise[..]].concat();
    vec![b"Hello".to_vec(), text.clone(), vec![], far, vec![b'x'; 2000], b"Hello".to_vec(), text]
}

/// RFC 7692 sections 7.2.3.1, 7.2.3.2 and 7.2.3.6, as zlib and so zlib-rs writes them.
#[test]
fn rfc_examples() {
    for size in [1, 2, 3, 63, 64, 65, 200] {
        let mut takeover = deflater(Context::FULL, 6, 8);
        assert_eq!(deflate(&mut takeover, &[b"Hello"], size), b"\xf2\x48\xcd\xc9\xc9\x07\x00");
        assert_eq!(deflate(&mut takeover, &[b""], size), b"\x00");
        assert_eq!(deflate(&mut takeover, &[b"Hello"], size), b"\xf2\x00\x11\x00\x00");
        let mut forgetful = deflater(Context::PER_MESSAGE, 6, 8);
        for _ in 0..3 {
            assert_eq!(
                deflate(&mut forgetful, &[b"He", b"", b"llo"], size),
                b"\xf2\x48\xcd\xc9\xc9\x07\x00"
            );
            assert_eq!(deflate(&mut forgetful, &[b"", b""], size), b"\x00");
        }
    }
}

/// Checks every window, level and memory level, with and without context takeover. No reference
/// reaches outside the window, which matters most for a window of 256 bytes (rule 44). Without
/// takeover, no reference reaches outside the message (rule 50).
#[test]
fn every_parameter() {
    let samples = samples();
    for bits in 8..=15 {
        for takeover in [false, true] {
            for (level, memory_level) in
                [(0, 8), (1, 8), (2, 8), (3, 1), (4, 8), (6, 2), (6, 8), (9, 5), (9, 9)]
            {
                let context = context(bits, takeover);
                let mut deflater = deflater(context, level, memory_level);
                let mut inflater = Inflater::new(context, UNLIMITED);
                let mut elsewhere = Decompress::new(false);
                let mut history = Vec::new();
                for message in &samples {
                    let payload = deflate(&mut deflater, &[message], 700);
                    assert_eq!(inflate(&mut inflater, &payload, 500), *message);
                    assert_eq!(inflate_elsewhere(&mut elsewhere, &payload), *message);
                    let plain =
                        deflate_oracle::inflate(if takeover { &history } else { &[] }, &payload)
                            .expect("sound");
                    assert_eq!(plain.bytes, *message);
                    assert!(plain.farthest <= 1 << bits, "{} for {bits} bits", plain.farthest);
                    history.extend_from_slice(message);
                }
            }
        }
    }
}

/// Checks that messages do not depend on each other without takeover.
#[test]
fn no_context_takeover_forgets() {
    for size in [10, 5000] {
        let mut deflater = deflater(Context::PER_MESSAGE, 6, 8);
        for message in samples() {
            let payload = deflate(&mut deflater, &[&message], size);
            assert_eq!(deflate_oracle::inflate(&[], &payload).unwrap().bytes, message);
        }
    }
}

/// Checks that the tail is removed wherever the output ends, also across two outputs.
#[test]
fn every_size_of_the_output() {
    let message = &samples()[1][..600];
    let long = deflate(&mut deflater(Context::FULL, 6, 8), &[message], 5000);
    for size in 1..=long.len() + 10 {
        let mut deflater = deflater(Context::FULL, 6, 8);
        let mut inflater = Inflater::new(Context::FULL, UNLIMITED);
        for _ in 0..3 {
            let payload = deflate(&mut deflater, &[message], size);
            assert_eq!(inflate(&mut inflater, &payload, 1000), message);
        }
    }
}

/// Checks that an empty output loses nothing and starts no message.
#[test]
fn an_empty_output() {
    let mut deflater = deflater(Context::FULL, 6, 8);
    for message in [&b""[..], b"Hello"] {
        for _ in 0..3 {
            let progress = deflater.deflate(message, &mut [], Flush::End);
            assert_eq!(
                (progress.consumed, progress.produced, progress.step),
                (0, 0, Step::OutputFull)
            );
        }
        let payload = deflate(&mut deflater, &[message], 64);
        assert_eq!(deflate_oracle::inflate(&[], &payload).unwrap().bytes, message);
    }
}

/// Checks that flushed bytes can be inflated before the message continues, and that the message can
/// end without further bytes.
#[test]
fn a_flushed_part_can_be_inflated() {
    for size in [1, 5, 64, 1000] {
        let mut deflater = deflater(Context::FULL, 6, 8);
        let mut inflater = Inflater::new(Context::FULL, UNLIMITED);
        for parts in [&[&b"Hello"[..], b"Hello", b"", b"again"][..], &[b"a"], &[b""], &[b"", b"x"]]
        {
            let last = parts.len() - 1;
            for (index, part) in parts.iter().enumerate() {
                let (mut rest, mut payload, mut output) = (*part, Vec::new(), vec![0; size]);
                loop {
                    let progress = deflater.deflate(rest, &mut output, Flush::Sync);
                    rest = &rest[progress.consumed..];
                    payload.extend_from_slice(&output[..progress.produced]);
                    if progress.step == Step::InputTaken {
                        break;
                    }
                }
                let mut message = [0; 64];
                let progress = inflater.inflate(&payload, &mut message, false).unwrap();
                assert_eq!(&message[..progress.produced], *part);
                if index == last {
                    let mut end = [0; 8];
                    let progress = deflater.deflate(b"", &mut end, Flush::End);
                    assert_eq!(progress.step, Step::End);
                    let end = &end[..progress.produced];
                    let progress = inflater.inflate(end, &mut message, true).unwrap();
                    assert_eq!((progress.produced, progress.step), (0, Step::End));
                }
            }
        }
    }
}

#[test]
fn the_pool_keeps_what_fits() {
    let mut pool = Pool::new(2);
    let mut small = deflater(context(9, false), 6, 1);
    let mut large = deflater(Context::PER_MESSAGE, 6, 8);
    let mut other = deflater(Context::PER_MESSAGE, 9, 8);
    let mut keeps = deflater(Context::FULL, 5, 8);
    for connection in [&mut small, &mut large, &mut keeps, &mut other] {
        connection.borrow_from(&mut pool);
        let _ = connection.deflate(b"Hel", &mut [0; 64], Flush::None);
        connection.return_to(&mut pool);
        let payload = deflate(connection, &[b"lo"], 64);
        assert_eq!(deflate_oracle::inflate(&[], &payload).unwrap().bytes, b"Hello");
        connection.return_to(&mut pool);
    }
    assert_eq!(
        pool.len(),
        2,
        "the first one has made room for the last, and one keeps its context"
    );
    large.borrow_from(&mut pool);
    assert_eq!(pool.len(), 1);
    small.borrow_from(&mut pool);
    assert_eq!(pool.len(), 1, "another window does not fit");
    // A compressor from the pool has no history.
    assert_eq!(deflate(&mut large, &[b"Hello"], 64), b"\xf2\x48\xcd\xc9\xc9\x07\x00");
    pool.clear();
    assert!(pool.is_empty());
}

fn cut<'a>(message: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(message.len() + 1)).collect();
    cuts.sort_unstable();
    let mut pieces = Vec::new();
    let mut from = 0;
    for at in cuts {
        pieces.push(&message[from..at]);
        from = at;
    }
    pieces.push(&message[from..]);
    pieces
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn any_message_any_cut(
        messages in prop::collection::vec((prop::collection::vec(0_u8..8, 0..2000), any::<[prop::sample::Index; 3]>()), 1..6),
        (bits, takeover, level, memory_level) in (8_u8..=15, any::<bool>(), 0_u8..=9, 1_u8..=9),
        (narrow, wide) in (1_usize..200, 1_usize..3000),
    ) {
        let context = context(bits, takeover);
        let mut deflater = deflater(context, level, memory_level);
        let mut inflater = Inflater::new(context, UNLIMITED);
        let mut elsewhere = Decompress::new(false);
        for (message, cuts) in &messages {
            let payload = deflate(&mut deflater, &cut(message, cuts), narrow);
            prop_assert_eq!(&inflate(&mut inflater, &payload, wide), message);
            prop_assert_eq!(&inflate_elsewhere(&mut elsewhere, &payload), message);
        }
    }
}

/// Checks that the level trades time for size: 0 does not compress, and 9 compresses more than 1.
#[test]
fn the_level_trades_time_for_size() {
    let message =
        "The quick brown fox jumps over the lazy dog, and the lazy fox over the quick dog. "
            .bytes()
            .enumerate()
            .cycle()
            .take(50_000)
            .scan(1u32, |seed, (index, byte)| {
                *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                Some(if *seed >> 29 == 0 { (*seed >> 8) as u8 ^ index as u8 } else { byte })
            })
            .collect::<Vec<u8>>();
    let size = |level| deflate(&mut deflater(Context::FULL, level, 8), &[&message], 1 << 16).len();
    let (stored, fast, best) = (size(0), size(1), size(9));
    assert!(
        stored > message.len() && best < fast && fast < message.len(),
        "{stored} {fast} {best}"
    );
    assert_eq!(size(200), best, "more than 9 is 9");
}

/// Section 7.1.2.1: a window of 256 bytes is obeyed, though zlib-rs has none that small. No
/// reference goes farther back.
#[test]
fn the_smallest_window_is_kept_to() {
    for period in [257, 300, 400, 500] {
        let mut seed = 1u32;
        let noise = std::iter::repeat_with(|| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 24) as u8
        });
        let message = noise.take(period).collect::<Vec<u8>>().repeat(20);
        let payload = deflate(&mut deflater(context(8, true), 9, 9), &[&message], 700);
        let plain = deflate_oracle::inflate(&[], &payload).expect("sound");
        assert_eq!(plain.bytes, message);
        assert!(plain.farthest <= 256, "{} for a period of {period}", plain.farthest);
    }
}

/// Checks input that arrives while the last bytes of a flush are unwritten: none of it is lost.
#[test]
fn input_after_an_unfinished_flush_is_kept() {
    let (begin, rest) = (samples().concat(), b"and more");
    for flush in [Flush::None, Flush::Sync, Flush::End] {
        let whole = deflate(&mut deflater(context(15, true), 6, 8), &[&begin], 1 << 16);
        for room in 0..whole.len() + 2 {
            let mut deflater = deflater(context(15, true), 6, 8);
            let mut out = vec![0; whole.len() + 200];
            let first = deflater.deflate(&begin, &mut out[..room], Flush::End);
            let mut message = begin[..first.consumed].to_vec();
            let mut len = first.produced;
            if first.step == Step::OutputFull && first.consumed == begin.len() {
                let second = deflater.deflate(rest, &mut out[len..], flush);
                assert_eq!((second.consumed, second.step != Step::OutputFull), (rest.len(), true));
                message.extend(rest);
                len += second.produced;
                if second.step != Step::End {
                    let third = deflater.deflate(b"", &mut out[len..], Flush::End);
                    assert_eq!(third.step, Step::End);
                    len += third.produced;
                }
                let mut inflater = Inflater::new(context(15, true), UNLIMITED);
                assert!(
                    inflate(&mut inflater, &out[..len], 1 << 16) == message,
                    "{flush:?} {room}"
                );
            }
        }
    }
}

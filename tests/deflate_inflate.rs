//! Tests the inflater: a compressed message comes out whole and within its limits, or not at all.
//! Rules 45 to 50, and the examples of RFC 7692 section 7.2.3, whole and at every cut.
#![cfg(feature = "deflate")]

mod deflate_oracle;

use sockless::deflate::{
    Context, DeflateConfig, Deflater, Flush, InflateError, InflateLimits, Inflater, Pool, Step,
};

const UNLIMITED: InflateLimits = InflateLimits { message: u64::MAX, ratio: None };

const HELLO: &[u8] = b"\xf2\x48\xcd\xc9\xc9\x07\x00";

fn inflater() -> Inflater {
    Inflater::new(Context::FULL, UNLIMITED)
}

fn limited(message: u64, ratio: Option<u32>) -> Inflater {
    Inflater::new(Context::FULL, InflateLimits { message, ratio })
}

/// Inflates one message from pieces, through an output of a given size. Returns the bytes and the
/// result.
fn inflate(
    inflater: &mut Inflater,
    pieces: &[&[u8]],
    size: usize,
) -> (Vec<u8>, Result<(), InflateError>) {
    let mut message = Vec::new();
    let mut output = vec![0; size];
    for (index, piece) in pieces.iter().enumerate() {
        let last = index + 1 == pieces.len();
        let mut rest = *piece;
        loop {
            let progress = match inflater.inflate(rest, &mut output, last) {
                Ok(progress) => progress,
                Err(error) => return (message, Err(error)),
            };
            rest = &rest[progress.consumed..];
            message.extend_from_slice(&output[..progress.produced]);
            match progress.step {
                Step::OutputFull => {}
                Step::InputTaken => {
                    assert!(!last && rest.is_empty());
                    break;
                }
                Step::End => {
                    assert!(last && rest.is_empty() && inflater.is_between_messages());
                    break;
                }
            }
        }
    }
    (message, Ok(()))
}

/// Inflates one valid message in one piece.
fn whole(inflater: &mut Inflater, payload: &[u8]) -> Result<Vec<u8>, InflateError> {
    let (message, result) = inflate(inflater, &[payload], 4096);
    result.map(|()| message)
}

/// A message, or the reason why there is none.
type Verdict = Result<&'static [u8], InflateError>;

const SAYS_HELLO: Verdict = Ok(b"Hello");

/// Checks that a sequence of payloads gives equal messages whole, byte by byte, at every cut, and
/// through small outputs.
fn assert_everywhere(payloads: &[&[u8]], expected: &[Verdict]) {
    let judge = |size: usize, cut: &dyn Fn(usize, usize) -> Vec<usize>| {
        let mut inflater = inflater();
        for ((index, payload), expected) in payloads.iter().enumerate().zip(expected) {
            let mut pieces = Vec::new();
            let mut from = 0;
            for at in cut(index, payload.len()) {
                pieces.push(&payload[from..at]);
                from = at;
            }
            pieces.push(&payload[from..]);
            let (message, result) = inflate(&mut inflater, &pieces, size);
            assert_eq!(result.map(|()| &message[..]), *expected, "{pieces:02x?}");
        }
    };
    for size in [1, 2, 3, 7, 300] {
        judge(size, &|_, _| vec![]);
        judge(size, &|_, length| (1..=length).collect());
        for (which, payload) in payloads.iter().enumerate() {
            for at in 0..=payload.len() {
                judge(size, &|index, _| {
                    if index == which { vec![at, at] } else { vec![] }
                });
            }
        }
    }
}

/// Section 7.2.3.1.
#[test]
fn rfc_one_compressed_block() {
    assert_everywhere(&[HELLO], &[Ok(b"Hello")]);
}

/// Section 7.2.3.2: the second message refers to the first, which needs context takeover.
#[test]
fn rfc_sharing_the_window() {
    let again: &[u8] = b"\xf2\x00\x11\x00\x00";
    assert_everywhere(&[HELLO, again, again, HELLO], &[SAYS_HELLO; 4]);
    let mut forgetful = Inflater::new(Context::PER_MESSAGE, UNLIMITED);
    assert_eq!(whole(&mut forgetful, HELLO).as_deref(), Ok(&b"Hello"[..]));
    assert_eq!(whole(&mut forgetful, HELLO).as_deref(), Ok(&b"Hello"[..]));
    assert_eq!(whole(&mut forgetful, again), Err(InflateError::Corrupt));
}

/// Section 7.2.3.3.
#[test]
fn rfc_block_without_compression() {
    let payload: &[u8] = b"\x00\x05\x00\xfa\xffHello\x00";
    assert_everywhere(&[payload, payload], &[SAYS_HELLO; 2]);
}

/// Section 7.2.3.4, rule 46: blocks after a BFINAL block of a message are inflated, and so is the
/// next message.
#[test]
fn rfc_final_block() {
    let payload: &[u8] = b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00";
    assert_everywhere(&[payload, payload, HELLO], &[SAYS_HELLO; 3]);
    let twice = [&payload[..7], payload].concat();
    assert_everywhere(&[&twice, payload], &[Ok(b"HelloHello"), Ok(b"Hello")]);
    let mixed = [&payload[..7], HELLO].concat();
    assert_everywhere(&[&mixed, HELLO], &[Ok(b"HelloHello"), Ok(b"Hello")]);
    // The final block ends the stream: later blocks cannot refer to it.
    let back = [&payload[..7], b"\xf2\x00\x11\x00\x00"].concat();
    assert_everywhere(&[&back], &[Err(InflateError::Corrupt)]);
    // The final block may be the empty block that the tail completes.
    assert_everywhere(
        &[b"\x01", HELLO, b"\x01", b"\x00"],
        &[Ok(b""), SAYS_HELLO, Ok(b""), Ok(b"")],
    );
    // The octet after it is necessary, according to the section.
    assert_everywhere(&[&payload[..7]], &[Err(InflateError::Corrupt)]);
}

/// Section 7.2.3.5.
#[test]
fn rfc_two_blocks() {
    let payload: &[u8] = b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00";
    assert_everywhere(&[payload, payload], &[SAYS_HELLO; 2]);
}

/// Section 7.2.3.6, rule 45: one zero byte is the empty message, and so is no payload at all.
#[test]
fn rfc_empty_message() {
    assert_everywhere(
        &[b"\x00", b"", HELLO, b"", b"\x00", b"\x02\x00"],
        &[Ok(b""), Ok(b""), Ok(b"Hello"), Ok(b""), Ok(b""), Ok(b"")],
    );
}

/// Rule 47: the payload of "Hello" is corrupt wherever it is cut off. Only the bytes before the cut
/// come out.
#[test]
fn rule_47_truncated() {
    for payload in [
        HELLO,
        b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00",
        b"\x00\x05\x00\xfa\xffHello\x00",
    ] {
        for length in 1..payload.len() {
            let cut = &payload[..length];
            let (message, result) = inflate(&mut inflater(), &[cut], 64);
            let oracle = deflate_oracle::inflate(&[], cut).filter(|inflated| !inflated.stopped);
            // The second example has a block boundary inside.
            if let Some(sound) = oracle {
                assert_eq!((result, message), (Ok(()), sound.bytes), "{cut:02x?}");
            } else {
                assert_eq!(result, Err(InflateError::Corrupt), "{cut:02x?}");
                assert!(b"Hello".starts_with(&message), "{message:02x?}");
            }
        }
    }
    assert_eq!(whole(&mut inflater(), b"\xf2\x48\xcd\xc9"), Err(InflateError::Corrupt));
}

#[test]
fn corrupt_data() {
    for payload in [
        &b"\x06\x00"[..],                                // block type 3
        b"\x07\x00",                                     // a final block
        b"\x00\x05\x00\xfa\xfeHello",                    // lengths that do not match
        b"\xf2\x00\x11\x00\x00",                         // farther back than anything was
        b"\x04\xff\xff\xff\xff\xff",                     // impossible code lengths
        b"\xf2\x48\xcd\xc9\xc9\x07",                     // the last byte is missing
        b"\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff", // // the tail was not removed
        b"\x00\x00",
        b"\x00\x00\x00\xff",
        b"\xff",
        b"\x03",
    ] {
        let mut inflater = inflater();
        let (_, result) = inflate(&mut inflater, &[payload], 64);
        assert_eq!(result, Err(InflateError::Corrupt), "{payload:02x?}");
        // Failure is final.
        assert_eq!(whole(&mut inflater, HELLO), Err(InflateError::Corrupt));
    }
}

/// Checks that the bytes before a fault do not depend on cuts.
#[test]
fn the_same_bytes_in_front_of_a_fault_at_every_cut() {
    let payload = b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x06\xaa\xaa";
    let expected = inflate(&mut inflater(), &[payload], 64);
    assert_eq!(expected.1, Err(InflateError::Corrupt));
    for size in [1, 2, 5, 64] {
        for at in 0..=payload.len() {
            assert_eq!(inflate(&mut inflater(), &[&payload[..at], &payload[at..]], size), expected);
        }
    }
}

/// Returns a payload of `length` equal bytes, compressed by another implementation.
fn bomb(length: usize) -> Vec<u8> {
    use flate2::{Compress, Compression, FlushCompress};
    let mut payload = Vec::with_capacity(length / 500 + 64);
    let mut engine = Compress::new(Compression::best(), false);
    engine.compress_vec(&vec![0; length], &mut payload, FlushCompress::Sync).unwrap();
    assert!(payload.ends_with(&[0x00, 0x00, 0xff, 0xff]));
    payload.truncate(payload.len() - 4);
    payload
}

/// Rule 49: the limit is exact, for any cuts and any size of the output, and no further byte is
/// written.
#[test]
fn rule_49_the_limit_is_exact() {
    for length in [0_usize, 1, 5, 6, 257, 258, 259, 1000] {
        let payload = if length == 0 { vec![0] } else { bomb(length) };
        for size in [1, 2, 64, 999, 1000, 1001, 5000] {
            for at in 0..=payload.len() {
                let pieces = [&payload[..at], &payload[at..]];
                let (message, result) = inflate(&mut limited(length as u64, None), &pieces, size);
                assert_eq!((message.len(), result), (length, Ok(())));
                if length > 0 {
                    let (message, result) =
                        inflate(&mut limited(length as u64 - 1, None), &pieces, size);
                    assert_eq!((message.len(), result), (length - 1, Err(InflateError::TooLong)));
                }
            }
        }
    }
    // The limit is per message.
    let mut twice = limited(5, None);
    assert_eq!(whole(&mut twice, HELLO).as_deref(), Ok(&b"Hello"[..]));
    assert_eq!(whole(&mut twice, b"\xf2\x00\x11\x00\x00").as_deref(), Ok(&b"Hello"[..]));
}

/// Checks that an empty output neither loses nor adds bytes.
#[test]
fn an_empty_output() {
    let mut inflater = inflater();
    for _ in 0..3 {
        let progress = inflater.inflate(HELLO, &mut [], true).unwrap();
        assert_eq!((progress.consumed, progress.produced, progress.step), (0, 0, Step::OutputFull));
    }
    assert_eq!(whole(&mut inflater, HELLO).as_deref(), Ok(&b"Hello"[..]));
    let progress = inflater.inflate(&[], &mut [], true).unwrap();
    assert_eq!(progress.step, Step::End, "the empty message needs no room");
}

/// Checks that the ratio limit, and the bytes before it, do not depend on the cuts or on the size
/// of the output.
#[test]
fn the_ratio_limit_does_not_depend_on_the_cuts() {
    let mut payload = bomb(8 << 20);
    assert!(payload.len() > 8000);
    // Start with bytes that do not compress, so that early blocks are below the limit.
    let mut plain = vec![0x00, 0x00, 0x18, 0xff, 0xe7];
    plain.extend((0..0x1800_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8));
    payload.splice(0..0, plain);
    for ratio in [1, 10, 100, 500, 900] {
        let expected = inflate(&mut limited(u64::MAX, Some(ratio)), &[&payload], 1 << 20);
        if ratio < 500 {
            assert_eq!(expected.1, Err(InflateError::Ratio), "{ratio}");
            assert_eq!(expected.0.len() % (4096 * ratio as usize), 0);
        }
        for size in [1000, 4096, 65536] {
            for step in [1, 7, 4095, 4096, 4097, 10000] {
                let pieces: Vec<&[u8]> = payload.chunks(step).collect();
                let (message, result) = inflate(&mut limited(u64::MAX, Some(ratio)), &pieces, size);
                assert_eq!(
                    (message.len(), result),
                    (expected.0.len(), expected.1),
                    "{ratio} {step} {size}"
                );
            }
        }
    }
    assert_eq!(inflate(&mut limited(u64::MAX, Some(2000)), &[&payload], 1 << 20).1, Ok(()));
    // If a message reaches both limits, the error is the length limit.
    let (message, result) = inflate(&mut limited(4096, Some(1)), &[&bomb(1 << 20)], 1 << 20);
    assert_eq!((message.len(), result), (4096, Err(InflateError::TooLong)));
}

/// The next message is measured from its own first block.
#[test]
fn the_ratio_is_judged_per_message() {
    let payload = bomb(400 * 1000);
    let mut inflater = limited(u64::MAX, Some(100));
    for _ in 0..10 {
        assert_eq!(inflate(&mut inflater, &[&payload], 65536).1, Ok(()));
    }
    assert_eq!(inflate(&mut inflater, &[&bomb(500 * 1000)], 65536).1, Err(InflateError::Ratio));
}

/// Checks that a million empty final blocks cost work linear in their two bytes each. Otherwise
/// this test would not end.
#[test]
fn empty_final_blocks_do_not_spin() {
    for block in [&b"\x03\x00"[..], b"\x01\x00\x00\xff\xff"] {
        let payload = [block.repeat(1_000_000), vec![0x00]].concat();
        for size in [1, 4096] {
            assert_eq!(inflate(&mut inflater(), &[&payload], size), (vec![], Ok(())));
        }
        assert_eq!(inflate(&mut limited(0, Some(1)), &[&payload], 1), (vec![], Ok(())));
    }
}

/// Compares random payloads with the oracle: equal verdict and equal bytes at any cut.
#[test]
fn agrees_with_a_plain_inflater() {
    let mut state = 0x1234_5678_u32;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state
    };
    let mut sound = 0;
    for _ in 0..50_000 {
        // Short payloads with few distinct bytes are often valid.
        let length = 1 + random() as usize % 9;
        let mut payload: Vec<u8> = (0..length)
            .map(|_| match random() % 4 {
                0 => 0x00,
                1 => HELLO[random() as usize % HELLO.len()],
                2 => [0x62, 0x60, 0x04, 0xff, 0x02][random() as usize % 5],
                _ => random() as u8,
            })
            .collect();
        payload[0] &= 0xfe;
        let oracle = deflate_oracle::inflate(&[], &payload);
        if oracle.as_ref().is_some_and(|inflated| inflated.stopped) {
            continue;
        }
        let at = random() as usize % (length + 1);
        let (message, result) =
            inflate(&mut inflater(), &[&payload[..at], &payload[at..]], 1 + random() as usize % 40);
        match oracle {
            Some(inflated) => {
                sound += 1;
                assert_eq!((&message, result), (&inflated.bytes, Ok(())), "{payload:02x?}");
            }
            None => assert_eq!(result, Err(InflateError::Corrupt), "{payload:02x?}"),
        }
    }
    assert!(sound > 500, "{sound}");
}

/// Rule 50.
#[test]
fn rule_50_memory_is_shared_between_messages() {
    let mut pool = Pool::new(1);
    let mut connections: Vec<Inflater> =
        (0..10).map(|_| Inflater::new(Context::PER_MESSAGE, UNLIMITED)).collect();
    for connection in &mut connections {
        connection.borrow_from(&mut pool);
        assert_eq!(pool.len(), 0);
        let progress = connection.inflate(&HELLO[..3], &mut [0; 8], false).unwrap();
        connection.return_to(&mut pool);
        assert_eq!(pool.len(), 0, "a message is on its way");
        assert_eq!((progress.consumed, progress.produced), (3, 2));
        assert_eq!(whole(connection, &HELLO[3..]).as_deref(), Ok(&b"llo"[..]));
        connection.return_to(&mut pool);
        assert_eq!(pool.len(), 1);
    }
    let mut keeps = inflater();
    keeps.borrow_from(&mut pool);
    assert_eq!(whole(&mut keeps, HELLO).as_deref(), Ok(&b"Hello"[..]));
    keeps.return_to(&mut pool);
    assert!(pool.is_empty(), "a context belongs to its connection");
    assert_eq!(whole(&mut keeps, b"\xf2\x00\x11\x00\x00").as_deref(), Ok(&b"Hello"[..]));
}

/// Rule 49: the output of a block is complete before the next block starts, so that the ratio of a
/// block does not depend on the space in the output.
#[test]
fn the_ratio_limit_does_not_depend_on_the_room() {
    let bomb = bomb(5 << 20);
    assert!(bomb.len() > 4096);
    let mut tried = 0;
    for length in (1..2000_u16).step_by(97) {
        // A stored block and a bomb. Its first 4096 bytes inflate to a little more than the ratio
        // allows.
        let mut payload = vec![0x00];
        payload.extend([length.to_le_bytes(), (!length).to_le_bytes()].concat());
        payload.extend(vec![7; usize::from(length)]);
        payload.extend(&bomb);
        let first = inflate(&mut inflater(), &[&payload[..4096], b""], 8 << 20).0.len();
        if !(50..2000).contains(&(first % 4096)) {
            continue;
        }
        tried += 1;
        let ratio = Some((first / 4096) as u32);
        // After it, blocks that hardly inflate.
        payload.extend([0x00, 0x00, 0xff, 0xff]);
        payload.extend([&[0x00, 0x00, 0x10, 0xff, 0xef][..], &[7; 0x1000]].concat().repeat(10));
        payload.push(0x00);
        assert_eq!(inflate(&mut inflater(), &[&payload], 8 << 20).1, Ok(()));
        for size in [8 << 20, 10, 100, 1000, 4096] {
            let (message, result) = inflate(&mut limited(u64::MAX, ratio), &[&payload], size);
            let expected = (first / 4096 * 4096, Err(InflateError::Ratio));
            assert_eq!((message.len(), result), expected, "{length} {size}");
        }
    }
    assert!(tried > 0);
}

/// Checks that a message has begun with its first byte, even before the first output. The pool does
/// not lend its memory to others.
#[test]
fn a_message_has_begun_with_its_first_byte() {
    let mut pool = Pool::new(4);
    let mut inflater = Inflater::new(Context::PER_MESSAGE, UNLIMITED);
    assert!(inflater.is_between_messages());
    let progress = inflater.inflate(&HELLO[..1], &mut [0; 64], false).unwrap();
    assert_eq!((progress.consumed, progress.produced), (1, 0));
    assert!(!inflater.is_between_messages());
    inflater.return_to(&mut pool);
    assert!(pool.is_empty());
    let mut output = [0; 64];
    let progress = inflater.inflate(&HELLO[1..], &mut output, true).unwrap();
    assert_eq!((&output[..progress.produced], progress.step), (&b"Hello"[..], Step::End));
    assert!(inflater.is_between_messages());
    inflater.return_to(&mut pool);
    assert_eq!((pool.len(), pool.is_empty()), (1, false));
}

/// Checks that an inflater with memory borrows none from the pool, because it needs its own window.
#[test]
fn an_inflater_with_memory_does_not_borrow() {
    let mut pool = Pool::new(4);
    let mut other = Inflater::new(Context::PER_MESSAGE, UNLIMITED);
    assert_eq!(inflate(&mut other, &[HELLO], 64), (b"Hello".to_vec(), Ok(())));
    other.return_to(&mut pool);
    assert_eq!(pool.len(), 1);
    let mut inflater = inflater();
    assert_eq!(inflate(&mut inflater, &[HELLO], 64), (b"Hello".to_vec(), Ok(())));
    inflater.borrow_from(&mut pool);
    assert_eq!(pool.len(), 1);
    // "Hello" by reference to the first.
    let again = b"\xf2\x00\x11\x00\x00";
    assert_eq!(inflate(&mut inflater, &[again], 64), (b"Hello".to_vec(), Ok(())));
}

/// Checks that a pool keeps as many as its limit, also a limit of none.
#[test]
fn a_pool_keeps_no_more_than_it_may() {
    for most in [0, 1, 3] {
        let mut pool = Pool::new(most);
        assert!(pool.is_empty());
        let mut inflaters = [(); 5].map(|()| Inflater::new(Context::PER_MESSAGE, UNLIMITED));
        for inflater in &mut inflaters {
            inflate(inflater, &[HELLO], 64).1.unwrap();
        }
        inflaters.iter_mut().for_each(|inflater| inflater.return_to(&mut pool));
        assert_eq!(pool.len(), most);
        let config = DeflateConfig::DEFAULT;
        let mut deflaters = [(); 5].map(|()| Deflater::new(Context::PER_MESSAGE, &config));
        for deflater in &mut deflaters {
            assert_eq!(deflater.deflate(b"Hello", &mut [0; 64], Flush::End).step, Step::End);
        }
        deflaters.iter_mut().for_each(|deflater| deflater.return_to(&mut pool));
        assert_eq!(pool.len(), 2 * most);
        pool.clear();
        assert!(pool.is_empty());
    }
}

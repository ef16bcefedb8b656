//! Tests that masking is the XOR of RFC 6455 section 5.3, at every length up to the widest blocks
//! and at every alignment, in place and into the output.

use sockless::{FnEntropy, Sender, WriteBuffer, mask};

const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];
const LONGEST: usize = 600;
/// Beyond the alignment of any block.
const PLACES: usize = 65;

/// Returns octet `i` of the payload XOR octet `i` modulo 4 of the key.
fn masked(payload: &[u8]) -> Vec<u8> {
    payload.iter().enumerate().map(|(i, byte)| byte ^ KEY[i % 4]).collect()
}

fn payload() -> Vec<u8> {
    (0..LONGEST).map(|i| (i * 7 + i / 256) as u8).collect()
}

#[test]
fn in_place_at_every_length_and_place() {
    let payload = payload();
    let expected = masked(&payload);
    let mut memory = vec![0; PLACES + LONGEST + 1];
    for place in 0..PLACES {
        for length in 0..=LONGEST {
            memory.fill(0xAA);
            memory[place..place + length].copy_from_slice(&payload[..length]);
            let next = mask(&mut memory[place..place + length], KEY);
            assert_eq!(memory[place..place + length], expected[..length], "{length} at {place}");
            assert_eq!(
                next,
                core::array::from_fn(|i| KEY[(length + i) % 4]),
                "{length} at {place}"
            );
            let (before, behind) = (&memory[..place], &memory[place + length..]);
            assert!(before.iter().chain(behind).all(|&byte| byte == 0xAA), "{length} at {place}");
        }
    }
}

#[test]
fn into_the_output_at_every_length_and_place() {
    let payload = payload();
    let expected = masked(&payload);
    let mut tx = WriteBuffer::new([0; 2048]);
    for place in 0..PLACES {
        for length in 0..=LONGEST {
            let mut sender = Sender::client(FnEntropy::new(|key: &mut [u8]| {
                key.copy_from_slice(&KEY);
                Ok(())
            }));
            tx.clear();
            sender.ping(&payload[..place], &mut tx).unwrap();
            sender.binary(&payload[..length], &mut tx).unwrap();
            let sent = tx.bytes();
            assert_eq!(sent[sent.len() - length..], expected[..length], "{length} behind {place}");
        }
    }
}

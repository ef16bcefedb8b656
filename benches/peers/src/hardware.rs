//! Measures the limits of the hardware on equal bytes, without parsing and checks. These are
//! bounds, not candidates.

use std::hint::black_box;

use crate::candidate::Receive;
use crate::kernel::{Outcome, Source};
use crate::workload::{Message, Role, Tally, Wire};

/// Copies the stream like the kernel, and unmasks all of it as a single payload.
struct Stream {
    source: Source,
    wire: &'static Wire,
    memory: Vec<u8>,
    key: Option<[u8; 4]>,
}

/// Validates each payload as text, and does nothing else.
struct Utf8Validator {
    messages: &'static [Message],
    valid: fn(&[u8]) -> bool,
}

/// The rows for a stream.
pub fn rows(
    role: Role,
    wire: &'static Wire,
    messages: &'static [Message],
) -> Vec<(&'static str, Box<dyn Receive>)> {
    let stream =
        |key| Stream { source: Source::endless(wire), wire, memory: vec![0; 64 * 1024], key };
    let mut rows: Vec<(&'static str, Box<dyn Receive>)> =
        vec![("copy alone", Box::new(stream(None)))];
    if role == Role::Server {
        rows.push(("copy, XOR", Box::new(stream(Some([0x37, 0xfa, 0x21, 0x3d])))));
    }
    if wire.all_text {
        rows.push((
            "UTF-8, core",
            Box::new(Utf8Validator { messages, valid: |bytes| std::str::from_utf8(bytes).is_ok() }),
        ));
        rows.push((
            "UTF-8, simdutf8",
            Box::new(Utf8Validator {
                messages,
                valid: |bytes| simdutf8::basic::from_utf8(bytes).is_ok(),
            }),
        ));
    }
    rows
}

impl Receive for Stream {
    fn receive(&mut self, _: usize, _: &mut Tally) -> Outcome {
        let mut left = self.wire.bytes.len();
        while left > 0 {
            let read = self.source.fill(&mut self.memory);
            if let Some(key) = black_box(self.key) {
                let bytes = &mut self.memory[..read];
                let wide = u64::from_ne_bytes([
                    key[0], key[1], key[2], key[3], key[0], key[1], key[2], key[3],
                ]);
                let (words, rest) = bytes.as_chunks_mut();
                for word in words {
                    *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
                }
                for (byte, key) in rest.iter_mut().zip(key.iter().cycle()) {
                    *byte ^= key;
                }
            }
            black_box(&mut self.memory);
            left -= read;
        }
        Ok(())
    }
}

impl Receive for Utf8Validator {
    fn receive(&mut self, _: usize, _: &mut Tally) -> Outcome {
        let valid = self.messages.iter().all(|message| (self.valid)(black_box(&message.payload)));
        if valid { Ok(()) } else { Err("text that is not".into()) }
    }
}

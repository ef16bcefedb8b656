//! Checks each candidate before the measurement: it must deliver the right messages. Records the
//! violations that it accepts.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::candidate::{CLOSED, Candidate, Send};
use crate::kernel::{Drain, Outcome, Source};
use crate::workload::{
    ACCEPT, Kind, Message, Role, Tally, Wire, digest_of, frame, request_wire, unframe,
};

/// Runs code that may panic, because some candidates panic on unexpected input.
fn guarded<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err("panicked".into()))
}

/// Reads the stream three times. Checks count, order, kind and content of every message, and that
/// pongs are well-formed.
pub fn receive(candidate: &dyn Candidate, role: Role, wire: &'static Wire) -> Outcome {
    let (drain, record) = Drain::recording();
    let Some(mut receiver) = candidate.receiver(role, Source::endless(wire), drain) else {
        return Err("cannot receive".into());
    };
    for _ in 0..3 {
        let mut tally = Tally::checking();
        guarded(|| receiver.receive(wire.messages, &mut tally))?;
        if tally.messages != wire.messages {
            return Err(format!("{} messages instead of {}", tally.messages, wire.messages));
        }
        if tally.digest() != wire.digest {
            return Err("other messages than were sent".into());
        }
        let mut pongs = 0;
        let mut other = false;
        unframe(&record.borrow(), role == Role::Client, |first, payload| {
            pongs += usize::from(first == 0x8a);
            other |= first != 0x8a || payload != b"sixteen bytes ok";
        })?;
        // One pong may answer several pings, but there must be one.
        if other || pongs > wire.pings || (pongs == 0 && wire.pings > 0) {
            return Err(format!("{pongs} pongs for {} pings", wire.pings));
        }
        record.borrow_mut().clear();
    }
    Ok(())
}

/// Sends all messages twice. The output must have equal messages, framed as the role demands.
pub fn send(
    candidate: &dyn Candidate,
    role: Role,
    messages: &'static [Message],
) -> Option<Outcome> {
    let (drain, record) = Drain::recording();
    let mut sender = candidate.sender(role, drain, messages)?;
    Some(sends(&mut *sender, &record, role, messages))
}

fn sends(
    sender: &mut dyn Send,
    record: &RefCell<Vec<u8>>,
    role: Role,
    messages: &'static [Message],
) -> Outcome {
    for _ in 0..2 {
        guarded(|| sender.send())?;
        let mut sent = Vec::new();
        unframe(&record.borrow(), role == Role::Client, |first, payload| {
            let kind = if first == 0x81 { Kind::Text } else { Kind::Binary };
            sent.push((first, Message { kind, payload: payload.into() }));
        })?;
        if sent.iter().any(|(first, _)| !matches!(first, 0x81 | 0x82))
            || sent.len() != messages.len()
        {
            return Err("not one frame for each message".into());
        }
        if digest_of(sent.iter().map(|(_, message)| message)) != digest_of(messages.iter()) {
            return Err("other messages than were given".into());
        }
        record.borrow_mut().clear();
    }
    Ok(())
}

/// The response is a 101 with the right accept value.
pub fn handshake(candidate: &dyn Candidate) -> Option<Outcome> {
    let wire: &'static Wire = Box::leak(Box::new(request_wire()));
    let (drain, record) = Drain::recording();
    let mut server = candidate.handshake(Source::endless(wire), drain)?;
    for _ in 0..2 {
        record.borrow_mut().clear();
        if let Err(error) = guarded(|| server.shake()) {
            return Some(Err(error));
        }
        let answer = record.borrow();
        if !answer.starts_with(b"HTTP/1.1 101 ")
            || !answer.ends_with(b"\r\n\r\n")
            || !answer.windows(ACCEPT.len()).any(|window| window == ACCEPT)
        {
            return Some(Err("not the right 101".into()));
        }
    }
    Some(Ok(()))
}

/// A violation of RFC 6455, and the role that commits it.
struct Violation {
    name: &'static str,
    against: Role,
    bytes: fn(&mut Vec<u8>),
}

const KEY: Option<[u8; 4]> = Some([0x37, 0xfa, 0x21, 0x3d]);

/// Returns the violations that a strict receiver refuses.
const VIOLATIONS: &[Violation] = &[
    Violation {
        name: "unmasked frame from a client",
        against: Role::Server,
        bytes: |out| frame(out, 0x82, None, b"abcd"),
    },
    Violation {
        name: "masked frame from a server",
        against: Role::Client,
        bytes: |out| frame(out, 0x82, KEY, b"abcd"),
    },
    Violation {
        name: "reserved bit",
        against: Role::Server,
        bytes: |out| frame(out, 0xc2, KEY, b"abcd"),
    },
    Violation {
        name: "unknown data opcode",
        against: Role::Server,
        bytes: |out| frame(out, 0x83, KEY, b"abcd"),
    },
    Violation {
        name: "unknown control opcode",
        against: Role::Server,
        bytes: |out| frame(out, 0x8b, KEY, b"abcd"),
    },
    Violation {
        name: "length not in its shortest form",
        against: Role::Server,
        bytes: |out| out.extend(b"\x82\xfe\x00\x04\0\0\0\0abcd"),
    },
    Violation {
        name: "fragmented ping",
        against: Role::Server,
        bytes: |out| frame(out, 0x09, KEY, b"abcd"),
    },
    Violation {
        name: "ping of 126 bytes",
        against: Role::Server,
        bytes: |out| frame(out, 0x89, KEY, &[b'a'; 126]),
    },
    Violation {
        name: "pong of 126 bytes",
        against: Role::Server,
        bytes: |out| frame(out, 0x8a, KEY, &[b'a'; 126]),
    },
    Violation {
        name: "continuation of nothing",
        against: Role::Server,
        bytes: |out| frame(out, 0x80, KEY, b"abcd"),
    },
    Violation {
        name: "message inside a message",
        against: Role::Server,
        bytes: |out| {
            frame(out, 0x02, KEY, b"abcd");
            frame(out, 0x82, KEY, b"abcd");
        },
    },
    Violation {
        name: "text that is not UTF-8",
        against: Role::Server,
        bytes: |out| frame(out, 0x81, KEY, b"ab\xff\xfe"),
    },
    Violation {
        name: "the same across fragments",
        against: Role::Server,
        bytes: |out| {
            frame(out, 0x01, KEY, b"ab\xe4\xbd");
            frame(out, 0x80, KEY, b"abcd");
        },
    },
    Violation {
        name: "Close body of one byte",
        against: Role::Server,
        bytes: |out| frame(out, 0x88, KEY, b"\x03"),
    },
    Violation {
        name: "Close code 1005",
        against: Role::Server,
        bytes: |out| frame(out, 0x88, KEY, b"\x03\xed"),
    },
    Violation {
        name: "Close reason not UTF-8",
        against: Role::Server,
        bytes: |out| frame(out, 0x88, KEY, b"\x03\xe8\xff\xff"),
    },
];

/// Returns the reaction of a candidate to a violation that is followed by a valid message.
#[derive(PartialEq, Eq)]
pub enum Verdict {
    Refused,
    LetPass,
    Panicked,
}

/// Returns the names of the violations, and the reaction of each candidate.
pub fn strictness(candidates: &[Box<dyn Candidate>]) -> Vec<(&'static str, Vec<Verdict>)> {
    const AFTER: &[u8] = b"a good message";
    VIOLATIONS
        .iter()
        .map(|violation| {
            let key = if violation.against == Role::Server { KEY } else { None };
            let mut bytes = Vec::new();
            (violation.bytes)(&mut bytes);
            frame(&mut bytes, 0x82, key, AFTER);
            let cuts = vec![bytes.len()];
            let wire = Wire { bytes, cuts, messages: 2, pings: 0, digest: 0, all_text: false };
            let wire: &'static Wire = Box::leak(Box::new(wire));
            let verdicts = candidates
                .iter()
                .map(|candidate| judge(&**candidate, violation.against, wire, AFTER));
            (violation.name, verdicts.collect())
        })
        .collect()
}

fn judge(candidate: &dyn Candidate, role: Role, wire: &'static Wire, after: &[u8]) -> Verdict {
    let (drain, record) = Drain::recording();
    let Some(mut receiver) = candidate.receiver(role, Source::once(wire), drain) else {
        return Verdict::Refused;
    };
    let mut tally = Tally::checking();
    for _ in 0..wire.messages {
        match guarded(|| receiver.receive(1, &mut tally)) {
            Ok(()) if tally.last() == after => return Verdict::LetPass,
            Ok(()) => {}
            Err(error) if error == "panicked" => return Verdict::Panicked,
            Err(error) if error == CLOSED => {
                // A candidate accepts the Close, unless its reply has the code of an error.
                let mut complaint = false;
                let _ = unframe(&record.borrow(), role == Role::Client, |first, payload| {
                    complaint |= first == 0x88 && matches!(payload[..], [0x03, 0xea | 0xef, ..]);
                });
                return if complaint { Verdict::Refused } else { Verdict::LetPass };
            }
            Err(_) => return Verdict::Refused,
        }
    }
    Verdict::LetPass
}

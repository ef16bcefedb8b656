//! Lists conversations on an open connection, with a server that echoes.

use super::{Case, in_pieces};
use crate::wire::{BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, Said, TEXT, close, frame, masked};

/// A conversation on an open connection: the input of the client, the expected frames and the
/// verdict.
pub struct Talk {
    pub name: &'static str,
    pub input: Vec<u8>,
    pub frames: Vec<(u8, Vec<u8>)>,
    pub verdict: u32,
}

/// Returns the cases of an image whose connection is open from the start.
pub fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for talk in talks() {
        let said = || Said { head: String::new(), frames: talk.frames.clone() };
        cases.extend(in_pieces(talk.name, &talk.input, said, talk.verdict));
    }
    let Talk { name, input, frames, verdict } = too_many_fragments();
    let said = Some(Said { head: String::new(), frames });
    cases.push(Case { name: name.into(), piece: 1 << 20, input, said, verdict });
    cases
}

/// Returns the cases of [`all`] and a message of 1 MiB in one frame. The message is about 1000
/// times as large as the buffers.
pub fn with_a_long_message() -> Vec<Case> {
    let text: String =
        "Ein Zeichen kann zwei Bytes haben (ä, é) oder drei (水, €), auch vier (𝄞). "
            .repeat(1 << 14);
    let text: Vec<u8> = text.into_bytes().into_iter().take(1 << 20).collect();
    let whole = String::from_utf8_lossy(&text).trim_end_matches('\u{FFFD}').to_owned();
    let padding = " ".repeat((1 << 20) - whole.len());
    let text = (whole + &padding).into_bytes();
    let input = [masked(FIN | TEXT, &text), masked(FIN | CLOSE, &close(1000, ""))].concat();
    let frames = || vec![(TEXT, text.clone()), (CLOSE, close(1000, ""))];
    let mut cases = all();
    for piece in [64, 511, 1 << 20] {
        cases.push(Case {
            name: format!("a text of 1 MiB, reads of {piece}"),
            piece,
            input: input.clone(),
            said: Some(Said { head: String::new(), frames: frames() }),
            verdict: 1000,
        });
    }
    cases
}

/// Returns a conversation with more fragments than the default limit allows.
fn too_many_fragments() -> Talk {
    let mut input = masked(TEXT, b"");
    for _ in 0..140_000 {
        input.extend(masked(CONTINUATION, b""));
    }
    Talk {
        name: "140000 empty fragments",
        input,
        frames: vec![(CLOSE, close(1008, ""))],
        verdict: 1008,
    }
}

/// Returns conversations whose messages have at most 1000 bytes.
pub fn talks() -> Vec<Talk> {
    let binary: Vec<u8> = (0..300_u16).map(|i| ((i * 7) >> 1) as u8).collect();
    let good = || (TEXT, b"good".to_vec());
    let mut talks = vec![
        Talk {
            name: "text, binary, fragments with a ping between, and a Close",
            input: [
                masked(FIN | TEXT, b"Hello"),
                masked(FIN | BINARY, &binary),
                masked(FIN | TEXT, "κόσμε".as_bytes()),
                masked(TEXT, b"gr\xC3"),
                masked(FIN | PING, b"between"),
                masked(CONTINUATION, b""),
                masked(CONTINUATION, b"\xBC"),
                masked(FIN | PONG, b"nobody asked"),
                masked(FIN | CONTINUATION, b"n"),
                masked(FIN | BINARY, b""),
                masked(FIN | PING, &[b'p'; 125]),
                masked(FIN | CLOSE, &close(1000, "bye")),
                masked(FIN | TEXT, b"behind the Close"),
            ]
            .concat(),
            frames: vec![
                (TEXT, b"Hello".to_vec()),
                (BINARY, binary),
                (TEXT, "κόσμε".into()),
                (PONG, b"between".to_vec()),
                (TEXT, "grün".into()),
                (BINARY, vec![]),
                (PONG, vec![b'p'; 125]),
                (CLOSE, close(1000, "")),
            ],
            verdict: 1000,
        },
        Talk {
            name: "a Close without a code",
            input: masked(FIN | CLOSE, b""),
            frames: vec![(CLOSE, vec![])],
            verdict: 1005,
        },
        Talk {
            name: "an end inside a frame",
            input: [masked(FIN | TEXT, b"good"), vec![0x82, 0xFE, 0x01]].concat(),
            frames: vec![good()],
            verdict: 1006,
        },
        Talk { name: "an end before anything", input: vec![], frames: vec![], verdict: 1006 },
        Talk {
            name: "three hundred pings",
            input: [
                (0..300_u16).flat_map(|i| masked(FIN | PING, &i.to_be_bytes())).collect(),
                masked(FIN | CLOSE, b""),
            ]
            .concat(),
            frames: (0..300_u16)
                .map(|i| (PONG, i.to_be_bytes().to_vec()))
                .chain([(CLOSE, vec![])])
                .collect(),
            verdict: 1005,
        },
    ];
    let mut fails = |name, bytes: Vec<u8>, code: u16| {
        talks.push(Talk {
            name,
            // The first message shows that the connection was open, the last one that it is closed.
            input: [masked(FIN | TEXT, b"good"), bytes, masked(FIN | TEXT, b"behind")].concat(),
            frames: vec![good(), (CLOSE, close(code, ""))],
            verdict: code.into(),
        });
    };
    fails("not masked", frame(FIN | TEXT, None, b"x"), 1002);
    fails("empty and not masked", frame(FIN | BINARY, None, b""), 1002);
    fails("RSV1", masked(FIN | 0x40 | TEXT, b"x"), 1002);
    fails("RSV2", masked(FIN | 0x20 | TEXT, b"x"), 1002);
    fails("RSV3", masked(FIN | 0x10 | PING, b"x"), 1002);
    fails("opcode 3", masked(FIN | 0x3, b"x"), 1002);
    fails("opcode 7", masked(FIN | 0x7, b"x"), 1002);
    fails("opcode 11", masked(FIN | 0xB, b"x"), 1002);
    fails("opcode 15", masked(FIN | 0xF, b"x"), 1002);
    fails("a fragmented ping", masked(PING, b"x"), 1002);
    fails("a ping of 126 bytes", masked(FIN | PING, &[0; 126]), 1002);
    fails("a pong of 200 bytes", masked(FIN | PONG, &[0; 200]), 1002);
    fails("a length of 125 in two bytes", vec![0x82, 0xFE, 0, 125, 1, 2, 3, 4], 1002);
    fails(
        "a length of 65535 in eight bytes",
        vec![0x82, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 1, 2, 3, 4],
        1002,
    );
    fails(
        "a length of 2^63 - 1",
        [&[0x82, 0xFF, 0x7F][..], &[0xFF; 7], &[1, 2, 3, 4]].concat(),
        1009,
    );
    fails("a length of 2^63", [&[0x82, 0xFF, 0x80][..], &[0; 7], &[1, 2, 3, 4]].concat(), 1002);
    fails(
        "a length of 2^64 - 4",
        [&[0x82, 0xFF][..], &[0xFF; 7], &[0xFC, 1, 2, 3, 4]].concat(),
        1002,
    );
    fails("a length of 2^64 - 1", [&[0x82, 0xFF][..], &[0xFF; 8], &[1, 2, 3, 4]].concat(), 1002);
    fails("a length of 2^32 + 5", vec![0x82, 0xFF, 0, 0, 0, 1, 0, 0, 0, 5, 1, 2, 3, 4], 1009);
    fails(
        "lengths that add up to more than 2^32",
        [masked(BINARY, b"x"), vec![0x80, 0xFF, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2, 3, 4]]
            .concat(),
        1009,
    );
    fails("a continuation of nothing", masked(FIN | CONTINUATION, b"x"), 1002);
    fails("a text inside a message", [masked(TEXT, b"x"), masked(FIN | TEXT, b"y")].concat(), 1002);
    talks.push(Talk {
        name: "a text inside a message, behind a ping",
        input: [masked(BINARY, b"x"), masked(FIN | PING, b"?"), masked(FIN | TEXT, b"y")].concat(),
        frames: vec![(PONG, b"?".to_vec()), (CLOSE, close(1002, ""))],
        verdict: 1002,
    });
    let mut fails = |name, bytes: Vec<u8>, code: u16| {
        talks.push(Talk {
            name,
            input: bytes,
            frames: vec![(CLOSE, close(code, ""))],
            verdict: code.into(),
        });
    };
    fails("text that begins inside a character", masked(FIN | TEXT, b"\x80abc"), 1007);
    fails("an overlong character", masked(FIN | TEXT, b"abc\xC0\x80"), 1007);
    fails("a surrogate", masked(FIN | TEXT, b"abc\xED\xA0\x80abc"), 1007);
    fails("a character past U+10FFFF", masked(FIN | TEXT, b"abc\xF4\x90\x80\x80"), 1007);
    fails("a character that does not end", masked(FIN | TEXT, b"abc\xE2\x82"), 1007);
    fails(
        "a bad character over two frames",
        [masked(TEXT, b"\xE0"), masked(FIN | CONTINUATION, b"\x80")].concat(),
        1007,
    );
    fails(
        "a bad first byte of a frame that is not whole",
        masked(FIN | TEXT, &[0xFF; 900])[..9].to_vec(),
        1007,
    );
    fails("a Close of one byte", masked(FIN | CLOSE, b"\x03"), 1002);
    for (name, code) in [
        ("Close 0", 0),
        ("Close 999", 999),
        ("Close 1004", 1004),
        ("Close 1005", 1005),
        ("Close 1006", 1006),
        ("Close 1015", 1015),
        ("Close 1016", 1016),
        ("Close 2999", 2999),
        ("Close 5000", 5000),
        ("Close 65535", 65535),
    ] {
        fails(name, masked(FIN | CLOSE, &close(code, "")), 1002);
    }
    fails("a Close whose reason is not text", masked(FIN | CLOSE, b"\x03\xE8bye \xC3"), 1007);
    fails("a Close of 126 bytes", masked(FIN | CLOSE, &[3; 126]), 1002);
    talks
}

//! Generates streams of frames. Most are valid, because random bytes fail at the first header.

use sockless::MessageKind;

/// One element of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Piece {
    /// A text in frames that end at these places. It is UTF-8 if its letters are.
    Text {
        letters: Vec<char>,
        cuts: Vec<u8>,
        pings: bool,
    },
    /// Binary data, in frames that end at these places.
    Binary {
        bytes: Vec<u8>,
        cuts: Vec<u8>,
        pings: bool,
    },
    /// A text that may be invalid.
    RawText {
        bytes: Vec<u8>,
        cuts: Vec<u8>,
    },
    /// A length that needs the two-byte form.
    Long {
        len: u16,
        kind: u8,
    },
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close {
        code: u16,
        reason: Vec<char>,
    },
    /// A frame with any first byte, and a payload of this length.
    Frame {
        first: u8,
        len: u8,
    },
    /// A header alone, with its length in any form.
    Header {
        first: u8,
        short: u8,
        long: u64,
    },
    /// A frame with the wrong mask bit.
    WrongMask {
        first: u8,
        len: u8,
    },
    /// Raw bytes.
    Raw(Vec<u8>),
}

/// Returns the bytes of `pieces`, masked or not, and flips the byte that `flip` names.
pub fn encode(pieces: &[Piece], masked: bool, flip: Option<(u16, u8)>) -> Vec<u8> {
    let mut out = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Text { letters, cuts, pings } => {
                let text: String = letters.iter().collect();
                message(&mut out, MessageKind::Text, text.as_bytes(), cuts, *pings, masked);
            }
            Piece::Binary { bytes, cuts, pings } => {
                message(&mut out, MessageKind::Binary, bytes, cuts, *pings, masked);
            }
            Piece::RawText { bytes, cuts } => {
                message(&mut out, MessageKind::Text, bytes, cuts, false, masked);
            }
            Piece::Long { len, kind } => {
                let payload = vec![b'a' + kind % 20; usize::from(len % 2048)];
                frame(&mut out, 0x81 + kind % 2, &payload, masked);
            }
            Piece::Ping(payload) => {
                frame(&mut out, 0x89, &payload[..payload.len().min(125)], masked);
            }
            Piece::Pong(payload) => {
                frame(&mut out, 0x8A, &payload[..payload.len().min(125)], masked);
            }
            Piece::Close { code, reason } => {
                let reason: String = reason.iter().collect();
                let reason = sockless::truncate_reason(&reason);
                let payload = [&code.to_be_bytes()[..], reason.as_bytes()].concat();
                frame(&mut out, 0x88, &payload, masked);
            }
            Piece::Frame { first, len } => {
                frame(&mut out, *first, &vec![b'x'; usize::from(*len)], masked);
            }
            Piece::Header { first, short, long } => {
                out.push(*first);
                out.push(short & 0x7F | if masked { 0x80 } else { 0 });
                match short & 0x7F {
                    126 => out.extend((*long as u16).to_be_bytes()),
                    127 => out.extend(long.to_be_bytes()),
                    _ => {}
                }
                out.extend([1, 2, 3, 4]);
            }
            Piece::WrongMask { first, len } => {
                frame(&mut out, *first, &vec![b'x'; usize::from(*len)], !masked);
            }
            Piece::Raw(bytes) => out.extend(bytes),
        }
    }
    if let (Some((at, flip)), false) = (flip, out.is_empty()) {
        let at = usize::from(at) % out.len();
        out[at] ^= flip;
    }
    out
}

fn message(
    out: &mut Vec<u8>,
    kind: MessageKind,
    payload: &[u8],
    cuts: &[u8],
    pings: bool,
    masked: bool,
) {
    let mut opcode = if kind == MessageKind::Text { 1 } else { 2 };
    let mut rest = payload;
    for &cut in cuts {
        let (piece, tail) = rest.split_at(usize::from(cut).min(rest.len()));
        frame(out, opcode, piece, masked);
        if pings {
            frame(out, 0x89, &[cut], masked);
        }
        (opcode, rest) = (0, tail);
    }
    frame(out, 0x80 | opcode, rest, masked);
}

/// Returns a frame with its length in the shortest form, and a key that differs from frame to
/// frame.
pub fn frame(out: &mut Vec<u8>, first: u8, payload: &[u8], masked: bool) {
    out.push(first);
    let bit = if masked { 0x80 } else { 0 };
    if payload.len() < 126 {
        out.push(bit | payload.len() as u8);
    } else if payload.len() < 65536 {
        out.push(bit | 126);
        out.extend((payload.len() as u16).to_be_bytes());
    } else {
        out.push(bit | 127);
        out.extend((payload.len() as u64).to_be_bytes());
    }
    if masked {
        let key = (out.len() as u32).wrapping_mul(0x9E37_79B1).to_be_bytes();
        out.extend(key);
        out.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    } else {
        out.extend(payload);
    }
}

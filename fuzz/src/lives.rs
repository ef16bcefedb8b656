//! Compares streams of frames with the oracle, for inputs that a fuzzer can generate.

use arbitrary::Arbitrary;

use crate::model::drive::{Setup, Take, against_oracle, slices_against_oracle};
use crate::model::halves::{Send, Way};
use crate::model::oracle::Rules;
use crate::model::pipe;
use crate::model::stream::{Piece, encode};

/// The way to receive raw bytes, from the first byte of an input of the target `receiver`.
pub struct Byte(pub u8);

impl Byte {
    fn rules(&self) -> Rules {
        if self.0 & 4 == 0 {
            Rules::DEFAULT
        } else {
            Rules { max_frame: 100, max_message: 150, max_fragments: 4 }
        }
    }
}

/// Receives raw bytes. Bits of the first byte: as a server (1) or a client, with the end of the
/// stream (2), with small limits (4), in a small buffer (8).
pub fn raw(input: &[u8]) {
    let Some((&flags, input)) = input.split_first() else { return };
    let byte = Byte(flags);
    let rx = if flags & 8 == 0 { 4096 } else { 139 + usize::from(flags >> 4) };
    for take in [Take::Messages, Take::Chunks] {
        let setup = Setup { rx, tx: 4096, take, eof: flags & 2 != 0 };
        let masked = flags & 1 != 0;
        let whole = against_oracle(masked, byte.rules(), setup, input, []);
        let cut = against_oracle(masked, byte.rules(), setup, input, 1..=input.len());
        assert_eq!(whole.run, cut.run);
    }
    slices_against_oracle(flags & 1 != 0, byte.rules(), input, []);
    slices_against_oracle(flags & 1 != 0, byte.rules(), input, 1..=input.len());
}

/// A stream of pieces with cuts.
#[derive(Arbitrary, Debug)]
pub struct Cut {
    masked: bool,
    rules: Option<Rules>,
    chunks: bool,
    rx: u8,
    eof: bool,
    flip: Option<(u16, u8)>,
    cuts: Vec<u16>,
    pieces: Vec<Piece>,
}

/// Checks that the events, output and state do not depend on cuts, and equal the oracle's.
pub fn cut(cut: &Cut) {
    let input = encode(&cut.pieces, cut.masked, cut.flip);
    if input.len() > 1 << 14 {
        return;
    }
    let rules = cut.rules.unwrap_or(Rules::DEFAULT);
    let take = if cut.chunks { Take::Chunks } else { Take::Messages };
    // From the smallest permitted buffer to one that holds the whole stream.
    let rx = 139 + usize::from(cut.rx) * usize::from(cut.rx) / 4;
    let setup = Setup { rx, tx: 270, take, eof: cut.eof };
    let mut places: Vec<_> =
        cut.cuts.iter().map(|&at| usize::from(at) % (input.len() + 1)).collect();
    places.sort_unstable();
    slices_against_oracle(cut.masked, rules, &input, places.iter().copied());
    let whole = against_oracle(cut.masked, rules, setup, &input, []);
    let other = against_oracle(cut.masked, rules, setup, &input, places);
    assert_eq!(whole.run, other.run);
    if input.len() < 1000 {
        let bytewise = against_oracle(cut.masked, rules, setup, &input, 1..=input.len());
        assert_eq!(whole.run, bytewise.run);
    }
}

/// Items to send, and the way to receive them.
#[derive(Arbitrary, Debug)]
pub struct Trip {
    pub masks: bool,
    pub way: Way,
    pub pieces: Vec<u8>,
    pub sends: Vec<Send>,
}

/// A client, a server, and the operations on both.
#[derive(Arbitrary, Debug)]
pub struct Life {
    pub setup: pipe::Setup,
    pub ops: Vec<pipe::Op>,
}

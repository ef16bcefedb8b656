//! Generates numbers from a seed and mutates inputs, for the loops without a fuzzer.

/// The generator xorshift64.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// Returns 40 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 24
    }

    /// Returns a number less than `end`, which is less than 2^24.
    pub fn below(&mut self, end: usize) -> usize {
        ((self.bits() as usize & 0xFF_FFFF) * end) >> 24
    }

    pub fn choose<'a>(&mut self, files: &'a [Vec<u8>]) -> &'a Vec<u8> {
        &files[self.below(files.len())]
    }

    /// Returns the end of one of the files.
    pub fn piece<'a>(&mut self, files: &'a [Vec<u8>]) -> &'a [u8] {
        let file = self.choose(files);
        &file[self.below(file.len() + 1)..]
    }
}

/// Changes `input` at one place. `choose` returns random bytes.
pub fn mutate(input: &mut Vec<u8>, mut choose: impl FnMut() -> u8) {
    let place = usize::from(choose()) << 8 | usize::from(choose());
    let at = (place * (input.len() + 1)) >> 16;
    let byte = choose();
    match choose() % 6 {
        0 => input.insert(at, byte),
        1 => input.truncate(at),
        _ if at == input.len() => input.push(byte),
        2 => input[at] ^= 1 << (byte & 7),
        3 => input[at] = byte,
        4 => {
            input.remove(at);
        }
        _ => {
            let end = (at + usize::from(byte & 15)).min(input.len());
            let piece = input[at..end].to_vec();
            input.splice(at..at, piece);
        }
    }
}

//! Generates numbers from a seed, for the loops without a fuzzer.

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

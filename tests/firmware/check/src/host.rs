//! Implements the link of the board in memory.

use std::convert::Infallible;

use embedded_io::{ErrorType, Read, Write};

pub struct MemoryLink<'a> {
    input: &'a [u8],
    piece: usize,
    pub output: Vec<u8>,
}

impl<'a> MemoryLink<'a> {
    /// Returns a link whose reads have at most `piece` bytes of `input`, like those of the board.
    pub fn new(input: &'a [u8], piece: u32) -> Self {
        Self { input, piece: piece as usize, output: Vec::new() }
    }
}

impl ErrorType for MemoryLink<'_> {
    type Error = Infallible;
}

impl Read for MemoryLink<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        let count = self.piece.min(buffer.len()).min(self.input.len());
        let (now, later) = self.input.split_at(count);
        buffer[..count].copy_from_slice(now);
        self.input = later;
        Ok(count)
    }
}

impl Write for MemoryLink<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        self.output.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

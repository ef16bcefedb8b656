//! Transports in memory: a peer with fixed output, and a wire with two ends.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::convert::Infallible;

use embassy_futures::yield_now;

/// A peer that sends fixed bytes, at most `piece` a read, and records the bytes that it receives.
pub struct Script<'a> {
    says: &'a [u8],
    piece: usize,
    pub heard: Vec<u8>,
}

impl<'a> Script<'a> {
    pub fn new(says: &'a [u8], piece: usize) -> Self {
        Self { says, piece, heard: Vec::new() }
    }

    fn say(&mut self, buffer: &mut [u8]) -> usize {
        let count = self.piece.min(buffer.len()).min(self.says.len());
        let (now, later) = self.says.split_at(count);
        buffer[..count].copy_from_slice(now);
        self.says = later;
        count
    }

    /// Accepts a part of `bytes`, like a socket.
    fn hear(&mut self, bytes: &[u8]) -> usize {
        let count = self.piece.min(bytes.len());
        self.heard.extend_from_slice(&bytes[..count]);
        count
    }
}

impl embedded_io::ErrorType for Script<'_> {
    type Error = Infallible;
}

impl embedded_io::Read for Script<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        Ok(self.say(buffer))
    }
}

impl embedded_io::Write for Script<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        Ok(self.hear(bytes))
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

impl embedded_io_async::Read for Script<'_> {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        yield_now().await;
        Ok(self.say(buffer))
    }
}

impl embedded_io_async::Write for Script<'_> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        yield_now().await;
        Ok(self.hear(bytes))
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// A wire with two ends, numbered 0 and 1. Each direction is a queue of bytes, and `true` once it
/// has ended.
pub struct Wire {
    towards: [RefCell<(VecDeque<u8>, bool)>; 2],
}

/// One end of a [`Wire`].
pub struct End<'a> {
    wire: &'a Wire,
    number: usize,
}

impl Wire {
    pub fn new() -> Self {
        Self { towards: Default::default() }
    }

    pub fn end(&self, number: usize) -> End<'_> {
        End { wire: self, number }
    }

    /// Ends the stream from end `number` to the other end.
    pub fn hang_up(&self, number: usize) {
        self.towards[1 - number].borrow_mut().1 = true;
    }
}

impl embedded_io::ErrorType for End<'_> {
    type Error = Infallible;
}

impl embedded_io_async::Read for End<'_> {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        loop {
            {
                let (bytes, ended) = &mut *self.wire.towards[self.number].borrow_mut();
                let count = bytes.len().min(buffer.len());
                if count > 0 || *ended {
                    for (to, from) in buffer.iter_mut().zip(bytes.drain(..count)) {
                        *to = from;
                    }
                    return Ok(count);
                }
            }
            yield_now().await;
        }
    }
}

impl embedded_io_async::Write for End<'_> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        self.wire.towards[1 - self.number].borrow_mut().0.extend(bytes);
        Ok(bytes.len())
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

//! Buffers that connections borrow while there is something in them.
//!
//! An idle connection owns none: thousands of them share the few that are in use. So it is with the memory for
//! compression, where no context is kept from message to message.

use sockless::{ReadBuffer, WriteBuffer};

/// The largest request head, and the largest message that is taken whole (chat and log-in).
const READ: usize = 16 << 10;
/// Past so many unsent bytes nothing more is taken from the peer that is not reading.
pub const HIGH_MARK: usize = 64 << 10;
/// What one event can add to the output at most: a fragment of an echo and the rest behind it, or a page. What does
/// not compress may grow by a seventh where it is compressed.
const ONE_EVENT: usize = (crate::echo::FRAGMENT + READ) / 7 * 8 + (1 << 10);
const WRITE: usize = HIGH_MARK + ONE_EVENT;
/// More than so many at rest are given back to the allocator.
const KEPT: usize = 64;

pub type Rx = ReadBuffer<Box<[u8]>>;
pub type Tx = WriteBuffer<Box<[u8]>>;

pub struct Pool {
    read: Vec<Rx>,
    write: Vec<Tx>,
    pub deflate: sockless::deflate::Pool,
}

impl Default for Pool {
    fn default() -> Pool {
        // One connection has its turn at a time, so more than a few would serve nobody.
        Pool { read: Vec::new(), write: Vec::new(), deflate: sockless::deflate::Pool::new(4) }
    }
}

impl Pool {
    /// The buffer that a connection holds, or one from the pool.
    pub fn rx(&mut self, held: &mut Option<Rx>) -> Rx {
        held.take()
            .or_else(|| self.read.pop())
            .unwrap_or_else(|| ReadBuffer::new(vec![0; READ].into()))
    }

    /// Likewise for sending.
    pub fn tx(&mut self, held: &mut Option<Tx>) -> Tx {
        held.take()
            .or_else(|| self.write.pop())
            .unwrap_or_else(|| WriteBuffer::new(vec![0; WRITE].into()))
    }

    /// Takes a buffer back if there is nothing in it; else the connection goes on holding it.
    pub fn put_rx(&mut self, rx: Rx, held: &mut Option<Rx>) {
        if !rx.is_empty() {
            *held = Some(rx);
        } else if self.read.len() < KEPT {
            self.read.push(rx);
        }
    }

    /// Likewise for sending.
    pub fn put_tx(&mut self, tx: Tx, held: &mut Option<Tx>) {
        if !tx.is_empty() {
            *held = Some(tx);
        } else if self.write.len() < KEPT {
            self.write.push(tx);
        }
    }
}

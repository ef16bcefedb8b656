//! Buffers that connections borrow while there is something in them.
//!
//! An idle connection owns none: thousands of them share the few that are in use.

use sockless::{ReadBuffer, Storage, WriteBuffer};

/// The largest request head, and the largest message that is taken whole (chat and log-in).
const READ: usize = 16 << 10;
/// Past so many unsent bytes nothing more is taken from the peer that is not reading.
pub const HIGH_MARK: usize = 64 << 10;
/// What one event can add to the output at most: a fragment of an echo and the rest behind it, or a page.
const ONE_EVENT: usize = crate::echo::FRAGMENT + READ + (1 << 10);
const WRITE: usize = HIGH_MARK + ONE_EVENT;
/// More than so many at rest are given back to the allocator.
const KEPT: usize = 64;

/// Memory of a fixed size on the heap.
pub struct Memory(Box<[u8]>);

impl Memory {
    fn new(size: usize) -> Memory {
        Memory(vec![0; size].into_boxed_slice())
    }
}

impl AsRef<[u8]> for Memory {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl AsMut<[u8]> for Memory {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl Storage for Memory {}

pub type Rx = ReadBuffer<Memory>;
pub type Tx = WriteBuffer<Memory>;

#[derive(Default)]
pub struct Pool {
    read: Vec<Rx>,
    write: Vec<Tx>,
}

impl Pool {
    /// The buffer that a connection holds, or one from the pool.
    pub fn rx(&mut self, held: &mut Option<Rx>) -> Rx {
        held.take()
            .or_else(|| self.read.pop())
            .unwrap_or_else(|| ReadBuffer::new(Memory::new(READ)))
    }

    /// Likewise for sending.
    pub fn tx(&mut self, held: &mut Option<Tx>) -> Tx {
        held.take()
            .or_else(|| self.write.pop())
            .unwrap_or_else(|| WriteBuffer::new(Memory::new(WRITE)))
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

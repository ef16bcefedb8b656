//! Buffers that connections borrow while there is something in them.
//!
//! An idle connection owns none: thousands of them share the few that are in use. So it is with the memory for
//! compression, where no context is kept from message to message.
//!
//! A buffer for sending grows while it holds the echo of a large message that its client does not read yet. What all of
//! them have grown by is counted, and has a limit.

use std::cell::Cell;
use std::rc::Rc;

use sockless::{ReadBuffer, Storage, WriteBuffer};

use crate::echo::{FRAGMENT, MAX_MESSAGE};

/// Size of the buffers for reading. It bounds a request head and a message that is received whole (chat and log-in). A
/// message of [`FRAGMENT`] bytes fits with its header, so that it arrives in one read and is echoed without a copy.
const READ: usize = FRAGMENT + (1 << 10);
/// Past so many unsent bytes nothing more is begun for the client that is not reading.
pub const HIGH_MARK: usize = 64 << 10;
/// What one event can add to the output at most: a fragment of an echo and the rest behind it, or a page. What does
/// not compress may grow by a seventh where it is compressed.
const ONE_EVENT: usize = (FRAGMENT + READ) / 7 * 8 + (1 << 10);
/// Up to so many unsent bytes a connection is sent what others cause.
pub const NEWS_MARK: usize = HIGH_MARK + READ;
/// What a buffer for sending usually has: room for one event behind what is unsent and, as that is not moved to the front
/// each time, for as much that has left before it. In the middle of an echo alone there may be more.
const USUAL: usize = 2 * HIGH_MARK + ONE_EVENT;
/// What it has at most: room for the echo of the largest message behind what was unsent when it began. A 32nd more is
/// plenty for the headers of its fragments, for a Pong behind each, and for what compression adds to what it cannot
/// shorten.
const MOST: usize = USUAL + MAX_MESSAGE / 32 * 33;
/// What all buffers for sending may have grown by together. It is passed by one step of one buffer at most: a third of
/// [`MOST`].
pub const HELD_BY_ALL: usize = 1 << 30;
/// More than so many at rest are given back to the allocator.
const KEPT: usize = 64;

pub type Rx = ReadBuffer<Box<[u8]>>;
pub type Tx = WriteBuffer<Memory>;

/// The memory of a buffer for sending. What it has beyond the usual is counted with that of all others.
pub struct Memory {
    bytes: Vec<u8>,
    held_by_all: Rc<Cell<usize>>,
}

impl Memory {
    fn new(held_by_all: Rc<Cell<usize>>) -> Memory {
        Memory { bytes: vec![0; USUAL], held_by_all }
    }

    fn beyond_usual(&self) -> usize {
        self.bytes.len().saturating_sub(USUAL)
    }
}

impl AsRef<[u8]> for Memory {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl AsMut<[u8]> for Memory {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

impl Storage for Memory {
    fn limit(&self) -> usize {
        MOST
    }

    fn grow(&mut self, size: usize) -> bool {
        let len = self.bytes.len();
        if len < size && size <= MOST {
            // By half at least, so that the work of growing is linear in the bytes stored.
            let size = size.max(len + len / 2).min(MOST);
            self.bytes.reserve_exact(size - len);
            self.bytes.resize(size, 0);
            self.held_by_all.set(self.held_by_all.get() + size - len);
        }
        size <= self.bytes.len()
    }

    fn release(&mut self) {
        if self.beyond_usual() > 0 {
            *self = Memory::new(Rc::clone(&self.held_by_all));
        }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.held_by_all.set(self.held_by_all.get() - self.beyond_usual());
    }
}

pub struct Pool {
    read: Vec<Rx>,
    write: Vec<Tx>,
    pub deflate: sockless::deflate::Pool,
    held_by_all: Rc<Cell<usize>>,
    /// What that may become.
    hold: usize,
}

impl Pool {
    /// One whose buffers for sending may have `hold` bytes more than usual, all together.
    pub fn new(hold: usize) -> Pool {
        Pool {
            read: Vec::new(),
            write: Vec::new(),
            // One connection has its turn at a time, so more than a few would serve nobody.
            deflate: sockless::deflate::Pool::new(4),
            held_by_all: Rc::default(),
            hold,
        }
    }

    /// Whether more may be held for clients that do not read yet.
    pub fn may_hold(&self) -> bool {
        self.held_by_all.get() < self.hold
    }

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
            .unwrap_or_else(|| WriteBuffer::new(Memory::new(Rc::clone(&self.held_by_all))))
    }

    /// Takes a buffer back if there is nothing in it; else the connection goes on holding it.
    pub fn put_rx(&mut self, rx: Rx, held: &mut Option<Rx>) {
        if !rx.is_empty() {
            *held = Some(rx);
        } else if self.read.len() < KEPT {
            self.read.push(rx);
        }
    }

    /// Likewise for sending. What it has grown by is not kept.
    pub fn put_tx(&mut self, mut tx: Tx, held: &mut Option<Tx>) {
        tx.release();
        if !tx.is_empty() {
            *held = Some(tx);
        } else if self.write.len() < KEPT {
            self.write.push(tx);
        }
    }
}

#[cfg(test)]
mod tests {
    use sockless::Sender;

    use super::*;

    #[test]
    fn what_buffers_have_grown_by_is_counted_until_they_are_empty_or_gone() {
        let mut pool = Pool::new(USUAL);
        let (mut one, mut two) = (pool.tx(&mut None), pool.tx(&mut None));
        for _ in 0..3 {
            Sender::server().binary(&[0; HIGH_MARK / 2 + 1], &mut one).unwrap();
            one.consume(HIGH_MARK / 2);
            Sender::server().binary(&[0; HIGH_MARK / 2], &mut one).unwrap();
            Sender::server().binary(&[0; FRAGMENT], &mut one).unwrap();
            one.consume(HIGH_MARK + FRAGMENT / 2);
        }
        assert_eq!(pool.held_by_all.get(), 0, "the usual is not counted");
        Sender::server().binary(&[0; 2 * USUAL], &mut one).unwrap();
        Sender::server().binary(&[0; USUAL], &mut two).unwrap();
        assert!(!pool.may_hold());

        let mut held = None;
        one.consume(one.len() - 1);
        pool.put_tx(one, &mut held);
        assert!(!pool.may_hold(), "a buffer is as large as it was until all has left");
        let mut one = pool.tx(&mut held);
        one.clear();
        pool.put_tx(one, &mut held);
        assert!(held.is_none() && pool.may_hold());
        drop(two); // with its connection
        assert_eq!(pool.held_by_all.get(), 0);
        let again = pool.tx(&mut None);
        drop(again);
        assert_eq!(pool.held_by_all.get(), 0, "the pool keeps none that has grown");
    }

    #[test]
    fn a_buffer_has_a_limit() {
        let pool = Pool::new(HELD_BY_ALL);
        let mut memory = Memory::new(Rc::clone(&pool.held_by_all));
        memory.grow(MOST + 1);
        assert_eq!(memory.bytes.len(), USUAL);
        memory.grow(MOST - 1);
        memory.grow(MOST);
        assert_eq!((memory.bytes.len(), pool.held_by_all.get()), (MOST, MOST - USUAL));
    }
}

//! Lends buffers to connections that have unprocessed input or unsent output.
//!
//! An idle connection owns no buffer, so thousands of connections share a few. Without context
//! takeover, they share the memory for compression too.
//!
//! A write buffer grows while it holds the echo of a large message that its client does not read
//! yet. The total growth of all write buffers has a limit.

use std::cell::Cell;
use std::rc::Rc;

use sockless::{ReadBuffer, Storage, WriteBuffer};

use crate::echo::{FRAGMENT, MAX_MESSAGE};

/// Size of a read buffer in bytes. It limits request heads and whole messages (chat and log-in). A
/// message of [`FRAGMENT`] bytes fits with its header, so that one read returns the message and the
/// echo copies nothing.
const READ_BUFFER: usize = FRAGMENT + (1 << 10);
/// Unsent bytes beyond which the server reads no further input from a client.
pub const HIGH_WATER_MARK: usize = 64 << 10;
/// Largest output of one event in bytes: a full fragment of an echo and the rest of its message, or
/// a page. Compression may lengthen random data by a seventh.
const EVENT_OUTPUT: usize = (FRAGMENT + READ_BUFFER) / 7 * 8 + (1 << 10);
/// Unsent bytes up to which a connection receives the messages of others.
pub const BROADCAST_MARK: usize = HIGH_WATER_MARK + READ_BUFFER;
/// Initial size of a write buffer: unsent bytes up to the mark, the output of one event, and as
/// many sent bytes at the front, which are not removed after each write. Only an echo in progress
/// needs more.
const WRITE_BUFFER: usize = 2 * HIGH_WATER_MARK + EVENT_OUTPUT;
/// Largest size of a write buffer: the initial size, and the echo of the largest message. A 32nd of
/// the message is enough for frame headers, a Pong after each fragment, and data that does not
/// compress.
const MAX_WRITE_BUFFER: usize = WRITE_BUFFER + MAX_MESSAGE / 32 * 33;
/// Limit on the total growth of all write buffers. The last growth before the limit may exceed it
/// by a third of [`MAX_WRITE_BUFFER`].
pub const MAX_TOTAL_GROWTH: usize = 1 << 30;
/// Idle buffers that the pool keeps. It frees the others.
const MAX_IDLE: usize = 64;

pub type Rx = ReadBuffer<Box<[u8]>>;
pub type Tx = WriteBuffer<Memory>;

/// The memory of a write buffer. Its growth is part of the total.
pub struct Memory {
    bytes: Vec<u8>,
    total_growth: Rc<Cell<usize>>,
}

impl Memory {
    fn new(total_growth: Rc<Cell<usize>>) -> Memory {
        Memory { bytes: vec![0; WRITE_BUFFER], total_growth }
    }

    fn growth(&self) -> usize {
        self.bytes.len().saturating_sub(WRITE_BUFFER)
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
        MAX_WRITE_BUFFER
    }

    fn grow(&mut self, size: usize) -> bool {
        let len = self.bytes.len();
        if len < size && size <= MAX_WRITE_BUFFER {
            // Grow by at least half, so that the work is linear in the stored bytes.
            let size = size.max(len + len / 2).min(MAX_WRITE_BUFFER);
            self.bytes.reserve_exact(size - len);
            self.bytes.resize(size, 0);
            self.total_growth.set(self.total_growth.get() + size - len);
        }
        size <= self.bytes.len()
    }

    fn release(&mut self) {
        if self.growth() > 0 {
            *self = Memory::new(Rc::clone(&self.total_growth));
        }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.total_growth.set(self.total_growth.get() - self.growth());
    }
}

pub struct Pool {
    read: Vec<Rx>,
    write: Vec<Tx>,
    pub deflate: sockless::deflate::Pool,
    total_growth: Rc<Cell<usize>>,
    /// Limit on `total_growth`.
    hold: usize,
}

impl Pool {
    /// Makes an empty pool, whose write buffers may grow by `hold` bytes in total.
    pub fn new(hold: usize) -> Pool {
        Pool {
            read: Vec::new(),
            write: Vec::new(),
            // One connection runs at a time, so a few compressors are enough.
            deflate: sockless::deflate::Pool::new(4),
            total_growth: Rc::default(),
            hold,
        }
    }

    /// Returns `true` if write buffers may grow for clients that do not read yet.
    pub fn may_grow(&self) -> bool {
        self.total_growth.get() < self.hold
    }

    /// Takes the read buffer that a connection holds, or an empty buffer.
    pub fn take_rx(&mut self, held: &mut Option<Rx>) -> Rx {
        held.take()
            .or_else(|| self.read.pop())
            .unwrap_or_else(|| ReadBuffer::new(vec![0; READ_BUFFER].into()))
    }

    /// Takes the write buffer that a connection holds, or an empty buffer.
    pub fn take_tx(&mut self, held: &mut Option<Tx>) -> Tx {
        held.take()
            .or_else(|| self.write.pop())
            .unwrap_or_else(|| WriteBuffer::new(Memory::new(Rc::clone(&self.total_growth))))
    }

    /// Returns an empty buffer to the pool. The connection keeps a buffer with unread bytes.
    pub fn return_rx(&mut self, rx: Rx, held: &mut Option<Rx>) {
        if !rx.is_empty() {
            *held = Some(rx);
        } else if self.read.len() < MAX_IDLE {
            self.read.push(rx);
        }
    }

    /// Returns an empty buffer to the pool, without its growth. The connection keeps a buffer
    /// with unsent bytes.
    pub fn return_tx(&mut self, mut tx: Tx, held: &mut Option<Tx>) {
        tx.release();
        if !tx.is_empty() {
            *held = Some(tx);
        } else if self.write.len() < MAX_IDLE {
            self.write.push(tx);
        }
    }
}

#[cfg(test)]
mod tests {
    use sockless::Sender;

    use super::*;

    #[test]
    fn growth_is_counted_until_a_buffer_is_empty_or_dropped() {
        let mut pool = Pool::new(WRITE_BUFFER);
        let (mut one, mut two) = (pool.take_tx(&mut None), pool.take_tx(&mut None));
        for _ in 0..3 {
            Sender::server().binary(&[0; HIGH_WATER_MARK / 2 + 1], &mut one).unwrap();
            one.consume(HIGH_WATER_MARK / 2);
            Sender::server().binary(&[0; HIGH_WATER_MARK / 2], &mut one).unwrap();
            Sender::server().binary(&[0; FRAGMENT], &mut one).unwrap();
            one.consume(HIGH_WATER_MARK + FRAGMENT / 2);
        }
        assert_eq!(pool.total_growth.get(), 0, "the usual is not counted");
        Sender::server().binary(&[0; 2 * WRITE_BUFFER], &mut one).unwrap();
        Sender::server().binary(&[0; WRITE_BUFFER], &mut two).unwrap();
        assert!(!pool.may_grow());

        let mut held = None;
        one.consume(one.len() - 1);
        pool.return_tx(one, &mut held);
        assert!(!pool.may_grow(), "a buffer is as large as it was until all has left");
        let mut one = pool.take_tx(&mut held);
        one.clear();
        pool.return_tx(one, &mut held);
        assert!(held.is_none() && pool.may_grow());
        drop(two); // with its connection
        assert_eq!(pool.total_growth.get(), 0);
        let again = pool.take_tx(&mut None);
        drop(again);
        assert_eq!(pool.total_growth.get(), 0, "the pool keeps none that has grown");
    }

    #[test]
    fn a_buffer_has_a_limit() {
        let pool = Pool::new(MAX_TOTAL_GROWTH);
        let mut memory = Memory::new(Rc::clone(&pool.total_growth));
        memory.grow(MAX_WRITE_BUFFER + 1);
        assert_eq!(memory.bytes.len(), WRITE_BUFFER);
        memory.grow(MAX_WRITE_BUFFER - 1);
        memory.grow(MAX_WRITE_BUFFER);
        assert_eq!(
            (memory.bytes.len(), pool.total_growth.get()),
            (MAX_WRITE_BUFFER, MAX_WRITE_BUFFER - WRITE_BUFFER)
        );
    }
}

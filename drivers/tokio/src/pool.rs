//! Memory that the connections of a thread share: buffers, and compression without context.

use std::cell::RefCell;

use sockless::deflate::Pool;
use sockless::{Entropy, EntropyError, OsEntropy, Storage};

/// First size of a buffer in bytes. Sizes double, and each is a little more than a power of two: a
/// message of 64 KiB is read whole with its header. In a buffer of 64 KiB it would be moved down by
/// the length of its header, to make space for its end.
const FIRST: usize = (8 << 10) + 16;

/// Largest buffer in bytes that the pool keeps.
const LARGEST: usize = 32 * FIRST;

/// Most bytes of buffers that one thread keeps.
const MOST: usize = 4 << 20;

/// Most idle compressors, and decompressors, that one thread keeps.
const MOST_CODECS: usize = 8;

thread_local! {
    static BUFFERS: RefCell<Buffers> =
        const { RefCell::new(Buffers { idle: Vec::new(), bytes: 0 }) };
    static ENTROPY: RefCell<OsEntropy> = const { RefCell::new(OsEntropy::new()) };
    static CODECS: RefCell<Pool> = const { RefCell::new(Pool::new(MOST_CODECS)) };
}

struct Buffers {
    idle: Vec<Vec<u8>>,
    bytes: usize,
}

/// Runs `f` with the thread's compressors. `f` must not call this function.
pub(crate) fn with_codecs(f: impl FnOnce(&mut Pool)) {
    // During the destruction of the thread there is no pool; the codec is freed with its
    // connection.
    let _ = CODECS.try_with(|pool| {
        if let Ok(mut pool) = pool.try_borrow_mut() {
            f(&mut pool);
        }
    });
}

/// The operating system's entropy, in a block that the connections of a thread share.
#[derive(Debug)]
pub(crate) struct ThreadEntropy;

impl Entropy for ThreadEntropy {
    #[inline]
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        let filled =
            ENTROPY.try_with(|entropy| entropy.try_borrow_mut().map(|mut e| e.fill(bytes)));
        match filled {
            Ok(Ok(filled)) => filled,
            _ => OsEntropy::<0>::with_block().fill(bytes),
        }
    }
}

/// A buffer's memory. It comes from the thread's pool, and returns to it when it is released or
/// dropped.
#[derive(Debug)]
pub(crate) struct Pooled {
    bytes: Vec<u8>,
    limit: usize,
}

impl Pooled {
    /// Creates memory that is empty and grows to at most `limit` bytes.
    pub(crate) const fn new(limit: usize) -> Pooled {
        Pooled { bytes: Vec::new(), limit }
    }
}

impl AsRef<[u8]> for Pooled {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl AsMut<[u8]> for Pooled {
    #[inline]
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

impl Storage for Pooled {
    #[inline]
    fn limit(&self) -> usize {
        self.limit
    }

    #[inline]
    fn grow(&mut self, size: usize) -> bool {
        if size <= self.bytes.len() || size > self.limit {
            return size <= self.bytes.len();
        }
        if self.bytes.is_empty() {
            self.bytes = take(self.limit);
        }
        if size > self.bytes.len() {
            // Doubled, so that the total work of growing is linear in the bytes stored.
            let wanted = size.max(self.bytes.len().saturating_mul(2)).max(FIRST).min(self.limit);
            if self.bytes.try_reserve_exact(wanted - self.bytes.len()).is_ok() {
                self.bytes.resize(wanted, 0);
            }
        }
        size <= self.bytes.len()
    }

    #[inline]
    fn release(&mut self) {
        if !self.bytes.is_empty() {
            put(std::mem::take(&mut self.bytes));
        }
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        self.release();
    }
}

/// Takes the buffer that was returned last, because the processor's cache may still hold it.
fn take(limit: usize) -> Vec<u8> {
    let taken = BUFFERS.try_with(|buffers| {
        let mut buffers = buffers.try_borrow_mut().ok()?;
        if buffers.idle.last()?.len() > limit {
            return None;
        }
        let bytes = buffers.idle.pop()?;
        buffers.bytes -= bytes.len();
        Some(bytes)
    });
    taken.ok().flatten().unwrap_or_default()
}

fn put(bytes: Vec<u8>) {
    if bytes.len() > LARGEST {
        return;
    }
    let _ = BUFFERS.try_with(|buffers| {
        if let Ok(mut buffers) = buffers.try_borrow_mut() {
            if buffers.bytes + bytes.len() <= MOST {
                buffers.bytes += bytes.len();
                buffers.idle.push(bytes);
            }
        }
    });
}

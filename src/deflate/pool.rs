//! Shares the memory of compressors and decompressors between connections.

use alloc::vec::Vec;

use zlib_rs::{Deflate, Inflate};

use super::config::WindowBits;

/// The parameters that the memory of a compressor depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parameters {
    pub(super) window_bits: WindowBits,
    pub(super) level: u8,
    pub(super) memory_level: u8,
}

/// Holds idle compressors and decompressors of connections without context takeover (RFC 7692
/// section 7.1.1).
///
/// A pool has no lock and no reference count. It belongs to the code that drives the connections,
/// such as one worker thread. It lends memory to a connection while the connection processes bytes.
/// A million idle connections then need as much memory as one worker.
/// With a thread for each connection, put the pool in a mutex. Lock it to borrow and to return, not
/// while messages are processed.
///
/// ```
/// use sockless::deflate::{Context, DeflateConfig, Deflater, Flush, Pool, Step};
///
/// let mut pool = Pool::new(2);
/// let config = DeflateConfig::default().with_send(Context::PER_MESSAGE);
/// let mut connections = [0; 100].map(|_| Deflater::new(config.send(), &config));
/// for connection in &mut connections {
///     connection.borrow_from(&mut pool); // allocates once: the pool is empty
///     let mut payload = [0; 64];
///     assert_eq!(connection.deflate(b"message", &mut payload, Flush::End).step, Step::End);
///     connection.return_to(&mut pool);
/// }
/// assert_eq!(pool.len(), 1);
/// ```
pub struct Pool {
    inflate: Vec<Inflate>,
    deflate: Vec<(Parameters, Deflate)>,
    max_idle: usize,
}

impl Pool {
    /// Makes a pool of at most `max_idle` compressors and as many decompressors. If one more is
    /// returned, the oldest compressor, or the returned decompressor, is freed.
    #[must_use]
    pub const fn new(max_idle: usize) -> Self {
        Self { inflate: Vec::new(), deflate: Vec::new(), max_idle }
    }

    /// Returns the number of idle compressors and decompressors.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inflate.len() + self.deflate.len()
    }

    /// Returns `true` if the pool is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Frees every idle compressor and decompressor.
    pub fn clear(&mut self) {
        self.inflate = Vec::new();
        self.deflate = Vec::new();
    }

    pub(super) fn take_inflate(&mut self) -> Option<Inflate> {
        self.inflate.pop()
    }

    pub(super) fn return_inflate(&mut self, engine: Inflate) {
        if self.inflate.len() < self.max_idle {
            self.inflate.push(engine);
        }
    }

    pub(super) fn take_deflate(&mut self, parameters: Parameters) -> Option<Deflate> {
        let matches = |(have, _): &(Parameters, Deflate)| *have == parameters;
        let index = self.deflate.iter().rposition(matches)?;
        Some(self.deflate.swap_remove(index).1)
    }

    pub(super) fn return_deflate(&mut self, parameters: Parameters, engine: Deflate) {
        // Free the oldest compressor. Otherwise the pool could fill with compressors whose
        // parameters no connection uses any more.
        if self.deflate.len() >= self.max_idle && !self.deflate.is_empty() {
            self.deflate.remove(0);
        }
        if self.deflate.len() < self.max_idle {
            self.deflate.push((parameters, engine));
        }
    }
}

impl core::fmt::Debug for Pool {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter
            .debug_struct("Pool")
            .field("inflate", &self.inflate.len())
            .field("deflate", &self.deflate.len())
            .field("max_idle", &self.max_idle)
            .finish()
    }
}

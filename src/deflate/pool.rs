//! Memory for (de)compression that many connections share.

use alloc::vec::Vec;

use zlib_rs::{Deflate, Inflate};

use super::negotiation::WindowBits;

/// The parameters that the memory of a compressor is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parameters {
    pub(super) window_bits: WindowBits,
    pub(super) level: u8,
    pub(super) memory_level: u8,
}

/// Idle memory of connections that keep no context between messages (RFC 7692 section 7.1.1).
///
/// There is no lock and no counting in it: it belongs to whoever drives the connections, one per thread for example,
/// lends its memory to a connection that has something to do and takes it back afterwards. So a million idle
/// connections need no more of it than one worker does.
///
/// ```
/// use sockless::deflate::{Context, DeflateConfig, Deflater, Flush, Pool, Step};
///
/// let mut pool = Pool::new(2);
/// let config = DeflateConfig::default().with_send(Context::PER_MESSAGE);
/// let mut connections = [0; 100].map(|_| Deflater::new(config.send(), &config));
/// for connection in &mut connections {
///     connection.borrow_from(&mut pool); // the first one finds it empty and allocates
///     let mut payload = [0; 64];
///     assert_eq!(connection.deflate(b"message", &mut payload, Flush::End).step, Step::End);
///     connection.return_to(&mut pool);
/// }
/// assert_eq!(pool.len(), 1);
/// ```
pub struct Pool {
    inflate: Vec<Inflate>,
    deflate: Vec<(Parameters, Deflate)>,
    most: usize,
}

impl Pool {
    /// Keeps at most `most` idle compressors and as many decompressors; what is returned beyond them is freed.
    #[must_use]
    pub const fn new(most: usize) -> Self {
        Self { inflate: Vec::new(), deflate: Vec::new(), most }
    }

    /// How many idle compressors and decompressors it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inflate.len() + self.deflate.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Frees all that it holds.
    pub fn clear(&mut self) {
        self.inflate = Vec::new();
        self.deflate = Vec::new();
    }

    pub(super) fn take_inflate(&mut self) -> Option<Inflate> {
        self.inflate.pop()
    }

    pub(super) fn put_inflate(&mut self, engine: Inflate) {
        if self.inflate.len() < self.most {
            self.inflate.push(engine);
        }
    }

    pub(super) fn take_deflate(&mut self, parameters: Parameters) -> Option<Deflate> {
        let fits = |(have, _): &(Parameters, Deflate)| *have == parameters;
        let index = self.deflate.iter().rposition(fits)?;
        Some(self.deflate.swap_remove(index).1)
    }

    pub(super) fn put_deflate(&mut self, parameters: Parameters, engine: Deflate) {
        // Connections that agreed on other windows must not be shut out by memory that nobody asks for any more: the
        // oldest goes.
        if self.deflate.len() >= self.most && !self.deflate.is_empty() {
            self.deflate.remove(0);
        }
        if self.deflate.len() < self.most {
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
            .field("most", &self.most)
            .finish()
    }
}

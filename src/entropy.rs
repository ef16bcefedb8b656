//! Provides the entropy for a client's masking keys and handshake key.

use crate::EntropyError;

/// A source of unpredictable bytes, for masking keys (RFC 6455 section 10.3) and the handshake key
/// (section 4.1).
///
/// The feature `getrandom` adds `OsEntropy`. [`FnEntropy`] makes a source from a closure. Pointers
/// of the type `fn(&mut [u8]) -> Result<(), EntropyError>` and `&mut E` are sources too. With
/// `alloc`, so is `Box<E>`, including `Box<dyn Entropy>`.
///
/// ```
/// use sockless::{Entropy, EntropyError, FnEntropy};
///
/// let mut seed = 1u32; // for a test; a real source cannot be predicted
/// let mut source = FnEntropy::new(|bytes: &mut [u8]| {
///     for byte in bytes {
///         seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
///         *byte = (seed >> 24) as u8;
///     }
///     Ok(())
/// });
/// let mut key = [0; 4];
/// source.fill(&mut key)?;
/// # Ok::<(), EntropyError>(())
/// ```
pub trait Entropy {
    /// Fills all of `bytes`.
    ///
    /// # Errors
    /// Returns [`EntropyError`] if the source has no entropy. The frame or request is then not
    /// sent.
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), EntropyError>;
}

impl Entropy for fn(&mut [u8]) -> Result<(), EntropyError> {
    #[inline]
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        self(bytes)
    }
}

impl<E: Entropy + ?Sized> Entropy for &mut E {
    #[inline]
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        (**self).fill(bytes)
    }
}

#[cfg(feature = "alloc")]
impl<E: Entropy + ?Sized> Entropy for alloc::boxed::Box<E> {
    #[inline]
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        (**self).fill(bytes)
    }
}

/// A closure as a source of entropy.
#[derive(Clone, Copy)]
pub struct FnEntropy<F>(F);

impl<F: FnMut(&mut [u8]) -> Result<(), EntropyError>> FnEntropy<F> {
    /// Makes a source from `fill`, which fills all of the passed bytes or returns an error.
    #[inline]
    pub const fn new(fill: F) -> FnEntropy<F> {
        FnEntropy(fill)
    }
}

impl<F: FnMut(&mut [u8]) -> Result<(), EntropyError>> Entropy for FnEntropy<F> {
    #[inline]
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        (self.0)(bytes)
    }
}

impl<F> core::fmt::Debug for FnEntropy<F> {
    /// Does not show the closure.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("FnEntropy")
    }
}

/// The operating system's entropy, drawn in blocks of `N` bytes. With 256 there is a system call
/// for every 64 frames, with 0 one for each key. Each key is erased from the block when it is
/// drawn. The block is part of the client, and so of the connection.
///
/// It is not `Clone`, because two connections would send equal keys. After a `fork`, use a
/// connection in one of the processes only, for the same reason.
#[cfg(feature = "getrandom")]
pub struct OsEntropy<const N: usize = 256> {
    block: [u8; N],
    /// Number of unused bytes, at the start of the block.
    unused: usize,
}

#[cfg(feature = "getrandom")]
impl OsEntropy {
    /// Makes a source with a block of 256 bytes. The first key draws the first block.
    #[must_use]
    pub const fn new() -> OsEntropy {
        OsEntropy::with_block()
    }
}

#[cfg(feature = "getrandom")]
impl<const N: usize> OsEntropy<N> {
    /// Makes a source with a block of `N` bytes.
    #[must_use]
    pub const fn with_block() -> OsEntropy<N> {
        OsEntropy { block: [0; N], unused: 0 }
    }

    /// Draws a new block, which replaces the rest of the last one.
    #[cold]
    fn refill(&mut self) -> Result<(), EntropyError> {
        self.unused = 0;
        getrandom::fill(&mut self.block).map_err(|_| EntropyError)?;
        self.unused = N;
        Ok(())
    }
}

#[cfg(feature = "getrandom")]
impl<const N: usize> Default for OsEntropy<N> {
    fn default() -> OsEntropy<N> {
        OsEntropy::with_block()
    }
}

#[cfg(feature = "getrandom")]
impl<const N: usize> core::fmt::Debug for OsEntropy<N> {
    /// Does not show the unused keys.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("OsEntropy")
    }
}

#[cfg(feature = "getrandom")]
impl<const N: usize> Entropy for OsEntropy<N> {
    #[inline]
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        if bytes.len() > N {
            return getrandom::fill(bytes).map_err(|_| EntropyError);
        }
        if bytes.len() > self.unused {
            self.refill()?;
        }
        let rest = self.unused.saturating_sub(bytes.len());
        let taken = self.block.get_mut(rest..self.unused).unwrap_or_default();
        for (to, from) in bytes.iter_mut().zip(taken) {
            *to = core::mem::take(from);
        }
        self.unused = rest;
        Ok(())
    }
}

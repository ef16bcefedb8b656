//! The entropy that a client draws masking keys and its handshake key from.

use crate::EntropyError;

/// A source of unpredictable bytes: masking keys (RFC 6455 section 10.3) and the handshake key
/// (section 4.1) are drawn from it. Any closure of this shape is one.
///
/// With the feature `getrandom` there is `OsEntropy`.
///
/// ```
/// use sockless::{Entropy, EntropyError};
///
/// let mut seed = 1u32; // for a test; a real source cannot be predicted
/// let mut source = |bytes: &mut [u8]| -> Result<(), EntropyError> {
///     for byte in bytes {
///         seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
///         *byte = (seed >> 24) as u8;
///     }
///     Ok(())
/// };
/// let mut key = [0; 4];
/// source.fill(&mut key)?;
/// # Ok::<(), EntropyError>(())
/// ```
pub trait Entropy {
    /// Fills all of `bytes`.
    ///
    /// # Errors
    /// When it cannot. What was to be sent is not sent then.
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), EntropyError>;
}

impl<F: FnMut(&mut [u8]) -> Result<(), EntropyError>> Entropy for F {
    #[inline]
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        self(bytes)
    }
}

/// The operating system's entropy. Asked for each masking key.
#[cfg(feature = "getrandom")]
#[derive(Clone, Copy, Debug, Default)]
pub struct OsEntropy;

#[cfg(feature = "getrandom")]
impl Entropy for OsEntropy {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        getrandom::fill(bytes).map_err(|_| EntropyError)
    }
}

//! Buffers for input and output, over the caller's memory: arrays, slices, or memory that grows up
//! to a limit.

mod read;
mod write;

pub use read::{READ_BUFFER_MIN, ReadBuffer};
pub(crate) use write::CONTROL_RESERVE;
pub use write::{WRITE_BUFFER_MIN, WriteBuffer};

/// Memory for a buffer: an array, a slice, and with the feature `alloc` a boxed slice or a
/// `GrowableBuffer`.
///
/// A vector is no storage: its capacity is no length, so an empty one could never hold a byte. Use
/// `into_boxed_slice`, or a `GrowableBuffer`.
///
/// An implementation of your own keeps its length, except in [`grow`](Self::grow) and
/// [`release`](Self::release), and is never longer than its [`limit`](Self::limit). If it breaks
/// these rules, bytes are lost; nothing panics.
pub trait Storage: AsRef<[u8]> + AsMut<[u8]> {
    /// Returns the largest size in bytes that the storage can have.
    #[inline]
    fn limit(&self) -> usize {
        self.as_ref().len()
    }

    /// Grows to at least `size` bytes and keeps the stored bytes. Returns `false` if it cannot:
    /// `size` is above the limit, or there is no memory. Storage of a fixed length never grows.
    #[inline]
    fn grow(&mut self, size: usize) -> bool {
        size <= self.as_ref().len()
    }

    /// Returns memory to the allocator. The stored bytes may be lost.
    #[inline]
    fn release(&mut self) {}
}

impl<const N: usize> Storage for [u8; N] {}
impl<const N: usize> Storage for &mut [u8; N] {}
impl Storage for &mut [u8] {}
#[cfg(feature = "alloc")]
impl Storage for alloc::boxed::Box<[u8]> {}

/// Memory that starts empty and grows up to a limit: first to 1 KiB, then at least to twice its
/// size.
///
/// In a [`ReadBuffer`] it also doubles, up to 64 KiB, if a read has filled all the space: more
/// input is likely to follow, and many small reads cost more than memory does. The size stays
/// within twice the bytes that the buffer held at once. [`ReadBuffer::release`] returns all of it
/// to the allocator.
#[cfg(feature = "alloc")]
#[derive(Clone)]
pub struct GrowableBuffer {
    bytes: alloc::vec::Vec<u8>,
    limit: usize,
    initial: usize,
}

#[cfg(feature = "alloc")]
impl core::fmt::Debug for GrowableBuffer {
    /// Shows lengths only.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("GrowableBuffer")
            .field("len", &self.bytes.len())
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

#[cfg(feature = "alloc")]
impl GrowableBuffer {
    /// Makes empty memory that never grows past `limit` bytes.
    #[must_use]
    pub const fn new(limit: usize) -> GrowableBuffer {
        GrowableBuffer { bytes: alloc::vec::Vec::new(), limit, initial: 1024 }
    }

    /// Sets the first size in bytes, instead of 1 KiB.
    #[must_use]
    pub const fn with_initial_size(mut self, size: usize) -> GrowableBuffer {
        self.initial = size;
        self
    }
}

#[cfg(feature = "alloc")]
impl AsRef<[u8]> for GrowableBuffer {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(feature = "alloc")]
impl AsMut<[u8]> for GrowableBuffer {
    #[inline]
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

#[cfg(feature = "alloc")]
impl Storage for GrowableBuffer {
    #[inline]
    fn limit(&self) -> usize {
        self.limit
    }

    #[inline]
    fn grow(&mut self, size: usize) -> bool {
        let size = size.max(if self.bytes.is_empty() { self.initial.min(self.limit) } else { 0 });
        grow(&mut self.bytes, size, self.limit)
    }

    fn release(&mut self) {
        self.bytes = alloc::vec::Vec::new();
    }
}

/// Grows `bytes` to at least `size` bytes. Returns `false` if that is above `limit`, or if there is
/// no memory.
#[cfg(feature = "alloc")]
fn grow(bytes: &mut alloc::vec::Vec<u8>, size: usize, limit: usize) -> bool {
    if size > bytes.len() && size <= limit {
        // At least doubled, so that the total work of growing is linear in the bytes stored.
        let size = size.max(bytes.len().saturating_mul(2)).min(limit);
        if bytes.try_reserve_exact(size - bytes.len()).is_ok() {
            bytes.resize(size, 0);
        }
    }
    size <= bytes.len()
}

//! Defines buffers for input and output in the caller's memory: arrays, slices, or memory that
//! grows up to a limit.

mod read;
mod write;

pub use read::{READ_BUFFER_MIN, ReadBuffer};
pub(crate) use write::CONTROL_RESERVE;
pub use write::{WRITE_BUFFER_MIN, WriteBuffer};

/// Length in bytes up to which the content of a buffer moves however little the move frees.
const SHORT_MOVE: usize = 4 << 10;

/// Returns `true` if moving `len` bytes frees enough. With this bound the total work of moving
/// stays linear in the bytes that pass through a buffer.
const fn pays(len: usize, freed: usize) -> bool {
    freed >= len / 4
}

/// Provides memory for a buffer. Implemented for arrays and slices, and with the feature `alloc`
/// for boxed slices and `GrowableBuffer`.
///
/// A vector is not a storage: its capacity is not its length, so an empty vector could never store
/// a byte. Use `into_boxed_slice` or a `GrowableBuffer`.
///
/// An implementation of your own must keep its length, except in [`grow`](Self::grow) and
/// [`release`](Self::release). Its length must never exceed its [`limit`](Self::limit). If an
/// implementation breaks these rules, bytes are lost, but nothing panics.
pub trait Storage: AsRef<[u8]> + AsMut<[u8]> {
    /// Returns the largest size in bytes that the storage can have.
    #[inline]
    fn limit(&self) -> usize {
        self.as_ref().len()
    }

    /// Grows to at least `size` bytes and keeps the stored bytes. Returns `false` if `size` is
    /// above the limit or the allocator has no memory. Storage of a fixed length never grows.
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

/// Provides memory that starts empty and grows up to a limit. The first size is 1 KiB, and each
/// further growth at least doubles the size.
///
/// If a read has filled all the space, a [`ReadBuffer`] also doubles the memory, up to 64 KiB. More
/// input is then likely, and many small reads cost more than memory. Beyond its first size, the
/// memory of a [`ReadBuffer`] stays within four times the largest number of buffered bytes. A
/// [`WriteBuffer`] also needs memory for its reserve of 139 bytes, and for the largest compressed
/// size of a message before it is compressed. [`ReadBuffer::release`] and [`WriteBuffer::release`]
/// return all memory to the allocator.
#[cfg(feature = "alloc")]
#[derive(Clone)]
pub struct GrowableBuffer {
    bytes: alloc::vec::Vec<u8>,
    limit: usize,
    initial: usize,
}

#[cfg(feature = "alloc")]
impl core::fmt::Debug for GrowableBuffer {
    /// Shows only lengths.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("GrowableBuffer")
            .field("len", &self.bytes.len())
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

#[cfg(feature = "alloc")]
impl GrowableBuffer {
    /// Makes an empty buffer that never grows beyond `limit` bytes.
    #[must_use]
    pub const fn new(limit: usize) -> GrowableBuffer {
        GrowableBuffer { bytes: alloc::vec::Vec::new(), limit, initial: 1024 }
    }

    /// Sets the first size in bytes. The default is 1 KiB.
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

/// Grows `bytes` to at least `size` bytes. Returns `false` if `size` is above `limit`, or if the
/// allocator has no memory.
#[cfg(feature = "alloc")]
fn grow(bytes: &mut alloc::vec::Vec<u8>, size: usize, limit: usize) -> bool {
    if size > bytes.len() && size <= limit {
        // At least doubled, so that the total work of growing is linear in the bytes stored.
        let doubled = size.max(bytes.len().saturating_mul(2)).min(limit);
        for size in [doubled, size] {
            if bytes.try_reserve_exact(size - bytes.len()).is_ok() {
                bytes.resize(size, 0);
                break;
            }
        }
    }
    size <= bytes.len()
}

//! Copying and moving bytes, for speed or for size.

use core::ops::Range;

use crate::config::OPTIMIZE_FOR_SIZE;

/// Copies `from` to the front of `to`. If the lengths differ, the shorter one is copied.
#[inline]
pub(crate) fn copy(from: &[u8], to: &mut [u8]) {
    if OPTIMIZE_FOR_SIZE {
        // A loop has no lengths to compare, and no panic where they differ.
        for (to, from) in to.iter_mut().zip(from) {
            *to = *from;
        }
        return;
    }
    let len = from.len().min(to.len());
    if let (Some(from), Some(to)) = (from.get(..len), to.get_mut(..len)) {
        to.copy_from_slice(from);
    }
}

/// Moves the bytes of `from` down to `to`, in the same slice.
#[inline]
pub(crate) fn move_down(bytes: &mut [u8], from: Range<usize>, to: usize) {
    if OPTIMIZE_FOR_SIZE {
        // Byte by byte, in cells because the places overlap; `memmove` takes 700 bytes of flash.
        let cells = core::cell::Cell::from_mut(bytes).as_slice_of_cells();
        if let (Some(to), Some(from)) = (cells.get(to..), cells.get(from)) {
            for (to, from) in to.iter().zip(from) {
                to.set(from.get());
            }
        }
        return;
    }
    // The condition always holds; saying so leaves no panic behind.
    if to < from.start && from.start <= from.end && from.end <= bytes.len() {
        bytes.copy_within(from, to);
    }
}

//! Copies and moves bytes, optimized for speed or for size.

use core::ops::Range;

use crate::config::OPTIMIZE_FOR_SIZE;

/// Size in bytes of the blocks in which long slices are copied and moved.
///
/// C libraries copy longer slices by `rep movsb`. If the two addresses differ by 1 to 63 bytes
/// within a page, some processors take up to fourteen times as long. An echo of large messages
/// always has such addresses, because a client's header is 4 bytes longer than a server's.
const BLOCK: usize = 2048;

/// Copies `from` to the start of `to`. If the lengths differ, the shorter length is copied.
#[inline]
pub(crate) fn copy(from: &[u8], to: &mut [u8]) {
    if OPTIMIZE_FOR_SIZE {
        // A loop compares no lengths, and therefore has no panic for different lengths.
        for (to, from) in to.iter_mut().zip(from) {
            *to = *from;
        }
        return;
    }
    if from.len() > BLOCK {
        copy_blocks(from, to);
        return;
    }
    let len = from.len().min(to.len());
    if let (Some(from), Some(to)) = (from.get(..len), to.get_mut(..len)) {
        to.copy_from_slice(from);
    }
}

#[inline(never)]
fn copy_blocks(from: &[u8], to: &mut [u8]) {
    for (from, to) in from.chunks(BLOCK).zip(to.chunks_mut(BLOCK)) {
        let len = from.len().min(to.len());
        if let (Some(from), Some(to)) = (from.get(..len), to.get_mut(..len)) {
            to.copy_from_slice(from);
        }
    }
}

/// Moves the bytes of the range `from` down to `to`, within one slice.
#[inline]
pub(crate) fn move_down(bytes: &mut [u8], from: Range<usize>, to: usize) {
    if OPTIMIZE_FOR_SIZE {
        // Moved byte by byte, because `memmove` takes 700 bytes of flash. Cells are necessary
        // because the ranges overlap.
        let cells = core::cell::Cell::from_mut(bytes).as_slice_of_cells();
        if let (Some(to), Some(from)) = (cells.get(to..), cells.get(from)) {
            for (to, from) in to.iter().zip(from) {
                to.set(from.get());
            }
        }
        return;
    }
    let (mut start, mut to) = (from.start, to);
    // `from.end <= bytes.len()` is always true, and lets the compiler remove the panic. If `to`
    // equals `start`, no byte needs to move.
    while to < start && start < from.end && from.end <= bytes.len() {
        let len = BLOCK.min(from.end - start);
        bytes.copy_within(start..start + len, to);
        (start, to) = (start + len, to + len);
    }
}

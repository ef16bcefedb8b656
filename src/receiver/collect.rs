//! Collects whole messages. The payload stays in the read buffer until the message is complete, is
//! unmasked in large pieces, and is validated once.

use core::ops::Range;

use super::{Chunk, Incoming, Receiver, State};
use crate::Violation;
use crate::buffer::{READ_BUFFER_MIN, ReadBuffer, Storage};
use crate::frame::MessageKind;
use crate::mask::mask;

/// Size in bytes of the pieces in which payload is unmasked. Large enough to be worth a call, and
/// small enough to stay in the cache.
const UNMASK_SIZE: usize = 16 << 10;

/// Length in bytes up to which text is validated byte by byte on arrival.
const EAGER: usize = 4 << 10;
/// Interval in bytes at which longer text is validated before the message is complete.
const STRIDE: usize = 1 << 20;

/// Returns the number of bytes of a collected text to validate after `held` bytes have arrived. The
/// result depends only on the position in the message. However the input is split, validation
/// therefore fails at the same byte. The steps are large because making the `&str` validates the
/// complete text again.
pub(super) const fn validated_len(held: usize) -> usize {
    if held <= EAGER {
        held
    } else if held < STRIDE {
        EAGER
    } else {
        held - held % STRIDE
    }
}

impl Receiver {
    /// Adds the arrived payload of the current frame to the held message. If the message is
    /// complete, returns its range and the number of validated bytes.
    ///
    /// # Errors
    /// - Returns [`Violation::MessageTooBig`] if the message does not fit in the buffer.
    /// - Returns [`Violation::InvalidUtf8`] if the validated part of a text is invalid.
    pub(super) fn collect<S: Storage>(
        &mut self,
        rx: &mut ReadBuffer<S>,
    ) -> Result<Option<(Range<usize>, usize)>, Violation> {
        let before = rx.held();
        // The rest of the frame must fit after the held bytes. After a fragment, control frames
        // before the next fragment must also fit. Checked in each call, because the caller may
        // replace an empty buffer.
        let behind = if self.fin { 0 } else { READ_BUFFER_MIN as u64 };
        let needed = (before as u64).saturating_add(self.remaining).saturating_add(behind);
        if needed > rx.capacity() as u64 {
            return self.fail(Violation::MessageTooBig);
        }
        let len = usize::try_from(self.remaining).unwrap_or(usize::MAX).min(rx.unread_len());
        let masked = rx.masked() + len;
        rx.hold(len);
        self.remaining -= len as u64;
        rx.expect_frame(self.remaining);
        let held = before + len;
        let due = if self.kind == MessageKind::Text && !self.compressed {
            validated_len(before)..validated_len(held)
        } else {
            0..0
        };
        if self.masked {
            if self.remaining > 0 && due.is_empty() && masked < UNMASK_SIZE {
                rx.set_masked(masked);
                return Ok(None);
            }
            self.key = mask(rx.held_mut(held - masked..held), self.key);
            rx.set_masked(0);
        }
        if self.remaining == 0 && self.fin {
            self.state = State::Idle;
            return Ok(Some((rx.release_held(), validated_len(before))));
        }
        if !due.is_empty() && self.utf8.check(rx.held_slice(due)).is_err() {
            return self.fail(Violation::InvalidUtf8);
        }
        Ok(None)
    }

    /// Stops collecting a message that continues in chunks. Returns the range of the held bytes,
    /// and the number of validated bytes.
    #[cold]
    pub(super) fn stop_collecting<S: Storage>(
        &mut self,
        rx: &mut ReadBuffer<S>,
    ) -> (Range<usize>, usize) {
        let held = rx.held();
        if self.masked {
            self.key = mask(rx.held_mut(held - rx.masked()..held), self.key);
        }
        rx.set_masked(0);
        (rx.release_held(), validated_len(held))
    }

    /// Returns a complete message. The first `validated` bytes of a text are already validated.
    ///
    /// # Errors
    /// Returns [`Violation::InvalidUtf8`] if the text is invalid.
    #[inline]
    pub(super) fn whole_message<'b>(
        &mut self,
        bytes: &'b [u8],
        validated: usize,
        compressed: bool,
    ) -> Result<Incoming<'b>, Violation> {
        let kind = self.kind;
        let text = if kind == MessageKind::Text && !compressed {
            match self.utf8.finish(bytes, validated) {
                Ok(text) => text,
                Err(()) => return self.fail(Violation::InvalidUtf8),
            }
        } else {
            None
        };
        Ok(Incoming::Data(Chunk { bytes, text, kind, first: true, last: true, compressed }))
    }
}

//! Whole messages: payload stays in the read buffer until the message is complete, is unmasked in
//! large pieces, and validated once.

use core::ops::Range;

use super::{Chunk, Incoming, Receiver, State};
use crate::Violation;
use crate::buffer::{READ_BUFFER_MIN, ReadBuffer, Storage};
use crate::frame::MessageKind;
use crate::mask::mask;

/// Size of the pieces in which payload is unmasked: large enough to be worth a call, and small
/// enough to be still in the cache.
const UNMASK_SIZE: usize = 16 << 10;

/// Text up to this length is validated byte by byte as it arrives.
const EAGER: usize = 4 << 10;
/// Longer text is validated at multiples of this length, and when the message is complete.
const STRIDE: usize = 1 << 20;

/// Returns the number of bytes of a collected text that are validated once `held` bytes have
/// arrived. The result depends only on the position in the message, so every cut of the input fails
/// at the same byte. The steps are large because the `&str` costs a full validation at the end.
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
    /// Holds the payload that has arrived of the current frame. Once the message is complete,
    /// returns its range and the number of validated bytes.
    pub(super) fn collect<S: Storage>(
        &mut self,
        rx: &mut ReadBuffer<S>,
    ) -> Result<Option<(Range<usize>, usize)>, Violation> {
        let before = rx.held();
        // The rest of the frame must fit after the held bytes, and after a fragment also the
        // control frames in front of the next one. Checked at each call, because the caller may use
        // another buffer after an empty one.
        let behind = if self.fin { 0 } else { READ_BUFFER_MIN as u64 };
        let needed = (before as u64).saturating_add(self.remaining).saturating_add(behind);
        if needed > rx.capacity() as u64 {
            return self.fail(Violation::MessageTooBig);
        }
        let len = usize::try_from(self.remaining).unwrap_or(usize::MAX).min(rx.unread_len());
        rx.hold(len);
        self.remaining -= len as u64;
        let held = before + len;
        let due = if self.kind == MessageKind::Text && !self.compressed {
            validated_len(before)..validated_len(held)
        } else {
            0..0
        };
        if self.masked {
            let masked = rx.masked() + len;
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

    /// Stops collecting a message, which goes on in chunks. Returns the range of the held bytes,
    /// and the number of validated ones.
    #[cold]
    pub(super) fn stop_collecting<S: Storage>(
        &mut self,
        rx: &mut ReadBuffer<S>,
    ) -> (Range<usize>, usize) {
        let held = rx.held();
        if self.masked {
            self.key = mask(rx.held_mut(held - rx.masked().min(held)..held), self.key);
        }
        rx.set_masked(0);
        (rx.release_held(), validated_len(held))
    }

    /// Returns a whole message. The first `validated` bytes of its text are validated.
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

//! Whole messages: payload is held back in the read buffer until the message is complete, unmasked
//! in large pieces, and validated once.

use core::ops::Range;

use super::{Chunk, Incoming, Receiver, State};
use crate::Violation;
use crate::buffer::{READ_BUFFER_MIN, ReadBuffer, Storage};
use crate::frame::MessageKind;
use crate::mask::mask;

/// Payload that arrives in small pieces is unmasked in pieces of this size: large enough to be worth
/// a call, and small enough to be in the cache still.
const UNMASK_SIZE: usize = 16 << 10;

/// Text up to here is validated byte for byte as it arrives.
const EAGER: usize = 4 << 10;
/// Text beyond is validated at multiples of this, and when the message is complete.
const STRIDE: usize = 1 << 20;

/// Returns how much of a collected text is validated once `held` bytes of it have arrived. The result
/// depends on the position in the message alone, so that every cut of the input fails at the same
/// byte. Text is validated again in full for its `&str`, hence the large steps.
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
    /// Holds back what has arrived of the current frame. Returns the place of the whole message once
    /// it is complete, and how many of its bytes are validated.
    pub(super) fn collect<S: Storage>(
        &mut self,
        rx: &mut ReadBuffer<S>,
    ) -> Result<Option<(Range<usize>, usize)>, Violation> {
        let before = rx.held();
        // The rest of the frame must fit behind what is held; behind a fragment also the control
        // frames that may come before the next one. Checked at each call: the caller may have put
        // another buffer in the place of an empty one.
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

    /// Ends the collecting of a message, to go on with it in chunks. Returns the place of what is
    /// held, and how many of its bytes are validated.
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

    /// Returns a whole message, of whose text the first `validated` bytes are validated.
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

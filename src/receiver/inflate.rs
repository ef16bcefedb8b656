//! Inflates compressed messages in the receiver (RFC 7692 section 6.2).

use core::ops::Range;

use super::collect::validated_len;
use super::{Receiver, State};
use crate::Violation;
use crate::buffer::{ReadBuffer, Storage};
use crate::frame::MessageKind;

impl Receiver {
    pub(super) const fn inflates(&self) -> bool {
        self.compressed && self.inflation.is_some()
    }

    /// Returns `true` if a message can be inflated further without more input.
    pub(super) fn is_inflating(&self) -> bool {
        self.inflation.as_ref().is_some_and(|inflation| inflation.is_busy())
    }

    /// Passes the arrived payload of the current frame to the inflater. Returns `false` if no
    /// payload has arrived.
    pub(super) fn feed_inflation<S: Storage>(&mut self, rx: &mut ReadBuffer<S>) -> bool {
        let Some(len) = self.take_piece(rx.unread_mut()) else { return false };
        rx.hold(len);
        let last = self.state == State::Idle;
        if last {
            self.state = State::Inflating;
        }
        if let Some(inflation) = &mut self.inflation {
            inflation.begin(last);
        }
        true
    }

    /// Inflates more of the current message. Returns the range of the inflated bytes to deliver,
    /// and the number of validated bytes. Returns `None` if all input has been inflated.
    ///
    /// # Errors
    /// Returns a [`Violation`] if the message is corrupt, exceeds a limit or contains invalid text.
    pub(super) fn inflate<S: Storage>(
        &mut self,
        rx: &mut ReadBuffer<S>,
        whole: bool,
    ) -> Result<Option<(Range<usize>, usize)>, Violation> {
        let Some(inflation) = &mut self.inflation else { return Ok(None) };
        let before = rx.inflated_len();
        let mut last = false;
        if inflation.is_busy() && (whole || before == 0) {
            let limit =
                if whole { self.max_message.min(rx.capacity() as u64) } else { self.max_message };
            last = match inflation.run(rx, limit, whole) {
                Ok(last) => last,
                Err(violation) => {
                    // The text inflated before the error may contain an earlier violation.
                    let len = rx.inflated_len();
                    let due =
                        if whole { validated_len(before)..validated_len(len) } else { 0..len };
                    self.validate_inflated(rx, due)?;
                    return self.fail(violation);
                }
            };
        }
        if last {
            self.state = State::Idle;
        }
        let len = rx.inflated_len();
        if whole && !last {
            self.validate_inflated(rx, validated_len(before)..validated_len(len))?;
            return Ok(None);
        }
        if len == 0 && !last {
            return Ok(None);
        }
        Ok(Some((rx.release_inflated(), validated_len(before))))
    }

    fn validate_inflated<S: Storage>(
        &mut self,
        rx: &ReadBuffer<S>,
        due: Range<usize>,
    ) -> Result<(), Violation> {
        if self.kind == MessageKind::Text
            && !due.is_empty()
            && self.utf8.check(rx.inflated(due)).is_err()
        {
            return self.fail(Violation::InvalidUtf8);
        }
        Ok(())
    }
}

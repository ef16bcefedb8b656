//! Compressed messages on their way through the receiver (RFC 7692 section 6.2).

use core::ops::Range;

use super::step::What;
use super::{Receiver, State};
use crate::Violation;
use crate::buffer::{ReadBuffer, Storage};
use crate::config::SMALL;
use crate::frame::MessageKind;

impl Receiver {
    pub(super) const fn inflates(&self) -> bool {
        self.compressed && self.inflation.is_some()
    }

    /// Whether there is more of a message to be had without further input.
    pub(super) fn is_inflating(&self) -> bool {
        self.inflation.as_ref().is_some_and(|inflation| inflation.is_busy())
    }

    /// Goes on with what is being inflated: the place of what is to be handed out, or `None` when all that is there
    /// has been inflated.
    pub(super) fn inflate<S: Storage>(
        &mut self,
        rx: &mut ReadBuffer<S>,
        whole: bool,
    ) -> Result<Option<(Range<usize>, What)>, Violation> {
        let Some(inflation) = &mut self.inflation else { return Ok(None) };
        if let State::Failed(violation) = self.state {
            return Err(violation);
        }
        let before = rx.inflated_len();
        let mut last = false;
        if inflation.is_busy() && (whole || before == 0) {
            let limit =
                if whole { self.max_message.min(rx.capacity() as u64) } else { self.max_message };
            last = match inflation.run(rx, limit, whole) {
                Ok(last) => last,
                Err(violation) => {
                    // What came out before the fault may hold an earlier one.
                    let inflated = rx.inflated(before..rx.inflated_len());
                    let text = self.kind == MessageKind::Text;
                    let first = text && self.utf8.check(inflated).is_err();
                    return self.fail(if first { Violation::InvalidUtf8 } else { violation });
                }
            };
        }
        if last {
            self.state = State::Idle;
        }
        if last && self.fresh && !SMALL {
            return Ok(Some((rx.release_inflated(), What::Whole(self.kind))));
        }
        let text = self.kind == MessageKind::Text;
        let len = rx.inflated_len();
        if whole {
            // RFC 6455 8.1: what is not UTF-8 fails when it is there, not when the message is.
            if text
                && (self.utf8.check(rx.inflated(before..len)).is_err()
                    || last && !self.utf8.is_complete())
            {
                return self.fail(Violation::InvalidUtf8);
            }
            return Ok(last.then(|| (rx.release_inflated(), What::Whole(self.kind))));
        }
        if len == 0 && !last {
            return Ok(None);
        }
        let place = rx.release_inflated();
        // What was collected before the caller asked for chunks has been checked.
        if text && before == 0 {
            let good = match self.utf8.check(rx.inflated(place.clone())) {
                Err(good) => good,
                Ok(()) if last && !self.utf8.is_complete() => len,
                Ok(()) => return Ok(Some((place, What::Chunk { last }))),
            };
            if good == 0 {
                return self.fail(Violation::InvalidUtf8);
            }
            self.state = State::Failed(Violation::InvalidUtf8);
            return Ok(Some((0..good, What::Chunk { last: false })));
        }
        Ok(Some((place, What::Chunk { last })))
    }
}

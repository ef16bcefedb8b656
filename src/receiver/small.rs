//! Provides a fast path for complete small messages, the most frequent input. All other input takes
//! the general path, which has an equal result.

use core::ops::Range;

use super::{Receiver, State};
use crate::buffer::{ReadBuffer, Storage};
use crate::frame::MessageKind;
use crate::mask::mask;

impl Receiver {
    /// Consumes a complete small message at the start of `rx`. Returns its range and kind. Does not
    /// validate text.
    #[inline(always)]
    pub(crate) fn take_small_message<S: Storage>(
        &self,
        rx: &mut ReadBuffer<S>,
    ) -> Option<(Range<usize>, MessageKind)> {
        // Tested first, because the pieces of large messages also reach this function.
        if self.state != State::Idle {
            return None;
        }
        let (skip, len, kind) = self.small_message(rx.input()?)?;
        Some((rx.take(skip, len), kind))
    }

    /// Unmasks a complete small message at the start of `input`. Returns the header length, the
    /// payload length and the kind. Does not validate text.
    #[inline(always)]
    pub(super) fn small_message(&self, input: &mut [u8]) -> Option<(usize, usize, MessageKind)> {
        if crate::config::OPTIMIZE_FOR_SIZE || self.state != State::Idle {
            return None;
        }
        let [first, second, rest @ ..] = input else { return None };
        let kind = match *first {
            0x81 => MessageKind::Text,
            0x82 => MessageKind::Binary,
            _ => return None,
        };
        // A wrong mask bit makes `short` larger than any valid length.
        let short = *second ^ if self.masked { 0x80 } else { 0 };
        // For longer messages, 32-bit processors lose little on the general path, and need less
        // code.
        let medium = cfg!(not(target_pointer_width = "32"));
        let (rest, header, len) = match short {
            0..=125 => (rest, 2, usize::from(short)),
            126 if medium => {
                let (len, rest) = rest.split_first_chunk_mut::<2>()?;
                let len = u16::from_be_bytes(*len);
                if len < 126 {
                    return None;
                }
                (rest, 4, usize::from(len))
            }
            _ => return None,
        };
        if len as u64 > self.max_frame {
            return None;
        }
        if self.masked {
            let (key, payload) = rest.split_first_chunk_mut::<4>()?;
            mask(payload.get_mut(..len)?, *key);
            Some((header + 4, len, kind))
        } else {
            rest.get(..len)?;
            Some((header, len, kind))
        }
    }
}

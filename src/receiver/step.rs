//! The frames in a slice of bytes: found, judged and unmasked, by positions.

use core::ops::Range;

use super::{NO_LIMIT, Receiver, State};
use crate::Violation;
use crate::buffer::{READ_BUFFER_MIN, ReadBuffer, Storage};
use crate::config::SMALL;
use crate::frame::{FrameHeader, MessageKind, OpCode};
use crate::mask::mask;
use crate::utf8::Utf8;

/// Positions of what [`Receiver::step`] found. The bytes before `skip + len` are consumed, those of
/// `skip..skip + len` are the payload, unmasked.
#[derive(Clone, Copy)]
pub(super) struct Found {
    pub(super) skip: usize,
    pub(super) len: usize,
    pub(super) what: What,
}

#[derive(Clone, Copy)]
pub(super) enum What {
    /// Nothing, until more bytes arrive; or where `skip` is not 0, a header that there may be more behind.
    More,
    /// A message in one piece. Text is not validated: whoever makes the `&str` does it.
    Whole(MessageKind),
    /// A piece of a message, validated.
    Chunk {
        last: bool,
    },
    Ping,
    Pong,
    Close,
}
impl Receiver {
    /// A whole small message at the front of `rx`: its place and its kind, its text not yet validated.
    #[inline]
    pub(crate) fn quick_from<S: Storage>(
        &self,
        rx: &mut ReadBuffer<S>,
    ) -> Option<(Range<usize>, MessageKind)> {
        let (skip, len, kind) = self.quick(rx.input()?)?;
        Some((rx.take(skip, len), kind))
    }

    /// Whether a whole small message lies at the front of `input`: the length of its header, that of its
    /// payload, which is unmasked then, and its kind. Whatever is not such a message takes the long way, which
    /// gives the same for these.
    #[inline]
    fn quick(&self, input: &mut [u8]) -> Option<(usize, usize, MessageKind)> {
        if SMALL {
            return None;
        }
        let [first, second, rest @ ..] = input else { return None };
        let kind = match *first {
            0x81 => MessageKind::Text,
            0x82 => MessageKind::Binary,
            _ => return None,
        };
        // Where the mask bit is not as it has to be, this is past any length in question.
        let short = *second ^ if self.masked { 0x80 } else { 0 };
        if self.state != State::Idle {
            return None;
        }
        // Small processors take longer messages the long way, which costs them little, and save the code.
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

    /// Finds the next item in `input` and unmasks it there. `room` is how many bytes of one message the
    /// caller can hold, if it has to hold a message whole; [`NO_LIMIT`] if not.
    #[inline]
    pub(super) fn step(&mut self, input: &mut [u8], room: u64) -> Result<Found, Violation> {
        if let Some((skip, len, kind)) = self.quick(input) {
            return Ok(Found { skip, len, what: What::Whole(kind) });
        }
        self.step_any(input, room)
    }

    #[inline(never)]
    fn step_any(&mut self, input: &mut [u8], room: u64) -> Result<Found, Violation> {
        let found = self.find(input, room);
        if let Err(violation) = found {
            self.state = State::Failed(violation);
        }
        found
    }

    #[inline]
    fn find(&mut self, input: &mut [u8], room: u64) -> Result<Found, Violation> {
        match self.state {
            State::Failed(violation) => return Err(violation),
            State::Closed => return Ok(Found { skip: 0, len: 0, what: What::More }),
            State::Idle | State::Message => {}
            #[cfg(feature = "deflate")]
            State::Inflating => {}
        }
        let (mut skip, mut whole) = (0, false);
        if self.remaining == 0 {
            let judge = |opcode, rsv, masked| self.judge(opcode, rsv, masked);
            let Some((header, header_len)) = FrameHeader::parse_and(input, judge)? else {
                return Ok(Found { skip, len: 0, what: What::More });
            };
            let payload = input.get_mut(header_len..).unwrap_or_default();
            if header.opcode.is_control() {
                let Some(payload) = payload.get_mut(..header.payload_len as usize) else {
                    return Ok(Found { skip, len: 0, what: What::More });
                };
                if let Some(key) = header.mask {
                    mask(payload, key);
                }
                let what = match header.opcode {
                    OpCode::Ping => What::Ping,
                    OpCode::Pong => What::Pong,
                    _ => What::Close,
                };
                return Ok(Found { skip: header_len, len: payload.len(), what });
            }
            whole = !SMALL
                && header.fin
                && self.state == State::Idle
                && header.rsv == 0
                && payload.len() as u64 >= header.payload_len;
            self.begin(&header, room)?;
            skip = header_len;
            if header.payload_len == 0 && !header.fin {
                return Ok(Found { skip, len: 0, what: What::More });
            }
        }
        let rest = input.get_mut(skip..).unwrap_or_default();
        let len = usize::try_from(self.remaining).unwrap_or(usize::MAX).min(rest.len());
        if len == 0 && self.remaining > 0 {
            return Ok(Found { skip, len: 0, what: What::More });
        }
        let payload = rest.get_mut(..len).unwrap_or_default();
        if self.masked {
            self.key = mask(payload, self.key);
        }
        self.remaining -= len as u64;
        let last = self.fin && self.remaining == 0;
        if last {
            self.state = State::Idle;
        }
        if whole {
            return Ok(Found { skip, len, what: What::Whole(self.kind) });
        }
        let found = Found { skip, len, what: What::Chunk { last } };
        if self.kind == MessageKind::Binary || self.compressed {
            return Ok(found);
        }
        // The end of a text that is collected is not checked twice: whoever makes the `&str` goes through all of it.
        if last && room != NO_LIMIT && !SMALL {
            return Ok(found);
        }
        let good = match self.utf8.check(payload) {
            Err(good) => good,
            // RFC 6455 8.1: a message that ends inside a character is not UTF-8 either.
            Ok(()) if last && !self.utf8.is_complete() => len,
            Ok(()) => return Ok(found),
        };
        if good == 0 {
            return Err(Violation::InvalidUtf8);
        }
        // The good part first: whoever gets the input in smaller pieces got it, too.
        self.state = State::Failed(Violation::InvalidUtf8);
        Ok(Found { skip, len: good, what: What::Chunk { last: false } })
    }

    /// The rules of a header that depend on the role, the extensions and what came before.
    fn judge(&self, opcode: OpCode, rsv: u8, masked: bool) -> Result<(), Violation> {
        let starts = matches!(opcode, OpCode::Text | OpCode::Binary);
        // RFC 6455 5.2: a reserved bit "MUST be 0 unless an extension is negotiated"; RFC 7692 6.1
        // defines RSV1, for the first frame of a message alone.
        let rsv = if self.rsv1 && starts { rsv & !FrameHeader::RSV1 } else { rsv };
        if rsv != 0 {
            return Err(Violation::ReservedBit);
        }
        // RFC 6455 5.1: "The server MUST close the connection upon receiving a frame that is not
        // masked", "A client MUST close a connection if it detects a masked frame".
        match (self.masked, masked) {
            (true, false) => return Err(Violation::NotMasked),
            (false, true) => return Err(Violation::Masked),
            _ => {}
        }
        // RFC 6455 5.4: the fragments of one message "MUST NOT be interleaved" with another's.
        match (opcode, self.state) {
            (OpCode::Continuation, State::Idle) => Err(Violation::UnexpectedContinuation),
            (OpCode::Text | OpCode::Binary, State::Message) => Err(Violation::ExpectedContinuation),
            _ => Ok(()),
        }
    }

    /// Begins a data frame, if it is within the limits.
    fn begin(&mut self, header: &FrameHeader, room: u64) -> Result<(), Violation> {
        if header.opcode != OpCode::Continuation {
            self.kind = match header.opcode {
                OpCode::Text => MessageKind::Text,
                _ => MessageKind::Binary,
            };
            self.state = State::Message;
            self.compressed = header.rsv != 0;
            self.message_len = 0;
            self.fragments = self.max_fragments;
            self.utf8 = Utf8::new();
            self.fresh = true;
            self.whole = room != NO_LIMIT;
        }
        let Some(fragments) = self.fragments.checked_sub(1) else {
            return Err(Violation::TooManyFragments);
        };
        let mut max_frame = self.max_frame;
        // Where the message's limit is the frame's, it is meant for what is inflated: what does not compress may be
        // an eighth longer on the wire.
        if self.compressed && max_frame == self.max_message {
            max_frame += max_frame / 8 + 64;
        }
        if header.payload_len > max_frame {
            return Err(Violation::FrameTooBig);
        }
        if !self.compressed {
            self.message_len = self.message_len.saturating_add(header.payload_len);
            if self.message_len > self.max_message
                || self.message_len.saturating_add(room_behind(header.fin)) > room
            {
                return Err(Violation::MessageTooBig);
            }
        }
        self.fragments = fragments;
        self.remaining = header.payload_len;
        self.fin = header.fin;
        self.key = header.mask.unwrap_or_default();
        Ok(())
    }

    /// How much room the rest of the current frame takes behind what is held of its message.
    pub(super) fn rest(&self) -> u64 {
        if self.compressed { 0 } else { self.remaining + room_behind(self.fin) }
    }
}

/// How much room there has to be behind a frame where its message is held. If it does not end the message: room for the
/// control frames that may come before the next one.
const fn room_behind(fin: bool) -> u64 {
    if fin { 0 } else { READ_BUFFER_MIN as u64 }
}

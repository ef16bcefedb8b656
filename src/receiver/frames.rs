//! Parses and checks frame headers in a slice of bytes, and unmasks payloads in place.

use super::item::{FrameItem, Located};
use super::{Receiver, State};
use crate::Violation;
use crate::frame::{FrameHeader, MessageKind, OpCode};
use crate::mask::mask;
use crate::utf8::Utf8Validator;

impl Receiver {
    /// Parses the next frame header, and unmasks the payload of a control frame. Call it only
    /// between two frames.
    ///
    /// # Errors
    /// Returns a [`Violation`] if the header breaks the protocol or a limit.
    #[cfg_attr(not(target_os = "none"), inline)]
    #[cfg_attr(target_os = "none", inline(never))]
    pub(super) fn next_header(&mut self, input: &mut [u8]) -> Result<Located, Violation> {
        let found = self.parse_header(input);
        if let Err(violation) = found {
            self.state = State::Failed(violation);
        }
        found
    }

    #[inline]
    fn parse_header(&mut self, input: &mut [u8]) -> Result<Located, Violation> {
        let incomplete = Located { skip: 0, len: 0, item: FrameItem::Incomplete };
        let check = |opcode, rsv, masked| self.check_header(opcode, rsv, masked);
        let Some((header, skip)) = FrameHeader::parse_and(input, check)? else {
            return Ok(incomplete);
        };
        if !header.opcode.is_control() {
            self.start_frame(&header)?;
            return Ok(Located { skip, len: 0, item: FrameItem::Data });
        }
        let len = header.payload_len as usize;
        let Some(payload) = input.get_mut(skip..).and_then(|rest| rest.get_mut(..len)) else {
            return Ok(incomplete);
        };
        if let Some(key) = header.mask {
            mask(payload, key);
        }
        let item = match header.opcode {
            OpCode::Ping => FrameItem::Ping,
            OpCode::Pong => FrameItem::Pong,
            _ => FrameItem::Close,
        };
        Ok(Located { skip, len, item })
    }

    /// Consumes and unmasks the payload of the current frame at the start of `input`. Returns the
    /// number of consumed bytes. Returns `None` if there is no payload byte and the message does
    /// not end.
    #[inline]
    pub(super) fn take_piece(&mut self, input: &mut [u8]) -> Option<usize> {
        let len = usize::try_from(self.remaining).unwrap_or(usize::MAX).min(input.len());
        self.remaining -= len as u64;
        let last = self.fin && self.remaining == 0;
        if len == 0 && !last {
            return None;
        }
        if self.masked {
            self.key = mask(input.get_mut(..len).unwrap_or_default(), self.key);
        }
        if last {
            self.state = State::Idle;
        }
        Some(len)
    }

    /// Checks the rules of a header that depend on the role, the extensions and the earlier frames.
    fn check_header(&self, opcode: OpCode, rsv: u8, masked: bool) -> Result<(), Violation> {
        let starts = matches!(opcode, OpCode::Text | OpCode::Binary);
        // RFC 6455 section 5.2: a reserved bit "MUST be 0 unless an extension is negotiated". RFC
        // 7692 section 6.1 defines RSV1 for the first frame of a message only.
        let rsv = if self.rsv1 && starts { rsv & !FrameHeader::RSV1 } else { rsv };
        if rsv != 0 {
            return Err(Violation::ReservedBit);
        }
        // RFC 6455 section 5.1: "The server MUST close the connection upon receiving a frame that
        // is not masked", "A client MUST close a connection if it detects a masked frame".
        match (self.masked, masked) {
            (true, false) => return Err(Violation::NotMasked),
            (false, true) => return Err(Violation::Masked),
            _ => {}
        }
        // RFC 6455 section 5.4: the fragments of one message "MUST NOT be interleaved" with
        // fragments of another message.
        match (opcode, self.state) {
            (OpCode::Continuation, State::Idle) => Err(Violation::UnexpectedContinuation),
            (OpCode::Text | OpCode::Binary, State::Message) => Err(Violation::ExpectedContinuation),
            _ => Ok(()),
        }
    }

    /// Starts a data frame.
    ///
    /// # Errors
    /// Returns a [`Violation`] if the frame or its message exceeds a limit.
    fn start_frame(&mut self, header: &FrameHeader) -> Result<(), Violation> {
        if header.opcode != OpCode::Continuation {
            let text = header.opcode == OpCode::Text;
            self.start_message(if text { MessageKind::Text } else { MessageKind::Binary });
            self.state = State::Message;
            self.compressed = header.rsv != 0;
            self.message_len = 0;
            self.fragments = self.max_fragments;
        }
        let Some(fragments) = self.fragments.checked_sub(1) else {
            return Err(Violation::TooManyFragments);
        };
        let mut max_frame = self.max_frame;
        // A frame limit that equals the message limit applies to the inflated bytes. In compressed
        // form, incompressible data may be an eighth longer.
        if self.compressed && max_frame == self.max_message {
            max_frame += max_frame / 8 + 64;
        }
        if header.payload_len > max_frame {
            return Err(Violation::FrameTooBig);
        }
        if !self.compressed {
            self.message_len = self.message_len.saturating_add(header.payload_len);
            if self.message_len > self.max_message {
                return Err(Violation::MessageTooBig);
            }
        }
        self.fragments = fragments;
        self.remaining = header.payload_len;
        self.fin = header.fin;
        self.key = header.mask.unwrap_or_default();
        Ok(())
    }

    /// Resets the state of the message.
    #[inline]
    pub(super) fn start_message(&mut self, kind: MessageKind) {
        self.kind = kind;
        self.utf8 = Utf8Validator::new();
        self.fresh = true;
        self.compressed = false;
    }
}

//! Connects a deflater to the [`WriteBuffer`](crate::WriteBuffer) of a sender.

use super::{CompressionStats, DeflateConfig, DeflateParams, Deflater, Flush, Step, WindowBits};
use crate::Error;
use crate::buffer::{CONTROL_RESERVE, Storage, WriteBuffer};
use crate::frame::{FrameHeader, MessageKind, OpCode};
use crate::mask::mask;
use crate::role::Role;
use crate::role::private::Token;

/// The state of a [`Sender`](crate::Sender) that compresses. It is on the heap, so that a
/// connection without compression has only a pointer.
#[derive(Debug)]
pub(crate) struct Deflation {
    pub(super) config: DeflateConfig,
    pub(super) agreement: DeflateParams,
    pub(super) deflater: Deflater,
    /// `true` if messages that start now are compressed.
    pub(super) on: bool,
    message: Message,
    pub(super) totals: CompressionStats,
}

/// The message that was started in fragments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Message {
    /// No message, or one that is not compressed.
    None,
    /// No frame is written yet: all bytes so far are in the compressor.
    Unseen,
    Begun,
}

impl Deflation {
    pub(crate) fn agreed(agreement: DeflateParams, config: &DeflateConfig) -> Deflation {
        Deflation {
            config: *config,
            agreement,
            deflater: Deflater::new(agreement.send, config),
            on: true,
            message: Message::None,
            totals: CompressionStats::default(),
        }
    }

    /// Returns `true` if a message of `len` bytes that starts now is compressed.
    #[inline]
    pub(crate) const fn compresses(&self, len: usize) -> bool {
        self.on && len >= self.config.threshold
    }

    /// Returns `true` if the connection can send a message that was compressed with `window` for
    /// several connections. This connection must keep no context, and the peer's window must be at
    /// least as large (RFC 7692 section 7.1).
    pub(crate) fn shares(&self, window: WindowBits) -> bool {
        self.on && !self.agreement.send.takeover && window <= self.agreement.send.window_bits
    }

    /// Counts a message that was compressed elsewhere.
    pub(crate) fn count(&mut self, message: usize, wire: usize) {
        self.totals.add(message, wire);
    }

    /// Returns `true` if a part of a message is compressed. The first part decides. The length of a
    /// partial message is unknown, so it counts as above the threshold.
    pub(crate) const fn takes(&self, begins: bool, part: &[u8], fin: bool) -> bool {
        if begins {
            self.compresses(if fin { part.len() } else { usize::MAX })
        } else {
            !matches!(self.message, Message::None)
        }
    }

    /// Returns `true` if a message of `len` bytes is compressed: it is long enough, and the buffer
    /// has space for it even if the bytes do not compress.
    pub(crate) fn compresses_message<S: Storage>(
        &self,
        len: usize,
        masks: bool,
        tx: &mut WriteBuffer<S>,
    ) -> bool {
        // Storage that can grow may get no memory. Then the message is sent uncompressed.
        self.compresses(len) && tx.reserve(self.needs(len, masks)).is_ok()
    }

    /// Returns `true` if the empty buffer has space for a fragment of `len` bytes, even if the
    /// bytes do not compress.
    pub(crate) fn can_fit<S: Storage>(&self, len: usize, masks: bool, tx: &WriteBuffer<S>) -> bool {
        self.needs(len, masks) <= tx.largest_reserve()
    }

    fn needs(&self, len: usize, masks: bool) -> usize {
        let bound = self.deflater.bound(len);
        bound.saturating_add(FrameHeader::len_for(bound as u64, masks))
    }

    /// Compresses all of `bytes` into one frame.
    pub(crate) fn write_frame<R: Role, S: Storage>(
        &mut self,
        kind: MessageKind,
        bytes: &[u8],
        fin: bool,
        role: &mut R,
        tx: &mut WriteBuffer<S>,
    ) -> Result<(), Error> {
        let needed = self.needs(bytes.len(), R::MASKS);
        let flush = if fin { Flush::End } else { Flush::Sync };
        let mut rest = bytes;
        if self.frame(kind, &mut rest, flush, needed, role, tx)? {
            return Ok(());
        }
        // No input is known that exceeds the bound. If one does, the message continues in another
        // frame.
        debug_assert!(false, "{} bytes do not fit in their bound", bytes.len());
        self.frame(kind, &mut rest, flush, needed, role, tx).map(|_| ())
    }

    /// Compresses as much of `input` as fits into one frame. The caller ensures free bytes for a
    /// header and some payload. Returns `true` if the compressor consumed all of the input.
    pub(crate) fn write_partial_frame<R: Role, S: Storage>(
        &mut self,
        kind: MessageKind,
        input: &mut &[u8],
        fin: bool,
        role: &mut R,
        tx: &mut WriteBuffer<S>,
    ) -> Result<bool, Error> {
        let room = self.needs(input.len(), R::MASKS).min(tx.available());
        let flush = if fin { Flush::End } else { Flush::None };
        self.frame(kind, input, flush, room, role, tx)
    }

    /// Compresses into `room` bytes of the buffer, after the space for the longest possible header.
    /// Returns `true` if all input was consumed and, as far as `flush` demands, written.
    fn frame<R: Role, S: Storage>(
        &mut self,
        kind: MessageKind,
        input: &mut &[u8],
        flush: Flush,
        room: usize,
        role: &mut R,
        tx: &mut WriteBuffer<S>,
    ) -> Result<bool, Error> {
        let out = tx.reserve(room)?;
        // The key is drawn before anything is compressed, so that a failure changes nothing.
        let key = role.key(Token)?;
        let at = FrameHeader::len_for(room as u64, R::MASKS);
        let body = out.get_mut(at..).unwrap_or_default();
        let progress = self.deflater.deflate(input, body, flush);
        *input = input.get(progress.consumed..).unwrap_or_default();

        let begins = self.message != Message::Begun;
        let done = progress.step != Step::OutputFull;
        let ends = progress.step == Step::End;
        let header = FrameHeader {
            fin: ends,
            rsv: if begins { FrameHeader::RSV1 } else { 0 },
            opcode: if begins { kind.opcode() } else { OpCode::Continuation },
            mask: key,
            payload_len: progress.produced as u64,
        };
        let header = header.encode();
        let header = header.as_bytes();
        let len = header.len() + progress.produced;
        // A small payload needs a shorter header than was reserved.
        if header.len() < at && at + progress.produced <= out.len() {
            out.copy_within(at..at + progress.produced, header.len());
        }
        if let Some((head, body)) = out.split_at_mut_checked(header.len()) {
            head.copy_from_slice(header);
            if let (Some(key), Some(body)) = (key, body.get_mut(..progress.produced)) {
                mask(body, key);
            }
        }
        self.totals.add(progress.consumed, progress.produced);
        if ends {
            self.message = Message::None;
            tx.commit(len, CONTROL_RESERVE);
        } else if progress.produced > 0 {
            self.message = Message::Begun;
            tx.commit(len, CONTROL_RESERVE);
        } else if begins {
            self.message = Message::Unseen;
        }
        Ok(done)
    }
}

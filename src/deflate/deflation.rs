//! The sending half's deflater, in front of a [`WriteBuffer`](crate::WriteBuffer).

use super::{CompressionStats, DeflateConfig, DeflateParams, Deflater, Flush, Step};
use crate::Error;
use crate::buffer::{Storage, WriteBuffer};
use crate::frame::{FrameHeader, MessageKind, OpCode};
use crate::mask::mask;
use crate::role::Role;
use crate::role::private::Token;

/// The least room that a frame is begun in when more frames may follow: less for a payload is not
/// worth a header.
pub(crate) const LEAST_ROOM: usize = FrameHeader::MAX_LEN + 64;

/// What a [`Sender`](crate::Sender) needs to compress. Lives on the heap, so that a connection
/// without compression has a pointer and no more.
#[derive(Debug)]
pub(crate) struct Deflation {
    pub(super) config: DeflateConfig,
    pub(super) agreement: DeflateParams,
    pub(super) deflater: Deflater,
    /// Whether messages that begin now are compressed.
    pub(super) on: bool,
    message: Message,
    pub(super) totals: CompressionStats,
}

/// The message that was begun in fragments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Message {
    /// None, or one that is not compressed.
    None,
    /// No frame of it was put yet: what was given so far is still in the compressor.
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

    /// Whether a message of this length, that begins now, is to be compressed.
    #[inline]
    pub(crate) const fn compresses(&self, len: usize) -> bool {
        self.on && len >= self.config.threshold
    }

    /// Whether a part of a message is compressed: what its first part was decides, and of a message
    /// that this is not all of nobody knows the length.
    pub(crate) const fn takes(&self, begins: bool, part: &[u8], fin: bool) -> bool {
        if begins {
            self.compresses(if fin { part.len() } else { usize::MAX })
        } else {
            !matches!(self.message, Message::None)
        }
    }

    /// Whether so much more of a message fits whatever it compresses to.
    pub(crate) fn fits<S: Storage>(&self, len: usize, masks: bool, tx: &WriteBuffer<S>) -> bool {
        self.needs(len, masks) <= tx.available()
    }

    fn needs(&self, len: usize, masks: bool) -> usize {
        let bound = self.deflater.bound(len);
        bound.saturating_add(FrameHeader::len_for(bound as u64, masks))
    }

    /// Puts a frame with what a part of a message compresses to, all of it.
    pub(crate) fn put<R: Role, S: Storage>(
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
        // The bound holds for every setting, as far as is known. If it did not, the message would
        // go on in a further frame.
        debug_assert!(false, "{} bytes do not fit in their bound", bytes.len());
        self.frame(kind, &mut rest, flush, needed, role, tx).map(|_| ())
    }

    /// Puts as much of a message as there is room for, in one frame: that there is
    /// [enough](LEAST_ROOM) is the caller's to see. Whether that is all.
    pub(crate) fn put_some<R: Role, S: Storage>(
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

    /// Compresses into `room` bytes of the buffer, behind the place of the longest header that it
    /// may need. Whether all of the input was taken and, as far as it was to be flushed, came out.
    fn frame<R: Role, S: Storage>(
        &mut self,
        kind: MessageKind,
        input: &mut &[u8],
        flush: Flush,
        room: usize,
        role: &mut R,
        tx: &mut WriteBuffer<S>,
    ) -> Result<bool, Error> {
        let out = tx.room(room)?;
        // Before anything is compressed: what fails here has changed nothing.
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
        // What compresses well needs a shorter header than was kept free.
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
            tx.commit(len);
        } else if progress.produced > 0 {
            self.message = Message::Begun;
            tx.commit(len);
        } else if begins {
            self.message = Message::Unseen;
        }
        Ok(done)
    }
}

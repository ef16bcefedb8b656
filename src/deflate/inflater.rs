//! Inflates one message after another (RFC 7692 section 7.2.2).

use core::fmt;

use zlib_rs::{Inflate, InflateFlush, Status};

use super::{Context, Pool, Progress, Step};

/// The bytes that a sender removes from the end of each message (RFC 7692 section 7.2.1): the
/// length of an empty stored block and its complement.
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// The tail and a guard byte, which the engine must leave unread; see [`Inflater::end`].
const TAIL_AND_GUARD: [u8; 5] = [0x00, 0x00, 0xff, 0xff, 0x00];

/// Bytes of compressed input after which the ratio is checked.
const RATIO_BLOCK: u64 = 4096;

/// Length in bytes of the longest slice passed to zlib-rs, which counts in 32 bits.
const MAX_SLICE: usize = 1 << 30;

/// Limits how far a message may inflate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InflateLimits {
    /// Largest message in inflated bytes. The limit is exact.
    pub message: u64,
    /// Largest ratio of inflated to received bytes; see
    /// [`DeflateConfig::with_max_ratio`](super::DeflateConfig::with_max_ratio).
    pub ratio: Option<u32>,
}

/// Inflates the payloads of compressed messages.
///
/// The payload may be cut anywhere, also between frames, and the output may have any size. The
/// inflated bytes and the result do not depend on either. The first message allocates about 46 KiB,
/// for any window. Without context takeover, a [`Pool`] can lend this memory to other connections
/// between messages.
///
/// - A block with the BFINAL bit ends a DEFLATE stream, not the message. The next block starts a
///   new stream, which cannot refer to earlier bytes (RFC 7692 section 7.2.3.4, RFC 1951 section
///   3.2.3).
/// - A message is corrupt unless it is at the end of a block once its tail is restored. The tail
///   itself never produces output. A caller that receives a message in parts already has some of
///   them when the last call finds the message incomplete.
/// - The length limit ends a message before the first excess byte is written.
/// - The ratio is checked for each started block of 4 KiB of compressed input. Output beyond
///   `ratio * 4096 * blocks` ends the message. Neither limit depends on how the input was cut.
/// - The work is linear in the bytes consumed and produced, even if every block is empty.
pub struct Inflater {
    engine: Option<Inflate>,
    takeover: bool,
    limits: InflateLimits,
    /// Compressed bytes of the current message that were consumed.
    received: u64,
    /// Inflated bytes of the current message.
    produced: u64,
    /// `true` after the output was full: the engine may produce more without further input.
    pending: bool,
    failure: Option<InflateError>,
}

impl Inflater {
    /// Makes an inflater for the messages of a peer that compresses by `context`. Allocates
    /// nothing.
    #[must_use]
    pub const fn new(context: Context, limits: InflateLimits) -> Self {
        Self {
            engine: None,
            takeover: context.takeover,
            limits,
            received: 0,
            produced: 0,
            pending: false,
            failure: None,
        }
    }

    /// Inflates the next part of a message's payload. If `last` is `true`, `input` ends the
    /// message.
    ///
    /// - [`Step::OutputFull`]: call again with free output and the rest of the input, even if none
    ///   is left.
    /// - [`Step::InputTaken`]: call again with more of the payload.
    /// - [`Step::End`]: the next call starts a new message.
    ///
    /// # Errors
    /// Returns [`InflateError`] if the message is corrupt or exceeds a limit. Earlier calls
    /// returned the bytes before the fault. Every later call returns an equal error. The memory is
    /// freed.
    ///
    /// # Panics
    /// Panics if the allocator is out of memory at the first message, which zlib-rs cannot report.
    pub fn inflate(
        &mut self,
        input: &[u8],
        output: &mut [u8],
        last: bool,
    ) -> Result<Progress, InflateError> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        let mut progress = Progress { consumed: 0, produced: 0, step: Step::InputTaken };
        let step = self.advance(input, output, &mut progress).and_then(|step| match step {
            Step::InputTaken if last => self.end().map(|()| Step::End),
            step => Ok(step),
        });
        match step {
            Ok(step) => progress.step = step,
            Err(failure) => {
                self.failure = Some(failure);
                self.engine = None;
                if progress.produced == 0 {
                    return Err(failure);
                }
                // Return the valid bytes before the fault first. The result then does not depend on
                // cuts.
                progress.step = Step::OutputFull;
            }
        }
        Ok(progress)
    }

    /// Inflates like [`inflate`](Self::inflate), with `limit` as the new largest message.
    pub(super) fn inflate_within(
        &mut self,
        limit: u64,
        input: &[u8],
        output: &mut [u8],
        last: bool,
    ) -> Result<Progress, InflateError> {
        self.limits.message = limit;
        self.inflate(input, output, last)
    }

    /// Returns `true` if the next byte of input starts a message.
    #[must_use]
    pub const fn is_between_messages(&self) -> bool {
        self.received == 0 && self.produced == 0 && !self.pending
    }

    /// Borrows a decompressor from the pool, if this inflater has none and the pool has one.
    pub fn borrow_from(&mut self, pool: &mut Pool) {
        if self.engine.is_none() && self.failure.is_none() {
            self.engine = pool.take_inflate();
        }
    }

    /// Returns the decompressor to the pool between messages, unless the context is kept.
    pub fn return_to(&mut self, pool: &mut Pool) {
        if !self.takeover && self.is_between_messages() {
            if let Some(engine) = self.engine.take() {
                pool.return_inflate(engine);
            }
        }
    }

    /// Drops an unfinished message, and the context with it.
    #[cold]
    pub(super) fn abandon(&mut self) {
        if let Some(engine) = &mut self.engine {
            engine.reset(false);
        }
        (self.received, self.produced, self.pending) = (0, 0, false);
    }

    /// Inflates until all input is consumed and its bytes are written, or until the output is full.
    fn advance(
        &mut self,
        input: &[u8],
        output: &mut [u8],
        progress: &mut Progress,
    ) -> Result<Step, InflateError> {
        loop {
            let rest = input.get(progress.consumed..).unwrap_or_default();
            let piece = self.next_piece(rest);
            if piece.is_empty() && !self.pending {
                return Ok(Step::InputTaken);
            }
            let allowed = self.allowance(piece.len()).saturating_sub(self.produced);
            let mut probe = [0];
            let space = match usize::try_from(allowed).unwrap_or(MAX_SLICE).min(MAX_SLICE) {
                // One byte of scratch output decides whether the message exceeds the limit.
                0 => &mut probe[..],
                allowed => {
                    let space = output.get_mut(progress.produced..).unwrap_or_default();
                    let length = space.len().min(allowed);
                    space.get_mut(..length).unwrap_or_default()
                }
            };
            if space.is_empty() {
                return Ok(Step::OutputFull);
            }

            let engine = self
                .engine
                // The engine always allocates the largest window.
                .get_or_insert_with(|| Inflate::new(false, 15));
            let (consumed, produced) = (engine.total_in(), engine.total_out());
            let status = engine.decompress(piece, space, InflateFlush::NoFlush);
            let consumed = engine.total_in().wrapping_sub(consumed);
            let produced = engine.total_out().wrapping_sub(produced);

            if allowed == 0 && produced > 0 {
                return Err(if self.produced >= self.limits.message {
                    InflateError::TooLong
                } else {
                    InflateError::Ratio
                });
            }
            self.received = self.received.saturating_add(consumed);
            self.produced = self.produced.saturating_add(produced);
            self.pending = produced == space.len() as u64;
            progress.consumed += usize::try_from(consumed).unwrap_or(piece.len());
            progress.produced += usize::try_from(produced).unwrap_or(space.len());

            match status {
                Ok(Status::StreamEnd) => {
                    engine.reset(false);
                    self.pending = false;
                }
                // A sound stream always makes progress with input and free output.
                Ok(_) if consumed == 0 && produced == 0 && !piece.is_empty() => {
                    return Err(InflateError::Corrupt);
                }
                Ok(_) => {}
                Err(_) => return Err(InflateError::Corrupt),
            }
        }
    }

    /// Returns the input for one call of the engine. With a ratio limit, no piece crosses the edge
    /// of a 4 KiB block, and the output of a block is complete before the next block starts.
    fn next_piece<'a>(&self, rest: &'a [u8]) -> &'a [u8] {
        let mut length = rest.len().min(MAX_SLICE);
        if self.limits.ratio.is_some() {
            let into_block = self.received % RATIO_BLOCK;
            if into_block == 0 && self.pending {
                return &[];
            }
            length =
                usize::try_from(RATIO_BLOCK - into_block).map_or(length, |block| length.min(block));
        }
        rest.get(..length).unwrap_or_default()
    }

    /// Returns the largest message length allowed after `next` more bytes of input, counted in
    /// started blocks.
    fn allowance(&self, next: usize) -> u64 {
        let Some(ratio) = self.limits.ratio else {
            return self.limits.message;
        };
        let blocks = self.received.saturating_add(next as u64).div_ceil(RATIO_BLOCK);
        let allowed = blocks.saturating_mul(RATIO_BLOCK).saturating_mul(u64::from(ratio));
        allowed.min(self.limits.message)
    }

    /// Restores the tail, checks that the message is complete, and prepares for the next message.
    ///
    /// The engine is asked to stop at the end of a block. A complete message ends inside the header
    /// of an empty stored block. The tail ends that block: nothing is produced, and the guard byte
    /// stays unread. Any other state consumes the guard byte, produces bytes, or fails.
    fn end(&mut self) -> Result<(), InflateError> {
        // A message without payload is empty: there is no block to complete.
        if self.received > 0 {
            let engine = self.engine.as_mut().ok_or(InflateError::Corrupt)?;
            let (consumed, produced) = (engine.total_in(), engine.total_out());
            let status = engine.decompress(&TAIL_AND_GUARD, &mut [0], InflateFlush::Block);
            let consumed = engine.total_in().wrapping_sub(consumed);
            let produced = engine.total_out().wrapping_sub(produced);
            if status != Ok(Status::Ok) || consumed != TAIL.len() as u64 || produced != 0 {
                return Err(InflateError::Corrupt);
            }
            if !self.takeover {
                engine.reset(false);
            }
        }
        self.received = 0;
        self.produced = 0;
        self.pending = false;
        Ok(())
    }
}

impl fmt::Debug for Inflater {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Inflater")
            .field("takeover", &self.takeover)
            .field("limits", &self.limits)
            .field("received", &self.received)
            .field("produced", &self.produced)
            .field("failure", &self.failure)
            .finish_non_exhaustive()
    }
}

/// A reason why a compressed message cannot be inflated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum InflateError {
    /// The message is not DEFLATE data, or ends inside a block. The close code is 1007.
    Corrupt,
    /// The message exceeds the length limit. The close code is 1009.
    TooLong,
    /// The message exceeds the ratio of inflated to received bytes. The close code is 1009.
    Ratio,
}

impl fmt::Display for InflateError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Corrupt => "corrupt compressed message",
            Self::TooLong => "compressed message inflates past the limit on its length",
            Self::Ratio => "compressed message inflates past the limit on its ratio",
        })
    }
}

impl core::error::Error for InflateError {}

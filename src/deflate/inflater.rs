//! Inflating one message after another (RFC 7692 section 7.2.2), between the caller's slices.

use core::fmt;

use zlib_rs::{Inflate, InflateFlush, Status};

use super::{Context, Pool, Progress, Step};

/// What a sender leaves out at the end of each message: the length of an empty stored block and its complement.
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// The tail and one byte more, which must be left over: see [`Inflater::end`].
const TAIL_AND_GUARD: [u8; 5] = [0x00, 0x00, 0xff, 0xff, 0x00];

/// The ratio is judged once per this many bytes of compressed input.
const RATIO_BLOCK: u64 = 4096;

/// The longest slice given to the library at once, which counts in 32 bits.
const MAX_SLICE: usize = 1 << 30;

/// How far a message may inflate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InflateLimits {
    /// The longest message, in inflated bytes; exact.
    pub message: u64,
    /// [`DeflateConfig::max_ratio`](super::DeflateConfig::max_ratio).
    pub ratio: Option<u32>,
}

/// The receiving half of permessage-deflate: compressed payload in, message out.
///
/// The payload of a message may be cut anywhere, also between frames, and the output may be of any size: the bytes
/// that come out and the verdict are the same. Memory is taken when the first message arrives (about 46 KiB, whatever
/// the window), and between messages without context takeover it can be lent to others through a [`Pool`].
///
/// - Blocks with the BFINAL bit end a DEFLATE stream, not the message: what follows starts a stream of its own, which
///   cannot refer to what was before it (RFC 7692 section 7.2.3.4, RFC 1951 section 3.2.3).
/// - A message that is not at the end of a block once its tail is restored is corrupt, and nothing that the tail
///   itself would decode to comes out. Whoever takes a message in parts has parts of it by then, and learns at the
///   end that it never became whole.
/// - The limit on its length ends a message at the first byte past it, before that byte is written. The ratio is
///   judged against the compressed bytes received, counted in blocks of 4 KiB begun, and not at the end alone: output
///   past `ratio * 4096 * blocks` ends the message. So neither depends on how the input was cut.
/// - The work is linear in the bytes that go in and come out, also when every block is empty.
pub struct Inflater {
    engine: Option<Inflate>,
    takeover: bool,
    limits: InflateLimits,
    /// Compressed bytes of this message taken so far.
    received: u64,
    /// Bytes of this message given so far.
    produced: u64,
    /// The output was full, so the engine may hold more without further input.
    pending: bool,
    failure: Option<InflateError>,
}

impl Inflater {
    /// For a peer that compresses as `context` says; allocates nothing yet.
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

    /// Inflates the next part of a message's payload. `last` says that nothing of this message follows `input`.
    ///
    /// [`Step::OutputFull`] asks for another call with the input that is left, even if none is, and with room.
    /// [`Step::InputTaken`] asks for more of the payload. After [`Step::End`] the next call begins a new message.
    ///
    /// # Errors
    ///
    /// The message is not to be had; what came out before the fault was given by earlier calls. Every further call
    /// fails likewise, and the memory is already free.
    ///
    /// # Panics
    ///
    /// The allocator is out of memory when the first message arrives (zlib-rs has no way to say so).
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
                // What was sound is given first, as it would have been had the input been cut in front of the fault.
                progress.step = Step::OutputFull;
            }
        }
        Ok(progress)
    }

    /// As [`inflate`](Self::inflate), where the message is to be no longer than `limit` from now on.
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

    /// Whether the next byte of input begins a message.
    #[must_use]
    pub const fn is_between_messages(&self) -> bool {
        self.received == 0 && self.produced == 0 && !self.pending
    }

    /// Takes memory from the pool, if this has none and the pool has some.
    pub fn borrow_from(&mut self, pool: &mut Pool) {
        if self.engine.is_none() && self.failure.is_none() {
            self.engine = pool.take_inflate();
        }
    }

    /// Gives the memory to the pool, if this is between messages and keeps no context.
    pub fn return_to(&mut self, pool: &mut Pool) {
        if !self.takeover && self.is_between_messages() {
            if let Some(engine) = self.engine.take() {
                pool.put_inflate(engine);
            }
        }
    }

    /// Inflates until the input is taken and everything in it came out, or until the output is full.
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
                // At the limit it is decided with a byte that goes nowhere whether the message is longer.
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
                // The engine always has room for the largest window, so there is no smaller one to ask for.
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
                // With input and room there is always something to do.
                Ok(_) if consumed == 0 && produced == 0 && !piece.is_empty() => {
                    return Err(InflateError::Corrupt);
                }
                Ok(_) => {}
                Err(_) => return Err(InflateError::Corrupt),
            }
        }
    }

    /// The input for one call of the engine. Where a ratio is judged, no call reaches over the edge of a block, and
    /// all that the block inflates to comes out before the next one goes in.
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

    /// How long the message may be by the end of the block that `next` bytes of input lie in.
    fn allowance(&self, next: usize) -> u64 {
        let Some(ratio) = self.limits.ratio else {
            return self.limits.message;
        };
        let blocks = self.received.saturating_add(next as u64).div_ceil(RATIO_BLOCK);
        let allowed = blocks.saturating_mul(RATIO_BLOCK).saturating_mul(u64::from(ratio));
        allowed.min(self.limits.message)
    }

    /// Restores the tail, and makes ready for the next message.
    ///
    /// The engine is asked to stop at the end of a block. A sound message ends inside the header of an empty stored
    /// block, so the tail ends that block, nothing comes out, and the guard byte behind it is left alone. In any other
    /// state the guard byte is taken too, or bytes come out, or the data is found to be invalid.
    fn end(&mut self) -> Result<(), InflateError> {
        // No payload at all is the empty message: there is no block to complete.
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

/// Why a compressed message cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum InflateError {
    /// It is no DEFLATE data, or ends in the middle of a block: Close code 1007.
    Corrupt,
    /// It is longer than the limit: Close code 1009.
    TooLong,
    /// It inflates to more than the allowed multiple of what was received: Close code 1009.
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

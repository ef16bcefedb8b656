//! Connects an inflater to the [`ReadBuffer`](crate::ReadBuffer) of a receiver.

use super::{
    CompressionStats, DeflateConfig, DeflateParams, InflateError, InflateLimits, Inflater, Step,
};
use crate::Violation;
use crate::buffer::{ReadBuffer, Storage};

/// Largest chunk in inflated bytes.
const CHUNK: usize = 16 << 10;

/// The state of a [`Receiver`](crate::Receiver) that inflates. It is on the heap, so that a
/// connection without compression has only a pointer.
#[derive(Debug)]
pub(crate) struct Inflation {
    pub(super) inflater: Inflater,
    /// `Some` while the buffer or the inflater has payload. `true` for the last payload of a
    /// message.
    piece: Option<bool>,
    pub(super) totals: CompressionStats,
}

impl Inflation {
    pub(super) fn new(agreement: DeflateParams, config: &DeflateConfig) -> Inflation {
        let limits = InflateLimits { message: u64::MAX, ratio: config.max_ratio };
        Inflation {
            inflater: Inflater::new(agreement.receive, limits),
            piece: None,
            totals: CompressionStats::default(),
        }
    }

    /// Returns `true` if payload in the buffer is not inflated yet.
    #[inline]
    pub(crate) const fn is_busy(&self) -> bool {
        self.piece.is_some()
    }

    /// Starts to inflate the payload in the buffer. `last` is `true` if the payload ends the
    /// message.
    pub(crate) const fn begin(&mut self, last: bool) {
        self.piece = Some(last);
    }

    /// Drops an unfinished message, and the inflated part of one in this read buffer. The message
    /// may have ended in another read buffer.
    #[inline]
    pub(crate) fn abandon<S: Storage>(&mut self, rx: &mut ReadBuffer<S>) {
        if !self.inflater.is_between_messages() {
            self.piece = None;
            self.inflater.abandon();
        }
        rx.release_inflated();
    }

    /// Inflates the payload in the buffer: all of it for a `whole` message, otherwise at most one
    /// chunk. Returns `true` at the end of the message.
    pub(crate) fn run<S: Storage>(
        &mut self,
        rx: &mut ReadBuffer<S>,
        limit: u64,
        whole: bool,
    ) -> Result<bool, Violation> {
        let Some(last) = self.piece else { return Ok(false) };
        let most = if whole { limit } else { CHUNK.min(rx.capacity()) as u64 };
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        loop {
            let (input, output) = rx.inflating(most);
            let no_space = output.is_empty();
            let progress = match self.inflater.inflate_within(limit, input, output, last) {
                Ok(progress) => progress,
                Err(error) => {
                    self.piece = None;
                    return Err(match error {
                        InflateError::Corrupt => Violation::CorruptCompression,
                        InflateError::TooLong => Violation::MessageTooBig,
                        InflateError::Ratio => Violation::CompressionRatio,
                    });
                }
            };
            rx.inflated_by(progress.consumed, progress.produced);
            self.totals.add(progress.produced, progress.consumed);
            match progress.step {
                Step::OutputFull if !whole && rx.inflated_len() > 0 => return Ok(false),
                // The allocator has no memory for the message.
                Step::OutputFull if no_space => {
                    self.piece = None;
                    return Err(Violation::MessageTooBig);
                }
                Step::OutputFull => {}
                Step::InputTaken => {
                    self.piece = None;
                    return Ok(false);
                }
                Step::End => {
                    self.piece = None;
                    return Ok(last);
                }
            }
        }
    }
}

//! The receiving half's inflater, between a [`ReadBuffer`](crate::ReadBuffer)'s bytes and its memory for messages.

use super::{
    CompressionStats, DeflateConfig, DeflateParams, InflateError, InflateLimits, Inflater, Step,
};
use crate::Violation;
use crate::buffer::{ReadBuffer, Storage};

/// The most memory for a message that is handed out in chunks.
const CHUNK: usize = 16 << 10;

/// What a [`Receiver`](crate::Receiver) needs to inflate. Lives on the heap, so that a connection without compression
/// has a pointer and no more.
#[derive(Debug)]
pub(crate) struct Inflation {
    pub(super) inflater: Inflater,
    /// A piece of payload lies in the buffer or in the inflater; whether it ends its message.
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

    /// Whether there is more to be had of what the buffer holds.
    #[inline]
    pub(crate) const fn is_busy(&self) -> bool {
        self.piece.is_some()
    }

    /// A piece of payload is held in the buffer now.
    pub(crate) const fn begin(&mut self, last: bool) {
        self.piece = Some(last);
    }

    /// Inflates what the buffer holds: all of it for a `whole` message, up to a chunk's worth otherwise. Whether the
    /// message ends here.
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

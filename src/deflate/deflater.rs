//! Compresses one message after another (RFC 7692 section 7.2.1).

use core::fmt;

use zlib_rs::{Deflate, DeflateFlush, Strategy};

use super::pool::Parameters;
use super::{Context, DeflateConfig, Flush, Pool, Progress, Step, WindowBits};

/// The bytes at the end of each flush: the length of an empty stored block and its complement. They
/// are not sent at the end of a message (RFC 7692 section 7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// Output size in bytes below which a flush goes through the stage. The engine needs more than six
/// bytes at the end of a flush, or it writes the empty block again and again.
const STAGE: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Between messages.
    Between,
    /// More of the message may follow.
    Compressing,
    /// Consumed input is being flushed.
    Flushing,
    /// The engine is empty. The staged bytes, without the tail, are the last of the flush.
    Flushed,
    /// Only the tail is unwritten. It is sent if more of the message follows.
    Owing,
}

/// Compresses messages into payloads.
///
/// Messages and payloads may be cut into pieces of any size. A payload may be cut into frames
/// wherever the output was full. The first byte of the first message allocates memory; [the
/// module](super) has the figures. Without context takeover, a [`Pool`] can lend this memory to
/// other connections between messages.
pub struct Deflater {
    engine: Option<Deflate>,
    parameters: Parameters,
    takeover: bool,
    phase: Phase,
    /// Bytes consumed since the last complete flush.
    consumed: u64,
    /// Bytes produced since the last complete flush.
    produced: u64,
    /// Bytes of a flush that cannot be written yet: the last four may be the tail.
    staged: [u8; STAGE],
    staged_len: usize,
}

impl Deflater {
    /// Makes a compressor for `context`, with the levels of the configuration. Allocates nothing.
    #[must_use]
    pub fn new(context: Context, config: &DeflateConfig) -> Self {
        Self {
            engine: None,
            parameters: Parameters {
                window_bits: context.window_bits,
                level: config.level.min(9),
                memory_level: config.memory_level.clamp(1, 9),
            },
            takeover: context.takeover,
            phase: Phase::Between,
            consumed: 0,
            produced: 0,
            staged: [0; STAGE],
            staged_len: 0,
        }
    }

    /// Compresses the next part of a message. `flush` selects what must be written. Repeat the same
    /// value until the result is not [`Step::OutputFull`].
    ///
    /// - [`Step::OutputFull`]: call again with free output and the rest of the input, even if none
    ///   is left.
    /// - [`Step::InputTaken`]: call again with more of the message.
    /// - [`Step::End`]: the next call starts a new message.
    ///
    /// Bytes of `output` after the produced ones may be overwritten.
    ///
    /// # Panics
    /// Panics if the allocator is out of memory at the first message, which zlib-rs cannot report.
    pub fn deflate(&mut self, input: &[u8], output: &mut [u8], flush: Flush) -> Progress {
        let mut progress = Progress { consumed: 0, produced: 0, step: Step::InputTaken };
        if matches!(self.phase, Phase::Between | Phase::Owing) {
            if input.is_empty() {
                match (flush, self.phase) {
                    (Flush::End, Phase::Between) => empty(output, &mut progress),
                    (Flush::End, _) => self.end(&mut progress),
                    _ => {}
                }
                return progress;
            }
            if self.phase == Phase::Owing {
                self.stage(&TAIL);
            }
            self.phase = Phase::Compressing;
        }
        if self.phase == Phase::Compressing && flush != Flush::None {
            self.phase = Phase::Flushing;
        }
        progress.step = if self.phase == Phase::Compressing {
            self.compress(input, output, &mut progress)
        } else {
            self.flush(input, output, &mut progress)
        };
        self.consumed = self.consumed.saturating_add(progress.consumed as u64);
        self.produced = self.produced.saturating_add(progress.produced as u64);
        if self.phase == Phase::Flushed && progress.step == Step::InputTaken {
            self.phase = Phase::Owing;
            (self.consumed, self.produced) = (0, 0);
            // The finished flush did not include input that arrived with its last bytes.
            let rest = input.get(progress.consumed..).unwrap_or_default();
            if !rest.is_empty() {
                let space = output.get_mut(progress.produced..).unwrap_or_default();
                let more = self.deflate(rest, space, flush);
                progress.consumed += more.consumed;
                progress.produced += more.produced;
                progress.step = more.step;
            } else if flush == Flush::End {
                self.end(&mut progress);
            }
        }
        progress
    }

    /// Ends the message. Only the tail is left, and it is not sent.
    fn end(&mut self, progress: &mut Progress) {
        progress.step = Step::End;
        self.phase = Phase::Between;
        if !self.takeover {
            if let Some(engine) = &mut self.engine {
                engine.reset();
            }
        }
    }

    /// Returns an output size in bytes that is enough to flush all pending bytes and `more` further
    /// ones. Data that does not compress grows by up to an eighth with fixed codes, and by less in
    /// stored blocks.
    #[must_use]
    pub fn bound(&self, more: usize) -> usize {
        let len = self.consumed.saturating_add(more as u64);
        let bound =
            len.saturating_add(len / 8).saturating_add(len / 64).saturating_add(STAGE as u64);
        usize::try_from(bound.saturating_sub(self.produced)).unwrap_or(usize::MAX)
    }

    /// Returns `true` if the next byte of input starts a message.
    #[must_use]
    pub const fn is_between_messages(&self) -> bool {
        matches!(self.phase, Phase::Between)
    }

    /// Borrows a compressor from the pool, if this deflater has none and the pool has a matching
    /// one.
    pub fn borrow_from(&mut self, pool: &mut Pool) {
        if self.engine.is_none() {
            self.engine = pool.take_deflate(self.parameters);
        }
    }

    /// Returns the compressor to the pool between messages, unless the context is kept.
    pub fn return_to(&mut self, pool: &mut Pool) {
        if !self.takeover && self.is_between_messages() {
            if let Some(engine) = self.engine.take() {
                pool.return_deflate(self.parameters, engine);
            }
        }
    }

    /// Consumes input while the output has space.
    fn compress(&mut self, input: &[u8], output: &mut [u8], progress: &mut Progress) -> Step {
        loop {
            let rest = input.get(progress.consumed..).unwrap_or_default();
            let mut space = output.get_mut(progress.produced..).unwrap_or_default();
            if rest.is_empty() {
                return Step::InputTaken;
            }
            if self.staged_len > 0 {
                progress.produced += self.unstage(space, self.staged_len);
                space = output.get_mut(progress.produced..).unwrap_or_default();
            }
            if space.is_empty() {
                return Step::OutputFull;
            }
            let (consumed, produced) = self.run(rest, space, DeflateFlush::NoFlush);
            progress.consumed += consumed;
            progress.produced += produced;
        }
    }

    /// Consumes the rest of the input, and writes everything but the tail.
    fn flush(&mut self, input: &[u8], output: &mut [u8], progress: &mut Progress) -> Step {
        loop {
            let space = output.get_mut(progress.produced..).unwrap_or_default();
            if self.phase == Phase::Flushed || self.staged_len > TAIL.len() {
                let keep = if self.phase == Phase::Flushed { 0 } else { TAIL.len() };
                progress.produced += self.unstage(space, self.staged_len.saturating_sub(keep));
                if self.staged_len > keep {
                    return Step::OutputFull;
                }
                if self.phase == Phase::Flushed {
                    return Step::InputTaken;
                }
                continue;
            }
            if space.is_empty() {
                return Step::OutputFull;
            }
            let rest = input.get(progress.consumed..).unwrap_or_default();
            let (consumed, produced) = if space.len() < STAGE {
                (self.flush_to_stage(rest), 0)
            } else {
                self.flush_to(space, rest)
            };
            progress.consumed += consumed;
            progress.produced += produced;
        }
    }

    /// Calls the engine once, straight into the output, after the staged bytes. The last four bytes
    /// are staged again, or dropped as the tail if nothing follows them.
    fn flush_to(&mut self, space: &mut [u8], input: &[u8]) -> (usize, usize) {
        let staged = self.unstage(space, self.staged_len);
        let room = space.get_mut(staged..).unwrap_or_default();
        let full = room.len();
        let (consumed, produced) = self.run(input, room, DeflateFlush::SyncFlush);
        let length = (staged + produced).saturating_sub(TAIL.len());
        if produced < full {
            self.phase = Phase::Flushed;
        } else if let Some(kept) = space.last_chunk::<{ TAIL.len() }>() {
            self.stage(kept);
        }
        (consumed, length)
    }

    /// Calls the engine once, into the stage, which has at most the four bytes that may be the
    /// tail.
    fn flush_to_stage(&mut self, input: &[u8]) -> usize {
        let mut room = [0; STAGE - TAIL.len()];
        let (consumed, produced) = self.run(input, &mut room, DeflateFlush::SyncFlush);
        self.stage(room.get(..produced).unwrap_or_default());
        if produced < room.len() {
            self.phase = Phase::Flushed;
            self.staged_len = self.staged_len.saturating_sub(TAIL.len());
        }
        consumed
    }

    /// Appends to the staged bytes. The stage always has enough space.
    fn stage(&mut self, bytes: &[u8]) {
        let free = self.staged.get_mut(self.staged_len..).unwrap_or_default();
        if let Some(place) = free.get_mut(..bytes.len()) {
            place.copy_from_slice(bytes);
            self.staged_len += bytes.len();
        }
    }

    /// Moves up to `max` staged bytes to the front of `space`. Returns their number.
    fn unstage(&mut self, space: &mut [u8], max: usize) -> usize {
        let length = max.min(self.staged_len).min(space.len());
        if let (Some(from), Some(to)) = (self.staged.get(..length), space.get_mut(..length)) {
            to.copy_from_slice(from);
        }
        self.staged.copy_within(length..self.staged_len, 0);
        self.staged_len -= length;
        length
    }

    /// Calls the engine once. Returns the bytes consumed and produced. `output` must not be empty,
    /// and `input` may be empty only for a flush.
    fn run(&mut self, input: &[u8], output: &mut [u8], flush: DeflateFlush) -> (usize, usize) {
        let parameters = self.parameters;
        let engine = self.engine.get_or_insert_with(|| parameters.engine());
        let (consumed, produced) = (engine.total_in(), engine.total_out());
        let status = engine.compress(input, output, flush);
        debug_assert!(status.is_ok(), "a sound engine in a sound state cannot fail");
        let consumed = engine.total_in().wrapping_sub(consumed);
        let produced = engine.total_out().wrapping_sub(produced);
        (
            usize::try_from(consumed).unwrap_or(input.len()),
            usize::try_from(produced).unwrap_or(output.len()),
        )
    }
}

/// Writes the empty message: an empty stored block without its tail (RFC 7692 section 7.2.3.6).
/// Does not call the engine: between messages it is at a byte boundary, where a further flush
/// writes nothing.
fn empty(output: &mut [u8], progress: &mut Progress) {
    progress.step = match output.first_mut() {
        None => Step::OutputFull,
        Some(byte) => {
            *byte = 0x00;
            progress.produced = 1;
            Step::End
        }
    };
}

impl Parameters {
    fn engine(self) -> Deflate {
        // zlib-rs has no window of 256 bytes, and does not promise how far back it refers in one of
        // 512. Runs of one byte refer back by 1, which is inside any window.
        let strategy =
            if self.window_bits == WindowBits::MIN { Strategy::Rle } else { Strategy::Default };
        Deflate::new_with_config(zlib_rs::DeflateConfig {
            level: i32::from(self.level),
            // A negative value omits the zlib header.
            window_bits: -i32::from(self.window_bits.bits().max(9)),
            mem_level: i32::from(self.memory_level),
            strategy,
            ..zlib_rs::DeflateConfig::default()
        })
    }
}

impl fmt::Debug for Deflater {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Deflater")
            .field("parameters", &self.parameters)
            .field("takeover", &self.takeover)
            .field("phase", &self.phase)
            .finish_non_exhaustive()
    }
}

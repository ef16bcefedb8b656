//! Deflating one message after another (RFC 7692 section 7.2.1), between the caller's slices.

use core::fmt;

use zlib_rs::{Deflate, DeflateFlush, Strategy};

use super::pool::Parameters;
use super::{Context, DeflateConfig, Flush, Pool, Progress, Step, WindowBits};

/// What ends each flush, and is left out at the end of each message: the length of an empty stored block and its
/// complement.
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// Where less room than this is left, the end of a message is written to a buffer of our own first. The engine asks
/// for more than six bytes at the end of a flush, or it writes the empty block again and again.
const STAGE: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// No byte of the message has come.
    Between,
    /// More of the message may follow.
    Compressing,
    /// All that was taken is to come out.
    Flushing,
    /// The engine has nothing left; what is staged is the rest, without the tail.
    Flushed,
    /// All came out but the tail, which is still to come unless the message ends here.
    Owing,
}

/// The sending half of permessage-deflate: message in, compressed payload out.
///
/// Both may come in pieces of any size. The payload may be cut into frames wherever the output was full. Memory is
/// taken with the first byte of the first message ([the module](super) has the figures), and between messages without
/// context takeover it can be lent to others through a [`Pool`].
pub struct Deflater {
    engine: Option<Deflate>,
    parameters: Parameters,
    takeover: bool,
    phase: Phase,
    /// Bytes taken, and bytes given, since all had come out.
    taken: u64,
    given: u64,
    /// What came out of a flush and cannot be given yet, since its last four bytes may be the tail.
    staged: [u8; STAGE],
    staged_len: usize,
}

impl Deflater {
    /// Compresses as `context` says, with the effort of the configuration; allocates nothing yet.
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
            taken: 0,
            given: 0,
            staged: [0; STAGE],
            staged_len: 0,
        }
    }

    /// Compresses the next part of a message. `flush` says what is to come out; once said, it is to be said again until
    /// the answer is other than [`Step::OutputFull`].
    ///
    /// [`Step::OutputFull`] asks for another call with the input that is left, even if none is, and with room.
    /// [`Step::InputTaken`] asks for more of the message. After [`Step::End`] the next call begins a new message. Bytes
    /// of `output` behind those produced may be overwritten.
    ///
    /// # Panics
    ///
    /// The allocator is out of memory when the first message begins (zlib-rs has no way to say so).
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
        self.taken = self.taken.saturating_add(progress.consumed as u64);
        self.given = self.given.saturating_add(progress.produced as u64);
        if self.phase == Phase::Flushed && progress.step == Step::InputTaken {
            self.phase = Phase::Owing;
            (self.taken, self.given) = (0, 0);
            // A flush that has ended did not know of input that was first given with its last bytes.
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

    /// The message is complete: what is still owed is the tail that is left out.
    fn end(&mut self, progress: &mut Progress) {
        progress.step = Step::End;
        self.phase = Phase::Between;
        if !self.takeover {
            if let Some(engine) = &mut self.engine {
                engine.reset();
            }
        }
    }

    /// Room that is enough to flush all that has not come out yet, once `more` bytes are added to it. What does not
    /// compress grows: by an eighth with fixed codes, by less in stored blocks.
    #[must_use]
    pub fn bound(&self, more: usize) -> usize {
        let len = self.taken.saturating_add(more as u64);
        let bound =
            len.saturating_add(len / 8).saturating_add(len / 64).saturating_add(STAGE as u64);
        usize::try_from(bound.saturating_sub(self.given)).unwrap_or(usize::MAX)
    }

    /// Whether the next byte of input begins a message.
    #[must_use]
    pub const fn is_between_messages(&self) -> bool {
        matches!(self.phase, Phase::Between)
    }

    /// Takes memory from the pool, if this has none and the pool has some that fits.
    pub fn borrow_from(&mut self, pool: &mut Pool) {
        if self.engine.is_none() {
            self.engine = pool.take_deflate(self.parameters);
        }
    }

    /// Gives the memory to the pool, if this is between messages and keeps no context.
    pub fn return_to(&mut self, pool: &mut Pool) {
        if !self.takeover && self.is_between_messages() {
            if let Some(engine) = self.engine.take() {
                pool.put_deflate(self.parameters, engine);
            }
        }
    }

    /// Takes input while there is room.
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

    /// Takes the rest of the input, and gives all that is left but the tail.
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

    /// One call of the engine straight into the output, behind what was staged. The last four bytes go to the stage
    /// again, or nowhere if nothing follows them.
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

    /// One call of the engine into the stage, which holds at most the four bytes that may be the tail.
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

    /// Adds to the staged bytes; there is always room.
    fn stage(&mut self, bytes: &[u8]) {
        let free = self.staged.get_mut(self.staged_len..).unwrap_or_default();
        if let Some(place) = free.get_mut(..bytes.len()) {
            place.copy_from_slice(bytes);
            self.staged_len += bytes.len();
        }
    }

    /// Moves up to `most` staged bytes to the front of `space`; returns how many.
    fn unstage(&mut self, space: &mut [u8], most: usize) -> usize {
        let length = most.min(self.staged_len).min(space.len());
        if let (Some(from), Some(to)) = (self.staged.get(..length), space.get_mut(..length)) {
            to.copy_from_slice(from);
        }
        self.staged.copy_within(length..self.staged_len, 0);
        self.staged_len -= length;
        length
    }

    /// One call of the engine: bytes taken and given. Neither slice is empty, except the input of a flush.
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

/// Section 7.2.3.6: the empty message is an empty stored block without its tail. The engine need not know: it stands at
/// a byte boundary between messages, and asked to flush twice in a row it would write nothing.
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
        // The library knows no window of 256 bytes, and says nowhere how far back it looks in one of 512. Runs of one byte
        // have the distance 1, which is inside any window.
        let strategy =
            if self.window_bits == WindowBits::MIN { Strategy::Rle } else { Strategy::Default };
        Deflate::new_with_config(zlib_rs::DeflateConfig {
            level: i32::from(self.level),
            // Negative: without the zlib header.
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

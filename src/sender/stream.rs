//! Sends messages of any size through a buffer of any size.

use super::Sender;
use crate::Error;
#[cfg(feature = "deflate")]
use crate::Misuse;
use crate::buffer::{CONTROL_RESERVE, Storage, WriteBuffer};
use crate::frame::{FrameHeader, MessageKind};
use crate::role::Role;
#[cfg(feature = "deflate")]
use crate::utf8::Utf8Validator;

/// Number of free bytes below which no frame is started. A smaller payload is not worth a header.
const LEAST_ROOM: usize = FrameHeader::MAX_LEN + 64;

/// Describes the result of [`Sender::stream`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Streamed {
    /// The part is consumed. If the part was the last one, the message has ended.
    Done,
    /// The buffer is full. Flush the buffer, then call `stream` with the rest of the part, even if
    /// the rest is empty.
    NeedsFlush,
}

impl Streamed {
    /// Returns `true` for [`Done`](Streamed::Done).
    #[inline]
    pub const fn is_done(self) -> bool {
        matches!(self, Streamed::Done)
    }
}

impl<R: Role> Sender<R> {
    /// Writes as much of the next part of a message as fits, and advances `input`. With `fin`, the
    /// part is the last one.
    ///
    /// A message of any size is sent through a small buffer, in as many frames as necessary. A part
    /// may end anywhere, even inside a character. If compression was negotiated and is not switched
    /// off, the message is compressed. The compressed bytes of a part may be written with a later
    /// part.
    ///
    /// # Errors
    /// - Returns the errors of [`fragment`](Self::fragment), but [`Error::NoRoom`] only if the
    ///   allocator has no memory for growable storage.
    /// - Returns [`Error::NeverFits`] if the empty buffer is too small.
    ///
    /// If the text is invalid, valid text before the invalid text may have been written.
    ///
    /// ```
    /// use sockless::{MessageKind, Sender, WriteBuffer};
    ///
    /// let mut sender = Sender::server();
    /// let mut tx = WriteBuffer::new([0; 512]);
    /// let message = [b'x'; 10_000];
    /// let (mut rest, mut sent) = (&message[..], 0);
    /// while !sender.stream(MessageKind::Text, &mut rest, true, &mut tx)?.is_done() {
    ///     sent += tx.len(); // write tx.bytes()
    ///     tx.clear();
    /// }
    /// sent += tx.len();
    /// assert!((10_000..11_000).contains(&sent));
    /// # Ok::<(), sockless::Error>(())
    /// ```
    pub fn stream<S: Storage>(
        &mut self,
        kind: MessageKind,
        input: &mut &[u8],
        fin: bool,
        tx: &mut WriteBuffer<S>,
    ) -> Result<Streamed, Error> {
        self.may_send_data(tx)?;
        self.next_opcode(kind)?;
        loop {
            let room = tx.available();
            if room < LEAST_ROOM {
                if tx.is_empty() {
                    // An empty buffer cannot get more space.
                    return Err(Error::NeverFits { needed: LEAST_ROOM + CONTROL_RESERVE });
                }
                return Ok(Streamed::NeedsFlush);
            }
            #[cfg(feature = "deflate")]
            if self.compresses_part(input, fin) {
                if !self.compress_some(kind, input, fin, room.saturating_mul(16), tx)? {
                    return Ok(Streamed::NeedsFlush);
                }
                if input.is_empty() {
                    return Ok(Streamed::Done);
                }
                continue;
            }
            // The part is at most as long as the space, so that text is validated only once.
            let len = room - FrameHeader::MAX_LEN;
            let (part, rest) = input.split_at_checked(len).unwrap_or((input, &[]));
            self.write_fragment(kind, part, fin && rest.is_empty(), false, tx)?;
            *input = rest;
            if rest.is_empty() {
                return Ok(Streamed::Done);
            }
        }
    }

    #[cfg(feature = "deflate")]
    pub(super) fn compresses_part(&self, part: &[u8], fin: bool) -> bool {
        let begins = self.fragmented.is_none();
        self.deflation.as_ref().is_some_and(|deflation| deflation.takes(begins, part, fin))
    }

    /// Compresses up to `limit` bytes of `input`, as far as the output fits. Returns `true` if all
    /// of these bytes were consumed.
    ///
    /// # Errors
    /// Returns [`Misuse::InvalidText`] if the text cannot become valid UTF-8.
    #[cfg(feature = "deflate")]
    fn compress_some<S: Storage>(
        &mut self,
        kind: MessageKind,
        input: &mut &[u8],
        fin: bool,
        limit: usize,
        tx: &mut WriteBuffer<S>,
    ) -> Result<bool, Error> {
        let Some(deflation) = &mut self.deflation else { return Ok(true) };
        // Bounds the look-ahead: the next call validates unconsumed text again.
        let part = input.get(..limit).unwrap_or(input);
        let last = fin && part.len() == input.len();
        let mut utf8 = if self.fragmented.is_none() { Utf8Validator::new() } else { self.utf8 };
        let mut ahead = utf8;
        if kind == MessageKind::Text && (ahead.check(part).is_err() || last && !ahead.is_complete())
        {
            return Err(Misuse::InvalidText.into());
        }
        let mut rest = part;
        let done = deflation.write_partial_frame(kind, &mut rest, last, &mut self.role, tx)?;
        let consumed = part.len() - rest.len();
        if kind == MessageKind::Text {
            // Valid: `ahead` has checked these bytes.
            let _ = utf8.check(part.get(..consumed).unwrap_or_default());
        }
        self.utf8 = utf8;
        self.fragmented = if done && last { None } else { Some(kind) };
        *input = input.get(consumed..).unwrap_or_default();
        Ok(done)
    }
}

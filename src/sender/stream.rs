//! Messages of any size through a buffer of any size.

use super::Sender;
use crate::buffer::{CONTROL_RESERVE, Storage, WriteBuffer};
use crate::deflate::LEAST_ROOM;
use crate::frame::{FrameHeader, MessageKind};
use crate::role::Role;
use crate::utf8::Utf8Validator;
use crate::{Error, Misuse};

/// The result of [`Sender::stream`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Streamed {
    /// The part was consumed. If it was the last one, the message has ended.
    Done,
    /// The buffer is full. Flush it, then call again with the rest of the part, even if it is
    /// empty.
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
    /// Writes as much of the next part of a message as fits, and moves `input` past it. With `fin`
    /// the part is the last one.
    ///
    /// A message of any size can be compressed through a small buffer, in as many frames as that
    /// takes. If compression was not negotiated, or is [off](Self::set_compress), the frames are
    /// not compressed. A part may be cut anywhere, also inside a character. Its compressed bytes
    /// may leave with a later part.
    ///
    /// # Errors
    /// As for [`fragment`](Self::fragment), but without [`Error::NoRoom`]. Returns
    /// [`Error::NeverFits`] if the empty buffer is too small. Valid text in front of invalid text
    /// may have been written.
    ///
    /// ```
    /// use sockless::deflate::{Context, DeflateConfig, DeflateParams};
    /// use sockless::{MessageKind, Sender, WriteBuffer};
    ///
    /// let params = DeflateParams { send: Context::FULL, receive: Context::FULL };
    /// let mut sender = Sender::server().with_deflate(params, &DeflateConfig::DEFAULT);
    /// let mut tx = WriteBuffer::new([0; 512]);
    /// let message = vec![b'x'; 1 << 20];
    /// let (mut rest, mut sent) = (&message[..], 0);
    /// while !sender.stream(MessageKind::Text, &mut rest, true, &mut tx)?.is_done() {
    ///     sent += tx.len(); // write tx.bytes()
    ///     tx.clear();
    /// }
    /// sent += tx.len();
    /// assert!(sent < 1500);
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
                    // An empty buffer never has more space.
                    return Err(Error::NeverFits { needed: LEAST_ROOM + CONTROL_RESERVE });
                }
                return Ok(Streamed::NeedsFlush);
            }
            let begins = self.fragmented.is_none();
            let compressed = self.deflation.as_ref().is_some_and(|it| it.takes(begins, input, fin));
            // Bounds the look-ahead: text that is not consumed is validated again by the next call.
            let room =
                if compressed { room.saturating_mul(16) } else { room - FrameHeader::MAX_LEN };
            let (part, behind) = input.split_at_checked(room).unwrap_or((input, &[]));
            let last = fin && behind.is_empty();
            let mut rest = part;
            let done = match &mut self.deflation {
                Some(deflation) if compressed => {
                    let mut utf8 = if begins { Utf8Validator::new() } else { self.utf8 };
                    let mut ahead = utf8;
                    if kind == MessageKind::Text
                        && (ahead.check(part).is_err() || last && !ahead.is_complete())
                    {
                        return Err(Misuse::InvalidText.into());
                    }
                    let done =
                        deflation.write_partial_frame(kind, &mut rest, last, &mut self.role, tx)?;
                    if kind == MessageKind::Text {
                        let consumed = part.len() - rest.len();
                        // Valid: `ahead` has checked these bytes.
                        let _ = utf8.check(part.get(..consumed).unwrap_or_default());
                    }
                    self.utf8 = utf8;
                    self.fragmented = if done && last { None } else { Some(kind) };
                    done
                }
                _ => {
                    self.fragment(kind, part, last, tx)?;
                    rest = &[];
                    true
                }
            };
            *input = input.get(part.len() - rest.len()..).unwrap_or_default();
            if !done {
                return Ok(Streamed::NeedsFlush);
            }
            if behind.is_empty() {
                return Ok(Streamed::Done);
            }
        }
    }
}

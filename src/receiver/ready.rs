//! Reports the arrival of an item to callers that return borrowed items.

use super::{Delivery, Receiver, State};
use crate::buffer::{ReadBuffer, Storage};
use crate::frame::{FrameHeader, frame_extent};

impl Receiver {
    /// Returns `true` if [`receive`](Self::receive) has an item or a violation to return. If the
    /// result is `false`, more input is needed. The call may consume input, as `receive` does.
    ///
    /// An item borrows the buffer. The borrow checker therefore rejects a function that alternates
    /// `receive` and a read until it can return an item. Loop over `is_ready` and the read, then
    /// call `receive` once:
    ///
    /// ```
    /// use sockless::{Incoming, ReadBuffer, Receiver, Storage, Violation};
    ///
    /// fn next<'b>(
    ///     receiver: &mut Receiver,
    ///     rx: &'b mut ReadBuffer<impl Storage>,
    ///     mut read: impl FnMut(&mut [u8]) -> usize,
    /// ) -> Result<Option<Incoming<'b>>, Violation> {
    ///     while !receiver.is_ready(rx) {
    ///         let n = read(rx.space());
    ///         rx.filled(n);
    ///     }
    ///     receiver.receive(rx)
    /// }
    /// # let mut input = &[0x81, 0x02, b'H', b'i', 0x89, 0x00][..];
    /// # let mut receiver = Receiver::client(sockless::Config::default());
    /// # let mut rx = ReadBuffer::new([0; 256]);
    /// # let mut read = |space: &mut [u8]| {
    /// #     let n = usize::from(!input.is_empty());
    /// #     space[..n].copy_from_slice(&input[..n]);
    /// #     input = &input[n..];
    /// #     n
    /// # };
    /// # assert!(matches!(next(&mut receiver, &mut rx, &mut read)?, Some(Incoming::Data(_))));
    /// # assert!(matches!(next(&mut receiver, &mut rx, &mut read)?, Some(Incoming::Ping(_))));
    /// # assert!(matches!(next(&mut receiver, &mut rx, &mut read)?, Some(Incoming::End)));
    /// # Ok::<(), Violation>(())
    /// ```
    ///
    /// After [`Incoming::End`](crate::Incoming::End) the result is always `false`. Inside a message
    /// that started with [`receive_chunks`](Self::receive_chunks), the result is `true` if
    /// `receive_chunks` can consume input, even without returning a chunk.
    #[must_use]
    #[inline]
    pub fn is_ready<S: Storage>(&mut self, rx: &mut ReadBuffer<S>) -> bool {
        if self.is_waiting() && !rx.at_end() {
            let unread = rx.unread();
            if unread.is_empty() {
                return false;
            }
            let ready =
                if self.in_chunks() { self.has_part(unread) } else { self.has_whole_item(unread) };
            if ready {
                return true;
            }
        }
        self.consume_input(rx)
    }

    /// Returns `true` inside a message that is returned in chunks.
    #[inline]
    pub(crate) fn in_chunks(&self) -> bool {
        self.in_message() && !self.collected
    }

    /// Returns `true` if `receive_chunks` can consume bytes of `input`, which is not empty.
    fn has_part(&self, input: &[u8]) -> bool {
        self.remaining > 0
            || match FrameHeader::parse(input) {
                Ok(Some((header, len))) => {
                    !header.opcode.is_control() || (input.len() - len) as u64 >= header.payload_len
                }
                Ok(None) => false,
                Err(_) => true,
            }
    }

    /// Consumes input that contains no complete item. Returns `true` if the input contains a
    /// violation, or if the stream has ended.
    #[inline(never)]
    fn consume_input<S: Storage>(&mut self, rx: &mut ReadBuffer<S>) -> bool {
        if matches!(self.state, State::Ended { .. }) {
            return false;
        }
        #[cfg(feature = "deflate")]
        if self.is_inflating() {
            return true;
        }
        // A violation is not lost, because `receive` returns it again.
        rx.at_end() || self.read(rx, Delivery::Messages).is_err()
    }

    /// Returns `true` if `input` contains the end of a message or a complete control frame. Reads
    /// only the headers: an earlier frame may still break a rule.
    #[inline]
    fn has_whole_item(&self, mut input: &[u8]) -> bool {
        let mut len = self.remaining;
        // Between two frames, `self.fin` still belongs to the previous frame.
        let mut fin = self.fin && len > 0;
        loop {
            let rest = usize::try_from(len).ok().and_then(|len| input.get(len..));
            let Some(rest) = rest else { return false };
            if fin {
                return true;
            }
            let Some(next) = frame_extent(rest) else { return false };
            ((fin, len), input) = (next, rest);
        }
    }
}

//! The receiving side of a connection, without its transport.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use sockless::deflate::{DeflateConfig, DeflateParams};
use sockless::{Config, Incoming, ReadBuffer, Receiver, Violation};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::task::coop;

use crate::pool::{Pooled, with_codecs};
use crate::{Error, Role};

/// The received bytes, and the machine that decodes them.
#[derive(Debug)]
pub(crate) struct ReadSide {
    receiver: Receiver,
    rx: ReadBuffer<Pooled>,
    /// `true` if decompressors are shared and return to the pool after each message.
    shared_codec: bool,
    /// `true` if bytes arrived since [`take_activity`](Self::take_activity).
    active: bool,
    /// `true` if a read has failed or the last one was made.
    done: bool,
}

impl ReadSide {
    pub(crate) fn new(
        role: Role,
        config: Config,
        agreement: Option<(DeflateParams, DeflateConfig)>,
        rx: ReadBuffer<Pooled>,
    ) -> ReadSide {
        let mut receiver = match role {
            Role::Server => Receiver::server(config),
            Role::Client => Receiver::client(config),
        };
        if let Some((agreement, config)) = agreement {
            receiver = receiver.with_deflate(agreement, &config);
        }
        ReadSide {
            receiver,
            rx,
            shared_codec: agreement.is_some_and(|(agreement, _)| !agreement.receive.takeover),
            active: false,
            done: false,
        }
    }

    /// Returns `true` if [`take`](Self::take) has something to return: an item, a violation, or the
    /// end of the stream. Otherwise consumes the input. Call [`poll_read`](Self::poll_read) next.
    pub(crate) fn is_ready(&mut self) -> bool {
        // An idle connection has no use for a decompressor.
        if !self.rx.is_empty() {
            self.borrow_codec();
        }
        self.receiver.is_ready(&mut self.rx)
    }

    /// Takes the next item; `None` is the end of the stream.
    pub(crate) fn take(&mut self) -> Result<Option<Incoming<'_>>, Violation> {
        self.borrow_codec();
        self.receiver.receive(&mut self.rx)
    }

    /// Reads once, as much as the buffer has space for.
    pub(crate) fn poll_read<R: AsyncRead + Unpin>(
        &mut self,
        io: &mut R,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let mut space = ReadBuf::new(self.rx.space());
        if let Err(error) = ready!(Pin::new(io).poll_read(cx, &mut space)) {
            self.done = true;
            return Poll::Ready(Err(error));
        }
        let n = space.filled().len();
        self.rx.filled(n);
        self.active |= n > 0;
        Poll::Ready(Ok(()))
    }

    /// Reads once more, after a limit has passed: what has arrived comes before the failure.
    /// Returns `false` if nothing has, and when it is called again.
    pub(crate) fn read_last<R: AsyncRead + Unpin>(
        &mut self,
        io: &mut R,
        cx: &mut Context<'_>,
    ) -> bool {
        if std::mem::replace(&mut self.done, true) {
            return false;
        }
        // There is no later poll that has budget.
        let read = coop::unconstrained(poll_fn(|cx| self.poll_read(io, cx)));
        matches!(pin!(read).poll(cx), Poll::Ready(Ok(())))
    }

    /// Reads as long as there is something to read, up to the capacity of the buffer. Nothing is
    /// consumed.
    ///
    /// # Errors
    /// [`Error::Io`] if a read has failed. [`Error::UnexpectedEnd`] if the stream has ended and
    /// nothing is unread, which could be a Close.
    pub(crate) fn read_ahead<R: AsyncRead + Unpin>(
        &mut self,
        io: &mut R,
        cx: &mut Context<'_>,
    ) -> Result<(), Error> {
        while !self.rx.at_end() && !self.rx.space().is_empty() {
            match self.poll_read(io, cx) {
                Poll::Ready(done) => done?,
                Poll::Pending => break,
            }
        }
        if self.rx.at_end() && self.rx.unread().is_empty() {
            return Err(Error::UnexpectedEnd);
        }
        // If nothing has arrived, nothing is to be kept: an unsplit connection may never receive.
        self.rx.release();
        Ok(())
    }

    /// Reads and drops what arrives, until the end of the stream.
    pub(crate) fn poll_drain<R: AsyncRead + Unpin>(
        io: &mut R,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let mut bytes = [0; 4096];
        // A peer that sends without end gives way to other tasks now and then.
        for _ in 0..64 {
            let mut space = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut *io).poll_read(cx, &mut space))?;
            if space.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Returns buffers and decompressors that are not in use to the thread's pool.
    pub(crate) fn release(&mut self) {
        self.rx.release();
        if self.shared_codec {
            with_codecs(|pool| self.receiver.return_codec_to(pool));
        }
    }

    /// Returns whether bytes have arrived since the last call.
    pub(crate) fn take_activity(&mut self) -> bool {
        std::mem::take(&mut self.active)
    }

    fn borrow_codec(&mut self) {
        if self.shared_codec {
            with_codecs(|pool| self.receiver.borrow_codec_from(pool));
        }
    }
}

//! Replaces the kernel: one copy per byte of input and one per byte of output, for every candidate.
//!
//! A [`Source`] returns a prebuilt stream in pieces, and starts again at its end. A connection
//! therefore never waits, never sees the end of the stream, and is used in all rounds. A [`Drain`]
//! copies the output into its own memory. [`Pipe`] joins both behind every trait that a candidate
//! needs.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::Future;
use std::io::{self, IoSlice, Read, Write};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::workload::Wire;

/// The reading end of a prebuilt stream.
#[derive(Clone)]
pub struct Source {
    wire: &'static Wire,
    position: usize,
    piece: usize,
    endless: bool,
}

impl Source {
    /// Starts again at the end of the stream.
    pub fn endless(wire: &'static Wire) -> Self {
        Self { wire, position: 0, piece: 0, endless: true }
    }

    /// Ends where the stream ends.
    pub fn once(wire: &'static Wire) -> Self {
        Self { endless: false, ..Self::endless(wire) }
    }

    /// For candidates that only write.
    pub fn empty() -> Self {
        static EMPTY: Wire = Wire {
            bytes: Vec::new(),
            cuts: Vec::new(),
            messages: 0,
            pings: 0,
            digest: 0,
            all_text: false,
        };
        Self::once(&EMPTY)
    }

    /// Returns the bytes of one `read` with room for `room` bytes. The caller copies them, in place
    /// of the kernel.
    #[inline]
    pub fn take(&mut self, room: usize) -> &'static [u8] {
        let Some(&end) = self.wire.cuts.get(self.piece) else {
            return &[];
        };
        let length = room.min(end - self.position);
        let taken = &self.wire.bytes[self.position..self.position + length];
        self.position += length;
        if self.position == end {
            self.piece += 1;
            if self.endless && self.piece == self.wire.cuts.len() {
                self.piece = 0;
                self.position = 0;
            }
        }
        taken
    }

    /// Reads into existing memory.
    #[inline]
    pub fn fill(&mut self, space: &mut [u8]) -> usize {
        let taken = self.take(space.len());
        space[..taken.len()].copy_from_slice(taken);
        taken.len()
    }
}

/// The writing end.
pub struct Drain {
    memory: Box<[u8]>,
    position: usize,
    record: Option<Rc<RefCell<Vec<u8>>>>,
}

/// Small enough for the second-level cache, like a socket's own buffer.
const DRAIN: usize = 256 * 1024;

impl Drain {
    /// Keeps nothing.
    pub fn new() -> Self {
        Self { memory: vec![0; DRAIN].into(), position: 0, record: None }
    }

    /// Keeps every byte for checks.
    pub fn recording() -> (Self, Rc<RefCell<Vec<u8>>>) {
        let record = Rc::new(RefCell::new(Vec::new()));
        (Self { record: Some(record.clone()), ..Self::new() }, record)
    }

    /// Writes all bytes in one call.
    #[inline]
    pub fn put(&mut self, mut bytes: &[u8]) {
        if let Some(record) = &self.record {
            record.borrow_mut().extend_from_slice(bytes);
        }
        if bytes.len() > DRAIN - self.position {
            self.position = 0;
            while bytes.len() > DRAIN {
                let (now, later) = bytes.split_at(DRAIN);
                self.memory.copy_from_slice(now);
                std::hint::black_box(&mut self.memory);
                bytes = later;
            }
        }
        self.memory[self.position..self.position + bytes.len()].copy_from_slice(bytes);
        self.position += bytes.len();
        std::hint::black_box(&mut self.memory);
    }

    /// Writes all slices in one vectored call.
    #[inline]
    pub fn put_all<'a>(&mut self, slices: impl Iterator<Item = &'a [u8]>) -> usize {
        let mut total = 0;
        for slice in slices {
            self.put(slice);
            total += slice.len();
        }
        total
    }
}

/// Both ends as one stream.
pub struct Pipe {
    pub source: Source,
    pub drain: Drain,
}

impl Read for Pipe {
    #[inline]
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        Ok(self.source.fill(space))
    }
}

impl Write for Pipe {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.drain.put(bytes);
        Ok(bytes.len())
    }

    #[inline]
    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        Ok(self.drain.put_all(slices.iter().map(|slice| &**slice)))
    }

    #[inline]
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl tokio::io::AsyncRead for Pipe {
    #[inline]
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        space: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let taken = self.source.take(space.remaining());
        space.put_slice(taken);
        Poll::Ready(Ok(()))
    }
}

impl tokio::io::AsyncWrite for Pipe {
    #[inline]
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(self.write(bytes))
    }

    #[inline]
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(self.write_vectored(slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl futures::io::AsyncRead for Pipe {
    #[inline]
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        space: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(self.source.fill(space)))
    }
}

impl futures::io::AsyncWrite for Pipe {
    #[inline]
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(self.write(bytes))
    }

    #[inline]
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(self.write_vectored(slices))
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl wtx::stream::StreamReader for Pipe {
    #[inline]
    async fn read(&mut self, space: &mut [u8]) -> wtx::Result<usize> {
        Ok(self.source.fill(space))
    }
}

impl wtx::stream::StreamWriter for Pipe {
    #[inline]
    async fn write_all(&mut self, bytes: &[u8]) -> wtx::Result<()> {
        self.drain.put(bytes);
        Ok(())
    }

    #[inline]
    async fn write_all_vectored(&mut self, slices: &[&[u8]]) -> wtx::Result<()> {
        self.drain.put_all(slices.iter().copied());
        Ok(())
    }
}

/// Runs a future whose stream never waits. One future is a whole loop over messages, like a task,
/// so the cost of asynchrony itself is almost zero.
pub fn run<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..1000 {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
    panic!("a stream that is always ready left its reader waiting");
}

/// Returns the error of a candidate as text.
pub type Outcome = Result<(), String>;

/// For candidates whose errors implement only `Debug`.
pub fn text(error: impl std::fmt::Debug) -> String {
    format!("{error:?}")
}

/// For results that cannot fail.
pub fn sure<T>(result: Result<T, Infallible>) -> T {
    match result {
        Ok(value) => value,
        Err(never) => match never {},
    }
}

//! permessage-deflate (RFC 7692): negotiation, inflating and deflating, each usable alone.
//!
//! [`DeflateConfig`] says what this end is ready to do, and turns offers and answers into an [`DeflateParams`]. An
//! [`Inflater`] and a [`Deflater`] then carry one direction each, streaming between slices of the caller. The
//! compression itself is zlib-rs's.
//!
//! # In a connection
//!
//! A server accepts with `handshake::Accept::with_deflate`, a client asks with `handshake::ConnectRequest::with_deflate`, and one whose
//! upgrade was done elsewhere tells [`WebSocket::with_deflate`] what was agreed. From then on messages are inflated before
//! they are handed out, and compressed where they are at least [`threshold`](DeflateConfig::threshold) bytes long.
//! [`WebSocket::deflate`] says what holds. The halves take the same agreement.
//!
//! - A whole message is inflated into memory beside the read buffer, which grows up to the buffer's own capacity and the
//!   configured size of messages, whichever is less; past it the connection fails with 1009. In chunks, a message of
//!   any size goes through at most 16 KiB.
//! - Text is checked as it is inflated. What the fault lies in is not handed out, and of a whole message nothing.
//! - A message is compressed straight into the write buffer. Where what it could at worst become does not fit, it goes
//!   plain, so that whatever fits without compression fits with it. [`WebSocket::send_stream`] compresses messages
//!   of any size through a small buffer, and [`WebSocket::set_compress`] chooses for each message.
//!
//! [`WebSocket::with_deflate`]: crate::WebSocket::with_deflate
//! [`WebSocket::deflate`]: crate::WebSocket::deflate
//! [`WebSocket::send_stream`]: crate::WebSocket::send_stream
//! [`WebSocket::set_compress`]: crate::WebSocket::set_compress
//!
//! # Memory
//!
//! Nothing is allocated before the first compressed message of a direction. Then, in KiB, measured:
//!
//! | | memory level 1 | 5 | 8 (default) | 9 |
//! |---|---:|---:|---:|---:|
//! | inflate, any window | 46 | | | |
//! | deflate, window bits 8 or 9 | 134 | 147 | 245 | 357 |
//! | 10 | 136 | 149 | 247 | 359 |
//! | 11 | 140 | 153 | 251 | 363 |
//! | 12 | 148 | 161 | 259 | 371 |
//! | 13 | 164 | 177 | 275 | 387 |
//! | 14 | 196 | 209 | 307 | 419 |
//! | 15 | 260 | 273 | 371 | 483 |
//!
//! With context takeover ([`Context::takeover`]) that stays with the connection. Without it, the memory is needed
//! only while a message is on its way, and a [`Pool`] lets all connections of a thread share it.
//!
//! zlib-rs takes its memory from the standard library's allocator, so while this crate needs `alloc` alone, a target
//! for this feature must have `std`.

mod connection;
mod deflater;
mod deflation;
mod inflater;
mod inflation;
mod negotiation;
mod pool;
mod totals;

pub use deflater::Deflater;
pub(crate) use deflation::{Deflation, LEAST_ROOM};
pub use inflater::{InflateError, InflateLimits, Inflater};
pub(crate) use inflation::Inflation;
pub use negotiation::{
    Context, DeflateConfig, DeflateParams, HeaderValue, NAME, Negotiated, NegotiationError,
    OfferShape, WindowBits,
};
pub use pool::Pool;
pub use totals::CompressionStats;

/// The compression that a handshake has agreed on, if any, and our configuration of it.
pub type Compression = Option<(DeflateParams, DeflateConfig)>;

/// What one call of [`Inflater::inflate`] or [`Deflater::deflate`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Progress {
    /// Bytes of the input that are done with.
    pub consumed: usize,
    /// Bytes written to the front of the output.
    pub produced: usize,
    /// What it waits for.
    pub step: Step,
}

/// What a message that goes through [`Inflater::inflate`] or [`Deflater::deflate`] waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// More input: all of it was consumed.
    InputTaken,
    /// More room in the output; there may be more to come, or nothing but the end.
    OutputFull,
    /// Nothing: the message is complete.
    End,
}

/// What is to come out of [`Deflater::deflate`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// What there is; more of the message follows, and compresses better together with this.
    None,
    /// All that was given, so that the peer has it while more of the message follows.
    Sync,
    /// All that was given, which is the end of the message.
    End,
}

//! Implements permessage-deflate (RFC 7692): negotiation, inflating and deflating, each usable
//! alone.
//!
//! A [`DeflateConfig`] holds the limits of this end, and turns offers and responses into
//! [`DeflateParams`]. An [`Inflater`] and a [`Deflater`] process one direction each, between slices
//! of the caller. zlib-rs does the compression.
//!
//! # In a connection
//!
//! A server enables compression with `handshake::Accept::with_deflate`, a client with
//! `handshake::ConnectRequest::with_deflate`. After an upgrade elsewhere, pass the agreement to
//! [`WebSocket::with_deflate`]. The halves take the same agreement. Received messages are then
//! inflated, and sent messages of at least [`threshold`](DeflateConfig::threshold) bytes
//! compressed.
//!
//! - A whole message is inflated into memory beside the read buffer. This memory grows up to the
//!   capacity of the buffer or the largest message, whichever is less. A larger message fails the
//!   connection with 1009. A message received in chunks needs at most 16 KiB, whatever its size.
//! - Text is validated while it is inflated. Invalid text is never delivered. Of a message received
//!   whole, nothing is.
//! - A message is compressed straight into the write buffer. If its largest compressed size might
//!   not fit, it is sent uncompressed. A message sent in one call therefore fits if it fits without
//!   compression. A buffer with a seventh more than the largest message, and 300 bytes, has room
//!   for the compressed message when it is empty.
//! - [`WebSocket::send_stream`] compresses messages of any size through a small buffer.
//!   [`WebSocket::set_compress`] selects compression for each message.
//!
//! [`WebSocket::with_deflate`]: crate::WebSocket::with_deflate
//! [`WebSocket::send_stream`]: crate::WebSocket::send_stream
//! [`WebSocket::set_compress`]: crate::WebSocket::set_compress
//!
//! # Memory
//!
//! Nothing is allocated before the first compressed message of a direction. The measured memory in
//! KiB after that message:
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
//! With context takeover ([`Context::takeover`]) a connection keeps this memory. Without it, the
//! memory is needed only during a message, and a [`Pool`] shares it between the connections of a
//! thread.
//!
//! zlib-rs allocates through the standard library. The rest of the crate needs only `alloc`, but a
//! target for this feature must have `std`.

mod config;
mod connection;
mod deflater;
mod deflation;
mod inflater;
mod inflation;
mod negotiation;
mod pool;
mod totals;

pub use config::{Context, DeflateConfig, OfferShape, WindowBits};
pub use deflater::Deflater;
pub(crate) use deflation::Deflation;
pub use inflater::{InflateError, InflateLimits, Inflater};
pub(crate) use inflation::Inflation;
pub use negotiation::{DeflateParams, HeaderValue, NAME, Negotiated, NegotiationError};
pub use pool::Pool;
pub use totals::CompressionStats;

/// The compression agreed in a handshake, with the configuration of this end, or `None`.
pub type Compression = Option<(DeflateParams, DeflateConfig)>;

/// The result of one call of [`Inflater::inflate`] or [`Deflater::deflate`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Progress {
    /// Bytes of the input that were consumed.
    pub consumed: usize,
    /// Bytes written to the front of the output.
    pub produced: usize,
    /// The next step of the caller.
    pub step: Step,
}

/// Tells the caller what [`Inflater::inflate`] or [`Deflater::deflate`] needs next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// All input was consumed; the message needs more.
    InputTaken,
    /// The output is full. There may be more bytes to write, or only the end of the message.
    OutputFull,
    /// The message is complete.
    End,
}

/// Selects the bytes that [`Deflater::deflate`] must write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// Writes only the bytes that the compressor releases. The message compresses best this way.
    None,
    /// Writes all consumed bytes, so that the peer can read them before the message ends.
    Sync,
    /// Writes all consumed bytes and ends the message.
    End,
}

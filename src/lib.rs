//! **The WebSocket protocol without the socket.** One pure state machine: byte slices go in, events and byte
//! slices come out. No I/O, no clock, no entropy, no thread and no heap inside, so that a blocking server, an
//! async task, an io_uring loop, another library and a microcontroller all drive the same code.
//!
//! # Ten lines
//!
//! ```
//! use sockless::handshake::Response;
//! use sockless::{Config, Event, ReadBuffer, WebSocket, WriteBuffer};
//!
//! fn serve(mut stream: impl std::io::Read + std::io::Write) -> Result<(), Box<dyn std::error::Error>> {
//!     let mut ws = WebSocket::server(Config::default());
//!     let (mut rx, mut tx) = (ReadBuffer::new([0; 4096]), WriteBuffer::new([0; 8192]));
//!     while !ws.is_done() {
//!         let n = stream.read(rx.space())?;
//!         rx.filled(n); // 0: the end of the stream
//!         while let Some(event) = ws.receive(&mut rx, &mut tx) {
//!             match event {
//!                 Event::Request(request) => ws.accept(&request, Response::new(), &mut tx)?,
//!                 Event::Text(text) => ws.send_text(text, &mut tx)?,
//!                 Event::Binary(bytes) => ws.send_binary(bytes, &mut tx)?,
//!                 _ => {} // pings are answered, a Close is echoed, failures are in the output already
//!             }
//!         }
//!         stream.write_all(tx.bytes())?;
//!         tx.clear();
//!     }
//!     Ok(())
//! }
//! ```
//!
//! The same loop drives a client; see `WebSocket::client`.
//!
//! # The way of the bytes
//!
//! ```text
//!             filled(n)               receive                       Event<'_>
//!  socket ──► ReadBuffer ──► handshake ──► Receiver ─────────────► Text, Binary, Chunk, Ping,
//!                            (HTTP head)   frame header            Pong, Close, Failed: borrowed
//!                                │         unmask in place         from the ReadBuffer
//!                                │         UTF-8, close codes           │
//!                                │             │                        ▼
//!                         101, 4xx, 5xx   pong, Close              application
//!                                │             │                        │ send_text, close, ...
//!                                ▼             ▼                        ▼
//!  socket ◄── WriteBuffer ◄────────────────────────────────────── Sender
//!             bytes(), clear()                                     frame header, mask
//! ```
//!
//! # The states
//!
//! ```text
//!                accept / establish             close, or the peer's Close
//!  Connecting ─────────────────────────► Open ─────────────────────────────► Closing
//!      │                                   │                                    │ Close in both
//!      │ refusal, answer,                  │ failure (Close in the output),     │ directions, failure,
//!      ▼ end of the stream                 ▼ end of the stream (1006)           ▼ end of the stream
//!    Closed ◄─────────────────────────── Closed ◄──────────────────────────── Closed
//! ```
//!
//! [`WebSocket::state`] says which; [`WebSocket::is_done`] says when to stop reading and close the transport: a server
//! as soon as it is closed, a client when the server has ended the stream (RFC 6455 section 7.1.1).
//!
//! # Three ways in
//!
//! * [`WebSocket`] is the whole life of a connection. [`WebSocket::established`] begins where something else did the
//!   upgrade.
//! * [`Receiver`] and [`Sender`] are its halves, for a task that reads and another that writes.
//! * [`FrameHeader`], [`mask`], [`Utf8Validator`], [`Close`] and the parts of the module `handshake` are its pieces.
//!
//! For a microcontroller, [`firmware`] says what to give, what it costs and what to choose.
//!
//! # Errors, by blame
//!
//! [`Failure`] is how a connection ends early: the peer broke the protocol ([`Violation`], with the close code) or the
//! handshake (`HandshakeError`, with the HTTP status). The answer is in the output before you read the event.
//! [`Error`] is why a call was not carried out: [`Misuse`] by the caller, a buffer that is too small, with the size it needs, or
//! missing entropy. It changed nothing. That more input is needed is no error.
//!
//! # Features
//!
//! | feature | adds | needs |
//! |---|---|---|
//! | `handshake` (default) | both opening handshakes and the module `handshake` | `httparse`, `sha1_smol`, `base64` |
//! | `alloc` | buffers that grow | an allocator |
//! | `std` | text validation with vector instructions | `alloc`, `simdutf8` |
//! | `deflate` | permessage-deflate (RFC 7692): `deflate` | `alloc`, `zlib-rs`, which needs `std` |
//! | `getrandom` | `OsEntropy`: keys from the operating system | `getrandom` |
//! | `simd` | faster masking of large payloads | `std`, `pulp` |
//! | `arbitrary` | `Arbitrary` for public types | `std`, `arbitrary` |
//!
//! Without any there is no dependency, and without `alloc` no heap.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs, missing_debug_implementations, unreachable_pub)]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

/// The README's example is one of this crate's tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod ascii;
mod buffer;
mod close;
mod config;
#[cfg(feature = "deflate")]
pub mod deflate;
mod entropy;
mod error;
pub mod extensions;
#[cfg(any(doc, doctest))]
pub mod firmware;
mod frame;
#[cfg(feature = "handshake")]
pub mod handshake;
pub mod keepalive;
mod mask;
mod receiver;
mod reply;
mod role;
mod sender;
mod utf8;
mod websocket;

#[cfg(feature = "alloc")]
pub use buffer::GrowableBuffer;
pub use buffer::{READ_BUFFER_MIN, ReadBuffer, Storage, WRITE_BUFFER_MIN, WriteBuffer};
pub use close::{Close, CloseCode, MAX_REASON_LEN, truncate_reason};
pub use config::Config;
#[cfg(feature = "getrandom")]
pub use entropy::OsEntropy;
pub use entropy::{Entropy, FnEntropy};
pub use error::{EntropyError, Error, Failure, Misuse, Violation};
pub use frame::{EncodedHeader, FrameHeader, MessageKind, OpCode};
pub use mask::mask;
pub use receiver::{Chunk, Incoming, Receiver};
pub use reply::Reply;
pub use role::{Client, Role, Server};
pub use sender::Sender;
pub use utf8::Utf8Validator;
pub use websocket::{Event, State, WebSocket};

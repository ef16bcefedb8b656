//! **The WebSocket protocol without the socket.** One pure state machine: byte slices go in, events
//! and byte slices come out. It does no I/O and has no clock, entropy, thread or heap inside, so a
//! blocking server, an async task, an io_uring loop, another library and a microcontroller drive
//! the same code.
//!
//! # Quick start
//!
//! ```
//! use sockless::handshake::Accept;
//! use sockless::{Config, Event, ReadBuffer, WebSocket, WriteBuffer};
//!
//! fn serve(
//!     mut stream: impl std::io::Read + std::io::Write,
//! ) -> Result<(), Box<dyn std::error::Error>> {
//!     let mut ws = WebSocket::server(Config::default());
//!     let (mut rx, mut tx) = (ReadBuffer::new([0; 4096]), WriteBuffer::new([0; 8192]));
//!     while !ws.is_done() {
//!         let n = stream.read(rx.space())?;
//!         rx.filled(n); // 0: the end of the stream
//!         while let Some(event) = ws.receive(&mut rx, &mut tx) {
//!             match event {
//!                 Event::UpgradeRequest(request) => ws.accept(&request, Accept::new(), &mut tx)?,
//!                 Event::Text(text) => ws.send_text(text, &mut tx)?,
//!                 Event::Binary(bytes) => ws.send_binary(bytes, &mut tx)?,
//!                 _ => {} // pings, Closes and failures are answered in the output already
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
//! # Data flow
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
//! # States
//!
//! ```text
//!              accept / confirm                    close
//!  Connecting ─────────────────────► Open ────────────────────────────► Closing
//!      │                               │ the peer's Close (echoed),        │ the peer's Close,
//!      │ refusal, response,            │ failure (Close in the output),    │ failure,
//!      ▼ end of the stream             ▼ end of the stream (1006)          ▼ end of the stream
//!    Closed                          Closed                              Closed
//! ```
//!
//! [`WebSocket::state`] returns the state. [`WebSocket::is_done`] returns `true` when it is time to
//! stop reading and to close the transport. For a server, and after a failure, this is as soon as
//! the connection is closed. After both Closes, a client waits until the server has ended the
//! stream (RFC 6455 section 7.1.1).
//!
//! # Which type do I need
//!
//! | you write | use | guide |
//! |---|---|---|
//! | an application with a socket | [`WebSocket`], for the whole connection | [`guide::application`] |
//! | a library on top of an HTTP stack | `handshake::Upgrade`, then [`WebSocket::from_upgraded`] | [`guide::embedding`] |
//! | a driver with a reader task and a writer task | [`Receiver`], [`Sender`] and [`Reply`] | [`guide::embedding`] |
//! | firmware | [`WebSocket`] over arrays | [`guide::firmware`] |
//! | a proxy or an inspector | [`FrameHeader`] and [`mask`](fn@mask), or [`Receiver`] for validated chunks | [`guide::proxies`] |
//! | a fuzz target | the feature `arbitrary`, and any type: all are pure functions | [`guide::fuzzing`] |
//! | a program that uses tungstenite today | [`WebSocket`] | [`guide::tungstenite`] |
//!
//! # Errors
//!
//! | whose fault | type | what to do |
//! |---|---|---|
//! | the peer broke the protocol | [`Violation`], with its close code | write the output, which has the Close, then close |
//! | the peer broke the handshake | `handshake::HandshakeError`, with its status | write the output, which has the refusal, then close |
//! | the caller called at the wrong time | [`Misuse`] in [`Error`] | correct the call |
//! | the caller: a buffer or message of the wrong size | [`Error::NeverFits`], [`Error::ReadBufferTooSmall`], [`Error::WriteBufferTooSmall`] | use a larger buffer, or send fragments |
//! | nobody: no room now | [`Error::NoRoom`] | write the output, then retry |
//! | nobody: no entropy now | [`Error::Entropy`] | retry, or close |
//!
//! [`Failure`] says why a connection failed. A limit of our own, such as
//! [`Violation::MessageTooBig`], counts as the peer's fault: the protocol has a close code for it.
//! Incomplete input is not an error.
//!
//! # Features
//!
//! | feature | adds | needs |
//! |---|---|---|
//! | `handshake` (default) | both opening handshakes and the module `handshake` | `sha1_smol`, `base64` |
//! | `alloc` | buffers that grow | an allocator |
//! | `std` | fast text validation, conversions to `std::io::Error` | `alloc`, `simdutf8` |
//! | `deflate` | permessage-deflate (RFC 7692): the module `deflate` | `alloc`, `zlib-rs`, which needs `std` |
//! | `getrandom` | `OsEntropy`: keys from the operating system | `getrandom` |
//! | `simd` | faster masking of large payloads | `std`, `pulp` |
//! | `arbitrary` | `Arbitrary` for public types | `std`, `arbitrary` |
//!
//! Without any feature there is no dependency, and without `alloc` no heap.
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]
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
mod bytes;
mod close;
mod config;
mod entropy;
mod error;
pub mod extensions;
mod frame;
#[cfg(any(doc, doctest))]
pub mod guide;
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

// The last module: rustdoc lists the methods of a type in the order of the modules.
#[cfg(feature = "deflate")]
pub mod deflate;

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
pub use reply::{Replies, Reply};
pub use role::{Client, Role, Server};
pub use sender::Sender;
pub use sender::broadcast::Broadcast;
pub use sender::stream::Streamed;
pub use utf8::Utf8Validator;
pub use websocket::event::Event;
pub use websocket::{State, WebSocket};

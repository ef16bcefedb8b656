//! For authors of firmware: what to give, what it costs, what to choose. Documentation alone, nothing to call.
//!
//! The crate needs no heap, keeps no statics, has no unsafe code and does not panic. Without features it depends on
//! nothing but `core`. `tests/firmware/run` in the repository builds it for a Cortex-M4, runs it on an emulated board
//! beside the same code on the host, and lets the linker prove that no panic can be reached.
//!
//! # A connection
//!
//! ```
//! use sockless::{Config, Event, ReadBuffer, Server, WebSocket, WriteBuffer};
//!
//! /// What the board's network stack offers, in whatever words.
//! trait Socket {
//!     fn read(&mut self, space: &mut [u8]) -> usize;
//!     fn write_all(&mut self, bytes: &[u8]);
//! }
//!
//! /// A connection that something else has upgraded; see [`WebSocket::server`] for the handshake.
//! fn serve(socket: &mut impl Socket, rx: &mut [u8; 256], tx: &mut [u8; 512]) {
//!     let config = Config::new().with_max_message_size(64 << 10);
//!     let mut ws = WebSocket::from_upgraded(Server, config);
//!     let (mut rx, mut tx) = (ReadBuffer::new(&mut rx[..]), WriteBuffer::new(&mut tx[..]));
//!     while !ws.is_done() {
//!         let n = socket.read(rx.space());
//!         rx.filled(n);
//!         while let Some(event) = ws.receive_chunks(&mut rx, &mut tx) {
//!             if let Event::Chunk(chunk) = event {
//!                 // A piece of a message of up to 64 KiB, checked. Text may be cut inside a character.
//!                 let _ = (chunk.kind(), chunk.bytes(), chunk.is_last());
//!             }
//!         }
//!         socket.write_all(tx.bytes());
//!         tx.clear();
//!     }
//! }
//! ```
//!
//! `examples/embedded` has this loop over `embedded-io` and over `embedded-io-async`, for both roles and any transport.
//!
//! # Buffers
//!
//! Arrays or slices, wherever you have room for them. While a [`ReadBuffer`] [is empty](crate::ReadBuffer::is_empty) and
//! what is in the [`WriteBuffer`] has been sent, another connection may use both.
//!
//! * To receive in chunks: [`READ_BUFFER_MIN`] bytes, whatever the size of messages and reads.
//! * To receive whole messages: the largest one and its header of up to 14 bytes, or, where it comes in fragments, 139
//!   bytes more, in which pings find room between them. What cannot fit ends with 1009 as soon as a header says so.
//! * For the handshake: the whole head of the peer. Browsers send 450 to 800 bytes, more with cookies; a server on a
//!   board that is reached by its address gets few. Past the buffer, or [`Config::max_head_size`], the answer is 431.
//! * To send: [`WRITE_BUFFER_MIN`] bytes, or the largest frame, its header (4 bytes up to 64 KiB, 8 as a client) and 139
//!   bytes that stay free for a pong and a Close. The 101 takes 129 bytes, a refusal less than 200, and a client's
//!   request about 140, its host, path and headers. A message larger than that goes out in fragments.
//!
//! # Stack
//!
//! The machine takes about 100 bytes, wherever you put it; a future that drives it holds it and what you give it. The
//! deepest call is the parsing of the peer's head, which keeps an array of its header lines: 256 bytes for up to 16
//! lines on a 32-bit processor, 512 for 32, 1 KiB for 64 (the default), 2 KiB for 128. Set [`Config::max_headers`].
//!
//! # Features
//!
//! None is needed where something else does the upgrade, or where both ends are yours and agree to skip it:
//! `default-features = false` leaves the frames, the halves and [`WebSocket::from_upgraded`]. `handshake`, the default,
//! adds both opening handshakes, with `sha1_smol` and `base64`. `alloc`, `std`, `deflate`,
//! `simd` and `getrandom` are for larger machines.
//!
//! For flash, build with `opt-level = "s"` or `"z"`, `lto = "fat"`, `codegen-units = 1` and `panic = "abort"`. On a target
//! without an operating system (`target_os = "none"`) the crate itself leaves out what only saves time; what it does
//! is the same. There UTF-8 is checked byte by byte, and a `&str` is made when you ask for one: the first call of
//! [`Chunk::text`], [`Close::reason`] or [`WebSocket::receive`] brings in some 600 bytes of `core`. A chunk's bytes are
//! checked without them.
//!
//! # Entropy
//!
//! A server needs none. A client draws 16 bytes for the handshake and 4 for each frame from the source it was made with:
//! give it the board's random number generator, and an [`EntropyError`] when that is not ready. A counter or a
//! constant masks nothing (RFC 6455 section 10.3).
//!
//! # Time
//!
//! The machine knows none. [`keepalive`](crate::keepalive) has the timers for a handshake that stalls, a peer that is gone and a
//! Close that is not answered, over any number that grows: milliseconds of a system tick will do.
//!
//! # Panics
//!
//! No input and no order of calls makes the crate panic. Without features it links against a panic handler that does not
//! exist. With `handshake` the two dependencies keep checks of their own that the compiler cannot see to be always
//! true; `tests/firmware/README.md` names them.
//!
//! [`ReadBuffer`]: crate::ReadBuffer
//! [`WriteBuffer`]: crate::WriteBuffer
//! [`READ_BUFFER_MIN`]: crate::READ_BUFFER_MIN
//! [`WRITE_BUFFER_MIN`]: crate::WRITE_BUFFER_MIN
//! [`Config::max_head_size`]: crate::Config::max_head_size
//! [`Config::max_headers`]: crate::Config::max_headers
//! [`WebSocket::from_upgraded`]: crate::WebSocket::from_upgraded
//! [`EntropyError`]: crate::EntropyError
//! [`Chunk::text`]: crate::Chunk::text
//! [`Close::reason`]: crate::Close::reason
//! [`WebSocket::receive`]: crate::WebSocket::receive

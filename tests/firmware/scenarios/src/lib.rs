//! What the images do: one function for each, generic over the link, with buffers of a length that only the caller
//! knows. The board and the host run the same code.
//!
//! Each returns how its connection ended: the code of the Close that was received, or was sent for a failure; 1006 for
//! a stream that ended before any; the HTTP status of a refused handshake; 1 for a call that the crate refused.
#![no_std]
#![forbid(unsafe_code)]

mod frames;
mod stream;

#[cfg(feature = "handshake")]
mod client;
#[cfg(feature = "handshake")]
mod server;

use core::convert::Infallible;

use embedded_io::{Read, Write};
use sockless::Failure;

#[cfg(feature = "handshake")]
pub use client::{CLIENT_SIZE, client};
pub use frames::{FRAMES_SIZE, frames};
#[cfg(feature = "handshake")]
pub use server::{SERVER_SIZE, server};
pub use stream::{STREAM_SIZE, stream};

/// A transport that does not fail, so that every ending is the protocol's.
pub trait Link: Read<Error = Infallible> + Write<Error = Infallible> {}

impl<L: Read<Error = Infallible> + Write<Error = Infallible>> Link for L {}

/// How a connection ended whose calls were refused.
const REFUSED_CALL: u32 = 1;

/// How a connection ended that failed.
fn code_of(failure: Failure) -> u32 {
    match failure {
        Failure::Protocol(violation) => violation.close_code().get().into(),
        #[cfg(feature = "handshake")]
        Failure::Handshake(error) => error.status().into(),
        _ => REFUSED_CALL,
    }
}

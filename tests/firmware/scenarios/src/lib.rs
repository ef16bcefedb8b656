//! Defines the scenarios of the images: one function each, generic over the link. Only the caller
//! knows the length of the buffers. The board and the host run the same code.
//!
//! Each function returns a number for the end of its connection:
//!
//! - the status code of the Close that was received, or that was sent for a failure;
//! - 1006 if the stream ended before a Close;
//! - the HTTP status of a refused handshake;
//! - 1 if the crate refused a call.
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

/// A transport that never fails, so that only the protocol can end a connection.
pub trait Link: Read<Error = Infallible> + Write<Error = Infallible> {}

impl<L: Read<Error = Infallible> + Write<Error = Infallible>> Link for L {}

/// The verdict of a connection if the crate refused a call.
const REFUSED_CALL: u32 = 1;

/// Returns the verdict of a failed connection.
fn code_of(failure: Failure) -> u32 {
    match failure {
        Failure::Protocol(violation) => violation.close_code().get().into(),
        #[cfg(feature = "handshake")]
        Failure::Handshake(error) => error.status().into(),
        _ => REFUSED_CALL,
    }
}

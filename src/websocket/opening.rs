//! Defines the interface between a connection and the opening handshake of either role.

use core::convert::Infallible;

use super::event::Event;
use crate::buffer::{ReadBuffer, Storage, WriteBuffer};
use crate::error::Failure;

/// Runs the opening handshake as the first phase of a connection.
pub trait Opening {
    /// Answers an unanswered request, or confirms an unconfirmed response, before input is read.
    /// Returns the failure if the handshake has failed.
    fn resume<T: Storage>(&mut self, tx: &mut WriteBuffer<T>) -> Option<Failure>;

    /// Returns the next event of the handshake, or `None` if more input is needed.
    fn receive<'b, S: Storage, T: Storage>(
        &mut self,
        rx: &'b mut ReadBuffer<S>,
        tx: &mut WriteBuffer<T>,
    ) -> Option<Event<'b>>;

    /// Returns the state of the handshake.
    fn outcome(&self) -> Outcome;

    /// Returns the compression that a client's handshake has agreed on. A server's handshake
    /// returns the compression from `accept` instead.
    #[cfg(feature = "deflate")]
    fn compression(&self) -> crate::deflate::Compression {
        None
    }
}

/// Describes the state of an opening handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The handshake is not finished.
    Pending,
    /// The connection is open.
    Open,
    /// The connection is over.
    Done,
}

#[cfg(not(feature = "handshake"))]
pub(crate) use core::convert::{Infallible as ClientOpening, Infallible as ServerOpening};

#[cfg(feature = "handshake")]
pub(crate) use crate::handshake::{
    ClientHandshake as ClientOpening, ServerHandshake as ServerOpening,
};

/// Provides a handshake type without values. Without the feature `handshake`, every connection
/// starts open.
impl Opening for Infallible {
    fn resume<T: Storage>(&mut self, _: &mut WriteBuffer<T>) -> Option<Failure> {
        match *self {}
    }

    fn receive<'b, S: Storage, T: Storage>(
        &mut self,
        _: &'b mut ReadBuffer<S>,
        _: &mut WriteBuffer<T>,
    ) -> Option<Event<'b>> {
        match *self {}
    }

    fn outcome(&self) -> Outcome {
        match *self {}
    }
}

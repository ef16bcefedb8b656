//! The interface of a connection to the opening handshake of either role.

use core::convert::Infallible;

use super::event::Event;
use crate::buffer::{ReadBuffer, Storage, WriteBuffer};
use crate::error::Failure;

/// The opening handshake as the first phase of a connection.
pub trait Opening {
    /// Does what is due before input is read: answers or confirms what the caller left alone.
    /// Returns why the handshake has failed, if it has.
    fn resume<T: Storage>(&mut self, tx: &mut WriteBuffer<T>) -> Option<Failure>;

    /// Returns the next event of the handshake, or `None` if more input is needed.
    fn receive<'b, S: Storage, T: Storage>(
        &mut self,
        rx: &'b mut ReadBuffer<S>,
        tx: &mut WriteBuffer<T>,
    ) -> Option<Event<'b>>;

    /// Returns how the handshake stands.
    fn outcome(&self) -> Outcome;

    /// Returns the compression that a client's handshake has agreed on; a server's returns it when
    /// it accepts.
    #[cfg(feature = "deflate")]
    fn compression(&self) -> crate::deflate::Compression {
        None
    }
}

/// The state of an opening handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It goes on.
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

/// Without the feature `handshake`, every connection begins open.
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

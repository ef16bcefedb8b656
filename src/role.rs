//! The two ends of a connection.

use crate::{Entropy, EntropyError};

/// Which end of the connection we are: [`Server`] or [`Client`].
pub trait Role: private::Role {}

/// The server: accepts the handshake, receives masked frames, sends unmasked ones.
#[derive(Clone, Copy, Debug, Default)]
pub struct Server;

/// The client: asks for the handshake, receives unmasked frames, sends masked ones with keys from `E`.
#[derive(Clone, Copy, Default)]
pub struct Client<E> {
    pub(crate) entropy: E,
    /// The handshake's nonce, kept until the answer is there (RFC 6455 section 4.1).
    #[cfg(feature = "handshake")]
    pub(crate) nonce: [u8; 16],
}

impl<E> core::fmt::Debug for Client<E> {
    /// Shows neither keys nor where they come from, so that any closure will do.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Client")
    }
}

impl<E: Entropy> Client<E> {
    /// A client whose keys come from `entropy`.
    pub const fn new(entropy: E) -> Client<E> {
        Client {
            entropy,
            #[cfg(feature = "handshake")]
            nonce: [0; 16],
        }
    }
}

impl Role for Server {}
impl<E: Entropy> Role for Client<E> {}

impl private::Role for Server {
    const MASKS: bool = false;

    #[inline]
    fn key(&mut self) -> Result<Option<[u8; 4]>, EntropyError> {
        Ok(None)
    }

    #[cfg(feature = "handshake")]
    fn shake_hands<'b, S: crate::Storage, T: crate::Storage>(
        ws: &mut crate::WebSocket<Self>,
        rx: &'b mut crate::ReadBuffer<S>,
        tx: &mut crate::WriteBuffer<T>,
    ) -> Option<crate::Event<'b>> {
        crate::handshake::server::receive(ws, rx, tx)
    }

    #[cfg(feature = "handshake")]
    fn settle<T: crate::Storage>(
        ws: &mut crate::WebSocket<Self>,
        tx: &mut crate::WriteBuffer<T>,
    ) -> Option<crate::Failure> {
        crate::handshake::server::settle(ws, tx)
    }
}

impl<E: Entropy> private::Role for Client<E> {
    const MASKS: bool = true;

    #[inline]
    fn key(&mut self) -> Result<Option<[u8; 4]>, EntropyError> {
        // RFC 6455 5.3: "the client MUST pick a fresh masking key" for each frame.
        let mut key = [0; 4];
        self.entropy.fill(&mut key)?;
        Ok(Some(key))
    }

    #[cfg(feature = "handshake")]
    fn shake_hands<'b, S: crate::Storage, T: crate::Storage>(
        ws: &mut crate::WebSocket<Self>,
        rx: &'b mut crate::ReadBuffer<S>,
        tx: &mut crate::WriteBuffer<T>,
    ) -> Option<crate::Event<'b>> {
        crate::handshake::client::receive(ws, rx, tx)
    }

    #[cfg(feature = "handshake")]
    fn settle<T: crate::Storage>(
        ws: &mut crate::WebSocket<Self>,
        tx: &mut crate::WriteBuffer<T>,
    ) -> Option<crate::Failure> {
        crate::handshake::client::settle(ws, tx)
    }
}

pub(crate) mod private {
    use crate::EntropyError;

    /// What the halves and the machine ask of a role. Not nameable from outside, so that there are no
    /// other roles.
    pub trait Role {
        /// Whether our frames are masked (RFC 6455 section 5.1).
        const MASKS: bool;

        /// A fresh masking key for one frame, if frames of this role are masked.
        fn key(&mut self) -> Result<Option<[u8; 4]>, EntropyError>;

        /// The next event of the opening handshake.
        #[cfg(feature = "handshake")]
        fn shake_hands<'b, S: crate::Storage, T: crate::Storage>(
            ws: &mut crate::WebSocket<Self>,
            rx: &'b mut crate::ReadBuffer<S>,
            tx: &mut crate::WriteBuffer<T>,
        ) -> Option<crate::Event<'b>>
        where
            Self: crate::Role + Sized;

        /// Goes on where the caller did not answer the peer's head.
        #[cfg(feature = "handshake")]
        fn settle<T: crate::Storage>(
            ws: &mut crate::WebSocket<Self>,
            tx: &mut crate::WriteBuffer<T>,
        ) -> Option<crate::Failure>
        where
            Self: crate::Role + Sized;
    }
}

//! Defines the two ends of a connection.

use crate::entropy::Entropy;
use crate::error::EntropyError;
use crate::websocket::opening::{ClientOpening, ServerOpening};

/// Selects the end of the connection that this side is: [`Server`] or [`Client`].
pub trait Role: private::Role {
    /// `true` for a client. A client masks its frames (RFC 6455 section 5.1), and waits until the
    /// server ends the stream (section 7.1.1).
    const IS_CLIENT: bool = <Self as private::Role>::MASKS;
}

/// The server: it accepts the handshake, receives masked frames and sends unmasked ones.
#[derive(Clone, Copy, Debug, Default)]
pub struct Server;

/// The client: it requests the handshake, receives unmasked frames and sends frames masked with
/// keys from `E`.
#[derive(Clone, Copy, Default)]
pub struct Client<E> {
    pub(crate) entropy: E,
}

impl<E> core::fmt::Debug for Client<E> {
    /// Shows neither keys nor their source. `E` need not implement `Debug`, and closures do not.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Client")
    }
}

impl<E: Entropy> Client<E> {
    /// Makes a client that draws its keys from `entropy`.
    pub const fn new(entropy: E) -> Client<E> {
        Client { entropy }
    }
}

impl Role for Server {}
impl<E: Entropy> Role for Client<E> {}

impl private::Role for Server {
    const MASKS: bool = false;
    type Handshake = ServerOpening;

    #[inline]
    fn key(&mut self, _: private::Token) -> Result<Option<[u8; 4]>, EntropyError> {
        Ok(None)
    }
}

impl<E: Entropy> private::Role for Client<E> {
    const MASKS: bool = true;
    type Handshake = ClientOpening;

    #[inline]
    fn key(&mut self, _: private::Token) -> Result<Option<[u8; 4]>, EntropyError> {
        // RFC 6455 section 5.3: the client picks a fresh masking key for each frame.
        let mut key = [0; 4];
        self.entropy.fill(&mut key)?;
        Ok(Some(key))
    }
}

pub(crate) mod private {
    use crate::error::EntropyError;
    use crate::websocket::opening::Opening;

    /// Prevents calls from outside this crate. Code that is generic over [`Role`](super::Role)
    /// cannot make a `Token`, and so cannot draw keys.
    #[derive(Clone, Copy, Debug)]
    pub struct Token;

    /// The private part of a role. No other crate can name it, so no other crate can define a role.
    pub trait Role {
        /// `true` if frames of this role are masked (RFC 6455 section 5.1).
        const MASKS: bool;
        /// The opening handshake of this role.
        type Handshake: Opening;

        /// Draws a fresh masking key for one frame, if frames of this role are masked.
        ///
        /// # Errors
        /// Returns [`EntropyError`] if the source fails.
        fn key(&mut self, token: Token) -> Result<Option<[u8; 4]>, EntropyError>;
    }
}

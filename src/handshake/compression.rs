//! Defines the offer and the agreement of a handshake on compression. In the handshake, only this
//! module has code for both cases, with and without the feature `deflate`.

use core::fmt;

#[cfg(feature = "deflate")]
pub(super) use with::{Compression, ExtensionsValue, Offer, Offered};
#[cfg(not(feature = "deflate"))]
pub(super) use without::{Compression, ExtensionsValue, Offer, Offered};

/// Contains the agreement of a handshake. [`ServerHandshake`](super::ServerHandshake),
/// [`ClientHandshake`](super::ClientHandshake) and the checks for headers of any source return it.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Agreed<'a> {
    pub(super) subprotocol: Option<&'a str>,
    pub(super) compression: Compression,
}

impl<'a> Agreed<'a> {
    /// Returns the chosen subprotocol, if any (RFC 6455 section 1.9).
    #[must_use]
    pub const fn subprotocol(&self) -> Option<&'a str> {
        self.subprotocol
    }
}

impl fmt::Debug for Agreed<'_> {
    /// Shows only the length of the subprotocol: the name can be a credential.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agreed")
            .field("subprotocol", &self.subprotocol.map(str::len))
            .field("compression", &self.compression)
            .finish()
    }
}

#[cfg(feature = "deflate")]
mod with {
    use alloc::boxed::Box;

    pub(in crate::handshake) use crate::deflate::{Compression, HeaderValue as ExtensionsValue};
    use crate::deflate::{DeflateConfig, OfferShape};
    use crate::extensions::{Extension, ExtensionSyntaxError};
    use crate::handshake::compression::Agreed;
    use crate::handshake::error::HandshakeError;

    impl Agreed<'_> {
        /// Returns the agreed parameters of compression and our configuration of compression, if
        /// any (RFC 7692).
        #[must_use]
        pub const fn compression(&self) -> Compression {
            self.compression
        }
    }

    /// Describes our side of the negotiation: a client's offer, or the configuration that a server
    /// accepts.
    #[derive(Clone, Copy, Debug, Default)]
    pub(in crate::handshake) struct Offer {
        pub(in crate::handshake) config: Option<DeflateConfig>,
        pub(in crate::handshake) shape: OfferShape,
    }

    impl Offer {
        pub(in crate::handshake) const NONE: Offer =
            Offer { config: None, shape: OfferShape::Parameters };

        /// Returns the value of the client's `Sec-WebSocket-Extensions`.
        pub(in crate::handshake) fn value(&self) -> Option<ExtensionsValue> {
            self.config.map(|config| config.shaped_offer(self.shape))
        }

        /// Answers the extension offers of a request. The list is already checked to be
        /// well-formed.
        pub(in crate::handshake) fn answer<'a>(
            &self,
            offers: impl Iterator<Item = Result<Extension<'a>, ExtensionSyntaxError>>,
        ) -> (Option<ExtensionsValue>, Compression) {
            let answer =
                self.config.and_then(|config| Some((config.negotiate(offers).ok()??, config)));
            match answer {
                Some((answer, config)) => (Some(answer.header), Some((answer.agreement, config))),
                None => (None, None),
            }
        }

        /// Checks the extensions of a response to this offer.
        pub(in crate::handshake) fn accept_response<'a>(
            &self,
            response: impl Iterator<Item = Result<Extension<'a>, ExtensionSyntaxError>>,
        ) -> Result<Compression, HandshakeError> {
            let Some(config) = self.config else { return Err(HandshakeError::Extension) };
            match config.accept_shaped_response(self.shape, response) {
                Ok(agreement) => Ok(agreement.map(|agreement| (agreement, config))),
                Err(_) => Err(HandshakeError::Extension),
            }
        }
    }

    /// Stores a client's offer between request and response. The offer is on the heap, because most
    /// connections need it only briefly.
    #[derive(Clone, Debug, Default)]
    pub(in crate::handshake) struct Offered(Option<Box<(Offer, Compression)>>);

    impl Offered {
        pub(in crate::handshake) const NONE: Offered = Offered(None);

        pub(in crate::handshake) fn new(offer: Offer) -> Offered {
            Offered(offer.config.map(|_| Box::new((offer, None))))
        }

        pub(in crate::handshake) fn offer(&self) -> Offer {
            self.0.as_ref().map_or(Offer::NONE, |offered| offered.0)
        }

        pub(in crate::handshake) fn agree(&mut self, compression: Compression) {
            match (&mut self.0, compression) {
                (Some(offered), Some(_)) => offered.1 = compression,
                (offered, _) => *offered = None,
            }
        }

        pub(in crate::handshake) fn agreed(&self) -> Compression {
            self.0.as_ref().and_then(|offered| offered.1)
        }
    }
}

#[cfg(not(feature = "deflate"))]
mod without {
    use crate::extensions::{Extension, ExtensionSyntaxError};
    use crate::handshake::error::HandshakeError;

    /// Replaces the agreement on compression, which does not exist without the feature `deflate`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub(in crate::handshake) struct Compression;
    pub(in crate::handshake) type ExtensionsValue = &'static str;

    #[derive(Clone, Copy, Debug, Default)]
    pub(in crate::handshake) struct Offer;

    impl Offer {
        pub(in crate::handshake) const NONE: Offer = Offer;

        pub(in crate::handshake) const fn value(self) -> Option<&'static str> {
            None
        }

        pub(in crate::handshake) fn answer<'a>(
            self,
            _: impl Iterator<Item = Result<Extension<'a>, ExtensionSyntaxError>>,
        ) -> (Option<&'static str>, Compression) {
            (None, Compression)
        }

        pub(in crate::handshake) fn accept_response<'a>(
            self,
            _: impl Iterator<Item = Result<Extension<'a>, ExtensionSyntaxError>>,
        ) -> Result<Compression, HandshakeError> {
            Err(HandshakeError::Extension)
        }
    }

    #[derive(Clone, Debug, Default)]
    pub(in crate::handshake) struct Offered;

    impl Offered {
        pub(in crate::handshake) const NONE: Offered = Offered;

        pub(in crate::handshake) const fn new(_: Offer) -> Offered {
            Offered
        }

        pub(in crate::handshake) const fn offer(&self) -> Offer {
            Offer
        }

        pub(in crate::handshake) const fn agree(&mut self, _: Compression) {}

        pub(in crate::handshake) const fn agreed(&self) -> Compression {
            Compression
        }
    }
}

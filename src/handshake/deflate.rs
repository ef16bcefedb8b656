//! Adds compression to a request and to the response that accepts a request (RFC 7692).

use super::accept::Accept;
use super::request::ConnectRequest;
use crate::deflate::{DeflateConfig, OfferShape};

impl<'a> Accept<'a> {
    /// Agrees to the first offer of compression that `config` allows, if the client made such an
    /// offer.
    /// [`WebSocket::deflate_params`](crate::WebSocket::deflate_params) returns the agreement.
    #[must_use]
    pub const fn with_deflate(mut self, config: DeflateConfig) -> Accept<'a> {
        self.offer.config = Some(config);
        self
    }
}

impl<'a> ConnectRequest<'a> {
    /// Offers compression. [`WebSocket::deflate_params`](crate::WebSocket::deflate_params)
    /// returns the parameters that the server agreed to.
    #[must_use]
    pub const fn with_deflate(mut self, config: DeflateConfig) -> ConnectRequest<'a> {
        self.offer.config = Some(config);
        self
    }

    /// Sets the shape of the compression offer. Some servers refuse offers with parameters.
    #[must_use]
    pub const fn with_deflate_shape(mut self, shape: OfferShape) -> ConnectRequest<'a> {
        self.offer.shape = shape;
        self
    }
}

//! Builds the server's response that accepts a request.

use core::fmt;

use super::compression::{Agreed, ExtensionsValue, Offer};
use super::message::{
    CONNECTION, EXTENSIONS, FieldValue, Inner, UPGRADE, check_headers, fields, text,
};
use crate::error::Misuse;

/// Describes how a server accepts a request. See [`WebSocket::accept`](crate::WebSocket::accept).
///
/// ```
/// let accept = sockless::handshake::Accept::new()
///     .with_subprotocol("chat.v2")
///     .with_headers(&[("Set-Cookie", "id=1; HttpOnly")]);
/// ```
#[derive(Clone, Copy, Default)]
pub struct Accept<'a> {
    pub(super) subprotocol: Option<&'a str>,
    headers: &'a [(&'a str, &'a str)],
    pub(super) offer: Offer,
}

impl<'a> Accept<'a> {
    /// Makes an acceptance without a subprotocol and without further headers.
    #[must_use]
    pub const fn new() -> Accept<'a> {
        Accept { subprotocol: None, headers: &[], offer: Offer::NONE }
    }

    /// Chooses one of the offered subprotocols. If subprotocols were offered and none is chosen,
    /// most browsers end the connection.
    #[must_use]
    pub const fn with_subprotocol(mut self, name: &'a str) -> Accept<'a> {
        self.subprotocol = Some(name);
        self
    }

    /// Adds header fields. A field that belongs to the handshake is an error when the request is
    /// accepted: see [`Misuse::ReservedHeader`].
    #[must_use]
    pub const fn with_headers(mut self, headers: &'a [(&'a str, &'a str)]) -> Accept<'a> {
        self.headers = headers;
        self
    }

    pub(super) fn check(&self) -> Result<(), Misuse> {
        check_headers(self.headers, &[])
    }
}

impl fmt::Debug for Accept<'_> {
    /// Omits the headers and shows only the length of the subprotocol: both can contain
    /// credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accept")
            .field("subprotocol", &self.subprotocol.map(str::len))
            .field("headers", &self.headers.len())
            .finish_non_exhaustive()
    }
}

/// Represents the response that accepts a request. [`Upgrade::accept`](super::Upgrade::accept)
/// makes it.
#[derive(Clone, Copy)]
pub struct Accepted<'a> {
    /// The accept value for the key, or `None` for an extended CONNECT.
    pub(super) accept: Option<[u8; 28]>,
    pub(super) extensions: Option<ExtensionsValue>,
    pub(super) response: Accept<'a>,
    pub(super) agreed: Agreed<'a>,
}

impl fmt::Debug for Accepted<'_> {
    /// Omits the headers: headers can contain credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accepted")
            .field("status", &self.status())
            .field("agreed", &self.agreed)
            .finish_non_exhaustive()
    }
}

impl<'a> Accepted<'a> {
    /// Returns the status, which is 101 for an upgrade and 200 for an extended CONNECT.
    #[must_use]
    pub const fn status(&self) -> u16 {
        if self.accept.is_some() { 101 } else { 200 }
    }

    /// Returns the header fields of the response, including the caller's headers.
    pub fn fields(&self) -> impl Iterator<Item = (&'a str, FieldValue<'a>)> + use<'a> {
        let Accepted { accept, extensions, response, .. } = *self;
        fields(response.headers, move |place| match place {
            0 => accept.map(|_| UPGRADE),
            1 => accept.map(|_| CONNECTION),
            2 => accept.map(|accept| ("Sec-WebSocket-Accept", FieldValue(Inner::Accept(accept)))),
            3 => response.subprotocol.map(|name| text("Sec-WebSocket-Protocol", name)),
            4 => extensions.map(|value| (EXTENSIONS, FieldValue(Inner::Extensions(value)))),
            _ => None,
        })
    }

    /// Returns the agreement of the handshake.
    #[must_use]
    pub const fn agreed(&self) -> Agreed<'a> {
        self.agreed
    }
}

//! The server's response that accepts a request.

use core::fmt;

use super::compression::{Agreed, ExtensionsValue, Offer};
use super::message::{
    CONNECTION, EXTENSIONS, FieldValue, Inner, UPGRADE, check_headers, fields, text,
};
use crate::error::Misuse;

/// The acceptance of a request by a server; see [`WebSocket::accept`](crate::WebSocket::accept).
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
    /// Accepts with no subprotocol and no further headers.
    #[must_use]
    pub const fn new() -> Accept<'a> {
        Accept { subprotocol: None, headers: &[], offer: Offer::NONE }
    }

    /// Chooses one of the subprotocols that were offered. Most browsers end the connection if they
    /// offered some and none is chosen.
    #[must_use]
    pub const fn with_subprotocol(mut self, name: &'a str) -> Accept<'a> {
        self.subprotocol = Some(name);
        self
    }

    /// Adds header fields. What the handshake writes itself is refused.
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
    /// Shows no header, and the subprotocol's length: both can hold credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accept")
            .field("subprotocol", &self.subprotocol.map(str::len))
            .field("headers", &self.headers.len())
            .finish_non_exhaustive()
    }
}

/// The response that accepts a request; made by [`Upgrade::accept`](super::Upgrade::accept).
#[derive(Clone, Copy)]
pub struct Accepted<'a> {
    /// The value that answers the key; an extended CONNECT has none.
    pub(super) accept: Option<[u8; 28]>,
    pub(super) extensions: Option<ExtensionsValue>,
    pub(super) response: Accept<'a>,
    pub(super) agreed: Agreed<'a>,
}

impl fmt::Debug for Accepted<'_> {
    /// Shows no header: they can hold credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accepted")
            .field("status", &self.status())
            .field("agreed", &self.agreed)
            .finish_non_exhaustive()
    }
}

impl<'a> Accepted<'a> {
    /// Returns the status: 101 for an upgrade, 200 for an extended CONNECT.
    #[must_use]
    pub const fn status(&self) -> u16 {
        if self.accept.is_some() { 101 } else { 200 }
    }

    /// Returns the header fields of the response, the caller's included.
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

    /// Returns what the connection has agreed on.
    #[must_use]
    pub const fn agreed(&self) -> Agreed<'a> {
        self.agreed
    }
}

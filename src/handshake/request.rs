//! Builds the client's request and checks the response.

use core::fmt;

use super::compression::{Agreed, Offer};
use super::error::HandshakeError;
use super::fields::{HeaderField, is_field_value, is_token};
use super::key::Key;
use super::message::{
    CONNECTION, EXTENSIONS, FieldValue, Inner, UPGRADE, check_headers, fields, text, write_head,
};
use super::rules::{Found, check_response};
use super::uri::Uri;
use crate::buffer::{CONTROL_RESERVE, Storage, WriteBuffer};
use crate::error::{Error, Misuse};

/// Represents a client's request to open a WebSocket. See
/// [`WebSocket::connect`](crate::WebSocket::connect).
///
/// ```
/// use sockless::handshake::{ConnectRequest, Uri};
///
/// let uri = Uri::parse("ws://example.com/chat?room=1")?;
/// let request = ConnectRequest::new(&uri)
///     .with_subprotocols(&["chat.v2", "chat.v1"])
///     .with_origin("https://example.com")
///     .with_headers(&[("Authorization", "Bearer 1234")]);
/// # Ok::<(), sockless::handshake::UriError>(())
/// ```
#[derive(Clone, Copy)]
pub struct ConnectRequest<'a> {
    host: [&'a str; 3],
    resource: [&'a str; 3],
    origin: Option<&'a str>,
    subprotocols: &'a [&'a str],
    headers: &'a [(&'a str, &'a str)],
    pub(super) offer: Offer,
}

impl<'a> ConnectRequest<'a> {
    /// Makes a request for the resource of `uri`. The host of `uri` is the `Host`, and its path and
    /// query are the target.
    #[must_use]
    pub fn new(uri: &Uri<'a>) -> ConnectRequest<'a> {
        ConnectRequest {
            host: uri.host_header().parts(),
            resource: uri.resource_name().parts(),
            origin: None,
            subprotocols: &[],
            headers: &[],
            offer: Offer::NONE,
        }
    }

    /// Offers subprotocols in order of preference (RFC 6455 section 1.9).
    #[must_use]
    pub const fn with_subprotocols(mut self, names: &'a [&'a str]) -> ConnectRequest<'a> {
        self.subprotocols = names;
        self
    }

    /// Sets the `Origin` (RFC 6454). Only browsers must send an `Origin`.
    #[must_use]
    pub const fn with_origin(mut self, origin: &'a str) -> ConnectRequest<'a> {
        self.origin = Some(origin);
        self
    }

    /// Adds header fields, for example for authentication. A field that belongs to the
    /// handshake is an error when the request is written: see [`Misuse::ReservedHeader`].
    #[must_use]
    pub const fn with_headers(mut self, headers: &'a [(&'a str, &'a str)]) -> ConnectRequest<'a> {
        self.headers = headers;
        self
    }

    /// Returns the header fields of the request except `Host`, for an HTTP library to send. With a
    /// `key`, the fields are for a GET over HTTP/1.1 (RFC 6455 section 4.1). Without a key, the
    /// fields are for an extended CONNECT with the `:protocol` `websocket` (RFC 8441 section 5, RFC
    /// 9220).
    ///
    /// # Errors
    /// - Returns [`Misuse::InvalidHeader`] if a name or value would break the head.
    /// - Returns [`Misuse::ReservedHeader`] if one of the headers belongs to the handshake.
    /// - Returns [`Misuse::InvalidSubprotocol`] if the subprotocols are not unique tokens.
    ///
    /// ```
    /// use sockless::handshake::{ConnectRequest, Uri};
    ///
    /// let uri = Uri::parse("wss://example.com/chat").unwrap();
    /// let request = ConnectRequest::new(&uri).with_subprotocols(&["chat"]);
    /// let fields: Vec<_> =
    ///     request.fields(None)?.map(|(name, value)| format!("{name}: {value}")).collect();
    /// assert_eq!(fields, ["Sec-WebSocket-Version: 13", "Sec-WebSocket-Protocol: chat"]);
    /// # Ok::<(), sockless::Misuse>(())
    /// ```
    pub fn fields(
        &self,
        key: Option<&Key>,
    ) -> Result<impl Iterator<Item = (&'a str, FieldValue<'a>)> + use<'a>, Misuse> {
        self.check()?;
        Ok(self.checked_fields(key))
    }

    /// Checks the response to the request and returns the agreement. With a `key`, a 101 is
    /// expected (RFC 6455 section 4.1). Without a key, a 2xx to an extended CONNECT is expected
    /// (RFC 8441 section 5).
    ///
    /// # Errors
    /// Returns a [`HandshakeError`] if the response breaks a rule.
    pub fn check_response<'h, I>(
        &self,
        key: Option<&Key>,
        status: u16,
        headers: I,
    ) -> Result<Agreed<'h>, HandshakeError>
    where
        I: IntoIterator<Item: HeaderField<'h>> + Clone,
    {
        let accept = key.map(Key::accept);
        let accepted = if key.is_some() { status == 101 } else { (200..300).contains(&status) };
        if !accepted {
            return Err(HandshakeError::Status);
        }
        let found = Found::in_headers(headers.clone());
        check_response(&found, accept.as_ref(), headers, self.offer)?.offered_in(self.subprotocols)
    }

    pub(super) fn check(&self) -> Result<(), Misuse> {
        check_headers(self.headers, &[])?;
        if !self.origin.is_none_or(is_field_value) {
            return Err(Misuse::InvalidHeader);
        }
        let unique = |(i, name): (usize, &&str)| {
            is_token(name.as_bytes())
                && !self.subprotocols.iter().take(i).any(|earlier| earlier == name)
        };
        if !self.subprotocols.iter().enumerate().all(unique) {
            return Err(Misuse::InvalidSubprotocol);
        }
        Ok(())
    }

    fn checked_fields(
        &self,
        key: Option<&Key>,
    ) -> impl Iterator<Item = (&'a str, FieldValue<'a>)> + use<'a> {
        let (request, key) = (*self, key.copied());
        let subprotocols = Some(request.subprotocols).filter(|names| !names.is_empty());
        fields(request.headers, move |place| match place {
            0 => key.map(|_| UPGRADE),
            1 => key.map(|_| CONNECTION),
            2 => key.map(|key| ("Sec-WebSocket-Key", FieldValue(Inner::Key(key)))),
            3 => Some(text("Sec-WebSocket-Version", "13")),
            4 => request.origin.map(|origin| text("Origin", origin)),
            5 => {
                subprotocols.map(|names| ("Sec-WebSocket-Protocol", FieldValue(Inner::List(names))))
            }
            _ => request
                .offer
                .value()
                .map(|value| (EXTENSIONS, FieldValue(Inner::Extensions(value)))),
        })
    }

    /// Writes the request of an upgrade. The request is already checked.
    pub(super) fn write<T: Storage>(
        &self,
        key: &Key,
        tx: &mut WriteBuffer<T>,
    ) -> Result<(), Error> {
        // Keeps a reserve for control frames: the response, and frames after it, may arrive before
        // the caller has sent the request.
        write_head(tx, CONTROL_RESERVE, |out| {
            out.put("GET ");
            self.resource.iter().for_each(|part| out.put(part));
            out.put(" HTTP/1.1\r\nHost: ");
            self.host.iter().for_each(|part| out.put(part));
            out.put("\r\n");
            out.fields(self.checked_fields(Some(key)));
        })
    }
}

impl fmt::Debug for ConnectRequest<'_> {
    /// Omits the target, the origin, the subprotocols and the headers: they can contain
    /// credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectRequest")
            .field("subprotocols", &self.subprotocols.len())
            .field("headers", &self.headers.len())
            .finish_non_exhaustive()
    }
}

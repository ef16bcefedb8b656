//! A view of the peer's HTTP head where it lies in the read buffer.

use core::fmt;

use super::error::HandshakeError;
use super::fields::{Lines, trim};
use super::key::{KEY_LEN, Key};
use super::rules::{Found, Upgrade, extension_list, judge_request, subprotocols};
use super::scan::place_of;
use super::uri::is_host_and_port;
use crate::ascii::until;
use crate::extensions::Extensions;

/// A request that was received. It borrows the read buffer.
#[derive(Clone, PartialEq, Eq)]
pub struct RequestHead<'b> {
    method: &'b str,
    target: &'b str,
    headers: Headers<'b>,
    /// The key, if this is a request to open a WebSocket.
    key: Option<&'b [u8; KEY_LEN]>,
}

impl<'b> RequestHead<'b> {
    /// Judges a head whose syntax is known to be good.
    pub(super) fn judge(whole: &'b [u8], lines: &Lines) -> Result<RequestHead<'b>, HandshakeError> {
        let mut head = whole.strip_prefix(b"\r\n").unwrap_or(whole);
        let method = word(&mut head, b' ');
        let target = word(&mut head, b' ');
        let headers = Headers::behind(head);
        // RFC 9112 3.2: origin-form, absolute-form, "*" for OPTIONS, an authority for CONNECT.
        let authority = match split_target(target) {
            Some(_) if target == "*" && method != "OPTIONS" => {
                return Err(HandshakeError::Malformed);
            }
            Some((authority, _)) => authority,
            None if method == "CONNECT" => None,
            None => return Err(HandshakeError::Malformed),
        };
        // RFC 9110 section 4.2.1: a recipient "MUST reject" an address with an empty host.
        let has_host = |authority: &str| {
            !matches!(authority.as_bytes(), [] | [b':', ..])
                && is_host_and_port(authority.as_bytes())
        };
        if !authority.is_none_or(has_host) {
            return Err(HandshakeError::Host);
        }
        let found = Found::in_head(whole, lines, headers.clone());
        let key = judge_request(found, method, headers.clone())?;
        Ok(RequestHead { method, target, headers, key })
    }

    /// Returns the method; `GET` for an upgrade.
    #[must_use]
    pub const fn method(&self) -> &'b str {
        self.method
    }

    /// Returns the request target as it was sent (RFC 9112 section 3.2).
    #[must_use]
    pub const fn target(&self) -> &'b str {
        self.target
    }

    /// Returns the path of the target, without the query: `/` if an absolute form has none, empty
    /// for the authority of a CONNECT. It is not decoded.
    #[must_use]
    pub fn path(&self) -> &'b str {
        let mut rest = self.resource();
        match until_any(&mut rest, b"?") {
            "" if !self.resource().is_empty() || self.authority_of_target().is_some() => "/",
            path => path,
        }
    }

    /// Returns the query of the target, without its `?`, if there is one. It is not decoded.
    #[must_use]
    pub fn query(&self) -> Option<&'b str> {
        let mut rest = self.resource();
        until_any(&mut rest, b"?");
        rest.strip_prefix('?')
    }

    /// Returns the host, with a port if one was sent: from the target in absolute form, whose
    /// authority wins (RFC 9112 section 3.2.2), else from `Host`.
    #[must_use]
    pub fn authority(&self) -> &'b str {
        let host = || core::str::from_utf8(self.header("Host").unwrap_or_default());
        self.authority_of_target().unwrap_or_else(|| host().unwrap_or_default())
    }

    /// Returns the header lines in order.
    #[must_use]
    pub fn headers(&self) -> Headers<'b> {
        self.headers.clone()
    }

    /// Returns the value of the first header of this name, in any case, without the white space
    /// around it.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'b [u8]> {
        self.headers().first(name)
    }

    /// Returns the `Origin`, which a browser sends and a page's script cannot change. A server that
    /// identifies users by cookies must compare it, or any page that a user visits can connect in
    /// the user's name (RFC 6455 section 10.2).
    ///
    /// ```
    /// use sockless::handshake::{Accept, HttpResponse, RequestHead};
    /// use sockless::{Error, Server, Storage, WebSocket, WriteBuffer};
    ///
    /// /// Accepts requests of our own pages, and of programs that send no `Origin`.
    /// fn answer(
    ///     ws: &mut WebSocket<Server>,
    ///     request: &RequestHead<'_>,
    ///     tx: &mut WriteBuffer<impl Storage>,
    /// ) -> Result<(), Error> {
    ///     match request.origin() {
    ///         None | Some(b"https://example.com") => ws.accept(request, Accept::new(), tx),
    ///         Some(_) => ws.respond(HttpResponse::new(403), tx),
    ///     }
    /// }
    /// ```
    #[must_use]
    pub fn origin(&self) -> Option<&'b [u8]> {
        self.header("Origin")
    }

    /// Returns the subprotocols that were offered, in the order of the client's preference (RFC
    /// 6455 section 1.9).
    pub fn subprotocols(&self) -> impl Iterator<Item = &'b str> + use<'b> {
        subprotocols(self.headers())
    }

    /// Returns the extensions that were offered, in the order of the client's preference (RFC 6455
    /// section 9.1).
    pub fn extensions(&self) -> Extensions<'b, impl Iterator<Item = &'b [u8]> + use<'b>> {
        extension_list(self.headers())
    }

    /// Returns the request as an upgrade, if it asks for a WebSocket.
    #[must_use]
    pub fn upgrade(&self) -> Option<Upgrade<Headers<'b>>> {
        Some(Upgrade::new(Key::from_checked(self.key?), self.headers()))
    }

    pub(super) const fn is_upgrade(&self) -> bool {
        self.key.is_some()
    }

    fn authority_of_target(&self) -> Option<&'b str> {
        split_target(self.target)?.0
    }

    /// The path and the query, with its `?`.
    fn resource(&self) -> &'b str {
        split_target(self.target).map_or("", |(_, resource)| resource)
    }
}

impl fmt::Debug for RequestHead<'_> {
    /// Shows neither the target nor any value: both can hold credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestHead")
            .field("method", &self.method)
            .field("target", &self.target.len())
            .field("headers", &self.headers)
            .field("is_upgrade", &self.is_upgrade())
            .finish()
    }
}

/// Splits a target in absolute form or origin form into its authority, if it has one, and the rest.
/// `None` for an authority alone, and for what is no scheme in front of `://`.
fn split_target(target: &str) -> Option<(Option<&str>, &str)> {
    if target.starts_with('/') || target == "*" {
        return Some((None, target));
    }
    let mut rest = target;
    // RFC 3986 section 3.1: a scheme has none of these, so that the first one ends it. It is a
    // letter and then letters, digits, "+", "-" and ".".
    let scheme = until_any(&mut rest, b":/?#").as_bytes();
    let mut resource = rest.strip_prefix("://")?;
    let rest_is_good = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
    if !matches!(scheme, [b'A'..=b'Z' | b'a'..=b'z', rest @ ..] if rest.iter().all(rest_is_good)) {
        return None;
    }
    let authority = until_any(&mut resource, b"/?");
    Some((Some(authority), resource))
}

/// Takes the text in front of the first of these bytes, or all of it.
fn until_any<'a>(text: &mut &'a str, stops: &[u8]) -> &'a str {
    let at = text.bytes().position(|byte| stops.contains(&byte)).unwrap_or(text.len());
    let (before, rest) = text.split_at_checked(at).unwrap_or_default();
    *text = rest;
    before
}

/// Takes the text in front of `end`, and `end`.
fn word<'b>(head: &mut &'b [u8], end: u8) -> &'b str {
    let word = until(head, end);
    *head = head.get(1..).unwrap_or_default();
    core::str::from_utf8(word).unwrap_or_default()
}

/// A response that was received. It borrows the read buffer.
#[derive(Clone, PartialEq, Eq)]
pub struct ResponseHead<'b> {
    status: u16,
    headers: Headers<'b>,
    pub(super) subprotocol: Option<&'b str>,
}

impl<'b> ResponseHead<'b> {
    /// Splits a head whose syntax is known to be good.
    pub(super) fn split(mut head: &'b [u8]) -> Result<ResponseHead<'b>, HandshakeError> {
        let version = word(&mut head, b' ');
        let digits = head.get(..3).unwrap_or_default();
        let status =
            digits.iter().fold(0, |sum, byte| sum * 10 + u16::from(byte.wrapping_sub(b'0')));
        // RFC 6455 4.1 asks for a 101 of HTTP/1.1 or later; other responses may be of HTTP/1.0.
        if status == 101 && version.ends_with('0') {
            return Err(HandshakeError::HttpVersion);
        }
        Ok(ResponseHead { status, headers: Headers::behind(head), subprotocol: None })
    }

    /// Returns the status: 101, unless the handshake was rejected.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// Returns the header lines in order. Line folds are replaced by spaces (RFC 9112 section 5.2).
    #[must_use]
    pub fn headers(&self) -> Headers<'b> {
        self.headers.clone()
    }

    /// Returns the value of the first header of this name, in any case, without the white space
    /// around it.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'b [u8]> {
        self.headers().first(name)
    }

    /// Returns the subprotocol that the server chose, if any. It may be one that was not offered
    /// until [`confirm`](crate::WebSocket::confirm) has said otherwise.
    #[must_use]
    pub const fn subprotocol(&self) -> Option<&'b str> {
        self.subprotocol
    }
}

impl fmt::Debug for ResponseHead<'_> {
    /// Shows no value, and the subprotocol's length: either can be a credential.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseHead")
            .field("status", &self.status)
            .field("headers", &self.headers)
            .field("subprotocol", &self.subprotocol.map(str::len))
            .finish()
    }
}

/// The header lines of a head: an iterator over pairs of name and value, without the white space
/// around the value. Values are bytes: they need not be UTF-8.
#[derive(Clone, PartialEq, Eq)]
pub struct Headers<'b> {
    /// The lines that are left, with the empty one at the end.
    lines: &'b [u8],
}

impl<'b> Headers<'b> {
    /// The lines behind the first one.
    fn behind(mut head: &'b [u8]) -> Headers<'b> {
        until(&mut head, b'\n');
        Headers { lines: head.get(1..).unwrap_or_default() }
    }

    fn first(mut self, name: &str) -> Option<&'b [u8]> {
        self.find(|(given, _)| given.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value)
    }
}

impl<'b> Iterator for Headers<'b> {
    type Item = (&'b [u8], &'b [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, behind) = self.lines.split_at_checked(place_of(b':', self.lines)?)?;
        let behind = behind.get(1..)?;
        let (value, rest) = behind.split_at_checked(place_of(b'\n', behind)?)?;
        self.lines = rest.get(1..)?;
        Some((name, trim(value.strip_suffix(b"\r").unwrap_or(value))))
    }
}

impl fmt::Debug for Headers<'_> {
    /// Shows the names, and the length of each value in bytes: values can hold credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.clone();
        f.debug_map().entries(names.map(|(name, value)| (DebugName(name), value.len()))).finish()
    }
}

struct DebugName<'b>(&'b [u8]);

impl fmt::Debug for DebugName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

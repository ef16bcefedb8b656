//! Provides views of the peer's HTTP head in place in the read buffer.

use core::fmt;

use super::error::HandshakeError;
use super::fields::{Lines, trim};
use super::key::{KEY_LEN, Key};
use super::rules::{Found, Upgrade, extension_list, judge_request, subprotocols};
use super::scan::place_of;
use super::uri::is_host_and_port;
use crate::ascii::until;
use crate::extensions::Extensions;

/// Represents a received request. Borrows the read buffer.
#[derive(Clone, PartialEq, Eq)]
pub struct RequestHead<'b> {
    method: &'b str,
    target: &'b str,
    headers: Headers<'b>,
    /// The key, if the request asks for a WebSocket.
    key: Option<&'b [u8; KEY_LEN]>,
}

impl<'b> RequestHead<'b> {
    /// Checks a head whose syntax is already checked.
    pub(super) fn judge(whole: &'b [u8], lines: &Lines) -> Result<RequestHead<'b>, HandshakeError> {
        let mut head = whole.strip_prefix(b"\r\n").unwrap_or(whole);
        let method = word(&mut head, b' ');
        let target = word(&mut head, b' ');
        let headers = Headers::behind(head);
        // RFC 9112 section 3.2: origin-form, absolute-form, "*" for OPTIONS, an authority for
        // CONNECT.
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
        let key = judge_request(&found, method, headers.clone())?;
        Ok(RequestHead { method, target, headers, key })
    }

    /// Returns the method, which is `GET` for an upgrade.
    #[must_use]
    pub const fn method(&self) -> &'b str {
        self.method
    }

    /// Returns the request target in its received form (RFC 9112 section 3.2).
    #[must_use]
    pub const fn target(&self) -> &'b str {
        self.target
    }

    /// Returns the path of the target, without the query and not decoded. The path is `/` if an
    /// absolute form has none, and empty for the authority of a CONNECT.
    #[must_use]
    pub fn path(&self) -> &'b str {
        let mut rest = self.resource();
        match until_any(&mut rest, b"?") {
            "" if !self.resource().is_empty() || self.authority_of_target().is_some() => "/",
            path => path,
        }
    }

    /// Returns the query of the target, without the `?` and not decoded, or `None` if there is no
    /// query.
    #[must_use]
    pub fn query(&self) -> Option<&'b str> {
        let mut rest = self.resource();
        until_any(&mut rest, b"?");
        rest.strip_prefix('?')
    }

    /// Returns the host, with the port if one was sent. The authority of a target in absolute form
    /// takes precedence over `Host` (RFC 9112 section 3.2.2).
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

    /// Returns the value of the first header with this name, without the white space around the
    /// value. The name may be in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'b [u8]> {
        self.headers().first(name)
    }

    /// Returns the value of `Origin`. A browser sends this header, and the script of a page cannot
    /// change it. A server that identifies users by cookies must check the origin. Otherwise any
    /// page that a user visits can connect in the user's name (RFC 6455 section 10.2).
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

    /// Returns the offered subprotocols, in the order of the client's preference (RFC 6455 section
    /// 1.9).
    pub fn subprotocols(&self) -> impl Iterator<Item = &'b str> + use<'b> {
        subprotocols(self.headers())
    }

    /// Returns the offered extensions, in the order of the client's preference (RFC 6455 section
    /// 9.1).
    pub fn extensions(&self) -> Extensions<'b, impl Iterator<Item = &'b [u8]> + use<'b>> {
        extension_list(self.headers())
    }

    /// Returns the request as an upgrade, or `None` if the request does not ask for a WebSocket.
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

    /// Returns the path and the query, including the `?`.
    fn resource(&self) -> &'b str {
        split_target(self.target).map_or("", |(_, resource)| resource)
    }
}

impl fmt::Debug for RequestHead<'_> {
    /// Omits the target and all values: both can contain credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestHead")
            .field("method", &self.method)
            .field("target", &self.target.len())
            .field("headers", &self.headers)
            .field("is_upgrade", &self.is_upgrade())
            .finish()
    }
}

/// Splits a target in absolute form or origin form into its authority, if present, and the rest.
/// Returns `None` for an authority alone, and for an invalid scheme before `://`.
fn split_target(target: &str) -> Option<(Option<&str>, &str)> {
    if target.starts_with('/') || target == "*" {
        return Some((None, target));
    }
    let mut rest = target;
    // RFC 3986 section 3.1: a scheme is a letter followed by letters, digits, "+", "-" and ".". The
    // first of these stop bytes therefore ends the scheme.
    let scheme = until_any(&mut rest, b":/?#").as_bytes();
    let mut resource = rest.strip_prefix("://")?;
    let rest_is_good = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
    if !matches!(scheme, [b'A'..=b'Z' | b'a'..=b'z', rest @ ..] if rest.iter().all(rest_is_good)) {
        return None;
    }
    let authority = until_any(&mut resource, b"/?");
    Some((Some(authority), resource))
}

/// Removes and returns the text before the first stop byte, or all of the text.
fn until_any<'a>(text: &mut &'a str, stops: &[u8]) -> &'a str {
    let at = text.bytes().position(|byte| stops.contains(&byte)).unwrap_or(text.len());
    let (before, rest) = text.split_at_checked(at).unwrap_or_default();
    *text = rest;
    before
}

/// Removes the text before `end`, and `end`. Returns the text.
fn word<'b>(head: &mut &'b [u8], end: u8) -> &'b str {
    let word = until(head, end);
    *head = head.get(1..).unwrap_or_default();
    core::str::from_utf8(word).unwrap_or_default()
}

/// Represents a received response. Borrows the read buffer.
#[derive(Clone, PartialEq, Eq)]
pub struct ResponseHead<'b> {
    status: u16,
    headers: Headers<'b>,
    pub(super) subprotocol: Option<&'b str>,
}

impl<'b> ResponseHead<'b> {
    /// Splits a head whose syntax is already checked.
    pub(super) fn split(mut head: &'b [u8]) -> Result<ResponseHead<'b>, HandshakeError> {
        let version = word(&mut head, b' ');
        let digits = head.get(..3).unwrap_or_default();
        let status =
            digits.iter().fold(0, |sum, byte| sum * 10 + u16::from(byte.wrapping_sub(b'0')));
        // RFC 6455 section 4.1 demands HTTP/1.1 or later for a 101. Other responses may be
        // HTTP/1.0.
        if status == 101 && version.ends_with('0') {
            return Err(HandshakeError::HttpVersion);
        }
        Ok(ResponseHead { status, headers: Headers::behind(head), subprotocol: None })
    }

    /// Returns the status, which is 101 unless the handshake was rejected.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// Returns the header lines in order. Line folds are replaced by spaces (RFC 9112 section 5.2).
    #[must_use]
    pub fn headers(&self) -> Headers<'b> {
        self.headers.clone()
    }

    /// Returns the value of the first header with this name, without the white space around the
    /// value. The name may be in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'b [u8]> {
        self.headers().first(name)
    }

    /// Returns the subprotocol that the server chose, if any. Until
    /// [`confirm`](crate::WebSocket::confirm) succeeds, the subprotocol may be one that was not
    /// offered.
    #[must_use]
    pub const fn subprotocol(&self) -> Option<&'b str> {
        self.subprotocol
    }
}

impl fmt::Debug for ResponseHead<'_> {
    /// Omits all values and shows only the length of the subprotocol: both can contain credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseHead")
            .field("status", &self.status)
            .field("headers", &self.headers)
            .field("subprotocol", &self.subprotocol.map(str::len))
            .finish()
    }
}

/// Iterates over the header lines of a head as pairs of name and value. The value has no white
/// space around it. Values are bytes, because they need not be UTF-8.
#[derive(Clone, PartialEq, Eq)]
pub struct Headers<'b> {
    /// The remaining lines, including the empty line at the end.
    lines: &'b [u8],
}

impl<'b> Headers<'b> {
    /// Returns the lines after the first line.
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
    /// Shows the names, and the length of each value in bytes: values can contain credentials.
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

//! `ws:` and `wss:` addresses ([RFC 6455, section 3], over the grammar of [RFC 3986]).
//!
//! [RFC 6455, section 3]: https://www.rfc-editor.org/rfc/rfc6455#section-3
//! [RFC 3986]: https://www.rfc-editor.org/rfc/rfc3986

use core::fmt;

/// A parsed `ws:` or `wss:` address. It borrows the text that it was parsed from.
///
/// What was parsed can be written into a request as it is: it holds no space, no control character, no
/// byte outside ASCII and no half percent-encoding, so an address cannot smuggle a header line into the
/// handshake. Nothing is decoded or changed: the host keeps its case, and percent-encoded parts stay so.
/// Equality compares the text likewise.
///
/// ```
/// use sockless::handshake::Uri;
///
/// let uri = Uri::parse("wss://Example.com:8443/chat?room=7")?;
/// assert!(uri.is_secure());
/// assert_eq!(uri.host(), "Example.com");
/// assert_eq!(uri.port(), 8443);
/// assert_eq!(uri.host_header().to_string(), "Example.com:8443");
/// assert_eq!(uri.resource_name().to_string(), "/chat?room=7");
///
/// let uri = Uri::parse("ws://[::1]")?;
/// assert_eq!((uri.host(), uri.port()), ("::1", 80));
/// assert_eq!(uri.host_header().to_string(), "[::1]");
/// assert_eq!(uri.resource_name().to_string(), "/");
/// # Ok::<(), sockless::handshake::UriError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Uri<'a> {
    secure: bool,
    port: u16,
    /// As written, an IPv6 address with its brackets.
    host: &'a str,
    /// The port's digits without leading zeros, empty when it is the scheme's default.
    other_port: &'a str,
    path: &'a str,
    query: Option<&'a str>,
}

impl<'a> Uri<'a> {
    /// Parses an absolute address, `ws://host[:port][/path][?query]` or the same with `wss`.
    ///
    /// Decisions where the standards leave room:
    /// - The scheme is compared without regard to case (RFC 3986, section 3.1).
    /// - A user name or password (`user@host`) is refused: a WebSocket address has no place for one
    ///   (RFC 6455, section 3), and what stands before an `@` is often there to deceive.
    /// - A host is a name by RFC 3986's `reg-name`, four decimal numbers without leading zeros, or an IPv6
    ///   address in brackets. A name has no empty labels, but may end in a dot. A host whose last label is a
    ///   number, decimal or hexadecimal, must be a whole IPv4 address: `127.1`, `0177.0.0.1` or `0x7f000001`
    ///   mean different hosts to different resolvers. IPv6 zones (`%25eth0`) and `[v1.future]` addresses
    ///   are refused.
    /// - An empty port is the default one (RFC 3986, section 6.2.3); leading zeros are ignored. Port 0,
    ///   to which nothing can connect, and ports above 65535 are refused.
    /// - A fragment is refused (RFC 6455, section 3); a `#` that is meant is written `%23`.
    /// - In path and query, all that RFC 3986 does not allow (such as `"`, `<`, `[`, `\`, `{`, `|`) must
    ///   be percent-encoded, and a `%` is followed by two hexadecimal digits.
    ///
    /// # Errors
    /// [`UriError`] names the part that is wrong.
    pub fn parse(uri: &'a str) -> Result<Self, UriError> {
        // First of all, so that no later step has to think of them.
        if !uri.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(UriError::Character);
        }
        let (secure, rest) = scheme(uri).ok_or(UriError::Scheme)?;
        if rest.bytes().any(|byte| byte == b'#') {
            return Err(UriError::Fragment);
        }
        let (authority, resource) = split_before(rest, |byte| matches!(byte, b'/' | b'?'));
        if authority.bytes().any(|byte| byte == b'@') {
            return Err(UriError::UserInfo);
        }
        let (host, after) = host(authority).ok_or(UriError::Host)?;
        let default = if secure { 443 } else { 80 };
        let (port, digits) = port(after, default).ok_or(UriError::Port)?;
        if !is_encoded(resource) {
            return Err(UriError::Resource);
        }
        let (path, query) = split_before(resource, |byte| byte == b'?');
        Ok(Self {
            secure,
            port,
            host,
            other_port: if port == default { "" } else { digits },
            path,
            query: query.strip_prefix('?'),
        })
    }

    /// Whether the scheme is `wss`: the connection runs over TLS.
    #[must_use]
    pub const fn is_secure(&self) -> bool {
        self.secure
    }

    /// The host as a resolver or a TLS library wants it: an IPv6 address without its brackets.
    #[must_use]
    pub fn host(&self) -> &'a str {
        self.host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(self.host)
    }

    /// The port, 80 for `ws` and 443 for `wss` when none is given.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The path as written; empty when there is none, although `/` is then asked for.
    #[must_use]
    pub const fn path(&self) -> &'a str {
        self.path
    }

    /// What follows the `?`, if there is one.
    #[must_use]
    pub const fn query(&self) -> Option<&'a str> {
        self.query
    }

    /// The value of the request's `Host` header (RFC 6455, section 4.1, point 4): the host, an IPv6
    /// address in brackets, and the port unless it is the default.
    #[must_use]
    pub const fn host_header(&self) -> HostHeader<'a> {
        let colon = if self.other_port.is_empty() { "" } else { ":" };
        HostHeader { parts: [self.host, colon, self.other_port] }
    }

    /// What is asked for in the request line (RFC 6455, section 3): the path, `/` if it is empty, and the
    /// query with its `?`.
    #[must_use]
    pub const fn resource_name(&self) -> ResourceName<'a> {
        let path = if self.path.is_empty() { "/" } else { self.path };
        let parts = match self.query {
            Some(query) => [path, "?", query],
            None => [path, "", ""],
        };
        ResourceName { parts }
    }
}

impl<'a> TryFrom<&'a str> for Uri<'a> {
    type Error = UriError;

    fn try_from(uri: &'a str) -> Result<Self, UriError> {
        Self::parse(uri)
    }
}

/// The address with its scheme in lower case, its default port left out and its empty path as `/`.
impl fmt::Display for Uri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.secure { "wss://" } else { "ws://" })?;
        write_parts(&self.host_header().parts, f)?;
        write_parts(&self.resource_name().parts, f)
    }
}

/// The value of a `Host` header, made by [`Uri::host_header`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HostHeader<'a> {
    parts: [&'a str; 3],
}

impl<'a> HostHeader<'a> {
    /// The pieces whose concatenation is the value, for those who write without `core::fmt`.
    #[must_use]
    pub const fn parts(&self) -> [&'a str; 3] {
        self.parts
    }
}

impl fmt::Display for HostHeader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_parts(&self.parts, f)
    }
}

/// The target of a request line, made by [`Uri::resource_name`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ResourceName<'a> {
    parts: [&'a str; 3],
}

impl<'a> ResourceName<'a> {
    /// The pieces whose concatenation is the target, for those who write without `core::fmt`.
    #[must_use]
    pub const fn parts(&self) -> [&'a str; 3] {
        self.parts
    }
}

impl fmt::Display for ResourceName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_parts(&self.parts, f)
    }
}

/// Why a text is not a WebSocket address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UriError {
    /// It does not begin with `ws://` or `wss://`.
    Scheme,
    /// A space, a control character (line ends among them) or a character outside ASCII.
    Character,
    /// A user name or a password before the host.
    UserInfo,
    /// The host is missing, or neither a name nor an IPv4 address nor an IPv6 address in brackets.
    Host,
    /// The port is not a number from 1 to 65535.
    Port,
    /// Path or query hold what must be percent-encoded, or a `%` without two hexadecimal digits.
    Resource,
    /// A fragment. A `#` that belongs to path or query is written `%23`.
    Fragment,
}

impl fmt::Display for UriError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "the address does not begin with ws:// or wss://",
            Self::Character => {
                "the address holds a space, a control character or one outside ASCII"
            }
            Self::UserInfo => "the address holds a user name or a password",
            Self::Host => "the host is neither a name nor an IP address",
            Self::Port => "the port is not a number from 1 to 65535",
            Self::Resource => "path or query hold a character that must be percent-encoded",
            Self::Fragment => "the address has a fragment (a # is written %23)",
        })
    }
}

impl core::error::Error for UriError {}

fn write_parts(parts: &[&str; 3], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    parts.iter().try_for_each(|part| f.write_str(part))
}

/// Splits before the first byte that `stop` accepts; everything is the first half if there is none.
fn split_before(text: &str, stop: impl Fn(u8) -> bool) -> (&str, &str) {
    let at = text.bytes().position(stop).unwrap_or(text.len());
    text.split_at_checked(at).unwrap_or((text, ""))
}

fn scheme(uri: &str) -> Option<(bool, &str)> {
    [("ws://", false), ("wss://", true)].iter().find_map(|&(scheme, secure)| {
        let (start, rest) = uri.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some((secure, rest))
    })
}

/// Splits an authority without user information into its host, checked, and what follows.
fn host(authority: &str) -> Option<(&str, &str)> {
    if let Some(literal) = authority.strip_prefix('[') {
        let (address, _) = split_before(literal, |byte| byte == b']');
        // Both brackets; when the second is missing there is nothing to split.
        let (host, after) = authority.split_at_checked(address.len().checked_add(2)?)?;
        return is_ipv6(address.as_bytes()).then_some((host, after));
    }
    let (host, after) = split_before(authority, |byte| byte == b':');
    is_name_or_ipv4(host).then_some((host, after))
}

/// The port that `after`, the rest of an authority, names, and its digits without leading zeros.
fn port(after: &str, default: u16) -> Option<(u16, &str)> {
    let Some(digits) = after.strip_prefix(':') else {
        return after.is_empty().then_some((default, ""));
    };
    if digits.is_empty() {
        return Some((default, ""));
    }
    let (_, digits) = split_before(digits, |byte| byte != b'0');
    let port = digits.bytes().try_fold(0_u16, |port, byte| {
        let digit = u16::from(decimal(byte)?);
        port.checked_mul(10)?.checked_add(digit)
    })?;
    (port != 0).then_some((port, digits))
}

/// RFC 3986, section 2.3 (`unreserved`) and section 2.2 (`sub-delims`).
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'-' | b'.'
                | b'_'
                | b'~'
                | b'!'
                | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b','
                | b';'
                | b'='
        )
}

/// Whether each byte is `allowed` or part of a percent-encoding (RFC 3986, section 2.1).
fn is_made_of(text: &str, allowed: impl Fn(u8) -> bool) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let good = if byte == b'%' {
            let mut is_hex = || bytes.next().is_some_and(|byte| byte.is_ascii_hexdigit());
            is_hex() && is_hex()
        } else {
            allowed(byte)
        };
        if !good {
            return false;
        }
    }
    true
}

/// RFC 3986, sections 3.3 (`path-abempty`) and 3.4 (`query`). A `?` in the path is where the query begins,
/// so one set serves both.
fn is_encoded(resource: &str) -> bool {
    is_made_of(resource, |byte| is_plain(byte) || matches!(byte, b':' | b'@' | b'/' | b'?'))
}

/// RFC 3986, section 3.2.2 (`reg-name`, `IPv4address`), narrowed as [`Uri::parse`] says.
fn is_name_or_ipv4(host: &str) -> bool {
    let is_number = |label: &[u8]| match label {
        [b'0', b'x' | b'X', digits @ ..] => digits.iter().all(u8::is_ascii_hexdigit),
        digits => digits.iter().all(u8::is_ascii_digit),
    };
    // A dot at the very end marks the root of the name space and is no label of its own.
    let name = host.as_bytes();
    let name = name.strip_suffix(b".").unwrap_or(name);
    let mut last: &[u8] = &[];
    for label in name.split(|&byte| byte == b'.') {
        if label.is_empty() {
            return false;
        }
        last = label;
    }
    if is_number(last) {
        return is_ipv4(host.as_bytes());
    }
    is_made_of(host, is_plain)
}

/// Four decimal numbers below 256 without leading zeros (RFC 3986, section 3.2.2).
fn is_ipv4(text: &[u8]) -> bool {
    let is_octet = |digits: &[u8]| {
        let number = digits
            .iter()
            .try_fold(0_u8, |number, &byte| number.checked_mul(10)?.checked_add(decimal(byte)?));
        number.is_some() && matches!(digits, [_] | [b'1'..=b'9', ..])
    };
    let mut octets = text.split(|&byte| byte == b'.');
    let four = (0..4).all(|_| octets.next().is_some_and(is_octet));
    four && octets.next().is_none()
}

/// RFC 3986, section 3.2.2 (`IPv6address`): eight groups, or fewer with one `::`; the last two may be
/// written as an IPv4 address.
fn is_ipv6(text: &[u8]) -> bool {
    let gap = text.windows(2).position(|pair| pair == b"::");
    let Some((head, rest)) = gap.and_then(|at| text.split_at_checked(at)) else {
        return groups(text, true) == Some(8);
    };
    let Some((_, tail)) = rest.split_at_checked(2) else {
        return false;
    };
    // A second `::` shows as an empty group in the tail.
    match (groups(head, false), groups(tail, true)) {
        // The gap stands for at least one group.
        (Some(head), Some(tail)) => head.saturating_add(tail) <= 7,
        _ => false,
    }
}

/// Counts the 16-bit groups in a list separated by colons; `None` if one is malformed or
/// they are more than the count can hold.
fn groups(list: &[u8], may_end_in_ipv4: bool) -> Option<u8> {
    if list.is_empty() {
        return Some(0);
    }
    let mut count = 0_u8;
    let mut groups = list.split(|&byte| byte == b':').peekable();
    while let Some(group) = groups.next() {
        let is_last = groups.peek().is_none();
        let size = match group.len() {
            1..=4 if group.iter().all(u8::is_ascii_hexdigit) => 1,
            _ if may_end_in_ipv4 && is_last && is_ipv4(group) => 2,
            _ => return None,
        };
        count = count.checked_add(size)?;
    }
    Some(count)
}

fn decimal(byte: u8) -> Option<u8> {
    byte.checked_sub(b'0').filter(|&digit| digit <= 9)
}

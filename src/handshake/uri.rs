//! Parses `ws:` and `wss:` addresses ([RFC 6455, section 3], with the grammar of [RFC 3986]).
//!
//! [RFC 6455, section 3]: https://www.rfc-editor.org/rfc/rfc6455#section-3
//! [RFC 3986]: https://www.rfc-editor.org/rfc/rfc3986

use core::fmt;

use crate::ascii::{Class, until};

/// Represents a parsed `ws:` or `wss:` address. Borrows the parsed text.
///
/// A parsed address can be written into a request unchanged. The address contains no space, no
/// control character, no byte outside ASCII and no incomplete percent-encoding. An address
/// therefore cannot smuggle a header line into the handshake. Nothing is decoded or changed: the
/// host keeps its case, and percent-encoded parts stay encoded. Addresses are equal if their
/// parts are equal: `ws://h` equals `ws://h:80`, but not `ws://h/`.
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
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Uri<'a> {
    secure: bool,
    port: u16,
    /// The host in its written form, including the brackets of an IPv6 address.
    host: &'a str,
    /// The digits of the port without leading zeros, or empty for the default port of the scheme.
    other_port: &'a str,
    path: &'a str,
    query: Option<&'a str>,
}

impl<'a> Uri<'a> {
    /// Parses an absolute address: `ws://host[:port][/path][?query]`, or `wss://` for TLS.
    ///
    /// The standards leave some choices open. This parser decides:
    /// - The scheme is compared without regard to case (RFC 3986 section 3.1).
    /// - A user name or password (`user@host`) is refused. The syntax of a WebSocket address has no
    ///   user information (RFC 6455 section 3), and text before an `@` is often meant to deceive.
    /// - A host is a `reg-name` of RFC 3986, an IPv4 address of four decimal numbers without
    ///   leading zeros, or an IPv6 address in brackets.
    /// - A name has no empty labels, but may end in a dot.
    /// - A host whose last label is a decimal or hexadecimal number must be a complete IPv4
    ///   address. Different resolvers resolve `127.1`, `0177.0.0.1` or `0x7f000001` to different
    ///   hosts.
    /// - IPv6 zones (`%25eth0`) and `[v1.future]` addresses are refused.
    /// - An empty port is the default port (RFC 3986 section 6.2.3). Leading zeros are ignored.
    ///   Port 0, to which nothing can connect, and ports above 65535 are refused.
    /// - A fragment is refused (RFC 6455 section 3). Write a literal `#` as `%23`.
    /// - In path and query, characters that RFC 3986 forbids (such as `"`, `<`, `[`, `\`, `{`, `|`)
    ///   must be percent-encoded. A `%` is followed by two hexadecimal digits.
    ///
    /// # Errors
    /// Returns a [`UriError`] if a part is invalid.
    pub fn parse(uri: &'a str) -> Result<Self, UriError> {
        // Checked first, so that later steps can rely on these characters being absent.
        if !uri.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(UriError::Character);
        }
        let (secure, rest) = scheme(uri).ok_or(UriError::Scheme)?;
        if rest.bytes().any(|byte| byte == b'#') {
            return Err(UriError::Fragment);
        }
        let (authority, resource) = split_before(rest, b"/?");
        if authority.bytes().any(|byte| byte == b'@') {
            return Err(UriError::UserInfo);
        }
        let (host, after) = host(authority).ok_or(UriError::Host)?;
        let default = if secure { 443 } else { 80 };
        let (port, digits) = port(after, default).ok_or(UriError::Port)?;
        if !is_made_of(resource.as_bytes(), Class::RESOURCE) {
            return Err(UriError::Resource);
        }
        let (path, query) = split_before(resource, b"?");
        Ok(Self {
            secure,
            port,
            host,
            other_port: if port == default { "" } else { digits },
            path,
            query: query.strip_prefix('?'),
        })
    }

    /// Returns `true` if the scheme is `wss`. The connection then runs over TLS.
    #[must_use]
    pub const fn is_secure(&self) -> bool {
        self.secure
    }

    /// Returns the host for a resolver or a TLS library. An IPv6 address has no brackets.
    #[must_use]
    pub fn host(&self) -> &'a str {
        self.host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(self.host)
    }

    /// Returns the port. Without a port in the address, returns 80 for `ws` and 443 for `wss`.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Returns the path, or an empty string if there is none. The request then asks for `/`.
    #[must_use]
    pub const fn path(&self) -> &'a str {
        self.path
    }

    /// Returns the query after the `?`, or `None` if there is no query.
    #[must_use]
    pub const fn query(&self) -> Option<&'a str> {
        self.query
    }

    /// Returns the value of the `Host` header (RFC 6455 section 4.1, point 4). The value is the
    /// host, with brackets around an IPv6 address, and the port unless the port is the default.
    #[must_use]
    pub const fn host_header(&self) -> HostHeader<'a> {
        let colon = if self.other_port.is_empty() { "" } else { ":" };
        HostHeader { parts: [self.host, colon, self.other_port] }
    }

    /// Returns the target of the request line (RFC 6455 section 3): the path, or `/` if the path is
    /// empty, and the query with its `?`.
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

impl fmt::Debug for Uri<'_> {
    /// Omits the path and the query: both can contain credentials. [`Display`](fmt::Display) shows
    /// them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Uri")
            .field("secure", &self.secure)
            .field("host", &self.host)
            .field("port", &self.port)
            .field("resource", &self.resource_name())
            .finish()
    }
}

impl fmt::Debug for ResourceName<'_> {
    /// Shows the length in bytes; [`Display`](fmt::Display) shows the text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.parts.iter().map(|part| part.len()).sum::<usize>())
    }
}

impl<'a> TryFrom<&'a str> for Uri<'a> {
    type Error = UriError;

    fn try_from(uri: &'a str) -> Result<Self, UriError> {
        Self::parse(uri)
    }
}

/// Writes the address with a lower-case scheme, without a default port, and with `/` for an empty
/// path.
impl fmt::Display for Uri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.secure { "wss://" } else { "ws://" })?;
        write_parts(&self.host_header().parts, f)?;
        write_parts(&self.resource_name().parts, f)
    }
}

/// Represents the value of a `Host` header. [`Uri::host_header`] makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HostHeader<'a> {
    parts: [&'a str; 3],
}

impl<'a> HostHeader<'a> {
    /// Returns the parts of the value in order, for callers that do not use `core::fmt`.
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

/// Represents the target of a request line. [`Uri::resource_name`] makes it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ResourceName<'a> {
    parts: [&'a str; 3],
}

impl<'a> ResourceName<'a> {
    /// Returns the parts of the target in order, for callers that do not use `core::fmt`.
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

/// Says why a text is not a WebSocket address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UriError {
    /// The text does not begin with `ws://` or `wss://`.
    Scheme,
    /// The text contains a space, a control character (such as a line end) or a character outside
    /// ASCII.
    Character,
    /// The address has a user name or a password before the host.
    UserInfo,
    /// The host is missing, or neither a name nor an IPv4 address nor an IPv6 address in brackets.
    Host,
    /// The port is not a number from 1 to 65535.
    Port,
    /// Path or query contain an unencoded character, or a `%` without two hexadecimal digits.
    Resource,
    /// The address has a fragment. Write a `#` in a path or query as `%23`.
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

/// Splits `text` before the first byte in `stops`. If no byte matches, the first part is all of
/// `text`.
fn split_before<'a>(text: &'a str, stops: &[u8]) -> (&'a str, &'a str) {
    let at = text.bytes().position(|byte| stops.contains(&byte)).unwrap_or(text.len());
    split_at(text, at)
}

fn split_at(text: &str, at: usize) -> (&str, &str) {
    text.split_at_checked(at).unwrap_or((text, ""))
}

fn scheme(uri: &str) -> Option<(bool, &str)> {
    let (secure, len) = match uri.as_bytes() {
        [b'W' | b'w', b'S' | b's', b':', b'/', b'/', ..] => (false, 5),
        [b'W' | b'w', b'S' | b's', b'S' | b's', b':', b'/', b'/', ..] => (true, 6),
        _ => return None,
    };
    Some((secure, split_at(uri, len).1))
}

/// Splits an authority without user information into its checked host and the rest.
fn host(authority: &str) -> Option<(&str, &str)> {
    if let Some(literal) = authority.strip_prefix('[') {
        let (address, behind) = split_before(literal, b"]");
        let host = split_at(authority, address.len().saturating_add(2)).0;
        return is_ipv6(address.as_bytes()).then_some((host, behind.strip_prefix(']')?));
    }
    let (host, after) = split_before(authority, b":");
    is_name_or_ipv4(host.as_bytes()).then_some((host, after))
}

/// Parses the port in `after`, the rest of an authority. Returns the port and its digits without
/// leading zeros.
fn port(after: &str, default: u16) -> Option<(u16, &str)> {
    let mut digits = match after.strip_prefix(':') {
        None if !after.is_empty() => return None,
        None | Some("") => return Some((default, "")),
        Some(digits) => digits,
    };
    while let Some(rest) = digits.strip_prefix('0') {
        digits = rest;
    }
    let port = u16::try_from(number(digits.as_bytes())?).ok()?;
    Some((port, digits))
}

/// Parses one to five decimal digits without leading zeros.
fn number(digits: &[u8]) -> Option<u32> {
    if !matches!(digits, [b'1'..=b'9', ..]) || digits.len() > 5 {
        return None;
    }
    digits.iter().try_fold(0, |number, byte| match byte {
        b'0'..=b'9' => Some(number * 10 + u32::from(byte - b'0')),
        _ => None,
    })
}

/// Returns `true` if each byte is `allowed` or part of a percent-encoding (RFC 3986 section 2.1).
fn is_made_of(mut text: &[u8], allowed: Class) -> bool {
    loop {
        text = match text {
            [] => return true,
            [byte, rest @ ..] if allowed.has(*byte) => rest,
            [b'%', high, low, rest @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                rest
            }
            _ => return false,
        }
    }
}

/// Checks a `reg-name` or an IPv4 address (RFC 3986 section 3.2.2), with the limits of
/// [`Uri::parse`].
fn is_name_or_ipv4(host: &[u8]) -> bool {
    // A trailing dot marks the root of the name space and is no label.
    let mut name = host.strip_suffix(b".").unwrap_or(host);
    let mut label = until(&mut name, b'.');
    while !label.is_empty() {
        if name.is_empty() {
            let is_number = match label {
                [b'0', b'x' | b'X', digits @ ..] => digits.iter().all(u8::is_ascii_hexdigit),
                digits => digits.iter().all(u8::is_ascii_digit),
            };
            return if is_number { is_ipv4(host) } else { is_made_of(host, Class::PLAIN) };
        }
        name = name.get(1..).unwrap_or_default();
        label = until(&mut name, b'.');
    }
    false
}

/// Checks for four decimal numbers below 256 without leading zeros (RFC 3986 section 3.2.2).
fn is_ipv4(mut text: &[u8]) -> bool {
    for octet in 1..=4 {
        let digits = until(&mut text, b'.');
        if digits != b"0" && number(digits).is_none_or(|number| number > 255) {
            return false;
        }
        if octet < 4 {
            let [b'.', rest @ ..] = text else { return false };
            text = rest;
        }
    }
    text.is_empty()
}

/// Returns `true` if `value` is `uri-host [ ":" port ]`, the syntax of `Host` and of an authority
/// (RFC 9112 section 3.2, RFC 3986 section 3.2.2). The host may be empty. An IPv6 address must have
/// brackets. Without brackets, its last group looks like a port, and two parsers could see
/// different hosts.
pub(super) fn is_host_and_port(value: &[u8]) -> bool {
    let mut rest = value;
    let good = if let [b'[', literal @ ..] = value {
        rest = literal;
        let address = until(&mut rest, b']');
        rest = rest.get(1..).unwrap_or(b"]");
        is_ipv6(address)
    } else {
        is_made_of(until(&mut rest, b':'), Class::PLAIN)
    };
    let port = |digits: &[u8]| {
        digits.iter().try_fold(0, |port: u16, byte| match byte {
            b'0'..=b'9' => port.checked_mul(10)?.checked_add(u16::from(byte - b'0')),
            _ => None,
        })
    };
    good && match rest {
        [] => true,
        [b':', digits @ ..] => port(digits).is_some(),
        _ => false,
    }
}

/// Checks an IPv6 address (RFC 3986 section 3.2.2): eight groups, or fewer with one `::`. An IPv4
/// address may replace the last two groups.
fn is_ipv6(mut text: &[u8]) -> bool {
    let (mut groups, mut gap) = (0, false);
    loop {
        if let Some(rest) = text.strip_prefix(b"::") {
            if core::mem::replace(&mut gap, true) {
                return false;
            }
            text = rest;
            if text.is_empty() {
                break;
            }
        } else if groups > 0 {
            let [b':', rest @ ..] = text else { break };
            text = rest;
        }
        let group = until(&mut text, b':');
        groups += match group.len() {
            1..=4 if group.iter().all(u8::is_ascii_hexdigit) => 1,
            _ if text.is_empty() && is_ipv4(group) => 2,
            _ => return false,
        };
        if groups > 8 {
            return false;
        }
    }
    // The `::` replaces at least one group.
    if gap { groups < 8 } else { groups == 8 }
}

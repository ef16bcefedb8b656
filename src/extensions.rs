//! Parses the extension lists of `Sec-WebSocket-Extensions` (RFC 6455 section 9.1).
//!
//! The module knows the syntax only, and no extension. It copies and allocates nothing: names and
//! values are slices of the header. A list may span several header lines (RFC 6455 section 9.1,
//! erratum 3433), so the parser accepts an iterator of lines.
//!
//! ```
//! use sockless::extensions;
//!
//! let lines: [&[u8]; 2] = [b"foo, permessage-deflate; client_max_window_bits", b"bar; x=\"10\""];
//! for extension in extensions::parse(lines) {
//!     let extension = extension.expect("well-formed");
//!     for parameter in extension.parameters() {
//!         println!("{}: {} = {:?}", extension.name(), parameter.name(), parameter.value());
//!     }
//! }
//! ```
//!
//! The parser also accepts what HTTP asks a recipient to tolerate: spaces and tabs around
//! separators, and empty elements between commas. A quoted value is read as the token inside the
//! quotes. If it is not a token once its escapes are resolved, the list is invalid (RFC 6455
//! section 9.1).

use core::fmt;

use crate::ascii::Class;

/// Parses a list of extensions from the values of one or several header lines, in order.
///
/// The iterator returns an error at the element that breaks the grammar, and then ends. The caller
/// must fail the handshake after an error (RFC 6455 section 9.1). The work is linear in the length
/// of the lines.
pub fn parse<'a, L>(lines: L) -> Extensions<'a, L::IntoIter>
where
    L: IntoIterator<Item = &'a [u8]>,
{
    Extensions { lines: lines.into_iter(), rest: &[], failed: false }
}

/// The elements of a list of extensions; made by [`parse`].
#[derive(Clone, Debug)]
pub struct Extensions<'a, L> {
    lines: L,
    rest: &'a [u8],
    failed: bool,
}

impl<'a, L> Iterator for Extensions<'a, L>
where
    L: Iterator<Item = &'a [u8]>,
{
    type Item = Result<Extension<'a>, ExtensionSyntaxError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        loop {
            self.rest = trim_start(self.rest, |byte| is_space(byte) || byte == b',');
            if !self.rest.is_empty() {
                break;
            }
            self.rest = self.lines.next()?;
        }
        let extension = element(&mut self.rest).ok_or(ExtensionSyntaxError);
        self.failed = extension.is_err();
        Some(extension)
    }
}

/// One element of the list: a name and its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extension<'a> {
    name: Token<'a>,
    /// The rest of the element after the name and white space, known to be well-formed.
    parameters: &'a [u8],
}

impl<'a> Extension<'a> {
    /// Returns the name, exactly as written.
    #[must_use]
    pub const fn name(&self) -> &'a str {
        self.name.as_str()
    }

    /// Returns the parameters in order, repeated ones included.
    #[must_use]
    pub const fn parameters(&self) -> Parameters<'a> {
        Parameters { rest: self.parameters }
    }
}

/// The parameters of one extension; made by [`Extension::parameters`].
#[derive(Clone, Debug)]
pub struct Parameters<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Parameters<'a> {
    type Item = Parameter<'a>;

    fn next(&mut self) -> Option<Parameter<'a>> {
        parameter(&mut self.rest)
    }
}

/// One parameter: a name, and a value if it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter<'a> {
    name: Token<'a>,
    value: Option<Value<'a>>,
}

impl<'a> Parameter<'a> {
    /// Returns the name, exactly as written.
    #[must_use]
    pub const fn name(&self) -> &'a str {
        self.name.as_str()
    }

    /// Returns the value, or `None` for a name without a value.
    #[must_use]
    pub const fn value(&self) -> Option<Value<'a>> {
        self.value
    }
}

/// The value of a parameter: a token, never empty.
///
/// Two values are equal if they stand for one token, quoted or not: `10`, `"10"` and `"1\0"`.
#[derive(Clone, Copy)]
pub struct Value<'a> {
    /// The value without its quotes, with its backslashes. No token has a backslash, so each one is
    /// an escape.
    raw: Token<'a>,
}

impl<'a> Value<'a> {
    /// Returns the characters of the token, with escapes resolved. All are ASCII.
    pub fn chars(&self) -> impl Iterator<Item = char> + Clone + use<'a> {
        // An escape is a backslash before the escaped character, and a token has no backslash. So
        // dropping every backslash resolves all escapes.
        self.raw.0.iter().filter(|&&byte| byte != b'\\').map(|&byte| char::from(byte))
    }

    /// Returns the token as a slice of the header, or `None` if it has escapes.
    #[must_use]
    pub fn as_str(&self) -> Option<&'a str> {
        if self.raw.0.contains(&b'\\') { None } else { Some(self.raw.as_str()) }
    }
}

impl PartialEq for Value<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.chars().eq(other.chars())
    }
}

impl Eq for Value<'_> {}

impl PartialEq<str> for Value<'_> {
    fn eq(&self, other: &str) -> bool {
        self.chars().eq(other.chars())
    }
}

impl PartialEq<&str> for Value<'_> {
    fn eq(&self, other: &&str) -> bool {
        *self == **other
    }
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.chars().try_for_each(|character| fmt::Write::write_char(formatter, character))
    }
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "\"{self}\"")
    }
}

/// ASCII bytes, converted to text on demand.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Token<'a>(&'a [u8]);

impl<'a> Token<'a> {
    const fn as_str(self) -> &'a str {
        match core::str::from_utf8(self.0) {
            Ok(text) => text,
            Err(_) => "",
        }
    }
}

impl fmt::Debug for Token<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(formatter)
    }
}

/// A list of extensions that breaks the grammar of RFC 6455 section 9.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtensionSyntaxError;

impl fmt::Display for ExtensionSyntaxError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("malformed list of extensions (RFC 6455 section 9.1)")
    }
}

impl core::error::Error for ExtensionSyntaxError {}

/// Consumes `extension = token *( ";" parameter )`. The rest of the input is empty or starts with a
/// comma.
fn element<'a>(rest: &mut &'a [u8]) -> Option<Extension<'a>> {
    let name = token(rest)?;
    let begin = *rest;
    while !matches!(*rest, [] | [b',', ..]) {
        parameter(rest)?;
    }
    Some(Extension { name, parameters: before(begin, rest)? })
}

/// Consumes `";" token [ "=" ( token | quoted-string ) ]` and white space.
fn parameter<'a>(rest: &mut &'a [u8]) -> Option<Parameter<'a>> {
    *rest = trim_space(rest.strip_prefix(b";")?);
    let name = token(rest)?;
    let Some(value) = rest.strip_prefix(b"=") else {
        return Some(Parameter { name, value: None });
    };
    *rest = trim_space(value);
    let raw = match rest.strip_prefix(b"\"") {
        Some(quoted) => {
            *rest = quoted;
            quoted_token(rest)?
        }
        None => token(rest)?,
    };
    Some(Parameter { name, value: Some(Value { raw }) })
}

/// Consumes one or more token characters (RFC 9110 section 5.6.2) and white space.
fn token<'a>(rest: &mut &'a [u8]) -> Option<Token<'a>> {
    let behind = trim_start(rest, |byte| Class::TOKEN.has(byte));
    let token = before(rest, behind).filter(|token| !token.is_empty())?;
    *rest = trim_space(behind);
    Some(Token(token))
}

/// Consumes a quoted string after its opening quote, and the white space after it. Returns `None`
/// unless the string is a token.
fn quoted_token<'a>(rest: &mut &'a [u8]) -> Option<Token<'a>> {
    let mut escaped = false;
    let mut empty = true;
    for (index, &byte) in rest.iter().enumerate() {
        match byte {
            b'\\' if !escaped => escaped = true,
            b'"' if !escaped => {
                let raw = rest.get(..index).filter(|_| !empty)?;
                *rest = trim_space(rest.get(index + 1..)?);
                return Some(Token(raw));
            }
            _ if Class::TOKEN.has(byte) => {
                escaped = false;
                empty = false;
            }
            _ => return None,
        }
    }
    None
}

/// Returns the part of the input before `rest`.
fn before<'a>(input: &'a [u8], rest: &[u8]) -> Option<&'a [u8]> {
    input.get(..input.len().checked_sub(rest.len())?)
}

fn trim_start(input: &[u8], skip: impl Fn(u8) -> bool) -> &[u8] {
    let length = input.iter().take_while(|&&byte| skip(byte)).count();
    input.get(length..).unwrap_or_default()
}

#[inline(never)]
fn trim_space(input: &[u8]) -> &[u8] {
    trim_start(input, is_space)
}

const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::string::String;
    use std::vec::Vec;

    use super::*;

    /// Writes the list in one fixed form. Returns `None` for an error anywhere.
    fn normal(lines: &[&str]) -> Option<String> {
        let mut text = Vec::new();
        for extension in parse(lines.iter().map(|line| line.as_bytes())) {
            let extension = extension.ok()?;
            let mut element = String::from(extension.name());
            for parameter in extension.parameters() {
                element.push(';');
                element.push_str(parameter.name());
                if let Some(value) = parameter.value() {
                    element.push('=');
                    element.extend(value.chars());
                }
            }
            text.push(element);
        }
        Some(text.join(","))
    }

    #[test]
    fn section_9_1_examples() {
        for (line, expected) in [
            ("foo", "foo"),
            ("bar; baz=2", "bar;baz=2"),
            ("deflate-stream", "deflate-stream"),
            (
                "mux; max-channels=4; flow-control, deflate-stream",
                "mux;max-channels=4;flow-control,deflate-stream",
            ),
            ("private-extension", "private-extension"),
        ] {
            assert_eq!(normal(&[line]).as_deref(), Some(expected));
        }
        // One list may be split into several lines and combined again.
        assert_eq!(normal(&["foo", "bar; baz=2"]), normal(&["foo, bar; baz=2"]));
    }

    #[test]
    fn whitespace_and_empty_elements() {
        for (line, expected) in [
            ("", ""),
            (" \t ", ""),
            (",, ,", ""),
            (",a,,\t,b ;c , ", "a,b;c"),
            ("a ; b\t=\t1;c", "a;b=1;c"),
            ("a;b;b=1", "a;b;b=1"),
        ] {
            assert_eq!(normal(&[line]).as_deref(), Some(expected), "{line:?}");
        }
        assert_eq!(normal(&[]).as_deref(), Some(""));
        assert_eq!(normal(&["", "a", ",", "b"]).as_deref(), Some("a,b"));
    }

    #[test]
    fn quoted_values_stand_for_tokens() {
        for line in ["a;b=10", "a;b=\"10\"", "a;b=\"1\\0\"", "a; b = \"\\1\\0\" "] {
            assert_eq!(normal(&[line]).as_deref(), Some("a;b=10"), "{line:?}");
            let extension = parse([line.as_bytes()]).next().unwrap().unwrap();
            let value = extension.parameters().next().unwrap().value().unwrap();
            assert_eq!(value, "10");
            assert_ne!(value, "1");
            let plain = parse([&b"a;b=10;c=11"[..]]).next().unwrap().unwrap();
            let mut values = plain.parameters().map(|parameter| parameter.value().unwrap());
            assert_eq!(values.next(), Some(value));
            assert_ne!(values.next(), Some(value));
            assert_eq!(value.as_str().is_none(), line.contains('\\'));
        }
    }

    #[test]
    fn errors() {
        for line in [
            ";",
            "=",
            "a;",
            "a; ;b",
            "a;,",
            "a b",
            "a;b c",
            "a;b=",
            "a;b=,c",
            "a;b==c",
            "a;=c",
            "\"a\"",
            "a;\"b\"=c",
            "a;b=\"\"",
            "a;b=\"\\\"",
            "a;b=\"c",
            "a;b=\"c d\"",
            "a;b=\"c,d\"",
            "a;b=\"c;d\"",
            "a;b=\"c\"d",
            "a;b=\"\\\\\"",
            "a;b=\"\\\"\"",
            "a/b",
            "a;b=c/d",
            "a\0",
            "a\r\n",
            "\u{e9}",
            "a;b=\"\u{e9}\"",
            "a;b=\\c",
            "(a)",
        ] {
            assert_eq!(normal(&[line]), None, "{line:?}");
            assert_eq!(normal(&["first", line, "last"]), None, "{line:?}");
        }
        let mut list = parse([&b"a, b c, d"[..], b"e"]);
        assert_eq!(list.next().unwrap().unwrap().name(), "a");
        assert_eq!(list.next(), Some(Err(ExtensionSyntaxError)));
        assert_eq!(list.next(), None, "an error ends the list");
    }

    /// Checks every line of up to six characters of a small alphabet. An accepted list that is
    /// written and parsed again does not change.
    #[test]
    fn every_short_line_reads_back() {
        const ALPHABET: &[u8] = b"a;=,\" \\/";
        let mut accepted = 0;
        for length in 0..=6_u32 {
            for number in 0..ALPHABET.len().pow(length) {
                let line: String = (0..length)
                    .map(|place| {
                        ALPHABET[number / ALPHABET.len().pow(place) % ALPHABET.len()] as char
                    })
                    .collect();
                let Some(list) = normal(&[&line]) else {
                    continue;
                };
                accepted += 1;
                assert_eq!(normal(&[&list]), Some(list), "{line:?}");
            }
        }
        assert!(accepted > 1000);
    }
}

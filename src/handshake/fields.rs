//! Parses header fields of any source, and the lists in their values (RFC 9110 section 5).

use core::ops::Range;

use crate::ascii::Class;
use crate::ascii::until;
use crate::config::OPTIMIZE_FOR_SIZE;

/// Gives a name and a value as bytes. The name may be in any case. The value may have white space
/// around it.
///
/// Implemented for pairs whose parts are bytes or text, and for references to these pairs. The
/// items of `&http::HeaderMap`, of `&[(&str, &str)]` and of [`Headers`](super::Headers) are header
/// fields.
pub trait HeaderField<'a> {
    /// Returns the name and the value.
    fn name_and_value(self) -> (&'a [u8], &'a [u8]);
}

impl<'a, N: AsRef<[u8]> + ?Sized, V: AsRef<[u8]> + ?Sized> HeaderField<'a> for (&'a N, &'a V) {
    #[inline]
    fn name_and_value(self) -> (&'a [u8], &'a [u8]) {
        (self.0.as_ref(), self.1.as_ref())
    }
}

impl<'a, N: AsRef<[u8]>, V: AsRef<[u8]>> HeaderField<'a> for &'a (N, V) {
    #[inline]
    fn name_and_value(self) -> (&'a [u8], &'a [u8]) {
        (self.0.as_ref(), self.1.as_ref())
    }
}

/// Names the fields that a handshake reads or writes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Host,
    Key,
    Version,
    Accept,
    Protocol,
    Upgrade,
    Connection,
    Extensions,
    ContentLength,
    TransferEncoding,
    Origin,
    Other,
}

impl Field {
    pub(super) fn of(name: &[u8]) -> Field {
        // At most two of the known names have equal lengths.
        let (known, field): (&[u8], Field) = match name.len() {
            4 => (b"Host", Field::Host),
            6 => (b"Origin", Field::Origin),
            7 => (b"Upgrade", Field::Upgrade),
            10 => (b"Connection", Field::Connection),
            14 => (b"Content-Length", Field::ContentLength),
            17 if matches!(name, [b'T' | b't', ..]) => {
                (b"Transfer-Encoding", Field::TransferEncoding)
            }
            17 => (b"Sec-WebSocket-Key", Field::Key),
            20 => (b"Sec-WebSocket-Accept", Field::Accept),
            21 => (b"Sec-WebSocket-Version", Field::Version),
            22 => (b"Sec-WebSocket-Protocol", Field::Protocol),
            24 => (b"Sec-WebSocket-Extensions", Field::Extensions),
            _ => return Field::Other,
        };
        // Compared exactly first: most peers write the name in this case.
        let same = name == known || name.eq_ignore_ascii_case(known);
        if same { field } else { Field::Other }
    }
}

/// Limits the number of lines that [`Lines`] records. If the code is optimized for size, the limit
/// is 0 and the rules parse the head again.
const MAX_LINES: usize = if OPTIMIZE_FOR_SIZE { 0 } else { 16 };

/// Records the positions of the header lines that a handshake reads, while the head is parsed.
pub(super) struct Lines {
    /// The field, and the start and end of its value.
    places: [(Field, u32, u32); MAX_LINES],
    len: usize,
    /// Number of lines passed to [`record`](Self::record), except known lines beyond the capacity.
    read: usize,
    complete: bool,
}

impl Lines {
    pub(super) const NONE: Lines =
        Lines { places: [(Field::Other, 0, 0); MAX_LINES], len: 0, read: 0, complete: false };

    /// Records a complete line. If there is no capacity, the line is not counted.
    #[inline]
    pub(super) fn record(&mut self, name: &[u8], value: Range<usize>) {
        let field = Field::of(name);
        if field != Field::Other {
            let Some(place) = self.places.get_mut(self.len) else { return };
            *place = (field, value.start as u32, value.end as u32);
            self.len += 1;
        }
        self.read += 1;
    }

    /// Resets the count of lines at a fold, because a fold changes the value of the previous line.
    pub(super) const fn forget(&mut self) {
        self.read = 0;
    }

    /// Marks the record as complete if all `count` lines of the head were counted.
    pub(super) fn finish(&mut self, count: u16) {
        self.complete = self.read == usize::from(count);
    }

    /// Returns the fields and the positions of their values, or `None` if a line is not recorded.
    pub(super) fn places(&self) -> Option<&[(Field, u32, u32)]> {
        if self.complete { self.places.get(..self.len) } else { None }
    }
}

/// Removes the next element of a comma-separated list. Skips empty elements (RFC 9110 section
/// 5.6.1).
pub(super) fn next_element<'a>(list: &mut &'a [u8]) -> Option<&'a [u8]> {
    while !list.is_empty() {
        let element = trim(until(list, b','));
        *list = list.get(1..).unwrap_or_default();
        if !element.is_empty() {
            return Some(element);
        }
    }
    None
}

/// Returns `true` if the list contains the token, in any case.
pub(super) fn has_token(mut list: &[u8], token: &[u8]) -> bool {
    // Most lists have one element.
    if !OPTIMIZE_FOR_SIZE && list.eq_ignore_ascii_case(token) {
        return true;
    }
    while let Some(element) = next_element(&mut list) {
        if element.eq_ignore_ascii_case(token) {
            return true;
        }
    }
    false
}

/// Collects the fields that delimit a body (RFC 9112 section 6.3).
#[derive(Clone, Copy)]
pub(super) struct Framing<'a> {
    /// The first value of `Content-Length`, without leading zeros.
    pub(super) length: Option<&'a [u8]>,
    /// `true` if `Content-Length` is present, but is not one number.
    pub(super) invalid_length: bool,
    /// `true` if `Transfer-Encoding` is present.
    pub(super) coded: bool,
    /// `true` if the last transfer coding is chunked.
    pub(super) chunked: bool,
}

impl<'a> Framing<'a> {
    pub(super) const NONE: Framing<'a> =
        Framing { length: None, invalid_length: false, coded: false, chunked: false };

    /// Adds a line of `Content-Length`. Equal values in one or several lines count as one (RFC 9110
    /// section 8.6).
    pub(super) fn add_length(&mut self, mut list: &'a [u8]) {
        let mut empty = true;
        while let Some(mut digits) = next_element(&mut list) {
            empty = false;
            self.invalid_length |= !digits.iter().all(u8::is_ascii_digit);
            while let [b'0', rest @ ..] = digits {
                digits = rest;
            }
            self.invalid_length |= *self.length.get_or_insert(digits) != digits;
        }
        self.invalid_length |= empty;
    }

    /// Adds a line of `Transfer-Encoding`.
    pub(super) fn add_codings(&mut self, mut list: &[u8]) {
        self.coded = true;
        while let Some(coding) = next_element(&mut list) {
            self.chunked = coding.eq_ignore_ascii_case(b"chunked");
        }
    }
}

/// Strips the optional white space around a value (RFC 9110 section 5.6.3).
pub(super) fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// Returns `value` as text if it is a token (RFC 9110 section 5.6.2).
pub(super) fn token(value: &[u8]) -> Option<&str> {
    if is_token(value) { core::str::from_utf8(value).ok() } else { None }
}

/// Returns `true` if `value` is a token: a field name or a subprotocol.
pub(super) fn is_token(value: &[u8]) -> bool {
    !value.is_empty() && Class::TOKEN.has_all(value)
}

#[inline]
pub(super) fn is_token_byte(byte: u8) -> bool {
    Class::TOKEN.has(byte)
}

/// Returns `true` if `text` can be the value of a field that we write. A value without control
/// characters cannot end its line.
pub(super) fn is_field_value(text: &str) -> bool {
    text.bytes().all(|byte| byte == b'\t' || (byte >= b' ' && byte != 0x7F))
}

//! Writes heads, and defines the field values in them.

use core::fmt;

use super::compression::ExtensionsValue;
use super::fields::{Field, is_field_value, is_token};
use super::key::Key;
use crate::buffer::{Storage, WriteBuffer};
use crate::bytes::copy;
use crate::error::{Error, Misuse};

/// Represents the value of a header field that we send. [`Display`](fmt::Display) writes the value,
/// which is text without line ends and without other ASCII control characters except the tab.
#[derive(Clone, Copy)]
pub struct FieldValue<'a>(pub(super) Inner<'a>);

#[derive(Clone, Copy)]
pub(super) enum Inner<'a> {
    Text(&'a str),
    /// The elements of a list, written with commas between them.
    List(&'a [&'a str]),
    Key(Key),
    Accept([u8; 28]),
    Extensions(ExtensionsValue),
}

impl fmt::Debug for FieldValue<'_> {
    /// Shows the length in bytes: the value can be a credential.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut len = 0;
        self.write(|bytes| len += bytes.len());
        write!(f, "FieldValue({len} bytes)")
    }
}

impl FieldValue<'_> {
    fn write(&self, mut write: impl FnMut(&[u8])) {
        match &self.0 {
            Inner::Text(text) => write(text.as_bytes()),
            Inner::List(names) => {
                for (i, name) in names.iter().enumerate() {
                    write(if i == 0 { b"" } else { b", " });
                    write(name.as_bytes());
                }
            }
            Inner::Key(key) => write(key.as_str().as_bytes()),
            Inner::Accept(accept) => write(accept),
            Inner::Extensions(value) => write(value.as_ref()),
        }
    }
}

impl fmt::Display for FieldValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut result = Ok(());
        self.write(|bytes| {
            result = result.and_then(|()| f.write_str(core::str::from_utf8(bytes).unwrap_or("")));
        });
        result
    }
}

pub(super) const EXTENSIONS: &str = "Sec-WebSocket-Extensions";
pub(super) const UPGRADE: (&str, FieldValue<'_>) = text("Upgrade", "websocket");
pub(super) const CONNECTION: (&str, FieldValue<'_>) = text("Connection", "Upgrade");

pub(super) const fn text<'a>(name: &'a str, value: &'a str) -> (&'a str, FieldValue<'a>) {
    (name, FieldValue(Inner::Text(value)))
}

/// Returns up to seven fields of the handshake, followed by the caller's headers. `own` returns
/// `None` for an absent field.
pub(super) fn fields<'a>(
    headers: &'a [(&'a str, &'a str)],
    own: impl Fn(u8) -> Option<(&'a str, FieldValue<'a>)>,
) -> impl Iterator<Item = (&'a str, FieldValue<'a>)> {
    let theirs = headers.iter().map(|&(name, value)| text(name, value));
    (0..7).filter_map(own).chain(theirs)
}

/// Checks that the caller's headers do not end their line early, and do not repeat a field of the
/// handshake. Fields in `free` may be repeated.
pub(super) fn check_headers(headers: &[(&str, &str)], free: &[Field]) -> Result<(), Misuse> {
    for (name, value) in headers {
        if !is_token(name.as_bytes()) || !is_field_value(value) {
            return Err(Misuse::InvalidHeader);
        }
        let field = Field::of(name.as_bytes());
        if field != Field::Other && !free.contains(&field) {
            return Err(Misuse::ReservedHeader);
        }
    }
    Ok(())
}

/// Writes a head into memory that may be too short. Counts the bytes that the head needs.
pub(super) struct Out<'a> {
    /// The memory that is still unused.
    free: &'a mut [u8],
    len: usize,
}

impl Out<'_> {
    #[inline(never)]
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.len = self.len.saturating_add(bytes.len());
        if let Some((to, free)) = core::mem::take(&mut self.free).split_at_mut_checked(bytes.len())
        {
            copy(bytes, to);
            self.free = free;
        }
    }

    pub(super) fn put(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// Writes the field lines and the empty line after them.
    pub(super) fn fields<'a>(&mut self, fields: impl Iterator<Item = (&'a str, FieldValue<'a>)>) {
        for (name, value) in fields {
            self.put(name);
            self.put(": ");
            value.write(|bytes| self.bytes(bytes));
            self.put("\r\n");
        }
        self.put("\r\n");
    }
}

/// Writes a head, and keeps `keep` bytes free after the head. If the head does not fit in 256
/// bytes, `write` is called again with the measured length.
///
/// # Errors
/// Returns [`Error::NoRoom`] or [`Error::NeverFits`] if the head does not fit.
pub(super) fn write_head<T: Storage>(
    tx: &mut WriteBuffer<T>,
    keep: usize,
    write: impl Fn(&mut Out<'_>),
) -> Result<(), Error> {
    let mut len = 0;
    loop {
        let free = match len {
            0 if crate::config::OPTIMIZE_FOR_SIZE => &mut [],
            0 => tx.reserve_and_keep(256, keep).unwrap_or_default(),
            _ => tx.reserve_and_keep(len, keep)?,
        };
        let room = free.len();
        let mut out = Out { free, len: 0 };
        write(&mut out);
        len = out.len;
        if len <= room {
            break;
        }
    }
    tx.commit(len, keep);
    Ok(())
}

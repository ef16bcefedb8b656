//! Validates UTF-8 text that arrives in pieces (RFC 6455 section 8.1, RFC 3629).

use crate::config::OPTIMIZE_FOR_SIZE;

/// Validates UTF-8 text piece by piece. An error names the first byte that no valid text can have
/// in its place. Surrogates, overlong forms and code points above U+10FFFF are found at that byte,
/// not at the end of their sequence.
///
/// ```
/// use sockless::Utf8Validator;
///
/// let mut utf8 = Utf8Validator::new();
/// assert_eq!(utf8.check(b"gr\xc3"), Ok(()));
/// assert!(!utf8.is_complete());
/// assert_eq!(utf8.check(b"\xbcn"), Ok(()));
/// assert!(utf8.is_complete());
/// assert_eq!(utf8.check(b"ok \xed\xa0\x80"), Err(4)); // a surrogate
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Utf8Validator {
    /// Continuation bytes that the last started sequence still needs.
    needed: u8,
    /// Least and greatest value of the next continuation byte.
    low: u8,
    high: u8,
}

impl Utf8Validator {
    /// Makes a validator for the start of a text.
    #[must_use]
    pub const fn new() -> Utf8Validator {
        Utf8Validator { needed: 0, low: 0x80, high: 0xBF }
    }

    /// Returns `true` if the text may end here: no sequence is incomplete.
    #[inline]
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.needed == 0
    }

    /// Validates the next piece of the text.
    ///
    /// # Errors
    /// Returns the index in `bytes` of the first invalid byte. Use the validator no further.
    pub fn check(&mut self, bytes: &[u8]) -> Result<(), usize> {
        if OPTIMIZE_FOR_SIZE {
            // The check of `core`, eight bytes at a time, is as large as the code of this file.
            for (i, &byte) in bytes.iter().enumerate() {
                self.step(byte).map_err(|()| i)?;
            }
            return Ok(());
        }
        let mut rest = bytes;
        while self.needed > 0 {
            let Some((&byte, tail)) = rest.split_first() else { return Ok(()) };
            self.step(byte).map_err(|()| bytes.len() - rest.len())?;
            rest = tail;
        }
        #[cfg(feature = "std")]
        if let Some((head, tail)) = rest.split_at_checked(rest.len() - open_len(rest)) {
            // The faster flavour does not locate a fault. Most texts have none.
            if simdutf8::basic::from_utf8(head).is_ok() {
                for (i, &byte) in tail.iter().enumerate() {
                    self.step(byte).map_err(|()| bytes.len() - tail.len() + i)?;
                }
                return Ok(());
            }
        }
        // The next piece may continue an incomplete character at the end. Only the check byte by
        // byte can distinguish that from an error.
        let tail = rest.get(valid_up_to(rest)..).unwrap_or_default();
        for (i, &byte) in tail.iter().enumerate() {
            self.step(byte).map_err(|()| bytes.len() - tail.len() + i)?;
        }
        Ok(())
    }

    /// Validates the end of the text `bytes`, after [`check`](Self::check) of the first `checked`
    /// bytes. Returns the text, or `None` if the code is optimized for size and makes the text on
    /// demand.
    #[inline]
    pub(crate) fn finish<'b>(
        &mut self,
        bytes: &'b [u8],
        checked: usize,
    ) -> Result<Option<&'b str>, ()> {
        // Safe code makes a `&str` only by validating the whole text.
        let text = early_text(bytes);
        if text.is_none() {
            self.check(bytes.get(checked..).unwrap_or_default()).map_err(drop)?;
            if !self.is_complete() {
                return Err(());
            }
        }
        Ok(text)
    }

    /// Validates one byte by table 3-7 of the Unicode standard.
    fn step(&mut self, byte: u8) -> Result<(), ()> {
        if self.needed > 0 {
            if byte < self.low || byte > self.high {
                return Err(());
            }
            *self = Utf8Validator { needed: self.needed - 1, ..Utf8Validator::new() };
            return Ok(());
        }
        let (low, high) = match byte {
            0x00..=0x7F => return Ok(()),
            0x80..=0xC1 | 0xF5..=0xFF => return Err(()),
            0xE0 => (0xA0, 0xBF),
            0xED => (0x80, 0x9F),
            0xF0 => (0x90, 0xBF),
            0xF4 => (0x80, 0x8F),
            _ => (0x80, 0xBF),
        };
        let needed = 1 + u8::from(byte >= 0xE0) + u8::from(byte >= 0xF0);
        *self = Utf8Validator { needed, low, high };
        Ok(())
    }
}

impl Default for Utf8Validator {
    fn default() -> Utf8Validator {
        Utf8Validator::new()
    }
}

/// Returns `bytes` as text if all of them are UTF-8.
#[inline]
pub(crate) fn from_utf8(bytes: &[u8]) -> Option<&str> {
    #[cfg(feature = "std")]
    return simdutf8::basic::from_utf8(bytes).ok();
    #[cfg(not(feature = "std"))]
    return core::str::from_utf8(bytes).ok();
}

/// Returns `bytes` as text if all of them are UTF-8. Returns `None` if the code is optimized for
/// size and makes the text on demand.
#[inline]
pub(crate) fn early_text(bytes: &[u8]) -> Option<&str> {
    if OPTIMIZE_FOR_SIZE { None } else { from_utf8(bytes) }
}

/// Returns the text of validated `bytes`: `early`, the result of [`early_text`], or a new `&str` if
/// the code is optimized for size.
#[inline]
pub(crate) const fn late_text<'b>(early: Option<&'b str>, bytes: &'b [u8]) -> Option<&'b str> {
    if OPTIMIZE_FOR_SIZE {
        return match core::str::from_utf8(bytes) {
            Ok(text) => Some(text),
            Err(_) => None,
        };
    }
    early
}

/// Returns `true` if all of `bytes` is UTF-8, without making a `&str`.
pub(crate) fn is_utf8(bytes: &[u8]) -> bool {
    let mut utf8 = Utf8Validator::new();
    utf8.check(bytes).is_ok() && utf8.is_complete()
}

fn valid_up_to(bytes: &[u8]) -> usize {
    #[cfg(feature = "std")]
    let result = simdutf8::compat::from_utf8(bytes).map_err(|error| error.valid_up_to());
    #[cfg(not(feature = "std"))]
    let result = core::str::from_utf8(bytes).map_err(|error| error.valid_up_to());
    match result {
        Ok(_) => bytes.len(),
        Err(valid) => valid,
    }
}

/// Returns the length, at most 3, of an incomplete sequence at the end of `bytes`.
#[cfg(feature = "std")]
fn open_len(bytes: &[u8]) -> usize {
    for (before, &byte) in bytes.iter().rev().take(3).enumerate() {
        let len = match byte {
            0x80..=0xBF => continue,
            0xC0..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xFF => 4,
            _ => return 0,
        };
        return if before + 1 < len { before + 1 } else { 0 };
    }
    0
}

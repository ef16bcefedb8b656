//! Tests and splits ASCII text.

use crate::config::OPTIMIZE_FOR_SIZE;

/// A set of ASCII characters, as a table of one byte for each character, or of one bit if the code
/// is optimized for size.
pub(crate) struct Ascii([u8; if OPTIMIZE_FOR_SIZE { 16 } else { 256 }]);

impl Ascii {
    /// Makes a set of all letters, all digits and `others`.
    pub(crate) const fn alphanumeric_and(others: &[u8]) -> Ascii {
        let mut set = Ascii([0; if OPTIMIZE_FOR_SIZE { 16 } else { 256 }]);
        let mut byte = 0;
        while byte < 128_u8 {
            let mut member = byte.is_ascii_alphanumeric();
            let mut rest = others;
            while let [first, behind @ ..] = rest {
                member |= *first == byte;
                rest = behind;
            }
            if member {
                let (at, bit) = Ascii::place(byte);
                set.0[at] |= bit;
            }
            byte += 1;
        }
        set
    }

    const fn place(byte: u8) -> (usize, u8) {
        if OPTIMIZE_FOR_SIZE { ((byte >> 3) as usize, 1 << (byte & 7)) } else { (byte as usize, 1) }
    }

    #[inline]
    pub(crate) fn has(&self, byte: u8) -> bool {
        let (at, bit) = Ascii::place(byte);
        self.0.get(at).is_some_and(|bits| bits & bit != 0)
    }

    #[cfg(feature = "handshake")]
    #[inline(never)]
    pub(crate) fn has_all(&self, bytes: &[u8]) -> bool {
        bytes.iter().fold(true, |all, &byte| all & self.has(byte))
    }
}

/// Removes and returns the text before the next `separator`, or all of `text` if there is none. The
/// separator stays in `text`.
#[cfg(feature = "handshake")]
#[inline(never)]
pub(crate) fn until<'a>(text: &mut &'a [u8], separator: u8) -> &'a [u8] {
    let at = text.iter().position(|&byte| byte == separator).unwrap_or(text.len());
    let (before, rest) = text.split_at_checked(at).unwrap_or_default();
    *text = rest;
    before
}

//! Searches the bytes of a head, eight at a time unless the code is optimized for size.

use crate::ascii::Class;
use crate::config::OPTIMIZE_FOR_SIZE;

const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
const TOPS: u64 = u64::from_ne_bytes([0x80; 8]);

/// Returns the position of the first byte that equals `wanted`.
#[inline]
pub(super) fn place_of(wanted: u8, bytes: &[u8]) -> Option<usize> {
    // A borrow starts only at a wanted byte, so the lowest flag is exact.
    let found = first_flag(bytes, |word| {
        let difference = word ^ (ONES * u64::from(wanted));
        difference.wrapping_sub(ONES) & !difference & TOPS
    });
    match found {
        Ok(place) => Some(place),
        Err(at) => {
            let rest = bytes.get(at..)?;
            rest.iter().position(|&byte| byte == wanted).map(|place| at + place)
        }
    }
}

/// Returns the number of bytes before the first byte that a token cannot contain.
#[inline]
pub(super) fn token_len(bytes: &[u8]) -> usize {
    // Names consist of letters and dashes. Adding to seven-bit values never carries into the next
    // byte.
    let (Ok(len) | Err(len)) = first_flag(bytes, |word| {
        let lower = (word | (ONES * 0x20)) & !TOPS;
        let letter = (lower + ONES * 0x1F) & !(lower + ONES * 0x05);
        let not_dash = ((word ^ (ONES * 0x2D)) & !TOPS) + ONES * 0x7F;
        !((letter | !not_dash) & !word) & TOPS
    });
    len + length_while(bytes.get(len..).unwrap_or_default(), |byte| Class::TOKEN.has(byte))
}

/// Returns the number of bytes before the first byte that a field value or a reason phrase cannot
/// contain (RFC 9110 section 5.5).
#[inline]
pub(super) fn text_len(bytes: &[u8]) -> usize {
    // Flags bytes less than a space or equal to DEL. A borrow can set further flags, but only above
    // a flagged byte. The lowest flag is therefore exact.
    let (Ok(len) | Err(len)) = first_flag(bytes, |word| {
        let controls = word.wrapping_sub(ONES * 0x20) & !word;
        let del = word ^ (ONES * 0x7F);
        (controls | (del.wrapping_sub(ONES) & !del)) & TOPS
    });
    let is_text = |byte| byte == b'\t' || (byte >= b' ' && byte != 0x7F);
    len + length_while(bytes.get(len..).unwrap_or_default(), is_text)
}

/// Returns the number of bytes before the first byte that is not `good`.
#[inline]
pub(super) fn length_while(bytes: &[u8], good: impl Fn(u8) -> bool) -> usize {
    if OPTIMIZE_FOR_SIZE {
        // Accepts one byte per call: the caller loops.
        return usize::from(bytes.first().is_some_and(|&byte| good(byte)));
    }
    bytes.iter().position(|&byte| !good(byte)).unwrap_or(bytes.len())
}

/// Returns the position of the first byte whose top bit is set by `flags`.
///
/// # Errors
/// Returns the length of the complete words if no byte in them is flagged. The caller searches the
/// rest byte by byte.
#[inline(always)]
fn first_flag(bytes: &[u8], flags: impl Fn(u64) -> u64) -> Result<usize, usize> {
    let mut len = 0;
    if OPTIMIZE_FOR_SIZE {
        return Err(len);
    }
    for word in bytes.chunks_exact(8) {
        let Ok(&word) = <&[u8; 8]>::try_from(word) else { break };
        let flags = flags(u64::from_le_bytes(word));
        if flags != 0 {
            return Ok(len + flags.trailing_zeros() as usize / 8);
        }
        len += 8;
    }
    Err(len)
}

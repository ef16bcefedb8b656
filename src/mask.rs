//! Masks and unmasks payloads: XORs them with the four repeated key bytes (RFC 6455 section 5.3).

use crate::bytes::copy;

/// Payload size in bytes from which detecting the widest instructions of the processor pays off.
#[cfg(feature = "simd")]
const LONG: usize = 256;

/// Masks or unmasks `payload` in place. Returns the key for the next bytes of the frame, so that a
/// payload can be masked in pieces of any length.
///
/// ```
/// let key = [0x37, 0xfa, 0x21, 0x3d];
/// let mut payload = [0x7f, 0x9f, 0x4d, 0x51, 0x58];
/// let (head, tail) = payload.split_at_mut(3);
/// let next = sockless::mask(head, key);
/// sockless::mask(tail, next);
/// assert_eq!(&payload, b"Hello");
/// ```
#[cfg_attr(target_os = "none", inline(never))]
// Inlined, because a call costs small messages 10 % more instructions.
#[cfg_attr(not(target_os = "none"), inline(always))]
pub fn mask(payload: &mut [u8], key: [u8; 4]) -> [u8; 4] {
    let next = next_key(key, payload.len());
    if crate::config::OPTIMIZE_FOR_SIZE {
        let mut key = u32::from_le_bytes(key);
        for byte in payload {
            *byte ^= key as u8;
            key = key.rotate_right(8);
        }
        return next;
    }
    // Small processors gain nothing from wide blocks, and need more code for them.
    let wide = cfg!(not(target_pointer_width = "32"));
    if !(wide && (long(payload, key, next) || blocks::<16>(payload, key, next))) {
        few(payload, key, next);
    }
    next
}

/// Returns the key for the bytes after the first `len` bytes.
#[inline]
fn next_key(key: [u8; 4], len: usize) -> [u8; 4] {
    let turn = 8 * (len % 4) as u32;
    u32::from_le_bytes(key).rotate_right(turn).to_le_bytes()
}

/// Masks in the widest blocks. Returns `false` if the payload is shorter than one block.
#[inline]
fn long(payload: &mut [u8], key: [u8; 4], next: [u8; 4]) -> bool {
    if payload.len() < 32 {
        return false;
    }
    #[cfg(feature = "simd")]
    if payload.len() >= LONG {
        wide::mask(payload, key, next);
        return true;
    }
    blocks::<32>(payload, key, next)
}

/// Masks a payload of a few words.
#[inline]
fn few(payload: &mut [u8], key: [u8; 4], next: [u8; 4]) {
    if !blocks::<8>(payload, key, next) {
        for (byte, key) in payload.iter_mut().zip(key.iter().cycle()) {
            *byte ^= key;
        }
    }
}

/// Masks `from` into `to`, which has an equal length, in one pass.
#[inline]
pub(crate) fn mask_into(from: &[u8], to: &mut [u8], key: [u8; 4]) {
    // Small processors make two passes, which saves the code of a second loop.
    if cfg!(target_pointer_width = "32") {
        copy(from, to);
        mask(to, key);
        return;
    }
    let next = next_key(key, from.len());
    #[cfg(feature = "simd")]
    if from.len() >= LONG {
        wide::mask_into(from, to, key, next);
        return;
    }
    if copied::<32>(from, to, key, next)
        || copied::<16>(from, to, key, next)
        || copied::<8>(from, to, key, next)
    {
        return;
    }
    for ((to, from), key) in to.iter_mut().zip(from).zip(key.iter().cycle()) {
        *to = from ^ key;
    }
}

/// Masks blocks of `N` bytes from one slice into another; see [`blocks`]. The source does not
/// change, so the last block may be read last. Returns `false` if `from` is shorter than `N`.
#[inline(always)]
fn copied<const N: usize>(from: &[u8], to: &mut [u8], key: [u8; 4], next: [u8; 4]) -> bool {
    let Some(&(mut tail)) = from.last_chunk::<N>() else { return false };
    for (from, to) in from.chunks_exact(N).zip(to.chunks_exact_mut(N)) {
        if let (Ok(&(mut block)), Ok(to)) =
            (<&[u8; N]>::try_from(from), <&mut [u8; N]>::try_from(to))
        {
            xor(&mut block, key);
            *to = block;
        }
    }
    xor(&mut tail, next);
    if let Some(end) = to.last_chunk_mut::<N>() {
        *end = tail;
    }
    true
}

/// Masks in blocks of `N` bytes, a multiple of 8. Returns `false` if the payload is shorter than
/// `N`.
///
/// The last block ends with the payload and overlaps the block before it. Its bytes are therefore
/// read first. Its key is the key after the payload, because `N` is a multiple of 4.
#[inline(always)]
fn blocks<const N: usize>(payload: &mut [u8], key: [u8; 4], next: [u8; 4]) -> bool {
    let Some(&(mut tail)) = payload.last_chunk::<N>() else { return false };
    for block in payload.chunks_exact_mut(N) {
        xor(block, key);
    }
    xor(&mut tail, next);
    if let Some(end) = payload.last_chunk_mut::<N>() {
        *end = tail;
    }
    true
}

/// Masks a block whose length is a multiple of 8.
#[inline(always)]
fn xor(block: &mut [u8], key: [u8; 4]) {
    let key = u64::from(u32::from_ne_bytes(key));
    let key = key << 32 | key;
    for word in block.chunks_exact_mut(8) {
        if let Ok(word) = <&mut [u8; 8]>::try_from(word) {
            *word = (u64::from_ne_bytes(*word) ^ key).to_ne_bytes();
        }
    }
}

/// Masks long payloads with the widest instructions of this processor.
#[cfg(feature = "simd")]
mod wide {
    use pulp::{Arch, NullaryFnOnce};

    use super::{blocks, copied, few, next_key};

    #[inline(never)]
    pub(super) fn mask(payload: &mut [u8], key: [u8; 4], next: [u8; 4]) {
        // Offset at which each vector lies in one cache line, or the end if the offset is unknown.
        let aligned = payload.as_ptr().align_offset(64).min(payload.len());
        let (begin, payload) = payload.split_at_mut(aligned);
        let between = next_key(key, begin.len());
        few(begin, key, between);
        Arch::new().dispatch(InPlace { payload, key: between, next });
    }

    #[inline(never)]
    pub(super) fn mask_into(from: &[u8], to: &mut [u8], key: [u8; 4], next: [u8; 4]) {
        Arch::new().dispatch(Copied { from, to, key, next });
    }

    // Structs instead of closures, which are not always inlined into the function with the wide
    // instructions.
    struct InPlace<'a> {
        payload: &'a mut [u8],
        key: [u8; 4],
        next: [u8; 4],
    }

    impl NullaryFnOnce for InPlace<'_> {
        type Output = ();

        #[inline(always)]
        fn call(self) {
            // The payload is empty or at least as long as a block.
            blocks::<64>(self.payload, self.key, self.next);
        }
    }

    struct Copied<'a> {
        from: &'a [u8],
        to: &'a mut [u8],
        key: [u8; 4],
        next: [u8; 4],
    }

    impl NullaryFnOnce for Copied<'_> {
        type Output = bool;

        #[inline(always)]
        fn call(self) -> bool {
            copied::<64>(self.from, self.to, self.key, self.next)
        }
    }
}

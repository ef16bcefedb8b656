//! Makes and checks the key of a request, and computes its accept value (RFC 6455 sections 4.1 and
//! 4.2.2).

use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::ascii::Class;
use crate::bytes::copy;
use crate::entropy::Entropy;
use crate::error::EntropyError;

/// The GUID that the server appends to the key (RFC 6455 section 1.3).
const GUID: &[u8; 36] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Length in characters of 16 bytes in base64.
pub(super) const KEY_LEN: usize = 24;

/// Represents a `Sec-WebSocket-Key`: 16 bytes in base64 (RFC 6455 section 4.1).
///
/// ```
/// use sockless::handshake::Key;
///
/// let key = Key::parse(b"dGhlIHNhbXBsZSBub25jZQ==").expect("the sample of RFC 6455");
/// assert_eq!(&key.accept(), b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Key([u8; KEY_LEN]);

impl Key {
    /// Makes a key from fresh entropy, for a single request.
    ///
    /// # Errors
    /// Returns [`EntropyError`] if the entropy source fails.
    pub fn generate<E: Entropy + ?Sized>(entropy: &mut E) -> Result<Key, EntropyError> {
        // RFC 6455 section 4.1: "The nonce MUST be selected randomly for each connection."
        let mut nonce = [0; 16];
        entropy.fill(&mut nonce)?;
        Ok(Key::from_nonce(&nonce))
    }

    /// Returns the key that encodes the 16 bytes of `nonce`.
    #[must_use]
    #[inline(never)]
    pub fn from_nonce(nonce: &[u8; 16]) -> Key {
        // Encoded as the start of 20 bytes, so that base64 is linked for one length only. The bits
        // after the last nonce byte are zero, as base64 requires. Padding replaces the last two
        // characters.
        let mut bytes = [0; 20];
        if let Some(start) = bytes.first_chunk_mut() {
            *start = *nonce;
        }
        let mut key = [0; KEY_LEN];
        copy(&encode_digest(&bytes), &mut key);
        let [.., first, second] = &mut key;
        (*first, *second) = (b'=', b'=');
        Key(key)
    }

    /// Returns `value` as a key, or `None` unless `value` has 22 characters of the base64 alphabet
    /// and the padding. The unused low bits of the last character may be set: a sample in RFC 6455
    /// has such bits (erratum 3150).
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Key> {
        Key::check(value).map(Key::from_checked)
    }

    /// Returns the `Sec-WebSocket-Accept` for this key: the base64 of the SHA-1 of the key and a
    /// fixed GUID (RFC 6455 section 4.2.2).
    #[must_use]
    pub fn accept(&self) -> [u8; 28] {
        let mut text = [0; KEY_LEN + GUID.len()];
        if let Some(start) = text.first_chunk_mut() {
            *start = self.0;
        }
        if let Some(end) = text.last_chunk_mut() {
            *end = *GUID;
        }
        encode_digest(&digest(&text))
    }

    pub(super) fn check(value: &[u8]) -> Option<&[u8; KEY_LEN]> {
        let key = <&[u8; KEY_LEN]>::try_from(value).ok()?;
        let letters = key.strip_suffix(b"==")?;
        Class::BASE64.has_all(letters).then_some(key)
    }

    pub(super) const fn from_checked(value: &[u8; KEY_LEN]) -> Key {
        Key(*value)
    }

    /// Returns the key as text, for the value of the header.
    #[must_use]
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for Key {
    /// Omits the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

/// Returns the `Sec-WebSocket-Accept` for a key of any form. Pass the received value without the
/// white space around it (RFC 6455 section 4.2.2, step 5.4).
///
/// ```
/// let accept = sockless::handshake::accept_key(b"dGhlIHNhbXBsZSBub25jZQ==");
/// assert_eq!(&accept, b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
/// ```
#[must_use]
pub fn accept_key(key: &[u8]) -> [u8; 28] {
    let mut sha1 = sha1_smol::Sha1::new();
    sha1.update(key);
    sha1.update(GUID);
    encode_digest(&sha1.digest().bytes())
}

/// Computes the SHA-1 of the key and the GUID. Not inlined, so that the linker check can attribute
/// panics to `sha1_smol`.
#[inline(never)]
fn digest(text: &[u8; KEY_LEN + GUID.len()]) -> [u8; 20] {
    let mut sha1 = sha1_smol::Sha1::new();
    sha1.update(text);
    sha1.digest().bytes()
}

/// Encodes a digest in base64. Not inlined, so that the linker check can attribute panics to
/// `base64`. 20 bytes always make 28 characters.
#[inline(never)]
fn encode_digest(digest: &[u8; 20]) -> [u8; 28] {
    let mut accept = [0; 28];
    let _ = STANDARD.encode_slice(digest, &mut accept);
    accept
}

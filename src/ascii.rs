//! Classes of ASCII characters, and lists with a separator.

/// A class of characters: letters, digits and some others.
#[derive(Clone, Copy)]
pub(crate) struct Class(u8);

/// The classes of each character, a bit for each class.
static CLASSES: [u8; 128] = classes();

/// The characters besides letters and digits, by class.
const OTHERS: [(Class, &[u8]); 4] = [
    (Class::TOKEN, b"!#$%&'*+-.^_`|~"),
    (Class::BASE64, b"+/"),
    (Class::PLAIN, b"-._~!$&'()*+,;="),
    (Class::RESOURCE, b"-._~!$&'()*+,;=:@/?"),
];

#[cfg_attr(not(feature = "handshake"), allow(dead_code))]
impl Class {
    /// The characters of a token (RFC 9110 section 5.6.2).
    pub(crate) const TOKEN: Class = Class(1);
    /// The characters of base64 without padding (RFC 4648 section 4).
    pub(crate) const BASE64: Class = Class(2);
    /// The characters of a registered name without percent-encoding (RFC 3986 section 3.2.2).
    pub(crate) const PLAIN: Class = Class(4);
    /// The characters of a path and a query without percent-encoding (RFC 3986 sections 3.3, 3.4).
    pub(crate) const RESOURCE: Class = Class(8);

    #[inline]
    pub(crate) fn has(self, byte: u8) -> bool {
        CLASSES.get(usize::from(byte)).is_some_and(|classes| classes & self.0 != 0)
    }

    #[cfg(feature = "handshake")]
    #[inline(never)]
    pub(crate) fn has_all(self, bytes: &[u8]) -> bool {
        bytes.iter().fold(true, |all, &byte| all & self.has(byte))
    }
}

const fn classes() -> [u8; 128] {
    let mut classes = [0; 128];
    let mut byte = 0;
    while byte < 128_u8 {
        let mut others = OTHERS.as_slice();
        while let [(class, characters), rest @ ..] = others {
            let mut member = byte.is_ascii_alphanumeric();
            let mut characters = *characters;
            while let [first, rest @ ..] = characters {
                member |= *first == byte;
                characters = rest;
            }
            if member {
                classes[byte as usize] |= class.0;
            }
            others = rest;
        }
        byte += 1;
    }
    classes
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

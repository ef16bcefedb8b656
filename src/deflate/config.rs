//! Configures permessage-deflate: windows, limits and effort (RFC 7692 section 7.1).

use crate::extensions::Value;

/// The base-2 logarithm of the size of an LZ77 window, 8 to 15 (RFC 7692 section 7.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WindowBits(u8);

impl WindowBits {
    /// The smallest window, 256 bytes.
    pub const MIN: Self = Self(8);
    /// The largest window, 32 KiB. It applies unless the handshake agrees on a smaller window.
    pub const MAX: Self = Self(15);

    /// Makes a value of `bits`. Returns `None` if `bits` is not from 8 to 15.
    #[must_use]
    pub const fn new(bits: u8) -> Option<Self> {
        match bits {
            8..=15 => Some(Self(bits)),
            _ => None,
        }
    }

    /// Returns the logarithm, 8 to 15.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Parses a decimal number without leading zeros (RFC 7692 section 7.1.2).
    pub(super) fn parse(value: Value<'_>) -> Option<Self> {
        let mut digits = value.chars();
        let (tens, digit) = match (digits.next()?, digits.next(), digits.next()) {
            (digit @ '8'..='9', None, None) => (0, digit),
            ('1', Some(digit @ '0'..='5'), None) => (10, digit),
            _ => return None,
        };
        let bits = u8::try_from(tens + digit.to_digit(10)?).ok()?;
        Self::new(bits)
    }

    pub(super) const fn decimal(self) -> &'static str {
        match self.0 {
            8 => "8",
            9 => "9",
            10 => "10",
            11 => "11",
            12 => "12",
            13 => "13",
            14 => "14",
            _ => "15",
        }
    }
}

impl Default for WindowBits {
    fn default() -> Self {
        Self::MAX
    }
}

#[cfg(feature = "arbitrary")]
impl<'a> arbitrary::Arbitrary<'a> for WindowBits {
    fn arbitrary(source: &mut arbitrary::Unstructured<'a>) -> arbitrary::Result<Self> {
        source.int_in_range(Self::MIN.0..=Self::MAX.0).map(Self)
    }
}

/// Describes the compression of one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct Context {
    /// The largest window that the sender may use.
    ///
    /// A sender that may use 8 bits compresses only runs of one byte. DEFLATE libraries cannot
    /// promise to keep their usual matching inside 256 bytes (RFC 7692 section 7.1.2).
    pub window_bits: WindowBits,
    /// `true` if a message may refer to earlier messages. Similar small messages then compress much
    /// better. Both ends keep a window for each connection, idle or not.
    pub takeover: bool,
}

impl Context {
    /// The largest window, kept from message to message. RFC 7692 uses it if the handshake names no
    /// other.
    pub const FULL: Self = Self { window_bits: WindowBits::MAX, takeover: true };

    /// The largest window, dropped after each message. Connections can share its memory.
    pub const PER_MESSAGE: Self = Self { window_bits: WindowBits::MAX, takeover: false };
}

impl Default for Context {
    fn default() -> Self {
        Self::FULL
    }
}

/// Sets the limits of this end for permessage-deflate. Neither an offer nor a response exceeds
/// them.
///
/// ```
/// use sockless::deflate::{Context, DeflateConfig};
///
/// // Keeps no memory between messages. A message that inflates to more than 200:1 fails.
/// let config = DeflateConfig::default()
///     .with_send(Context::PER_MESSAGE)
///     .with_receive(Context::PER_MESSAGE)
///     .with_max_ratio(Some(200));
/// assert!(config.offer().as_str().starts_with("permessage-deflate; "));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct DeflateConfig {
    pub(super) send: Context,
    pub(super) receive: Context,
    pub(super) level: u8,
    pub(super) memory_level: u8,
    pub(super) threshold: usize,
    pub(super) max_ratio: Option<u32>,
}

impl DeflateConfig {
    /// The default: full context in both directions, level 6, memory level 8, a threshold of 64
    /// bytes, no ratio limit.
    pub const DEFAULT: Self = Self {
        send: Context::FULL,
        receive: Context::FULL,
        level: 6,
        memory_level: 8,
        threshold: 64,
        max_ratio: None,
    };

    /// Sets the largest window and the context takeover of this end's compressor.
    #[must_use]
    pub const fn with_send(mut self, send: Context) -> Self {
        self.send = send;
        self
    }

    /// Sets the largest window and the context takeover of the peer's compressor.
    ///
    /// A value below [`Context::FULL`] is a demand on the peer. A client offers the demand, and
    /// fails a response without it. A server declines an offer that does not allow the demand.
    #[must_use]
    pub const fn with_receive(mut self, receive: Context) -> Self {
        self.receive = receive;
        self
    }

    /// Sets the effort of compression, from 0 (none) to 9 (most). Larger values count as 9.
    #[must_use]
    pub const fn with_level(mut self, level: u8) -> Self {
        self.level = level;
        self
    }

    /// Sets the memory level of the compressor, from 1 (least memory) to 9 (fastest). Other values
    /// count as the nearest.
    #[must_use]
    pub const fn with_memory_level(mut self, memory_level: u8) -> Self {
        self.memory_level = memory_level;
        self
    }

    /// Sets the least length of a compressed message in bytes. The default is 64.
    ///
    /// Compressing shorter messages costs more than it saves. The length of a message sent in parts
    /// is unknown, so it counts as above the threshold.
    #[must_use]
    pub const fn with_threshold(mut self, threshold: usize) -> Self {
        self.threshold = threshold;
        self
    }

    /// Sets the largest ratio of inflated to received bytes of a message, against decompression
    /// bombs. The default is `None`, no limit. The limit on the message size applies as well.
    ///
    /// DEFLATE itself cannot exceed a ratio of about 1032. The ratio is checked for each started
    /// block of 4 KiB of compressed input. A message may therefore always inflate to 4 KiB times
    /// this ratio; see [`Inflater`](super::Inflater).
    #[must_use]
    pub const fn with_max_ratio(mut self, max_ratio: Option<u32>) -> Self {
        self.max_ratio = max_ratio;
        self
    }

    /// Returns the largest window and the context takeover of this end's compressor.
    #[must_use]
    pub const fn send(&self) -> Context {
        self.send
    }

    /// Returns the largest window and the context takeover of the peer's compressor.
    #[must_use]
    pub const fn receive(&self) -> Context {
        self.receive
    }

    /// Returns the effort of compression.
    #[must_use]
    pub const fn level(&self) -> u8 {
        self.level
    }

    /// Returns the memory level.
    #[must_use]
    pub const fn memory_level(&self) -> u8 {
        self.memory_level
    }

    /// Returns the least length of a compressed message in bytes.
    #[must_use]
    pub const fn threshold(&self) -> usize {
        self.threshold
    }

    /// Returns the largest ratio of inflated to received bytes of a message.
    #[must_use]
    pub const fn max_ratio(&self) -> Option<u32> {
        self.max_ratio
    }
}

/// Selects the shape of a client's offer (RFC 7692 section 7.1.3). Some servers refuse or ignore
/// offers with parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[non_exhaustive]
pub enum OfferShape {
    /// One element with the parameters that the configuration asks for.
    #[default]
    Parameters,
    /// The name alone. The peer may use the largest window and keep its context.
    Bare,
    /// The element with parameters, then the name alone for a server that declines the first.
    WithFallback,
}

impl Default for DeflateConfig {
    fn default() -> Self {
        Self::DEFAULT
    }
}

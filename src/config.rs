//! Defines the limits of a connection, and the reason of each default.

/// Optimizes for code size instead of speed. Behaviour is identical, and the tests run with either.
///
/// The default is size on targets without an operating system, and speed elsewhere. Two `cfg` flags
/// choose on any target: `sockless_optimize_for_size` and `sockless_optimize_for_speed`.
pub(crate) const OPTIMIZE_FOR_SIZE: bool = cfg!(any(
    sockless_optimize_for_size,
    all(target_os = "none", not(sockless_optimize_for_speed))
));

/// The limits of a connection. Every limit is exact: a size or count equal to it passes.
///
/// ```
/// use sockless::Config;
///
/// let config = Config::default().with_max_message_size(1 << 20).with_max_frame_size(1 << 16);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct Config {
    pub(crate) max_frame_size: u64,
    pub(crate) max_message_size: u64,
    pub(crate) max_fragments: u32,
    pub(crate) max_head_size: u32,
    pub(crate) max_headers: u16,
}

impl Config {
    /// Makes the default configuration: messages and frames of up to 64 MiB, 131,072 fragments in a
    /// message, an HTTP head of up to 16 KiB with 64 header lines.
    #[must_use]
    pub const fn new() -> Config {
        Config {
            max_frame_size: 64 << 20,
            max_message_size: 64 << 20,
            // Some peers send fragments of 1 KiB. The limit is twice what the largest message then
            // needs.
            max_fragments: 1 << 17,
            // Common HTTP servers allow as much. Browsers with many cookies send about half of it.
            max_head_size: 16 << 10,
            max_headers: 64,
        }
    }

    /// Sets the largest payload of a single data frame, in bytes. A larger frame fails the
    /// connection with 1009 as soon as its header has arrived. If this limit is at least the
    /// largest message, a compressed frame may be an eighth and 64 bytes longer than the largest
    /// message. Data that does not compress grows.
    #[must_use]
    pub const fn with_max_frame_size(mut self, bytes: u64) -> Config {
        self.max_frame_size = bytes;
        self
    }

    /// Sets the largest message, in bytes over all its frames. A larger message fails the
    /// connection with 1009. The header of the frame that exceeds the limit decides; for a
    /// compressed message, the inflated bytes do. A message that is received whole must also fit in
    /// the read buffer.
    #[must_use]
    pub const fn with_max_message_size(mut self, bytes: u64) -> Config {
        self.max_message_size = bytes;
        self
    }

    /// Sets how many frames a message may have, empty frames included. A limit of 0 counts as 1.
    /// More frames fail the connection with 1008.
    #[must_use]
    pub const fn with_max_fragments(mut self, frames: u32) -> Config {
        self.max_fragments = frames;
        self
    }

    /// Sets the largest HTTP head of a handshake, in bytes, from its first byte to the end of its
    /// empty line. A limit below 16 counts as 16: no head is smaller. A server refuses a larger
    /// head with 431. The head must also fit in the read buffer.
    #[must_use]
    pub const fn with_max_head_size(mut self, bytes: u32) -> Config {
        self.max_head_size = bytes;
        self
    }

    /// Sets how many header lines a head may have. A server refuses more with 431.
    #[must_use]
    pub const fn with_max_headers(mut self, headers: u16) -> Config {
        self.max_headers = headers;
        self
    }

    /// Returns the largest payload of a data frame, in bytes.
    #[must_use]
    pub const fn max_frame_size(&self) -> u64 {
        self.max_frame_size
    }

    /// Returns the largest message, in bytes.
    #[must_use]
    pub const fn max_message_size(&self) -> u64 {
        self.max_message_size
    }

    /// Returns how many frames a message may have.
    #[must_use]
    pub const fn max_fragments(&self) -> u32 {
        self.max_fragments
    }

    /// Returns the largest HTTP head, in bytes.
    #[must_use]
    pub const fn max_head_size(&self) -> u32 {
        self.max_head_size
    }

    /// Returns how many header lines a head may have.
    #[must_use]
    pub const fn max_headers(&self) -> u16 {
        self.max_headers
    }
}

impl Default for Config {
    fn default() -> Config {
        Config::new()
    }
}

//! Limits and choices, each with its reason.

/// Whether flash counts for more than time: where there is no operating system. What is there only to be faster is left
/// out then, and functions that would be copied into their callers are called. `--cfg sockless_small` asks for the same
/// elsewhere: the tests run both ways.
pub(crate) const SMALL: bool = cfg!(any(target_os = "none", sockless_small));

/// What a connection accepts. Every limit is exact: a size or count equal to it passes.
///
/// ```
/// let config = sockless::Config::default().max_message_size(1 << 20).max_frame_size(1 << 16);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct Config {
    pub(crate) max_frame_size: u64,
    pub(crate) max_message_size: u64,
    pub(crate) max_fragments: u32,
    pub(crate) max_head_size: u32,
    pub(crate) max_headers: u16,
}

impl Config {
    /// The defaults: messages and frames of up to 64 MiB, 131 072 fragments a message, an HTTP head of
    /// up to 16 KiB with 64 headers.
    #[must_use]
    pub const fn new() -> Config {
        Config {
            max_frame_size: 64 << 20,
            max_message_size: 64 << 20,
            // Some peers cut messages to 1 KiB: twice the frames of our largest message that way.
            max_fragments: 1 << 17,
            // What common HTTP servers allow; browsers with many cookies come near half of it.
            max_head_size: 16 << 10,
            max_headers: 64,
        }
    }

    /// The largest payload of a single data frame, in bytes. Past it: 1009, decided from the header. Where it is not
    /// less than the largest message, a compressed frame may be an eighth longer: what does not compress grows.
    #[must_use]
    pub const fn max_frame_size(mut self, bytes: u64) -> Config {
        self.max_frame_size = bytes;
        self
    }

    /// The largest message, in bytes, over all its frames. Past it: 1009, decided from the header of
    /// the frame that would exceed it, and of a compressed message while it is inflated. A whole message must
    /// fit in the read buffer besides.
    #[must_use]
    pub const fn max_message_size(mut self, bytes: u64) -> Config {
        self.max_message_size = bytes;
        self
    }

    /// How many frames a message may have, empty ones included; 0 counts as 1. Past it: 1008.
    #[must_use]
    pub const fn max_fragments(mut self, frames: u32) -> Config {
        self.max_fragments = frames;
        self
    }

    /// The largest HTTP head of a handshake, in bytes, from the first byte to the empty line's last;
    /// no line can be longer. Past it: 431. The head must fit in the read buffer besides.
    #[must_use]
    pub const fn max_head_size(mut self, bytes: u32) -> Config {
        self.max_head_size = bytes;
        self
    }

    /// How many header lines a handshake may have, at most 128. Past it: 431. Parsing keeps an array
    /// for 16, 32, 64 or 128 header lines on the stack, whichever holds this many.
    #[must_use]
    pub const fn max_headers(mut self, headers: u16) -> Config {
        self.max_headers = headers;
        self
    }
}

impl Default for Config {
    fn default() -> Config {
        Config::new()
    }
}

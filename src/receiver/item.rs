//! Defines the result of parsing the start of the input.

/// Describes an item that `Receiver::next_header` found at the start of its input. The first `skip
/// + len` bytes are consumed. `skip..skip + len` is the unmasked payload of a control frame.
pub(super) struct Located {
    pub(super) skip: usize,
    pub(super) len: usize,
    pub(super) item: FrameItem,
}

#[derive(Clone, Copy)]
pub(super) enum FrameItem {
    /// The item is incomplete. Nothing is consumed.
    Incomplete,
    /// The header of a data frame. Its payload follows.
    Data,
    Ping,
    Pong,
    Close,
}

//! The result of parsing the front of the input.

/// An item that `Receiver::next_header` found at the front of its input. Bytes before `skip + len`
/// are consumed; `skip..skip + len` is the unmasked payload of a control frame.
pub(super) struct Located {
    pub(super) skip: usize,
    pub(super) len: usize,
    pub(super) item: FrameItem,
}

#[derive(Clone, Copy)]
pub(super) enum FrameItem {
    /// No complete item. Nothing is consumed.
    Incomplete,
    /// The header of a data frame. Its payload follows.
    Data,
    Ping,
    Pong,
    Close,
}

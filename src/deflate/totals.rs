//! Counts the compressed bytes of one direction of a connection.

/// Counts the bytes of compressed messages in one direction of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CompressionStats {
    /// Message bytes before compression or after inflating.
    pub messages: u64,
    /// Payload bytes of these messages on the wire.
    pub wire: u64,
}

impl CompressionStats {
    pub(super) const fn add(&mut self, messages: usize, wire: usize) {
        self.messages = self.messages.saturating_add(messages as u64);
        self.wire = self.wire.saturating_add(wire as u64);
    }
}

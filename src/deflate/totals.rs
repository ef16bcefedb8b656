//! How much went through a direction of a connection.

/// How much went through one direction of a connection as compressed messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CompressionStats {
    /// Bytes of messages.
    pub messages: u64,
    /// Bytes of payload that they were on the wire.
    pub wire: u64,
}

impl CompressionStats {
    pub(super) const fn add(&mut self, messages: usize, wire: usize) {
        self.messages = self.messages.saturating_add(messages as u64);
        self.wire = self.wire.saturating_add(wire as u64);
    }
}

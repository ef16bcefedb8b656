//! Configures compression, and counts the bytes that it saves the echo. The page shows them.

use std::collections::BTreeMap;

use serde::Serialize;
use sockless::deflate::{self, Context, DeflateConfig, WindowBits};
use sockless::{Server, WebSocket};

/// Returns the compression that this server accepts.
///
/// Without context takeover, a connection borrows memory for compression only during a message.
/// With context takeover, each connection keeps 46 KiB to inflate and 161 KiB to deflate.
///
/// There is no limit on the ratio. The server echoes 64 MiB of zeros in pieces of 16 KiB, like any
/// other message. A message that inflates to more than the limit fails with 1009.
pub fn config(takeover: bool) -> DeflateConfig {
    DeflateConfig::DEFAULT
        .with_send(Context { window_bits: WindowBits::new(12).unwrap_or_default(), takeover })
        .with_receive(Context { window_bits: WindowBits::MAX, takeover })
        .with_memory_level(5)
}

/// Length in bytes of the longest name. The server ignores longer names.
const MAX_NAME: usize = 64;

/// Bytes of a connection's messages, and of their payloads on the wire. Frame headers, at most 14
/// bytes each, are not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CompressionStats {
    pub compression: bool,
    pub received: Direction,
    pub sent: Direction,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Direction {
    /// Bytes of messages.
    pub messages: u64,
    /// Payload bytes on the wire.
    pub wire: u64,
}

impl CompressionStats {
    /// Returns the figures of a connection that received and echoed `echoed` bytes.
    pub fn of(ws: &WebSocket<Server>, echoed: u64) -> CompressionStats {
        // Uncompressed messages have their own length on the wire.
        let direction = |compressed: deflate::CompressionStats| Direction {
            messages: echoed,
            wire: echoed.saturating_sub(compressed.messages) + compressed.wire,
        };
        CompressionStats {
            compression: ws.deflate_params().is_some(),
            received: direction(ws.inflate_stats()),
            sent: direction(ws.deflate_stats()),
        }
    }
}

/// The figures of each connection with a name.
///
/// A page cannot see the bytes that its browser sends and receives on the wire. So the page
/// generates a random name, opens its connection with the name, and requests the figures over HTTP.
#[derive(Default)]
pub struct Traffic {
    named: BTreeMap<usize, (String, CompressionStats)>,
}

impl Traffic {
    pub fn join(&mut self, id: usize, name: &str) {
        if !name.is_empty() && name.len() <= MAX_NAME {
            self.named.insert(id, (name.to_owned(), CompressionStats::default()));
        }
    }

    pub fn leave(&mut self, id: usize) {
        self.named.remove(&id);
    }

    pub fn update(&mut self, id: usize, totals: impl FnOnce() -> CompressionStats) {
        if let Some((_, known)) = self.named.get_mut(&id) {
            *known = totals();
        }
    }

    /// Returns the figures of the newest connection with this name.
    pub fn find(&self, name: &str) -> Option<&CompressionStats> {
        self.named.values().rev().find(|(known, _)| known == name).map(|(_, totals)| totals)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_found_by_the_name_of_an_open_connection() {
        let mut traffic = Traffic::default();
        let totals = CompressionStats { compression: true, ..CompressionStats::default() };
        traffic.join(1, "one");
        traffic.join(2, "");
        traffic.join(3, &"x".repeat(MAX_NAME + 1));
        for id in 1..=3 {
            traffic.update(id, || totals);
        }
        assert_eq!(traffic.find("one"), Some(&totals));
        traffic.join(4, "one");
        assert_eq!(traffic.find("one"), Some(&CompressionStats::default()), "the newest");
        traffic.leave(4);
        traffic.leave(1);
        assert!(traffic.named.is_empty());
        assert_eq!(traffic.find(""), None);
    }
}

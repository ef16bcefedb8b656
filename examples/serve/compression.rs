//! Compression: what is agreed to, and what it does for the echo, so that the page can show it.

use std::collections::BTreeMap;

use serde::Serialize;
use sockless::deflate::{self, Context, DeflateConfig, WindowBits};
use sockless::{Server, WebSocket};

/// What this server agrees to.
///
/// Without context takeover a connection has memory for compression only while a message is on its way, and gives it
/// back to the pool behind it. With it, each keeps 46 KiB to inflate and 161 KiB to deflate for as long as it lasts.
///
/// There is no limit on the ratio: 64 MiB of zeros may be echoed like any other message, and passes through in pieces
/// of 16 KiB. What inflates further ends at the limit on messages, in 1009.
pub fn config(takeover: bool) -> DeflateConfig {
    DeflateConfig::DEFAULT
        .with_send(Context { window_bits: WindowBits::new(12).unwrap_or_default(), takeover })
        .with_receive(Context { window_bits: WindowBits::MAX, takeover })
        .with_memory_level(5)
}

/// Names longer than this are not remembered.
const MAX_NAME: usize = 64;

/// What a connection's messages were on the wire. Headers of frames, at most 14 bytes each, are not counted.
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
    /// Bytes of payload that they were on the wire.
    pub wire: u64,
}

impl CompressionStats {
    /// Of a connection that has sent back each of the `echoed` bytes that it received.
    pub fn of(ws: &WebSocket<Server>, echoed: u64) -> CompressionStats {
        // What was not compressed is as long on the wire as it is.
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

/// The totals of those connections that have a name.
///
/// A page cannot see what its browser sends and receives on the wire. So it makes up a name at random, opens its
/// connection under that, and can ask over HTTP what became of it.
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

    /// Of the newest connection with that name.
    pub fn find(&self, name: &str) -> Option<&CompressionStats> {
        self.named.values().rev().find(|(known, _)| known == name).map(|(_, totals)| totals)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_found_by_the_name_of_a_connection_that_is_there() {
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

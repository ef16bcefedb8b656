//! Sends messages back as they arrive: one of 64 MiB passes through in pieces and is nowhere whole.

use sockless::{Chunk, Error, Server, WebSocket};

use crate::buffers::Tx;

/// A message up to this size comes back in one frame, a larger one in fragments of this size. What is sent
/// therefore depends on the message alone, never on the pieces in which it happened to arrive.
pub const FRAGMENT: usize = 64 << 10;

#[derive(Default)]
pub struct Echo {
    /// The part of the message that arrived since the last fragment.
    pending: Vec<u8>,
}

impl Echo {
    pub fn chunk(
        &mut self,
        chunk: &Chunk,
        ws: &mut WebSocket<Server>,
        tx: &mut Tx,
    ) -> Result<(), Error> {
        let (kind, mut bytes) = (chunk.kind(), chunk.bytes());
        if self.pending.is_empty() && chunk.is_last() && bytes.len() <= FRAGMENT {
            return ws.send_fragment(kind, bytes, true, tx);
        }
        while self.pending.len() + bytes.len() > FRAGMENT {
            let (now, later) = bytes.split_at(FRAGMENT - self.pending.len());
            self.pending.extend_from_slice(now);
            ws.send_fragment(kind, &self.pending, false, tx)?;
            self.pending.clear();
            bytes = later;
        }
        self.pending.extend_from_slice(bytes);
        if chunk.is_last() {
            ws.send_fragment(kind, &self.pending, true, tx)?;
            self.pending = Vec::new(); // between messages a connection owns nothing
        }
        Ok(())
    }
}

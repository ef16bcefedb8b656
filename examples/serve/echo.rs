//! Sends messages back as they arrive: for a client that reads while it sends, one of 64 MiB passes through in pieces and
//! is nowhere whole. Many clients read only when all is sent; for those the echo waits, see `connection.rs`.

use sockless::deflate::CompressionStats;
use sockless::{Chunk, Error, Server, WebSocket};

use crate::buffers::Tx;

/// The largest message that is taken.
pub const MAX_MESSAGE: usize = 64 << 20;
/// A message up to this size comes back in one frame, a larger one in fragments of this size. What is sent
/// therefore depends on the message alone, never on the pieces in which it happened to arrive.
pub const FRAGMENT: usize = 64 << 10;

#[derive(Default)]
pub struct Echo {
    /// How much was received to be sent back.
    bytes: u64,
    /// The part of the message that arrived since the last fragment.
    pending: Vec<u8>,
    /// What was inflated before this message.
    before: CompressionStats,
    /// Whether a part of this message was sent.
    begun: bool,
    in_message: bool,
}

impl Echo {
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether a part of a message has arrived and its end has not.
    pub const fn in_message(&self) -> bool {
        self.in_message
    }

    pub fn chunk(
        &mut self,
        chunk: &Chunk,
        ws: &mut WebSocket<Server>,
        tx: &mut Tx,
    ) -> Result<(), Error> {
        let (kind, mut bytes) = (chunk.kind(), chunk.bytes());
        self.bytes += bytes.len() as u64;
        self.in_message = !chunk.is_last();
        while self.pending.len() + bytes.len() > FRAGMENT {
            let (now, later) = bytes.split_at(FRAGMENT - self.pending.len());
            self.pending.extend_from_slice(now);
            self.begin(ws);
            ws.send_fragment(kind, &self.pending, false, tx)?;
            self.pending.clear();
            bytes = later;
        }
        if !chunk.is_last() {
            self.pending.extend_from_slice(bytes);
            return Ok(());
        }
        self.begin(ws);
        if self.pending.is_empty() {
            ws.send_fragment(kind, bytes, true, tx)?;
        } else {
            self.pending.extend_from_slice(bytes);
            ws.send_fragment(kind, &self.pending, true, tx)?;
            self.pending = Vec::new(); // between messages a connection owns nothing
        }
        self.begun = false;
        self.before = ws.inflate_stats();
        Ok(())
    }

    /// What compression did not make shorter on its way here, it would not on its way back, and it costs more time than
    /// all the rest. What came uncompressed may still be worth it.
    fn begin(&mut self, ws: &mut WebSocket<Server>) {
        if !self.begun {
            let now = ws.inflate_stats();
            let message = now.messages - self.before.messages;
            let wire = now.wire - self.before.wire;
            ws.set_compress(message == 0 || wire < message / 10 * 9);
            self.begun = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use sockless::{Config, Event, Server, WebSocket};

    use super::*;
    use crate::buffers::{HELD_BY_ALL, Pool};

    /// What comes back for a binary message of `len` bytes that arrives in pieces of `cut`.
    fn echoed(len: usize, cut: usize) -> Vec<u8> {
        let mut pool = Pool::new(HELD_BY_ALL);
        let (mut rx, mut tx) = (pool.rx(&mut None), pool.tx(&mut None));
        let mut ws = WebSocket::from_upgraded(Server, Config::default());
        let mut echo = Echo::default();
        let mut input = vec![0x82, 0xff];
        input.extend((len as u64).to_be_bytes());
        input.extend([0; 4]); // a mask that changes nothing
        input.extend((0..len).map(|i| (i % 251) as u8));
        let mut output = Vec::new();
        for mut piece in input.chunks(cut) {
            while !piece.is_empty() {
                piece = &piece[rx.extend(piece)..];
                while let Some(event) = ws.receive_chunks(&mut rx, &mut tx) {
                    let Event::Chunk(chunk) = event else { panic!("{event:?}") };
                    echo.chunk(&chunk, &mut ws, &mut tx).unwrap();
                    assert_eq!(echo.in_message(), !chunk.is_last());
                    output.extend(tx.bytes());
                    tx.clear();
                }
            }
        }
        output
    }

    #[test]
    fn what_is_sent_does_not_depend_on_how_the_message_arrived() {
        for len in [FRAGMENT, FRAGMENT + 1, 2 * FRAGMENT, 3 * FRAGMENT + 7] {
            let whole = echoed(len, usize::MAX);
            assert_eq!(whole.len(), len + len.div_ceil(FRAGMENT) * 10 - short_headers(len));
            for cut in [1, 139, 4096, FRAGMENT + 3] {
                assert!(echoed(len, cut) == whole, "{len} bytes in pieces of {cut}");
            }
        }
    }

    /// How much shorter than the longest the last fragment's header is.
    fn short_headers(len: usize) -> usize {
        match len % FRAGMENT {
            0 => 0,
            1..126 => 8,
            _ => 6,
        }
    }
}

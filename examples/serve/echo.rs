//! Echoes messages: short ones whole, others piece by piece as they arrive. If a client reads while
//! it sends, no buffer ever holds a whole message of 64 MiB. If a client reads only after it has
//! sent everything, the write buffer collects the echo; see `connection.rs`.

use sockless::deflate::CompressionStats;
use sockless::{Chunk, Error, Event, FrameHeader, Server, WebSocket};

use crate::buffers::{Rx, Tx};

/// Largest accepted message in bytes.
pub const MAX_MESSAGE: usize = 64 << 20;
/// Size in bytes of the fragments of an echo. A message up to this size is echoed in one frame. The
/// frames therefore depend on the message alone, not on the pieces in which it arrived.
pub const FRAGMENT: usize = 64 << 10;

#[derive(Default)]
pub struct Echo {
    /// Bytes of all messages received.
    bytes: u64,
    /// `true` if the current message is received whole.
    whole: bool,
    /// The part of the message that arrived since the last fragment.
    pending: Vec<u8>,
    /// Totals at the start of this message.
    before: CompressionStats,
    /// `true` once a part of this message was sent.
    begun: bool,
}

impl Echo {
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Receives the next event. An uncompressed message of one frame of at most [`FRAGMENT`] bytes
    /// is returned whole, so that it is not copied before it is sent and its text is validated
    /// once. Other messages are returned in chunks.
    pub fn receive<'b>(
        &mut self,
        ws: &mut WebSocket<Server>,
        rx: &'b mut Rx,
        tx: &mut Tx,
    ) -> Option<Event<'b>> {
        if ws.message_kind().is_none() {
            self.whole = is_short(rx.unread());
        }
        if self.whole { ws.receive(rx, tx) } else { ws.receive_chunks(rx, tx) }
    }

    /// Echoes a whole message of `len` bytes, which `send` sends.
    pub fn message(
        &mut self,
        len: usize,
        ws: &mut WebSocket<Server>,
        send: impl FnOnce(&mut WebSocket<Server>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.bytes += len as u64;
        self.begin(ws);
        send(ws)?;
        self.end(ws);
        Ok(())
    }

    pub fn chunk(
        &mut self,
        chunk: &Chunk,
        ws: &mut WebSocket<Server>,
        tx: &mut Tx,
    ) -> Result<(), Error> {
        let (kind, mut bytes) = (chunk.kind(), chunk.bytes());
        self.bytes += bytes.len() as u64;
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
        self.end(ws);
        Ok(())
    }

    fn end(&mut self, ws: &WebSocket<Server>) {
        self.begun = false;
        self.before = ws.inflate_stats();
    }

    /// Selects compression for the echo of a message. A message that the client's compression did
    /// not shorten is sent uncompressed, because compression takes more time than all other work. A
    /// message that arrived uncompressed may still compress.
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

/// Returns `true` if the header at the start of `bytes` is that of a message of one frame, not
/// compressed and of at most [`FRAGMENT`] bytes.
fn is_short(bytes: &[u8]) -> bool {
    matches!(FrameHeader::parse(bytes), Ok(Some((header, _)))
        if header.fin && header.rsv == 0 && header.payload_len <= FRAGMENT as u64)
}

#[cfg(test)]
mod tests {
    use sockless::{Config, OpCode};

    use super::*;
    use crate::buffers::{MAX_TOTAL_GROWTH, Pool};

    /// Returns the echo of a binary message of `len` bytes that arrives in pieces of `cut` bytes.
    fn echoed(len: usize, cut: usize) -> Vec<u8> {
        let mut pool = Pool::new(MAX_TOTAL_GROWTH);
        let (mut rx, mut tx) = (pool.take_rx(&mut None), pool.take_tx(&mut None));
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
                while let Some(event) = echo.receive(&mut ws, &mut rx, &mut tx) {
                    match event {
                        Event::Binary(bytes) => {
                            assert!(len <= FRAGMENT);
                            echo.message(len, &mut ws, |ws| ws.send_binary(bytes, &mut tx))
                                .unwrap();
                        }
                        Event::Chunk(chunk) => {
                            assert!(len > FRAGMENT);
                            assert_eq!(ws.message_kind().is_some(), !chunk.is_last());
                            echo.chunk(&chunk, &mut ws, &mut tx).unwrap();
                        }
                        event => panic!("{event:?}"),
                    }
                    output.extend(tx.bytes());
                    tx.clear();
                }
            }
        }
        output
    }

    #[test]
    fn the_echo_does_not_depend_on_how_the_message_arrived() {
        for len in [FRAGMENT, FRAGMENT + 1, 2 * FRAGMENT, 3 * FRAGMENT + 7] {
            let whole = echoed(len, usize::MAX);
            assert_eq!(whole.len(), len + len.div_ceil(FRAGMENT) * 10 - short_headers(len));
            for cut in [1, 139, 4096, FRAGMENT + 3] {
                assert!(echoed(len, cut) == whole, "{len} bytes in pieces of {cut}");
            }
        }
    }

    /// Checks the limits of the messages that are received whole.
    #[test]
    fn only_a_message_of_one_uncompressed_frame_is_short() {
        let short = |opcode, fin, rsv, len| {
            let header = FrameHeader { fin, rsv, opcode, mask: Some([7; 4]), payload_len: len };
            let header = header.encode();
            assert!(!is_short(&header.as_bytes()[..header.as_bytes().len() - 1]), "incomplete");
            is_short(header.as_bytes())
        };
        let largest = FRAGMENT as u64;
        for opcode in [OpCode::Text, OpCode::Binary] {
            assert!(short(opcode, true, 0, 0) && short(opcode, true, 0, largest));
            assert!(!short(opcode, true, 0, largest + 1));
            assert!(!short(opcode, false, 0, 1));
            assert!(!short(opcode, true, FrameHeader::RSV1, 1));
        }
    }

    /// Returns by how many bytes the last fragment's header is shorter than the longest header.
    fn short_headers(len: usize) -> usize {
        match len % FRAGMENT {
            0 => 0,
            1..126 => 8,
            _ => 6,
        }
    }
}

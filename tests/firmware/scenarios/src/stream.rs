//! Messages of any size through buffers of half a kilobyte: an echo of validated chunks on a connection that was opened
//! elsewhere, as a server.

use sockless::{Config, Event, ReadBuffer, Server, WebSocket, WriteBuffer};

use crate::{Link, REFUSED_CALL, code_of};

/// What the board keeps of the connection between two reads, apart from the buffers.
pub const STREAM_SIZE: usize = size_of::<WebSocket<Server>>();

/// Echoes messages piece by piece, as they arrive through `rx`, by way of `tx`.
pub fn stream(link: &mut impl Link, rx: &mut [u8], tx: &mut [u8]) -> u32 {
    let mut ws = WebSocket::from_upgraded(Server, Config::default());
    let (mut rx, mut tx) = (ReadBuffer::new(rx), WriteBuffer::new(tx));
    let mut end = 0;
    while !ws.is_done() {
        let Ok(count) = link.read(rx.space());
        rx.filled(count);
        while let Some(event) = ws.receive_chunks(&mut rx, &mut tx) {
            let sent = match event {
                Event::Chunk(chunk) => {
                    ws.send_fragment(chunk.kind(), chunk.bytes(), chunk.is_last(), &mut tx)
                }
                Event::Close(close) => {
                    end = close.code().get().into();
                    Ok(())
                }
                Event::Failed(failure) => {
                    end = code_of(failure);
                    Ok(())
                }
                _ => Ok(()),
            };
            if sent.is_err() {
                return REFUSED_CALL;
            }
        }
        let Ok(()) = link.write_all(tx.bytes());
        tx.clear();
    }
    end
}

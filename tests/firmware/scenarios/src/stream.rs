//! Echoes messages of any size through small buffers, as a server on an upgraded connection. The
//! read buffer of the image has 512 bytes.

use sockless::{Config, Event, ReadBuffer, Server, WebSocket, WriteBuffer};

use crate::{Link, REFUSED_CALL, code_of};

/// Size of the connection between two reads, in bytes, without the buffers.
pub const STREAM_SIZE: usize = size_of::<WebSocket<Server>>();

/// Echoes messages piece by piece, without buffering whole messages.
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

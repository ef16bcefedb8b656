//! Runs the whole connection of a server: the request of a browser, an echo of messages, close.

use sockless::handshake::Accept;
use sockless::{Config, Event, ReadBuffer, Server, WebSocket, WriteBuffer};

use crate::{Link, REFUSED_CALL, code_of};

/// Size of the connection between two reads, in bytes, without the buffers.
pub const SERVER_SIZE: usize = size_of::<WebSocket<Server>>();

/// Accepts a WebSocket on `/echo` from any origin, and echoes its messages. `rx` must fit the head
/// of the request and the largest message. `tx` must fit an echo of a full `rx`.
pub fn server(link: &mut impl Link, rx: &mut [u8], tx: &mut [u8]) -> u32 {
    // Browsers send at most 15 header fields, and the array for 16 lies on the stack.
    let mut ws = WebSocket::server(Config::default().with_max_headers(16));
    let (mut rx, mut tx) = (ReadBuffer::new(rx), WriteBuffer::new(tx));
    let mut end = 0;
    while !ws.is_done() {
        let Ok(count) = link.read(rx.space());
        rx.filled(count);
        while let Some(event) = ws.receive(&mut rx, &mut tx) {
            let sent = match event {
                Event::UpgradeRequest(request) if request.target() == "/echo" => {
                    ws.accept(&request, Accept::new(), &mut tx)
                }
                Event::Text(text) => ws.send_text(text, &mut tx),
                Event::Binary(bytes) => ws.send_binary(bytes, &mut tx),
                Event::Close(close) => {
                    end = close.code().get().into();
                    Ok(())
                }
                Event::Failed(failure) => {
                    end = code_of(failure);
                    Ok(())
                }
                // The crate refuses another path with 403, and a request for a page with 426.
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

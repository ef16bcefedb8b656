//! The whole life of a server's connection: a browser's request, an echo of whole messages, the end.

use sockless::handshake::Accept;
use sockless::{Config, Event, ReadBuffer, Server, WebSocket, WriteBuffer};

use crate::{Link, REFUSED_CALL, code_of};

/// What the board keeps of the connection between two reads, apart from the buffers.
pub const SERVER_SIZE: usize = size_of::<WebSocket<Server>>();

/// Accepts a WebSocket on `/echo` that comes from anywhere, and echoes its messages. `rx` must hold the request's head
/// and the largest message, `tx` an echo of all that `rx` holds.
pub fn server(link: &mut impl Link, rx: &mut [u8], tx: &mut [u8]) -> u32 {
    // 16 header lines: browsers send fifteen or fewer, and the array for them lies on the stack.
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
                // Another path is refused with 403, a request for a page with 426: the crate's own answers.
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

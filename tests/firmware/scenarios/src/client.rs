//! Runs the whole connection of a client: request, check of the response, masked messages, close.

use sockless::handshake::{ConnectRequest, HandshakeError, Uri};
use sockless::{
    Client, CloseCode, Config, EntropyError, Event, Failure, FnEntropy, MessageKind, ReadBuffer,
    WebSocket, WriteBuffer,
};

use crate::{Link, REFUSED_CALL, code_of};

/// Size of the connection between two reads, in bytes, without the buffers.
pub const CLIENT_SIZE: usize =
    size_of::<WebSocket<Client<fn(&mut [u8]) -> Result<(), EntropyError>>>>();

const SUBPROTOCOLS: [&str; 1] = ["telemetry"];

/// Connects, sends `ready`, and echoes text. Echoes binary messages in two fragments, and closes
/// after the text `stop`. `seed` replaces the board's source of entropy.
pub fn client(link: &mut impl Link, rx: &mut [u8], tx: &mut [u8], mut seed: u32) -> u32 {
    let Ok(uri) = Uri::parse("ws://gateway.local:8080/devices?id=7") else { return REFUSED_CALL };
    // A xorshift generator is predictable. A test needs predictable keys, and a device must not use
    // them.
    let entropy = FnEntropy::new(|bytes: &mut [u8]| {
        for byte in bytes {
            seed ^= seed << 13;
            seed ^= seed >> 17;
            seed ^= seed << 5;
            *byte = seed as u8;
        }
        Ok(())
    });
    let mut ws = WebSocket::client(Config::default().with_max_headers(16), entropy);
    let (mut rx, mut tx) = (ReadBuffer::new(rx), WriteBuffer::new(tx));
    let request = ConnectRequest::new(&uri).with_subprotocols(&SUBPROTOCOLS);
    if ws.connect(&request, &mut tx).is_err() {
        return REFUSED_CALL;
    }
    let mut end = 0;
    while !ws.is_done() {
        let Ok(()) = link.write_all(tx.bytes());
        tx.clear();
        let Ok(count) = link.read(rx.space());
        rx.filled(count);
        while let Some(event) = ws.receive(&mut rx, &mut tx) {
            let sent = match event {
                Event::UpgradeResponse(response) => match ws.confirm(&response, &SUBPROTOCOLS) {
                    Ok(_) => ws.send_text("ready", &mut tx),
                    Err(_) => {
                        end = code_of(Failure::Handshake(HandshakeError::Subprotocol));
                        Ok(())
                    }
                },
                Event::Rejected(response) => {
                    end = response.status().into();
                    Ok(())
                }
                Event::Text("stop") => ws.close(CloseCode::NORMAL, "stopped", &mut tx),
                Event::Text(text) => ws.send_text(text, &mut tx),
                Event::Binary(bytes) => {
                    let (head, tail) = bytes.split_at_checked(1).unwrap_or_default();
                    ws.send_fragment(MessageKind::Binary, head, false, &mut tx)
                        .and_then(|()| ws.send_fragment(MessageKind::Binary, tail, true, &mut tx))
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
    }
    let Ok(()) = link.write_all(tx.bytes());
    end
}

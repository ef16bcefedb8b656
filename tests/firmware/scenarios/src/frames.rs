//! Echoes validated chunks as a server, with the receiver and the sender alone.

use sockless::{Config, Incoming, ReadBuffer, Receiver, Sender, Server, WriteBuffer};

use crate::{Link, REFUSED_CALL};

/// Size of the connection between two reads, in bytes, without the buffers.
pub const FRAMES_SIZE: usize = size_of::<Receiver>() + size_of::<Sender<Server>>();

/// Echoes the messages of `link`. `rx` needs at least 139 bytes.
pub fn frames(link: &mut impl Link, rx: &mut [u8], tx: &mut [u8]) -> u32 {
    let mut receiver = Receiver::server(Config::default());
    let mut sender = Sender::server();
    let (mut rx, mut tx) = (ReadBuffer::new(rx), WriteBuffer::new(tx));
    loop {
        let Ok(count) = link.read(rx.space());
        rx.filled(count);
        loop {
            let mut end = None;
            let sent = match receiver.receive_chunks(&mut rx) {
                Ok(None) => break,
                Ok(Some(Incoming::Data(chunk))) => {
                    sender.fragment(chunk.kind(), chunk.bytes(), chunk.is_last(), &mut tx)
                }
                Ok(Some(Incoming::Ping(payload))) => sender.pong(payload, &mut tx),
                Ok(Some(Incoming::Close(close))) => {
                    end = Some(close.code());
                    sender.close(close.code(), "", &mut tx)
                }
                Ok(Some(Incoming::End)) => return 1006,
                Ok(Some(_)) => Ok(()),
                Err(violation) => {
                    end = Some(violation.close_code());
                    sender.close(violation.close_code(), "", &mut tx)
                }
            };
            if sent.is_err() {
                return REFUSED_CALL;
            }
            let Ok(()) = link.write_all(tx.bytes());
            tx.clear();
            if let Some(code) = end {
                return code.get().into();
            }
        }
    }
}

//! A driver over `embedded-io`: any blocking transport, either role, buffers of the caller's.

use embedded_io::{Read, Write};
use sockless::{CloseCode, Error, Event, ReadBuffer, Role, Storage, WebSocket, WriteBuffer};

/// Drives `ws` over `transport` until the connection is over, and hands every event to `app`.
///
/// An event that `app` cannot deal with ends the connection with 1011.
///
/// # Errors
/// The transport's. The connection is of no use then.
pub fn drive<R, T, A, B>(
    ws: &mut WebSocket<R>,
    transport: &mut T,
    rx: &mut ReadBuffer<A>,
    tx: &mut WriteBuffer<B>,
    mut app: impl FnMut(&mut WebSocket<R>, Event<'_>, &mut WriteBuffer<B>) -> Result<(), Error>,
) -> Result<(), T::Error>
where
    R: Role,
    T: Read + Write,
    A: Storage,
    B: Storage,
{
    loop {
        // First what there is to say: a client's request is in the buffer before anything arrives.
        transport.write_all(tx.bytes())?;
        transport.flush()?;
        tx.clear();
        if ws.is_done() {
            return Ok(());
        }
        let count = transport.read(rx.space())?;
        rx.filled(count);
        while let Some(event) = ws.receive(rx, tx) {
            if app(ws, event, tx).is_err() {
                // Already closed, if this fails: there is nothing left to say.
                let _ = ws.close(CloseCode::INTERNAL_ERROR, "", tx);
            }
        }
    }
}

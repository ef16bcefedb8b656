//! Drives a connection over `embedded-io`, for any blocking transport, either role and any buffers.

use embedded_io::{Read, Write};
use sockless::{CloseCode, Error, Event, ReadBuffer, Role, Storage, WebSocket, WriteBuffer};

/// Drives `ws` over `transport` until the connection is over. Calls `app` with every event.
///
/// If `app` returns an error, the connection ends with 1011.
///
/// # Errors
/// Returns the error of the transport. Use the connection no further.
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
        // Write first: a client's request is in the buffer before any input arrives.
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
                // This fails only if a Close was sent already.
                let _ = ws.close(CloseCode::INTERNAL_ERROR, "", tx);
            }
        }
    }
}

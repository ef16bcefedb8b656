//! Drives a connection over `embedded-io-async`, for Embassy, RTIC and other executors.
//!
//! All state is in the arguments. If the future is dropped, no byte is lost: call `drive` again
//! with the connection and its buffers.

use embedded_io_async::{Read, Write};
use sockless::{CloseCode, Error, Event, ReadBuffer, Role, Storage, WebSocket, WriteBuffer};

/// Drives `ws` over `transport` until the connection is over. Calls `app` with every event.
///
/// If `app` returns an error, the connection ends with 1011.
///
/// # Errors
/// Returns the error of the transport. Use the connection no further.
pub async fn drive<R, T, A, B>(
    ws: &mut WebSocket<R>,
    transport: &mut T,
    rx: &mut ReadBuffer<A>,
    tx: &mut WriteBuffer<B>,
    mut app: impl AsyncFnMut(&mut WebSocket<R>, Event<'_>, &mut WriteBuffer<B>) -> Result<(), Error>,
) -> Result<(), T::Error>
where
    R: Role,
    T: Read + Write,
    A: Storage,
    B: Storage,
{
    loop {
        // Consume the written bytes at once. If the future is dropped here, the rest is still
        // unsent.
        while !tx.is_empty() {
            let count = transport.write(tx.bytes()).await?;
            tx.consume(count);
        }
        transport.flush().await?;
        if ws.is_done() {
            return Ok(());
        }
        let count = transport.read(rx.space()).await?;
        rx.filled(count);
        while let Some(event) = ws.receive(rx, tx) {
            if app(ws, event, tx).await.is_err() {
                // This fails only if a Close was sent already.
                let _ = ws.close(CloseCode::INTERNAL_ERROR, "", tx);
            }
        }
    }
}

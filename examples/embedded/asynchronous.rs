//! The same driver over `embedded-io-async`: for Embassy, RTIC and other executors.
//!
//! All state lies in the arguments, so a future that is dropped between two calls loses nothing: drive the same
//! connection on with the same buffers.

use embedded_io_async::{Read, Write};
use sockless::{CloseCode, Error, Event, ReadBuffer, Role, Storage, WebSocket, WriteBuffer};

/// Drives `ws` over `transport` until the connection is over, and hands every event to `app`.
///
/// An event that `app` cannot deal with ends the connection with 1011.
///
/// # Errors
/// The transport's. The connection is of no use then.
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
        // What a write took is taken out at once: dropped here, the rest is still to be sent.
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
                // Already closed, if this fails: there is nothing left to say.
                let _ = ws.close(CloseCode::INTERNAL_ERROR, "", tx);
            }
        }
    }
}

//! tokio-websockets: asynchronous, a `Stream` and a `Sink`. The server flushes after each message,
//! or once no message is ready.

use std::net::TcpStream;

use futures::{FutureExt, SinkExt, StreamExt};
use tokio_websockets::ServerBuilder;

use super::{Outcome, block_on};

pub fn per_message(stream: TcpStream) -> Outcome {
    block_on(stream, |stream| async move {
        let (_, mut socket) = ServerBuilder::new().accept(stream).await?;
        while let Some(Ok(message)) = socket.next().await {
            if message.is_text() || message.is_binary() {
                socket.send(message).await?;
            }
        }
        Ok(())
    })
}

pub fn per_read(stream: TcpStream) -> Outcome {
    block_on(stream, |stream| async move {
        let (_, mut socket) = ServerBuilder::new().accept(stream).await?;
        loop {
            let next = match socket.next().now_or_never() {
                Some(next) => next,
                None => {
                    socket.flush().await?;
                    socket.next().await
                }
            };
            let Some(Ok(message)) = next else { return Ok(()) };
            if message.is_text() || message.is_binary() {
                socket.feed(message).await?;
            }
        }
    })
}

//! A transport that fails once, in the middle of a frame, and then accepts bytes again.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use sockless_tokio::{Error, Event, Options, Role, WebSocketStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The header of the large message, which the first write contains.
const HEADER: [u8; 4] = [0x82, 126, 0x9c, 0x40];

struct Torn {
    input: Vec<u8>,
    writes: usize,
    wire: Vec<u8>,
}

impl AsyncRead for Torn {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let len = buf.remaining().min(self.input.len());
        if len == 0 {
            return Poll::Pending;
        }
        let rest = self.input.split_off(len);
        buf.put_slice(&self.input);
        self.input = rest;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Torn {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.writes += 1;
        let len = match self.writes {
            1 => buf.len(),
            2 => return Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            _ => buf.len(),
        };
        self.wire.extend(&buf[..len]);
        Poll::Ready(Ok(len))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Opens a server's side that receives one message of 40,000 bytes, and then a short one.
fn open() -> WebSocketStream<Torn> {
    let mut input = vec![0x82, 0xfe];
    input.extend(40_000_u16.to_be_bytes());
    input.extend([0; 4]);
    input.extend([7; 40_000]);
    input.extend(b"\x82\x86\0\0\0\0second");
    let io = Torn { input, writes: 0, wire: Vec::new() };
    WebSocketStream::from_upgraded(io, Role::Server, None, b"", &Options::new())
}

#[tokio::test(start_paused = true)]
async fn no_frame_follows_a_torn_answer() {
    let mut ws = open();
    let (event, mut queue) = ws.recv_and_queue().await.unwrap().unwrap();
    let Event::Binary(bytes) = event else { panic!("{event:?}") };
    queue.binary(bytes).unwrap();
    assert_eq!(ws.get_ref().wire, HEADER);
    // The message that was received before the failure still counts. Its answer is refused.
    let (event, mut queue) = ws.recv_and_queue().await.unwrap().unwrap();
    let Event::Binary(bytes) = event else { panic!("{event:?}") };
    assert!(matches!(queue.binary(bytes), Err(Error::Io(_))));
    assert!(matches!(ws.send("x").await, Err(Error::Io(_))));
    assert_eq!(ws.get_ref().wire, HEADER);
}

#[tokio::test(start_paused = true)]
async fn no_frame_follows_a_torn_send() {
    let mut ws = open();
    assert!(matches!(ws.send(vec![7; 40_000]).await, Err(Error::Io(_))));
    assert!(matches!(ws.send("x").await, Err(Error::Io(_))));
    assert!(ws.close(sockless_tokio::CloseCode::NORMAL, "").await.is_err());
    assert_eq!(ws.get_ref().wire, HEADER);
}

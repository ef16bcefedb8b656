//! Which writes are a sign of life of the peer, over transports with a buffer of their own.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use sockless_tokio::{Error, Message, Options, Role, Timeout, WebSocketStream};
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufWriter, DuplexStream, ReadBuf, duplex,
    join, split,
};
use tokio::time::{Instant, sleep, timeout};

fn server<IO: AsyncRead + AsyncWrite + Unpin>(io: IO) -> WebSocketStream<IO> {
    WebSocketStream::from_upgraded(io, Role::Server, None, b"", &Options::new())
}

/// A server whose transport has a buffer of its own.
fn buffered(io: DuplexStream) -> WebSocketStream<impl AsyncRead + AsyncWrite + Unpin> {
    let (reader, writer) = split(io);
    server(join(reader, BufWriter::new(writer)))
}

async fn bounded<T>(run: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(3600), run).await.expect("hangs")
}

/// A transport that accepts at once and flushes a moment later, as tokio's `Stdout` does.
struct Lazy {
    io: DuplexStream,
    flushed: bool,
}

impl AsyncRead for Lazy {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Lazy {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.flushed = false;
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !std::mem::replace(&mut self.flushed, true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// The transport's own buffer has space for the message, and for pings, while the peer reads
/// nothing.
#[tokio::test(start_paused = true)]
async fn a_peer_that_reads_nothing_is_given_up_behind_a_buffer() {
    for earlier in [0, 10] {
        let (a, _raw) = duplex(64);
        let mut ws = buffered(a);
        assert!(timeout(Duration::from_secs(earlier), ws.next()).await.is_err());
        let begun = Instant::now();
        let sent = bounded(ws.send(vec![0; 1000])).await;
        assert!(matches!(sent, Err(Error::TimedOut(Timeout::Pong))), "{sent:?}");
        assert_eq!(begun.elapsed(), Duration::from_secs(50));
    }
}

/// A timer was due while the flush waited.
#[tokio::test(start_paused = true)]
async fn a_flush_that_ends_late_is_a_sign_of_life() {
    let (a, mut raw) = duplex(64);
    let mut ws = buffered(a);
    let begun = Instant::now();
    tokio::spawn(async move {
        sleep(Duration::from_secs(45)).await;
        raw.read_to_end(&mut Vec::new()).await
    });
    ws.send(vec![0; 1000]).await.unwrap();
    assert_eq!(begun.elapsed(), Duration::from_secs(45));
    let end = bounded(ws.next()).await;
    assert!(matches!(end, Some(Err(Error::TimedOut(Timeout::Pong)))), "{end:?}");
    assert_eq!(begun.elapsed(), Duration::from_secs(45 + 50));
}

#[tokio::test(start_paused = true)]
async fn a_flush_that_takes_a_moment_is_no_sign_of_life() {
    for tick in [1_000_000, 10] {
        let (io, _raw) = duplex(1 << 20);
        let mut ws = server(Lazy { io, flushed: true });
        let begun = Instant::now();
        let end = bounded(async {
            loop {
                match timeout(Duration::from_secs(tick), ws.next()).await {
                    Ok(end) => break end,
                    Err(_) => ws.send("tick").await.unwrap(),
                }
            }
        })
        .await;
        assert!(matches!(end, Some(Err(Error::TimedOut(Timeout::Pong)))), "{end:?}");
        assert_eq!(begun.elapsed(), Duration::from_secs(50));
    }
}

/// No ping can follow the pong that the transport has no space for.
#[tokio::test(start_paused = true)]
async fn a_pong_that_leaves_late_is_a_sign_of_life() {
    let (a, mut raw) = duplex(64);
    let mut ws = server(a);
    ws.send(vec![0; 62]).await.unwrap(); // fills the pipe
    raw.write_all(b"\x89\x80\0\0\0\0").await.unwrap();
    assert!(matches!(ws.next().await, Some(Ok(Message::Ping(_)))));
    let begun = Instant::now();
    let peer = tokio::spawn(async move {
        sleep(Duration::from_secs(45)).await;
        let mut bytes = [0; 66];
        raw.read_exact(&mut bytes).await.unwrap();
        assert_eq!(bytes[64..], *b"\x8a\x00");
        raw
    });
    let end = bounded(ws.next()).await;
    assert!(matches!(end, Some(Err(Error::TimedOut(Timeout::Pong)))), "{end:?}");
    assert_eq!(begun.elapsed(), Duration::from_secs(45 + 50));
    let mut raw = peer.await.unwrap();
    assert_eq!(raw.read_u16().await.unwrap(), 0x8900); // the ping after that
}

/// The message fills the pipe, and the ping stays in the buffer: no send waits for it.
#[tokio::test(start_paused = true)]
async fn a_ping_that_does_not_leave_prolongs_no_limit() {
    let (a, _raw) = duplex(64);
    let mut ws = buffered(a);
    ws.send(vec![0; 62]).await.unwrap();
    let begun = Instant::now();
    let end = bounded(ws.next()).await;
    assert!(matches!(end, Some(Err(Error::TimedOut(Timeout::Pong)))), "{end:?}");
    assert_eq!(begun.elapsed(), Duration::from_secs(50));
}

#[tokio::test(start_paused = true)]
async fn one_unsent_ping_is_kept() {
    let options = Options::new().ping_after(Some(Duration::from_secs(1))).pong_timeout(None);
    let (a, _raw) = duplex(64);
    let mut ws = WebSocketStream::from_upgraded(a, Role::Server, None, b"", &options);
    ws.send(vec![0; 62]).await.unwrap(); // fills the pipe
    assert!(timeout(Duration::from_secs(100), ws.next()).await.is_err());
    assert_eq!(ws.unsent(), 2);
}

/// Checks that a send ends when its message has left, although a pong that was queued behind it has
/// not.
#[tokio::test(start_paused = true)]
async fn a_send_waits_for_no_later_pong_behind_a_buffer() {
    let (io, mut raw) = duplex(64);
    let (reads, writes) = split(io);
    let io = join(reads, BufWriter::with_capacity(1000, writes));
    let (mut reader, mut writer) = server(io).split();
    let sending = tokio::spawn(async move { writer.send(vec![0; 2000]).await });
    let reading = tokio::spawn(async move { while reader.next().await.is_some() {} });
    sleep(Duration::from_millis(1)).await;
    let mut ping = b"\x89\xfd\0\0\0\0".to_vec();
    ping.extend([0; 125]);
    raw.write_all(&ping).await.unwrap(); // after the message was queued
    sleep(Duration::from_millis(1)).await;
    let (mut bytes, mut left) = ([0; 50], 2004); // the message with its header
    while left > 0 {
        left -= raw.read(&mut bytes[..left.min(50)]).await.unwrap();
    }
    sleep(Duration::from_secs(1)).await;
    assert!(sending.is_finished());
    bounded(sending).await.unwrap().unwrap();
    reading.abort();
}

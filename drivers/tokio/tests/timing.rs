//! When pings are sent and when limits begin.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use sockless_tokio::{Error, Message, Options, Role, Timeout, WebSocketStream};
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, ReadHalf, duplex,
    join, split,
};
use tokio::time::{Instant, sleep, timeout};

mod common;

use common::once;

fn server<IO: AsyncRead + AsyncWrite + Unpin>(io: IO) -> WebSocketStream<IO> {
    WebSocketStream::from_upgraded(io, Role::Server, None, b"", &Options::new())
}

/// A pong of a client, without payload.
const PONG: &[u8] = b"\x8a\x80\0\0\0\0";

/// Checks that the peer is pinged again `ping_after` after it has answered, also if it would have
/// had much longer to answer.
#[tokio::test(start_paused = true)]
async fn pings_follow_the_silence_if_the_wait_for_a_pong_is_longer() {
    for pong_timeout in [5, 60] {
        let options = Options::new()
            .ping_after(Some(Duration::from_secs(10)))
            .pong_timeout(Some(Duration::from_secs(pong_timeout)));
        let (io, mut raw) = duplex(4096);
        let mut ws = WebSocketStream::from_upgraded(io, Role::Server, None, b"", &options);
        tokio::spawn(async move { while ws.next().await.is_some() {} });
        let mut last = Instant::now();
        for _ in 0..6 {
            assert_eq!(raw.read_u16().await.unwrap(), 0x8900);
            let gap = last.elapsed();
            assert!(gap <= Duration::from_secs(12), "{pong_timeout} s to answer: {gap:?}");
            last = Instant::now();
            sleep(Duration::from_secs(1)).await;
            raw.write_all(PONG).await.unwrap();
        }
    }
}

type Hook = Arc<Mutex<Option<Box<dyn FnOnce() + Send>>>>;

/// Runs the hook when a read is about to wait after `at`: what another thread does at that moment.
struct HookedReads {
    io: ReadHalf<DuplexStream>,
    hook: Hook,
    at: Instant,
}

impl AsyncRead for HookedReads {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.io).poll_read(cx, buf);
        if read.is_pending() && Instant::now() >= self.at {
            if let Some(hook) = self.hook.lock().unwrap().take() {
                std::thread::spawn(hook).join().unwrap();
            }
        }
        read
    }
}

/// Answers each ping, and is silent otherwise.
async fn answer_pings(mut raw: DuplexStream, pings: Arc<AtomicUsize>) {
    let mut head = [0; 2];
    while raw.read_exact(&mut head).await.is_ok() {
        let mut rest = vec![0; usize::from(head[1])];
        raw.read_exact(&mut rest).await.unwrap();
        if head[0] == 0x89 {
            pings.fetch_add(1, Ordering::Relaxed);
            if raw.write_all(PONG).await.is_err() {
                return;
            }
        }
    }
}

/// Checks that a ping is sent although the writer queues a message between the reader's last write
/// and its look at the timers.
#[tokio::test(start_paused = true)]
async fn a_message_queued_when_a_ping_is_due_suppresses_no_ping() {
    let (io, raw) = duplex(4096);
    let (reads, writes) = split(io);
    let hook = Hook::default();
    let reads =
        HookedReads { io: reads, hook: hook.clone(), at: Instant::now() + Duration::from_secs(30) };
    let (mut reader, mut writer) = server(join(reads, writes)).split();
    *hook.lock().unwrap() = Some(Box::new(move || {
        assert!(matches!(once(writer.feed("x")), Poll::Ready(Ok(()))));
    }));
    let pings = Arc::new(AtomicUsize::new(0));
    tokio::spawn(answer_pings(raw, pings.clone()));
    let end = timeout(Duration::from_secs(100), async {
        while let Some(event) = reader.next().await {
            event?;
        }
        Ok::<_, Error>(())
    });
    assert!(end.await.is_err(), "a peer that answers is given up");
    assert!(hook.lock().unwrap().is_none());
    assert_eq!(pings.load(Ordering::Relaxed), 3);
}

/// A transport whose writes fail.
struct NoWrites(DuplexStream);

impl AsyncRead for NoWrites {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for NoWrites {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Waits 4 s, then receives until the end. Returns the end, and the time since the call.
async fn end_of<IO: AsyncRead + AsyncWrite + Unpin>(
    mut ws: WebSocketStream<IO>,
) -> (Option<Result<Message, Error>>, Duration) {
    let begun = Instant::now();
    sleep(Duration::from_secs(4)).await;
    let end = timeout(Duration::from_secs(3600), ws.next()).await.expect("hangs");
    (end, begun.elapsed())
}

/// Checks that the limit of 5 s on the closing handshake begins when the Close is queued, and not
/// when somebody next receives.
#[tokio::test(start_paused = true)]
async fn the_closing_limit_begins_when_the_close_is_queued() {
    let (io, _raw) = duplex(4096);
    let mut ws = server(io);
    ws.send(Message::Close(None)).await.unwrap();
    let (end, time) = end_of(ws).await;
    assert!(matches!(end, Some(Err(Error::TimedOut(Timeout::Close)))), "{end:?}");
    assert_eq!(time, Duration::from_secs(5));
}

/// Checks the same for the first failed write.
#[tokio::test(start_paused = true)]
async fn the_closing_limit_begins_when_a_write_fails() {
    let (io, _raw) = duplex(4096);
    let mut ws = server(NoWrites(io));
    assert!(ws.send("x").await.is_err());
    let (_, time) = end_of(ws).await;
    assert_eq!(time, Duration::from_secs(5));
}

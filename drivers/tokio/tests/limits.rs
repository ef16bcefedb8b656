//! Peers that are slow, silent or gone: no wait is without a limit, a live peer is not given up,
//! and each side is told why the connection has failed.

mod common;

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use common::{once, once_without_budget};
use futures_util::{SinkExt, StreamExt};
use sockless_tokio::{
    CloseCode, Error, Event, Message, MessageKind, Options, Role, Timeout, WebSocketStream,
};
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex,
};
use tokio::time::{Instant, advance, sleep};

/// The Close of a client, with status code 1000.
const CLOSE: &[u8] = b"\x88\x82\0\0\0\0\x03\xe8";

/// A message of a client.
const MESSAGE: &[u8] = b"\x82\x81\0\0\0\0A";

fn server(io: DuplexStream) -> WebSocketStream<DuplexStream> {
    WebSocketStream::from_upgraded(io, Role::Server, None, b"", &Options::new())
}

async fn bounded<T>(run: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(3600), run).await.expect("hangs")
}

/// Reads 8 KiB a second until the end. Returns the number of bytes.
async fn read_slowly(mut raw: DuplexStream) -> usize {
    let (mut bytes, mut total) = ([0; 4096], 0);
    while let Ok(n @ 1..) = raw.read(&mut bytes).await {
        total += n;
        sleep(Duration::from_millis(500)).await;
    }
    total
}

#[derive(Debug)]
enum Write {
    Blocks,
    Fails,
    Accepts,
}

/// A transport that is read as a script says. Then reads wait, or repeat the last step.
#[derive(Debug)]
struct Script {
    steps: VecDeque<io::Result<&'static [u8]>>,
    endless: Option<&'static [u8]>,
    write: Write,
    reads: usize,
}

impl AsyncRead for Script {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.reads += 1;
        match self.steps.pop_front().or(self.endless.map(Ok)) {
            Some(step) => Poll::Ready(step.map(|bytes| buf.put_slice(bytes))),
            None => Poll::Pending,
        }
    }
}

impl AsyncWrite for Script {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.write {
            Write::Blocks => Poll::Pending,
            Write::Fails => Poll::Ready(Err(io::Error::new(io::ErrorKind::BrokenPipe, "cut"))),
            Write::Accepts => Poll::Ready(Ok(bytes.len())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn script(
    steps: impl IntoIterator<Item = io::Result<&'static [u8]>>,
    endless: Option<&'static [u8]>,
    write: Write,
    options: &Options,
) -> WebSocketStream<Script> {
    let io = Script { steps: steps.into_iter().collect(), endless, write, reads: 0 };
    WebSocketStream::from_upgraded(io, Role::Server, None, b"", options)
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_reads_slowly_is_not_given_up() {
    let (a, raw) = duplex(4096);
    let mut ws = server(a);
    let reading = tokio::spawn(read_slowly(raw));
    let begun = Instant::now();
    ws.send(vec![7; 2 << 20]).await.unwrap();
    assert!(begun.elapsed() > Duration::from_secs(200));
    drop(ws);
    assert_eq!(reading.await.unwrap(), (2 << 20) + 10);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_reads_slowly_is_not_given_up_by_the_reader() {
    for role in [Role::Client, Role::Server] {
        let (a, raw) = duplex(4096);
        let ws = WebSocketStream::from_upgraded(a, role, None, b"", &Options::new());
        let reading = tokio::spawn(read_slowly(raw));
        let (mut reader, mut writer) = ws.split();
        let sending = async {
            for _ in 0..32 {
                writer.feed_fragment(MessageKind::Binary, &[0; 65_536], false).await.unwrap();
            }
            writer.flush().await.unwrap();
            writer.close(CloseCode::NORMAL, "").await.unwrap();
        };
        let ((), end) = bounded(async { tokio::join!(sending, reader.next()) }).await;
        // It reads all, and never answers the Close.
        assert!(matches!(end, Some(Err(Error::TimedOut(Timeout::Close)))), "{end:?}");
        drop((reader, writer));
        assert!(reading.await.unwrap() > 2 << 20);
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_tells_the_code_of_the_close() {
    let idle = Options::new().ping_after(None).idle_timeout(Some(Duration::from_secs(5)));
    for (options, sent) in
        [(Options::new(), &b"\x89\x00\x88\x02\x03\xe9"[..]), (idle, b"\x88\x02\x03\xe9")]
    {
        let (a, mut raw) = duplex(4096);
        let mut ws = WebSocketStream::from_upgraded(a, Role::Server, None, b"", &options);
        let error = ws.next().await.unwrap().unwrap_err();
        assert_eq!(error.close_code(), Some(CloseCode::GOING_AWAY), "{error:?}");
        drop(ws);
        let mut bytes = Vec::new();
        raw.read_to_end(&mut bytes).await.unwrap();
        assert_eq!(bytes, sent);
    }
    let (a, _raw) = duplex(4096);
    let error = server(a).close(CloseCode::NORMAL, "").await.unwrap_err();
    assert_eq!(error.close_code(), None, "{error:?}");
}

/// A transport with space proves nothing of the peer.
#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_given_up_while_messages_are_sent() {
    let (a, _raw) = duplex(1 << 20);
    let (mut reader, mut writer) = server(a).split();
    let sending = tokio::spawn(async move {
        while writer.send("tick").await.is_ok() {
            sleep(Duration::from_secs(10)).await;
        }
    });
    let begun = Instant::now();
    let end = bounded(reader.next()).await;
    assert!(matches!(end, Some(Err(Error::TimedOut(Timeout::Pong)))), "{end:?}");
    assert_eq!(begun.elapsed(), Duration::from_secs(50));
    bounded(sending).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_blocked_writer_is_told_that_its_message_is_lost() {
    for half_close in [true, false] {
        let (a, mut raw) = duplex(64);
        let (mut reader, mut writer) = server(a).split();
        let sending = tokio::spawn(async move {
            let sent = writer.send(vec![0; 10_000]).await;
            (sent, writer.flush().await)
        });
        sleep(Duration::from_millis(10)).await;
        if half_close {
            raw.shutdown().await.unwrap();
        }
        let end = bounded(reader.next()).await;
        let (sent, flushed) = bounded(sending).await.unwrap();
        for told in [end.unwrap().map(|_| ()), sent, flushed] {
            match (half_close, told) {
                (true, Err(Error::UnexpectedEnd)) => {}
                (false, Err(Error::TimedOut(Timeout::Pong))) => {}
                (_, told) => panic!("half close {half_close}: {told:?}"),
            }
        }
        assert!(reader.next().await.is_none());
    }
}

/// No limit is on before the Close.
#[tokio::test(start_paused = true)]
async fn a_blocked_send_ends_with_the_stream() {
    let options = Options::new().ping_after(None);
    let (a, mut raw) = duplex(64);
    let mut ws = WebSocketStream::from_upgraded(a, Role::Server, None, b"", &options);
    let ending = tokio::spawn(async move {
        sleep(Duration::from_millis(10)).await;
        raw.shutdown().await.unwrap();
        raw
    });
    let sent = bounded(ws.send(vec![0; 10_000])).await;
    assert!(matches!(sent, Err(Error::UnexpectedEnd)), "{sent:?}");
    assert!(matches!(ws.next().await, Some(Err(Error::UnexpectedEnd))));
    assert!(ws.next().await.is_none());
    drop(ending.await.unwrap());

    // The unread bytes are a Close, and the peer still reads.
    let (a, mut raw) = duplex(64);
    let mut ws = WebSocketStream::from_upgraded(a, Role::Server, None, b"", &options);
    raw.write_all(CLOSE).await.unwrap();
    raw.shutdown().await.unwrap();
    let reading = tokio::spawn(read_slowly(raw));
    bounded(ws.send(vec![0; 10_000])).await.unwrap();
    assert!(matches!(ws.next().await, Some(Ok(Message::Close(_)))));
    assert!(ws.next().await.is_none());
    drop(ws);
    assert_eq!(reading.await.unwrap(), 10_004 + 4);
}

#[tokio::test(start_paused = true)]
async fn a_blocked_writer_ends_with_the_closing_handshake() {
    let (a, mut raw) = duplex(64);
    let (mut reader, mut writer) = server(a).split();
    let sending = tokio::spawn(async move { writer.send(vec![0; 10_000]).await });
    sleep(Duration::from_millis(10)).await;
    raw.write_all(CLOSE).await.unwrap();
    assert!(matches!(reader.next().await, Some(Ok(Message::Close(_)))));
    assert!(bounded(reader.next()).await.is_none());
    let sent = bounded(sending).await.unwrap();
    assert!(matches!(sent, Err(Error::TimedOut(Timeout::Close))), "{sent:?}");
}

/// The halves of the futures crate share one stream.
#[tokio::test(start_paused = true)]
async fn a_blocked_sink_ends_with_the_stream() {
    for half_close in [true, false] {
        let (a, mut raw) = duplex(64);
        let (mut sink, mut stream) = StreamExt::split(server(a));
        let sending =
            tokio::spawn(async move { sink.send(Message::binary(vec![0; 10_000])).await });
        sleep(Duration::from_millis(10)).await;
        if half_close {
            raw.shutdown().await.unwrap();
        } else {
            raw.write_all(CLOSE).await.unwrap();
        }
        while bounded(stream.next()).await.is_some() {}
        let sent = bounded(sending).await.unwrap();
        assert!(sent.is_err(), "half close {half_close}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_send_after_the_peers_close_ends() {
    let (a, mut raw) = duplex(64);
    let mut ws = server(a);
    ws.feed(vec![0; 10_000]).await.unwrap();
    raw.write_all(CLOSE).await.unwrap();
    assert!(matches!(ws.next().await, Some(Ok(Message::Close(_)))));
    let begun = Instant::now();
    let sent = bounded(ws.send("more")).await;
    assert!(matches!(sent, Err(Error::TimedOut(Timeout::Close))), "{sent:?}");
    assert_eq!(begun.elapsed(), Duration::from_secs(5));
    assert!(bounded(ws.next()).await.is_none());
}

/// The reply to the peer's Close does not leave, and the queue is full.
#[tokio::test(start_paused = true)]
async fn recv_and_queue_ends_after_a_close() {
    let (a, mut raw) = duplex(256);
    let options = Options::new().high_water(1);
    let mut ws = WebSocketStream::from_upgraded(a, Role::Server, None, b"", &options);
    raw.write_all(MESSAGE).await.unwrap();
    let (_, mut queue) = ws.recv_and_queue().await.unwrap().unwrap();
    queue.binary(&[0; 252]).unwrap(); // fills the pipe
    raw.write_all(CLOSE).await.unwrap();
    let event = bounded(ws.recv_and_queue()).await;
    assert!(matches!(event, Some(Ok((Event::Close(_), _)))));
    assert_eq!(ws.unsent(), 4);
    let begun = Instant::now();
    assert!(bounded(ws.recv_and_queue()).await.is_none());
    assert_eq!(begun.elapsed(), Duration::from_secs(5));
}

/// A transport whose reads never wait, and tokio's socket, which returns `Pending` now and then.
#[tokio::test]
async fn a_close_ends_although_the_peer_sends_without_end() {
    let limit = Duration::from_millis(100);
    let options = Options::new().close_timeout(Some(limit));
    let mut ws = script([], Some(MESSAGE), Write::Accepts, &options);
    let begun = Instant::now();
    let closed = ws.close(CloseCode::NORMAL, "").await;
    assert!(matches!(closed, Err(Error::TimedOut(Timeout::Close))), "{closed:?}");
    assert!((limit..10 * limit).contains(&begun.elapsed()), "{:?}", begun.elapsed());

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let flood = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let messages = MESSAGE.repeat(20_000);
        while io::Write::write_all(&mut socket, &messages).is_ok() {}
    });
    let socket = tokio::net::TcpStream::connect(address).await.unwrap();
    let mut ws = WebSocketStream::from_upgraded(socket, Role::Server, None, b"", &options);
    let begun = Instant::now();
    let closed = ws.close(CloseCode::NORMAL, "").await;
    assert!(matches!(closed, Err(Error::TimedOut(Timeout::Close))), "{closed:?}");
    assert!(begun.elapsed() < 20 * limit, "{:?}", begun.elapsed());
    drop(ws);
    flood.join().unwrap();
}

/// One poll reads a bounded number of times, if the parts of a message never end.
#[tokio::test]
async fn reads_without_an_event_give_way() {
    let header: &[u8] = b"\x82\xff\0\0\0\0\x01\0\0\0\0\0\0\0";
    let mut ws = script([Ok(header)], Some(b"x"), Write::Accepts, &Options::new());
    assert!(futures_util::poll!(Box::pin(ws.next())).is_pending());
    assert!(ws.get_ref().reads <= 64, "{}", ws.get_ref().reads);
}

#[tokio::test(start_paused = true)]
async fn the_cause_of_a_failed_write_is_told_to_both_sides() {
    let mut ws = script([Ok(MESSAGE)], None, Write::Fails, &Options::new());
    ws.feed("lost").await.unwrap();
    // The peer's last messages count.
    assert!(matches!(ws.next().await, Some(Ok(Message::Binary(_)))));
    assert!(tokio::time::timeout(Duration::from_millis(5), ws.next()).await.is_err());
    for told in
        [ws.flush().await, ws.send("x").await, bounded(ws.next()).await.unwrap().map(|_| ())]
    {
        let Err(Error::Io(error)) = told else { panic!("{told:?}") };
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
    assert!(ws.next().await.is_none());

    let mut ws = script([], None, Write::Fails, &Options::new());
    ws.feed("lost").await.unwrap();
    let Some(Err(Error::Io(error))) = bounded(ws.next()).await else { panic!() };
    assert_eq!(error.to_string(), "cut");
}

#[tokio::test(start_paused = true)]
async fn messages_that_were_read_ahead_come_before_the_failure() {
    let reset = || Err(io::ErrorKind::ConnectionReset.into());
    let mut ws = script([Ok(MESSAGE), reset()], None, Write::Blocks, &Options::new());
    assert!(matches!(ws.send("x").await, Err(Error::Io(_))));
    assert_eq!(ws.next().await.unwrap().unwrap(), Message::binary(&b"A"[..]));
    assert!(matches!(ws.next().await, Some(Err(Error::Io(_)))));
    assert!(ws.next().await.is_none());

    let mut ws = script([Ok(MESSAGE)], None, Write::Blocks, &Options::new());
    assert!(matches!(bounded(ws.send("x")).await, Err(Error::TimedOut(Timeout::Pong))));
    assert_eq!(ws.next().await.unwrap().unwrap(), Message::binary(&b"A"[..]));
    assert!(matches!(ws.next().await, Some(Err(Error::TimedOut(Timeout::Pong)))));
    assert!(ws.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_writer_watches_the_limits_without_its_reader() {
    let (a, _raw) = duplex(64);
    let (reader, mut writer) = server(a).split();
    drop(reader);
    let begun = Instant::now();
    let sent = bounded(writer.send(vec![0; 10_000])).await;
    assert!(matches!(sent, Err(Error::TimedOut(Timeout::Pong))), "{sent:?}");
    assert_eq!(begun.elapsed(), Duration::from_secs(50));

    // The reader is busy, and later reads what has arrived.
    let (a, mut raw) = duplex(64);
    let options = Options::new().idle_timeout(Some(Duration::from_secs(5)));
    let ws = WebSocketStream::from_upgraded(a, Role::Server, None, MESSAGE, &options);
    let (mut reader, mut writer) = ws.split();
    // The silence counts from when the transport is full.
    sleep(Duration::from_secs(60)).await;
    let begun = Instant::now();
    let sent = bounded(writer.send(vec![0; 10_000])).await;
    assert!(matches!(sent, Err(Error::TimedOut(Timeout::Idle))), "{sent:?}");
    assert_eq!(begun.elapsed(), Duration::from_secs(5));
    // A reader that looks late cannot tell that this one has arrived after the limit.
    raw.write_all(MESSAGE).await.unwrap();
    for _ in 0..2 {
        assert!(matches!(reader.next().await, Some(Ok(Message::Binary(_)))));
    }
    let end = reader.next().await;
    assert!(matches!(end, Some(Err(Error::TimedOut(Timeout::Idle)))), "{end:?}");
}

/// One read after the limit, in a task without budget too.
#[tokio::test(start_paused = true)]
async fn what_has_arrived_before_a_limit_passes_comes_before_the_failure() {
    let (a, mut raw) = duplex(4096);
    let (mut reader, mut writer) = server(a).split();
    raw.write_all(&MESSAGE.repeat(2)).await.unwrap();
    let sent = bounded(writer.send(vec![0; 1 << 20])).await;
    assert!(matches!(sent, Err(Error::TimedOut(Timeout::Pong))), "{sent:?}");
    let item = once_without_budget(reader.next()).await;
    assert!(matches!(item, Poll::Ready(Some(Ok(Message::Binary(_))))), "{item:?}");
    assert!(matches!(reader.next().await, Some(Ok(Message::Binary(_)))));
    raw.write_all(MESSAGE).await.unwrap(); // too late
    let end = reader.next().await;
    assert!(matches!(end, Some(Err(Error::TimedOut(Timeout::Pong)))), "{end:?}");
    assert!(reader.next().await.is_none());
}

/// The peer has closed in time.
#[tokio::test(start_paused = true)]
async fn a_busy_reader_receives_the_peers_close() {
    let (a, mut raw) = duplex(4096);
    let mut ws = server(a);
    ws.send(Message::Close(None)).await.unwrap();
    raw.write_all(MESSAGE).await.unwrap();
    assert!(matches!(ws.next().await, Some(Ok(Message::Binary(_)))));
    raw.write_all(MESSAGE).await.unwrap();
    raw.write_all(CLOSE).await.unwrap();
    sleep(Duration::from_secs(6)).await;
    assert!(matches!(ws.next().await, Some(Ok(Message::Binary(_)))));
    assert!(matches!(ws.next().await, Some(Ok(Message::Close(_)))));
    assert!(ws.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_sends_is_not_given_up_by_a_blocked_writer() {
    let (io, mut raw) = duplex(64 << 10);
    let (mut reader, mut writer) = server(io).split();
    let peer = tokio::spawn(async move {
        // A message of 7000 bytes, again and again: reads never wait.
        let mut message = b"\x82\xfe\x1b\x58\0\0\0\0".to_vec();
        message.resize(7008, 0);
        while raw.write_all(&message).await.is_ok() {}
    });
    let sending = tokio::spawn(async move { writer.send(vec![0; 100_000]).await });
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(300) {
        let message = bounded(reader.next()).await.expect("a message");
        assert!(message.is_ok(), "{:?} after {:?}", message.err(), begun.elapsed());
        sleep(Duration::from_secs(1)).await;
    }
    peer.abort();
    sending.abort();
}

/// A task without budget reads nothing, which is no silence of the peer.
#[tokio::test(start_paused = true)]
async fn a_poll_without_budget_gives_up_no_peer() {
    let (a, mut raw) = duplex(4096);
    let options = Options::new().ping_after(None).idle_timeout(Some(Duration::from_secs(300)));
    let mut ws = WebSocketStream::from_upgraded(a, Role::Server, None, b"", &options);
    assert!(once(ws.next()).is_pending()); // the timers run
    advance(Duration::from_secs(299)).await;
    raw.write_all(MESSAGE).await.unwrap();
    advance(Duration::from_secs(2)).await;
    assert!(once_without_budget(ws.next()).await.is_pending());
    assert!(matches!(ws.next().await, Some(Ok(Message::Binary(_)))));

    let (a, mut raw) = duplex(4096);
    let mut ws = server(a);
    assert!(once(ws.next()).is_pending());
    advance(Duration::from_secs(30)).await;
    assert!(once(ws.next()).is_pending());
    assert_eq!(raw.read_u16().await.unwrap(), 0x8900);
    raw.write_all(b"\x8a\x80\0\0\0\0").await.unwrap(); // a pong
    advance(Duration::from_secs(21)).await;
    assert!(once_without_budget(ws.next()).await.is_pending());
    assert!(matches!(ws.next().await, Some(Ok(Message::Pong(_)))));
}

/// The transport has space: that a task without budget writes nothing is no sign of life.
#[tokio::test(start_paused = true)]
async fn a_write_without_budget_is_no_sign_of_life() {
    let (a, _raw) = duplex(4096);
    let mut ws = server(a);
    let begun = Instant::now();
    assert!(once(ws.next()).is_pending());
    advance(Duration::from_secs(30)).await;
    assert!(once_without_budget(ws.next()).await.is_pending()); // a ping is due
    let end = bounded(ws.next()).await;
    assert!(matches!(end, Some(Err(Error::TimedOut(Timeout::Pong)))), "{end:?}");
    assert_eq!(begun.elapsed(), Duration::from_secs(50));

    let (a, _raw) = duplex(4096);
    let (mut reader, mut writer) = server(a).split();
    let begun = Instant::now();
    assert!(once(reader.next()).is_pending());
    advance(Duration::from_secs(20)).await;
    assert!(once_without_budget(writer.send("x")).await.is_pending());
    writer.flush().await.unwrap();
    let end = bounded(reader.next()).await;
    assert!(matches!(end, Some(Err(Error::TimedOut(Timeout::Pong)))), "{end:?}");
    assert_eq!(begun.elapsed(), Duration::from_secs(50));
}

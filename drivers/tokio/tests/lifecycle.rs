//! Opening, refusing, keepalive and closing.

mod common;

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::{once, pair};
use futures_util::SinkExt;
use sockless_tokio::{
    Acceptance, CloseCode, CloseFrame, Error, Message, MessageKind, Options, Refusal, Role,
    Timeout, WebSocketStream, accept, accept_with, client,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::time::Instant;

#[tokio::test]
async fn a_handshake_and_what_was_agreed() {
    let (a, b) = duplex(64);
    let server_options = Options::new().shared_compression();
    let client_options = Options::new()
        .shared_compression()
        .subprotocols(["chat.v2", "chat.v1"])
        .origin("https://example.com")
        .header("X-Token", "1");
    let server = accept_with(a, &server_options, |request| {
        assert_eq!(request.path(), "/chat");
        assert_eq!(request.origin(), Some(&b"https://example.com"[..]));
        assert_eq!(request.header("x-token"), Some(&b"1"[..]));
        Ok(Acceptance::new().subprotocol("chat.v1").header("X-Server", "2"))
    });
    let client = client("ws://localhost/chat?x=1", b, &client_options);
    let (server, client) = tokio::join!(server, client);
    let (mut server, mut client) = (server.unwrap(), client.unwrap());
    for ws in [&server, &client] {
        assert_eq!(ws.subprotocol(), Some("chat.v1"));
        assert!(ws.is_compressed());
    }
    let text = "Hello, ".repeat(1000);
    let (sent, received) = tokio::join!(client.send(text.clone()), server.next());
    sent.unwrap();
    assert_eq!(received.unwrap().unwrap(), Message::text(text));
    let ((), ()) = tokio::join!(
        async { server.close(CloseCode::GOING_AWAY, "restart").await.unwrap() },
        async {
            let close = CloseFrame { code: CloseCode::GOING_AWAY, reason: "restart".into() };
            assert_eq!(client.next().await.unwrap().unwrap(), Message::Close(Some(close)));
            assert!(client.next().await.is_none());
            assert!(client.next().await.is_none());
            assert!(matches!(client.send("late").await, Err(Error::Closed)));
        }
    );
}

#[tokio::test]
async fn a_server_chooses_of_its_subprotocols() {
    let (a, b) = duplex(1024);
    let server_options = Options::new().subprotocols(["v3", "v2"]);
    let client_options = Options::new().subprotocols(["v1", "v2"]);
    let (server, client) = tokio::join!(
        accept_with(a, &server_options, |_| Ok(Acceptance::new())),
        client("ws://localhost/", b, &client_options)
    );
    assert_eq!(server.unwrap().subprotocol(), Some("v2"));
    assert_eq!(client.unwrap().subprotocol(), Some("v2"));
}

#[tokio::test]
async fn a_refusal_tells_status_headers_and_body() {
    let (a, b) = duplex(64);
    let options = Options::new();
    let server = accept_with(a, &options, |_| {
        Err(Refusal::new(307).header("Location", "/elsewhere").body("moved ".repeat(2000)))
    });
    let (server, client) = tokio::join!(server, client("ws://localhost/", b, &options));
    assert!(matches!(server, Err(Error::Declined(307))));
    let Err(Error::Refused(refused)) = client else { panic!("{client:?}") };
    assert_eq!(refused.status(), 307);
    assert_eq!(refused.location(), Some("/elsewhere"));
    assert_eq!(refused.body().len(), 4096);
    assert!(refused.body().starts_with(b"moved moved"));
}

#[tokio::test]
async fn a_request_for_a_page_is_answered() {
    let (a, mut raw) = duplex(4096);
    let server = tokio::spawn(accept(a));
    raw.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    raw.read_to_string(&mut answer).await.unwrap();
    drop(raw);
    assert!(answer.starts_with("HTTP/1.1 426 "), "{answer}");
    assert!(matches!(server.await.unwrap(), Err(Error::Declined(426))));
}

#[tokio::test]
async fn an_invalid_request_is_answered() {
    let (a, mut raw) = duplex(4096);
    let server = tokio::spawn(accept(a));
    raw.write_all(
        b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
          Sec-WebSocket-Version: 8\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    )
    .await
    .unwrap();
    let mut answer = String::new();
    raw.read_to_string(&mut answer).await.unwrap();
    drop(raw);
    assert!(answer.starts_with("HTTP/1.1 426 "), "{answer}");
    assert!(matches!(server.await.unwrap(), Err(Error::Handshake(_))));
}

/// Frames that came with the head of the upgrade.
#[tokio::test]
async fn bytes_after_an_upgrade_are_received() {
    let (a, _raw) = duplex(64);
    let read = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58\x81";
    let mut ws = WebSocketStream::from_upgraded(a, Role::Server, None, read, &Options::new());
    assert_eq!(ws.next().await.unwrap().unwrap(), Message::text("Hello"));
    assert!(once(ws.next()).is_pending());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_says_nothing_is_not_waited_for() {
    let (a, _raw) = duplex(64);
    let begun = Instant::now();
    assert!(matches!(accept(a).await, Err(Error::TimedOut(Timeout::Handshake))));
    assert_eq!(begun.elapsed(), Duration::from_secs(10));
    let (a, _raw) = duplex(4096);
    let options = Options::new().handshake_timeout(Some(Duration::from_secs(3)));
    let begun = Instant::now();
    let opened = client("ws://localhost/", a, &options).await;
    assert!(matches!(opened, Err(Error::TimedOut(Timeout::Handshake))));
    assert_eq!(begun.elapsed(), Duration::from_secs(3));
}

#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_pinged_and_then_given_up() {
    let (a, mut raw) = duplex(4096);
    let mut ws = WebSocketStream::from_upgraded(a, Role::Server, None, b"", &Options::new());
    let begun = Instant::now();
    let waiting = tokio::spawn(async move { (ws.next().await, ws.next().await) });
    let mut ping = [0; 2];
    raw.read_exact(&mut ping).await.unwrap();
    assert_eq!(ping, [0x89, 0]);
    assert_eq!(begun.elapsed(), Duration::from_secs(30));
    // Any byte is an answer: here an unmasked length that is never whole.
    raw.write_all(&[0x8A]).await.unwrap();
    raw.read_exact(&mut ping).await.unwrap();
    assert_eq!(begun.elapsed(), Duration::from_secs(60));
    let (failed, ended) = waiting.await.unwrap();
    assert!(matches!(failed, Some(Err(Error::TimedOut(Timeout::Pong)))), "{failed:?}");
    assert!(ended.is_none());
    assert_eq!(begun.elapsed(), Duration::from_secs(80));
}

#[tokio::test(start_paused = true)]
async fn two_silent_peers_keep_each_other_alive() {
    let (mut a, mut b) = pair(64, &Options::new(), false);
    let begun = Instant::now();
    let mut pongs = 0;
    tokio::spawn(async move { while b.next().await.is_some() {} });
    while begun.elapsed() < Duration::from_secs(3600) {
        match a.next().await.unwrap().unwrap() {
            Message::Pong(_) => pongs += 1,
            Message::Ping(_) => {}
            other => panic!("{other:?}"),
        }
    }
    assert!((50..=130).contains(&pongs), "{pongs}");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_close_is_not_waited_for() {
    let (a, mut raw) = duplex(4096);
    let mut ws = WebSocketStream::from_upgraded(a, Role::Server, None, b"", &Options::new());
    let begun = Instant::now();
    let closed = ws.close(CloseCode::NORMAL, "bye").await;
    assert!(matches!(closed, Err(Error::TimedOut(Timeout::Close))), "{closed:?}");
    assert_eq!(begun.elapsed(), Duration::from_secs(5));
    let mut close = [0; 7];
    raw.read_exact(&mut close).await.unwrap();
    assert_eq!(&close, b"\x88\x05\x03\xe8bye");
}

/// The peer's Close is answered, our direction is shut down, and the peer's is waited for.
#[tokio::test(start_paused = true)]
async fn the_end_of_the_stream_is_waited_for_after_a_close() {
    let (a, mut raw) = duplex(4096);
    let mut ws = WebSocketStream::from_upgraded(a, Role::Server, None, b"", &Options::new());
    raw.write_all(b"\x88\x82\0\0\0\0\x03\xe8").await.unwrap();
    assert!(matches!(ws.next().await, Some(Ok(Message::Close(Some(_))))));
    let begun = Instant::now();
    let ending = tokio::spawn(async move { ws.next().await.is_none() });
    let mut rest = Vec::new();
    raw.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, b"\x88\x02\x03\xe8");
    assert!(!ending.is_finished());
    // It sends on as if it had not noticed.
    raw.write_all(&[0; 1000]).await.unwrap();
    assert!(ending.await.unwrap());
    assert_eq!(begun.elapsed(), Duration::from_secs(5));
}

/// A client does not shut its direction down before the server has ended the stream.
#[tokio::test(start_paused = true)]
async fn a_client_waits_for_the_server_to_end_the_stream() {
    let (a, mut raw) = duplex(4096);
    let mut ws = WebSocketStream::from_upgraded(a, Role::Client, None, b"", &Options::new());
    let closing = tokio::spawn(async move { ws.close(CloseCode::NORMAL, "").await });
    let mut close = [0; 8];
    raw.read_exact(&mut close).await.unwrap();
    raw.write_all(b"\x88\x02\x03\xe8").await.unwrap();
    let more = tokio::time::timeout(Duration::from_secs(1), raw.read(&mut close)).await;
    assert!(more.is_err(), "it ended first: {more:?}");
    assert!(!closing.is_finished());
    raw.shutdown().await.unwrap();
    closing.await.unwrap().unwrap();
    assert_eq!(raw.read(&mut close).await.unwrap(), 0);
}

#[tokio::test]
async fn a_violation_is_told_to_both() {
    let (a, mut raw) = duplex(4096);
    let mut ws = WebSocketStream::from_upgraded(a, Role::Server, None, b"", &Options::new());
    raw.write_all(b"\x81\x01x").await.unwrap(); // not masked
    let failed = ws.next().await;
    assert!(matches!(failed, Some(Err(Error::Protocol(_)))), "{failed:?}");
    let mut close = [0; 4];
    raw.read_exact(&mut close).await.unwrap();
    assert_eq!(&close, b"\x88\x02\x03\xea");
    assert!(matches!(ws.send("more").await, Err(Error::Closed)));
    drop(raw);
    assert!(ws.next().await.is_none());
}

#[tokio::test]
async fn a_stream_that_ends_without_a_close_is_an_error() {
    let (a, raw) = duplex(4096);
    let mut ws = WebSocketStream::from_upgraded(a, Role::Server, None, b"", &Options::new());
    drop(raw);
    assert!(matches!(ws.next().await, Some(Err(Error::UnexpectedEnd))));
    assert!(ws.next().await.is_none());
}

/// The reader answers pings and Closes while the writer sleeps.
#[tokio::test]
async fn the_reader_replies_while_the_writer_sleeps() {
    let (a, mut raw) = duplex(4096);
    let ws = WebSocketStream::from_upgraded(a, Role::Server, None, b"", &Options::new());
    let (mut reader, mut writer) = ws.split();
    raw.write_all(b"\x89\x81\0\0\0\0x\x88\x80\0\0\0\0").await.unwrap();
    assert!(matches!(reader.next().await, Some(Ok(Message::Ping(_)))));
    assert!(matches!(reader.next().await, Some(Ok(Message::Close(None)))));
    let mut replies = [0; 5];
    raw.read_exact(&mut replies).await.unwrap();
    assert_eq!(&replies, b"\x8a\x01x\x88\x00");
    assert!(matches!(writer.send("late").await, Err(Error::Closed)));
    drop(raw);
    assert!(reader.next().await.is_none());
}

/// The reader waits for the peer, and is woken once for several messages.
#[tokio::test(start_paused = true)]
async fn a_reader_that_waits_writes_what_is_fed() {
    let (a, mut raw) = duplex(4096);
    let ws = WebSocketStream::from_upgraded(a, Role::Server, None, b"", &Options::new());
    let (mut reader, mut writer) = ws.split();
    let polls = Arc::new(AtomicUsize::new(0));
    let count = polls.clone();
    tokio::spawn(async move {
        let mut next = pin!(reader.next());
        poll_fn(|cx| {
            count.fetch_add(1, Ordering::Relaxed);
            next.as_mut().poll(cx)
        })
        .await
        .is_some()
    });
    let begun = Instant::now();
    tokio::task::yield_now().await;
    assert_eq!(polls.load(Ordering::Relaxed), 1);
    writer.feed("a").await.unwrap();
    writer.feed("b").await.unwrap();
    writer.feed_fragment(MessageKind::Text, b"c", true).await.unwrap();
    let mut bytes = [0; 9];
    raw.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes, b"\x81\x01a\x81\x01b\x81\x01c");
    writer.feed_fragment(MessageKind::Text, b"d", true).await.unwrap();
    raw.read_exact(&mut bytes[..3]).await.unwrap();
    assert_eq!(polls.load(Ordering::Relaxed), 3);
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

/// The reader waits for the peer, and is not woken for what the sink has queued.
#[tokio::test(start_paused = true)]
async fn a_reader_that_waits_writes_what_is_fed_after_a_sink() {
    let (a, mut raw) = duplex(4096);
    let ws = WebSocketStream::from_upgraded(a, Role::Server, None, b"", &Options::new());
    let (mut reader, mut writer) = ws.split();
    tokio::spawn(async move { reader.next().await.is_some() });
    let begun = Instant::now();
    tokio::task::yield_now().await;
    SinkExt::feed(&mut writer, Message::text("a")).await.unwrap();
    writer.feed("b").await.unwrap();
    let mut bytes = [0; 6];
    raw.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes, b"\x81\x01a\x81\x01b");
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

/// The limit of the closing handshake starts when the writer sends its Close.
#[tokio::test(start_paused = true)]
async fn a_writers_close_starts_the_readers_limit() {
    let (a, _raw) = duplex(4096);
    let ws = WebSocketStream::from_upgraded(a, Role::Server, None, b"", &Options::new());
    let (mut reader, mut writer) = ws.split();
    let reading = tokio::spawn(async move { reader.next().await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let begun = Instant::now();
    writer.close(CloseCode::NORMAL, "").await.unwrap();
    let ended = reading.await.unwrap();
    assert!(matches!(ended, Some(Err(Error::TimedOut(Timeout::Close)))), "{ended:?}");
    assert_eq!(begun.elapsed(), Duration::from_secs(5));
}

#[tokio::test]
async fn halves_are_put_together() {
    let (a, mut b) = pair(64, &Options::new(), true);
    let (c, _d) = pair(64, &Options::new(), true);
    let (reader, writer) = a.split();
    let (other_reader, other_writer) = c.split();
    let error = reader.reunite(other_writer).unwrap_err();
    let mut a = error.0.reunite(writer).unwrap();
    drop((error.1, other_reader));
    let text = "x".repeat(500);
    let (sent, received) = tokio::join!(a.send(text.clone()), b.next());
    sent.unwrap();
    assert_eq!(received.unwrap().unwrap(), Message::text(text));
}

#[tokio::test]
async fn a_full_queue_holds_back() {
    let (mut a, mut b) = pair(64, &Options::new().high_water(1000), false);
    let mut fed = 0;
    while fed < 100 && once(a.feed(vec![7; 100])).is_ready() {
        fed += 1;
    }
    assert!((10..=12).contains(&fed), "{fed}");
    assert!(a.unsent() <= 1000 + 110);
    let (flushed, ()) = tokio::join!(a.flush(), async {
        for _ in 0..fed {
            assert_eq!(b.next().await.unwrap().unwrap(), Message::binary(vec![7; 100]));
        }
    });
    flushed.unwrap();
    assert_eq!(a.unsent(), 0);
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused() {
    let (mut a, _b) = pair(4096, &Options::new(), false);
    let ping = Message::Ping(vec![0; 126].into());
    assert!(matches!(a.send(ping).await, Err(Error::Misuse(_))));
    assert!(matches!(a.close(CloseCode::ABNORMAL, "").await, Err(Error::Misuse(_))));
    a.send("still open").await.unwrap();
}

/// Fragments with a ping between them, cut anywhere, and several messages in one read.
#[tokio::test]
async fn fragments_are_put_together_wherever_they_are_cut() {
    let bytes: &[u8] = b"\x01\x80\0\0\0\0\x00\x82\0\0\0\0He\x89\x80\0\0\0\0\x80\x83\0\0\0\0llo\
        \x02\x81\0\0\0\0a\x80\x81\0\0\0\0b\x81\x81\0\0\0\0c";
    for cut in 0..=bytes.len() {
        let (a, mut raw) = duplex(4096);
        let mut ws = WebSocketStream::from_upgraded(a, Role::Server, None, b"", &Options::new());
        raw.write_all(&bytes[..cut]).await.unwrap();
        let receiving = tokio::spawn(async move {
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
            let mut received = Vec::new();
            while let Some(Ok(message)) = ws.next().await {
                received.push(message);
            }
            received
        });
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        raw.write_all(&bytes[cut..]).await.unwrap();
        raw.shutdown().await.unwrap();
        let received = receiving.await.unwrap();
        let expected = [
            Message::Ping(Default::default()),
            Message::text("Hello"),
            Message::binary(b"ab".to_vec()),
            Message::text("c"),
        ];
        assert_eq!(received, expected, "cut at {cut}");
    }
}

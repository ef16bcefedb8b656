//! Two peers that send in bulk to each other through a narrow pipe do not wait for each other for
//! ever.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::{numbered, pair};
use futures_util::{SinkExt, StreamExt};
use sockless_tokio::{Event, Message, Options, Role, WebSocketStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufWriter, DuplexStream};

type Stream = WebSocketStream<DuplexStream>;

/// Pipe sizes, and how many bytes each peer sends through them.
const PIPES: [(usize, usize); 3] = [(1, 20_000), (64, 500_000), (4096, 10 << 20)];

async fn bounded(what: &str, run: impl Future<Output = ()>) {
    tokio::time::timeout(Duration::from_secs(120), run)
        .await
        .unwrap_or_else(|_| panic!("{what}: hangs"));
}

/// Sends all before it reads anything.
async fn send_then_receive(mut ws: Stream, count: u64, len: usize) {
    for number in 0..count {
        ws.send(numbered(number, len)).await.unwrap();
    }
    for number in 0..count {
        let message = ws.next().await.unwrap().unwrap();
        assert_eq!(message.payload(), numbered(number, message.payload().len()));
    }
    ws.flush().await.unwrap();
}

#[tokio::test]
async fn unsplit_peers_that_send_before_they_read() {
    for (pipe, bytes) in PIPES {
        for compressed in [false, true] {
            for len in [100, 5000, bytes] {
                let (a, b) = pair(pipe, &Options::new(), compressed);
                let count = (bytes / len) as u64;
                bounded(&format!("pipe {pipe}, compressed {compressed}, len {len}"), async {
                    tokio::join!(
                        send_then_receive(a, count, len),
                        send_then_receive(b, count, len)
                    );
                })
                .await;
            }
        }
    }
}

/// One end echoes by `recv_and_queue`, the other sends before it reads. Messages of 40,000 bytes
/// are written from the read buffer, and what the pipe does not take of them is copied.
#[tokio::test]
async fn an_echo_of_bulk() {
    for (pipe, bytes) in PIPES {
        for (compressed, len) in [(false, 5000), (false, 40_000), (true, 5000)] {
            let (mut a, b) = pair(pipe, &Options::new(), compressed);
            let count = (bytes / len).max(1) as u64;
            bounded(&format!("pipe {pipe}, compressed {compressed}, len {len}"), async {
                let echo = async {
                    for _ in 0..count {
                        match a.recv_and_queue().await.unwrap().unwrap() {
                            (Event::Binary(bytes), mut queue) => queue.binary(bytes).unwrap(),
                            (event, _) => panic!("{event:?}"),
                        }
                    }
                    a.flush().await.unwrap();
                };
                tokio::join!(echo, send_then_receive(b, count, len));
            })
            .await;
        }
    }
}

/// Several answers to one message, each larger than the pipe.
#[tokio::test]
async fn several_large_answers_to_one_message() {
    let (mut a, mut b) = pair(1000, &Options::new(), false);
    let text = "é".repeat(30_000);
    bounded("answers", async {
        let answers = async {
            let (_, mut queue) = a.recv_and_queue().await.unwrap().unwrap();
            queue.binary(&numbered(0, 50_000)).unwrap();
            queue.text(&text).unwrap();
            queue.binary(b"short").unwrap();
            queue.binary(&numbered(1, 50_000)).unwrap();
            a.flush().await.unwrap();
        };
        let asks = async {
            b.send("?").await.unwrap();
            let expected = [
                Message::binary(numbered(0, 50_000)),
                Message::text(&text[..]),
                Message::binary(&b"short"[..]),
                Message::binary(numbered(1, 50_000)),
            ];
            for message in expected {
                assert_eq!(b.next().await.unwrap().unwrap(), message);
            }
        };
        tokio::join!(answers, asks);
    })
    .await;
}

#[tokio::test]
async fn split_peers_in_four_tasks() {
    for (pipe, bytes) in PIPES {
        for compressed in [false, true] {
            let (a, b) = pair(pipe, &Options::new(), compressed);
            let count = (bytes / 5000) as u64;
            bounded(&format!("pipe {pipe}, compressed {compressed}"), async {
                let mut tasks = tokio::task::JoinSet::new();
                for ws in [a, b] {
                    let (mut reader, mut writer) = ws.split();
                    tasks.spawn(async move {
                        for number in 0..count {
                            writer.send(numbered(number, 5000)).await.unwrap();
                        }
                        // The writer stays until all was received.
                        tokio::time::sleep(Duration::from_millis(1)).await;
                    });
                    tasks.spawn(async move {
                        for number in 0..count {
                            let message = reader.next().await.unwrap().unwrap();
                            assert_eq!(
                                message.payload(),
                                numbered(number, message.payload().len())
                            );
                        }
                    });
                }
                while let Some(done) = tasks.join_next().await {
                    done.unwrap();
                }
            })
            .await;
        }
    }
}

/// The halves of the futures crate share one stream between two tasks.
#[tokio::test]
async fn split_by_futures() {
    for (pipe, bytes) in PIPES {
        let (a, b) = pair(pipe, &Options::new(), false);
        let count = (bytes / 5000) as u64;
        bounded(&format!("pipe {pipe}"), async {
            let mut tasks = tokio::task::JoinSet::new();
            for ws in [a, b] {
                let (mut sink, mut stream) = StreamExt::split(ws);
                tasks.spawn(async move {
                    for number in 0..count {
                        sink.send(Message::binary(numbered(number, 5000))).await.unwrap();
                    }
                });
                tasks.spawn(async move {
                    for number in 0..count {
                        let message = stream.next().await.unwrap().unwrap();
                        assert_eq!(message.payload()[..8], number.to_be_bytes());
                    }
                });
            }
            while let Some(done) = tasks.join_next().await {
                done.unwrap();
            }
        })
        .await;
    }
}

/// A peer that sends pings and reads nothing costs a bounded amount of memory: one pong waits.
#[tokio::test]
async fn pings_of_a_peer_that_does_not_read() {
    let (a, mut raw) = tokio::io::duplex(64);
    let mut ws = WebSocketStream::from_upgraded(a, Role::Server, None, b"", &Options::new());
    let sending = tokio::spawn(async move {
        for _ in 0..20_000 {
            let mut frame = vec![0x89, 0x80 | 100, 0, 0, 0, 0];
            frame.extend([b'p'; 100]);
            raw.write_all(&frame).await.unwrap();
        }
        raw
    });
    for _ in 0..20_000 {
        assert!(matches!(ws.next().await, Some(Ok(Message::Ping(_)))));
    }
    let raw = sending.await.unwrap();
    assert!(ws.unsent() < 8 << 10, "{}", ws.unsent());
    drop(raw);
}

/// A peer whose pings never end, and that reads as fast as the pongs come. Returns the number of
/// bytes that it has read.
fn ping_without_end(raw: DuplexStream) -> Arc<AtomicUsize> {
    let (mut from, mut to) = tokio::io::split(raw);
    tokio::spawn(async move {
        let mut ping = b"\x89\xfd\0\0\0\0".to_vec();
        ping.extend([0; 125]);
        while to.write_all(&ping).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    let count = Arc::new(AtomicUsize::new(0));
    let read = count.clone();
    tokio::spawn(async move {
        let mut bytes = [0; 127];
        while from.read_exact(&mut bytes).await.is_ok() {
            read.fetch_add(bytes.len(), Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    count
}

/// Pongs follow a message without end, which nobody waits for. The transport has a buffer, so the
/// message is written only when it is flushed.
#[tokio::test(start_paused = true)]
async fn a_send_ends_although_pongs_follow_it() {
    const LEN: usize = 12_700;
    for high_water in [1, 64 << 10] {
        let options = Options::new().high_water(high_water);
        let (a, raw) = tokio::io::duplex(512);
        let (reader, writer) = tokio::io::split(a);
        let io = tokio::io::join(reader, BufWriter::new(writer));
        let ws = WebSocketStream::from_upgraded(io, Role::Server, None, b"", &options);
        let (mut reader, mut writer) = ws.split();
        let read = ping_without_end(raw);
        let reading = tokio::spawn(async move { while let Some(Ok(_)) = reader.next().await {} });
        bounded("send", async {
            writer.send(vec![0; LEN]).await.unwrap();
            assert!(read.load(Ordering::Relaxed) + 512 >= LEN);
            writer.feed("x").await.unwrap();
            writer.flush().await.unwrap();
            SinkExt::send(&mut writer, Message::binary(vec![0; LEN])).await.unwrap();
            assert!(read.load(Ordering::Relaxed) + 512 >= 2 * LEN);
            writer.feed(vec![0; LEN]).await.unwrap();
            writer.feed("x").await.unwrap();
            assert!(high_water > 1 || read.load(Ordering::Relaxed) + 512 >= 3 * LEN);
        })
        .await;
        reading.abort();
    }
}

/// The messages leave, and the ping of the keepalive after them does not.
#[tokio::test(start_paused = true)]
async fn a_send_ends_although_a_ping_follows_it() {
    let options = Options::new().ping_after(Some(Duration::from_secs(1))).pong_timeout(None);
    for buffered in [0, 200] {
        let (a, mut raw) = tokio::io::duplex(64);
        let (reader, writer) = tokio::io::split(a);
        let io = tokio::io::join(reader, BufWriter::with_capacity(buffered, writer));
        let mut ws = WebSocketStream::from_upgraded(io, Role::Server, None, b"", &options);
        let read = async {
            tokio::time::sleep(Duration::from_millis(1500)).await;
            raw.read_exact(&mut [0; 102 - 64]).await.unwrap();
        };
        bounded("send", async {
            let (sent, ()) = tokio::join!(ws.send(vec![7; 100]), read);
            sent.unwrap();
        })
        .await;
    }
}

/// The halves of the futures crate share one stream.
#[tokio::test(start_paused = true)]
async fn a_sink_ends_although_pongs_follow_it() {
    let (a, raw) = tokio::io::duplex(512);
    let ws = WebSocketStream::from_upgraded(a, Role::Server, None, b"", &Options::new());
    let (mut sink, mut stream) = StreamExt::split(ws);
    ping_without_end(raw);
    let reading = tokio::spawn(async move { while let Some(Ok(_)) = stream.next().await {} });
    bounded("send", async {
        sink.send(Message::binary(vec![0; 12_700])).await.unwrap();
    })
    .await;
    reading.abort();
}

/// While a send waits, one largest message is read ahead, also behind a message that was received.
#[tokio::test(start_paused = true)]
async fn one_largest_message_is_read_ahead() {
    const LARGEST: usize = 100_000;
    let options =
        Options::new().max_message_size(LARGEST as u64).ping_after(None).close_timeout(None);
    let (a, b) = tokio::io::duplex(64);
    let mut a = WebSocketStream::from_upgraded(a, Role::Server, None, b"", &options);
    let mut b = WebSocketStream::from_upgraded(b, Role::Client, None, b"", &options);
    let a = async {
        a.send(Message::binary(vec![1; 50_000])).await.unwrap();
        assert_eq!(a.next().await.unwrap().unwrap().payload().len(), 5_000);
        a.send(Message::binary(vec![2; LARGEST])).await.unwrap();
        assert_eq!(a.next().await.unwrap().unwrap().payload().len(), LARGEST);
    };
    let b = async {
        b.send(Message::binary(vec![3; 5_000])).await.unwrap();
        b.send(Message::binary(vec![4; LARGEST])).await.unwrap();
        assert_eq!(b.next().await.unwrap().unwrap().payload().len(), 50_000);
        assert_eq!(b.next().await.unwrap().unwrap().payload().len(), LARGEST);
    };
    let both = async {
        tokio::join!(a, b);
    };
    bounded("read ahead", both).await;
}

//! The memory of an idle connection, beside that of tokio-tungstenite, and of an idle sender.

#[path = "../../../tests/common/allocator.rs"]
#[allow(dead_code)]
mod allocator;

use allocator::{Counting, cost_of};
use futures_util::{SinkExt, StreamExt};
use sockless_tokio::{Message, Options, Role, WebSocketStream, accept, client};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

#[global_allocator]
static COUNTING: Counting = Counting;

const CONNECTIONS: usize = 10_000;

/// "Hello" as a server receives it, and its echo.
const MASKED: &[u8] = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
const ECHO: &[u8] = b"\x81\x05Hello";

/// Pipes that have been used in both directions, so that their own memory is there.
async fn pipes() -> (Vec<DuplexStream>, Vec<DuplexStream>) {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..CONNECTIONS {
        let (mut a, mut b) = duplex(64);
        let mut bytes = [0; 64];
        for _ in 0..4 {
            a.write_all(&[0; 64]).await.unwrap();
            b.read_exact(&mut bytes).await.unwrap();
            b.write_all(&[0; 64]).await.unwrap();
            a.read_exact(&mut bytes).await.unwrap();
        }
        ours.push(a);
        theirs.push(b);
    }
    (ours, theirs)
}

/// Runs `work` on a runtime of this thread and returns the bytes that each connection keeps.
fn each<T>(runtime: &tokio::runtime::Runtime, work: impl Future<Output = T>) -> (T, isize) {
    let (kept, cost) = cost_of(|| runtime.block_on(work));
    (kept, cost.left / CONNECTIONS as isize)
}

#[test]
fn an_idle_connection_keeps_less_than_a_kibibyte() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ((ours, mut theirs), _) = each(&runtime, pipes());
    let (streams, sockless) = each(&runtime, async {
        let options = Options::new();
        let mut streams = Vec::with_capacity(CONNECTIONS);
        for (io, peer) in ours.into_iter().zip(&mut theirs) {
            let mut ws = WebSocketStream::from_upgraded(io, Role::Server, None, b"", &options);
            peer.write_all(MASKED).await.unwrap();
            assert_eq!(ws.next().await.unwrap().unwrap(), Message::text("Hello"));
            ws.send("Hello").await.unwrap();
            let mut echo = [0; ECHO.len()];
            peer.read_exact(&mut echo).await.unwrap();
            assert_eq!(echo, ECHO);
            // It waits for the next message, with its timers set.
            assert!(futures_util::poll!(Box::pin(ws.next())).is_pending());
            streams.push(ws);
        }
        streams
    });
    drop((streams, theirs));

    let ((ours, mut theirs), _) = each(&runtime, pipes());
    let (streams, tungstenite) = each(&runtime, async {
        use tokio_tungstenite::tungstenite::protocol::Role;
        let mut streams = Vec::with_capacity(CONNECTIONS);
        for (io, peer) in ours.into_iter().zip(&mut theirs) {
            let role = Role::Server;
            let mut ws = tokio_tungstenite::WebSocketStream::from_raw_socket(io, role, None).await;
            peer.write_all(MASKED).await.unwrap();
            let message = ws.next().await.unwrap().unwrap();
            ws.send(message).await.unwrap();
            let mut echo = [0; ECHO.len()];
            peer.read_exact(&mut echo).await.unwrap();
            assert!(futures_util::poll!(Box::pin(ws.next())).is_pending());
            streams.push(ws);
        }
        streams
    });
    drop((streams, theirs));
    println!("bytes for each idle connection: {sockless}, of tokio-tungstenite {tungstenite}");
    assert!(sockless <= 1024, "{sockless} bytes for each connection");
}

#[test]
fn an_idle_sender_keeps_no_buffer() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ((ours, mut theirs), _) = each(&runtime, pipes());
    let (streams, cost) = each(&runtime, async {
        let options = Options::new();
        let mut streams = Vec::with_capacity(CONNECTIONS);
        for (io, peer) in ours.into_iter().zip(&mut theirs) {
            let mut ws = WebSocketStream::from_upgraded(io, Role::Server, None, b"", &options);
            // More than the pipe has space for, so the send waits and reads ahead.
            let mut bytes = [0; 102];
            let (sent, read) = tokio::join!(ws.send(vec![0; 100]), peer.read_exact(&mut bytes));
            sent.unwrap();
            read.unwrap();
            streams.push(ws);
        }
        streams
    });
    drop((streams, theirs));
    assert!(cost <= 1024, "{cost} bytes for each connection");
}

/// Checks that an open connection gives back the buffer of its handshake, even if it only sends and
/// never waits.
#[test]
fn an_open_connection_that_never_waits_keeps_no_buffer() {
    const PAIRS: usize = 1000;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let options = Options::new();
    let (pairs, cost) = cost_of(|| {
        runtime.block_on(async {
            let mut pairs = Vec::with_capacity(PAIRS);
            for _ in 0..PAIRS {
                let (a, b) = duplex(1024);
                let (a, b) = tokio::join!(accept(a), client("ws://a/", b, &options));
                let (mut a, mut b) = (a.unwrap(), b.unwrap());
                a.send("Hello").await.unwrap();
                b.send("Hello").await.unwrap();
                pairs.push((a, b));
            }
            pairs
        })
    });
    // Both ends, and the pipe between them. The buffers of two handshakes take 16 KiB.
    let each = cost.left / PAIRS as isize;
    assert!(each < 4096, "{each} bytes");
    drop(pairs);
}

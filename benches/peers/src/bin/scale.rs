//! Measures how sockless scales: the memory of a million idle connections, and the cost per unit
//! of work as work grows.
//!
//!     cargo run --release --bin scale

use std::hint::black_box;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use sockless::handshake::Accept;
use sockless::{Config, Event, GrowableBuffer, ReadBuffer, Server, WebSocket, WriteBuffer};

const CONNECTIONS: usize = 1_000_000;
const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
const REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\n";

fn main() {
    println!("A million idle connections\n");
    println!("| what a connection keeps | size_of | resident, measured |\n|---|---:|---:|");
    idle("the machine; two buffers for all", open);
    idle("the machine and its own growing buffers, released", |rx, tx| {
        let (read, write) = (ReadBuffer::growing(1 << 20), WriteBuffer::growing(1 << 20));
        (open(rx, tx), read, write)
    });

    println!("\nCost per unit as the work grows\n");
    println!("| work | units | cost per unit | last / first |\n|---|---:|---:|---:|");
    grow("1-byte fragments of one message, ns each", [100, 1000, 10_000, 100_000], fragments);
    grow("head dripped byte by byte, ns per byte", [300, 1000, 4000, 16_000], dripped);
    grow("one message in 1460 B reads, ns per KiB", [64, 512, 4096, 32_768], |n| {
        message(n << 10, 1460)
    });
    grow("one message in 16 KiB reads, ns per KiB", [64, 512, 4096, 32_768], |n| {
        message(n << 10, 16 << 10)
    });
    grow("pings while nothing is written, ns each", [100, 1000, 10_000, 200_000], pings);
}

/// A connection after its handshake and one message, driven like a server with shared buffers.
fn open(rx: &mut ReadBuffer<[u8; 4096]>, tx: &mut WriteBuffer<[u8; 4096]>) -> WebSocket<Server> {
    let mut ws = WebSocket::server(Config::default());
    let _ = rx.extend(REQUEST);
    let _ = rx.extend(b"\r\n");
    let Some(Event::UpgradeRequest(request)) = ws.receive(rx, tx) else {
        panic!("an upgrade was asked for")
    };
    ws.accept(&request, Accept::new(), tx).expect("it fits");
    let _ = rx.extend(&frame(0x82, b"hello"));
    assert!(matches!(ws.receive(rx, tx), Some(Event::Binary(b"hello"))));
    assert!(ws.receive(rx, tx).is_none());
    assert!(rx.is_empty());
    tx.clear();
    ws
}

fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: usize = status.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages * rustix::param::page_size()
}

fn idle<T>(
    name: &str,
    make: impl Fn(&mut ReadBuffer<[u8; 4096]>, &mut WriteBuffer<[u8; 4096]>) -> T,
) {
    let (mut rx, mut tx) = (ReadBuffer::new([0; 4096]), WriteBuffer::new([0; 4096]));
    let before = resident();
    let connections: Vec<T> = (0..CONNECTIONS).map(|_| make(&mut rx, &mut tx)).collect();
    let after = resident();
    black_box(&connections);
    let each = after.saturating_sub(before) as f64 / CONNECTIONS as f64;
    println!("| {name} | {} B | {each:.1} B |", size_of::<T>());
}

fn now() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Returns the fastest of a few runs, in nanoseconds per unit, for each amount of work.
fn grow(name: &str, amounts: [usize; 4], work: impl Fn(usize) -> Duration) {
    let costs = amounts.map(|amount| {
        let repeats = (20_000 / amount).clamp(3, 50);
        let least = (0..repeats).map(|_| work(amount)).min().unwrap_or_default();
        least.as_secs_f64() * 1e9 / amount as f64
    });
    let amounts = amounts.map(|amount| amount.to_string()).join(", ");
    let ratio = costs[3] / costs[0];
    let costs = costs.map(|cost| format!("{cost:.1}")).join(", ");
    println!("| {name} | {amounts} | {costs} | {ratio:.2} |");
}

fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..126 => frame.push(0x80 | length as u8),
        length @ 126..65536 => {
            frame.push(0x80 | 126);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend(KEY);
    frame.extend(payload.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

/// Feeds a stream in reads of so many bytes and counts the whole messages.
fn feed(stream: &[u8], read: usize, rx: &mut ReadBuffer<GrowableBuffer>) -> (Duration, usize) {
    let mut ws = WebSocket::from_upgraded(Server, Config::default());
    let mut tx = WriteBuffer::new([0; 8192]);
    let mut messages = 0;
    let start = now();
    let mut rest = stream;
    while !rest.is_empty() {
        let space = rx.space();
        let (now, later) = rest.split_at(read.min(space.len()).min(rest.len()));
        space[..now.len()].copy_from_slice(now);
        let length = now.len();
        rest = later;
        rx.filled(length);
        while let Some(event) = ws.receive(rx, &mut tx) {
            messages += usize::from(matches!(event, Event::Binary(_)));
            assert!(!matches!(event, Event::Failed(_)), "{event:?}");
        }
    }
    assert!(tx.len() <= 8192);
    (now() - start, messages)
}

fn fragments(count: usize) -> Duration {
    let mut stream = frame(0x02, b"x");
    (2..count).for_each(|_| stream.extend(frame(0x00, b"x")));
    stream.extend(frame(0x80, b"x"));
    let (took, messages) = feed(&stream, 16 << 10, &mut ReadBuffer::growing(64 << 20));
    assert_eq!(messages, 1);
    took
}

fn message(size: usize, read: usize) -> Duration {
    let stream = frame(0x82, &vec![7; size]);
    let mut rx = ReadBuffer::growing(64 << 20);
    // The first message makes the buffer grow. Growth is linear too, but the allocator's work is
    // not measured here.
    feed(&stream, read, &mut rx);
    let (took, messages) = feed(&stream, read, &mut rx);
    assert_eq!(messages, 1);
    took
}

fn pings(count: usize) -> Duration {
    let stream = frame(0x89, b"sixteen bytes ok").repeat(count);
    feed(&stream, 16 << 10, &mut ReadBuffer::growing(64 << 20)).0
}

fn dripped(size: usize) -> Duration {
    let mut head = REQUEST.to_vec();
    head.extend(b"X-Fill: ");
    head.resize(size - 4, b'x');
    head.extend(b"\r\n\r\n");
    let (mut rx, mut tx) = (ReadBuffer::new([0; 16 << 10]), WriteBuffer::new([0; 512]));
    let mut ws = WebSocket::server(Config::default());
    let start = now();
    for byte in &head {
        rx.space()[0] = *byte;
        rx.filled(1);
        if let Some(event) = ws.receive(&mut rx, &mut tx) {
            assert!(matches!(event, Event::UpgradeRequest(_)), "{event:?}");
        }
    }
    now() - start
}

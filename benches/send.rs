//! Measures sending: a message written to the buffer and drained, as a server and as a client.

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use sockless::deflate::{Context, DeflateConfig, DeflateParams, Pool, WindowBits};
use sockless::{
    Broadcast, Client, Config, Entropy, FnEntropy, Role, Sender, Server, WebSocket, WriteBuffer,
};

fn main() {
    divan::main();
}

const SIZES: [usize; 5] = [16, 125, 1 << 10, 16 << 10, 1 << 20];

/// A source of keys at almost no cost.
fn client() -> Client<impl Entropy> {
    let mut state = 1u32;
    Client::new(FnEntropy::new(move |bytes: &mut [u8]| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        bytes.copy_from_slice(&state.to_le_bytes()[..bytes.len()]);
        Ok(())
    }))
}

fn run<R: Role>(bencher: Bencher, role: R, size: usize) {
    let mut ws = WebSocket::from_upgraded(role, Config::default());
    let mut tx = WriteBuffer::new(vec![0; (1 << 20) + 1024].into_boxed_slice());
    let payload = vec![7; size];
    bencher.counter(BytesCount::of_slice(&payload)).bench_local(|| {
        ws.send_binary(black_box(&payload), &mut tx).expect("it fits");
        black_box(tx.bytes());
        tx.clear();
    });
}

#[divan::bench(args = SIZES)]
fn server_copied(bencher: Bencher, size: usize) {
    run(bencher, Server, size);
}

#[divan::bench(args = SIZES)]
fn client_masked(bencher: Bencher, size: usize) {
    run(bencher, client(), size);
}

/// Only the header is written, so the time must not depend on the size.
#[divan::bench(args = SIZES)]
fn server_vectored(bencher: Bencher, size: usize) {
    let mut ws = WebSocket::from_upgraded(Server, Config::default());
    let mut tx = WriteBuffer::new([0; 512]);
    let payload = vec![7; size];
    bencher.bench_local(|| {
        ws.send_binary_vectored(black_box(&payload), &mut tx).expect("it fits");
        let written = black_box(tx.slices(&payload))
            .expect("its payload")
            .iter()
            .map(|slice| slice.len())
            .sum();
        tx.consume(written);
    });
}

/// The receivers of one message.
const RECEIVERS: usize = 10_000;

/// Measures one broadcast. Each connection has a sender and a small output.
fn broadcast(bencher: Bencher, params: Option<DeflateParams>, shared: bool) {
    let config = DeflateConfig::DEFAULT;
    let text = "{\"symbol\":\"EURUSD\",\"bid\":1.0841,\"ask\":1.0843},".repeat(20);
    let mut pool = Pool::new(1);
    let mut connections: Vec<_> = std::iter::repeat_with(|| {
        let sender = Sender::server();
        let sender = match params {
            Some(params) => sender.with_deflate(params, &config),
            None => sender,
        };
        (sender, WriteBuffer::new([0; 2048]))
    })
    .take(RECEIVERS)
    .collect();
    bencher.counter(divan::counter::ItemsCount::new(RECEIVERS)).bench_local(|| {
        let mut message = Broadcast::text(black_box(&text));
        if shared {
            message = message.compressed(&config, WindowBits::MAX, &mut pool);
        }
        for (sender, tx) in &mut connections {
            sender.borrow_codec_from(&mut pool);
            sender.broadcast(&message, tx).expect("it fits");
            sender.return_codec_to(&mut pool);
            black_box(tx.bytes());
            tx.clear();
        }
    });
}

#[divan::bench(sample_count = 10, sample_size = 1)]
fn broadcast_plain(bencher: Bencher) {
    broadcast(bencher, None, false);
}

const PER_MESSAGE: DeflateParams =
    DeflateParams { send: Context::PER_MESSAGE, receive: Context::PER_MESSAGE };

#[divan::bench(sample_count = 10, sample_size = 1)]
fn broadcast_compressed_once(bencher: Bencher) {
    broadcast(bencher, Some(PER_MESSAGE), true);
}

#[divan::bench(sample_count = 10, sample_size = 1)]
fn broadcast_compressed_by_each(bencher: Bencher) {
    broadcast(bencher, Some(PER_MESSAGE), false);
}

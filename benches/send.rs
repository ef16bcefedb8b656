//! Sending: one message into the buffer and out of it, as a server and as a client.

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use sockless::{Client, Config, Entropy, FnEntropy, Role, Server, WebSocket, WriteBuffer};

fn main() {
    divan::main();
}

const SIZES: [usize; 5] = [16, 125, 1 << 10, 16 << 10, 1 << 20];

/// A source of keys that costs next to nothing.
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

/// The header alone is written: the time must not depend on the size.
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

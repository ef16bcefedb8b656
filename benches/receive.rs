//! Measures receiving: whole messages borrowed from the buffer, and chunks, as a server (masked)
//! and as a client. One copy per byte replaces the read.

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use sockless::{
    Client, Config, Entropy, Event, FnEntropy, FrameHeader, MessageKind, OpCode, ReadBuffer, Role,
    Server, WebSocket, WriteBuffer, mask,
};

fn main() {
    divan::main();
}

const SIZES: [usize; 5] = [16, 125, 1 << 10, 16 << 10, 1 << 20];
/// Bytes of one read, which stay in the first-level cache until they are processed.
const READ: usize = 16 << 10;

/// Returns frames of one size: about 256 KiB, or two frames.
fn stream(kind: MessageKind, payload: &[u8], masked: bool) -> Vec<u8> {
    let key = masked.then_some([0x37, 0xfa, 0x21, 0x3d]);
    let opcode = match kind {
        MessageKind::Text => OpCode::Text,
        MessageKind::Binary => OpCode::Binary,
    };
    let header =
        FrameHeader { fin: true, rsv: 0, opcode, mask: key, payload_len: payload.len() as u64 };
    let mut frame = header.encode().as_bytes().to_vec();
    let start = frame.len();
    frame.extend(payload);
    if let Some(key) = key {
        mask(&mut frame[start..], key);
    }
    frame.repeat((256 * 1024 / frame.len()).max(2))
}

fn client() -> Client<impl Entropy> {
    Client::new(FnEntropy::new(|_: &mut [u8]| Ok(())))
}

fn bytes(size: usize) -> Vec<u8> {
    (0..size).map(|i| i as u8).collect()
}

fn run<R: Role>(bencher: Bencher, role: R, stream: &[u8], chunks: bool) {
    let mut ws = WebSocket::from_upgraded(role, Config::default());
    let mut rx = ReadBuffer::new(vec![0; (1 << 20) + 1024].into_boxed_slice());
    let mut tx = WriteBuffer::new([0; 512]);
    bencher.counter(BytesCount::of_slice(stream)).bench_local(|| {
        let mut rest = stream;
        while !rest.is_empty() {
            let space = rx.space();
            let (piece, behind) = rest.split_at(READ.min(space.len()).min(rest.len()));
            space[..piece.len()].copy_from_slice(piece);
            rest = behind;
            let read = piece.len();
            rx.filled(read);
            loop {
                let event = if chunks {
                    ws.receive_chunks(&mut rx, &mut tx)
                } else {
                    ws.receive(&mut rx, &mut tx)
                };
                match event {
                    None => break,
                    Some(Event::Failed(failure)) => panic!("{failure}"),
                    Some(event) => drop(black_box(event)),
                }
            }
        }
    });
}

#[divan::bench(args = SIZES)]
fn server_binary(bencher: Bencher, size: usize) {
    run(bencher, Server, &stream(MessageKind::Binary, &bytes(size), true), false);
}

#[divan::bench(args = SIZES)]
fn server_binary_in_chunks(bencher: Bencher, size: usize) {
    run(bencher, Server, &stream(MessageKind::Binary, &bytes(size), true), true);
}

#[divan::bench(args = SIZES)]
fn client_binary(bencher: Bencher, size: usize) {
    run(bencher, client(), &stream(MessageKind::Binary, &bytes(size), false), false);
}

#[divan::bench(args = [16, 1 << 10, 64 << 10])]
fn server_ascii(bencher: Bencher, size: usize) {
    run(bencher, Server, &stream(MessageKind::Text, &vec![b'a'; size], true), false);
}

#[divan::bench(args = [16, 1 << 10, 64 << 10])]
fn server_chinese(bencher: Bencher, size: usize) {
    let text = "的".repeat(size / 3);
    run(bencher, Server, &stream(MessageKind::Text, text.as_bytes(), true), false);
}

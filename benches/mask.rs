//! Measures masking in place, at an unaligned address, like most payloads after their header.

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use sockless::mask;

fn main() {
    divan::main();
}

#[divan::bench(args = [1, 7, 8, 15, 16, 31, 32, 125, 1 << 10, 16 << 10, 64 << 10])]
fn in_place(bencher: Bencher, size: usize) {
    let mut bytes = vec![0x5a; size + 6];
    let payload = &mut bytes[6..];
    bencher
        .counter(BytesCount::new(size))
        .bench_local(|| mask(black_box(&mut *payload), black_box([0x37, 0xfa, 0x21, 0x3d])));
}

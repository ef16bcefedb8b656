//! Measures text validation: at once, and in pieces that cut characters.

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use sockless::Utf8Validator;

fn main() {
    divan::main();
}

const TEXTS: [(&str, &str); 3] =
    [("ascii", "plain text, "), ("latin", "größer als für "), ("chinese", "的一是不了人我在")];
const SIZE: usize = 16 << 10;

fn text(pattern: &str) -> String {
    pattern.repeat(SIZE / pattern.len())
}

fn pieces(bencher: Bencher, name: &str, piece: usize) {
    let (_, pattern) = TEXTS.iter().find(|(text, _)| *text == name).expect("one of the texts");
    let text = text(pattern);
    bencher.counter(BytesCount::of_str(&text)).bench_local(|| {
        let mut utf8 = Utf8Validator::new();
        for piece in text.as_bytes().chunks(piece) {
            utf8.check(black_box(piece)).expect("it is UTF-8");
        }
        assert!(utf8.is_complete());
    });
}

#[divan::bench(args = TEXTS.map(|(name, _)| name))]
fn whole(bencher: Bencher, name: &str) {
    pieces(bencher, name, SIZE);
}

#[divan::bench(args = TEXTS.map(|(name, _)| name))]
fn pieces_of_1460(bencher: Bencher, name: &str) {
    pieces(bencher, name, 1460);
}

#[divan::bench(args = TEXTS.map(|(name, _)| name))]
fn pieces_of_16(bencher: Bencher, name: &str) {
    pieces(bencher, name, 16);
}

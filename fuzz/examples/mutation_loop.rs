//! Runs a target without a fuzzer: on as many inputs as the second argument says, mutated from the
//! files in the folders of the fourth and later arguments, with the seed in the third.
//!
//! There is no feedback from coverage. What makes the inputs good is the folders: seeds, and what
//! the fuzzer has found before.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Instant;

use arbitrary::{Arbitrary, Unstructured};
use sockless::FrameHeader;
use sockless_fuzz::header;
use sockless_fuzz::lives::{Cut, cut, raw};
use sockless_fuzz::random::{Random, mutate};

/// The largest input in bytes.
const MAX_LEN: usize = 512;

fn frame_header(input: &[u8]) {
    if let Ok((header, bytes)) =
        <(FrameHeader, &[u8])>::arbitrary_take_rest(Unstructured::new(input))
    {
        header::written(header);
        header::laws(bytes);
    }
}

fn any_cut(input: &[u8]) {
    if let Ok(input) = Cut::arbitrary_take_rest(Unstructured::new(input)) {
        cut(&input);
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().expect("a target");
    let target: fn(&[u8]) = match name.as_str() {
        "frame_header" => frame_header,
        "receiver" => raw,
        "any_cut" => any_cut,
        _ => panic!("the targets are frame_header, receiver and any_cut"),
    };
    let mut number = || arguments.next().expect("a number").parse::<u64>().expect("a number");
    let (count, seed) = (number(), number());
    let mut files = vec![Vec::new()];
    for folder in arguments {
        for file in std::fs::read_dir(folder).expect("a folder") {
            files.push(std::fs::read(file.expect("a file").path()).expect("a file"));
        }
    }
    files.sort();

    let mut random = Random::new(seed);
    let mut input = Vec::new();
    let mut bytes = 0;
    let start = Instant::now();
    for i in 1..=count {
        input.clear();
        input.extend_from_slice(random.choose(&files));
        for _ in 0..1 + random.below(4) {
            change(&mut input, &files, &mut random);
        }
        input.truncate(MAX_LEN);
        bytes += input.len();
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| target(&input))) {
            println!("input {i}: b\"{}\"", input.escape_ascii());
            resume_unwind(panic);
        }
        if i % 10_000_000 == 0 || i == count {
            let seconds = start.elapsed().as_secs_f64();
            println!("{name}: {i} inputs, {bytes} bytes, {seconds:.1} s");
        }
    }
}

/// Inserts a piece of another file, replaces the rest by one, or changes one place.
fn change(input: &mut Vec<u8>, files: &[Vec<u8>], random: &mut Random) {
    let at = random.below(input.len() + 1);
    match random.below(8) {
        0 => input.splice(at..at, random.piece(files).iter().copied()).for_each(drop),
        1 => {
            input.truncate(at);
            input.extend_from_slice(random.piece(files));
        }
        _ => mutate(input, || random.bits() as u8),
    }
}

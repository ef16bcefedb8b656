//! Compares compression with bare zlib-rs: equal JSON messages and settings, measured in turns. The
//! first ratio compares the best rounds, the second is the median of the rounds' ratios. On a busy
//! machine the first is more reliable.
//!
//! "bare" calls the library once for each message with a flush, and a second time for the tail when
//! inflating. "alone" is this crate's `Inflater` or `Deflater`. "connection" is a whole `WebSocket`
//! with frame headers, limits and text validation: a client for receiving, a server for sending.

use std::hint::black_box;
use std::time::Instant;

use sockless::deflate::{
    Context, DeflateConfig, DeflateParams, Deflater, Flush, InflateLimits, Inflater, Step,
};
use sockless::{
    Client, Config, Event, FnEntropy, FrameHeader, OpCode, ReadBuffer, Server, WebSocket,
    WriteBuffer,
};
use zlib_rs::{Deflate, DeflateFlush, Inflate, InflateFlush};

const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];
const ROUNDS: usize = 301;
/// Bytes of messages for each candidate in a round. Short rounds keep most of them free of other
/// load.
const PER_ROUND: usize = 128 << 10;

/// Returns JSON of about `size` bytes, different for each `seed`.
fn json(size: usize, seed: u32) -> String {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state
    };
    let names = ["alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel"];
    let mut text = String::from("[");
    while text.len() < size {
        let (id, name, value) = (random() % 100_000, names[random() as usize % 8], random());
        let flag = random() % 2 == 0;
        text += &format!(r#"{{"id":{id},"name":"{name}","value":{value},"active":{flag}}},"#);
    }
    text.truncate(size - 1);
    text.push(']');
    text
}

/// Appends received bytes to a buffer that has space for them.
fn feed(rx: &mut ReadBuffer<impl sockless::Storage>, bytes: &[u8]) {
    assert_eq!(rx.extend(bytes), bytes.len());
}

/// Measures one call in nanoseconds.
fn time(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_nanos() as f64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn least(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

/// Runs the candidates in turns. The first is the base of the ratios.
fn compare(what: &str, messages: usize, bytes: usize, candidates: &mut [(&str, &mut dyn FnMut())]) {
    candidates.iter_mut().for_each(|(_, work)| work());
    let mut rounds: Vec<Vec<f64>> = vec![Vec::new(); candidates.len()];
    for round in 0..ROUNDS {
        for turn in 0..candidates.len() {
            let which = (round + turn) % candidates.len();
            rounds[which].push(time(&mut *candidates[which].1));
        }
    }
    for (which, (name, _)) in candidates.iter().enumerate() {
        let ratios = rounds[which].iter().zip(&rounds[0]).map(|(time, bare)| time / bare);
        let ratio = median(ratios.collect());
        let (best, bare) = (least(&rounds[which]), least(&rounds[0]));
        let (each, speed, of_bests) =
            (best / messages as f64, bytes as f64 * 1e3 / best, best / bare);
        println!(
            "{what:<35} {name:<11} {each:>8.0} ns {speed:>5.0} MB/s {of_bests:>6.2} {ratio:>6.2}"
        );
    }
}

fn inflating(what: &str, context: Context, messages: &[String], payloads: &[Vec<u8>]) {
    let size = messages[0].len();
    let agreement = DeflateParams { send: context, receive: context };
    let mut output = vec![0; size + 1024];

    let (mut bare, mut bare_output) = (Inflate::new(false, 15), output.clone());
    let mut bare = || {
        for payload in payloads {
            let before = bare.total_out();
            bare.decompress(payload, &mut bare_output, InflateFlush::SyncFlush).unwrap();
            let made = (bare.total_out() - before) as usize;
            bare.decompress(&TAIL, &mut bare_output[made..], InflateFlush::SyncFlush).unwrap();
            black_box(&bare_output[..made]);
            if !context.takeover {
                bare.reset(false);
            }
        }
    };

    let limits = InflateLimits { message: 1 << 20, ratio: None };
    let mut inflater = Inflater::new(context, limits);
    let mut alone = || {
        for payload in payloads {
            let progress = inflater.inflate(payload, &mut output, true).unwrap();
            assert_eq!((progress.produced, progress.step), (size, Step::End));
            black_box(&output[..size]);
        }
    };

    let frames: Vec<Vec<u8>> = payloads
        .iter()
        .map(|payload| {
            let (rsv, payload_len) = (FrameHeader::RSV1, payload.len() as u64);
            let header =
                FrameHeader { fin: true, rsv, opcode: OpCode::Text, mask: None, payload_len };
            [header.encode().as_bytes(), payload].concat()
        })
        .collect();
    let client = Client::new(FnEntropy::new(|_: &mut [u8]| Ok(())));
    let ws = WebSocket::from_upgraded(client, Config::default());
    let mut ws = ws.with_deflate(agreement, &DeflateConfig::DEFAULT);
    let mut rx = ReadBuffer::new(vec![0; 1 << 17].into_boxed_slice());
    let mut tx = WriteBuffer::new([0; 1024]);
    let mut connection = || {
        for frame in &frames {
            feed(&mut rx, frame);
            match ws.receive(&mut rx, &mut tx) {
                Some(Event::Text(text)) => assert_eq!(text.len(), size),
                other => panic!("{other:?}"),
            }
        }
    };
    let bytes = messages.len() * size;
    let candidates: &mut [(&str, &mut dyn FnMut())] =
        &mut [("bare", &mut bare), ("alone", &mut alone), ("connection", &mut connection)];
    compare(what, messages.len(), bytes, candidates);
}

fn deflating(what: &str, context: Context, messages: &[String]) {
    let size = messages[0].len();
    let agreement = DeflateParams { send: context, receive: context };
    let mut output = vec![0; size + size / 4 + 1024];

    let (mut bare, mut bare_output) = (Deflate::new(6, false, 15), output.clone());
    let mut bare = || {
        for message in messages {
            let before = bare.total_out();
            bare.compress(message.as_bytes(), &mut bare_output, DeflateFlush::SyncFlush).unwrap();
            let made = (bare.total_out() - before) as usize;
            black_box(&bare_output[..made - TAIL.len()]);
            if !context.takeover {
                bare.reset();
            }
        }
    };

    let mut deflater = Deflater::new(context, &DeflateConfig::DEFAULT);
    let mut alone = || {
        for message in messages {
            let progress = deflater.deflate(message.as_bytes(), &mut output, Flush::End);
            assert_eq!((progress.consumed, progress.step), (size, Step::End));
            black_box(&output[..progress.produced]);
        }
    };

    let ws = WebSocket::from_upgraded(Server, Config::default());
    let mut ws = ws.with_deflate(agreement, &DeflateConfig::DEFAULT);
    let mut tx = WriteBuffer::new(vec![0; 1 << 17].into_boxed_slice());
    let mut connection = || {
        for message in messages {
            ws.send_text(message, &mut tx).unwrap();
            black_box(tx.bytes());
            tx.clear();
        }
    };
    let bytes = messages.len() * size;
    let candidates: &mut [(&str, &mut dyn FnMut())] =
        &mut [("bare", &mut bare), ("alone", &mut alone), ("connection", &mut connection)];
    compare(what, messages.len(), bytes, candidates);
}

fn main() {
    println!("{:<47} {:>11} {:>10} {:>6} {:>6}", "", "best", "", "ratio", "median");
    for (name, context) in [("takeover", Context::FULL), ("no takeover", Context::PER_MESSAGE)] {
        for size in [1 << 10, 64 << 10] {
            let count = PER_ROUND / size;
            let messages: Vec<String> = (0..count).map(|seed| json(size, seed as u32)).collect();
            // The first message of a round must not refer to the previous round, because the window
            // continues with the repeated messages of the round.
            let mut deflater = Deflater::new(context, &DeflateConfig::DEFAULT);
            let mut output = vec![0; 2 * size];
            let payloads: Vec<Vec<u8>> = messages
                .iter()
                .map(|message| {
                    let progress = deflater.deflate(message.as_bytes(), &mut output, Flush::End);
                    output[..progress.produced].to_vec()
                })
                .collect();
            let label = format!("JSON of {} KiB, {name}", size >> 10);
            inflating(&format!("inflate, {label}"), context, &messages, &payloads);
            deflating(&format!("deflate, {label}"), context, &messages);
        }
    }
}

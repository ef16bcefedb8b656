//! Tests the memory of compression: a bomb never needs more than its limit, an idle connection
//! needs none.
#![cfg(feature = "deflate")]

#[path = "common/allocator.rs"]
mod allocator;

use allocator::{Cost, Counting, cost_of, with_allocations_up_to, without_allocator};
use flate2::{Compress, Compression, FlushCompress};
use sockless::deflate::{
    Context, DeflateConfig, DeflateParams, Deflater, Flush, InflateLimits, Inflater, Pool,
};
use sockless::{
    Config, EntropyError, Event, FrameHeader, GrowableBuffer, OpCode, ReadBuffer, Receiver, Sender,
    Server, Storage, Violation, WebSocket, WriteBuffer,
};

#[global_allocator]
static COUNTING: Counting = Counting;

const FULL: DeflateParams = DeflateParams { send: Context::FULL, receive: Context::FULL };
const PER_MESSAGE: DeflateParams =
    DeflateParams { send: Context::PER_MESSAGE, receive: Context::PER_MESSAGE };
const CONFIG: DeflateConfig = DeflateConfig::DEFAULT.with_threshold(0);

/// The memory of a decompressor: its window of 32 KiB, and tables.
const DECOMPRESSOR: usize = 48 << 10;

/// Returns a frame with a masking key of zeros, which leaves the payload unchanged.
fn masked(payload: &[u8]) -> Vec<u8> {
    let (fin, rsv, opcode) = (true, FrameHeader::RSV1, OpCode::Binary);
    let payload_len = payload.len() as u64;
    let header = FrameHeader { fin, rsv, opcode, mask: Some([0; 4]), payload_len }.encode();
    [header.as_bytes(), payload].concat()
}

/// Fills keys with zeros, which leave the payload unchanged.
fn zeros(key: &mut [u8]) -> Result<(), EntropyError> {
    key.fill(0);
    Ok(())
}

/// Appends received bytes to a buffer that has space for them.
fn feed(rx: &mut ReadBuffer<impl Storage>, bytes: &[u8]) {
    assert_eq!(rx.extend(bytes), bytes.len());
}

/// Returns the payload of a compressed message of 256 MiB of zeros.
fn bomb() -> Vec<u8> {
    let mut payload = Vec::with_capacity(1 << 20);
    let mut engine = Compress::new(Compression::best(), false);
    let zeros = vec![0; 1 << 20];
    for turn in 1..=256 {
        let flush = if turn == 256 { FlushCompress::Sync } else { FlushCompress::None };
        engine.compress_vec(&zeros, &mut payload, flush).unwrap();
        assert_eq!(engine.total_in(), turn << 20);
    }
    assert!(payload.ends_with(&[0x00, 0x00, 0xff, 0xff]) && payload.len() < 300_000);
    payload.truncate(payload.len() - 4);
    payload
}

/// Receives `input` whole or in chunks by a server with a limit on messages. Returns the last event
/// and the cost.
fn receive(
    input: &[u8],
    limit: u64,
    chunks: bool,
    max_ratio: Option<u32>,
) -> (usize, String, Cost) {
    let config = Config::default().with_max_message_size(limit);
    let deflate = CONFIG.with_max_ratio(max_ratio);
    let mut ws = WebSocket::from_upgraded(Server, config).with_deflate(FULL, &deflate);
    let mut rx = ReadBuffer::new(vec![0; 2 << 20].into_boxed_slice());
    let mut tx = WriteBuffer::new([0; 1024]);
    let ((bytes, last), cost) = cost_of(|| {
        let (mut rest, mut bytes, mut last) = (input, 0, None);
        while !rest.is_empty() && !ws.is_done() {
            let taken = rx.extend(rest);
            rest = &rest[taken..];
            loop {
                let event = if chunks {
                    ws.receive_chunks(&mut rx, &mut tx)
                } else {
                    ws.receive(&mut rx, &mut tx)
                };
                match event {
                    None => break,
                    Some(Event::Chunk(chunk)) => bytes += chunk.bytes().len(),
                    Some(Event::Binary(message)) => bytes += message.len(),
                    Some(Event::Failed(failure)) => last = Some(failure),
                    Some(other) => panic!("{other:?}"),
                }
            }
        }
        (bytes, last)
    });
    if last.is_some() {
        // A Close with 1009.
        assert_eq!(tx.bytes(), [0x88, 0x02, 0x03, 0xf1]);
    }
    (bytes, format!("{last:?}"), cost)
}

/// Rule 49: 256 MiB of zeros fail with 1009, and memory never exceeds the limit and one
/// decompressor.
#[test]
fn rule_49_a_bomb() {
    let input = masked(&bomb());
    let too_big = format!("{:?}", Some(sockless::Failure::from(Violation::MessageTooBig)));
    let limit = 1 << 20;
    let (bytes, last, cost) = receive(&input, limit as u64, false, None);
    assert_eq!((bytes, &last), (0, &too_big));
    assert!(cost.bytes <= limit + DECOMPRESSOR, "{cost:?}");
    let (bytes, last, cost) = receive(&input, limit as u64, true, None);
    assert_eq!((bytes, &last), (limit, &too_big));
    assert!(cost.bytes <= (16 << 10) + DECOMPRESSOR, "{cost:?}");
    // The second message of a shared window. The memory of the first message is still there
    // while it is moved.
    let hello = masked(b"\xf2\x48\xcd\xc9\xc9\x07\x00");
    let (bytes, last, cost) = receive(&[hello, input.clone()].concat(), limit as u64, false, None);
    assert_eq!((bytes, &last), (5, &too_big));
    assert!(cost.bytes <= limit + 1024 + DECOMPRESSOR, "{cost:?}");
    // The ratio limit comes before the size limit.
    let (bytes, last, cost) = receive(&input, 64 << 20, true, Some(20));
    assert_eq!(bytes, 20 * 4096);
    assert_eq!(last, format!("{:?}", Some(sockless::Failure::from(Violation::CompressionRatio))));
    assert!(cost.bytes <= (16 << 10) + DECOMPRESSOR, "{cost:?}");
}

/// Checks that unused compression allocates only its state.
#[test]
fn nothing_is_allocated_before_the_first_compressed_message() {
    let (mut ws, cost) =
        cost_of(|| WebSocket::from_upgraded(Server, Config::default()).with_deflate(FULL, &CONFIG));
    assert!(cost.bytes <= 1024, "{cost:?}");
    let (mut rx, mut tx) = (ReadBuffer::new([0; 1024]), WriteBuffer::new([0; 1024]));
    ws.set_compress(false);
    without_allocator(|| {
        feed(&mut rx, b"\x82\x83\0\0\0\0abc");
        assert_eq!(ws.receive(&mut rx, &mut tx), Some(Event::Binary(b"abc")));
        ws.send_text("plain", &mut tx).unwrap();
    });
}

/// Checks that messages after the first allocate nothing.
#[test]
fn nothing_is_allocated_after_the_first_compressed_message() {
    for agreement in [FULL, PER_MESSAGE] {
        let mut ws =
            WebSocket::from_upgraded(Server, Config::default()).with_deflate(agreement, &CONFIG);
        let (mut rx, mut tx) = (ReadBuffer::new([0; 1024]), WriteBuffer::new([0; 1024]));
        let hello = masked(b"\xf2\x48\xcd\xc9\xc9\x07\x00");
        let mut exchange = || {
            feed(&mut rx, &hello);
            assert_eq!(ws.receive(&mut rx, &mut tx), Some(Event::Binary(b"Hello")));
            ws.send_text("Hello", &mut tx).unwrap();
            tx.clear();
        };
        exchange();
        without_allocator(|| (0..100).for_each(|_| exchange()));
    }
}

/// Rule 50: connections without context share one compressor and one decompressor, and an idle
/// connection has none.
#[test]
fn rule_50_idle_connections_hold_no_window() {
    const CONNECTIONS: usize = 100;
    let ((pool, connections), cost) = cost_of(|| {
        let mut pool = Pool::new(4);
        let mut connections = Vec::with_capacity(CONNECTIONS);
        let (mut rx, mut tx) = (ReadBuffer::new([0; 1024]), WriteBuffer::new([0; 1024]));
        for _ in 0..CONNECTIONS {
            let ws = WebSocket::from_upgraded(Server, Config::default());
            let mut ws = ws.with_deflate(PER_MESSAGE, &CONFIG);
            ws.borrow_codec_from(&mut pool);
            feed(&mut rx, &masked(b"\xf2\x48\xcd\xc9\xc9\x07\x00"));
            assert_eq!(ws.receive(&mut rx, &mut tx), Some(Event::Binary(b"Hello")));
            ws.send_text("Hello", &mut tx).unwrap();
            tx.clear();
            ws.return_codec_to(&mut pool);
            connections.push(ws);
        }
        (pool, connections)
    });
    assert_eq!((pool.len(), connections.len()), (2, CONNECTIONS));
    assert!(cost.bytes < 500_000 + CONNECTIONS * 1024, "{cost:?}");
}

/// Checks the table in the documentation of the module.
#[test]
fn the_documented_memory() {
    let table = [
        (8, [134, 147, 245, 357]),
        (9, [134, 147, 245, 357]),
        (10, [136, 149, 247, 359]),
        (11, [140, 153, 251, 363]),
        (12, [148, 161, 259, 371]),
        (13, [164, 177, 275, 387]),
        (14, [196, 209, 307, 419]),
        (15, [260, 273, 371, 483]),
    ];
    let kib = |bytes: usize| bytes >> 10;
    for (bits, row) in table {
        let window_bits = sockless::deflate::WindowBits::new(bits).unwrap();
        for (memory_level, expected) in [1, 5, 8, 9].into_iter().zip(row) {
            let context = Context { window_bits, takeover: true };
            let config = CONFIG.with_memory_level(memory_level);
            let mut deflater = Deflater::new(context, &config);
            let (_, cost) = cost_of(|| deflater.deflate(b"Hello", &mut [0; 64], Flush::End));
            assert!(kib(cost.bytes).abs_diff(expected) <= 1, "{bits} {memory_level} {cost:?}");
        }
        let limits = InflateLimits { message: 5, ratio: None };
        let mut inflater = Inflater::new(Context { window_bits, takeover: true }, limits);
        let hello = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
        let (progress, cost) = cost_of(|| inflater.inflate(hello, &mut [0; 64], true));
        assert!(progress.is_ok() && kib(cost.bytes) == 46, "{cost:?}");
    }
}

/// Checks that memory depends on the inflated size of a message, not on its limit. A short message
/// needs a few times its size.
#[test]
fn a_short_message_takes_little_of_a_high_limit() {
    for limit in [(64 << 20) - 1, 64 << 20, (64 << 20) + 1] {
        let config = Config::default().with_max_message_size(limit);
        let mut ws = WebSocket::from_upgraded(Server, config).with_deflate(FULL, &CONFIG);
        let mut rx = ReadBuffer::growing(128 << 20);
        let mut tx = WriteBuffer::new([0; 1024]);
        let (_, cost) = cost_of(|| {
            feed(&mut rx, &masked(b"\xf2\x48\xcd\xc9\xc9\x07\x00"));
            assert_eq!(ws.receive(&mut rx, &mut tx), Some(Event::Binary(b"Hello")));
        });
        assert!(cost.bytes <= DECOMPRESSOR + (4 << 10), "{cost:?}");
    }
}

/// A refused allocation ends the message, and not in an endless loop.
#[test]
fn a_lack_of_memory_for_a_message_is_an_error() {
    let compressed = |message: &[u8]| {
        let mut sender = Sender::client(zeros as fn(&mut [u8]) -> Result<(), EntropyError>)
            .with_deflate(PER_MESSAGE, &CONFIG);
        let mut tx = WriteBuffer::growing(2 << 20);
        sender.binary(message, &mut tx).unwrap();
        tx.bytes().to_vec()
    };
    let (small, large) = (compressed(&[1; 100]), compressed(&vec![1; 1 << 20]));
    for (chunks, largest) in [(false, 200 << 10), (true, 900)] {
        let mut receiver = Receiver::server(Config::default()).with_deflate(PER_MESSAGE, &CONFIG);
        let mut rx = ReadBuffer::growing(4 << 20);
        // The decompressor has its memory now.
        feed(&mut rx, &small);
        assert!(receiver.receive(&mut rx).unwrap().is_some());
        let mut rx = ReadBuffer::growing(4 << 20);
        feed(&mut rx, &large);
        let refused = with_allocations_up_to(largest, || {
            if chunks { receiver.receive_chunks(&mut rx) } else { receiver.receive(&mut rx) }
                .map(|item| item.is_some())
        });
        assert_eq!(refused, Err(Violation::MessageTooBig));
    }
}

/// Memory that cannot double grows to the size that is needed.
#[test]
fn memory_that_cannot_double_grows_to_the_exact_size() {
    let mut memory = GrowableBuffer::new(1 << 20);
    assert!(memory.grow(40 << 10));
    // Asserted outside: a panic allocates.
    let grown = with_allocations_up_to(70 << 10, || [memory.grow(42 << 10), memory.grow(80 << 10)]);
    assert_eq!(grown, [true, false]);
    assert_eq!(memory.as_ref().len(), 42 << 10);
}

//! Tests compression in the open connection, the receiving side: compressed messages are inflated,
//! checked and limited, at every cut, as whole messages and in chunks. Rules 41 and 45 to 49 of
//! permessage-deflate.
#![cfg(all(feature = "deflate", feature = "handshake"))]

mod common;

use common::deflate::{pair, transfer};
use common::{Run, Take, at_every_cut, close, masked, plain, run_ws, words};
use sockless::deflate::{CompressionStats, Context, DeflateConfig, DeflateParams, Pool};
use sockless::{
    Config, Event, Incoming, MessageKind, ReadBuffer, Receiver, Sender, Server, Violation,
    WebSocket, WriteBuffer,
};

const FULL: DeflateParams = DeflateParams { send: Context::FULL, receive: Context::FULL };
const PER_MESSAGE: DeflateParams =
    DeflateParams { send: Context::PER_MESSAGE, receive: Context::PER_MESSAGE };
const EAGER: DeflateConfig = DeflateConfig::DEFAULT.with_threshold(0);

/// "Hello" (RFC 7692 section 7.2.3.1), and "Hello" again with reference to the first (section
/// 7.2.3.2).
const HELLO: &[u8] = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
const AGAIN: &[u8] = b"\xf2\x00\x11\x00\x00";

/// A text frame of a client with FIN and RSV1.
fn compressed(payload: &[u8]) -> Vec<u8> {
    masked(0xC1, payload)
}

/// Returns the payload of a message, compressed by another implementation.
fn deflate(message: &[u8]) -> Vec<u8> {
    use flate2::{Compress, Compression, FlushCompress};
    let mut payload = Vec::with_capacity(message.len() + message.len() / 8 + 64);
    let mut engine = Compress::new(Compression::default(), false);
    engine.compress_vec(message, &mut payload, FlushCompress::Sync).unwrap();
    payload.truncate(payload.len() - 4);
    payload
}

/// Returns bytes that do not compress.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[0]
    };
    (0..length).map(next).collect()
}

/// Appends received bytes to a buffer that has space for them.
fn feed(rx: &mut ReadBuffer<impl sockless::Storage>, bytes: &[u8]) {
    assert_eq!(rx.extend(bytes), bytes.len());
}

/// Runs a server with agreed compression, receiving whole messages and chunks, at every cut.
fn server_with(config: Config, deflate: DeflateConfig, input: &[u8]) -> Run {
    let by = |take, buffer| {
        at_every_cut(input, |input, cuts| {
            let ws = WebSocket::from_upgraded(Server, config).with_deflate(FULL, &deflate);
            run_ws(ws, input, cuts, buffer, take, true, |_, _, _| {})
        })
    };
    let messages = by(Take::Messages, 1024);
    for buffer in [139, 1024] {
        let chunks = by(Take::Chunks, buffer);
        let ended = chunks.events.iter().filter(|event| !event.starts_with("unfinished"));
        assert_eq!(messages, Run { events: ended.cloned().collect(), ..chunks });
    }
    messages
}

fn server(input: &[u8]) -> Run {
    server_with(Config::default(), EAGER, input)
}

fn assert_events(run: &Run, expected: &[&str]) {
    let (last, events) = run.events.split_last().unwrap();
    assert_eq!(events, expected);
    assert!(last.starts_with("close 1006"), "{last}");
}

fn assert_fails(run: &Run, events: &[&str], violation: &str, code: u16) {
    let (last, before) = run.events.split_last().unwrap();
    assert_eq!(before, events);
    assert_eq!(last, &format!("failed Protocol({violation})"));
    assert_eq!(run.close_sent(), Some(code));
    assert!(run.done);
}

#[test]
fn rfc_7_2_3_examples() {
    // Section 7.2.3.1: in one frame, and in two.
    let one = compressed(HELLO);
    let two = [masked(0x41, &HELLO[..3]), masked(0x80, &HELLO[3..])].concat();
    // Section 7.2.3.2, with plain messages between (rule 48).
    let input = [one, masked(0x81, b"plain"), compressed(AGAIN), two, compressed(AGAIN)].concat();
    let hello = "text \"Hello\"";
    assert_events(&server(&input), &[hello, "text \"plain\"", hello, hello, hello]);
    // Sections 7.2.3.3 to 7.2.3.6.
    for (payload, expected) in [
        (&b"\x00\x05\x00\xfa\xffHello\x00"[..], hello),
        (b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00", hello),
        (b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", hello),
        (b"\x00", "text \"\""),
        (b"", "text \"\""),
    ] {
        let input = [compressed(payload), compressed(HELLO)].concat();
        assert_events(&server(&input), &[expected, hello]);
    }
}

/// Rule 45: the tail is removed once per message, and empty frames change nothing.
#[test]
fn fragments_with_control_frames_between() {
    let mut input = masked(0x41, b"");
    for byte in HELLO {
        input.extend(masked(0x00, &[*byte]));
        input.extend(masked(0x89, b"between"));
        input.extend(masked(0x00, b""));
    }
    input.extend(masked(0x80, b""));
    let run = server(&input);
    assert_eq!(run.events.iter().filter(|event| *event == "ping \"between\"").count(), 7);
    assert_eq!(run.events[7], "text \"Hello\"");
}

/// Rule 41: RSV1 belongs to the first frame of a data message.
#[test]
fn rule_41_rsv1_elsewhere() {
    for input in [
        [masked(0x41, HELLO), masked(0xC0, b"")].concat(),
        masked(0xC8, b"\x03\xe8"),
        masked(0xC9, b""),
        masked(0xCA, b""),
        masked(0xE1, HELLO),
        masked(0x91, HELLO),
    ] {
        assert_fails(&server(&input), &[], "ReservedBit", 1002);
    }
    // Without an agreement, no frame may have RSV1.
    let ws = WebSocket::from_upgraded(Server, Config::default());
    let run = run_ws(ws, &compressed(HELLO), &[], 1024, Take::Messages, true, |_, _, _| {});
    assert_fails(&run, &[], "ReservedBit", 1002);
}

/// Rule 47: no byte of a truncated message is delivered.
#[test]
fn rule_47_truncated() {
    for length in 1..HELLO.len() {
        for take in [Take::Messages, Take::Chunks] {
            let input =
                [compressed(HELLO), compressed(&HELLO[..length]), compressed(HELLO)].concat();
            let run = at_every_cut(&input, |input, cuts| {
                let ws = WebSocket::from_upgraded(Server, Config::default());
                let ws = ws.with_deflate(FULL, &EAGER);
                run_ws(ws, input, cuts, 1024, take, true, |_, _, _| {})
            });
            assert_eq!(run.events[0], "text \"Hello\"");
            assert_eq!(run.events[1], "failed Protocol(CorruptCompression)", "{length}");
            // The chunks that arrived never became a message.
            assert!(run.events[2..].iter().all(|event| event.starts_with("unfinished")));
            assert_eq!(run.close_sent(), Some(1007));
        }
    }
    assert_fails(&server(&compressed(b"\xf2\x48\xcd\xc9")), &[], "CorruptCompression", 1007);
}

/// Checks that text is validated while it is inflated: it fails at the first invalid byte, not at
/// the end of the message.
#[test]
fn text_is_checked_when_it_is_inflated() {
    let good = "gr\u{fc}n \u{4f60}\u{597d} \u{1f980}".repeat(30);
    let input = [compressed(&deflate(good.as_bytes())), compressed(HELLO)].concat();
    let good = words(&Event::Text(&good));
    assert_events(&server(&input), &[&good, "text \"Hello\""]);
    for bad in [&b"\xed\xa0\x80"[..], b"ok\xff", b"\xc3", b"\xf0\x9f\xa6", b"\xf8ok"] {
        assert_fails(&server(&compressed(&deflate(bad))), &[], "InvalidUtf8", 1007);
        // More of the message arrives, and it fails before its end.
        if bad != b"\xc3" && bad != b"\xf0\x9f\xa6" {
            assert_fails(&server(&masked(0x41, &deflate(bad))), &[], "InvalidUtf8", 1007);
        }
        let binary = masked(0xC2, &deflate(bad));
        let expected = words(&Event::Binary(bad));
        assert_events(&server(&binary), &[&expected]);
    }
}

/// Checks that the first of two faults decides, however the input was cut.
#[test]
fn invalid_text_before_another_fault() {
    let bad = [b"ok\xff", &[b'a'; 300][..]].concat();
    let corrupt = [&deflate(&bad)[..], b"\x06"].concat();
    assert_fails(&server(&compressed(&corrupt)), &[], "InvalidUtf8", 1007);
    let small = Config::default().with_max_message_size(200);
    let run = server_with(small, EAGER, &compressed(&deflate(&bad)));
    assert_fails(&run, &[], "InvalidUtf8", 1007);
    // Found by a fuzzer.
    let found = b"\xf2\x38\x38\x38\x38";
    assert_fails(&server(&compressed(found)), &[], "InvalidUtf8", 1007);
}

/// Rule 49: the limit applies to inflated bytes, exactly and across frames. A larger message fails
/// with 1009, whole or in chunks.
#[test]
fn rule_49_the_limit_is_exact() {
    let config = Config::default().with_max_message_size(700);
    let send = |length: usize, split: bool| {
        let payload = deflate(&vec![b'a'; length]);
        let input = if split {
            [masked(0x41, &payload[..2]), masked(0x80, &payload[2..])].concat()
        } else {
            compressed(&payload)
        };
        server_with(config, EAGER, &input)
    };
    for split in [false, true] {
        assert_events(&send(699, split), &[&words(&Event::Text(&"a".repeat(699)))]);
        assert_events(&send(700, split), &[&words(&Event::Text(&"a".repeat(700)))]);
        assert_fails(&send(701, split), &[], "MessageTooBig", 1009);
        assert_fails(&send(702, split), &[], "MessageTooBig", 1009);
    }
    // A message that does not compress is longer on the wire, and still within the limit.
    let noise = noise(700);
    let payload = deflate(&noise);
    assert!(payload.len() > 700);
    let run = server_with(config, EAGER, &masked(0xC2, &payload));
    assert_events(&run, &[&words(&Event::Binary(&noise))]);
    // A separate limit on frames applies to the frame.
    let run = server_with(config.with_max_frame_size(600), EAGER, &masked(0xC2, &payload));
    assert_fails(&run, &[], "FrameTooBig", 1009);
}

/// Checks that a whole message must fit in the read buffer, compressed or not.
#[test]
fn whole_messages_fit_in_the_read_buffer() {
    for length in [1023, 1024, 1025] {
        let input = compressed(&deflate(&vec![b'a'; length]));
        let ws = WebSocket::from_upgraded(Server, Config::default()).with_deflate(FULL, &EAGER);
        let run = run_ws(ws, &input, &[], 1024, Take::Messages, true, |_, _, _| {});
        if length <= 1024 {
            assert_events(&run, &[&words(&Event::Text(&"a".repeat(length)))]);
        } else {
            assert_fails(&run, &[], "MessageTooBig", 1009);
        }
    }
}

#[test]
fn the_ratio_is_limited() {
    let config = EAGER.with_max_ratio(Some(10));
    let fits = compressed(&deflate(&[0; 40_960]));
    let bomb = compressed(&deflate(&[0; 40_961]));
    let run = |input: &[u8]| {
        let ws = WebSocket::from_upgraded(Server, Config::default()).with_deflate(FULL, &config);
        run_ws(ws, input, &[], 1 << 16, Take::Messages, true, |_, _, _| {})
    };
    assert_events(&run(&fits), &[&words(&Event::Text(&"\0".repeat(40_960)))]);
    assert_fails(&run(&bomb), &[], "CompressionRatio", 1009);
}

/// Checks that a message of 1 MiB arrives in chunks through buffers of any size. Before the next
/// frame, the machine returns all chunks of the input that it has.
#[test]
fn chunks_of_a_long_message() {
    let text = "All work and no play makes Jack a dull boy. ".repeat(24_000);
    let input = [
        compressed(&deflate(text.as_bytes())),
        masked(0x81, b"small"),
        masked(0x89, b""),
        compressed(HELLO),
    ]
    .concat();
    let expected = [&words(&Event::Text(&text)), "text \"small\"", "ping \"\"", "text \"Hello\""];
    for buffer in [139, 1000, 1 << 20] {
        for step in [1, 100, input.len()] {
            let cuts: Vec<usize> = (step..input.len()).step_by(step).collect();
            let ws = WebSocket::from_upgraded(Server, Config::default()).with_deflate(FULL, &EAGER);
            let run = run_ws(ws, &input, &cuts, buffer, Take::Chunks, true, |_, _, _| {});
            assert_events(&run, &expected);
        }
    }
}

/// Checks that a caller may change between whole messages and chunks at any event. A message that
/// began whole can end in chunks.
#[test]
fn from_messages_to_chunks() {
    let text = "0123456789".repeat(1000);
    let payload = deflate(text.as_bytes());
    let input = [
        masked(0x41, &payload[..20]),
        masked(0x89, b""),
        masked(0x80, &payload[20..]),
        masked(0x81, b"plain"),
    ]
    .concat();
    let mut ws = WebSocket::from_upgraded(Server, Config::default()).with_deflate(FULL, &EAGER);
    let (mut rx, mut tx) = (ReadBuffer::new([0; 20_000]), WriteBuffer::new([0; 1024]));
    feed(&mut rx, &input);
    assert_eq!(ws.receive(&mut rx, &mut tx), Some(Event::Ping(b"")));
    assert_eq!(ws.message_kind(), Some(MessageKind::Text));
    let mut message = Vec::<u8>::new();
    for turn in 0.. {
        // Once in chunks, the message continues in chunks, and no later event comes first.
        let event = if turn % 2 == 0 {
            ws.receive_chunks(&mut rx, &mut tx)
        } else {
            ws.receive(&mut rx, &mut tx)
        };
        let Some(Event::Chunk(chunk)) = event else { panic!("{event:?}") };
        assert_eq!(chunk.is_first(), message.is_empty());
        assert!(!chunk.is_compressed());
        message.extend(chunk.bytes());
        if chunk.is_last() {
            break;
        }
    }
    assert_eq!(message, text.as_bytes());
    assert_eq!(ws.receive(&mut rx, &mut tx), Some(Event::Text("plain")));
    assert!(rx.is_empty());
}

/// Checks that new input does not disturb the remaining chunks of earlier input.
#[test]
fn more_input_between_chunks() {
    let text = "abcdefghij".repeat(500);
    let input = compressed(&deflate(text.as_bytes()));
    let mut ws = WebSocket::from_upgraded(Server, Config::default()).with_deflate(FULL, &EAGER);
    let (mut rx, mut tx) = (ReadBuffer::new([0; 300]), WriteBuffer::new([0; 1024]));
    let mut message = Vec::<u8>::new();
    feed(&mut rx, &input);
    let mut more = masked(0x82, b"behind");
    loop {
        match ws.receive_chunks(&mut rx, &mut tx) {
            Some(Event::Chunk(chunk)) if chunk.kind() == MessageKind::Text => {
                message.extend(chunk.bytes());
            }
            Some(Event::Chunk(chunk)) => {
                assert_eq!(chunk.bytes(), b"behind");
                break;
            }
            other => panic!("{other:?}"),
        }
        if !more.is_empty() {
            // One byte at a time, as from single reads.
            feed(&mut rx, &[more.remove(0)]);
        }
    }
    assert_eq!(message, text.as_bytes());
}

/// Checks that the halves use the agreement of the machine.
#[test]
fn halves() {
    let mut sender = Sender::server().with_deflate(FULL, &EAGER);
    let mut receiver = Receiver::client(Config::default()).with_deflate(FULL, &EAGER);
    let (mut rx, mut tx) = (ReadBuffer::new([0; 1024]), WriteBuffer::new([0; 1024]));
    for _ in 0..3 {
        sender.text("Hello", &mut tx).unwrap();
        transfer(&mut tx, &mut rx);
        let Ok(Some(Incoming::Data(chunk))) = receiver.receive(&mut rx) else { panic!() };
        assert_eq!((chunk.text(), chunk.is_whole()), (Some("Hello"), true));
        assert_eq!(receiver.receive(&mut rx), Ok(None));
    }
    assert_eq!(sender.deflate_params(), Some(FULL));
    let wire = receiver.inflate_stats().wire;
    assert_eq!(receiver.inflate_stats(), CompressionStats { messages: 15, wire });
    assert_eq!(sender.deflate_stats(), receiver.inflate_stats());
    assert!((15..=17).contains(&wire), "{wire}");
    // A connection that is split keeps its compression.
    let (client, server) = pair(FULL, EAGER);
    let (mut receiver, _) = client.split().unwrap();
    let (_, mut sender) = server.split().unwrap();
    sender.binary(b"parted", &mut tx).unwrap();
    assert_eq!(tx.bytes()[0], 0xC2);
    transfer(&mut tx, &mut rx);
    let Ok(Some(Incoming::Data(chunk))) = receiver.receive_chunks(&mut rx) else { panic!() };
    assert_eq!((chunk.bytes(), chunk.is_whole()), (&b"parted"[..], true));
    feed(&mut rx, &plain(0xC2, b"\x06"));
    assert!(receiver.is_ready(&mut rx));
    assert_eq!(receiver.receive(&mut rx), Err(Violation::CorruptCompression));
    assert_eq!(receiver.receive(&mut rx), Err(Violation::CorruptCompression));
}

#[test]
fn is_ready_says_when_a_compressed_message_is_whole() {
    let payload = deflate(&[b'a'; 3000]);
    let (begin, end) = payload.split_at(5);
    let input = [plain(0x42, begin), plain(0x89, b""), plain(0x80, end)].concat();
    let mut receiver = Receiver::client(Config::default()).with_deflate(FULL, &EAGER);
    let mut rx = ReadBuffer::new([0; 4096]);
    for (at, byte) in input.iter().enumerate() {
        feed(&mut rx, &[*byte]);
        // The ping is whole after the first frame and its own header of 2 bytes.
        let expected = match at + 1 {
            9 => Some(Incoming::Ping(b"")),
            n if n == input.len() => None,
            _ => {
                assert!(!receiver.is_ready(&mut rx), "{at}");
                continue;
            }
        };
        assert!(receiver.is_ready(&mut rx), "{at}");
        let item = receiver.receive(&mut rx).unwrap().unwrap();
        match (item, expected) {
            (Incoming::Data(chunk), None) => assert_eq!(chunk.bytes(), [b'a'; 3000]),
            (item, expected) => assert_eq!(Some(item), expected),
        }
    }
    // Inside a message that began in chunks, the answer is about `receive_chunks`.
    feed(&mut rx, &plain(0x02, b"x"));
    assert!(receiver.receive_chunks(&mut rx).unwrap().is_some());
    assert!(!receiver.is_ready(&mut rx));
    // Half a header is consumed by neither method. A whole header is consumed by `receive_chunks`.
    feed(&mut rx, b"\x80");
    assert!(!receiver.is_ready(&mut rx));
    assert_eq!(receiver.receive_chunks(&mut rx), Ok(None));
    feed(&mut rx, b"\x01");
    assert!(receiver.is_ready(&mut rx));
    assert_eq!(receiver.receive_chunks(&mut rx), Ok(None));
    assert!(!receiver.is_ready(&mut rx));
    feed(&mut rx, b"y");
    assert!(receiver.is_ready(&mut rx));
    assert!(receiver.receive_chunks(&mut rx).unwrap().is_some());
}

/// Checks that a receiver over slices returns compressed bytes as they are, and marks them, because
/// it has no buffer to inflate to.
#[test]
fn a_receiver_over_slices_returns_compressed_bytes() {
    let mut receiver = Receiver::server(Config::default()).with_deflate(FULL, &EAGER);
    let mut bytes = compressed(HELLO);
    let Ok(Some(Incoming::Data(chunk))) = receiver.receive_chunk_in_place(&mut &mut bytes[..])
    else {
        panic!()
    };
    assert!(chunk.is_compressed() && chunk.is_whole());
    assert_eq!((chunk.bytes(), chunk.text()), (HELLO, None));
}

/// A message that is inflated in a buffer and ended from a slice leaves nothing for the next
/// message: no bytes, no part of a block and no context.
#[test]
fn an_inflated_message_contains_no_bytes_of_another() {
    let other = deflate(b"another message");
    let (block, cut) = ([&other[..], &[0, 0, 0xFF, 0xFF]].concat(), &other[..other.len() / 2]);
    for (part, params) in [(&block[..], PER_MESSAGE), (cut, PER_MESSAGE), (cut, FULL)] {
        for take_chunks in [false, true] {
            let mut receiver = Receiver::server(Config::default()).with_deflate(params, &EAGER);
            let mut rx = ReadBuffer::new([0; 512]);
            feed(&mut rx, &masked(0x42, part));
            assert_eq!(receiver.receive(&mut rx), Ok(None));
            let mut end = masked(0x80, b"end");
            assert!(receiver.receive_chunk_in_place(&mut &mut end[..]).is_ok());
            feed(&mut rx, &compressed(HELLO));
            let item = if take_chunks {
                receiver.receive_chunks(&mut rx)
            } else {
                receiver.receive(&mut rx)
            };
            let Ok(Some(Incoming::Data(chunk))) = item else { panic!("{item:?}") };
            assert_eq!((chunk.bytes(), chunk.is_whole()), (&b"Hello"[..], true));
        }
    }
}

/// Contract 11: a connection whose read buffer is replaced in a message loses bytes, and does not
/// panic. Later messages in the first buffer are whole.
#[test]
fn a_read_buffer_may_be_replaced_in_a_message() {
    let mut receiver = Receiver::server(Config::default()).with_deflate(PER_MESSAGE, &EAGER);
    let (mut first, mut second) = (ReadBuffer::new([0; 256]), ReadBuffer::new([0; 256]));
    // Half of a message, with the bytes of an empty block and a key of zeros. Its end, and the
    // header of a compressed message of one byte, arrive in the other buffer.
    feed(&mut first, b"\x82\x8a\0\0\0\0\0\0\0\xff\xff");
    assert_eq!(receiver.receive(&mut first), Ok(None));
    feed(&mut second, b"12345\xc2\x81\0\0\0\0");
    while receiver.receive(&mut second).unwrap().is_some() {}
    feed(&mut first, b"\0");
    assert!(receiver.receive(&mut first).unwrap().is_some());
    let message = masked(0x82, b"abcdefghij");
    for piece in message.chunks(9) {
        feed(&mut first, piece);
        if let Some(item) = receiver.receive(&mut first).unwrap() {
            let Incoming::Data(chunk) = item else { panic!("{item:?}") };
            assert_eq!(chunk.bytes(), b"abcdefghij");
            return;
        }
    }
    panic!("no message");
}

/// Checks that a later message in a read buffer has no bytes of a compressed message that began
/// there and ended in another read buffer. The rest of the old message is not text.
#[test]
fn an_inflated_part_does_not_outlive_its_message() {
    for chunks in [false, true] {
        let mut receiver = Receiver::server(Config::default()).with_deflate(PER_MESSAGE, &EAGER);
        let (mut first, mut second) = (ReadBuffer::new([0; 256]), ReadBuffer::new([0; 256]));
        let mut block = deflate(&[0xFF; 8]);
        block.extend([0, 0, 0xFF, 0xFF]);
        feed(&mut first, &masked(0x42, &block));
        assert_eq!(receiver.receive(&mut first), Ok(None));
        feed(&mut second, &masked(0x80, b"\0"));
        assert!(receiver.receive(&mut second).unwrap().is_some());
        feed(&mut first, &masked(0xC1, &deflate(b"next")));
        let item =
            if chunks { receiver.receive_chunks(&mut first) } else { receiver.receive(&mut first) };
        let Ok(Some(Incoming::Data(chunk))) = item else { panic!("{item:?}") };
        assert_eq!((chunk.bytes(), chunk.is_last()), (&b"next"[..], true));
    }
}

/// Rule 50: many connections share one compressor and one decompressor.
#[test]
fn rule_50_a_pool_serves_many_connections() {
    let mut pool = Pool::new(4);
    let mut pairs: Vec<_> = (0..20).map(|_| pair(PER_MESSAGE, EAGER)).collect();
    let (mut rx, mut tx) = (ReadBuffer::new([0; 1024]), WriteBuffer::new([0; 1024]));
    for turn in 0..3 {
        for (client, server) in &mut pairs {
            let text = format!("turn {turn}");
            client.borrow_codec_from(&mut pool);
            client.send_text(&text, &mut tx).unwrap();
            client.return_codec_to(&mut pool);
            transfer(&mut tx, &mut rx);
            server.borrow_codec_from(&mut pool);
            assert_eq!(server.receive(&mut rx, &mut tx), Some(Event::Text(&text)));
            server.return_codec_to(&mut pool);
            assert_eq!(pool.len(), 2);
        }
    }
}

/// Checks that a buffer with a part of an inflated message is not empty, and that a failed
/// connection leaves nothing in it.
#[test]
fn the_read_buffer_knows_what_it_holds() {
    let (_, mut server) = pair(FULL, EAGER);
    let (mut rx, mut tx) = (ReadBuffer::new([0; 1024]), WriteBuffer::new([0; 1024]));
    feed(&mut rx, &masked(0x41, &HELLO[..5]));
    assert_eq!(server.receive(&mut rx, &mut tx), None);
    assert!(rx.unread().is_empty() && !rx.is_empty());
    rx.release();
    feed(&mut rx, &masked(0x80, &HELLO[5..]));
    assert_eq!(server.receive(&mut rx, &mut tx), Some(Event::Text("Hello")));
    assert!(rx.is_empty());
    rx.release();
    feed(&mut rx, &[masked(0x41, &HELLO[..5]), masked(0x83, b"")].concat());
    assert_eq!(
        server.receive(&mut rx, &mut tx),
        Some(Event::Failed(Violation::ReservedOpCode.into()))
    );
    assert_eq!(server.receive(&mut rx, &mut tx), None);
    assert!(rx.is_empty());
}

/// Rule 35, and the end of the stream, inside a compressed message.
#[test]
fn the_end_in_the_middle_of_a_message() {
    let input = [masked(0x41, &HELLO[..4]), close(1000, "enough")].concat();
    assert_eq!(server(&input).events, ["close 1000 \"enough\""]);
    assert_events(&server(&masked(0x41, &HELLO[..4])), &[]);
}

/// Checks a caller that alternates between whole messages and chunks. If bytes were inflated for a
/// whole message, the next call for chunks returns them at once, without waiting for more input.
#[test]
fn collected_bytes_are_returned_when_the_caller_asks_for_chunks() {
    let all = deflate("one two three".as_bytes());
    let (head, tail) = all.split_at(all.len() - 3);
    for text in [true, false] {
        let mut ws = WebSocket::from_upgraded(Server, Config::default()).with_deflate(FULL, &EAGER);
        let (mut rx, mut tx) = (ReadBuffer::new([0; 1024]), WriteBuffer::new([0; 512]));
        feed(&mut rx, &masked(if text { 0x41 } else { 0x42 }, head));
        assert_eq!(ws.receive(&mut rx, &mut tx), None, "held until it is whole");
        let mut message = Vec::new();
        while let Some(event) = ws.receive_chunks(&mut rx, &mut tx) {
            let Event::Chunk(chunk) = event else { panic!("{event:?}") };
            assert_eq!((chunk.is_first(), chunk.is_last()), (message.is_empty(), false));
            message.extend(chunk.bytes());
        }
        assert!(message.len() > 5, "{}", message.escape_ascii());
        feed(&mut rx, &masked(0x80, tail));
        let mut last = false;
        while let Some(event) = ws.receive(&mut rx, &mut tx) {
            let Event::Chunk(chunk) = event else { panic!("{event:?}") };
            message.extend(chunk.bytes());
            last = chunk.is_last();
        }
        assert_eq!((&message[..], last), (&b"one two three"[..], true));
    }
}

/// Checks the limit on compressed frames. If frames may be as long as messages, a compressed frame
/// may be longer by an eighth and 64 bytes, because data that does not compress grows. Otherwise it
/// may not.
#[test]
fn a_compressed_frame_may_be_an_eighth_longer_than_a_message() {
    let judge = |frame: u64, message: u64, len: u16| {
        let config = Config::default().with_max_frame_size(frame).with_max_message_size(message);
        let mut receiver = Receiver::server(config);
        receiver.allow_rsv1();
        let [high, low] = len.to_be_bytes();
        receiver
            .receive_chunk_in_place(&mut &mut [0xC2, 0xFE, high, low, 0, 0, 0, 0][..])
            .map(|_| ())
    };
    for message in [1000, 8000, 8001, 8007] {
        let most = (message + message / 8 + 64) as u16;
        for frame in [message, message + 1, u64::MAX] {
            assert_eq!(judge(frame, message, most), Ok(()));
            assert_eq!(judge(frame, message, most + 1), Err(Violation::FrameTooBig));
        }
        let frame = message - 1;
        assert_eq!(judge(frame, message, frame as u16), Ok(()));
        assert_eq!(judge(frame, message, frame as u16 + 1), Err(Violation::FrameTooBig));
    }
}

//! Tests compression in the open connection, the sending side. Messages arrive whole, streamed and
//! in fragments, and a message that fits uncompressed always fits. Rule 48 of permessage-deflate.
#![cfg(all(feature = "deflate", feature = "handshake"))]

mod common;

use common::deflate::{pair, transfer};
use common::{Starved, frames, words};
use sockless::deflate::{Context, DeflateConfig, DeflateParams, WindowBits};
use sockless::{
    Error, Event, MessageKind, Misuse, OpCode, ReadBuffer, Sender, Server, Streamed, WebSocket,
    WriteBuffer,
};

const FULL: DeflateParams = DeflateParams { send: Context::FULL, receive: Context::FULL };
const PER_MESSAGE: DeflateParams =
    DeflateParams { send: Context::PER_MESSAGE, receive: Context::PER_MESSAGE };
const EAGER: DeflateConfig = DeflateConfig::DEFAULT.with_threshold(0);

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

/// Sends messages of all sizes in both directions, with every window, with and without context
/// takeover.
#[test]
fn both_ends() {
    let sizes = [0, 1, 5, 63, 64, 65, 125, 126, 1000, 65_535, 65_536, 200_000];
    for bits in 8..=15 {
        for takeover in [false, true] {
            let window_bits = WindowBits::new(bits).unwrap();
            let context = Context { window_bits, takeover };
            let agreement = DeflateParams { send: context, receive: context };
            let (mut client, mut server) = pair(agreement, EAGER);
            let (mut rx, mut tx) = (ReadBuffer::growing(1 << 20), WriteBuffer::growing(1 << 20));
            for size in sizes {
                let text = "Lorem ipsum dolor sit amet, ".repeat(size / 28 + 1);
                let text = &text[..size];
                client.send_text(text, &mut tx).unwrap();
                let sent = transfer(&mut tx, &mut rx);
                assert_eq!(sent[0], 0xC1);
                assert_eq!(server.receive(&mut rx, &mut tx), Some(Event::Text(text)));
                server.send_binary(text.as_bytes(), &mut tx).unwrap();
                let sent = transfer(&mut tx, &mut rx);
                assert_eq!(sent[0], 0xC2);
                assert!(bits == 8 || size < 1000 || sent.len() < size / 5, "{size} {}", sent.len());
                assert_eq!(client.receive(&mut rx, &mut tx), Some(Event::Binary(text.as_bytes())));
            }
            let messages = sizes.iter().sum::<usize>() as u64;
            assert_eq!(client.deflate_stats(), server.inflate_stats());
            assert_eq!(server.deflate_stats(), client.inflate_stats());
            assert_eq!(client.deflate_stats().messages, messages);
            assert!(bits == 8 || client.deflate_stats().wire < messages / 5);
        }
    }
}

#[test]
fn short_messages_and_chosen_ones_go_plain() {
    let config = DeflateConfig::DEFAULT.with_threshold(6);
    let (_, mut server) = pair(FULL, config);
    let mut tx = WriteBuffer::new([0; 1024]);
    type Send<'a> = &'a mut dyn FnMut(&mut WebSocket<Server>, &mut WriteBuffer<[u8; 1024]>);
    let mut first_byte = |send: Send<'_>| {
        tx.clear();
        send(&mut server, &mut tx);
        tx.bytes()[0]
    };
    assert_eq!(first_byte(&mut |ws, tx| ws.send_text("short", tx).unwrap()), 0x81);
    assert_eq!(first_byte(&mut |ws, tx| ws.send_text("longer", tx).unwrap()), 0xC1);
    assert_eq!(
        first_byte(&mut |ws, tx| {
            ws.set_compress(false);
            ws.send_text("longer", tx).unwrap();
        }),
        0x81
    );
    assert_eq!(
        first_byte(&mut |ws, tx| {
            ws.set_compress(true);
            ws.send_binary(b"longer", tx).unwrap();
        }),
        0xC2
    );
    // Control frames are never compressed (section 6.1).
    assert_eq!(first_byte(&mut |ws, tx| ws.send_ping(b"longer", tx).unwrap()), 0x89);
}

/// Checks that a message which fits uncompressed fits. A refused message changes nothing: messages
/// before and after it arrive.
#[test]
fn messages_that_may_not_fit_go_plain() {
    let (mut client, mut server) = pair(FULL, EAGER);
    let noise = noise(2000);
    let (mut rx, mut tx) = (ReadBuffer::new([0; 4096]), WriteBuffer::new([0; 1024]));
    let mut seen = [0; 2];
    for size in 0..900 {
        let message = &noise[size..2 * size];
        match client.send_binary(message, &mut tx) {
            Ok(()) => {
                seen[usize::from(tx.bytes()[0] == 0xC2)] += 1;
                transfer(&mut tx, &mut rx);
                assert_eq!(server.receive(&mut rx, &mut tx), Some(Event::Binary(message)));
            }
            Err(error) => {
                assert_eq!(error, Error::NeverFits { needed: size + 8 + 139 });
                assert!(tx.is_empty());
                assert!(size + 8 + 139 > 1024);
            }
        }
    }
    assert!(seen[0] > 50 && seen[1] > 500, "{seen:?}");
}

/// Checks that a complete message in one fragment fits if it fits uncompressed.
#[test]
fn a_message_in_one_fragment_that_may_not_fit_goes_plain() {
    let noise = noise(400);
    for size in 0..400 {
        let send = |whole: bool| {
            let mut sender = Sender::server().with_deflate(FULL, &EAGER);
            let mut tx = WriteBuffer::new([0; 512]);
            let result = match whole {
                true => sender.binary(&noise[..size], &mut tx),
                false => sender.fragment(MessageKind::Binary, &noise[..size], true, &mut tx),
            };
            (result, tx.bytes().to_vec())
        };
        assert_eq!(send(false), send(true), "{size}");
    }
}

/// Checks that a fragmented message is not compressed if its first fragment fits only without
/// compression, and that a full buffer does not decide.
#[test]
fn a_first_fragment_that_may_not_fit_goes_plain() {
    let bytes = [b'a'; 350];
    let mut sender = Sender::server().with_deflate(FULL, &DeflateConfig::DEFAULT);
    let mut tx = WriteBuffer::new([0; 512]);
    sender.fragment(MessageKind::Binary, &bytes, false, &mut tx).unwrap();
    assert_eq!((tx.bytes()[0], tx.len()), (0x02, 354));
    tx.clear();
    sender.fragment(MessageKind::Binary, &bytes, true, &mut tx).unwrap();
    assert_eq!((tx.bytes()[0], tx.len()), (0x80, 354));

    let mut tx = WriteBuffer::new([0; 1024]);
    sender.set_compress(false);
    sender.binary(&[0; 500], &mut tx).unwrap();
    sender.set_compress(true);
    let refused = sender.fragment(MessageKind::Binary, &bytes, false, &mut tx);
    assert_eq!(refused, Err(Error::NoRoom));
    // The whole message does fit, as long as it is not compressed.
    let before = tx.len();
    sender.fragment(MessageKind::Binary, &bytes, true, &mut tx).unwrap();
    assert_eq!((tx.bytes()[before], tx.len() - before), (0x82, 354));
    tx.clear();
    sender.fragment(MessageKind::Binary, &bytes, false, &mut tx).unwrap();
    assert_eq!(tx.bytes()[0], 0x42);
    assert!(tx.len() < 50);
}

/// Checks that a message fits if it fits uncompressed, although the memory for its longest
/// compressed form is refused.
#[test]
fn a_message_goes_plain_if_memory_is_refused() {
    let noise = noise(512 - 4 - 139);
    for size in [noise.len() / 2, noise.len()] {
        let mut sender = Sender::server().with_deflate(FULL, &EAGER);
        let mut tx = WriteBuffer::new(Starved([0; 512]));
        assert_eq!(sender.binary(&noise[..size], &mut tx), Ok(()));
        assert_eq!(tx.bytes()[0], if size == noise.len() { 0x82 } else { 0xC2 });
    }
}

/// Streams a long message through a small buffer, with a reply between its frames and a message
/// after it.
#[test]
fn streaming_through_a_small_buffer() {
    let text = "The quick brown fox jumps over the lazy dog. \u{1f98a} ".repeat(3000);
    for agreement in [FULL, PER_MESSAGE] {
        for compress in [true, false] {
            let (mut client, mut server) = pair(agreement, EAGER);
            let mut tx = WriteBuffer::new([0; 400]);
            let (mut rx, mut replies) = (ReadBuffer::growing(1 << 20), WriteBuffer::new([0; 400]));
            client.set_compress(compress);
            for _ in 0..2 {
                let (mut wire, mut received) = (0, None);
                // Cut the parts inside characters.
                let parts = text.as_bytes().chunks(50_001);
                let last = parts.len() - 1;
                for (index, part) in parts.enumerate() {
                    let mut rest = part;
                    loop {
                        let done = client
                            .send_stream(MessageKind::Text, &mut rest, index == last, &mut tx)
                            .unwrap()
                            .is_done();
                        if !done {
                            assert_eq!(
                                client.send_text("between", &mut tx),
                                Err(Misuse::MessageUnfinished.into())
                            );
                        }
                        wire += transfer(&mut tx, &mut rx).len();
                        if let Some(event) = server.receive(&mut rx, &mut replies) {
                            received = Some(words(&event));
                        }
                        if done {
                            assert!(rest.is_empty());
                            break;
                        }
                    }
                }
                assert_eq!(received, Some(words(&Event::Text(&text))));
                assert_eq!(wire < text.len() / 10, compress);
            }
            client.send_text("behind", &mut tx).unwrap();
            transfer(&mut tx, &mut rx);
            assert_eq!(server.receive(&mut rx, &mut replies), Some(Event::Text("behind")));
        }
    }
}

#[test]
fn fragments_are_compressed_together() {
    let (mut client, mut server) = pair(FULL, EAGER);
    let (mut rx, mut tx) = (ReadBuffer::new([0; 4096]), WriteBuffer::new([0; 4096]));
    for _ in 0..3 {
        for part in [&b"Hel"[..], b"", b"lo, "] {
            client.send_fragment(MessageKind::Text, part, false, &mut tx).unwrap();
            client.send_ping(b"between", &mut tx).unwrap();
        }
        assert_eq!(
            client.send_fragment(MessageKind::Binary, b"", true, &mut tx),
            Err(Misuse::WrongKind.into())
        );
        assert_eq!(
            client.send_fragment(MessageKind::Text, b"\xff", true, &mut tx),
            Err(Misuse::InvalidText.into())
        );
        client.send_fragment(MessageKind::Text, b"world", true, &mut tx).unwrap();
        let sent = frames(&transfer(&mut tx, &mut rx));
        let data: Vec<_> = sent.iter().filter(|(header, _)| !header.opcode.is_control()).collect();
        assert_eq!((data[0].0.opcode, data[0].0.rsv), (OpCode::Text, 4));
        assert!(data[1..].iter().all(|(header, _)| header.rsv == 0));
        assert!(data.last().unwrap().0.fin);
        for _ in 0..3 {
            assert_eq!(server.receive(&mut rx, &mut tx), Some(Event::Ping(b"between")));
        }
        tx.clear();
        assert_eq!(server.receive(&mut rx, &mut tx), Some(Event::Text("Hello, world")));
    }
    // The first fragment of the message decides.
    client.send_fragment(MessageKind::Text, b"one ", false, &mut tx).unwrap();
    client.set_compress(false);
    client.send_fragment(MessageKind::Text, b"two", true, &mut tx).unwrap();
    client.send_text("plain", &mut tx).unwrap();
    transfer(&mut tx, &mut rx);
    assert_eq!(server.receive(&mut rx, &mut tx), Some(Event::Text("one two")));
    assert_eq!(server.receive(&mut rx, &mut tx), Some(Event::Text("plain")));
}

/// Checks that the space for the next fragment does not depend on how well earlier fragments
/// compressed.
#[test]
fn many_fragments_through_a_small_buffer() {
    let (mut client, mut server) = pair(FULL, EAGER);
    let (mut rx, mut tx) = (ReadBuffer::growing(1 << 20), WriteBuffer::new([0; 5000]));
    let parts =
        [vec![vec![b'x'; 4000]; 50], noise(200_000).chunks(4000).map(<[u8]>::to_vec).collect()]
            .concat();
    let mut received = None;
    for (index, part) in parts.iter().enumerate() {
        client.send_fragment(MessageKind::Binary, part, index + 1 == parts.len(), &mut tx).unwrap();
        assert!(tx.bytes()[0] & 0x0F == 0 || index == 0, "one frame each");
        transfer(&mut tx, &mut rx);
        received = server.receive(&mut rx, &mut tx).map(|event| words(&event));
    }
    assert_eq!(received, Some(words(&Event::Binary(&parts.concat()))));
}

#[test]
fn a_vectored_payload_is_not_touched() {
    let (mut client, mut server) = pair(FULL, EAGER);
    let payload = [b'x'; 500];
    let (mut rx, mut tx) = (ReadBuffer::new([0; 1024]), WriteBuffer::new([0; 512]));
    server.send_binary_vectored(&payload, &mut tx).unwrap();
    for slice in tx.slices(&payload).unwrap() {
        feed(&mut rx, slice);
    }
    assert_eq!(
        client.receive(&mut rx, &mut WriteBuffer::new([0; 512])),
        Some(Event::Binary(&payload))
    );
}

/// Streams messages of any content, in parts of any length, through small buffers with sent bytes
/// at the front. The messages arrive, in no more frames than the space requires.
#[test]
fn any_stream_through_small_buffers() {
    // Characters of three bytes and of many kinds hardly compress, so the compressor consumes them
    // in parts.
    let letters = noise(14_000);
    let letters =
        letters.chunks(2).map(|two| 0x4E00 + u32::from(two[0]) * 64 + u32::from(two[1] % 64));
    let letters: String = letters.filter_map(char::from_u32).collect();
    let messages = [
        (MessageKind::Binary, noise(20_000)),
        (MessageKind::Text, letters.into_bytes()),
        (MessageKind::Text, "é".repeat(10_000).into_bytes()),
        (MessageKind::Binary, vec![0xFF; 20_000]),
    ];
    for (kind, message) in &messages {
        for part in [1, 7, 333, 5001, usize::MAX] {
            for (capacity, left) in [(270, 0), (400, 0), (1000, 0), (1000, 300), (5000, 4000)] {
                // With a small window and little memory, the compressor consumes less at once.
                for (compress, bits, memory_level) in [(true, 15, 8), (true, 9, 1), (false, 15, 8)]
                {
                    let window_bits = WindowBits::new(bits).unwrap();
                    let send = Context { window_bits, takeover: true };
                    let config = EAGER.with_memory_level(memory_level);
                    let agreement = DeflateParams { send, receive: send };
                    let (mut client, mut server) = pair(agreement, config);
                    client.set_compress(compress);
                    let mut memory = vec![0; capacity];
                    let mut tx = WriteBuffer::new(&mut memory[..]);
                    let mut rx = ReadBuffer::growing(1 << 20);
                    let mut replies = WriteBuffer::new([0; 400]);
                    if left > 0 {
                        // Earlier output, sent except for its last byte.
                        client.send_ping(b"", &mut tx).unwrap();
                        let mut before = 6;
                        while before < left {
                            client.send_ping(&[b'p'; 94], &mut tx).unwrap();
                            before += 100;
                        }
                        feed(&mut rx, &tx.bytes()[..before - 1]);
                        tx.consume(before - 1);
                    }
                    let (mut frames, mut received) = (0, None);
                    let parts: Vec<&[u8]> = message.chunks(part).collect();
                    for (index, part) in parts.iter().enumerate() {
                        let last = index + 1 == parts.len();
                        let mut rest = *part;
                        loop {
                            let before = rest.len();
                            let room = capacity - tx.len() - 139;
                            let done = client
                                .send_stream(*kind, &mut rest, last, &mut tx)
                                .unwrap()
                                .is_done();
                            assert!(!done || rest.is_empty());
                            // No call fails for lack of space if there is some.
                            assert!(done || rest.len() < before || room < 100 || compress);
                            frames += 1;
                            transfer(&mut tx, &mut rx);
                            while let Some(event) = server.receive(&mut rx, &mut replies) {
                                if !matches!(event, Event::Ping(_)) {
                                    received = Some(words(&event));
                                }
                            }
                            replies.clear();
                            if done {
                                break;
                            }
                        }
                    }
                    let expected = match kind {
                        MessageKind::Text => Event::Text(std::str::from_utf8(message).unwrap()),
                        MessageKind::Binary => Event::Binary(message),
                    };
                    assert!(received == Some(words(&expected)), "{kind:?} {part} {capacity}");
                    if !compress {
                        let most = message.len() / (capacity - 139 - 14) + 2 * parts.len() + 2;
                        assert!(frames <= most, "{frames} {most}");
                    }
                }
            }
        }
    }
}

/// Checks that uncompressed frames fill the available space.
#[test]
fn a_plain_stream_fills_its_frames() {
    let (mut client, _) = pair(FULL, EAGER);
    client.set_compress(false);
    let mut tx = WriteBuffer::new([0; 1139]);
    let mut rest = &[7; 100_000][..];
    let streamed = client.send_stream(MessageKind::Binary, &mut rest, true, &mut tx);
    assert_eq!(streamed, Ok(Streamed::NeedsFlush));
    assert_eq!(rest.len(), 100_000 - (1000 - 14));
    // Only the space after the unsent bytes is available.
    tx.consume(900);
    let streamed = client.send_stream(MessageKind::Binary, &mut rest, true, &mut tx);
    assert_eq!(streamed, Ok(Streamed::NeedsFlush));
    assert!(tx.len() > 950, "{}", tx.len());
}

/// Checks that streamed text is validated as it is sent, compressed or not. Text that cannot become
/// UTF-8 is refused, and so is an end inside a character. Binary data is not checked. The kind of a
/// message does not change.
#[test]
fn a_stream_of_text_is_text() {
    for compress in [true, false] {
        let stream = |kind, parts: &[&[u8]]| {
            let (mut client, _) = pair(FULL, EAGER);
            client.set_compress(compress);
            let mut tx = WriteBuffer::new([0; 1024]);
            for (index, part) in parts.iter().enumerate() {
                let mut rest = *part;
                let _ = client.send_stream(kind, &mut rest, index + 1 == parts.len(), &mut tx)?;
            }
            Ok(())
        };
        let invalid = Err(Error::from(Misuse::InvalidText));
        for (parts, is_text) in [
            (&[&b"caf\xc3"[..], b"\xa9"][..], true),
            (&[b"\xf0", b"\x9f", b"\xa6", b"\x8a", b""], true),
            (&[b"caf\xc3"], false),
            (&[b"caf\xc3", b""], false),
            (&[b"caf\xc3", b"("], false),
            (&[b"caf", b"\xa9"], false),
            (&[b"\xff"], false),
            (&[b"good", b"\xed\xa0\x80", b"good"], false),
        ] {
            let expected = if is_text { Ok(()) } else { invalid };
            assert_eq!(stream(MessageKind::Text, parts), expected, "{parts:?}");
            assert_eq!(stream(MessageKind::Binary, parts), Ok(()), "{parts:?}");
        }
        let (mut client, _) = pair(FULL, EAGER);
        client.set_compress(compress);
        let mut tx = WriteBuffer::new([0; 1024]);
        let _ = client.send_stream(MessageKind::Text, &mut &b"one"[..], false, &mut tx).unwrap();
        let other = client.send_stream(MessageKind::Binary, &mut &b"two"[..], true, &mut tx);
        assert_eq!(other, Err(Misuse::WrongKind.into()));
    }
}

/// Checks that compressed bytes of a part may be sent with a later part: no frame is empty.
#[test]
fn a_short_part_of_a_stream_waits_in_the_compressor() {
    let (mut client, mut server) = pair(FULL, EAGER);
    let (mut rx, mut tx) = (ReadBuffer::new([0; 1024]), WriteBuffer::new([0; 1024]));
    for part in [&b"one "[..], b"", b"two "] {
        let mut rest = part;
        assert_eq!(
            client.send_stream(MessageKind::Text, &mut rest, false, &mut tx),
            Ok(Streamed::Done)
        );
        assert!(tx.is_empty());
    }
    let mut rest = &b"three"[..];
    assert_eq!(client.send_stream(MessageKind::Text, &mut rest, true, &mut tx), Ok(Streamed::Done));
    let sent = frames(&transfer(&mut tx, &mut rx));
    assert_eq!((sent.len(), sent[0].0.fin, sent[0].0.rsv), (1, true, 4));
    assert_eq!(server.receive(&mut rx, &mut tx), Some(Event::Text("one two three")));
}

/// Checks that a stream is whole if a call has less space than the call before. The space bounds
/// how much input a call examines, and must not end the message early.
#[test]
fn a_stream_whose_buffer_is_never_empty_is_whole() {
    let message: Vec<u8> = (0..20_000).map(|i| (i / 9) as u8).collect();
    for level in [1, 6] {
        let config = EAGER.with_level(level);
        for share in 1..120 {
            let (mut client, mut server) = pair(FULL, config);
            let (mut rx, mut tx) = (ReadBuffer::growing(1 << 16), WriteBuffer::new([0; 1000]));
            let mut rest = &message[..];
            let mut step = 0;
            while !server
                .send_stream(MessageKind::Binary, &mut rest, true, &mut tx)
                .unwrap()
                .is_done()
            {
                step += 1;
                // All of the output, then a part.
                let taken = if step % 2 == 1 { tx.len() } else { tx.len() * share / 120 };
                feed(&mut rx, &tx.bytes()[..taken]);
                tx.consume(taken);
            }
            assert!(rest.is_empty(), "level {level}, share {share}: {} bytes left", rest.len());
            transfer(&mut tx, &mut rx);
            let mut spare = WriteBuffer::new([0; 512]);
            let event = client.receive(&mut rx, &mut spare);
            assert_eq!(event, Some(Event::Binary(&message)), "level {level}, share {share}");
        }
    }
}

/// Checks that a buffer which can never accept a part of a stream returns the needed size.
#[test]
fn a_stream_through_a_buffer_that_is_too_small() {
    for compress in [true, false] {
        for capacity in 0..300 {
            let mut sender = Sender::server().with_deflate(FULL, &EAGER);
            sender.set_compress(compress);
            let mut tx = WriteBuffer::new(vec![0; capacity].into_boxed_slice());
            let message = noise(1000);
            let mut rest = &message[..];
            let needed = loop {
                match sender.stream(MessageKind::Binary, &mut rest, true, &mut tx) {
                    Ok(Streamed::Done) => break 0,
                    Ok(Streamed::NeedsFlush) => tx.clear(),
                    Err(Error::NeverFits { needed }) => break needed,
                    Err(other) => panic!("{other}"),
                }
            };
            assert_eq!(needed, if capacity < 217 { 217 } else { 0 }, "{capacity}");
        }
    }
}

/// Checks that data which grows when compressed fits in the reserved space, at every level and
/// memory level: one frame each, with the whole content.
#[test]
fn what_does_not_compress_fits() {
    // Literals whose fixed codes have nine bits, in random order.
    let message: Vec<u8> = noise(60_000).iter().map(|byte| 144 + byte % 112).collect();
    for level in 0..=9 {
        for memory_level in [1, 5, 9] {
            for len in [1, 100, 1000, 20_000, 60_000] {
                let config = EAGER.with_level(level).with_memory_level(memory_level);
                let (mut client, mut server) = pair(FULL, config);
                let (mut rx, mut tx) =
                    (ReadBuffer::growing(1 << 17), WriteBuffer::growing(1 << 17));
                server.send_binary(&message[..len], &mut tx).unwrap();
                assert_eq!(frames(tx.bytes()).len(), 1);
                transfer(&mut tx, &mut rx);
                let event = client.receive(&mut rx, &mut tx);
                assert_eq!(
                    event,
                    Some(Event::Binary(&message[..len])),
                    "{level} {memory_level} {len}"
                );
            }
        }
    }
}

/// Checks that a message below the threshold leaves uncompressed through a buffer that is smaller
/// than the message. Its first part alone could be compressed, because a part has no known end.
#[test]
fn a_streamed_message_below_the_threshold_leaves_through_a_small_buffer() {
    let params = DeflateParams { send: Context::FULL, receive: Context::FULL };
    let config = DeflateConfig::DEFAULT.with_threshold(10_000);
    let mut sender = Sender::server().with_deflate(params, &config);
    let mut tx = WriteBuffer::new([0; 512]);
    sender.ping(b"", &mut tx).unwrap();
    let (mut rest, mut sent) = (&[b'x'; 5000][..], 0);
    let first = sender.stream(MessageKind::Text, &mut rest, true, &mut tx);
    assert_eq!(first, Ok(Streamed::NeedsFlush));
    assert_eq!(tx.bytes()[2], 0x01, "the first frame is not compressed");
    loop {
        sent += tx.len();
        tx.clear();
        if sender.stream(MessageKind::Text, &mut rest, true, &mut tx).unwrap().is_done() {
            break;
        }
    }
    assert!(sent + tx.len() > 5000);
}

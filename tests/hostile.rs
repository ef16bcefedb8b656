//! Tests hostile inputs on an open connection, one test for each row, with its bound on memory or
//! work. Small inputs run at every cut. `hostile_heads` has the rows about the opening handshake,
//! and the `deflate_*` files those about compression.

mod common;
use common::allocator::{Counting, cost_of};
use common::*;
use sockless::{
    Client, CloseCode, Config, EntropyError, Error, Event, Failure, FnEntropy, GrowableBuffer,
    Incoming, MessageKind, READ_BUFFER_MIN, ReadBuffer, Receiver, Sender, Server, State, Violation,
    WRITE_BUFFER_MIN, WebSocket, WriteBuffer, truncate_reason,
};
use std::cell::Cell;

#[global_allocator]
static COUNTING: Counting = Counting;

/// Returns the header of a masked binary frame that claims this length in 64 bits.
fn claim(len: u64) -> Vec<u8> {
    [&[0x82, 0xFF][..], &len.to_be_bytes(), &KEY].concat()
}

/// Row "claimed lengths": 2^63-1, 2^63, 2^64-4, 2^64-1. The header decides, and without a limit
/// nothing wraps.
#[test]
fn claimed_lengths_of_63_and_64_bits() {
    let unlimited = Config::default().with_max_frame_size(u64::MAX).with_max_message_size(u64::MAX);
    for (len, reason) in [
        ((1 << 63) - 1, "FrameTooBig"),
        (1 << 63, "LengthTopBit"),
        (u64::MAX - 3, "LengthTopBit"),
        (u64::MAX, "LengthTopBit"),
    ] {
        let input = [claim(len), vec![7; 300]].concat();
        let run = server(&input);
        assert_eq!(run.events, [format!("failed Protocol({reason})")]);
        let whole = at_every_cut(&input, |input, cuts| {
            let ws = WebSocket::from_upgraded(Server, unlimited);
            run_ws(ws, input, cuts, 512, Take::Messages, true, |_, _, _| {})
        });
        let reason = if reason == "FrameTooBig" { "MessageTooBig" } else { reason };
        assert_eq!(whole.events, [format!("failed Protocol({reason})")], "no buffer holds it");
    }
    // In chunks, the longest frame is valid: the bytes that arrive are delivered.
    let input = [claim((1 << 63) - 1), vec![7; 300]].concat();
    let run = at_every_cut(&input, |input, cuts| {
        let ws = WebSocket::from_upgraded(Server, unlimited);
        run_ws(ws, input, cuts, 512, Take::Chunks, true, |_, _, _| {})
    });
    assert_eq!(run.events.len(), 2);
    assert_eq!(run.events[0], "close 1006 \"\"");
    assert!(run.events[1].starts_with("unfinished Binary"));
    let mut receiver = Receiver::server(unlimited);
    let mut bytes = input.clone();
    assert!(matches!(
        receiver.receive_chunk_in_place(&mut &mut bytes[..]),
        Ok(Some(Incoming::Data(_)))
    ));
    assert_eq!(receiver.frame_remaining(), (1 << 63) - 1 - 300);
}

/// Row "claimed lengths": sums over fragments that exceed 2^32 and 2^64.
#[test]
fn sums_of_claimed_lengths_do_not_wrap() {
    let first = masked(0x02, &[7; 10]);
    for limit in [u64::MAX, 1 << 32, (1 << 63) - 1] {
        for len in [(1 << 32) - 10, (1 << 32) - 9, (1 << 63) - 11, (1 << 63) - 1] {
            let mut input = [&first[..], &claim(len)].concat();
            input[first.len()] = 0x80;
            let config =
                Config::default().with_max_frame_size(u64::MAX).with_max_message_size(limit);
            let run = at_every_cut(&input, |input, cuts| {
                let ws = WebSocket::from_upgraded(Server, config);
                run_ws(ws, input, cuts, 512, Take::Chunks, true, |_, _, _| {})
            });
            // If `len` alone exceeds a limit, the frame is too big. With the earlier fragments, the
            // message is.
            let expected = if len > limit {
                "failed Protocol(FrameTooBig)"
            } else if len + 10 > limit {
                "failed Protocol(MessageTooBig)"
            } else {
                "close 1006 \"\""
            };
            assert_eq!(run.events[0], expected, "{len} of {limit}");
            // No buffer is large enough to collect the message, whatever `usize` can represent.
            let ws = WebSocket::from_upgraded(Server, config);
            let whole = run_ws(ws, &input, &[], 512, Take::Messages, true, |_, _, _| {});
            assert!(whole.last().starts_with("failed Protocol("), "{whole:?}");
            assert_eq!(whole.close_sent(), Some(1009));
        }
    }
}

/// Rows "a 15-byte input that allocates 1 GiB" and "14 bytes that grow a heap": memory depends on
/// the received bytes.
#[test]
fn memory_follows_received_bytes_only() {
    let config = Config::default().with_max_frame_size(u64::MAX).with_max_message_size(u64::MAX);
    for (len, received) in
        [(1u64 << 30, 1), (1 << 30, 0), (1 << 40, 100), (1 << 30, 10_000), ((1 << 63) - 1, 100)]
    {
        let input = [claim(len), vec![0; received]].concat();
        let ((), cost) = cost_of(|| {
            let mut ws = WebSocket::from_upgraded(Server, config);
            let mut rx = ReadBuffer::growing(usize::MAX);
            let mut tx = WriteBuffer::growing(1 << 20);
            for piece in input.chunks(100) {
                let _ = rx.extend(piece);
                let event = ws.receive(&mut rx, &mut tx);
                // If `usize` has 32 bits, no buffer can hold the longest frame, and the header
                // alone decides.
                if usize::try_from(len).is_err() {
                    let failure = Failure::Protocol(Violation::MessageTooBig);
                    assert_eq!(event, Some(Event::Failed(failure)), "{len}");
                    return;
                }
                assert_eq!(event, None);
                assert!(!rx.space().is_empty());
            }
            assert_eq!(ws.frame_remaining(), len - received as u64);
        });
        // Growth doubles the memory, and the old memory exists beside the new one during the move.
        // After a failure the output has a Close.
        let close = if usize::try_from(len).is_err() { 1024 } else { 0 };
        let bound = 1024 + close + 4 * input.len();
        assert!(cost.bytes <= bound, "{len}, {received}: {cost:?}, more than {bound}");
    }
}

/// Row "14 bytes that grow a heap": the memory of a large message can be released between messages
/// only.
#[test]
fn grown_memory_can_be_released() {
    let (large, payload) = (masked(0x82, &[7; 100_000]), [8; 100_000]);
    let mut ws = WebSocket::from_upgraded(Server, Config::default());
    let mut rx = ReadBuffer::growing(1 << 20);
    let mut tx = WriteBuffer::growing(1 << 20);
    for _ in 0..3 {
        let ((), cost) = cost_of(|| {
            let _ = rx.extend(&large);
            rx.release();
            assert_eq!(rx.unread().len(), large.len(), "not while it is in use");
            assert!(matches!(ws.receive(&mut rx, &mut tx), Some(Event::Binary(_))));
            ws.send_binary(&payload, &mut tx).unwrap();
            tx.release();
            assert_eq!(tx.len(), 10 + payload.len(), "not while it is in use");
            tx.clear();
        });
        assert!(cost.left > 200_000, "{cost:?}");
        let ((), cost) = cost_of(|| {
            rx.release();
            tx.release();
        });
        assert!(cost.left < -200_000, "{cost:?}");
    }
}

/// Row "10^6 empty or 1-byte fragments": the count is limited, in constant memory, whole or in
/// chunks.
#[test]
fn a_million_tiny_fragments() {
    for payload in [&b""[..], b"x"] {
        for chunks in [false, true] {
            let (first, next) = (masked(0x02, payload), masked(0x00, payload));
            let refusal = plain(0x88, &1008u16.to_be_bytes());
            let (fragments, cost) = cost_of(|| {
                let mut ws = WebSocket::from_upgraded(Server, Config::default());
                // In chunks, nothing collects the message.
                let memory = if chunks { READ_BUFFER_MIN } else { (1 << 17) + 2 * READ_BUFFER_MIN };
                let mut rx = ReadBuffer::new(vec![0; memory].into_boxed_slice());
                let mut tx = WriteBuffer::new([0; WRITE_BUFFER_MIN]);
                for i in 0..1_000_000u32 {
                    let frame = if i == 0 { &first } else { &next };
                    assert_eq!(rx.extend(frame), frame.len());
                    loop {
                        let event = if chunks {
                            ws.receive_chunks(&mut rx, &mut tx)
                        } else {
                            ws.receive(&mut rx, &mut tx)
                        };
                        match event {
                            None => break,
                            Some(Event::Chunk(chunk)) => assert_eq!(chunk.bytes(), payload),
                            Some(event) => {
                                let violation = Violation::TooManyFragments;
                                assert_eq!(event, Event::Failed(Failure::Protocol(violation)));
                                assert_eq!(tx.bytes(), refusal);
                                return i;
                            }
                        }
                    }
                }
                panic!("never ended");
            });
            assert_eq!(fragments, 1 << 17, "as many as are allowed passed");
            assert_eq!(cost.calls, 2, "the buffer, to and from");
        }
    }
}

/// Row "a message that never finishes": its size is limited over all frames, and its memory by the
/// caller's buffer.
#[test]
fn a_message_that_never_finishes() {
    let config = Config::default().with_max_message_size(1 << 20);
    let (first, next) = (masked(0x01, &[b'x'; 1000]), masked(0x00, &[b'x'; 1000]));
    let ((), cost) = cost_of(|| {
        let mut ws = WebSocket::from_upgraded(Server, config);
        let mut rx = ReadBuffer::new([0; 2048]);
        let mut tx = WriteBuffer::new([0; WRITE_BUFFER_MIN]);
        let mut received = 0;
        for i in 0.. {
            let _ = rx.extend(if i == 0 { &first } else { &next });
            match ws.receive_chunks(&mut rx, &mut tx) {
                Some(Event::Chunk(chunk)) => received += chunk.bytes().len(),
                event => {
                    let failure = Failure::Protocol(Violation::MessageTooBig);
                    assert_eq!(event, Some(Event::Failed(failure)));
                    break;
                }
            }
        }
        assert_eq!(received, (1 << 20) / 1000 * 1000);
    });
    assert_eq!(cost.calls, 0);
    // A whole message fails at the header of the fragment that exceeds the buffer.
    let ((), cost) = cost_of(|| {
        let mut ws = WebSocket::from_upgraded(Server, config);
        let mut rx = ReadBuffer::new(GrowableBuffer::new(10_000));
        let mut tx = WriteBuffer::new([0; WRITE_BUFFER_MIN]);
        let mut fragments = 0;
        let event = loop {
            let _ = rx.extend(if fragments == 0 { &first } else { &next });
            match ws.receive(&mut rx, &mut tx) {
                None => fragments += 1,
                Some(event) => break event,
            }
        };
        assert_eq!(event, Event::Failed(Failure::Protocol(Violation::MessageTooBig)));
        assert_eq!(fragments, 9);
    });
    assert!(cost.bytes <= 20_000, "{cost:?}");
}

/// Row "a message at the limit, one and two bytes over": the limit is exact, in one frame and
/// across frames, whole and in chunks.
#[test]
fn the_limits_of_size_are_exact() {
    for limit in [0usize, 1, 125, 126, 127, 300] {
        let config = Config::default().with_max_message_size(limit as u64);
        for over in [0usize, 1, 2] {
            let len = limit + over;
            let mut inputs = vec![masked(0x82, &vec![7; len])];
            for cut in [0, len / 2, len] {
                let (a, b) = (vec![7; cut], vec![7; len - cut]);
                inputs.push([masked(0x02, &a), masked(0x80, &b)].concat());
                inputs.push([masked(0x02, &a), masked(0x00, &b), masked(0x80, b"")].concat());
            }
            for input in inputs {
                let run = server_with(config, &input);
                if over == 0 {
                    assert!(run.events[0].starts_with("binary"), "{limit}: {run:?}");
                } else {
                    assert!(run.last().ends_with("TooBig)"), "{limit} + {over}: {run:?}");
                    assert_eq!(run.close_sent(), Some(1009));
                }
            }
        }
        // The limit on a frame, of a message that may be larger.
        let config = Config::default().with_max_frame_size(limit as u64);
        let two = [masked(0x02, &vec![7; limit]), masked(0x80, &vec![7; limit])].concat();
        assert!(server_with(config, &two).events[0].starts_with("binary"));
        for first in [0x82, 0x02, 0x81] {
            let run = server_with(config, &masked(first, &vec![b'x'; limit + 1]));
            assert_eq!(run.last(), "failed Protocol(FrameTooBig)");
        }
    }
}

/// Row "200 000 pings while nothing drains the output": memory is constant, and the latest ping is
/// answered.
#[test]
fn two_hundred_thousand_pings_and_nothing_drained() {
    let mut pings: Vec<_> =
        (0..200_000u32).map(|i| masked(0x89, &i.to_be_bytes().repeat(30))).collect();
    pings.push(masked(0x89, b"latest"));
    let latest = plain(0x8A, b"latest");
    // Use a buffer that is full at once, and one that could grow to 64 MiB.
    let ((), cost) = cost_of(|| {
        let mut ws = WebSocket::from_upgraded(Server, Config::default());
        let mut rx = ReadBuffer::new([0; 512]);
        let mut tx = WriteBuffer::growing(64 << 20);
        for ping in &pings {
            let _ = rx.extend(ping);
            assert!(matches!(ws.receive(&mut rx, &mut tx), Some(Event::Ping(_))));
            assert!(tx.len() <= 8192, "{} bytes wait", tx.len());
        }
        assert!(tx.bytes().ends_with(&latest));
    });
    assert!(cost.bytes <= 3 * 8192, "{cost:?}");
    let ((), cost) = cost_of(|| {
        let mut ws = WebSocket::from_upgraded(Server, Config::default());
        let (mut rx, mut tx) = (ReadBuffer::new([0; 512]), WriteBuffer::new([0; 512]));
        for ping in &pings {
            let _ = rx.extend(ping);
            assert!(matches!(ws.receive(&mut rx, &mut tx), Some(Event::Ping(_))));
        }
        assert!(tx.bytes().ends_with(&latest));
        ws.close(CloseCode::NORMAL, "", &mut tx).unwrap();
    });
    assert_eq!(cost.calls, 0);
}

/// Row "unmasked client frames, masked server frames, a control frame of 200 bytes".
/// `deflate_connection` has the case with compression.
#[test]
fn frames_of_the_wrong_kind() {
    for payload in [&b""[..], b"x", &[b'x'; 200]] {
        assert_eq!(server(&plain(0x81, payload)).last(), "failed Protocol(NotMasked)");
        assert_eq!(client(&masked(0x81, payload)).last(), "failed Protocol(Masked)");
    }
    for first in [0x88, 0x89, 0x8A] {
        let run = server(&masked(first, &[b'x'; 200]));
        assert_eq!(run.events, ["failed Protocol(ControlTooLong)"]);
        assert_eq!(run.close_sent(), Some(1002));
    }
}

/// Row "mask keys": each frame has a fresh key from the caller's entropy, and a refused send draws
/// none. If the source fails, the call fails and sends nothing.
#[test]
fn masking_keys_are_fresh_and_never_made_up() {
    let (failing, mut drawn) = (Cell::new(false), 0u32);
    let mut sender = Sender::client(FnEntropy::new(|bytes: &mut [u8]| {
        if failing.get() {
            return Err(EntropyError);
        }
        drawn += 1;
        bytes.copy_from_slice(&drawn.to_be_bytes());
        Ok(())
    }));
    let mut tx = WriteBuffer::new([0; 512]);
    sender.text("one", &mut tx).unwrap();
    sender.binary(b"", &mut tx).unwrap();
    assert!(sender.binary(&[0; 600], &mut tx).is_err(), "does not fit");
    assert!(sender.ping(&[0; 126], &mut tx).is_err());
    sender.ping(b"two", &mut tx).unwrap();
    sender.fragment(MessageKind::Text, b"t", false, &mut tx).unwrap();
    let before = tx.bytes().to_vec();
    failing.set(true);
    let error = Err(Error::Entropy(EntropyError));
    assert_eq!(sender.fragment(MessageKind::Text, b"\xc3", false, &mut tx), error);
    assert_eq!(sender.pong(b"", &mut tx), error);
    assert_eq!(sender.close(CloseCode::NORMAL, "", &mut tx), error);
    assert_eq!(tx.bytes(), before);
    failing.set(false);
    // The unsent fragment is not part of the message.
    sender.fragment(MessageKind::Text, b"\xc3\xa9", true, &mut tx).unwrap();
    sender.close(CloseCode::NORMAL, "", &mut tx).unwrap();
    let keys: Vec<_> = frames(tx.bytes()).iter().map(|(header, _)| header.mask.unwrap()).collect();
    let expected: Vec<_> = (1..=6u32).map(u32::to_be_bytes).collect();
    assert_eq!(keys, expected);
}

/// Row "Close reason of 123 and 124 bytes, cut inside a character; nothing uninitialised": the old
/// content of a buffer never reaches the wire.
#[test]
fn only_written_bytes_reach_the_wire() {
    let reason = "x".repeat(122) + "\u{e9}";
    assert_eq!(reason.len(), 124);
    for (given, sent) in
        [(&reason[..], 122), (&reason[..122], 122), (truncate_reason(&reason), 122), ("", 0)]
    {
        let mut tx = WriteBuffer::new([0xAA; 512]);
        let mut ws = WebSocket::from_upgraded(Server, Config::default());
        ws.close(CloseCode::NORMAL, given, &mut tx).unwrap();
        let body = [&1000u16.to_be_bytes()[..], &vec![b'x'; sent]].concat();
        assert_eq!(tx.bytes(), plain(0x88, &body));
    }
    let mut tx = WriteBuffer::new([0xAA; 512]);
    let longest = "x".repeat(123);
    let mut ws = WebSocket::from_upgraded(Client::new(sevens as Sevens), Config::default());
    ws.close(CloseCode::NORMAL, &longest, &mut tx).unwrap();
    assert_eq!(frames(tx.bytes())[0].1[2..], *longest.as_bytes());
    assert_eq!(tx.len(), 6 + 125);
}

/// Row "a Close reason with bad UTF-8, split at every byte".
#[test]
fn a_close_reason_with_bad_utf8_at_every_cut() {
    for bad in [&b"bye\xff"[..], b"\xc3", b"ok \xe2\x82", b"\xf0\x9f\x98", b"\xed\xa0\x80!"] {
        let body = [&1000u16.to_be_bytes()[..], bad].concat();
        for run in [server(&masked(0x88, &body)), client(&plain(0x88, &body))] {
            assert_eq!(run.events, ["failed Protocol(InvalidUtf8)"]);
            assert_eq!(run.close_sent(), Some(1007));
        }
    }
}

/// Row "a text frame split over two reads": the text is validated at any split, and delivered text
/// is UTF-8.
#[test]
fn a_text_frame_split_over_reads_is_checked() {
    for bad in [&b"caf\xc3"[..], b"\xff", b"ok\xe2\x28\xa1", b"x\xed\xa0\x80", b"\xc3\xa9\x80"] {
        for run in [server(&masked(0x81, bad)), client(&plain(0x81, bad))] {
            assert_eq!(run.last(), "failed Protocol(InvalidUtf8)");
            assert_eq!(run.close_sent(), Some(1007));
            assert!(!run.events.iter().any(|event| event.starts_with("text")));
        }
    }
    let good = "caf\u{e9} \u{20ac} \u{1f600}";
    let run = server(&masked(0x81, good.as_bytes()));
    assert_eq!(run.events[0], words(&Event::Text(good)));
}

/// Row "input after the Close, after a failure, after end of file": the input is ignored, however
/// long, and the state shows the end.
#[test]
fn input_after_the_end_is_ignored() {
    for (input, eof) in [
        (close(1000, ""), false),
        (masked(0xC1, b""), false),
        (vec![], true),
        (close(1000, ""), true),
    ] {
        let mut ws = WebSocket::from_upgraded(Server, Config::default());
        let (mut rx, mut tx) = (ReadBuffer::new([0; 512]), WriteBuffer::new([0; 512]));
        let _ = rx.extend(&input);
        if eof {
            rx.end_of_stream();
        }
        assert!(ws.receive(&mut rx, &mut tx).is_some());
        let output = tx.bytes().to_vec();
        for more in [masked(0x81, b"text"), vec![0xFF; 500], close(1001, ""), REQUEST.to_vec()] {
            for _ in 0..10 {
                let _ = rx.extend(&more);
                assert_eq!(ws.receive(&mut rx, &mut tx), None);
                assert_eq!(ws.receive_chunks(&mut rx, &mut tx), None);
                assert!(rx.is_empty(), "taken and thrown away");
            }
        }
        rx.end_of_stream();
        assert_eq!(ws.receive(&mut rx, &mut tx), None);
        assert_eq!((ws.state(), ws.is_done()), (State::Closed, true));
        assert_eq!(tx.bytes(), output);
    }
}

/// Row "small or empty caller buffers": below the minimum the call fails at once in every phase,
/// and no loop spins.
#[test]
fn buffers_below_the_minimum_are_refused() {
    for (rx_len, tx_len, needed) in [
        (0, 512, READ_BUFFER_MIN),
        (READ_BUFFER_MIN - 1, 512, READ_BUFFER_MIN),
        (512, 0, WRITE_BUFFER_MIN),
        (512, WRITE_BUFFER_MIN - 1, WRITE_BUFFER_MIN),
        (0, 0, READ_BUFFER_MIN),
    ] {
        let (mut rx_bytes, mut tx_bytes) = (vec![0; rx_len], vec![0; tx_len]);
        for open in [true, false] {
            let mut rx = ReadBuffer::new(&mut rx_bytes[..]);
            let mut tx = WriteBuffer::new(&mut tx_bytes[..]);
            let mut ws = if open {
                WebSocket::from_upgraded(Server, Config::default())
            } else {
                WebSocket::server(Config::default())
            };
            let failure = Failure::Local(match needed {
                READ_BUFFER_MIN => Error::ReadBufferTooSmall { minimum: needed },
                _ => Error::WriteBufferTooSmall { minimum: needed },
            });
            assert_eq!(ws.receive(&mut rx, &mut tx), Some(Event::Failed(failure)));
            assert_eq!(ws.receive(&mut rx, &mut tx), None);
            assert!(ws.is_done());
            // The Close is sent if it has room.
            assert_eq!(tx.len(), if open && tx_len >= 4 { 4 } else { 0 });
        }
    }
}

/// Row "small or empty caller buffers": at the minimum everything works in chunks. The space is
/// never empty while the machine wants input (`run_ws` asserts it).
#[test]
fn buffers_of_the_minimum_are_large_enough() {
    let input = [
        masked(0x01, &[b'x'; 300]),
        masked(0x89, &[b'p'; 125]),
        masked(0x80, &[b'y'; 1000]),
        masked(0x82, &[7; 70_000]),
        close(1000, &"r".repeat(123)),
    ]
    .concat();
    for cuts in [vec![], (1..=input.len()).collect(), (1..=input.len()).step_by(137).collect()] {
        let ws = WebSocket::from_upgraded(Server, Config::default());
        let run = run_ws(ws, &input, &cuts, READ_BUFFER_MIN, Take::Chunks, true, |_, _, _| {});
        assert_eq!(run.events.len(), 4);
        assert!(run.events[0].starts_with("ping") && run.events[3].starts_with("close 1000"));
    }
}

/// Row "small or empty caller buffers": many small fragments fill the buffer with their headers,
/// followed by a part of a frame. There is still space for the rest of the frame, for every size of
/// the buffer and every length of a fragment.
#[test]
fn many_small_fragments_do_not_use_up_the_space() {
    for buffer in [READ_BUFFER_MIN + 60, 256, 300] {
        for fragment in 0..40 {
            let count = 60 / fragment.max(1);
            let mut input = masked(0x02, b"");
            for _ in 0..count {
                input.extend(masked(0x00, &vec![7; fragment]));
            }
            input.extend(masked(0x89, &[b'p'; 125]));
            input.extend(masked(0x80, b""));
            for offset in 0..20 {
                // Fill the buffer with each read, after a first read of `offset` bytes.
                let ws = WebSocket::from_upgraded(Server, Config::default());
                let run =
                    run_ws(ws, &input, &[offset], buffer, Take::Messages, false, |_, _, _| {});
                assert_eq!(run.events.len(), 2, "{buffer}, {fragment}, {offset}: {run:?}");
                assert!(run.events[1].starts_with("binary"));
            }
        }
    }
}

/// Row "small or empty caller buffers": a message that does not fit in the buffer fails with 1009
/// at its header, and one that fits is received.
#[test]
fn a_message_that_cannot_fit_fails_at_its_header() {
    for buffer in [READ_BUFFER_MIN, 200, 512] {
        let run_with = |input: &[u8]| {
            at_every_cut(input, |input, cuts| {
                let ws = WebSocket::from_upgraded(Server, Config::default());
                run_ws(ws, input, cuts, buffer, Take::Messages, false, |_, _, _| {})
            })
        };
        assert!(run_with(&masked(0x82, &vec![7; buffer])).last().starts_with("binary"));
        let header = masked(0x82, &vec![7; buffer + 1]);
        let run = run_with(&header[..8]);
        assert_eq!(run.last(), "failed Protocol(MessageTooBig)");
        assert_eq!(run.close_sent(), Some(1009));
    }
}

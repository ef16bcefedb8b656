//! Tests the halves, the buffers and the entry points: contracts 5, 6, 8 and 9.

mod common;
use common::*;
use sockless::{
    Client, CloseCode, Config, Error, Event, Incoming, MessageKind, Misuse, OpCode,
    READ_BUFFER_MIN, ReadBuffer, Receiver, Sender, Server, State, Violation, WRITE_BUFFER_MIN,
    WebSocket, WriteBuffer,
};

/// Bytes reserved for replies: a masked pong of 125 bytes and a masked Close with a code.
const REPLY_ROOM: usize = 6 + 125 + 6 + 2;

/// Returns everything that a receiver finds in `input`, in pieces that end at `cuts`.
fn receive(
    mut receiver: Receiver,
    input: &[u8],
    cuts: &[usize],
) -> (Vec<String>, Option<Violation>) {
    let (mut seen, mut text) = (Vec::new(), Vec::new());
    let mut kept: Vec<u8> = Vec::new();
    let mut at = 0;
    for end in cuts.iter().copied().chain([input.len()]) {
        kept.extend(&input[at..end]);
        at = end;
        let mut rest = &mut kept[..];
        loop {
            match receiver.receive_chunk_in_place(&mut rest) {
                Ok(None) => break,
                Ok(Some(Incoming::Data(chunk))) => {
                    assert_eq!(
                        chunk.text().is_some(),
                        chunk.is_whole() && chunk.kind() == MessageKind::Text
                    );
                    text.extend(chunk.bytes());
                    if chunk.is_last() {
                        seen.push(format!("{:?} {}", chunk.kind(), text.escape_ascii()));
                        text.clear();
                    }
                }
                Ok(Some(Incoming::Close(close))) => {
                    seen.push(format!("close {} {}", close.code(), close.reason()));
                }
                Ok(Some(other)) => seen.push(format!("{other:?}")),
                Err(violation) => {
                    assert_eq!(receiver.receive_chunk_in_place(&mut rest), Err(violation), "final");
                    return (seen, Some(violation));
                }
            }
        }
        let left = rest.len();
        assert!(receiver.is_closed() || left < READ_BUFFER_MIN, "{left} bytes were left");
        kept = kept[kept.len() - left..].to_vec();
    }
    (seen, None)
}

/// Contract 9: a receiver alone, over slices, at every cut.
#[test]
fn a_receiver_alone_takes_slices() {
    for from_client in [true, false] {
        let receiver = if from_client { Receiver::server } else { Receiver::client };
        let make = |first, payload: &[u8]| frame(first, payload, from_client);
        let input = [
            make(0x81, "gr\u{fc}n".as_bytes()),
            make(0x02, b"in "),
            make(0x89, &[b'p'; 125]),
            make(0x00, b""),
            make(0x80, b"parts"),
            make(0x8A, b""),
            make(0x82, &[b'x'; 300]),
            make(0x88, b"\x03\xe8bye"),
            make(0x81, b"ignored"),
        ]
        .concat();
        let whole = receive(receiver(Config::default()), &input, &[]);
        assert_eq!(whole.1, None);
        assert_eq!(whole.0.len(), 6);
        assert_eq!(whole.0[0], "Text gr\\xc3\\xbcn");
        assert_eq!(whole.0[2], "Binary in parts");
        assert_eq!(whole.0[5], "close 1000 bye");
        for cuts in cuts(input.len()) {
            assert_eq!(receive(receiver(Config::default()), &input, &cuts), whole);
        }
        let bad = [make(0x01, b"caf\xc3"), make(0x80, b"(")].concat();
        for cuts in cuts(bad.len()) {
            let (seen, violation) = receive(receiver(Config::default()), &bad, &cuts);
            assert_eq!((seen.len(), violation), (0, Some(Violation::InvalidUtf8)));
        }
    }
}

/// Contract 5: items borrow only the input, so several can be alive at once.
#[test]
fn several_items_of_a_receiver_can_be_alive_at_once() {
    let mut bytes = [masked(0x81, b"one"), masked(0x89, b"two"), masked(0x82, b"three")].concat();
    let mut input = &mut bytes[..];
    let items: Vec<_> = {
        let mut receiver = Receiver::server(Config::default());
        std::iter::from_fn(|| receiver.receive_chunk_in_place(&mut input).unwrap()).collect()
    };
    let [Incoming::Data(one), Incoming::Ping(two), Incoming::Data(three)] = items[..] else {
        panic!("{items:?}")
    };
    assert_eq!((one.text(), two, three.bytes()), (Some("one"), &b"two"[..], &b"three"[..]));
    assert!(input.is_empty());
}

/// Contract 10: the kind of a message, and the rest of its frame, are known before its first byte.
#[test]
fn the_kind_is_known_before_the_first_byte() {
    let mut receiver = Receiver::server(Config::default());
    let mut header = masked(0x02, &[0; 1000])[..8].to_vec();
    assert_eq!((receiver.message_kind(), receiver.frame_remaining()), (None, 0));
    assert_eq!(receiver.receive_chunk_in_place(&mut &mut header[..]), Ok(None));
    assert_eq!(
        (receiver.message_kind(), receiver.frame_remaining()),
        (Some(MessageKind::Binary), 1000)
    );

    let mut ws = WebSocket::from_upgraded(Server, Config::default());
    let (mut rx, mut tx) = (ReadBuffer::new([0; 512]), WriteBuffer::new([0; 512]));
    let _ = rx.extend(&masked(0x01, b"text")[..6]);
    assert_eq!(ws.message_kind(), None);
    assert_eq!(ws.receive_chunks(&mut rx, &mut tx), None);
    assert_eq!((ws.message_kind(), ws.frame_remaining()), (Some(MessageKind::Text), 4));
}

/// Contract 9: each half continues alone from the state of its machine.
#[test]
fn a_connection_can_be_taken_apart_in_the_middle_of_messages() {
    let mut ws = WebSocket::from_upgraded(Server, Config::default());
    let (mut rx, mut tx) = (ReadBuffer::new([0; 512]), WriteBuffer::new([0; 512]));
    let _ = rx.extend(&[masked(0x01, b"caf\xc3"), masked(0x80, b"\xa9")[..7].to_vec()].concat());
    assert!(matches!(ws.receive_chunks(&mut rx, &mut tx), Some(Event::Chunk(_))));
    ws.send_fragment(MessageKind::Text, b"th\xc3", false, &mut tx).unwrap();
    let (mut receiver, mut sender) = ws.split().unwrap();
    let Ok(Some(Incoming::Data(end))) = receiver.receive_chunks(&mut rx) else { panic!() };
    assert_eq!((end.bytes(), end.is_first(), end.is_last()), (&b"\xa9"[..], false, true));
    assert_eq!(receiver.receive(&mut rx), Ok(None));
    assert_eq!(sender.text("new", &mut tx), Err(Error::Misuse(Misuse::MessageUnfinished)));
    sender.fragment(MessageKind::Text, b"\xa9", true, &mut tx).unwrap();
    assert_eq!(tx.bytes(), [plain(0x01, b"th\xc3"), plain(0x80, b"\xa9")].concat());
}

/// Contract 9: only an open connection can be split. Any other is returned unchanged.
#[test]
fn a_connection_that_is_not_open_stays_whole() {
    let ws = WebSocket::server(Config::default()).split().unwrap_err();
    assert_eq!(ws.state(), State::Connecting);
    let mut ws = WebSocket::from_upgraded(Server, Config::default());
    ws.close(CloseCode::NORMAL, "", &mut WriteBuffer::new([0; 512])).unwrap();
    assert_eq!(ws.split().unwrap_err().state(), State::Closing);
}

/// Checks that a receiver over a buffer returns whole messages like the machine.
#[test]
fn a_receiver_alone_reads_from_a_buffer() {
    let mut receiver = Receiver::server(Config::default());
    let mut rx = ReadBuffer::new([0; 512]);
    let input = [masked(0x01, b"a"), masked(0x89, b"p"), masked(0x80, b"b"), close(1000, "")];
    let mut seen = Vec::new();
    for byte in input.concat() {
        rx.space()[0] = byte;
        rx.filled(1);
        while let Some(item) = receiver.receive(&mut rx).unwrap() {
            seen.push(match item {
                Incoming::Data(chunk) => chunk.text().unwrap().to_string(),
                other => format!("{other:?}"),
            });
        }
    }
    assert_eq!(seen[..2], ["Ping(1 bytes)", "ab"]);
    assert_eq!(seen.len(), 3);
    assert!(receiver.is_closed() && !rx.at_end());
    rx.end_of_stream();
    assert_eq!(receiver.receive(&mut rx), Ok(Some(Incoming::End)));
    assert_eq!(receiver.receive(&mut rx), Ok(None));
    assert!(rx.is_empty() && !rx.at_end(), "another connection can use the buffer");
    let _ = rx.extend(b"late");
    assert_eq!(receiver.receive(&mut rx), Ok(None));
    assert!(rx.is_empty() && receiver.is_closed());
}

/// Rule 20: frames that came with an upgrade by another library are copied into the buffer, however
/// many they are.
#[test]
fn bytes_after_an_upgrade_elsewhere_are_received() {
    let behind = [masked(0x81, b"early"), masked(0x82, &[7; 300]), masked(0x89, b"p")].concat();
    let mut ws = WebSocket::from_upgraded(Server, Config::default());
    let (mut rx, mut tx) = (ReadBuffer::new([0; 400]), WriteBuffer::new([0; 512]));
    assert_eq!(rx.extend(&behind), behind.len());
    assert_eq!(rx.unread(), behind);
    assert_eq!(ws.receive(&mut rx, &mut tx), Some(Event::Text("early")));
    assert_eq!(ws.receive(&mut rx, &mut tx), Some(Event::Binary(&[7; 300])));
    assert_eq!(ws.receive(&mut rx, &mut tx), Some(Event::Ping(b"p")));
    assert!(rx.is_empty());
    // If there is not enough space, the buffer returns how many bytes it accepted, and loses none.
    let long = masked(0x82, &[9; 380]);
    let twice = [&long[..], &long].concat();
    let taken = rx.extend(&twice);
    assert_eq!(taken, 400);
    assert_eq!(ws.receive(&mut rx, &mut tx), Some(Event::Binary(&[9; 380])));
    assert_eq!(rx.extend(&twice[taken..]), twice.len() - taken);
    assert_eq!(ws.receive(&mut rx, &mut tx), Some(Event::Binary(&[9; 380])));
    assert_eq!(rx.extend(b""), 0);
    assert!(!rx.at_end(), "nothing more to copy is not the end of the stream");
}

/// Contract 8: header and payload are sent as slices, and a write may accept any part of them.
#[test]
fn a_vectored_send_survives_partial_writes() {
    let payload: Vec<u8> = (0..200).map(|i| i as u8).collect();
    for step in 1..=40 {
        let mut ws = WebSocket::from_upgraded(Server, Config::default());
        let (mut rx, mut tx) = (ReadBuffer::new([0; 512]), WriteBuffer::new([0; 512]));
        ws.send_text("before", &mut tx).unwrap();
        ws.send_binary_vectored(&payload, &mut tx).unwrap();
        let pending = Err(Error::Misuse(Misuse::PayloadPending));
        assert_eq!(ws.send_binary_vectored(&payload, &mut tx), pending);
        // Control frames that are sent while the payload is pending follow the payload. Data is
        // refused.
        let _ = rx.extend(&masked(0x89, b"ping"));
        assert!(ws.receive(&mut rx, &mut tx).is_some());
        assert_eq!(ws.send_text("behind", &mut tx), pending);
        ws.send_ping(b"behind", &mut tx).unwrap();
        let expected = [
            plain(0x81, b"before"),
            plain(0x82, &payload),
            plain(0x8A, b"ping"),
            plain(0x89, b"behind"),
        ]
        .concat();
        assert_eq!(tx.len(), expected.len());
        let mut sent = Vec::<u8>::new();
        while !tx.is_empty() {
            let slices = tx.slices(&payload).unwrap();
            assert_eq!(slices[0], tx.bytes());
            let all = slices.concat();
            assert_eq!(all.len(), tx.len());
            assert_eq!(all, expected[sent.len()..]);
            let n = step.min(all.len());
            sent.extend(&all[..n]);
            tx.consume(n);
        }
        assert_eq!(sent, expected);
        ws.send_binary_vectored(b"", &mut tx).unwrap();
        assert_eq!(tx.slices(b"").unwrap().concat(), plain(0x82, b""));
        ws.send_binary_vectored(b"next", &mut tx).unwrap();
    }
    // `clear` drops the header, which `bytes` returned. Consuming more than the unsent bytes
    // consumes all.
    let mut tx = WriteBuffer::new([0; 512]);
    let mut sender = Sender::server();
    sender.binary_vectored(&payload, &mut tx).unwrap();
    sender.ping(b"behind", &mut tx).unwrap();
    tx.clear();
    let [head, middle, tail] = tx.slices(&payload).unwrap();
    assert_eq!((head, middle, tail), (&b""[..], &payload[..], &plain(0x89, b"behind")[..]));
    tx.consume(usize::MAX);
    assert!(tx.is_empty());
}

/// Contract 8: a client's payload is masked in the output, and unchanged in the caller's memory.
#[test]
fn a_vectored_send_of_a_client_copies_and_masks() {
    let mut ws = WebSocket::from_upgraded(Client::new(sevens as Sevens), Config::default());
    let mut tx = WriteBuffer::new([0; 512]);
    let payload = String::from("payload");
    ws.send_text_vectored(&payload, &mut tx).unwrap();
    assert_eq!(payload, "payload");
    let [head, middle, tail] = tx.slices(payload.as_bytes()).unwrap();
    assert!(middle.is_empty() && tail.is_empty());
    assert_eq!(frames(head)[0].1, b"payload");
}

/// Checks that replies are at frame boundaries of our output, also between the fragments of a
/// message.
#[test]
fn replies_stand_between_fragments() {
    let mut ws = WebSocket::from_upgraded(Server, Config::default());
    let (mut rx, mut tx) = (ReadBuffer::new([0; 512]), WriteBuffer::new([0; 512]));
    ws.send_fragment(MessageKind::Text, b"a", false, &mut tx).unwrap();
    let _ = rx.extend(&masked(0x89, b"1"));
    assert!(ws.receive(&mut rx, &mut tx).is_some());
    ws.send_fragment(MessageKind::Text, b"b", false, &mut tx).unwrap();
    ws.send_ping(b"ours", &mut tx).unwrap();
    let unfinished = Err(Error::Misuse(Misuse::MessageUnfinished));
    assert_eq!(ws.send_text("other", &mut tx), unfinished);
    assert_eq!(ws.send_text_vectored("other", &mut tx), unfinished);
    let wrong = Err(Error::Misuse(Misuse::WrongKind));
    assert_eq!(ws.send_fragment(MessageKind::Binary, b"c", true, &mut tx), wrong);
    let invalid = Err(Error::Misuse(Misuse::InvalidText));
    assert_eq!(ws.send_fragment(MessageKind::Text, b"\xc3", true, &mut tx), invalid);
    ws.send_fragment(MessageKind::Text, b"", true, &mut tx).unwrap();
    ws.send_text("other", &mut tx).unwrap();
    let expected = [
        plain(0x01, b"a"),
        plain(0x8A, b"1"),
        plain(0x00, b"b"),
        plain(0x89, b"ours"),
        plain(0x80, b""),
        plain(0x81, b"other"),
    ]
    .concat();
    assert_eq!(tx.bytes(), expected);
}

/// Writes messages until no further byte fits. Returns the number of bytes in the buffer.
fn fill<S: sockless::Storage>(ws: &mut WebSocket<Server>, tx: &mut WriteBuffer<S>) -> usize {
    for len in (0..tx.capacity()).rev() {
        while ws.send_binary(&vec![1; len], tx).is_ok() {}
    }
    tx.len()
}

fn ping(ws: &mut WebSocket<Server>, tx: &mut WriteBuffer<&mut [u8]>, payload: &[u8]) {
    let mut rx = ReadBuffer::new([0; 512]);
    let _ = rx.extend(&masked(0x89, payload));
    assert_eq!(ws.receive(&mut rx, tx), Some(Event::Ping(payload)));
}

/// Checks that a full output loses no reply: it has room for one pong and one Close, and a newer
/// pong replaces a pong that is unsent. A send that does not fit changes nothing.
#[test]
fn a_full_output_keeps_room_for_one_pong_and_one_close() {
    for capacity in [WRITE_BUFFER_MIN, WRITE_BUFFER_MIN + 1, 300, 512, 4096] {
        for sends_between in [false, true] {
            let mut bytes = vec![0; capacity];
            let mut tx = WriteBuffer::new(&mut bytes[..]);
            let mut ws = WebSocket::from_upgraded(Server, Config::default());
            let full = fill(&mut ws, &mut tx);
            assert!(capacity - full <= REPLY_ROOM + 1 && capacity - full >= REPLY_ROOM, "{full}");
            let sent = tx.bytes().to_vec();
            for payload in [&[b'a'; 125][..], b"", &[b'b'; 125], b"short", &[b'c'; 125]] {
                ping(&mut ws, &mut tx, payload);
                assert_eq!(tx.bytes(), [&sent[..], &plain(0x8A, payload)].concat());
                if sends_between {
                    let error = ws.send_text("more", &mut tx);
                    assert_eq!(error, Err(no_room(6 + REPLY_ROOM, capacity)));
                    let error = ws.close(CloseCode::NORMAL, "a reason does not fit", &mut tx);
                    assert!(matches!(error, Err(Error::NoRoom | Error::NeverFits { .. })));
                }
            }
            ws.close(CloseCode::NORMAL, "", &mut tx).unwrap();
            let end = [plain(0x8A, &[b'c'; 125]), plain(0x88, b"\x03\xe8")].concat();
            assert_eq!(tx.bytes(), [sent, end].concat());
        }
    }
}

/// Checks that a partly sent pong is finished, and the latest pong follows it, also in the smallest
/// buffer and when the pongs are sent byte by byte.
#[test]
fn a_partly_sent_pong_is_finished() {
    for step in [1, 2, 3, 50, 126, 127, 128, 254] {
        let mut bytes = [0; WRITE_BUFFER_MIN];
        let mut tx = WriteBuffer::new(&mut bytes[..]);
        let mut ws = WebSocket::from_upgraded(Server, Config::default());
        let mut sent = Vec::<u8>::new();
        for round in 0..100u8 {
            ping(&mut ws, &mut tx, &[round; 125]);
            let n = step.min(tx.len());
            sent.extend(&tx.bytes()[..n]);
            tx.consume(n);
        }
        ws.close(CloseCode::NORMAL, "", &mut tx).unwrap();
        sent.extend(tx.bytes());
        let frames = frames(&sent);
        let (last, pongs) = frames.split_last().unwrap();
        assert_eq!(last.1, b"\x03\xe8");
        let rounds: Vec<_> = pongs.iter().map(|(_, payload)| payload[0]).collect();
        assert!(rounds.is_sorted() && rounds.last() == Some(&99), "{rounds:?}");
        assert!(pongs.iter().all(|(header, payload)| {
            header.opcode == OpCode::Pong && payload.iter().all(|byte| *byte == payload[0])
        }));
        if step >= 127 {
            assert_eq!(rounds, (0..100).collect::<Vec<_>>(), "drained, each one is answered");
        }
    }
}

/// Checks that a full output of a client has room for the Close after a failure, and for the reply
/// to a Close.
#[test]
fn a_full_output_has_room_for_the_close_of_a_client() {
    for input in [plain(0x88, b"\x03\xe9"), plain(0xC1, b""), plain(0x88, b"")] {
        let mut bytes = [0; WRITE_BUFFER_MIN];
        let mut tx = WriteBuffer::new(&mut bytes[..]);
        let mut ws = WebSocket::from_upgraded(Client::new(sevens as Sevens), Config::default());
        while ws.send_binary(b"x", &mut tx).is_ok() {}
        let full = tx.len();
        let mut rx = ReadBuffer::new([0; 512]);
        let _ = rx.extend(&[plain(0x89, &[b'p'; 125]), input].concat());
        assert_eq!(ws.receive(&mut rx, &mut tx), Some(Event::Ping(&[b'p'; 125])));
        assert!(ws.receive(&mut rx, &mut tx).is_some());
        let replies = frames(&tx.bytes()[full..]);
        assert_eq!(replies.len(), 2);
        assert_eq!(replies[0].1, [b'p'; 125]);
        assert_eq!(replies[1].0.opcode, OpCode::Close);
        assert_eq!(ws.state(), State::Closed);
    }
}

/// Checks the size in the error of a send that does not fit: a buffer of this size is enough, and
/// one byte less is not.
#[test]
fn a_refused_send_returns_the_exact_size_that_it_needs() {
    for len in [0, 1, 125, 126, 1000, 65535, 65536] {
        let payload = vec![7; len];
        let try_with = |capacity: usize| {
            let mut bytes = vec![0; capacity];
            let mut tx = WriteBuffer::new(&mut bytes[..]);
            let mut ws = WebSocket::from_upgraded(Client::new(sevens as Sevens), Config::default());
            ws.send_binary(&payload, &mut tx)
        };
        let Err(Error::NeverFits { needed }) = try_with(0) else { panic!() };
        assert_eq!(try_with(needed), Ok(()));
        assert_eq!(try_with(needed - 1), Err(Error::NeverFits { needed }));
    }
}

/// Checks that a driver can be dropped between any two calls. A new driver makes each call here,
/// with only the machine and the buffers.
#[test]
fn a_driver_can_be_dropped_between_any_two_calls() {
    let input = [
        masked(0x01, b"one "),
        masked(0x89, b"ping"),
        masked(0x80, b"two"),
        masked(0x82, &[7; 400]),
        close(1000, "bye"),
    ]
    .concat();
    let mut ws = WebSocket::from_upgraded(Server, Config::default());
    let (mut rx, mut tx) = (ReadBuffer::new([0; 512]), WriteBuffer::new([0; 1024]));
    let (mut given, mut sent, mut events) = (0, Vec::<u8>::new(), Vec::new());
    for turn in 0usize.. {
        match turn % 5 {
            0 => {
                let _ = rx.space(); // the read was cancelled
            }
            1 => {
                let space = rx.space();
                let n = (turn % 7 + 1).min(space.len()).min(input.len() - given);
                space[..n].copy_from_slice(&input[given..given + n]);
                if n > 0 {
                    rx.filled(n);
                }
                given += n;
            }
            2 => {
                if let Some(event) = ws.receive(&mut rx, &mut tx) {
                    events.push(words(&event));
                }
            }
            3 => {
                let n = (turn % 3).min(tx.len());
                sent.extend(&tx.bytes()[..n]);
                tx.consume(n);
            }
            _ => {
                // The machine and its buffers move to another place.
                (ws, rx, tx) = std::hint::black_box((ws, rx, tx));
                if ws.is_done() && tx.is_empty() {
                    break;
                }
            }
        }
    }
    assert_eq!(events.len(), 4);
    assert_eq!(events[..2], ["ping \"ping\"", "text \"one two\""]);
    assert_eq!(sent, [plain(0x8A, b"ping"), plain(0x88, b"\x03\xe8")].concat());
}

/// Checks that connections with empty buffers can share one pair of buffers.
#[test]
fn one_pair_of_buffers_serves_many_connections() {
    let mut connections: Vec<_> =
        (0..100).map(|_| WebSocket::from_upgraded(Server, Config::default())).collect();
    let (mut rx, mut tx) = (ReadBuffer::new([0; 512]), WriteBuffer::new([0; 512]));
    for round in 0..3 {
        for ws in &mut connections {
            assert!(rx.is_empty() && tx.is_empty());
            let _ = rx.extend(&masked(if round == 0 { 0x01 } else { 0x00 }, b"part"));
            assert!(matches!(ws.receive_chunks(&mut rx, &mut tx), Some(Event::Chunk(_))));
            assert_eq!(ws.receive_chunks(&mut rx, &mut tx), None);
        }
    }
}

/// Checks a caller that alternates between whole messages and chunks: a message stays in the form
/// in which it began.
#[test]
fn a_message_keeps_the_form_in_which_it_began() {
    let mut ws = WebSocket::from_upgraded(Server, Config::default());
    let (mut rx, mut tx) = (ReadBuffer::new([0; 512]), WriteBuffer::new([0; 512]));
    let _ = rx.extend(&masked(0x01, b"one"));
    let Some(Event::Chunk(chunk)) = ws.receive_chunks(&mut rx, &mut tx) else { panic!() };
    assert_eq!((chunk.bytes(), chunk.is_first(), chunk.is_last()), (&b"one"[..], true, false));
    let _ = rx.extend(&[masked(0x80, b"two"), masked(0x01, b"three")].concat());
    let Some(Event::Chunk(chunk)) = ws.receive(&mut rx, &mut tx) else { panic!() };
    assert_eq!((chunk.bytes(), chunk.is_first(), chunk.is_last()), (&b"two"[..], false, true));
    assert_eq!(ws.receive(&mut rx, &mut tx), None, "held until it is whole");
    let Some(Event::Chunk(chunk)) = ws.receive_chunks(&mut rx, &mut tx) else { panic!() };
    assert_eq!((chunk.bytes(), chunk.is_first(), chunk.is_last()), (&b"three"[..], true, false));
    let _ = rx.extend(&[masked(0x80, b""), masked(0x81, b"four")].concat());
    let Some(Event::Chunk(chunk)) = ws.receive(&mut rx, &mut tx) else { panic!() };
    assert_eq!((chunk.bytes(), chunk.is_last()), (&b""[..], true));
    assert_eq!(ws.receive(&mut rx, &mut tx), Some(Event::Text("four")));
    // A message has begun once its header was read.
    let five = masked(0x81, b"five");
    let _ = rx.extend(&five[..6]);
    assert_eq!(ws.receive_chunks(&mut rx, &mut tx), None);
    assert_eq!(ws.message_kind(), Some(MessageKind::Text));
    let _ = rx.extend(&five[6..]);
    let Some(Event::Chunk(chunk)) = ws.receive(&mut rx, &mut tx) else { panic!() };
    assert_eq!((chunk.text(), chunk.is_whole()), (Some("five"), true));
}

/// A message that is collected in a buffer and ended from a slice leaves nothing for the next
/// message.
#[test]
fn a_message_contains_no_bytes_of_another() {
    for take_chunks in [false, true] {
        let mut receiver = Receiver::server(Config::default());
        let mut rx = ReadBuffer::new([0; 512]);
        let _ = rx.extend(&masked(0x02, b"other"));
        assert_eq!(receiver.receive(&mut rx), Ok(None));
        let mut end = masked(0x80, b"end");
        assert!(receiver.receive_chunk_in_place(&mut &mut end[..]).is_ok());
        let _ = rx.extend(&[masked(0x02, b"a"), masked(0x80, b"b")].concat());
        let mut bytes = Vec::<u8>::new();
        while let Ok(Some(Incoming::Data(chunk))) =
            if take_chunks { receiver.receive_chunks(&mut rx) } else { receiver.receive(&mut rx) }
        {
            bytes.extend(chunk.bytes());
        }
        assert_eq!(bytes, b"ab");
    }
}

/// Contract 6: in the documented loop, no `?` skips the flush. A write buffer that is 149 bytes
/// larger than the read buffer has room for the echo of any read, with the pongs between. A
/// server's headers are shorter than the client's, except for a header of at most 10 bytes that was
/// read earlier.
#[test]
fn the_plain_loop_has_room_for_every_echo() {
    let mut seed = 1u32;
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) as usize % below
    };
    for size in [READ_BUFFER_MIN, 200, 300, 1000] {
        for _ in 0..50 {
            let (mut input, mut messages, mut pings) = (Vec::new(), 0, 0);
            for _ in 0..60 {
                messages += 1;
                match random(4) {
                    0 => {
                        input.extend(masked(0x89, &vec![b'p'; random(126)]));
                        messages -= 1;
                        pings += 1;
                    }
                    1 => input.extend(masked(0x81, &vec![b'x'; random(20)])),
                    2 => input.extend(masked(0x82, &vec![7; size - random(size.min(150))])),
                    _ => {
                        let len = random(size - READ_BUFFER_MIN + 1);
                        input.extend(masked(0x02, &vec![8; len]));
                        input.extend(masked(0x00, b""));
                        input.extend(masked(0x89, &vec![b'q'; random(126)]));
                        input.extend(masked(0x80, &vec![9; size - len]));
                        pings += 1;
                    }
                }
            }
            let mut ws = WebSocket::from_upgraded(Server, Config::default());
            let (mut rx_bytes, mut tx_bytes) = (vec![0; size], vec![0; size + 10 + REPLY_ROOM]);
            let mut rx = ReadBuffer::new(&mut rx_bytes[..]);
            let mut tx = WriteBuffer::new(&mut tx_bytes[..]);
            let (mut given, mut sent) = (0, Vec::<u8>::new());
            while given < input.len() {
                let space = rx.space();
                let n = (random(2 * size) + 1).min(space.len()).min(input.len() - given);
                space[..n].copy_from_slice(&input[given..given + n]);
                rx.filled(n);
                given += n;
                while let Some(event) = ws.receive(&mut rx, &mut tx) {
                    match event {
                        Event::Text(text) => ws.send_text(text, &mut tx).unwrap(),
                        Event::Binary(bytes) => ws.send_binary(bytes, &mut tx).unwrap(),
                        Event::Ping(_) => {}
                        event => panic!("{event:?}"),
                    }
                }
                sent.extend(tx.bytes());
                tx.clear();
            }
            let answers = frames(&sent);
            let pongs = answers.iter().filter(|(header, _)| header.opcode == OpCode::Pong).count();
            assert_eq!((answers.len() - pongs, pongs), (messages, pings));
        }
    }
}

/// Contract 4, and `space` is never empty. The header arrives while the caller asks for chunks, the
/// payload while it asks for whole messages.
#[test]
fn a_message_keeps_its_form_even_if_only_its_header_has_arrived() {
    let frame = masked(0x82, &[9; 5000]);
    let mut ws = WebSocket::from_upgraded(Server, Config::default());
    let (mut rx, mut tx) = (ReadBuffer::new([0; 1024]), WriteBuffer::new([0; 1024]));
    assert_eq!(rx.extend(&frame[..8]), 8);
    assert_eq!(ws.receive_chunks(&mut rx, &mut tx), None);
    assert_eq!(ws.message_kind(), Some(MessageKind::Binary));
    let (mut rest, mut got) = (&frame[8..], 0);
    while !rest.is_empty() {
        let taken = rx.extend(rest);
        assert!(taken > 0);
        rest = &rest[taken..];
        while let Some(event) = ws.receive(&mut rx, &mut tx) {
            let Event::Chunk(chunk) = event else { panic!("{event:?}") };
            got += chunk.bytes().len();
        }
    }
    assert_eq!(got, 5000);
}

/// Checks a message that fits in the current buffer. If the caller continues with a smaller buffer
/// in which the message does not fit, it fails with 1009.
#[test]
fn a_smaller_buffer_lent_in_the_middle_of_a_message_ends_in_1009() {
    let frame = masked(0x82, &[9; 5000]);
    let mut ws = WebSocket::from_upgraded(Server, Config::default());
    let mut tx = WriteBuffer::new([0; 1024]);
    let mut large = ReadBuffer::new([0; 8192]);
    let _ = large.extend(&frame[..8]);
    assert_eq!(ws.receive(&mut large, &mut tx), None);
    assert!(large.is_empty());
    let mut small = ReadBuffer::new([0; 1024]);
    assert_eq!(small.extend(&frame[8..]), 1024);
    let failed = Event::Failed(Violation::MessageTooBig.into());
    assert_eq!(ws.receive(&mut small, &mut tx), Some(failed));
    assert_eq!(tx.bytes(), b"\x88\x02\x03\xf1");
    assert!(ws.is_done());
}

/// Checks that replies are at frame boundaries, even if the payload passed to `slices` is not the
/// announced one.
#[test]
fn nothing_takes_the_place_of_a_wrong_payload() {
    let mut ws = WebSocket::from_upgraded(Server, Config::default());
    let (mut rx, mut tx) = (ReadBuffer::new([0; 1024]), WriteBuffer::new([0; 1024]));
    ws.send_binary_vectored(&[5; 100], &mut tx).unwrap();
    let _ = rx.extend(&masked(0x89, b"x"));
    while ws.receive(&mut rx, &mut tx).is_some() {}
    for wrong in [&[5u8; 99][..], &[5; 101], &[]] {
        assert_eq!(tx.slices(wrong), Err(Misuse::WrongPayload));
    }
    assert_eq!(tx.slices(&[5; 100]), Ok([&b"\x82\x64"[..], &[5; 100], b"\x8a\x01x"]));
}

/// Checks that the receiver returns a failure again on every call, with and without input. Before a
/// failure or a Close it is neither failed nor closed.
#[test]
fn a_failure_is_returned_again_without_input() {
    let mut receiver = Receiver::server(Config::default());
    let mut rx = ReadBuffer::new([0; 512]);
    assert!(!receiver.is_closed());
    let _ = rx.extend(&plain(0x81, b"not masked"));
    for _ in 0..3 {
        assert_eq!(receiver.receive(&mut rx), Err(Violation::NotMasked));
        assert_eq!(receiver.receive_chunks(&mut rx), Err(Violation::NotMasked));
        assert!(!receiver.is_closed());
        rx = ReadBuffer::new([0; 512]);
    }
}

/// Checks that the `Debug` output of a client shows neither its keys nor their source.
#[test]
fn a_client_does_not_print_its_keys() {
    let client = Client::new(sevens as Sevens);
    assert_eq!(format!("{client:?}"), "Client");
}

/// Checks that the largest numbers work as limits: no message is too big, compressed or not.
#[test]
fn the_largest_limits_never_apply() {
    let limits = [u64::MAX, u64::MAX - 1, 1 << 63, (1 << 63) - 1];
    let runs = limits.into_iter().flat_map(|limit| [(limit, 0x82, false), (limit, 0xC2, true)]);
    for (limit, first, rsv1) in runs {
        let config = Config::default().with_max_frame_size(limit).with_max_message_size(limit);
        let mut receiver = Receiver::server(config);
        if rsv1 {
            receiver.allow_rsv1();
        }
        let mut input = masked(first, b"content");
        let mut input = &mut input[..];
        let Ok(Some(Incoming::Data(chunk))) = receiver.receive_chunk_in_place(&mut input) else {
            panic!()
        };
        assert_eq!((chunk.bytes(), chunk.is_compressed()), (&b"content"[..], rsv1));
        // The longest possible frame (RFC 6455 section 5.2).
        let mut header = [&[first, 0xFF, 0x7F][..], &[0xFF; 7], &[1; 4]].concat();
        let mut input = &mut header[..];
        assert_eq!(receiver.receive_chunk_in_place(&mut input), Ok(None));
        assert_eq!(receiver.frame_remaining(), u64::MAX >> 1);
    }
}

/// Returns the error of a refused send that needs `needed` bytes.
fn no_room(needed: usize, capacity: usize) -> Error {
    if needed > capacity { Error::NeverFits { needed } } else { Error::NoRoom }
}

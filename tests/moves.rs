//! Tests when the bytes in a buffer move to its front, to the byte, and what a receiver reports as
//! ready.

mod common;
use common::{Sevens, masked, plain, sevens};
use sockless::handshake::{ConnectRequest, Uri};
use sockless::{Config, Incoming, ReadBuffer, Receiver, Sender, WebSocket, WriteBuffer};

const SIZE: usize = 64 << 10;

/// Unconsumed input moves if that frees a quarter of its length.
#[test]
fn unconsumed_input_moves_for_a_quarter_of_its_length() {
    for (consumed, moves) in [(13_108, true), (13_106, false)] {
        let mut memory = vec![0; SIZE];
        let mut rx = ReadBuffer::new(&mut memory[..]);
        let mut receiver = Receiver::client(Config::default());
        let input = [plain(0x82, &vec![1; consumed - 4]), plain(0x82, &[2; SIZE])].concat();
        assert_eq!(rx.extend(&input), SIZE);
        assert!(receiver.receive(&mut rx).unwrap().is_some());
        assert_eq!(rx.space().len(), if moves { consumed } else { 0 });
        // After the receiver has asked for more, there is space in any case.
        assert!(receiver.receive(&mut rx).unwrap().is_none());
        assert!(rx.space().len() >= consumed);
    }
}

/// A gap between the collected message and later input closes by the same rule.
#[test]
fn a_gap_closes_for_a_quarter_of_the_input_behind_it() {
    let mut memory = vec![0; SIZE];
    let mut rx = ReadBuffer::new(&mut memory[..]);
    let mut receiver = Receiver::client(Config::default());
    // A fragment and a ping that leaves a gap, then more than a short move.
    let input = [plain(0x02, b"abc"), plain(0x89, &[0; 100]), plain(0x80, &[1; 60_000])].concat();
    assert_eq!(rx.extend(&input), input.len());
    assert!(matches!(receiver.receive(&mut rx).unwrap(), Some(Incoming::Ping(_))));
    let unread = rx.unread().as_ptr();
    assert_eq!(rx.space().len(), SIZE - input.len());
    assert_eq!(rx.unread().as_ptr(), unread);
    // A ping of 100 bytes makes a gap for 300 bytes.
    for (behind, moves) in [(4096, true), (4097, false)] {
        let mut memory = vec![0; SIZE];
        let mut rx = ReadBuffer::new(&mut memory[..]);
        let mut receiver = Receiver::client(Config::default());
        let end = plain(0x80, &vec![1; behind - 4]);
        let input = [plain(0x02, b"abc"), plain(0x89, &[0; 100]), end].concat();
        assert_eq!(rx.extend(&input), input.len());
        assert!(matches!(receiver.receive(&mut rx).unwrap(), Some(Incoming::Ping(_))));
        let before = rx.unread().as_ptr() as usize;
        rx.space();
        assert_eq!((rx.unread().as_ptr() as usize) < before, moves, "{behind}");
        assert!(receiver.receive(&mut rx).unwrap().is_some());
    }
}

/// Several pings make a gap that is large enough.
#[test]
fn a_large_gap_closes_for_long_input() {
    let mut memory = vec![0; SIZE];
    let mut rx = ReadBuffer::new(&mut memory[..]);
    let mut receiver = Receiver::client(Config::default());
    let pings = plain(0x89, &[0; 125]).repeat(10);
    let input = [&plain(0x02, b"abc")[..], &pings, &plain(0x80, &[1; 5000])].concat();
    assert_eq!(rx.extend(&input), input.len());
    for _ in 0..10 {
        assert!(matches!(receiver.receive(&mut rx).unwrap(), Some(Incoming::Ping(_))));
    }
    let before = rx.unread().as_ptr() as usize;
    rx.space();
    assert_eq!(before - rx.unread().as_ptr() as usize, pings.len());
}

/// A header alone leaves the buffer empty, for another connection too: its space has no limit.
#[test]
fn a_header_alone_limits_no_read() {
    let mut rx = ReadBuffer::new([0; SIZE]);
    let mut receiver = Receiver::server(Config::default());
    let frame = masked(0x82, &[1; 20_000]);
    assert_eq!(rx.extend(&frame[..8]), 8);
    assert!(receiver.receive(&mut rx).unwrap().is_none());
    assert!(rx.is_empty());
    assert_eq!(rx.space().len(), SIZE);
}

/// Unsent output moves if that frees a quarter of its length.
#[test]
fn unsent_output_moves_for_a_quarter_of_its_length() {
    for (sent, moves) in [(13_081, true), (13_078, false)] {
        let mut memory = vec![0; SIZE];
        let mut tx = WriteBuffer::new(&mut memory[..]);
        let mut sender = Sender::server();
        // Full but for the reserve of 139 bytes.
        sender.binary(&vec![1; SIZE - 139 - 4], &mut tx).unwrap();
        tx.consume(sent);
        assert_eq!(sender.binary(&[2; 1000], &mut tx).is_ok(), moves, "{sent}");
    }
}

/// Inside a message in chunks, a part of a frame's payload is ready, and a part of a ping is not.
/// The question consumes neither.
#[test]
fn what_is_ready_inside_a_message_in_chunks_is_not_lost() {
    let mut rx = ReadBuffer::new([0; 512]);
    let mut receiver = Receiver::client(Config::default());
    let feed = |rx: &mut ReadBuffer<_>, bytes: &[u8]| assert_eq!(rx.extend(bytes), bytes.len());
    let chunk = |receiver: &mut Receiver, rx: &mut ReadBuffer<[u8; 512]>| match receiver
        .receive_chunks(rx)
        .unwrap()
    {
        Some(Incoming::Data(chunk)) => chunk.bytes().to_vec(),
        other => panic!("{other:?}"),
    };
    let frame = plain(0x02, b"abcdefgh");
    feed(&mut rx, &frame[..4]);
    assert_eq!(chunk(&mut receiver, &mut rx), b"ab");
    feed(&mut rx, b"cd");
    assert!(receiver.is_ready(&mut rx));
    assert_eq!(chunk(&mut receiver, &mut rx), b"cd");
    feed(&mut rx, b"efgh");
    assert!(receiver.is_ready(&mut rx));
    assert_eq!(chunk(&mut receiver, &mut rx), b"efgh");
    // Payload that could be the start of a header.
    feed(&mut rx, b"\x00\x09\x02");
    for _ in 0..2 {
        assert!(receiver.is_ready(&mut rx));
        assert_eq!(chunk(&mut receiver, &mut rx), b"\x02");
        feed(&mut rx, b"\x02");
    }
    assert_eq!(chunk(&mut receiver, &mut rx), b"\x02");
    feed(&mut rx, &[2; 6]);
    assert_eq!(chunk(&mut receiver, &mut rx), [2; 6]);
    // Between two frames.
    let ping = plain(0x89, b"12345");
    for arrived in 1..ping.len() {
        feed(&mut rx, &ping[arrived - 1..arrived]);
        assert!(!receiver.is_ready(&mut rx), "{arrived}");
    }
    feed(&mut rx, &ping[ping.len() - 1..]);
    assert!(receiver.is_ready(&mut rx));
    assert_eq!(receiver.receive_chunks(&mut rx), Ok(Some(Incoming::Ping(b"12345"))));
    // A ping with bytes behind it, too.
    feed(&mut rx, &[&ping[..], b"\x80"].concat());
    assert!(receiver.is_ready(&mut rx));
    assert_eq!(receiver.receive_chunks(&mut rx), Ok(Some(Incoming::Ping(b"12345"))));
}

/// Input that has made a machine ask for more has space, although it moves for little: here a large
/// head behind an interim response.
#[test]
fn an_incomplete_head_moves_for_a_few_bytes() {
    let mut memory = vec![0; 16 << 10];
    let mut rx = ReadBuffer::new(&mut memory[..]);
    let mut tx = WriteBuffer::new([0; 512]);
    let mut ws = WebSocket::client(Config::default(), sevens as Sevens);
    let uri = Uri::parse("ws://a/").unwrap();
    ws.connect(&ConnectRequest::new(&uri), &mut tx).unwrap();
    let interim = b"HTTP/1.1 103 Early Hints\r\n\r\n";
    let head = [b"HTTP/1.1 401 No\r\nX: ", &[b'x'; 16_400][..], b"\r\n\r\n"].concat();
    let input = [&interim[..], &head].concat();
    assert_eq!(rx.extend(&input), 16 << 10);
    assert!(ws.receive(&mut rx, &mut tx).is_none());
    assert_eq!(rx.space().len(), interim.len());
}

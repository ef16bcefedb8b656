//! Tests buffers of every size from 0 to 300 bytes, for input and for output. Below the minimum the
//! connection fails once and names the minimum. From the minimum on, the size only decides what
//! fits.

mod model;

use model::drive::{Setup, Take, against_oracle, drive, open};
use model::oracle::{Item, Rules, frame};
use model::stream::{Piece, encode};
use model::{Sevens, sevens};
use sockless::{
    Client, Config, Error, Event, Failure, Misuse, READ_BUFFER_MIN, ReadBuffer, Server, State,
    WRITE_BUFFER_MIN, WebSocket, WriteBuffer,
};

/// Returns messages of many sizes, the largest control frames, and fragments with pings between
/// them.
fn stream(masked: bool) -> Vec<u8> {
    let pieces = [
        Piece::Text { letters: vec!['€'; 30], cuts: vec![1, 40, 0], pings: true },
        Piece::Ping(vec![b'p'; 125]),
        Piece::Binary { bytes: vec![7; 126], cuts: vec![], pings: false },
        Piece::Binary { bytes: vec![1; 150], cuts: vec![125, 10], pings: true },
        Piece::Pong(vec![b'q'; 125]),
        Piece::Text { letters: vec!['a'; 20], cuts: vec![], pings: false },
        Piece::Binary { bytes: vec![2; 250], cuts: vec![255], pings: false },
        Piece::Close { code: 1000, reason: vec!['b'; 123] },
    ];
    encode(&pieces, masked, None)
}

fn too_small(rx: usize, tx: usize) -> Option<Error> {
    if rx < READ_BUFFER_MIN {
        Some(Error::ReadBufferTooSmall { minimum: READ_BUFFER_MIN })
    } else if tx < WRITE_BUFFER_MIN {
        Some(Error::WriteBufferTooSmall { minimum: WRITE_BUFFER_MIN })
    } else {
        None
    }
}

#[test]
fn every_size_at_every_kind_of_cut() {
    for masked in [true, false] {
        let input = stream(masked);
        for size in 0..=300 {
            for take in [Take::Messages, Take::Chunks] {
                for (rx, tx) in [(size, 300), (300, size), (size, size)] {
                    let setup = Setup { rx, tx, take, eof: true };
                    let each = |cuts: Vec<usize>| match too_small(rx, tx) {
                        None => against_oracle(masked, Rules::DEFAULT, setup, &input, cuts).run,
                        Some(needed) => {
                            let run = open(masked, Rules::DEFAULT, setup, &input, cuts).run;
                            let error = Failure::Local(needed);
                            let failed = Item::Other(format!("{:?}", Event::Failed(error)));
                            assert_eq!(run.items, [failed], "{setup:?}");
                            assert_eq!((run.state, run.done), (State::Closed, true));
                            // The Close is sent if it has room.
                            let close = frame(0x88, &1011u16.to_be_bytes(), !masked);
                            let fits = tx >= close.len();
                            assert_eq!(run.output, if fits { close } else { vec![] });
                            run
                        }
                    };
                    let whole = each(vec![]);
                    assert_eq!(whole, each((1..=input.len()).collect()));
                    assert_eq!(whole, each((1..=input.len()).step_by(7).collect()));
                    assert_eq!(whole, each((1..=input.len()).step_by(139).collect()));
                }
            }
        }
    }
}

/// Sends a message of each length from 0 to 310 in one frame. It is received if the buffer has as
/// many bytes, and fails with 1009 if not.
#[test]
fn a_message_fits_exactly() {
    for rx in [READ_BUFFER_MIN, 140, 200, 300] {
        for len in 0..=310 {
            let mut input = Vec::new();
            model::stream::frame(&mut input, 0x82, &vec![b'x'; len], true);
            for step in [1, 5, 1000] {
                let setup = Setup { rx, tx: 300, take: Take::Messages, eof: false };
                let cuts = (1..=input.len()).step_by(step);
                let run = against_oracle(true, Rules::DEFAULT, setup, &input, cuts).run;
                assert_eq!(matches!(run.items[0], Item::Message(..)), len <= rx);
            }
        }
    }
}

/// Runs the handshake in buffers of every size: it succeeds, is refused with 431, or returns the
/// needed size.
#[test]
fn handshakes_in_every_size() {
    let request = b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    for rx in 0..=300 {
        for tx in 0..=300 {
            let mut needs = None;
            let setup = Setup { rx, tx, take: Take::Messages, eof: true };
            let ws = WebSocket::server(Config::default());
            let run = drive(ws, request, [], setup, |ws, event, tx| {
                if let Event::UpgradeRequest(request) = event {
                    let response = sockless::handshake::Accept::new();
                    let accepted = ws.accept(request, response, tx);
                    needs = accepted.err();
                    assert_eq!(needs.is_none(), ws.state() == State::Open);
                }
            })
            .run;
            assert_eq!((run.state, run.done), (State::Closed, true));
            let answer = String::from_utf8(run.output).unwrap();
            match (too_small(rx, tx), needs) {
                (Some(needed), _) => {
                    let failed = format!("Failed(Local({needed:?}))");
                    assert_eq!(run.items, [Item::Other(failed)]);
                    assert!(answer.is_empty());
                }
                (None, None) if rx >= request.len() => {
                    assert!(answer.starts_with("HTTP/1.1 101 "), "{rx} {tx} {answer}");
                    assert_eq!(run.items.len(), 2);
                }
                (None, None) => assert!(answer.starts_with("HTTP/1.1 431 "), "{rx} {tx} {answer}"),
                (None, Some(Error::NeverFits { needed })) => {
                    assert!(needed > tx);
                    assert!(answer.starts_with("HTTP/1.1 403 "), "{rx} {tx} {answer}");
                }
                (None, Some(other)) => panic!("{other}"),
            }
        }
    }
}

/// Checks that the size in the error of a refused send is exactly the needed capacity of an empty
/// buffer.
#[test]
fn a_send_says_what_it_needs() {
    for capacity in 0..=300 {
        for len in [0, 1, 100, 125, 126, 127, 130, 160, 300] {
            let send = |capacity: usize| {
                let mut tx = WriteBuffer::new(vec![0; capacity].into_boxed_slice());
                let mut server = WebSocket::from_upgraded(Server, Config::default());
                let server = server.send_binary(&vec![0; len], &mut tx);
                let mut tx = WriteBuffer::new(vec![0; capacity].into_boxed_slice());
                let client = Client::new(sevens as Sevens);
                let mut client = WebSocket::from_upgraded(client, Config::default());
                (server, client.send_binary(&vec![0; len], &mut tx))
            };
            let (server, client) = send(capacity);
            let header = |masks: usize| masks + if len < 126 { 2 } else { 4 };
            let exactly = |result, needed: usize| match result {
                Ok(()) => assert!(capacity >= needed),
                Err(error) => {
                    assert!(capacity < needed);
                    assert_eq!(error, Error::NeverFits { needed });
                }
            };
            exactly(server, len + header(0) + 139);
            exactly(client, len + header(4) + 139);
        }
    }
}

/// Checks wrong calls: `filled` with a wrong number, reading into an empty space, ending the stream
/// twice. No byte is lost and nothing panics.
#[test]
fn wrong_calls_of_a_read_buffer_lose_no_byte() {
    let mut rx = ReadBuffer::new([0; 139]);
    let mut tx = WriteBuffer::new([0; 270]);
    let mut ws = WebSocket::from_upgraded(Server, Config::default());
    rx.space()[..8].copy_from_slice(&frame(0x89, b"hi", true));
    rx.filled(8);
    assert_eq!(rx.unread(), frame(0x89, b"hi", true));
    assert!(!rx.is_empty() && !rx.at_end());
    assert!(matches!(ws.receive(&mut rx, &mut tx), Some(Event::Ping(b"hi"))));
    assert!(ws.receive(&mut rx, &mut tx).is_none());
    assert!(rx.is_empty());
    // A number above the space counts as all of it: the old content of the memory is read, and no
    // more.
    rx.space().fill(0x8A);
    rx.filled(usize::MAX);
    assert_eq!(rx.unread().len(), 139);
    assert!(rx.space().is_empty());
    assert_eq!(rx.extend(b"more"), 0);
    rx.filled(0);
    assert!(rx.at_end(), "0 is the end of the stream, whatever the space");
    assert!(matches!(ws.receive(&mut rx, &mut tx), Some(Event::Pong(_))));
    assert!(rx.at_end() && !rx.is_empty());
    while ws.receive(&mut rx, &mut tx).is_some() {}
    assert!(ws.is_done() && rx.is_empty());
    assert_eq!(ws.send_text("late", &mut tx), Err(Error::Misuse(Misuse::Closed)));
}

/// Checks that a growable buffer starts empty, never exceeds its limit, and releases its memory
/// when it is empty.
#[test]
fn growing_buffers_grow_as_bytes_arrive() {
    let mut rx = ReadBuffer::growing(100_000);
    let mut tx = WriteBuffer::growing(100_000);
    let mut ws = WebSocket::from_upgraded(Server, Config::default());
    assert_eq!((rx.capacity(), tx.capacity()), (100_000, 100_000));
    let mut message = Vec::new();
    model::stream::frame(&mut message, 0x82, &[7; 90_000], true);
    let (mut largest, mut before) = (0, 0);
    for (at, byte) in message.iter().enumerate() {
        let space = rx.space();
        largest = largest.max(at + space.len());
        // Never more than twice the content when it was full. The header of 14 bytes is consumed by
        // then.
        let size = at + space.len();
        assert!(
            size <= 100_014 && (size <= before.max(4096) || size <= 2 * at + 14),
            "{at} {size}"
        );
        before = before.max(size);
        space[0] = *byte;
        rx.filled(1);
        let event = ws.receive(&mut rx, &mut tx);
        assert_eq!(event.is_some(), at + 1 == message.len());
        if let Some(Event::Binary(bytes)) = event {
            assert_eq!(ws.send_binary(bytes, &mut tx), Ok(()));
        }
    }
    assert!(largest >= 90_000);
    assert_eq!(tx.len(), 90_000 + 10);
    // A claim costs nothing: the header of a large frame allocates no memory.
    rx.release();
    let _ = rx.extend(&message[..14]);
    assert!(ws.receive(&mut rx, &mut tx).is_none());
    assert!(rx.space().len() <= 1024);
    tx.release();
    assert_eq!(tx.len(), 90_010, "what waits is kept");
    tx.clear();
    tx.release();
    assert!(tx.is_empty() && tx.bytes().is_empty());
    assert_eq!(ws.send_binary(&[1; 5], &mut tx), Ok(()));
    assert_eq!(tx.bytes(), b"\x82\x05\x01\x01\x01\x01\x01");
    assert_eq!(
        ws.send_binary(&[1; 100_000], &mut tx),
        Err(Error::NeverFits { needed: 100_000 + 10 + 139 })
    );
}

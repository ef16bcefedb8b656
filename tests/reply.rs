//! Tests the link between the halves: replies as values, the end of the stream as an item, errors
//! that distinguish "flush" from "never", and headers for payloads that stay with the caller.

mod common;

use common::{frames, masked, plain};
use sockless::{
    CloseCode, Config, EncodedHeader, EntropyError, Error, Failure, FnEntropy, Incoming,
    MessageKind, Misuse, OpCode, ReadBuffer, Receiver, Replies, Reply, Sender, Streamed, Violation,
    WriteBuffer, mask,
};

fn sevens(bytes: &mut [u8]) -> Result<(), EntropyError> {
    bytes.fill(7);
    Ok(())
}

type Sevens = fn(&mut [u8]) -> Result<(), EntropyError>;

/// Checks that a reply can be sent to another task.
#[test]
fn a_reply_is_a_value_that_can_be_sent_elsewhere() {
    fn crosses<T: Copy + Send + Sync + 'static>() {}
    crosses::<Reply>();
    assert!(size_of::<Reply>() <= 128, "{}", size_of::<Reply>());
}

/// RFC 6455 sections 5.5.1 and 5.5.2: a ping and a Close demand a reply, and no other item does.
#[test]
fn each_item_says_what_it_demands() {
    let pings = [&b""[..], b"p", &[0xFF; 125]];
    for payload in pings {
        assert_eq!(Incoming::Ping(payload).reply(), Reply::pong(payload));
        assert!(!Reply::pong(payload).unwrap().is_close());
    }
    assert_eq!(Reply::pong(&[0; 126]), None);
    assert_eq!(Incoming::Pong(b"p").reply(), None);
    assert_eq!(Incoming::End.reply(), None);
    let mut receiver = Receiver::client(Config::default());
    let mut rx = ReadBuffer::new([0; 512]);
    let _ = rx.extend(b"\x82\x01x\x88\x05\x0f\xa0why");
    let data = receiver.receive(&mut rx).unwrap().unwrap();
    assert_eq!(data.reply(), None);
    let close = receiver.receive(&mut rx).unwrap().unwrap();
    assert_eq!(close.reply(), Some(Reply::close(CloseCode::new(4000))));
    assert!(close.reply().unwrap().is_close());
    let failed = Reply::from(Violation::InvalidUtf8);
    assert_eq!(failed, Reply::close(CloseCode::INVALID_PAYLOAD));
}

/// Checks that each reply of a server and a client is the frame that the protocol demands. After
/// our own Close it is nothing.
#[test]
fn a_sender_sends_replies_until_its_own_close() {
    let mut tx = WriteBuffer::new([0; 512]);
    let mut server = Sender::server();
    server.reply(Reply::pong(b"hi").unwrap(), &mut tx).unwrap();
    server.reply(Reply::close(CloseCode::NO_STATUS_RECEIVED), &mut tx).unwrap();
    assert_eq!(tx.bytes(), b"\x8a\x02hi\x88\x00");
    assert!(server.is_closed());

    let mut client = Sender::client(sevens as Sevens);
    tx.clear();
    client.reply(Reply::pong(b"hi").unwrap(), &mut tx).unwrap();
    client.reply(Violation::Masked.into(), &mut tx).unwrap();
    let sent: Vec<_> =
        frames(tx.bytes()).into_iter().map(|(header, payload)| (header.opcode, payload)).collect();
    let close = b"\x03\xea".to_vec();
    assert_eq!(sent, [(OpCode::Pong, b"hi".to_vec()), (OpCode::Close, close)]);

    for reply in [Reply::pong(b"late").unwrap(), Reply::close(CloseCode::NORMAL)] {
        let before = tx.len();
        assert_eq!(server.reply(reply, &mut tx), Ok(()));
        assert_eq!(client.reply(reply, &mut tx), Ok(()));
        assert_eq!(tx.len(), before);
    }
}

/// A payload may be private text of another user.
#[test]
fn a_reply_prints_no_payload() {
    assert_eq!(format!("{:?}", Reply::pong(b"secret").unwrap()), "Pong(6 bytes)");
    assert_eq!(format!("{:?}", Reply::close(CloseCode::NORMAL)), "Close(1000)");
}

/// Contract 3: after the Close all input is dropped, however long and however cut, until the end of
/// the stream, which is reported once and last. There is always space for more.
#[test]
fn after_a_close_there_is_space_until_the_end() {
    for chunks in [false, true] {
        for behind in [&[][..], b"x", &[0x81; 512]] {
            let mut receiver = Receiver::server(Config::default());
            let mut rx = ReadBuffer::new([0; 512]);
            let mut receive = |rx: &mut ReadBuffer<[u8; 512]>| {
                let item = match chunks {
                    true => receiver.receive_chunks(rx),
                    false => receiver.receive(rx),
                };
                item.map(|item| item.map(|item| format!("{item:?}")))
            };
            let _ = rx.extend(&masked(0x88, b"\x03\xe8"));
            let _ = rx.extend(behind);
            assert!(receive(&mut rx).unwrap().unwrap().starts_with("Close"));
            for _ in 0..10 {
                assert_eq!(receive(&mut rx), Ok(None));
                let len = rx.space().len();
                assert_eq!(len, 512);
                rx.filled(len);
            }
            rx.filled(0);
            assert_eq!(receive(&mut rx), Ok(Some("End".to_owned())));
            assert_eq!(receive(&mut rx), Ok(None));
            assert!(!rx.space().is_empty());
            rx.filled(0);
            assert_eq!(receive(&mut rx), Ok(None));
        }
    }
}

/// Checks that input after a failure is dropped, and the failure is returned again.
#[test]
fn after_a_failure_there_is_space() {
    let mut receiver = Receiver::server(Config::default());
    let mut rx = ReadBuffer::new([0; 512]);
    rx.space().fill(0xFF);
    rx.filled(512);
    for _ in 0..3 {
        assert!(receiver.receive(&mut rx).is_err());
        let _ = receiver.receive(&mut rx);
        assert_eq!(rx.space().len(), 512);
        rx.filled(512);
    }
}

/// Checks that the end of the stream follows all items that arrived before it, inside a message or
/// not.
#[test]
fn the_end_comes_last() {
    for (behind, collected) in [(&b""[..], 0), (b"\x81", 0), (b"\x02\x03ab", 1), (b"\x89\x02x", 0)]
    {
        let mut receiver = Receiver::client(Config::default());
        let mut rx = ReadBuffer::new([0; 512]);
        let _ = rx.extend(b"\x82\x01x");
        let _ = rx.extend(behind);
        rx.filled(0);
        assert!(matches!(receiver.receive(&mut rx), Ok(Some(Incoming::Data(_)))));
        assert_eq!(receiver.receive(&mut rx), Ok(Some(Incoming::End)), "{collected}");
        assert_eq!(receiver.receive(&mut rx), Ok(None));
        assert!(!receiver.is_closed());
    }
    // RFC 6455 section 7.1.1: the client waits for the server to end the stream.
    assert!(Receiver::client(Config::default()).awaits_end());
    assert!(!Receiver::server(Config::default()).awaits_end());
}

/// Checks that "flush and retry" and "never" are different errors.
#[test]
fn no_room_and_never_fits_are_different_errors() {
    let mut tx = WriteBuffer::new([0; 512]);
    let mut sender = Sender::server();
    sender.binary(&[1; 300], &mut tx).unwrap();
    assert_eq!(sender.binary(&[1; 300], &mut tx), Err(Error::NoRoom));
    tx.clear();
    sender.binary(&[1; 300], &mut tx).unwrap();
    let needed = 400 + 4 + 139;
    assert_eq!(sender.binary(&[1; 400], &mut tx), Err(Error::NeverFits { needed }));
    tx.clear();
    assert_eq!(sender.binary(&[1; 400], &mut tx), Err(Error::NeverFits { needed }));
}

/// Checks a caller that clears the buffer instead of writing its slices: the payload is not lost
/// silently. The sender refuses further data until the payload was sent, and still sends replies.
#[test]
fn a_pending_payload_holds_back_data() {
    let mut tx = WriteBuffer::new([0; 512]);
    let mut sender = Sender::server();
    let payload = [7; 300];
    sender.binary_vectored(&payload, &mut tx).unwrap();
    let pending = Err(Error::Misuse(Misuse::PayloadPending));
    for _ in 0..2 {
        assert_eq!(sender.text("late", &mut tx), pending);
        assert_eq!(sender.binary_vectored(b"", &mut tx), pending);
        assert_eq!(sender.fragment(MessageKind::Text, b"late", true, &mut tx), pending);
        assert_eq!(tx.slices(&payload[1..]), Err(Misuse::WrongPayload));
        tx.clear();
        assert_eq!(tx.len(), 300);
    }
    sender.ping(b"", &mut tx).unwrap();
    assert_eq!(tx.slices(&payload), Ok([&b""[..], &payload, b"\x89\x00"]));
    tx.consume(300);
    assert_eq!(sender.text("now", &mut tx), Ok(()));
    assert_eq!(tx.bytes(), b"\x89\x00\x81\x03now");
}

/// Sends several payloads of the caller, each after its header. A receiver returns them as
/// messages.
#[test]
fn headers_for_payloads_that_stay_with_the_caller() {
    let large = vec![b'x'; 70_000];
    let parts: [(&[u8], bool); 3] = [(b"one", false), (&large, false), (b"three", true)];

    let mut server = Sender::server();
    let mut stream: Vec<u8> = Vec::new();
    for (payload, fin) in parts {
        let header = server.header(MessageKind::Text, fin, payload.len() as u64).unwrap();
        let encoded: EncodedHeader = header.encode();
        stream.extend(encoded.as_bytes());
        stream.extend(payload);
    }
    let all = [b"one", &large[..], b"three"].concat();
    let expected = [plain(0x01, b"one"), plain(0x00, &large), plain(0x80, b"three")].concat();
    assert_eq!(stream, expected);

    let mut client = Sender::client(sevens as Sevens);
    let mut receiver = Receiver::server(Config::default());
    let mut rx = ReadBuffer::growing(1 << 20);
    for (payload, fin) in parts {
        let header = client.header(MessageKind::Text, fin, payload.len() as u64).unwrap();
        let mut payload = payload.to_vec();
        mask(&mut payload, header.mask.unwrap());
        let _ = rx.extend(header.encode().as_bytes());
        let _ = rx.extend(&payload);
    }
    let Ok(Some(Incoming::Data(chunk))) = receiver.receive(&mut rx) else { panic!() };
    assert_eq!((chunk.is_whole(), chunk.bytes()), (true, &all[..]));
}

/// Checks that headers keep the order of frames: fragments of one kind, nothing after a Close, no
/// frame without a key.
#[test]
fn headers_are_checked_for_their_order() {
    let misuse = |misuse| Err(Error::Misuse(misuse));
    let mut tx = WriteBuffer::new([0; 512]);
    let mut sender = Sender::server();
    sender.header(MessageKind::Text, false, 1).unwrap();
    assert_eq!(sender.text("between", &mut tx), misuse(Misuse::MessageUnfinished));
    assert_eq!(sender.header(MessageKind::Binary, true, 1).map(drop), misuse(Misuse::WrongKind));
    // RFC 6455 section 5.2: the most significant bit of a length is 0.
    let too_long = sender.header(MessageKind::Text, true, 1 << 63).map(drop);
    assert_eq!(too_long, misuse(Misuse::PayloadTooLong));
    assert!(sender.header(MessageKind::Text, false, (1 << 63) - 1).is_ok());
    sender.fragment(MessageKind::Text, b"end", true, &mut tx).unwrap();
    assert_eq!(tx.bytes(), plain(0x80, b"end"));
    sender.close(CloseCode::NORMAL, "", &mut tx).unwrap();
    assert!(matches!(
        sender.header(MessageKind::Text, true, 1),
        Err(Error::Misuse(Misuse::Closed))
    ));
    let failing: Sevens = |_| Err(EntropyError);
    let mut client = Sender::client(failing);
    assert!(matches!(client.header(MessageKind::Text, false, 1), Err(Error::Entropy(_))));
    assert_eq!(client.ping(b"", &mut tx), Err(Error::Entropy(EntropyError)));
}

/// A frame inside a compressed message would corrupt it.
#[test]
#[cfg(feature = "deflate")]
fn no_header_inside_a_compressed_message() {
    use sockless::deflate::{Context, DeflateConfig, DeflateParams};

    let agreement = DeflateParams { send: Context::FULL, receive: Context::FULL };
    let config = DeflateConfig::DEFAULT.with_threshold(0);
    let mut sender = Sender::server().with_deflate(agreement, &config);
    let mut tx = WriteBuffer::new([0; 512]);
    sender.header(MessageKind::Text, true, 1).unwrap();
    sender.fragment(MessageKind::Text, b"begun", false, &mut tx).unwrap();
    let refused = sender.header(MessageKind::Text, true, 1).map(drop);
    assert_eq!(refused, Err(Error::Misuse(Misuse::MessageCompressed)));
    sender.fragment(MessageKind::Text, b"ended", true, &mut tx).unwrap();
}

/// A queue of replies has a constant size, loses no Close, and keeps the order that the protocol
/// needs: nothing is sent after a Close.
#[test]
fn waiting_replies_are_one_pong_and_one_close() {
    let mut replies = Replies::new();
    assert!(replies.is_empty());
    assert_eq!(replies.pop(), None);
    replies.push(Reply::pong(b"first").unwrap());
    replies.extend(Reply::pong(b"latest"));
    replies.push(Reply::close(CloseCode::NORMAL));
    replies.push(Reply::close(CloseCode::PROTOCOL_ERROR));
    assert!(!replies.is_empty());
    assert_eq!(replies.pop(), Reply::pong(b"latest"));
    assert!(!replies.is_empty());
    assert_eq!(replies.pop(), Some(Reply::close(CloseCode::NORMAL)));
    assert_eq!(replies.pop(), None);
    assert!(replies.is_empty());
    assert_eq!(replies, Replies::default());
}

/// A message of any size leaves through a small buffer, in whole frames that together are the
/// message, whatever the parts are.
#[test]
fn a_message_streams_through_a_small_buffer() {
    let text = "grün €".repeat(400);
    for (size, part) in [(230, 1), (230, 100), (300, 7), (4096, text.len())] {
        let mut memory = [0; 4096];
        let mut tx = WriteBuffer::new(&mut memory[..size]);
        let mut sender = Sender::client(FnEntropy::new(sevens as Sevens));
        let (mut wire, mut parts) = (Vec::new(), text.as_bytes().chunks(part).peekable());
        while let Some(mut rest) = parts.next() {
            let fin = parts.peek().is_none();
            while !sender.stream(MessageKind::Text, &mut rest, fin, &mut tx).unwrap().is_done() {
                assert!(!tx.is_empty());
                wire.extend(tx.bytes());
                tx.clear();
            }
            assert!(rest.is_empty());
        }
        wire.extend(tx.bytes());
        let mut receiver = Receiver::server(Config::default());
        let mut rx = ReadBuffer::growing(1 << 16);
        assert_eq!(rx.extend(&wire), wire.len());
        let Ok(Some(Incoming::Data(chunk))) = receiver.receive(&mut rx) else { panic!() };
        assert_eq!(chunk.text(), Some(&text[..]), "{size}, {part}");
        assert!(rx.unread().is_empty());
    }
    // An empty message is a frame, too.
    let mut tx = WriteBuffer::new([0; 230]);
    let streamed = Sender::server().stream(MessageKind::Binary, &mut &b""[..], true, &mut tx);
    assert_eq!(streamed, Ok(Streamed::Done));
    assert_eq!(tx.bytes(), b"\x82\0");
}

#[test]
fn a_stream_reports_what_it_cannot_send() {
    let mut tx = WriteBuffer::new([0; 212]);
    let mut sender = Sender::server();
    let never = Err(Error::NeverFits { needed: 217 });
    assert_eq!(sender.stream(MessageKind::Binary, &mut &b"x"[..], true, &mut tx), never);
    let mut tx = WriteBuffer::new([0; 300]);
    let invalid = Err(Error::Misuse(Misuse::InvalidText));
    let mut rest = &b"good \xff"[..];
    assert_eq!(sender.stream(MessageKind::Text, &mut rest, true, &mut tx), invalid);
    assert!(tx.is_empty());
    // A character may be cut by the parts, but not by the end of the message.
    let mut rest = "€".as_bytes().get(..2).unwrap();
    let done = Ok(Streamed::Done);
    assert_eq!(sender.stream(MessageKind::Text, &mut rest, false, &mut tx), done);
    assert_eq!(sender.stream(MessageKind::Text, &mut &b""[..], true, &mut tx), invalid);
    let wrong = Err(Error::Misuse(Misuse::WrongKind));
    assert_eq!(sender.stream(MessageKind::Binary, &mut &b"x"[..], true, &mut tx), wrong);
    assert_eq!(sender.stream(MessageKind::Text, &mut &b"\xac"[..], true, &mut tx), done);
}

/// With `std`, `?` works in a function that returns an error of input and output.
#[cfg(feature = "std")]
#[test]
fn errors_become_errors_of_input_and_output() {
    use std::io::{Error as IoError, ErrorKind};
    let cases = [
        (IoError::from(Error::NoRoom), ErrorKind::Other, Error::NoRoom.to_string()),
        (
            IoError::from(Violation::InvalidUtf8),
            ErrorKind::InvalidData,
            Violation::InvalidUtf8.to_string(),
        ),
        (
            IoError::from(Failure::Protocol(Violation::Masked)),
            ErrorKind::InvalidData,
            Violation::Masked.to_string(),
        ),
        (IoError::from(Failure::Local(Error::NoRoom)), ErrorKind::Other, Error::NoRoom.to_string()),
    ];
    for (error, kind, text) in cases {
        assert_eq!((error.kind(), error.to_string()), (kind, text));
    }
}

//! Checks that a [`Receiver`] returns what a [`Sender`] was passed, at any cut, with and without
//! buffers.

use sockless::{
    CloseCode, Config, Entropy, FnEntropy, Incoming, MessageKind, ReadBuffer, Receiver, Role,
    Sender, WriteBuffer,
};

use super::oracle::Item;

/// A message or control frame to send.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Send {
    Text(String),
    Binary(Vec<u8>),
    Vectored(Vec<u8>),
    /// A message in fragments that end at these places, with pings between them if the flag is
    /// `true`.
    Fragments {
        text: Option<String>,
        bytes: Vec<u8>,
        cuts: Vec<u8>,
        pings: bool,
    },
    Ping(Vec<u8>),
    Pong(Vec<u8>),
}

/// The way to receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Way {
    /// Over slices, as they arrive.
    Slices,
    Messages,
    Chunks,
}

/// Makes keys that differ from frame to frame.
fn keys() -> impl Entropy {
    let mut state = 1u32;
    FnEntropy::new(move |bytes: &mut [u8]| {
        for byte in bytes {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *byte = (state >> 24) as u8;
        }
        Ok(())
    })
}

/// Sends all items, then a Close. Compares the items that arrive in pieces of these lengths,
/// repeated.
pub fn round_trip(masks: bool, sends: &[Send], pieces: &[u8], way: Way) {
    let mut tx = WriteBuffer::growing(1 << 24);
    let mut receiver;
    let (expected, bytes) = if masks {
        receiver = Receiver::server(Config::default());
        send_all(Sender::client(keys()), sends, &mut tx)
    } else {
        receiver = Receiver::client(Config::default());
        send_all(Sender::server(), sends, &mut tx)
    };
    let mut taken = Taken::default();
    let mut lengths = pieces.iter().map(|&length| usize::from(length) + 1).cycle();
    let mut rest = &bytes[..];
    let mut next = || {
        let length = lengths.next().unwrap_or(usize::MAX).min(rest.len());
        let (piece, tail) = rest.split_at(length);
        rest = tail;
        piece
    };
    let mut left: Vec<u8> = Vec::new();
    let mut rx = ReadBuffer::growing(1 << 24);
    loop {
        let piece = next();
        if way == Way::Slices {
            left.extend(piece);
            let mut input = &mut left[..];
            while let Some(item) =
                receiver.receive_chunk_in_place(&mut input).expect("our own sender")
            {
                taken.take(item);
            }
            left = input.to_vec();
        } else {
            assert_eq!(rx.extend(piece), piece.len());
            loop {
                let item = match way {
                    Way::Messages => receiver.receive(&mut rx),
                    _ => receiver.receive_chunks(&mut rx),
                };
                let Some(item) = item.expect("our own sender") else { break };
                if let (Way::Messages, Incoming::Data(chunk)) = (way, item) {
                    assert!(chunk.is_whole());
                }
                taken.take(item);
            }
        }
        if piece.is_empty() {
            break;
        }
    }
    assert!(left.is_empty() && rx.is_empty() && receiver.is_closed());
    assert_eq!(taken.items, expected);
}

fn send_all<R: Role>(
    mut sender: Sender<R>,
    sends: &[Send],
    tx: &mut WriteBuffer<sockless::GrowableBuffer>,
) -> (Vec<Item>, Vec<u8>) {
    let (mut items, mut wire) = (Vec::new(), Vec::new());
    for send in sends {
        let mut apart = &[][..];
        match send {
            Send::Text(text) => {
                sender.text(text, tx).expect("room");
                items.push(Item::Message(MessageKind::Text, text.as_bytes().to_vec()));
            }
            Send::Binary(bytes) => {
                sender.binary(bytes, tx).expect("room");
                items.push(Item::Message(MessageKind::Binary, bytes.to_vec()));
            }
            Send::Vectored(bytes) => {
                sender.binary_vectored(bytes, tx).expect("room");
                apart = bytes;
                items.push(Item::Message(MessageKind::Binary, bytes.to_vec()));
            }
            Send::Fragments { text, bytes, cuts, pings } => {
                let (kind, all) = match text {
                    Some(text) => (MessageKind::Text, text.as_bytes()),
                    None => (MessageKind::Binary, &bytes[..]),
                };
                let mut rest = all;
                for &cut in cuts {
                    let (piece, tail) = rest.split_at(usize::from(cut).min(rest.len()));
                    sender.fragment(kind, piece, false, tx).expect("a piece of a text");
                    if *pings {
                        sender.ping(&[cut], tx).expect("room");
                        items.push(Item::Ping(vec![cut]));
                    }
                    rest = tail;
                }
                sender.fragment(kind, rest, true, tx).expect("the end of it");
                items.push(Item::Message(kind, all.to_vec()));
            }
            Send::Ping(bytes) => {
                let bytes = &bytes[..bytes.len().min(125)];
                sender.ping(bytes, tx).expect("room");
                items.push(Item::Ping(bytes.to_vec()));
            }
            Send::Pong(bytes) => {
                let bytes = &bytes[..bytes.len().min(125)];
                sender.pong(bytes, tx).expect("room");
                items.push(Item::Pong(bytes.to_vec()));
            }
        }
        wire.extend(tx.slices(apart).unwrap().concat());
        tx.consume(usize::MAX);
        assert!(tx.is_empty());
    }
    sender.close(CloseCode::new(4321), "that is all", tx).expect("room");
    assert!(sender.is_closed());
    items.push(Item::Close(4321, "that is all".to_string()));
    wire.extend(tx.bytes());
    (items, wire)
}

/// Collects items, with the chunks of one message joined.
#[derive(Default)]
struct Taken {
    items: Vec<Item>,
    joined: Option<(MessageKind, Vec<u8>)>,
}

impl Taken {
    fn take(&mut self, item: Incoming<'_>) {
        let item = match item {
            Incoming::Data(chunk) => {
                assert_eq!(chunk.is_first(), self.joined.is_none());
                assert!(!chunk.is_compressed());
                let (kind, bytes) = self.joined.get_or_insert((chunk.kind(), Vec::new()));
                assert_eq!(*kind, chunk.kind());
                bytes.extend(chunk.bytes());
                if !chunk.is_last() {
                    return;
                }
                let (kind, bytes) = self.joined.take().expect("it was put there");
                Item::Message(kind, bytes)
            }
            Incoming::Ping(payload) => Item::Ping(payload.to_vec()),
            Incoming::Pong(payload) => Item::Pong(payload.to_vec()),
            Incoming::Close(close) => Item::Close(close.code().get(), close.reason().to_string()),
            other => unreachable!("{other:?}"),
        };
        self.items.push(item);
    }
}

//! Feeds a machine with a stream, cut anywhere, and records its events and output.

use sockless::{
    Client, Event, Failure, Incoming, MessageKind, ReadBuffer, Receiver, Role, Server, State,
    WebSocket, WriteBuffer,
};

use super::oracle::{Item, Rules, compressed_item};
use super::{Sevens, sevens};

/// The way to receive messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Take {
    Messages,
    Chunks,
}

/// The settings of a run.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    pub rx: usize,
    pub tx: usize,
    pub take: Take,
    /// `true` if the stream ends after the input.
    pub eof: bool,
}

impl Setup {
    pub const MESSAGES: Setup = Setup { rx: 1 << 10, tx: 1 << 10, take: Take::Messages, eof: true };
    pub const CHUNKS: Setup = Setup { take: Take::Chunks, ..Setup::MESSAGES };
}

/// The result of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    pub items: Vec<Item>,
    pub output: Vec<u8>,
    pub state: State,
    pub done: bool,
}

/// The result of a run, and the number of calls of `receive`.
pub struct Counted {
    pub run: Run,
    pub calls: usize,
}

/// Feeds `input` in pieces that end at `cuts`, and drains the output after each event. A cut after
/// the last byte separates the bytes from the end of the stream. Calls `answer` with every event
/// that is not a chunk.
pub fn drive<R: Role>(
    mut ws: WebSocket<R>,
    input: &[u8],
    cuts: impl IntoIterator<Item = usize>,
    setup: Setup,
    mut answer: impl FnMut(&mut WebSocket<R>, &Event<'_>, &mut WriteBuffer<&mut [u8]>),
) -> Counted {
    let (mut rx_bytes, mut tx_bytes) = (vec![0xAA; setup.rx], vec![0xAA; setup.tx]);
    let mut rx = ReadBuffer::new(&mut rx_bytes[..]);
    let mut tx = WriteBuffer::new(&mut tx_bytes[..]);
    let mut notes = Notes::default();
    let (mut output, mut calls, mut at) = (Vec::new(), 0, 0);
    let mut ends = cuts.into_iter().chain([input.len()]).peekable();
    while let Some(end) = ends.next() {
        let mut piece = input.get(at..end).unwrap_or_default();
        at = at.max(end);
        loop {
            let space = rx.space();
            let n = space.len().min(piece.len());
            assert!(
                n > 0 || piece.is_empty() || ws.is_done() || calls == 0 || setup.rx == 0,
                "no space while the machine wants input"
            );
            space[..n].copy_from_slice(&piece[..n]);
            if n > 0 {
                rx.filled(n);
            }
            let stuck = n == 0 && !piece.is_empty() && calls > 0;
            piece = &piece[n..];
            if setup.eof && piece.is_empty() && ends.peek().is_none() {
                rx.end_of_stream();
            }
            loop {
                calls += 1;
                let event = match setup.take {
                    Take::Messages => ws.receive(&mut rx, &mut tx),
                    Take::Chunks => ws.receive_chunks(&mut rx, &mut tx),
                };
                let Some(event) = event else { break };
                if notes.take(&event) {
                    answer(&mut ws, &event, &mut tx);
                }
                output.extend(tx.bytes());
                tx.clear();
            }
            output.extend(tx.bytes());
            tx.clear();
            if piece.is_empty() || stuck {
                break;
            }
        }
    }
    let run = Run { items: notes.finish(), output, state: ws.state(), done: ws.is_done() };
    Counted { run, calls }
}

/// Collects events as items, with the chunks of one message joined.
#[derive(Default)]
struct Notes {
    items: Vec<Item>,
    joined: Option<(MessageKind, Vec<u8>)>,
    /// `true` if the message of the joined chunks is compressed.
    compressed: bool,
}

impl Notes {
    /// Adds an event. Returns `true` if it is not a chunk.
    fn take(&mut self, event: &Event<'_>) -> bool {
        let item = match event {
            Event::Chunk(chunk) => {
                assert_eq!(chunk.is_first(), self.joined.is_none());
                assert!(chunk.is_first() || chunk.is_compressed() == self.compressed);
                self.compressed = chunk.is_compressed();
                let (kind, bytes) = self.joined.get_or_insert((chunk.kind(), Vec::new()));
                assert_eq!(*kind, chunk.kind());
                bytes.extend(chunk.bytes());
                if let Some(text) = chunk.text() {
                    assert!(chunk.is_whole() && chunk.kind() == MessageKind::Text);
                    assert!(!chunk.is_compressed());
                    assert_eq!(text.as_bytes(), chunk.bytes());
                }
                if chunk.is_last() {
                    let ended = self.joined.take();
                    self.items.extend(ended.map(|(kind, bytes)| match self.compressed {
                        true => compressed_item(kind, &bytes, true),
                        false => Item::Message(kind, bytes),
                    }));
                }
                return false;
            }
            Event::Text(text) => Item::Message(MessageKind::Text, text.as_bytes().to_vec()),
            Event::Binary(bytes) => Item::Message(MessageKind::Binary, bytes.to_vec()),
            Event::Ping(payload) => Item::Ping(payload.to_vec()),
            Event::Pong(payload) => Item::Pong(payload.to_vec()),
            Event::Close(close) if close.code().get() == 1006 => Item::Lost,
            Event::Close(close) => Item::Close(close.code().get(), close.reason().to_string()),
            Event::Failed(Failure::Protocol(violation)) => Item::Failed(*violation),
            // The pieces of a body are joined.
            Event::RejectionBody(body) => {
                let words = format!("{}", body.escape_ascii());
                if let Some(Item::Other(last)) = self.items.last_mut() {
                    if let Some(before) = last.strip_prefix("Body ") {
                        *last = format!("Body {before}{words}");
                        return true;
                    }
                }
                Item::Other(format!("Body {words}"))
            }
            other => Item::Other(format!("{other:?}")),
        };
        self.items.push(item);
        true
    }

    fn finish(mut self) -> Vec<Item> {
        self.items.extend(self.joined.map(|(kind, bytes)| match self.compressed {
            true => compressed_item(kind, &bytes, false),
            false => Item::Unfinished(kind, bytes),
        }));
        self.items
    }
}

/// Runs an open connection without calls of the caller. The connection receives what `masked` says:
/// frames of a client, or of a server.
pub fn open(
    masked: bool,
    rules: Rules,
    setup: Setup,
    input: &[u8],
    cuts: impl IntoIterator<Item = usize>,
) -> Counted {
    if masked {
        let ws = WebSocket::from_upgraded(Server, rules.config());
        drive(ws, input, cuts, setup, |_, _, _| {})
    } else {
        let ws = WebSocket::from_upgraded(Client::new(sevens as Sevens), rules.config());
        drive(ws, input, cuts, setup, |_, _, _| {})
    }
}

/// Runs an open connection and compares its result with the oracle's.
pub fn against_oracle(
    masked: bool,
    rules: Rules,
    setup: Setup,
    input: &[u8],
    cuts: impl IntoIterator<Item = usize>,
) -> Counted {
    let counted = open(masked, rules, setup, input, cuts);
    let run = &counted.run;
    let room = (setup.take == Take::Messages).then_some(setup.rx);
    let expected = super::oracle::receive(rules, masked, room, input, setup.eof);
    assert_eq!(run.items, expected, "{setup:?} {rules:?} {}", input.escape_ascii());
    assert_eq!(run.output, super::oracle::replies(&expected, !masked), "{}", input.escape_ascii());
    let ended = |item: &Item| matches!(item, Item::Close(..) | Item::Failed(_) | Item::Lost);
    let closed = expected.iter().any(ended);
    assert_eq!(run.state, if closed { State::Closed } else { State::Open });
    // A client that has seen both Closes waits for the server to end the stream.
    let waits =
        !masked && !setup.eof && expected.iter().any(|item| matches!(item, Item::Close(..)));
    assert_eq!(run.done, closed && !waits);
    counted
}

/// Runs a receiver alone over slices that end at `cuts`, and compares its items with the oracle's.
pub fn slices_against_oracle(
    masked: bool,
    rules: Rules,
    input: &[u8],
    cuts: impl IntoIterator<Item = usize>,
) {
    slices_with_rsv1_against_oracle(false, masked, rules, input, cuts);
}

/// Compares like [`slices_against_oracle`], with RSV1 allowed if `rsv1` is `true`.
pub fn slices_with_rsv1_against_oracle(
    rsv1: bool,
    masked: bool,
    rules: Rules,
    input: &[u8],
    cuts: impl IntoIterator<Item = usize>,
) {
    let config = rules.config();
    let mut receiver = if masked { Receiver::server(config) } else { Receiver::client(config) };
    if rsv1 {
        receiver.allow_rsv1();
    }
    let (mut notes, mut left, mut at) = (Notes::default(), Vec::new(), 0);
    for end in cuts.into_iter().chain([input.len()]) {
        left.extend_from_slice(input.get(at..end).unwrap_or_default());
        at = at.max(end);
        let mut rest = &mut left[..];
        let failed = loop {
            match receiver.receive_chunk_in_place(&mut rest) {
                Ok(Some(Incoming::Data(chunk))) => drop(notes.take(&Event::Chunk(chunk))),
                Ok(Some(Incoming::Ping(payload))) => drop(notes.take(&Event::Ping(payload))),
                Ok(Some(Incoming::Pong(payload))) => drop(notes.take(&Event::Pong(payload))),
                Ok(Some(Incoming::Close(close))) => drop(notes.take(&Event::Close(close))),
                Ok(Some(other)) => unreachable!("{other:?}"),
                Ok(None) => break None,
                Err(violation) => break Some(violation),
            }
        };
        if let Some(violation) = failed {
            notes.take(&Event::Failed(Failure::Protocol(violation)));
            assert_eq!(receiver.receive_chunk_in_place(&mut &mut [0x82, 0x80][..]), Err(violation));
            break;
        }
        assert!(rest.len() < sockless::READ_BUFFER_MIN || receiver.is_closed());
        left = rest.to_vec();
    }
    let items = notes.finish();
    let expected = super::oracle::receive_with(rules, rsv1, masked, None, input, false);
    assert_eq!(items, expected, "{rules:?} {}", input.escape_ascii());
}

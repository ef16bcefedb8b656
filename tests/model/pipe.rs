//! A client and a server joined by a pipe. Runs any sequence of operations, and checks the crate's
//! contracts after each.

use sockless::handshake::{Accept, ConnectRequest, HttpResponse, Uri};
use sockless::{
    Client, CloseCode, Config, Error, Event, Failure, MessageKind, Misuse, READ_BUFFER_MIN,
    ReadBuffer, Role, Server, State, WRITE_BUFFER_MIN, WebSocket, WriteBuffer, truncate_reason,
};

use super::oracle::{self, Item, Rules};
use super::{Sevens, sevens};

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Op {
    Text {
        by: End,
        letters: Vec<char>,
    },
    Binary {
        by: End,
        len: u16,
    },
    Vectored {
        by: End,
        text: bool,
        bytes: Vec<u8>,
    },
    Fragment {
        by: End,
        text: bool,
        bytes: Vec<u8>,
        fin: bool,
    },
    Ping {
        by: End,
        len: u8,
    },
    Pong {
        by: End,
        len: u8,
    },
    Close {
        by: End,
        code: u16,
        reason: Vec<char>,
    },
    /// Moves up to so many bytes of the other end's output into this end's buffer.
    Carry {
        to: End,
        max: u8,
    },
    /// Moves as many bytes as the buffer has space for.
    CarryAll {
        to: End,
    },
    /// Receives so many events, in whole messages or in chunks.
    Receive {
        at: End,
        chunks: bool,
        events: u8,
    },
    /// Ends the stream to this end.
    EndOfStream {
        to: End,
    },
    /// Makes a call of the handshake, possibly at a wrong time.
    Connect,
    Answer {
        status: u16,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum End {
    Server,
    Client,
}

/// The configuration of both ends.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct Setup {
    pub rules: Rules,
    /// `true` if the run starts with the handshake.
    pub handshake: bool,
    /// `true` if the server accepts requests.
    pub accept: bool,
    pub server_buffers: (u16, u16),
    pub client_buffers: (u16, u16),
}

/// A machine with its buffers, and its history as seen from outside.
struct Side<R: Role> {
    ws: WebSocket<R>,
    rx: ReadBuffer<Box<[u8]>>,
    tx: WriteBuffer<Box<[u8]>>,
    /// All bytes that it has sent, with the handshake.
    wire: Vec<u8>,
    /// The output at the last successful check.
    checked: Vec<u8>,
    /// The payload of a pending vectored send.
    payload: Vec<u8>,
    /// Messages and pings that were accepted for sending.
    messages: Vec<(MessageKind, Vec<u8>)>,
    pings: Vec<Vec<u8>>,
    fragments: Option<(MessageKind, Vec<u8>)>,
    close: Option<(u16, String)>,
    got: Vec<Item>,
    joined: Option<(MessageKind, Vec<u8>)>,
    /// `true` if the stream to this end is over.
    ended: bool,
    /// `true` once the connection was open.
    opened: bool,
}

impl<R: Role> Side<R> {
    fn new(ws: WebSocket<R>, (rx, tx): (u16, u16)) -> Side<R> {
        // Up to 4 KiB each, so that queued pongs exceed their limit.
        let memory = |size: u16| vec![0xAA; usize::from(size % 6000)].into_boxed_slice();
        Side {
            ws,
            rx: ReadBuffer::new(memory(rx)),
            tx: WriteBuffer::new(memory(tx)),
            wire: Vec::new(),
            checked: Vec::new(),
            payload: Vec::new(),
            messages: Vec::new(),
            pings: Vec::new(),
            fragments: None,
            close: None,
            got: Vec::new(),
            joined: None,
            ended: false,
            opened: false,
        }
    }

    /// Makes a send, and checks that a refused send changes nothing.
    fn send(
        &mut self,
        call: impl FnOnce(&mut WebSocket<R>, &mut WriteBuffer<Box<[u8]>>) -> Result<(), Error>,
    ) -> bool {
        let (state, before) = (self.ws.state(), self.waiting());
        match call(&mut self.ws, &mut self.tx) {
            Ok(()) => {
                assert_eq!(state, State::Open);
                assert!(self.waiting().starts_with(&before));
                true
            }
            Err(error) => {
                assert_eq!((self.ws.state(), self.waiting()), (state, before));
                match (error, state) {
                    (Error::Misuse(Misuse::NotOpen), state) => {
                        assert_eq!(state, State::Connecting);
                    }
                    (Error::Misuse(Misuse::Closed), state) => {
                        assert!(matches!(state, State::Closing | State::Closed));
                    }
                    (Error::NoRoom, _) => assert!(!self.tx.is_empty(), "it would have fit"),
                    (Error::NeverFits { needed }, _) => assert!(needed > self.tx.capacity()),
                    _ => {}
                }
                false
            }
        }
    }

    /// Returns all unsent bytes, with a vectored payload in its place.
    fn waiting(&self) -> Vec<u8> {
        let waiting = self.tx.slices(&self.payload).unwrap_or_default().concat();
        assert_eq!(waiting.len(), self.tx.len());
        assert!(self.tx.bytes().len() <= self.tx.capacity());
        waiting
    }

    /// Returns and consumes the next bytes of the output, up to `max`.
    fn take(&mut self, max: usize) -> Vec<u8> {
        let mut bytes = self.waiting();
        bytes.truncate(max);
        self.tx.consume(bytes.len());
        self.wire.extend(&bytes);
        bytes
    }

    /// Appends as many bytes to its buffer as there is space for.
    fn give(&mut self, from: &mut Side<impl Role>, max: usize) {
        if self.ended {
            return;
        }
        let space = self.rx.space();
        let bytes = from.take(max.min(space.len()));
        space[..bytes.len()].copy_from_slice(&bytes);
        if !bytes.is_empty() {
            self.rx.filled(bytes.len());
        }
    }

    fn receive(
        &mut self,
        chunks: bool,
        events: usize,
        mut answer: impl FnMut(&mut WebSocket<R>, &Event<'_>, &mut WriteBuffer<Box<[u8]>>),
    ) {
        for _ in 0..events {
            let done = self.ws.is_done();
            let event = if chunks {
                self.ws.receive_chunks(&mut self.rx, &mut self.tx)
            } else {
                self.ws.receive(&mut self.rx, &mut self.tx)
            };
            let Some(event) = event else {
                let room = self.rx.space().len();
                assert!(room > 0 || self.rx.capacity() < READ_BUFFER_MIN, "it wants input");
                return;
            };
            assert!(!done, "{event:?} after the end");
            let item = match &event {
                Event::Chunk(chunk) => {
                    let (_, bytes) = self.joined.get_or_insert((chunk.kind(), Vec::new()));
                    bytes.extend(chunk.bytes());
                    let ended = if chunk.is_last() { self.joined.take() } else { None };
                    ended.map(|(kind, bytes)| Item::Message(kind, bytes))
                }
                Event::Text(text) => {
                    assert_eq!(self.joined, None);
                    Some(Item::Message(MessageKind::Text, text.as_bytes().to_vec()))
                }
                Event::Binary(bytes) => Some(Item::Message(MessageKind::Binary, bytes.to_vec())),
                Event::Ping(payload) => Some(Item::Ping(payload.to_vec())),
                Event::Pong(payload) => Some(Item::Pong(payload.to_vec())),
                Event::Close(close) if close.code() == CloseCode::ABNORMAL => {
                    assert!(self.ended, "the stream goes on");
                    Some(Item::Lost)
                }
                Event::Close(close) => {
                    Some(Item::Close(close.code().get(), close.reason().to_string()))
                }
                Event::Failed(Failure::Protocol(violation)) => Some(Item::Failed(*violation)),
                other => Some(Item::Other(format!("{other:?}"))),
            };
            self.got.extend(item);
            answer(&mut self.ws, &event, &mut self.tx);
        }
    }

    /// Checks the bytes on the wire and in the output, without the handshake: whole frames except
    /// for the last, in a permitted order, and nothing after a Close.
    fn check_output(&mut self, masked: bool) {
        let sent = [&self.wire[..], &self.waiting()].concat();
        if sent == self.checked {
            return;
        }
        let frames = match sent.windows(4).position(|end| end == b"\r\n\r\n") {
            Some(end) if sent.starts_with(b"HTTP/1.1 101") || sent.starts_with(b"GET ") => {
                &sent[end + 4..]
            }
            _ if sent.starts_with(b"HTTP/") => return,
            _ => &sent[..],
        };
        let items = oracle::receive(Rules::DEFAULT, masked, None, frames, false);
        let broken = items.iter().find(|item| matches!(item, Item::Failed(_)));
        assert_eq!(broken, None, "{}", frames.escape_ascii());
        let of_closes = |item: &&Item| matches!(item, Item::Close(..));
        if let Some(Item::Close(..)) = items.last() {
            // The oracle ends at a Close. Encoding the Close again shows that nothing follows.
            assert_eq!(items.iter().filter(of_closes).count(), 1);
            let close = oracle::frame(0x88, &close_payload(items.last()), masked);
            assert!(frames.ends_with(&close), "{}", frames.escape_ascii());
        }
        let messages = items.iter().filter_map(|item| match item {
            Item::Message(kind, bytes) => Some((*kind, bytes.clone())),
            _ => None,
        });
        assert_eq!(messages.collect::<Vec<_>>(), self.messages);
        self.checked = sent;
    }
}

fn close_payload(item: Option<&Item>) -> Vec<u8> {
    match item {
        Some(Item::Close(1005, _)) => Vec::new(),
        Some(Item::Close(code, reason)) => [&code.to_be_bytes()[..], reason.as_bytes()].concat(),
        _ => unreachable!("only a Close is asked for"),
    }
}

/// Runs the operations, checks after each, and then lets both ends finish.
pub fn live(setup: Setup, ops: &[Op]) {
    let config = setup.rules.config();
    let mut pair = if setup.handshake {
        Pair::new(WebSocket::server(config), WebSocket::client(config, sevens as Sevens), setup)
    } else {
        open(config, setup)
    };
    for op in ops {
        pair.step(op);
        pair.check();
    }
    pair.finish();
}

fn open(config: Config, setup: Setup) -> Pair {
    let server = WebSocket::from_upgraded(Server, config);
    Pair::new(server, WebSocket::from_upgraded(Client::new(sevens as Sevens), config), setup)
}

struct Pair {
    server: Side<Server>,
    client: Side<Client<Sevens>>,
    accept: bool,
}

impl Pair {
    fn new(server: WebSocket<Server>, client: WebSocket<Client<Sevens>>, setup: Setup) -> Pair {
        Pair {
            server: Side::new(server, setup.server_buffers),
            client: Side::new(client, setup.client_buffers),
            accept: setup.accept,
        }
    }

    fn step(&mut self, op: &Op) {
        match op {
            Op::Carry { to: End::Server, max } => {
                self.server.give(&mut self.client, usize::from(*max));
            }
            Op::Carry { to: End::Client, max } => {
                self.client.give(&mut self.server, usize::from(*max));
            }
            Op::CarryAll { to: End::Server } => self.server.give(&mut self.client, usize::MAX),
            Op::CarryAll { to: End::Client } => self.client.give(&mut self.server, usize::MAX),
            Op::Receive { at: End::Server, chunks, events } => {
                self.serve(*chunks, usize::from(*events));
            }
            Op::Receive { at: End::Client, chunks, events } => {
                self.follow(*chunks, usize::from(*events));
            }
            Op::EndOfStream { to: End::Server } => {
                self.server.ended = true;
                self.server.rx.end_of_stream();
            }
            Op::EndOfStream { to: End::Client } => {
                self.client.ended = true;
                self.client.rx.end_of_stream();
            }
            Op::Connect => self.connect(),
            Op::Answer { status } => {
                let side = &mut self.server;
                let answer = HttpResponse::new(*status).with_body(b"no");
                if side.ws.respond(answer, &mut side.tx).is_ok() {
                    assert!(side.ws.is_done() && (200..600).contains(status));
                }
            }
            Op::Text { by, .. }
            | Op::Binary { by, .. }
            | Op::Vectored { by, .. }
            | Op::Fragment { by, .. }
            | Op::Ping { by, .. }
            | Op::Pong { by, .. }
            | Op::Close { by, .. } => match by {
                End::Server => send(&mut self.server, op),
                End::Client => send(&mut self.client, op),
            },
        }
    }

    fn connect(&mut self) {
        let uri = Uri::parse("ws://example.com/chat").expect("a good address");
        let side = &mut self.client;
        let _ = side
            .ws
            .connect(&ConnectRequest::new(&uri).with_subprotocols(&["a", "b"]), &mut side.tx);
    }

    fn serve(&mut self, chunks: bool, events: usize) {
        let accept = self.accept;
        self.server.receive(chunks, events, |ws, event, tx| {
            if let Event::UpgradeRequest(request) = event {
                // If the response has no room, the next call refuses the request.
                if accept && ws.accept(request, Accept::new().with_subprotocol("b"), tx).is_ok() {
                    let again = ws.accept(request, Accept::new(), tx);
                    assert_eq!(again, Err(Error::Misuse(Misuse::NoHandshake)));
                }
            }
        });
    }

    fn follow(&mut self, chunks: bool, events: usize) {
        self.client.receive(chunks, events, |ws, event, _| {
            if let Event::UpgradeResponse(response) = event {
                let chosen = ws.confirm(response, &["a", "b"]);
                assert!(matches!(chosen, Ok(Some("b") | None)));
            }
        });
    }

    fn check(&mut self) {
        self.server.opened |= self.server.ws.state() == State::Open;
        self.client.opened |= self.client.ws.state() == State::Open;
        self.server.check_output(false);
        self.client.check_output(true);
        agree(&self.client, &self.server);
        agree(&self.server, &self.client);
    }

    /// Moves bytes and receives until nothing changes, and ends the streams when an end is done.
    fn finish(mut self) {
        let mut before = None;
        let mut turns = 0;
        loop {
            self.server.give(&mut self.client, usize::MAX);
            self.serve(true, 10_000);
            self.client.give(&mut self.server, usize::MAX);
            self.follow(true, 10_000);
            if self.server.ws.is_done() && self.server.tx.is_empty() {
                self.client.ended = true;
                self.client.rx.end_of_stream();
                self.follow(true, 10_000);
            }
            self.check();
            let now = (self.server.wire.len(), self.client.wire.len(), self.client.ended);
            if before == Some(now) {
                break;
            }
            before = Some(now);
            turns += 1;
            assert!(turns < 10_000, "it does not come to rest");
        }
        arrived(&self.client, &self.server);
        arrived(&self.server, &self.client);
        // A done server has ended the stream, so its client is done too.
        if self.server.ws.is_done() && self.server.tx.is_empty() {
            assert!(self.client.ws.is_done());
        }
        self.end_all();
    }

    /// In every state, the end of both streams is the end.
    fn end_all(mut self) {
        self.server.ended = true;
        self.client.ended = true;
        self.server.rx.end_of_stream();
        self.client.rx.end_of_stream();
        self.serve(true, 10_000);
        self.follow(true, 10_000);
        self.check();
        assert!(self.server.ws.is_done() && self.client.ws.is_done());
        let over = |state: State| assert_eq!(state, State::Closed);
        over(self.server.ws.state());
        over(self.client.ws.state());
    }
}

/// Checks that all messages of `from` have arrived, if both ends are open at rest.
fn arrived<A: Role, B: Role>(from: &Side<A>, to: &Side<B>) {
    if from.ws.state() == State::Open && to.ws.state() == State::Open && !to.ended {
        let got = to.got.iter().filter(|item| matches!(item, Item::Message(..)));
        assert_eq!(got.count(), from.messages.len());
    }
}

/// Checks that the messages received by `to` are a prefix of those sent by `from`.
fn agree<A: Role, B: Role>(from: &Side<A>, to: &Side<B>) {
    let mut messages = from.messages.iter();
    let mut pings = from.pings.iter();
    for (index, item) in to.got.iter().enumerate() {
        match item {
            Item::Message(kind, bytes) => {
                assert_eq!(messages.next(), Some(&(*kind, bytes.clone())));
            }
            Item::Ping(payload) => assert_eq!(pings.next(), Some(payload)),
            Item::Close(code, reason) => {
                // Their Close, the reply to ours, or the Close of a failure.
                if let Some(close) = &from.close {
                    assert_eq!((*code, reason), (close.0, &close.1));
                }
            }
            Item::Failed(violation) => {
                let code = violation.close_code().get();
                assert!(matches!(code, 1008 | 1009), "{violation} between two of our own");
            }
            _ => {}
        }
        let last = matches!(item, Item::Close(..) | Item::Lost | Item::Failed(_));
        assert!(!last || index + 1 == to.got.len(), "{:?}", to.got);
    }
    let enough = to.rx.capacity() >= READ_BUFFER_MIN && to.tx.capacity() >= WRITE_BUFFER_MIN;
    if to.opened && enough {
        let is_local = |item: &&Item| matches!(item, Item::Other(words) if words.contains("Local"));
        assert_eq!(to.got.iter().find(is_local), None, "there is always room for a reply");
    }
}

fn send<R: Role>(side: &mut Side<R>, op: &Op) {
    let kind = |text: bool| if text { MessageKind::Text } else { MessageKind::Binary };
    match op {
        Op::Text { letters, .. } => {
            let text: String = letters.iter().collect();
            if side.send(|ws, tx| ws.send_text(&text, tx)) {
                side.messages.push((MessageKind::Text, text.into_bytes()));
            }
        }
        Op::Binary { len, .. } => {
            let bytes: Vec<u8> = (0..len % 8000).map(|i| i as u8).collect();
            if side.send(|ws, tx| ws.send_binary(&bytes, tx)) {
                side.messages.push((MessageKind::Binary, bytes));
            }
        }
        Op::Vectored { text, bytes, .. } => {
            let pending = side.tx.slices(&[]).is_err();
            let old = std::mem::replace(&mut side.payload, bytes.clone());
            let before = (side.ws.state(), side.tx.len());
            if pending {
                side.payload = old;
            }
            let (kind, sent) = match std::str::from_utf8(bytes) {
                Ok(bytes) if *text => {
                    (MessageKind::Text, side.ws.send_text_vectored(bytes, &mut side.tx))
                }
                _ => (MessageKind::Binary, side.ws.send_binary_vectored(bytes, &mut side.tx)),
            };
            match sent {
                Ok(()) => {
                    assert!(!pending);
                    side.messages.push((kind, bytes.clone()));
                }
                Err(_) => assert_eq!(before, (side.ws.state(), side.tx.len())),
            }
        }
        Op::Fragment { text, bytes, fin, .. } => {
            let (kind, mut so_far) = (kind(*text), bytes.clone());
            if let Some((_, before)) = &side.fragments {
                so_far = [&before[..], bytes].concat();
            }
            if side.send(|ws, tx| ws.send_fragment(kind, bytes, *fin, tx)) {
                assert!(side.fragments.as_ref().is_none_or(|(begun, _)| *begun == kind));
                side.fragments = Some((kind, so_far));
                if *fin {
                    side.messages.extend(side.fragments.take());
                }
            }
        }
        Op::Ping { len, .. } => {
            let payload = vec![b'p'; usize::from(*len)];
            if side.send(|ws, tx| ws.send_ping(&payload, tx)) {
                assert!(payload.len() <= 125);
                side.pings.push(payload);
            }
        }
        Op::Pong { len, .. } => {
            let payload = vec![b'q'; usize::from(*len)];
            let sent = side.send(|ws, tx| ws.send_pong(&payload, tx));
            assert!(!sent || payload.len() <= 125);
        }
        Op::Close { code, reason, .. } => {
            let reason: String = reason.iter().collect();
            if side.send(|ws, tx| ws.close(CloseCode::new(*code), &reason, tx)) {
                assert!(oracle::may_be_on_the_wire(*code) || *code == 1005);
                assert_eq!(side.close, None);
                // A too long reason is truncated.
                side.close = Some((*code, truncate_reason(&reason).to_string()));
            }
        }
        _ => {}
    }
}

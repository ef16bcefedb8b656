//! Tests the output of a machine that drains slowly: whole frames in order, replies at frame
//! boundaries, the latest ping always answered, at most one Close and nothing after it. A refused
//! send changes nothing.

mod model;

use model::oracle::{self, Item, Rules};
use model::{Sevens, sevens};
use proptest::collection::vec;
use proptest::prelude::*;
use sockless::{
    Client, CloseCode, Config, EntropyError, Error, Event, FnEntropy, MessageKind, Misuse,
    READ_BUFFER_MIN, ReadBuffer, Reply, Role, Sender, Server, State, WRITE_BUFFER_MIN, WebSocket,
    WriteBuffer,
};

#[derive(Clone, Debug)]
enum Op {
    /// The peer sends a ping of this length.
    Ping(usize),
    /// The peer sends a Close.
    PeerCloses(u16),
    /// The peer breaks the protocol.
    PeerFails,
    Message(usize),
    Vectored(usize),
    Fragment(usize, bool),
    SendPing(usize),
    Close(u16, usize),
    /// So many bytes of the output are sent.
    Drain(usize),
    /// All of `bytes` are sent, and `clear` is called.
    Clear,
}

fn op() -> impl Strategy<Value = Op> {
    let len = || prop_oneof![0..10usize, 100..150usize, 0..400usize];
    prop_oneof![
        20 => prop_oneof![0..126usize, Just(125)].prop_map(Op::Ping),
        1 => Just(Op::PeerCloses(1000)),
        1 => Just(Op::PeerFails),
        10 => len().prop_map(Op::Message),
        3 => len().prop_map(Op::Vectored),
        5 => (len(), any::<bool>()).prop_map(|(len, fin)| Op::Fragment(len, fin)),
        2 => (0..130usize).prop_map(Op::SendPing),
        1 => (990..1020u16, 0..130usize).prop_map(|(code, len)| Op::Close(code, len)),
        6 => (0..200usize).prop_map(Op::Drain),
        1 => Just(Op::Clear),
    ]
}

struct Peer<'a, R: Role> {
    ws: WebSocket<R>,
    rx: ReadBuffer<[u8; READ_BUFFER_MIN]>,
    tx: WriteBuffer<&'a mut [u8]>,
    masks: bool,
    wire: Vec<u8>,
    payload: Vec<u8>,
    sent: Vec<(MessageKind, Vec<u8>)>,
    fragments: Option<Vec<u8>>,
    pings: Vec<Vec<u8>>,
    pings_sent: Vec<Vec<u8>>,
}

impl<R: Role> Peer<'_, R> {
    fn waiting(&self) -> Vec<u8> {
        let waiting = self.tx.slices(&self.payload).unwrap_or_default().concat();
        assert_eq!((self.tx.len(), self.tx.is_empty()), (waiting.len(), waiting.is_empty()));
        waiting
    }

    /// Receives input from the peer, and returns the events.
    fn arrive(&mut self, frame: &[u8]) -> Vec<String> {
        assert_eq!(self.rx.extend(frame), frame.len());
        let mut events = Vec::new();
        while let Some(event) = self.ws.receive(&mut self.rx, &mut self.tx) {
            assert!(
                !matches!(event, Event::Failed(sockless::Failure::Local(_))),
                "there is always room for a reply: {event:?}"
            );
            events.push(format!("{event:?}"));
        }
        events
    }

    fn send(
        &mut self,
        call: impl Fn(&mut WebSocket<R>, &mut WriteBuffer<&mut [u8]>) -> Result<(), Error>,
    ) -> bool {
        let (before, state) = (self.waiting(), self.ws.state());
        let result = call(&mut self.ws, &mut self.tx);
        match result {
            Ok(()) => assert!(self.waiting().starts_with(&before) && state == State::Open),
            Err(error) => {
                assert_eq!((self.waiting(), self.ws.state()), (before, state));
                if state != State::Open {
                    assert_eq!(error, Error::Misuse(Misuse::Closed));
                }
                match error {
                    Error::NoRoom => assert!(!self.tx.is_empty()),
                    Error::NeverFits { needed } => assert!(needed > self.tx.capacity()),
                    _ => {}
                }
            }
        }
        result.is_ok()
    }

    fn step(&mut self, op: &Op) {
        let masked = !self.masks;
        match *op {
            Op::Ping(len) => {
                let payload: Vec<u8> = (0..len).map(|i| (self.pings.len() + i) as u8).collect();
                let open = self.ws.state() == State::Open;
                let events = self.arrive(&oracle::frame(0x89, &payload, masked));
                if open {
                    assert_eq!(events.len(), 1);
                    self.pings.push(payload);
                }
            }
            Op::PeerCloses(code) => {
                let close = oracle::frame(0x88, &code.to_be_bytes(), masked);
                let closing = self.ws.state() == State::Closing;
                let events = self.arrive(&close);
                assert!(!closing || events.len() == 1);
                assert_eq!(self.ws.state(), State::Closed);
            }
            Op::PeerFails => {
                self.arrive(&[0x83]);
                assert_eq!(self.ws.state(), State::Closed);
            }
            Op::Message(len) => {
                let bytes = vec![b'm'; len];
                if self.send(|ws, tx| ws.send_binary(&bytes, tx)) {
                    self.sent.push((MessageKind::Binary, bytes));
                }
            }
            Op::Vectored(len) => {
                let text = "v".repeat(len);
                let pending = self.tx.slices(&[]).is_err();
                if !pending {
                    self.payload = text.clone().into_bytes();
                }
                let (before, state) = (self.waiting(), self.ws.state());
                match self.ws.send_text_vectored(&text, &mut self.tx) {
                    Ok(()) => {
                        assert!(!pending);
                        assert!(self.waiting().starts_with(&before));
                        self.sent.push((MessageKind::Text, text.into_bytes()));
                    }
                    Err(_) => assert_eq!((self.waiting(), self.ws.state()), (before, state)),
                }
            }
            Op::Fragment(len, fin) => {
                let bytes = vec![b'f'; len];
                if self.send(|ws, tx| ws.send_fragment(MessageKind::Text, &bytes, fin, tx)) {
                    let mut so_far = self.fragments.take().unwrap_or_default();
                    so_far.extend(bytes);
                    if fin {
                        self.sent.push((MessageKind::Text, so_far));
                    } else {
                        self.fragments = Some(so_far);
                    }
                }
            }
            Op::SendPing(len) => {
                let payload = vec![b'p'; len];
                if self.send(|ws, tx| ws.send_ping(&payload, tx)) {
                    assert!(len <= 125);
                    self.pings_sent.push(payload);
                }
            }
            Op::Close(code, len) => {
                let reason = "r".repeat(len);
                let open = self.ws.state() == State::Open;
                let sent = self.send(|ws, tx| ws.close(CloseCode::new(code), &reason, tx));
                // A Close without a reason always has room.
                let good = oracle::may_be_on_the_wire(code) || code == 1005;
                assert!(sent || !open || !good || len > 0);
                assert!(!sent || good && self.ws.state() == State::Closing);
            }
            Op::Drain(max) => {
                let mut bytes = self.waiting();
                bytes.truncate(max);
                self.tx.consume(bytes.len());
                self.wire.extend(bytes);
            }
            Op::Clear => {
                let bytes = self.tx.bytes().to_vec();
                self.wire.extend(bytes);
                self.tx.clear();
            }
        }
    }

    /// All of the output so far.
    fn judge(&self) {
        let output = [&self.wire[..], &self.waiting()].concat();
        let items = oracle::receive(Rules::DEFAULT, self.masks, None, &output, false);
        let (mut sent, mut pings) = (self.sent.iter(), self.pings.iter());
        let mut pings_sent = self.pings_sent.iter();
        let mut pong = None;
        for item in &items {
            match item {
                Item::Message(kind, bytes) => {
                    assert_eq!(sent.next(), Some(&(*kind, bytes.clone())));
                }
                Item::Ping(payload) => assert_eq!(pings_sent.next(), Some(payload)),
                Item::Pong(payload) => {
                    assert!(pings.any(|ping| ping == payload), "no such ping, or out of order");
                    pong = Some(payload);
                }
                Item::Close(code, reason) => {
                    let body = match code {
                        1005 => vec![],
                        code => [&code.to_be_bytes()[..], reason.as_bytes()].concat(),
                    };
                    assert!(output.ends_with(&oracle::frame(0x88, &body, self.masks)));
                    assert_ne!(self.ws.state(), State::Open);
                }
                Item::Unfinished(..) => assert!(self.fragments.is_some()),
                other => panic!("{other:?} in {}", output.escape_ascii()),
            }
        }
        assert_eq!((sent.next(), pings_sent.next()), (None, None));
        assert_eq!(pong, self.pings.last(), "the latest ping is answered");
        let closed = items.iter().any(|item| matches!(item, Item::Close(..)));
        assert_eq!(closed, self.ws.state() != State::Open);
    }
}

fn play<R: Role>(ws: WebSocket<R>, masks: bool, capacity: usize, ops: &[Op]) {
    let mut memory = vec![0; capacity];
    let mut peer = Peer {
        ws,
        rx: ReadBuffer::new([0; READ_BUFFER_MIN]),
        tx: WriteBuffer::new(&mut memory[..]),
        masks,
        wire: Vec::new(),
        payload: Vec::new(),
        sent: Vec::new(),
        fragments: None,
        pings: Vec::new(),
        pings_sent: Vec::new(),
    };
    for op in ops {
        peer.step(op);
        peer.judge();
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: model::cases(10_000),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn slow_output_keeps_its_order_and_its_replies(
        masks in any::<bool>(),
        capacity in prop_oneof![
            Just(WRITE_BUFFER_MIN),
            WRITE_BUFFER_MIN..700,
            Just(4500usize),
        ],
        ops in vec(op(), 0..40),
    ) {
        let config = Config::default();
        if masks {
            let client = Client::new(sevens as Sevens);
            play(WebSocket::from_upgraded(client, config), true, capacity, &ops);
        } else {
            play(WebSocket::from_upgraded(Server, config), false, capacity, &ops);
        }
    }
}

/// Checks the reserved space after a refused send: the unsent pong in it can still be replaced.
#[test]
fn a_refused_send_leaves_the_waiting_pong_replaceable() {
    let ops = [
        Op::Message(125),
        Op::Ping(125),
        Op::Message(10),
        Op::Ping(125),
        Op::Message(10),
        Op::Ping(0),
        Op::PeerCloses(1000),
    ];
    play(WebSocket::from_upgraded(Server, Config::default()), false, WRITE_BUFFER_MIN, &ops);
}

/// Checks that a send which fails after it has reserved space leaves the waiting pong replaceable.
#[test]
fn a_send_without_a_key_leaves_the_waiting_pong_replaceable() {
    let starved = std::cell::Cell::new(false);
    let keys = FnEntropy::new(|key: &mut [u8]| {
        key.fill(7);
        if starved.get() { Err(EntropyError) } else { Ok(()) }
    });
    let mut sender = Sender::client(keys);
    let mut tx = WriteBuffer::growing(1 << 20);
    sender.binary(&[0; 5000], &mut tx).unwrap();
    let before = tx.len();
    for number in 0..5 {
        starved.set(false);
        sender.reply(Reply::pong(&[number]).unwrap(), &mut tx).unwrap();
        assert_eq!(tx.len(), before + 7);
        starved.set(true);
        assert_eq!(sender.text("x", &mut tx), Err(EntropyError.into()));
        assert_eq!(sender.ping(b"x", &mut tx), Err(EntropyError.into()));
    }
    // A pong with another frame after it stays.
    starved.set(false);
    sender.ping(b"x", &mut tx).unwrap();
    sender.reply(Reply::pong(b"y").unwrap(), &mut tx).unwrap();
    assert_eq!(tx.len(), before + 21);
}

/// Checks a flood of pings without draining: pongs queue up to 4096 bytes, and one more pong is the
/// latest.
#[test]
fn a_flood_of_pings_takes_constant_memory() {
    let mut ws = WebSocket::from_upgraded(Server, Config::default());
    let mut rx = ReadBuffer::new([0; READ_BUFFER_MIN]);
    let mut tx = WriteBuffer::growing(1 << 20);
    // Each pong has eight bytes.
    let payload = |number: u32| [&number.to_be_bytes()[..], b"ab"].concat();
    for number in 0..200_000u32 {
        let _ = rx.extend(&oracle::frame(0x89, &payload(number), true));
        assert!(matches!(ws.receive(&mut rx, &mut tx), Some(Event::Ping(_))));
        assert_eq!(tx.len(), 8 * (number as usize + 1).min(513));
        assert!(tx.bytes().ends_with(&oracle::frame(0x8A, &payload(number), false)));
    }
    // A later message of the caller follows the pong, and the next pong follows the message.
    ws.send_text("", &mut tx).unwrap();
    let _ = rx.extend(&oracle::frame(0x89, b"last", true));
    assert!(matches!(ws.receive(&mut rx, &mut tx), Some(Event::Ping(b"last"))));
    assert!(tx.bytes().ends_with(b"\x81\x00\x8A\x04last"));
    assert_eq!(tx.len(), 8 * 513 + 2 + 6);
}

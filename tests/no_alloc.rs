//! Tests contracts 2 and 8: a whole connection of a server and a client, in arrays alone, under an
//! allocator that ends the process when it is called.

mod common;
use common::allocator::{Counting, cost_of, without_allocator};
use common::{KEY, Sevens, sevens};
use sockless::handshake::{Accept, ConnectRequest, HttpResponse, Uri};
use sockless::{
    Client, CloseCode, Config, Event, FrameHeader, MessageKind, OpCode, ReadBuffer, Server, State,
    WebSocket, WriteBuffer,
};

#[global_allocator]
static COUNTING: Counting = Counting;

type Rx = ReadBuffer<[u8; 2048]>;
type Tx = WriteBuffer<[u8; 4096]>;

/// The events of both ends.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    texts: u32,
    binaries: u32,
    bytes: u64,
    pings: u32,
    pongs: u32,
    closed: Option<CloseCode>,
    failed: bool,
}

impl Seen {
    fn note(&mut self, event: &Event<'_>) {
        match event {
            Event::Text(text) => {
                self.texts += 1;
                self.bytes += text.len() as u64;
            }
            Event::Binary(bytes) => {
                self.binaries += 1;
                self.bytes += bytes.len() as u64;
            }
            Event::Chunk(chunk) => {
                self.bytes += chunk.bytes().len() as u64;
                self.binaries += u32::from(chunk.is_last());
            }
            Event::Ping(_) => self.pings += 1,
            Event::Pong(_) => self.pongs += 1,
            Event::Close(close) => self.closed = Some(close.code()),
            Event::Failed(_) => self.failed = true,
            _ => {}
        }
    }
}

/// Moves the bytes in `tx` in pieces of `step` bytes, and calls `then` after each.
fn carry(tx: &mut Tx, rx: &mut Rx, step: usize, mut then: impl FnMut(&mut Rx)) {
    while !tx.is_empty() {
        let n = step.min(tx.bytes().len());
        assert_eq!(rx.extend(&tx.bytes()[..n]), n);
        tx.consume(n);
        then(rx);
    }
}

/// Connects a client and a server with arrays as buffers: both handshakes, messages of all kinds in
/// both directions, fragments with pings between them, chunks, the closing handshake. Returns the
/// events of the server and the client.
fn whole_life(step: usize) -> (Seen, Seen) {
    let uri = Uri::parse("ws://example.com/chat?room=1").unwrap();
    let request = ConnectRequest::new(&uri)
        .with_subprotocols(&["chat.v2", "chat.v1"])
        .with_origin("http://example.com")
        .with_headers(&[("Cookie", "id=1")]);
    let mut client = WebSocket::client(Config::default(), sevens as Sevens);
    let mut server = WebSocket::server(Config::default());
    let (mut client_rx, mut server_rx) = (Rx::new([0; 2048]), Rx::new([0; 2048]));
    let (mut client_tx, mut server_tx) = (Tx::new([0; 4096]), Tx::new([0; 4096]));
    let (mut by_server, mut by_client) = (Seen::default(), Seen::default());

    client.connect(&request, &mut client_tx).unwrap();
    carry(&mut client_tx, &mut server_rx, step, |rx| {
        while let Some(event) = server.receive(rx, &mut server_tx) {
            let Event::UpgradeRequest(request) = event else { panic!() };
            assert_eq!(request.origin(), Some(&b"http://example.com"[..]));
            let chosen = request.subprotocols().last().unwrap();
            let response =
                Accept::new().with_subprotocol(chosen).with_headers(&[("Set-Cookie", "id=2")]);
            server.accept(&request, response, &mut server_tx).unwrap();
        }
    });
    carry(&mut server_tx, &mut client_rx, step, |rx| {
        while let Some(event) = client.receive(rx, &mut client_tx) {
            let Event::UpgradeResponse(response) = event else { panic!() };
            assert_eq!(client.confirm(&response, &["chat.v2", "chat.v1"]), Ok(Some("chat.v1")));
        }
    });
    assert_eq!((client.state(), server.state()), (State::Open, State::Open));

    let payload = [0x55; 1000];
    for round in 0..20 {
        client.send_text("gr\u{fc}n", &mut client_tx).unwrap();
        client.send_binary(&payload[..round * 50], &mut client_tx).unwrap();
        client.send_fragment(MessageKind::Text, b"caf\xc3", false, &mut client_tx).unwrap();
        client.send_ping(b"between", &mut client_tx).unwrap();
        client.send_fragment(MessageKind::Text, b"\xa9", true, &mut client_tx).unwrap();
        carry(&mut client_tx, &mut server_rx, step, |rx| {
            while let Some(event) = server.receive(rx, &mut server_tx) {
                by_server.note(&event);
            }
        });
        server.send_binary_vectored(&payload, &mut server_tx).unwrap();
        assert_eq!(
            client_rx.extend(server_tx.slices(&payload).unwrap()[0]),
            server_tx.bytes().len()
        );
        server_tx.clear();
        for piece in payload.chunks(step) {
            let _ = client_rx.extend(piece);
            server_tx.consume(piece.len());
            while let Some(event) = client.receive_chunks(&mut client_rx, &mut client_tx) {
                by_client.note(&event);
            }
        }
        server.send_text("back", &mut server_tx).unwrap();
        carry(&mut server_tx, &mut client_rx, step, |rx| {
            while let Some(event) = client.receive(rx, &mut client_tx) {
                by_client.note(&event);
            }
        });
    }

    client.close(CloseCode::NORMAL, "done", &mut client_tx).unwrap();
    carry(&mut client_tx, &mut server_rx, step, |rx| {
        while let Some(event) = server.receive(rx, &mut server_tx) {
            by_server.note(&event);
        }
    });
    assert!(server.is_done());
    carry(&mut server_tx, &mut client_rx, step, |rx| {
        while let Some(event) = client.receive(rx, &mut client_tx) {
            by_client.note(&event);
        }
    });
    client_rx.end_of_stream();
    assert!(client.receive(&mut client_rx, &mut client_tx).is_none());
    assert!(client.is_done());
    (by_server, by_client)
}

#[test]
fn the_whole_life_of_a_server_and_of_a_client() {
    for step in [1, 7, 64, 1000] {
        let (by_server, by_client) = without_allocator(|| whole_life(step));
        let binary: u64 = (0..20).map(|round| round * 50).sum();
        assert_eq!(
            by_server,
            Seen {
                texts: 40,
                binaries: 20,
                bytes: 20 * (5 + 5) + binary,
                pings: 20,
                pongs: 0,
                closed: Some(CloseCode::NORMAL),
                failed: false,
            }
        );
        assert_eq!(
            by_client,
            Seen {
                texts: 20,
                binaries: 20,
                bytes: 20 * (1000 + 4),
                pings: 0,
                pongs: 20,
                closed: Some(CloseCode::NORMAL),
                failed: false,
            }
        );
    }
}

/// Checks that refusals, failures, responses and the end of the stream allocate nothing.
#[test]
fn every_other_end_allocates_nothing() {
    let frame = |first: u8, payload: &[u8], out: &mut [u8; 64]| {
        let mask = Some(KEY);
        let payload_len = payload.len() as u64;
        let opcode = OpCode::from_bits(first).unwrap();
        let header = FrameHeader { fin: true, rsv: 0, opcode, mask, payload_len }.encode();
        let header = header.as_bytes();
        out[..header.len()].copy_from_slice(header);
        let body = &mut out[header.len()..header.len() + payload.len()];
        body.copy_from_slice(payload);
        sockless::mask(body, KEY);
        header.len() + payload.len()
    };
    without_allocator(|| {
        for input in [
            &b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..],
            b"POST / HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET / HTTP/1.0\r\n\r\n",
            b"\xff\xff\r\n\r\n",
            b"GET / HTTP/1.1\r\n\r\n",
            common::REQUEST,
            b"GET",
        ] {
            for answered in [false, true] {
                let mut ws = WebSocket::server(Config::default());
                let (mut rx, mut tx) = (Rx::new([0; 2048]), Tx::new([0; 4096]));
                let _ = rx.extend(input);
                rx.end_of_stream();
                while let Some(event) = ws.receive(&mut rx, &mut tx) {
                    if let (true, Event::OtherRequest(_) | Event::UpgradeRequest(_)) =
                        (answered, event)
                    {
                        let answer =
                            HttpResponse::new(200).with_headers(&[("X", "y")]).with_body(b"page");
                        ws.respond(answer, &mut tx).unwrap();
                    }
                }
                assert!(ws.is_done());
                assert_eq!(tx.is_empty(), input == b"GET");
            }
        }
        for (first, payload) in [
            (0x1, &b"\xff"[..]),
            (0x0, b"x"),
            (0x8, b"\x03"),
            (0x8, b"\x03\xed"),
            (0x8, b"\x03\xe8\xff"),
        ] {
            let mut ws = WebSocket::from_upgraded(Server, Config::default());
            let (mut rx, mut tx) = (Rx::new([0; 2048]), Tx::new([0; 4096]));
            let mut bytes = [0; 64];
            let len = frame(first, payload, &mut bytes);
            let _ = rx.extend(&bytes[..len]);
            assert!(matches!(ws.receive(&mut rx, &mut tx), Some(Event::Failed(_))));
            assert!(ws.is_done() && !tx.is_empty());
        }
        let mut ws = WebSocket::from_upgraded(Client::new(sevens as Sevens), Config::default());
        let (mut rx, mut tx) = (Rx::new([0; 2048]), Tx::new([0; 4096]));
        rx.end_of_stream();
        assert!(matches!(ws.receive(&mut rx, &mut tx), Some(Event::Close(_))));
    });
}

/// Checks that the allocator does end the process, and does count.
#[test]
fn the_allocator_would_have_noticed() {
    const NAME: &str = "the_allocator_would_have_noticed";
    const CALL: &str = "SOCKLESS_TEST_CALLS_THE_ALLOCATOR";
    if std::env::var_os(CALL).is_some() {
        without_allocator(|| std::hint::black_box(vec![1u8]));
        return;
    }
    let test = std::env::current_exe().unwrap();
    let run = std::process::Command::new(test)
        .args(["--exact", NAME, "--nocapture"])
        .env(CALL, "1")
        .output()
        .unwrap();
    assert!(!run.status.success());
    assert!(String::from_utf8_lossy(&run.stderr).contains("the allocator was called"));

    let (_, cost) = cost_of(|| drop(vec![0u8; 1000]));
    assert_eq!((cost.bytes, cost.calls), (1000, 2));
}

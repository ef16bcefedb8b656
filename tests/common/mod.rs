//! Runs a machine over a transcript, and builds transcripts.
#![allow(dead_code, reason = "each test file uses its own part")]

pub mod allocator;
#[cfg(feature = "deflate")]
pub mod deflate;
pub mod http;
pub mod machines;
#[cfg(feature = "alloc")]
pub mod scenario;

use sockless::handshake::Accept;
use sockless::{
    Client, Config, EntropyError, Event, FrameHeader, MessageKind, OpCode, ReadBuffer, Role,
    Server, State, Storage, WebSocket, WriteBuffer,
};

/// The masking key of the tests' client frames.
pub const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// Fills `bytes` with sevens, in place of entropy.
pub type Sevens = fn(&mut [u8]) -> Result<(), EntropyError>;

pub fn sevens(bytes: &mut [u8]) -> Result<(), EntropyError> {
    bytes.fill(7);
    Ok(())
}

/// The handshake request of RFC 6455 section 1.2, without its subprotocols.
pub const REQUEST: &[u8] = b"GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://example.com\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

/// The response to this request.
pub const ACCEPTED: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// Returns a frame of a client (masked) or of a server.
pub fn frame(first: u8, payload: &[u8], masked: bool) -> Vec<u8> {
    let mut bytes = vec![first];
    let bit = if masked { 0x80 } else { 0 };
    match payload.len() {
        len @ 0..=125 => bytes.push(bit | len as u8),
        len @ 126..=0xFFFF => {
            bytes.push(bit | 126);
            bytes.extend((len as u16).to_be_bytes());
        }
        len => {
            bytes.push(bit | 127);
            bytes.extend((len as u64).to_be_bytes());
        }
    }
    if masked {
        bytes.extend(KEY);
        bytes.extend(payload.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key));
    } else {
        bytes.extend(payload);
    }
    bytes
}

/// Returns a masked frame.
pub fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    frame(first, payload, true)
}

/// Returns an unmasked frame.
pub fn plain(first: u8, payload: &[u8]) -> Vec<u8> {
    frame(first, payload, false)
}

/// Returns a masked Close frame.
pub fn close(code: u16, reason: &str) -> Vec<u8> {
    masked(0x88, &[&code.to_be_bytes(), reason.as_bytes()].concat())
}

/// The result of a run: events as text, all output, and the final state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    pub events: Vec<String>,
    pub output: Vec<u8>,
    pub state: State,
    pub done: bool,
}

impl Run {
    /// Returns the last event.
    pub fn last(&self) -> &str {
        self.events.last().map_or("", String::as_str)
    }

    /// Returns the code of the Close frame at the end of a server's output, if there is one.
    pub fn close_sent(&self) -> Option<u16> {
        frames(&self.output).last().filter(|(header, _)| header.opcode == OpCode::Close).map(
            |(_, payload)| match payload[..] {
                [a, b, ..] => u16::from_be_bytes([a, b]),
                _ => 1005,
            },
        )
    }
}

/// Returns the frames in `bytes`, unmasked. Skips an HTTP head before them.
pub fn frames(bytes: &[u8]) -> Vec<(FrameHeader, Vec<u8>)> {
    let mut rest = match bytes.windows(4).position(|window| window == b"\r\n\r\n") {
        Some(end) if bytes.starts_with(b"HTTP/") || bytes.starts_with(b"GET ") => &bytes[end + 4..],
        _ => bytes,
    };
    let mut frames = Vec::new();
    while !rest.is_empty() {
        let (header, len) = FrameHeader::parse(rest).unwrap().unwrap();
        let (payload, tail) = rest[len..].split_at(header.payload_len as usize);
        let mut payload = payload.to_vec();
        if let Some(key) = header.mask {
            sockless::mask(&mut payload, key);
        }
        frames.push((header, payload));
        rest = tail;
    }
    frames
}

/// The way to receive messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Take {
    Messages,
    Chunks,
}

/// Describes an event. A long payload is described by its length and a checksum.
pub fn words(event: &Event<'_>) -> String {
    fn short(bytes: &[u8]) -> String {
        if bytes.len() <= 200 {
            format!("\"{}\"", bytes.escape_ascii())
        } else {
            let sum = bytes.iter().fold(0u64, |sum, &byte| sum.wrapping_mul(31) + u64::from(byte));
            format!("{} bytes, {sum:x}", bytes.len())
        }
    }
    match event {
        Event::UpgradeRequest(head) => {
            format!("request {} {}", head.target(), head.headers().count())
        }
        Event::OtherRequest(head) => format!("http {} {}", head.method(), head.target()),
        Event::UpgradeResponse(head) => format!("response {:?}", head.subprotocol()),
        Event::Rejected(head) => format!("refused {}", head.status()),
        Event::RejectionBody(bytes) => format!("body {}", short(bytes)),
        Event::Text(text) => format!("text {}", short(text.as_bytes())),
        Event::Binary(bytes) => format!("binary {}", short(bytes)),
        Event::Ping(bytes) => format!("ping {}", short(bytes)),
        Event::Pong(bytes) => format!("pong {}", short(bytes)),
        Event::Close(close) => format!("close {} {:?}", close.code(), close.reason()),
        Event::Failed(failure) => format!("failed {failure:?}"),
        other => format!("{other:?}"),
    }
}

/// Feeds `input` in pieces that end at `cuts`, then the end of the stream if `eof`. Drains the
/// output after each piece. Calls `answer` with each event. Joins the chunks of one message, and
/// the pieces of a body.
pub fn run_ws<R: Role>(
    mut ws: WebSocket<R>,
    input: &[u8],
    cuts: &[usize],
    buffer: usize,
    take: Take,
    eof: bool,
    mut answer: impl FnMut(&mut WebSocket<R>, &Event<'_>, &mut WriteBuffer<&mut [u8]>),
) -> Run {
    let (mut rx_bytes, mut tx_bytes) = (vec![0; buffer], vec![0; buffer.max(4096)]);
    let mut rx = ReadBuffer::new(&mut rx_bytes[..]);
    let mut tx = WriteBuffer::new(&mut tx_bytes[..]);
    let (mut events, mut output) = (Vec::<String>::new(), Vec::new());
    let mut joined: Option<(MessageKind, Vec<u8>)> = None;
    let mut body = Vec::new();
    let mut ends = cuts.iter().copied().chain([input.len()]).peekable();
    let mut at = 0;
    while let Some(end) = ends.next() {
        let mut piece = &input[at.min(end)..end];
        at = end;
        loop {
            let space = rx.space();
            let n = space.len().min(piece.len());
            assert!(n > 0 || piece.is_empty(), "no space for more input");
            space[..n].copy_from_slice(&piece[..n]);
            if n > 0 {
                rx.filled(n);
            }
            piece = &piece[n..];
            if piece.is_empty() && ends.peek().is_none() && eof {
                rx.end_of_stream();
            }
            loop {
                let event = match take {
                    Take::Messages => ws.receive(&mut rx, &mut tx),
                    Take::Chunks => ws.receive_chunks(&mut rx, &mut tx),
                };
                let Some(event) = event else { break };
                if let Event::Chunk(chunk) = event {
                    assert_eq!(chunk.is_first(), joined.is_none());
                    let (kind, bytes) = joined.get_or_insert((chunk.kind(), Vec::new()));
                    assert_eq!(*kind, chunk.kind());
                    bytes.extend(chunk.bytes());
                    if chunk.is_last() {
                        let (kind, bytes) = joined.take().unwrap();
                        events.push(match kind {
                            MessageKind::Text => {
                                words(&Event::Text(std::str::from_utf8(&bytes).unwrap()))
                            }
                            MessageKind::Binary => words(&Event::Binary(&bytes)),
                        });
                    }
                } else if let Event::RejectionBody(bytes) = event {
                    body.extend(bytes);
                } else {
                    events.push(words(&event));
                    answer(&mut ws, &event, &mut tx);
                }
            }
            output.extend(tx.bytes());
            tx.clear();
            if piece.is_empty() {
                break;
            }
        }
    }
    if !body.is_empty() {
        events.push(words(&Event::RejectionBody(&body)));
    }
    if let Some((kind, bytes)) = joined {
        events.push(format!("unfinished {kind:?} \"{}\"", bytes.escape_ascii()));
    }
    Run { events, output, state: ws.state(), done: ws.is_done() }
}

/// Accepts a request, or confirms a response.
pub fn accept(ws: &mut WebSocket<Server>, event: &Event<'_>, tx: &mut WriteBuffer<&mut [u8]>) {
    if let Event::UpgradeRequest(request) = event {
        ws.accept(request, Accept::new(), tx).unwrap();
    }
}

/// Returns the cuts to try: none, one at every place, and all of them. Long inputs have fewer
/// single cuts. A cut after the last byte separates the bytes from the end of the stream.
pub fn cuts(len: usize) -> Vec<Vec<usize>> {
    let step = (len / 400).max(1);
    let mut cuts = vec![vec![], (1..=len).collect(), vec![len]];
    cuts.extend((1..len).step_by(step).map(|at| vec![at]));
    cuts
}

/// Runs `run` whole, byte by byte and at every cut. Checks that all results are equal, and returns
/// the result.
pub fn at_every_cut(input: &[u8], run: impl Fn(&[u8], &[usize]) -> Run) -> Run {
    let whole = run(input, &[]);
    for cuts in cuts(input.len()) {
        let cut = run(input, &cuts);
        let places = if cuts.len() > 1 { "everywhere".to_string() } else { format!("{cuts:?}") };
        assert_eq!(whole, cut, "cut {places}");
    }
    whole
}

/// Memory that cannot grow because the allocator has none left, although its limit allows more.
pub struct Starved(pub [u8; 512]);

impl AsRef<[u8]> for Starved {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl AsMut<[u8]> for Starved {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl Storage for Starved {
    fn limit(&self) -> usize {
        1 << 20
    }

    fn grow(&mut self, _: usize) -> bool {
        false
    }
}

/// Runs an open connection, receiving whole messages and chunks, at every cut.
fn open<R: Role>(ws: impl Fn() -> WebSocket<R>, input: &[u8]) -> Run {
    let by = |take| {
        at_every_cut(input, |input, cuts| run_ws(ws(), input, cuts, 1024, take, true, |_, _, _| {}))
    };
    let (messages, chunks) = (by(Take::Messages), by(Take::Chunks));
    // Whole messages show nothing of a message that never ended.
    let ended: Vec<_> =
        chunks.events.iter().filter(|event| !event.starts_with("unfinished")).cloned().collect();
    assert_eq!(messages, Run { events: ended, ..chunks });
    messages
}

/// Runs an open server, receiving whole messages and chunks, at every cut.
pub fn server_with(config: Config, input: &[u8]) -> Run {
    open(|| WebSocket::from_upgraded(Server, config), input)
}

/// Runs [`server_with`] with the default limits.
pub fn server(input: &[u8]) -> Run {
    server_with(Config::default(), input)
}

/// Runs an open client, receiving whole messages and chunks, at every cut.
pub fn client(input: &[u8]) -> Run {
    let client = || WebSocket::from_upgraded(Client::new(sevens as Sevens), Config::default());
    open(client, input)
}

/// Runs a server from its first byte at every cut. The caller does `answer`.
pub fn handshake_by(
    config: Config,
    input: &[u8],
    answer: impl Fn(&mut WebSocket<Server>, &Event<'_>, &mut WriteBuffer<&mut [u8]>),
) -> Run {
    at_every_cut(input, |input, cuts| {
        run_ws(WebSocket::server(config), input, cuts, 1 << 16, Take::Messages, true, &answer)
    })
}

/// Runs a server from its first byte at every cut. The caller accepts every request.
pub fn handshake_with(config: Config, input: &[u8]) -> Run {
    let run = handshake_by(config, input, accept);
    // The machine alone gives an equal result at every cut.
    let alone = at_every_cut(input, |input, cuts| machines::server(config, input, cuts));
    assert_eq!(alone, run);
    run
}

/// Runs [`handshake_with`] with the default limits.
pub fn handshake(input: &[u8]) -> Run {
    handshake_with(Config::default(), input)
}

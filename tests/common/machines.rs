//! Runs the transcript of a handshake through its machine alone, and later input through a
//! connection that starts where the machine ends.

use super::{Run, Sevens, sevens, words};
use sockless::handshake::{
    Accept, ClientEvent, ClientHandshake, ConnectRequest, ServerEvent, ServerHandshake, Uri,
};
use sockless::{
    Client, CloseCode, Config, Event, ReadBuffer, Role, Server, State, WebSocket, WriteBuffer,
};

const SIZE: usize = 1 << 16;

type Rx = ReadBuffer<[u8; SIZE]>;
type Tx = WriteBuffer<[u8; SIZE]>;

/// Runs a server that accepts every request.
pub fn server(config: Config, input: &[u8], cuts: &[usize]) -> Run {
    let mut handshake = ServerHandshake::new(&config);
    let mut ws = WebSocket::from_upgraded(Server, config);
    run(input, cuts, &mut ws, |rx, tx, events| {
        while let Some(event) = handshake.receive(rx, tx) {
            events.push(match event {
                ServerEvent::UpgradeRequest(request) => {
                    let words = words(&Event::UpgradeRequest(request.clone()));
                    handshake.accept(&request, Accept::new(), tx).unwrap();
                    words
                }
                ServerEvent::OtherRequest(request) => words(&Event::OtherRequest(request)),
                ServerEvent::Failed(failure) => words(&Event::Failed(failure)),
                ServerEvent::EndOfStream => words(&ended()),
                other => panic!("{other:?}"),
            });
        }
        (handshake.is_open(), handshake.is_done())
    })
}

/// Runs a client that requests `/chat`, offers nothing and confirms every response.
pub fn client(config: Config, input: &[u8], cuts: &[usize]) -> Run {
    let uri = Uri::parse("ws://server.example.com/chat").unwrap();
    let mut handshake = ClientHandshake::new(&config);
    let request = ConnectRequest::new(&uri);
    handshake.connect(&request, &mut (sevens as Sevens), &mut WriteBuffer::new([0; 1024])).unwrap();
    let mut ws = WebSocket::from_upgraded(Client::new(sevens as Sevens), config);
    let mut body = Vec::new();
    let mut run = run(input, cuts, &mut ws, |rx, _, events| {
        while let Some(event) = handshake.receive(rx) {
            events.push(match event {
                ClientEvent::UpgradeResponse(response) => words(&Event::UpgradeResponse(response)),
                ClientEvent::Rejected(response) => words(&Event::Rejected(response)),
                ClientEvent::RejectionBody(bytes) => {
                    body.extend(bytes);
                    continue;
                }
                ClientEvent::Failed(failure) => words(&Event::Failed(failure)),
                ClientEvent::EndOfStream => words(&ended()),
                other => panic!("{other:?}"),
            });
        }
        (handshake.is_open(), handshake.is_done())
    });
    if !body.is_empty() {
        run.events.push(words(&Event::RejectionBody(&body)));
    }
    run
}

fn ended() -> Event<'static> {
    Event::Close(sockless::Close::new(CloseCode::ABNORMAL, ""))
}

fn run<R: Role>(
    input: &[u8],
    cuts: &[usize],
    ws: &mut WebSocket<R>,
    mut handshake: impl FnMut(&mut Rx, &mut Tx, &mut Vec<String>) -> (bool, bool),
) -> Run {
    let mut rx = ReadBuffer::new([0; SIZE]);
    let mut tx = WriteBuffer::new([0; SIZE]);
    let (mut events, mut output) = (Vec::new(), Vec::new());
    let (mut open, mut done) = (false, false);
    let mut at = 0;
    let mut ends = cuts.iter().copied().chain([input.len()]).peekable();
    while let Some(end) = ends.next() {
        let mut piece = &input[at.min(end)..end];
        at = end;
        while !done {
            piece = &piece[rx.extend(piece)..];
            if piece.is_empty() && ends.peek().is_none() {
                rx.end_of_stream();
            }
            if !open {
                (open, done) = handshake(&mut rx, &mut tx, &mut events);
            }
            if open {
                while let Some(event) = ws.receive(&mut rx, &mut tx) {
                    events.push(words(&event));
                }
                done = ws.is_done();
            }
            output.extend(tx.bytes());
            tx.clear();
            if piece.is_empty() {
                break;
            }
        }
    }
    let state = match (open, done) {
        (true, _) => ws.state(),
        (false, true) => State::Closed,
        (false, false) => State::Connecting,
    };
    Run { events, output, state, done }
}

//! Checks heads of requests and responses: any bytes, at any cut.

use sockless::handshake::{Accept, ConnectRequest, Uri};
use sockless::{Config, Event, State, WebSocket, WriteBuffer};

use crate::model::drive::{Run, Setup, Take, drive};
use crate::model::oracle::{self, Item, Rules};
use crate::model::{Sevens, sevens};

const SETUP: Setup = Setup { rx: 4096, tx: 4096, take: Take::Messages, eof: true };

fn config() -> Config {
    Config::new().with_max_head_size(2048).with_max_headers(20)
}

/// The cuts to compare: none, every byte, and three places from the input.
fn cuts(input: &[u8]) -> [Vec<usize>; 3] {
    let at = |index: usize| usize::from(*input.get(index).unwrap_or(&0)) * input.len() / 256;
    let mut places = vec![at(3), at(input.len() / 2), at(input.len().saturating_sub(1))];
    places.sort_unstable();
    [vec![], (1..=input.len()).collect(), places]
}

fn same_at_every_cut(input: &[u8], run: impl Fn(Vec<usize>) -> Run) -> Run {
    let [whole, rest @ ..] = cuts(input).map(run);
    rest.into_iter().for_each(|cut| assert_eq!(whole, cut));
    assert!(whole.done && whole.state == State::Closed);
    whole
}

/// Checks a server that accepts every valid request: one complete response to each whole request,
/// of a permitted status, and no other output before the 101.
pub fn request(input: &[u8]) {
    let run = same_at_every_cut(input, |cuts| {
        let ws = WebSocket::server(config());
        drive(ws, input, cuts, SETUP, |ws, event, tx| {
            if let Event::UpgradeRequest(request) = event {
                assert_eq!(request.method(), "GET");
                assert!(request.headers().count() <= 20);
                assert!(request.subprotocols().all(|name| !name.is_empty()));
                let first = request.subprotocols().next();
                let response =
                    first.map_or(Accept::new(), |name| Accept::new().with_subprotocol(name));
                ws.accept(request, response, tx).expect("there is room");
            }
        })
        .run
    });
    let head = run.output.windows(4).position(|end| end == b"\r\n\r\n");
    let Some(head) = head else {
        assert!(run.output.is_empty() && run.items == [Item::Lost]);
        return;
    };
    let (head, rest) = run.output.split_at(head + 4);
    let head = std::str::from_utf8(head).expect("ours is ASCII");
    let status: u16 = head["HTTP/1.1 ".len()..][..3].parse().expect("a number");
    // Nobody answers a request without an upgrade, so it is refused with 426, or 405 for its
    // method.
    assert!([101, 400, 405, 426, 431, 505].contains(&status), "{head}");
    if status == 101 {
        assert!(head.contains("\r\nSec-WebSocket-Accept: "));
    } else {
        let length = head.split("\r\nContent-Length: ").nth(1).expect("it says its length");
        let length: usize = length.split("\r\n").next().unwrap_or("").parse().expect("a number");
        // RFC 9110 section 9.3.2: a response to HEAD has the length, but no content.
        let is_head = input.strip_prefix(b"\r\n").unwrap_or(input).starts_with(b"HEAD ");
        assert_eq!(rest.len(), if is_head { 0 } else { length });
        assert!(head.contains("\r\nConnection: close\r\n"));
    }
}

/// Checks a client after its request: only a 101 opens the connection. The client sends nothing
/// before, and only frames after.
pub fn response(input: &[u8]) {
    let run = same_at_every_cut(input, |cuts| {
        let mut ws = WebSocket::client(config(), sevens as Sevens);
        let mut tx = WriteBuffer::new([0; 1024]);
        let uri = Uri::parse("ws://example.com").expect("a good address");
        ws.connect(&ConnectRequest::new(&uri).with_subprotocols(&["chat"]), &mut tx)
            .expect("there is room");
        drive(ws, input, cuts, SETUP, |ws, event, tx| {
            if let Event::UpgradeResponse(response) = event {
                assert!(tx.is_empty());
                assert_eq!(response.status(), 101);
                let chosen = ws.confirm(response, &["chat"]);
                assert_eq!(chosen.is_ok(), ws.state() == State::Open);
                assert!(matches!(chosen, Ok(None | Some("chat")) | Err(_)));
            }
        })
        .run
    });
    let opened = run
        .items
        .iter()
        .any(|item| matches!(item, Item::Other(words) if words.starts_with("UpgradeResponse")));
    assert!(opened || run.output.is_empty());
    let sent = oracle::receive(Rules::DEFAULT, true, None, &run.output, false);
    assert!(!sent.iter().any(|item| matches!(item, Item::Failed(_))), "{sent:?}");
}

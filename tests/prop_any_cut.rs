//! Tests contract 3: any cut of the input gives equal events, equal output and an equal final
//! state, which also equal the naive oracle's.

mod model;

use model::drive::{Counted, Run, Setup, Take, against_oracle, drive, slices_against_oracle};
use model::oracle::Rules;
use model::stream::{Piece, encode};
use model::{Sevens, sevens};
use proptest::collection::vec;
use proptest::prelude::*;
use sockless::handshake::{Accept, ConnectRequest, Uri};
use sockless::{Event, Incoming, ReadBuffer, Receiver, WebSocket, WriteBuffer};

fn bytes(max: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..max)
}

fn cuts() -> impl Strategy<Value = Vec<u8>> {
    vec(0..30u8, 0..4)
}

fn first() -> impl Strategy<Value = u8> {
    prop_oneof![
        prop::sample::select(vec![0x00, 0x01, 0x02, 0x80, 0x81, 0x82, 0x88, 0x89, 0x8A]),
        any::<u8>()
    ]
}

fn piece() -> impl Strategy<Value = Piece> {
    let letters = || vec(any::<char>(), 0..30);
    let code = prop_oneof![Just(1000), Just(1005), 999..1016u16, any::<u16>()];
    let length = prop_oneof![0..300u64, 65530..65550u64, any::<u64>()];
    prop_oneof![
        4 => (letters(), cuts(), any::<bool>())
            .prop_map(|(letters, cuts, pings)| Piece::Text { letters, cuts, pings }),
        4 => (bytes(200), cuts(), any::<bool>())
            .prop_map(|(bytes, cuts, pings)| Piece::Binary { bytes, cuts, pings }),
        1 => (bytes(20), cuts()).prop_map(|(bytes, cuts)| Piece::RawText { bytes, cuts }),
        1 => (any::<u16>(), any::<u8>()).prop_map(|(len, kind)| Piece::Long { len, kind }),
        2 => bytes(130).prop_map(Piece::Ping),
        2 => bytes(130).prop_map(Piece::Pong),
        1 => (code, letters()).prop_map(|(code, reason)| Piece::Close { code, reason }),
        1 => (first(), any::<u8>()).prop_map(|(first, len)| Piece::Frame { first, len }),
        1 => (first(), any::<u8>(), length)
            .prop_map(|(first, short, long)| Piece::Header { first, short, long }),
        1 => (first(), any::<u8>()).prop_map(|(first, len)| Piece::WrongMask { first, len }),
        1 => bytes(20).prop_map(Piece::Raw),
    ]
}

fn rules() -> impl Strategy<Value = Rules> {
    let small = (0..300u64, 0..600u64, 0..6u32);
    prop_oneof![
        Just(Rules::DEFAULT),
        small.prop_map(|(max_frame, max_message, max_fragments)| Rules {
            max_frame,
            max_message,
            max_fragments
        })
    ]
}

fn places(len: usize, cuts: &[u16]) -> Vec<usize> {
    let mut places: Vec<_> = cuts.iter().map(|&cut| usize::from(cut) % (len + 1)).collect();
    places.sort_unstable();
    places
}

/// Runs a server or client machine through its handshake, with the calls of its caller.
fn shake(server: bool, rules: Rules, input: &[u8], cuts: Vec<usize>, rx: usize) -> Run {
    let setup = Setup { rx, tx: 2048, take: Take::Messages, eof: true };
    let config = rules.config().with_max_head_size(700).with_max_headers(20);
    let Counted { run, .. } = if server {
        drive(WebSocket::server(config), input, cuts, setup, |ws, event, tx| {
            if let Event::UpgradeRequest(request) = event {
                ws.accept(request, Accept::new(), tx).unwrap();
            }
        })
    } else {
        let mut ws = WebSocket::client(config, sevens as Sevens);
        let mut tx = WriteBuffer::new([0; 1024]);
        let uri = Uri::parse("ws://example.com").unwrap();
        ws.connect(&ConnectRequest::new(&uri).with_subprotocols(&["chat"]), &mut tx).unwrap();
        drive(ws, input, cuts, setup, |ws, event, _| {
            if let Event::UpgradeResponse(response) = event {
                // An edited request has failed by now.
                let _ = ws.confirm(response, &["chat"]);
            }
        })
    };
    run
}

/// Returns the items of `receive`, as they are printed. If `asks`, compares each result of
/// `is_ready` with the result of the call of `receive` that follows.
fn items(
    masked: bool,
    rules: Rules,
    rx: usize,
    input: &[u8],
    cuts: &[usize],
    asks: bool,
) -> Vec<String> {
    let mut receiver = match masked {
        true => Receiver::server(rules.config()),
        false => Receiver::client(rules.config()),
    };
    let mut bytes = vec![0; rx];
    let mut rx = ReadBuffer::new(&mut bytes[..]);
    let (mut items, mut at) = (Vec::new(), 0);
    let mut ends = cuts.iter().copied().chain([input.len()]).peekable();
    while let Some(end) = ends.next() {
        let mut piece = &input[at..end];
        at = end;
        loop {
            piece = &piece[rx.extend(piece)..];
            let is_end = piece.is_empty() && ends.peek().is_none();
            if is_end {
                rx.end_of_stream();
            }
            loop {
                let ready = asks.then(|| receiver.is_ready(&mut rx));
                let item = receiver.receive(&mut rx);
                assert_eq!(ready.unwrap_or(item != Ok(None)), item != Ok(None), "{item:?}");
                match item {
                    Ok(None) => break,
                    Ok(Some(Incoming::Data(chunk))) => items.push(format!("{:?}", chunk.bytes())),
                    Ok(Some(Incoming::Ping(bytes))) => items.push(format!("ping {bytes:?}")),
                    Ok(Some(other)) => items.push(format!("{other:?}")),
                    Err(violation) => {
                        items.push(format!("{violation:?}"));
                        assert!(!asks || receiver.is_ready(&mut rx), "a violation is repeated");
                        return items;
                    }
                }
            }
            if piece.is_empty() {
                break;
            }
        }
    }
    assert!(!receiver.is_ready(&mut rx), "nothing follows the end");
    items
}

const REQUEST: &str = "GET /chat HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\n\
    Connection: keep-alive, Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: a, b\r\n\r\n";

/// The response to the key of sevens.
fn answer() -> String {
    let accept = sockless::handshake::accept_key(b"BwcHBwcHBwcHBwcHBwcHBw==");
    let accept = std::str::from_utf8(&accept).unwrap();
    format!(
        "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 101 Switching Protocols\r\n\
         Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\
         Sec-WebSocket-Protocol: chat\r\n\r\n"
    )
}

/// An edit of a head: a byte inserted, removed or changed.
fn edit(mut head: Vec<u8>, edits: &[(u16, u8, u8)]) -> Vec<u8> {
    for &(at, how, byte) in edits {
        let at = usize::from(at) % (head.len() + 1);
        match how % 4 {
            0 => head.insert(at, byte),
            1 if at < head.len() => drop(head.remove(at)),
            2 if at < head.len() => head[at] = byte,
            _ => {
                let header = format!("X-{byte}: {}\r\n", "v".repeat(usize::from(byte)));
                let line = head.windows(2).position(|end| end == b"\r\n").map_or(0, |end| end + 2);
                head.splice(line..line, header.into_bytes());
            }
        }
    }
    head
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: model::cases(20_000),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn frames_at_any_cut_are_what_the_oracle_says(
        masked in any::<bool>(),
        rules in rules(),
        pieces in vec(piece(), 0..8),
        flip in prop::option::weighted(0.3, (any::<u16>(), any::<u8>())),
        rx in prop_oneof![139..300usize, 1000..3000usize],
        cuts in vec(any::<u16>(), 0..6),
        eof in any::<bool>(),
    ) {
        let input = encode(&pieces, masked, flip);
        for take in [Take::Messages, Take::Chunks] {
            let setup = Setup { rx, tx: 270, take, eof };
            let whole = against_oracle(masked, rules, setup, &input, []);
            let bytewise = against_oracle(masked, rules, setup, &input, 1..=input.len());
            let cut = against_oracle(masked, rules, setup, &input, places(input.len(), &cuts));
            prop_assert_eq!(&whole.run, &bytewise.run);
            prop_assert_eq!(&whole.run, &cut.run);
        }
        slices_against_oracle(masked, rules, &input, []);
        slices_against_oracle(masked, rules, &input, 1..=input.len());
        slices_against_oracle(masked, rules, &input, places(input.len(), &cuts));
    }

    #[test]
    fn is_ready_says_what_receive_returns(
        masked in any::<bool>(),
        rules in rules(),
        pieces in vec(piece(), 0..8),
        flip in prop::option::weighted(0.3, (any::<u16>(), any::<u8>())),
        rx in prop_oneof![139..300usize, 1000..3000usize],
        cuts in vec(any::<u16>(), 0..6),
    ) {
        let input = encode(&pieces, masked, flip);
        let bytewise: Vec<_> = (0..input.len()).collect();
        let expected = items(masked, rules, rx, &input, &[], false);
        for cuts in [&[][..], &places(input.len(), &cuts), &bytewise] {
            prop_assert_eq!(&items(masked, rules, rx, &input, cuts, true), &expected);
        }
    }

    #[test]
    fn noise_at_any_cut_is_what_the_oracle_says(
        masked in any::<bool>(),
        input in vec(any::<u8>(), 0..200),
    ) {
        for setup in [Setup::MESSAGES, Setup::CHUNKS] {
            against_oracle(masked, Rules::DEFAULT, setup, &input, []);
            against_oracle(masked, Rules::DEFAULT, setup, &input, 1..=input.len());
        }
        slices_against_oracle(masked, Rules::DEFAULT, &input, 1..=input.len());
    }

    #[test]
    fn whole_connections_are_equal_at_any_cut(
        server in any::<bool>(),
        edits in vec((any::<u16>(), any::<u8>(), any::<u8>()), 0..4),
        pieces in vec(piece(), 0..4),
        rx in prop_oneof![139..1000usize, Just(4096usize)],
        cuts in vec(any::<u16>(), 0..6),
    ) {
        let head = if server { REQUEST.to_string() } else { answer() };
        let input = [edit(head.into_bytes(), &edits), encode(&pieces, server, None)].concat();
        let whole = shake(server, Rules::DEFAULT, &input, vec![], rx);
        let bytewise = shake(server, Rules::DEFAULT, &input, (1..=input.len()).collect(), rx);
        let cut = shake(server, Rules::DEFAULT, &input, places(input.len(), &cuts), rx);
        prop_assert_eq!(&whole, &bytewise);
        prop_assert_eq!(&whole, &cut);
        prop_assert!(whole.done);
    }
}

/// Runs one valid connection of each role, cut at every single place.
#[test]
fn a_valid_connection_at_every_cut() {
    let pieces = [
        Piece::Text { letters: vec!['a', 'é', '€', '𐍈'], cuts: vec![2, 3], pings: true },
        Piece::Binary { bytes: vec![0; 200], cuts: vec![], pings: false },
        Piece::Close { code: 1001, reason: vec!['b', 'y', 'e'] },
    ];
    for server in [true, false] {
        let head = if server { REQUEST.to_string() } else { answer() };
        let input = [head.into_bytes(), encode(&pieces, server, None)].concat();
        let whole = shake(server, Rules::DEFAULT, &input, vec![], 1024);
        assert_eq!(whole.items.len(), 6, "{:?}", whole.items);
        for cut in 0..input.len() {
            assert_eq!(shake(server, Rules::DEFAULT, &input, vec![cut], 1024), whole);
        }
    }
}

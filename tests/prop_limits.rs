//! Tests that limits are exact: a size equal to the limit passes, one more fails, and the header
//! that exceeds it decides. Tests that the number of calls is proportional to the bytes, and that
//! no byte is examined repeatedly.

mod model;

use model::drive::{Setup, Take, against_oracle, drive};
use model::oracle::{Item, Rules};
use model::stream::frame;
use proptest::prelude::*;
use sockless::{Config, Event, ReadBuffer, Server, Violation, WebSocket, WriteBuffer};

/// Returns a binary message in frames of these sizes. If `cut` is `true`, the last frame is cut off
/// after its header.
fn message(sizes: &[usize], cut: bool) -> Vec<u8> {
    let mut out = Vec::new();
    for (index, size) in sizes.iter().enumerate() {
        let last = index + 1 == sizes.len();
        let first = if index == 0 { 2 } else { 0 } | if last { 0x80 } else { 0 };
        frame(&mut out, first, &vec![b'x'; *size], true);
        if last && cut {
            out.truncate(out.len() - size);
        }
    }
    out
}

fn outcome(rules: Rules, rx: usize, take: Take, input: &[u8]) -> Item {
    let setup = Setup { rx, tx: 270, take, eof: false };
    let run = against_oracle(true, rules, setup, input, 1..=input.len()).run;
    run.items.first().cloned().unwrap_or(Item::Lost)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: model::cases(300),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_largest_frame_passes_and_one_byte_more_does_not(limit in 1..3000usize) {
        let rules = Rules { max_frame: limit as u64, ..Rules::DEFAULT };
        for take in [Take::Messages, Take::Chunks] {
            for sizes in [&[limit][..], &[limit, limit]] {
                let good = outcome(rules, 9000, take, &message(sizes, false));
                prop_assert!(matches!(good, Item::Message(..)));
                for more in [1, 2] {
                    // The header decides: no byte of the payload has arrived.
                    let mut sizes = sizes.to_vec();
                    *sizes.last_mut().unwrap() += more;
                    let bad = outcome(rules, 9000, Take::Messages, &message(&sizes, true));
                    prop_assert_eq!(bad, Item::Failed(Violation::FrameTooBig));
                }
            }
        }
    }

    #[test]
    fn the_largest_message_passes_and_one_byte_more_does_not(
        limit in 1..3000usize,
        parts in prop::collection::vec(0..3000usize, 0..4),
    ) {
        // Some frames, and a last one that makes the message as large as its limit.
        let mut sizes: Vec<usize> = Vec::new();
        for part in parts {
            if sizes.iter().sum::<usize>() + part <= limit {
                sizes.push(part);
            }
        }
        sizes.push(limit - sizes.iter().sum::<usize>());
        let rules = Rules { max_message: limit as u64, ..Rules::DEFAULT };
        for take in [Take::Messages, Take::Chunks] {
            let good = outcome(rules, 9000, take, &message(&sizes, false));
            prop_assert!(matches!(good, Item::Message(..)));
        }
        for more in [1, 2] {
            let mut sizes = sizes.clone();
            *sizes.last_mut().unwrap() += more;
            let bad = outcome(rules, 9000, Take::Messages, &message(&sizes, true));
            let whole = *sizes.last().unwrap() > limit;
            let expected = if whole { Violation::FrameTooBig } else { Violation::MessageTooBig };
            prop_assert_eq!(bad, Item::Failed(expected));
        }
        // The buffer sets the limit. It also needs space for control frames beside an unfinished
        // message.
        let room = limit + 139;
        prop_assert!(matches!(
            outcome(Rules::DEFAULT, room, Take::Messages, &message(&sizes, false)),
            Item::Message(..)
        ));
        let over = message(&[room + 1], true);
        let bad = outcome(Rules::DEFAULT, room, Take::Messages, &over);
        prop_assert_eq!(bad, Item::Failed(Violation::MessageTooBig));
    }

    #[test]
    fn as_many_fragments_as_allowed_and_not_one_more(limit in 0..50u32) {
        let rules = Rules { max_fragments: limit, ..Rules::DEFAULT };
        let most = limit.max(1) as usize;
        for size in [0, 1] {
            let good = outcome(rules, 1000, Take::Messages, &message(&vec![size; most], false));
            prop_assert!(matches!(good, Item::Message(..)));
            let bad = outcome(rules, 1000, Take::Messages, &message(&vec![size; most + 1], true));
            prop_assert_eq!(bad, Item::Failed(Violation::TooManyFragments));
        }
    }

    #[test]
    fn heads_are_as_long_and_have_as_many_lines_as_allowed(
        size in 200..2000usize,
        lines in 5..129usize,
    ) {
        let shake = |config: Config, request: &str| {
            let setup = Setup { rx: 4096, tx: 1024, take: Take::Messages, eof: true };
            let input = request.as_bytes();
            let whole = drive(WebSocket::server(config), input, [], setup, |_, _, _| {}).run;
            let cuts = 1..=input.len();
            let cut = drive(WebSocket::server(config), input, cuts, setup, |_, _, _| {}).run;
            assert_eq!(whole, cut);
            String::from_utf8(whole.output).unwrap()[..12].to_string()
        };
        // Nobody accepts the request, so a valid request is refused with 403.
        let head = |more: String| format!(
            "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{more}\r\n"
        );
        let bare = head(String::new()).len();
        let fill = "v".repeat((size - bare).saturating_sub(5));
        let request = head(format!("X: {fill}\r\n"));
        let len = request.len() as u32;
        let exact = Config::new().with_max_head_size(len);
        prop_assert_eq!(shake(exact, &request), "HTTP/1.1 403");
        let short = Config::new().with_max_head_size(len - 1);
        prop_assert_eq!(shake(short, &request), "HTTP/1.1 431");
        let request = head("A: b\r\n".repeat(lines - 5));
        let exact = Config::new().with_max_headers(lines as u16);
        prop_assert_eq!(shake(exact, &request), "HTTP/1.1 403");
        let short = Config::new().with_max_headers(lines as u16 - 1);
        prop_assert_eq!(shake(short, &request), "HTTP/1.1 431");
    }
}

/// Checks the number of calls for any pieces: one for each event, and one after each piece that
/// asks for more.
#[test]
fn calls_are_as_many_as_events_and_pieces() {
    let mut input = Vec::new();
    for _ in 0..500 {
        frame(&mut input, 0x81, b"hello", true);
        frame(&mut input, 0x89, b"", true);
        frame(&mut input, 0x02, b"", true);
        frame(&mut input, 0x00, b"", true);
        frame(&mut input, 0x80, b"end", true);
    }
    for take in [Take::Messages, Take::Chunks] {
        for step in [1, 3, 100, 1_000_000] {
            let setup = Setup { rx: 1 << 16, tx: 1 << 10, take, eof: false };
            let pieces = input.len().div_ceil(step);
            let cuts = (1..pieces).map(|piece| piece * step);
            let counted = against_oracle(true, Rules::DEFAULT, setup, &input, cuts);
            let events = counted.run.items.len();
            // In chunks there may be as many events as pieces.
            let most = events + pieces + if take == Take::Chunks { pieces } else { 0 };
            assert!(counted.calls <= most, "{} calls, {step} bytes each", counted.calls);
        }
    }
}

/// Checks work without a clock: quadratic work would take days for these inputs.
#[test]
fn large_inputs_byte_by_byte() {
    let mut ws = WebSocket::server(Config::new().with_max_head_size(u32::MAX));
    let mut rx = ReadBuffer::growing(64 << 20);
    let mut tx = WriteBuffer::growing(1 << 16);
    let mut feed = |bytes: &[u8]| {
        let mut events = 0;
        for byte in bytes {
            rx.space()[0] = *byte;
            rx.filled(1);
            while let Some(event) = ws.receive(&mut rx, &mut tx) {
                events += 1;
                if let Event::UpgradeRequest(request) = event {
                    ws.accept(&request, sockless::handshake::Accept::new(), &mut tx).unwrap();
                }
            }
            tx.clear();
        }
        events
    };
    // A head of 3 MiB, half of it line ends.
    let mut head = b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nX: "
        .to_vec();
    head.extend(std::iter::repeat_n(b'x', 3 << 20));
    head.extend(b"\r\n\r\n");
    assert_eq!(feed(&head), 1);
    // A text of 3 MiB in one frame, in frames of one byte, and among many empty frames.
    let mut input = Vec::new();
    frame(&mut input, 0x81, "é".repeat(3 << 19).as_bytes(), true);
    assert_eq!(feed(&input), 1);
    input.clear();
    frame(&mut input, 0x01, b"x", true);
    for index in 0..100_000 {
        frame(&mut input, 0x00, if index % 3 == 0 { b"" } else { b"y" }, true);
        if index % 100 == 0 {
            frame(&mut input, 0x89, b"", true);
        }
    }
    frame(&mut input, 0x80, b"z", true);
    assert_eq!(feed(&input), 1001);
    let mut server = WebSocket::from_upgraded(Server, Config::default());
    // Output that is drained byte by byte while more is written.
    let mut tx = WriteBuffer::growing(8 << 20);
    for round in 0..1 << 20 {
        if round % 8 == 0 {
            server.send_binary(&[0; 14], &mut tx).unwrap();
        }
        tx.consume(1);
    }
    assert_eq!(tx.len(), 1 << 20);
}

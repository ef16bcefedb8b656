//! Tests protocol rules 31 to 40: closing, pings and pongs (RFC 6455 sections 5.5 and 7).

mod common;
use common::*;
use sockless::keepalive::{Action, Keepalive, Timeout, Timers};
use sockless::{
    Client, CloseCode, Config, EntropyError, Error, Event, Failure, FnEntropy, MAX_REASON_LEN,
    MessageKind, Misuse, OpCode, ReadBuffer, Reply, Server, State, Violation, WebSocket,
    WriteBuffer, truncate_reason,
};

/// Checks that a Close frame with this body fails a server and a client, with this reason and code.
fn both_fail(body: &[u8], reason: &str, code: u16) {
    for run in [server(&masked(0x88, body)), client(&plain(0x88, body))] {
        let shown = body.escape_ascii();
        assert_eq!(run.events, [format!("failed Protocol({reason})")], "{shown}");
        assert_eq!(run.close_sent(), Some(code), "{shown}");
        assert_eq!(frames(&run.output).len(), 1);
        assert_eq!((run.state, run.done), (State::Closed, true));
    }
}

fn body(code: u16, reason: &[u8]) -> Vec<u8> {
    [&code.to_be_bytes(), reason].concat()
}

fn misuse<T>(misuse: Misuse) -> Result<T, Error> {
    Err(Error::Misuse(misuse))
}

/// Rule 31, section 5.5.1.
#[test]
fn rule_31_a_close_of_one_byte_fails() {
    for byte in [0, 3, 0xFF] {
        both_fail(&[byte], "CloseTooShort", 1002);
    }
}

const BEFORE_AND_BEHIND: [u16; 13] =
    [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535];
const GOOD: [u16; 15] =
    [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4999];

/// Rule 32, section 7.4. `close_codes` tests every code; this test checks the reaction of a
/// connection.
#[test]
fn rule_32_close_codes_on_the_wire() {
    for code in BEFORE_AND_BEHIND {
        both_fail(&body(code, b""), "InvalidCloseCode", 1002);
        both_fail(&body(code, b"reason"), "InvalidCloseCode", 1002);
    }
    for code in GOOD {
        for run in [server(&close(code, "why")), client(&plain(0x88, &body(code, b"why")))] {
            assert_eq!(run.events, [format!("close {code} \"why\"")]);
            assert_eq!(run.close_sent(), Some(code));
        }
    }
}

/// Rule 32: 1004, 1005, 1006 and 1015 are never sent.
#[test]
fn rule_32_codes_that_are_never_sent() {
    let mut tx = WriteBuffer::new([0; 512]);
    for code in BEFORE_AND_BEHIND.into_iter().filter(|&code| code != 1005) {
        let mut ws = WebSocket::from_upgraded(Server, Config::default());
        let refused = ws.close(CloseCode::new(code), "", &mut tx);
        assert_eq!(refused, misuse(Misuse::InvalidCloseCode), "{code}");
        assert!(tx.is_empty());
        assert_eq!(ws.state(), State::Open);
    }
    // 1005 means that there is no code.
    let mut ws = WebSocket::from_upgraded(Server, Config::default());
    let with_reason = ws.close(CloseCode::NO_STATUS_RECEIVED, "why", &mut tx);
    assert_eq!(with_reason, misuse(Misuse::InvalidCloseCode));
    ws.close(CloseCode::NO_STATUS_RECEIVED, "", &mut tx).unwrap();
    assert_eq!(tx.bytes(), [0x88, 0]);
    for code in GOOD {
        let mut ws = WebSocket::from_upgraded(Server, Config::default());
        tx.clear();
        ws.close(CloseCode::new(code), "why", &mut tx).unwrap();
        assert_eq!(tx.bytes(), plain(0x88, &body(code, b"why")));
        assert_eq!(ws.state(), State::Closing);
    }
}

/// Rule 33, sections 5.5, 5.5.1 and 8.1.
#[test]
fn rule_33_the_reason_is_utf8() {
    for bad in
        [&b"\xff"[..], b"ok\xc3", b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80", b"a\x80b"]
    {
        both_fail(&body(1000, bad), "InvalidUtf8", 1007);
    }
    let longest = "\u{e9}".repeat(61) + "e";
    assert_eq!(longest.len(), MAX_REASON_LEN);
    assert!(server(&close(1000, &longest)).events[0].starts_with("close 1000"));
    both_fail(&body(1000, &[b'x'; 124]), "ControlTooLong", 1002);
}

/// Rule 33: a reason of the caller has at most 123 bytes, and is cut between characters.
#[test]
fn rule_33_a_longer_reason_is_cut_on_a_character_boundary() {
    let mut tx = WriteBuffer::new([0; 512]);
    for reason in ["x".repeat(124), "\u{e9}".repeat(62), "\u{1f600}".repeat(31), "x".repeat(5000)] {
        let mut ws = WebSocket::from_upgraded(Server, Config::default());
        tx.clear();
        ws.close(CloseCode::NORMAL, &reason, &mut tx).unwrap();
        let cut = truncate_reason(&reason);
        assert!(cut.len() <= MAX_REASON_LEN && cut.len() > MAX_REASON_LEN - 4);
        assert!(reason.starts_with(cut));
        assert_eq!(tx.bytes(), plain(0x88, &body(1000, cut.as_bytes())));
        tx.clear();
    }
}

/// Rule 34, section 5.5.1: the peer closes first.
#[test]
fn rule_34_a_close_is_answered_once_and_the_rest_ignored() {
    let behind =
        [masked(0x81, b"text"), masked(0x89, b"ping"), close(1001, ""), b"\xff\xff\xff".to_vec()];
    let run = server(&[close(1000, "bye"), behind.concat()].concat());
    assert_eq!(run.events, ["close 1000 \"bye\""]);
    assert_eq!(run.output, plain(0x88, &body(1000, b"")));
    assert_eq!((run.state, run.done), (State::Closed, true));

    let behind = [plain(0x81, b"text"), plain(0x89, b"ping"), plain(0x88, b"\x03\xe9")].concat();
    let run = client(&[plain(0x88, b"\x03\xe8"), behind].concat());
    assert_eq!(run.events, ["close 1000 \"\""]);
    let sent = frames(&run.output);
    assert_eq!((sent.len(), &sent[0].1[..]), (1, &b"\x03\xe8"[..]));
}

/// Rule 34, sections 5.5.1 and 7.1.2: this side closes first. Messages of the peer still arrive.
/// Pings get no pong, and the peer's Close gets no reply, whatever its code.
#[test]
fn rule_34_nothing_is_sent_after_our_close() {
    let input = [
        masked(0x01, b"last "),
        masked(0x89, b"ping"),
        masked(0x80, b"words"),
        close(1001, "other"),
        masked(0x81, b"ignored"),
    ]
    .concat();
    let run = at_every_cut(&input, |input, cuts| {
        let mut ws = WebSocket::from_upgraded(Server, Config::default());
        let mut tx = WriteBuffer::new([0; 512]);
        ws.close(CloseCode::NORMAL, "", &mut tx).unwrap();
        assert_eq!(ws.state(), State::Closing);
        run_ws(ws, input, cuts, 512, Take::Messages, true, |_, _, _| {})
    });
    assert_eq!(run.events, ["ping \"ping\"", "text \"last words\"", "close 1001 \"other\""]);
    assert!(run.output.is_empty());
    assert_eq!((run.state, run.done), (State::Closed, true));
}

/// Checks that every send is refused and changes nothing.
fn shut<R: sockless::Role>(ws: &mut WebSocket<R>) {
    let mut tx = WriteBuffer::new([0; 512]);
    let state = (ws.state(), ws.is_done());
    let tx = &mut tx;
    assert_eq!(ws.send_text("x", tx), misuse(Misuse::Closed));
    assert_eq!(ws.send_binary(b"x", tx), misuse(Misuse::Closed));
    assert_eq!(ws.send_binary_vectored(b"x", tx), misuse(Misuse::Closed));
    assert_eq!(ws.send_fragment(MessageKind::Text, b"x", true, tx), misuse(Misuse::Closed));
    assert_eq!(ws.send_ping(b"", tx), misuse(Misuse::Closed));
    assert_eq!(ws.send_pong(b"", tx), misuse(Misuse::Closed));
    assert_eq!(ws.close(CloseCode::NORMAL, "", tx), misuse(Misuse::Closed));
    assert!(tx.is_empty());
    assert_eq!((ws.state(), ws.is_done()), state);
}

/// Rule 34: nothing is sent after our Close, after the reply to the peer's Close, after a failure,
/// or after the end.
#[test]
fn rule_34_sending_after_the_close_is_refused() {
    let mut tx = WriteBuffer::new([0; 512]);
    let mut ws = WebSocket::from_upgraded(Server, Config::default());
    ws.close(CloseCode::NORMAL, "", &mut tx).unwrap();
    shut(&mut ws);
    for input in [close(1000, ""), masked(0x81, b"\xff"), plain(0x81, b""), vec![]] {
        let mut ws = WebSocket::from_upgraded(Server, Config::default());
        let mut rx = ReadBuffer::new([0; 512]);
        let _ = rx.extend(&input);
        rx.end_of_stream();
        assert!(ws.receive(&mut rx, &mut tx).is_some());
        shut(&mut ws);
        assert!(ws.is_done());
    }
}

/// Rule 35, section 5.4: also inside an incomplete character of a text, and with our own message
/// unfinished.
#[test]
fn rule_35_a_close_in_the_middle_of_a_message_is_answered() {
    for begun in [masked(0x01, b"caf\xc3"), masked(0x02, b""), masked(0x02, &[7; 600])] {
        let run = server(&[begun, close(3000, "enough")].concat());
        assert_eq!(run.last(), "close 3000 \"enough\"");
        assert_eq!(run.output, plain(0x88, &body(3000, b"")));
        assert!(run.done);
    }
    let mut ws = WebSocket::from_upgraded(Server, Config::default());
    let (mut rx, mut tx) = (ReadBuffer::new([0; 512]), WriteBuffer::new([0; 512]));
    ws.send_fragment(MessageKind::Binary, b"begun", false, &mut tx).unwrap();
    let _ = rx.extend(&close(1000, ""));
    assert!(matches!(ws.receive(&mut rx, &mut tx), Some(Event::Close(_))));
    assert_eq!(tx.bytes(), [plain(0x02, b"begun"), plain(0x88, b"\x03\xe8")].concat());
}

/// Rule 36, section 7.1.7: the Close has the code of the failure, and nothing more is processed.
#[test]
fn rule_36_a_failure_sends_its_code_and_is_the_end() {
    let config = Config::default().with_max_message_size(100).with_max_fragments(3);
    let too_many = [masked(0x02, b""), masked(0, b""), masked(0, b""), masked(0, b"")].concat();
    for (bad, violation, code) in [
        (masked(0xC1, b""), Violation::ReservedBit, 1002),
        (masked(0x81, b"\xff"), Violation::InvalidUtf8, 1007),
        (masked(0x82, &[0; 101]), Violation::FrameTooBig, 1009),
        ([masked(0x02, &[0; 60]), masked(0x80, &[0; 41])].concat(), Violation::MessageTooBig, 1009),
        (too_many, Violation::TooManyFragments, 1008),
    ] {
        assert_eq!(violation.close_code().get(), code);
        let before = [masked(0x81, b"fine"), masked(0x89, b"ping")].concat();
        let behind = [masked(0x81, b"text"), masked(0x89, b"ping"), close(1000, "")].concat();
        let run = server_with(config, &[before, bad, behind].concat());
        let failed = format!("failed Protocol({violation:?})");
        assert_eq!(run.events, ["text \"fine\"", "ping \"ping\"", &failed]);
        let answers = [plain(0x8A, b"ping"), plain(0x88, &body(code, b""))].concat();
        assert_eq!(run.output, answers);
        assert_eq!((run.state, run.done), (State::Closed, true));
    }
}

/// Rule 36: 1011 is for failures that are not the peer's fault, 1010 for a client that needs an
/// extension.
#[test]
fn rule_36_codes_of_our_own() {
    let mut ws = WebSocket::from_upgraded(Server, Config::default());
    let (mut rx, mut tx) = (ReadBuffer::new([0; 138]), WriteBuffer::new([0; 512]));
    let failure = Failure::Local(Error::ReadBufferTooSmall { minimum: 139 });
    assert_eq!(ws.receive(&mut rx, &mut tx), Some(Event::Failed(failure)));
    assert_eq!(tx.bytes(), plain(0x88, &body(1011, b"")));
    assert!(ws.is_done());

    let mut ws = WebSocket::from_upgraded(Client::new(sevens as Sevens), Config::default());
    tx.clear();
    ws.close(CloseCode::MANDATORY_EXTENSION, "x-mine", &mut tx).unwrap();
    assert_eq!(frames(tx.bytes())[0].1, body(1010, b"x-mine"));

    // Without a key the client sends neither a pong nor a Close. The connection ends all the same.
    let entropy = FnEntropy::new(|_: &mut [u8]| Err(EntropyError));
    let mut ws = WebSocket::from_upgraded(Client::new(entropy), Config::default());
    let mut rx = ReadBuffer::new([0; 512]);
    tx.clear();
    let _ = rx.extend(&plain(0x89, b"ping"));
    let failure = Failure::Local(Error::Entropy(EntropyError));
    assert_eq!(ws.receive(&mut rx, &mut tx), Some(Event::Failed(failure)));
    assert!(ws.is_done() && tx.is_empty());
    shut(&mut ws);

    // Without a key there is no reply to a Close either.
    let mut ws = WebSocket::from_upgraded(Client::new(entropy), Config::default());
    let mut rx = ReadBuffer::new([0; 512]);
    let _ = rx.extend(&plain(0x88, &body(1000, b"bye")));
    assert_eq!(ws.receive(&mut rx, &mut tx), Some(Event::Failed(failure)));
    assert!(ws.is_done() && tx.is_empty());
    shut(&mut ws);
}

/// Rule 37, section 7.1.1: the server is done after the closing handshake, the client after the end
/// of the stream.
#[test]
fn rule_37_the_server_closes_the_transport_first() {
    for we_close_first in [false, true] {
        let mut server = WebSocket::from_upgraded(Server, Config::default());
        let mut client = WebSocket::from_upgraded(Client::new(sevens as Sevens), Config::default());
        let mut tx = WriteBuffer::new([0; 512]);
        let (mut to_server, mut to_client) = (ReadBuffer::new([0; 512]), ReadBuffer::new([0; 512]));
        if we_close_first {
            server.close(CloseCode::NORMAL, "", &mut tx).unwrap();
            assert!(!server.is_done());
            let _ = to_client.extend(tx.bytes());
            tx.clear();
            assert!(client.receive(&mut to_client, &mut tx).is_some());
            assert!(!client.is_done(), "its answer is to be sent, and the server's end awaited");
            let _ = to_server.extend(tx.bytes());
            tx.clear();
            assert!(server.receive(&mut to_server, &mut tx).is_some());
            assert!(tx.is_empty());
        } else {
            client.close(CloseCode::NORMAL, "", &mut tx).unwrap();
            let _ = to_server.extend(tx.bytes());
            tx.clear();
            assert!(server.receive(&mut to_server, &mut tx).is_some());
            let _ = to_client.extend(tx.bytes());
            tx.clear();
            assert!(client.receive(&mut to_client, &mut tx).is_some());
        }
        assert_eq!((server.state(), server.is_done()), (State::Closed, true));
        assert_eq!((client.state(), client.is_done()), (State::Closed, false));
        assert_eq!(client.receive(&mut to_client, &mut tx), None);
        assert!(!client.is_done());
        // Late input is read and dropped, so that there is space until the end.
        for _ in 0..100 {
            let _ = to_client.extend(&plain(0x82, &[7; 300]));
            assert_eq!(client.receive(&mut to_client, &mut tx), None);
            assert!(!to_client.space().is_empty());
        }
        to_client.end_of_stream();
        assert_eq!(client.receive(&mut to_client, &mut tx), None, "a clean end is no event");
        assert!(client.is_done() && tx.is_empty());
    }
}

/// Rule 37, section 7.1.1: the caller's clock limits how long the client waits.
#[test]
fn rule_37_the_wait_for_the_end_is_bounded_by_the_caller_s_clock() {
    let timers = Timers::OFF.with_close_within(Some(5));
    let mut keepalive = Keepalive::new(timers, 100);
    keepalive.opened(100);
    let mut ws = WebSocket::from_upgraded(Client::new(sevens as Sevens), Config::default());
    let (mut rx, mut tx) = (ReadBuffer::new([0; 512]), WriteBuffer::new([0; 512]));
    let _ = rx.extend(&plain(0x88, b""));
    assert!(ws.receive(&mut rx, &mut tx).is_some());
    keepalive.closing(103);
    assert!(!ws.is_done());
    assert_eq!(keepalive.poll(107), None);
    assert_eq!(keepalive.poll(108), Some(Action::TimedOut(Timeout::Close)));
}

/// Rule 38, sections 7.1.5 and 7.4.1.
#[test]
fn rule_38_no_code_is_1005_and_no_close_1006() {
    for run in [server(&masked(0x88, b"")), client(&plain(0x88, b""))] {
        assert_eq!(run.events, ["close 1005 \"\""]);
        let sent = frames(&run.output);
        assert_eq!((sent.len(), sent[0].0.opcode, sent[0].0.payload_len), (1, OpCode::Close, 0));
    }
    for input in [
        vec![],
        masked(0x81, b"text")[..3].to_vec(),
        masked(0x81, b"text")[..8].to_vec(),
        masked(0x01, b"text"),
        close(1000, "bye")[..10].to_vec(),
    ] {
        let run = server(&input);
        assert_eq!(run.events, ["close 1006 \"\""], "{}", input.escape_ascii());
        assert!(run.output.is_empty() && run.done);
    }
    assert_eq!(client(&plain(0x81, b"x")).events, ["text \"x\"", "close 1006 \"\""]);
    assert_eq!(handshake(&REQUEST[..40]).events, ["close 1006 \"\""]);
    assert_eq!(handshake(b"").events, ["close 1006 \"\""]);
    // Our own Close does not make the end clean.
    let mut ws = WebSocket::from_upgraded(Server, Config::default());
    let mut tx = WriteBuffer::new([0; 512]);
    ws.close(CloseCode::NORMAL, "", &mut tx).unwrap();
    let run = run_ws(ws, b"", &[], 512, Take::Messages, true, |_, _, _| {});
    assert_eq!(run.events, ["close 1006 \"\""]);
}

/// Rule 39, section 5.5.2: if the output is drained, each ping has its pong, also inside a message.
/// After a Close there is no pong.
#[test]
fn rule_39_pings_are_answered_until_a_close() {
    let longest = [b'x'; 125];
    let input = [
        masked(0x89, b""),
        masked(0x02, b"a"),
        masked(0x89, b"one"),
        masked(0x89, &longest),
        masked(0x80, b"b"),
        close(1000, ""),
        masked(0x89, b"late"),
    ]
    .concat();
    let run = server(&input);
    let pongs = [plain(0x8A, b""), plain(0x8A, b"one"), plain(0x8A, &longest)].concat();
    assert_eq!(run.output, [pongs, plain(0x88, b"\x03\xe8")].concat());
    let run = client(&[plain(0x89, b"one"), plain(0x89, &longest)].concat());
    let sent = frames(&run.output);
    assert_eq!((&sent[0].1[..], &sent[1].1[..]), (&b"one"[..], &longest[..]));
    assert!(sent.iter().all(|(header, _)| header.opcode == OpCode::Pong && header.mask.is_some()));
}

/// Rule 40, section 5.5.3.
#[test]
fn rule_40_an_unsolicited_pong_is_legal() {
    let input = [masked(0x8A, b""), masked(0x8A, b"why"), masked(0x81, b"text")].concat();
    let run = server(&input);
    assert_eq!(run.events[..3], ["pong \"\"", "pong \"why\"", "text \"text\""]);
    assert!(run.output.is_empty());
    let mut ws = WebSocket::from_upgraded(Server, Config::default());
    let mut tx = WriteBuffer::new([0; 512]);
    ws.send_pong(b"heartbeat", &mut tx).unwrap();
    assert_eq!(tx.bytes(), plain(0x8A, b"heartbeat"));
    assert_eq!(ws.send_pong(&[0; 126], &mut tx), misuse(Misuse::ControlTooLong));
    assert_eq!(ws.send_ping(&[0; 126], &mut tx), misuse(Misuse::ControlTooLong));
    assert_eq!(Reply::pong(&[0; 126]), None);
    ws.send_ping(&[0; 125], &mut tx).unwrap();
}

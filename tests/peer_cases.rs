//! Runs the test inputs of other implementations, with their expected results, taken as facts from
//! public copies of their repositories. Each row names its source. If our result differs, the row
//! says how and why.
#![cfg(all(feature = "deflate", feature = "handshake"))]

mod common;

use common::{Run, Sevens, Take, at_every_cut, client, masked, run_ws, server_with, sevens};
use sockless::deflate::{Context, DeflateConfig, DeflateParams, WindowBits};
use sockless::{Client, Config, FrameHeader, Server, WebSocket, extensions};

const CHROMIUM: &str = "chromium/chromium net/websockets/websocket_frame_parser_test.cc";
const CURL: &str = "curl/curl tests/data/test2302";
const JETTY: &str = "jetty/jetty.project jetty-websocket PerMessageDeflateExtensionTest.java";
const NETTY_CLIENT: &str =
    "netty/netty codec-http PerMessageDeflateClientExtensionHandshakerTest.java";
const NETTY_SERVER: &str = "netty/netty codec-http WebSocketServerCompressionHandlerTest.java";
const WS: &str = "websockets/ws test/receiver.test.js";
const WS_DEFLATE: &str = "websockets/ws test/permessage-deflate.test.js";
const WEBSOCKETS: &str = "python-websockets/websockets tests/extensions/test_permessage_deflate.py";
const WSPROTO: &str = "python-hyper/wsproto tests/test_frame_protocol.py";
const WSPROTO_DEFLATE: &str = "python-hyper/wsproto tests/test_permessage_deflate.py";

// The API calls that the rows need.

fn limits(message_size: u64, fragments: u32) -> Config {
    Config::default().with_max_message_size(message_size).with_max_fragments(fragments)
}

/// Runs a connection with compression at every cut. The peer keeps its window unless `per_message`
/// is `true`.
fn compressed(as_server: bool, per_message: bool, config: Config, input: &[u8]) -> Run {
    let receive = if per_message { Context::PER_MESSAGE } else { Context::FULL };
    let agreement = DeflateParams { send: Context::FULL, receive };
    let deflate = DeflateConfig::DEFAULT;
    at_every_cut(input, |input, cuts| {
        if as_server {
            let ws = WebSocket::from_upgraded(Server, config).with_deflate(agreement, &deflate);
            run_ws(ws, input, cuts, 1024, Take::Messages, true, |_, _, _| {})
        } else {
            let ws = WebSocket::from_upgraded(Client::new(sevens as Sevens), config)
                .with_deflate(agreement, &deflate);
            run_ws(ws, input, cuts, 1024, Take::Messages, true, |_, _, _| {})
        }
    })
}

/// Returns the header value with which a server answers an offer, or an empty string if it
/// declines.
fn answer(config: &DeflateConfig, offer: &str) -> Result<String, &'static str> {
    let chosen =
        config.negotiate(extensions::parse([offer.as_bytes()])).map_err(|_| "malformed")?;
    Ok(chosen.map_or(String::new(), |answer| answer.header.as_str().to_owned()))
}

/// Returns the result of a response for a client: window bits and context takeover, for sending and
/// receiving.
fn conclude(config: &DeflateConfig, response: &str) -> Option<(Side, Side)> {
    let agreement = config.accept_response(extensions::parse([response.as_bytes()])).ok()??;
    let side = |context: Context| (context.window_bits.bits(), context.takeover);
    Some((side(agreement.send), side(agreement.receive)))
}

/// Window bits, and `true` for context takeover.
type Side = (u8, bool);

fn config(send: Side, receive: Side) -> DeflateConfig {
    let context =
        |(bits, takeover)| Context { window_bits: WindowBits::new(bits).unwrap(), takeover };
    DeflateConfig::DEFAULT.with_send(context(send)).with_receive(context(receive))
}

// The rows.

fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u8> = digits.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(pair).collect()
}

fn text(text: &str) -> String {
    format!("text \"{}\"", text.as_bytes().escape_ascii())
}

/// Returns the events of a run without the last, and the code of its failure or 0.
fn verdict(run: &Run) -> (&[String], u16) {
    let (last, events) = run.events.split_last().unwrap();
    if last.starts_with("failed") {
        (events, run.close_sent().expect("a failure sends its Close"))
    } else if last == "close 1006 \"\"" || last.starts_with("unfinished") {
        (events.strip_suffix(&["close 1006 \"\"".into()]).unwrap_or(events), 0)
    } else {
        (&run.events, 0)
    }
}

/// Headers with the payload's length, or the code of the failure.
#[test]
fn lengths_in_headers() {
    for (digits, expected) in [
        ("81 00", Ok(0)),
        ("81 7d", Ok(125)),
        ("81 7e 00 7e", Ok(126)),
        ("81 7e ff ff", Ok(0xffff)),
        ("81 7f 00 00 00 00 00 01 00 00", Ok(0x1_0000)),
        ("81 7f 00 00 00 00 7f ff ff ff", Ok(0x7fff_ffff)),
        // Chromium fails these two with 1009 while it reads the header. Here the header parser
        // accepts both, and the receiver fails them by its limit, with an equal code (below).
        ("81 7f 00 00 00 00 80 00 00 00", Ok(0x8000_0000)),
        ("81 7f 7f ff ff ff ff ff ff ff", Ok(0x7fff_ffff_ffff_ffff)),
        ("81 7e 00 00", Err(1002)),
        ("81 7e 00 7d", Err(1002)),
        ("81 7f 00 00 00 00 00 00 00 00", Err(1002)),
        ("81 7e 00 00 00 00 00 00 ff ff", Err(1002)),
    ] {
        let bytes = hex(digits);
        let parsed = FrameHeader::parse(&bytes);
        let got = parsed.map(|found| found.expect("the header is complete").0.payload_len);
        assert_eq!(
            got.map_err(|violation| violation.close_code().get()),
            expected,
            "{CHROMIUM}: {digits}"
        );
        // "Feed each byte": a shorter piece is incomplete, or wrong already.
        for len in 0..bytes.len() {
            match FrameHeader::parse(&bytes[..len]) {
                Ok(found) => assert_eq!(found, None, "{digits}: {len}"),
                Err(violation) => assert_eq!(Err(violation.close_code().get()), expected),
            }
        }
    }
    for digits in ["81 7f 00 00 00 00 80 00 00 00", "81 7f 7f ff ff ff ff ff ff ff"] {
        assert_eq!(verdict(&client(&hex(digits))).1, 1009, "{CHROMIUM}: {digits}");
    }
}

#[test]
fn frames_for_a_client() {
    let hello = text("Hello, world!");
    let rows: &[(&str, &str, &[&str], u16)] = &[
        (CHROMIUM, "81 0d 48656c6c6f2c20776f726c6421", &[&hello], 0),
        (
            CHROMIUM,
            "81 05 4669727374 81 06 5365636f6e64",
            &["text \"First\"", "text \"Second\""],
            0,
        ),
        (CHROMIUM, "88 00", &["close 1005 \"\""], 0),
        (CHROMIUM, "89 00", &["ping \"\""], 0),
        (CHROMIUM, "8a 00", &["pong \"\""], 0),
        (CHROMIUM, "82 00", &["binary \"\""], 0),
        // Chromium's parser accepts these, and its channel fails them. This crate has one layer.
        (CHROMIUM, "80 00", &[], 1002),
        (CHROMIUM, "83 00", &[], 1002),
        (CHROMIUM, "87 00", &[], 1002),
        (CHROMIUM, "8b 00", &[], 1002),
        (CHROMIUM, "8f 00", &[], 1002),
        (CHROMIUM, "c1 00", &[], 1002),
        (CHROMIUM, "a1 00", &[], 1002),
        (CHROMIUM, "91 00", &[], 1002),
        (CHROMIUM, "71 00", &[], 1002),
        (CHROMIUM, "f1 00", &[], 1002),
        (CURL, "89 00 81 05 68656c6c6f", &["ping \"\"", "text \"hello\""], 0),
        (WS, "81 05 48656c6c6f", &["text \"Hello\""], 0),
        (WS, "88 06 03e8 444f4e45", &["close 1000 \"DONE\""], 0),
        (WS, "01 02 4865 80 03 6c6c6f", &["text \"Hello\""], 0),
        (WS, "02 02 4865 89 00 80 03 6c6c6f", &["ping \"\"", "binary \"Hello\""], 0),
        (WS, "a2 00", &[], 1002),
        (WS, "92 00", &[], 1002),
        (WS, "c2 80 00000000", &[], 1002),
        (WS, "00 00", &[], 1002),
        (WS, "01 00 01 00", &[], 1002),
        (WS, "01 00 02 00", &[], 1002),
        (WS, "09 00", &[], 1002),
        (WS, "81 82 563aac80 3e53", &[], 1002),
        (WS, "89 7e", &[], 1002),
        (WS, "82 7f 0020000000000000", &[], 1009),
        (WS, "81 04 cebae1bd", &[], 1007),
        // ws fails at the header already. This crate checks the payload of a Close when it is
        // complete.
        (WS, "88 01", &[], 0),
        (WS, "88 01 03", &[], 1002),
        (WS, "88 02 0000", &[], 1002),
        (WS, "88 06 03ef cebae1bd", &[], 1007),
        // ws limits the number of reads in which a frame may arrive (1008), because each read is a
        // buffer. This crate has one buffer.
        (WS, "82 05 61 62 63", &[], 0),
        (WSPROTO, "81 00", &["text \"\""], 0),
        (WSPROTO, "81 02 7879", &["text \"xy\""], 0),
        (WSPROTO, "81 82 61626364 191b", &[], 1002),
        (WSPROTO, "8e 02 7879", &[], 1002),
        (WSPROTO, "09 02 7879", &[], 1002),
        (WSPROTO, "91 02 7879", &[], 1002),
        (WSPROTO, "a1 02 7879", &[], 1002),
        (WSPROTO, "c1 02 7879", &[], 1002),
        (WSPROTO, "81 04 66c3b1c3", &[], 1007),
        (WSPROTO, "01 05 66f1f67264", &[], 1007),
        (WSPROTO, "81 14 cebae1bdb9cf83cebcceb5eda080656469746564", &[], 1007),
    ];
    for (source, digits, events, code) in rows {
        let run = client(&hex(digits));
        let (got, failed) = verdict(&run);
        assert_eq!(
            (got, failed),
            (&events.iter().map(|e| (*e).to_owned()).collect::<Vec<_>>()[..], *code),
            "{source}: {digits}"
        );
    }
}

/// The server of curl's tests responds with the accept value of another key, and curl continues.
/// Section 4.1 demands the check, so this client fails.
#[test]
fn the_accept_value_of_a_key() {
    let accept = sockless::handshake::accept_key(b"NDMyMTUzMjE2MzIxNzMyMQ==");
    assert_eq!(&accept, b"Dut04YXKjDKbXFLrc+AVmMeFsWM=");
    assert_ne!(&accept, b"HkPsVga7+8LuxM4RGQ5p9tZHeYs=", "{CURL}");
}

#[test]
fn frames_for_a_server() {
    let rows: &[(&str, Config, &str, &[&str], u16)] = &[
        (
            CHROMIUM,
            Config::default(),
            "81 8d deadbeef 96c8d283b1819e98b1dfd28bff",
            &["text \"Hello, world!\""],
            0,
        ),
        (
            WS,
            Config::default(),
            "81 93 3483a868 01b992524fa1c60959e68a5216e6cb005ba1d5",
            &["text \"5:::{\\\"name\\\":\\\"echo\\\"}\""],
            0,
        ),
        (WS, Config::default(), "81 02 6869", &[], 1002),
        (WSPROTO, Config::default(), "81 82 61626364 191b", &["text \"xy\""], 0),
        (WSPROTO, Config::default(), "81 02 7879", &[], 1002),
    ];
    for (source, config, digits, events, code) in rows {
        let run = server_with(*config, &hex(digits));
        assert_eq!(
            verdict(&run),
            (&events.iter().map(|e| (*e).to_owned()).collect::<Vec<_>>()[..], *code),
            "{source}: {digits}"
        );
    }
    // Limits. ws uses unmasked inputs. Here a server receives them masked.
    let fragments = |payloads: &[&[u8]]| {
        let frame = |(i, payload): (usize, &&[u8])| masked(if i == 0 { 2 } else { 0 }, payload);
        payloads.iter().enumerate().flat_map(frame).collect::<Vec<_>>()
    };
    for (input, config) in [
        (fragments(&[b"a", b"b", b"c"]), limits(u64::MAX, 2)),
        (fragments(&[b"", b"", b""]), limits(u64::MAX, 2)),
    ] {
        assert_eq!(verdict(&server_with(config, &input)).1, 1008, "{WS}");
    }
    let large = masked(0x82, &[7; 26]);
    assert_eq!(verdict(&server_with(limits(25, 100), &large)).1, 1009, "{WS}");
}

#[test]
fn compressed_frames() {
    type Row<'a> = (&'a str, bool, bool, &'a str, Vec<String>, u16);
    let hello = || vec![text("Hello")];
    let x23 = || vec![format!("binary \"{}\"", "x".repeat(23))];
    let tora = |words: [&str; 3]| words.map(text).to_vec();
    let (as_client, as_server, keeps, forgets) = (false, true, false, true);
    let rows: &[Row<'_>] = &[
        (JETTY, as_client, keeps, "c1 07 f248cdc9c90700", hello(), 0),
        (JETTY, as_client, keeps, "41 03 f248cd 80 04 c9c90700", hello(), 0),
        (
            JETTY,
            as_client,
            keeps,
            "c1 07 f248cdc9c90700 c1 05 f200110000",
            [hello(), hello()].concat(),
            0,
        ),
        (JETTY, as_client, keeps, "c1 0b 000500faff48656c6c6f00", hello(), 0),
        (JETTY, as_client, keeps, "c1 08 f348cdc9c9070000", hello(), 0),
        (JETTY, as_client, keeps, "c1 0d f248050000 00ffff cac9c90700", hello(), 0),
        (
            JETTY,
            as_client,
            keeps,
            "41 0c f248cdc9c95700000000ffff 00 0b 0acf2fca4901000000ffff 80 03 520400",
            vec![text("Hello World!")],
            0,
        ),
        (
            JETTY,
            as_client,
            keeps,
            "41 0c f248cdc9c95700000000ffff 40 0b 0acf2fca4901000000ffff c0 03 520400",
            vec![],
            1002,
        ),
        (
            JETTY,
            as_client,
            keeps,
            "c1 09 0ac92f4a0c01620000 c1 0b 722cc92f4a74cb01120000 c1 0b 0ac8c8c92f4a0c01620000",
            tora(["ToraTora", "AtoraFlora", "PhloraTora"]),
            0,
        ),
        (
            JETTY,
            as_client,
            keeps,
            "c1 06 2ac92f4a0400 c1 05 2a01620000 c1 04 02610000",
            tora(["tora", "tora", "tora"]),
            0,
        ),
        (
            JETTY,
            as_server,
            keeps,
            "c1 89 88bc1bb1 827534fb84bd79b188 c1 8b 508688b2 22aa419d1af243b3428688 \
             c1 8b e23e0553 e8f6cd9acd740952803e05",
            tora(["ToraTora", "AtoraFlora", "PhloraTora"]),
            0,
        ),
        (
            JETTY,
            as_server,
            keeps,
            "c1 86 6939fe91 43f0d1db6d39 c1 85 2df3eb96 07f289962d c1 84 53ada534 51cca534",
            tora(["tora", "tora", "tora"]),
            0,
        ),
        (WS, as_client, keeps, "c1 01 00 88 00 81 00", vec![text(""), "close 1005 \"\"".into()], 0),
        (WS, as_client, keeps, "40 00", vec![], 1002),
        (WS, as_client, keeps, "c9 00", vec![], 1002),
        (WEBSOCKETS, as_client, keeps, "c1 07 4a4e4c3bbc1200", vec![text("café")], 0),
        (WEBSOCKETS, as_client, keeps, "c2 05 2a494d0400", vec!["binary \"tea\"".into()], 0),
        (
            WEBSOCKETS,
            as_client,
            keeps,
            "41 0b 4a4e4c3bbc1200 0000ffff 00 09 5250530000 0000ffff 80 0c \
             4a2ecacf2c2e4ecc2b290600",
            vec![text("café & croissants")],
            0,
        ),
        (
            WEBSOCKETS,
            as_client,
            keeps,
            "c1 07 4a4e4c3bbc1200 c1 05 4a06110000",
            tora(["café"; 3])[..2].to_vec(),
            0,
        ),
        // websockets fails with 1002. Section 8 of RFC 7692 leaves the code open. In this crate, as
        // in wsproto, data that does not inflate fails with 1007.
        (
            WEBSOCKETS,
            as_client,
            forgets,
            "c1 07 4a4e4c3bbc1200 c1 05 4a06110000",
            vec![text("café")],
            1007,
        ),
        (
            WEBSOCKETS,
            as_client,
            forgets,
            "c1 07 4a4e4c3bbc1200 c1 07 4a4e4c3bbc1200",
            tora(["café"; 3])[..2].to_vec(),
            0,
        ),
        (WEBSOCKETS, as_client, keeps, "c1 0b 000500faff636166c3a900", vec![text("café")], 0),
        (WSPROTO_DEFLATE, as_client, keeps, "c2 06 aaa8c00a0000", x23(), 0),
        (WSPROTO_DEFLATE, as_client, keeps, "42 03 aaa8c0 80 03 0a0000", x23(), 0),
        (
            WSPROTO_DEFLATE,
            as_client,
            keeps,
            "89 00 c2 06 aaa8c00a0000",
            [vec!["ping \"\"".into()], x23()].concat(),
            0,
        ),
        (WSPROTO_DEFLATE, as_client, keeps, "c9 02 7878", vec![], 1002),
        (WSPROTO_DEFLATE, as_client, keeps, "c0 02 7878", vec![], 1002),
        (WSPROTO_DEFLATE, as_client, keeps, "c2 08 7878787878787878", vec![], 1007),
    ];
    for (source, as_server, per_message, digits, events, code) in rows {
        let run = compressed(*as_server, *per_message, Config::default(), &hex(digits));
        assert_eq!(verdict(&run), (&events[..], *code), "{source}: {digits}");
    }
    let twenty = hex("c1 06 4a4cc4040000");
    let run = compressed(false, false, limits(10, 100), &twenty);
    assert_eq!(verdict(&run).1, 1009, "{WEBSOCKETS}: 20 bytes where 10 are allowed");
    assert_eq!(
        verdict(&compressed(false, false, limits(20, 100), &twenty)).0,
        [text(&"a".repeat(20))]
    );
}

const FULL: Side = (15, true);

/// Source, limits for sending and receiving, offer, response.
type Offer<'a> = (&'a str, Side, Side, &'a str, &'a str);

/// Source, limits for sending and receiving, response, agreement.
type Response<'a> = (&'a str, Side, Side, &'a str, Option<(Side, Side)>);

#[test]
fn offers_to_a_server() {
    let rows: &[Offer<'_>] = &[
        (NETTY_SERVER, FULL, FULL, "", ""),
        (NETTY_SERVER, FULL, (10, true), "; client_max_window_bits", "; client_max_window_bits=10"),
        // Netty accepts an offer that does not allow a smaller client window, and uses 32 KiB. In
        // this crate a window limits memory, so an offer that does not allow the limit is declined.
        // ws declines too, and websockets has an option for it.
        (NETTY_SERVER, FULL, (10, true), "", "declined"),
        (WEBSOCKETS, FULL, (12, true), "", "declined"),
        (WS_DEFLATE, FULL, (10, true), "", "declined"),
        (NETTY_SERVER, FULL, FULL, "; server_max_window_bits=10", "; server_max_window_bits=10"),
        // Netty accepts the second offer, because on some platforms it cannot set a window. This
        // crate accepts the first.
        (
            NETTY_SERVER,
            FULL,
            FULL,
            "; server_max_window_bits=10, permessage-deflate",
            "; server_max_window_bits=10",
        ),
        // Netty declines by default. A server can always work without context takeover.
        (NETTY_SERVER, FULL, FULL, "; server_no_context_takeover", "; server_no_context_takeover"),
        // Netty's response does not repeat the parameter. Section 7.1.1.2 allows both. With the
        // parameter, both ends know.
        (NETTY_SERVER, FULL, FULL, "; client_no_context_takeover", "; client_no_context_takeover"),
        (
            WS_DEFLATE,
            FULL,
            FULL,
            "; server_no_context_takeover; server_no_context_takeover",
            "declined",
        ),
        (WS_DEFLATE, FULL, FULL, ";foo", "declined"),
        (WS_DEFLATE, FULL, FULL, "; client_no_context_takeover=10", "declined"),
        (WS_DEFLATE, FULL, FULL, "; server_no_context_takeover=10", "declined"),
        (WS_DEFLATE, FULL, FULL, "; server_max_window_bits=7", "declined"),
        (WS_DEFLATE, FULL, FULL, "; server_max_window_bits", "declined"),
        (WS_DEFLATE, FULL, FULL, "; client_max_window_bits=16", "declined"),
        (
            WS_DEFLATE,
            FULL,
            FULL,
            "; server_no_context_takeover; client_no_context_takeover; \
             server_max_window_bits=10; client_max_window_bits=11",
            "; server_no_context_takeover; client_no_context_takeover; \
             server_max_window_bits=10; client_max_window_bits=11",
        ),
        (
            WS_DEFLATE,
            (12, false),
            (11, false),
            "; server_max_window_bits=14; client_max_window_bits=13",
            "; server_no_context_takeover; client_no_context_takeover; \
             server_max_window_bits=12; client_max_window_bits=11",
        ),
        // ws declines a window smaller than its setting and accepts the next offer. In this crate
        // the setting is the largest window, not the smallest.
        (
            WS_DEFLATE,
            (11, true),
            FULL,
            "; server_max_window_bits=10, permessage-deflate",
            "; server_max_window_bits=10",
        ),
        (WEBSOCKETS, FULL, FULL, "; unknown", "declined"),
        (WEBSOCKETS, (15, false), FULL, "", "; server_no_context_takeover"),
        (WEBSOCKETS, FULL, (15, false), "", "; client_no_context_takeover"),
        (
            WEBSOCKETS,
            FULL,
            (15, false),
            "; client_no_context_takeover",
            "; client_no_context_takeover",
        ),
        (WEBSOCKETS, FULL, FULL, "; server_max_window_bits=16", "declined"),
        (WEBSOCKETS, FULL, FULL, "; server_max_window_bits=42", "declined"),
        // websockets and ws announce a smaller window of their own unasked. This is legal, but some
        // clients refuse it. Using a smaller window without announcing it costs nothing.
        (WEBSOCKETS, (12, true), FULL, "", ""),
        (
            WEBSOCKETS,
            (12, true),
            FULL,
            "; server_max_window_bits=10",
            "; server_max_window_bits=10",
        ),
        (
            WEBSOCKETS,
            (12, true),
            FULL,
            "; server_max_window_bits=12",
            "; server_max_window_bits=12",
        ),
        (
            WEBSOCKETS,
            (12, true),
            FULL,
            "; server_max_window_bits=13",
            "; server_max_window_bits=12",
        ),
        (
            WEBSOCKETS,
            (12, true),
            FULL,
            "; server_max_window_bits=12; server_max_window_bits=12",
            "declined",
        ),
        (WEBSOCKETS, FULL, FULL, "; client_max_window_bits", ""),
        (WEBSOCKETS, FULL, FULL, "; client_max_window_bits=7", "declined"),
        (WEBSOCKETS, FULL, FULL, "; client_max_window_bits=10", "; client_max_window_bits=10"),
        (WEBSOCKETS, FULL, (12, true), "; client_max_window_bits", "; client_max_window_bits=12"),
        (
            WEBSOCKETS,
            FULL,
            (12, true),
            "; client_max_window_bits=10",
            "; client_max_window_bits=10",
        ),
        (
            WEBSOCKETS,
            FULL,
            (12, true),
            "; client_max_window_bits=13",
            "; client_max_window_bits=12",
        ),
        (WEBSOCKETS, FULL, (12, true), "; client_max_window_bits=42", "declined"),
        // wsproto accepts the offer. Section 7.1.2.1: the parameter has a value.
        (
            WSPROTO_DEFLATE,
            FULL,
            FULL,
            "; client_max_window_bits; server_max_window_bits",
            "declined",
        ),
        (
            WSPROTO_DEFLATE,
            FULL,
            FULL,
            "; client_max_window_bits=9; server_max_window_bits=9; client_no_context_takeover; \
             server_no_context_takeover",
            "; server_no_context_takeover; client_no_context_takeover; \
             server_max_window_bits=9; client_max_window_bits=9",
        ),
    ];
    for (source, send, receive, offer, expected) in rows {
        let got = answer(&config(*send, *receive), &format!("permessage-deflate{offer}"));
        let expected = match *expected {
            "declined" => String::new(),
            parameters => format!("permessage-deflate{parameters}"),
        };
        assert_eq!(got, Ok(expected), "{source}: {send:?} {receive:?} {offer}");
    }
    // wsproto enables compression for any value. This crate refuses a malformed list (RFC 6455
    // section 9.1).
    let rubbish = answer(&config(FULL, FULL), "i am the lizard queen; worship me");
    assert_eq!(rubbish, Err("malformed"), "{WSPROTO_DEFLATE}");
}

#[test]
fn responses_to_a_client() {
    let rows: &[Response<'_>] = &[
        (NETTY_CLIENT, FULL, FULL, "", Some((FULL, FULL))),
        (
            NETTY_CLIENT,
            FULL,
            (10, false),
            "; client_max_window_bits=12; server_max_window_bits=8; \
             client_no_context_takeover; server_no_context_takeover",
            Some(((12, false), (8, false))),
        ),
        (
            NETTY_CLIENT,
            FULL,
            (10, false),
            "; server_max_window_bits=10; server_no_context_takeover",
            Some((FULL, (10, false))),
        ),
        (NETTY_CLIENT, FULL, (10, false), "", None),
        (
            NETTY_CLIENT,
            FULL,
            FULL,
            "; client_max_window_bits=15; server_max_window_bits=8",
            Some((FULL, (8, true))),
        ),
        (NETTY_CLIENT, FULL, FULL, "; client_max_window_bits=15; server_max_window_bits=7", None),
        (NETTY_CLIENT, FULL, FULL, "; server_no_context_takeover", Some((FULL, (15, false)))),
        (NETTY_CLIENT, FULL, (15, false), "", None),
        // Netty assumes 15. Section 7.1.2.2: only an offer may have the parameter without a value.
        // (ws fails too.)
        (NETTY_CLIENT, FULL, FULL, "; client_max_window_bits", None),
        (WS_DEFLATE, FULL, FULL, "; client_max_window_bits", None),
        (NETTY_CLIENT, FULL, FULL, "; client_max_window_bits=invalid", None),
        (
            WS_DEFLATE,
            FULL,
            FULL,
            "; server_no_context_takeover; client_no_context_takeover; \
             server_max_window_bits=10; client_max_window_bits=11",
            Some(((11, false), (10, false))),
        ),
        // ws has an option to fail. Section 7.1.1.2: a server may demand this, and it costs a
        // client only compression ratio.
        (WS_DEFLATE, FULL, FULL, "; client_no_context_takeover", Some(((15, false), FULL))),
        (WS_DEFLATE, (10, true), FULL, "; client_max_window_bits=11", None),
        (WS_DEFLATE, FULL, FULL, "; client_max_window_bits=16", None),
        (WS_DEFLATE, (10, true), FULL, "", Some(((10, true), FULL))),
        (WEBSOCKETS, FULL, FULL, "; unknown", None),
        (WEBSOCKETS, FULL, (15, false), "; server_no_context_takeover", Some((FULL, (15, false)))),
        (
            WEBSOCKETS,
            FULL,
            (15, false),
            "; server_no_context_takeover; server_no_context_takeover",
            None,
        ),
        (WEBSOCKETS, FULL, (15, false), "; server_no_context_takeover=42", None),
        (WEBSOCKETS, (15, false), FULL, "", Some(((15, false), FULL))),
        (
            WEBSOCKETS,
            (15, false),
            FULL,
            "; client_no_context_takeover; client_no_context_takeover",
            None,
        ),
        (WEBSOCKETS, FULL, FULL, "; server_max_window_bits=10", Some((FULL, (10, true)))),
        (WEBSOCKETS, FULL, FULL, "; server_max_window_bits=16", None),
        (WEBSOCKETS, FULL, (12, true), "", None),
        (WEBSOCKETS, FULL, (12, true), "; server_max_window_bits=10", Some((FULL, (10, true)))),
        (WEBSOCKETS, FULL, (12, true), "; server_max_window_bits=13", None),
        // websockets fails the response if it did not offer the parameter. Our offer always has the
        // parameter.
        (WEBSOCKETS, FULL, FULL, "; client_max_window_bits=10", Some(((10, true), FULL))),
        (WEBSOCKETS, (12, true), FULL, "; client_max_window_bits=12", Some(((12, true), FULL))),
        (WEBSOCKETS, (12, true), FULL, "; client_max_window_bits=13", None),
        (
            WEBSOCKETS,
            (12, false),
            (12, false),
            "; server_no_context_takeover; server_max_window_bits=12",
            Some(((12, false), (12, false))),
        ),
    ];
    for (source, send, receive, response, expected) in rows {
        let got = conclude(&config(*send, *receive), &format!("permessage-deflate{response}"));
        assert_eq!(got, *expected, "{source}: {send:?} {receive:?} {response}");
    }
}

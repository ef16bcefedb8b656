//! Tests `Broadcast`: a broadcast message has the frames that each sender would write itself.

use sockless::deflate::{Context, DeflateConfig, DeflateParams, Deflater, Flush, Pool, WindowBits};
use sockless::{
    Broadcast, Client, CloseCode, Config, Error, Event, FnEntropy, MessageKind, Misuse, ReadBuffer,
    Sender, Server, WebSocket, WriteBuffer,
};

const CONFIG: DeflateConfig = DeflateConfig::DEFAULT.with_threshold(64);

fn params(send: Context) -> DeflateParams {
    DeflateParams { send, receive: Context::FULL }
}

fn per_message(bits: u8) -> Context {
    Context { window_bits: WindowBits::new(bits).unwrap(), takeover: false }
}

/// Returns letters that repeat at a distance of 1,500 bytes. A window of 2 KiB contains the
/// repetition, one of 1 KiB does not.
fn words() -> String {
    letters(1500).repeat(12)
}

fn letters(len: usize) -> String {
    let mut state = 1u32;
    let letter = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b'a' + (state >> 24) as u8 % 26)
    };
    std::iter::repeat_with(letter).take(len).collect()
}

/// Returns the messages that a client with these parameters receives.
fn received(params: Option<DeflateParams>, wire: &[u8]) -> Vec<String> {
    let entropy = FnEntropy::new(|bytes: &mut [u8]| {
        bytes.fill(1);
        Ok(())
    });
    let mut client = WebSocket::from_upgraded(Client::new(entropy), Config::default());
    if let Some(DeflateParams { send, receive }) = params {
        let mirrored = DeflateParams { send: receive, receive: send };
        client = client.with_deflate(mirrored, &CONFIG);
    }
    let (mut rx, mut tx) = (ReadBuffer::growing(1 << 20), WriteBuffer::new([0; 512]));
    assert_eq!(rx.extend(wire), wire.len());
    let mut messages = Vec::new();
    while let Some(event) = client.receive(&mut rx, &mut tx) {
        match event {
            Event::Text(text) => messages.push(text.to_owned()),
            other => panic!("{other:?}"),
        }
    }
    messages
}

/// Checks which form each connection sends. It sends the shared compressed form if its window is
/// large enough and it keeps no context. Otherwise it compresses the message itself, or not at all.
/// Every client receives equal messages.
#[test]
fn each_connection_gets_the_form_that_it_can_read() {
    let text = words();
    let mut pool = Pool::new(1);
    let window = WindowBits::new(11).unwrap();
    let news = Broadcast::text(&text).compressed(&CONFIG, window, &mut pool);
    assert_eq!((news.kind(), news.payload()), (MessageKind::Text, text.as_bytes()));
    assert_eq!(pool.len(), 1, "the compressor's memory came back");

    let shared = {
        let mut tx = WriteBuffer::growing(1 << 16);
        let mut sender = Sender::server().with_deflate(params(per_message(11)), &CONFIG);
        sender.broadcast(&news, &mut tx).unwrap();
        assert_eq!(sender.deflate_stats().messages, text.len() as u64);
        tx.bytes().to_vec()
    };
    assert_eq!(shared[0], 0xc1, "FIN, RSV1, text");
    assert!(shared.len() < text.len() / 5);

    for (send, shares) in [
        (Some(per_message(11)), true),
        (Some(per_message(15)), true),
        (Some(per_message(10)), false),
        (Some(Context::FULL), false),
        (None, false),
    ] {
        let mut tx = WriteBuffer::growing(1 << 16);
        let mut sender = Sender::server();
        if let Some(send) = send {
            sender = sender.with_deflate(params(send), &CONFIG);
        }
        // Send the message twice, with another in between, to show that a kept context continues.
        sender.broadcast(&news, &mut tx).unwrap();
        assert_eq!(tx.bytes() == shared, shares, "{send:?}");
        sender.text("between", &mut tx).unwrap();
        sender.broadcast(&news, &mut tx).unwrap();
        let expected = [&text[..], "between", &text[..]];
        assert_eq!(received(send.map(params), tx.bytes()), expected, "{send:?}");
    }
}

/// Checks that a message stays uncompressed if compression is off, does not shorten it, or it is
/// below the threshold.
#[test]
fn some_messages_stay_uncompressed() {
    let send = per_message(15);
    let mut pool = Pool::new(1);
    let text = words();
    let news = Broadcast::text(&text).compressed(&CONFIG, WindowBits::MAX, &mut pool);
    let mut tx = WriteBuffer::growing(1 << 16);
    let mut sender = Sender::server().with_deflate(params(send), &CONFIG);
    sender.set_compress(false);
    sender.broadcast(&news, &mut tx).unwrap();
    assert_eq!((tx.bytes()[0], tx.len()), (0x81, 4 + text.len()));

    let short = Broadcast::text("short").compressed(&CONFIG, WindowBits::MAX, &mut pool);
    let mut tx = WriteBuffer::growing(1 << 16);
    sender.set_compress(true);
    sender.broadcast(&short, &mut tx).unwrap();
    assert_eq!(tx.bytes(), b"\x81\x05short");

    // The threshold is exact.
    for (len, first) in [(63, 0x81), (64, 0xc1)] {
        let text = "a".repeat(len);
        let news = Broadcast::text(&text).compressed(&CONFIG, WindowBits::MAX, &mut pool);
        let mut tx = WriteBuffer::growing(1 << 16);
        let own = CONFIG.with_threshold(1 << 16);
        let mut sender = Sender::server().with_deflate(params(send), &own);
        sender.broadcast(&news, &mut tx).unwrap();
        assert_eq!(tx.bytes()[0], first, "{len}");
    }

    // Each byte value once, so that nothing repeats.
    let noise: Vec<u8> = (0..200).map(|i: u8| i.wrapping_mul(151)).collect();
    let noise = Broadcast::binary(&noise).compressed(&CONFIG, WindowBits::MAX, &mut pool);
    let mut tx = WriteBuffer::growing(1 << 16);
    // A sender that would send a shorter form, and compresses nothing itself.
    let own = CONFIG.with_threshold(1 << 16);
    let mut sender = Sender::server().with_deflate(params(send), &own);
    sender.broadcast(&noise, &mut tx).unwrap();
    assert_eq!(tx.bytes()[..2], [0x82, 126]);

    // A connection that shares the form of a broadcast does not compress it again.
    let eager = CONFIG.with_threshold(0);
    let short = Broadcast::text("short").compressed(&CONFIG, WindowBits::MAX, &mut pool);
    let mut tx = WriteBuffer::growing(1 << 16);
    let mut sender = Sender::server().with_deflate(params(send), &eager);
    sender.broadcast(&noise, &mut tx).unwrap();
    assert_eq!(tx.bytes()[..2], [0x82, 126]);
    tx.clear();
    sender.broadcast(&short, &mut tx).unwrap();
    assert_eq!(tx.bytes(), b"\x81\x05short");
    assert_eq!(sender.deflate_stats().messages, 0);
}

/// Checks that a message whose compressed form is as long as the message stays uncompressed.
#[test]
fn an_equal_length_is_not_shorter() {
    let eager = CONFIG.with_threshold(0);
    let (mut pool, mut equal) = (Pool::new(1), 0);
    // Letters of which no two are equal, then equal ones.
    for repeated in 0..20 {
        let text: String = ('a'..='z').chain(std::iter::repeat_n('z', repeated)).collect();
        let mut deflater = Deflater::new(per_message(15), &eager);
        let mut bytes = vec![0; deflater.bound(text.len())];
        let compressed = deflater.deflate(text.as_bytes(), &mut bytes, Flush::End).produced;
        let news = Broadcast::text(&text).compressed(&eager, WindowBits::MAX, &mut pool);
        let mut tx = WriteBuffer::growing(1 << 16);
        let mut sender = Sender::server().with_deflate(params(per_message(15)), &eager);
        sender.broadcast(&news, &mut tx).unwrap();
        assert_eq!(tx.bytes()[0] == 0xc1, compressed < text.len(), "{repeated}");
        equal += usize::from(compressed == text.len());
    }
    assert!(equal > 0);
}

/// Checks that a broadcast keeps the order of frames, and that a refused broadcast writes nothing.
#[test]
fn the_order_of_frames_is_kept() {
    let text = words();
    let mut pool = Pool::new(1);
    for news in [
        Broadcast::text(&text),
        Broadcast::text(&text).compressed(&CONFIG, WindowBits::MAX, &mut pool),
    ] {
        let mut tx = WriteBuffer::growing(1 << 16);
        let mut sender = Sender::server().with_deflate(params(per_message(15)), &CONFIG);
        sender.set_compress(false);
        sender.fragment(MessageKind::Text, b"one", false, &mut tx).unwrap();
        sender.set_compress(true);
        let before = tx.len();
        assert_eq!(sender.broadcast(&news, &mut tx), Err(Misuse::MessageUnfinished.into()));
        sender.fragment(MessageKind::Text, b"two", true, &mut tx).unwrap();
        assert_eq!(tx.len(), before + 5);
        sender.broadcast(&news, &mut tx).unwrap();
        sender.close(CloseCode::NORMAL, "", &mut tx).unwrap();
        let before = tx.len();
        assert_eq!(sender.broadcast(&news, &mut tx), Err(Misuse::Closed.into()));
        assert_eq!(tx.len(), before);

        let mut small = WriteBuffer::new([0; 300]);
        let mut sender = Sender::server().with_deflate(params(per_message(15)), &CONFIG);
        sender.binary(&[0; 50], &mut small).unwrap();
        sender.set_compress(false);
        let plain = sender.broadcast(&news, &mut small);
        assert_eq!(plain, Err(Error::NeverFits { needed: 4 + text.len() + 139 }));
    }
}

/// Checks that a machine broadcasts only when it is open, and that a client masks the broadcast.
#[test]
fn a_machine_broadcasts_when_it_is_open() {
    let news = Broadcast::text("Hello");
    let mut tx = WriteBuffer::new([0; 512]);
    #[cfg(feature = "handshake")]
    {
        let mut server = WebSocket::server(Config::default());
        assert_eq!(server.send_broadcast(&news, &mut tx), Err(Misuse::NotOpen.into()));
    }
    let mut server = WebSocket::from_upgraded(Server, Config::default());
    server.send_broadcast(&news, &mut tx).unwrap();
    assert_eq!(tx.bytes(), b"\x81\x05Hello");
    tx.clear();
    let mut client = Sender::client(FnEntropy::new(|bytes: &mut [u8]| {
        bytes.copy_from_slice(&[0x37, 0xfa, 0x21, 0x3d]);
        Ok(())
    }));
    client.broadcast(&news, &mut tx).unwrap();
    // RFC 6455 section 5.7.
    assert_eq!(tx.bytes(), b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
}

/// A message that owns its payload can be queued for threads that own the connections.
#[test]
fn an_owned_message_crosses_threads() {
    let mut pool = Pool::new(1);
    let news = "news ".repeat(100);
    let news = Broadcast::text(news).compressed(&CONFIG, WindowBits::MAX, &mut pool);
    let news = std::sync::Arc::new(news);
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let news = std::sync::Arc::clone(&news);
            std::thread::spawn(move || {
                let mut tx = WriteBuffer::new([0; 1024]);
                Sender::server().broadcast(&news, &mut tx).unwrap();
                assert!(tx.bytes().ends_with(news.payload()));
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

struct TwoViews;

impl AsRef<str> for TwoViews {
    fn as_ref(&self) -> &str {
        "text"
    }
}

impl AsRef<[u8]> for TwoViews {
    fn as_ref(&self) -> &[u8] {
        b"\xff\xff"
    }
}

/// Checks that a text message is the `&str` of its payload, and can be any type that has one.
#[test]
fn a_text_broadcast_is_text() {
    let mut tx = WriteBuffer::new([0; 512]);
    Sender::server().broadcast(&Broadcast::text(TwoViews), &mut tx).unwrap();
    assert_eq!(tx.bytes(), b"\x81\x04text");
    tx.clear();
    Sender::server().broadcast(&Broadcast::binary(TwoViews), &mut tx).unwrap();
    assert_eq!(tx.bytes(), b"\x82\x02\xff\xff");
    tx.clear();
    let shared: std::rc::Rc<str> = "Hello".into();
    Sender::server().broadcast(&Broadcast::text(shared), &mut tx).unwrap();
    assert_eq!(tx.bytes(), b"\x81\x05Hello");
}

//! Tests contract 12: the size of an idle connection on a 64-bit machine. On smaller machines no
//! size is larger.

use sockless::{Client, EntropyError, Server, WebSocket};

type Entropy = fn(&mut [u8]) -> Result<(), EntropyError>;

/// Limit on the size without buffers. The goal is 64.
#[test]
fn an_open_server_connection_fits_into_128_bytes() {
    assert!(size_of::<WebSocket<Server>>() <= 128, "{}", size_of::<WebSocket<Server>>());
}

/// A client contains its entropy, here a function, and until the end of the handshake its nonce of
/// 16 bytes.
#[test]
fn a_client_connection_fits_into_128_bytes() {
    let size = size_of::<WebSocket<Client<Entropy>>>();
    assert!(size <= 128, "{size}");
}

/// The current size of each part, so that growth is a decision. The second number is with
/// `deflate`.
#[test]
#[cfg(target_pointer_width = "64")]
fn no_part_grows_unnoticed() {
    use sockless::keepalive::Keepalive;
    use sockless::{
        Chunk, Close, Config, EncodedHeader, Error, Event, Failure, FrameHeader, Incoming,
        ReadBuffer, Receiver, Sender, Utf8Validator, WriteBuffer,
    };

    let sizes = [
        ("WebSocket<Server>", size_of::<WebSocket<Server>>(), 80, 96),
        ("WebSocket<Client>", size_of::<WebSocket<Client<Entropy>>>(), 104, 128),
        ("Receiver", size_of::<Receiver>(), 56, 64),
        ("Sender<Server>", size_of::<Sender<Server>>(), 5, 16),
        ("Keepalive", size_of::<Keepalive>(), 64, 64),
        ("Config", size_of::<Config>(), 32, 32),
        ("ReadBuffer beside its memory", size_of::<ReadBuffer<[u8; 1024]>>() - 1024, 48, 80),
        ("WriteBuffer beside its memory", size_of::<WriteBuffer<[u8; 1024]>>() - 1024, 56, 56),
        ("Event", size_of::<Event<'_>>(), 64, 64),
        ("Incoming", size_of::<Incoming<'_>>(), 40, 40),
        ("Chunk", size_of::<Chunk<'_>>(), 40, 40),
        ("Close", size_of::<Close<'_>>(), 24, 24),
        ("Failure", size_of::<Failure>(), 16, 16),
        ("Error", size_of::<Error>(), 16, 16),
        ("FrameHeader", size_of::<FrameHeader>(), 16, 16),
        ("EncodedHeader", size_of::<EncodedHeader>(), 15, 15),
        ("Utf8Validator", size_of::<Utf8Validator>(), 3, 3),
    ];
    for (name, size, plain, deflate) in sizes {
        let most = if cfg!(feature = "deflate") { deflate } else { plain };
        println!("{name}: {size}");
        assert!(size <= most, "{name} has {size} bytes, had {most}");
    }
}

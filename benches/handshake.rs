//! Measures the opening handshake: a browser's request of about 630 bytes and 15 headers, whole and
//! in small pieces, and the response.

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use sockless::handshake::Accept;
use sockless::{Config, Event, ReadBuffer, WebSocket, WriteBuffer};

fn main() {
    divan::main();
}

const REQUEST: &[u8] = b"GET /live/feed?room=42 HTTP/1.1\r\n\
    Host: server.example.com:8001\r\n\
    Connection: Upgrade\r\n\
    Pragma: no-cache\r\n\
    Cache-Control: no-cache\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36\r\n\
    Upgrade: websocket\r\n\
    Origin: https://server.example.com\r\n\
    Sec-WebSocket-Version: 13\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n\
    Cookie: session=4f2a9c1e7b; theme=dark\r\n\
    Sec-GPC: 1\r\n\
    Sec-Fetch-Mode: websocket\r\n\
    Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\n\
    Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\
    \r\n";

/// Sizes of the pieces of the request. The last is the whole request.
#[divan::bench(args = [1, 64, REQUEST.len()])]
fn server(bencher: Bencher, piece: usize) {
    let (mut rx, mut tx) = (ReadBuffer::new([0; 2048]), WriteBuffer::new([0; 512]));
    bencher.counter(BytesCount::of_slice(REQUEST)).bench_local(|| {
        let mut ws = WebSocket::server(Config::default());
        for piece in REQUEST.chunks(piece) {
            rx.space()[..piece.len()].copy_from_slice(piece);
            rx.filled(piece.len());
            match ws.receive(&mut rx, &mut tx) {
                None => {}
                Some(Event::UpgradeRequest(request)) => {
                    ws.accept(&request, Accept::new(), &mut tx).expect("it fits");
                }
                Some(event) => panic!("{event:?}"),
            }
        }
        black_box(tx.bytes());
        assert!(!tx.is_empty());
        tx.clear();
    });
}

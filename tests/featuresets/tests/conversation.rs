//! Tests a server and a client that were connected elsewhere, with arrays as buffers. Every set of
//! features must pass.

use sockless::{
    Client, CloseCode, Config, EntropyError, Event, MessageKind, ReadBuffer, Server, State,
    WebSocket, WriteBuffer,
};

type Entropy = fn(&mut [u8]) -> Result<(), EntropyError>;
type Rx = ReadBuffer<[u8; 512]>;
type Tx = WriteBuffer<[u8; 1024]>;

fn server() -> WebSocket<Server> {
    WebSocket::from_upgraded(Server, Config::default())
}

fn client() -> WebSocket<Client<Entropy>> {
    WebSocket::from_upgraded(Client::new(|key| Ok(key.fill(7))), Config::default())
}

fn read_buffer() -> Rx {
    ReadBuffer::new([0; 512])
}

fn write_buffer() -> Tx {
    WriteBuffer::new([0; 1024])
}

/// Moves the output of one end into the input of the other.
fn carry(tx: &mut Tx, rx: &mut Rx) {
    assert_eq!(rx.extend(tx.bytes()), tx.bytes().len());
    tx.clear();
}

#[test]
fn messages_pings_and_a_close_in_both_directions() {
    let (mut server, mut client) = (server(), client());
    let (mut server_rx, mut server_tx) = (read_buffer(), write_buffer());
    let (mut client_rx, mut client_tx) = (read_buffer(), write_buffer());

    client.send_text("Grüße", &mut client_tx).unwrap();
    client.send_fragment(MessageKind::Binary, b"ab", false, &mut client_tx).unwrap();
    client.send_ping(b"still there?", &mut client_tx).unwrap();
    client.send_fragment(MessageKind::Binary, b"c", true, &mut client_tx).unwrap();
    carry(&mut client_tx, &mut server_rx);

    // The event borrows only the read buffer, so the server can send while it has the text.
    match server.receive(&mut server_rx, &mut server_tx) {
        Some(Event::Text(text)) => server.send_text(text, &mut server_tx).unwrap(),
        other => panic!("{other:?}"),
    }
    assert_eq!(server.receive(&mut server_rx, &mut server_tx), Some(Event::Ping(b"still there?")));
    assert_eq!(server.receive(&mut server_rx, &mut server_tx), Some(Event::Binary(b"abc")));
    assert_eq!(server.receive(&mut server_rx, &mut server_tx), None);
    carry(&mut server_tx, &mut client_rx);

    assert_eq!(client.receive(&mut client_rx, &mut client_tx), Some(Event::Text("Grüße")));
    assert_eq!(client.receive(&mut client_rx, &mut client_tx), Some(Event::Pong(b"still there?")));
    client.close(CloseCode::NORMAL, "done", &mut client_tx).unwrap();
    carry(&mut client_tx, &mut server_rx);

    match server.receive(&mut server_rx, &mut server_tx) {
        Some(Event::Close(close)) => {
            assert_eq!((close.code(), close.reason()), (CloseCode::NORMAL, "done"));
        }
        other => panic!("{other:?}"),
    }
    assert!(server.is_done());
    carry(&mut server_tx, &mut client_rx);
    assert!(matches!(
        client.receive(&mut client_rx, &mut client_tx),
        Some(Event::Close(close)) if close.code() == CloseCode::NORMAL
    ));
    assert_eq!(client.state(), State::Closed);
}

#[test]
fn a_long_text_in_chunks_through_a_small_buffer() {
    let (mut server, mut client) = (server(), client());
    let (mut rx, mut tx, mut replies) = (read_buffer(), write_buffer(), write_buffer());
    let part = "é".repeat(300);
    let mut received = 0;
    for i in 0..100 {
        client.send_fragment(MessageKind::Text, part.as_bytes(), i == 99, &mut tx).unwrap();
        while !tx.is_empty() {
            let n = rx.extend(tx.bytes());
            tx.consume(n);
            while let Some(event) = server.receive_chunks(&mut rx, &mut replies) {
                match event {
                    Event::Chunk(chunk) => {
                        assert!(chunk.bytes().iter().all(|byte| part.as_bytes().contains(byte)));
                        received += chunk.bytes().len();
                        assert_eq!(chunk.is_last(), received == 100 * part.len());
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
    }
    assert_eq!(received, 100 * part.len());
}

#[test]
fn a_violation_is_answered_by_its_close() {
    let mut server = server();
    let (mut rx, mut tx) = (read_buffer(), write_buffer());
    rx.extend(b"\x81\x05Hello"); // not masked
    assert!(matches!(server.receive(&mut rx, &mut tx), Some(Event::Failed(_))));
    assert_eq!(tx.bytes()[..4], [0x88, 2, 0x03, 0xea]);
    assert!(server.is_done());
}

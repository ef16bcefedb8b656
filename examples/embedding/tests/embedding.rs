//! Tests each example over loopback with real clients: tungstenite, h2, and bytes written by hand.
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::{thread, time::Duration};

use embedding::{h2_connect, hyper_upgrade, proxy, push_threads, wss_client};
use rustls::pki_types::PrivateKeyDer;
use sockless::{CloseCode, Event};
use tungstenite::protocol::frame::{
    Frame, coding::CloseCode as TheirCode, coding::Data, coding::OpCode,
};
use tungstenite::{Message, WebSocket, protocol::CloseFrame};

#[allow(dead_code, reason = "its `main`")]
#[path = "../examples/tokio_echo.rs"]
mod tokio_echo;

/// Longest wait. No passing test comes near it.
const LONG: Duration = Duration::from_secs(30);

fn socket(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(LONG)).unwrap();
    socket
}

fn client(address: SocketAddr) -> WebSocket<TcpStream> {
    tungstenite::client(format!("ws://{address}/"), socket(address)).unwrap().0
}

fn fragment(data: &'static str, opcode: Data, fin: bool) -> Message {
    Message::Frame(Frame::message(data.as_bytes(), OpCode::Data(opcode), fin))
}

/// Checks an echo server.
fn echoes(address: SocketAddr) {
    let mut ws = client(address);
    for message in [
        Message::text("Hello"),
        Message::binary(vec![7; 60_000]),
        Message::text("ö".repeat(20_000)),
        Message::text(""),
    ] {
        ws.send(message.clone()).unwrap();
        assert_eq!(ws.read().unwrap(), message);
    }
    ws.send(fragment("Hel", Data::Text, false)).unwrap();
    ws.send(Message::Ping("between".into())).unwrap();
    ws.send(fragment("lo", Data::Continue, true)).unwrap();
    let mut answers = [ws.read().unwrap(), ws.read().unwrap()];
    answers.sort_by_key(|answer| answer.is_pong());
    assert_eq!(answers, [Message::text("Hello"), Message::Pong("between".into())]);
    ws.close(Some(CloseFrame { code: TheirCode::Away, reason: "".into() })).unwrap();
    let Message::Close(Some(close)) = ws.read().unwrap() else { panic!("no Close") };
    assert_eq!(close.code, TheirCode::Away);
    assert!(matches!(ws.read(), Err(tungstenite::Error::ConnectionClosed)));

    closes_on_violation(address);
    refuses(address);
    vanishes(address);
}

/// Checks that the server answers an unmasked frame with 1002 and ends the stream.
fn closes_on_violation(address: SocketAddr) {
    let mut ws = client(address);
    ws.get_mut().write_all(b"\x81\x01x").unwrap();
    let Message::Close(Some(close)) = ws.read().unwrap() else { panic!("no Close") };
    assert_eq!(close.code, TheirCode::Protocol);
    assert!(matches!(ws.read(), Err(tungstenite::Error::ConnectionClosed)));
}

fn refuses(address: SocketAddr) {
    let mut page = socket(address);
    page.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    page.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    let mut old = socket(address);
    old.write_all(
        b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 8\r\n\r\n",
    )
    .unwrap();
    let mut answer = [0; 12];
    old.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 426");
}

/// Checks that a client that disconnects at any time harms no other client.
fn vanishes(address: SocketAddr) {
    drop(socket(address));
    socket(address).write_all(b"GET / HT").unwrap();
    drop(client(address));
    let mut ws = client(address);
    ws.send(fragment("begun", Data::Text, false)).unwrap();
    drop(ws);
    let mut ws = client(address);
    ws.send(Message::text("still there")).unwrap();
    assert_eq!(ws.read().unwrap(), Message::text("still there"));
}

/// Serves with tokio in a new thread, until the process of the test ends.
fn on_tokio<F>(serve: impl Fn(tokio::net::TcpStream) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    thread::spawn(move || {
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            loop {
                tokio::spawn(serve(listener.accept().await.unwrap().0));
            }
        })
    });
    address
}

fn tokio_echo_address() -> SocketAddr {
    on_tokio(|socket| async { drop(tokio_echo::serve(socket).await) })
}

#[test]
fn tokio_echo_echoes() {
    echoes(tokio_echo_address());
}

/// Sends a message larger than all buffers, and reads only after it.
#[test]
fn tokio_echo_passes_large_messages_on() {
    let mut ws = client(tokio_echo_address());
    let large = Message::binary(vec![1; 1 << 20]);
    ws.send(large.clone()).unwrap();
    assert_eq!(ws.read().unwrap(), large);
}

#[test]
fn hyper_upgrade_echoes() {
    echoes(on_tokio(|socket| async {
        let service = hyper::service::service_fn(hyper_upgrade::upgrade);
        let io = hyper_util::rt::TokioIo::new(socket);
        let http = hyper::server::conn::http1::Builder::new();
        let _ = http.serve_connection(io, service).with_upgrades().await;
    }));
}

fn proxy_to(upstream: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for socket in listener.incoming() {
            thread::spawn(move || proxy::serve(socket.unwrap(), upstream));
        }
    });
    address
}

#[test]
fn proxy_echoes() {
    echoes(proxy_to(tokio_echo_address()));
}

#[test]
fn proxy_answers_502_for_a_server_that_is_not_there() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let address = proxy_to(nobody);
    let Err(tungstenite::HandshakeError::Failure(tungstenite::Error::Http(response))) =
        tungstenite::client(format!("ws://{address}/"), socket(address))
    else {
        panic!("accepted")
    };
    assert_eq!(response.status(), 502);
}

/// Checks that the server receives a Close after the client disconnects without one.
#[test]
fn proxy_closes_to_the_server_when_the_client_vanishes() {
    let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = proxy_to(upstream.local_addr().unwrap());
    let server = thread::spawn(move || {
        let socket = upstream.accept().unwrap().0;
        socket.set_read_timeout(Some(LONG)).unwrap();
        let mut ws = tungstenite::accept(socket).unwrap();
        ws.send(Message::binary(vec![7; 200_000])).unwrap(); // more than one read takes
        ws.read().unwrap()
    });
    let ws = client(address);
    ws.get_ref().peek(&mut [0]).unwrap();
    drop(ws); // with unread input: its socket is reset
    let Message::Close(Some(close)) = server.join().unwrap() else { panic!("no Close") };
    assert_eq!(close.code, TheirCode::Away);
}

/// Checks that the first fragment arrives before the last is sent.
#[test]
fn proxy_does_not_wait_for_the_end_of_a_message() {
    let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut ws = client_of(&upstream, proxy_to(upstream.local_addr().unwrap()));
    ws.0.send(fragment("Hel", Data::Text, false)).unwrap();
    let mut frame = [0; 9]; // masked
    ws.1.read_exact(&mut frame).unwrap();
    assert_eq!(frame[..2], [0x01, 0x83]);
}

/// Returns a client of the proxy at `address`, and the server's raw end of the connection.
fn client_of(upstream: &TcpListener, address: SocketAddr) -> (WebSocket<TcpStream>, TcpStream) {
    thread::scope(|scope| {
        let server = scope.spawn(|| tungstenite::accept(upstream.accept().unwrap().0).unwrap());
        let ws = client(address);
        (ws, server.join().unwrap().into_inner())
    })
}

fn room_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || push_threads::listen(&listener));
    address
}

#[test]
fn push_threads_echo_to_who_is_alone() {
    echoes(room_address());
}

#[test]
fn push_threads_push_to_all() {
    let address = room_address();
    let mut clients = [client(address), client(address), client(address)];
    // A client that has its own message back is a member.
    for client in &mut clients {
        client.send(Message::text("here")).unwrap();
        assert_eq!(client.read().unwrap(), Message::text("here"));
    }
    clients[0].send(Message::text("to all")).unwrap();
    for client in &mut clients {
        while client.read().unwrap() != Message::text("to all") {}
    }
}

/// Checks that a member that does not read is disconnected, and the others continue.
#[test]
fn push_threads_disconnect_who_does_not_read() {
    let address = room_address();
    let mut deaf = client(address);
    deaf.send(Message::text("here")).unwrap();
    assert_eq!(deaf.read().unwrap(), Message::text("here"));
    let mut ws = client(address);
    let message = Message::binary(vec![7; 60_000]);
    for _ in 0..1000 {
        ws.send(message.clone()).unwrap();
        assert_eq!(ws.read().unwrap(), message);
    }
    let mut rest = Vec::new();
    match deaf.get_mut().read_to_end(&mut rest) {
        Ok(n) => assert!(n < 1000 * 60_000, "{n}"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
}

#[test]
fn wss_client_asks() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let tls = rustls::ServerConnection::new(Arc::new(config)).unwrap();
        let socket = listener.accept().unwrap().0;
        let mut ws = tungstenite::accept(rustls::StreamOwned::new(tls, socket)).unwrap();
        ws.send(Message::Ping("first".into())).unwrap();
        loop {
            match ws.read() {
                Ok(message) if message.is_text() => {
                    ws.write(fragment("Hel", Data::Text, false)).unwrap();
                    ws.send(fragment("lo", Data::Continue, true)).unwrap();
                }
                Ok(_) => {}
                Err(error) => return error,
            }
        }
    });
    let mut roots = rustls::RootCertStore::empty();
    let ask = |roots| {
        let tls =
            rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let uri = format!("wss://localhost:{}/", address.port());
        wss_client::ask(&uri, address, Arc::new(tls), "Hello?").map_err(|error| error.to_string())
    };
    roots.add(certificate).unwrap();
    assert_eq!(ask(roots), Ok(("Hello".to_owned(), CloseCode::NORMAL)));
    assert!(matches!(server.join().unwrap(), tungstenite::Error::ConnectionClosed));
}

fn h2_address() -> SocketAddr {
    on_tokio(|socket| async {
        let mut builder = h2::server::Builder::new();
        let mut connection = builder.enable_connect_protocol().handshake(socket).await.unwrap();
        while let Some(Ok((request, respond))) = connection.accept().await {
            tokio::spawn(async { drop(h2_connect::serve(request, respond).await) });
        }
    })
}

async fn h2_requests(address: SocketAddr) -> h2::client::SendRequest<bytes::Bytes> {
    let socket = tokio::net::TcpStream::connect(address).await.unwrap();
    let (requests, connection) = h2::client::handshake(socket).await.unwrap();
    tokio::spawn(connection);
    while !requests.is_extended_connect_protocol_enabled() {
        tokio::task::yield_now().await; // the server's SETTINGS are on their way
    }
    requests
}

#[tokio::test]
async fn h2_connect_echoes_on_two_streams_of_a_connection() {
    let requests = h2_requests(h2_address()).await;
    for text in ["Hello".to_owned(), "ö".repeat(100_000)] {
        let (mut answer, mut code) = (String::new(), None);
        h2_connect::connect(requests.clone(), "ws://localhost/", |ws, event, tx| match event {
            None => {
                ws.send_ping(b"", tx)?;
                let (begin, end) = text.as_bytes().split_at(text.len() / 2 + 1);
                ws.send_fragment(sockless::MessageKind::Text, begin, false, tx)?;
                ws.send_fragment(sockless::MessageKind::Text, end, true, tx)
            }
            Some(Event::Text(text)) => {
                answer = text.to_owned();
                ws.close(CloseCode::NORMAL, "", tx)
            }
            Some(Event::Close(close)) => {
                code = Some(close.code());
                Ok(())
            }
            _ => Ok(()),
        })
        .await
        .unwrap();
        assert!(answer == text);
        assert_eq!(code, Some(CloseCode::NORMAL));
    }
}

#[tokio::test]
async fn h2_connect_refuses_what_is_no_websocket() {
    let mut requests = h2_requests(h2_address()).await;
    let page = http::Request::get("http://localhost/").body(()).unwrap();
    assert_eq!(requests.send_request(page, true).unwrap().0.await.unwrap().status(), 404);
    let old = http::Request::builder()
        .method("CONNECT")
        .uri("http://localhost/")
        .header("sec-websocket-version", "8")
        .extension(h2::ext::Protocol::from_static("websocket"))
        .body(())
        .unwrap();
    let response = requests.send_request(old, false).unwrap().0.await.unwrap();
    assert_eq!(response.status(), 400);
    assert_eq!(response.headers()["sec-websocket-version"], "13");
}

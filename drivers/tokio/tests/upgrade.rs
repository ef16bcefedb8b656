//! The examples for axum, hyper and h2 answer a real client, over HTTP/1.1 and over extended
//! CONNECT.

#[path = "../examples/axum.rs"]
#[allow(dead_code)]
mod axum_example;
#[path = "../examples/h2.rs"]
#[allow(dead_code)]
mod h2_example;
#[path = "../examples/hyper.rs"]
#[allow(dead_code)]
mod hyper_example;

use hyper_util::rt::{TokioExecutor, TokioIo};
use sockless_tokio::http::{connected, extended_connect};
use sockless_tokio::{CloseCode, Error, Message, Options, WebSocketStream, connect, connect_with};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

async fn echoes<IO: AsyncRead + AsyncWrite + Unpin>(mut ws: WebSocketStream<IO>) {
    for message in [Message::text("Grüße"), Message::binary(vec![7; 100_000])] {
        ws.send(message.clone()).await.unwrap();
        assert_eq!(ws.next().await.unwrap().unwrap(), message);
    }
    ws.close(CloseCode::NORMAL, "").await.unwrap();
}

/// Serves the connections of one listener by the example's service.
async fn serve_hyper() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(hyper_example::serve_all(listener));
    address.to_string()
}

#[tokio::test]
async fn axum_answers() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(axum_example::serve(listener));
    echoes(connect(&format!("ws://{address}/echo")).await.unwrap()).await;
    let refused = connect(&format!("ws://{address}/other")).await;
    let Err(Error::Refused(refused)) = refused else { panic!("{refused:?}") };
    assert_eq!(refused.status(), 404);
}

#[tokio::test]
async fn hyper_answers_over_http_1() {
    let address = serve_hyper().await;
    let options = Options::new().subprotocols(["chat"]);
    let ws = connect_with(&format!("ws://{address}/"), &options).await.unwrap();
    assert_eq!(ws.subprotocol(), None);
    echoes(ws).await;
}

#[tokio::test]
async fn a_request_for_a_page_is_refused() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut socket = TcpStream::connect(serve_hyper().await).await.unwrap();
    let request = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    socket.write_all(request).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 426 "), "{answer}");
    assert!(answer.contains("sec-websocket-version: 13"), "{answer}");
}

/// Both roles over HTTP/2: two WebSockets on one connection.
#[tokio::test]
async fn hyper_answers_over_http_2() {
    let address = serve_hyper().await;
    let socket = TcpStream::connect(&address).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(socket))
            .await
            .unwrap();
    tokio::spawn(connection);
    let uri = format!("ws://{address}/chat");
    let options = Options::new();
    for _ in 0..2 {
        let request = extended_connect(&uri, &options).unwrap();
        let response = sender.send_request(request.map(|()| String::new())).await.unwrap();
        assert_eq!(response.status(), 200);
        echoes(connected(response, &uri, &options).await.unwrap()).await;
    }
}

/// Opens a connection of the `h2` crate. Returns what sends requests on it, and the task that moves
/// its bytes.
async fn h2_connection(
    address: &str,
) -> (h2::client::SendRequest<bytes::Bytes>, tokio::task::JoinHandle<Result<(), h2::Error>>) {
    let socket = TcpStream::connect(address).await.unwrap();
    let (requests, connection) = h2::client::handshake(socket).await.unwrap();
    let task = tokio::spawn(connection);
    // The server's settings, which allow extended CONNECT, come with its first frame.
    let allowed = async {
        while !requests.is_extended_connect_protocol_enabled() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), allowed).await.unwrap();
    (requests, task)
}

async fn serve_h2() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            tokio::spawn(h2_example::serve(socket));
        }
    });
    address.to_string()
}

/// A client on the `h2` crate, and our server on hyper.
#[tokio::test]
async fn hyper_answers_a_client_of_h2() {
    let address = serve_hyper().await;
    let (requests, _task) = h2_connection(&address).await;
    for _ in 0..2 {
        let uri = format!("ws://{address}/");
        echoes(h2_example::connect(requests.clone(), &uri).await.unwrap()).await;
    }
}

/// A client on hyper, and our server on the `h2` crate.
#[tokio::test]
async fn h2_answers_a_client_of_hyper() {
    let address = serve_h2().await;
    let socket = TcpStream::connect(&address).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(socket))
            .await
            .unwrap();
    tokio::spawn(connection);
    let (uri, options) = (format!("ws://{address}/chat"), Options::new());
    let request = extended_connect(&uri, &options).unwrap();
    let response = sender.send_request(request.map(|()| String::new())).await.unwrap();
    echoes(connected(response, &uri, &options).await.unwrap()).await;
}

#[tokio::test]
async fn h2_answers_h2_in_both_roles() {
    let address = serve_h2().await;
    let (requests, _task) = h2_connection(&address).await;
    let uri = format!("ws://{address}/");
    let (one, other) = tokio::join!(
        h2_example::connect(requests.clone(), &uri),
        h2_example::connect(requests.clone(), &uri),
    );
    tokio::join!(echoes(one.unwrap()), echoes(other.unwrap()));
}

#[tokio::test]
async fn h2_refuses_a_wrong_version() {
    let address = serve_h2().await;
    let (mut requests, _task) = h2_connection(&address).await;
    let request = http::Request::builder()
        .method(http::Method::CONNECT)
        .uri(format!("http://{address}/"))
        .header("sec-websocket-version", "8")
        .extension(h2::ext::Protocol::from_static("websocket"))
        .body(())
        .unwrap();
    let (response, _) = requests.send_request(request, false).unwrap();
    let response = response.await.unwrap();
    // A 426 would need an `Upgrade` field, which HTTP/2 does not have.
    assert_eq!(response.status(), 400);
    assert_eq!(response.headers()["sec-websocket-version"], "13");
}

/// The connection below the stream ends without a Close.
#[tokio::test]
async fn a_vanished_http_2_connection_is_an_error() {
    let address = serve_h2().await;
    let (requests, task) = h2_connection(&address).await;
    let mut ws = h2_example::connect(requests, &format!("ws://{address}/")).await.unwrap();
    ws.send("Hello").await.unwrap();
    assert_eq!(ws.next().await.unwrap().unwrap(), Message::text("Hello"));
    task.abort();
    assert!(matches!(ws.next().await, Some(Err(Error::Io(_)))));
    assert!(ws.next().await.is_none());
}

//! The examples for axum and hyper answer a real client, over HTTP/1.1 and over extended
//! CONNECT.

#[path = "../examples/axum.rs"]
#[allow(dead_code)]
mod axum_example;
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

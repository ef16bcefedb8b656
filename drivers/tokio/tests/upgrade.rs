//! The examples for axum and hyper answer a real client, over HTTP/1.1 and over extended
//! CONNECT.

#[path = "../examples/axum.rs"]
#[allow(dead_code)]
mod axum_example;
#[path = "../examples/hyper.rs"]
#[allow(dead_code)]
mod hyper_example;

use http::{Request, Version};
use hyper::ext::Protocol;
use hyper_util::rt::{TokioExecutor, TokioIo};
use sockless_tokio::http::{connected, extended_connect, upgrade};
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
    for line in ["sec-websocket-version: 13", "upgrade: websocket", "connection: Upgrade"] {
        assert!(answer.contains(line), "{answer}");
    }
}

/// The response to a request that hyper would have read.
fn refused(request: http::request::Builder) -> http::Response<String> {
    upgrade(&mut request.body(()).unwrap(), &Options::new()).err().unwrap()
}

/// A request for a WebSocket.
fn asking(version: Version) -> http::request::Builder {
    Request::get("/")
        .version(version)
        .header("host", "a")
        .header("upgrade", "websocket")
        .header("connection", "upgrade")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
}

/// RFC 9110 section 7.8: a server ignores `Upgrade` in HTTP/1.0. RFC 6455 section 4.2.1 demands
/// HTTP/1.1 or higher.
#[test]
fn http_1_0_is_refused() {
    assert!(upgrade(&mut asking(Version::HTTP_11).body(()).unwrap(), &Options::new()).is_ok());
    for version in [Version::HTTP_09, Version::HTTP_10] {
        assert_eq!(refused(asking(version)).status(), 505, "{version:?}");
    }
}

/// RFC 9113 section 8.2.2: HTTP/2 has no connection-specific header fields.
#[test]
fn http_2_is_refused_without_an_upgrade() {
    for version in [Version::HTTP_2, Version::HTTP_3] {
        let page = Request::get("https://a/").version(version);
        let other = Request::connect("https://a/")
            .version(version)
            .extension(Protocol::from_static("connect-udp"));
        let old = Request::connect("https://a/")
            .version(version)
            .extension(Protocol::from_static("websocket"))
            .header("sec-websocket-version", "8");
        for (request, status) in [(page, 400), (other, 501), (old, 400)] {
            let refusal = refused(request);
            assert_eq!(refusal.status(), status, "{version:?}");
            assert!(!refusal.body().contains("Host"), "{refusal:?}");
            for name in ["upgrade", "connection"] {
                assert!(!refusal.headers().contains_key(name), "{refusal:?}");
            }
        }
    }
}

/// RFC 9110 section 7.8: who sends `Upgrade` sends the connection option of that name too.
#[test]
fn a_426_has_the_connection_option() {
    let old = Request::get("/")
        .header("host", "a")
        .header("upgrade", "websocket")
        .header("connection", "upgrade")
        .header("sec-websocket-version", "8");
    for request in [Request::get("/").header("host", "a"), old] {
        let refusal = refused(request);
        assert_eq!(refusal.status(), 426);
        assert_eq!(refusal.headers()["upgrade"], "websocket");
        let options: Vec<_> = refusal.headers().get_all("connection").iter().collect();
        assert_eq!(options, ["Upgrade"]);
    }
}

#[test]
fn another_method_gets_a_405() {
    let refusal = refused(Request::post("/").header("host", "a"));
    assert_eq!(refusal.status(), 405);
    assert_eq!(refusal.headers()["allow"], "GET");
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

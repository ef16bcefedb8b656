//! WebSockets on streams of the `h2` crate, in both roles: the example against raw frames, against
//! itself and against hyper, and peers that vanish.

#[path = "../examples/h2.rs"]
#[allow(dead_code)]
mod h2_example;
#[path = "../examples/hyper.rs"]
#[allow(dead_code)]
mod hyper_example;

use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use h2::ext::Protocol;
use h2::{Reason, RecvStream, SendStream};
use h2_example::H2Stream;
use http::{Request, Response};
use sockless_tokio::{CloseCode, Error, Message, Options, Role, Timeout, WebSocketStream};
use tokio::io::{AsyncRead, AsyncWrite, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

/// Opens a connection, which a task of its own drives, and waits for the server's settings.
async fn client_of(io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> SendRequest<Bytes> {
    let (requests, connection) = h2::client::handshake(io).await.unwrap();
    tokio::spawn(connection);
    let mut requests = requests.ready().await.unwrap();
    while !requests.is_extended_connect_protocol_enabled() {
        tokio::task::yield_now().await;
        requests = requests.ready().await.unwrap();
    }
    requests
}

/// A connection of the crate to the example's server.
async fn client() -> SendRequest<Bytes> {
    let (ours, theirs) = duplex(4096);
    tokio::spawn(h2_example::serve(theirs));
    client_of(ours).await
}

/// Sends a request by hand.
async fn request(
    requests: SendRequest<Bytes>,
    protocol: &'static str,
    version: &str,
) -> (Response<RecvStream>, SendStream<Bytes>) {
    let request = Request::connect("http://localhost/chat")
        .extension(Protocol::from_static(protocol))
        .header("sec-websocket-version", version)
        .body(())
        .unwrap();
    let (response, sender) = requests.ready().await.unwrap().send_request(request, false).unwrap();
    (response.await.unwrap(), sender)
}

async fn echoes<IO: AsyncRead + AsyncWrite + Unpin>(mut ws: WebSocketStream<IO>) {
    for message in [Message::text("Grüße"), Message::binary(vec![7; 300_000])] {
        ws.send(message.clone()).await.unwrap();
        assert_eq!(ws.next().await.unwrap().unwrap(), message);
    }
    ws.close(CloseCode::NORMAL, "").await.unwrap();
}

/// The server's side: frames written by hand, and the end of the stream.
#[tokio::test]
async fn raw_frames_of_an_h2_client_are_answered() {
    let (response, mut sender) = request(client().await, "websocket", "13").await;
    assert_eq!(response.status(), 200);
    assert!(!response.headers().contains_key("sec-websocket-accept"));
    let mut receiver = response.into_body();
    let hello = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58\x88\x82\0\0\0\0\x03\xe8";
    sender.send_data(Bytes::from_static(hello), false).unwrap();
    let mut received = Vec::new();
    while let Some(data) = receiver.data().await {
        received.extend(data.unwrap());
    }
    assert_eq!(received, b"\x81\x05Hello\x88\x02\x03\xe8");
    // Their direction ended in order; ours is still open.
    sender.send_data(Bytes::new(), true).unwrap();
}

#[tokio::test]
async fn requests_for_something_else_are_refused() {
    let requests = client().await;
    let (response, _) = request(requests.clone(), "connect-udp", "13").await;
    assert_eq!(response.status(), 404);
    let (response, _) = request(requests, "websocket", "8").await;
    assert_eq!(response.status(), 400);
    assert_eq!(response.headers()["sec-websocket-version"], "13");
}

/// The client's side against a server of h2 that answers by hand.
#[tokio::test]
async fn a_client_speaks_with_a_raw_h2_server() {
    let (ours, theirs) = duplex(4096);
    let server = tokio::spawn(async move {
        let mut builder = h2::server::Builder::new();
        let mut connection =
            builder.enable_connect_protocol().handshake::<_, Bytes>(theirs).await.unwrap();
        let (request, mut respond) = connection.accept().await.unwrap().unwrap();
        assert_eq!(request.extensions().get::<Protocol>().unwrap().as_str(), "websocket");
        assert_eq!(request.uri(), "http://localhost/chat?x=1");
        assert_eq!(request.headers()["sec-websocket-version"], "13");
        assert!(!request.headers().contains_key("sec-websocket-key"));
        let mut sender = respond.send_response(Response::new(()), false).unwrap();
        sender.send_data(Bytes::from_static(b"\x81\x05Hello\x88\x02\x03\xe8"), true).unwrap();
        tokio::spawn(async move { while connection.accept().await.is_some() {} });
        let mut receiver = request.into_body();
        let mut received = Vec::new();
        while let Some(data) = receiver.data().await {
            let data = data.unwrap();
            receiver.flow_control().release_capacity(data.len()).unwrap();
            received.extend(data);
        }
        received
    });
    let requests = client_of(ours).await;
    let uri = "ws://localhost/chat?x=1";
    let mut ws = h2_example::connect(requests, uri, &Options::new()).await.unwrap();
    assert_eq!(ws.next().await.unwrap().unwrap(), Message::text("Hello"));
    assert!(matches!(ws.next().await, Some(Ok(Message::Close(Some(_))))));
    assert!(ws.next().await.is_none());
    // A masked Close with the same code, and then the end of the stream.
    let received = server.await.unwrap();
    assert_eq!(received[..2], [0x88, 0x82]);
    assert_eq!([received[6] ^ received[2], received[7] ^ received[3]], [3, 0xe8]);
    assert_eq!(received.len(), 8);
}

/// Both roles on one connection, with compression, two streams at a time.
#[tokio::test]
async fn both_roles_over_h2() {
    let requests = client().await;
    let options = Options::new();
    let (a, b) = tokio::join!(
        h2_example::connect(requests.clone(), "ws://localhost/a", &options),
        h2_example::connect(requests, "ws://localhost/b", &options)
    );
    let (a, b) = (a.unwrap(), b.unwrap());
    assert!(a.is_compressed() && b.is_compressed());
    tokio::join!(echoes(a), echoes(b));
}

#[tokio::test]
async fn a_client_of_h2_speaks_with_hyper() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(hyper_example::serve_all(listener));
    let requests = client_of(TcpStream::connect(address).await.unwrap()).await;
    let uri = format!("ws://{address}/chat");
    echoes(h2_example::connect(requests, &uri, &Options::new()).await.unwrap()).await;
}

#[tokio::test]
async fn a_client_of_hyper_speaks_with_a_server_of_h2() {
    use hyper_util::rt::{TokioExecutor, TokioIo};
    use sockless_tokio::http::{connected, extended_connect};
    let (ours, theirs) = duplex(4096);
    tokio::spawn(h2_example::serve(theirs));
    let (mut requests, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(ours))
            .await
            .unwrap();
    tokio::spawn(connection);
    let (uri, options) = ("ws://localhost/chat", Options::new());
    let request = extended_connect(uri, &options).unwrap();
    let response = requests.send_request(request.map(|()| String::new())).await.unwrap();
    echoes(connected(response, uri, &options).await.unwrap()).await;
}

/// An open stream: the driver's end, in the role that is asked for, and the other end by hand.
struct Open {
    ws: WebSocketStream<H2Stream>,
    receiver: RecvStream,
    sender: SendStream<Bytes>,
    /// The tasks of the connection at the other end and at the driver's.
    theirs: tokio::task::JoinHandle<()>,
    _ours: tokio::task::JoinHandle<()>,
}

async fn open(role: Role) -> Open {
    let (client_io, server_io) = duplex(4096);
    let mut builder = h2::server::Builder::new();
    let server = builder.enable_connect_protocol().handshake::<_, Bytes>(server_io);
    let (server, client) = tokio::join!(server, h2::client::handshake(client_io));
    let (mut server, (requests, client)) = (server.unwrap(), client.unwrap());
    let client = tokio::spawn(async move {
        let _ = client.await;
    });
    let (sent, accepted) = tokio::sync::oneshot::channel();
    let server = tokio::spawn(async move {
        if let Some(Ok(stream)) = server.accept().await {
            assert!(sent.send(stream).is_ok());
        }
        while server.accept().await.is_some() {}
    });
    let request = Request::connect("http://localhost/")
        .extension(Protocol::from_static("websocket"))
        .body(())
        .unwrap();
    let mut requests = requests.ready().await.unwrap();
    while !requests.is_extended_connect_protocol_enabled() {
        tokio::task::yield_now().await;
        requests = requests.ready().await.unwrap();
    }
    let (response, client_sender) = requests.send_request(request, false).unwrap();
    let (request, mut respond) = accepted.await.unwrap();
    let server_sender = respond.send_response(Response::new(()), false).unwrap();
    let client_receiver = response.await.unwrap().into_body();
    let at_client = (client_receiver, client_sender, client);
    let at_server = (request.into_body(), server_sender, server);
    let (ours, theirs) = match role {
        Role::Client => (at_client, at_server),
        Role::Server => (at_server, at_client),
    };
    let io = H2Stream::new(ours.0, ours.1);
    let ws = WebSocketStream::from_upgraded(io, role, None, b"", &Options::new());
    Open { ws, receiver: theirs.0, sender: theirs.1, theirs: theirs.2, _ours: ours.2 }
}

/// The peer's connection goes away under an open stream.
#[tokio::test]
async fn a_connection_that_ends_is_an_error() {
    for role in [Role::Server, Role::Client] {
        let Open { mut ws, theirs, _ours, receiver: _receiver, sender: _sender } = open(role).await;
        let waiting = tokio::spawn(async move {
            let first = ws.next().await;
            (first, ws.next().await.is_none(), ws.send("late").await)
        });
        tokio::task::yield_now().await;
        theirs.abort();
        let (first, over, sent) = waiting.await.unwrap();
        assert!(matches!(first, Some(Err(Error::Io(_)))), "{role:?}: {first:?}");
        assert!(over, "{role:?}");
        assert!(sent.is_err(), "{role:?}");
    }
}

/// RFC 8441 section 5.3: a reset of the stream is as a reset of TCP.
#[tokio::test]
async fn a_stream_that_is_reset_is_an_error() {
    for role in [Role::Server, Role::Client] {
        let Open { mut ws, mut sender, theirs: _theirs, _ours, receiver: _receiver } =
            open(role).await;
        sender.send_reset(Reason::CANCEL);
        let first = ws.next().await;
        assert!(matches!(first, Some(Err(Error::Io(_)))), "{role:?}: {first:?}");
        assert!(ws.next().await.is_none());
    }
}

/// RFC 8441 section 5.3: the end of the stream is as the FIN of TCP.
#[tokio::test]
async fn a_stream_that_ends_without_a_close_is_an_error() {
    for role in [Role::Server, Role::Client] {
        let Open { mut ws, mut sender, theirs: _theirs, _ours, receiver: _receiver } =
            open(role).await;
        sender.send_data(Bytes::new(), true).unwrap();
        let first = ws.next().await;
        assert!(matches!(first, Some(Err(Error::UnexpectedEnd))), "{role:?}: {first:?}");
        assert!(ws.next().await.is_none());
    }
}

/// A peer that is silent: it is pinged, and given up.
#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_given_up() {
    for role in [Role::Server, Role::Client] {
        let Open { mut ws, mut receiver, sender: _sender, theirs: _theirs, _ours } =
            open(role).await;
        let begun = Instant::now();
        let first = ws.next().await;
        assert!(matches!(first, Some(Err(Error::TimedOut(Timeout::Pong)))), "{role:?}: {first:?}");
        assert_eq!(begun.elapsed(), Duration::from_secs(50), "{role:?}");
        let ping = receiver.data().await.unwrap().unwrap();
        assert_eq!(ping[0], 0x89, "{role:?}");
    }
}

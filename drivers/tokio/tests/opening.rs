//! The opening handshake when it does not go as wished, and what its ends learn of each other.

use std::fmt::Debug;
use std::time::Duration;

use sockless_tokio::{
    Acceptance, Error, Message, Options, Refusal, RequestHead, Role, SplitTransport, Timeout,
    WebSocketStream, accept, accept_with, client, client_with,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufStream, DuplexStream, duplex, join, split};
use tokio::time::Instant;

const REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// Our end of a pipe of `size` bytes into which the peer has sent `bytes`, and the peer's.
async fn asked(size: usize, bytes: &[u8]) -> (DuplexStream, DuplexStream) {
    let (a, mut raw) = duplex(size);
    raw.write_all(bytes).await.unwrap();
    (a, raw)
}

/// The wait for the client's end has a limit of its own, within that of the handshake.
#[tokio::test(start_paused = true)]
async fn a_refused_client_that_stays_does_not_delay_the_server() {
    for (limit, longest) in [(None, 2), (Some(10), 2), (Some(1), 1)] {
        let (a, mut raw) = asked(4096, REQUEST).await;
        let options = Options::new().handshake_timeout(limit.map(Duration::from_secs));
        let begun = Instant::now();
        let result = accept_with(a, &options, |_| Err(Refusal::new(404))).await;
        assert!(matches!(result, Err(Error::Declined(404))), "{limit:?}: {result:?}");
        assert_eq!(begun.elapsed(), Duration::from_secs(longest), "{limit:?}");
        let mut response = String::new();
        raw.read_to_string(&mut response).await.unwrap();
        assert!(response.starts_with("HTTP/1.1 404 "), "{response}");
    }
}

/// The head of the refusal arrived in time, and its body does not.
#[tokio::test(start_paused = true)]
async fn a_refusal_is_told_although_the_limit_passes_in_its_body() {
    let refusal = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 10\r\n\r\nabc";
    let (a, _raw) = asked(4096, refusal).await;
    let options = Options::new().handshake_timeout(Some(Duration::from_millis(500)));
    let begun = Instant::now();
    let result = client("ws://a/", a, &options).await;
    let Err(Error::Refused(refused)) = result else { panic!("{result:?}") };
    assert_eq!((refused.status(), refused.body()), (403, &b"abc"[..]));
    assert_eq!(begun.elapsed(), Duration::from_millis(500));
}

/// The server reads nothing: it closes, or stays.
#[tokio::test(start_paused = true)]
async fn a_refusal_is_told_although_the_request_cannot_be_written() {
    let long = Options::new().header("X-Long", "x".repeat(8000));
    for (stays, options) in [(false, &Options::new()), (false, &long), (true, &long)] {
        let refusal = b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy";
        let (a, raw) = asked(4096, refusal).await;
        let raw = stays.then_some(raw);
        let begun = Instant::now();
        let result = client("ws://a/", a, options).await;
        let Err(Error::Refused(refused)) = result else { panic!("{result:?}") };
        assert_eq!((refused.status(), refused.body()), (503, &b"busy"[..]));
        assert_eq!(begun.elapsed(), Duration::ZERO);
        drop(raw);
    }
}

/// A failed write counts for more than the end of the stream that follows it.
#[tokio::test]
async fn a_client_is_told_why_its_request_was_not_written() {
    let (a, raw) = asked(4096, b"HTTP/1.1 5").await;
    drop(raw);
    let result = client("ws://a/", a, &Options::new()).await;
    let Err(Error::Io(error)) = result else { panic!("{result:?}") };
    assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
}

/// A failed write counts for more than the limit that passes after it.
#[tokio::test(start_paused = true)]
async fn a_failed_write_is_told_although_the_limit_passes_after_it() {
    let ((a, _raw), (b, _)) = (duplex(64), duplex(64));
    let io = join(split(a).0, split(b).1); // reads wait, and writes fail
    let begun = Instant::now();
    let result = client("ws://a/", io, &Options::new()).await;
    let Err(Error::Io(error)) = result else { panic!("{result:?}") };
    assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
    assert_eq!(begun.elapsed(), Duration::from_secs(10));
}

/// The server reads a long request slowly, and accepts before it has read the end.
#[tokio::test]
async fn a_request_is_written_to_its_end_although_it_was_accepted() {
    let (a, mut raw) = duplex(300);
    let options = Options::new().header("X-Long", "x".repeat(8000));
    let server = async {
        let mut request = vec![0; 300];
        raw.read_exact(&mut request).await.unwrap();
        let head = String::from_utf8(request.clone()).unwrap();
        let key = head.split("Sec-WebSocket-Key: ").nth(1).unwrap().split("\r\n").next().unwrap();
        let accept = sockless::handshake::accept_key(key.as_bytes());
        let accept = std::str::from_utf8(&accept).unwrap();
        let response = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        );
        raw.write_all(response.as_bytes()).await.unwrap();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(raw.read_u8().await.unwrap());
        }
        raw
    };
    let (mut raw, ws) = tokio::join!(server, client("ws://a/", a, &options));
    ws.unwrap().send("x").await.unwrap();
    assert_eq!(raw.read_u16().await.unwrap(), 0x8181);
}

/// The reason of a refusal is returned for all kinds, even if the client reads nothing of it.
#[tokio::test(start_paused = true)]
async fn a_client_that_reads_no_refusal_does_not_hide_the_reason() {
    let (a, _raw) = asked(REQUEST.len(), REQUEST).await;
    let refuse = |_: &RequestHead<'_>| Err(Refusal::new(403).body(vec![b'x'; 1000]));
    let result = accept_with(a, &Options::new(), refuse).await;
    assert!(matches!(result, Err(Error::Declined(403))), "{result:?}");

    let (a, _raw) = asked(64, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let result = accept(a).await;
    assert!(matches!(result, Err(Error::Declined(426))), "{result:?}");

    let (a, _raw) = asked(64, b"GET / HTTP/1.1\r\n\r\n").await;
    let result = accept(a).await;
    assert!(matches!(result, Err(Error::Handshake(_))), "{result:?}");

    let (a, _raw) = asked(64, b"GET / HTTP/1.1\r\n").await;
    let result = accept(a).await;
    assert!(matches!(result, Err(Error::TimedOut(Timeout::Handshake))), "{result:?}");
}

/// Runs a handshake whose client ends its direction after the request. Returns the result and the
/// response.
async fn response_to(
    judge: impl FnOnce(&RequestHead<'_>) -> Result<Acceptance, Refusal>,
) -> (Result<WebSocketStream<DuplexStream>, Error>, Vec<u8>) {
    let (a, mut raw) = asked(8 << 20, REQUEST).await;
    raw.shutdown().await.unwrap();
    let result = accept_with(a, &Options::new(), judge).await;
    let mut response = Vec::new();
    if result.is_err() {
        raw.read_to_end(&mut response).await.unwrap();
    }
    (result, response)
}

#[tokio::test]
async fn a_client_gets_a_500_if_the_answer_cannot_be_sent() {
    use sockless::Misuse;
    type Judged = Result<Acceptance, Refusal>;
    let cases: [(Judged, Misuse); 5] = [
        (Ok(Acceptance::new().subprotocol("x")), Misuse::SubprotocolNotOffered),
        (Ok(Acceptance::new().header("Upgrade", "x")), Misuse::ReservedHeader),
        (Ok(Acceptance::new().header("X", "a\r\nb")), Misuse::InvalidHeader),
        (Err(Refusal::new(403).header("Content-Length", "0")), Misuse::ReservedHeader),
        (Err(Refusal::new(99)), Misuse::InvalidStatus),
    ];
    for (judged, misuse) in cases {
        let (result, response) = response_to(|_| judged).await;
        assert!(matches!(&result, Err(Error::Misuse(found)) if *found == misuse), "{result:?}");
        let response = String::from_utf8(response).unwrap();
        assert!(response.starts_with("HTTP/1.1 500 "), "{response}");
    }
}

#[tokio::test]
async fn a_large_refusal_is_sent_whole() {
    let body = vec![b'x'; 2 << 20];
    let (result, response) = response_to(|_| Err(Refusal::new(403).body(body.clone()))).await;
    assert!(matches!(result, Err(Error::Declined(403))), "{result:?}");
    assert!(response.starts_with(b"HTTP/1.1 403 ") && response.ends_with(&body));
}

#[tokio::test]
async fn a_client_sees_the_headers_of_the_response() {
    let (a, b) = duplex(4096);
    let options = Options::new();
    let accept = |_: &RequestHead<'_>| Ok(Acceptance::new().header("Set-Cookie", "id=1"));
    let mut cookie = None;
    let (server, ws) = tokio::join!(
        accept_with(a, &options, accept),
        client_with("ws://a/", b, &options, |response| {
            assert_eq!(response.status(), 101);
            cookie = response.header("set-cookie").map(<[u8]>::to_vec);
        })
    );
    assert!(server.is_ok() && ws.is_ok());
    assert_eq!(cookie.as_deref(), Some(&b"id=1"[..]));
}

/// Fails if a debug output has the word that each test value has.
fn hides(value: &dyn Debug) {
    let text = format!("{value:?}");
    assert!(!text.contains("hunter2"), "{text}");
}

#[tokio::test]
async fn debug_output_has_no_secrets() {
    let secret = "hunter2";
    let options = Options::new().subprotocols([secret]).origin(secret);
    hides(&options.clone().header("Authorization", secret));
    hides(&Acceptance::new().subprotocol(secret).header("Set-Cookie", secret));
    hides(&Refusal::new(401).header("Set-Cookie", secret).body(secret));
    let (a, b) = duplex(1 << 20);
    let (server, client) = tokio::join!(
        accept_with(a, &options, |_| Ok(Acceptance::new())),
        client("ws://a/", b, &options)
    );
    let (mut server, mut client) = (server.unwrap(), client.unwrap());
    assert_eq!((server.subprotocol(), client.subprotocol()), (Some(secret), Some(secret)));
    // One payload lies in the pipe, and the others in the queues.
    client.send(secret).await.unwrap();
    client.feed(secret).await.unwrap();
    server.feed(Message::text(secret.repeat(10_000))).await.unwrap();
    hides(&server);
    hides(&client);
    let (_, queue) = server.recv_and_queue().await.unwrap().unwrap();
    hides(&queue);
    let (reader, writer) = server.split();
    hides(&reader);
    hides(&writer);
}

#[tokio::test]
async fn a_subprotocol_that_was_agreed_elsewhere_is_kept() {
    let (a, _) = duplex(64);
    let ws = WebSocketStream::from_upgraded(a, Role::Server, None, b"", &Options::new());
    assert_eq!(ws.subprotocol(), None);
    let (reader, writer) = ws.with_subprotocol(Some("chat")).split();
    assert_eq!(reader.subprotocol(), Some("chat"));
    assert_eq!(reader.reunite(writer).unwrap().subprotocol(), Some("chat"));
}

/// A transport for which only this crate or its own could implement [`SplitTransport`].
#[tokio::test]
async fn a_foreign_transport_splits_as_two_halves() {
    async fn echoes<IO: SplitTransport>(ws: WebSocketStream<IO>) -> WebSocketStream<IO> {
        let (mut reader, mut writer) = ws.split();
        let received = async {
            let message = reader.next().await.unwrap().unwrap();
            assert_eq!(message, Message::text("Hello"));
        };
        tokio::join!(received, async { writer.send("Hello").await.unwrap() });
        reader.reunite(writer).unwrap()
    }
    let (a, b) = duplex(4096);
    let (reader, writer) = split(BufStream::new(a));
    let options = Options::new();
    let (server, client) =
        tokio::join!(accept(join(reader, writer)), client("ws://a/", b, &options));
    let (mut server, mut client) = tokio::join!(echoes(server.unwrap()), echoes(client.unwrap()));
    server.send("again").await.unwrap();
    assert_eq!(client.next().await.unwrap().unwrap(), Message::text("again"));
}

//! `wss://` with a certificate that the test makes, and peers that vanish.

use std::sync::Arc;
use std::time::Duration;

use sockless_tokio::{
    CloseCode, Error, Message, Options, Timeout, WebSocketStream, accept, client, connect,
    connect_tls,
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig, crypto::ring};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// A server with a new certificate for `localhost`, and a client that knows it.
fn configs() -> (Arc<ServerConfig>, Arc<ClientConfig>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(ring::default_provider());
    let server = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (Arc::new(server), Arc::new(client))
}

type ServerTls = tokio_rustls::server::TlsStream<DuplexStream>;
type ClientTls = tokio_rustls::client::TlsStream<DuplexStream>;

/// Both ends of an open connection through TLS.
async fn pair() -> (WebSocketStream<ServerTls>, WebSocketStream<ClientTls>) {
    let (a, b) = duplex(4096);
    let (server, connector) = configs();
    let server = async {
        let tls = TlsAcceptor::from(server).accept(a).await.unwrap();
        accept(tls).await.unwrap()
    };
    let client = async {
        let name = ServerName::try_from("localhost").unwrap();
        let tls = TlsConnector::from(connector).connect(name, b).await.unwrap();
        client("wss://localhost/", tls, &Options::new()).await.unwrap()
    };
    tokio::join!(server, client)
}

#[tokio::test]
async fn wss_with_a_certificate_of_our_own() {
    let (server, client) = configs();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = TlsAcceptor::from(server);
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut ws = accept(acceptor.accept(socket).await?).await?;
                while let Some(message) = ws.next().await {
                    let message = message?;
                    if message.is_data() {
                        ws.send(message).await?;
                    }
                }
                Ok::<_, Error>(())
            });
        }
    });

    let uri = format!("wss://localhost:{port}/");
    let mut ws = connect_tls(&uri, &Options::new(), client).await.unwrap();
    for message in [Message::text("Grüße"), Message::binary(vec![7; 300_000])] {
        ws.send(message.clone()).await.unwrap();
        assert_eq!(ws.next().await.unwrap().unwrap(), message);
    }
    ws.close(CloseCode::NORMAL, "").await.unwrap();
    // TLS is not spoken to the port of `ws://`.
    let refused = connect_tls(&uri.replace("wss", "ws"), &Options::new(), configs().1).await;
    assert!(matches!(refused, Err(Error::Tls)), "{refused:?}");
    // The roots of the web do not know the certificate.
    assert!(matches!(connect(&uri).await, Err(Error::Io(_))));
}

/// Both kinds of streams of tokio-rustls split into halves for two tasks.
#[tokio::test]
async fn wss_splits_into_halves() {
    let (server, client) = pair().await;
    let ((mut reader, mut writer), (mut from, mut to)) = (server.split(), client.split());
    let echo = tokio::spawn(async move {
        while let Some(message) = reader.next().await {
            let message = message?;
            if message.is_data() {
                writer.send(message).await?;
            }
        }
        Ok::<_, Error>(())
    });
    let message = Message::binary(vec![7; 100_000]);
    let (sent, received) = tokio::join!(to.send(message.clone()), from.next());
    sent.unwrap();
    assert_eq!(received.unwrap().unwrap(), message);
    to.close(CloseCode::NORMAL, "").await.unwrap();
    while let Some(event) = from.next().await {
        event.unwrap();
    }
    echo.await.unwrap().unwrap();
}

/// The transport ends without TLS's `close_notify`, as when a process is killed.
async fn ends_abruptly<IO: AsyncRead + AsyncWrite + Unpin>(mut ws: WebSocketStream<IO>) {
    let first = ws.next().await;
    assert!(matches!(first, Some(Err(Error::Io(_)))), "{first:?}");
    assert!(ws.next().await.is_none());
    assert!(ws.send("late").await.is_err());
}

#[tokio::test]
async fn a_transport_that_ends_is_an_error() {
    let (server, client) = pair().await;
    drop(client);
    ends_abruptly(server).await;
    let (server, client) = pair().await;
    drop(server);
    ends_abruptly(client).await;
}

/// TLS ends in order, and the WebSocket does not.
#[tokio::test]
async fn a_close_notify_without_a_close_is_an_error() {
    let (mut server, mut client) = pair().await;
    client.get_mut().shutdown().await.unwrap();
    let first = server.next().await;
    assert!(matches!(first, Some(Err(Error::UnexpectedEnd))), "{first:?}");
    let (mut server, mut client_of_server) = pair().await;
    server.get_mut().shutdown().await.unwrap();
    let first = client_of_server.next().await;
    assert!(matches!(first, Some(Err(Error::UnexpectedEnd))), "{first:?}");
}

/// A peer that is silent: it is pinged, and given up.
#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_given_up() {
    async fn given_up<IO: AsyncRead + AsyncWrite + Unpin>(mut ws: WebSocketStream<IO>) {
        let begun = Instant::now();
        let first = ws.next().await;
        assert!(matches!(first, Some(Err(Error::TimedOut(Timeout::Pong)))), "{first:?}");
        assert_eq!(begun.elapsed(), Duration::from_secs(50));
    }
    let (server, _client) = pair().await;
    given_up(server).await;
    let (_server, client) = pair().await;
    given_up(client).await;
}

//! `wss://` with a certificate that the test makes.

use std::sync::Arc;

use sockless_tokio::{CloseCode, Error, Message, Options, accept, connect, connect_tls};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig, crypto::ring};

/// Returns both sides' configurations, with a certificate that only this client knows.
fn configurations() -> (TlsAcceptor, Arc<ClientConfig>) {
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
    (TlsAcceptor::from(Arc::new(server)), Arc::new(client))
}

#[tokio::test]
async fn wss_with_a_certificate_of_our_own() {
    let (acceptor, client) = configurations();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
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
    // The roots of the web do not know the certificate.
    assert!(matches!(connect(&uri).await, Err(Error::Io(_))));
}

/// Without `close_notify` an attacker could have cut the stream.
#[tokio::test]
async fn a_server_that_vanishes_below_tls_is_an_error() {
    let (acceptor, client) = configurations();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("wss://localhost:{}/", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        let mut ws = accept(acceptor.accept(socket).await.unwrap()).await.unwrap();
        ws.next().await.unwrap().unwrap();
        // Dropped, it closes the socket without an end of the TLS stream.
    });
    let mut ws = connect_tls(&uri, &Options::new(), client).await.unwrap();
    ws.send("Hello").await.unwrap();
    assert!(matches!(ws.next().await, Some(Err(Error::Io(_)))));
    assert!(ws.next().await.is_none());
}

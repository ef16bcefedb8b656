//! Connections to a URI: TCP, and TLS for `wss://`.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use sockless::handshake::Uri;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::handshake::{client_over, within};
use crate::{Error, Options, WebSocketStream};

#[cfg(feature = "rustls")]
use std::sync::Arc;
#[cfg(feature = "rustls")]
use tokio_rustls::{TlsConnector, client::TlsStream, rustls};

/// A TCP connection, with TLS if the URI asks for it.
#[derive(Debug)]
pub enum Transport {
    /// `ws://`
    Plain(TcpStream),
    /// `wss://`
    #[cfg(feature = "rustls")]
    Tls(Box<TlsStream<TcpStream>>),
}

impl Transport {
    /// Connects to the server of a URI, for [`client`](crate::client) and
    /// [`client_with`](crate::client_with): resolves the name, and opens TCP and TLS as
    /// [`connect_with`] does.
    ///
    /// # Cancel safety
    /// If the future is dropped, the connection is dropped.
    ///
    /// # Errors
    /// [`Error::Uri`], [`Error::Tls`], [`Error::Io`]; [`Error::TimedOut`] after
    /// [`Options::handshake_timeout`].
    pub async fn connect(uri: &str, options: &Options) -> Result<Transport, Error> {
        within(options, open(&Uri::parse(uri)?)).await
    }
}

/// Connects to `ws://` or, with the feature `rustls`, `wss://`, with the default [`Options`].
///
/// ```no_run
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), sockless_tokio::Error> {
/// use sockless_tokio::{CloseCode, connect};
///
/// let mut ws = connect("ws://127.0.0.1:9001/chat").await?;
/// ws.send("Hello").await?;
/// if let Some(message) = ws.next().await {
///     println!("{:?}", message?);
/// }
/// ws.close(CloseCode::NORMAL, "").await
/// # }
/// ```
///
/// # Cancel safety
/// If the future is dropped, the connection is dropped.
///
/// # Errors
/// Those of [`client`](crate::client); [`Error::Tls`] for `wss://` without the feature `rustls`.
pub async fn connect(uri: &str) -> Result<WebSocketStream<Transport>, Error> {
    connect_with(uri, &Options::new()).await
}

/// Connects to `ws://` or `wss://` as [`connect`] does. The time limit of the handshake is that of
/// resolving, TCP and TLS too. Certificates are checked against the roots of `webpki-roots`.
///
/// # Cancel safety
/// If the future is dropped, the connection is dropped.
///
/// # Errors
/// As for [`connect`].
pub async fn connect_with(
    uri: &str,
    options: &Options,
) -> Result<WebSocketStream<Transport>, Error> {
    let uri = Uri::parse(uri)?;
    client_over(&uri, open(&uri), options, |_| ()).await
}

/// Connects to `wss://` with a TLS configuration of the caller's: other roots, client certificates.
///
/// # Cancel safety
/// If the future is dropped, the connection is dropped.
///
/// # Errors
/// As for [`connect`]. [`Error::Tls`] for `ws://`: its port does not speak TLS. A certificate that
/// is not accepted is an [`Error::Io`].
#[cfg(feature = "rustls")]
pub async fn connect_tls(
    uri: &str,
    options: &Options,
    config: Arc<rustls::ClientConfig>,
) -> Result<WebSocketStream<Transport>, Error> {
    let uri = Uri::parse(uri)?;
    if !uri.is_secure() {
        return Err(Error::Tls);
    }
    client_over(&uri, tls(&uri, config), options, |_| ()).await
}

async fn open(uri: &Uri<'_>) -> Result<Transport, Error> {
    if uri.is_secure() {
        #[cfg(feature = "rustls")]
        return tls(uri, webpki_config()).await;
        #[cfg(not(feature = "rustls"))]
        return Err(Error::Tls);
    }
    Ok(Transport::Plain(tcp(uri).await?))
}

#[cfg(feature = "rustls")]
async fn tls(uri: &Uri<'_>, config: Arc<rustls::ClientConfig>) -> Result<Transport, Error> {
    let name =
        rustls::pki_types::ServerName::try_from(uri.host().to_owned()).map_err(|_| Error::Tls)?;
    let tls = TlsConnector::from(config).connect(name, tcp(uri).await?).await?;
    Ok(Transport::Tls(Box::new(tls)))
}

async fn tcp(uri: &Uri<'_>) -> io::Result<TcpStream> {
    let socket = TcpStream::connect((uri.host(), uri.port())).await?;
    // A message that is flushed is to leave now.
    socket.set_nodelay(true)?;
    Ok(socket)
}

/// The configuration is built once: it holds all roots.
#[cfg(feature = "rustls")]
fn webpki_config() -> Arc<rustls::ClientConfig> {
    static CONFIG: std::sync::OnceLock<Arc<rustls::ClientConfig>> = std::sync::OnceLock::new();
    let make = || {
        let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider has the default versions");
        Arc::new(config.with_root_certificates(roots).with_no_client_auth())
    };
    CONFIG.get_or_init(make).clone()
}

/// Calls a method of the transport, whichever it is.
macro_rules! with_transport {
    ($self:expr, $io:ident => $call:expr) => {
        match $self {
            Transport::Plain($io) => $call,
            #[cfg(feature = "rustls")]
            Transport::Tls($io) => $call,
        }
    };
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        with_transport!(self.get_mut(), io => Pin::new(io).poll_read(cx, buf))
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        with_transport!(self.get_mut(), io => Pin::new(io).poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        with_transport!(self.get_mut(), io => Pin::new(io).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        with_transport!(self, io => io.is_write_vectored())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        with_transport!(self.get_mut(), io => Pin::new(io).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        with_transport!(self.get_mut(), io => Pin::new(io).poll_shutdown(cx))
    }
}

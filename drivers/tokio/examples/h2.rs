//! WebSockets on streams of the `h2` crate, by extended CONNECT (RFC 8441), as server and client:
//! `cargo run --features http --example h2 [ADDRESS]` serves an echo.
//!
//! With hyper, use the functions of `sockless_tokio::http` instead.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use h2::ext::Protocol;
use h2::{RecvStream, SendStream};
use http::{Method, Request, Response};
use sockless::handshake::{Accept, ConnectRequest, Upgrade, Uri};
use sockless_tokio::{Error, Options, Role, WebSocketStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The two directions of an HTTP/2 stream as one transport.
pub struct H2Io {
    receive: RecvStream,
    send: SendStream<Bytes>,
    /// The part of the last DATA frame that is not read yet.
    data: Bytes,
}

impl H2Io {
    pub fn new(receive: RecvStream, send: SendStream<Bytes>) -> H2Io {
        H2Io { receive, send, data: Bytes::new() }
    }
}

impl AsyncRead for H2Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.data.is_empty() {
            match ready!(self.receive.poll_data(cx)) {
                Some(data) => self.data = data.map_err(io::Error::other)?,
                None => return Poll::Ready(Ok(())),
            }
        }
        let n = self.data.len().min(buf.remaining());
        buf.put_slice(&self.data[..n]);
        self.data.advance(n);
        // The peer may send as much again.
        self.receive.flow_control().release_capacity(n).map_err(io::Error::other)?;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for H2Io {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.send.reserve_capacity(buf.len());
        while self.send.capacity() == 0 {
            match ready!(self.send.poll_capacity(cx)) {
                Some(capacity) => _ = capacity.map_err(io::Error::other)?,
                None => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            }
        }
        let n = self.send.capacity().min(buf.len());
        let data = Bytes::copy_from_slice(&buf[..n]);
        self.send.send_data(data, false).map_err(io::Error::other)?;
        Poll::Ready(Ok(n))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(())) // the task of the HTTP/2 connection writes
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.send.send_data(Bytes::new(), true).map_err(io::Error::other))
    }
}

/// Serves one HTTP/2 connection. Every WebSocket on it is an echo.
pub async fn serve(socket: TcpStream) -> Result<(), Failure> {
    let mut server = h2::server::Builder::new();
    let mut connection = server.enable_connect_protocol().handshake(socket).await?;
    while let Some(accepted) = connection.accept().await {
        let (request, mut respond) = accepted?;
        let name = request.extensions().get().map_or("", Protocol::as_str);
        let upgrade = Upgrade::from_connect(request.method().as_str(), name, request.headers());
        let (status, fields, agreed) = match &upgrade {
            Ok(Some(upgrade)) => {
                let accepted = upgrade.accept(Accept::new())?;
                let fields = accepted.fields().map(|(name, value)| (name, value.to_string()));
                (accepted.status(), fields.collect(), true)
            }
            Ok(None) => (404, Vec::new(), false), // or your pages
            Err(error) => {
                let refusal = error.connect_response();
                let fields = refusal.headers().iter().map(|&(k, v)| (k, v.to_owned()));
                (refusal.status(), fields.collect(), false)
            }
        };
        let response = Response::builder().status(status);
        let response = fields.into_iter().fold(response, |r, (name, value)| r.header(name, value));
        let send = respond.send_response(response.body(())?, !agreed)?;
        if agreed {
            let io = H2Io::new(request.into_body(), send);
            let ws = WebSocketStream::from_upgraded(io, Role::Server, None, b"", &Options::new());
            tokio::spawn(echo(ws));
        }
    }
    Ok(())
}

async fn echo(mut ws: WebSocketStream<H2Io>) -> Result<(), Error> {
    while let Some(message) = ws.next().await.transpose()? {
        if message.is_data() {
            ws.send(message).await?;
        }
    }
    Ok(())
}

/// Opens a WebSocket on an HTTP/2 connection whose server allows it.
pub async fn connect(
    requests: h2::client::SendRequest<Bytes>,
    uri: &str,
) -> Result<WebSocketStream<H2Io>, Failure> {
    let target = Uri::parse(uri)?;
    let connect = ConnectRequest::new(&target);
    let request = Request::builder().method(Method::CONNECT).uri(uri.replacen("ws", "http", 1));
    let request = connect.fields(None)?.fold(request, |r, (k, v)| r.header(k, v.to_string()));
    let request = request.extension(Protocol::from_static("websocket")).body(())?;
    let (response, send) = requests.ready().await?.send_request(request, false)?;
    let response = response.await?;
    connect.check_response(None, response.status().as_u16(), response.headers())?;
    let io = H2Io::new(response.into_body(), send);
    Ok(WebSocketStream::from_upgraded(io, Role::Client, None, b"", &Options::new()))
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".into());
    let listener = TcpListener::bind(address).await?;
    println!("http://{}", listener.local_addr()?);
    loop {
        let (socket, _) = listener.accept().await?;
        tokio::spawn(serve(socket));
    }
}

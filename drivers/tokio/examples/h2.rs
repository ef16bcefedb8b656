//! WebSockets on streams of the `h2` crate by extended CONNECT (RFC 8441), as server and client.
//! An echo server for HTTP/2 without TLS: `cargo run --example h2 [ADDRESS]`.

use std::error::Error as StdError;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::client::SendRequest;
use h2::ext::Protocol;
use h2::server::SendResponse;
use h2::{RecvStream, SendStream};
use http::{Method, Request, Response};
use sockless::handshake::{Accept, ConnectRequest, HttpResponse, Upgrade, Uri};
use sockless_tokio::deflate::DeflateConfig;
use sockless_tokio::{Error, Options, Role, WebSocketStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

pub type Failure = Box<dyn StdError + Send + Sync>;

/// A stream of HTTP/2 as a transport of bytes.
pub struct H2Stream {
    receiver: RecvStream,
    sender: SendStream<Bytes>,
    unread: Bytes,
    ended: bool,
}

impl H2Stream {
    pub fn new(receiver: RecvStream, sender: SendStream<Bytes>) -> H2Stream {
        H2Stream { receiver, sender, unread: Bytes::new(), ended: false }
    }
}

impl AsyncRead for H2Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let stream = self.get_mut();
        while stream.unread.is_empty() {
            match ready!(stream.receiver.poll_data(cx)) {
                Some(data) => stream.unread = data.map_err(io::Error::other)?,
                None => return Poll::Ready(Ok(())),
            }
        }
        let len = stream.unread.len().min(buf.remaining());
        buf.put_slice(&stream.unread.split_to(len));
        Poll::Ready(stream.receiver.flow_control().release_capacity(len).map_err(io::Error::other))
    }
}

impl AsyncWrite for H2Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let sender = &mut self.get_mut().sender;
        sender.reserve_capacity(bytes.len());
        // It may be ready without capacity.
        while sender.capacity() == 0 {
            let Some(capacity) = ready!(sender.poll_capacity(cx)) else {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            };
            capacity.map_err(io::Error::other)?;
        }
        let len = sender.capacity().min(bytes.len());
        let sent = sender.send_data(Bytes::copy_from_slice(&bytes[..len]), false);
        Poll::Ready(sent.map(|()| len).map_err(io::Error::other))
    }

    /// The connection's own task writes.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let stream = self.get_mut();
        if std::mem::replace(&mut stream.ended, true) {
            return Poll::Ready(Ok(()));
        }
        Poll::Ready(stream.sender.send_data(Bytes::new(), true).map_err(io::Error::other))
    }
}

/// Accepts a request of a connection whose builder said `enable_connect_protocol`. `None` if the
/// request was refused.
pub fn accept(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    options: &Options,
) -> Result<Option<WebSocketStream<H2Stream>>, Failure> {
    let protocol = request.extensions().get().map_or("", Protocol::as_str);
    let judged = Upgrade::from_connect(request.method().as_str(), protocol, request.headers());
    let accepted = match judged {
        Ok(Some(upgrade)) => upgrade.accept(Accept::new().with_deflate(DeflateConfig::DEFAULT))?,
        Ok(None) => return refuse(&HttpResponse::new(404), respond), // or your pages
        Err(error) => return refuse(&error.connect_response(), respond),
    };
    let response = Response::builder().status(accepted.status());
    let response = accepted.fields().fold(response, |r, (k, v)| r.header(k, v.to_string()));
    let sender = respond.send_response(response.body(())?, false)?;
    let deflate = accepted.agreed().compression().map(|(params, _)| params);
    let io = H2Stream::new(request.into_body(), sender);
    let ws = WebSocketStream::from_upgraded(io, Role::Server, deflate, b"", options);
    Ok(Some(ws.with_subprotocol(accepted.agreed().subprotocol())))
}

fn refuse(
    refusal: &HttpResponse<'_>,
    mut respond: SendResponse<Bytes>,
) -> Result<Option<WebSocketStream<H2Stream>>, Failure> {
    let response = Response::builder().status(refusal.status());
    let response = refusal.headers().iter().fold(response, |r, &(k, v)| r.header(k, v));
    let mut sender = respond.send_response(response.body(())?, false)?;
    sender.send_data(Bytes::copy_from_slice(refusal.body()), true)?;
    Ok(None)
}

/// Opens a WebSocket on a connection whose server allows it.
pub async fn connect(
    requests: SendRequest<Bytes>,
    uri: &str,
    options: &Options,
) -> Result<WebSocketStream<H2Stream>, Failure> {
    let target = Uri::parse(uri)?;
    let connect = ConnectRequest::new(&target).with_deflate(DeflateConfig::DEFAULT);
    let request = Request::builder().method(Method::CONNECT).uri(uri.replacen("ws", "http", 1));
    let request = connect.fields(None)?.fold(request, |r, (k, v)| r.header(k, v.to_string()));
    let request = request.extension(Protocol::from_static("websocket")).body(())?;
    let (response, sender) = requests.ready().await?.send_request(request, false)?;
    let (head, body) = response.await?.into_parts();
    let agreed = connect.check_response(None, head.status.as_u16(), &head.headers)?;
    let deflate = agreed.compression().map(|(params, _)| params);
    let io = H2Stream::new(body, sender);
    let ws = WebSocketStream::from_upgraded(io, Role::Client, deflate, b"", options);
    Ok(ws.with_subprotocol(agreed.subprotocol()))
}

async fn echo(mut ws: WebSocketStream<H2Stream>) -> Result<(), Error> {
    while let Some(message) = ws.next().await.transpose()? {
        if message.is_data() {
            ws.send(message).await?;
        }
    }
    Ok(())
}

/// Echoes on each stream of a connection.
pub async fn serve(io: impl AsyncRead + AsyncWrite + Unpin) -> Result<(), Failure> {
    let mut connection =
        h2::server::Builder::new().enable_connect_protocol().handshake::<_, Bytes>(io).await?;
    while let Some(request) = connection.accept().await {
        let (request, respond) = request?;
        if let Some(ws) = accept(request, respond, &Options::new())? {
            tokio::spawn(echo(ws));
        }
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".into());
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("ws://{}", listener.local_addr()?);
    loop {
        tokio::spawn(serve(listener.accept().await?.0));
    }
}

//! The opening handshake over a transport, in both roles.

use std::fmt;
use std::future::{Future, poll_fn, ready};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use sockless::handshake::{
    Accept, ClientEvent, ClientHandshake, ConnectRequest, HttpResponse, RequestHead, ResponseHead,
    ServerEvent, ServerHandshake, Uri,
};
use sockless::keepalive::Timeout;
use sockless::{ReadBuffer, WriteBuffer};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::timeout;

use crate::error::Refused;
use crate::pool::{Pooled, ThreadEntropy};
use crate::read::ReadSide;
use crate::stream::{Agreed, WebSocketStream};
use crate::{Error, Options, Role};

/// Capacity of the output. Only memory limits the headers and the body that the caller wants sent.
const OUTPUT_LIMIT: usize = isize::MAX as usize / 2;

/// The longest wait for a refused client to end the stream.
const LINGER: Duration = Duration::from_secs(2);

/// Most bytes of the body of a refusal that are kept.
const BODY_KEPT: usize = 4 << 10;

/// The longest wait for the body of a refusal.
const BODY_WITHIN: Duration = Duration::from_secs(1);

/// The acceptance of a request by a server; see [`accept_with`].
///
/// ```
/// use sockless_tokio::Acceptance;
///
/// let acceptance = Acceptance::new().subprotocol("chat").header("Set-Cookie", "id=1; HttpOnly");
/// ```
#[derive(Clone, Default)]
pub struct Acceptance {
    subprotocol: Option<String>,
    headers: Vec<(String, String)>,
}

impl Acceptance {
    /// Accepts without a subprotocol and without further headers.
    #[must_use]
    pub fn new() -> Acceptance {
        Acceptance::default()
    }

    /// Chooses a subprotocol, which must be one of those that the client offers.
    #[must_use]
    pub fn subprotocol(mut self, name: impl Into<String>) -> Acceptance {
        self.subprotocol = Some(name.into());
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Acceptance {
        self.headers.push((name.into(), value.into()));
        self
    }
}

impl fmt::Debug for Acceptance {
    /// Leaves out names and values: they may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acceptance")
            .field("subprotocol", &self.subprotocol.is_some())
            .field("headers", &self.headers.len())
            .finish()
    }
}

/// An HTTP response by which a server refuses a request; see [`accept_with`].
///
/// ```
/// let refusal = sockless_tokio::Refusal::new(401)
///     .header("WWW-Authenticate", "Basic")
///     .body("who?");
/// ```
#[derive(Clone)]
pub struct Refusal {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Refusal {
    /// Creates a refusal with this status, 200 to 599.
    #[must_use]
    pub const fn new(status: u16) -> Refusal {
        Refusal { status, headers: Vec::new(), body: Vec::new() }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Refusal {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Refusal {
        self.body = body.into();
        self
    }
}

impl fmt::Debug for Refusal {
    /// Leaves out header values and the body: they may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refusal")
            .field("status", &self.status)
            .field("headers", &self.headers.len())
            .field("body_len", &self.body.len())
            .finish()
    }
}

/// Accepts a client's connection with the default [`Options`]: any path, any origin, no
/// subprotocol.
///
/// Call `set_nodelay(true)` on a TCP socket first: without it, the kernel may delay a small message
/// until the peer has acknowledged the one before.
///
/// ```no_run
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), sockless_tokio::Error> {
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:9001").await?;
/// loop {
///     let (socket, _) = listener.accept().await?;
///     socket.set_nodelay(true)?;
///     tokio::spawn(async move {
///         let mut ws = sockless_tokio::accept(socket).await?;
///         while let Some(message) = ws.next().await {
///             let message = message?;
///             if message.is_data() {
///                 ws.send(message).await?;
///             }
///         }
///         Ok::<_, sockless_tokio::Error>(())
///     });
/// }
/// # }
/// ```
///
/// # Cancel safety
/// If the future is dropped, the connection is dropped.
///
/// # Errors
/// Those of [`accept_with`].
pub async fn accept<IO>(io: IO) -> Result<WebSocketStream<IO>, Error>
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    accept_with(io, &Options::new(), |_| Ok(Acceptance::new())).await
}

/// Accepts a client's connection as `judge` decides, which sees the request: path, `Origin`,
/// subprotocols, headers.
///
/// ```no_run
/// # async fn run(socket: tokio::net::TcpStream) -> Result<(), sockless_tokio::Error> {
/// use sockless_tokio::{Acceptance, Options, Refusal, accept_with};
///
/// let ws = accept_with(socket, &Options::new(), |request| {
///     if request.path() != "/chat" {
///         return Err(Refusal::new(404));
///     }
///     if request.origin().is_some_and(|origin| origin != b"https://example.com") {
///         return Err(Refusal::new(403));
///     }
///     let known = request.subprotocols().find(|name| *name == "chat.v2");
///     Ok(known.into_iter().fold(Acceptance::new(), |accept, name| accept.subprotocol(name)))
/// })
/// .await?;
/// # Ok(())
/// # }
/// ```
///
/// After a refusal, the stream's other direction is read to its end for at most 2 s, within
/// [`Options::handshake_timeout`]: closing the transport earlier could reset the connection before
/// the client has read the response.
///
/// # Cancel safety
/// If the future is dropped, the connection is dropped.
///
/// # Errors
/// - [`Error::Declined`] if `judge` refused, or the request was for something else than a
///   WebSocket.
/// - [`Error::Handshake`] if the request was not valid.
/// - [`Error::Misuse`] if `judge` asked for a header, status or subprotocol that cannot be sent.
///   The client is sent a 500.
/// - [`Error::TimedOut`], [`Error::UnexpectedEnd`], [`Error::Io`].
///
/// The first three are returned even if the client does not read its response.
pub async fn accept_with<IO, F>(
    io: IO,
    options: &Options,
    judge: F,
) -> Result<WebSocketStream<IO>, Error>
where
    IO: AsyncRead + AsyncWrite + Unpin,
    F: FnOnce(&RequestHead<'_>) -> Result<Acceptance, Refusal>,
{
    let mut refused = None;
    let served = within(options, serve(io, options, judge, &mut refused)).await;
    // The reason of a refusal counts for more than a failure to send the response.
    refused.map_or(served, Err)
}

/// Opens a connection as a client over a transport that is connected: TCP, TLS or any other.
///
/// ```no_run
/// # async fn run() -> Result<(), sockless_tokio::Error> {
/// use sockless_tokio::{Options, client};
///
/// let socket = tokio::net::UnixStream::connect("/run/chat.sock").await?;
/// let mut ws = client("ws://localhost/chat", socket, &Options::new()).await?;
/// ws.send("Hello").await?;
/// # Ok(())
/// # }
/// ```
///
/// # Cancel safety
/// If the future is dropped, the connection is dropped.
///
/// # Errors
/// - [`Error::Refused`] with the status, the headers and the first part of the body if the server
///   did not answer with 101.
/// - [`Error::Handshake`] if its response was not valid.
/// - [`Error::Uri`], [`Error::Misuse`] for what cannot be asked for.
/// - [`Error::TimedOut`], [`Error::UnexpectedEnd`], [`Error::Io`], [`Error::Entropy`].
pub async fn client<IO>(uri: &str, io: IO, options: &Options) -> Result<WebSocketStream<IO>, Error>
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    client_with(uri, io, options, |_| ()).await
}

/// Opens a connection as [`client`] does, and shows the accepting response to `see`: its headers,
/// such as `Set-Cookie`.
///
/// ```no_run
/// # async fn run() -> Result<(), sockless_tokio::Error> {
/// use sockless_tokio::{Options, Transport, client_with};
///
/// let (uri, options) = ("ws://127.0.0.1:9001/chat", Options::new());
/// let mut cookie = None;
/// let io = Transport::connect(uri, &options).await?;
/// let ws = client_with(uri, io, &options, |response| {
///     cookie = response.header("Set-Cookie").map(<[u8]>::to_vec);
/// })
/// .await?;
/// # Ok(())
/// # }
/// ```
///
/// # Cancel safety
/// If the future is dropped, the connection is dropped.
///
/// # Errors
/// Those of [`client`]; they are returned without a call of `see`.
pub async fn client_with<IO, F>(
    uri: &str,
    io: IO,
    options: &Options,
    see: F,
) -> Result<WebSocketStream<IO>, Error>
where
    IO: AsyncRead + AsyncWrite + Unpin,
    F: FnOnce(&ResponseHead<'_>),
{
    client_over(&Uri::parse(uri)?, ready(Ok(io)), options, see).await
}

/// Runs a client's handshake over the transport that `open` returns, both within the options' time
/// limit.
pub(crate) async fn client_over<IO: AsyncRead + AsyncWrite + Unpin>(
    uri: &Uri<'_>,
    open: impl Future<Output = Result<IO, Error>>,
    options: &Options,
    see: impl FnOnce(&ResponseHead<'_>),
) -> Result<WebSocketStream<IO>, Error> {
    let (mut refused, mut sending) = (None, Sending::new());
    let ask = async { ask(uri, open.await?, options, see, &mut refused, &mut sending).await };
    let asked = within(options, ask).await;
    // A limit that passes hides no refusal whose body is read, and no failed write.
    match (refused, asked) {
        (Some(refused), _) => Err(Error::Refused(refused)),
        (None, Err(error @ Error::TimedOut(_))) => Err(sending.cause(error)),
        (None, asked) => asked,
    }
}

/// Runs a handshake within the options' time limit.
pub(crate) async fn within<T>(
    options: &Options,
    handshake: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    match options.timers.handshake_within() {
        Some(limit) => timeout(Duration::from_millis(limit), handshake)
            .await
            .unwrap_or(Err(Error::TimedOut(Timeout::Handshake))),
        None => handshake.await,
    }
}

/// Runs the server's handshake. Sets `refused` to the reason before it sends a refusal, so that the
/// reason outlives a time limit that drops this future.
async fn serve<IO, F>(
    mut io: IO,
    options: &Options,
    judge: F,
    refused: &mut Option<Error>,
) -> Result<WebSocketStream<IO>, Error>
where
    IO: AsyncRead + AsyncWrite + Unpin,
    F: FnOnce(&RequestHead<'_>) -> Result<Acceptance, Refusal>,
{
    let mut machine = ServerHandshake::new(&options.config);
    let mut rx = ReadBuffer::new(Pooled::new(options.read_limit()));
    let mut tx = WriteBuffer::new(Pooled::new(OUTPUT_LIMIT));
    let error = loop {
        match machine.receive(&mut rx, &mut tx) {
            Some(ServerEvent::UpgradeRequest(request)) => {
                match answer(&mut machine, &request, judge(&request), options, &mut tx) {
                    Ok(agreed) => {
                        io.write_all(tx.bytes()).await?;
                        io.flush().await?;
                        let role = Role::Server;
                        return Ok(WebSocketStream::from_handshake(io, role, agreed, rx, options));
                    }
                    Err(error @ Error::Declined(_)) => break error,
                    // The fault is ours. It is not described to the client.
                    Err(error) => {
                        machine.respond(HttpResponse::new(500), &mut tx)?;
                        break error;
                    }
                }
            }
            Some(ServerEvent::OtherRequest(request)) => {
                let status = HttpResponse::for_other_request(request.method()).status();
                // The machine answers a request that is left alone.
                let _ = machine.receive(&mut rx, &mut tx);
                break Error::Declined(status);
            }
            Some(ServerEvent::Failed(failure)) => break failure.into(),
            Some(ServerEvent::EndOfStream) => return Err(Error::UnexpectedEnd),
            Some(_) => {}
            None => read(&mut io, &mut rx).await?,
        }
    };
    *refused = Some(error);
    io.write_all(tx.bytes()).await?;
    io.shutdown().await?;
    // A response that is reset before it was read is lost.
    let _ = timeout(LINGER, poll_fn(|cx| ReadSide::poll_drain(&mut io, cx))).await;
    Err(Error::UnexpectedEnd) // `refused` replaces it
}

/// Writes the response that `judged` asks for. After an error other than [`Error::Declined`],
/// nothing was written.
fn answer(
    machine: &mut ServerHandshake,
    request: &RequestHead<'_>,
    judged: Result<Acceptance, Refusal>,
    options: &Options,
    tx: &mut WriteBuffer<Pooled>,
) -> Result<Agreed, Error> {
    let acceptance = match judged {
        Ok(acceptance) => acceptance,
        Err(refusal) => {
            let headers = borrowed(&refusal.headers);
            let response = HttpResponse::new(refusal.status);
            machine.respond(response.with_headers(&headers).with_body(&refusal.body), tx)?;
            return Err(Error::Declined(refusal.status));
        }
    };
    let headers = borrowed(&acceptance.headers);
    let mut accept = Accept::new().with_headers(&headers);
    let mut known = options.subprotocols.iter();
    let chosen = acceptance
        .subprotocol
        .as_ref()
        .or_else(|| known.find(|name| request.subprotocols().any(|have| have == *name)));
    if let Some(name) = chosen {
        accept = accept.with_subprotocol(name);
    }
    if let Some(config) = options.deflate {
        accept = accept.with_deflate(config);
    }
    Ok(own(&machine.accept(request, accept, tx)?))
}

/// Runs the client's handshake. Sets `refused` to a refusal before it reads the body, and keeps a
/// failed write in `sending`, so that both outlive a time limit that drops this future.
async fn ask<IO: AsyncRead + AsyncWrite + Unpin>(
    uri: &Uri<'_>,
    mut io: IO,
    options: &Options,
    see: impl FnOnce(&ResponseHead<'_>),
    refused: &mut Option<Box<Refused>>,
    sending: &mut Sending,
) -> Result<WebSocketStream<IO>, Error> {
    let mut machine = ClientHandshake::new(&options.config);
    let mut rx = ReadBuffer::new(Pooled::new(options.read_limit()));
    let names: Vec<&str> = options.subprotocols.iter().map(String::as_str).collect();
    let headers = borrowed(&options.headers);
    let request = connect_request(uri, options, &names, &headers);
    machine.connect(&request, &mut ThreadEntropy, &mut sending.tx)?;
    loop {
        match machine.receive(&mut rx) {
            Some(ClientEvent::UpgradeResponse(response)) => {
                let agreed = machine.confirm(&response, &names).map_err(|_| {
                    Error::Handshake(sockless::handshake::HandshakeError::Subprotocol)
                })?;
                let agreed = own(&agreed);
                // A server can accept before it has read the last header.
                sending.finish(&mut io).await?;
                see(&response);
                return Ok(WebSocketStream::from_handshake(io, Role::Client, agreed, rx, options));
            }
            Some(ClientEvent::Rejected(response)) => {
                let refused = refused.insert(Box::new(refusal(&response)));
                let body = read_body(&mut io, &mut machine, sending, &mut rx, &mut refused.body);
                // A server may be slow to end the body, or the stream that ends it.
                let _ = timeout(BODY_WITHIN, body).await;
                return Err(Error::UnexpectedEnd); // `refused` replaces it
            }
            Some(ClientEvent::Failed(failure)) => return Err(failure.into()),
            Some(ClientEvent::EndOfStream) => return Err(sending.cause(Error::UnexpectedEnd)),
            Some(_) => {}
            None => sending.read(&mut io, &mut rx).await?,
        }
    }
}

/// The request of a client while it is written. A server can answer before it has read all of it,
/// and then read no more.
struct Sending {
    tx: WriteBuffer<Pooled>,
    /// `true` if the transport was flushed after the last byte.
    flushed: bool,
    failure: Option<io::Error>,
}

impl Sending {
    fn new() -> Sending {
        Sending { tx: WriteBuffer::new(Pooled::new(OUTPUT_LIMIT)), flushed: false, failure: None }
    }

    /// Writes on, and reads once. A failed write is told in place of a failed read: the answer may
    /// lie in the transport.
    async fn read<IO: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        io: &mut IO,
        rx: &mut ReadBuffer<Pooled>,
    ) -> Result<(), Error> {
        let read = poll_fn(|cx| {
            if self.failure.is_none() {
                if let Poll::Ready(Err(error)) = self.poll_write(io, cx) {
                    self.failure = Some(error);
                }
            }
            poll_read(io, rx, cx)
        });
        let read = read.await;
        read.map_err(|error| self.cause(error.into()))
    }

    /// Writes the rest.
    async fn finish<IO: AsyncWrite + Unpin>(&mut self, io: &mut IO) -> Result<(), Error> {
        match self.failure.take() {
            Some(error) => Err(error.into()),
            None => Ok(poll_fn(|cx| self.poll_write(io, cx)).await?),
        }
    }

    /// Writes what is left of the request, and flushes the transport.
    fn poll_write<IO: AsyncWrite + Unpin>(
        &mut self,
        io: &mut IO,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.tx.is_empty() {
            let n = ready!(Pin::new(&mut *io).poll_write(cx, self.tx.bytes()))?;
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.tx.consume(n);
        }
        if !self.flushed {
            ready!(Pin::new(io).poll_flush(cx))?;
            self.flushed = true;
        }
        Poll::Ready(Ok(()))
    }

    /// Returns the first failure, which is `error` if no write has failed.
    fn cause(&mut self, error: Error) -> Error {
        self.failure.take().map_or(error, Error::Io)
    }
}

/// Reads the body of a refusal, up to what is kept of it.
async fn read_body<IO: AsyncRead + AsyncWrite + Unpin>(
    io: &mut IO,
    machine: &mut ClientHandshake,
    sending: &mut Sending,
    rx: &mut ReadBuffer<Pooled>,
    kept: &mut Vec<u8>,
) -> Result<(), Error> {
    while kept.len() < BODY_KEPT && !machine.is_done() {
        match machine.receive(rx) {
            Some(ClientEvent::RejectionBody(bytes)) => {
                kept.extend_from_slice(&bytes[..bytes.len().min(BODY_KEPT - kept.len())]);
            }
            Some(_) => break,
            None if machine.is_done() => break,
            None => sending.read(io, rx).await?,
        }
    }
    Ok(())
}

fn refusal(response: &ResponseHead<'_>) -> Refused {
    let headers = response.headers().map(|(name, value)| (name.to_vec(), value.to_vec()));
    Refused { status: response.status(), headers: headers.collect(), body: Vec::new() }
}

/// The request that the options describe.
pub(crate) fn connect_request<'a>(
    uri: &Uri<'a>,
    options: &'a Options,
    names: &'a [&'a str],
    headers: &'a [(&'a str, &'a str)],
) -> ConnectRequest<'a> {
    let mut request = ConnectRequest::new(uri).with_subprotocols(names).with_headers(headers);
    if let Some(origin) = &options.origin {
        request = request.with_origin(origin);
    }
    if let Some(config) = options.deflate {
        request = request.with_deflate(config);
    }
    request
}

/// Copies what was agreed out of the head that says so.
pub(crate) fn own(agreed: &sockless::handshake::Agreed<'_>) -> Agreed {
    Agreed { subprotocol: agreed.subprotocol().map(Into::into), deflate: agreed.compression() }
}

pub(crate) fn borrowed(headers: &[(String, String)]) -> Vec<(&str, &str)> {
    headers.iter().map(|(name, value)| (&name[..], &value[..])).collect()
}

/// Reads once.
async fn read<IO: AsyncRead + Unpin>(
    io: &mut IO,
    rx: &mut ReadBuffer<Pooled>,
) -> Result<(), Error> {
    Ok(poll_fn(|cx| poll_read(io, rx, cx)).await?)
}

fn poll_read<IO: AsyncRead + Unpin>(
    io: &mut IO,
    rx: &mut ReadBuffer<Pooled>,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    let mut space = ReadBuf::new(rx.space());
    ready!(Pin::new(io).poll_read(cx, &mut space))?;
    let n = space.filled().len();
    rx.filled(n);
    Poll::Ready(Ok(()))
}

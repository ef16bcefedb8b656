//! WebSockets over HTTP/2 by extended CONNECT (RFC 8441), as server and client, on h2's streams.
use std::{error::Error, future::poll_fn};

use bytes::{Buf, Bytes};
use h2::{RecvStream, SendStream, client::SendRequest, ext::Protocol, server::SendResponse};
use http::{Method, Request, Response};
use sockless::handshake::{Accept, ConnectRequest, HttpResponse, Upgrade, Uri};
use sockless::{Client, Config, Event, GrowableBuffer, OsEntropy, ReadBuffer};
use sockless::{Role, Server, WebSocket, WriteBuffer};

pub type Failure = Box<dyn Error + Send + Sync>;
pub type Output = WriteBuffer<GrowableBuffer>;
/// Called with `None` when the connection is open, and then with each event.
pub type OnEvent<'f, R> = &'f mut (
            dyn FnMut(
    &mut WebSocket<R>,
    Option<Event<'_>>,
    &mut Output,
) -> Result<(), sockless::Error>
                + Send
        );

/// Answers a request of a connection whose builder said `enable_connect_protocol`, and echoes.
pub async fn serve(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
) -> Result<(), Failure> {
    let protocol = request.extensions().get().map_or("", Protocol::as_str);
    let method = request.method().as_str();
    let upgrade = match Upgrade::from_connect(method, protocol, request.headers()) {
        Ok(Some(upgrade)) => upgrade,
        Ok(None) => return refuse(HttpResponse::new(404), respond), // or your pages
        Err(error) => return refuse(error.connect_response(), respond),
    };
    let accepted = upgrade.accept(Accept::new())?;
    let response = (accepted.fields())
        .fold(Response::builder().status(accepted.status()), |response, (name, value)| {
            response.header(name, value.to_string())
        });
    let send = respond.send_response(response.body(())?, false)?;
    let ws = WebSocket::from_upgraded(Server, Config::default());
    drive(ws, request.into_body(), send, &mut |ws, event, tx| match event {
        Some(Event::Text(text)) => ws.send_text(text, tx),
        Some(Event::Binary(bytes)) => ws.send_binary(bytes, tx),
        _ => Ok(()),
    })
    .await
}

fn refuse(refusal: HttpResponse<'_>, mut respond: SendResponse<Bytes>) -> Result<(), Failure> {
    let response = (refusal.headers().iter())
        .fold(Response::builder().status(refusal.status()), |response, &(name, value)| {
            response.header(name, value)
        });
    let mut send = respond.send_response(response.body(())?, false)?;
    Ok(send.send_data(Bytes::copy_from_slice(refusal.body()), true)?)
}

/// Opens a WebSocket on a connection whose server allows it, and hands its events to `on_event`.
pub async fn connect(
    requests: SendRequest<Bytes>,
    uri: &str,
    on_event: OnEvent<'_, Client<OsEntropy>>,
) -> Result<(), Failure> {
    let mut requests = requests.ready().await?;
    let target = Uri::parse(uri)?;
    let connect = ConnectRequest::new(&target);
    let request = (connect.fields(None)?).fold(
        Request::builder().method(Method::CONNECT).uri(uri.replacen("ws", "http", 1)),
        |request, (name, value)| request.header(name, value.to_string()),
    );
    let request = request.extension(Protocol::from_static("websocket")).body(())?;
    let (response, send) = requests.send_request(request, false)?;
    let response = response.await?;
    connect.check_response(None, response.status().as_u16(), response.headers())?;
    let ws = WebSocket::from_upgraded(Client::new(OsEntropy::new()), Config::default());
    drive(ws, response.into_body(), send, on_event).await
}

async fn drive<R: Role>(
    mut ws: WebSocket<R>,
    mut body: RecvStream,
    mut send: SendStream<Bytes>,
    on_event: OnEvent<'_, R>,
) -> Result<(), Failure> {
    let (mut rx, mut tx) = (ReadBuffer::growing(1 << 20), WriteBuffer::growing(2 << 20));
    let mut data = Bytes::new();
    on_event(&mut ws, None, &mut tx)?;
    loop {
        while let Some(event) = ws.receive(&mut rx, &mut tx) {
            on_event(&mut ws, Some(event), &mut tx)?;
            if tx.len() > 1 << 16 {
                flush(&mut tx, &mut send).await?;
            }
        }
        flush(&mut tx, &mut send).await?;
        if ws.is_done() {
            send.send_data(Bytes::new(), true)?; // as TCP's end of the stream
            while body.data().await.is_some_and(|data| data.is_ok()) {} // unread it would be reset
            return Ok(());
        }
        if data.is_empty() {
            match body.data().await {
                Some(received) => data = received?,
                None => rx.end_of_stream(),
            }
        }
        let n = rx.extend(&data);
        data.advance(n);
        body.flow_control().release_capacity(n)?;
    }
}

async fn flush(tx: &mut Output, send: &mut SendStream<Bytes>) -> Result<(), Failure> {
    while !tx.is_empty() {
        send.reserve_capacity(tx.len());
        let capacity =
            poll_fn(|cx| send.poll_capacity(cx)).await.ok_or("the stream was reset")??;
        let data = tx.bytes().get(..capacity).unwrap_or(tx.bytes());
        let n = data.len();
        send.send_data(Bytes::copy_from_slice(data), false)?;
        tx.consume(n);
    }
    Ok(())
}

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
pub type Socket = WebSocket<Client<OsEntropy>>;
pub type Done = Result<(), sockless::Error>;

/// Answers a request and echoes. The connection's builder must call `enable_connect_protocol`.
pub async fn serve(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
) -> Result<(), Failure> {
    let name = request.extensions().get().map_or("", Protocol::as_str);
    let accepted = match Upgrade::from_connect(request.method().as_str(), name, request.headers()) {
        Ok(Some(upgrade)) => upgrade.accept(Accept::new())?,
        Ok(None) => return refuse(HttpResponse::new(404), respond), // or your pages
        Err(error) => return refuse(error.connect_response(), respond),
    };
    let response = Response::builder().status(accepted.status());
    let response = accepted.fields().fold(response, |r, (k, v)| r.header(k, v.to_string()));
    let send = respond.send_response(response.body(())?, false)?;
    let ws = WebSocket::from_upgraded(Server, Config::default());
    drive(ws, request.into_body(), send, |ws, event, tx| match event {
        Some(Event::Text(text)) => ws.send_text(text, tx),
        Some(Event::Binary(bytes)) => ws.send_binary(bytes, tx),
        _ => Ok(()),
    })
    .await
}

fn refuse(refusal: HttpResponse<'_>, mut respond: SendResponse<Bytes>) -> Result<(), Failure> {
    let response = Response::builder().status(refusal.status());
    let response = refusal.headers().iter().fold(response, |r, &(k, v)| r.header(k, v));
    let mut send = respond.send_response(response.body(())?, false)?;
    Ok(send.send_data(Bytes::copy_from_slice(refusal.body()), true)?)
}

/// Opens a WebSocket if the server of the connection allows it. Calls `on_event` with `None` once
/// open, then with each event.
pub async fn connect(
    requests: SendRequest<Bytes>,
    uri: &str,
    on_event: impl FnMut(&mut Socket, Option<Event<'_>>, &mut Output) -> Done,
) -> Result<(), Failure> {
    let target = Uri::parse(uri)?;
    let connect = ConnectRequest::new(&target);
    let request = Request::builder().method(Method::CONNECT).uri(uri.replacen("ws", "http", 1));
    let request = connect.fields(None)?.fold(request, |r, (k, v)| r.header(k, v.to_string()));
    let request = request.extension(Protocol::from_static("websocket")).body(())?;
    let (response, send) = requests.ready().await?.send_request(request, false)?;
    let response = response.await?;
    connect.check_response(None, response.status().as_u16(), response.headers())?;
    let ws = WebSocket::from_upgraded(Client::new(OsEntropy::new()), Config::default());
    drive(ws, response.into_body(), send, on_event).await
}

async fn drive<R: Role>(
    mut ws: WebSocket<R>,
    mut body: RecvStream,
    mut send: SendStream<Bytes>,
    mut on_event: impl FnMut(&mut WebSocket<R>, Option<Event<'_>>, &mut Output) -> Done,
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
            send.send_data(Bytes::new(), true)?; // replaces the end of TCP
            // A stream with unread input would be reset.
            while body.data().await.is_some_and(|data| data.is_ok()) {}
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
        let n = poll_fn(|cx| send.poll_capacity(cx)).await.ok_or("the stream was reset")??;
        let data = Bytes::copy_from_slice(tx.bytes().get(..n).unwrap_or(tx.bytes()));
        tx.consume(data.len());
        send.send_data(data, false)?;
    }
    Ok(())
}

//! Upgrades the requests of a hyper 1 server to WebSockets that echo.
use std::{error::Error, io};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response, body::Incoming};
use hyper_util::rt::TokioIo;
use sockless::handshake::{Accept, HttpResponse, Upgrade};
use sockless::{Config, Event, ReadBuffer, Server, WebSocket, WriteBuffer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Handles a request, as a service of hyper. Serve connections `.with_upgrades()`.
pub async fn upgrade(
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Box<dyn Error + Send + Sync>> {
    let accepted = match Upgrade::from_request(request.method().as_str(), request.headers()) {
        Ok(Some(upgrade)) => upgrade.accept(Accept::new())?,
        Ok(None) => return refuse(HttpResponse::new(404)), // or your pages
        Err(error) => return refuse(error.response()),
    };
    let response = Response::builder().status(accepted.status());
    let response = accepted.fields().fold(response, |r, (k, v)| r.header(k, v.to_string()));
    tokio::spawn(async move {
        echo(TokioIo::new(hyper::upgrade::on(request).await.map_err(io::Error::other)?)).await
    });
    Ok(response.body(Full::default())?)
}

fn refuse(
    refusal: HttpResponse<'static>,
) -> Result<Response<Full<Bytes>>, Box<dyn Error + Send + Sync>> {
    let response = Response::builder().status(refusal.status());
    let response = refusal.headers().iter().fold(response, |r, &(k, v)| r.header(k, v));
    Ok(response.body(Full::from(refusal.body()))?)
}

async fn echo(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    let mut ws = WebSocket::from_upgraded(Server, Config::default());
    let (mut rx, mut tx) = (ReadBuffer::growing(1 << 20), WriteBuffer::growing(2 << 20));
    while !ws.is_done() {
        let n = stream.read(rx.space()).await?;
        rx.filled(n);
        while let Some(event) = ws.receive(&mut rx, &mut tx) {
            match event {
                Event::Text(text) => ws.send_text(text, &mut tx),
                Event::Binary(bytes) => ws.send_binary(bytes, &mut tx),
                _ => Ok(()),
            }
            .map_err(io::Error::other)?;
            if tx.len() > 1 << 16 {
                stream.write_all(tx.bytes()).await?;
                tx.clear();
            }
        }
        stream.write_all(tx.bytes()).await?;
        tx.clear();
    }
    stream.shutdown().await
}

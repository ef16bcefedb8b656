//! An echo server on hyper 1, over HTTP/1.1 and over extended CONNECT of HTTP/2, as the client
//! begins: `cargo run --features http --example hyper [ADDRESS]`.

use std::convert::Infallible;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use sockless_tokio::{Error, Options, http::upgrade};

async fn serve(mut request: Request<Incoming>) -> Result<Response<String>, Infallible> {
    Ok(match upgrade(&mut request, &Options::new()) {
        Ok((response, stream)) => {
            tokio::spawn(async move {
                let mut ws = stream.await?;
                while let Some(message) = ws.next().await {
                    let message = message?;
                    if message.is_data() {
                        ws.send(message).await?;
                    }
                }
                Ok::<_, Error>(())
            });
            response.map(|()| String::new())
        }
        Err(refusal) => refusal,
    })
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".into());
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("ws://{}", listener.local_addr()?);
    serve_all(listener).await
}

pub async fn serve_all(listener: tokio::net::TcpListener) -> std::io::Result<()> {
    loop {
        let (socket, _) = listener.accept().await?;
        tokio::spawn(async move {
            let mut server = auto::Builder::new(TokioExecutor::new());
            server.http2().enable_connect_protocol();
            let io = TokioIo::new(socket);
            let _ = server.serve_connection_with_upgrades(io, service_fn(serve)).await;
        });
    }
}

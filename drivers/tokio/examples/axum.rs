//! An echo handler for axum 0.8: `cargo run --features http --example axum [ADDRESS]`.

use axum::{Router, body::Body, extract::Request, response::Response, routing::any};
use sockless_tokio::{Error, Options, http::upgrade};

async fn echo(mut request: Request) -> Response {
    match upgrade(&mut request, &Options::new()) {
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
            response.map(|()| Body::empty())
        }
        Err(refusal) => refusal.map(Body::from),
    }
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".into());
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("ws://{}/echo", listener.local_addr()?);
    serve(listener).await
}

pub async fn serve(listener: tokio::net::TcpListener) -> std::io::Result<()> {
    axum::serve(listener, Router::new().route("/echo", any(echo))).await
}

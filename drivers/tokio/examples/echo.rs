//! An echo server: `cargo run --example echo [ADDRESS]`. It prints where it listens.

use sockless_tokio::{Acceptance, Error, Event, Options, accept_with, deflate::DeflateConfig};
use tokio::net::{TcpListener, TcpStream};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".into());
    let listener = TcpListener::bind(address).await?;
    println!("ws://{}", listener.local_addr()?);
    loop {
        let (socket, peer) = listener.accept().await?;
        tokio::spawn(async move {
            if let Err(error) = echo(socket).await {
                eprintln!("{peer}: {error}");
            }
        });
    }
}

async fn echo(socket: TcpStream) -> Result<(), Error> {
    socket.set_nodelay(true)?;
    let options = Options::new().compression(DeflateConfig::DEFAULT);
    let mut ws = accept_with(socket, &options, |_| Ok(Acceptance::new())).await?;
    while let Some(received) = ws.recv_and_queue().await {
        match received? {
            (Event::Text(text), mut queue) => queue.text(text)?,
            (Event::Binary(bytes), mut queue) => queue.binary(bytes)?,
            _ => {}
        }
    }
    Ok(())
}

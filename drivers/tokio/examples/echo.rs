//! An echo server: `cargo run --example echo [ADDRESS] [--no-deflate] [--context-takeover]
//! [--subprotocol NAME]...`. It prints where it listens.

use sockless_tokio::{
    Acceptance, Error, Event, Options, WebSocketStream, accept_with, deflate::DeflateConfig,
};
use tokio::net::{TcpListener, TcpStream};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let mut address = "127.0.0.1:0".to_owned();
    let mut options = Options::new().shared_compression();
    let mut subprotocols = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match &argument[..] {
            "--no-deflate" => options = Options::new(),
            "--context-takeover" => options = Options::new().compression(DeflateConfig::DEFAULT),
            "--subprotocol" => subprotocols.extend(arguments.next()),
            _ => address = argument,
        }
    }
    options = options.subprotocols(subprotocols);
    let listener = TcpListener::bind(address).await?;
    println!("ws://{}/", listener.local_addr()?);
    loop {
        let (socket, peer) = listener.accept().await?;
        let options = options.clone();
        tokio::spawn(async move {
            if let Err(error) = serve(socket, &options).await {
                eprintln!("{peer}: {error}");
            }
        });
    }
}

async fn serve(socket: TcpStream, options: &Options) -> Result<(), Error> {
    socket.set_nodelay(true)?;
    let mut ws = accept_with(socket, options, |_| Ok(Acceptance::new())).await?;
    let done = echo(&mut ws).await;
    // After an error the connection still ends in order: the peer reads our Close.
    while ws.next().await.is_some() {}
    done
}

async fn echo(ws: &mut WebSocketStream<TcpStream>) -> Result<(), Error> {
    while let Some(received) = ws.recv_and_queue().await {
        match received? {
            (Event::Text(text), mut queue) => queue.text(text)?,
            (Event::Binary(bytes), mut queue) => queue.binary(bytes)?,
            _ => {}
        }
    }
    Ok(())
}

//! Runs the client side of Autobahn's test suite (see `tests/autobahn`). Requests the number of
//! cases, echoes the messages of each case, and requests the reports.
//!
//! ```text
//! autobahn_client ws://127.0.0.1:PORT NAME
//! ```
//!
//! The program is a plain blocking loop.

use std::error::Error;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use sockless::deflate::DeflateConfig;
use sockless::handshake::{ConnectRequest, Uri};
use sockless::{Client, Config, Event, OsEntropy, ReadBuffer, WebSocket, WriteBuffer};

/// The suite's largest messages have 16 MiB.
const LIMIT: usize = 17 << 20;
/// Longest wait of the suite. A connection that is silent for longer is stuck.
const PATIENCE: Duration = Duration::from_secs(120);

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(suite), Some(name), None) = (arguments.next(), arguments.next(), arguments.next())
    else {
        return Err("usage: autobahn_client URI NAME".into());
    };
    let mut count = None;
    talk(&format!("{suite}/getCaseCount"), |text| count = text.parse().ok())?;
    let count: u32 = count.ok_or("the suite did not say how many cases there are")?;
    for case in 1..=count {
        // The suite decides whether a connection may end without a Close.
        if let Err(error) = talk(&format!("{suite}/runCase?case={case}&agent={name}"), |_| {}) {
            eprintln!("case {case}: {error}");
        }
    }
    talk(&format!("{suite}/updateReports?agent={name}"), |_| {})
}

/// Echoes every message until the server ends the connection. Calls `hear` with each text.
fn talk(address: &str, mut hear: impl FnMut(&str)) -> Result<(), Box<dyn Error>> {
    let uri = Uri::parse(address)?;
    let mut stream = TcpStream::connect((uri.host(), uri.port()))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut ws = WebSocket::client(Config::default(), OsEntropy::new());
    let (mut rx, mut tx) = (ReadBuffer::growing(LIMIT), WriteBuffer::growing(LIMIT));
    // The suite accepts the offer only in the cases about compression.
    ws.connect(&ConnectRequest::new(&uri).with_deflate(DeflateConfig::DEFAULT), &mut tx)?;
    while !ws.is_done() {
        if stream.write_all(tx.bytes()).is_err() {
            rx.end_of_stream(); // the rest of the input is still in `rx`
        }
        tx.clear();
        match stream.read(rx.space()) {
            Ok(n) => rx.filled(n),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => rx.end_of_stream(),
            Err(error) => return Err(error.into()),
        }
        while let Some(event) = ws.receive(&mut rx, &mut tx) {
            echo(event, &mut ws, &mut stream, &mut tx, &mut hear)?;
        }
    }
    // The last output is often our Close. Read until the end: closing a socket with unread input
    // resets the connection, and the Close could be lost.
    let _ = stream.write_all(tx.bytes());
    let _ = stream.shutdown(std::net::Shutdown::Write);
    while matches!(stream.read(&mut [0; 4096]), Ok(1..)) {}
    Ok(())
}

fn echo(
    event: Event<'_>,
    ws: &mut WebSocket<Client<OsEntropy>>,
    stream: &mut TcpStream,
    tx: &mut WriteBuffer<sockless::GrowableBuffer>,
    hear: &mut impl FnMut(&str),
) -> Result<(), Box<dyn Error>> {
    // Make room for the echo of a whole message.
    if tx.len() > 1 << 16 {
        stream.write_all(tx.bytes())?;
        tx.clear();
    }
    match event {
        Event::Text(text) => {
            hear(text);
            ws.send_text(text, tx)?;
        }
        Event::Binary(bytes) => ws.send_binary(bytes, tx)?,
        Event::Rejected(response) => return Err(format!("refused: {}", response.status()).into()),
        Event::Failed(failure) => eprintln!("{failure}"),
        _ => {}
    }
    Ok(())
}

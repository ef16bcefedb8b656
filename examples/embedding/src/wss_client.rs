//! A client of `wss://` over rustls, in a blocking loop: sends a text, returns the echo and closes.
use std::error::Error;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::{ClientConfig, ClientConnection, StreamOwned, pki_types::ServerName};
use sockless::handshake::{ConnectRequest, Uri};
use sockless::{CloseCode, Config, Event, OsEntropy, ReadBuffer, WebSocket, WriteBuffer};

/// Returns the reply and the code of the server's Close.
pub fn ask(
    uri: &str,
    address: SocketAddr,
    tls: Arc<ClientConfig>,
    question: &str,
) -> Result<(String, CloseCode), Box<dyn Error>> {
    let uri = Uri::parse(uri)?;
    let name = ServerName::try_from(uri.host().to_owned())?;
    let tls = ClientConnection::new(tls, name)?;
    let mut stream = StreamOwned::new(tls, TcpStream::connect(address)?);
    let mut ws = WebSocket::client(Config::default(), OsEntropy::new());
    let (mut rx, mut tx) = (ReadBuffer::growing(1 << 20), WriteBuffer::growing(1 << 20));
    let (mut answer, mut code) = (String::new(), CloseCode::ABNORMAL);
    ws.connect(&ConnectRequest::new(&uri), &mut tx)?;
    loop {
        stream.write_all(tx.bytes())?;
        stream.flush()?; // rustls has a buffer of its own
        tx.clear();
        if ws.is_done() {
            stream.conn.send_close_notify();
            let _ = stream.flush(); // the server has closed already
            return Ok((answer, code));
        }
        let n = match stream.read(rx.space()) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => 0, // no close_notify
            read => read?,
        };
        rx.filled(n);
        while let Some(event) = ws.receive(&mut rx, &mut tx) {
            match event {
                Event::UpgradeResponse(response) => {
                    ws.confirm(&response, &[])?; // no subprotocols were offered
                    ws.send_text(question, &mut tx)?;
                }
                Event::Text(text) => {
                    answer = text.to_owned();
                    ws.close(CloseCode::NORMAL, "", &mut tx)?;
                }
                Event::Close(close) => code = close.code(),
                Event::Rejected(response) => return Err(response.status().to_string().into()),
                Event::Failed(failure) => return Err(failure.into()),
                _ => {}
            }
        }
    }
}

//! A proxy that forwards messages chunk by chunk. A message of any size passes through buffers of
//! 16 KiB. Pings, pongs and Closes are forwarded too.
use std::io::{self, Read, Write, copy, sink};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::{thread, time::Duration};

use sockless::Incoming::{Close, Data, End, Ping, Pong};
use sockless::handshake::{Accept, ClientHandshake, ConnectRequest, HttpResponse};
use sockless::handshake::{ServerEvent, ServerHandshake, Uri};
use sockless::{CloseCode, Config, GrowableBuffer, OsEntropy, ReadBuffer};
use sockless::{Receiver, Reply, Role, Sender, WriteBuffer};

const PATIENCE: Duration = Duration::from_secs(60);
const CONFIG: Config = Config::new().with_max_message_size(1 << 40).with_max_frame_size(1 << 40);
type Input = ReadBuffer<GrowableBuffer>;

/// Connects a client with the WebSocket server at `upstream`.
pub fn serve(mut client: TcpStream, upstream: SocketAddr) -> io::Result<()> {
    client.set_read_timeout(Some(PATIENCE))?;
    client.set_write_timeout(Some(PATIENCE))?;
    let mut from_client = ReadBuffer::growing(16 << 10);
    let (server, from_server) = open(&mut client, &mut from_client, upstream)?;
    let (to_client, to_server) = (client.try_clone()?, server.try_clone()?);
    let server = (server, from_server, Receiver::client(CONFIG));
    let back = thread::spawn(move || forward(server, (to_client, Sender::server())));
    let sender = Sender::client(OsEntropy::new());
    forward((client, from_client, Receiver::server(CONFIG)), (to_server, sender))?;
    back.join().map_err(|_| io::Error::other("the other direction panicked"))?
}

/// Accepts the client once the server has accepted us.
fn open(client: &mut TcpStream, rx: &mut Input, to: SocketAddr) -> io::Result<(TcpStream, Input)> {
    let (mut handshake, mut tx) = (ServerHandshake::new(&CONFIG), WriteBuffer::growing(16 << 10));
    let mut opened = None;
    while !handshake.is_open() && !handshake.is_done() {
        let n = client.read(rx.space())?;
        rx.filled(n);
        while let Some(event) = handshake.receive(rx, &mut tx) {
            let ServerEvent::UpgradeRequest(request) = event else { continue };
            opened = connect(to, request.target()).ok();
            match opened {
                Some(_) => handshake.accept(&request, Accept::new(), &mut tx).map(drop),
                None => handshake.respond(HttpResponse::new(502), &mut tx),
            }
            .map_err(io::Error::other)?;
        }
        client.write_all(tx.bytes())?; // empty until the response, which ends the loop
    }
    opened.ok_or_else(|| io::ErrorKind::ConnectionAborted.into())
}

fn connect(upstream: SocketAddr, target: &str) -> io::Result<(TcpStream, Input)> {
    let mut server = TcpStream::connect_timeout(&upstream, PATIENCE)?;
    server.set_read_timeout(Some(PATIENCE))?;
    server.set_write_timeout(Some(PATIENCE))?;
    let (mut rx, mut tx) = (ReadBuffer::growing(16 << 10), WriteBuffer::growing(16 << 10));
    let uri = format!("ws://{upstream}{target}");
    let uri = Uri::parse(&uri).map_err(io::Error::other)?;
    let (mut handshake, request) = (ClientHandshake::new(&CONFIG), ConnectRequest::new(&uri));
    handshake.connect(&request, &mut OsEntropy::new(), &mut tx).map_err(io::Error::other)?;
    server.write_all(tx.bytes())?;
    while !handshake.is_open() && !handshake.is_done() {
        let n = server.read(rx.space())?;
        rx.filled(n);
        while handshake.receive(&mut rx).is_some() {}
    }
    handshake.is_open().then_some((server, rx)).ok_or(io::ErrorKind::ConnectionRefused.into())
}

/// Forwards until one stream ends, then ends the other. A Close is forwarded like other frames, and
/// the reply comes back in the other direction.
fn forward<R: Role>(
    (mut from, mut rx, mut receiver): (TcpStream, Input, Receiver),
    (mut to, mut sender): (TcpStream, Sender<R>),
) -> io::Result<()> {
    let mut tx = WriteBuffer::growing(64 << 10); // a full `rx` of tiny frames, masked
    let code = loop {
        match receiver.receive_chunks(&mut rx) {
            Ok(None) => {
                to.write_all(tx.bytes())?;
                tx.clear();
                let n = from.read(rx.space()).unwrap_or(0); // a failed stream has ended
                rx.filled(n);
                Ok(())
            }
            Ok(Some(Data(it))) => sender.fragment(it.kind(), it.bytes(), it.is_last(), &mut tx),
            Ok(Some(Ping(payload))) => sender.ping(payload, &mut tx),
            Ok(Some(Pong(payload))) => sender.pong(payload, &mut tx),
            Ok(Some(Close(close))) => sender.close(close.code(), close.reason(), &mut tx),
            Ok(Some(End)) => break CloseCode::GOING_AWAY,
            Ok(Some(_)) => Ok(()),
            Err(violation) => break violation.close_code(),
        }
        .map_err(io::Error::other)?;
    };
    // Fails if a Close was forwarded.
    sender.reply(Reply::close(code), &mut tx).map_err(io::Error::other)?;
    to.write_all(tx.bytes())?;
    let _ = copy(&mut from, &mut sink()); // ignore the input after a violation
    to.shutdown(Shutdown::Write)
}

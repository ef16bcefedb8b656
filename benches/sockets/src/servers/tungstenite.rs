//! tungstenite: blocking. The server flushes after each message, or once all input is processed.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;

use tungstenite::{Error, accept};

use super::Outcome;

pub fn per_message(stream: TcpStream) -> Outcome {
    let mut socket = accept(stream)?;
    loop {
        match socket.read() {
            Ok(message) if message.is_text() || message.is_binary() => socket.send(message)?,
            Ok(_) => {}
            Err(Error::ConnectionClosed | Error::Io(_)) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// A socket that returns `WouldBlock` instead of a second read. tungstenite has then processed its
/// input.
struct OneRead {
    stream: TcpStream,
    /// Number of permitted reads, or `None` for any number, as in the handshake.
    reads: Option<u8>,
}

impl Read for OneRead {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        if let Some(reads) = &mut self.reads {
            *reads = reads.checked_sub(1).ok_or(ErrorKind::WouldBlock)?;
        }
        self.stream.read(space)
    }
}

impl Write for OneRead {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

pub fn per_read(stream: TcpStream) -> Outcome {
    let mut socket = accept(OneRead { stream, reads: None }).map_err(|error| error.to_string())?;
    socket.get_mut().reads = Some(1);
    loop {
        match socket.read() {
            Ok(message) if message.is_text() || message.is_binary() => socket.write(message)?,
            Ok(_) => {}
            Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => {
                socket.flush()?;
                socket.get_mut().reads = Some(1);
            }
            Err(Error::ConnectionClosed | Error::Io(_)) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

//! A server without WebSocket. It reads the bytes of each message, and writes as many bytes as its
//! echo has. The cost of another server beyond this is its own.

use std::io::{Read, Write};
use std::net::TcpStream;

use super::Outcome;

/// Larger than the echo of any read.
const BUFFER: usize = 64 << 10;

pub fn serve(mut stream: TcpStream) -> Outcome {
    let mut buffer = vec![0; BUFFER];
    let length = stream.read(&mut buffer)?;
    let head = String::from_utf8(buffer[..length].to_vec())?;
    // GET /IN/OUT HTTP/1.1
    let mut sizes = head.split(['/', ' ']).filter_map(|part| part.parse::<usize>().ok());
    let (size_in, size_out) = (sizes.next().ok_or("no size")?, sizes.next().ok_or("no size")?);
    stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")?;
    let mut pending = 0;
    loop {
        let read = stream.read(&mut buffer)?;
        if read == 0 {
            return Ok(());
        }
        pending += read;
        let mut owed = pending / size_in * size_out;
        pending %= size_in;
        while owed > 0 {
            let now = owed.min(BUFFER);
            stream.write_all(&buffer[..now])?;
            owed -= now;
        }
    }
}

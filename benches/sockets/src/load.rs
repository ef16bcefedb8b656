//! The client for every server: writes prebuilt frames, and counts the bytes that return. The first
//! batch is compared byte for byte with the expected echo.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use fastrand::Rng;

pub type Result<T> = std::result::Result<T, String>;

/// A server that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// The messages of a load, and how many may be unanswered.
pub struct Load {
    pub name: &'static str,
    size: usize,
    make: fn(&mut Rng, usize) -> Vec<u8>,
    text: bool,
    /// Messages in one write. With more than one, two batches are unanswered at a time.
    pub batch: usize,
}

pub const LOADS: &[Load] = &[
    Load { name: "16 B, one in flight", size: 16, make: binary, text: false, batch: 1 },
    Load { name: "16 B, many in flight", size: 16, make: binary, text: false, batch: 1500 },
    Load { name: "1 KiB, one in flight", size: 1 << 10, make: binary, text: false, batch: 1 },
    Load { name: "1 KiB, many in flight", size: 1 << 10, make: binary, text: false, batch: 32 },
    Load {
        name: "64 KiB binary, one in flight",
        size: 64 << 10,
        make: binary,
        text: false,
        batch: 1,
    },
    Load {
        name: "64 KiB Chinese, one in flight",
        size: 64 << 10,
        make: chinese,
        text: true,
        batch: 1,
    },
];

fn binary(random: &mut Rng, size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    random.fill(&mut bytes);
    bytes
}

fn chinese(random: &mut Rng, size: usize) -> Vec<u8> {
    let mut text = String::new();
    while text.len() + 3 <= size {
        text.extend(char::from_u32(random.u32(0x4e00..0x9f00)));
    }
    text.extend(std::iter::repeat_n('.', size - text.len()));
    text.into_bytes()
}

fn header(out: &mut Vec<u8>, first: u8, mask: u8, size: usize) {
    out.push(first);
    match size {
        0..126 => out.push(mask | size as u8),
        126..65536 => {
            out.push(mask | 126);
            out.extend((size as u16).to_be_bytes());
        }
        _ => {
            out.push(mask | 127);
            out.extend((size as u64).to_be_bytes());
        }
    }
}

/// One open connection with its load.
pub struct Client {
    stream: TcpStream,
    out: Vec<u8>,
    echo: Vec<u8>,
    batch: usize,
    space: Vec<u8>,
}

impl Client {
    /// Connects, and sends the first batch. `checked` is `true` for a server that echoes.
    pub fn open(address: SocketAddr, load: &Load, checked: bool) -> Result<Client> {
        let mut random = Rng::with_seed(0x5eed);
        let (mut out, mut echo) = (Vec::new(), Vec::new());
        for _ in 0..load.batch {
            let payload = (load.make)(&mut random, load.size);
            let first = if load.text { 0x81 } else { 0x82 };
            let key = random.u32(1..).to_ne_bytes();
            header(&mut out, first, 0x80, payload.len());
            out.extend(key);
            out.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
            header(&mut echo, first, 0, payload.len());
            echo.extend(payload);
        }
        let path = if checked {
            "/".to_owned()
        } else {
            format!("/{}/{}", out.len() / load.batch, echo.len() / load.batch)
        };
        let stream = TcpStream::connect_timeout(&address, PATIENCE).map_err(text)?;
        stream.set_nodelay(true).map_err(text)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(text)?;
        stream.set_write_timeout(Some(PATIENCE)).map_err(text)?;
        let mut client = Client { stream, out, echo, batch: load.batch, space: vec![0; 256 << 10] };
        client.shake_hands(&path)?;
        client.stream.write_all(&client.out).map_err(text)?;
        let mut received = vec![0; client.echo.len()];
        client.stream.read_exact(&mut received).map_err(text)?;
        if checked && received != client.echo {
            return Err("another echo than expected".into());
        }
        Ok(client)
    }

    fn shake_hands(&mut self, path: &str) -> Result<()> {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        self.stream.write_all(request.as_bytes()).map_err(text)?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.stream.read_exact(&mut byte).map_err(text)?;
            head.push(byte[0]);
        }
        if head.starts_with(b"HTTP/1.1 101") { Ok(()) } else { Err("no 101".into()) }
    }

    /// Sends so many batches and reads as many echoes. Returns the number of messages.
    pub fn exchange(&mut self, batches: usize) -> Result<usize> {
        // With batches of one message, wait for each echo. Otherwise keep one more batch
        // unanswered.
        let ahead = usize::from(self.batch > 1).min(batches);
        for _ in 0..ahead {
            self.stream.write_all(&self.out).map_err(text)?;
        }
        for sent in ahead..batches + ahead {
            if sent < batches {
                self.stream.write_all(&self.out).map_err(text)?;
            }
            let mut left = self.echo.len();
            while left > 0 {
                let room = left.min(self.space.len());
                match self.stream.read(&mut self.space[..room]).map_err(text)? {
                    0 => return Err("the server hung up".into()),
                    read => left -= read,
                }
            }
        }
        Ok(batches * self.batch)
    }
}

fn text(error: std::io::Error) -> String {
    error.to_string()
}

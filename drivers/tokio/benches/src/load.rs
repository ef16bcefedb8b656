//! The client, the same for every server and transport: prebuilt frames out, and a count of bytes
//! in. The first batch is compared byte for byte with its echo.

use std::time::Duration;

use fastrand::Rng;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

pub type Result<T> = std::result::Result<T, String>;

/// A server that takes longer for anything has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// A transport of either kind.
pub trait Io: AsyncRead + AsyncWrite + Unpin + Send + 'static {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Io for T {}

/// The messages of a load, and the number of them in flight.
#[derive(Clone, Copy)]
pub struct Load {
    pub name: &'static str,
    pub size: usize,
    /// Messages that are written at once. With more than one, two batches are in flight.
    pub batch: usize,
}

pub const LOADS: &[Load] = &[
    Load { name: "16 B, one", size: 16, batch: 1 },
    Load { name: "16 B, many", size: 16, batch: 1500 },
    Load { name: "1 KiB, one", size: 1 << 10, batch: 1 },
    Load { name: "1 KiB, many", size: 1 << 10, batch: 32 },
    Load { name: "64 KiB, one", size: 64 << 10, batch: 1 },
    Load { name: "64 KiB, many", size: 64 << 10, batch: 4 },
];

fn header(out: &mut Vec<u8>, mask: u8, size: usize) {
    out.push(0x82);
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
pub struct Client<T> {
    io: T,
    out: Vec<u8>,
    echo: Vec<u8>,
    batch: usize,
    space: Vec<u8>,
}

impl<T: Io> Client<T> {
    /// Shakes hands, and exchanges the first batch.
    pub async fn open(io: T, load: &Load) -> Result<Client<T>> {
        let mut random = Rng::with_seed(0x5eed);
        let (mut out, mut echo) = (Vec::new(), Vec::new());
        for _ in 0..load.batch {
            let mut payload = vec![0; load.size];
            random.fill(&mut payload);
            let key = random.u32(1..).to_ne_bytes();
            header(&mut out, 0x80, payload.len());
            out.extend(key);
            out.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
            header(&mut echo, 0, payload.len());
            echo.extend(payload);
        }
        let mut client = Client { io, out, echo, batch: load.batch, space: vec![0; 256 << 10] };
        within(client.shake_hands()).await?;
        within(client.first()).await?;
        Ok(client)
    }

    /// Sends so many batches and reads as many echoes. Returns the number of messages.
    pub async fn exchange(&mut self, batches: usize) -> Result<usize> {
        let Client { io, out, echo, batch, space } = self;
        let (mut reader, mut writer) = tokio::io::split(io);
        // A batch larger than the transport's buffer must be read while it is written.
        let ahead = if *batch > 1 { 2 } else { 1 };
        let permits = tokio::sync::Semaphore::new(ahead);
        let write = async {
            for _ in 0..batches {
                permits.acquire().await.map_err(text)?.forget();
                writer.write_all(out).await.map_err(text)?;
            }
            Ok::<_, String>(())
        };
        let read = async {
            for _ in 0..batches {
                let mut left = echo.len();
                while left > 0 {
                    let room = left.min(space.len());
                    match reader.read(&mut space[..room]).await.map_err(text)? {
                        0 => return Err("the server hung up".to_owned()),
                        read => left -= read,
                    }
                }
                permits.add_permits(1);
            }
            Ok(())
        };
        within(async { futures_util::future::try_join(write, read).await }).await?;
        Ok(batches * *batch)
    }

    async fn shake_hands(&mut self) -> Result<()> {
        let request = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\
            Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        self.io.write_all(request.as_bytes()).await.map_err(text)?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.io.read_u8().await.map_err(text)?);
        }
        if head.starts_with(b"HTTP/1.1 101") { Ok(()) } else { Err("no 101".into()) }
    }

    async fn first(&mut self) -> Result<()> {
        let Client { io, out, echo, .. } = self;
        let (mut reader, mut writer) = tokio::io::split(io);
        let mut received = vec![0; echo.len()];
        let write = writer.write_all(out);
        let read = reader.read_exact(&mut received);
        futures_util::future::try_join(write, read).await.map_err(text)?;
        if received == *echo { Ok(()) } else { Err("another echo than expected".into()) }
    }
}

async fn within<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    timeout(PATIENCE, future).await.map_err(text)?
}

pub fn text(error: impl ToString) -> String {
    error.to_string()
}

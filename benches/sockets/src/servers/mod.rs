//! The servers under test. Each echoes text and binary messages on one thread, one connection after
//! the other.

mod bare;
mod fastwebsockets;
mod sockless;
mod tokio_websockets;
mod tungstenite;

use std::error::Error;
use std::io::Write;
use std::net::{TcpListener, TcpStream};

pub type Outcome = Result<(), Box<dyn Error>>;

/// The category of a server in the verdict.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Ours,
    /// A peer that validates as much as sockless.
    Strict,
    Peer,
    /// No protocol: the cost of the kernel alone.
    Floor,
}

pub struct Server {
    pub name: &'static str,
    pub standing: Standing,
    /// Serves one connection until it ends. `None` for the example `serve`, which is a separate
    /// program.
    pub serve: Option<fn(TcpStream) -> Outcome>,
}

pub const README: &str = "README";
pub const GROWING: &str = "README, growing buffers";
pub const SHOWCASE: &str = "examples/serve";

pub const ALL: &[Server] = &[
    Server { name: README, standing: Standing::Ours, serve: Some(sockless::readme) },
    Server { name: GROWING, standing: Standing::Ours, serve: Some(sockless::growing) },
    Server { name: SHOWCASE, standing: Standing::Ours, serve: None },
    Server {
        name: "tungstenite, flush per message",
        standing: Standing::Peer,
        serve: Some(tungstenite::per_message),
    },
    Server {
        name: "tungstenite, flush per read",
        standing: Standing::Peer,
        serve: Some(tungstenite::per_read),
    },
    Server {
        name: "fastwebsockets",
        standing: Standing::Peer,
        serve: Some(fastwebsockets::per_message),
    },
    Server {
        name: "tokio-websockets, flush per message",
        standing: Standing::Strict,
        serve: Some(tokio_websockets::per_message),
    },
    Server {
        name: "tokio-websockets, flush per read",
        standing: Standing::Strict,
        serve: Some(tokio_websockets::per_read),
    },
    Server { name: "kernel alone", standing: Standing::Floor, serve: Some(bare::serve) },
];

/// Listens on a free port of the loopback interface, prints the address, and serves until the
/// process is ended.
pub fn run(name: &str) -> Outcome {
    let server = ALL.iter().find(|server| server.name == name).ok_or("no such server")?;
    let serve = server.serve.ok_or("a program of its own")?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut stdout = std::io::stdout();
    writeln!(stdout, "http://{}/", listener.local_addr()?)?;
    stdout.flush()?;
    for stream in listener.incoming() {
        let stream = stream?;
        stream.set_nodelay(true)?;
        // If the client drops the connection, some servers return an error. All end.
        if let Err(error) = serve(stream) {
            eprintln!("{name}: {error}");
        }
    }
    Ok(())
}

/// Runs an asynchronous server on this thread.
fn block_on<F: Future<Output = Outcome>>(
    stream: TcpStream,
    serve: impl FnOnce(tokio::net::TcpStream) -> F,
) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    stream.set_nonblocking(true)?;
    runtime.block_on(async { serve(tokio::net::TcpStream::from_std(stream)?).await })
}

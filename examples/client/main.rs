//! A WebSocket client for the command line and for scripts.
//!
//! ```text
//! cargo run --release --example client -- ws://127.0.0.1:8001/ [OPTION]...
//! ```
//!
//! Sends each line of the standard input as a text message, and prints each event as one line.
//! `--help` lists the options and the exit codes.
//!
//! - this file: connects to an address, and maps the end of the connection to an exit code.
//! - `options.rs`: the command line.
//! - `input.rs`: a thread that reads the standard input, because mio cannot wait for it.
//! - `connection.rs`: the connection. Its loop always reads. If a client stopped reading while it
//!   writes, and the server did too, both would wait for ever.
//! - `output.rs`: events as lines.

mod connection;
mod input;
mod options;
mod output;

use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::process::ExitCode;
use std::time::Duration;

use sockless::handshake::Uri;

/// Time to wait for one address before trying the next.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// The exit codes, for scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Normal = 0,
    Usage = 1,
    CannotConnect = 2,
    Refused = 3,
    Protocol = 4,
    Abnormal = 5,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

fn main() -> ExitCode {
    let options = match options::options() {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{}", options::USAGE);
            return Exit::Normal.into();
        }
        Err(error) => return usage(&error.to_string()),
    };
    // Cannot fail: `options` has parsed the address already.
    let Ok(uri) = Uri::parse(&options.uri) else { return usage("not an address") };
    let socket = match connect(&uri) {
        Ok(socket) => socket,
        Err(error) => {
            eprintln!("client: cannot connect to {uri}: {error}");
            return Exit::CannotConnect.into();
        }
    };
    match connection::run(socket, &uri, &options) {
        Ok(exit) => exit.into(),
        // The reader of our output has gone, for example `head`.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Abnormal.into(),
        Err(error) => {
            eprintln!("client: {error}");
            Exit::Abnormal.into()
        }
    }
}

fn usage(error: &str) -> ExitCode {
    eprint!("client: {error}\n\n{}", options::USAGE);
    Exit::Usage.into()
}

/// Tries the host's addresses in turn.
fn connect(uri: &Uri<'_>) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in (uri.host(), uri.port()).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT_WITHIN) {
            Ok(socket) => return Ok(socket),
            Err(error) => last = error,
        }
    }
    Err(last)
}

//! A WebSocket client for the command line and for scripts.
//!
//! ```text
//! cargo run --release --example client -- ws://127.0.0.1:8001/ [OPTION]...
//! ```
//!
//! Lines of the standard input leave as text messages; each event is one line of the standard output. `--help`
//! has the details, and the exit codes.
//!
//! - this file: which address, and what became of the connection.
//! - `options.rs`: the command line.
//! - `input.rs`: a thread that reads the standard input, which cannot be waited for together with a socket.
//! - `connection.rs`: the connection, in a loop that reads whenever there is something to read. A client that
//!   stops reading while it writes can wait for a server that does the same, for ever.
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

/// How long one address may take to answer before the next is tried.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// How a run ends, for scripts.
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
    // Parsed once already, when the options were checked.
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
        // Whoever read our output has gone, as `head` does when it has seen enough.
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

//! Serves a demonstration page, and shows how one thread drives many connections.
//!
//! ```text
//! cargo run --release --example serve -- [ADDRESS] [OPTION]...
//! ```
//!
//! The page has an echo, a chat, and "scan to log in". The files, from the socket up:
//!
//! - this file: the event loop. Each connection has its turn when its socket is ready.
//! - `connection.rs`: one connection. It reads, handles the machine's events, and writes.
//! - `buffers.rs`: buffers, borrowed from a pool while they have unprocessed bytes.
//! - `routes.rs`, `pages.rs`: the paths, who may use each, and pages over HTTP.
//! - `echo.rs`, `chat.rs`, `login.rs`: the three services. They know nothing about sockets.
//! - `compression.rs`: the configuration, and figures of the saved bytes.
//!
//! An idle connection owns no buffer and no window. A client costs at most about 625 KiB, half of
//! it for compression. If a client sends a message without reading, its echo takes up to 67 MiB
//! more, and 1 GiB for all clients together. No client delays another. If a client does not read,
//! the server reads no further than the end of its current message, and drops the client in the
//! end. A silent client is pinged. A client that floods waits for its turn. The opening and the
//! closing handshake have time limits.

mod buffers;
mod chat;
mod compression;
mod connection;
mod echo;
mod log;
mod login;
mod pages;
mod routes;

use std::collections::HashMap;
use std::io::{self, ErrorKind, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};

use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token};
use sockless::Broadcast;
use sockless::deflate::DeflateConfig;

use crate::connection::{Connection, Next};

const USAGE: &str = "\
Serves a page with an echo, a chat and a log-in by scanned code, over WebSockets.

Usage: serve [ADDRESS] [OPTION]...

ADDRESS             where to listen, 127.0.0.1:8001 if not given; port 0 takes a free one
--subprotocol NAME  accept a subprotocol if a client offers it; may be given several times
--no-deflate        accept no compression; the default is to accept each offer
--context-takeover  let messages refer to earlier messages: they are shorter, and each connection
                    costs up to 210 KiB more
--hold MIB          limit on the unread echoes of all clients, 1024 if not given; beyond the limit,
                    clients have to read while they send
--help              this text

Prints the page's address on standard output, and a log of connections on standard error.
";

/// Connections beyond which the server accepts no further clients.
const MAX_CONNECTIONS: usize = 10_000;
const LISTENER: Token = Token(usize::MAX);
const TICK: Duration = Duration::from_millis(500);

struct Options {
    address: String,
    subprotocols: Vec<String>,
    deflate: Option<DeflateConfig>,
    /// Limit on the total growth of write buffers in bytes.
    hold: usize,
}

/// The state that all connections share.
pub struct Shared {
    /// Milliseconds since the start.
    pub now: u64,
    pub pool: buffers::Pool,
    pub room: chat::Room,
    pub logins: login::Logins,
    /// Messages for other connections, from the current turn.
    pub outbox: chat::Outbox,
    pub traffic: compression::Traffic,
    pub subprotocols: Vec<String>,
    /// The compression that the server accepts.
    pub deflate: Option<DeflateConfig>,
    pub log: log::Log,
}

impl Shared {
    /// Removes connection `id` from all services. A second call does nothing.
    pub fn leave(&mut self, id: usize) {
        self.room.leave(id, &mut self.outbox);
        self.logins.leave(id);
        self.traffic.leave(id);
    }
}

struct Loop {
    poll: Poll,
    listener: TcpListener,
    /// Numbers are never reused, so a late event cannot reach another connection.
    connections: HashMap<usize, Connection>,
    next_id: usize,
    /// Connections with more work than fits in one turn.
    again: Vec<usize>,
    /// `true` if clients may wait because of too many connections or file descriptors.
    accept_later: bool,
    start: Instant,
    last_tick: Instant,
    shared: Shared,
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprint!("serve: {error}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match serve(options) {
        Ok(never) => match never {},
        Err(error) => {
            eprintln!("serve: {error}");
            ExitCode::FAILURE
        }
    }
}

fn options() -> Result<Option<Options>, lexopt::Error> {
    use lexopt::prelude::*;
    let (mut address, mut subprotocols) = (None, Vec::new());
    let (mut deflate, mut takeover) = (true, false);
    let mut hold = buffers::MAX_TOTAL_GROWTH;
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("help") | Short('h') => return Ok(None),
            Long("subprotocol") => {
                let name = arguments.value()?.string()?;
                let is_token =
                    |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
                if name.is_empty() || !name.bytes().all(is_token) {
                    return Err(format!("{name:?} cannot be the name of a subprotocol").into());
                }
                subprotocols.push(name);
            }
            Long("no-deflate") => deflate = false,
            Long("context-takeover") => takeover = true,
            Long("hold") => {
                let mebibytes: usize = arguments.value()?.parse()?;
                hold = mebibytes.saturating_mul(1 << 20);
            }
            Value(value) if address.is_none() => address = Some(value.string()?),
            _ => return Err(argument.unexpected()),
        }
    }
    let address = address.unwrap_or_else(|| "127.0.0.1:8001".to_owned());
    let deflate = deflate.then(|| compression::config(takeover));
    Ok(Some(Options { address, subprotocols, deflate, hold }))
}

enum Never {}

fn serve(options: Options) -> io::Result<Never> {
    // Each client needs a file descriptor, and the initial limit is often low.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let Options { address, subprotocols, deflate, hold } = options;
    let listener = listen(&address)?;
    let page = page_address(listener.local_addr()?);
    let mut stdout = io::stdout();
    writeln!(stdout, "http://{page}/").and_then(|()| stdout.flush())?;
    Loop::new(listener, subprotocols, deflate, hold)?.run()
}

fn listen(address: &str) -> io::Result<TcpListener> {
    let mut last = io::Error::new(ErrorKind::InvalidInput, "no such address");
    let addresses = address.to_socket_addrs().map_err(|error| explain(address, &error))?;
    for candidate in addresses {
        match TcpListener::bind(candidate) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(explain(address, &last))
}

fn explain(address: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
}

/// Returns the address of the page for a browser on this machine, which cannot connect to "any
/// address".
fn page_address(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

impl Loop {
    fn new(
        mut listener: TcpListener,
        subprotocols: Vec<String>,
        deflate: Option<DeflateConfig>,
        hold: usize,
    ) -> io::Result<Loop> {
        let poll = Poll::new()?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let now = Instant::now();
        Ok(Loop {
            poll,
            listener,
            connections: HashMap::new(),
            next_id: 1,
            again: Vec::new(),
            accept_later: false,
            start: now,
            last_tick: now,
            shared: Shared {
                now: 0,
                pool: buffers::Pool::new(hold),
                room: chat::Room::default(),
                logins: login::Logins::default(),
                outbox: chat::Outbox::new(),
                traffic: compression::Traffic::default(),
                subprotocols,
                deflate,
                log: log::Log::start(),
            },
        })
    }

    fn run(mut self) -> io::Result<Never> {
        let mut events = Events::with_capacity(1024);
        loop {
            match self.poll.poll(&mut events, self.poll_timeout()) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result?,
            }
            self.shared.now = self.start.elapsed().as_millis() as u64;
            for event in &events {
                match event.token() {
                    LISTENER => self.accept(),
                    // A turn handles every kind of readiness.
                    Token(id) => self.turn(id),
                }
            }
            for id in std::mem::take(&mut self.again) {
                self.turn(id);
            }
            if self.last_tick.elapsed() >= TICK {
                self.tick();
            }
        }
    }

    /// Returns how long to wait for a socket: zero if a connection has more work, without limit if
    /// no timer runs.
    fn poll_timeout(&self) -> Option<Duration> {
        if !self.again.is_empty() {
            Some(Duration::ZERO)
        } else if self.connections.is_empty() && !self.accept_later {
            None
        } else {
            Some(TICK.saturating_sub(self.last_tick.elapsed()))
        }
    }

    fn accept(&mut self) {
        self.accept_later = false;
        while self.connections.len() < MAX_CONNECTIONS {
            match self.listener.accept() {
                Ok((socket, _)) => self.register(socket),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::Interrupted | ErrorKind::ConnectionAborted
                    ) => {}
                // Probably no file descriptor is left. The client waits until one is free.
                Err(_) => break,
            }
        }
        self.accept_later = true;
    }

    fn register(&mut self, mut socket: mio::net::TcpStream) {
        let id = self.next_id;
        self.next_id += 1;
        // Send small messages at once. Without the option they are sent a little later.
        let _ = socket.set_nodelay(true);
        let interest = Interest::READABLE | Interest::WRITABLE;
        if self.poll.registry().register(&mut socket, Token(id), interest).is_ok() {
            self.connections.insert(id, Connection::new(id, socket, self.shared.now));
        }
    }

    fn turn(&mut self, id: usize) {
        if let Some(connection) = self.connections.get_mut(&id) {
            let next = connection.turn(&mut self.shared);
            self.act_on(id, next);
            self.deliver();
        }
    }

    fn tick(&mut self) {
        self.last_tick = Instant::now();
        let ids: Vec<usize> = self.connections.keys().copied().collect();
        for id in ids {
            if let Some(connection) = self.connections.get_mut(&id) {
                let next = connection.tick(&mut self.shared);
                self.act_on(id, next);
            }
        }
        self.shared.logins.expire(self.shared.now, &mut self.shared.outbox);
        self.deliver();
        if self.accept_later {
            self.accept();
        }
    }

    /// Sends the messages in the outbox. A send can end a connection, which adds messages about its
    /// end.
    fn deliver(&mut self) {
        while !self.shared.outbox.is_empty() {
            let outbox = std::mem::take(&mut self.shared.outbox);
            // The receivers of one message are neighbours in the outbox, so the message is
            // compressed once.
            for group in outbox.chunk_by(|(_, one), (_, other)| Rc::ptr_eq(one, other)) {
                let Some((_, text)) = group.first() else { continue };
                let mut message = Broadcast::text(&**text);
                if let (true, Some(config)) = (group.len() > 1, &self.shared.deflate) {
                    let window = config.send().window_bits;
                    message = message.compressed(config, window, &mut self.shared.pool.deflate);
                }
                for (id, _) in group {
                    if let Some(connection) = self.connections.get_mut(id) {
                        let next = connection.send(&message, &mut self.shared);
                        self.act_on(*id, next);
                    }
                }
            }
        }
    }

    fn act_on(&mut self, id: usize, next: Next) {
        match next {
            Next::Wait => {}
            Next::Again => self.again.push(id),
            Next::Drop => {
                self.shared.leave(id);
                if let Some(mut connection) = self.connections.remove(&id) {
                    // mio asks to deregister a socket before closing it.
                    let _ = self.poll.registry().deregister(connection.socket());
                }
            }
        }
    }
}

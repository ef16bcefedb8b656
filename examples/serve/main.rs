//! A server to play with, and a model of how to drive many connections from one thread.
//!
//! ```text
//! cargo run --release --example serve -- [ADDRESS] [OPTION]...
//! ```
//!
//! Its page has an echo, a chat, and "scan to log in". Below it, from the socket up:
//!
//! - this file: the event loop. Each connection gets its turn when its socket is ready.
//! - `connection.rs`: one connection. It reads, lets the machine find events, acts on them, and writes.
//! - `buffers.rs`: the memory for that, borrowed from a pool only while there is something in it.
//! - `routes.rs`, `pages.rs`: which path is what, who may use it, and plain HTTP.
//! - `echo.rs`, `chat.rs`, `login.rs`: what the connections are for. They know nothing of sockets.
//! - `compression.rs`: what is agreed to, and the figures that show what it saves.
//!
//! An idle connection owns no buffer and no window. Whatever a client does, it costs at most about 625 KiB, half of it
//! for compression, and while it sends a message without reading, what comes back of that: 67 MiB at most, and 1 GiB for
//! all clients together. No other client notices: one that does not read is not read from beyond the message that it has
//! begun and in the end dropped, one that is silent is pinged, one that floods waits for its turn, and a handshake or a
//! close that does not come to an end has a time limit.

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
--subprotocol NAME  a subprotocol to agree to when a client offers it; may be given several times
--no-deflate        agree to no compression; by default it is agreed to with all who offer it
--context-takeover  let messages refer to earlier ones: they get shorter, and a connection costs up to
                    210 KiB more for as long as it lasts
--hold MIB          how much of all echoes together is held for clients that send a message before they read,
                    1024 if not given; beyond that, they have to read while they send
--help              this text

The page's address is printed on standard output, what becomes of connections on standard error.
";

/// Beyond so many, clients wait to be accepted.
const MAX_CONNECTIONS: usize = 10_000;
const LISTENER: Token = Token(usize::MAX);
const TICK: Duration = Duration::from_millis(500);

struct Options {
    address: String,
    subprotocols: Vec<String>,
    deflate: Option<DeflateConfig>,
    /// How many bytes are held for clients that do not read yet.
    hold: usize,
}

/// What all connections use, each in its turn.
pub struct Shared {
    /// Milliseconds since the start.
    pub now: u64,
    pub pool: buffers::Pool,
    pub room: chat::Room,
    pub logins: login::Logins,
    /// Messages that the present turn causes on other connections.
    pub outbox: chat::Outbox,
    pub traffic: compression::Traffic,
    pub subprotocols: Vec<String>,
    /// What compression is agreed to.
    pub deflate: Option<DeflateConfig>,
    pub log: log::Log,
}

impl Shared {
    /// Connection `id` takes no more part in anything. May be said twice.
    pub fn leave(&mut self, id: usize) {
        self.room.leave(id, &mut self.outbox);
        self.logins.leave(id);
        self.traffic.leave(id);
    }
}

struct Loop {
    poll: Poll,
    listener: TcpListener,
    /// Numbers are not used twice, so an event that comes late cannot reach another connection.
    connections: HashMap<usize, Connection>,
    next_id: usize,
    /// Connections that had more to do than one turn allows.
    again: Vec<usize>,
    /// There may be clients that could not be accepted: too many, or no file descriptor left for them.
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
    let mut hold = buffers::HELD_BY_ALL;
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
    // Thousands of clients are thousands of file descriptors; often fewer are allowed at first.
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

/// Where a browser on this machine finds the page: "any address" is not one that it can go to.
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
            match self.poll.poll(&mut events, self.patience()) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result?,
            }
            self.shared.now = self.start.elapsed().as_millis() as u64;
            for event in &events {
                match event.token() {
                    LISTENER => self.accept(),
                    // Whatever it is ready for: a turn does all that can be done.
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

    /// How long to wait for a socket: not at all if a connection has more to do, for ever if there is nothing
    /// that time could change.
    fn patience(&self) -> Option<Duration> {
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
                Ok((socket, _)) => self.welcome(socket),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::Interrupted | ErrorKind::ConnectionAborted
                    ) => {}
                // No file descriptor is left, most likely. The client waits, and the others are served.
                Err(_) => break,
            }
        }
        self.accept_later = true;
    }

    fn welcome(&mut self, mut socket: mio::net::TcpStream) {
        let id = self.next_id;
        self.next_id += 1;
        // Small messages leave at once. Where that cannot be had, they leave a little later.
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

    /// Sends what the connections have to say to each other. That may end some, which others are told.
    fn deliver(&mut self) {
        while !self.shared.outbox.is_empty() {
            let outbox = std::mem::take(&mut self.shared.outbox);
            // The receivers of one message follow each other: it is compressed once for all of them.
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
                    // Closing the socket would do; saying so first is what mio asks for.
                    let _ = self.poll.registry().deregister(connection.socket());
                }
            }
        }
    }
}

//! A server at work: a process for TCP, a thread for an in-memory pipe, and its processor time.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::DuplexStream;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};

use crate::load::{Client, Load, Result, text};
use crate::servers::{Outcome, Server};

/// Capacity of an in-memory pipe in each direction, in bytes.
const PIPE: usize = 256 << 10;

pub fn runtime() -> std::io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// Listens on a free port of the loopback interface, prints it, and serves until it is ended.
pub fn run(server: Server) -> Outcome {
    runtime()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let mut stdout = std::io::stdout();
        writeln!(stdout, "{}", listener.local_addr()?)?;
        stdout.flush()?;
        loop {
            let (socket, _) = listener.accept().await?;
            socket.set_nodelay(true)?;
            // A connection that the client drops is an error for some, and the end for all.
            let _ = server.serve(socket).await;
        }
    })
}

/// Exchanges so many batches over a pipe on this thread. Returns the number of messages.
pub async fn count(server: Server, load: &Load, batches: usize) -> Result<usize> {
    let (ours, theirs) = tokio::io::duplex(PIPE);
    let mut serving = Box::pin(server.serve(theirs));
    let serving = std::future::poll_fn(|cx| poll_server(&mut serving, cx));
    let load = async { Client::open(ours, load).await?.exchange(batches).await };
    tokio::join!(serving, load).1
}

/// Callgrind counts the instructions below this function.
#[inline(never)]
fn poll_server(
    serving: &mut Pin<Box<impl Future<Output = Outcome>>>,
    cx: &mut Context<'_>,
) -> Poll<()> {
    serving.as_mut().poll(cx).map(drop)
}

/// Nanoseconds that some threads have run, in user space and in the kernel.
pub struct Clock(Vec<PathBuf>);

impl Clock {
    fn now(&self) -> Result<u64> {
        let mut total = 0;
        for path in &self.0 {
            let line = std::fs::read_to_string(path).map_err(text)?;
            let first = line.split_ascii_whitespace().next();
            total += first.and_then(|text| text.parse::<u64>().ok()).ok_or("no schedstat")?;
        }
        Ok(total)
    }

    /// Waits until the threads sleep: the time of a running thread is not up to date.
    fn at_rest(&self) -> Result<u64> {
        let mut before = self.now()?;
        for _ in 0..1000 {
            std::thread::sleep(Duration::from_micros(200));
            let now = self.now()?;
            if now == before {
                return Ok(now);
            }
            before = now;
        }
        Err("the server does not come to rest".into())
    }
}

enum Connection {
    Tcp(Client<TcpStream>, Child),
    Pipe(Client<DuplexStream>),
}

/// A server with an open connection.
pub struct Subject {
    pub server: Server,
    pub batches: usize,
    /// Nanoseconds of processor time per message, by round.
    pub rounds: Vec<f64>,
    connection: Connection,
    clock: Clock,
}

impl Subject {
    /// Starts the server as a process, on processor 0.
    pub async fn tcp(server: Server, load: &Load) -> Result<Subject> {
        let own = std::env::current_exe().map_err(text)?;
        let mut child = Command::new("taskset")
            .args(["-c", "0"])
            .arg(own)
            .args(["--serve", server.name()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(text)?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            // An error leaves the line empty, which is no address.
            let _ = BufReader::new(stdout).read_line(&mut line);
        }
        let opened = async {
            let socket = TcpStream::connect(line.trim()).await.map_err(text)?;
            socket.set_nodelay(true).map_err(text)?;
            let client = Client::open(socket, load).await?;
            let entries = std::fs::read_dir(format!("/proc/{}/task", child.id())).map_err(text)?;
            let tasks = entries.flatten().map(|entry| entry.path().join("schedstat"));
            Ok::<_, String>((client, Clock(tasks.collect())))
        };
        match opened.await {
            Ok((client, clock)) => Ok(Subject {
                server,
                batches: 1,
                rounds: Vec::new(),
                connection: Connection::Tcp(client, child),
                clock,
            }),
            Err(error) => {
                stop(&mut child);
                Err(error)
            }
        }
    }

    /// Starts the server on a thread of this process, on processor 0.
    pub async fn pipe(server: Server, load: &Load) -> Result<Subject> {
        let (ours, theirs) = tokio::io::duplex(PIPE);
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            // `/proc/thread-self` leads to PID/task/TID.
            let _ = sender.send(std::fs::read_link("/proc/thread-self"));
            if let Ok(runtime) = runtime() {
                let _ = runtime.block_on(server.serve(theirs));
            }
        });
        let task = receiver.recv().map_err(text)?.map_err(text)?;
        let number = task.file_name().and_then(|name| name.to_str()).ok_or("no thread")?;
        let pinned = Command::new("taskset")
            .args(["-cp", "0", number])
            .stdout(Stdio::null())
            .status()
            .map_err(text)?;
        if !pinned.success() {
            return Err("taskset failed".into());
        }
        let clock = Clock(vec![Path::new("/proc").join(&task).join("schedstat")]);
        let client = Client::open(ours, load).await?;
        let connection = Connection::Pipe(client);
        Ok(Subject { server, batches: 1, rounds: Vec::new(), connection, clock })
    }

    pub async fn exchange(&mut self, batches: usize) -> Result<usize> {
        match &mut self.connection {
            Connection::Tcp(client, _) => client.exchange(batches).await,
            Connection::Pipe(client) => client.exchange(batches).await,
        }
    }

    /// Runs one round.
    pub async fn sample(&mut self) -> Result<()> {
        let before = self.clock.at_rest()?;
        let messages = self.exchange(self.batches).await?;
        let after = self.clock.at_rest()?;
        self.rounds.push((after - before) as f64 / messages as f64);
        Ok(())
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        if let Connection::Tcp(_, child) = &mut self.connection {
            stop(child);
        }
    }
}

fn stop(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

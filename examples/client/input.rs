//! The standard input, read by a thread of its own.

use std::io::{self, BufRead, BufReader};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use mio::Waker;

/// Lines longer than this leave in several fragments.
const PIECE: usize = 64 << 10;
/// How many pieces may wait to be sent; then no more is read.
const WAITING: usize = 16;

/// A piece of a line, with `end` its last. When the input has ended, so has the channel.
pub struct Piece {
    pub bytes: Vec<u8>,
    pub end: bool,
}

/// Starts the thread. It wakes the event loop when there is something to take. The loop has to keep the waker too: one
/// that is dropped takes with it what it has not yet delivered.
pub fn start(waker: Arc<Waker>) -> Receiver<Piece> {
    let (sender, receiver) = sync_channel(WAITING);
    // Not joined: it ends with the process, as nothing can end a read from a terminal.
    thread::spawn(move || {
        let result = read(&sender, &waker);
        drop(sender);
        // That there is nothing more has to be heard, too.
        let _ = waker.wake();
        if let Err(error) = result {
            eprintln!("client: cannot read the input: {error}");
        }
    });
    receiver
}

fn read(sender: &SyncSender<Piece>, waker: &Waker) -> io::Result<()> {
    let mut input = BufReader::with_capacity(PIECE, io::stdin());
    let mut inside = false;
    loop {
        let bytes = input.fill_buf()?;
        if bytes.is_empty() && !inside {
            return Ok(());
        }
        let line_end = bytes.iter().position(|&byte| byte == b'\n');
        let taken = line_end.map_or(bytes.len(), |at| at + 1);
        // The last line may lack its line end.
        let end = line_end.is_some() || bytes.is_empty();
        let bytes = bytes[..line_end.unwrap_or(bytes.len())].to_vec();
        input.consume(taken);
        inside = !end;
        if sender.send(Piece { bytes, end }).is_err() {
            return Ok(()); // the connection is over
        }
        waker.wake()?;
    }
}

//! Reads the standard input in a thread.

use std::io::{self, BufRead, BufReader};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use mio::Waker;

/// Largest piece in bytes. A longer line is sent in several fragments.
const PIECE: usize = 64 << 10;
/// Queued pieces beyond which the thread stops reading.
const WAITING: usize = 16;

/// A piece of a line; `end` marks the last piece. The end of the channel is the end of the input.
pub struct Piece {
    pub bytes: Vec<u8>,
    pub end: bool,
}

/// Starts the thread, which wakes the event loop after each piece. The caller must keep the waker
/// too: dropping the last one discards wake-ups that are not delivered yet.
pub fn start(waker: Arc<Waker>) -> Receiver<Piece> {
    let (sender, receiver) = sync_channel(WAITING);
    // The thread is not joined, because nothing can interrupt a read from a terminal. It ends with
    // the process.
    thread::spawn(move || {
        let result = read(&sender, &waker);
        drop(sender);
        // Wake the loop for the end of the input too.
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
        // The last line may lack its line feed.
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

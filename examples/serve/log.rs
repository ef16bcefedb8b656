//! A log that cannot stop the server: when nobody reads standard error, lines are left out.

use std::fmt;
use std::io::Write;
use std::sync::mpsc::{SyncSender, sync_channel};

/// How many lines may wait for a slow reader.
const WAITING: usize = 4096;

pub struct Log(SyncSender<String>);

impl Log {
    /// Writes to standard error, which may be a pipe that is full, from a thread of its own.
    pub fn start() -> Log {
        let (sender, lines) = sync_channel::<String>(WAITING);
        std::thread::spawn(move || {
            for line in lines {
                if writeln!(std::io::stderr(), "{line}").is_err() {
                    return;
                }
            }
        });
        Log(sender)
    }

    pub fn line(&self, id: usize, what: impl fmt::Display) {
        // Full, or the thread has ended because the pipe is closed: neither is worth more than the line.
        let _ = self.0.try_send(format!("#{id} {what}"));
    }
}

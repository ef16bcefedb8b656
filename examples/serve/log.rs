//! Logs to standard error without blocking the server: if nobody reads, lines are lost.

use std::fmt;
use std::io::Write;
use std::sync::mpsc::{SyncSender, sync_channel};

/// Largest number of queued lines.
const WAITING: usize = 4096;

pub struct Log(SyncSender<String>);

impl Log {
    /// Starts a thread that writes to standard error, which may be a full pipe.
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
        // The queue is full, or the pipe is closed. Either way the line is lost.
        let _ = self.0.try_send(format!("#{id} {what}"));
    }
}

//! Runs a server as a process, and reads its processor time.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::load::Result;

pub struct Process {
    child: Child,
    pub address: SocketAddr,
}

impl Process {
    /// Starts a server, which prints its address as a link.
    pub fn start(program: &Path, arguments: &[&str]) -> Result<Process> {
        // Pin the server to its own processor. The kernel's cost of a large message changes
        // fourfold between one processor and two, and the scheduler would choose anew for each
        // connection.
        let mut child = Command::new("taskset")
            .args(["-c", "0"])
            .arg(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("{}: {error}", program.display()))?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            // After an error the line is empty, which is not an address.
            let _ = BufReader::new(stdout).read_line(&mut line);
        }
        let address = line.trim().trim_start_matches("http://").trim_end_matches('/').parse();
        // From now on, dropping the value ends the process.
        let mut process = Process { child, address: SocketAddr::from(([127, 0, 0, 1], 0)) };
        process.address =
            address.map_err(|_| format!("{} printed no address", program.display()))?;
        Ok(process)
    }

    /// Returns the nanoseconds that all threads of the process have run, in user space and in the
    /// kernel.
    fn time(&self) -> Result<u64> {
        let tasks = format!("/proc/{}/task", self.child.id());
        let entries = std::fs::read_dir(&tasks).map_err(|error| format!("{tasks}: {error}"))?;
        let mut total = 0;
        for entry in entries.flatten() {
            let text = std::fs::read_to_string(entry.path().join("schedstat"))
                .map_err(|error| format!("schedstat: {error}"))?;
            let first = text.split_ascii_whitespace().next().and_then(|text| text.parse().ok());
            total += first.unwrap_or(0);
        }
        Ok(total)
    }

    /// Returns the time once the server is idle, because the kernel counts a running thread only
    /// when it stops.
    pub fn time_at_rest(&self) -> Result<u64> {
        let mut before = self.time()?;
        for _ in 0..100 {
            std::thread::sleep(Duration::from_micros(200));
            let now = self.time()?;
            if now == before {
                return Ok(now);
            }
            before = now;
        }
        Err("the server does not come to rest".into())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

//! Runs an image once in QEMU.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The results of a run.
pub struct Outcome {
    pub output: Vec<u8>,
    pub verdict: u32,
    /// The stack's high-water mark, in bytes.
    pub stack: u32,
    /// The `size_of` of the connection on the board.
    pub connection: u32,
}

/// Time limit for one run, so that a hanging image cannot block the check. A run takes far less.
const LIMIT: Duration = Duration::from_secs(120);

/// Runs `image` with this `input` in the directory `place`.
pub fn emulate(
    image: &Path,
    place: &Path,
    piece: u32,
    input: &[u8],
) -> Result<Outcome, Box<dyn Error>> {
    fs::create_dir_all(place)?;
    let mut file = piece.to_le_bytes().to_vec();
    file.extend_from_slice(input);
    fs::write(place.join("input"), file)?;
    for name in ["output", "report"] {
        // A file of an earlier run must not count as a result of this run.
        if let Err(error) = fs::remove_file(place.join(name)) {
            if error.kind() != std::io::ErrorKind::NotFound {
                return Err(error.into());
            }
        }
    }

    // The emulator replaces the board's Cortex-M3 by a Cortex-M4, which has the DSP instructions of
    // the target.
    let mut emulator = Command::new("qemu-system-arm")
        .args([
            "-M",
            "lm3s6965evb",
            "-cpu",
            "cortex-m4",
            "-display",
            "none",
            "-monitor",
            "none",
            "-serial",
            "null",
        ])
        .args(["-semihosting-config", "enable=on,target=native", "-kernel"])
        .arg(image)
        .current_dir(place)
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("qemu-system-arm: {error}"))?;
    let start = Instant::now();
    while emulator.try_wait()?.is_none() {
        if start.elapsed() > LIMIT {
            emulator.kill()?;
            emulator.wait()?;
            return Err(format!("no end after {} seconds", LIMIT.as_secs()).into());
        }
        sleep(Duration::from_millis(2));
    }
    let result = emulator.wait_with_output()?;
    if !result.status.success() {
        let said = String::from_utf8_lossy(&result.stderr);
        return Err(format!("the emulator ended with {}: {}", result.status, said.trim()).into());
    }

    let report = fs::read(place.join("report"))?;
    let field = |at: usize| {
        report.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes)
    };
    match (field(0), field(4), field(8)) {
        (Some(verdict), Some(stack), Some(connection)) => {
            Ok(Outcome { output: fs::read(place.join("output"))?, verdict, stack, connection })
        }
        _ => Err("the report is too short".into()),
    }
}

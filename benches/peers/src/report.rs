//! Prints the numbers as a table for people and as JSON for programs.

use std::fmt::{Display, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::candidate::Candidate;
use crate::checks::Verdict;
use crate::measure::Series;
use crate::workload::{Role, Workload};

/// The candidate that is the base of the ratios.
pub const OURS: &str = "sockless";
/// This crate with growing buffers.
pub const OURS_GROWING: &str = "sockless, growing";

pub fn is_ours(name: &str) -> bool {
    name == OURS || name == OURS_GROWING
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    Receive,
    Send,
    Handshake,
}

#[derive(Deserialize, Serialize)]
pub struct Who {
    pub name: &'static str,
    pub rust: bool,
    pub strict: bool,
    pub note: &'static str,
}

#[derive(Deserialize, Serialize)]
pub struct Cell {
    pub name: &'static str,
    /// Median nanoseconds per message (or per handshake).
    pub nanoseconds: f64,
    /// Median over rounds of our time divided by the peer's: below 1 if we are faster. The worse of
    /// our two candidates counts.
    pub ours_over_theirs: Option<f64>,
}

#[derive(Deserialize, Serialize)]
pub struct Row {
    pub direction: Direction,
    pub role: &'static str,
    pub workload: &'static str,
    pub cut: &'static str,
    pub messages: usize,
    pub payload_bytes: usize,
    pub cells: Vec<Cell>,
    /// Candidates that failed a check and were not timed, with the reason.
    #[serde(skip_deserializing)]
    pub failed: Vec<(&'static str, String)>,
}

#[derive(Deserialize, Serialize)]
#[serde(bound(deserialize = "'de: 'static"))]
pub struct Report {
    pub who: Vec<Who>,
    pub processor: String,
    pub compiler: String,
    pub seconds: f64,
    pub rows: Vec<Row>,
    /// Violations, and the reaction of each candidate.
    pub strictness: Vec<(String, Vec<String>)>,
}

pub fn verdict(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Refused => "refused",
        Verdict::LetPass => "let pass",
        Verdict::Panicked => "panicked",
    }
}

impl Row {
    pub fn new(
        direction: Direction,
        role: Role,
        workload: &'static str,
        cut: &'static str,
        messages: &Workload,
    ) -> Self {
        Self {
            messages: messages.messages.len(),
            payload_bytes: messages.payload_bytes(),
            ..Self::plain(direction, role, workload, cut)
        }
    }

    pub fn plain(
        direction: Direction,
        role: Role,
        workload: &'static str,
        cut: &'static str,
    ) -> Self {
        Self {
            direction,
            role: role.name(),
            workload,
            cut,
            messages: 1,
            payload_bytes: 0,
            cells: Vec::new(),
            failed: Vec::new(),
        }
    }

    pub fn fail(&mut self, name: &'static str, error: String) {
        self.failed.push((name, error));
    }

    pub fn take(&mut self, series: Vec<Series>, failures: Vec<(&'static str, String)>) {
        let ours: Vec<&Series> = series.iter().filter(|series| is_ours(series.name)).collect();
        self.cells = series
            .iter()
            .map(|series| Cell {
                name: series.name,
                nanoseconds: series.median(),
                ours_over_theirs: ours
                    .iter()
                    .map(|ours| ours.over(series))
                    .max_by(|one, other| one.total_cmp(other)),
            })
            .collect();
        self.failed.extend(failures);
    }

    pub fn cell(&self, name: &str) -> Option<&Cell> {
        self.cells.iter().find(|cell| cell.name == name)
    }

    /// Returns the fastest of the other candidates that `which` admits.
    pub fn fastest(&self, who: &[Who], which: impl Fn(&Who) -> bool) -> Option<&Cell> {
        who.iter()
            .filter(|who| !is_ours(who.name) && which(who))
            .filter_map(|who| self.cell(who.name))
            .min_by(|one, other| one.nanoseconds.total_cmp(&other.nanoseconds))
    }
}

/// Formats a number with three significant figures.
pub fn figure(nanoseconds: f64) -> String {
    match nanoseconds {
        n if n < 10.0 => format!("{n:.2}"),
        n if n < 100.0 => format!("{n:.1}"),
        n if n < 10_000.0 => format!("{n:.0}"),
        n if n < 100_000.0 => format!("{:.1} µs", n / 1e3),
        n => format!("{:.0} µs", n / 1e3),
    }
}

fn first_line(command: &str, arguments: &[&str]) -> Option<String> {
    let output = std::process::Command::new(command).args(arguments).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).lines().next()?.trim().to_owned())
}

fn processor() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    name.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.trim().to_owned())
}

impl Report {
    pub fn new(candidates: &[Box<dyn Candidate>]) -> Self {
        let who = candidates
            .iter()
            .map(|candidate| Who {
                name: candidate.name(),
                rust: candidate.is_rust(),
                strict: candidate.is_strict(),
                note: candidate.note(),
            })
            .collect();
        Self {
            who,
            processor: processor(),
            compiler: first_line("rustc", &["--version"]).unwrap_or_default(),
            seconds: 0.0,
            rows: Vec::new(),
            strictness: Vec::new(),
        }
    }

    pub fn progress(&self, name: &str) {
        eprintln!("{name}");
        if let Some(row) = self.rows.last() {
            for (candidate, error) in &row.failed {
                eprintln!("    {candidate}: {error}");
            }
        }
    }

    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("numbers and strings are always serialisable")
            + "\n"
    }

    /// Prints every row, in tables by direction, role and cut.
    pub fn markdown(&self, build: &str, timed: bool) -> String {
        let mut out = String::new();
        if timed {
            let _ = writeln!(
                out,
                "## {build}\n\n{}, {}; {:.0} s. Nanoseconds per message, medians; `fail`: it did not deliver the right messages.\n",
                self.processor, self.compiler, self.seconds
            );
            let mut rows = &self.rows[..];
            while let Some(first) = rows.first() {
                let same = |row: &Row| {
                    (row.direction, row.role, row.cut) == (first.direction, first.role, first.cut)
                };
                let count = rows.iter().take_while(|row| same(row)).count();
                self.table(&mut out, &rows[..count]);
                rows = &rows[count..];
            }
        }
        out
    }

    /// Prints the violations that each candidate accepts, and its driver.
    pub fn strictness(&self) -> String {
        let mut out = String::new();
        self.strict_table(&mut out);
        out
    }

    /// Reads the results of another build.
    pub fn read(path: &Path) -> Result<Self, String> {
        let explain = |error: &dyn Display| format!("{}: {error}", path.display());
        let text = std::fs::read_to_string(path).map_err(|error| explain(&error))?;
        // Leaks the text, because the results borrow names from it.
        serde_json::from_str(text.leak()).map_err(|error| explain(&error))
    }

    fn table(&self, out: &mut String, rows: &[Row]) {
        let first = &rows[0];
        let title = match first.direction {
            Direction::Receive => "Receive as",
            Direction::Send => "Send as",
            Direction::Handshake => "Handshake as",
        };
        let _ = writeln!(out, "### {title} {}, {}\n", first.role, first.cut);
        let mut columns: Vec<&str> = self.who.iter().map(|who| who.name).collect();
        for row in rows {
            for cell in &row.cells {
                if !columns.contains(&cell.name) {
                    columns.push(cell.name);
                }
            }
        }
        columns.retain(|name| {
            rows.iter().any(|row| {
                row.cell(name).is_some() || row.failed.iter().any(|(failed, _)| failed == name)
            })
        });
        let ratios = columns.contains(&OURS);
        let _ = write!(out, "| |");
        columns.iter().for_each(|name| {
            let _ = write!(out, " {name} |");
        });
        let _ = writeln!(
            out,
            "{}",
            if ratios { " ours / fastest Rust | ours / best strict |" } else { "" }
        );
        let _ =
            writeln!(out, "|---|{}", "---:|".repeat(columns.len() + if ratios { 2 } else { 0 }));
        for row in rows {
            let _ = write!(out, "| {} |", row.workload);
            for name in &columns {
                let text = match row.cell(name) {
                    Some(cell) => figure(cell.nanoseconds),
                    None if row.failed.iter().any(|(failed, _)| failed == name) => {
                        "fail".to_owned()
                    }
                    None => String::new(),
                };
                let _ = write!(out, " {text} |");
            }
            if ratios {
                for cell in [
                    row.fastest(&self.who, |who| who.rust),
                    row.fastest(&self.who, |who| who.strict),
                ] {
                    let text = cell
                        .and_then(|cell| cell.ours_over_theirs)
                        .map(|ratio| format!("{ratio:.2}"));
                    let _ = write!(out, " {} |", text.unwrap_or_default());
                }
            }
            let _ = writeln!(out);
        }
        let _ = writeln!(out);
    }

    fn strict_table(&self, out: &mut String) {
        let _ = writeln!(
            out,
            "### What each lets pass\n\nA violation, then a good message: ✗ where the good one was delivered (or a bad Close taken as a good one).\n"
        );
        let _ = write!(out, "| |");
        for who in &self.who {
            let _ = write!(out, " {} |", who.name);
        }
        let _ = writeln!(out, "\n|---|{}", ":---:|".repeat(self.who.len()));
        for (name, verdicts) in &self.strictness {
            let _ = write!(out, "| {name} |");
            for verdict in verdicts {
                let mark = match verdict.as_str() {
                    "refused" => "",
                    "let pass" => "✗",
                    other => other,
                };
                let _ = write!(out, " {mark} |");
            }
            let _ = writeln!(out);
        }
        let _ = writeln!(out);
        for who in &self.who {
            let _ = writeln!(out, "- **{}**: {}.", who.name, who.note);
        }
    }
}

//! Prints the numbers as a table.

use std::fmt::Write;

use crate::servers::{ALL, GROWING, README, SHOWCASE, Server, Standing};

/// Nanoseconds per message, by round.
pub struct Series {
    pub server: &'static Server,
    pub rounds: Vec<f64>,
}

pub struct Row {
    pub load: &'static str,
    pub series: Vec<Series>,
    /// Servers whose echo was wrong.
    pub failed: Vec<&'static str>,
}

#[derive(Default)]
pub struct Report {
    pub seconds: f64,
    pub rows: Vec<Row>,
}

/// Our servers, their loads, and the targets against the fastest strict peer and the fastest peer.
const TARGETS: &[(&str, &str, f64, f64)] = &[
    (README, "many in flight", 0.25, 0.25),
    (GROWING, "many in flight", 0.25, 0.25),
    (README, "64 KiB", 1.0, 1.05),
    (GROWING, "64 KiB", 1.0, 1.05),
    (SHOWCASE, "64 KiB", 1.0, 1.05),
];

/// A target missed by less is met, because runs differ by as much.
const NOISE: f64 = 1.05;

impl Series {
    fn median(&self) -> f64 {
        median(self.rounds.clone())
    }

    fn min(&self) -> f64 {
        self.rounds.iter().copied().fold(f64::INFINITY, f64::min)
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

impl Row {
    fn series(&self, name: &str) -> Option<&Series> {
        self.series.iter().find(|series| series.server.name == name)
    }

    /// Returns the median over rounds of our time divided by that of the fastest peer that `which`
    /// admits.
    fn over_fastest(&self, ours: &str, which: impl Fn(Standing) -> bool) -> Option<f64> {
        let ours = self.series(ours)?;
        let fastest = self
            .series
            .iter()
            .filter(|series| which(series.server.standing))
            .min_by(|one, other| one.median().total_cmp(&other.median()))?;
        let ratios = ours.rounds.iter().zip(&fastest.rounds).map(|(own, other)| own / other);
        Some(median(ratios.collect()))
    }
}

fn is_strict(standing: Standing) -> bool {
    standing == Standing::Strict
}

fn is_peer(standing: Standing) -> bool {
    matches!(standing, Standing::Strict | Standing::Peer)
}

/// Formats a number with three significant figures.
fn figure(nanoseconds: f64) -> String {
    match nanoseconds {
        n if n < 100.0 => format!("{n:.1}"),
        n if n < 10_000.0 => format!("{n:.0}"),
        n if n < 100_000.0 => format!("{:.1} µs", n / 1e3),
        n => format!("{:.0} µs", n / 1e3),
    }
}

fn ratio(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"))
}

fn processor() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    name.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.trim().to_owned())
}

impl Report {
    pub fn markdown(&self) -> String {
        let rounds = self.rows.iter().flat_map(|row| &row.series).map(|series| series.rounds.len());
        let mut out = format!(
            "{}; {} rounds, {:.0} s. Written by `benches/sockets/run --save`.\n\n\
             ### Processor time of the server per message\n\n\
             Medians, and the least in brackets. `-`: it does not take such messages.\n\n| |",
            processor(),
            rounds.max().unwrap_or(0),
            self.seconds
        );
        for row in &self.rows {
            let _ = write!(out, " {} |", row.load);
        }
        let _ = writeln!(out, "\n|---|{}", "---:|".repeat(self.rows.len()));
        let measured = |server: &&Server| {
            self.rows
                .iter()
                .any(|row| row.series(server.name).is_some() || row.failed.contains(&server.name))
        };
        for server in ALL.iter().filter(measured) {
            let _ = write!(out, "| {} |", server.name);
            for row in &self.rows {
                let text = row.series(server.name).map_or_else(
                    || "-".to_owned(),
                    |series| format!("{} ({})", figure(series.median()), figure(series.min())),
                );
                let _ = write!(out, " {text} |");
            }
            out.push('\n');
        }
        self.verdict(&mut out);
        out
    }

    fn verdict(&self, out: &mut String) {
        let _ = writeln!(
            out,
            "\n### Against the fastest peer\n\n\
             Our time over that of the fastest strict peer, and of the fastest of any kind: medians of the ratios \
             within rounds.\n\n\
             | | load | of strict | wanted | of any | wanted | |\n|---|---|---:|---:|---:|---:|---|"
        );
        for server in ALL.iter().filter(|server| server.standing == Standing::Ours) {
            for row in self.rows.iter().filter(|row| !row.series.is_empty()) {
                let strict = row.over_fastest(server.name, is_strict);
                let any = row.over_fastest(server.name, is_peer);
                let target = TARGETS
                    .iter()
                    .find(|(name, load, ..)| *name == server.name && row.load.contains(load));
                let (wanted, met) = match (target, strict.zip(any)) {
                    (None, _) => ([String::new(), String::new()], ""),
                    (Some((.., of_strict, of_any)), reached) => {
                        let is_met = reached.is_some_and(|(strict, any)| {
                            strict <= of_strict * NOISE && any <= of_any * NOISE
                        });
                        let met = match (reached, is_met) {
                            (None, _) => "not measured",
                            (_, true) => "met",
                            (_, false) => "missed",
                        };
                        ([format!("{of_strict:.2}"), format!("{of_any:.2}")], met)
                    }
                };
                let [wanted_strict, wanted_any] = wanted;
                let _ = writeln!(
                    out,
                    "| {} | {} | {} | {wanted_strict} | {} | {wanted_any} | {met} |",
                    server.name,
                    row.load,
                    ratio(strict),
                    ratio(any),
                );
            }
        }
    }
}

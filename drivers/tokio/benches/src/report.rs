//! The numbers as tables.

use std::fmt::Write;

use crate::load::Load;
use crate::servers::{ALL, Server};

pub struct Row {
    pub load: Load,
    /// Nanoseconds per message of each server, by round.
    pub series: Vec<(Server, Vec<f64>)>,
}

/// Wanted at most over the fastest peer, if something is.
fn wanted(server: Server, load: &Load) -> Option<f64> {
    match (server, load.size, load.batch) {
        (Server::OursNextSend, 65536, _) => Some(1.1),
        (Server::OursRecv, 65536, _) => Some(1.0),
        (_, _, 1) => Some(1.05),
        (Server::OursRecv, 16, _) => Some(0.5),
        (Server::OursRecv, 1024, _) => Some(0.8),
        _ => None,
    }
}

fn median(rounds: &[f64]) -> f64 {
    let mut sorted = rounds.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

impl Row {
    fn rounds(&self, server: Server) -> Option<&[f64]> {
        self.series.iter().find(|(known, _)| *known == server).map(|(_, rounds)| &rounds[..])
    }

    /// Returns the median over rounds of our time divided by that of the fastest peer.
    fn over_fastest(&self, ours: Server) -> Option<(f64, Server)> {
        let (fastest, others) = self
            .series
            .iter()
            .filter(|(server, _)| !server.is_ours())
            .min_by(|one, other| median(&one.1).total_cmp(&median(&other.1)))?;
        let ratios: Vec<_> =
            self.rounds(ours)?.iter().zip(others).map(|(own, other)| own / other).collect();
        Some((median(&ratios), *fastest))
    }
}

/// Three significant figures.
fn figure(nanoseconds: f64) -> String {
    match nanoseconds {
        n if n < 100.0 => format!("{n:.1}"),
        n if n < 10_000.0 => format!("{n:.0}"),
        n => format!("{:.1} µs", n / 1e3),
    }
}

pub fn tables(transport: &str, rows: &[Row]) -> String {
    let mut out = format!("## {transport}\n\nNanoseconds per message: medians.\n\n| |");
    for row in rows {
        let _ = write!(out, " {} |", row.load.name);
    }
    let _ = writeln!(out, "\n|---|{}", "---:|".repeat(rows.len()));
    for server in ALL {
        let _ = write!(out, "| {} |", server.name());
        for row in rows {
            let text = row.rounds(server).map_or("-".into(), |rounds| figure(median(rounds)));
            let _ = write!(out, " {text} |");
        }
        out.push('\n');
    }
    out.push_str(
        "\nOurs over the fastest peer: medians of the ratios within rounds.\n\n\
         | ours by | load | ratio | wanted | | fastest peer |\n|---|---|---:|---:|---|---|\n",
    );
    for ours in ALL.into_iter().filter(|server| server.is_ours()) {
        for row in rows {
            let Some((ratio, fastest)) = row.over_fastest(ours) else { continue };
            let (most, met) = match wanted(ours, &row.load) {
                Some(most) if ratio <= most => (format!("{most:.2}"), "met"),
                Some(most) => (format!("{most:.2}"), "missed"),
                None => (String::new(), ""),
            };
            let name = ours.name().trim_start_matches("sockless-tokio, ");
            let (load, fastest) = (row.load.name, fastest.name());
            let _ = writeln!(out, "| {name} | {load} | {ratio:.2} | {most} | {met} | {fastest} |");
        }
    }
    out
}

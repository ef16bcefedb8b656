//! Compares the results with the targets. The worst of the builds, of fixed and growing buffers,
//! and of the rows of a target counts.

use std::fmt::Write;

use crate::report::{Direction, Report, Row, is_ours};

struct Target {
    name: &'static str,
    direction: Direction,
    role: &'static str,
    workloads: &'static [&'static str],
    cuts: &'static [&'static str],
    /// Largest ratio of our time to the fastest strict peer's.
    of_strict: f64,
    /// Largest ratio of our time to the fastest Rust peer's, strict or not.
    of_any: Option<f64>,
}

/// A target missed by less is met, because runs differ by as much.
const NOISE: f64 = 1.05;

const LARGE_READS: &str = "64 KiB reads";
const SMALL_READS: &str = "1460 B reads";
const FRAMES: &str = "frame per read";
const SENT: &str = "a write per message";
const TINY: &[&str] = &["16 B binary", "125 B binary"];
const ALL_SENT: &[&str] = &[
    "16 B binary",
    "125 B binary",
    "1 KiB binary",
    "16 KiB binary",
    "1 MiB binary",
    "1 KiB JSON",
    "64 KiB JSON",
    "1 KiB Chinese",
    "64 KiB Chinese",
    "1 MiB Chinese",
    "mix",
];

const fn receive(
    name: &'static str,
    workloads: &'static [&'static str],
    cuts: &'static [&'static str],
    of_strict: f64,
    of_any: Option<f64>,
) -> Target {
    Target {
        name,
        direction: Direction::Receive,
        role: "server",
        workloads,
        cuts,
        of_strict,
        of_any,
    }
}

const fn send(name: &'static str, role: &'static str) -> Target {
    Target {
        name,
        direction: Direction::Send,
        role,
        workloads: ALL_SENT,
        cuts: &[SENT],
        of_strict: 1.0,
        of_any: Some(1.05),
    }
}

const TARGETS: &[Target] = &[
    receive("16 B and 125 B, 64 KiB reads", TINY, &[LARGE_READS], 0.20, Some(0.38)),
    receive("16 B and 125 B, 1460 B reads", TINY, &[SMALL_READS], 0.30, Some(0.42)),
    receive("16 B and 125 B, a frame per read", TINY, &[FRAMES], 0.30, Some(0.55)),
    receive(
        "1 KiB, JSON, Chinese, mix",
        &["1 KiB binary", "1 KiB JSON", "1 KiB Chinese", "mix"],
        &[LARGE_READS, SMALL_READS],
        0.65,
        Some(0.85),
    ),
    receive(
        "16 KiB and 1 MiB binary",
        &["16 KiB binary", "1 MiB binary"],
        &[LARGE_READS, SMALL_READS],
        1.0,
        Some(1.0),
    ),
    receive(
        "64 KiB JSON, 64 KiB and 1 MiB Chinese",
        &["64 KiB JSON", "64 KiB Chinese", "1 MiB Chinese"],
        &[LARGE_READS, SMALL_READS],
        0.95,
        Some(1.0),
    ),
    receive(
        "Chinese in fragments with pings",
        &["16 KiB Chinese in 1000 B fragments, pings"],
        &[LARGE_READS, SMALL_READS],
        0.70,
        None,
    ),
    Target {
        role: "client",
        ..receive("16 B and 125 B, as client", TINY, &[LARGE_READS], 0.22, Some(0.45))
    },
    send("sends as server", "server"),
    send("sends as client", "client"),
];

/// A ratio and its row.
type Worst = Option<(f64, String)>;

impl Target {
    fn admits(&self, row: &Row) -> bool {
        self.direction == row.direction
            && self.role == row.role
            && self.workloads.contains(&row.workload)
            && self.cuts.contains(&row.cut)
    }

    fn worst(&self, reports: &[(&str, &Report)], strict: bool) -> Worst {
        let mut worst: Worst = None;
        for (build, report) in reports {
            for row in report.rows.iter().filter(|row| self.admits(row)) {
                let fastest =
                    row.fastest(&report.who, |who| if strict { who.strict } else { who.rust });
                let Some(ratio) = fastest.and_then(|cell| cell.ours_over_theirs) else { continue };
                if worst.as_ref().is_none_or(|(most, _)| ratio > *most) {
                    worst = Some((ratio, format!("{}, {}, {build}", row.workload, row.cut)));
                }
            }
        }
        worst
    }
}

/// Prints the table of targets.
pub fn table(reports: &[(&str, &Report)]) -> String {
    let mut out = String::from(
        "### Targets\n\nOur time over that of the fastest peer, in the worst row of the target: the worse of the builds, \
         and of fixed and growing buffers.\n\n\
         | receive as server | of strict | wanted | of any | wanted | | worst row |\n\
         |---|---:|---:|---:|---:|---|---|\n",
    );
    for target in TARGETS {
        let (strict, any) = (target.worst(reports, true), target.worst(reports, false));
        let Some((of_strict, strict_row)) = strict else { continue };
        let (of_any, any_row) = any.unwrap_or((f64::NAN, String::new()));
        let strict_met = of_strict <= target.of_strict * NOISE;
        let any_met = target.of_any.is_none_or(|wanted| of_any <= wanted * NOISE);
        let wanted = target.of_any.map_or_else(|| "-".to_owned(), |wanted| format!("{wanted:.2}"));
        let met = if strict_met && any_met { "met" } else { "missed" };
        let row = if strict_met && !any_met { any_row } else { strict_row };
        let _ = writeln!(
            out,
            "| {} | {of_strict:.2} | {:.2} | {of_any:.2} | {wanted} | {met} | {row} |",
            target.name, target.of_strict,
        );
    }
    out.push('\n');
    out.push_str(&missed(reports));
    out
}

/// Prints every row that misses its target.
fn missed(reports: &[(&str, &Report)]) -> String {
    let mut out = String::new();
    for (build, report) in reports {
        for row in &report.rows {
            let Some(target) = TARGETS.iter().find(|target| target.admits(row)) else { continue };
            let over = |strict: bool| {
                row.fastest(&report.who, |who| if strict { who.strict } else { who.rust })
                    .and_then(|cell| Some((cell.ours_over_theirs?, cell.name)))
            };
            let beyond = |wanted: f64, reached: Option<(f64, &'static str)>| {
                reached.filter(|(ratio, _)| *ratio > wanted * NOISE)
            };
            let strict = beyond(target.of_strict, over(true));
            let any = target.of_any.and_then(|wanted| beyond(wanted, over(false)));
            if let Some((ratio, name)) = strict.or(any) {
                let ours: Vec<String> = row
                    .cells
                    .iter()
                    .filter(|cell| is_ours(cell.name))
                    .map(|cell| crate::report::figure(cell.nanoseconds))
                    .collect();
                let _ = writeln!(
                    out,
                    "- missed: {} {}, {}, {build}: {ratio:.2} of {name} (ours {})",
                    row.role,
                    row.workload,
                    row.cut,
                    ours.join(" and "),
                );
            }
        }
    }
    if !out.is_empty() {
        out.push('\n');
    }
    out
}

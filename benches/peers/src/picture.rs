//! Draws the README's picture from the numbers of the table: one panel per workload, one bar per
//! candidate, shorter is faster.

use std::fmt::Write;

use crate::report::{Direction, Report, Row, figure, is_ours};

/// The workloads of the panels, received by a server.
const PANELS: &[(&str, &str, &str)] = &[
    ("16 B binary", "64 KiB reads", "16 B"),
    ("125 B binary", "64 KiB reads", "125 B"),
    ("1 KiB JSON", "64 KiB reads", "1 KiB of JSON"),
    ("mix", "64 KiB reads", "an unpredictable mix"),
    ("125 B binary", "frame per read", "125 B, one frame per read"),
    ("16 KiB binary", "64 KiB reads", "16 KiB"),
];

const WIDTH: usize = 860;
const COLUMNS: usize = 2;
const BAR: usize = 15;
const GAP: usize = 34;
const LABEL: usize = 132;

/// Returns an SVG without external resources that follows the reader's light or dark scheme.
pub fn draw(report: &Report) -> String {
    let panels: Vec<(&Row, &str)> = PANELS
        .iter()
        .filter_map(|&(workload, cut, title)| {
            let row = report.rows.iter().find(|row| {
                row.direction == Direction::Receive
                    && row.role == "server"
                    && row.workload == workload
                    && row.cut == cut
                    && !row.cells.is_empty()
            })?;
            Some((row, title))
        })
        .collect();
    let bars = report.who.len();
    let panel_height = bars * BAR + GAP + 22;
    let height = 56 + panels.len().div_ceil(COLUMNS) * panel_height + 24;
    let mut out = String::new();
    let _ = writeln!(
        out,
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img" aria-label="Time per message received as a server, sockless and its peers">
<style>
text {{ font: 11px system-ui, sans-serif; fill: #1f2933; }}
.title {{ font-size: 16px; font-weight: 600; }}
.panel {{ font-size: 12px; font-weight: 600; }}
.note {{ fill: #64707d; }}
.ours {{ fill: #0f766e; }}
.peer {{ fill: #b6c2cd; }}
.back {{ fill: #ffffff; }}
@media (prefers-color-scheme: dark) {{
text {{ fill: #e6edf3; }} .note {{ fill: #93a1af; }} .ours {{ fill: #2dd4bf; }} .peer {{ fill: #4b5a69; }} .back {{ fill: #0d1117; }}
}}
</style>
<rect class="back" width="{WIDTH}" height="{height}" rx="8"/>
<text class="title" x="20" y="28">Time per message, received as a server</text>
<text class="note" x="20" y="45">nanoseconds, one copy for the kernel included; shorter is faster; bars past the edge are cut</text>"#
    );
    let panel_width = WIDTH / COLUMNS;
    for (index, (row, title)) in panels.iter().enumerate() {
        let left = (index % COLUMNS) * panel_width + 20;
        let top = 56 + (index / COLUMNS) * panel_height;
        panel(&mut out, report, row, title, left, top, panel_width - 40);
    }
    let _ = writeln!(
        out,
        r#"<text class="note" x="20" y="{}">{}, {}. Median of interleaved rounds; all candidates in one run of benches/peers.</text>
</svg>"#,
        height - 10,
        escape(&report.processor),
        escape(&report.compiler),
    );
    out
}

fn panel(
    out: &mut String,
    report: &Report,
    row: &Row,
    title: &str,
    left: usize,
    top: usize,
    width: usize,
) {
    let _ = writeln!(out, r#"<text class="panel" x="{left}" y="{}">{title}</text>"#, top + 18);
    let mut cells: Vec<_> = report.who.iter().filter_map(|who| row.cell(who.name)).collect();
    cells.sort_by(|one, other| one.nanoseconds.total_cmp(&other.nanoseconds));
    // The scale ends a little after the median candidate, because the slowest would make all other
    // bars look alike.
    let scale = cells.get(cells.len() * 2 / 3).map_or(1.0, |cell| cell.nanoseconds * 1.15);
    let room = (width - LABEL - 56) as f64;
    for (index, cell) in cells.iter().enumerate() {
        let y = top + 26 + index * BAR;
        let class = if is_ours(cell.name) { "ours" } else { "peer" };
        let length = (cell.nanoseconds / scale).min(1.0) * room;
        let text = left + LABEL - 6;
        let start = left + LABEL;
        let _ = writeln!(
            out,
            r#"<text x="{text}" y="{}" text-anchor="end">{}</text><rect class="{class}" x="{start}" y="{y}" width="{length:.1}" height="{}" rx="2"/><text x="{:.1}" y="{}">{}</text>"#,
            y + 10,
            escape(cell.name),
            BAR - 4,
            start as f64 + length + 5.0,
            y + 10,
            figure(cell.nanoseconds),
        );
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

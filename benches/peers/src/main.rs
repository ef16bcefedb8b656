//! Runs prebuilt byte streams through sockless and its peers. `benches/README.md` explains the
//! measurement, the method and why it is fair.

mod candidate;
mod checks;
mod hardware;
mod kernel;
mod measure;
mod peers;
mod picture;
mod report;
mod verdict;
mod workload;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::candidate::Candidate;
use crate::kernel::{Drain, Outcome, Source};
use crate::measure::{Effort, Subject, measure};
use crate::report::{Direction, Report, Row};
use crate::workload::{Cut, Role, Tally, Wire, Workload};

const USAGE: &str = "\
Usage: sockless-peers [OPTIONS]
  --only TEXT      only rows whose name contains TEXT (may be given several times; all must match)
  --candidate NAME only this candidate (may be given several times)
  --rounds N       rounds per row (default 15)
  --sample MS      milliseconds per sample (default 4)
  --passes N       no timing, no checks, no other rows: N passes over what is selected, for callgrind
  --check          check every candidate and print what each lets pass; time nothing
  --quick          4 rounds of 1 ms
  --with FILE      the JSON of another build of this program: its tables too, and the worse of both against the targets
  --save           write results.md and receive.svg into benches/
  --help           this text";

struct Options {
    only: Vec<String>,
    candidates: Vec<String>,
    effort: Effort,
    passes: Option<usize>,
    check: bool,
    save: bool,
    with: Option<PathBuf>,
}

/// Returns the name of the profile of this build, from the name of its folder.
fn build() -> String {
    let program = std::env::current_exe().ok();
    let folder = program.as_deref().and_then(|path| path.parent()?.file_name()?.to_str());
    build_name(folder.unwrap_or_default()).to_owned()
}

fn build_name(folder: &str) -> &str {
    match folder {
        "release" => "cargo's release profile",
        "lto" => "fat LTO, one codegen unit",
        other => other,
    }
}

fn options() -> Result<Option<Options>, String> {
    let mut options = Options {
        only: Vec::new(),
        candidates: Vec::new(),
        effort: Effort { rounds: 15, sample: Duration::from_millis(4) },
        passes: None,
        check: false,
        save: false,
        with: None,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--only" => options.only.push(value()?),
            "--candidate" => options.candidates.push(value()?),
            "--rounds" => options.effort.rounds = number(&value()?)?,
            "--sample" => options.effort.sample = Duration::from_millis(number(&value()?)? as u64),
            "--passes" => options.passes = Some(number(&value()?)?),
            "--quick" => options.effort = Effort { rounds: 4, sample: Duration::from_millis(1) },
            "--with" => options.with = Some(value()?.into()),
            "--check" => options.check = true,
            "--save" => options.save = true,
            "--help" => return Ok(None),
            _ => return Err(format!("unknown option {argument}")),
        }
    }
    Ok(Some(options))
}

fn number(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|&number| number > 0).ok_or(format!("{text} is not a number above 0"))
}

fn main() -> ExitCode {
    let outcome = options().and_then(|options| match options {
        Some(options) => work(options),
        None => {
            println!("{USAGE}");
            Ok(())
        }
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}\n\n{USAGE}");
            ExitCode::FAILURE
        }
    }
}

fn work(options: Options) -> Result<(), String> {
    let start = Instant::now();
    // Panics of candidates are caught and named. Their traces would only hide the table.
    std::panic::set_hook(Box::new(|_| {}));
    let mut candidates = peers::all();
    candidates.retain(|candidate| {
        options.candidates.is_empty()
            || options.candidates.iter().any(|name| name == candidate.name())
    });
    if let Some(passes) = options.passes {
        return repeat(&candidates, &options, passes);
    }
    let workloads: &'static [Workload] = Vec::leak(workload::select(|_| true));
    let mut report = Report::new(&candidates);

    for role in [Role::Server, Role::Client] {
        for cut in Cut::ALL {
            for workload in workloads {
                let name = format!("receive {} {} {}", role.name(), workload.name, cut.name());
                if options.only.iter().all(|text| name.contains(text.as_str())) {
                    report.rows.push(receive(&candidates, role, cut, workload, &options));
                    report.progress(&name);
                }
            }
        }
        for workload in workloads.iter().filter(|workload| workload.fragment == 0) {
            let name = format!("send {} {}", role.name(), workload.name);
            if options.only.iter().all(|text| name.contains(text.as_str())) {
                report.rows.push(send(&candidates, role, workload, &options));
                report.progress(&name);
            }
        }
    }
    if options.only.iter().all(|text| "handshake server".contains(text.as_str())) {
        report.rows.push(handshake(&candidates, &options));
    }
    report.strictness = checks::strictness(&candidates)
        .into_iter()
        .map(|(name, verdicts)| {
            (name.into(), verdicts.iter().map(report::verdict).map(String::from).collect())
        })
        .collect();
    report.seconds = start.elapsed().as_secs_f64();

    let build = build();
    let other = options.with.as_deref().map(Report::read).transpose()?;
    let folder = options.with.as_deref().and_then(|path| path.parent()?.file_name()?.to_str());
    let other_build = build_name(folder.unwrap_or_default());
    let mut reports = vec![(build.as_str(), &report)];
    reports.extend(other.as_ref().map(|other| (other_build, other)));
    let mut text = if options.check { String::new() } else { verdict::table(&reports) };
    for (build, report) in &reports {
        text += &report.markdown(build, !options.check);
    }
    text += &report.strictness();
    println!("{text}");
    // The JSON is for programs. It is a separate file, because it changes with every run.
    let json = std::env::current_exe()
        .map_err(|error| error.to_string())?
        .with_file_name("sockless-peers.json");
    std::fs::write(&json, report.json()).map_err(|error| format!("{}: {error}", json.display()))?;
    eprintln!("{}", json.display());
    if options.save {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
        let save = |name: &str, text: &str| {
            std::fs::write(folder.join(name), text).map_err(|error| format!("{name}: {error}"))
        };
        save("results.md", &text)?;
        save("receive.svg", &picture::draw(&report))?;
    }
    Ok(())
}

/// Runs only the selected work, `count` times, for measurement from outside. Prints the messages of
/// a pass, so that two runs of different length give the cost of one message.
fn repeat(
    candidates: &[Box<dyn Candidate>],
    options: &Options,
    passes: usize,
) -> Result<(), String> {
    let selected = |name: &str| options.only.iter().all(|text| name.contains(text.as_str()));
    // Build only the selected streams. Building all of them would dominate the run under callgrind.
    let wanted = |workload: &str| {
        let names = [Role::Server, Role::Client].into_iter().flat_map(|role| {
            let send = format!("send {} {workload}", role.name());
            Cut::ALL
                .into_iter()
                .map(move |cut| format!("receive {} {workload} {}", role.name(), cut.name()))
                .chain([send])
        });
        names.into_iter().any(|name| selected(&name))
    };
    let workloads: &'static [Workload] = Vec::leak(workload::select(wanted));
    for role in [Role::Server, Role::Client] {
        for workload in workloads {
            for cut in Cut::ALL {
                if !selected(&format!("receive {} {} {}", role.name(), workload.name, cut.name())) {
                    continue;
                }
                let wire: &'static Wire = Box::leak(Box::new(workload.wire(role, cut)));
                for candidate in candidates {
                    let reader = candidate.receiver(role, Source::endless(wire), Drain::new());
                    if let Some(mut reader) = reader {
                        for _ in 0..passes {
                            reader.receive(wire.messages, &mut Tally::default())?;
                        }
                    }
                }
                println!("{}", wire.messages);
            }
            if selected(&format!("send {} {}", role.name(), workload.name)) {
                for candidate in candidates {
                    if let Some(mut sender) =
                        candidate.sender(role, Drain::new(), &workload.messages)
                    {
                        for _ in 0..passes {
                            sender.send()?;
                        }
                    }
                }
                println!("{}", workload.messages.len());
            }
        }
    }
    if selected("handshake server") {
        let wire: &'static Wire = Box::leak(Box::new(workload::request_wire()));
        for candidate in candidates {
            if let Some(mut server) = candidate.handshake(Source::endless(wire), Drain::new()) {
                for _ in 0..passes {
                    server.shake()?;
                }
            }
        }
        println!("1");
    }
    Ok(())
}

/// Checks one candidate after the other. Those that pass are measured.
fn judge<'a>(
    candidates: &'a [Box<dyn Candidate>],
    row: &mut Row,
    check: impl Fn(&dyn Candidate) -> Option<Outcome>,
) -> Vec<&'a dyn Candidate> {
    let mut good = Vec::new();
    for candidate in candidates {
        match check(&**candidate) {
            Some(Ok(())) => good.push(&**candidate),
            Some(Err(error)) => row.fail(candidate.name(), error),
            None => {}
        }
    }
    good
}

fn receive(
    candidates: &[Box<dyn Candidate>],
    role: Role,
    cut: Cut,
    workload: &'static Workload,
    options: &Options,
) -> Row {
    let wire: &'static Wire = Box::leak(Box::new(workload.wire(role, cut)));
    let messages = wire.messages;
    let mut row = Row::new(Direction::Receive, role, workload.name, cut.name(), workload);
    let good =
        judge(candidates, &mut row, |candidate| Some(checks::receive(candidate, role, wire)));
    if options.check {
        return row;
    }
    let mut readers: Vec<_> = good
        .iter()
        .filter_map(|candidate| {
            Some((candidate.name(), candidate.receiver(role, Source::endless(wire), Drain::new())?))
        })
        .collect();
    readers.extend(hardware::rows(role, wire, &workload.messages));
    let subjects = readers.into_iter().map(|(name, mut reader)| Subject {
        name,
        pass: Box::new(move || reader.receive(messages, &mut Tally::default())),
    });
    let (series, failures) = measure(subjects.collect(), messages, options.effort);
    row.take(series, failures);
    row
}

fn send(
    candidates: &[Box<dyn Candidate>],
    role: Role,
    workload: &'static Workload,
    options: &Options,
) -> Row {
    let messages = &workload.messages;
    let mut row = Row::new(Direction::Send, role, workload.name, "a write per message", workload);
    let good = judge(candidates, &mut row, |candidate| checks::send(candidate, role, messages));
    if options.check {
        return row;
    }
    let mut subjects: Vec<Subject> = Vec::new();
    for candidate in good {
        if let Some(mut sender) = candidate.sender(role, Drain::new(), messages) {
            subjects
                .push(Subject { name: candidate.name(), pass: Box::new(move || sender.send()) });
        }
    }
    let mut drain = Drain::new();
    subjects.push(Subject {
        name: "copy alone",
        pass: Box::new(move || {
            messages.iter().for_each(|message| drain.put(&message.payload));
            Ok(())
        }),
    });
    let (series, failures) = measure(subjects, messages.len(), options.effort);
    row.take(series, failures);
    row
}

fn handshake(candidates: &[Box<dyn Candidate>], options: &Options) -> Row {
    const SHAKES: usize = 100;
    let wire: &'static Wire = Box::leak(Box::new(workload::request_wire()));
    let mut row =
        Row::plain(Direction::Handshake, Role::Server, "a browser's request", "read whole");
    let good = judge(candidates, &mut row, checks::handshake);
    if options.check {
        return row;
    }
    let mut subjects = Vec::new();
    for candidate in good {
        if let Some(mut server) = candidate.handshake(Source::endless(wire), Drain::new()) {
            subjects.push(Subject {
                name: candidate.name(),
                pass: Box::new(move || (0..SHAKES).try_for_each(|_| server.shake())),
            });
        }
    }
    let (series, failures) = measure(subjects, SHAKES, options.effort);
    row.take(series, failures);
    row
}

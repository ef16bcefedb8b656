//! Measures processor time per echoed message over loopback. `benches/README.md` explains the
//! measurement, the method and why it is fair.

mod load;
mod process;
mod report;
mod servers;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::load::{Client, LOADS, Load, Result};
use crate::process::Process;
use crate::report::{Report, Row, Series};
use crate::servers::{ALL, Server, Standing};

const USAGE: &str = "\
Usage: sockless-sockets --showcase PROGRAM [OPTIONS]
  --showcase PROGRAM  the built example `serve`
  --only TEXT         only loads and servers whose name contains TEXT (may be given several times; one must match)
  --rounds N          rounds per row (default 15)
  --sample MS         milliseconds per sample (default 100)
  --quick             5 rounds of 30 ms
  --save              write results.md beside this crate's manifest
  --serve NAME        be a server: listen on a free port of the loopback interface and print it
  --help              this text";

/// Most messages of a sample, however long one takes.
const MOST_MESSAGES: usize = 1_000_000;

struct Options {
    showcase: Option<PathBuf>,
    only: Vec<String>,
    rounds: usize,
    sample: Duration,
    save: bool,
}

fn main() -> ExitCode {
    match work() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}\n\n{USAGE}");
            ExitCode::FAILURE
        }
    }
}

fn work() -> Result<()> {
    let mut options = Options {
        showcase: None,
        only: Vec::new(),
        rounds: 15,
        sample: Duration::from_millis(100),
        save: false,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--serve" => return servers::run(&value()?).map_err(|error| error.to_string()),
            "--showcase" => options.showcase = Some(value()?.into()),
            "--only" => options.only.push(value()?),
            "--rounds" => options.rounds = number(&value()?)?,
            "--sample" => options.sample = Duration::from_millis(number(&value()?)? as u64),
            "--quick" => (options.rounds, options.sample) = (5, Duration::from_millis(30)),
            "--save" => options.save = true,
            "--help" => {
                println!("{USAGE}");
                return Ok(());
            }
            _ => return Err(format!("unknown option {argument}")),
        }
    }
    compare(&options)
}

fn number(text: &str) -> Result<usize> {
    text.parse().ok().filter(|&number| number > 0).ok_or(format!("{text} is not a number above 0"))
}

fn compare(options: &Options) -> Result<()> {
    let start = Instant::now();
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let wanted = |name: &str| {
        let matches = |text: &String| name.contains(text.as_str());
        options.only.is_empty() || options.only.iter().any(matches)
    };
    let servers: Vec<_> = ALL.iter().filter(|server| wanted(server.name)).collect();
    let servers = if servers.is_empty() { ALL.iter().collect() } else { servers };
    let loads: Vec<_> = LOADS.iter().filter(|load| wanted(load.name)).collect();
    let loads = if loads.is_empty() { LOADS.iter().collect() } else { loads };
    let mut running = Vec::new();
    for server in servers {
        let process = match (server.serve, &options.showcase) {
            (Some(_), _) => Process::start(&own, &["--serve", server.name])?,
            (None, Some(program)) => Process::start(program, &["127.0.0.1:0"])?,
            (None, None) => continue,
        };
        running.push((server, process));
    }
    let mut report = Report::default();
    let mut random = fastrand::Rng::with_seed(11);
    for load in loads {
        eprintln!("{}", load.name);
        report.rows.push(measure(&running, load, options, &mut random));
    }
    report.seconds = start.elapsed().as_secs_f64();
    let text = report.markdown();
    println!("{text}");
    if options.save {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("results.md");
        std::fs::write(&path, &text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

/// A server with an open connection.
struct Subject<'a> {
    process: &'a Process,
    client: Client,
    batches: usize,
    series: Series,
}

/// Measures all servers under one load in rounds, each in another order.
fn measure(
    servers: &[(&'static Server, Process)],
    load: &'static Load,
    options: &Options,
    random: &mut fastrand::Rng,
) -> Row {
    let mut row = Row { load: load.name, series: Vec::new(), failed: Vec::new() };
    let mut subjects = Vec::new();
    for (server, process) in servers {
        match prepare(server, process, load, options) {
            Ok(subject) => subjects.push(subject),
            Err(error) => {
                eprintln!("    {}: {error}", server.name);
                row.failed.push(server.name);
            }
        }
    }
    for _ in 0..options.rounds {
        random.shuffle(&mut subjects);
        for index in (0..subjects.len()).rev() {
            let subject = &mut subjects[index];
            match sample(subject) {
                Ok(nanoseconds) => subject.series.rounds.push(nanoseconds),
                Err(error) => {
                    let name = subject.series.server.name;
                    eprintln!("    {name}: {error}");
                    row.failed.push(name);
                    subjects.remove(index);
                }
            }
        }
    }
    row.series = subjects.into_iter().map(|subject| subject.series).collect();
    row
}

fn prepare<'a>(
    server: &'static Server,
    process: &'a Process,
    load: &Load,
    options: &Options,
) -> Result<Subject<'a>> {
    let mut client = Client::open(process.address, load, server.standing != Standing::Floor)?;
    let mut batches = 1;
    loop {
        let start = Instant::now();
        let messages = client.exchange(batches)?;
        let took = start.elapsed();
        if took * 4 >= options.sample || messages * 4 >= MOST_MESSAGES {
            let factor = options.sample.as_secs_f64() / took.as_secs_f64();
            let most = (MOST_MESSAGES / load.batch) as f64;
            batches = (batches as f64 * factor).round().clamp(1.0, most) as usize;
            break;
        }
        batches *= 2;
    }
    Ok(Subject { process, client, batches, series: Series { server, rounds: Vec::new() } })
}

/// Nanoseconds of the server's processor time per message.
fn sample(subject: &mut Subject) -> Result<f64> {
    let before = subject.process.time_at_rest()?;
    let messages = subject.client.exchange(subject.batches)?;
    let after = subject.process.time_at_rest()?;
    Ok((after - before) as f64 / messages as f64)
}

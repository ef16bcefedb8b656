//! Processor time per echoed message, over loopback TCP and over an in-memory pipe. The method is
//! that of `benches/sockets` at the root of the repository: the server alone on processor 0, the
//! load on processor 1, medians of interleaved rounds.

mod load;
mod report;
mod servers;
mod subject;

use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::load::{LOADS, Load, Result, text};
use crate::report::{Row, tables};
use crate::servers::{ALL, Server};
use crate::subject::Subject;

const USAGE: &str = "\
Usage: run [OPTIONS]
  --only TEXT    only loads, servers and transports (tcp, duplex) whose name contains TEXT
                 (may be given several times; all loads, servers or transports if none matches)
  --rounds N     rounds per row (default 15)
  --sample MS    milliseconds per sample (default 100)
  --quick        2 rounds of 5 ms
  --save         write results.md beside this crate's manifest
  --count NAME LOAD BATCHES
                 echo over a pipe on one thread, for callgrind; see `instructions`
  --serve NAME   be a server: listen on a free port of the loopback interface and print it
  --help         this text";

/// No sample has more messages, however short one takes.
const MOST_MESSAGES: usize = 1_000_000;

struct Options {
    only: Vec<String>,
    rounds: usize,
    sample: Duration,
    save: bool,
}

#[derive(Clone, Copy)]
enum Transport {
    Tcp,
    Pipe,
}

fn main() -> ExitCode {
    match work() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn work() -> Result<()> {
    let mut options =
        Options { only: Vec::new(), rounds: 15, sample: Duration::from_millis(100), save: false };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--serve" => {
                let name = value()?;
                let server = ALL.into_iter().find(|server| server.name() == name);
                return subject::run(server.ok_or("no such server")?).map_err(text);
            }
            "--count" => {
                let name = value()?;
                let load = value()?;
                let batches = value()?.parse().map_err(text)?;
                let server = ALL.into_iter().find(|server| server.name() == name);
                let load = LOADS.iter().find(|known| known.name == load).ok_or("no such load")?;
                let server = server.ok_or("no such server")?;
                let runtime = subject::runtime().map_err(text)?;
                println!("{}", runtime.block_on(subject::count(server, load, batches))?);
                return Ok(());
            }
            "--only" => options.only.push(value()?),
            "--rounds" => options.rounds = value()?.parse().map_err(text)?,
            "--sample" => {
                options.sample = Duration::from_millis(value()?.parse().map_err(text)?);
            }
            "--quick" => (options.rounds, options.sample) = (2, Duration::from_millis(5)),
            "--save" => options.save = true,
            "--help" => {
                println!("{USAGE}");
                return Ok(());
            }
            _ => return Err(format!("unknown option {argument}\n\n{USAGE}")),
        }
    }
    subject::runtime().map_err(text)?.block_on(compare(&options))
}

/// Returns those of `all` that `--only` names, or all if it names none of them.
fn chosen<T: Copy>(all: &[T], only: &[String], name: impl Fn(&T) -> &'static str) -> Vec<T> {
    let named = |item: &&T| only.iter().any(|text| name(item).contains(text.as_str()));
    let some: Vec<T> = all.iter().filter(named).copied().collect();
    if some.is_empty() { all.to_vec() } else { some }
}

async fn compare(options: &Options) -> Result<()> {
    let start = Instant::now();
    let servers = chosen(&ALL, &options.only, |server| server.name());
    let loads = chosen(LOADS, &options.only, |load| load.name);
    let transports = [Transport::Tcp, Transport::Pipe];
    let transports = chosen(&transports, &options.only, |transport| match transport {
        Transport::Tcp => "tcp",
        Transport::Pipe => "duplex",
    });
    let mut random = fastrand::Rng::with_seed(11);
    let mut out = String::new();
    for transport in transports {
        let mut rows = Vec::new();
        for load in &loads {
            eprintln!("{}", load.name);
            rows.push(measure(transport, &servers, *load, options, &mut random).await?);
        }
        let title = match transport {
            Transport::Tcp => "Loopback TCP",
            Transport::Pipe => "tokio::io::duplex",
        };
        let _ = writeln!(out, "{}", tables(title, &rows));
    }
    let head = format!(
        "# Processor time of the server per echoed message\n\n{}; {} rounds of {} ms, {:.0} s. \
         Written by `drivers/tokio/benches/run --save`.\n\n",
        processor(),
        options.rounds,
        options.sample.as_millis(),
        start.elapsed().as_secs_f64(),
    );
    let out = format!("{head}{}\n", out.trim_end());
    print!("{out}");
    if options.save {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("results.md");
        std::fs::write(&path, &out).map_err(text)?;
    }
    Ok(())
}

/// Measures all servers under one load, in rounds, each in another order.
async fn measure(
    transport: Transport,
    servers: &[Server],
    load: Load,
    options: &Options,
    random: &mut fastrand::Rng,
) -> Result<Row> {
    let mut subjects = Vec::new();
    for &server in servers {
        let subject = prepare(transport, server, &load, options).await;
        subjects.push(subject.map_err(|error| format!("{}: {error}", server.name()))?);
    }
    for _ in 0..options.rounds {
        random.shuffle(&mut subjects);
        for subject in &mut subjects {
            let done = subject.sample().await;
            done.map_err(|error| format!("{}: {error}", subject.server.name()))?;
        }
    }
    let series =
        subjects.iter_mut().map(|subject| (subject.server, std::mem::take(&mut subject.rounds)));
    Ok(Row { load, series: series.collect() })
}

/// Opens a connection and finds how many batches make a sample.
async fn prepare(
    transport: Transport,
    server: Server,
    load: &Load,
    options: &Options,
) -> Result<Subject> {
    let mut subject = match transport {
        Transport::Tcp => Subject::tcp(server, load).await?,
        Transport::Pipe => Subject::pipe(server, load).await?,
    };
    let mut batches = 1;
    loop {
        let start = Instant::now();
        let messages = subject.exchange(batches).await?;
        let took = start.elapsed();
        if took * 4 >= options.sample || messages * 4 >= MOST_MESSAGES {
            let factor = options.sample.as_secs_f64() / took.as_secs_f64();
            let most = (MOST_MESSAGES / load.batch) as f64;
            subject.batches = (batches as f64 * factor).round().clamp(1.0, most) as usize;
            return Ok(subject);
        }
        batches *= 2;
    }
}

fn processor() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    name.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.trim().to_owned())
}

//! Measures in interleaved rounds. Each round times every candidate once, in an order shuffled from
//! a fixed seed, so that other load affects all candidates equally. Ratios are computed within a
//! round, and the report has medians over rounds. The clock is the processor time of the thread,
//! which excludes other processes.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::kernel::Outcome;

/// The length of a measurement.
#[derive(Clone, Copy)]
pub struct Effort {
    pub rounds: usize,
    /// The length of one sample.
    pub sample: Duration,
}

/// Work to time: one pass over everything in its row.
pub struct Subject {
    pub name: &'static str,
    pub pass: Box<dyn FnMut() -> Outcome>,
}

/// Nanoseconds per message, by round.
pub struct Series {
    pub name: &'static str,
    pub rounds: Vec<f64>,
}

impl Series {
    pub fn median(&self) -> f64 {
        median(self.rounds.clone())
    }

    /// The median of the ratios of the rounds.
    pub fn over(&self, other: &Self) -> f64 {
        median(self.rounds.iter().zip(&other.rounds).map(|(own, other)| own / other).collect())
    }
}

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 }
}

fn now() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn time(subject: &mut Subject, passes: u32) -> Result<Duration, String> {
    let start = now();
    for _ in 0..passes {
        (subject.pass)()?;
    }
    Ok(now() - start)
}

/// Times the subjects against each other. A subject that fails is named and excluded.
pub fn measure(
    subjects: Vec<Subject>,
    messages: usize,
    effort: Effort,
) -> (Vec<Series>, Vec<(&'static str, String)>) {
    let mut failures = Vec::new();
    let mut running = Vec::new();
    for mut subject in subjects {
        // The first passes warm the caches, and determine how many passes make a sample.
        let mut passes = 1;
        let outcome = time(&mut subject, 1).and_then(|_| {
            loop {
                let took = time(&mut subject, passes)?;
                if took * 8 >= effort.sample {
                    let wanted =
                        effort.sample.as_secs_f64() / took.as_secs_f64() * f64::from(passes);
                    return Ok((wanted.round() as u32).max(1));
                }
                passes *= 2;
            }
        });
        match outcome {
            Ok(passes) => {
                running.push((Series { name: subject.name, rounds: Vec::new() }, subject, passes))
            }
            Err(error) => failures.push((subject.name, error)),
        }
    }
    let mut random = fastrand::Rng::with_seed(0x5eed);
    let mut order: Vec<usize> = (0..running.len()).collect();
    for _ in 0..effort.rounds {
        random.shuffle(&mut order);
        for &index in &order {
            let (series, subject, passes) = &mut running[index];
            match time(subject, *passes) {
                Ok(took) => series
                    .rounds
                    .push(took.as_secs_f64() * 1e9 / (f64::from(*passes) * messages as f64)),
                Err(error) => failures.push((subject.name, error)),
            }
        }
    }
    let done = running
        .into_iter()
        .map(|(series, ..)| series)
        .filter(|series| series.rounds.len() == effort.rounds);
    (done.collect(), failures)
}

//! Interleaved rounds: each round times every candidate once, shuffled anew from a fixed seed, so that whatever else the
//! machine does falls on all of them alike and none always follows the same one. Ratios are taken within a round; what is reported are medians over rounds. The clock
//! is the thread's own processor time, so that what else runs on the machine is not counted as anybody's work.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::kernel::Outcome;

/// How long to take.
#[derive(Clone, Copy)]
pub struct Effort {
    pub rounds: usize,
    /// What one sample should last.
    pub sample: Duration,
}

/// Something to time: one pass over everything that its row prescribes.
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

/// Times the subjects against each other. Those that fail on the way are left out of the result and named.
pub fn measure(
    subjects: Vec<Subject>,
    messages: usize,
    effort: Effort,
) -> (Vec<Series>, Vec<(&'static str, String)>) {
    let mut failures = Vec::new();
    let mut running = Vec::new();
    for mut subject in subjects {
        // The first passes warm the caches and settle how many make a sample.
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

//! Compares images with the committed sizes, which no image may exceed.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

const HEADER: &str = "\
# What the images may cost, in bytes: flash (text and rodata) and the stack's high-water mark, each for the whole image
# with its scenario, start-up code and link. `tests/firmware/run` fails when one of them is passed; `run --update` writes
# what was measured, rounded up to 128 bytes of flash and 32 of stack, after a growth that was meant or a gain worth
# keeping.
#
# `targets` are what the project aims at; they are printed beside the numbers and do not fail the run.

";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Allowed excess over the sizes, in percent, if the compiler is not the recorded version.
    pub other_compiler_percent: u32,
    pub targets: BTreeMap<String, Cost>,
    /// Budgets by kind of build. `stable-target` uses the precompiled `core` of the Rust project.
    /// `build-std` compiles `core` at the optimization level of the image.
    pub builds: BTreeMap<String, Build>,
}

#[derive(Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct Build {
    pub compiler: String,
    pub images: BTreeMap<String, Cost>,
}

#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    pub flash: u32,
    pub stack: u32,
}

impl Budget {
    pub fn read(path: &Path) -> Result<Self, Box<dyn Error>> {
        Ok(toml::from_str(&fs::read_to_string(path)?)?)
    }

    pub fn write(&self, path: &Path) -> Result<(), Box<dyn Error>> {
        Ok(fs::write(path, format!("{HEADER}{}", toml::to_string(self)?))?)
    }

    /// Replaces the budget by these measurements, rounded up.
    pub fn update(&mut self, build: &str, compiler: &str, images: BTreeMap<String, Cost>) {
        let rounded = |cost: Cost| Cost {
            flash: cost.flash.next_multiple_of(128),
            stack: cost.stack.next_multiple_of(32),
        };
        let images = images.into_iter().map(|(name, cost)| (name, rounded(cost))).collect();
        self.builds.insert(build.into(), Build { compiler: compiler.into(), images });
    }

    /// Returns the faults of the measured costs: one line for each size above its budget.
    pub fn judge(
        &self,
        build: &str,
        compiler: &str,
        images: &BTreeMap<String, Cost>,
    ) -> Vec<String> {
        let Some(recorded) = self.builds.get(build) else {
            return vec![format!("no budget for builds of the kind {build}")];
        };
        let percent = if recorded.compiler == compiler { 0 } else { self.other_compiler_percent };
        let mut complaints = Vec::new();
        for (name, cost) in images {
            let Some(limit) = recorded.images.get(name) else {
                complaints.push(format!("{name}: no budget"));
                continue;
            };
            for (what, measured, limit) in
                [("flash", cost.flash, limit.flash), ("stack", cost.stack, limit.stack)]
            {
                let limit = limit + limit * percent / 100;
                if measured > limit {
                    complaints.push(format!(
                        "{name}: {what} {measured}, {} more than its budget of {limit}",
                        measured - limit
                    ));
                }
            }
        }
        complaints
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget() -> Budget {
        let images = BTreeMap::from([("server".to_owned(), Cost { flash: 1000, stack: 200 })]);
        let builds =
            BTreeMap::from([("stable-target".to_owned(), Build { compiler: "1".into(), images })]);
        Budget { other_compiler_percent: 5, targets: BTreeMap::new(), builds }
    }

    fn complaints(name: &str, compiler: &str, flash: u32, stack: u32) -> usize {
        let measured = BTreeMap::from([(name.to_owned(), Cost { flash, stack })]);
        budget().judge("stable-target", compiler, &measured).len()
    }

    #[test]
    fn growth_is_refused_to_the_byte() {
        assert_eq!(complaints("server", "1", 1000, 200), 0);
        assert_eq!(complaints("server", "1", 1001, 200), 1);
        assert_eq!(complaints("server", "1", 1001, 201), 2);
        assert_eq!(complaints("other", "1", 1, 1), 1);
    }

    #[test]
    fn another_compiler_may_exceed_the_budget() {
        assert_eq!(complaints("server", "2", 1050, 210), 0);
        assert_eq!(complaints("server", "2", 1051, 211), 2);
    }
}

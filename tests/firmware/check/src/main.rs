//! Runs every case of every scenario on the host and, as an image, on an emulated board. Compares
//! both outputs with each other and with frames written by hand. Measures the images and compares
//! their sizes with a budget.
//!
//! `tests/firmware/run` calls `firmware-check IMAGES BUDGET BUILD COMPILER [--update]`.
//!
//! `firmware-check panics IMAGE...` lists the functions that could panic in images that were linked
//! with the feature `panics-link`.

mod budget;
mod cases;
mod emulate;
mod host;
mod measure;
mod wire;

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::budget::{Budget, Cost};
use crate::cases::{Case, Scenario};
use crate::emulate::emulate;
use crate::host::MemoryLink;
use crate::measure::{Image, Origin, is_dependency};

/// The measurements of an image over all its cases.
struct Seen {
    name: &'static str,
    image: Image,
    stack: u32,
    connection: u32,
    cases: usize,
    differences: Vec<String>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [command, images @ ..] = &arguments[..] {
        if command == "panics" {
            return list_panics(images);
        }
    }
    let (images, budget, build, compiler, update) =
        match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            [images, budget, build, compiler] => (images, budget, build, compiler, false),
            [images, budget, build, compiler, "--update"] => {
                (images, budget, build, compiler, true)
            }
            _ => {
                eprintln!("usage: firmware-check IMAGES BUDGET BUILD COMPILER [--update]");
                return ExitCode::from(2);
            }
        };
    match check(Path::new(images), Path::new(budget), build, compiler, update) {
        Ok(complaints) if complaints.is_empty() => {
            println!("PASS");
            ExitCode::SUCCESS
        }
        Ok(complaints) => {
            for complaint in complaints {
                println!("{complaint}");
            }
            println!("FAIL");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("firmware-check: {error}");
            ExitCode::from(2)
        }
    }
}

fn check(
    images: &Path,
    file: &Path,
    build: &str,
    compiler: &str,
    update: bool,
) -> Result<Vec<String>, Box<dyn Error>> {
    let mut seen = Vec::new();
    for scenario in cases::all() {
        seen.push(look(images, &scenario)?);
    }
    let mut budget = Budget::read(file)?;
    let costs: BTreeMap<String, Cost> =
        seen.iter().map(|seen| (seen.name.to_owned(), seen.cost())).collect();
    if update {
        budget.update(build, compiler, costs.clone());
        budget.write(file)?;
    }
    print_table(&seen, &budget);
    print_origins(&seen);

    let mut complaints: Vec<String> =
        seen.iter().flat_map(|seen| seen.differences.iter().cloned()).collect();
    complaints.extend(seen.iter().flat_map(Seen::forbidden));
    complaints.extend(budget.judge(build, compiler, &costs));
    Ok(complaints)
}

/// Prints the functions in the images that could panic. Fails if any of them is not of a
/// dependency, or if there are none: the script asks only about images in which a panic can be
/// reached.
fn list_panics(images: &[String]) -> ExitCode {
    let (mut ours, mut none) = (false, true);
    for image in images {
        let found = match Image::read(Path::new(image)) {
            Ok(found) => found.panics,
            Err(error) => {
                eprintln!("firmware-check: {error}");
                return ExitCode::from(2);
            }
        };
        let name = Path::new(image).file_name().unwrap_or_default().to_string_lossy();
        for (caller, callee) in found {
            let blame = if is_dependency(&caller) { "a dependency" } else { "OURS" };
            ours |= !is_dependency(&caller);
            none = false;
            println!("  {name}: {blame}: {caller}\n    calls {callee}");
        }
    }
    if ours || none { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Runs all cases of a scenario.
fn look(images: &Path, scenario: &Scenario) -> Result<Seen, Box<dyn Error>> {
    let name = scenario.image;
    let path: PathBuf = images.join(name);
    let image = Image::read(&path)?;
    let place = images.join("runs").join(name);
    let mut seen = Seen { name, image, stack: 0, connection: 0, cases: 0, differences: Vec::new() };
    for Case { name: case, piece, input, said, verdict } in (scenario.cases)() {
        let mut link = MemoryLink::new(&input, piece);
        let on_host = (scenario.host)(&mut link);
        let on_board = emulate(&path, &place, piece, &input)
            .map_err(|error| format!("{name}, {case}: {error}"))?;
        let mut complain = |what: String| seen.differences.push(format!("{name}, {case}: {what}"));
        if on_board.output != link.output {
            let (left, right) = (&on_board.output, &link.output);
            let at = left.iter().zip(right).take_while(|(a, b)| a == b).count();
            complain(format!(
                "board and host differ at byte {at}: {} and {}",
                excerpt(&left[at..]),
                excerpt(&right[at..])
            ));
        }
        // The board and the host could share an error, so the output is also compared with expected
        // frames.
        let right = match &said {
            Some(said) => wire::read(&link.output, scenario.masks).as_ref() == Ok(said),
            None => link.output == input,
        };
        if !right {
            let expected = said.map_or(String::new(), |said| format!("{said:?}"));
            complain(format!(
                "{} instead of {}",
                excerpt(&link.output),
                excerpt(expected.as_bytes())
            ));
        }
        if (on_host, on_board.verdict) != (verdict, verdict) {
            complain(format!(
                "ended with {} on the board and {on_host} on the host instead of {verdict}",
                on_board.verdict
            ));
        }
        seen.stack = seen.stack.max(on_board.stack);
        seen.connection = on_board.connection;
        seen.cases += 1;
    }
    Ok(seen)
}

fn excerpt(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string().chars().take(200).collect()
}

impl Seen {
    fn cost(&self) -> Cost {
        Cost { flash: self.image.flash() as u32, stack: self.stack }
    }

    /// Returns the faults that no image may have, independent of the budget.
    fn forbidden(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        if self.connection > 128 {
            complaints.push(format!(
                "{}: the connection takes {} bytes, not 128 at most",
                self.name, self.connection
            ));
        }
        if self.image.data > 0 {
            complaints
                .push(format!("{}: {} bytes of initialised statics", self.name, self.image.data));
        }
        for (caller, callee) in
            self.image.panics.iter().filter(|(caller, _)| !is_dependency(caller))
        {
            complaints.push(format!("{}: {caller} calls {callee}", self.name));
        }
        complaints
    }
}

fn print_table(seen: &[Seen], budget: &Budget) {
    println!();
    println!(
        "{:<10}{:>8}{:>8}{:>8}{:>8}{:>8}{:>8}{:>8}{:>12}{:>7}",
        "image",
        "text",
        "rodata",
        "flash",
        "target",
        "data",
        "stack",
        "target",
        "connection",
        "cases"
    );
    for seen in seen {
        let target = budget.targets.get(seen.name);
        let shown = |value: Option<u32>| value.map_or("-".to_owned(), |value| value.to_string());
        println!(
            "{:<10}{:>8}{:>8}{:>8}{:>8}{:>8}{:>8}{:>8}{:>12}{:>7}",
            seen.name,
            seen.image.text,
            seen.image.rodata,
            seen.image.flash(),
            shown(target.map(|cost| cost.flash)),
            seen.image.data,
            seen.stack,
            shown(target.map(|cost| cost.stack)),
            seen.connection,
            seen.cases,
        );
    }
}

fn print_origins(seen: &[Seen]) {
    println!();
    println!(
        "{:<10}{:>8}{:>8}{:>8}{:>8}{:>8}{:>12}   flash by origin; bss is the caller's buffers",
        "image", "ours", "sha1", "base64", "core", "board", "bss"
    );
    for seen in seen {
        let origin = |origin| seen.image.origin(origin);
        println!(
            "{:<10}{:>8}{:>8}{:>8}{:>8}{:>8}{:>12}",
            seen.name,
            origin(Origin::Ours),
            origin(Origin::Sha1),
            origin(Origin::Base64),
            origin(Origin::Core),
            origin(Origin::Board),
            seen.image.bss,
        );
    }
    println!();
}

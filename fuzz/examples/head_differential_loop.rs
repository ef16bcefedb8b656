//! Compares as many heads as the first argument says, generated from the seed in the second.

use std::collections::BTreeMap;
use std::time::Instant;

use sockless_fuzz::head_differential::{Kind, Outcome, compare};
use sockless_fuzz::head_generator::write_head;
use sockless_fuzz::random::Random;

fn main() {
    let mut numbers = std::env::args().skip(1).map(|word| word.parse::<u64>().expect("a number"));
    let count = numbers.next().unwrap_or(1_000_000);
    let mut random = Random::new(numbers.next().unwrap_or(1));
    let mut found = BTreeMap::new();
    let mut head = Vec::new();
    let mut bytes = 0;
    let start = Instant::now();
    for i in 1..=count {
        let kind = if i % 2 == 0 { Kind::Request } else { Kind::Response };
        head.clear();
        let mut next = || random.bits() as u8;
        let cut = next();
        write_head(kind, &mut head, next);
        bytes += head.len();
        let (name, reason) = match compare(kind, &head, usize::from(cut)) {
            Outcome::BothPartial => ("both wait", ""),
            Outcome::BothRefused => ("both refuse", ""),
            Outcome::SameHead => ("both read the same", ""),
            Outcome::SameLength => ("both read a head that the handshake refuses", ""),
            Outcome::Explained(reason) => ("explained", reason),
        };
        *found.entry((kind == Kind::Request, name, reason)).or_insert(0_u64) += 1;
        if i % 10_000_000 == 0 || i == count {
            let seconds = start.elapsed().as_secs_f64();
            println!("{i} heads, {bytes} bytes, {seconds:.1} s");
        }
    }
    for ((is_request, name, reason), count) in found {
        println!(
            "{count:>12} {} {name}: {reason}",
            if is_request { "request" } else { "response" }
        );
    }
}

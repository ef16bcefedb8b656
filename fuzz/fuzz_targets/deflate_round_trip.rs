#![no_main]

use libfuzzer_sys::fuzz_target;
use sockless_fuzz::deflate::{Trip, round_trip};

fuzz_target!(|trip: Trip| round_trip(&trip));

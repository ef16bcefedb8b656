#![no_main]

use libfuzzer_sys::fuzz_target;
use sockless_fuzz::lives::{Cut, cut};

fuzz_target!(|input: Cut| cut(&input));

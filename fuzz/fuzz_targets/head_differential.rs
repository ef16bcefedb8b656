#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| sockless_fuzz::head_differential::compare_input(input));

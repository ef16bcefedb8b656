#![no_main]

use libfuzzer_sys::fuzz_target;
use sockless_fuzz::differential::{Stream, compare};

fuzz_target!(|stream: Stream| compare(&stream));

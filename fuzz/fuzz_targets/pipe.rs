#![no_main]

use libfuzzer_sys::fuzz_target;
use sockless_fuzz::lives::Life;
use sockless_fuzz::model::pipe::live;

fuzz_target!(|life: Life| live(life.setup, &life.ops));

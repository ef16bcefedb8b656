#![no_main]

use libfuzzer_sys::fuzz_target;
use sockless::FrameHeader;

fuzz_target!(|input: (FrameHeader, &[u8])| {
    sockless_fuzz::header::written(input.0);
    sockless_fuzz::header::laws(input.1);
});

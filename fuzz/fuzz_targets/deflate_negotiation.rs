#![no_main]

use libfuzzer_sys::fuzz_target;
use sockless_fuzz::deflate::{Negotiation, negotiation};

fuzz_target!(|input: Negotiation| negotiation(&input));

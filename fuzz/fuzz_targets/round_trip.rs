#![no_main]

use libfuzzer_sys::fuzz_target;
use sockless_fuzz::lives::Trip;
use sockless_fuzz::model::halves::round_trip;

fuzz_target!(|trip: Trip| round_trip(trip.masks, &trip.sends, &trip.pieces, trip.way));

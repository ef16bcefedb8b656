//! Measures messages of any size with a read buffer of 512 bytes, without any feature.
#![no_std]
#![no_main]

use core::hint::black_box;

use cortex_m_rt::entry;
use firmware_scenarios::{STREAM_SIZE, stream};

#[entry]
fn main() -> ! {
    static mut RX: [u8; 512] = [0; 512];
    static mut TX: [u8; 1024] = [0; 1024];
    let (rx, tx) = (black_box(&mut RX[..]), black_box(&mut TX[..]));
    firmware_board::run(|link| stream(link, rx, tx), STREAM_SIZE)
}

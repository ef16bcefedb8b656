//! Measures the receiver and the sender alone, without any feature.
#![no_std]
#![no_main]

use core::hint::black_box;

use cortex_m_rt::entry;
use firmware_scenarios::{FRAMES_SIZE, frames};

#[entry]
fn main() -> ! {
    static mut RX: [u8; 139] = [0; 139];
    static mut TX: [u8; 512] = [0; 512];
    let (rx, tx) = (black_box(&mut RX[..]), black_box(&mut TX[..]));
    firmware_board::run(|link| frames(link, rx, tx), FRAMES_SIZE)
}

//! Measures a server, from the request of a browser to the Close.
#![no_std]
#![no_main]

use core::hint::black_box;

use cortex_m_rt::entry;
use firmware_scenarios::{SERVER_SIZE, server};

#[entry]
fn main() -> ! {
    static mut RX: [u8; 1024] = [0; 1024];
    static mut TX: [u8; 1280] = [0; 1280];
    let (rx, tx) = (black_box(&mut RX[..]), black_box(&mut TX[..]));
    firmware_board::run(|link| server(link, rx, tx), SERVER_SIZE)
}

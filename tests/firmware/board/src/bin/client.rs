//! Measures a client, from its request to the Close.
#![no_std]
#![no_main]

use core::hint::black_box;

use cortex_m_rt::entry;
use firmware_scenarios::{CLIENT_SIZE, client};

#[entry]
fn main() -> ! {
    static mut RX: [u8; 512] = [0; 512];
    static mut TX: [u8; 1024] = [0; 1024];
    let (rx, tx) = (black_box(&mut RX[..]), black_box(&mut TX[..]));
    firmware_board::run(|link| client(link, rx, tx, 0x5EED_1234), CLIENT_SIZE)
}

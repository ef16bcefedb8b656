//! Measures an image without WebSocket: start-up, the link and the measurement itself.
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use embedded_io::{Read, Write};

#[entry]
fn main() -> ! {
    static mut BUFFER: [u8; 512] = [0; 512];
    firmware_board::run(
        |link| {
            loop {
                let Ok(count) = link.read(BUFFER);
                match BUFFER.get(..count) {
                    Some([]) | None => return 0,
                    Some(bytes) => {
                        let Ok(()) = link.write_all(bytes);
                    }
                }
                #[cfg(feature = "plant-a-panic")]
                firmware_board::keep(BUFFER[count]);
            }
        },
        0,
    )
}

//! Lists the input and the expected output of each image, written by hand without the crate.

mod client;
mod frames;
mod server;

use firmware_scenarios::{client, frames, server, stream};

use crate::host::MemoryLink;
use crate::wire::Said;

/// A conversation: the input of a link, and its expected output.
pub struct Case {
    pub name: String,
    /// Size limit of one read, in bytes.
    pub piece: u32,
    pub input: Vec<u8>,
    /// The expected messages, or `None` if the output must equal the input.
    pub said: Option<Said>,
    /// The expected verdict of the scenario.
    pub verdict: u32,
}

/// An image, its function on the host, and its cases.
pub struct Scenario {
    pub image: &'static str,
    pub host: fn(&mut MemoryLink) -> u32,
    /// `true` if the frames of the image are masked.
    pub masks: bool,
    pub cases: fn() -> Vec<Case>,
}

/// Returns all scenarios. The buffers have the sizes of those in the images.
pub fn all() -> Vec<Scenario> {
    vec![
        Scenario { image: "baseline", host: baseline, masks: false, cases: baseline_cases },
        Scenario {
            image: "frames",
            host: |link| frames(link, &mut [0; 139], &mut [0; 512]),
            masks: false,
            cases: self::frames::all,
        },
        Scenario {
            image: "stream",
            host: |link| stream(link, &mut [0; 512], &mut [0; 1024]),
            masks: false,
            cases: self::frames::with_a_long_message,
        },
        Scenario {
            image: "server",
            host: |link| server(link, &mut [0; 1024], &mut [0; 1280]),
            masks: false,
            cases: self::server::all,
        },
        Scenario {
            image: "client",
            host: |link| client(link, &mut [0; 512], &mut [0; 1024], 0x5EED_1234),
            masks: true,
            cases: self::client::all,
        },
    ]
}

/// Returns one case for each of several read sizes: 1 byte, 7 bytes, a small network buffer of 64
/// bytes, and everything at once.
fn in_pieces(name: &str, input: &[u8], said: impl Fn() -> Said, verdict: u32) -> Vec<Case> {
    [1, 7, 64, 1 << 20]
        .map(|piece| Case {
            name: format!("{name}, reads of {piece}"),
            piece,
            input: input.to_vec(),
            said: Some(said()),
            verdict,
        })
        .into()
}

/// Echoes the input, like the image `baseline`.
fn baseline(link: &mut MemoryLink) -> u32 {
    use embedded_io::{Read, Write};

    let mut buffer = [0; 512];
    loop {
        let Ok(count) = link.read(&mut buffer);
        if count == 0 {
            return 0;
        }
        let Ok(()) = link.write_all(&buffer[..count]);
    }
}

fn baseline_cases() -> Vec<Case> {
    let input = (0..10_000_u32).map(|i| ((i * i) >> 3) as u8).collect();
    vec![Case { name: "an echo of bytes".into(), piece: 300, input, said: None, verdict: 0 }]
}

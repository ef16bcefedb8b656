//! What each image receives, and what it must send: written by hand, without the crate.

mod client;
mod frames;
mod server;

use firmware_scenarios::{client, frames, server, stream};

use crate::host::MemoryLink;
use crate::wire::Said;

/// One conversation: the input of a link, and all that must come out of it.
pub struct Case {
    pub name: String,
    /// The most that one read brings.
    pub piece: u32,
    pub input: Vec<u8>,
    /// What must be sent, or `None` for an echo of the bytes as they are.
    pub said: Option<Said>,
    /// How the scenario must end.
    pub verdict: u32,
}

/// An image, the same code on the host, and its cases.
pub struct Scenario {
    pub image: &'static str,
    pub host: fn(&mut MemoryLink) -> u32,
    /// Whether what it sends is masked.
    pub masks: bool,
    pub cases: fn() -> Vec<Case>,
}

/// All scenarios. Their buffers are those of the images.
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

/// The same talk in reads of several sizes: bytewise, unlike any boundary, as a small network buffer has it, and whole.
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

/// As the image of that name: what arrives is sent back.
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

//! What each image receives, and what it must send: written by hand, without the crate.

use crate::host::MemoryLink;

/// One conversation: the input of a link, and all that must come out of it.
pub struct Case {
    pub name: String,
    /// The most that one read brings.
    pub piece: u32,
    pub input: Vec<u8>,
    pub output: Vec<u8>,
    /// How the scenario must end.
    pub verdict: u32,
}

/// An image, the same code on the host, and its cases.
pub struct Scenario {
    pub image: &'static str,
    pub host: fn(&mut MemoryLink) -> u32,
    pub cases: fn() -> Vec<Case>,
}

pub fn all() -> Vec<Scenario> {
    vec![Scenario {
        image: "baseline",
        host: baseline,
        cases: baseline_cases,
    }]
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
    let bytes: Vec<u8> = (0..10_000_u32).map(|i| (i * i >> 3) as u8).collect();
    vec![Case {
        name: "an echo of bytes".into(),
        piece: 300,
        input: bytes.clone(),
        output: bytes,
        verdict: 0,
    }]
}

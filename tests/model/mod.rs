//! What the properties, the exhaustive tests and the fuzz targets hold the crate against: a naive oracle of the
//! receiving side, a driver that cuts its input anywhere, streams to feed it, and two machines joined by a pipe.
#![allow(dead_code, reason = "each test file uses its own part")]

pub mod drive;
pub mod halves;
pub mod oracle;
pub mod pipe;
pub mod stream;

/// Entropy that is none, so that runs can be compared: every key is 7, 7, 7, 7.
pub type Sevens = fn(&mut [u8]) -> Result<(), sockless::EntropyError>;

pub fn sevens(bytes: &mut [u8]) -> Result<(), sockless::EntropyError> {
    bytes.fill(7);
    Ok(())
}

/// How many cases a property tries: as many as it says, or as the environment's `PROPTEST_CASES` asks for, be it a few
/// for a quick look or millions overnight.
pub fn cases(usual: u32) -> u32 {
    let asked = std::env::var("PROPTEST_CASES").ok();
    asked.and_then(|cases| cases.parse().ok()).unwrap_or(usual)
}

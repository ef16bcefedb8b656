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

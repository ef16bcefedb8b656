//! Models for the properties, the exhaustive tests and the fuzz targets: a naive oracle of the
//! receiving side, a driver that cuts its input anywhere, generated streams, and two machines
//! joined by a pipe.
#![allow(dead_code, reason = "each test file uses its own part")]

pub mod drive;
pub mod halves;
pub mod oracle;
pub mod pipe;
pub mod stream;

/// Fills keys with sevens instead of entropy, so that runs can be compared.
pub type Sevens = fn(&mut [u8]) -> Result<(), sockless::EntropyError>;

pub fn sevens(bytes: &mut [u8]) -> Result<(), sockless::EntropyError> {
    bytes.fill(7);
    Ok(())
}

/// Returns how many cases a property tries: `default`, or `PROPTEST_CASES` from the environment.
pub fn cases(usual: u32) -> u32 {
    let asked = std::env::var("PROPTEST_CASES").ok();
    asked.and_then(|cases| cases.parse().ok()).unwrap_or(usual)
}

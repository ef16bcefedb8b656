//! Contains one guide for each kind of user. This module is documentation and has no items to call.
//!
//! | you write | read |
//! |---|---|
//! | an application with a socket | [`application`] |
//! | a library, a driver or an HTTP upgrade | [`embedding`] |
//! | firmware | [`firmware`] |
//! | a fuzz target | [`fuzzing`] |
//! | a proxy or an inspector | [`proxies`] |
//! | a program that uses tungstenite today | [`tungstenite`] |

#[doc = include_str!("application.md")]
pub mod application {}

#[doc = include_str!("embedding.md")]
pub mod embedding {}

#[doc = include_str!("firmware.md")]
pub mod firmware {}

#[doc = include_str!("fuzzing.md")]
pub mod fuzzing {}

#[doc = include_str!("proxies.md")]
pub mod proxies {}

#[doc = include_str!("tungstenite.md")]
pub mod tungstenite {}

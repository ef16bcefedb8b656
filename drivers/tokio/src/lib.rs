#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(missing_docs, missing_debug_implementations, unreachable_pub)]

mod connect;
mod engine;
mod error;
mod handshake;
#[cfg(feature = "http")]
#[path = "upgrade.rs"]
pub mod http;
mod message;
mod options;
mod pool;
mod progress;
mod read;
mod split;
mod stream;
mod wakers;
mod write;

#[cfg(feature = "rustls")]
pub use connect::connect_tls;
pub use connect::{Transport, connect, connect_with};
pub use error::{Error, Refused, Timeout};
pub use handshake::{Acceptance, Refusal, accept, accept_with, client, client_with};
pub use message::{CloseCode, CloseFrame, Event, Message, Text};
pub use options::Options;
pub use sockless::handshake::{RequestHead, ResponseHead};
pub use sockless::{Close, Config, MessageKind, deflate};
pub use split::{Reader, ReuniteError, SplitTransport, Writer};
pub use stream::{Queue, WebSocketStream};

/// Which end of the connection we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The server: its frames are not masked.
    Server,
    /// The client: its frames are masked.
    Client,
}

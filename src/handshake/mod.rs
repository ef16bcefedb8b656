//! The opening handshake over HTTP/1.1 (RFC 6455 section 4).
//!
//! [`WebSocket::server`](crate::WebSocket::server) and [`WebSocket::client`](crate::WebSocket::client) do it
//! whole. Its parts serve alone where an HTTP library has read the head: [`Upgrade::of_request`] and
//! [`check_response`] judge headers from any source, [`accept_key`] answers a key, [`subprotocols`] and
//! [`extensions`](crate::extensions) read the lists.
//!
//! ```
//! use sockless::handshake::{Upgrade, subprotocols};
//!
//! let headers: [(&[u8], &[u8]); 6] = [ // as hyper, h2 or any other library has them
//!     (b"host", b"example.com"),
//!     (b"upgrade", b"websocket"),
//!     (b"connection", b"keep-alive, Upgrade"),
//!     (b"sec-websocket-version", b"13"),
//!     (b"sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ=="),
//!     (b"sec-websocket-protocol", b"chat, superchat"),
//! ];
//! let upgrade = Upgrade::of_request("GET", headers)?.expect("it asks for a WebSocket");
//! assert_eq!(&upgrade.accept(), b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
//! assert!(subprotocols(headers).any(|name| name == "superchat"));
//! # Ok::<(), sockless::handshake::HandshakeError>(())
//! ```

mod accept;
pub(crate) mod client;
mod error;
mod head;
mod message;
pub(crate) mod server;
mod uri;

#[cfg(feature = "deflate")]
pub use accept::check_response_deflate;
pub use accept::{Upgrade, accept_key, check_response, extension_list, subprotocols};
pub use error::HandshakeError;
pub use head::{Headers, RequestHead, ResponseHead};
pub use message::{Answer, Request, Response};
pub use uri::{HostHeader, ResourceName, Uri, UriError};

#[cfg(feature = "deflate")]
use crate::deflate::{Agreement, DeflateConfig};

/// Without compression there is nothing to offer and nothing to agree on.
#[cfg(not(feature = "deflate"))]
type DeflateConfig = core::convert::Infallible;
#[cfg(not(feature = "deflate"))]
type Agreement = core::convert::Infallible;

/// What a handed-out head asks of the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pending {
    /// A client's request to open a WebSocket.
    Upgrade,
    /// A client's request for something else, by GET or another method.
    Http { get: bool },
    /// A server's 101, with or without a subprotocol.
    Response { subprotocol: bool },
}

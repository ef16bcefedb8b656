//! Implements the opening handshake over HTTP/1.1 (RFC 6455 section 4), and the rules of an
//! extended CONNECT over HTTP/2 and HTTP/3 (RFC 8441, RFC 9220).
//!
//! | you have | use |
//! |---|---|
//! | a socket | [`WebSocket::server`], [`WebSocket::client`] |
//! | a socket, a reader task and a writer task | the row above, then [`WebSocket::split`] |
//! | a socket, and other code for the open stream | [`ServerHandshake`], [`ClientHandshake`] |
//! | a request of an HTTP library | [`Upgrade::from_request`], [`Upgrade::from_connect`] |
//! | an HTTP library that sends requests | [`ConnectRequest::fields`], [`ConnectRequest::check_response`] |
//! | bytes to inspect | [`head_len`] |
//!
//! Headers may have any type that an HTTP library uses: see [`HeaderField`].
//!
//! [`WebSocket::server`]: crate::WebSocket::server
//! [`WebSocket::client`]: crate::WebSocket::client
//! [`WebSocket::split`]: crate::WebSocket::split

mod accept;
mod body;
mod client;
mod compression;
#[cfg(feature = "deflate")]
mod deflate;
pub(crate) mod error;
mod fields;
mod head;
mod key;
mod message;
mod request;
mod response;
mod rules;
mod scan;
mod server;
mod syntax;
mod uri;

pub use accept::{Accept, Accepted};
pub use client::{ClientEvent, ClientHandshake, ConfirmError};
pub use compression::Agreed;
pub use error::HandshakeError;
pub use fields::HeaderField;
pub use head::{Headers, RequestHead, ResponseHead};
pub use key::{Key, accept_key};
pub use message::FieldValue;
pub use request::ConnectRequest;
pub use response::HttpResponse;
pub use rules::{Upgrade, extension_list, subprotocols};
pub use server::{ServerEvent, ServerHandshake};
pub use syntax::head_len;
pub use uri::{HostHeader, ResourceName, Uri, UriError};

//! Why a connection, or a call, has failed.

use std::{fmt, io};

use sockless::handshake::{HandshakeError, UriError};
use sockless::{CloseCode, Failure, Misuse, Violation};

pub use sockless::keepalive::Timeout;

/// Why a connection, or a call on it, has failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The transport has failed.
    Io(io::Error),
    /// The stream has ended without a Close (status code 1006 of RFC 6455).
    UnexpectedEnd,
    /// The peer broke the protocol, or a limit of ours. It was told so by a Close.
    Protocol(Violation),
    /// The peer's opening handshake is not valid. A server sends the client an HTTP response first.
    Handshake(HandshakeError),
    /// The server rejected the handshake of a client.
    Refused(Box<Refused>),
    /// A server refused the request with this status, by the application or because it asks
    /// for something else.
    Declined(u16),
    /// A time limit has passed. A peer that was silent for too long is told so by a Close.
    TimedOut(Timeout),
    /// Our Close was sent: nothing more can be sent.
    Closed,
    /// The call is not valid: a header, a subprotocol, a status code or a payload that cannot be
    /// sent.
    Misuse(Misuse),
    /// The operating system gave no entropy for a key.
    Entropy,
    /// The URI to connect to is not valid.
    Uri(UriError),
    /// `wss://` without the feature `rustls`, a name that no certificate can have, or `ws://` where
    /// TLS is demanded.
    Tls,
}

/// An HTTP response that refused a client's handshake.
#[derive(Clone, PartialEq, Eq)]
pub struct Refused {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
}

impl Refused {
    /// Returns the status code.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// Returns the first header of this name, in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        let mut headers = self.headers();
        headers.find(|(have, _)| have.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value)
    }

    /// Returns where a redirect leads, if the response says so in UTF-8.
    #[must_use]
    pub fn location(&self) -> Option<&str> {
        self.header("Location").and_then(|value| std::str::from_utf8(value).ok())
    }

    /// Returns the header lines, in order.
    pub fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.headers.iter().map(|(name, value)| (&name[..], &value[..]))
    }

    /// Returns the first part of the body, at most 4 KiB.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }
}

impl fmt::Debug for Refused {
    /// Leaves out header values and the body: they may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refused")
            .field("status", &self.status)
            .field("headers", &self.headers.len())
            .field("body_len", &self.body.len())
            .finish()
    }
}

impl Error {
    /// Returns the status code of the Close that the peer is sent because of this error, if the
    /// transport takes it.
    #[must_use]
    pub const fn close_code(&self) -> Option<CloseCode> {
        match self {
            Error::Protocol(violation) => Some(violation.close_code()),
            Error::TimedOut(Timeout::Pong | Timeout::Idle) => Some(CloseCode::GOING_AWAY),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Io(error) => error.fmt(f),
            Error::UnexpectedEnd => f.write_str("the stream has ended without a Close"),
            Error::Protocol(violation) => violation.fmt(f),
            Error::Handshake(error) => error.fmt(f),
            Error::Refused(refused) => write!(f, "refused with status {}", refused.status),
            Error::Declined(status) => write!(f, "declined with status {status}"),
            Error::TimedOut(timeout) => f.write_str(match timeout {
                Timeout::Handshake => "the opening handshake took too long",
                Timeout::Pong => "a ping was not answered",
                Timeout::Idle => "the peer was silent for too long",
                Timeout::Close => "the closing handshake took too long",
            }),
            Error::Closed => f.write_str("the connection is closed for sending"),
            Error::Misuse(misuse) => misuse.fmt(f),
            Error::Entropy => f.write_str("no entropy for a key"),
            Error::Uri(error) => error.fmt(f),
            Error::Tls => f.write_str("TLS is not available for this URI"),
        }
    }
}

impl std::error::Error for Error {}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Error {
        Error::Io(error)
    }
}

impl From<Violation> for Error {
    fn from(violation: Violation) -> Error {
        Error::Protocol(violation)
    }
}

impl From<UriError> for Error {
    fn from(error: UriError) -> Error {
        Error::Uri(error)
    }
}

impl From<sockless::Error> for Error {
    fn from(error: sockless::Error) -> Error {
        match error {
            sockless::Error::Misuse(Misuse::Closed) => Error::Closed,
            sockless::Error::Misuse(misuse) => Error::Misuse(misuse),
            sockless::Error::Entropy(_) => Error::Entropy,
            // Write buffers of this crate grow as far as memory goes.
            _ => Error::Io(io::ErrorKind::OutOfMemory.into()),
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Error {
        match failure {
            Failure::Protocol(violation) => Error::Protocol(violation),
            Failure::Handshake(error) => Error::Handshake(error),
            Failure::Local(error) => error.into(),
            _ => Error::Closed,
        }
    }
}

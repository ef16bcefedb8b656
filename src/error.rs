//! Defines the errors. A [`Violation`] is the peer's fault, a [`Misuse`] the caller's. An [`Error`]
//! may also be nobody's fault: no room, or no entropy. Incomplete input is not an error.

use core::fmt;

#[cfg(feature = "handshake")]
use crate::handshake::error::HandshakeError;

/// A violation of the protocol by the peer of an open connection. The connection fails with
/// [`close_code`](Violation::close_code) (RFC 6455 section 7.1.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[non_exhaustive]
pub enum Violation {
    /// A reserved bit that no agreed extension defines is set (section 5.2).
    ReservedBit,
    /// An opcode of 3-7 or 11-15 (section 5.2).
    ReservedOpCode,
    /// A control frame without the FIN bit (section 5.5).
    FragmentedControl,
    /// A control frame of more than 125 bytes (section 5.5).
    ControlTooLong,
    /// A payload length that is not in its shortest form (section 5.2).
    LengthNotMinimal,
    /// A payload length of 2^63 or more (section 5.2).
    LengthTopBit,
    /// A frame of a client that is not masked (section 5.1).
    NotMasked,
    /// A frame of a server that is masked (section 5.1).
    Masked,
    /// A continuation frame with no message to continue (section 5.4).
    UnexpectedContinuation,
    /// A text or binary frame inside an unfinished message (section 5.4).
    ExpectedContinuation,
    /// Text, or the reason of a Close, that is not UTF-8 (section 8.1).
    InvalidUtf8,
    /// A Close payload of one byte (section 5.5.1).
    CloseTooShort,
    /// A close code that no frame may carry (section 7.4).
    InvalidCloseCode,
    /// A frame larger than the configured size of a frame or of a message.
    FrameTooBig,
    /// A message larger than the configured size, or than the read buffer. Or the allocator has no
    /// memory for the inflated message.
    MessageTooBig,
    /// A message in more fragments than configured.
    TooManyFragments,
    /// A compressed message that is not DEFLATE data, or is incomplete (RFC 7692 section 7.2.2).
    CorruptCompression,
    /// A compressed message that inflates to more than the configured multiple of its size.
    CompressionRatio,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Violation::ReservedBit => "a reserved bit is set",
            Violation::ReservedOpCode => "reserved opcode",
            Violation::FragmentedControl => "fragmented control frame",
            Violation::ControlTooLong => "control frame of more than 125 bytes",
            Violation::LengthNotMinimal => "payload length not in its shortest form",
            Violation::LengthTopBit => "payload length of 2^63 or more",
            Violation::NotMasked => "unmasked frame from a client",
            Violation::Masked => "masked frame from a server",
            Violation::UnexpectedContinuation => "continuation frame without a message",
            Violation::ExpectedContinuation => "new message inside an unfinished one",
            Violation::InvalidUtf8 => "invalid UTF-8",
            Violation::CloseTooShort => "close payload of one byte",
            Violation::InvalidCloseCode => "invalid close code",
            Violation::FrameTooBig => "frame too big",
            Violation::MessageTooBig => "message too big",
            Violation::TooManyFragments => "too many fragments",
            Violation::CorruptCompression => "corrupt compressed message",
            Violation::CompressionRatio => "compressed message inflates too far",
        })
    }
}

impl core::error::Error for Violation {}

/// An API call that is invalid in the current state, or has an invalid argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Misuse {
    /// The connection is not open yet.
    NotOpen,
    /// A Close was sent, or the connection has failed or ended. No frame may follow a Close (RFC
    /// 6455 section 5.5.1).
    Closed,
    /// A fragmented message is not finished.
    MessageUnfinished,
    /// The kind of the fragment is not the kind of its message.
    WrongKind,
    /// Text that is not UTF-8 (RFC 6455 section 5.6).
    InvalidText,
    /// A ping or pong payload over 125 bytes (RFC 6455 section 5.5).
    ControlTooLong,
    /// A header for a payload of 2^63 bytes or more (RFC 6455 section 5.2).
    PayloadTooLong,
    /// A close code that may not be sent (RFC 6455 section 7.4).
    InvalidCloseCode,
    /// The payload of an earlier vectored send is not written yet.
    PayloadPending,
    /// The payload has another length than the payload of the vectored send.
    WrongPayload,
    /// A fragment that cannot be added to a compressed message.
    MessageCompressed,
    /// No handshake waits for this call.
    NoHandshake,
    /// The name or the value of a header would break the HTTP head.
    InvalidHeader,
    /// The caller passed a header that belongs to the handshake, for example `Host`, `Origin` or
    /// `Content-Length`. The handshake writes these headers itself, or does not permit them.
    ReservedHeader,
    /// The subprotocols are not unique tokens (RFC 6455 section 4.1).
    InvalidSubprotocol,
    /// A subprotocol that the client did not offer (RFC 6455 section 4.2.2).
    SubprotocolNotOffered,
    /// A status that cannot end a handshake: one outside 200-599, 204, 205 or 304 with a body, or a
    /// 2xx in response to a CONNECT.
    InvalidStatus,
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Misuse::NotOpen => "the connection is not open yet",
            Misuse::Closed => "the connection is closed for sending",
            Misuse::MessageUnfinished => "a fragmented message is not finished",
            Misuse::WrongKind => "the fragment is not of the message's kind",
            Misuse::InvalidText => "text that is not UTF-8",
            Misuse::ControlTooLong => "control frame payload too long",
            Misuse::PayloadTooLong => "payload of 2^63 bytes or more",
            Misuse::InvalidCloseCode => "close code that may not be sent",
            Misuse::PayloadPending => "the payload of an earlier vectored send is still pending",
            Misuse::WrongPayload => "the payload is not the one of the vectored send",
            Misuse::MessageCompressed => "the message begun is compressed",
            Misuse::NoHandshake => "no handshake waits for this call",
            Misuse::InvalidHeader => "invalid name or value of a header",
            Misuse::ReservedHeader => "header that belongs to the handshake",
            Misuse::InvalidSubprotocol => "subprotocols that are not unique tokens",
            Misuse::SubprotocolNotOffered => "subprotocol that the client did not offer",
            Misuse::InvalidStatus => "status that cannot end a handshake",
        })
    }
}

impl core::error::Error for Misuse {}

/// The source of entropy failed. No key was made up instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EntropyError;

impl fmt::Display for EntropyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no entropy for a masking key or handshake key")
    }
}

impl core::error::Error for EntropyError {}

/// The reason why a call failed. The call wrote nothing, with two exceptions:
/// [`Sender::reply`](crate::Sender::reply) may have dropped an earlier unsent pong, and a streamed
/// send may have written a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Error {
    /// The call is not valid.
    Misuse(Misuse),
    /// The [`WriteBuffer`](crate::WriteBuffer) has no room now. Write the unsent bytes, then retry.
    NoRoom,
    /// The output of the call does not fit in the [`WriteBuffer`](crate::WriteBuffer), even when
    /// the buffer is empty. Or the buffer is empty, and the allocator has no memory for it.
    NeverFits {
        /// The capacity in bytes that would be enough.
        needed: usize,
    },
    /// The [`ReadBuffer`](crate::ReadBuffer) is below its minimum.
    ReadBufferTooSmall {
        /// A sufficient capacity in bytes: [`READ_BUFFER_MIN`](crate::READ_BUFFER_MIN), or, for the
        /// head of a handshake, the configured limit.
        minimum: usize,
    },
    /// The [`WriteBuffer`](crate::WriteBuffer) is below its minimum.
    WriteBufferTooSmall {
        /// The least capacity in bytes, [`WRITE_BUFFER_MIN`](crate::WRITE_BUFFER_MIN).
        minimum: usize,
    },
    /// The source of entropy failed.
    Entropy(EntropyError),
}

impl From<Misuse> for Error {
    fn from(misuse: Misuse) -> Error {
        Error::Misuse(misuse)
    }
}

impl From<EntropyError> for Error {
    fn from(error: EntropyError) -> Error {
        Error::Entropy(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Misuse(misuse) => misuse.fmt(f),
            Error::NoRoom => f.write_str("no room in the write buffer until it is flushed"),
            Error::NeverFits { needed } => {
                write!(f, "never fits in the write buffer, needs {needed} bytes")
            }
            Error::ReadBufferTooSmall { minimum } => {
                write!(f, "read buffer too small, needs {minimum} bytes")
            }
            Error::WriteBufferTooSmall { minimum } => {
                write!(f, "write buffer too small, needs {minimum} bytes")
            }
            Error::Entropy(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for Error {}

/// The reason why a connection failed. The Close frame or HTTP refusal is in the write buffer
/// already, except if a buffer is too small, if a client got no masking key for it, or if a Close
/// was sent before. A client sends nothing if the opening handshake fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Failure {
    /// The peer broke the protocol of the open connection.
    Protocol(Violation),
    /// The peer broke the rules of the opening handshake.
    #[cfg(feature = "handshake")]
    Handshake(HandshakeError),
    /// This side cannot continue: a buffer is below its minimum, or a reply had no entropy.
    Local(Error),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Protocol(violation) => violation.fmt(f),
            #[cfg(feature = "handshake")]
            Failure::Handshake(error) => error.fmt(f),
            Failure::Local(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for Failure {}

impl From<Violation> for Failure {
    fn from(violation: Violation) -> Failure {
        Failure::Protocol(violation)
    }
}

/// For functions that return [`std::io::Error`], such as loops around a socket.
#[cfg(feature = "std")]
impl From<Error> for std::io::Error {
    fn from(error: Error) -> std::io::Error {
        std::io::Error::other(error)
    }
}

/// For functions that return [`std::io::Error`], such as loops around a socket.
#[cfg(feature = "std")]
impl From<Violation> for std::io::Error {
    fn from(violation: Violation) -> std::io::Error {
        std::io::Error::new(std::io::ErrorKind::InvalidData, violation)
    }
}

/// For functions that return [`std::io::Error`], such as loops around a socket.
#[cfg(feature = "std")]
impl From<Failure> for std::io::Error {
    fn from(failure: Failure) -> std::io::Error {
        let kind = match failure {
            Failure::Local(_) => std::io::ErrorKind::Other,
            _ => std::io::ErrorKind::InvalidData,
        };
        std::io::Error::new(kind, failure)
    }
}

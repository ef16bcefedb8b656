//! Defines close codes, and the body of a Close frame ([RFC 6455 section 5.5.1] and [section
//! 7.4]).
//!
//! [RFC 6455 section 5.5.1]: https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1
//! [section 7.4]: https://www.rfc-editor.org/rfc/rfc6455#section-7.4

use core::fmt;

use crate::Violation;
use crate::utf8::is_utf8;

/// The longest reason in bytes. A control frame has at most 125 bytes of payload, and the code
/// takes two (RFC 6455 section 5.5).
pub const MAX_REASON_LEN: usize = 123;

/// The status code of a Close frame: the reason why a connection ends (RFC 6455 section 7.4).
///
/// The type holds any `u16`, including the codes that are only reported locally
/// ([`NO_STATUS_RECEIVED`](Self::NO_STATUS_RECEIVED), [`ABNORMAL`](Self::ABNORMAL),
/// [`TLS`](Self::TLS)). [`is_sendable`](Self::is_sendable) returns `true` for a code that a frame
/// may carry.
///
/// ```
/// use sockless::CloseCode;
///
/// assert_eq!(CloseCode::NORMAL.get(), 1000);
/// assert_eq!(CloseCode::from(1001), CloseCode::GOING_AWAY);
/// assert_eq!(CloseCode::new(4001).to_string(), "4001");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[repr(transparent)]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: the purpose of the connection is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// 1001: a server shuts down, or a browser leaves the page.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the peer broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// 1003: a kind of data that this endpoint does not accept, for example a binary message.
    pub const UNSUPPORTED_DATA: Self = Self(1003);
    /// 1005: the Close frame had no code. Reported locally, never sent.
    pub const NO_STATUS_RECEIVED: Self = Self(1005);
    /// 1006: the connection ended without a Close frame. Reported locally, never sent.
    pub const ABNORMAL: Self = Self(1006);
    /// 1007: data inconsistent with its type, such as text that is not UTF-8.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// 1008: a message violates this endpoint's policy, and no other code fits.
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// 1009: a message too big to process.
    pub const MESSAGE_TOO_BIG: Self = Self(1009);
    /// 1010: the client needs an extension that the server did not agree to. Only a client sends
    /// it.
    pub const MANDATORY_EXTENSION: Self = Self(1010);
    /// 1011: an unexpected condition prevents this endpoint from continuing.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// 1012: the service restarts; a client may reconnect after a random delay
    /// (IANA WebSocket Close Code Number Registry).
    pub const SERVICE_RESTART: Self = Self(1012);
    /// 1013: the service is overloaded; a client should reconnect elsewhere or later
    /// (IANA WebSocket Close Code Number Registry).
    pub const TRY_AGAIN_LATER: Self = Self(1013);
    /// 1014: a gateway received an invalid response from its upstream server (IANA WebSocket Close
    /// Code Number Registry).
    pub const BAD_GATEWAY: Self = Self(1014);
    /// 1015: the TLS handshake failed. Reported locally, never sent.
    pub const TLS: Self = Self(1015);

    /// Makes a code from any number; see [`is_sendable`](Self::is_sendable).
    #[must_use]
    pub const fn new(code: u16) -> Self {
        Self(code)
    }

    /// Returns the number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// Returns `true` if a Close frame may carry the code, sent or received: 1000 to 1003, 1007 to
    /// 1014 and 3000 to 4999.
    ///
    /// 1004, 1005, 1006 and 1015 are reserved. 1016 to 2999 are for future revisions and
    /// extensions, and none is defined yet. Libraries and applications register 3000 to 3999 with
    /// IANA. 4000 to 4999 are for private use. Nothing is assigned below 1000 and above 4999 (RFC
    /// 6455 sections 7.4.1 and 7.4.2).
    ///
    /// ```
    /// use sockless::CloseCode;
    ///
    /// assert!(CloseCode::NORMAL.is_sendable());
    /// assert!(CloseCode::new(4999).is_sendable());
    /// assert!(!CloseCode::ABNORMAL.is_sendable());
    /// ```
    #[inline(never)]
    #[must_use]
    pub const fn is_sendable(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }
}

impl From<u16> for CloseCode {
    fn from(code: u16) -> Self {
        Self(code)
    }
}

impl From<CloseCode> for u16 {
    fn from(code: CloseCode) -> Self {
        code.0
    }
}

impl Violation {
    /// Returns the code of the Close frame that fails the connection (RFC 6455 section 7.4.1).
    #[inline(never)]
    #[must_use]
    pub const fn close_code(self) -> CloseCode {
        match self {
            Violation::InvalidUtf8 | Violation::CorruptCompression => CloseCode::INVALID_PAYLOAD,
            Violation::FrameTooBig | Violation::MessageTooBig | Violation::CompressionRatio => {
                CloseCode::MESSAGE_TOO_BIG
            }
            Violation::TooManyFragments => CloseCode::POLICY_VIOLATION,
            _ => CloseCode::PROTOCOL_ERROR,
        }
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The content of a Close frame: a code, and a reason for people and logs. The reason is a slice of
/// the buffer that has the frame.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Close<'b> {
    code: CloseCode,
    /// Valid UTF-8. [`Close::reason`] converts it, so that firmware that never asks for the reason
    /// does not contain the conversion.
    reason: &'b [u8],
}

impl<'b> Close<'b> {
    /// Reports the end of a stream without a Close (RFC 6455 section 7.1.5).
    pub(crate) const ABNORMAL: Close<'static> = Close::new(CloseCode::ABNORMAL, "");

    /// Makes the content of a Close frame. Checks and truncates nothing.
    #[must_use]
    pub const fn new(code: CloseCode, reason: &'b str) -> Self {
        Self { code, reason: reason.as_bytes() }
    }

    /// Parses the unmasked payload of a Close frame (RFC 6455 sections 5.5.1 and 7.1.5).
    ///
    /// An empty payload has no code and returns
    /// [`NO_STATUS_RECEIVED`](CloseCode::NO_STATUS_RECEIVED).
    /// [`FrameHeader::parse`](crate::FrameHeader::parse) checks that the payload has at most 125
    /// bytes; this function does not.
    ///
    /// # Errors
    /// Returns [`Violation::CloseTooShort`] if the payload is a single byte,
    /// [`Violation::InvalidCloseCode`] if a frame may not carry the code, and
    /// [`Violation::InvalidUtf8`] if the reason is not UTF-8.
    ///
    /// ```
    /// use sockless::{Close, CloseCode, Violation};
    ///
    /// let close = Close::parse(b"\x03\xe8bye")?;
    /// assert_eq!((close.code(), close.reason()), (CloseCode::NORMAL, "bye"));
    /// assert_eq!(Close::parse(b"")?.code(), CloseCode::NO_STATUS_RECEIVED);
    /// assert_eq!(Close::parse(b"\x03"), Err(Violation::CloseTooShort));
    /// # Ok::<(), Violation>(())
    /// ```
    pub fn parse(payload: &'b [u8]) -> Result<Self, Violation> {
        let Some((code, reason)) = payload.split_first_chunk::<2>() else {
            // RFC 6455 section 5.5.1: "If there is a body, the first two bytes of the body MUST be
            // a 2-byte unsigned integer".
            return if payload.is_empty() {
                Ok(Self::new(CloseCode::NO_STATUS_RECEIVED, ""))
            } else {
                Err(Violation::CloseTooShort)
            };
        };
        let code = CloseCode(u16::from_be_bytes(*code));
        if !code.is_sendable() {
            return Err(Violation::InvalidCloseCode);
        }
        if !is_utf8(reason) {
            return Err(Violation::InvalidUtf8);
        }
        Ok(Self { code, reason })
    }

    /// Returns the code, or [`NO_STATUS_RECEIVED`](CloseCode::NO_STATUS_RECEIVED) if the frame had
    /// none.
    #[must_use]
    pub const fn code(&self) -> CloseCode {
        self.code
    }

    /// Returns `true` if a Close frame was received, and `false` for the end of a stream without
    /// one ([`ABNORMAL`](CloseCode::ABNORMAL), RFC 6455 section 7.1.5).
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.code.0 != CloseCode::ABNORMAL.0
    }

    /// Returns the reason. It is empty if the frame had none.
    #[must_use]
    pub const fn reason(&self) -> &'b str {
        match core::str::from_utf8(self.reason) {
            Ok(reason) => reason,
            Err(_) => "",
        }
    }
}

impl fmt::Debug for Close<'_> {
    /// Shows only the length of the reason in bytes, because its text comes from the peer.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Close")
            .field("code", &self.code)
            .field("reason", &self.reason.len())
            .finish()
    }
}

/// Returns the longest prefix of `reason` that fits in a Close frame and ends between two
/// characters (RFC 6455 section 5.5: a control frame has at most 125 bytes of payload).
///
/// ```
/// use sockless::{MAX_REASON_LEN, truncate_reason};
///
/// assert_eq!(truncate_reason("bye"), "bye");
/// let long = "é".repeat(100);
/// assert_eq!(truncate_reason(&long), "é".repeat(61));
/// assert!(truncate_reason(&long).len() <= MAX_REASON_LEN);
/// ```
#[must_use]
pub fn truncate_reason(reason: &str) -> &str {
    if reason.len() <= MAX_REASON_LEN {
        return reason;
    }
    // A character is at most four bytes long, so one of these four ends is a boundary.
    (MAX_REASON_LEN - 3..=MAX_REASON_LEN).rev().find_map(|end| reason.get(..end)).unwrap_or("")
}

/// Makes a value that [`Close::parse`] can return: a sendable code with a reason that fits, or
/// neither.
#[cfg(feature = "arbitrary")]
impl<'a> arbitrary::Arbitrary<'a> for Close<'a> {
    fn arbitrary(u: &mut arbitrary::Unstructured<'a>) -> arbitrary::Result<Close<'a>> {
        let range = u.choose(&[1000..=1003, 1007..=1014, 3000..=4999, 1005..=1005])?;
        let code = CloseCode::new(u.int_in_range(range.clone())?);
        let has_reason = code != CloseCode::NO_STATUS_RECEIVED;
        Ok(Close::new(code, if has_reason { truncate_reason(u.arbitrary()?) } else { "" }))
    }
}

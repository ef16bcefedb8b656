//! Defines close codes, and the body of a Close frame ([RFC 6455, section 5.5.1] and [section
//! 7.4]).
//!
//! [RFC 6455, section 5.5.1]: https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1
//! [section 7.4]: https://www.rfc-editor.org/rfc/rfc6455#section-7.4

use core::fmt;

use crate::Violation;
use crate::utf8::is_utf8;

/// The longest reason in bytes: a control frame carries 125, two of them are the code
/// (RFC 6455, section 5.5).
pub const MAX_REASON_LEN: usize = 123;

/// Why a connection ends: the number in a Close frame (RFC 6455, section 7.4).
///
/// Any `u16` can be held, also the ones that only report something locally
/// ([`NO_STATUS_RECEIVED`](Self::NO_STATUS_RECEIVED), [`ABNORMAL`](Self::ABNORMAL),
/// [`TLS`](Self::TLS)). [`is_sendable`](Self::is_sendable) returns `true` for a code that may be in
/// a frame.
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
    /// 1001: a server goes down, or a browser leaves the page.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the peer broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// 1003: a kind of data that this endpoint cannot take, such as binary where only text is
    /// understood.
    pub const UNSUPPORTED_DATA: Self = Self(1003);
    /// 1005: the Close frame had no code. Reported locally, never sent.
    pub const NO_STATUS_RECEIVED: Self = Self(1005);
    /// 1006: the connection ended without a Close frame. Reported locally, never sent.
    pub const ABNORMAL: Self = Self(1006);
    /// 1007: data inconsistent with its type, such as text that is not UTF-8.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// 1008: a message against this endpoint's policy, when no other code fits.
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// 1009: a message too big to process.
    pub const MESSAGE_TOO_BIG: Self = Self(1009);
    /// 1010: the client needs an extension that the server did not agree to. Only a client sends
    /// it.
    pub const MANDATORY_EXTENSION: Self = Self(1010);
    /// 1011: an unexpected condition kept this endpoint from going on.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// 1012: the service restarts; a client may reconnect after a random delay
    /// (IANA WebSocket Close Code Number Registry).
    pub const SERVICE_RESTART: Self = Self(1012);
    /// 1013: the service is overloaded; a client should reconnect elsewhere or later
    /// (IANA WebSocket Close Code Number Registry).
    pub const TRY_AGAIN_LATER: Self = Self(1013);
    /// 1014: a gateway got an invalid answer from the server behind it
    /// (IANA WebSocket Close Code Number Registry).
    pub const BAD_GATEWAY: Self = Self(1014);
    /// 1015: the TLS handshake failed. Reported locally, never sent.
    pub const TLS: Self = Self(1015);

    /// Makes a code of any value; see [`is_sendable`](Self::is_sendable).
    #[must_use]
    pub const fn new(code: u16) -> Self {
        Self(code)
    }

    /// Returns the number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// Returns `true` if the code may be in a Close frame, sent or received: 1000 to 1003, 1007 to
    /// 1014 and 3000 to 4999.
    ///
    /// 1004, 1005, 1006 and 1015 are reserved; 1016 to 2999 belong to future revisions and to
    /// extensions, of which none has defined one; below 1000 and above 4999 nothing is assigned
    /// (RFC 6455, sections 7.4.1 and 7.4.2). 3000 to 3999 are registered with IANA by libraries and
    /// applications, 4000 to 4999 are for private use.
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
    /// Returns the code of the Close frame that answers this (RFC 6455 section 7.4.1).
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

/// The content of a Close frame: a code and a reason meant for people and logs, in the frame's own
/// buffer.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Close<'b> {
    code: CloseCode,
    /// Known to be UTF-8, and made into text when asked for: on a small device that is code of its
    /// own.
    reason: &'b [u8],
}

impl<'b> Close<'b> {
    /// The end of a stream without a Close (RFC 6455 section 7.1.5).
    pub(crate) const ABNORMAL: Close<'static> = Close::new(CloseCode::ABNORMAL, "");

    /// A code with a reason, as they are: nothing is checked or cut here.
    #[must_use]
    pub const fn new(code: CloseCode, reason: &'b str) -> Self {
        Self { code, reason: reason.as_bytes() }
    }

    /// Reads the unmasked payload of a Close frame (RFC 6455, sections 5.5.1 and 7.1.5).
    ///
    /// An empty payload is a Close without a code and is reported as
    /// [`NO_STATUS_RECEIVED`](CloseCode::NO_STATUS_RECEIVED). That a control frame holds at most
    /// 125 bytes is a matter of its header and not checked again here.
    ///
    /// # Errors
    /// [`Violation::CloseTooShort`], [`Violation::InvalidCloseCode`] or [`Violation::InvalidUtf8`].
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
            // RFC 6455, section 5.5.1: "If there is a body, the first two bytes of the body MUST be
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

    /// The code; [`NO_STATUS_RECEIVED`](CloseCode::NO_STATUS_RECEIVED) when the frame had none.
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

    /// The reason, empty when none was given.
    #[must_use]
    pub const fn reason(&self) -> &'b str {
        match core::str::from_utf8(self.reason) {
            Ok(reason) => reason,
            Err(_) => "",
        }
    }
}

impl fmt::Debug for Close<'_> {
    /// Shows the length of the reason in bytes: the reason is the peer's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Close")
            .field("code", &self.code)
            .field("reason", &self.reason.len())
            .finish()
    }
}

/// The longest start of `reason` that fits into a Close frame and ends between two characters
/// (RFC 6455, section 5.5: a control frame carries at most 125 bytes).
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

/// Makes a value that [`Close::parse`] can return: a code that may be on the wire with a reason
/// that fits, or none of both.
#[cfg(feature = "arbitrary")]
impl<'a> arbitrary::Arbitrary<'a> for Close<'a> {
    fn arbitrary(u: &mut arbitrary::Unstructured<'a>) -> arbitrary::Result<Close<'a>> {
        let range = u.choose(&[1000..=1003, 1007..=1014, 3000..=4999, 1005..=1005])?;
        let code = CloseCode::new(u.int_in_range(range.clone())?);
        let has_reason = code != CloseCode::NO_STATUS_RECEIVED;
        Ok(Close::new(code, if has_reason { truncate_reason(u.arbitrary()?) } else { "" }))
    }
}

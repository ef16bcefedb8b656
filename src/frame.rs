//! Parses and encodes the frame header of RFC 6455 section 5.2, as pure functions.
//!
//! Proxies and inspectors that want frames rather than messages work with [`FrameHeader`] and
//! [`mask`](crate::mask) alone.

use core::fmt;

use crate::error::Violation;

/// The type of a frame (RFC 6455 section 5.2). There is no value for a reserved opcode:
/// [`FrameHeader::parse`] rejects it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[repr(u8)]
pub enum OpCode {
    /// A further fragment of the message that a text or binary frame began.
    Continuation = 0x0,
    /// A text message, or its first fragment.
    Text = 0x1,
    /// A binary message, or its first fragment.
    Binary = 0x2,
    /// The Close control frame.
    Close = 0x8,
    /// The Ping control frame.
    Ping = 0x9,
    /// The Pong control frame.
    Pong = 0xA,
}

impl OpCode {
    /// Returns the opcode in the low four bits of `bits`, or `None` for a reserved opcode (3-7,
    /// 11-15).
    #[must_use]
    pub const fn from_bits(bits: u8) -> Option<OpCode> {
        Some(match bits & 0x0F {
            0x0 => OpCode::Continuation,
            0x1 => OpCode::Text,
            0x2 => OpCode::Binary,
            0x8 => OpCode::Close,
            0x9 => OpCode::Ping,
            0xA => OpCode::Pong,
            _ => return None,
        })
    }

    /// Returns the first byte of a frame with this opcode and no reserved bit.
    #[inline]
    pub(crate) const fn first_byte(self, fin: bool) -> u8 {
        (fin as u8) << 7 | self as u8
    }

    /// Returns `true` for a control frame (RFC 6455 section 5.5).
    #[must_use]
    pub const fn is_control(self) -> bool {
        self as u8 & 0x8 != 0
    }
}

impl TryFrom<u8> for OpCode {
    type Error = Violation;

    /// Reads an opcode from a whole byte.
    ///
    /// # Errors
    /// Returns [`Violation::ReservedOpCode`] if no opcode has this value (RFC 6455 section 5.2).
    fn try_from(value: u8) -> Result<OpCode, Violation> {
        let opcode = if value <= 0xF { OpCode::from_bits(value) } else { None };
        opcode.ok_or(Violation::ReservedOpCode)
    }
}

impl fmt::Display for OpCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            OpCode::Continuation => "continuation",
            OpCode::Text => "text",
            OpCode::Binary => "binary",
            OpCode::Close => "close",
            OpCode::Ping => "ping",
            OpCode::Pong => "pong",
        })
    }
}

/// The two kinds of message (RFC 6455 section 5.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum MessageKind {
    /// UTF-8 text.
    Text,
    /// Arbitrary bytes.
    Binary,
}

impl fmt::Display for MessageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.opcode().fmt(f)
    }
}

impl MessageKind {
    pub(crate) const fn opcode(self) -> OpCode {
        match self {
            MessageKind::Text => OpCode::Text,
            MessageKind::Binary => OpCode::Binary,
        }
    }
}

/// A frame without its payload (RFC 6455 section 5.2).
///
/// ```
/// use sockless::{FrameHeader, OpCode};
///
/// // "Hello" in a masked frame, from RFC 6455 section 5.7.
/// let frame = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
/// let (header, len) = FrameHeader::parse(&frame)?.expect("the header is whole");
/// assert_eq!(header, FrameHeader {
///     fin: true,
///     rsv: 0,
///     opcode: OpCode::Text,
///     mask: Some([0x37, 0xfa, 0x21, 0x3d]),
///     payload_len: 5,
/// });
/// assert_eq!(len, 6);
/// assert_eq!(header.encode().as_bytes(), &frame[..6]);
/// # Ok::<(), sockless::Violation>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct FrameHeader {
    /// `true` if the frame ends its message. Always `true` for a control frame.
    pub fin: bool,
    /// The reserved bits as a number: RSV1 is 4, RSV2 is 2, RSV3 is 1.
    pub rsv: u8,
    /// The type of the frame.
    pub opcode: OpCode,
    /// The masking key, if the payload is masked.
    pub mask: Option<[u8; 4]>,
    /// Payload length in bytes; less than 2^63.
    pub payload_len: u64,
}

impl fmt::Debug for FrameHeader {
    /// Does not show the masking key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrameHeader")
            .field("fin", &self.fin)
            .field("rsv", &self.rsv)
            .field("opcode", &self.opcode)
            .field("masked", &self.mask.is_some())
            .field("payload_len", &self.payload_len)
            .finish()
    }
}

impl FrameHeader {
    /// The longest header in bytes: 2, a length of 8, a masking key of 4.
    pub const MAX_LEN: usize = 14;

    /// RSV1 as a value of [`rsv`](Self::rsv): the bit that permessage-deflate defines.
    pub const RSV1: u8 = 4;

    /// Parses the header at the start of `bytes`. Returns the header and its length in bytes, or
    /// `None` while it is incomplete. The payload may be missing.
    ///
    /// A [`Receiver`](crate::Receiver) checks the rules that depend on the role, on extensions or
    /// on earlier frames.
    ///
    /// # Errors
    /// Returns each error as soon as `bytes` has the byte that breaks the rule. A length is judged
    /// once it is complete.
    ///
    /// - Returns [`Violation::ReservedOpCode`] for a reserved opcode.
    /// - Returns [`Violation::FragmentedControl`] or [`Violation::ControlTooLong`] for a control
    ///   frame that is fragmented or longer than 125 bytes.
    /// - Returns [`Violation::LengthNotMinimal`] or [`Violation::LengthTopBit`] for a length that
    ///   is not in its shortest form, or is 2^63 or more.
    #[inline]
    pub fn parse(bytes: &[u8]) -> Result<Option<(FrameHeader, usize)>, Violation> {
        FrameHeader::parse_and(bytes, |_, _, _| Ok(()))
    }

    /// Parses a header. Calls `judge` with its opcode, reserved bits and mask bit once the first
    /// two bytes have arrived.
    #[inline]
    pub(crate) fn parse_and(
        bytes: &[u8],
        judge: impl FnOnce(OpCode, u8, bool) -> Result<(), Violation>,
    ) -> Result<Option<(FrameHeader, usize)>, Violation> {
        let Some(&first) = bytes.first() else { return Ok(None) };
        // RFC 6455 section 5.2: "If an unknown opcode is received, the receiving endpoint MUST
        // _Fail the WebSocket Connection_."
        let Some(opcode) = OpCode::from_bits(first) else { return Err(Violation::ReservedOpCode) };
        let fin = first & 0x80 != 0;
        if opcode.is_control() && !fin {
            // RFC 6455 section 5.5: control frames "MUST NOT be fragmented".
            return Err(Violation::FragmentedControl);
        }
        let Some(&second) = bytes.get(1) else { return Ok(None) };
        let short = second & 0x7F;
        if opcode.is_control() && short > 125 {
            // RFC 6455 section 5.5: "All control frames MUST have a payload length of 125 bytes or
            // less".
            return Err(Violation::ControlTooLong);
        }
        let (rsv, masked) = (first >> 4 & 0x7, second & 0x80 != 0);
        judge(opcode, rsv, masked)?;
        let (payload_len, at) = match short {
            126 => {
                let Some(&len) = bytes.get(2..).and_then(<[u8]>::first_chunk::<2>) else {
                    return Ok(None);
                };
                (u64::from(u16::from_be_bytes(len)), 4)
            }
            127 => {
                let Some(&len) = bytes.get(2..).and_then(<[u8]>::first_chunk::<8>) else {
                    return Ok(None);
                };
                (u64::from_be_bytes(len), 10)
            }
            len => (u64::from(len), 2),
        };
        // RFC 6455 section 5.2: "the minimal number of bytes MUST be used to encode the length",
        // and of the 64-bit form "the most significant bit MUST be 0".
        if (short == 126 && payload_len < 126) || (short == 127 && payload_len <= 0xFFFF) {
            return Err(Violation::LengthNotMinimal);
        }
        if payload_len >> 63 != 0 {
            return Err(Violation::LengthTopBit);
        }
        let (mask, len) = if masked {
            let Some(&key) = bytes.get(at..).and_then(<[u8]>::first_chunk::<4>) else {
                return Ok(None);
            };
            (Some(key), at + 4)
        } else {
            (None, at)
        };
        Ok(Some((FrameHeader { fin, rsv, opcode, mask, payload_len }, len)))
    }

    /// Returns the header in wire form, with the payload length in its shortest form.
    ///
    /// Checks no rule. Encodes the low three bits of `rsv`, and any `payload_len`.
    #[inline(never)]
    #[must_use]
    pub fn encode(&self) -> EncodedHeader {
        let mut bytes = [0; Self::MAX_LEN];
        let first = self.opcode.first_byte(self.fin) | (self.rsv & 0x7) << 4;
        write_header(first, self.payload_len, self.mask, &mut bytes);
        let len = Self::len_for(self.payload_len, self.mask.is_some()) as u8;
        EncodedHeader { bytes, len }
    }

    /// Returns the length in bytes of the header for a payload of `payload_len` bytes.
    #[inline]
    #[must_use]
    pub const fn len_for(payload_len: u64, masked: bool) -> usize {
        let base = match payload_len {
            0..=125 => 2,
            126..=0xFFFF => 4,
            _ => 10,
        };
        if masked { base + 4 } else { base }
    }
}

/// Returns the FIN bit of the frame at the front of `bytes`, and its length in bytes with the
/// header. Checks no rule: an invalid frame has any length. Returns `None` if the header is
/// incomplete.
#[inline]
pub(crate) fn frame_extent(bytes: &[u8]) -> Option<(bool, u64)> {
    let &[first, second, ref rest @ ..] = bytes else { return None };
    let (header_len, payload_len) = match second & 0x7F {
        126 => (4, u64::from(u16::from_be_bytes(*rest.first_chunk()?))),
        127 => (10, u64::from_be_bytes(*rest.first_chunk()?)),
        len => (2, u64::from(len)),
    };
    let key_len = u64::from(second >> 7) * 4;
    Some((first & 0x80 != 0, payload_len.saturating_add(header_len + key_len)))
}

/// Writes a header to the front of `to`. `first` is its first byte, and `to` is at least as long as
/// the header.
#[inline(always)]
pub(crate) fn write_header(first: u8, payload_len: u64, mask: Option<[u8; 4]>, to: &mut [u8]) {
    if crate::config::OPTIMIZE_FOR_SIZE {
        return write_bytes(first, payload_len, mask, to);
    }
    let masked = u8::from(mask.is_some()) << 7;
    let key = match to {
        // Most frames are short. A branch without a loop inlines to few instructions.
        [bits, short, key @ ..] if payload_len <= 125 => {
            (*bits, *short) = (first, masked | payload_len as u8);
            key
        }
        [bits, short, high, low, key @ ..] if payload_len <= 0xFFFF => {
            (*bits, *short) = (first, masked | 126);
            [*high, *low] = (payload_len as u16).to_be_bytes();
            key
        }
        to => return write_bytes(first, payload_len, mask, to),
    };
    if let (Some(mask), Some(key)) = (mask, key.first_chunk_mut::<4>()) {
        *key = mask;
    }
}

/// Writes a header of any length, one byte at a time.
fn write_bytes(first: u8, payload_len: u64, mask: Option<[u8; 4]>, to: &mut [u8]) {
    let (short, mut shift) = match payload_len {
        len @ 0..=125 => (len as u8, 0),
        126..=0xFFFF => (126, 16),
        _ => (127, 64),
    };
    let mut to = to.iter_mut();
    let mut put = |byte| {
        if let Some(to) = to.next() {
            *to = byte;
        }
    };
    put(first);
    put(u8::from(mask.is_some()) << 7 | short);
    while shift > 0 {
        shift -= 8;
        put((payload_len >> shift) as u8);
    }
    for byte in mask.iter().flatten() {
        put(*byte);
    }
}

/// A frame header in wire form, at most [`FrameHeader::MAX_LEN`] bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct EncodedHeader {
    bytes: [u8; FrameHeader::MAX_LEN],
    len: u8,
}

impl fmt::Debug for EncodedHeader {
    /// Shows the length: the bytes can end in a masking key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EncodedHeader({} bytes)", self.as_bytes().len())
    }
}

impl EncodedHeader {
    /// Returns the bytes to send before the payload.
    #[inline]
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or(&self.bytes)
    }
}

/// Makes any header that [`FrameHeader::parse`] can return.
#[cfg(feature = "arbitrary")]
impl<'a> arbitrary::Arbitrary<'a> for FrameHeader {
    fn arbitrary(u: &mut arbitrary::Unstructured<'a>) -> arbitrary::Result<FrameHeader> {
        let opcode = u.arbitrary::<OpCode>()?;
        let control = opcode.is_control();
        Ok(FrameHeader {
            fin: control || u.arbitrary()?,
            rsv: u.int_in_range(0..=7)?,
            opcode,
            mask: u.arbitrary()?,
            payload_len: u.int_in_range(0..=if control { 125 } else { u64::MAX >> 1 })?,
        })
    }
}

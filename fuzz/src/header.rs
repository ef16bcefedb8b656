//! Checks the parser and the encoder of frame headers.

use sockless::{FrameHeader, OpCode};

/// Checks that a parsed header encodes to the input, and that every shorter piece is incomplete. An
/// error appears at the byte that causes it, and stays with more input.
pub fn laws(bytes: &[u8]) {
    let parsed = FrameHeader::parse(bytes);
    match parsed {
        Ok(Some((header, len))) => {
            assert!(len <= FrameHeader::MAX_LEN && len <= bytes.len());
            assert_eq!(header.encode().as_bytes(), &bytes[..len]);
            assert_eq!(FrameHeader::len_for(header.payload_len, header.mask.is_some()), len);
            assert_eq!(OpCode::from_bits(bytes[0]), Some(header.opcode));
            assert!(header.rsv < 8 && header.payload_len < 1 << 63);
            if header.opcode.is_control() {
                assert!(header.fin && header.payload_len <= 125);
            }
            assert_eq!(FrameHeader::parse(&bytes[..len]), parsed);
            (0..len).for_each(|cut| assert_eq!(FrameHeader::parse(&bytes[..cut]), Ok(None)));
        }
        Ok(None) => {
            assert!(bytes.len() < FrameHeader::MAX_LEN);
            let pieces = 0..bytes.len();
            pieces.for_each(|cut| assert_eq!(FrameHeader::parse(&bytes[..cut]), Ok(None)));
        }
        Err(violation) => {
            let mut early = (0..bytes.len()).map(|cut| FrameHeader::parse(&bytes[..cut]));
            assert!(early.all(|parsed| parsed == Ok(None) || parsed == Err(violation)));
        }
    }
}

/// Checks that a valid header is parsed as it was encoded.
pub fn written(header: FrameHeader) {
    let wire = header.encode();
    let read = FrameHeader::parse(wire.as_bytes());
    assert_eq!(read, Ok(Some((header, wire.as_bytes().len()))));
}

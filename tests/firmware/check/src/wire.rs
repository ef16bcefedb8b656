//! Writes and reads frames without the crate, so that the crate is compared with independent code.

pub const CONTINUATION: u8 = 0x0;
pub const TEXT: u8 = 0x1;
pub const BINARY: u8 = 0x2;
pub const CLOSE: u8 = 0x8;
pub const PING: u8 = 0x9;
pub const PONG: u8 = 0xA;

pub const FIN: u8 = 0x80;

/// Returns a frame (RFC 6455 section 5.2) with `first` as its first byte.
pub fn frame(first: u8, key: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
    let mask_bit = if key.is_some() { 0x80 } else { 0 };
    let mut bytes = vec![first];
    match payload.len() {
        len @ 0..=125 => bytes.push(mask_bit | len as u8),
        len @ 126..=0xFFFF => {
            bytes.push(mask_bit | 126);
            bytes.extend((len as u16).to_be_bytes());
        }
        len => {
            bytes.push(mask_bit | 127);
            bytes.extend((len as u64).to_be_bytes());
        }
    }
    bytes.extend(key.unwrap_or_default().iter().take(if key.is_some() { 4 } else { 0 }));
    let key = key.unwrap_or_default();
    bytes.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    bytes
}

/// Returns a frame of a client, masked with a fixed key.
pub fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    frame(first, Some([0x37, 0xFA, 0x21, 0x3D]), payload)
}

/// Returns a frame of a server.
pub fn plain(first: u8, payload: &[u8]) -> Vec<u8> {
    frame(first, None, payload)
}

pub fn close(code: u16, reason: &str) -> Vec<u8> {
    [&code.to_be_bytes(), reason.as_bytes()].concat()
}

/// The messages on a link, without their division into fragments.
#[derive(Debug, PartialEq, Eq)]
pub struct Said {
    /// The head of HTTP. If the head does not open a WebSocket, its body follows.
    pub head: String,
    /// The opcode and payload of each message and control frame, in the order of their ends.
    pub frames: Vec<(u8, Vec<u8>)>,
}

/// Reads output strictly: bytes that RFC 6455 forbids an endpoint to send are an error. An
/// unfinished message is omitted.
pub fn read(bytes: &[u8], masked: bool) -> Result<Said, String> {
    let (mut head, mut rest) = (String::new(), bytes);
    if bytes.starts_with(b"HTTP/1.1 ") || bytes.starts_with(b"GET ") {
        let text = String::from_utf8_lossy(bytes);
        let end = text.find("\r\n\r\n").ok_or("a head without an end")? + 4;
        let whole = bytes.starts_with(b"GET ") || bytes.starts_with(b"HTTP/1.1 101 ");
        let end = if whole { end } else { text.len() };
        head = text[..end].to_owned();
        rest = bytes.get(end..).unwrap_or_default();
    }
    let mut frames = Vec::new();
    let mut message: Option<(u8, Vec<u8>)> = None;
    while !rest.is_empty() {
        let (first, payload, after) =
            read_frame(rest, masked).ok_or("a frame that is not whole")?;
        rest = after;
        if first & 0x70 != 0 {
            return Err("a reserved bit is set".into());
        }
        match (first & 0x0F, first & FIN != 0, &mut message) {
            (CLOSE | PING | PONG, true, _) => frames.push((first & 0x0F, payload)),
            (kind @ (TEXT | BINARY), true, None) => frames.push((kind, payload)),
            (kind @ (TEXT | BINARY), false, None) => message = Some((kind, payload)),
            (CONTINUATION, fin, Some((_, begun))) => {
                begun.extend(payload);
                if fin {
                    frames.extend(message.take());
                }
            }
            _ => return Err(format!("a frame out of order, {first:02x}")),
        }
        if frames.last().is_some_and(|(opcode, _)| *opcode == CLOSE) && !rest.is_empty() {
            return Err("bytes behind the Close".into());
        }
    }
    Ok(Said { head, frames })
}

/// Returns the first byte of a frame, its unmasked payload, and the bytes after the frame.
fn read_frame(bytes: &[u8], masked: bool) -> Option<(u8, Vec<u8>, &[u8])> {
    let (&[first, second], rest) = bytes.split_first_chunk()?;
    if (second & 0x80 != 0) != masked {
        return None;
    }
    let (length, rest) = match second & 0x7F {
        126 => rest
            .split_first_chunk()
            .map(|(&length, rest)| (u64::from(u16::from_be_bytes(length)), rest))?,
        127 => {
            rest.split_first_chunk().map(|(&length, rest)| (u64::from_be_bytes(length), rest))?
        }
        short => (u64::from(short), rest),
    };
    let (key, rest) = if masked { rest.split_first_chunk()? } else { (&[0; 4], rest) };
    let (payload, after) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    let shortest = match second & 0x7F {
        126 => length > 125,
        127 => length > 0xFFFF,
        _ => true,
    };
    let payload = payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
    shortest.then_some((first, payload, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_is_strict() {
        let talk = [masked(TEXT, b"Hel"), masked(FIN | PING, b"?"), masked(FIN, b"lo")].concat();
        let said = read(&talk, true).unwrap();
        assert_eq!(said.frames, [(PING, b"?".to_vec()), (TEXT, b"Hello".to_vec())]);
        assert!(read(&talk, false).is_err());
        assert!(read(&talk[..talk.len() - 1], true).is_err());
        assert!(read(&[0x82, 126, 0, 1, 7], false).is_err());
        assert!(read(&[0xC2, 1, 7], false).is_err());
        assert!(read(&plain(FIN, b"lo"), false).is_err());
        assert!(read(&[plain(FIN | CLOSE, b""), plain(FIN | PONG, b"")].concat(), false).is_err());
    }

    /// Checks that `frame` returns the examples of RFC 6455 section 5.7.
    #[test]
    fn examples_of_the_rfc() {
        assert_eq!(plain(FIN | TEXT, b"Hello"), [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f]);
        assert_eq!(
            masked(FIN | TEXT, b"Hello"),
            [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]
        );
        assert_eq!(plain(FIN | BINARY, &[0; 256])[..4], [0x82, 0x7E, 0x01, 0x00]);
        assert_eq!(plain(FIN | BINARY, &[0; 65536])[..10], [0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0]);
    }
}

//! A second, naive implementation of the receiving side. It has the whole stream, copies
//! everything, and validates the unfinished part of a text again with `core::str` after each byte.
//! It shares only type names and `READ_BUFFER_MIN` with the crate.

use sockless::{Config, MessageKind, Violation};

/// The items of a stream, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    Message(MessageKind, Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(u16, String),
    Failed(Violation),
    /// The stream ended without a Close.
    Lost,
    /// The bytes of an unfinished message. This is the last item, and exists only in chunks.
    Unfinished(MessageKind, Vec<u8>),
    /// Any other item, as text.
    Other(String),
}

/// The limits of the receiver.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct Rules {
    pub max_frame: u64,
    pub max_message: u64,
    pub max_fragments: u32,
}

impl Rules {
    pub const DEFAULT: Rules =
        Rules { max_frame: 64 << 20, max_message: 64 << 20, max_fragments: 1 << 17 };

    pub fn config(self) -> Config {
        Config::new()
            .with_max_frame_size(self.max_frame)
            .with_max_message_size(self.max_message)
            .with_max_fragments(self.max_fragments)
    }
}

struct Header {
    fin: bool,
    rsv1: bool,
    opcode: u8,
    mask: Option<Vec<u8>>,
    payload_len: u64,
    len: usize,
}

/// Returns the items of `stream`. Its sender must mask or must not. If messages are received whole,
/// `room` is the capacity of the buffer that collects them.
pub fn receive(
    rules: Rules,
    masked: bool,
    room: Option<usize>,
    stream: &[u8],
    eof: bool,
) -> Vec<Item> {
    receive_with(rules, false, masked, room, stream, eof)
}

/// Returns the items of `stream`. If `rsv1` is `true`, RSV1 may mark a message as compressed.
/// Compressed messages stay compressed.
pub fn receive_with(
    rules: Rules,
    rsv1: bool,
    masked: bool,
    room: Option<usize>,
    stream: &[u8],
    eof: bool,
) -> Vec<Item> {
    // If the limits on frames and messages are equal, compressed frames may be longer. The oracle
    // does not model this.
    assert!(!rsv1 || rules.max_frame < rules.max_message);
    let mut items = Vec::new();
    let mut message = None;
    match frames(rules, rsv1, masked, room, stream, &mut items, &mut message) {
        Ok(true) => {}
        Ok(false) if eof => items.push(Item::Lost),
        Ok(false) => {}
        Err(violation) => items.push(Item::Failed(violation)),
    }
    if let (None, Some(Message { kind, bytes, compressed, .. })) = (room, message) {
        if !bytes.is_empty() {
            items.push(if compressed {
                compressed_item(kind, &bytes, false)
            } else {
                Item::Unfinished(kind, bytes)
            });
        }
    }
    items
}

/// Describes a compressed message, or the part that arrived.
pub fn compressed_item(kind: MessageKind, bytes: &[u8], ended: bool) -> Item {
    let end = if ended { "compressed" } else { "compressed, unfinished" };
    Item::Other(format!("{kind:?} {end} {}", bytes.escape_ascii()))
}

struct Message {
    kind: MessageKind,
    compressed: bool,
    bytes: Vec<u8>,
    /// The number of validated bytes that are whole characters.
    text: usize,
    claimed: u128,
    frames: u32,
}

/// `true` if a Close ended the stream.
fn frames(
    rules: Rules,
    rsv1: bool,
    masked: bool,
    room: Option<usize>,
    stream: &[u8],
    items: &mut Vec<Item>,
    message: &mut Option<Message>,
) -> Result<bool, Violation> {
    let mut rest = stream;
    while let Some(header) = header(rest, rsv1, masked, message.is_some())? {
        rest = &rest[header.len..];
        let arrived = (rest.len() as u64).min(header.payload_len) as usize;
        let key = header.mask.unwrap_or_else(|| vec![0; 4]);
        let payload: Vec<u8> = (0..arrived).map(|i| rest[i] ^ key[i % 4]).collect();
        let whole = arrived as u64 == header.payload_len;
        if header.opcode >= 8 {
            if !whole {
                return Ok(false);
            }
            rest = &rest[arrived..];
            match header.opcode {
                8 => {
                    items.push(close(&payload)?);
                    return Ok(true);
                }
                9 => items.push(Item::Ping(payload)),
                _ => items.push(Item::Pong(payload)),
            }
            continue;
        }
        let kind = if header.opcode == 1 { MessageKind::Text } else { MessageKind::Binary };
        let current = message.get_or_insert(Message {
            kind,
            compressed: header.rsv1,
            bytes: Vec::new(),
            text: 0,
            claimed: 0,
            frames: 0,
        });
        current.frames += 1;
        if current.frames > rules.max_fragments.max(1) {
            return Err(Violation::TooManyFragments);
        }
        // A limit on frames does not raise the limit on messages.
        if header.payload_len > rules.max_frame.min(rules.max_message) {
            return Err(Violation::FrameTooBig);
        }
        current.claimed += u128::from(header.payload_len);
        let behind = if header.fin { 0 } else { sockless::READ_BUFFER_MIN };
        // The limit on messages applies to inflated bytes.
        if !current.compressed
            && (current.claimed > u128::from(rules.max_message)
                || room.is_some_and(|room| current.claimed + behind as u128 > room as u128))
        {
            return Err(Violation::MessageTooBig);
        }
        for byte in payload {
            current.bytes.push(byte);
            if current.kind == MessageKind::Text && !current.compressed {
                let due = validated_len(current.bytes.len(), room.is_some());
                match std::str::from_utf8(&current.bytes[current.text..due.max(current.text)]) {
                    Ok(_) => current.text = due.max(current.text),
                    Err(error) if error.error_len().is_none() => {}
                    Err(_) => {
                        current.bytes.pop();
                        return Err(Violation::InvalidUtf8);
                    }
                }
            }
        }
        if !whole {
            return Ok(false);
        }
        rest = &rest[arrived..];
        if header.fin {
            if current.kind == MessageKind::Text
                && !current.compressed
                && std::str::from_utf8(&current.bytes).is_err()
            {
                return Err(Violation::InvalidUtf8);
            }
            items.extend(message.take().map(|Message { kind, bytes, compressed, .. }| {
                if compressed {
                    compressed_item(kind, &bytes, true)
                } else {
                    Item::Message(kind, bytes)
                }
            }));
        }
    }
    Ok(false)
}

/// Contract 14: returns how much of a text is validated once `len` bytes have arrived. In chunks
/// all bytes are. Of a collected message the first 4 KiB are, then the bytes up to each multiple of
/// 1 MiB, and all at its end.
fn validated_len(len: usize, collected: bool) -> usize {
    match len {
        0..=4096 => len,
        _ if !collected => len,
        4097..0x10_0000 => 4096,
        _ => len / 0x10_0000 * 0x10_0000,
    }
}

/// Parses a header bit by bit (RFC 6455 section 5.2). Each error appears at its byte: the opcode at
/// the first, the length of a control frame at the second, an extended length after its last.
fn header(
    bytes: &[u8],
    rsv1: bool,
    from_client: bool,
    in_message: bool,
) -> Result<Option<Header>, Violation> {
    let bit = |at: usize| bytes[at / 8] >> (7 - at % 8) & 1;
    let number =
        |from: usize, to: usize| (from..to).fold(0u64, |n, at| n << 1 | u64::from(bit(at)));
    if bytes.is_empty() {
        return Ok(None);
    }
    let opcode = number(4, 8) as u8;
    if ![0, 1, 2, 8, 9, 10].contains(&opcode) {
        return Err(Violation::ReservedOpCode);
    }
    let fin = bit(0) == 1;
    if opcode >= 8 && !fin {
        return Err(Violation::FragmentedControl);
    }
    if bytes.len() < 2 {
        return Ok(None);
    }
    let short = number(9, 16);
    if opcode >= 8 && short > 125 {
        return Err(Violation::ControlTooLong);
    }
    // RFC 7692 section 6: only the first frame of a message may have RSV1.
    let marked = rsv1 && bit(1) == 1 && [1, 2].contains(&opcode);
    if number(1, 4) != if marked { 4 } else { 0 } {
        return Err(Violation::ReservedBit);
    }
    let masked = bit(8) == 1;
    match (from_client, masked) {
        (true, false) => return Err(Violation::NotMasked),
        (false, true) => return Err(Violation::Masked),
        _ => {}
    }
    match (opcode, in_message) {
        (0, false) => return Err(Violation::UnexpectedContinuation),
        (1 | 2, true) => return Err(Violation::ExpectedContinuation),
        _ => {}
    }
    let length_bytes = match short {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    if bytes.len() < 2 + length_bytes {
        return Ok(None);
    }
    let payload_len = if length_bytes == 0 { short } else { number(16, 16 + 8 * length_bytes) };
    let shortest = if payload_len < 126 {
        0
    } else if payload_len < 65536 {
        2
    } else {
        8
    };
    if length_bytes != shortest {
        return Err(Violation::LengthNotMinimal);
    }
    if payload_len > i64::MAX as u64 {
        return Err(Violation::LengthTopBit);
    }
    let len = 2 + length_bytes + if masked { 4 } else { 0 };
    if bytes.len() < len {
        return Ok(None);
    }
    let mask = masked.then(|| bytes[len - 4..len].to_vec());
    Ok(Some(Header { fin, rsv1: marked, opcode, mask, payload_len, len }))
}

fn close(payload: &[u8]) -> Result<Item, Violation> {
    if payload.is_empty() {
        return Ok(Item::Close(1005, String::new()));
    }
    if payload.len() == 1 {
        return Err(Violation::CloseTooShort);
    }
    let code = u16::from(payload[0]) * 256 + u16::from(payload[1]);
    if !may_be_on_the_wire(code) {
        return Err(Violation::InvalidCloseCode);
    }
    match String::from_utf8(payload[2..].to_vec()) {
        Ok(reason) => Ok(Item::Close(code, reason)),
        Err(_) => Err(Violation::InvalidUtf8),
    }
}

/// Protocol rule 32, code by code.
pub fn may_be_on_the_wire(code: u16) -> bool {
    match code {
        1000..=1003 => true,
        1007..=1014 => true,
        other => other / 1000 == 3 || other / 1000 == 4,
    }
}

/// Returns `true` if `bytes` can be the start of a text.
pub fn is_text_so_far(bytes: &[u8]) -> bool {
    match std::str::from_utf8(bytes) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none(),
    }
}

/// Returns the frames with which an end replies to `items`, masked with sevens or not at all.
pub fn replies(items: &[Item], masks: bool) -> Vec<u8> {
    let mut output = Vec::new();
    for item in items {
        match item {
            Item::Ping(payload) => output.extend(frame(0x8A, payload, masks)),
            Item::Close(1005, _) => output.extend(frame(0x88, b"", masks)),
            Item::Close(code, _) => output.extend(frame(0x88, &code.to_be_bytes(), masks)),
            Item::Failed(violation) => {
                output.extend(frame(0x88, &close_code(*violation).to_be_bytes(), masks));
            }
            _ => {}
        }
    }
    output
}

fn close_code(violation: Violation) -> u16 {
    match violation {
        Violation::InvalidUtf8 => 1007,
        Violation::TooManyFragments => 1008,
        Violation::FrameTooBig | Violation::MessageTooBig => 1009,
        _ => 1002,
    }
}

/// Returns a short frame, masked with sevens or not.
pub fn frame(first: u8, payload: &[u8], masked: bool) -> Vec<u8> {
    assert!(payload.len() < 126);
    let mut bytes = vec![first, payload.len() as u8];
    if masked {
        bytes[1] += 128;
        bytes.extend([7; 4]);
    }
    bytes.extend(payload.iter().map(|byte| if masked { byte ^ 7 } else { *byte }));
    bytes
}

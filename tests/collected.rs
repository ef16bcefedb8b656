//! Tests contracts 3 and 14 for messages that are larger than one read. These are unmasked in large
//! pieces, and their text is validated at places that depend on the message alone. The oracle gives
//! the expected result for every cut.

mod model;

use model::drive::{Setup, Take, against_oracle};
use model::oracle::Rules;
use sockless::{
    Config, Event, GrowableBuffer, Incoming, MessageKind, ReadBuffer, Receiver, Server, Violation,
    WebSocket, WriteBuffer,
};

struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 8) as usize % n
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

fn frame(first: u8, payload: &[u8], key: Option<[u8; 4]>) -> Vec<u8> {
    let bit = if key.is_some() { 0x80 } else { 0 };
    let mut bytes = match payload.len() {
        len @ 0..=125 => vec![first, bit | len as u8],
        len @ 126..=0xFFFF => [&[first, bit | 126][..], &(len as u16).to_be_bytes()].concat(),
        len => [&[first, bit | 127][..], &(len as u64).to_be_bytes()].concat(),
    };
    bytes.extend(key.into_iter().flatten());
    let key = key.unwrap_or_default();
    bytes.extend(payload.iter().enumerate().map(|(i, byte)| byte ^ key[i % 4]));
    bytes
}

/// A message of about `size` bytes, some with a fault in the text.
fn content(random: &mut Random, size: usize) -> Vec<u8> {
    let letters = random.pick(&[&["a"][..], &["é"], &["中"], &["😀"], &["a", "é", "中", "😀"]]);
    let mut text = String::new();
    while text.len() < size {
        text.push_str(random.pick(letters));
    }
    let mut bytes = text.into_bytes();
    if !bytes.is_empty() && random.below(2) == 0 {
        let at = random.below(bytes.len());
        bytes[at] = random.pick(&[0xFF, 0xC0, 0x80, 0xED]);
    }
    bytes
}

/// One to three messages in fragments, with pings between them, some cut off at the end.
fn stream(random: &mut Random, masked: bool, sizes: &[usize]) -> Vec<u8> {
    let mut stream = Vec::new();
    for _ in 0..1 + random.below(3) {
        let size = random.pick(sizes);
        let size = random.below(size + 1);
        let bytes = content(random, size);
        let kind = random.pick(&[1, 1, 1, 2]);
        let frames = 1 + random.below(4);
        let mut rest = &bytes[..];
        for i in 0..frames {
            let last = i + 1 == frames;
            let len = if last { rest.len() } else { random.below(rest.len() + 1) };
            let first = if i == 0 { kind } else { 0 } | if last { 0x80 } else { 0 };
            let mut key = || masked.then(|| (random.below(usize::MAX) as u32).to_le_bytes());
            stream.extend(frame(first, &rest[..len], key()));
            if !last && len % 3 == 0 {
                stream.extend(frame(0x89, b"?", key()));
            }
            rest = &rest[len..];
        }
    }
    if random.below(3) == 0 {
        stream.truncate(random.below(stream.len()));
    }
    stream
}

fn cuts(random: &mut Random, len: usize, most: usize) -> Vec<usize> {
    let (mut cuts, mut at) = (Vec::new(), 0);
    loop {
        at += 1 + random.below(most);
        if at >= len {
            return cuts;
        }
        cuts.push(at);
    }
}

#[test]
fn any_cut_of_a_large_message_is_what_the_oracle_says() {
    let mut random = Random(0x1234_5678_9ABC_DEF1);
    let mut invalid = 0;
    for _ in 0..model::cases(300) {
        let masked = random.below(4) > 0;
        let input = stream(&mut random, masked, &[200, 5000, 9000, 40_000]);
        for take in [Take::Messages, Take::Chunks] {
            let setup = Setup { rx: 1 << 17, take, ..Setup::MESSAGES };
            let whole = against_oracle(masked, Rules::DEFAULT, setup, &input, []);
            let failed = format!("{:?}", whole.run.items.last()).contains("InvalidUtf8");
            invalid += u32::from(failed);
            for most in [7, 1460, 20_000, 64 << 10] {
                if most > 7 || input.len() < 10_000 {
                    let cuts = cuts(&mut random, input.len(), most);
                    against_oracle(masked, Rules::DEFAULT, setup, &input, cuts);
                }
            }
        }
    }
    assert!(invalid > model::cases(300) / 5, "{invalid}");
}

/// The result of a run: events other than messages, the bytes of all messages, the output, and the
/// state.
type Gave = (Vec<String>, Vec<u8>, Vec<u8>, String);

/// Receives whole messages for the first `until` bytes of the input, chunks up to `again`, and
/// whole messages after it.
fn switching(
    mut ws: WebSocket<Server>,
    input: &[u8],
    cuts: &[usize],
    [until, again]: [usize; 2],
) -> Gave {
    let (mut rx, mut tx) = (ReadBuffer::growing(1 << 20), WriteBuffer::growing(1 << 20));
    let (mut events, mut joined, mut at) = (Vec::new(), Vec::new(), 0);
    let mut ends: Vec<usize> = cuts.iter().copied().chain([until, again, input.len()]).collect();
    ends.sort_unstable();
    for end in ends {
        assert_eq!(rx.extend(&input[at..end]), end - at);
        at = end;
        loop {
            let event = if at <= until || at > again {
                ws.receive(&mut rx, &mut tx)
            } else {
                ws.receive_chunks(&mut rx, &mut tx)
            };
            match event {
                None => break,
                Some(Event::Text(text)) => joined.extend(text.as_bytes()),
                Some(Event::Binary(bytes)) => joined.extend(bytes),
                Some(Event::Chunk(chunk)) => joined.extend(chunk.bytes()),
                Some(other) => events.push(format!("{other:?} at {}", joined.len())),
            }
        }
    }
    (events, joined, tx.bytes().to_vec(), format!("{:?}", ws.state()))
}

/// Checks that a switch from whole messages to chunks and back, in the middle of a message, gives
/// equal bytes and an equal failure at any cut.
#[test]
fn switching_to_chunks_and_back_gives_equal_bytes_at_any_cut() {
    let mut random = Random(0xDEAD_BEEF_0BAD_CAFE);
    for _ in 0..model::cases(300) {
        let input = stream(&mut random, true, &[100, 5000, 40_000]);
        let until = random.below(input.len() + 1);
        let at = [until, until + random.below(input.len() + 1 - until)];
        let ws = || WebSocket::from_upgraded(Server, Config::default());
        let whole = switching(ws(), &input, &[], at);
        for most in [100, 1460, 20_000] {
            let cuts = cuts(&mut random, input.len(), most);
            assert_eq!(switching(ws(), &input, &cuts, at), whole, "{at:?} {cuts:?}");
        }
    }
}

/// Checks the switch with compressed messages.
#[test]
#[cfg(feature = "deflate")]
fn switching_to_chunks_and_back_in_a_compressed_message() {
    use sockless::deflate::{Context, DeflateConfig, DeflateParams};
    const FULL: DeflateParams = DeflateParams { send: Context::FULL, receive: Context::FULL };

    let mut random = Random(0xFEED_FACE_1234_5678);
    for _ in 0..model::cases(200) {
        let size = random.pick(&[500, 6000, 60_000]);
        let bytes = content(&mut random, size);
        let mut engine = flate2::Compress::new(flate2::Compression::fast(), false);
        let mut payload = Vec::with_capacity(2 * bytes.len() + 100);
        engine.compress_vec(&bytes, &mut payload, flate2::FlushCompress::Sync).unwrap();
        payload.truncate(payload.len() - 4);
        let (one, two) = payload.split_at(random.below(payload.len()));
        let key = || Some([1, 2, 3, 4]);
        let input =
            [frame(0x41, one, key()), frame(0x89, b"?", key()), frame(0x80, two, key())].concat();
        let until = random.below(input.len() + 1);
        let at = [until, until + random.below(input.len() + 1 - until)];
        let ws = || {
            let ws = WebSocket::from_upgraded(Server, Config::default());
            ws.with_deflate(FULL, &DeflateConfig::DEFAULT)
        };
        // The bytes before a fault may depend on the cut. The fault does not.
        let failed = |run: &Gave| format!("{:?}", run.0).contains("InvalidUtf8");
        let whole = switching(ws(), &input, &[], at);
        for most in [3, 1460] {
            let cut = switching(ws(), &input, &cuts(&mut random, input.len(), most), at);
            assert_eq!(failed(&cut), failed(&whole));
            if !failed(&whole) {
                assert_eq!(cut, whole);
            }
        }
    }
}

/// Returns how many bytes of `text`, in one frame, a server has received when it fails. From `from`
/// on, the bytes arrive one by one.
fn fails_at(text: &[u8], from: usize) -> Option<usize> {
    let input = frame(0x81, text, Some([9, 8, 7, 6]));
    let header = input.len() - text.len();
    let mut receiver = Receiver::server(Config::default());
    let mut rx = ReadBuffer::growing(1 << 23);
    for end in [header + from].into_iter().chain(header + from + 1..=input.len()) {
        let start = if end == header + from { 0 } else { end - 1 };
        assert_eq!(rx.extend(&input[start..end]), end - start);
        match receiver.receive(&mut rx) {
            Ok(None) => {}
            Ok(Some(_)) => return None,
            Err(violation) => {
                assert_eq!(violation, Violation::InvalidUtf8);
                return Some(end - header);
            }
        }
    }
    None
}

/// Contract 14: text is validated byte by byte up to 4 KiB, then at each MiB, and at the end.
#[test]
fn invalid_text_fails_where_the_contract_says() {
    const MIB: usize = 1 << 20;
    for (len, fault, from, fails) in [
        (5000, 0, 0, 1),
        (5000, 4095, 4000, 4096),
        (5000, 4096, 4000, 5000),
        (MIB + 9, 4096, MIB - 3, MIB),
        (MIB + 9, MIB - 1, MIB - 3, MIB),
        (MIB + 9, MIB, MIB - 3, MIB + 9),
        (3 * MIB, MIB, 2 * MIB - 3, 2 * MIB),
    ] {
        let mut text = vec![b'a'; len];
        text[fault] = 0xFF;
        assert_eq!(fails_at(&text, from), Some(fails), "{len} {fault}");
    }
    assert_eq!(fails_at(&vec![b'a'; MIB + 9], MIB - 3), None);
}

/// Checks that a compressed message can be collected without inflating it. It is not validated as
/// text.
#[test]
fn a_message_that_stays_compressed_is_collected() {
    let mut receiver = Receiver::server(Config::default());
    receiver.allow_rsv1();
    let input = frame(0xC1, &[0xFF; 300], Some([1, 2, 3, 4]));
    for cut in [0, 7, 200] {
        let mut rx: ReadBuffer<GrowableBuffer> = ReadBuffer::growing(1 << 12);
        let _ = rx.extend(&input[..cut]);
        assert_eq!(receiver.receive(&mut rx), Ok(None));
        let _ = rx.extend(&input[cut..]);
        let Ok(Some(Incoming::Data(chunk))) = receiver.receive(&mut rx) else { panic!() };
        assert!(chunk.is_whole() && chunk.is_compressed() && chunk.text().is_none());
        assert_eq!((chunk.kind(), chunk.bytes()), (MessageKind::Text, &[0xFF; 300][..]));
    }
}

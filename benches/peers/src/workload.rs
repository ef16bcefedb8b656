//! Builds messages and byte streams before the measurement. Equal seeds give equal bytes.

use std::hash::{DefaultHasher, Hasher};
use std::hint::black_box;

use bytes::Bytes;
use fastrand::Rng;

/// The end that the candidate plays.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    Server,
    Client,
}

impl Role {
    pub fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Client => "client",
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Text,
    Binary,
}

#[derive(Clone)]
pub struct Message {
    pub kind: Kind,
    pub payload: Bytes,
}

impl Message {
    /// Returns the payload as text, for interfaces that need it. Only for text messages.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.payload).expect("text workloads are valid UTF-8")
    }
}

/// The pieces in which a stream arrives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cut {
    Pieces(usize),
    Frames,
}

impl Cut {
    pub const ALL: [Self; 3] = [Self::Pieces(64 * 1024), Self::Pieces(1460), Self::Frames];

    pub fn name(self) -> &'static str {
        match self {
            Self::Pieces(65536) => "64 KiB reads",
            Self::Pieces(_) => "1460 B reads",
            Self::Frames => "frame per read",
        }
    }
}

/// Messages of one kind and size.
pub struct Workload {
    pub name: &'static str,
    pub messages: Vec<Message>,
    /// Bytes of a fragment, or 0 for whole messages.
    pub fragment: usize,
    /// Frames between two pings, or 0 for no pings.
    pub ping_every: usize,
}

/// A prebuilt stream.
pub struct Wire {
    pub bytes: Vec<u8>,
    /// The ends of the pieces.
    pub cuts: Vec<usize>,
    pub messages: usize,
    pub pings: usize,
    pub digest: u64,
    /// `true` if every payload is text, for the row that only validates.
    pub all_text: bool,
}

/// The messages of a candidate: a count during the measurement, everything during a check.
#[derive(Default)]
pub struct Tally {
    pub messages: usize,
    digest: Option<DefaultHasher>,
    last: Vec<u8>,
}

impl Tally {
    pub fn checking() -> Self {
        Self { messages: 0, digest: Some(DefaultHasher::new()), last: Vec::new() }
    }

    /// Counts one whole message. The compiler must assume that all bytes are read, so no candidate
    /// can skip them.
    #[inline]
    pub fn message(&mut self, kind: Kind, payload: &[u8]) {
        self.messages += 1;
        black_box((kind, payload));
        if let Some(digest) = &mut self.digest {
            note(digest, kind, payload);
            self.last = payload.to_vec();
        }
    }

    /// The last message, during a check.
    pub fn last(&self) -> &[u8] {
        &self.last
    }

    #[inline]
    pub fn text(&mut self, payload: &str) {
        self.message(Kind::Text, payload.as_bytes());
    }

    #[inline]
    pub fn binary(&mut self, payload: &[u8]) {
        self.message(Kind::Binary, payload);
    }

    pub fn digest(&self) -> u64 {
        self.digest.as_ref().map_or(0, Hasher::finish)
    }
}

fn note(digest: &mut DefaultHasher, kind: Kind, payload: &[u8]) {
    digest.write_u8(kind as u8);
    digest.write_usize(payload.len());
    digest.write(payload);
}

/// Returns the digest that a candidate must reach.
pub fn digest_of<'a>(messages: impl Iterator<Item = &'a Message>) -> u64 {
    let mut digest = DefaultHasher::new();
    for message in messages {
        note(&mut digest, message.kind, &message.payload);
    }
    digest.finish()
}

/// Encodes a frame independently of any crate.
pub fn frame(out: &mut Vec<u8>, first: u8, mask: Option<[u8; 4]>, payload: &[u8]) {
    let bit = if mask.is_some() { 0x80 } else { 0 };
    out.push(first);
    match payload.len() {
        length @ 0..126 => out.push(bit | length as u8),
        length @ 126..65536 => {
            out.push(bit | 126);
            out.extend((length as u16).to_be_bytes());
        }
        length => {
            out.push(bit | 127);
            out.extend((length as u64).to_be_bytes());
        }
    }
    match mask {
        Some(key) => {
            out.extend(key);
            out.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
        }
        None => out.extend(payload),
    }
}

/// Parses the output of a candidate: each data message with its payload unmasked, and `true` if the
/// masking fits the role. The output has no fragments.
pub fn unframe(
    mut bytes: &[u8],
    masked: bool,
    mut each: impl FnMut(u8, Vec<u8>),
) -> Result<(), &'static str> {
    fn split<'a>(bytes: &mut &'a [u8], length: usize) -> Result<&'a [u8], &'static str> {
        let (head, tail) = bytes.split_at_checked(length).ok_or("output ends inside a frame")?;
        *bytes = tail;
        Ok(head)
    }
    while !bytes.is_empty() {
        let head = split(&mut bytes, 2)?;
        let (first, second) = (head[0], head[1]);
        if (second & 0x80 != 0) != masked {
            return Err("mask bit is wrong for the role");
        }
        let length = match second & 0x7f {
            126 => usize::from(u16::from_be_bytes(
                split(&mut bytes, 2)?.try_into().expect("two bytes"),
            )),
            127 => {
                u64::from_be_bytes(split(&mut bytes, 8)?.try_into().expect("eight bytes")) as usize
            }
            short => usize::from(short),
        };
        let key =
            if masked { split(&mut bytes, 4)?.try_into().expect("four bytes") } else { [0; 4] };
        let payload = split(&mut bytes, length)?;
        each(first, payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect());
    }
    Ok(())
}

impl Workload {
    fn whole(name: &'static str, messages: Vec<Message>) -> Self {
        Self { name, messages, fragment: 0, ping_every: 0 }
    }

    pub fn payload_bytes(&self) -> usize {
        self.messages.iter().map(|message| message.payload.len()).sum()
    }

    /// Returns the stream that a candidate in `role` reads.
    pub fn wire(&self, role: Role, cut: Cut) -> Wire {
        let mut random = Rng::with_seed(0x5eed);
        let mut key = || (role == Role::Server).then(|| random.u32(1..).to_ne_bytes());
        let mut bytes = Vec::with_capacity(self.payload_bytes() + 16 * self.messages.len());
        let mut ends = Vec::new();
        let (mut frames, mut pings) = (0, 0);
        for message in &self.messages {
            let opcode = if message.kind == Kind::Text { 1 } else { 2 };
            let fragment =
                if self.fragment == 0 { message.payload.len().max(1) } else { self.fragment };
            let count = message.payload.len().div_ceil(fragment).max(1);
            for index in 0..count {
                if self.ping_every != 0 && frames % self.ping_every == self.ping_every - 1 {
                    frame(&mut bytes, 0x89, key(), b"sixteen bytes ok");
                    ends.push(bytes.len());
                    pings += 1;
                }
                let start = index * fragment;
                let part = &message.payload[start..message.payload.len().min(start + fragment)];
                let first =
                    if index == 0 { opcode } else { 0 } | if index + 1 == count { 0x80 } else { 0 };
                frame(&mut bytes, first, key(), part);
                ends.push(bytes.len());
                frames += 1;
            }
        }
        let cuts = match cut {
            Cut::Frames => ends,
            Cut::Pieces(size) => {
                (1..=bytes.len().div_ceil(size)).map(|i| bytes.len().min(i * size)).collect()
            }
        };
        Wire {
            cuts,
            messages: self.messages.len(),
            pings,
            digest: digest_of(self.messages.iter()),
            all_text: self.messages.iter().all(|message| message.kind == Kind::Text),
            bytes,
        }
    }
}

/// Returns exactly `length` bytes of JSON, an array of small records like an API's. ASCII.
fn json(random: &mut Rng, length: usize) -> Vec<u8> {
    let mut text = String::from("[");
    while text.len() < length {
        let (id, price, volume) = (random.u32(..1_000_000), random.f64() * 1000.0, random.u16(..));
        let name: String = (0..random.usize(4..12)).map(|_| random.lowercase()).collect();
        text += &format!(
            r#"{{"id":{id},"name":"{name}","price":{price:.2},"volume":{volume},"active":true}},"#
        );
    }
    text.truncate(length);
    text.into_bytes()
}

/// Returns exactly `length` bytes of Chinese text, with ASCII at the end if a character does not
/// fit.
fn chinese(random: &mut Rng, length: usize) -> Vec<u8> {
    const CHARACTERS: &str = "的一是不了人我在有他这为之大来以个中上们到说国和地也子时道出而要于就下得可你年生自会那后能对着事其里所";
    let characters: Vec<char> = CHARACTERS.chars().collect();
    let mut text = String::new();
    while text.len() + 3 <= length {
        text.push(characters[random.usize(..characters.len())]);
    }
    text.extend(std::iter::repeat_n('.', length - text.len()));
    text.into_bytes()
}

fn binary(random: &mut Rng, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    random.fill(&mut bytes);
    bytes
}

type Maker = fn(&mut Rng, usize) -> Vec<u8>;

fn uniform(name: &'static str, kind: Kind, length: usize, count: usize, make: Maker) -> Workload {
    let mut random = Rng::with_seed(length as u64);
    let messages =
        (0..count).map(|_| Message { kind, payload: make(&mut random, length).into() }).collect();
    Workload::whole(name, messages)
}

/// Mixes sizes, kinds and pings in an order that no branch predictor learns.
fn mix() -> Workload {
    let mut random = Rng::with_seed(7);
    let messages = (0..2000)
        .map(|_| {
            let length = match random.u8(..10) {
                0..6 => random.usize(..126),
                6..9 => random.usize(126..2048),
                _ => random.usize(2048..16384),
            };
            let (kind, make): (_, Maker) = match random.u8(..4) {
                0 | 1 => (Kind::Binary, binary),
                2 => (Kind::Text, json),
                _ => (Kind::Text, chinese),
            };
            Message { kind, payload: make(&mut random, length).into() }
        })
        .collect();
    Workload { ping_every: 50, ..Workload::whole("mix", messages) }
}

/// Returns the workloads with these names. Small messages make streams of about 256 KiB, which fit
/// in the second-level cache. There are few large messages.
pub fn select(wanted: impl Fn(&str) -> bool) -> Vec<Workload> {
    use Kind::{Binary, Text};
    const UNIFORM: &[(&str, Kind, usize, usize, Maker)] = &[
        ("16 B binary", Binary, 16, 10_000, binary),
        ("125 B binary", Binary, 125, 2000, binary),
        ("1 KiB binary", Binary, 1024, 250, binary),
        ("16 KiB binary", Binary, 16 << 10, 32, binary),
        ("1 MiB binary", Binary, 1 << 20, 2, binary),
        ("16 B JSON", Text, 16, 10_000, json),
        ("1 KiB JSON", Text, 1024, 250, json),
        ("64 KiB JSON", Text, 64 << 10, 8, json),
        ("16 B Chinese", Text, 16, 10_000, chinese),
        ("1 KiB Chinese", Text, 1024, 250, chinese),
        ("64 KiB Chinese", Text, 64 << 10, 8, chinese),
        ("1 MiB Chinese", Text, 1 << 20, 2, chinese),
    ];
    const FRAGMENTED: &[(&str, Kind, usize, Maker)] = &[
        ("16 KiB binary in 1 KiB fragments, pings", Binary, 1024, binary),
        ("16 KiB Chinese in 1000 B fragments, pings", Text, 1000, chinese),
    ];
    let mut workloads = Vec::new();
    for &(name, kind, length, count, make) in UNIFORM.iter().filter(|(name, ..)| wanted(name)) {
        workloads.push(uniform(name, kind, length, count, make));
    }
    if wanted("mix") {
        workloads.push(mix());
    }
    for &(name, kind, fragment, make) in FRAGMENTED.iter().filter(|(name, ..)| wanted(name)) {
        workloads.push(Workload {
            fragment,
            ping_every: 4,
            ..uniform(name, kind, 16 << 10, 32, make)
        });
    }
    workloads
}

/// A request like a browser's: about 630 bytes and 15 headers.
pub const REQUEST: &[u8] = b"GET /live/feed?room=42 HTTP/1.1\r\n\
    Host: server.example.com:8001\r\n\
    Connection: Upgrade\r\n\
    Pragma: no-cache\r\n\
    Cache-Control: no-cache\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36\r\n\
    Upgrade: websocket\r\n\
    Origin: https://server.example.com\r\n\
    Sec-WebSocket-Version: 13\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n\
    Cookie: session=4f2a9c1e7b; theme=dark\r\n\
    Sec-GPC: 1\r\n\
    Sec-Fetch-Mode: websocket\r\n\
    Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\n\
    Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\
    \r\n";

/// The accept value for the key of [`REQUEST`].
pub const ACCEPT: &[u8] = b"HSmrc0sMlYUkAGmm5OPpG2HaGWk=";

/// Returns the request as a stream that one read returns whole.
pub fn request_wire() -> Wire {
    Wire {
        bytes: REQUEST.into(),
        cuts: vec![REQUEST.len()],
        messages: 1,
        pings: 0,
        digest: 0,
        all_text: false,
    }
}

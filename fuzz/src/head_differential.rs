//! Runs a head through the handshake machines and through httparse. Panics at a difference, unless
//! it is in the table below with its reason.
//!
//! Only the syntax is compared. A head that breaks another rule of the handshake, for example
//! without a `Host`, counts as accepted.

use std::sync::OnceLock;

use sockless::handshake::{
    ClientEvent, ClientHandshake, ConnectRequest, HandshakeError, ServerEvent, ServerHandshake, Uri,
};
use sockless::{Config, EntropyError, Failure, ReadBuffer, WriteBuffer};

use crate::head_generator::write_head;

/// The limit on header lines for both.
const MAX_HEADERS: usize = 16;
/// The limit on the size of a head. httparse has none.
const MAX_HEAD_SIZE: usize = 1000;
/// Longer inputs are cut off.
pub const MAX_INPUT: usize = 1200;

/// The head that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Request,
    Response,
}

/// The result of parsing a head; `E` is the error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict<E> {
    /// More bytes are needed.
    Partial,
    /// The end of the head. Interim responses before the head are included.
    Whole {
        end: usize,
    },
    Refused(E),
}

/// The result of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Both wait for more.
    BothPartial,
    /// Both refuse the head.
    BothRefused,
    /// Both accept the head, and both expose its content.
    SameHead,
    /// Both accept a head of equal length, which the handshake refuses by another rule.
    SameLength,
    /// The reason of a known difference.
    Explained(&'static str),
}

/// Compares the parsers on an input of the fuzzer. The lowest bit of the first byte selects a
/// request. The next bit selects choices for [`write_head`] instead of a literal head. The second
/// byte is the cut of the head, in 256ths.
pub fn compare_input(input: &[u8]) {
    let [flags, cut, rest @ ..] = input else { return };
    let kind = if flags & 1 == 1 { Kind::Request } else { Kind::Response };
    let mut made = Vec::new();
    let head = if flags & 2 == 0 {
        rest
    } else {
        let mut choices = rest.iter().copied();
        write_head(kind, &mut made, || choices.next().unwrap_or(0));
        &made
    };
    compare(kind, &head[..head.len().min(MAX_INPUT)], usize::from(*cut));
}

/// Compares the readers on `head`, whole and cut in two at `cut` 256ths.
///
/// # Panics
/// Panics if the verdicts differ without a known reason.
pub fn compare(kind: Kind, head: &[u8], cut: usize) -> Outcome {
    let mut slots = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let (starts, theirs, parsed) = read_theirs(kind, head, &mut slots);
    let mut is_seen = false;
    let mut check = |seen: Seen<'_>| {
        is_seen = !matches!(seen, Seen::Nothing);
        if let Some(parsed) = &parsed {
            seen.assert_same(parsed, head);
        }
    };
    let ours = read_ours(kind, &[head], &mut 0, &mut check);
    let (front, back) = head.split_at(cut * head.len() / 256);
    let again = read_ours(kind, &[front, back], &mut 0, &mut check);
    assert_eq!(again, ours, "cut at {}: {}", front.len(), head.escape_ascii());
    match (ours, theirs) {
        (Verdict::Partial, Verdict::Partial) => return Outcome::BothPartial,
        (Verdict::Refused(_), Verdict::Refused(_)) => return Outcome::BothRefused,
        (Verdict::Whole { end }, Verdict::Whole { end: other }) if end == other => {
            return if is_seen { Outcome::SameHead } else { Outcome::SameLength };
        }
        _ => {}
    }
    // The last head, unless the crate refuses an interim response before it.
    let end = refused_at(kind, head).unwrap_or(usize::MAX);
    let start = starts.iter().rev().copied().find(|&start| start < end).unwrap_or(0);
    let last = head.get(start..).unwrap_or_default();
    match explained(kind, last, ours, theirs) {
        Some(LATER_VERSION) => {
            // After the version, both must agree.
            let mut earlier = head.to_vec();
            let digit = start + version_at(kind, last).expect("it has one") + "HTTP/1.".len();
            earlier[digit] = b'1';
            assert_eq!(read_ours(kind, &[&earlier], &mut 0, |_| {}), ours);
            compare(kind, &earlier, cut);
            Outcome::Explained(LATER_VERSION)
        }
        Some(reason) => Outcome::Explained(reason),
        None => panic!(
            "{kind:?}, ours {ours:?}, theirs {theirs:?}, from {start}: {}",
            head.escape_ascii()
        ),
    }
}

const LATER_VERSION: &str = "httparse knows no HTTP/1.2 to 1.9, which a recipient takes for the \
    latest 1.x that it knows (RFC 9110 section 2.5)";

/// Returns the reason of a known difference. `head` begins with the first byte of the last head,
/// after interim responses.
fn explained(
    kind: Kind,
    head: &[u8],
    ours: Verdict<HandshakeError>,
    theirs: Verdict<httparse::Error>,
) -> Option<&'static str> {
    match (ours, theirs) {
        (Verdict::Refused(error), Verdict::Whole { .. } | Verdict::Partial) => {
            let (&byte, before) = head[..refused_at(kind, head)?].split_last()?;
            stricter(kind, before, byte, error, theirs == Verdict::Partial)
        }
        (Verdict::Whole { .. } | Verdict::Partial, Verdict::Refused(httparse::Error::Version)) => {
            let version = head.get(version_at(kind, head)?..)?;
            match version.strip_prefix(b"HTTP/")? {
                [b'1', b'.', b'2'..=b'9', ..] => Some(LATER_VERSION),
                [b'0' | b'2'..=b'9']
                | [b'0' | b'2'..=b'9', b'.']
                | [b'0' | b'2'..=b'9', b'.', b'0'..=b'9']
                    if ours == Verdict::Partial =>
                {
                    Some(
                        "a version that is none of 1.x is refused behind its last digit, because \
                         the answer to it is 505 and to anything else 400",
                    )
                }
                _ => None,
            }
        }
        _ => None,
    }
}

/// Returns why the crate refuses `byte` after `before`, and httparse does not.
fn stricter(
    kind: Kind,
    before: &[u8],
    byte: u8,
    error: HandshakeError,
    theirs_waits: bool,
) -> Option<&'static str> {
    use HandshakeError::{HeadTooLarge, HttpVersion, Malformed, TooManyHeaders};
    let is_request = kind == Kind::Request;
    let spaces = before.iter().filter(|&&byte| byte == b' ').count();
    let is_first_line = !before.strip_prefix(b"\r\n").unwrap_or(before).contains(&b'\n');
    match error {
        TooManyHeaders if theirs_waits => {
            Some("httparse counts a header line at its end, the crate at its first byte")
        }
        HeadTooLarge if before.len() + 1 >= MAX_HEAD_SIZE => {
            Some("httparse has no limit on the size of a head")
        }
        HttpVersion if is_request && byte == b'\r' && before.ends_with(b" HTTP/1.0") => {
            Some("HTTP/1.0 has no upgrade (RFC 6455 section 4.1)")
        }
        HttpVersion if !is_request && byte == b'\n' && before.starts_with(b"HTTP/1.0 101") => {
            Some("a 101 of HTTP/1.0 is none (RFC 6455 section 4.1)")
        }
        Malformed if byte == b'\n' && !before.ends_with(b"\r") => Some(
            "httparse takes a bare LF for the end of a line, which RFC 9112 section 2.2 allows",
        ),
        Malformed if byte == b'\r' && is_request && before == b"\r\n" => {
            Some("httparse skips any number of empty lines in front of a request")
        }
        Malformed if byte == b'\r' && !is_request && before.is_empty() => {
            Some("httparse skips empty lines in front of a response")
        }
        Malformed if is_request && is_first_line && spaces == 1 && byte >= 0x80 => {
            Some("httparse lets UTF-8 into a target (RFC 3986 section 2: ASCII)")
        }
        Malformed if is_request && is_first_line && spaces == 1 && byte == b'#' => {
            Some("httparse lets a target have a fragment (RFC 9112 section 3.2)")
        }
        Malformed if is_request && is_first_line && spaces == 1 && before.ends_with(b" ") => byte
            .is_ascii_graphic()
            .then_some("httparse lets a target begin with anything (RFC 9112 section 3.2)"),
        Malformed if is_request && byte == b'\n' && before.ends_with(b"\r\n\r") => {
            let mut words = before.strip_prefix(b"\r\n").unwrap_or(before).split(|&b| b == b' ');
            let (method, target) = (words.next()?, words.next()?);
            let is_known = target.starts_with(b"/")
                || target == b"*" && method == b"OPTIONS"
                || method == b"CONNECT" && target != b"*";
            (!is_known && !has_scheme(target)).then_some(
                "httparse lets a target be none of the four forms (RFC 9112 section 3.2)",
            )
        }
        Malformed if !is_request && byte == b'0' && spaces == 1 && before.ends_with(b" ") => {
            Some("httparse knows status codes below 100 (RFC 9110 section 15)")
        }
        _ => None,
    }
}

/// Returns `true` if the text before the first `://` is a scheme (RFC 3986 section 3.1).
fn has_scheme(target: &[u8]) -> bool {
    let colon = target.windows(3).position(|part| part == b"://");
    colon.is_some_and(|colon| {
        target[0].is_ascii_alphabetic()
            && target[..colon].iter().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(b))
    })
}

/// Returns the number of bytes after which the crate refuses a head that arrives byte by byte.
fn refused_at(kind: Kind, head: &[u8]) -> Option<usize> {
    let pieces: Vec<&[u8]> = head.chunks(1).collect();
    let mut fed = 0;
    let ours = read_ours(kind, &pieces, &mut fed, |_| {});
    matches!(ours, Verdict::Refused(_)).then_some(fed)
}

/// Returns where the version begins in the first line of a head.
fn version_at(kind: Kind, head: &[u8]) -> Option<usize> {
    if kind == Kind::Response {
        return Some(0);
    }
    let mut spaces = head.iter().enumerate().filter(|(_, byte)| **byte == b' ');
    spaces.nth(1).map(|(at, _)| at + 1)
}

/// The head that httparse returned.
enum Parsed<'h> {
    Request { method: &'h str, target: &'h str, headers: &'h [httparse::Header<'h>] },
    Response { status: u16, headers: &'h [httparse::Header<'h>] },
}

/// Parses a head by httparse. Returns the starts of heads after interim responses, the result and
/// the content.
fn read_theirs<'h>(
    kind: Kind,
    input: &'h [u8],
    slots: &'h mut [httparse::Header<'h>; MAX_HEADERS],
) -> (Vec<usize>, Verdict<httparse::Error>, Option<Parsed<'h>>) {
    let verdict = |start, result: httparse::Result<usize>| match result {
        Ok(httparse::Status::Complete(len)) => Verdict::Whole { end: start + len },
        Ok(httparse::Status::Partial) => Verdict::Partial,
        Err(error) => Verdict::Refused(error),
    };
    if kind == Kind::Request {
        let mut request = httparse::Request::new(slots);
        let theirs = verdict(0, request.parse(input));
        let httparse::Request { method, path, headers, .. } = request;
        let parsed = match theirs {
            Verdict::Whole { .. } => Some(Parsed::Request {
                method: method.unwrap_or_default(),
                target: path.unwrap_or_default(),
                headers,
            }),
            _ => None,
        };
        return (Vec::new(), theirs, parsed);
    }
    let mut config = httparse::ParserConfig::default();
    config.allow_obsolete_multiline_headers_in_responses(true);
    let mut start = 0;
    let mut starts = Vec::new();
    // The client continues after interim responses.
    loop {
        let mut scratch = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut response = httparse::Response::new(&mut scratch);
        let theirs = verdict(start, config.parse_response(&mut response, &input[start..]));
        let Verdict::Whole { end } = theirs else { return (starts, theirs, None) };
        match response.code.unwrap_or_default() {
            100 | 102..200 => {
                start = end;
                starts.push(end);
            }
            status => {
                let count = response.headers.len();
                slots[..count].copy_from_slice(response.headers);
                return (
                    starts,
                    theirs,
                    Some(Parsed::Response { status, headers: &slots[..count] }),
                );
            }
        }
    }
}

/// The content of a head that the crate exposes.
enum Seen<'b> {
    /// The handshake was refused by another rule, or there is no head.
    Nothing,
    Request(sockless::handshake::RequestHead<'b>),
    Response(sockless::handshake::ResponseHead<'b>),
}

impl Seen<'_> {
    fn assert_same(&self, theirs: &Parsed<'_>, head: &[u8]) {
        match (self, theirs) {
            (Seen::Nothing, _) => {}
            (Seen::Request(ours), Parsed::Request { method, target, headers }) => {
                let line = (ours.method(), ours.target());
                assert_eq!(line, (*method, *target), "{}", head.escape_ascii());
                assert_same_headers(ours.headers(), headers, head);
            }
            (Seen::Response(ours), Parsed::Response { status, headers }) => {
                assert_eq!(ours.status(), *status, "{}", head.escape_ascii());
                assert_same_headers(ours.headers(), headers, head);
            }
            _ => unreachable!("both read the same kind"),
        }
    }
}

fn assert_same_headers<'b>(
    ours: impl Iterator<Item = (&'b [u8], &'b [u8])>,
    theirs: &[httparse::Header<'_>],
    head: &[u8],
) {
    let mut theirs = theirs.iter();
    for (name, value) in ours {
        let other = theirs.next().unwrap_or(&httparse::EMPTY_HEADER);
        // httparse leaves line folds in a value. The crate replaces them by spaces.
        let is_same = |(ours, theirs): (&u8, &u8)| {
            ours == theirs || matches!((ours, theirs), (b' ', b'\r' | b'\n'))
        };
        let same_value =
            value.len() == other.value.len() && value.iter().zip(other.value).all(is_same);
        assert!(
            name == other.name.as_bytes() && same_value,
            "ours {}: {}, theirs {other:?}: {}",
            name.escape_ascii(),
            value.escape_ascii(),
            head.escape_ascii()
        );
    }
    assert!(theirs.next().is_none(), "{}", head.escape_ascii());
}

/// Parses a head by the crate in `pieces`, and calls `check` with its content. `fed` is the number
/// of bytes read at the end.
fn read_ours(
    kind: Kind,
    pieces: &[&[u8]],
    fed: &mut usize,
    check: impl FnMut(Seen<'_>),
) -> Verdict<HandshakeError> {
    let config = config();
    let mut rx = ReadBuffer::new([0; MAX_INPUT]);
    *fed = 0;
    let verdict = match kind {
        Kind::Request => read_request(ServerHandshake::new(&config), &mut rx, pieces, fed, check),
        Kind::Response => read_response(connected().clone(), &mut rx, pieces, fed, check),
    };
    match verdict {
        // Bytes after the head stay in the buffer.
        Verdict::Whole { .. } => Verdict::Whole { end: *fed - rx.unread().len() },
        verdict => verdict,
    }
}

fn read_request(
    mut server: ServerHandshake,
    rx: &mut ReadBuffer<[u8; MAX_INPUT]>,
    pieces: &[&[u8]],
    fed: &mut usize,
    mut check: impl FnMut(Seen<'_>),
) -> Verdict<HandshakeError> {
    let mut tx = WriteBuffer::new([0; 512]);
    for piece in pieces {
        *fed += rx.extend(piece);
        match server.receive(rx, &mut tx) {
            None => {}
            Some(ServerEvent::UpgradeRequest(head) | ServerEvent::OtherRequest(head)) => {
                check(Seen::Request(head));
                return Verdict::Whole { end: 0 };
            }
            Some(ServerEvent::Failed(failure)) => return refused(failure, &mut check),
            Some(event) => panic!("{event:?} before the end of the stream"),
        }
    }
    Verdict::Partial
}

fn read_response(
    mut client: ClientHandshake,
    rx: &mut ReadBuffer<[u8; MAX_INPUT]>,
    pieces: &[&[u8]],
    fed: &mut usize,
    mut check: impl FnMut(Seen<'_>),
) -> Verdict<HandshakeError> {
    for piece in pieces {
        *fed += rx.extend(piece);
        match client.receive(rx) {
            None => {}
            Some(ClientEvent::UpgradeResponse(head) | ClientEvent::Rejected(head)) => {
                check(Seen::Response(head));
                return Verdict::Whole { end: 0 };
            }
            Some(ClientEvent::Failed(failure)) => return refused(failure, &mut check),
            Some(event) => panic!("{event:?} before the end of the stream"),
        }
    }
    Verdict::Partial
}

/// Returns `true` for errors of the syntax and the limits, not of other rules.
fn refused(failure: Failure, check: &mut impl FnMut(Seen<'_>)) -> Verdict<HandshakeError> {
    use HandshakeError::{HeadTooLarge, HttpVersion, Malformed, TooManyHeaders};
    match failure {
        Failure::Handshake(error @ (HeadTooLarge | HttpVersion | Malformed | TooManyHeaders)) => {
            Verdict::Refused(error)
        }
        Failure::Handshake(_) => {
            check(Seen::Nothing);
            Verdict::Whole { end: 0 }
        }
        failure => panic!("{failure:?}"),
    }
}

fn config() -> Config {
    Config::new().with_max_head_size(MAX_HEAD_SIZE as u32).with_max_headers(MAX_HEADERS as u16)
}

/// Returns a client that has sent its request, with the key of RFC 6455 section 1.3.
fn connected() -> &'static ClientHandshake {
    static CONNECTED: OnceLock<ClientHandshake> = OnceLock::new();
    CONNECTED.get_or_init(|| {
        let mut client = ClientHandshake::new(&config());
        let mut entropy: fn(&mut [u8]) -> Result<(), EntropyError> = |bytes| {
            bytes.copy_from_slice(b"the sample nonce");
            Ok(())
        };
        let uri = Uri::parse("ws://example.com").expect("a good address");
        let request = ConnectRequest::new(&uri).with_subprotocols(&["chat"]);
        let mut tx = WriteBuffer::new([0; 512]);
        client.connect(&request, &mut entropy, &mut tx).expect("there is room");
        client
    })
}

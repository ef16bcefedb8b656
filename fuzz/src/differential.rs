//! Runs a stream through this crate and through published implementations. Panics at a difference,
//! unless it is in the list of known defects below.

use std::io::{self, Read, Write};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use arbitrary::Arbitrary;
use futures_util::StreamExt;
use sockless::MessageKind;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::model::drive::{Setup, open};
use crate::model::oracle::{Item, Rules};
use crate::model::stream::{Piece, encode};

/// A stream for one of the roles.
#[derive(Arbitrary, Debug)]
pub struct Stream {
    masked: bool,
    flip: Option<(u16, u8)>,
    pieces: Vec<Piece>,
}

/// The result of an implementation: the messages that it returned, and the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub messages: Vec<(MessageKind, Vec<u8>)>,
    pub end: End,
}

/// The end of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// A Close with this code.
    Closed(u16),
    /// The stream ended without a Close.
    Lost,
    /// The peer broke the protocol. The text is for people.
    Failed(String),
}

/// Runs all implementations.
pub fn compare(stream: &Stream) {
    let input = encode(&stream.pieces, stream.masked, stream.flip);
    judge(stream.masked, &input);
}

/// Returns the whole frames at the start of `bytes`, by their lengths alone. The other
/// implementations wait for a whole frame before they judge it, so they report less about an
/// incomplete frame.
fn whole_frames(bytes: &[u8]) -> &[u8] {
    let mut end = 0;
    while let Some(&[_, second, ref rest @ ..]) = bytes.get(end..) {
        let (len, at) = match (second & 0x7F, rest) {
            (126, &[a, b, ..]) => (u64::from(u16::from_be_bytes([a, b])), 4),
            (127, &[a, b, c, d, e, f, g, h, ..]) => {
                (u64::from_be_bytes([a, b, c, d, e, f, g, h]), 10)
            }
            (126 | 127, _) => break,
            (len, _) => (u64::from(len), 2),
        };
        let header = at + if second & 0x80 == 0 { 0 } else { 4 };
        match usize::try_from(len).ok().and_then(|len| len.checked_add(end + header)) {
            Some(next) if next <= bytes.len() => end = next,
            _ => break,
        }
    }
    &bytes[..end]
}

/// Compares the results for one stream.
pub fn judge(masked: bool, input: &[u8]) {
    let input = whole_frames(input);
    let ours = sockless(masked, input);
    let theirs = [
        ("tungstenite", tungstenite(masked, input)),
        ("tokio-websockets", tokio_websockets(masked, input)),
    ];
    for (name, theirs) in theirs {
        let same = match (&ours.end, &theirs.end) {
            (End::Failed(_), End::Failed(_)) => true,
            (ours, theirs) => ours == theirs,
        };
        if same && ours.messages == theirs.messages {
            continue;
        }
        assert!(
            known(name, &ours, &theirs).is_some(),
            "{name} says {theirs:?}\nwe say {ours:?}\nof {}",
            input.escape_ascii()
        );
    }
}

/// Returns the known defect of another implementation that explains a difference.
fn known(name: &str, ours: &Verdict, theirs: &Verdict) -> Option<&'static str> {
    let same = ours.messages == theirs.messages;
    Some(match (name, &ours.end, &theirs.end) {
        ("tungstenite", End::Closed(1014), End::Closed(1002)) if same => {
            "takes 1014, which IANA has registered, for a bad code"
        }
        ("tungstenite", End::Failed(reason), End::Closed(1002))
            if same && reason == "invalid close code" =>
        {
            "hands out a Close of 1002, which is its own answer, for one with a bad code"
        }
        ("tungstenite", End::Failed(reason), _)
            if [
                "payload length not in its shortest form",
                "control frame of more than 125 bytes",
            ]
            .contains(&reason.as_str())
                && theirs.messages.starts_with(&ours.messages) =>
        {
            "takes a length in any form, of control frames as well"
        }
        ("tokio-websockets", End::Failed(reason), _)
            if reason == "invalid UTF-8"
                && theirs.messages.starts_with(&ours.messages)
                && theirs
                    .messages
                    .get(ours.messages.len())
                    .is_some_and(ends_inside_a_character) =>
        {
            "hands out text that ends inside a character, where an empty frame ends the message"
        }
        _ => return None,
    })
}

fn ends_inside_a_character((kind, bytes): &(MessageKind, Vec<u8>)) -> bool {
    let error = std::str::from_utf8(bytes).err();
    *kind == MessageKind::Text && error.is_some_and(|error| error.error_len().is_none())
}

fn sockless(masked: bool, input: &[u8]) -> Verdict {
    let setup = Setup { rx: 1 << 17, tx: 1 << 12, ..Setup::MESSAGES };
    let run = open(masked, Rules::DEFAULT, setup, input, []).run;
    let mut verdict = Verdict { messages: Vec::new(), end: End::Lost };
    for item in run.items {
        match item {
            Item::Message(kind, bytes) => verdict.messages.push((kind, bytes)),
            Item::Close(code, _) => verdict.end = End::Closed(code),
            Item::Failed(violation) => verdict.end = End::Failed(violation.to_string()),
            _ => {}
        }
    }
    verdict
}

/// A stream with all its input, whose output nobody reads.
struct Memory<'a>(&'a [u8]);

impl Read for Memory<'_> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        self.0.read(space)
    }
}

impl Write for Memory<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncRead for Memory<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        space: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (piece, rest) = self.0.split_at(self.0.len().min(space.remaining()));
        space.put_slice(piece);
        self.0 = rest;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Memory<'_> {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn tungstenite(masked: bool, input: &[u8]) -> Verdict {
    use tungstenite::error::Error;
    use tungstenite::protocol::{Message, Role, WebSocket};

    let role = if masked { Role::Server } else { Role::Client };
    let mut ws = WebSocket::from_raw_socket(Memory(input), role, None);
    let mut messages = Vec::new();
    let mut close = None;
    let end = loop {
        match ws.read() {
            Ok(Message::Text(text)) => messages.push((MessageKind::Text, text.as_bytes().to_vec())),
            Ok(Message::Binary(bytes)) => messages.push((MessageKind::Binary, bytes.to_vec())),
            Ok(Message::Close(frame)) => {
                close = Some(frame.map_or(1005, |frame| u16::from(frame.code)));
            }
            Ok(_) => {}
            Err(error) => {
                break match (close, error) {
                    (Some(code), _) => End::Closed(code),
                    (None, Error::Protocol(error))
                        if error.to_string().contains("without closing handshake") =>
                    {
                        End::Lost
                    }
                    (None, Error::Io(_) | Error::ConnectionClosed) => End::Lost,
                    (None, error) => End::Failed(error.to_string()),
                };
            }
        }
    };
    Verdict { messages, end }
}

fn tokio_websockets(masked: bool, input: &[u8]) -> Verdict {
    use tokio_websockets::{ClientBuilder, Error, ServerBuilder};

    let stream = if masked {
        ServerBuilder::new().serve(Memory(input))
    } else {
        ClientBuilder::new().take_over(Memory(input))
    };
    let mut stream = pin!(stream);
    let mut messages = Vec::new();
    let mut close = None;
    let mut context = Context::from_waker(Waker::noop());
    let end = loop {
        // Memory never waits.
        let Poll::Ready(message) = stream.poll_next_unpin(&mut context) else {
            break End::Lost;
        };
        match message {
            Some(Ok(message)) => {
                if message.is_text() {
                    messages.push((MessageKind::Text, message.as_payload().to_vec()));
                } else if message.is_binary() {
                    messages.push((MessageKind::Binary, message.as_payload().to_vec()));
                } else if let Some((code, _)) = message.as_close() {
                    close = Some(u16::from(code));
                }
            }
            Some(Err(Error::Protocol(error))) => break End::Failed(error.to_string()),
            Some(Err(Error::PayloadTooLong { .. })) => break End::Failed("too long".to_string()),
            Some(Err(_)) | None => break close.map_or(End::Lost, End::Closed),
        }
    };
    Verdict { messages, end }
}

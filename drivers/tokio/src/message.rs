//! Messages, as they are sent and received.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use bytes::Bytes;
pub use sockless::CloseCode;
use sockless::MessageKind;

/// Size of the blocks in which a long payload is copied, in bytes.
///
/// C libraries copy longer ones by `rep movsb`. Some processors take more than ten times as long
/// for it if the destination lies 1 to 63 bytes behind the source within a page. A text in an
/// `Arc<str>` with pages of its own does: it begins 32 bytes into a page, and the payload that was
/// received after a header of 10 or 14 bytes, 26 or 30 bytes into one.
const BLOCK: usize = 2048;

/// The text of a message: UTF-8 that was validated once. A clone shares the memory.
///
/// ```
/// use sockless_tokio::Text;
///
/// let text = Text::from("Hello");
/// assert_eq!(text.clone().as_str(), "Hello");
/// assert_eq!(text.len(), 5); // it dereferences to `str`
/// ```
#[derive(Clone)]
pub struct Text(Memory);

#[derive(Clone)]
enum Memory {
    Static(&'static str),
    Shared(Arc<str>),
    /// A string keeps the memory that it has, and is copied in blocks.
    Long(Arc<String>),
}

impl Text {
    /// Creates a text that borrows static memory.
    #[must_use]
    pub const fn from_static(text: &'static str) -> Text {
        Text(Memory::Static(text))
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Memory::Static(text) => text,
            Memory::Shared(text) => text,
            Memory::Long(text) => text,
        }
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        self
    }
}

impl AsRef<[u8]> for Text {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl Borrow<str> for Text {
    fn borrow(&self) -> &str {
        self
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Text {
        if text.len() > BLOCK {
            return Text(Memory::Long(Arc::new(copy_text(text))));
        }
        Text(Memory::Shared(text.into()))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Text {
        if text.len() > BLOCK {
            return Text(Memory::Long(Arc::new(text)));
        }
        Text(Memory::Shared(text.into()))
    }
}

impl From<Arc<str>> for Text {
    fn from(text: Arc<str>) -> Text {
        Text(Memory::Shared(text))
    }
}

impl From<Text> for Bytes {
    fn from(text: Text) -> Bytes {
        match text.0 {
            Memory::Static(text) => Bytes::from_static(text.as_bytes()),
            Memory::Shared(_) | Memory::Long(_) => Bytes::from_owner(text),
        }
    }
}

impl TryFrom<&[u8]> for Text {
    type Error = std::str::Utf8Error;

    fn try_from(bytes: &[u8]) -> Result<Text, std::str::Utf8Error> {
        std::str::from_utf8(bytes).map(Text::from)
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Text) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Text {}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl std::hash::Hash for Text {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

/// A message or control frame, in memory of its own. A clone shares the memory.
///
/// ```
/// use sockless_tokio::Message;
///
/// assert_eq!(Message::text("Hello"), Message::from("Hello"));
/// assert_eq!(Message::binary(vec![1, 2]).payload(), [1, 2]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Message {
    /// A text message.
    Text(Text),
    /// A binary message.
    Binary(Bytes),
    /// A ping, of at most 125 bytes. The stream answers a received ping itself.
    Ping(Bytes),
    /// A pong, of at most 125 bytes.
    Pong(Bytes),
    /// A Close. The stream answers a received Close itself. `None` carries no status code.
    Close(Option<CloseFrame>),
}

/// The status code and the reason of a Close.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CloseFrame {
    /// The status code (RFC 6455 section 7.4).
    pub code: CloseCode,
    /// The reason, of at most 123 bytes; what is longer is cut when it is sent.
    pub reason: Text,
}

impl Message {
    /// Creates a text message.
    #[must_use]
    pub fn text(text: impl Into<Text>) -> Message {
        Message::Text(text.into())
    }

    /// Creates a binary message.
    #[must_use]
    pub fn binary(bytes: impl Into<Bytes>) -> Message {
        Message::Binary(bytes.into())
    }

    /// Returns the text of a text message.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Message::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the payload of a message, a ping or a pong, and the reason of a Close.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        match self {
            Message::Text(text) => text.as_bytes(),
            Message::Binary(bytes) | Message::Ping(bytes) | Message::Pong(bytes) => bytes,
            Message::Close(close) => close.as_ref().map_or(&[], |close| close.reason.as_bytes()),
        }
    }

    /// Returns `true` for a text or binary message.
    #[must_use]
    pub const fn is_data(&self) -> bool {
        matches!(self, Message::Text(_) | Message::Binary(_))
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Message {
        Message::text(text)
    }
}

impl From<String> for Message {
    fn from(text: String) -> Message {
        Message::text(text)
    }
}

impl From<Text> for Message {
    fn from(text: Text) -> Message {
        Message::Text(text)
    }
}

impl From<Bytes> for Message {
    fn from(bytes: Bytes) -> Message {
        Message::Binary(bytes)
    }
}

impl From<Vec<u8>> for Message {
    fn from(bytes: Vec<u8>) -> Message {
        Message::binary(bytes)
    }
}

/// A message or control frame in the read buffer of the stream that received it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'b> {
    /// A text message.
    Text(&'b str),
    /// A binary message.
    Binary(&'b [u8]),
    /// A ping. The stream has queued the pong.
    Ping(&'b [u8]),
    /// A pong.
    Pong(&'b [u8]),
    /// The peer's Close. The stream has queued the reply. With [`CloseCode::NO_STATUS_RECEIVED`] it
    /// carried no status code.
    Close(sockless::Close<'b>),
}

impl Event<'_> {
    /// Copies the event into memory of its own.
    #[must_use]
    pub fn to_message(&self) -> Message {
        match *self {
            Event::Text(text) => Message::text(text),
            Event::Binary(bytes) => Message::Binary(copy_bytes(bytes)),
            Event::Ping(payload) => Message::Ping(Bytes::copy_from_slice(payload)),
            Event::Pong(payload) => Message::Pong(Bytes::copy_from_slice(payload)),
            Event::Close(close) if close.code() == CloseCode::NO_STATUS_RECEIVED => {
                Message::Close(None)
            }
            Event::Close(close) => Message::Close(Some(CloseFrame {
                code: close.code(),
                reason: close.reason().into(),
            })),
        }
    }

    /// Returns the kind and the payload of a text or binary message.
    #[must_use]
    pub const fn data(&self) -> Option<(MessageKind, &[u8])> {
        match self {
            Event::Text(text) => Some((MessageKind::Text, text.as_bytes())),
            Event::Binary(bytes) => Some((MessageKind::Binary, bytes)),
            _ => None,
        }
    }
}

fn copy_bytes(bytes: &[u8]) -> Bytes {
    let mut copy = Vec::with_capacity(bytes.len());
    for block in bytes.chunks(BLOCK) {
        copy.extend_from_slice(block);
    }
    copy.into()
}

fn copy_text(mut text: &str) -> String {
    let mut copy = String::with_capacity(text.len());
    while text.len() > BLOCK {
        let end = (0..=BLOCK).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(text.len());
        let (block, rest) = text.split_at(end);
        copy.push_str(block);
        text = rest;
    }
    copy.push_str(text);
    copy
}

//! Sends one message to many connections.

use core::fmt;

use super::Sender;
use crate::Error;
use crate::buffer::{Storage, WriteBuffer};
#[cfg(feature = "deflate")]
use crate::deflate::{Context, DeflateConfig, Deflater, Flush, Pool, WindowBits};
#[cfg(feature = "deflate")]
use crate::frame::FrameHeader;
use crate::frame::MessageKind;
use crate::role::Role;

/// Represents a message for any number of connections. The message is validated once and compressed
/// once.
///
/// `B` contains the payload: `&str`, `String`, `&[u8]`, `Vec<u8>` or a similar type. To queue a
/// message for tasks or threads that own the connections, share an `Arc<Broadcast<String>>`.
///
/// [`Sender::broadcast`] writes the message as a single frame. With the feature `deflate`,
/// `compressed` adds a compressed form, for connections that keep no context between messages. A
/// `Broadcast` may borrow its payload, and must then be written while the payload lives. Tasks that
/// each own a [`Sender`] can queue the payload instead, such as an `Arc<str>`.
///
/// ```
/// use sockless::{Broadcast, Sender, WriteBuffer};
///
/// let news = Broadcast::text("Hello");
/// let mut connections = [const { (Sender::server(), WriteBuffer::new([0; 512])) }; 3];
/// for (sender, tx) in &mut connections {
///     sender.broadcast(&news, tx)?;
///     assert_eq!(tx.bytes(), b"\x81\x05Hello");
/// }
/// # Ok::<(), sockless::Error>(())
/// ```
#[derive(Clone)]
pub struct Broadcast<B> {
    kind: MessageKind,
    payload: B,
    /// Returns the bytes of the payload. For a text, these are the bytes of its `&str`.
    bytes: fn(&B) -> &[u8],
    /// The form for connections that share it, or `None` if each connection decides for itself.
    #[cfg(feature = "deflate")]
    shared: Option<Shared>,
}

/// The form of a message that connections without a context share.
#[cfg(feature = "deflate")]
#[derive(Clone)]
struct Shared {
    /// The window size to inflate the compressed payload.
    window: WindowBits,
    /// The compressed payload, or `None` if the message stays uncompressed.
    compressed: Option<alloc::vec::Vec<u8>>,
}

impl<B> fmt::Debug for Broadcast<B> {
    /// Shows the length of the payload, not its bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Broadcast({}, {} bytes)", self.kind, self.payload().len())
    }
}

impl<B> Broadcast<B> {
    /// Makes a text message.
    #[must_use]
    pub const fn text(text: B) -> Broadcast<B>
    where
        B: AsRef<str>,
    {
        Broadcast::new(MessageKind::Text, text, |text| text.as_ref().as_bytes())
    }

    /// Makes a binary message.
    #[must_use]
    pub const fn binary(bytes: B) -> Broadcast<B>
    where
        B: AsRef<[u8]>,
    {
        Broadcast::new(MessageKind::Binary, bytes, |bytes| bytes.as_ref())
    }

    /// Compresses the message with the level, memory level and threshold of `config` and with a
    /// window of `window`. The memory of the compressor is borrowed from `pool` and returned.
    ///
    /// A connection sends the compressed form only without context takeover in its sending
    /// direction, and with a window at least as large (RFC 7692 section 7.1). With context
    /// takeover, the connection's own compressor compresses the message. If the message is
    /// below the threshold of `config`, or does not become shorter, the connections without context
    /// takeover send it uncompressed.
    ///
    /// ```
    /// use sockless::deflate::{Context, DeflateConfig, DeflateParams, Pool, WindowBits};
    /// use sockless::{Broadcast, Sender, WriteBuffer};
    ///
    /// let (config, mut pool) = (DeflateConfig::DEFAULT, Pool::new(1));
    /// let quotes = "EURUSD 1.0841 ".repeat(100);
    /// let quotes = Broadcast::text(&quotes).compressed(&config, WindowBits::MAX, &mut pool);
    ///
    /// let params = DeflateParams { send: Context::PER_MESSAGE, receive: Context::FULL };
    /// let mut sender = Sender::server().with_deflate(params, &config);
    /// let mut tx = WriteBuffer::new([0; 512]);
    /// sender.broadcast(&quotes, &mut tx)?;
    /// assert!(tx.len() < 50);
    /// # Ok::<(), sockless::Error>(())
    /// ```
    #[cfg(feature = "deflate")]
    #[must_use]
    pub fn compressed(
        mut self,
        config: &DeflateConfig,
        window: WindowBits,
        pool: &mut Pool,
    ) -> Broadcast<B> {
        let payload = self.payload();
        if payload.len() < config.threshold() {
            self.shared = Some(Shared { window, compressed: None });
            return self;
        }
        let context = Context { window_bits: window, takeover: false };
        let mut deflater = Deflater::new(context, config);
        deflater.borrow_from(pool);
        let mut bytes = alloc::vec![0; deflater.bound(payload.len())];
        let progress = deflater.deflate(payload, &mut bytes, Flush::End);
        deflater.return_to(pool);
        let shorter =
            progress.step == crate::deflate::Step::End && progress.produced < payload.len();
        let compressed = shorter.then(|| {
            bytes.truncate(progress.produced);
            bytes.shrink_to_fit();
            bytes
        });
        self.shared = Some(Shared { window, compressed });
        self
    }

    /// Returns the kind of the message.
    #[must_use]
    pub const fn kind(&self) -> MessageKind {
        self.kind
    }

    /// Returns the payload, uncompressed.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        (self.bytes)(&self.payload)
    }

    const fn new(kind: MessageKind, payload: B, bytes: fn(&B) -> &[u8]) -> Broadcast<B> {
        Broadcast {
            kind,
            payload,
            bytes,
            #[cfg(feature = "deflate")]
            shared: None,
        }
    }
}

impl<R: Role> Sender<R> {
    /// Writes a message that is sent to many connections, as a single frame.
    ///
    /// # Errors
    /// Returns the errors of [`text`](Self::text).
    pub fn broadcast<B, S: Storage>(
        &mut self,
        message: &Broadcast<B>,
        tx: &mut WriteBuffer<S>,
    ) -> Result<(), Error> {
        #[cfg(feature = "deflate")]
        if let (Some(shared), Some(deflation)) = (&message.shared, &self.deflation) {
            if deflation.shares(shared.window) {
                self.may_begin(tx)?;
                let first = message.kind.opcode().first_byte(true);
                let Some(bytes) = &shared.compressed else {
                    return self.frame(first, message.payload(), tx);
                };
                self.frame(first | FrameHeader::RSV1 << 4, bytes, tx)?;
                if let Some(deflation) = &mut self.deflation {
                    deflation.count(message.payload().len(), bytes.len());
                }
                return Ok(());
            }
        }
        self.message(message.kind, message.payload(), tx)
    }
}

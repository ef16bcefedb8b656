//! Limits and choices of a connection.

use std::fmt;
use std::time::Duration;

use sockless::Config;
use sockless::deflate::{Context, DeflateConfig};
use sockless::keepalive::Timers;

/// Limits and choices of a connection, for servers and clients.
///
/// | option | default |
/// |---|---|
/// | [`handshake_timeout`](Self::handshake_timeout) | 10 s |
/// | [`ping_after`](Self::ping_after) | 30 s without a byte from the peer |
/// | [`pong_timeout`](Self::pong_timeout) | 20 s after a ping without a byte from the peer |
/// | [`idle_timeout`](Self::idle_timeout) | off |
/// | [`close_timeout`](Self::close_timeout) | 5 s |
/// | [`high_water`](Self::high_water) | 64 KiB of unsent bytes |
/// | [`config`](Self::config) | [`Config::default`]: messages of up to 64 MiB |
/// | [`compression`](Self::compression) | off |
///
/// ```
/// use std::time::Duration;
/// use sockless_tokio::Options;
///
/// let options = Options::new()
///     .ping_after(Some(Duration::from_secs(60)))
///     .idle_timeout(Some(Duration::from_secs(300)))
///     .subprotocols(["chat.v2", "chat.v1"]);
/// ```
#[derive(Clone)]
pub struct Options {
    pub(crate) config: Config,
    pub(crate) timers: Timers,
    pub(crate) high_water: usize,
    pub(crate) deflate: Option<DeflateConfig>,
    pub(crate) subprotocols: Vec<String>,
    pub(crate) origin: Option<String>,
    pub(crate) headers: Vec<(String, String)>,
}

impl Options {
    /// Creates the default options.
    #[must_use]
    pub fn new() -> Options {
        Options {
            config: Config::new(),
            timers: Timers::OFF
                .with_handshake_within(Some(10_000))
                .with_ping_after(Some(30_000))
                .with_pong_within(Some(20_000))
                .with_close_within(Some(5_000)),
            high_water: 64 << 10,
            deflate: None,
            subprotocols: Vec::new(),
            origin: None,
            headers: Vec::new(),
        }
    }

    /// Sets the limits of the protocol.
    #[must_use]
    pub const fn config(mut self, config: Config) -> Options {
        self.config = config;
        self
    }

    /// Sets the largest message that is received, in bytes. A message above it fails the connection
    /// with 1009. The same limit bounds what is read ahead while a send is blocked.
    #[must_use]
    pub fn max_message_size(mut self, bytes: u64) -> Options {
        self.config = self.config.with_max_message_size(bytes);
        self
    }

    /// Sets how long the opening handshake may take, with the response to a refused client. `None`
    /// turns the limit off.
    ///
    /// A refused handshake needs a runtime with time enabled even then, and panics without: a
    /// server waits up to 2 s for the client's end, and a client up to 1 s for the body. Neither
    /// wait may be without limit, and without it the response could be lost.
    #[must_use]
    pub fn handshake_timeout(mut self, limit: Option<Duration>) -> Options {
        self.timers = self.timers.with_handshake_within(limit.map(millis));
        self
    }

    /// Sets after how long a silence a ping is sent. `None` sends none. While the
    /// transport accepts nothing, no ping is sent, because it could not leave before what is
    /// [unsent](crate::WebSocketStream::unsent). [`pong_timeout`](Self::pong_timeout) runs even so.
    #[must_use]
    pub fn ping_after(mut self, silence: Option<Duration>) -> Options {
        self.timers = self.timers.with_ping_after(silence.map(millis));
        self
    }

    /// Sets how long after a ping was due the connection fails, if nothing arrives. `None` waits
    /// without limit.
    ///
    /// A full transport that accepts bytes again counts as a received byte, so a peer that reads
    /// slowly is not given up. The peer must read enough, though, that the transport accepts
    /// more bytes within [`ping_after`](Self::ping_after) and this limit together:
    ///
    /// - Linux accepts further bytes on a full TCP socket when about a third of the send buffer is
    ///   free, which can be more than 1 MiB. Set `SO_SNDBUF` to tens of KiB for peers that read a
    ///   few KiB a second.
    /// - Progress inside a buffer of the transport's own, such as TLS has, cannot be seen before
    ///   its flush ends.
    #[must_use]
    pub fn pong_timeout(mut self, limit: Option<Duration>) -> Options {
        self.timers = self.timers.with_pong_within(limit.map(millis));
        self
    }

    /// Sets after how long a silence the connection fails. `None` turns the limit off. A full
    /// transport that accepts bytes again ends the silence; see
    /// [`pong_timeout`](Self::pong_timeout) for peers that read slowly.
    #[must_use]
    pub fn idle_timeout(mut self, limit: Option<Duration>) -> Options {
        self.timers = self.timers.with_idle_within(limit.map(millis));
        self
    }

    /// Sets how long after our Close, or after a failed write, the connection ends at the latest.
    /// `None` turns the limit off. The limit starts when the Close is queued, and includes the time
    /// to write what was queued before it.
    #[must_use]
    pub fn close_timeout(mut self, limit: Option<Duration>) -> Options {
        self.timers = self.timers.with_close_within(limit.map(millis));
        self
    }

    /// Sets how many unsent bytes there may be before `feed` and `send` wait. A connection buffers
    /// at most this and one message for a peer that does not read.
    #[must_use]
    pub fn high_water(mut self, bytes: usize) -> Options {
        self.high_water = bytes.max(1);
        self
    }

    /// Agrees to permessage-deflate as a server, and offers it as a client. Without context
    /// takeover ([`DeflateConfig`]'s `send` and `receive`), the connections of a thread share the
    /// compressors.
    ///
    /// ```
    /// use sockless_tokio::{Options, deflate::DeflateConfig};
    ///
    /// let options = Options::new().compression(DeflateConfig::DEFAULT);
    /// ```
    #[must_use]
    pub fn compression(mut self, config: DeflateConfig) -> Options {
        self.deflate = Some(config);
        self
    }

    /// Agrees to permessage-deflate, or offers it, without context between messages: an idle
    /// connection owns no compressor.
    #[must_use]
    pub fn shared_compression(self) -> Options {
        self.compression(
            DeflateConfig::DEFAULT
                .with_send(Context::PER_MESSAGE)
                .with_receive(Context::PER_MESSAGE),
        )
    }

    /// Sets the subprotocols, the preferred first: those that a client offers, and those of which a
    /// server chooses the first that the client offers, unless its
    /// [`Acceptance`](crate::Acceptance) names one.
    #[must_use]
    pub fn subprotocols<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Options {
        self.subprotocols = names.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the `Origin` that a client sends.
    #[must_use]
    pub fn origin(mut self, origin: impl Into<String>) -> Options {
        self.origin = Some(origin.into());
        self
    }

    /// Adds a header to a client's request.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Options {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Capacity of a read buffer: the largest message, and the largest control frame between two of
    /// its fragments. A quarter more, because messages that are read ahead do not move to the front
    /// for less than a quarter of their length.
    pub(crate) fn read_limit(&self) -> usize {
        let message = usize::try_from(self.config.max_message_size()).unwrap_or(usize::MAX);
        let ahead = message.saturating_add(2 * sockless::READ_BUFFER_MIN);
        let head = self.config.max_head_size() as usize;
        ahead.saturating_add(ahead / 4).max(head).min(isize::MAX as usize)
    }
}

impl fmt::Debug for Options {
    /// Leaves out subprotocols, the origin and headers: they may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("config", &self.config)
            .field("timers", &self.timers)
            .field("high_water", &self.high_water)
            .field("deflate", &self.deflate)
            .field("subprotocols", &self.subprotocols.len())
            .field("origin", &self.origin.is_some())
            .field("headers", &self.headers.len())
            .finish()
    }
}

impl Default for Options {
    fn default() -> Options {
        Options::new()
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX - 1)
}

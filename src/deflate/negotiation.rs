//! What the two ends agree on (RFC 7692 sections 5 and 7.1).
//!
//! Pure functions between a configuration and the elements of an extension list, for both roles and for any transport
//! that carries header values. The configuration speaks of what *we* send and receive; the wire speaks of server and
//! client. A server's [`DeflateConfig::accept_offer`] and a client's [`DeflateConfig::accept_response`] are where the two meet.

use core::fmt;

use crate::extensions::{Extension, ExtensionSyntaxError, Value};

/// The name under which the extension is registered.
pub const NAME: &str = "permessage-deflate";

const SERVER_NO_CONTEXT_TAKEOVER: &str = "server_no_context_takeover";
const CLIENT_NO_CONTEXT_TAKEOVER: &str = "client_no_context_takeover";
const SERVER_MAX_WINDOW_BITS: &str = "server_max_window_bits";
const CLIENT_MAX_WINDOW_BITS: &str = "client_max_window_bits";

/// The base-2 logarithm of the size of an LZ77 window, 8 to 15 (RFC 7692 section 7.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WindowBits(u8);

impl WindowBits {
    /// The smallest window, 256 bytes.
    pub const MIN: Self = Self(8);
    /// The largest window, 32 KiB; what holds where nothing is said.
    pub const MAX: Self = Self(15);

    /// Checks the range.
    #[must_use]
    pub const fn new(bits: u8) -> Option<Self> {
        match bits {
            8..=15 => Some(Self(bits)),
            _ => None,
        }
    }

    /// The number.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// As the wire has it: decimal, no leading zero.
    fn parse(value: Value<'_>) -> Option<Self> {
        let mut digits = value.chars();
        let (tens, digit) = match (digits.next()?, digits.next(), digits.next()) {
            (digit @ '8'..='9', None, None) => (0, digit),
            ('1', Some(digit @ '0'..='5'), None) => (10, digit),
            _ => return None,
        };
        let bits = u8::try_from(tens + digit.to_digit(10)?).ok()?;
        Self::new(bits)
    }

    fn decimal(self) -> &'static str {
        match self.0 {
            8 => "8",
            9 => "9",
            10 => "10",
            11 => "11",
            12 => "12",
            13 => "13",
            14 => "14",
            _ => "15",
        }
    }
}

impl Default for WindowBits {
    fn default() -> Self {
        Self::MAX
    }
}

#[cfg(feature = "arbitrary")]
impl<'a> arbitrary::Arbitrary<'a> for WindowBits {
    fn arbitrary(source: &mut arbitrary::Unstructured<'a>) -> arbitrary::Result<Self> {
        source.int_in_range(Self::MIN.0..=Self::MAX.0).map(Self)
    }
}

/// How one direction is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct Context {
    /// The largest window that the sender may use.
    ///
    /// A sender that is held to 8 compresses repeated bytes only: that stays inside 256 bytes, which DEFLATE libraries
    /// cannot promise for their usual matching (RFC 7692 section 7.1.2 leaves the way open).
    pub window_bits: WindowBits,
    /// Whether a message may refer to the messages before it. It compresses similar small messages much better, and
    /// costs both ends a window per connection, idle or not.
    pub takeover: bool,
}

impl Context {
    /// The largest window, kept from message to message: what RFC 7692 means where nothing is said.
    pub const FULL: Self = Self { window_bits: WindowBits::MAX, takeover: true };

    /// The largest window, forgotten behind each message, so that its memory need not belong to the connection.
    pub const PER_MESSAGE: Self = Self { window_bits: WindowBits::MAX, takeover: false };
}

impl Default for Context {
    fn default() -> Self {
        Self::FULL
    }
}

/// What this end is ready to do: a ceiling that no offer and no answer lifts.
///
/// ```
/// use sockless::deflate::{Context, DeflateConfig};
///
/// // Memory only while a message is compressed or inflated; a bomb of more than 200:1 ends the connection.
/// let config = DeflateConfig::default()
///     .with_send(Context::PER_MESSAGE)
///     .with_receive(Context::PER_MESSAGE)
///     .with_max_ratio(Some(200));
/// assert!(config.offer().as_str().starts_with("permessage-deflate; "));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct DeflateConfig {
    pub(super) send: Context,
    pub(super) receive: Context,
    pub(super) level: u8,
    pub(super) memory_level: u8,
    pub(super) threshold: usize,
    pub(super) max_ratio: Option<u32>,
}

impl DeflateConfig {
    /// The default: full context in both directions, level 6, memory level 8, a threshold of 64 bytes, no ratio limit.
    pub const DEFAULT: Self = Self {
        send: Context::FULL,
        receive: Context::FULL,
        level: 6,
        memory_level: 8,
        threshold: 64,
        max_ratio: None,
    };

    /// Sets the ceiling for what we compress.
    #[must_use]
    pub const fn with_send(mut self, send: Context) -> Self {
        self.send = send;
        self
    }

    /// Sets the ceiling for what the peer compresses. A ceiling below [`Context::FULL`] is demanded of
    /// the peer: a client asks for it and fails a response without it, a server declines an offer that
    /// does not allow it.
    #[must_use]
    pub const fn with_receive(mut self, receive: Context) -> Self {
        self.receive = receive;
        self
    }

    /// Sets the effort of compression, from 0 (none) to 9 (most); more than 9 counts as 9.
    #[must_use]
    pub const fn with_level(mut self, level: u8) -> Self {
        self.level = level;
        self
    }

    /// Sets the memory for compression, from 1 (least) to 9 (fastest); other values count as the nearest.
    #[must_use]
    pub const fn with_memory_level(mut self, memory_level: u8) -> Self {
        self.memory_level = memory_level;
        self
    }

    /// Sets the length in bytes from which messages are compressed. Compressing shorter ones costs more
    /// than it saves. A message sent in parts counts as long, because its length is not known.
    #[must_use]
    pub const fn with_threshold(mut self, threshold: usize) -> Self {
        self.threshold = threshold;
        self
    }

    /// Sets the largest ratio of inflated to received bytes of a message, against decompression bombs.
    /// The limit on the length of messages holds beside it. DEFLATE itself cannot exceed about 1032.
    /// With `None` there is no such limit.
    ///
    /// The ratio is judged while inflating, for each 4 KiB of compressed input begun, so a message may
    /// always inflate to 4 KiB times this ratio; see [`Inflater`](super::Inflater).
    #[must_use]
    pub const fn with_max_ratio(mut self, max_ratio: Option<u32>) -> Self {
        self.max_ratio = max_ratio;
        self
    }

    /// Returns the ceiling for what we compress.
    #[must_use]
    pub const fn send(&self) -> Context {
        self.send
    }

    /// Returns the ceiling for what the peer compresses.
    #[must_use]
    pub const fn receive(&self) -> Context {
        self.receive
    }

    /// Returns the effort of compression.
    #[must_use]
    pub const fn level(&self) -> u8 {
        self.level
    }

    /// Returns the memory level.
    #[must_use]
    pub const fn memory_level(&self) -> u8 {
        self.memory_level
    }

    /// Returns the length in bytes from which messages are compressed.
    #[must_use]
    pub const fn threshold(&self) -> usize {
        self.threshold
    }

    /// Returns the largest ratio of inflated to received bytes of a message.
    #[must_use]
    pub const fn max_ratio(&self) -> Option<u32> {
        self.max_ratio
    }

    /// The client's offer: the value of one `Sec-WebSocket-Extensions` line.
    ///
    /// It says that we heed `client_max_window_bits`, with our ceiling if there is one, and demands what
    /// [`with_receive`](Self::with_receive) holds the server to.
    #[must_use]
    pub fn offer(&self) -> HeaderValue {
        let mut value = HeaderValue::new();
        if !self.receive.takeover {
            value.flag(SERVER_NO_CONTEXT_TAKEOVER);
        }
        if !self.send.takeover {
            value.flag(CLIENT_NO_CONTEXT_TAKEOVER);
        }
        if self.receive.window_bits < WindowBits::MAX {
            value.bits(SERVER_MAX_WINDOW_BITS, self.receive.window_bits);
        }
        if self.send.window_bits < WindowBits::MAX {
            value.bits(CLIENT_MAX_WINDOW_BITS, self.send.window_bits);
        } else {
            value.flag(CLIENT_MAX_WINDOW_BITS);
        }
        value
    }

    /// Returns the client's offer in another shape: the value of one `Sec-WebSocket-Extensions` line.
    #[must_use]
    pub fn shaped_offer(&self, shape: OfferShape) -> HeaderValue {
        match shape {
            OfferShape::Parameters => self.offer(),
            OfferShape::Bare => HeaderValue::new(),
            OfferShape::WithFallback => {
                let mut value = self.offer();
                value.push(", ");
                value.push(NAME);
                value
            }
        }
    }

    /// Judges the server's answer to an offer of this shape as [`accept_response`](Self::accept_response) does. A
    /// bare offer demands nothing, so an answer to it may leave the peer a full context.
    ///
    /// # Errors
    ///
    /// Returns the [`NegotiationError`] of an answer that is malformed, or that no element of the offer
    /// allows.
    pub fn accept_shaped_response<'a, R>(
        &self,
        shape: OfferShape,
        response: R,
    ) -> Result<Option<DeflateParams>, NegotiationError>
    where
        R: IntoIterator<Item = Result<Extension<'a>, ExtensionSyntaxError>>,
    {
        self.conclude_by(response, |extension| match shape {
            OfferShape::Parameters => self.judge(extension),
            OfferShape::Bare => self.judge_bare(extension),
            OfferShape::WithFallback => {
                self.judge(extension).or_else(|_| self.judge_bare(extension))
            }
        })
    }

    /// The server's choice: the first offer in the list that this configuration can meet, in the client's order of
    /// preference. `None` declines compression, and no header is sent.
    ///
    /// # Errors
    ///
    /// The list breaks the grammar, in or behind the chosen offer: the handshake fails (RFC 6455 section 9.1).
    pub fn negotiate<'a, O>(&self, offers: O) -> Result<Option<Negotiated>, ExtensionSyntaxError>
    where
        O: IntoIterator<Item = Result<Extension<'a>, ExtensionSyntaxError>>,
    {
        let mut answer = None;
        for offer in offers {
            let offer = offer?;
            if answer.is_none() {
                answer = self.accept_offer(&offer);
            }
        }
        Ok(answer)
    }

    /// The server's answer to one offer, or `None` to decline it: another extension, a parameter that is unknown,
    /// repeated or invalid (RFC 7692 section 7), or a demand beyond the configuration.
    #[must_use]
    pub fn accept_offer(&self, offer: &Extension<'_>) -> Option<Negotiated> {
        let wire = Wire::parse(offer)?;
        let mut header = HeaderValue::new();

        // Section 7.1.1.1: what the client demands we promise, and we may promise it unasked.
        let send_takeover = self.send.takeover && !wire.server_no_context_takeover;
        if !send_takeover {
            header.flag(SERVER_NO_CONTEXT_TAKEOVER);
        }
        // Section 7.1.1.2: we may demand it unasked. Where the client only hints that it keeps no context, saying so
        // in the answer makes it binding, and our window can go.
        let receive_takeover = self.receive.takeover && !wire.client_no_context_takeover;
        if !receive_takeover {
            header.flag(CLIENT_NO_CONTEXT_TAKEOVER);
        }
        // Section 7.1.2.1: it may be answered unasked, but some clients refuse that, and a smaller window than the one
        // agreed is always allowed to the sender.
        let send_bits = match wire.server_max_window_bits {
            Bits::Absent => self.send.window_bits,
            Bits::NoValue => return None,
            Bits::Most(bits) => {
                let bits = bits.min(self.send.window_bits);
                header.bits(SERVER_MAX_WINDOW_BITS, bits);
                bits
            }
        };
        // Section 7.1.2.2: it may be answered only if it was offered, so a client that did not cannot be held to a
        // smaller window.
        let receive_bits = match wire.client_max_window_bits {
            Bits::Absent if self.receive.window_bits < WindowBits::MAX => return None,
            Bits::Absent => WindowBits::MAX,
            Bits::NoValue => self.receive.window_bits,
            Bits::Most(bits) => bits.min(self.receive.window_bits),
        };
        if receive_bits < WindowBits::MAX {
            header.bits(CLIENT_MAX_WINDOW_BITS, receive_bits);
        }

        Some(Negotiated {
            agreement: DeflateParams {
                send: Context { window_bits: send_bits, takeover: send_takeover },
                receive: Context { window_bits: receive_bits, takeover: receive_takeover },
            },
            header,
        })
    }

    /// The client's judgement of the server's answer to [`offer`](Self::offer): what was agreed, or `None` if the
    /// server declined. The list holds every `Sec-WebSocket-Extensions` line of the response; no other extension may
    /// stand in it.
    ///
    /// # Errors
    ///
    /// The answer is malformed, or is none that this offer allows: the connection fails (RFC 7692 section 7.1).
    pub fn accept_response<'a, R>(
        &self,
        response: R,
    ) -> Result<Option<DeflateParams>, NegotiationError>
    where
        R: IntoIterator<Item = Result<Extension<'a>, ExtensionSyntaxError>>,
    {
        self.conclude_by(response, |extension| self.judge(extension))
    }

    fn conclude_by<'a, R>(
        &self,
        response: R,
        judge: impl Fn(&Extension<'a>) -> Result<DeflateParams, NegotiationError>,
    ) -> Result<Option<DeflateParams>, NegotiationError>
    where
        R: IntoIterator<Item = Result<Extension<'a>, ExtensionSyntaxError>>,
    {
        let mut agreement = None;
        for extension in response {
            let extension = extension.map_err(|ExtensionSyntaxError| NegotiationError::Syntax)?;
            if extension.name() != NAME {
                return Err(NegotiationError::NotOffered);
            }
            if agreement.is_some() {
                return Err(NegotiationError::Repeated);
            }
            agreement = Some(judge(&extension)?);
        }
        Ok(agreement)
    }

    /// Judges an answer to the name alone. RFC 7692 7.1.2.2: `client_max_window_bits` may be in the
    /// answer only if it was in the offer.
    fn judge_bare(&self, response: &Extension<'_>) -> Result<DeflateParams, NegotiationError> {
        if response.parameters().any(|parameter| parameter.name() == CLIENT_MAX_WINDOW_BITS) {
            return Err(NegotiationError::Parameter);
        }
        self.with_receive(Context::FULL).judge(response)
    }

    fn judge(&self, response: &Extension<'_>) -> Result<DeflateParams, NegotiationError> {
        let wire = Wire::parse(response).ok_or(NegotiationError::Parameter)?;

        // Section 7.1.1.1: a server that accepts our demand repeats it. It may promise it unasked.
        if !self.receive.takeover && !wire.server_no_context_takeover {
            return Err(NegotiationError::NotMet);
        }
        // Section 7.1.2.1: likewise, with a window no larger than asked.
        let receive_bits = match wire.server_max_window_bits {
            Bits::Absent => WindowBits::MAX,
            Bits::NoValue => return Err(NegotiationError::Parameter),
            Bits::Most(bits) => bits,
        };
        if receive_bits > self.receive.window_bits {
            return Err(NegotiationError::NotMet);
        }
        // Section 7.1.2.2: our offer holds this parameter always, so the answer may; no larger than we said.
        let send_bits = match wire.client_max_window_bits {
            Bits::Absent => self.send.window_bits,
            Bits::NoValue => return Err(NegotiationError::Parameter),
            Bits::Most(bits) if bits > self.send.window_bits => {
                return Err(NegotiationError::NotMet);
            }
            Bits::Most(bits) => bits,
        };

        Ok(DeflateParams {
            send: Context {
                window_bits: send_bits,
                takeover: self.send.takeover && !wire.client_no_context_takeover,
            },
            receive: Context {
                window_bits: receive_bits,
                takeover: !wire.server_no_context_takeover,
            },
        })
    }
}

/// The shape of a client's offer (RFC 7692 section 7.1.3). Some servers refuse or drop offers with
/// parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[non_exhaustive]
pub enum OfferShape {
    /// One element with the parameters that the configuration asks for.
    #[default]
    Parameters,
    /// The name alone. The peer may use the largest window and keep its context.
    Bare,
    /// The element with parameters, then the name alone for a server that declines the first.
    WithFallback,
}

impl Default for DeflateConfig {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// What was agreed, as seen from this end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct DeflateParams {
    /// How we compress.
    pub send: Context,
    /// How the peer compresses.
    pub receive: Context,
}

/// The server's answer to an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Negotiated {
    /// What holds from now on.
    pub agreement: DeflateParams,
    /// The value of the `Sec-WebSocket-Extensions` line that tells the client.
    pub header: HeaderValue,
}

/// Why a client refuses the server's answer. The handshake fails; where a Close frame can still be sent its code is
/// 1010 for [`NotMet`](Self::NotMet).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NegotiationError {
    /// The list breaks the grammar of RFC 6455 section 9.1.
    Syntax,
    /// An extension that was not offered.
    NotOffered,
    /// The extension is answered twice.
    Repeated,
    /// A parameter that is unknown, repeated or invalid.
    Parameter,
    /// What we demanded is missing, or more than we offered is asked of us.
    NotMet,
}

impl fmt::Display for NegotiationError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Syntax => "malformed list of extensions (RFC 6455 section 9.1)",
            Self::NotOffered => "the server answered an extension that was not offered",
            Self::Repeated => "the server answered permessage-deflate twice",
            Self::Parameter => "invalid parameter of permessage-deflate (RFC 7692 section 7.1)",
            Self::NotMet => "the server's permessage-deflate does not meet the offer",
        })
    }
}

impl core::error::Error for NegotiationError {}

/// A header value that was written here; at most [`HeaderValue::MAX_LEN`] bytes of ASCII.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct HeaderValue {
    bytes: [u8; Self::MAX_LEN],
    length: u8,
}

impl HeaderValue {
    /// The longest value: the name and all four parameters, both windows with two digits, and the
    /// name again as a fallback.
    pub const MAX_LEN: usize = NAME.len()
        + ", ".len()
        + NAME.len()
        + "; ".len()
        + SERVER_NO_CONTEXT_TAKEOVER.len()
        + "; ".len()
        + CLIENT_NO_CONTEXT_TAKEOVER.len()
        + "; ".len()
        + SERVER_MAX_WINDOW_BITS.len()
        + "=15".len()
        + "; ".len()
        + CLIENT_MAX_WINDOW_BITS.len()
        + "=15".len();

    fn new() -> Self {
        let mut value = Self { bytes: [0; Self::MAX_LEN], length: 0 };
        value.push(NAME);
        value
    }

    fn flag(&mut self, name: &str) {
        self.push("; ");
        self.push(name);
    }

    fn bits(&mut self, name: &str, bits: WindowBits) {
        self.flag(name);
        self.push("=");
        self.push(bits.decimal());
    }

    fn push(&mut self, text: &str) {
        let free = self.bytes.iter_mut().skip(usize::from(self.length));
        for (place, byte) in free.zip(text.bytes()) {
            *place = byte;
            self.length = self.length.saturating_add(1);
        }
    }

    /// The value.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }

    /// The value.
    #[must_use]
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }
}

impl AsRef<[u8]> for HeaderValue {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl fmt::Display for HeaderValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl fmt::Debug for HeaderValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), formatter)
    }
}

/// The parameters as the wire has them, syntax checked.
#[derive(Default)]
struct Wire {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Bits,
    client_max_window_bits: Bits,
}

#[derive(Default, PartialEq)]
enum Bits {
    #[default]
    Absent,
    NoValue,
    Most(WindowBits),
}

impl Wire {
    /// `None` for another extension, and for a parameter that is unknown, repeated or invalid (section 7.1).
    fn parse(extension: &Extension<'_>) -> Option<Self> {
        if extension.name() != NAME {
            return None;
        }
        let mut wire = Self::default();
        for parameter in extension.parameters() {
            match parameter.name() {
                SERVER_NO_CONTEXT_TAKEOVER => {
                    flag(&mut wire.server_no_context_takeover, parameter.value())?;
                }
                CLIENT_NO_CONTEXT_TAKEOVER => {
                    flag(&mut wire.client_no_context_takeover, parameter.value())?;
                }
                SERVER_MAX_WINDOW_BITS => {
                    bits(&mut wire.server_max_window_bits, parameter.value())?;
                }
                CLIENT_MAX_WINDOW_BITS => {
                    bits(&mut wire.client_max_window_bits, parameter.value())?;
                }
                _ => return None,
            }
        }
        Some(wire)
    }
}

/// A parameter without a value, once.
fn flag(flag: &mut bool, value: Option<Value<'_>>) -> Option<()> {
    if *flag || value.is_some() {
        return None;
    }
    *flag = true;
    Some(())
}

/// A number of bits, or a name alone, once.
fn bits(bits: &mut Bits, value: Option<Value<'_>>) -> Option<()> {
    if *bits != Bits::Absent {
        return None;
    }
    *bits = match value {
        None => Bits::NoValue,
        Some(value) => Bits::Most(WindowBits::parse(value)?),
    };
    Some(())
}

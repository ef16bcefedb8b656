//! Negotiates permessage-deflate (RFC 7692 sections 5 and 7.1).
//!
//! The functions are pure. They map a configuration and the elements of an extension list to an
//! agreement, for both roles and any transport that carries header values. The configuration names
//! what this end sends and receives; the wire names server and client.
//! [`DeflateConfig::accept_offer`] translates for a server, and [`DeflateConfig::accept_response`]
//! for a client.

use core::fmt;

use super::config::{Context, DeflateConfig, OfferShape, WindowBits};
use crate::extensions::{Extension, ExtensionSyntaxError, Value};

/// The registered name of the extension.
pub const NAME: &str = "permessage-deflate";

const SERVER_NO_CONTEXT_TAKEOVER: &str = "server_no_context_takeover";
const CLIENT_NO_CONTEXT_TAKEOVER: &str = "client_no_context_takeover";
const SERVER_MAX_WINDOW_BITS: &str = "server_max_window_bits";
const CLIENT_MAX_WINDOW_BITS: &str = "client_max_window_bits";

impl DeflateConfig {
    /// Returns the client's offer: the value of one `Sec-WebSocket-Extensions` line.
    ///
    /// The offer always has `client_max_window_bits`, with a value if this end limits its window.
    /// It also has each demand of [`with_receive`](Self::with_receive).
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

    /// Returns the client's offer in another shape: the value of one `Sec-WebSocket-Extensions`
    /// line.
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

    /// Checks the server's response to an offer of this shape; see
    /// [`accept_response`](Self::accept_response). A bare offer demands nothing, so the response
    /// may leave the peer a full context.
    ///
    /// # Errors
    /// Returns a [`NegotiationError`] if the response is malformed, or if no element of the offer
    /// allows it.
    pub fn accept_shaped_response<'a, R>(
        &self,
        shape: OfferShape,
        response: R,
    ) -> Result<Option<DeflateParams>, NegotiationError>
    where
        R: IntoIterator<Item = Result<Extension<'a>, ExtensionSyntaxError>>,
    {
        self.check_each(response, |extension| match shape {
            OfferShape::Parameters => self.check(extension),
            OfferShape::Bare => self.check_bare(extension),
            OfferShape::WithFallback => {
                self.check(extension).or_else(|_| self.check_bare(extension))
            }
        })
    }

    /// Accepts the first offer of the list that this configuration can meet, in the client's order
    /// of preference. Returns `None` to decline; the response then has no extension header.
    ///
    /// # Errors
    /// Returns [`ExtensionSyntaxError`] if any element of the list breaks the grammar. The
    /// handshake then fails (RFC 6455 section 9.1).
    pub fn negotiate<'a, O>(&self, offers: O) -> Result<Option<Negotiated>, ExtensionSyntaxError>
    where
        O: IntoIterator<Item = Result<Extension<'a>, ExtensionSyntaxError>>,
    {
        let mut accepted = None;
        for offer in offers {
            let offer = offer?;
            if accepted.is_none() {
                accepted = self.accept_offer(&offer);
            }
        }
        Ok(accepted)
    }

    /// Accepts one offer as a server, or returns `None` to decline it.
    ///
    /// An offer is declined if it names another extension, or demands what the configuration
    /// forbids. It is also declined for an unknown, repeated or invalid parameter (RFC 7692
    /// section 7).
    #[must_use]
    pub fn accept_offer(&self, offer: &Extension<'_>) -> Option<Negotiated> {
        let wire = Wire::parse(offer)?;
        let mut header = HeaderValue::new();

        // RFC 7692 section 7.1.1.1: a server that accepts the demand must repeat it, and may
        // promise it unasked.
        let send_takeover = self.send.takeover && !wire.server_no_context_takeover;
        if !send_takeover {
            header.flag(SERVER_NO_CONTEXT_TAKEOVER);
        }
        // RFC 7692 section 7.1.1.2: a server may demand this unasked. In an offer it is only a
        // hint. The response makes it binding, so that the server can free its window.
        let receive_takeover = self.receive.takeover && !wire.client_no_context_takeover;
        if !receive_takeover {
            header.flag(CLIENT_NO_CONTEXT_TAKEOVER);
        }
        // RFC 7692 section 7.1.2.1: a server may send this unasked, but some clients refuse it. A
        // sender may always use a smaller window than agreed.
        let send_bits = match wire.server_max_window_bits {
            Bits::Absent => self.send.window_bits,
            Bits::NoValue => return None,
            Bits::AtMost(bits) => {
                let bits = bits.min(self.send.window_bits);
                header.bits(SERVER_MAX_WINDOW_BITS, bits);
                bits
            }
        };
        // RFC 7692 section 7.1.2.2: the response may have this only if the offer has it. A client
        // that did not offer it cannot be limited to a smaller window.
        let receive_bits = match wire.client_max_window_bits {
            Bits::Absent if self.receive.window_bits < WindowBits::MAX => return None,
            Bits::Absent => WindowBits::MAX,
            Bits::NoValue => self.receive.window_bits,
            Bits::AtMost(bits) => bits.min(self.receive.window_bits),
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

    /// Checks the server's response to [`offer`](Self::offer). Returns the agreement, or `None` if
    /// the server declined.
    ///
    /// The list has every `Sec-WebSocket-Extensions` line of the response. It may name no other
    /// extension.
    ///
    /// # Errors
    /// Returns a [`NegotiationError`] if the response is malformed, or if the offer does not allow
    /// it. The connection then fails (RFC 7692 section 7.1).
    pub fn accept_response<'a, R>(
        &self,
        response: R,
    ) -> Result<Option<DeflateParams>, NegotiationError>
    where
        R: IntoIterator<Item = Result<Extension<'a>, ExtensionSyntaxError>>,
    {
        self.check_each(response, |extension| self.check(extension))
    }

    fn check_each<'a, R>(
        &self,
        response: R,
        check: impl Fn(&Extension<'a>) -> Result<DeflateParams, NegotiationError>,
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
            agreement = Some(check(&extension)?);
        }
        Ok(agreement)
    }

    /// Checks a response to an offer without parameters. RFC 7692 section 7.1.2.2: the response may
    /// have `client_max_window_bits` only if the offer had it.
    fn check_bare(&self, response: &Extension<'_>) -> Result<DeflateParams, NegotiationError> {
        if response.parameters().any(|parameter| parameter.name() == CLIENT_MAX_WINDOW_BITS) {
            return Err(NegotiationError::Parameter);
        }
        self.with_receive(Context::FULL).check(response)
    }

    fn check(&self, response: &Extension<'_>) -> Result<DeflateParams, NegotiationError> {
        let wire = Wire::parse(response).ok_or(NegotiationError::Parameter)?;

        // RFC 7692 section 7.1.1.1: a server that accepts the demand repeats it, and may promise it
        // unasked.
        if !self.receive.takeover && !wire.server_no_context_takeover {
            return Err(NegotiationError::NotMet);
        }
        // RFC 7692 section 7.1.2.1: a server that accepts the demand sends a window that is not
        // larger than the demanded one.
        let receive_bits = match wire.server_max_window_bits {
            Bits::Absent => WindowBits::MAX,
            Bits::NoValue => return Err(NegotiationError::Parameter),
            Bits::AtMost(bits) => bits,
        };
        if receive_bits > self.receive.window_bits {
            return Err(NegotiationError::NotMet);
        }
        // RFC 7692 section 7.1.2.2: the offer always has this, so the response may have it too,
        // with a window that is not larger than the offered one.
        let send_bits = match wire.client_max_window_bits {
            Bits::Absent => self.send.window_bits,
            Bits::NoValue => return Err(NegotiationError::Parameter),
            Bits::AtMost(bits) if bits > self.send.window_bits => {
                return Err(NegotiationError::NotMet);
            }
            Bits::AtMost(bits) => bits,
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

/// The agreed parameters, as seen from this end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct DeflateParams {
    /// The compression of this end's messages.
    pub send: Context,
    /// The compression of the peer's messages.
    pub receive: Context,
}

/// A server's response to an accepted offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Negotiated {
    /// The agreed parameters.
    pub agreement: DeflateParams,
    /// The value of the `Sec-WebSocket-Extensions` line of the response.
    pub header: HeaderValue,
}

/// A reason for a client to refuse the server's response. The handshake fails.
///
/// If a Close frame can still be sent, its code is 1010 for [`NotMet`](Self::NotMet).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NegotiationError {
    /// The list breaks the grammar of RFC 6455 section 9.1.
    Syntax,
    /// The response names an extension that was not offered.
    NotOffered,
    /// The response names the extension twice.
    Repeated,
    /// A parameter is unknown, repeated or invalid.
    Parameter,
    /// The response lacks a demanded parameter, or demands more than was offered.
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

/// A value of `Sec-WebSocket-Extensions`: at most [`HeaderValue::MAX_LEN`] bytes of ASCII.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct HeaderValue {
    bytes: [u8; Self::MAX_LEN],
    length: u8,
}

impl HeaderValue {
    /// Length in bytes of the longest value: the name, all four parameters, both windows with two
    /// digits, and the name again as a fallback.
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

    /// Returns the value as bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }

    /// Returns the value as text.
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

/// The parameters of one extension element, with valid syntax.
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
    AtMost(WindowBits),
}

impl Wire {
    /// Parses the parameters. Returns `None` for another extension, and for an unknown, repeated or
    /// invalid parameter (RFC 7692 section 7.1).
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

/// Accepts a parameter without a value once.
fn flag(flag: &mut bool, value: Option<Value<'_>>) -> Option<()> {
    if *flag || value.is_some() {
        return None;
    }
    *flag = true;
    Some(())
}

/// Accepts a window size, or the name without a value, once.
fn bits(bits: &mut Bits, value: Option<Value<'_>>) -> Option<()> {
    if *bits != Bits::Absent {
        return None;
    }
    *bits = match value {
        None => Bits::NoValue,
        Some(value) => Bits::AtMost(WindowBits::parse(value)?),
    };
    Some(())
}

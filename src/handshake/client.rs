//! Implements the client's side of the opening handshake (RFC 6455 section 4.1).

use core::fmt;

use super::body::Body;
use super::compression::{Agreed, Offered};
use super::error::HandshakeError;
use super::fields::Lines;
use super::head::ResponseHead;
use super::key::Key;
use super::request::ConnectRequest;
use super::rules::{Found, check_response};
use super::syntax::{HeadReader, Received, failure};
use crate::buffer::{ReadBuffer, Storage, WriteBuffer};
use crate::config::Config;
use crate::entropy::Entropy;
use crate::error::{Error, Failure, Misuse};

/// Runs the client's opening handshake separately from a [`WebSocket`](crate::WebSocket). Use it to
/// drive the two halves yourself, or to pass the open connection to other code.
/// [`WebSocket::client`](crate::WebSocket::client) contains this handshake.
/// [`ServerHandshake`](super::ServerHandshake) says how the halves get the agreement.
///
/// ```
/// use sockless::handshake::{ClientEvent, ClientHandshake, ConnectRequest, Uri};
/// use sockless::{Config, ReadBuffer, WriteBuffer};
/// # let mut entropy = sockless::FnEntropy::new(|bytes| Ok(bytes.fill(7)));
///
/// let uri = Uri::parse("ws://example.com/chat")?;
/// let mut handshake = ClientHandshake::new(&Config::default());
/// let (mut rx, mut tx) = (ReadBuffer::new([0; 4096]), WriteBuffer::new([0; 4096]));
/// handshake.connect(&ConnectRequest::new(&uri), &mut entropy, &mut tx)?;
/// // ... after each read:
/// while let Some(event) = handshake.receive(&mut rx) {
///     match event {
///         ClientEvent::UpgradeResponse(response) => {
///             handshake.confirm(&response, &[])?; // or the subprotocols that were offered
///         }
///         ClientEvent::Rejected(response) => eprintln!("status {}", response.status()),
///         ClientEvent::Failed(failure) => eprintln!("{failure}"),
///         _ => {}
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ClientHandshake {
    state: State,
    offered: Offered,
}

#[derive(Clone, Copy)]
enum State {
    /// The request is not written yet.
    Idle(HeadReader<true>),
    Head {
        reader: HeadReader<true>,
        /// The bytes that the key of the request encodes.
        nonce: [u8; 16],
    },
    /// The caller has not confirmed the 101.
    Unconfirmed {
        has_subprotocol: bool,
    },
    Body(Body),
    Open,
    Done,
}

/// Describes an event of a client's opening handshake. Borrows the read buffer.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientEvent<'b> {
    /// A valid 101. If subprotocols were offered, call [`confirm`](ClientHandshake::confirm) before
    /// the next `receive`. Otherwise `receive` confirms the 101 as if no subprotocol was offered.
    UpgradeResponse(ResponseHead<'b>),
    /// A response other than 101 (RFC 6455 section 4.1). Its body follows as
    /// [`RejectionBody`](ClientEvent::RejectionBody).
    Rejected(ResponseHead<'b>),
    /// Bytes of the body of a rejection, without the chunked coding.
    RejectionBody(&'b [u8]),
    /// The handshake has failed. There is nothing to send.
    Failed(Failure),
    /// The stream ended before the end of the head. No event reports a body that is cut short.
    EndOfStream,
}

impl fmt::Debug for ClientEvent<'_> {
    /// Shows the length of a body, not its bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientEvent::UpgradeResponse(head) => {
                f.debug_tuple("UpgradeResponse").field(head).finish()
            }
            ClientEvent::Rejected(head) => f.debug_tuple("Rejected").field(head).finish(),
            ClientEvent::RejectionBody(bytes) => write!(f, "RejectionBody({} bytes)", bytes.len()),
            ClientEvent::Failed(failure) => f.debug_tuple("Failed").field(failure).finish(),
            ClientEvent::EndOfStream => f.write_str("EndOfStream"),
        }
    }
}

/// Says why a 101 was not confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConfirmError {
    /// No 101 is waiting to be confirmed. The state is unchanged.
    NoHandshake,
    /// The server chose a subprotocol that was not offered. The connection has failed (RFC 6455
    /// section 4.1).
    Subprotocol,
}

impl fmt::Display for ConfirmError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfirmError::NoHandshake => Misuse::NoHandshake.fmt(f),
            ConfirmError::Subprotocol => HandshakeError::Subprotocol.fmt(f),
        }
    }
}

impl core::error::Error for ConfirmError {}

impl ClientHandshake {
    /// Makes a handshake with the limits of `config`. [`connect`](Self::connect) starts the
    /// handshake.
    #[must_use]
    pub const fn new(config: &Config) -> ClientHandshake {
        ClientHandshake { state: State::Idle(HeadReader::new(config)), offered: Offered::NONE }
    }

    /// Writes the request with a fresh key.
    ///
    /// # Errors
    /// - Returns [`Misuse::NoHandshake`] if the request was already written, or the stream has
    ///   ended.
    /// - Returns [`Misuse::InvalidHeader`] if a name or value would break the head.
    /// - Returns [`Misuse::ReservedHeader`] if one of the headers belongs to the handshake.
    /// - Returns [`Misuse::InvalidSubprotocol`] if the subprotocols are not unique tokens.
    /// - Returns [`Error::Entropy`] if the entropy source fails.
    /// - Returns [`Error::NoRoom`] or [`Error::NeverFits`] if the request does not fit.
    ///
    /// After an error nothing is written, and the call can be repeated.
    pub fn connect<E: Entropy + ?Sized, T: Storage>(
        &mut self,
        request: &ConnectRequest<'_>,
        entropy: &mut E,
        tx: &mut WriteBuffer<T>,
    ) -> Result<(), Error> {
        let State::Idle(reader) = self.state else { return Err(Misuse::NoHandshake.into()) };
        // RFC 6455 section 4.1: "The nonce MUST be selected randomly for each connection."
        let mut nonce = [0; 16];
        request.check()?;
        entropy.fill(&mut nonce)?;
        request.write(&Key::from_nonce(&nonce), tx)?;
        self.offered = Offered::new(request.offer);
        self.state = State::Head { reader, nonce };
        Ok(())
    }

    /// Returns the next event, or `None` if more bytes are needed or the handshake is over.
    /// Confirms an unconfirmed 101 first.
    #[must_use = "the response is lost otherwise"]
    pub fn receive<'b, S: Storage>(
        &mut self,
        rx: &'b mut ReadBuffer<S>,
    ) -> Option<ClientEvent<'b>> {
        if let Some(failure) = self.confirm_unconfirmed() {
            return Some(ClientEvent::Failed(failure));
        }
        self.read(rx)
    }

    /// Confirms the response of the last [`ClientEvent::UpgradeResponse`] and returns the
    /// agreement. The handshake is then over, and the connection is open. `offered` lists the
    /// subprotocols of the request. If subprotocols were offered, the server may choose none.
    /// Most browsers then end the connection, and your client may do so too.
    ///
    /// # Errors
    /// - Returns [`ConfirmError::NoHandshake`] if no 101 is waiting to be confirmed.
    /// - Returns [`ConfirmError::Subprotocol`] if the server chose a subprotocol that was not
    ///   offered.
    pub fn confirm<'b>(
        &mut self,
        response: &ResponseHead<'b>,
        offered: &[&str],
    ) -> Result<Agreed<'b>, ConfirmError> {
        let State::Unconfirmed { .. } = self.state else { return Err(ConfirmError::NoHandshake) };
        let agreed =
            Agreed { subprotocol: response.subprotocol, compression: self.offered.agreed() };
        match agreed.offered_in(offered) {
            Ok(agreed) => {
                self.state = State::Open;
                Ok(agreed)
            }
            Err(_) => {
                self.state = State::Done;
                Err(ConfirmError::Subprotocol)
            }
        }
    }

    /// Returns `true` if the handshake has opened the connection. Frames follow.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open)
    }

    /// Returns `true` if the handshake is over without a connection. Close the transport.
    #[must_use]
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Returns the agreement without the subprotocol, which [`confirm`](Self::confirm) returns.
    #[must_use]
    pub fn agreed(&self) -> Agreed<'static> {
        Agreed { subprotocol: None, compression: self.offered.agreed() }
    }

    /// Confirms an unconfirmed 101 as if no subprotocol was offered. Returns the failure if the
    /// server chose a subprotocol.
    pub(crate) fn confirm_unconfirmed(&mut self) -> Option<Failure> {
        match self.state {
            State::Unconfirmed { has_subprotocol: false } => self.state = State::Open,
            State::Unconfirmed { has_subprotocol: true } => {
                return Some(self.fail(HandshakeError::Subprotocol));
            }
            _ => {}
        }
        None
    }

    /// Parses more of a head or a body.
    pub(crate) fn read<'b, S: Storage>(
        &mut self,
        rx: &'b mut ReadBuffer<S>,
    ) -> Option<ClientEvent<'b>> {
        match &mut self.state {
            State::Body(_) => self.read_body(rx),
            State::Head { .. } => self.read_head(rx),
            // Bytes before the request cannot be a response.
            State::Idle(_) if !rx.unread().is_empty() => {
                Some(ClientEvent::Failed(self.fail(HandshakeError::Malformed)))
            }
            State::Idle(_) if rx.at_end() => Some(self.end_of_stream()),
            State::Done => {
                rx.discard();
                None
            }
            _ => None,
        }
    }

    #[inline(never)]
    fn read_head<'b, S: Storage>(&mut self, rx: &'b mut ReadBuffer<S>) -> Option<ClientEvent<'b>> {
        let State::Head { reader, nonce } = &mut self.state else { return None };
        let nonce = *nonce;
        let (head, lines) = loop {
            let mut lines = Lines::NONE;
            match reader.receive(rx, &mut lines) {
                Received::Head(head) => {
                    // RFC 9110 section 15.2: interim responses may precede the final response.
                    let status = rx.slice(head.clone()).get(9..12).unwrap_or_default();
                    if !status.starts_with(b"1") || status == b"101" {
                        break (head, lines);
                    }
                    reader.restart();
                }
                Received::Nothing => return None,
                Received::EndOfStream => return Some(self.end_of_stream()),
                Received::Failed(error, minimum) => {
                    self.state = State::Done;
                    return Some(ClientEvent::Failed(failure(error, minimum)));
                }
            }
        };
        match self.judge(&nonce, rx.slice(head), &lines) {
            Ok(event) => Some(event),
            Err(error) => Some(ClientEvent::Failed(self.fail(error))),
        }
    }

    fn judge<'b>(
        &mut self,
        nonce: &[u8; 16],
        head: &'b [u8],
        lines: &Lines,
    ) -> Result<ClientEvent<'b>, HandshakeError> {
        let mut response = ResponseHead::split(head)?;
        let headers = response.headers();
        let found = Found::in_head(head, lines, headers.clone());
        if response.status() != 101 {
            self.state = State::Body(Body::announced(response.status(), found.framing)?);
            return Ok(ClientEvent::Rejected(response));
        }
        let accept = Key::from_nonce(nonce).accept();
        let agreed = check_response(&found, Some(&accept), headers, self.offered.offer())?;
        self.offered.agree(agreed.compression);
        response.subprotocol = agreed.subprotocol;
        self.state = State::Unconfirmed { has_subprotocol: agreed.subprotocol.is_some() };
        Ok(ClientEvent::UpgradeResponse(response))
    }

    fn read_body<'b, S: Storage>(&mut self, rx: &'b mut ReadBuffer<S>) -> Option<ClientEvent<'b>> {
        let State::Body(body) = &mut self.state else { return None };
        match body.read(rx.unread()) {
            Ok((skip, 0)) => {
                let complete = body.is_complete();
                rx.take(skip, 0);
                if complete || rx.at_end() {
                    self.state = State::Done;
                    rx.discard();
                }
                None
            }
            Ok((skip, len)) => {
                let bytes = rx.take(skip, len);
                Some(ClientEvent::RejectionBody(rx.slice(bytes)))
            }
            Err(error) => Some(ClientEvent::Failed(self.fail(error))),
        }
    }

    fn end_of_stream<'b>(&mut self) -> ClientEvent<'b> {
        self.state = State::Done;
        ClientEvent::EndOfStream
    }

    fn fail(&mut self, error: HandshakeError) -> Failure {
        self.state = State::Done;
        Failure::Handshake(error)
    }
}

impl fmt::Debug for ClientHandshake {
    /// Omits the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientHandshake")
            .field("is_open", &self.is_open())
            .field("is_done", &self.is_done())
            .finish_non_exhaustive()
    }
}

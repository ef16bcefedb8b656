//! Implements the server's side of the opening handshake (RFC 6455 section 4.2).

use super::accept::Accept;
use super::compression::Agreed;
use super::error::HandshakeError;
use super::fields::Lines;
use super::head::RequestHead;
use super::message::write_head;
use super::response::{HttpResponse, other_request, refusal};
use super::syntax::{HeadReader, Received, failure};
use crate::buffer::{CONTROL_RESERVE, ReadBuffer, Storage, WriteBuffer};
use crate::config::Config;
use crate::error::{Error, Failure, Misuse};

/// Runs the server's opening handshake separately from a [`WebSocket`](crate::WebSocket). Use it to
/// drive the two halves yourself, or to pass the open connection to other code.
/// [`WebSocket::server`](crate::WebSocket::server) contains this handshake.
///
/// The handshake is over when [`is_open`](Self::is_open) or [`is_done`](Self::is_done) returns
/// `true`. If [`is_done`](Self::is_done) returns `true`, write the output and close the transport.
///
/// The halves need the agreement: pass `Agreed::compression` to `Receiver::with_deflate` and
/// `Sender::with_deflate`. [`WebSocket::split`](crate::WebSocket::split) returns halves that
/// already have the agreement.
///
/// ```
/// use sockless::handshake::{Accept, ServerEvent, ServerHandshake};
/// use sockless::{Config, ReadBuffer, Receiver, Sender, WriteBuffer};
///
/// let mut handshake = ServerHandshake::new(&Config::default());
/// let (mut rx, mut tx) = (ReadBuffer::new([0; 4096]), WriteBuffer::new([0; 4096]));
/// # let _ = rx.extend(b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\
/// #     Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
/// #     Sec-WebSocket-Version: 13\r\n\r\n");
/// // ... after each read:
/// while let Some(event) = handshake.receive(&mut rx, &mut tx) {
///     match event {
///         ServerEvent::UpgradeRequest(request) => {
///             handshake.accept(&request, Accept::new(), &mut tx)?;
///         }
///         ServerEvent::Failed(failure) => eprintln!("{failure}"), // the refusal is in `tx`
///         _ => {} // a request for something else is answered with 426
///     }
/// }
/// assert!(handshake.is_open()); // frames that came with the request are still in `rx`
/// let (receiver, sender) = (Receiver::server(Config::default()), Sender::server());
/// # Ok::<(), sockless::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerHandshake {
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Head(HeadReader<false>),
    /// The caller has not answered the request.
    Unanswered(Request),
    Open,
    Done,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Request {
    Upgrade,
    Get,
    Head,
    Connect,
    OtherMethod,
}

/// Describes an event of a server's opening handshake. Borrows the read buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerEvent<'b> {
    /// A valid request to open a WebSocket. Call [`accept`](ServerHandshake::accept) or
    /// [`respond`](ServerHandshake::respond) before the next `receive`, which refuses the request
    /// with 403.
    UpgradeRequest(RequestHead<'b>),
    /// A request for something else, such as a page. Call [`respond`](ServerHandshake::respond)
    /// before the next `receive`, which responds to a GET with 426 and to other methods with 405.
    OtherRequest(RequestHead<'b>),
    /// The handshake has failed. The refusal is in the output.
    Failed(Failure),
    /// The stream ended before the end of the head.
    EndOfStream,
}

impl ServerHandshake {
    /// Makes a handshake that waits for a request within the limits of `config`.
    #[must_use]
    pub const fn new(config: &Config) -> ServerHandshake {
        ServerHandshake { state: State::Head(HeadReader::new(config)) }
    }

    /// Returns the next event, or `None` if more bytes are needed or the handshake is over. Answers
    /// an unanswered request first.
    #[must_use = "the request is lost otherwise"]
    pub fn receive<'b, S: Storage, T: Storage>(
        &mut self,
        rx: &'b mut ReadBuffer<S>,
        tx: &mut WriteBuffer<T>,
    ) -> Option<ServerEvent<'b>> {
        if let Some(failure) = self.answer_unanswered(tx) {
            return Some(ServerEvent::Failed(failure));
        }
        self.read(rx, tx)
    }

    /// Accepts the `request` of the last [`ServerEvent::UpgradeRequest`]. Writes the 101 and
    /// returns the agreement. The handshake is then over, and the connection is open.
    ///
    /// # Errors
    /// - Returns [`Misuse::NoHandshake`] if the last event was not an upgrade request.
    /// - Returns [`Misuse::SubprotocolNotOffered`] if the chosen subprotocol was not offered.
    /// - Returns [`Misuse::InvalidHeader`] if a name or value would break the head.
    /// - Returns [`Misuse::ReservedHeader`] if one of the headers belongs to the handshake.
    /// - Returns [`Error::NoRoom`] or [`Error::NeverFits`] if the 101 does not fit.
    ///
    /// After an error nothing is written, and the request can still be answered.
    pub fn accept<'r, T: Storage>(
        &mut self,
        request: &RequestHead<'_>,
        accept: Accept<'r>,
        tx: &mut WriteBuffer<T>,
    ) -> Result<Agreed<'r>, Error> {
        let (State::Unanswered(Request::Upgrade), Some(upgrade)) = (self.state, request.upgrade())
        else {
            return Err(Misuse::NoHandshake.into());
        };
        let accepted = upgrade.accept(accept)?;
        write_head(tx, CONTROL_RESERVE, |out| {
            out.put("HTTP/1.1 101 Switching Protocols\r\n");
            out.fields(accepted.fields());
        })?;
        self.state = State::Open;
        Ok(accepted.agreed())
    }

    /// Answers the request of the last event with an HTTP response instead of a WebSocket. The
    /// response to HEAD has no body. The handshake is then over, and the connection is done.
    ///
    /// # Errors
    /// - Returns [`Misuse::NoHandshake`] if the last event was not a request.
    /// - Returns [`Misuse::InvalidStatus`] if the status is not valid, does not allow the body, or
    ///   accepts a CONNECT.
    /// - Returns [`Misuse::InvalidHeader`] if a name or value would break the head.
    /// - Returns [`Misuse::ReservedHeader`] if one of the headers belongs to the handshake.
    ///   `Upgrade`, `Sec-WebSocket-Version` and further options of `Connection` are allowed.
    /// - Returns [`Error::NoRoom`] or [`Error::NeverFits`] if the response does not fit.
    ///
    /// After an error nothing is written, and the request can still be answered.
    pub fn respond<T: Storage>(
        &mut self,
        response: HttpResponse<'_>,
        tx: &mut WriteBuffer<T>,
    ) -> Result<(), Error> {
        let State::Unanswered(request) = self.state else { return Err(Misuse::NoHandshake.into()) };
        response.check()?;
        // RFC 9110 section 9.3.6: a 2xx response to CONNECT promises a tunnel.
        if request == Request::Connect && response.status() < 300 {
            return Err(Misuse::InvalidStatus.into());
        }
        let response = if request == Request::Head { response.head_only() } else { response };
        response.write(tx)?;
        self.state = State::Done;
        Ok(())
    }

    /// Returns `true` if the handshake has opened the connection. Frames follow.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open)
    }

    /// Returns `true` if the handshake is over without a connection. Write the output, then close
    /// the transport.
    #[must_use]
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Answers a request that the caller has left unanswered.
    pub(crate) fn answer_unanswered<T: Storage>(
        &mut self,
        tx: &mut WriteBuffer<T>,
    ) -> Option<Failure> {
        let State::Unanswered(request) = self.state else { return None };
        self.state = State::Done;
        let response = match request {
            Request::Upgrade => refusal(403, ""),
            request => other_request(request == Request::Get),
        };
        response.write(tx).err().map(Failure::Local)
    }

    /// Parses more of the head.
    pub(crate) fn read<'b, S: Storage, T: Storage>(
        &mut self,
        rx: &'b mut ReadBuffer<S>,
        tx: &mut WriteBuffer<T>,
    ) -> Option<ServerEvent<'b>> {
        let State::Head(reader) = &mut self.state else {
            if self.is_done() {
                rx.discard();
            }
            return None;
        };
        let input = rx.unread();
        let is_head = input.strip_prefix(b"\r\n").unwrap_or(input).starts_with(b"HEAD ");
        let mut lines = Lines::NONE;
        let (error, minimum) = match reader.receive(rx, &mut lines) {
            Received::Nothing => return None,
            Received::EndOfStream => {
                self.state = State::Done;
                return Some(ServerEvent::EndOfStream);
            }
            Received::Head(place) => match RequestHead::judge(rx.slice(place), &lines) {
                Ok(request) => return Some(self.hand_out(request)),
                Err(error) => (error, 0),
            },
            Received::Failed(error, minimum) => (error, minimum),
        };
        Some(ServerEvent::Failed(self.refuse(is_head, error, minimum, tx)))
    }

    fn hand_out<'b>(&mut self, request: RequestHead<'b>) -> ServerEvent<'b> {
        if request.is_upgrade() {
            self.state = State::Unanswered(Request::Upgrade);
            return ServerEvent::UpgradeRequest(request);
        }
        self.state = State::Unanswered(match request.method() {
            "GET" => Request::Get,
            "HEAD" => Request::Head,
            "CONNECT" => Request::Connect,
            _ => Request::OtherMethod,
        });
        ServerEvent::OtherRequest(request)
    }

    /// Writes the refusal of the head.
    #[cold]
    fn refuse<T: Storage>(
        &mut self,
        is_head: bool,
        error: HandshakeError,
        minimum: u32,
        tx: &mut WriteBuffer<T>,
    ) -> Failure {
        self.state = State::Done;
        // RFC 6455 section 4.2.1: "the server MUST stop processing the client's handshake and
        // return an HTTP response with an appropriate error code". If the refusal does not fit, the
        // write buffer is too small for any handshake.
        let mut response = error.response();
        if is_head {
            response = response.head_only();
        }
        match response.write(tx) {
            Ok(()) => failure(error, minimum),
            Err(error) => Failure::Local(error),
        }
    }
}

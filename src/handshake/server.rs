//! The server's side of the opening handshake (RFC 6455 section 4.2).

use super::accept::Accept;
use super::compression::Agreed;
use super::error::HandshakeError;
use super::fields::Lines;
use super::head::RequestHead;
use super::message::write_head;
use super::response::{HttpResponse, refusal};
use super::syntax::{HeadReader, Received, failure};
use crate::buffer::{CONTROL_RESERVE, ReadBuffer, Storage, WriteBuffer};
use crate::config::Config;
use crate::error::{Error, Failure, Misuse};

/// The server's opening handshake as a machine of its own, for those who run the halves or hand the
/// connection on. [`WebSocket::server`](crate::WebSocket::server) contains it.
///
/// Once [`is_open`](Self::is_open) or [`is_done`](Self::is_done) returns `true`, it is over. If it
/// is not open then, write the output and close the transport.
///
/// Halves need what was agreed: give `Agreed::compression` to `Receiver::with_deflate` and
/// `Sender::with_deflate`, or use [`WebSocket::split`](crate::WebSocket::split), which does so.
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
    OtherMethod,
}

/// An event of a server's opening handshake. It borrows the read buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerEvent<'b> {
    /// A request to open a WebSocket that keeps all rules. Answer it by
    /// [`accept`](ServerHandshake::accept) or [`respond`](ServerHandshake::respond) before the next
    /// `receive`, which would refuse it with 403.
    UpgradeRequest(RequestHead<'b>),
    /// A request for something else, such as a page. Answer it by
    /// [`respond`](ServerHandshake::respond) before the next `receive`, which would answer 426, or
    /// 405 unless it is a GET.
    OtherRequest(RequestHead<'b>),
    /// The handshake has failed. The refusal is in the output.
    Failed(Failure),
    /// The stream ended before the head did.
    EndOfStream,
}

impl ServerHandshake {
    /// Waits for a request within the limits of `config`.
    #[must_use]
    pub const fn new(config: &Config) -> ServerHandshake {
        ServerHandshake { state: State::Head(HeadReader::new(config)) }
    }

    /// Returns the next event, or `None` if more bytes are needed or the handshake is over.
    /// A request that the caller has left unanswered is answered first.
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

    /// Accepts the `request` of the last [`ServerEvent::UpgradeRequest`]: writes the 101 and
    /// returns what was agreed. The handshake is over, the connection is open.
    ///
    /// # Errors
    /// - [`Misuse::NoHandshake`] unless such an event was the last.
    /// - [`Misuse::SubprotocolNotOffered`], [`Misuse::InvalidHeader`], [`Misuse::ReservedHeader`].
    /// - [`Error::NoRoom`] or [`Error::NeverFits`] if the 101 does not fit.
    ///
    /// Nothing was written then, and another answer can be given.
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

    /// Answers the request of the last event by an HTTP response instead of a WebSocket. The
    /// handshake is over, the connection is done.
    ///
    /// # Errors
    /// - [`Misuse::NoHandshake`] unless a request was the last event.
    /// - [`Misuse::InvalidStatus`], [`Misuse::InvalidHeader`], [`Misuse::ReservedHeader`].
    /// - [`Error::NoRoom`] or [`Error::NeverFits`] if the response does not fit.
    ///
    /// Nothing was written then, and another answer can be given.
    pub fn respond<T: Storage>(
        &mut self,
        response: HttpResponse<'_>,
        tx: &mut WriteBuffer<T>,
    ) -> Result<(), Error> {
        let State::Unanswered(_) = self.state else { return Err(Misuse::NoHandshake.into()) };
        response.check()?;
        response.write(tx)?;
        self.state = State::Done;
        Ok(())
    }

    /// Returns `true` if the handshake has opened the connection: frames follow.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open)
    }

    /// Returns `true` if the handshake is over without a connection: write what is in the output,
    /// then close the transport.
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
        let (status, text) = match request {
            Request::Upgrade => (403, ""),
            Request::Get => (426, "this is a WebSocket server"),
            // Without a body: the method may be HEAD.
            Request::OtherMethod => (405, ""),
        };
        refusal(status, text).write(tx).err().map(Failure::Local)
    }

    /// Reads on in a head.
    pub(crate) fn read<'b, S: Storage, T: Storage>(
        &mut self,
        rx: &'b mut ReadBuffer<S>,
        tx: &mut WriteBuffer<T>,
    ) -> Option<ServerEvent<'b>> {
        let State::Head(reader) = &mut self.state else { return None };
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
            _ => Request::OtherMethod,
        });
        ServerEvent::OtherRequest(request)
    }

    /// Writes the refusal of this head.
    #[cold]
    fn refuse<T: Storage>(
        &mut self,
        is_head: bool,
        error: HandshakeError,
        minimum: u32,
        tx: &mut WriteBuffer<T>,
    ) -> Failure {
        self.state = State::Done;
        // RFC 6455 4.2.2: "the server MUST stop processing the client's handshake and return an
        // HTTP response with an appropriate error code". If the refusal does not fit, the write
        // buffer is too small for any handshake.
        let mut response = error.response();
        // RFC 9110 9.3.2: the server "MUST NOT send content in the response" to HEAD.
        if is_head {
            response = response.head_only();
        }
        match response.write(tx) {
            Ok(()) => failure(error, minimum),
            Err(error) => Failure::Local(error),
        }
    }
}

//! Runs the opening handshake of a connection, in both roles.

use super::event::Event;
use super::opening::{Opening, Outcome};
use super::{Phase, WebSocket};
use crate::buffer::{ReadBuffer, Storage, WriteBuffer};
use crate::close::Close;
use crate::config::Config;
use crate::entropy::Entropy;
use crate::error::{Error, Failure, Misuse};
use crate::handshake::{
    Accept, ClientEvent, ClientHandshake, ConfirmError, ConnectRequest, HttpResponse, RequestHead,
    ResponseHead, ServerEvent, ServerHandshake,
};
use crate::role::{Client, Role, Server};

impl WebSocket<Server> {
    /// Makes a server's connection that starts with the opening handshake.
    ///
    /// ```
    /// use sockless::handshake::{Accept, HttpResponse};
    /// use sockless::{Config, Event, ReadBuffer, WebSocket, WriteBuffer};
    /// # struct Stream(&'static [u8]);
    /// # impl Stream {
    /// #     fn read(&mut self, space: &mut [u8]) -> Result<usize, sockless::Error> {
    /// #         let n = space.len().min(self.0.len());
    /// #         space[..n].copy_from_slice(&self.0[..n]);
    /// #         self.0 = &self.0[n..];
    /// #         Ok(n)
    /// #     }
    /// #     fn write_all(&mut self, bytes: &[u8]) -> Result<(), sockless::Error> {
    /// #         Ok(())
    /// #     }
    /// # }
    /// # let mut stream = Stream(b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\
    /// #     Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    /// #     Sec-WebSocket-Version: 13\r\n\r\n");
    ///
    /// let mut ws = WebSocket::server(Config::default());
    /// let (mut rx, mut tx) = (ReadBuffer::new([0; 4096]), WriteBuffer::new([0; 8192]));
    /// while !ws.is_done() {
    ///     let n = stream.read(rx.space())?;
    ///     rx.filled(n);
    ///     while let Some(event) = ws.receive(&mut rx, &mut tx) {
    ///         match event {
    ///             // A server whose users log in checks where the page came from:
    ///             // see `RequestHead::origin`.
    ///             Event::UpgradeRequest(request)
    ///                 if request.origin().is_some_and(|from| from != b"https://example.com") =>
    ///             {
    ///                 ws.respond(HttpResponse::new(403), &mut tx)?;
    ///             }
    ///             Event::UpgradeRequest(request) => ws.accept(&request, Accept::new(), &mut tx)?,
    ///             Event::Text(text) => ws.send_text(text, &mut tx)?,
    ///             Event::Binary(bytes) => ws.send_binary(bytes, &mut tx)?,
    ///             _ => {}
    ///         }
    ///     }
    ///     stream.write_all(tx.bytes())?;
    ///     tx.clear();
    /// }
    /// # Ok::<(), sockless::Error>(())
    /// ```
    #[must_use]
    pub const fn server(config: Config) -> WebSocket<Server> {
        WebSocket::new(Server, config, Phase::Opening(ServerHandshake::new(&config)))
    }

    /// Accepts the `request` of [`Event::UpgradeRequest`](crate::Event::UpgradeRequest). Writes the
    /// 101, and the connection is open.
    ///
    /// # Errors
    /// Returns the errors of [`ServerHandshake::accept`].
    pub fn accept<T: Storage>(
        &mut self,
        request: &RequestHead<'_>,
        accept: Accept<'_>,
        tx: &mut WriteBuffer<T>,
    ) -> Result<(), Error> {
        let _agreed = self.opening()?.accept(request, accept, tx)?;
        self.leave_handshake();
        #[cfg(feature = "deflate")]
        if let Some((agreement, config)) = _agreed.compression() {
            self.begin_deflate(agreement, &config);
        }
        Ok(())
    }

    /// Answers a request with an HTTP response instead of a WebSocket. The connection is then done.
    /// The request is that of the last [`Event::UpgradeRequest`](crate::Event::UpgradeRequest) or
    /// [`Event::OtherRequest`](crate::Event::OtherRequest). The response to HEAD has no body.
    ///
    /// # Errors
    /// Returns the errors of [`ServerHandshake::respond`].
    pub fn respond<T: Storage>(
        &mut self,
        response: HttpResponse<'_>,
        tx: &mut WriteBuffer<T>,
    ) -> Result<(), Error> {
        self.opening()?.respond(response, tx)?;
        self.leave_handshake();
        Ok(())
    }
}

impl<E: Entropy> WebSocket<Client<E>> {
    /// Makes a client's connection that starts with the opening handshake. Keys are drawn from
    /// `entropy`. Call [`connect`](Self::connect) to start the handshake.
    ///
    /// ```
    /// use sockless::handshake::{ConnectRequest, Uri};
    /// use sockless::{Config, Event, ReadBuffer, WebSocket, WriteBuffer};
    /// # struct Stream;
    /// # impl Stream {
    /// #     fn read(&mut self, space: &mut [u8]) -> Result<usize, sockless::Error> {
    /// #         Ok(0)
    /// #     }
    /// #     fn write_all(&mut self, bytes: &[u8]) -> Result<(), sockless::Error> {
    /// #         assert!(bytes.is_empty() || bytes.starts_with(b"GET /chat HTTP/1.1\r\n"));
    /// #         Ok(())
    /// #     }
    /// # }
    /// # let mut stream = Stream;
    /// # let entropy = sockless::FnEntropy::new(|bytes| Ok(bytes.fill(7)));
    ///
    /// let uri = Uri::parse("ws://example.com/chat")?;
    /// let mut ws = WebSocket::client(Config::default(), entropy);
    /// let (mut rx, mut tx) = (ReadBuffer::new([0; 4096]), WriteBuffer::new([0; 4096]));
    /// ws.connect(&ConnectRequest::new(&uri), &mut tx)?;
    /// stream.write_all(tx.bytes())?;
    /// tx.clear();
    /// while !ws.is_done() {
    ///     let n = stream.read(rx.space())?;
    ///     rx.filled(n);
    ///     while let Some(event) = ws.receive(&mut rx, &mut tx) {
    ///         match event {
    ///             Event::UpgradeResponse(response) => {
    ///                 ws.confirm(&response, &[])?; // or the subprotocols that were offered
    ///                 ws.send_text("Hello", &mut tx)?;
    ///             }
    ///             Event::Text(text) => println!("{text}"),
    ///             _ => {}
    ///         }
    ///     }
    ///     stream.write_all(tx.bytes())?;
    ///     tx.clear();
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn client(config: Config, entropy: E) -> WebSocket<Client<E>> {
        let opening = Phase::Opening(ClientHandshake::new(&config));
        WebSocket::new(Client::new(entropy), config, opening)
    }

    /// Writes the request to open the connection, with a fresh key.
    ///
    /// # Errors
    /// Returns the errors of [`ClientHandshake::connect`].
    pub fn connect<T: Storage>(
        &mut self,
        request: &ConnectRequest<'_>,
        tx: &mut WriteBuffer<T>,
    ) -> Result<(), Error> {
        let Phase::Opening(opening) = &mut self.phase else {
            return Err(Misuse::NoHandshake.into());
        };
        opening.connect(request, &mut self.sender.role().entropy, tx)
    }

    /// Confirms the response of [`Event::UpgradeResponse`](crate::Event::UpgradeResponse). The
    /// connection is then open. `offered` lists the subprotocols of the request. Returns the
    /// subprotocol that the server chose, if any.
    ///
    /// If this call is omitted, the next `receive` confirms the response as if no subprotocol was
    /// offered: if the server chose one, the connection fails.
    ///
    /// # Errors
    /// Returns the errors of [`ClientHandshake::confirm`]. After [`ConfirmError::Subprotocol`] the
    /// connection is done, and no event follows.
    pub fn confirm<'b>(
        &mut self,
        response: &ResponseHead<'b>,
        offered: &[&str],
    ) -> Result<Option<&'b str>, ConfirmError> {
        let Phase::Opening(opening) = &mut self.phase else {
            return Err(ConfirmError::NoHandshake);
        };
        let result = opening.confirm(response, offered);
        self.leave_handshake();
        result.map(|agreed| agreed.subprotocol())
    }
}

impl<R: Role> WebSocket<R> {
    fn opening(&mut self) -> Result<&mut R::Handshake, Misuse> {
        match &mut self.phase {
            Phase::Opening(opening) => Ok(opening),
            _ => Err(Misuse::NoHandshake),
        }
    }
}

impl Opening for ServerHandshake {
    fn resume<T: Storage>(&mut self, tx: &mut WriteBuffer<T>) -> Option<Failure> {
        self.answer_unanswered(tx)
    }

    fn receive<'b, S: Storage, T: Storage>(
        &mut self,
        rx: &'b mut ReadBuffer<S>,
        tx: &mut WriteBuffer<T>,
    ) -> Option<Event<'b>> {
        Some(match self.read(rx, tx)? {
            ServerEvent::UpgradeRequest(request) => Event::UpgradeRequest(request),
            ServerEvent::OtherRequest(request) => Event::OtherRequest(request),
            ServerEvent::Failed(failure) => Event::Failed(failure),
            ServerEvent::EndOfStream => Event::Close(Close::ABNORMAL),
        })
    }

    fn outcome(&self) -> Outcome {
        outcome(self.is_open(), self.is_done())
    }
}

impl Opening for ClientHandshake {
    fn resume<T: Storage>(&mut self, _: &mut WriteBuffer<T>) -> Option<Failure> {
        self.confirm_unconfirmed()
    }

    fn receive<'b, S: Storage, T: Storage>(
        &mut self,
        rx: &'b mut ReadBuffer<S>,
        _: &mut WriteBuffer<T>,
    ) -> Option<Event<'b>> {
        Some(match self.read(rx)? {
            ClientEvent::UpgradeResponse(response) => Event::UpgradeResponse(response),
            ClientEvent::Rejected(response) => Event::Rejected(response),
            ClientEvent::RejectionBody(bytes) => Event::RejectionBody(bytes),
            ClientEvent::Failed(failure) => Event::Failed(failure),
            ClientEvent::EndOfStream => Event::Close(Close::ABNORMAL),
        })
    }

    fn outcome(&self) -> Outcome {
        outcome(self.is_open(), self.is_done())
    }

    #[cfg(feature = "deflate")]
    fn compression(&self) -> crate::deflate::Compression {
        self.agreed().compression()
    }
}

fn outcome(is_open: bool, is_done: bool) -> Outcome {
    match (is_open, is_done) {
        (true, _) => Outcome::Open,
        (_, true) => Outcome::Done,
        _ => Outcome::Pending,
    }
}

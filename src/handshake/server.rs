//! The server's side of the opening handshake (RFC 6455 section 4.2).

use super::head::{accept_later_versions, find_end, parse_request};
use super::message::{Answer, Response, put};
use super::{HandshakeError, Pending, RequestHead};
use crate::buffer::{REPLY_ROOM, ReadBuffer, Storage, WriteBuffer};
use crate::websocket::{Event, HeadLimits, Phase, WebSocket};
use crate::{Config, Error, Failure, Misuse, Server};

impl WebSocket<Server> {
    /// A server's connection, from its first byte on.
    ///
    /// ```
    /// use sockless::handshake::{Answer, Response};
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
    /// # let mut stream = Stream(b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    /// #     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n");
    ///
    /// let mut ws = WebSocket::server(Config::default());
    /// let (mut rx, mut tx) = (ReadBuffer::new([0; 4096]), WriteBuffer::new([0; 8192]));
    /// while !ws.is_done() {
    ///     let n = stream.read(rx.space())?;
    ///     rx.filled(n);
    ///     while let Some(event) = ws.receive(&mut rx, &mut tx) {
    ///         match event {
    ///             // A server whose users log in checks where the page came from; see `RequestHead::origin`.
    ///             Event::Request(request) if request.origin().is_some_and(|from| from != b"https://example.com") => {
    ///                 ws.answer(Answer::new(403), &mut tx)?;
    ///             }
    ///             Event::Request(request) => ws.accept(&request, Response::new(), &mut tx)?,
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
        let limits = HeadLimits { size: config.max_head_size, headers: config.max_headers };
        WebSocket::new(Server, config, Phase::Head { limits, searched: 0 })
    }

    /// Accepts the `request` of [`Event::Request`]: puts the 101, and the connection is open.
    ///
    /// # Errors
    /// [`Misuse::NoHandshake`] unless such an event was the last; [`Misuse::SubprotocolNotOffered`];
    /// [`Misuse::InvalidHeader`]; [`Error::NoRoom`].
    pub fn accept<T: Storage>(
        &mut self,
        request: &RequestHead<'_>,
        response: Response<'_>,
        tx: &mut WriteBuffer<T>,
    ) -> Result<(), Error> {
        let (Phase::Answer(Pending::Upgrade), Some(upgrade)) = (self.phase, request.upgrade) else {
            return Err(Misuse::NoHandshake.into());
        };
        response.check()?;
        // RFC 6455 4.2.2: the value "MUST be one of" those of the client's handshake.
        if response
            .subprotocol
            .is_some_and(|chosen| !request.subprotocols().any(|name| name == chosen))
        {
            return Err(Misuse::SubprotocolNotOffered.into());
        }
        #[cfg(feature = "deflate")]
        let compression = response.deflate.and_then(|config| {
            // The list was found well-formed with the request.
            let answer = config.choose(request.extensions()).ok()??;
            Some((answer, config))
        });
        let accept = upgrade.accept();
        put(tx, REPLY_ROOM, |out| {
            out.put("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ");
            out.bytes(&accept);
            out.put("\r\n");
            if let Some(name) = response.subprotocol {
                out.header("Sec-WebSocket-Protocol", name);
            }
            #[cfg(feature = "deflate")]
            if let Some((answer, _)) = &compression {
                out.header("Sec-WebSocket-Extensions", answer.header.as_str());
            }
            for (name, value) in response.headers {
                out.header(name, value);
            }
            out.put("\r\n");
        })?;
        #[cfg(feature = "deflate")]
        if let Some((answer, config)) = compression {
            self.begin_deflate(answer.agreement, &config);
        }
        self.phase = Phase::Open;
        Ok(())
    }

    /// Answers the request of [`Event::Request`] or [`Event::Http`] otherwise than by a WebSocket. The connection
    /// is done then.
    ///
    /// # Errors
    /// [`Misuse::NoHandshake`] unless such an event was the last; [`Misuse::InvalidStatus`];
    /// [`Misuse::InvalidHeader`]; [`Error::NoRoom`].
    pub fn answer<T: Storage>(
        &mut self,
        answer: Answer<'_>,
        tx: &mut WriteBuffer<T>,
    ) -> Result<(), Error> {
        let Phase::Answer(_) = self.phase else { return Err(Misuse::NoHandshake.into()) };
        answer.check()?;
        self.finish(&answer, tx)
    }
}

impl WebSocket<Server> {
    fn finish<T: Storage>(
        &mut self,
        answer: &Answer<'_>,
        tx: &mut WriteBuffer<T>,
    ) -> Result<(), Error> {
        put_answer(answer, tx)?;
        self.phase = Phase::Done;
        self.sender.shut();
        Ok(())
    }
}

/// Puts an answer of HTTP, behind which nothing is sent.
#[inline(never)]
fn put_answer<T: Storage>(answer: &Answer<'_>, tx: &mut WriteBuffer<T>) -> Result<(), Error> {
    put(tx, 0, |out| answer.write(out))
}

/// Answers what the caller left unanswered.
pub(crate) fn settle<T: Storage>(
    ws: &mut WebSocket<Server>,
    tx: &mut WriteBuffer<T>,
) -> Option<Failure> {
    let answer = match ws.phase {
        Phase::Answer(Pending::Http { get: true }) => Answer::upgrade_required(),
        Phase::Answer(Pending::Http { get: false }) => Answer::method_not_allowed(),
        _ => Answer::forbidden(),
    };
    match ws.finish(&answer, tx) {
        Ok(()) => None,
        Err(error) => Some(ws.fail(Failure::Local(error), tx)),
    }
}

pub(crate) fn receive<'b, S: Storage, T: Storage>(
    ws: &mut WebSocket<Server>,
    rx: &'b mut ReadBuffer<S>,
    tx: &mut WriteBuffer<T>,
) -> Option<Event<'b>> {
    let Phase::Head { limits, mut searched } = ws.phase else { return None };
    let len = match find_end(rx, limits, &mut searched) {
        Ok(Some(len)) => len,
        Ok(None) if rx.at_end() => return ws.lost(),
        Ok(None) => {
            ws.phase = Phase::Head { limits, searched };
            return None;
        }
        Err(error) => return Some(refuse(ws, error, tx)),
    };
    accept_later_versions(rx.unread_mut().get_mut(..len).unwrap_or_default());
    let head = rx.take(0, len);
    let head = rx.slice(head);
    match parse_request(head, limits.headers) {
        Ok(request) => {
            let upgrade = request.upgrade.is_some();
            let get = request.method == "GET";
            ws.phase =
                Phase::Answer(if upgrade { Pending::Upgrade } else { Pending::Http { get } });
            Some(if upgrade { Event::Request(request) } else { Event::Http(request) })
        }
        Err(error) => Some(refuse(ws, error, tx)),
    }
}

#[cold]
fn refuse<'b, T: Storage>(
    ws: &mut WebSocket<Server>,
    error: HandshakeError,
    tx: &mut WriteBuffer<T>,
) -> Event<'b> {
    // RFC 6455 4.2.2: "the server MUST stop processing the client's handshake and return an HTTP response
    // with an appropriate error code". One that finds no room was for a buffer that holds no handshake.
    let failure = match put_answer(&Answer::refusal(error), tx) {
        Ok(()) => Failure::Handshake(error),
        Err(error) => Failure::Local(error),
    };
    Event::Failed(ws.fail(failure, tx))
}

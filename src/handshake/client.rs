//! The client's side of the opening handshake (RFC 6455 section 4.1).

#[cfg(feature = "deflate")]
use alloc::boxed::Box;

use super::accept::{Field, accept_of, check_answer, encode_nonce};
use super::head::{Lines, find_end, parse_response};
use super::message::{Request, put};
use super::{Agreement, HandshakeError, Pending, ResponseHead};
use crate::buffer::{ReadBuffer, Storage, WriteBuffer};
#[cfg(feature = "deflate")]
use crate::deflate::Deflation;
use crate::entropy::Entropy;
use crate::role::Client;
use crate::websocket::{Event, HeadLimits, Phase, WebSocket};
use crate::{Config, Error, Failure, Misuse};

impl<E: Entropy> WebSocket<Client<E>> {
    /// A client's connection, from its first byte on. Keys are drawn from `entropy`. Start it by
    /// [`connect`](Self::connect).
    ///
    /// ```
    /// use sockless::handshake::{Request, Uri};
    /// use sockless::{Config, Event, ReadBuffer, WebSocket, WriteBuffer};
    /// # struct Stream;
    /// # impl Stream {
    /// #     fn read(&mut self, space: &mut [u8]) -> Result<usize, sockless::Error> {
    /// #         Ok(0)
    /// #     }
    /// #     fn write_all(&mut self, bytes: &[u8]) -> Result<(), sockless::Error> {
    /// #         assert!(bytes.is_empty() || bytes.starts_with(b"GET /chat HTTP/1.1\r\nHost: example.com\r\n"));
    /// #         Ok(())
    /// #     }
    /// # }
    /// # let mut stream = Stream;
    /// # let entropy = sockless::FnEntropy::new(|bytes| Ok(bytes.fill(7)));
    ///
    /// let uri = Uri::parse("ws://example.com/chat")?;
    /// let mut ws = WebSocket::client(Config::default(), entropy);
    /// let (mut rx, mut tx) = (ReadBuffer::new([0; 4096]), WriteBuffer::new([0; 4096]));
    /// ws.connect(&Request::new(&uri), &mut tx)?;
    /// stream.write_all(tx.bytes())?;
    /// tx.clear();
    /// while !ws.is_done() {
    ///     let n = stream.read(rx.space())?;
    ///     rx.filled(n);
    ///     while let Some(event) = ws.receive(&mut rx, &mut tx) {
    ///         match event {
    ///             Event::Response(response) => {
    ///                 ws.establish(&response, &[])?; // or the subprotocols that were offered
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
        let limits = HeadLimits { size: config.max_head_size, headers: config.max_headers };
        WebSocket::new(Client::new(entropy), config, Phase::Idle(limits))
    }

    /// Puts the request to open the connection, with a fresh key.
    ///
    /// # Errors
    /// [`Misuse::NoHandshake`] if it was called before; [`Misuse::InvalidHeader`]; [`Error::Entropy`];
    /// [`Error::NoRoom`].
    pub fn connect<T: Storage>(
        &mut self,
        request: &Request<'_>,
        tx: &mut WriteBuffer<T>,
    ) -> Result<(), Error> {
        let Phase::Idle(limits) = self.phase else { return Err(Misuse::NoHandshake.into()) };
        request.check()?;
        // RFC 6455 4.1: "The nonce MUST be selected randomly for each connection."
        let mut nonce = [0; 16];
        self.sender.role().entropy.fill(&mut nonce)?;
        let key = encode_nonce(&nonce);
        #[cfg(feature = "deflate")]
        let offer = request.deflate.map(|config| config.offer());
        // No reply can be due before the request has left.
        put(tx, 0, |out| {
            out.put("GET ");
            request.resource.iter().for_each(|part| out.put(part));
            out.put(" HTTP/1.1\r\nHost: ");
            request.host.iter().for_each(|part| out.put(part));
            out.put("\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ");
            out.bytes(&key);
            out.put("\r\nSec-WebSocket-Version: 13\r\n");
            if let Some(origin) = request.origin {
                out.header("Origin", origin);
            }
            for (i, name) in request.subprotocols.iter().enumerate() {
                out.put(if i == 0 { "Sec-WebSocket-Protocol: " } else { ", " });
                out.put(name);
            }
            if !request.subprotocols.is_empty() {
                out.put("\r\n");
            }
            #[cfg(feature = "deflate")]
            if let Some(offer) = &offer {
                out.header("Sec-WebSocket-Extensions", offer.as_str());
            }
            for (name, value) in request.headers {
                out.header(name, value);
            }
            out.put("\r\n");
        })?;
        #[cfg(feature = "deflate")]
        {
            self.sender.deflation =
                request.deflate.map(|config| Box::new(Deflation::offered(&config)));
        }
        self.sender.role().nonce = nonce;
        self.phase = Phase::Head { limits, searched: 0 };
        Ok(())
    }

    /// Takes the server's answer of [`Event::Response`] as final: the connection is open. `offered` are the
    /// subprotocols of the request; the one that was chosen, if any, is returned. A request that offered some may be
    /// answered without one, which browsers do not put up with and you may not either.
    ///
    /// Without this call, the next `receive` makes it with none offered.
    ///
    /// # Errors
    /// [`HandshakeError::Subprotocol`], and the connection has failed, if the server chose one that was not
    /// offered; [`Misuse::NoHandshake`] unless such an event was the last.
    pub fn establish<'b>(
        &mut self,
        response: &ResponseHead<'b>,
        offered: &[&str],
    ) -> Result<Option<&'b str>, Failure> {
        let Phase::Answer(Pending::Response { .. }) = self.phase else {
            return Err(Failure::Local(Misuse::NoHandshake.into()));
        };
        // RFC 6455 4.1: "a subprotocol that was not present in the client's handshake" fails.
        match response.subprotocol {
            Some(chosen) if !offered.contains(&chosen) => {
                self.sender.shut();
                self.phase = Phase::Done;
                Err(Failure::Handshake(HandshakeError::Subprotocol))
            }
            chosen => {
                self.phase = Phase::Open;
                Ok(chosen)
            }
        }
    }
}

/// Goes on with an answer that the caller left alone, as if no subprotocol had been offered.
pub(crate) fn settle<E: Entropy, T: Storage>(
    ws: &mut WebSocket<Client<E>>,
    tx: &mut WriteBuffer<T>,
) -> Option<Failure> {
    if let Phase::Answer(Pending::Response { subprotocol: false }) = ws.phase {
        ws.phase = Phase::Open;
        return None;
    }
    Some(ws.fail(Failure::Handshake(HandshakeError::Subprotocol), tx))
}

pub(crate) fn receive<'b, E: Entropy, S: Storage, T: Storage>(
    ws: &mut WebSocket<Client<E>>,
    rx: &'b mut ReadBuffer<S>,
    tx: &mut WriteBuffer<T>,
) -> Option<Event<'b>> {
    let (limits, mut searched) = match ws.phase {
        Phase::Head { limits, searched } => (limits, searched),
        Phase::Body { remaining } => return body(ws, remaining, rx),
        _ if rx.at_end() => return ws.lost(),
        // Nothing can be an answer before there is a question.
        _ if !rx.is_empty() => {
            let early = Failure::Handshake(HandshakeError::Malformed);
            return Some(Event::Failed(ws.fail(early, tx)));
        }
        _ => return None,
    };
    let head = loop {
        match find_end(rx, limits, &mut searched) {
            Ok(Some(len)) => {
                let head = rx.take(0, len);
                if !is_interim(rx.slice(head.clone())) {
                    break head;
                }
                searched = 0;
            }
            Ok(None) if rx.at_end() => return ws.lost(),
            Ok(None) => {
                ws.phase = Phase::Head { limits, searched };
                return None;
            }
            Err(error) => return Some(Event::Failed(ws.fail(Failure::Handshake(error), tx))),
        }
    };
    #[cfg(feature = "deflate")]
    let offered = ws.sender.deflation.as_ref().map(|deflation| deflation.config());
    #[cfg(not(feature = "deflate"))]
    let offered = None;
    // Beforehand, because its stack need not lie on top of the array of header lines.
    let accept = accept_of(&encode_nonce(&ws.sender.role().nonce));
    let judged = parse_response(rx.slice(head), limits.headers, |status, lines| match status {
        101 => check_answer(&accept, lines, offered).map(Verdict::Accepted),
        _ => Ok(Verdict::Refused { body: body_len(status, lines) }),
    });
    match judged {
        Ok((status, headers, Verdict::Accepted((subprotocol, agreement)))) => {
            #[cfg(feature = "deflate")]
            match (agreement, offered) {
                (Some(agreement), Some(config)) => ws.begin_deflate(agreement, &config),
                _ => ws.sender.deflation = None,
            }
            #[cfg(not(feature = "deflate"))]
            let None = agreement;
            ws.phase = Phase::Answer(Pending::Response { subprotocol: subprotocol.is_some() });
            Some(Event::Response(ResponseHead { status, headers, subprotocol }))
        }
        Ok((status, headers, Verdict::Refused { body })) => {
            ws.sender.shut();
            ws.phase = Phase::Body { remaining: body };
            Some(Event::Refused(ResponseHead { status, headers, subprotocol: None }))
        }
        Err(error) => Some(Event::Failed(ws.fail(Failure::Handshake(error), tx))),
    }
}

/// What the header lines of an answer say.
enum Verdict<'b> {
    /// A 101: the subprotocol that was chosen, and what was agreed on compression.
    Accepted((Option<&'b str>, Option<Agreement>)),
    /// Any other, behind which so many bytes of body follow.
    Refused { body: u64 },
}

/// RFC 9110 15.2: any number of interim answers may come before the one that counts, and mean nothing.
fn is_interim(head: &[u8]) -> bool {
    match head.strip_prefix(b"HTTP/1.") {
        Some([b'0'..=b'9', b' ', b'1', b'0', b'1', ..]) => false,
        Some([b'0'..=b'9', b' ', b'1', b'0'..=b'9', b'0'..=b'9', b' ' | b'\r', ..]) => true,
        _ => false,
    }
}

/// How many bytes of body follow; up to the end of the stream, unless a length says otherwise (RFC 9112 section
/// 6.3).
fn body_len(status: u16, lines: Lines<'_, '_>) -> u64 {
    if status == 204 || status == 304 {
        return 0;
    }
    let mut length = None;
    for (name, value) in lines {
        length = match (Field::of(name), length) {
            (Field::ContentLength, None) => Some(decimal(value).unwrap_or(u64::MAX)),
            // Two lengths, or one beside a coding that has its own: the stream's end tells.
            (Field::ContentLength | Field::TransferEncoding, _) => return u64::MAX,
            (_, length) => length,
        };
    }
    length.unwrap_or(u64::MAX)
}

/// Digits and nothing else (RFC 9110 section 8.6).
fn decimal(value: &[u8]) -> Option<u64> {
    let digit = |sum: u64, byte: &u8| match byte {
        b'0'..=b'9' => sum.checked_mul(10)?.checked_add(u64::from(byte - b'0')),
        _ => None,
    };
    if value.is_empty() { None } else { value.iter().try_fold(0, digit) }
}

fn body<'b, E: Entropy, S: Storage>(
    ws: &mut WebSocket<Client<E>>,
    remaining: u64,
    rx: &'b mut ReadBuffer<S>,
) -> Option<Event<'b>> {
    let len = usize::try_from(remaining).unwrap_or(usize::MAX).min(rx.unread().len());
    if len == 0 {
        if remaining == 0 || rx.at_end() {
            ws.phase = Phase::Done;
        }
        return None;
    }
    ws.phase = Phase::Body {
        remaining: if remaining == u64::MAX { remaining } else { remaining - len as u64 },
    };
    let body = rx.take(0, len);
    Some(Event::Body(rx.slice(body)))
}

//! Writes HTTP responses that do not open a WebSocket: pages and refusals.

use core::fmt;

use super::error::HandshakeError;
use super::fields::Field;
use super::message::{check_headers, text, write_head};
use crate::ascii::until;
use crate::buffer::{Storage, WriteBuffer};
use crate::error::{Error, Misuse};

/// Represents an HTTP response that does not open a WebSocket: a page, a redirect or a refusal. See
/// [`WebSocket::respond`](crate::WebSocket::respond). Writing the response adds `Connection: close`
/// and, except for the statuses 204 and 304, `Content-Length`. The headers may contain further
/// options of `Connection`.
///
/// ```
/// let response = sockless::handshake::HttpResponse::new(401)
///     .with_headers(&[("WWW-Authenticate", "Basic"), ("Content-Type", "text/plain")])
///     .with_body(b"who are you?");
/// ```
#[derive(Clone, Copy)]
pub struct HttpResponse<'a> {
    status: u16,
    headers: &'a [(&'a str, &'a str)],
    body: &'a [u8],
    send_body: bool,
}

impl HttpResponse<'static> {
    /// Makes the response to a valid HTTP/1.1 request for something other than a WebSocket: 426 to
    /// a GET, and 405 to other methods (RFC 9110 sections 15.5.22 and 15.5.6).
    /// [`ServerHandshake`](super::ServerHandshake) sends an equal response if the caller leaves the
    /// request unanswered.
    ///
    /// ```
    /// use sockless::handshake::HttpResponse;
    ///
    /// let response = HttpResponse::for_other_request("GET");
    /// assert_eq!(response.status(), 426);
    /// assert!(response.headers().contains(&("Upgrade", "websocket")));
    /// ```
    #[must_use]
    pub fn for_other_request(method: &str) -> HttpResponse<'static> {
        other_request(method == "GET")
    }
}

impl<'a> HttpResponse<'a> {
    /// Makes a response with a `status` from 200 to 599, without headers and body.
    #[must_use]
    pub const fn new(status: u16) -> HttpResponse<'a> {
        HttpResponse { status, headers: &[], body: b"", send_body: true }
    }

    /// Sets the header fields.
    #[must_use]
    pub const fn with_headers(mut self, headers: &'a [(&'a str, &'a str)]) -> HttpResponse<'a> {
        self.headers = headers;
        self
    }

    /// Sets the body.
    #[must_use]
    pub const fn with_body(mut self, body: &'a [u8]) -> HttpResponse<'a> {
        self.body = body;
        self
    }

    /// Returns the status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// Returns the header fields, without `Connection: close` and `Content-Length`.
    #[must_use]
    pub const fn headers(&self) -> &'a [(&'a str, &'a str)] {
        self.headers
    }

    /// Returns the body.
    #[must_use]
    pub const fn body(&self) -> &'a [u8] {
        self.body
    }

    /// Omits the body but keeps its `Content-Length`. RFC 9110 section 9.3.2: the server "MUST NOT
    /// send content in the response" to HEAD.
    pub(super) const fn head_only(mut self) -> HttpResponse<'a> {
        self.send_body = false;
        self
    }

    pub(super) fn check(&self) -> Result<(), Misuse> {
        // RFC 9110 section 6.4.1: "All 204 (No Content) ... and 304 (Not Modified) responses do not
        // include content." Section 15.3.6: "a server MUST NOT generate content in a 205 response."
        let bodiless = matches!(self.status, 204 | 205 | 304);
        if !(200..600).contains(&self.status) || (bodiless && !self.body.is_empty()) {
            return Err(Misuse::InvalidStatus);
        }
        // A 426 has these fields.
        check_headers(self.headers, &[Field::Connection, Field::Upgrade, Field::Version])
    }

    /// Writes the response. No output follows the response.
    #[inline(never)]
    pub(super) fn write<T: Storage>(&self, tx: &mut WriteBuffer<T>) -> Result<(), Error> {
        write_head(tx, 0, |out| {
            out.put("HTTP/1.1 ");
            let mut digits = [0; 20];
            let digits = decimal(usize::from(self.status), &mut digits);
            out.bytes(digits);
            out.bytes(reason(digits));
            out.put("\r\nConnection: close\r\n");
            // RFC 9110 section 8.6: "A server MUST NOT send a Content-Length header field in any
            // response with a status code of 1xx (Informational) or 204 (No Content)." In a 304 the
            // field would describe the body of a 200, whose length is unknown.
            if !matches!(self.status, 204 | 304) {
                out.put("Content-Length: ");
                out.bytes(decimal(self.body.len(), &mut [0; 20]));
                out.put("\r\n");
            }
            out.fields(self.headers.iter().map(|&(name, value)| text(name, value)));
            if self.send_body {
                out.bytes(self.body);
            }
        })
    }
}

pub(super) fn other_request(is_get: bool) -> HttpResponse<'static> {
    // A 405 has no body, because the method may be HEAD.
    if is_get { refusal(426, "this is a WebSocket server") } else { refusal(405, "") }
}

/// Makes a response with the headers that its status demands, and with `text` as its body.
pub(super) fn refusal(status: u16, text: &'static str) -> HttpResponse<'static> {
    let headers: &[(&str, &str)] = match status {
        // RFC 9110 section 7.8: "A sender of Upgrade MUST also send an "Upgrade" connection option
        // in the Connection header field".
        426 => &[PLAIN, ("Connection", "Upgrade"), ("Upgrade", "websocket"), VERSION],
        405 => &[PLAIN, ("Allow", "GET")],
        _ => &[PLAIN],
    };
    // Without a body, the first header (`Content-Type`) is omitted.
    let skipped = usize::from(text.is_empty());
    let headers = headers.get(skipped..).unwrap_or_default();
    HttpResponse::new(status).with_headers(headers).with_body(text.as_bytes())
}

impl fmt::Debug for HttpResponse<'_> {
    /// Shows lengths only: headers and body can contain credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpResponse")
            .field("status", &self.status)
            .field("headers", &self.headers.len())
            .field("body", &self.body.len())
            .finish_non_exhaustive()
    }
}

impl HandshakeError {
    /// Returns the response that refuses the request over HTTP/1.1. The response has the headers
    /// that its status demands (RFC 9110 sections 15.5.6 and 15.5.22, RFC 6455 section 4.4).
    /// [`ServerHandshake`](super::ServerHandshake) sends equal responses, without the body to HEAD.
    ///
    /// ```
    /// use sockless::handshake::HandshakeError;
    ///
    /// let refusal = HandshakeError::WebSocketVersion.response();
    /// assert_eq!(refusal.status(), 426);
    /// assert!(refusal.headers().contains(&("Sec-WebSocket-Version", "13")));
    /// ```
    #[must_use]
    pub fn response(self) -> HttpResponse<'static> {
        refusal(self.status(), self.text())
    }

    /// Returns the response that refuses an extended CONNECT. HTTP/2 and HTTP/3 have no `Upgrade`
    /// field (RFC 9113 section 8.2.2) and therefore no 426. If the WebSocket version is wrong, the
    /// status is 400 and `Sec-WebSocket-Version` names the supported version.
    #[must_use]
    pub fn connect_response(self) -> HttpResponse<'static> {
        match self {
            HandshakeError::WebSocketVersion => {
                refusal(400, self.text()).with_headers(&[PLAIN, VERSION])
            }
            _ => self.response(),
        }
    }
}

const PLAIN: (&str, &str) = ("Content-Type", "text/plain");
const VERSION: (&str, &str) = ("Sec-WebSocket-Version", "13");

/// Returns a space followed by the reason phrase of a status (RFC 9110 section 15). The phrase has
/// no meaning for the peer and may be empty.
fn reason(digits: &[u8]) -> &'static [u8] {
    let mut lines = STATUS.as_bytes();
    while !lines.is_empty() {
        if let Some(reason) = until(&mut lines, b'\n').strip_prefix(digits) {
            return reason;
        }
        lines = lines.get(1..).unwrap_or_default();
    }
    b" "
}

const STATUS: &str = "200 OK\n\
    204 No Content\n\
    301 Moved Permanently\n\
    302 Found\n\
    303 See Other\n\
    307 Temporary Redirect\n\
    308 Permanent Redirect\n\
    400 Bad Request\n\
    401 Unauthorized\n\
    403 Forbidden\n\
    404 Not Found\n\
    405 Method Not Allowed\n\
    426 Upgrade Required\n\
    429 Too Many Requests\n\
    431 Request Header Fields Too Large\n\
    500 Internal Server Error\n\
    503 Service Unavailable\n\
    505 HTTP Version Not Supported";

/// Returns the decimal digits of `number`.
#[inline(never)]
fn decimal(mut number: usize, digits: &mut [u8; 20]) -> &[u8] {
    let mut first = digits.len();
    for (place, digit) in digits.iter_mut().enumerate().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
        first = place;
        if number == 0 {
            break;
        }
    }
    digits.get(first..).unwrap_or_default()
}

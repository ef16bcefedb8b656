//! Builds HTTP heads for transcripts, and parses the responses.

/// The header lines of a valid request to open a WebSocket.
pub const REQUEST_HEADERS: [&str; 5] = [
    "Host: server.example.com",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
];

/// The header lines of a valid response to a client with the entropy [`sevens`](super::sevens).
pub const RESPONSE_HEADERS: [&str; 3] = [
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Accept: CdXSYUsvsaMthlEXWDNURGWA/1o=",
];

/// Returns a head of these lines.
pub fn head<'a>(first: &str, headers: impl IntoIterator<Item = &'a str>) -> Vec<u8> {
    let mut head = format!("{first}\r\n");
    for line in headers {
        head.push_str(line);
        head.push_str("\r\n");
    }
    head.push_str("\r\n");
    head.into_bytes()
}

/// Returns `headers` with `lines` in place of the lines with that name, or at the end if there are
/// none.
pub fn replace<'a>(headers: &[&'a str], name: &str, lines: &[&'a str]) -> Vec<&'a str> {
    let is_named = |line: &&str| {
        line.split_once(':').is_some_and(|(given, _)| given.eq_ignore_ascii_case(name))
    };
    let at = headers.iter().position(is_named).unwrap_or(headers.len());
    let mut replaced: Vec<_> = headers.iter().copied().filter(|line| !is_named(line)).collect();
    replaced.splice(at..at, lines.iter().copied());
    replaced
}

/// Returns a valid request with `lines` in place of its header lines of that name.
pub fn request(name: &str, lines: &[&str]) -> Vec<u8> {
    head("GET /chat HTTP/1.1", replace(&REQUEST_HEADERS, name, lines))
}

/// Returns a valid 101 for [`sevens`](super::sevens) with `lines` in place of its header lines of
/// that name.
pub fn response(name: &str, lines: &[&str]) -> Vec<u8> {
    head("HTTP/1.1 101 Switching Protocols", replace(&RESPONSE_HEADERS, name, lines))
}

/// An HTTP response.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    /// Parses one whole response that ends its connection, with nothing after it.
    pub fn whole(bytes: &[u8]) -> Answer {
        let answer = Answer::head(bytes);
        // RFC 9110 section 7.8: `Upgrade` needs its connection option.
        let options = if answer.header("Upgrade").is_empty() {
            &["close"][..]
        } else {
            &["close", "Upgrade"]
        };
        assert_eq!(answer.header("Connection"), options);
        assert_eq!(answer.header("Content-Length"), [answer.body.len().to_string()]);
        answer
    }

    /// Parses a head. The bytes after the head are the body.
    pub fn head(bytes: &[u8]) -> Answer {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("a whole head");
        let head = std::str::from_utf8(&bytes[..end]).expect("a head in UTF-8");
        let mut lines = head.split("\r\n");
        let first = lines.next().expect("a status line");
        let status = first.strip_prefix("HTTP/1.1 ").expect("HTTP/1.1");
        assert_eq!(status.as_bytes()[3], b' ', "{first}");
        let headers = lines
            .map(|line| {
                let (name, value) = line.split_once(": ").expect("a name and a value");
                assert!(!line.contains(['\r', '\n', '\0']), "{line:?}");
                (name.to_string(), value.to_string())
            })
            .collect();
        let status = status[..3].parse().expect("a status");
        Answer { status, headers, body: bytes[end + 4..].to_vec() }
    }

    /// Returns the values of all headers of this name.
    pub fn header(&self, name: &str) -> Vec<&str> {
        let named = |(given, _): &&(String, String)| given.eq_ignore_ascii_case(name);
        self.headers.iter().filter(named).map(|(_, value)| value.as_str()).collect()
    }
}

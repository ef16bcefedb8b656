//! Parses the command line.

use lexopt::prelude::*;
use sockless::deflate::DeflateConfig;
use sockless::handshake::{ConnectRequest, Uri};
use sockless::{CloseCode, Config, MAX_REASON_LEN, OsEntropy, WebSocket, WriteBuffer};

pub const USAGE: &str = "\
Talks to a WebSocket server: lines of the standard input are sent as text, events are printed.

Usage: client URI [OPTION]...

URI                   such as ws://127.0.0.1:8001/ (wss:// would need a TLS library between)
--subprotocol NAME    offer a subprotocol; may be given several times, the best liked first
--header 'NAME: V'    add a header to the request; may be given several times
--origin ORIGIN       add the header Origin, as a browser does
--deflate             offer compression (permessage-deflate)
--close CODE[:REASON] how to close when the input ends (default 1000)
--help                this text

Each event is a line: 'open [SUBPROTOCOL]', with --deflate 'compression on' or 'compression off',
'text TEXT', 'binary HEX', 'ping HEX', 'pong HEX', 'close CODE [REASON]'; and if the server does not open
a WebSocket 'refused STATUS', 'header NAME: V', 'body TEXT'. In texts a line feed is printed as \\n, a
carriage return as \\r, a backslash as \\\\.

Exit codes: 0 closed normally (1000, 1001, no code, or the code that we closed with), 1 usage or input
that is not UTF-8, 2 cannot connect, 3 refused, 4 the server broke the protocol, 5 any other end.
";

pub struct Options {
    pub uri: String,
    pub subprotocols: Vec<String>,
    pub headers: Vec<(String, String)>,
    pub origin: Option<String>,
    pub compress: bool,
    pub close: (CloseCode, String),
}

impl Options {
    /// Calls `use_it` with the request for these options.
    pub fn with_request<T>(
        &self,
        uri: &Uri<'_>,
        use_it: impl FnOnce(&ConnectRequest<'_>) -> T,
    ) -> T {
        let subprotocols = self.offered();
        let headers: Vec<(&str, &str)> =
            self.headers.iter().map(|(name, value)| (&**name, &**value)).collect();
        let mut request =
            ConnectRequest::new(uri).with_subprotocols(&subprotocols).with_headers(&headers);
        if let Some(origin) = &self.origin {
            request = request.with_origin(origin);
        }
        if self.compress {
            request = request.with_deflate(DeflateConfig::DEFAULT);
        }
        use_it(&request)
    }

    pub fn offered(&self) -> Vec<&str> {
        self.subprotocols.iter().map(String::as_str).collect()
    }
}

/// Returns the options, or `None` for `--help`.
pub fn options() -> Result<Option<Options>, lexopt::Error> {
    let mut uri = None;
    let (mut subprotocols, mut headers, mut origin) = (Vec::new(), Vec::new(), None);
    let mut compress = false;
    let mut close = (CloseCode::NORMAL, String::new());
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("help") | Short('h') => return Ok(None),
            Long("subprotocol") => subprotocols.push(arguments.value()?.string()?),
            Long("header") => headers.push(header(&arguments.value()?.string()?)?),
            Long("origin") => origin = Some(arguments.value()?.string()?),
            Long("deflate") => compress = true,
            Long("close") => close = close_of(&arguments.value()?.string()?)?,
            Value(value) if uri.is_none() => uri = Some(value.string()?),
            _ => return Err(argument.unexpected()),
        }
    }
    let uri = uri.ok_or("no URI was given")?;
    let options = Options { uri, subprotocols, headers, origin, compress, close };
    check(&options)?;
    Ok(Some(options))
}

fn header(text: &str) -> Result<(String, String), lexopt::Error> {
    let (name, value) = text.split_once(':').ok_or("a header is NAME: VALUE")?;
    Ok((name.to_owned(), value.trim_matches([' ', '\t']).to_owned()))
}

fn close_of(text: &str) -> Result<(CloseCode, String), lexopt::Error> {
    let (code, reason) = text.split_once(':').unwrap_or((text, ""));
    let code = CloseCode::new(code.parse().map_err(|_| format!("{code:?} is not a close code"))?);
    if !code.is_sendable() {
        return Err(format!("{} is a close code that may not be sent", code.get()).into());
    }
    if reason.len() > MAX_REASON_LEN {
        return Err(format!("a reason has at most {MAX_REASON_LEN} bytes").into());
    }
    Ok((code, reason.to_owned()))
}

/// Checks the options before connecting, by writing the request to a scratch buffer.
fn check(options: &Options) -> Result<(), lexopt::Error> {
    let uri = Uri::parse(&options.uri).map_err(|error| error.to_string())?;
    if uri.is_secure() {
        return Err("wss: needs TLS, which this client does not have".into());
    }
    let mut ws = WebSocket::client(Config::default(), OsEntropy::new());
    let mut scratch = WriteBuffer::growing(1 << 20);
    options
        .with_request(&uri, |request| ws.connect(request, &mut scratch))
        .map_err(|error| error.to_string().into())
}

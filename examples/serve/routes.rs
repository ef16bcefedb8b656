//! What each path is for, and who may use it.

use sockless::deflate::{Context, DeflateConfig, WindowBits};
use sockless::handshake::{Answer, RequestHead, Response};
use sockless::{Server, WebSocket};

use crate::Shared;
use crate::buffers::Tx;
use crate::connection::Purpose;
use crate::echo::Echo;
use crate::pages::{self, Page};

/// What compression costs, at most: 164 KiB for each connection that keeps what it sent in mind, and 46 KiB to take what
/// its client compresses.
const COMPRESSION: DeflateConfig = DeflateConfig {
    send: Context { window_bits: WindowBits::new(12).unwrap(), takeover: true },
    memory_level: 5,
    ..DeflateConfig::DEFAULT
};

/// Answers a request to open a WebSocket.
pub fn upgrade(
    request: &RequestHead,
    ws: &mut WebSocket<Server>,
    tx: &mut Tx,
    shared: &Shared,
) -> Purpose {
    let purpose = match path_and_query(request).0 {
        "/" => Purpose::Echo(Echo::default()),
        "/chat" => Purpose::Chat,
        "/login" => Purpose::Login,
        _ => {
            answer(&pages::not_found(), request, ws, tx);
            return Purpose::Unknown;
        }
    };
    // The echo has no secrets, so any page may use it; what the others do is done for the page's user.
    if !matches!(purpose, Purpose::Echo(_)) && !is_same_origin(request) {
        answer(&pages::foreign_origin(), request, ws, tx);
        return Purpose::Unknown;
    }
    let is_known = |offered: &&str| shared.subprotocols.iter().any(|known| known == offered);
    let mut response = Response::new().deflate(COMPRESSION);
    if let Some(name) = request.subprotocols().find(is_known) {
        response = response.subprotocol(name);
    }
    match ws.accept(request, response, tx) {
        Ok(()) => purpose,
        Err(_) => Purpose::Unknown, // what is left unanswered is refused by the machine
    }
}

/// Answers a request for something else.
pub fn page(request: &RequestHead, ws: &mut WebSocket<Server>, tx: &mut Tx, shared: &mut Shared) {
    if !matches!(request.method(), "GET" | "HEAD") {
        return; // what is left unanswered is refused by the machine
    }
    let (path, query) = path_and_query(request);
    if matches!(path, "/chat" | "/login") {
        return; // likewise, with 426: a WebSocket would be welcome there
    }
    let page = match path.strip_prefix("/login/") {
        // Only looking, as HEAD does, changes nothing.
        Some(token) if request.method() == "GET" => {
            let name = form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "name");
            let name = name.as_ref().map(|(_, name)| &**name);
            pages::login(&shared.logins.open(token, name, shared.now, &mut shared.outbox))
        }
        None if path == "/" => pages::index(),
        _ => pages::not_found(),
    };
    answer(&page, request, ws, tx);
}

fn answer(page: &Page, request: &RequestHead, ws: &mut WebSocket<Server>, tx: &mut Tx) {
    let mut headers = vec![("Content-Type", page.media_type)];
    headers.extend(pages::HEADERS);
    let mut answer = Answer::new(page.status).headers(&headers).body(page.body.as_bytes());
    if request.method() == "HEAD" {
        answer = answer.head_only();
    }
    // The buffer has room for the largest page; if it had not, the machine would refuse the request.
    let _ = ws.answer(answer, tx);
}

fn path_and_query<'a>(request: &RequestHead<'a>) -> (&'a str, &'a str) {
    request.target().split_once('?').unwrap_or((request.target(), ""))
}

/// The host and port that the client knows this server by, if they can stand in a link.
pub fn host<'a>(request: &RequestHead<'a>) -> Option<&'a str> {
    let host = std::str::from_utf8(request.header("Host")?).ok()?;
    let is_usual = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    Some(host).filter(|host| !host.is_empty() && host.len() <= 255 && host.bytes().all(is_usual))
}

/// Whether a request comes from a page of this server, or from no page at all.
///
/// A browser says in `Origin` which page is asking, and no page can change that. Without this check any page
/// that a user visits could connect in the user's name and read what comes back (RFC 6455 section 10.2).
/// Other programs can send what they like, and gain nothing: they have no user's cookies to ride on.
fn is_same_origin(request: &RequestHead) -> bool {
    let Some(origin) = request.origin() else { return true };
    let Some(host) = request.header("Host") else { return false };
    // With TLS, which some proxy would end in front of this server, the scheme is the only difference.
    [&b"http://"[..], b"https://"].iter().any(|scheme| {
        origin.strip_prefix(*scheme).is_some_and(|from| from.eq_ignore_ascii_case(host))
    })
}

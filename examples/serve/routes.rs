//! Maps each path to its service, and checks who may use it.

use std::borrow::Cow;

use sockless::handshake::{Accept, HttpResponse, RequestHead};
use sockless::{Server, WebSocket};

use crate::Shared;
use crate::buffers::Tx;
use crate::connection::Purpose;
use crate::echo::Echo;
use crate::pages::{self, Page};

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
            answer(&pages::not_found(), ws, tx);
            return Purpose::Unknown;
        }
    };
    // The echo has no secrets, so any page may use it. The other services act for the page's user.
    if !matches!(purpose, Purpose::Echo(_)) && !is_same_origin(request) {
        answer(&pages::foreign_origin(), ws, tx);
        return Purpose::Unknown;
    }
    let is_known = |offered: &&str| shared.subprotocols.iter().any(|known| known == offered);
    let mut response = Accept::new();
    if let Some(config) = shared.deflate {
        response = response.with_deflate(config);
    }
    if let Some(name) = request.subprotocols().find(is_known) {
        response = response.with_subprotocol(name);
    }
    match ws.accept(request, response, tx) {
        Ok(()) => purpose,
        Err(_) => Purpose::Unknown, // the machine refuses an unanswered request
    }
}

/// Answers a request without an upgrade.
pub fn page(request: &RequestHead, ws: &mut WebSocket<Server>, tx: &mut Tx, shared: &mut Shared) {
    if !matches!(request.method(), "GET" | "HEAD") {
        return; // the machine refuses an unanswered request
    }
    let path = path_and_query(request).0;
    if matches!(path, "/chat" | "/login") {
        return; // the machine refuses with 426: these paths need a WebSocket
    }
    let page = match path.strip_prefix("/login/") {
        Some(token) => {
            let (name, logins) = (parameter(request, "name"), &mut shared.logins);
            let name = match request.method() {
                // A HEAD request, perhaps of a link preview, must not invalidate the link.
                "HEAD" => logins.look(token, name.as_deref(), shared.now),
                _ => logins.open(token, name.as_deref(), shared.now, &mut shared.outbox),
            };
            pages::login(name.as_deref())
        }
        None if path == "/" => pages::index(),
        None if path == "/traffic" => {
            let totals = parameter(request, "name").and_then(|name| shared.traffic.find(&name));
            totals.map_or_else(pages::not_found, pages::traffic)
        }
        None => pages::not_found(),
    };
    answer(&page, ws, tx);
}

fn answer(page: &Page, ws: &mut WebSocket<Server>, tx: &mut Tx) {
    let mut headers = vec![("Content-Type", page.media_type)];
    headers.extend(pages::HEADERS);
    let answer =
        HttpResponse::new(page.status).with_headers(&headers).with_body(page.body.as_bytes());
    // The buffer has room for the largest page. On an error the machine refuses the request.
    let _ = ws.respond(answer, tx);
}

fn path_and_query<'a>(request: &RequestHead<'a>) -> (&'a str, &'a str) {
    request.target().split_once('?').unwrap_or((request.target(), ""))
}

/// Returns the value of a query parameter of the request target.
pub fn parameter<'a>(request: &RequestHead<'a>, key: &str) -> Option<Cow<'a, str>> {
    let query = path_and_query(request).1;
    form_urlencoded::parse(query.as_bytes()).find(|(found, _)| found == key).map(|(_, value)| value)
}

/// Returns the host and port under which the client reached this server, if they are safe in a
/// link.
pub fn host<'a>(request: &RequestHead<'a>) -> Option<&'a str> {
    let host = std::str::from_utf8(request.header("Host")?).ok()?;
    let is_usual = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    Some(host).filter(|host| !host.is_empty() && host.len() <= 255 && host.bytes().all(is_usual))
}

/// Returns `true` if a page of this server, or no page, sent the request.
///
/// A browser names the origin of the requesting page in `Origin`, and no page can change it.
/// Without this check, any page that a user visits could connect in the user's name and read the
/// responses (RFC 6455 section 10.2). Other programs can send any `Origin`, but have no cookies of
/// the user.
fn is_same_origin(request: &RequestHead) -> bool {
    let Some(origin) = request.origin() else { return true };
    let Some(host) = request.header("Host") else { return false };
    // With a TLS proxy in front of this server, only the scheme differs.
    [&b"http://"[..], b"https://"].iter().any(|scheme| {
        origin.strip_prefix(*scheme).is_some_and(|from| from.eq_ignore_ascii_case(host))
    })
}

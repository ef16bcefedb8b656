//! What a browser gets that asks for a page and not for a WebSocket. All of it is static text: nothing that
//! a client sends is ever part of a page.

use crate::login::Opened;

pub struct Page {
    pub status: u16,
    pub media_type: &'static str,
    pub body: String,
}

/// The headers that go with each page: it may run what it brings itself and connect to where it came from;
/// nothing else, nowhere else, in nobody's frame. A link to log in with stays out of caches and referrers.
pub const HEADERS: [(&str, &str); 5] = [
    (
        "Content-Security-Policy",
        "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; \
         connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cache-Control", "no-store"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
];

/// The page with the three panels.
pub fn index() -> Page {
    html(200, include_str!("page.html").to_owned())
}

pub fn not_found() -> Page {
    text(404, "Not found\n")
}

pub fn foreign_origin() -> Page {
    text(403, "This is for pages that came from this server.\n")
}

/// What the other device shows that opened a link to log in with.
pub fn login(opened: &Opened) -> Page {
    let (status, title, content) = match opened {
        Opened::Confirm => (
            200,
            "Log in the other page?",
            r#"<p>Only go on if you have just scanned the code yourself.</p>
<form><label for="name">Your name</label>
<input id="name" name="name" maxlength="24" required autofocus autocomplete="nickname">
<button id="confirm">Log in</button></form>"#,
        ),
        Opened::LoggedIn => {
            (200, "Logged in", "<p>The other page knows. This one can be closed.</p>")
        }
        Opened::Invalid => (
            404,
            "This link is of no use",
            "<p>It was used, or its time is over. Scan the code again.</p>",
        ),
    };
    let frame = include_str!("login.html");
    html(status, frame.replace("<!-- title -->", title).replace("<!-- content -->", content))
}

fn html(status: u16, body: String) -> Page {
    Page { status, media_type: "text/html; charset=utf-8", body }
}

fn text(status: u16, body: &str) -> Page {
    Page { status, media_type: "text/plain; charset=utf-8", body: body.to_owned() }
}

//! Pages over HTTP. The only client data in a page is a name, as escaped text.

use crate::chat::json;
use crate::compression::CompressionStats;

pub struct Page {
    pub status: u16,
    pub media_type: &'static str,
    pub body: String,
}

/// The headers of each page. The page may run its own scripts and connect to this server only, and
/// no other page may frame it. Caches and referrers do not see its address, which can be a log-in
/// link.
pub const HEADERS: [(&str, &str); 5] = [
    (
        "Content-Security-Policy",
        "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; \
         connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cache-Control", "no-store"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
];

/// Returns the page with the three panels.
pub fn index() -> Page {
    html(200, include_str!("page.html").to_owned())
}

pub fn not_found() -> Page {
    text(404, "Not found\n")
}

pub fn foreign_origin() -> Page {
    text(403, "This is for pages that came from this server.\n")
}

/// Returns the page for the device that opened a log-in link: the name that it logged in, or an
/// error.
pub fn login(name: Option<&str>) -> Page {
    let (status, title, content) = match name {
        Some(name) => {
            let name = html_escape::encode_text(name);
            let content = format!(
                "<p>You are logged in on the other screen as <strong id=\"name\">{name}</strong>. \
                 This page can be closed.</p>"
            );
            (200, "Logged in", content)
        }
        None => (
            404,
            "This link is of no use",
            "<p>It was used, or its time is over. \
             Scan the code that the other screen shows now.</p>"
                .to_owned(),
        ),
    };
    let frame = include_str!("login.html");
    html(status, frame.replace("<!-- title -->", title).replace("<!-- content -->", &content))
}

/// Returns the compression figures of a connection as JSON.
pub fn traffic(totals: &CompressionStats) -> Page {
    Page { status: 200, media_type: "application/json", body: json(totals).to_string() }
}

fn html(status: u16, body: String) -> Page {
    Page { status, media_type: "text/html; charset=utf-8", body }
}

fn text(status: u16, body: &str) -> Page {
    Page { status, media_type: "text/plain; charset=utf-8", body: body.to_owned() }
}

//! Scan to log in: each page shows a code with a link, and opening the link logs the page in.

use std::collections::HashMap;

use qrcode::render::svg;
use qrcode::{EcLevel, QrCode};
use serde::{Deserialize, Serialize};

use crate::chat::{Outbox, clean_name, json};

const VALID_MS: u64 = 120_000;

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Request {
    Logout,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum News<'a> {
    Code { link: &'a str, svg: &'a str, seconds: u64 },
    Login { name: &'a str },
}

/// A page that shows a code, or is logged in.
struct Waiting {
    /// The `Host` under which the page reached this server.
    host: String,
    token: Option<String>,
    /// The name that the link logs in, if the link has no name.
    guest: String,
    expires: u64,
}

#[derive(Default)]
pub struct Logins {
    pages: HashMap<usize, Waiting>,
    /// The page of each token. The map hashes with a random key, so the time of a lookup reveals
    /// nothing about other tokens.
    tokens: HashMap<String, usize>,
}

impl Logins {
    /// Adds a page and issues its first code. An error is the reason of the Close to send.
    pub fn join(
        &mut self,
        id: usize,
        host: &str,
        now: u64,
        out: &mut Outbox,
    ) -> Result<(), &'static str> {
        let page = Waiting { host: host.to_owned(), token: None, guest: String::new(), expires: 0 };
        self.pages.insert(id, page);
        self.issue(id, now, out)
    }

    pub fn leave(&mut self, id: usize) {
        if let Some(token) = self.pages.remove(&id).and_then(|page| page.token) {
            self.tokens.remove(&token);
        }
    }

    pub fn receive(
        &mut self,
        id: usize,
        message: &str,
        now: u64,
        out: &mut Outbox,
    ) -> Result<(), &'static str> {
        let Request::Logout = serde_json::from_str(message).map_err(|_| "not a log-in message")?;
        // A page that shows a code has nobody to log out.
        if self.pages.get(&id).is_some_and(|page| page.token.is_none()) {
            self.issue(id, now, out)?;
        }
        Ok(())
    }

    /// Returns the name under which a link would log its page in. Returns `None` if the link is
    /// unknown, used or expired, or its page is gone. The visitor does not learn which.
    pub fn look(&self, token: &str, name: Option<&str>, now: u64) -> Option<String> {
        let page = self.pages.get(self.tokens.get(token)?)?;
        (now < page.expires)
            .then(|| name.and_then(clean_name).unwrap_or_else(|| page.guest.clone()))
    }

    /// Opens a link: logs its page in, and invalidates the link.
    pub fn open(
        &mut self,
        token: &str,
        name: Option<&str>,
        now: u64,
        out: &mut Outbox,
    ) -> Option<String> {
        let name = self.look(token, name, now)?;
        let id = self.tokens.remove(token)?;
        self.pages.get_mut(&id)?.token = None;
        out.push((id, json(&News::Login { name: &name })));
        Some(name)
    }

    /// Issues a new code to each page whose code has expired.
    pub fn expire(&mut self, now: u64, out: &mut Outbox) {
        let has_expired = |page: &Waiting| page.token.is_some() && page.expires <= now;
        let expired: Vec<usize> =
            self.pages.iter().filter(|(_, page)| has_expired(page)).map(|(&id, _)| id).collect();
        for id in expired {
            // Without entropy the page keeps its expired code until the next attempt.
            let _ = self.issue(id, now, out);
        }
    }

    fn issue(&mut self, id: usize, now: u64, out: &mut Outbox) -> Result<(), &'static str> {
        let Some(page) = self.pages.get_mut(&id) else { return Ok(()) };
        let (mut random, mut number) = ([0; 16], [0; 2]);
        getrandom::fill(&mut random)
            .and_then(|()| getrandom::fill(&mut number))
            .map_err(|_| "no entropy for a code")?;
        let token = format!("{:032x}", u128::from_be_bytes(random));
        page.guest = format!("Guest {}", 1000 + u16::from_be_bytes(number) % 9000);
        let link = format!("http://{}/login/{token}", page.host);
        // A screen needs little error correction, and fewer, larger squares are easier to scan.
        let code = QrCode::with_error_correction_level(&link, EcLevel::L)
            .map_err(|_| "the link is too long for a code")?;
        let svg = code.render::<svg::Color>().min_dimensions(240, 240).build();
        if let Some(old) = page.token.replace(token.clone()) {
            self.tokens.remove(&old);
        }
        page.expires = now + VALID_MS;
        self.tokens.insert(token, id);
        out.push((id, json(&News::Code { link: &link, svg: &svg, seconds: VALID_MS / 1000 })));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(out: &mut Outbox) -> String {
        let message: serde_json::Value = serde_json::from_str(&out.pop().unwrap().1).unwrap();
        assert_eq!(message["type"], "code");
        let link = message["link"].as_str().unwrap();
        link.strip_prefix("http://here:1/login/").unwrap().to_owned()
    }

    #[test]
    fn a_link_works_once() {
        let (mut logins, mut out) = (Logins::default(), Outbox::new());
        logins.join(1, "here:1", 0, &mut out).unwrap();
        let first = token(&mut out);
        let guest = logins.look(&first, None, 1).unwrap();
        assert!(guest.starts_with("Guest ") && out.is_empty(), "looking changes nothing");
        assert_eq!(logins.open(&first, Some(" "), 1, &mut out), Some(guest.clone()));
        assert_eq!(*out.pop().unwrap().1, format!(r#"{{"type":"login","name":"{guest}"}}"#));
        assert_eq!(logins.open(&first, None, 1, &mut out), None);
        assert_eq!(logins.look(&first, None, 1), None);
        assert!(out.is_empty());
        logins.receive(1, r#"{"type":"logout"}"#, 2, &mut out).unwrap();
        let second = token(&mut out);
        assert_ne!(second, first);
        logins.receive(1, r#"{"type":"logout"}"#, 2, &mut out).unwrap();
        assert!(out.is_empty(), "a page that shows a code gets no other for asking");
        assert_eq!(logins.open(&second, Some(" Ada\n"), 2, &mut out).unwrap(), "Ada");
        assert_eq!(&*out.pop().unwrap().1, r#"{"type":"login","name":"Ada"}"#);
        assert!(logins.receive(1, "{}", 2, &mut out).is_err());
    }

    #[test]
    fn a_link_expires_and_goes_with_its_page() {
        let (mut logins, mut out) = (Logins::default(), Outbox::new());
        logins.join(1, "here:1", 0, &mut out).unwrap();
        let first = token(&mut out);
        logins.expire(VALID_MS - 1, &mut out);
        assert!(out.is_empty());
        assert_eq!(logins.open(&first, Some("Ada"), VALID_MS, &mut out), None);
        logins.expire(VALID_MS, &mut out);
        let second = token(&mut out);
        assert_eq!(logins.look(&first, None, VALID_MS), None);
        assert!(logins.look(&second, None, VALID_MS).is_some());
        logins.leave(1);
        assert_eq!(logins.look(&second, None, VALID_MS), None);
        assert!(logins.tokens.is_empty());
    }
}

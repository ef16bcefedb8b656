//! Prints events as lines.

use std::io::{self, BufWriter, Stdout, Write};

use sockless::Close;
use sockless::handshake::ResponseHead;

pub struct Output(BufWriter<Stdout>);

impl Output {
    pub fn new() -> Output {
        Output(BufWriter::new(io::stdout()))
    }

    pub fn opened(&mut self, subprotocol: Option<&str>) -> io::Result<()> {
        self.line("open", subprotocol.unwrap_or_default())
    }

    pub fn compression(&mut self, on: bool) -> io::Result<()> {
        self.line("compression", if on { "on" } else { "off" })
    }

    pub fn text(&mut self, text: &str) -> io::Result<()> {
        // Always print the space, even before an empty text.
        write!(self.0, "text ")?;
        self.escaped(text)?;
        writeln!(self.0)
    }

    /// Prints bytes as hexadecimal digits.
    pub fn bytes(&mut self, what: &str, bytes: &[u8]) -> io::Result<()> {
        write!(self.0, "{what}{}", if bytes.is_empty() { "" } else { " " })?;
        for byte in bytes {
            write!(self.0, "{byte:02x}")?;
        }
        writeln!(self.0)
    }

    pub fn closed(&mut self, close: &Close<'_>) -> io::Result<()> {
        self.line(&format!("close {}", close.code().get()), close.reason())
    }

    pub fn refused(&mut self, response: &ResponseHead<'_>) -> io::Result<()> {
        writeln!(self.0, "refused {}", response.status())?;
        for (name, value) in response.headers() {
            let name = String::from_utf8_lossy(name);
            self.line(&format!("header {name}:"), &String::from_utf8_lossy(value))?;
        }
        Ok(())
    }

    pub fn body(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.line("body", &String::from_utf8_lossy(bytes))
    }

    pub fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }

    fn line(&mut self, what: &str, text: &str) -> io::Result<()> {
        write!(self.0, "{what}{}", if text.is_empty() { "" } else { " " })?;
        self.escaped(text)?;
        writeln!(self.0)
    }

    /// Prints text with its line feeds, carriage returns and backslashes escaped.
    fn escaped(&mut self, text: &str) -> io::Result<()> {
        for part in text.split_inclusive(['\n', '\r', '\\']) {
            let (plain, escape) = match part.as_bytes().last() {
                Some(b'\n') => (&part[..part.len() - 1], "\\n"),
                Some(b'\r') => (&part[..part.len() - 1], "\\r"),
                Some(b'\\') => (&part[..part.len() - 1], "\\\\"),
                _ => (part, ""),
            };
            write!(self.0, "{plain}{escape}")?;
        }
        Ok(())
    }
}

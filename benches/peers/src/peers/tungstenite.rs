//! tungstenite 0.30: blocking, owns its buffers, messages own their payload.

use tungstenite::protocol::{Message as Theirs, Role as TheirRole, WebSocket};

use crate::candidate::{CLOSED, Candidate, Handshake, Receive, Send};
use crate::kernel::{Drain, Outcome, Pipe, Source, text};
use crate::workload::{Kind, Message, Role, Tally};

pub struct Peer;

struct Open(WebSocket<Pipe>);

struct Sender {
    open: Open,
    messages: Vec<Theirs>,
}

struct Server(Pipe);

fn open(role: Role, pipe: Pipe) -> Open {
    let role = match role {
        Role::Server => TheirRole::Server,
        Role::Client => TheirRole::Client,
    };
    Open(WebSocket::from_raw_socket(pipe, role, None))
}

impl Candidate for Peer {
    fn name(&self) -> &'static str {
        "tungstenite"
    }

    fn note(&self) -> &'static str {
        "blocking `WebSocket`, default configuration (128 KiB read buffer)"
    }

    fn receiver(&self, role: Role, source: Source, drain: Drain) -> Option<Box<dyn Receive>> {
        Some(Box::new(open(role, Pipe { source, drain })))
    }

    fn sender(
        &self,
        role: Role,
        drain: Drain,
        messages: &'static [Message],
    ) -> Option<Box<dyn Send>> {
        let messages = messages
            .iter()
            .map(|message| match message.kind {
                Kind::Text => Theirs::text(message.text()),
                Kind::Binary => Theirs::Binary(message.payload.clone()),
            })
            .collect();
        Some(Box::new(Sender {
            open: open(role, Pipe { source: Source::empty(), drain }),
            messages,
        }))
    }

    fn handshake(&self, source: Source, drain: Drain) -> Option<Box<dyn Handshake>> {
        Some(Box::new(Server(Pipe { source, drain })))
    }
}

impl Receive for Open {
    fn receive(&mut self, messages: usize, tally: &mut Tally) -> Outcome {
        let goal = tally.messages + messages;
        while tally.messages < goal {
            match self.0.read().map_err(text)? {
                Theirs::Text(payload) => tally.text(&payload),
                Theirs::Binary(payload) => tally.binary(&payload),
                Theirs::Close(_) => {
                    self.0.flush().map_err(text)?;
                    return Err(CLOSED.into());
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl Send for Sender {
    fn send(&mut self) -> Outcome {
        for message in &self.messages {
            self.open.0.send(message.clone()).map_err(text)?;
        }
        Ok(())
    }
}

impl Handshake for Server {
    fn shake(&mut self) -> Outcome {
        tungstenite::accept(&mut self.0).map(drop).map_err(text)
    }
}

//! tokio-websockets 0.13: strict, asynchronous, a `Stream` and a `Sink` of messages.

use futures::{SinkExt, StreamExt};
use tokio_websockets::{ClientBuilder, Message as Theirs, ServerBuilder, WebSocketStream};

use crate::candidate::{CLOSED, Candidate, Handshake, Receive, Send};
use crate::kernel::{Drain, Outcome, Pipe, Source, run, text};
use crate::workload::{Kind, Message, Role, Tally};

pub struct Peer;

struct Open(WebSocketStream<Pipe>);

struct Sender {
    open: Open,
    messages: Vec<Theirs>,
}

struct Server(Pipe);

fn open(role: Role, pipe: Pipe) -> Open {
    Open(match role {
        Role::Server => ServerBuilder::new().serve(pipe),
        Role::Client => ClientBuilder::new().take_over(pipe),
    })
}

impl Candidate for Peer {
    fn name(&self) -> &'static str {
        "tokio-websockets"
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn note(&self) -> &'static str {
        "`WebSocketStream` as `Stream` and `Sink`; features fastrand and ring"
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
                Kind::Text => Theirs::text(message.payload.clone()),
                Kind::Binary => Theirs::binary(message.payload.clone()),
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
        run(async {
            while tally.messages < goal {
                let message = self.0.next().await.ok_or("ended")?.map_err(text)?;
                if message.is_binary() {
                    tally.binary(message.as_payload());
                } else if let Some(payload) = message.as_text() {
                    tally.text(payload);
                } else if message.is_close() {
                    return Err(CLOSED.into());
                }
            }
            Ok(())
        })
    }
}

impl Send for Sender {
    fn send(&mut self) -> Outcome {
        run(async {
            for message in &self.messages {
                self.open.0.send(message.clone()).await.map_err(text)?;
            }
            Ok(())
        })
    }
}

impl Handshake for Server {
    fn shake(&mut self) -> Outcome {
        run(ServerBuilder::new().accept(&mut self.0)).map(drop).map_err(text)
    }
}

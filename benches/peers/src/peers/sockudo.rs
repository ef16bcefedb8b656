//! sockudo-ws 3.1: its sans-IO `Protocol` over a `BytesMut`, which reads messages in batches.

use bytes::{BufMut, BytesMut};
use sockudo_ws::handshake::{build_response, generate_accept_key, parse_request};
use sockudo_ws::protocol::{Message as Theirs, Protocol, Role as TheirRole};

use crate::candidate::{CLOSED, Candidate, Handshake, Receive, Send};
use crate::kernel::{Drain, Outcome, Source, text};
use crate::workload::{Kind, Message, Role, Tally};

/// Bytes of one read.
const READ: usize = 64 * 1024;
const LIMIT: usize = 64 << 20;

pub struct Peer;

struct Receiver {
    protocol: Protocol,
    source: Source,
    drain: Drain,
    input: BytesMut,
    output: BytesMut,
    batch: Vec<Theirs>,
}

struct Sender {
    protocol: Protocol,
    drain: Drain,
    output: BytesMut,
    messages: Vec<Theirs>,
}

struct Server {
    source: Source,
    drain: Drain,
    input: BytesMut,
}

fn open(role: Role) -> Protocol {
    let role = match role {
        Role::Server => TheirRole::Server,
        Role::Client => TheirRole::Client,
    };
    Protocol::new(role, LIMIT, LIMIT)
}

impl Candidate for Peer {
    fn name(&self) -> &'static str {
        "sockudo-ws"
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn note(&self) -> &'static str {
        "sans-IO `Protocol::process_into` with a `Vec` that is kept; text is taken as the bytes it validated, since its \
         `as_text` validates again"
    }

    fn receiver(&self, role: Role, source: Source, drain: Drain) -> Option<Box<dyn Receive>> {
        Some(Box::new(Receiver {
            protocol: open(role),
            source,
            drain,
            input: BytesMut::new(),
            output: BytesMut::new(),
            batch: Vec::new(),
        }))
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
                Kind::Text => Theirs::Text(message.payload.clone()),
                Kind::Binary => Theirs::Binary(message.payload.clone()),
            })
            .collect();
        Some(Box::new(Sender { protocol: open(role), drain, output: BytesMut::new(), messages }))
    }

    fn handshake(&self, source: Source, drain: Drain) -> Option<Box<dyn Handshake>> {
        Some(Box::new(Server { source, drain, input: BytesMut::new() }))
    }
}

impl Receive for Receiver {
    fn receive(&mut self, messages: usize, tally: &mut Tally) -> Outcome {
        let goal = tally.messages + messages;
        while tally.messages < goal {
            let taken = self.source.take(READ);
            if taken.is_empty() {
                return Err("ended".into());
            }
            self.input.put_slice(taken);
            let outcome = self.protocol.process_into(&mut self.input, &mut self.batch);
            for message in self.batch.drain(..) {
                match message {
                    Theirs::Text(payload) => tally.message(Kind::Text, &payload),
                    Theirs::Binary(payload) => tally.binary(&payload),
                    Theirs::Ping(payload) => {
                        self.protocol.encode_pong(&payload, &mut self.output);
                        self.drain.put(&self.output);
                        self.output.clear();
                    }
                    Theirs::Pong(_) => {}
                    Theirs::Close(_) => return Err(CLOSED.into()),
                }
            }
            outcome.map_err(text)?;
        }
        Ok(())
    }
}

impl Send for Sender {
    fn send(&mut self) -> Outcome {
        for message in &self.messages {
            self.protocol.encode_message(message, &mut self.output).map_err(text)?;
            self.drain.put(&self.output);
            self.output.clear();
        }
        Ok(())
    }
}

impl Handshake for Server {
    fn shake(&mut self) -> Outcome {
        self.input.clear();
        self.input.put_slice(self.source.take(READ));
        let (request, _) =
            parse_request(&self.input).map_err(text)?.ok_or("the head is not whole")?;
        self.drain.put(&build_response(&generate_accept_key(request.key), None, None));
        Ok(())
    }
}

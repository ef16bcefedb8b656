//! fastwebsockets 0.10: asynchronous frames, collected into messages.

use fastwebsockets::{FragmentCollector, Frame, OpCode, Payload, Role as TheirRole, WebSocket};

use crate::candidate::{CLOSED, Candidate, Receive, Send};
use crate::kernel::{Drain, Outcome, Pipe, Source, run, text};
use crate::workload::{Kind, Message, Role, Tally};

pub struct Peer;

struct Receiver(FragmentCollector<Pipe>);

struct Sender {
    socket: WebSocket<Pipe>,
    messages: &'static [Message],
}

fn open(role: Role, pipe: Pipe) -> WebSocket<Pipe> {
    let role = match role {
        Role::Server => TheirRole::Server,
        Role::Client => TheirRole::Client,
    };
    WebSocket::after_handshake(pipe, role)
}

impl Candidate for Peer {
    fn name(&self) -> &'static str {
        "fastwebsockets"
    }

    fn note(&self) -> &'static str {
        "`FragmentCollector`; feature simd; the handshake goes through hyper, so there is none to time"
    }

    fn receiver(&self, role: Role, source: Source, drain: Drain) -> Option<Box<dyn Receive>> {
        Some(Box::new(Receiver(FragmentCollector::new(open(role, Pipe { source, drain })))))
    }

    fn sender(
        &self,
        role: Role,
        drain: Drain,
        messages: &'static [Message],
    ) -> Option<Box<dyn Send>> {
        Some(Box::new(Sender {
            socket: open(role, Pipe { source: Source::empty(), drain }),
            messages,
        }))
    }
}

impl Receive for Receiver {
    fn receive(&mut self, messages: usize, tally: &mut Tally) -> Outcome {
        let goal = tally.messages + messages;
        run(async {
            while tally.messages < goal {
                let frame = self.0.read_frame().await.map_err(text)?;
                match frame.opcode {
                    OpCode::Text => tally.message(Kind::Text, &frame.payload),
                    OpCode::Binary => tally.binary(&frame.payload),
                    OpCode::Close => return Err(CLOSED.into()),
                    _ => {}
                }
            }
            Ok(())
        })
    }
}

impl Send for Sender {
    fn send(&mut self) -> Outcome {
        run(async {
            for message in self.messages {
                let payload = Payload::Borrowed(&message.payload);
                let frame = match message.kind {
                    Kind::Text => Frame::text(payload),
                    Kind::Binary => Frame::binary(payload),
                };
                self.socket.write_frame(frame).await.map_err(text)?;
            }
            Ok(())
        })
    }
}

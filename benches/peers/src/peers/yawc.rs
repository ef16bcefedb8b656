//! yawc 0.5: asynchronous, over tokio-util's `Framed`.

use std::future::poll_fn;

use futures::SinkExt;
use yawc::{Frame, OpCode, Options, Role as TheirRole, WebSocket};

use crate::candidate::{CLOSED, Candidate, Receive, Send};
use crate::kernel::{Drain, Outcome, Pipe, Source, run, text};
use crate::workload::{Kind, Message, Role, Tally};

pub struct Peer;

struct Open(WebSocket<Pipe>);

struct Sender {
    open: Open,
    messages: Vec<Frame>,
}

fn open(role: Role, pipe: Pipe) -> Open {
    let role = match role {
        Role::Server => TheirRole::Server,
        Role::Client => TheirRole::Client,
    };
    let options = Options::default().with_utf8().with_limits(64 << 20, 128 << 20);
    Open(
        WebSocket::from_stream(pipe, role, options)
            .expect("options without extensions are accepted"),
    )
}

impl Candidate for Peer {
    fn name(&self) -> &'static str {
        "yawc"
    }

    fn note(&self) -> &'static str {
        "`WebSocket` with `with_utf8` (off by default), feature simd; pongs wait for a write to be asked for; the \
         handshake goes through hyper, so there is none to time"
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
                Kind::Text => Frame::text(message.payload.clone()),
                Kind::Binary => Frame::binary(message.payload.clone()),
            })
            .collect();
        Some(Box::new(Sender {
            open: open(role, Pipe { source: Source::empty(), drain }),
            messages,
        }))
    }
}

impl Receive for Open {
    fn receive(&mut self, messages: usize, tally: &mut Tally) -> Outcome {
        let goal = tally.messages + messages;
        run(async {
            while tally.messages < goal {
                let frame = self.0.next_frame().await.map_err(text)?;
                match frame.opcode() {
                    OpCode::Text => tally.message(Kind::Text, frame.payload()),
                    OpCode::Binary => tally.binary(frame.payload()),
                    OpCode::Ping => {
                        poll_fn(|context| self.0.poll_ready_unpin(context)).await.map_err(text)?
                    }
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
            for message in &self.messages {
                self.open.0.send(message.clone()).await.map_err(text)?;
            }
            Ok(())
        })
    }
}

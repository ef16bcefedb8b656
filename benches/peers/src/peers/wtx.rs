//! wtx 0.46: asynchronous, frames that borrow its network buffer.

use wtx::collection::Vector;
use wtx::rng::Xorshift64;
use wtx::web_socket::{
    Frame, OpCode, WebSocketAcceptor, WebSocketBuffer, WebSocketOwned, WebSocketPayloadOrigin,
};

use crate::candidate::{CLOSED, Candidate, Handshake, Receive, Send};
use crate::kernel::{Drain, Outcome, Pipe, Source, run, text};
use crate::workload::{Kind, Message, Role, Tally};

pub struct Peer;

type Socket<const CLIENT: bool> = WebSocketOwned<(), Xorshift64, Pipe, CLIENT>;

struct Receiver<const CLIENT: bool> {
    socket: Socket<CLIENT>,
    buffer: Vector<u8>,
}

struct Sender<const CLIENT: bool> {
    socket: Socket<CLIENT>,
    /// The frames of the crate borrow the payload mutably, even if nothing is masked.
    messages: Vec<(OpCode, Vec<u8>)>,
    scratch: Vec<u8>,
}

struct Server {
    pipe: Pipe,
    buffer: WebSocketBuffer,
}

fn open<const CLIENT: bool>(source: Source, drain: Drain) -> Socket<CLIENT> {
    let random = Xorshift64::new(fastrand::u64(1..));
    WebSocketOwned::new((), false, random, Pipe { source, drain }, WebSocketBuffer::default())
}

fn receiver<const CLIENT: bool>(source: Source, drain: Drain) -> Box<dyn Receive> {
    Box::new(Receiver::<CLIENT> { socket: open(source, drain), buffer: Vector::new() })
}

fn sender<const CLIENT: bool>(drain: Drain, messages: &'static [Message]) -> Box<dyn Send> {
    let messages = messages
        .iter()
        .map(|message| {
            let opcode = match message.kind {
                Kind::Text => OpCode::Text,
                Kind::Binary => OpCode::Binary,
            };
            (opcode, message.payload.to_vec())
        })
        .collect();
    Box::new(Sender::<CLIENT> {
        socket: open(Source::empty(), drain),
        messages,
        scratch: Vec::new(),
    })
}

impl Candidate for Peer {
    fn name(&self) -> &'static str {
        "wtx"
    }

    fn note(&self) -> &'static str {
        "`read_frame` with `Adaptive` origin, feature optimization; masks in the caller's memory, so a client that keeps \
         its payload copies it first; 0.46 is the newest for this compiler"
    }

    fn receiver(&self, role: Role, source: Source, drain: Drain) -> Option<Box<dyn Receive>> {
        Some(match role {
            Role::Server => receiver::<false>(source, drain),
            Role::Client => receiver::<true>(source, drain),
        })
    }

    fn sender(
        &self,
        role: Role,
        drain: Drain,
        messages: &'static [Message],
    ) -> Option<Box<dyn Send>> {
        Some(match role {
            Role::Server => sender::<false>(drain, messages),
            Role::Client => sender::<true>(drain, messages),
        })
    }

    fn handshake(&self, source: Source, drain: Drain) -> Option<Box<dyn Handshake>> {
        Some(Box::new(Server { pipe: Pipe { source, drain }, buffer: WebSocketBuffer::default() }))
    }
}

impl<const CLIENT: bool> Receive for Receiver<CLIENT> {
    fn receive(&mut self, messages: usize, tally: &mut Tally) -> Outcome {
        let goal = tally.messages + messages;
        run(async {
            while tally.messages < goal {
                let frame = self
                    .socket
                    .read_frame(&mut self.buffer, WebSocketPayloadOrigin::Adaptive)
                    .await
                    .map_err(text)?;
                match frame.op_code() {
                    OpCode::Text => tally.message(Kind::Text, frame.payload()),
                    OpCode::Binary => tally.binary(frame.payload()),
                    OpCode::Close => return Err(CLOSED.into()),
                    _ => {}
                }
            }
            Ok(())
        })
    }
}

impl<const CLIENT: bool> Send for Sender<CLIENT> {
    fn send(&mut self) -> Outcome {
        run(async {
            for (opcode, payload) in &mut self.messages {
                let payload = if CLIENT {
                    self.scratch.clear();
                    self.scratch.extend_from_slice(payload);
                    &mut self.scratch
                } else {
                    payload
                };
                self.socket
                    .write_frame(&mut Frame::new_fin(*opcode, &mut payload[..]))
                    .await
                    .map_err(text)?;
            }
            Ok(())
        })
    }
}

impl Handshake for Server {
    fn shake(&mut self) -> Outcome {
        let acceptor = WebSocketAcceptor::default().no_masking(false).wsb(&mut self.buffer);
        let result: wtx::Result<_> = run(acceptor.accept(&mut self.pipe));
        result.map(drop).map_err(text)
    }
}

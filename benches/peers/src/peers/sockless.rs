//! This crate: whole messages, borrowed from a buffer of the caller, with every check. One
//! candidate has memory of a fixed size and reads of a chosen size. The other has memory that
//! grows, and reads like the README.

use sockless::handshake::Accept;
use sockless::{
    Client, Config, Event, OsEntropy, ReadBuffer, Role as RoleOf, Server, Storage, WebSocket,
    WriteBuffer,
};

use crate::candidate::{CLOSED, Candidate, Handshake, Receive, Send};
use crate::kernel::{Drain, Outcome, Source, text};
use crate::report::{OURS, OURS_GROWING};
use crate::workload::{Kind, Message, Role, Tally};

/// Space for the largest message and its header. Only the part that reads fill is touched.
const ROOM: usize = (1 << 20) + 1024;
/// Bytes of one read: small enough to stay in the second-level cache until they are unmasked and
/// validated.
const READ: usize = 128 * 1024;
/// Least size of a payload that a server sends from the caller's memory. A client must mask, and so
/// copies.
const VECTORED: usize = 1024;

pub struct Fixed;

pub struct Grown;

struct Receiver<R: RoleOf, S> {
    socket: WebSocket<R>,
    source: Source,
    drain: Drain,
    rx: ReadBuffer<S>,
    /// Size in bytes of the largest read.
    most: usize,
    tx: WriteBuffer<[u8; 1024]>,
}

struct Sender<R: RoleOf> {
    socket: WebSocket<R>,
    drain: Drain,
    tx: WriteBuffer<Box<[u8]>>,
    messages: Vec<Prepared>,
    /// The least size of a payload that is sent from the caller's memory.
    vectored: usize,
}

/// A text is a `str` already, as in a program.
enum Prepared {
    Text(&'static str),
    Binary(&'static [u8]),
}

struct Shaking {
    source: Source,
    drain: Drain,
    rx: ReadBuffer<[u8; 2048]>,
    tx: WriteBuffer<[u8; 1024]>,
}

fn room(size: usize) -> Box<[u8]> {
    vec![0; size].into()
}

fn client() -> impl RoleOf {
    Client::new(OsEntropy::new())
}

fn receiver<R: RoleOf + 'static, S: Storage + 'static>(
    role: R,
    source: Source,
    drain: Drain,
    rx: ReadBuffer<S>,
    most: usize,
) -> Box<dyn Receive> {
    let socket = WebSocket::from_upgraded(role, Config::default());
    Box::new(Receiver { socket, source, drain, rx, most, tx: WriteBuffer::new([0; 1024]) })
}

fn sender<R: RoleOf + 'static>(
    role: R,
    drain: Drain,
    messages: &'static [Message],
    vectored: usize,
) -> Box<dyn Send> {
    let socket = WebSocket::from_upgraded(role, Config::default());
    let messages = messages
        .iter()
        .map(|message| match message.kind {
            Kind::Text => Prepared::Text(message.text()),
            Kind::Binary => Prepared::Binary(&message.payload),
        })
        .collect();
    Box::new(Sender { socket, drain, tx: WriteBuffer::new(room(ROOM)), messages, vectored })
}

impl Candidate for Fixed {
    fn name(&self) -> &'static str {
        OURS
    }

    fn note(&self) -> &'static str {
        "`WebSocket::receive` and `send_*` over boxed slices, reads of at most 128 KiB, \
         a server's payloads from 1 KiB on by `send_*_vectored`, `OsEntropy`; \
         feature simd"
    }

    fn receiver(&self, role: Role, source: Source, drain: Drain) -> Option<Box<dyn Receive>> {
        let rx = ReadBuffer::new(room(ROOM));
        Some(match role {
            Role::Server => receiver(Server, source, drain, rx, READ),
            Role::Client => receiver(client(), source, drain, rx, READ),
        })
    }

    fn sender(
        &self,
        role: Role,
        drain: Drain,
        messages: &'static [Message],
    ) -> Option<Box<dyn Send>> {
        Some(match role {
            Role::Server => sender(Server, drain, messages, VECTORED),
            Role::Client => sender(client(), drain, messages, usize::MAX),
        })
    }

    fn handshake(&self, source: Source, drain: Drain) -> Option<Box<dyn Handshake>> {
        let (rx, tx) = (ReadBuffer::new([0; 2048]), WriteBuffer::new([0; 1024]));
        Some(Box::new(Shaking { source, drain, rx, tx }))
    }
}

impl Candidate for Grown {
    fn name(&self) -> &'static str {
        OURS_GROWING
    }

    fn note(&self) -> &'static str {
        "the same over a `ReadBuffer` that grows, read as in the README: whatever there is space for"
    }

    fn receiver(&self, role: Role, source: Source, drain: Drain) -> Option<Box<dyn Receive>> {
        let rx = ReadBuffer::growing(ROOM);
        Some(match role {
            Role::Server => receiver(Server, source, drain, rx, usize::MAX),
            Role::Client => receiver(client(), source, drain, rx, usize::MAX),
        })
    }

    /// Growing memory makes no difference for sending, so both are one candidate.
    fn sender(&self, _: Role, _: Drain, _: &'static [Message]) -> Option<Box<dyn Send>> {
        None
    }
}

impl<R: RoleOf, S: Storage> Receive for Receiver<R, S> {
    fn receive(&mut self, messages: usize, tally: &mut Tally) -> Outcome {
        let goal = tally.messages + messages;
        while tally.messages < goal {
            let space = self.rx.space();
            let room = space.len().min(self.most);
            let read = self.source.fill(&mut space[..room]);
            self.rx.filled(read);
            let mut outcome = Ok(());
            while let Some(event) = self.socket.receive(&mut self.rx, &mut self.tx) {
                match event {
                    Event::Text(payload) => tally.text(payload),
                    Event::Binary(payload) => tally.binary(payload),
                    Event::Close(_) => outcome = Err(CLOSED.into()),
                    Event::Failed(failure) => outcome = Err(text(failure)),
                    _ => {}
                }
            }
            if !self.tx.is_empty() {
                self.drain.put(self.tx.bytes());
                self.tx.clear();
            }
            outcome?;
        }
        Ok(())
    }
}

/// Writes the bytes in the buffer, and the payload in the caller's memory.
#[inline]
fn write(tx: &mut WriteBuffer<Box<[u8]>>, payload: &[u8], drain: &mut Drain) {
    let [before, payload, behind] = tx.slices(payload).expect("its payload");
    drain.put(before);
    drain.put(payload);
    if !behind.is_empty() {
        drain.put(behind);
    }
    tx.consume(before.len() + payload.len() + behind.len());
}

impl<R: RoleOf> Send for Sender<R> {
    fn send(&mut self) -> Outcome {
        for message in &self.messages {
            match message {
                Prepared::Text(payload) if payload.len() < self.vectored => {
                    self.socket.send_text(payload, &mut self.tx).map_err(text)?;
                }
                Prepared::Text(payload) => {
                    self.socket.send_text_vectored(payload, &mut self.tx).map_err(text)?;
                    write(&mut self.tx, payload.as_bytes(), &mut self.drain);
                    continue;
                }
                Prepared::Binary(payload) if payload.len() < self.vectored => {
                    self.socket.send_binary(payload, &mut self.tx).map_err(text)?;
                }
                Prepared::Binary(payload) => {
                    self.socket.send_binary_vectored(payload, &mut self.tx).map_err(text)?;
                    write(&mut self.tx, payload, &mut self.drain);
                    continue;
                }
            }
            self.drain.put(self.tx.bytes());
            self.tx.clear();
        }
        Ok(())
    }
}

impl Handshake for Shaking {
    fn shake(&mut self) -> Outcome {
        let mut socket = WebSocket::server(Config::default());
        let read = self.source.fill(self.rx.space());
        self.rx.filled(read);
        match socket.receive(&mut self.rx, &mut self.tx) {
            Some(Event::UpgradeRequest(request)) => {
                socket.accept(&request, Accept::new(), &mut self.tx).map_err(text)?;
            }
            other => return Err(text(other)),
        }
        self.drain.put(self.tx.bytes());
        self.tx.clear();
        Ok(())
    }
}

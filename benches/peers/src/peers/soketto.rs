//! soketto 0.8: asynchronous, two halves behind a lock, messages appended to the caller's `Vec`.

use futures::AsyncWriteExt;
use soketto::connection::{Builder, Receiver as Theirs, Sender as TheirSender};
use soketto::handshake::Server as TheirServer;
use soketto::handshake::server::Response;
use soketto::{Data, Incoming, Mode};

use crate::candidate::{CLOSED, Candidate, Handshake, Receive, Send};
use crate::kernel::{Drain, Outcome, Pipe, Source, run, text};
use crate::workload::{Kind, Message, Role, Tally};

pub struct Peer;

struct Receiver {
    receiver: Theirs<Pipe>,
    _sender: TheirSender<Pipe>,
    message: Vec<u8>,
}

struct Sender {
    sender: TheirSender<Pipe>,
    _receiver: Theirs<Pipe>,
    messages: Vec<Prepared>,
}

enum Prepared {
    Text(&'static str),
    Binary(&'static [u8]),
}

struct Server(Pipe);

fn open(role: Role, pipe: Pipe) -> (TheirSender<Pipe>, Theirs<Pipe>) {
    let mode = match role {
        Role::Server => Mode::Server,
        Role::Client => Mode::Client,
    };
    Builder::new(pipe, mode).finish()
}

impl Candidate for Peer {
    fn name(&self) -> &'static str {
        "soketto"
    }

    fn note(&self) -> &'static str {
        "`receive` into one `Vec` that is kept; text is handed out as unchecked bytes"
    }

    fn receiver(&self, role: Role, source: Source, drain: Drain) -> Option<Box<dyn Receive>> {
        let (sender, receiver) = open(role, Pipe { source, drain });
        Some(Box::new(Receiver { receiver, _sender: sender, message: Vec::new() }))
    }

    fn sender(
        &self,
        role: Role,
        drain: Drain,
        messages: &'static [Message],
    ) -> Option<Box<dyn Send>> {
        let (sender, receiver) = open(role, Pipe { source: Source::empty(), drain });
        let messages = messages
            .iter()
            .map(|message| match message.kind {
                Kind::Text => Prepared::Text(message.text()),
                Kind::Binary => Prepared::Binary(&message.payload),
            })
            .collect();
        Some(Box::new(Sender { sender, _receiver: receiver, messages }))
    }

    fn handshake(&self, source: Source, drain: Drain) -> Option<Box<dyn Handshake>> {
        Some(Box::new(Server(Pipe { source, drain })))
    }
}

impl Receive for Receiver {
    fn receive(&mut self, messages: usize, tally: &mut Tally) -> Outcome {
        let goal = tally.messages + messages;
        run(async {
            while tally.messages < goal {
                self.message.clear();
                match self.receiver.receive(&mut self.message).await.map_err(text)? {
                    Incoming::Data(Data::Text(_)) => tally.message(Kind::Text, &self.message),
                    Incoming::Data(Data::Binary(_)) => tally.binary(&self.message),
                    Incoming::Closed(_) => return Err(CLOSED.into()),
                    Incoming::Pong(_) => {}
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
                match message {
                    Prepared::Text(text) => self.sender.send_text(text).await,
                    Prepared::Binary(bytes) => self.sender.send_binary(bytes).await,
                }
                .map_err(text)?;
                self.sender.flush().await.map_err(text)?;
            }
            Ok(())
        })
    }
}

impl Handshake for Server {
    fn shake(&mut self) -> Outcome {
        run(async {
            let mut server = TheirServer::new(&mut self.0);
            let key = server.receive_request().await.map_err(text)?.key();
            server.send_response(&Response::Accept { key, protocol: None }).await.map_err(text)?;
            server.into_inner().flush().await.map_err(text)
        })
    }
}

//! embedded-websocket 0.9: no heap; copies each payload from one buffer of the caller to another.

use embedded_websocket::{
    Client, EmptyRng, Error, Server as ServerType, WebSocket, WebSocketClient,
    WebSocketReceiveMessageType, WebSocketSendMessageType, WebSocketServer, WebSocketState,
    WebSocketType,
};
use rand_core::RngCore;

use crate::candidate::{CLOSED, Candidate, Handshake, Receive, Send};
use crate::kernel::{Drain, Outcome, Source, text};
use crate::workload::{Kind, Message, Role, Tally};

/// Bytes of one read.
const READ: usize = 64 * 1024;
/// Room for the largest message and its header.
const ROOM: usize = 2 << 20;

pub struct Peer;

/// The random source of the other candidates, behind the trait of this crate.
struct Fast;

impl RngCore for Fast {
    fn next_u32(&mut self) -> u32 {
        fastrand::u32(..)
    }

    fn next_u64(&mut self) -> u64 {
        fastrand::u64(..)
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        fastrand::fill(bytes);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

struct Receiver<R: RngCore, T: WebSocketType> {
    socket: WebSocket<R, T>,
    source: Source,
    drain: Drain,
    input: Vec<u8>,
    start: usize,
    end: usize,
    message: Vec<u8>,
}

struct Sender<R: RngCore, T: WebSocketType> {
    socket: WebSocket<R, T>,
    drain: Drain,
    output: Vec<u8>,
    messages: &'static [Message],
}

struct Server {
    source: Source,
    drain: Drain,
    input: Vec<u8>,
    output: Vec<u8>,
}

fn server() -> WebSocket<EmptyRng, ServerType> {
    let mut socket = WebSocketServer::new_server();
    socket.state = WebSocketState::Open;
    socket
}

fn client() -> WebSocket<Fast, Client> {
    let mut socket = WebSocketClient::new_client(Fast);
    socket.state = WebSocketState::Open;
    socket
}

fn receiver<R: RngCore, T: WebSocketType>(
    socket: WebSocket<R, T>,
    source: Source,
    drain: Drain,
) -> Receiver<R, T> {
    Receiver {
        socket,
        source,
        drain,
        input: vec![0; READ],
        start: 0,
        end: 0,
        message: vec![0; ROOM],
    }
}

impl Candidate for Peer {
    fn name(&self) -> &'static str {
        "embedded-websocket"
    }

    fn note(&self) -> &'static str {
        "`read` and `write` between arrays of the caller; the caller joins what was cut, answers pings and parses the \
         request with httparse; hardly a check"
    }

    fn receiver(&self, role: Role, source: Source, drain: Drain) -> Option<Box<dyn Receive>> {
        Some(match role {
            Role::Server => Box::new(receiver(server(), source, drain)),
            Role::Client => Box::new(receiver(client(), source, drain)),
        })
    }

    fn sender(
        &self,
        role: Role,
        drain: Drain,
        messages: &'static [Message],
    ) -> Option<Box<dyn Send>> {
        let output = vec![0; ROOM];
        Some(match role {
            Role::Server => Box::new(Sender { socket: server(), drain, output, messages }),
            Role::Client => Box::new(Sender { socket: client(), drain, output, messages }),
        })
    }

    fn handshake(&self, source: Source, drain: Drain) -> Option<Box<dyn Handshake>> {
        Some(Box::new(Server { source, drain, input: vec![0; 4096], output: vec![0; 4096] }))
    }
}

impl<R: RngCore, T: WebSocketType> Receive for Receiver<R, T> {
    fn receive(&mut self, messages: usize, tally: &mut Tally) -> Outcome {
        use WebSocketReceiveMessageType::{
            Binary, CloseCompleted, CloseMustReply, Ping, Pong, Text,
        };
        let goal = tally.messages + messages;
        let mut length = 0;
        let mut control = 0;
        // The crate can lose its position in a fragment that arrives in two reads, and then
        // delivers no further message.
        let mut steps = 4000 + 128 * messages;
        while tally.messages < goal {
            steps -= 1;
            if steps == 0 {
                return Err("no message comes any more".into());
            }
            let space = &mut self.message[length + control..];
            let result = match self.socket.read(&self.input[self.start..self.end], space) {
                Ok(result) => result,
                Err(Error::ReadFrameIncomplete) => {
                    // Keep an incomplete header for the next read.
                    self.input.copy_within(self.start..self.end, 0);
                    self.end -= self.start;
                    self.start = 0;
                    let read = self.source.fill(&mut self.input[self.end..]);
                    if read == 0 {
                        return Err("ended".into());
                    }
                    self.end += read;
                    continue;
                }
                Err(error) => return Err(text(error)),
            };
            self.start += result.len_from;
            match result.message_type {
                Text | Binary => {
                    length += result.len_to;
                    if result.end_of_message {
                        let kind =
                            if result.message_type == Text { Kind::Text } else { Kind::Binary };
                        tally.message(kind, &self.message[..length]);
                        length = 0;
                    } else if result.len_from == 0 {
                        self.end = self.source.fill(&mut self.input);
                        self.start = 0;
                        if self.end == 0 {
                            return Err("ended".into());
                        }
                    }
                }
                Ping => {
                    control += result.len_to;
                    if result.end_of_message {
                        let mut pong = [0; 139];
                        let ping = &self.message[length..length + control];
                        let size = self
                            .socket
                            .write(WebSocketSendMessageType::Pong, true, ping, &mut pong)
                            .map_err(text)?;
                        self.drain.put(&pong[..size]);
                        control = 0;
                    } else if result.len_from == 0 {
                        self.end = self.source.fill(&mut self.input);
                        self.start = 0;
                    }
                }
                Pong => {}
                CloseMustReply | CloseCompleted => return Err(CLOSED.into()),
            }
        }
        Ok(())
    }
}

impl<R: RngCore, T: WebSocketType> Send for Sender<R, T> {
    fn send(&mut self) -> Outcome {
        for message in self.messages {
            let kind = match message.kind {
                Kind::Text => WebSocketSendMessageType::Text,
                Kind::Binary => WebSocketSendMessageType::Binary,
            };
            let size =
                self.socket.write(kind, true, &message.payload, &mut self.output).map_err(text)?;
            self.drain.put(&self.output[..size]);
        }
        Ok(())
    }
}

impl Handshake for Server {
    fn shake(&mut self) -> Outcome {
        let read = self.source.fill(&mut self.input);
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut request = httparse::Request::new(&mut headers);
        if request.parse(&self.input[..read]).map_err(text)?.is_partial() {
            return Err("the head is not whole".into());
        }
        let context = embedded_websocket::read_http_header(
            request.headers.iter().map(|header| (header.name, header.value)),
        )
        .map_err(text)?
        .ok_or("not an upgrade")?;
        let mut socket = WebSocketServer::new_server();
        let size = socket
            .server_accept(&context.sec_websocket_key, None, &mut self.output)
            .map_err(text)?;
        self.drain.put(&self.output[..size]);
        Ok(())
    }
}

//! websocket-sans-io 0.1: frames only; the caller joins them and reads the socket.

use websocket_sans_io::{
    FrameInfo, Opcode, WebsocketFrameDecoder, WebsocketFrameEncoder, WebsocketFrameEvent,
};

use crate::candidate::{CLOSED, Candidate, Receive, Send};
use crate::kernel::{Drain, Outcome, Source, sure};
use crate::workload::{Kind, Message, Role, Tally};

/// Bytes of one read.
const READ: usize = 64 * 1024;

pub struct Peer;

struct Receiver {
    role: Role,
    decoder: WebsocketFrameDecoder,
    source: Source,
    drain: Drain,
    input: Vec<u8>,
    start: usize,
    end: usize,
    frame: FrameInfo,
    delivered: bool,
    message: Vec<u8>,
    control: Vec<u8>,
}

struct Sender {
    role: Role,
    drain: Drain,
    scratch: Vec<u8>,
    messages: &'static [Message],
}

fn key(role: Role) -> Option<[u8; 4]> {
    (role == Role::Client).then(|| fastrand::u32(..).to_ne_bytes())
}

/// Writes a frame. A client masks a copy, because the crate masks in place.
fn put(role: Role, drain: &mut Drain, scratch: &mut Vec<u8>, opcode: Opcode, payload: &[u8]) {
    let mut encoder = WebsocketFrameEncoder::new();
    let header = encoder.start_frame(&FrameInfo {
        opcode,
        payload_length: payload.len() as u64,
        mask: key(role),
        fin: true,
        reserved: 0,
    });
    if encoder.transform_needed() {
        scratch.clear();
        scratch.extend_from_slice(payload);
        encoder.transform_frame_payload(scratch);
        drain.put_all([&header[..], scratch].into_iter());
    } else {
        drain.put_all([&header[..], payload].into_iter());
    }
}

impl Candidate for Peer {
    fn name(&self) -> &'static str {
        "websocket-sans-io"
    }

    fn note(&self) -> &'static str {
        "frame decoder in place over one 64 KiB buffer; joining, pongs and every check are the caller's and left out; no \
         handshake"
    }

    fn receiver(&self, role: Role, source: Source, drain: Drain) -> Option<Box<dyn Receive>> {
        Some(Box::new(Receiver {
            role,
            decoder: WebsocketFrameDecoder::new(),
            source,
            drain,
            input: vec![0; READ],
            start: 0,
            end: 0,
            frame: FrameInfo::default(),
            delivered: false,
            message: Vec::new(),
            control: Vec::new(),
        }))
    }

    fn sender(
        &self,
        role: Role,
        drain: Drain,
        messages: &'static [Message],
    ) -> Option<Box<dyn Send>> {
        Some(Box::new(Sender { role, drain, scratch: Vec::new(), messages }))
    }
}

fn kind(opcode: Opcode) -> Kind {
    if opcode == Opcode::Text { Kind::Text } else { Kind::Binary }
}

impl Receive for Receiver {
    fn receive(&mut self, messages: usize, tally: &mut Tally) -> Outcome {
        let goal = tally.messages + messages;
        while tally.messages < goal {
            let result = sure(self.decoder.add_data(&mut self.input[self.start..self.end]));
            let chunk = self.start..self.start + result.consumed_bytes;
            self.start = chunk.end;
            match result.event {
                Some(WebsocketFrameEvent::Start { frame_info, .. }) => {
                    if matches!(frame_info.opcode, Opcode::Text | Opcode::Binary) {
                        self.message.clear();
                    }
                    self.frame = frame_info;
                    self.delivered = false;
                    self.control.clear();
                }
                Some(WebsocketFrameEvent::PayloadChunk { original_opcode }) => {
                    let chunk = &self.input[chunk];
                    if self.frame.opcode.is_control() {
                        self.control.extend_from_slice(chunk);
                    } else if self.frame.fin
                        && self.frame.opcode != Opcode::Continuation
                        && chunk.len() as u64 == self.frame.payload_length
                    {
                        // The whole message is in the buffer, so nothing needs joining.
                        tally.message(kind(original_opcode), chunk);
                        self.delivered = true;
                    } else {
                        self.message.extend_from_slice(chunk);
                    }
                }
                Some(WebsocketFrameEvent::End { frame_info, original_opcode }) => {
                    match frame_info.opcode {
                        Opcode::Ping => put(
                            self.role,
                            &mut self.drain,
                            &mut Vec::new(),
                            Opcode::Pong,
                            &self.control,
                        ),
                        Opcode::ConnectionClose => return Err(CLOSED.into()),
                        Opcode::Text | Opcode::Binary | Opcode::Continuation
                            if frame_info.fin && !self.delivered =>
                        {
                            tally.message(kind(original_opcode), &self.message);
                        }
                        _ => {}
                    }
                }
                None if result.consumed_bytes == 0 => {
                    self.start = 0;
                    self.end = self.source.fill(&mut self.input);
                    if self.end == 0 {
                        return Err("ended".into());
                    }
                }
                None => {}
            }
        }
        Ok(())
    }
}

impl Send for Sender {
    fn send(&mut self) -> Outcome {
        for message in self.messages {
            let opcode = match message.kind {
                Kind::Text => Opcode::Text,
                Kind::Binary => Opcode::Binary,
            };
            put(self.role, &mut self.drain, &mut self.scratch, opcode, &message.payload);
        }
        Ok(())
    }
}

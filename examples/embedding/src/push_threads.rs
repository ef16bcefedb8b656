//! A chat with two threads for each connection. The reading thread pushes messages to the queues of
//! all connections, and the writing thread sends those of its own queue. If a client does not read,
//! its queue fills, and it is disconnected.
use std::collections::HashMap;
use std::io::{self, Read, Write, copy, sink};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{thread, time::Duration};

use sockless::handshake::{Accept, ServerEvent, ServerHandshake};
use sockless::{Config, GrowableBuffer, Incoming, MessageKind};
use sockless::{ReadBuffer, Receiver, Reply, Sender, WriteBuffer};

const PATIENCE: Duration = Duration::from_secs(60);
const LARGEST: usize = 64 << 10;

#[derive(Clone)]
enum Outgoing {
    Message(MessageKind, Arc<[u8]>),
    Reply(Reply),
}

#[derive(Default)]
pub struct Room(Mutex<HashMap<u64, (SyncSender<Outgoing>, TcpStream)>>);

impl Room {
    fn members(&self) -> MutexGuard<'_, HashMap<u64, (SyncSender<Outgoing>, TcpStream)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, message: &Outgoing) {
        self.members().retain(|_, (queue, socket)| {
            queue.try_send(message.clone()).is_ok() || {
                let _ = socket.shutdown(Shutdown::Both); // wakes both of its threads
                false
            }
        });
    }
}

pub fn listen(listener: &TcpListener) {
    let room = Arc::new(Room::default());
    for (id, socket) in (0..).zip(listener.incoming()) {
        match socket {
            Ok(socket) => {
                let room = room.clone();
                thread::spawn(move || eprintln!("connection {id}: {:?}", serve(socket, id, &room)));
            }
            Err(_) => thread::sleep(Duration::from_millis(100)), // too many open files
        }
    }
}

fn serve(mut socket: TcpStream, id: u64, room: &Room) -> io::Result<()> {
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    let mut rx = ReadBuffer::growing(LARGEST);
    if open(&mut socket, &mut rx)? {
        let (queue, outgoing) = mpsc::sync_channel(64);
        let (output, member) = (socket.try_clone()?, (queue.clone(), socket.try_clone()?));
        let writer = thread::spawn(move || write(output, outgoing));
        room.members().insert(id, member);
        let read = read(&mut socket, rx, queue, room);
        room.members().remove(&id); // drops the last sender of the queue, which ends the writer
        writer.join().map_err(|_| io::Error::other("the writer panicked"))??;
        read?;
    }
    socket.shutdown(Shutdown::Write)?;
    copy(&mut socket, &mut sink()).map(drop) // closing with unread input would reset it
}

/// Returns `true` if the connection is open. Frames that came with the request stay in `rx`.
fn open(socket: &mut TcpStream, rx: &mut ReadBuffer<GrowableBuffer>) -> io::Result<bool> {
    let mut handshake = ServerHandshake::new(&Config::default());
    let mut tx = WriteBuffer::new([0; 1024]);
    while !handshake.is_open() && !handshake.is_done() {
        let n = socket.read(rx.space())?;
        rx.filled(n);
        while let Some(event) = handshake.receive(rx, &mut tx) {
            if let ServerEvent::UpgradeRequest(request) = event {
                handshake.accept(&request, Accept::new(), &mut tx)?;
            }
        }
        socket.write_all(tx.bytes())?;
        tx.clear();
    }
    Ok(handshake.is_open())
}

fn read(
    socket: &mut TcpStream,
    mut rx: ReadBuffer<GrowableBuffer>,
    queue: SyncSender<Outgoing>,
    room: &Room,
) -> io::Result<()> {
    let mut receiver = Receiver::server(Config::default());
    loop {
        let reply = match receiver.receive(&mut rx) {
            Ok(None) => {
                let n = socket.read(rx.space())?;
                rx.filled(n);
                None
            }
            Ok(Some(Incoming::End)) => return Ok(()),
            Ok(Some(Incoming::Data(message))) => {
                room.push(&Outgoing::Message(message.kind(), message.bytes().into()));
                None
            }
            Ok(Some(item)) => item.reply(),
            Err(violation) => Some(violation.into()),
        };
        if let Some(reply) = reply
            && (queue.send(Outgoing::Reply(reply)).is_err() || reply.is_close())
        {
            return Ok(()); // the writer has failed, or ends with the Close
        }
    }
}

fn write(mut socket: TcpStream, queue: mpsc::Receiver<Outgoing>) -> io::Result<()> {
    let (mut sender, mut tx) = (Sender::server(), WriteBuffer::growing(LARGEST + 1024));
    for outgoing in queue {
        match outgoing {
            Outgoing::Message(kind, bytes) => sender.fragment(kind, &bytes, true, &mut tx),
            Outgoing::Reply(reply) => sender.reply(reply, &mut tx),
        }?;
        socket.write_all(tx.bytes())?;
        tx.clear();
        if sender.is_closed() {
            break; // later messages are dropped
        }
    }
    Ok(())
}

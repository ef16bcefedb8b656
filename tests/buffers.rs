//! Tests the buffers alone: their free space, when their memory grows, and how often they move a
//! byte.

mod common;
use common::{Starved, frames, masked, plain};
use sockless::{
    Config, Error, Event, Failure, GrowableBuffer, Misuse, OpCode, ReadBuffer, Receiver, Reply,
    Sender, Server, Storage, Violation, WebSocket, WriteBuffer,
};
use std::cell::Cell;
use std::rc::Rc;

/// Bytes reserved for replies: a masked pong of 125 bytes and a masked Close with a code.
const REPLY_ROOM: usize = 6 + 125 + 6 + 2;

fn pong(byte: u8) -> Reply {
    Reply::pong(&[byte; 100]).unwrap()
}

/// Memory that grows to exactly the requested size.
struct Exact {
    bytes: Vec<u8>,
    limit: usize,
    /// The current size, visible to the test.
    size: Rc<Cell<usize>>,
}

impl Exact {
    fn new(limit: usize) -> Exact {
        Exact { bytes: Vec::new(), limit, size: Rc::default() }
    }
}

impl AsRef<[u8]> for Exact {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl AsMut<[u8]> for Exact {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

impl Storage for Exact {
    fn limit(&self) -> usize {
        self.limit
    }

    fn grow(&mut self, size: usize) -> bool {
        if size > self.bytes.len() && size <= self.limit {
            self.bytes.resize(size, 0);
            self.size.set(size);
        }
        size <= self.bytes.len()
    }
}

/// Checks that `GrowableBuffer` does not grow if it is large enough, or if the request exceeds its
/// limit.
#[test]
fn growing_memory_grows_only_when_it_has_to() {
    let mut memory = GrowableBuffer::new(5000);
    assert_eq!((memory.as_ref().len(), memory.limit()), (0, 5000));
    assert!(!memory.grow(5001));
    assert_eq!(memory.as_ref().len(), 0);
    assert!(memory.grow(1500));
    let size = memory.as_ref().len();
    assert!((1500..=3000).contains(&size));
    for enough in [0, 1, size - 1, size, 5001] {
        assert_eq!(memory.grow(enough), enough <= size);
        assert_eq!(memory.as_ref().len(), size);
    }
    assert!(memory.grow(5000));
    assert_eq!(memory.as_ref().len(), 5000);
    memory.release();
    assert_eq!(memory.as_ref().len(), 0);
}

/// Checks that memory of a fixed size keeps its size.
#[test]
fn memory_of_one_length_keeps_it() {
    fn try_it(mut memory: impl Storage, len: usize) {
        assert!(memory.grow(len) && !memory.grow(len + 1));
        memory.release();
        assert_eq!((memory.limit(), memory.as_ref().len()), (len, len));
    }
    try_it([0; 300], 300);
    try_it(&mut [0; 300], 300);
    try_it(&mut [0; 300][..], 300);
    try_it(vec![0; 300].into_boxed_slice(), 300);
}

/// Checks that each byte is moved at most twice if the caller asks for space after each message of
/// a long backlog.
#[test]
fn space_between_messages_moves_each_byte_a_few_times_at_most() {
    let message = masked(0x82, b"0123456789");
    let backlog = message.repeat(5000);
    let mut memory = vec![0; backlog.len() + 100];
    let base = memory.as_ptr() as usize;
    let mut rx = ReadBuffer::new(&mut memory[..]);
    assert_eq!(rx.extend(&backlog), backlog.len());
    let mut ws = WebSocket::from_upgraded(Server, Config::default());
    let mut tx = WriteBuffer::new([0; 512]);
    let (mut messages, mut moved) = (0, 0);
    while let Some(event) = ws.receive(&mut rx, &mut tx) {
        assert_eq!(event, Event::Binary(b"0123456789"));
        messages += 1;
        let before = rx.unread().as_ptr() as usize;
        assert!(!rx.space().is_empty());
        let after = rx.unread().as_ptr() as usize;
        assert!(after <= before && after >= base);
        if after < before {
            moved += rx.unread().len();
        }
    }
    assert_eq!(messages, 5000);
    assert!(moved <= 2 * backlog.len(), "{moved} bytes moved for {}", backlog.len());
}

/// Checks that collecting a message of many small fragments needs no space for their headers.
#[test]
fn fragments_are_put_together_without_room_for_their_headers() {
    let mut memory = [0; 139 + 400 + 6];
    let mut rx = ReadBuffer::new(&mut memory[..]);
    let mut tx = WriteBuffer::new([0; 512]);
    let mut ws = WebSocket::from_upgraded(Server, Config::default());
    let mut input = masked(0x81, b"something before it");
    input.extend(masked(0x02, b"0"));
    (1..399).for_each(|_| input.extend(masked(0x00, b"1")));
    input.extend(masked(0x80, b"2"));
    let (mut rest, mut messages) = (&input[..], Vec::new());
    while !rest.is_empty() {
        // Fill the space, which is never empty.
        let taken = rx.extend(rest);
        assert!(taken > 0);
        rest = &rest[taken..];
        while let Some(event) = ws.receive(&mut rx, &mut tx) {
            match event {
                Event::Text(text) => messages.push(text.len()),
                Event::Binary(bytes) => messages.push(bytes.len()),
                event => panic!("{event:?}"),
            }
        }
    }
    assert_eq!(messages, [19, 400]);
}

/// Checks that a read buffer requests memory only when its space is empty, and requests one byte.
/// The memory decides how much it adds.
#[test]
fn a_read_buffer_asks_for_memory_when_it_has_no_space() {
    let mut rx = ReadBuffer::new(Exact::new(200));
    for len in 1..=200 {
        assert_eq!(rx.space().len(), 1);
        rx.filled(1);
        assert_eq!(rx.unread().len(), len);
    }
    assert_eq!(rx.space().len(), 0);
    rx.filled(1);
    assert_eq!(rx.unread().len(), 200);
}

/// Checks that a write buffer's memory depends on the unsent bytes, not on the sent ones, even if
/// the buffer is never empty.
#[test]
fn output_that_never_runs_empty_takes_bounded_memory() {
    let memory = Exact::new(1 << 20);
    let size = Rc::clone(&memory.size);
    let mut tx = WriteBuffer::new(memory);
    let mut sender = Sender::server();
    let (mut all, mut sent) = (Vec::new(), Vec::<u8>::new());
    for round in 0..1000u32 {
        let payload = [round as u8; 100];
        sender.binary(&payload, &mut tx).unwrap();
        all.extend(plain(0x82, &payload));
        // Send all but 10 bytes.
        let n = tx.len() - 10;
        sent.extend(&tx.bytes()[..n]);
        tx.consume(n);
        assert_eq!(tx.len(), 10);
    }
    sent.extend(tx.bytes());
    assert_eq!(sent, all);
    // The 10 unsent bytes and a message, twice, and the reserve for replies.
    assert!(size.get() <= 2 * (10 + 102) + REPLY_ROOM, "{} bytes", size.get());
}

/// Checks that the last byte of the memory is usable, even after a part of the output was sent.
#[test]
fn output_fits_to_the_byte_after_sent_bytes() {
    for left in [0, 1, 50, 99, 100] {
        // Of 100 bytes some are sent. After the rest there is space for this many bytes.
        let exact = 1000 - REPLY_ROOM - (100 - left) - 4;
        for (len, fits) in [(exact, true), (exact + 1, false)] {
            let mut bytes = [0; 1000];
            let mut fixed = WriteBuffer::new(&mut bytes[..]);
            let mut growing = WriteBuffer::growing(1000);
            let mut sender = Sender::server();
            sender.binary(&[1; 98], &mut fixed).unwrap();
            sender.binary(&[1; 98], &mut growing).unwrap();
            fixed.consume(left);
            growing.consume(left);
            let needed = len + 4 + REPLY_ROOM;
            let expected = if fits {
                Ok(())
            } else {
                Err(if needed > 1000 { Error::NeverFits { needed } } else { Error::NoRoom })
            };
            assert_eq!(sender.binary(&vec![2; len], &mut fixed), expected, "{left} {len}");
            assert_eq!(sender.binary(&vec![2; len], &mut growing), expected, "{left} {len}");
            let all = [plain(0x82, &[1; 98]), plain(0x82, &vec![2; len])].concat();
            let waits = if fits { &all[left..] } else { &all[left..100] };
            assert_eq!((fixed.bytes(), growing.bytes()), (waits, waits));
        }
    }
}

/// Checks that consuming more than the unsent bytes consumes all of them, and that the next message
/// then has the whole buffer.
#[test]
fn consuming_more_than_there_is_leaves_an_empty_output() {
    for left in 0..=10 {
        for more in [0, 1, 10, 1000, usize::MAX - 10] {
            let mut tx = WriteBuffer::new([0; 512]);
            let mut sender = Sender::server();
            sender.binary(b"12345678", &mut tx).unwrap();
            tx.consume(left);
            tx.consume(10 - left + more);
            assert!(tx.is_empty() && tx.bytes().is_empty());
            sender.binary(b"next", &mut tx).unwrap();
            assert_eq!(tx.bytes(), plain(0x82, b"next"));
        }
    }
}

/// Checks that a pong replaces an earlier pong only with about 4 KiB of unsent output. Sent bytes
/// do not count.
#[test]
fn pings_are_all_answered_while_little_waits_to_be_sent() {
    let mut tx = WriteBuffer::new([0; 16 << 10]);
    let mut sender = Sender::server();
    let pongs = |tx: &WriteBuffer<[u8; 16 << 10]>| {
        frames(&tx.bytes()[10..]).iter().filter(|(it, _)| it.opcode == OpCode::Pong).count()
    };
    // 10 unsent bytes follow 8000 sent bytes.
    sender.binary(&[0; 7996], &mut tx).unwrap();
    sender.binary(&[0; 8], &mut tx).unwrap();
    tx.consume(8000);
    assert_eq!(tx.len(), 10);
    // Pongs of 102 bytes, until 4 KiB are unsent.
    for answered in 1..=40 {
        sender.reply(pong(b'p'), &mut tx).unwrap();
        assert_eq!(pongs(&tx), answered);
    }
    // Two more pongs use the reserved space, where each replaces the previous one.
    sender.reply(pong(b'q'), &mut tx).unwrap();
    sender.reply(pong(b'r'), &mut tx).unwrap();
    let all = frames(&tx.bytes()[10..]);
    assert_eq!((all.len(), all[39].1[0], all[40].1[0]), (41, b'p', b'r'));
}

/// Checks that a read of 0 bytes ends the stream, even without space to read into.
#[test]
fn a_read_of_nothing_is_the_end() {
    let mut rx = ReadBuffer::new([0; 139]);
    assert_eq!(rx.extend(&[0x89; 200]), 139);
    assert!(rx.space().is_empty());
    rx.filled(5);
    assert!(!rx.at_end());
    rx.filled(0);
    assert!(rx.at_end());
    assert_eq!(rx.unread().len(), 139);
    let mut rx = ReadBuffer::new([0; 139]);
    rx.filled(0);
    assert!(rx.at_end());
}

/// Checks that a message which continues in another, too small buffer fails at its first byte in
/// that buffer.
#[test]
fn a_message_continued_in_a_smaller_buffer_fails() {
    let input = masked(0x82, &[7; 400]);
    let mut ws = WebSocket::from_upgraded(Server, Config::default());
    let mut tx = WriteBuffer::new([0; 512]);
    let mut large = ReadBuffer::new([0; 512]);
    let _ = large.extend(&input[..8]);
    assert_eq!(ws.receive(&mut large, &mut tx), None);
    assert!(large.is_empty());
    let mut small = ReadBuffer::new([0; 399]);
    let _ = small.extend(&input[8..9]);
    let failed = Failure::Protocol(Violation::MessageTooBig);
    assert_eq!(ws.receive(&mut small, &mut tx), Some(Event::Failed(failed)));
}

/// Checks that frames after a vectored payload are sent whole after it, wherever the writes end.
#[test]
fn a_vectored_payload_and_later_frames_are_sent_in_pieces_of_any_length() {
    let payload = b"a payload of the caller's";
    let fill = |tx: &mut WriteBuffer<[u8; 512]>| {
        let mut sender = Sender::server();
        sender.text("before", tx).unwrap();
        sender.binary_vectored(payload, tx).unwrap();
        sender.ping(b"behind", tx).unwrap();
        sender.pong(b"and more", tx).unwrap();
        assert_eq!(tx.slices(payload).unwrap().concat().len(), tx.len());
        tx.slices(payload).unwrap().concat()
    };
    let whole = fill(&mut WriteBuffer::new([0; 512]));
    for first in 0..=whole.len() {
        for step in 1..=whole.len() {
            let mut tx = WriteBuffer::new([0; 512]);
            fill(&mut tx);
            let mut sent: Vec<u8> = Vec::new();
            let mut n = first;
            while !tx.is_empty() {
                let waits = tx.slices(payload).unwrap().concat();
                let n = core::mem::replace(&mut n, step).min(waits.len());
                sent.extend_from_slice(&waits[..n]);
                tx.consume(n);
                assert_eq!(tx.len(), waits.len() - n);
            }
            assert_eq!(sent, whole, "{first}, {step}");
        }
    }
}

/// Between two writes, the rest of a payload is copied into the buffer, and the caller's memory is
/// free. The output is the same, and more can be sent.
#[test]
fn an_absorbed_payload_leaves_in_its_place() {
    let payload = b"a payload of the caller's";
    let before_and_after = |tx: &mut WriteBuffer<&mut [u8]>, after: bool| {
        let mut sender = Sender::server();
        sender.text("before", tx).unwrap();
        sender.binary_vectored(payload, tx).unwrap();
        if after {
            sender.ping(b"behind", tx).unwrap();
        }
        let whole = tx.slices(payload).unwrap().concat();
        (sender, whole)
    };
    for (size, after) in [(512, true), (512, false), (200, true), (200, false)] {
        let (_, whole) = before_and_after(&mut WriteBuffer::new(&mut [0; 512]), after);
        for first in 0..whole.len() {
            let mut memory = [0; 512];
            let mut tx = WriteBuffer::new(&mut memory[..size]);
            let (mut sender, _) = before_and_after(&mut tx, after);
            tx.consume(first);
            let has_payload = tx.slices(b"").is_err();
            if has_payload {
                let wrong = Err(Error::Misuse(Misuse::WrongPayload));
                assert_eq!(tx.absorb_payload(b"of another length"), wrong);
            }
            tx.absorb_payload(payload).unwrap();
            assert_eq!(tx.bytes(), &whole[first..], "{size}, {first}");
            assert_eq!(tx.absorb_payload(b"none is pending"), Ok(()));
            sender.binary_vectored(b"next", &mut tx).unwrap();
            assert_eq!(
                tx.slices(b"next").unwrap().concat()[whole.len() - first..],
                *b"\x82\x04next"
            );
        }
    }
    // Without space for it the payload stays where it is.
    let mut tx = WriteBuffer::new([0; 160]);
    let payload = [7; 100];
    Sender::server().binary_vectored(&payload, &mut tx).unwrap();
    let unsent = tx.slices(&payload).unwrap().concat();
    assert_eq!(tx.absorb_payload(&payload), Err(Error::NeverFits { needed: 239 }));
    assert_eq!(tx.slices(&payload).unwrap().concat(), unsent);
    tx.consume(90);
    assert_eq!(tx.absorb_payload(&payload), Ok(()));
    assert_eq!(tx.bytes(), &unsent[90..]);
}

/// Checks that a read buffer doubles, up to 64 KiB, when a read has filled its space, and stays
/// within twice its largest content. Small reads do not grow it, and its memory can be released.
#[test]
fn a_read_buffer_grows_when_reads_fill_it() {
    let size = Rc::new(Cell::new(0));
    let memory = |initial| {
        let memory = Exact { size: Rc::clone(&size), ..Exact::new(1 << 20) };
        ReadBuffer::new(Counted {
            growing: GrowableBuffer::new(1 << 20).with_initial_size(initial),
            memory,
        })
    };
    for initial in [512, 4096] {
        size.set(0);
        let mut rx = memory(initial);
        let mut ws = WebSocket::from_upgraded(Server, Config::default());
        let mut tx = WriteBuffer::new([0; 512]);
        let frame = masked(0x82, &[7; 100]);
        // Single frames do not grow the buffer.
        for _ in 0..100 {
            let space = rx.space();
            space[..frame.len()].copy_from_slice(&frame);
            rx.filled(frame.len());
            while ws.receive(&mut rx, &mut tx).is_some() {}
            assert_eq!(size.get(), initial);
        }
        // Reads that fill the space grow the buffer.
        let (stream, mut at, mut most) = (frame.repeat(5000), 0, 0);
        while at < stream.len() {
            let space = rx.space();
            let len = space.len().min(stream.len() - at);
            space[..len].copy_from_slice(&stream[at..at + len]);
            rx.filled(len);
            most = most.max(rx.unread().len());
            assert!(size.get() <= initial.max(2 * most), "{} of {most}", size.get());
            while ws.receive(&mut rx, &mut tx).is_some() {}
            at += len;
        }
        assert_eq!(size.get(), 64 << 10);
        rx.release();
        assert_eq!(size.get(), 0);
        assert_eq!(rx.space().len(), initial);
    }
}

/// A `GrowableBuffer` whose size is visible from outside.
struct Counted {
    growing: GrowableBuffer,
    memory: Exact,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        self.growing.as_ref()
    }
}

impl AsMut<[u8]> for Counted {
    fn as_mut(&mut self) -> &mut [u8] {
        self.growing.as_mut()
    }
}

impl Storage for Counted {
    fn limit(&self) -> usize {
        self.growing.limit()
    }

    fn grow(&mut self, size: usize) -> bool {
        let grown = self.growing.grow(size);
        self.memory.size.set(self.growing.as_ref().len());
        grown
    }

    fn release(&mut self) {
        self.growing.release();
        self.memory.size.set(self.growing.as_ref().len());
    }
}

/// Checks that the owner of a buffer can read its memory, and gets it back.
#[test]
fn a_buffer_returns_its_memory() {
    let mut tx = WriteBuffer::new([0; 300]);
    Sender::server().text("Hello", &mut tx).unwrap();
    assert_eq!(tx.storage()[..7], *b"\x81\x05Hello");
    assert_eq!(tx.into_inner()[..7], *b"\x81\x05Hello");
    let mut rx = ReadBuffer::new([0; 300]);
    assert_eq!(rx.extend(b"Hello"), 5);
    assert_eq!(rx.storage()[..5], *b"Hello");
    assert_eq!(rx.into_inner()[..5], *b"Hello");
}

/// Checks that a send fails without memory: with `NoRoom` if a flush makes space, otherwise with
/// `NeverFits`. The buffer keeps its content.
#[test]
fn a_lack_of_memory_is_an_error() {
    let mut tx = WriteBuffer::new(Starved([0; 512]));
    let mut sender = Sender::server();
    let never = sender.binary(&[0; 1000], &mut tx);
    assert!(matches!(never, Err(Error::NeverFits { .. })), "{never:?}");
    sender.binary(&[0; 200], &mut tx).unwrap();
    assert_eq!(sender.binary(&[0; 300], &mut tx), Err(Error::NoRoom));
    assert_eq!(tx.len(), 204);
    tx.clear();
    sender.binary(&[0; 300], &mut tx).unwrap();
    // Input moves to the front if there is no other space.
    let mut rx = ReadBuffer::new(Starved([0; 512]));
    let mut receiver = Receiver::client(Config::default());
    let (mut messages, mut wire) = (0, vec![0x82, 126, 0, 200]);
    wire.resize(204, 7);
    for piece in wire.repeat(10).chunks(300) {
        assert_eq!(rx.extend(piece), piece.len());
        while receiver.receive(&mut rx).unwrap().is_some() {
            messages += 1;
        }
    }
    assert_eq!(messages, 10);
}

/// Checks that a full buffer grows for the rest of a large frame. It does not move the payload to
/// the place of its header, which would copy each large message to gain a few bytes.
#[test]
fn a_full_buffer_grows_instead_of_moving_the_payload() {
    let mut receiver = Receiver::client(Config::default());
    let mut rx = ReadBuffer::new(GrowableBuffer::new(1 << 20).with_initial_size(64 << 10));
    let mut frame = vec![0x82, 127, 0, 0, 0, 0, 0, 1, 0x86, 0xA0];
    frame.resize(10 + 100_000, 7);
    let mut rest = &frame[..];
    loop {
        let space = rx.space();
        let len = space.len().min(rest.len());
        assert!(space.len() >= 1000, "a space of {} bytes", space.len());
        space[..len].copy_from_slice(&rest[..len]);
        rx.filled(len);
        rest = &rest[len..];
        if receiver.receive(&mut rx).unwrap().is_some() {
            break;
        }
    }
    assert!(rest.is_empty());
}

/// A long piece of input moves to the front once half of the buffer is used up, and not before. A
/// short piece moves at once.
#[test]
fn a_long_piece_moves_once_half_of_the_buffer_is_used_up() {
    const SIZE: usize = 32 << 10;
    for (before, held, moves) in [(18_000, 6000, true), (7000, 5000, false), (7000, 100, true)] {
        let mut rx = ReadBuffer::new([0; SIZE]);
        let input = [plain(0x82, &vec![1; before]), plain(0x82, &[2; 10_000])].concat();
        let used = before + 4 + 4 + held;
        assert_eq!(rx.extend(&input[..used]), used);
        let mut receiver = Receiver::client(Config::default());
        assert!(receiver.receive(&mut rx).unwrap().is_some());
        assert!(receiver.receive(&mut rx).unwrap().is_none());
        assert_eq!(rx.space().len(), SIZE - if moves { held } else { used });
    }
}

/// The header of a later fragment takes no space once it is read.
#[test]
fn the_space_of_a_header_between_fragments_is_free() {
    let mut rx = ReadBuffer::new([0; 512]);
    let input = [plain(0x89, &[1; 10]), plain(0x02, &[2; 100]), plain(0x80, &[3; 100])].concat();
    let header = 12 + 102 + 2;
    assert_eq!(rx.extend(&input[..header]), header);
    let mut receiver = Receiver::client(Config::default());
    assert!(receiver.receive(&mut rx).unwrap().is_some());
    assert!(receiver.receive(&mut rx).unwrap().is_none());
    assert_eq!(rx.space().len(), 512 - header + 2);
}

/// Storage whose length is set from outside.
struct Shrinking(Vec<u8>, Rc<Cell<usize>>);

impl AsRef<[u8]> for Shrinking {
    fn as_ref(&self) -> &[u8] {
        &self.0[..self.1.get()]
    }
}

impl AsMut<[u8]> for Shrinking {
    fn as_mut(&mut self) -> &mut [u8] {
        let len = self.1.get();
        &mut self.0[..len]
    }
}

impl Storage for Shrinking {}

/// Checks the promise of [`Storage`]: if storage breaks its rules, bytes are lost, but nothing
/// panics.
#[test]
fn storage_that_shrinks_does_not_panic() {
    for len in 0..12 {
        let size = Rc::new(Cell::new(500));
        let mut rx = ReadBuffer::new(Shrinking(vec![0; 500], Rc::clone(&size)));
        let _ = rx.extend(&[0x81, 100, b'a', b'b', b'c', 1, 2, 3, 4, 5]);
        size.set(len);
        let _ = rx.space();
        rx.filled(3);
        let _ = Receiver::client(Config::default()).receive(&mut rx);
        size.set(500);
        let mut tx = WriteBuffer::new(Shrinking(vec![0; 500], Rc::clone(&size)));
        let mut sender = Sender::server();
        sender.text("Hello", &mut tx).unwrap();
        sender.binary_vectored(b"payload", &mut tx).unwrap();
        size.set(len);
        let _ = (tx.slices(b"payload").is_ok(), tx.absorb_payload(b"payload"));
        let _ = (sender.ping(b"", &mut tx), tx.bytes().len());
        tx.consume(3);
        tx.clear();
    }
}

/// Checks that the space ends with a large frame, so that the next message starts at the front of
/// the buffer. The space of other messages ends with the buffer.
#[test]
fn a_read_ends_with_a_large_frame() {
    let large = masked(0x82, &[1; 16 << 10]);
    let mut receiver = Receiver::server(Config::default());
    for (len, limited) in [(16 << 10, true), ((16 << 10) - 1, false)] {
        let mut rx = ReadBuffer::new([0; 64 << 10]);
        let frame = masked(0x82, &vec![1; len]);
        assert_eq!(rx.extend(&frame[..1000]), 1000);
        assert!(receiver.receive(&mut rx).unwrap().is_none());
        let rest = frame.len() - 1000;
        assert_eq!(rx.space().len(), if limited { rest } else { (64 << 10) - 1000 });
        // A part of the frame arrives, then the rest.
        assert_eq!(rx.extend(&frame[1000..3000]), 2000);
        assert_eq!(rx.space().len(), if limited { rest - 2000 } else { (64 << 10) - 3000 });
        let more = [&frame[3000..], &large].concat();
        assert_eq!(rx.extend(&more), more.len(), "a copy does not end with the frame");
        assert!(receiver.receive(&mut rx).unwrap().is_some());
        assert!(receiver.receive(&mut rx).unwrap().is_some());
        assert_eq!(rx.space().len(), 64 << 10);
    }
    // A message that continues in chunks leaves no limit behind.
    let mut rx = ReadBuffer::new([0; 64 << 10]);
    assert_eq!(rx.extend(&large[..1000]), 1000);
    assert!(receiver.receive(&mut rx).unwrap().is_none());
    assert!(receiver.receive_chunks(&mut rx).unwrap().is_some());
    assert!(rx.is_empty());
    assert_eq!(rx.space().len(), 64 << 10);
    let mut receiver = Receiver::server(Config::default());
    // A report of more than the space counts as the space.
    let mut rx = ReadBuffer::new([0; 64 << 10]);
    assert_eq!(rx.extend(&large[..1000]), 1000);
    assert!(receiver.receive(&mut rx).unwrap().is_none());
    rx.space().fill(1);
    rx.filled(usize::MAX);
    assert!(receiver.receive(&mut rx).unwrap().is_some());
    assert!(rx.is_empty());
}

/// Checks that a peer who reads slowly from a full buffer causes little work: each byte is moved a
/// few times at most.
#[test]
fn slow_output_moves_each_byte_a_few_times_at_most() {
    const SIZE: usize = 256 << 10;
    let mut memory = vec![0; SIZE];
    let mut tx = WriteBuffer::new(&mut memory[..]);
    let mut sender = Sender::server();
    let (mut sent, mut moved) = (0, 0);
    while sent < 4 << 20 {
        let before = tx.bytes().as_ptr() as usize;
        let unsent = tx.len();
        while sender.binary(&[0; 100], &mut tx).is_ok() {}
        if (tx.bytes().as_ptr() as usize) < before {
            moved += unsent;
        }
        tx.consume(1448);
        sent += 1448;
        // Replies fit at any time.
        sender.reply(pong(b'p'), &mut tx).unwrap();
    }
    assert!(moved <= 5 * sent, "{moved} bytes moved for {sent}");
    // Space that needs no move, or a cheap one, is used: three quarters of the buffer at least.
    assert!(tx.len() > SIZE * 3 / 4 - 1448, "{}", tx.len());
}

/// Checks the same for input that is received although earlier input is not consumed.
#[test]
fn unconsumed_input_moves_each_byte_a_few_times_at_most() {
    const SIZE: usize = 256 << 10;
    let stream = [masked(0x01, b"a"), masked(0x89, b""), masked(0x80, b"b")].concat();
    let mut memory = vec![0; SIZE];
    let mut rx = ReadBuffer::new(&mut memory[..]);
    let mut receiver = Receiver::server(Config::default());
    let (mut received, mut moved) = (0, 0);
    while received < 2 << 20 {
        loop {
            let before = rx.unread().as_ptr() as usize;
            let unread = rx.unread().len();
            let at = received % stream.len();
            let taken = rx.extend(&stream[at..]);
            if (rx.unread().as_ptr() as usize) < before {
                moved += unread;
            }
            received += taken;
            if taken == 0 {
                break;
            }
        }
        assert!(receiver.receive(&mut rx).unwrap().is_some());
    }
    assert!(moved <= 5 * received, "{moved} bytes moved for {received}");
    while receiver.receive(&mut rx).unwrap().is_some() {}
    assert!(!rx.space().is_empty());
}

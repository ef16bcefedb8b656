//! Tests contract 12 and the README: the size of a connection with exactly the features that a user
//! chose. A change of a size needs a change of a number in this file.
#![cfg(target_pointer_width = "64")]

use sockless::{Client, EntropyError, Event, Incoming, Receiver, Sender, Server, WebSocket};

type Entropy = fn(&mut [u8]) -> Result<(), EntropyError>;

const HANDSHAKE: bool = cfg!(feature = "handshake");
const DEFLATE: bool = cfg!(feature = "deflate");

/// Returns the size for the features `handshake` and `deflate`: none, each alone, both.
fn of([none, handshake, deflate, both]: [usize; 4]) -> usize {
    match (HANDSHAKE, DEFLATE) {
        (false, false) => none,
        (true, false) => handshake,
        (false, true) => deflate,
        (true, true) => both,
    }
}

/// The README and contract 12 say 80 bytes, and 96 with `deflate`.
#[test]
fn an_open_server_connection_takes_80_bytes_by_default() {
    assert_eq!(size_of::<WebSocket<Server>>(), of([64, 80, 88, 96]));
}

#[test]
fn the_other_parts_keep_their_size() {
    for (name, size, expected) in [
        ("WebSocket<Client>", size_of::<WebSocket<Client<Entropy>>>(), [80, 104, 96, 120]),
        ("Receiver", size_of::<Receiver>(), [56, 56, 64, 64]),
        ("Sender<Server>", size_of::<Sender<Server>>(), [5, 5, 16, 16]),
        ("Event", size_of::<Event<'_>>(), [40, 64, 40, 64]),
        ("Incoming", size_of::<Incoming<'_>>(), [40; 4]),
    ] {
        println!("{name}: {size}");
        assert_eq!(size, of(expected), "{name}");
    }
}

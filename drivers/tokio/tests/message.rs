//! Messages, without a connection.

use bytes::Bytes;
use sockless_tokio::{Event, Message, Text};

/// Longer payloads are copied in blocks, which may end inside a character.
#[test]
fn events_are_copied_whole() {
    for len in [0, 1, 2047, 2048, 2049, 4096, 4097, 100_000] {
        let bytes: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
        assert_eq!(Event::Binary(&bytes).to_message(), Message::Binary(bytes.into()));
    }
    for shift in 0..4 {
        for count in [0, 500, 512, 513, 1024, 1025, 30_000] {
            let text = "x".repeat(shift) + &"🎉".repeat(count) + &"é".repeat(shift);
            let message = Event::Text(&text).to_message();
            assert_eq!(message.as_text(), Some(&text[..]));
            assert_eq!(message, Message::text(text.clone()));
            let copy = message.clone();
            drop(message);
            assert_eq!(copy.payload(), text.as_bytes());
            assert_eq!(Bytes::from(Text::from(text.clone())), text);
        }
    }
}

/// A long string is sent from the memory that it has.
#[test]
fn a_long_string_is_not_copied() {
    let text = "x".repeat(10_000);
    let address = text.as_ptr();
    let text = Text::from(text);
    assert_eq!(text.as_ptr(), address);
    assert_eq!(Bytes::from(text).as_ptr(), address);
}

//! Tests the feature `arbitrary`: each generated value could have been on the wire.
#![cfg(feature = "arbitrary")]

use arbitrary::{Arbitrary, Unstructured};
use proptest::collection::vec;
use proptest::prelude::*;
use sockless::{Close, CloseCode, Config, Event, FrameHeader, MessageKind, Violation};

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn generated_values_are_valid(bytes in vec(any::<u8>(), 0..300)) {
        let header = FrameHeader::arbitrary(&mut Unstructured::new(&bytes)).unwrap();
        let wire = header.encode();
        let len = wire.as_bytes().len();
        prop_assert_eq!(FrameHeader::parse(wire.as_bytes()), Ok(Some((header, len))));

        let close = Close::arbitrary(&mut Unstructured::new(&bytes)).unwrap();
        let mut payload = close.code().get().to_be_bytes().to_vec();
        payload.extend(close.reason().as_bytes());
        if close.code() == CloseCode::NO_STATUS_RECEIVED {
            payload.clear();
        }
        prop_assert!(payload.len() <= 125);
        prop_assert_eq!(Close::parse(&payload), Ok(close));

        match Event::arbitrary(&mut Unstructured::new(&bytes)).unwrap() {
            Event::Ping(payload) | Event::Pong(payload) => prop_assert!(payload.len() <= 125),
            Event::Text(_) | Event::Binary(_) | Event::Close(_) | Event::Failed(_) => {}
            other => prop_assert!(false, "{:?}", other),
        }

        let mut more = Unstructured::new(&bytes);
        CloseCode::arbitrary(&mut more).unwrap();
        Config::arbitrary(&mut more).unwrap();
        MessageKind::arbitrary(&mut more).unwrap();
        Violation::arbitrary(&mut more).unwrap();
        sockless::keepalive::Timers::arbitrary(&mut more).unwrap();
    }
}

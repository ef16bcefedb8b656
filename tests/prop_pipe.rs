//! Tests two machines joined by a pipe under any sequence of sends, cuts, closes, misuse, tiny
//! buffers and ends of the stream. Checks every externally visible contract after each step.

mod model;

use model::oracle::Rules;
use model::pipe::{End, Op, Setup, live};
use proptest::collection::vec;
use proptest::prelude::*;

fn end() -> impl Strategy<Value = End> + Clone {
    prop_oneof![Just(End::Server), Just(End::Client)]
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 0..40),
        "[a-zäöü€\u{10000}]{0,40}".prop_map(String::into_bytes),
        vec(Just(b'x'), 120..300),
    ]
}

fn code() -> impl Strategy<Value = u16> {
    prop_oneof![Just(1000), 999..1020u16, 2998..3002u16, 4998..5002u16, any::<u16>()]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (end(), vec(any::<char>(), 0..60)).prop_map(|(by, letters)| Op::Text { by, letters }),
        4 => (end(), prop_oneof![0..300u16, any::<u16>()])
            .prop_map(|(by, len)| Op::Binary { by, len }),
        2 => (end(), any::<bool>(), bytes())
            .prop_map(|(by, text, bytes)| Op::Vectored { by, text, bytes }),
        4 => (end(), any::<bool>(), bytes(), any::<bool>())
            .prop_map(|(by, text, bytes, fin)| Op::Fragment { by, text, bytes, fin }),
        6 => (end(), prop_oneof![0..130u8, Just(125)]).prop_map(|(by, len)| Op::Ping { by, len }),
        2 => (end(), 0..130u8).prop_map(|(by, len)| Op::Pong { by, len }),
        1 => (end(), code(), vec(any::<char>(), 0..40))
            .prop_map(|(by, code, reason)| Op::Close { by, code, reason }),
        6 => (end(), any::<u8>()).prop_map(|(to, max)| Op::Carry { to, max }),
        6 => end().prop_map(|to| Op::CarryAll { to }),
        10 => (end(), any::<bool>(), 0..6u8)
            .prop_map(|(at, chunks, events)| Op::Receive { at, chunks, events }),
        1 => end().prop_map(|to| Op::EndOfStream { to }),
        1 => Just(Op::Connect),
        1 => prop_oneof![Just(404), 99..601u16].prop_map(|status| Op::Answer { status }),
    ]
}

fn rules() -> impl Strategy<Value = Rules> {
    let small = (0..2000u64, 0..2000u64, 0..20u32).prop_map(|(max_frame, max_message, max)| {
        Rules { max_frame, max_message, max_fragments: max }
    });
    prop_oneof![2 => Just(Rules::DEFAULT), 1 => small]
}

fn size() -> impl Strategy<Value = u16> {
    prop_oneof![4 => 300..1200u16, 2 => 270..290u16, 1 => 0..300u16, 2 => Just(5999u16)]
}

fn setup() -> impl Strategy<Value = Setup> {
    (rules(), any::<bool>(), prop::bool::weighted(0.9), (size(), size()), (size(), size()))
        .prop_map(|(rules, handshake, accept, server_buffers, client_buffers)| Setup {
            rules,
            handshake,
            accept,
            server_buffers,
            client_buffers,
        })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: model::cases(20_000),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_sequence_of_operations_keeps_the_contracts(setup in setup(), ops in vec(op(), 0..80)) {
        live(setup, &ops);
    }

    /// Checks that with enough room and no limits all messages arrive.
    #[test]
    fn an_open_connection_carries_everything(ops in vec(op(), 0..80)) {
        let buffers = (5999, 5999);
        let setup = Setup {
            rules: Rules::DEFAULT,
            handshake: false,
            accept: true,
            server_buffers: buffers,
            client_buffers: buffers,
        };
        live(setup, &ops);
    }
}

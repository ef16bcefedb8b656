//! Tests every close code from 0 to 65535, received and sent, in both roles (RFC 6455 section 7.4).

mod model;

use model::drive::{Setup, against_oracle};
use model::oracle::{Rules, frame, may_be_on_the_wire};
use model::{Sevens, sevens};
use sockless::{Client, CloseCode, Config, Error, Misuse, Server, State, WebSocket, WriteBuffer};

#[test]
fn every_code_received() {
    for masked in [true, false] {
        for code in 0..=u16::MAX {
            let [high, low] = code.to_be_bytes();
            for payload in [&[high, low][..], &[high, low, b'o', b'k']] {
                let input = [frame(0x88, payload, masked), frame(0x81, b"late", masked)].concat();
                against_oracle(masked, Rules::DEFAULT, Setup::MESSAGES, &input, []);
            }
        }
    }
}

#[test]
fn every_code_sent() {
    for code in 0..=u16::MAX {
        for reason in ["", "ok"] {
            let mut tx = WriteBuffer::new([0; 512]);
            let mut server = WebSocket::from_upgraded(Server, Config::default());
            let mut client =
                WebSocket::from_upgraded(Client::new(sevens as Sevens), Config::default());
            let sent = server.close(CloseCode::new(code), reason, &mut tx);
            assert_eq!(client.close(CloseCode::new(code), reason, &mut tx), sent);
            let expected = match (code, reason) {
                (1005, "") => Ok(vec![]),
                _ if may_be_on_the_wire(code) => {
                    Ok([&code.to_be_bytes()[..], reason.as_bytes()].concat())
                }
                _ => Err(Misuse::InvalidCloseCode),
            };
            match expected {
                Ok(payload) => {
                    assert_eq!(sent, Ok(()));
                    let both = [frame(0x88, &payload, false), frame(0x88, &payload, true)].concat();
                    assert_eq!(tx.bytes(), both, "{code}");
                    assert_eq!((server.state(), client.state()), (State::Closing, State::Closing));
                }
                Err(misuse) => {
                    assert_eq!(sent, Err(Error::Misuse(misuse)), "{code}");
                    assert!(tx.is_empty());
                    assert_eq!((server.state(), client.state()), (State::Open, State::Open));
                }
            }
        }
    }
}

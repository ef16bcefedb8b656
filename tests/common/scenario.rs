//! Makes a server's connection in a given state.

use super::{REQUEST, close, masked, words};
use sockless::handshake::Accept;
use sockless::{CloseCode, Config, Event, ReadBuffer, Server, WebSocket, WriteBuffer};

/// The state in which a [`Scenario`] starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// No byte of the request has arrived.
    Connecting,
    /// The request was returned and waits for the caller's response.
    Requested,
    Open,
    /// The first fragment of a text message, `Hel`, has arrived.
    MidMessage,
    /// The first fragment of a compressed text message has arrived.
    #[cfg(feature = "deflate")]
    MidCompressed,
    /// Our Close was sent, with 1000.
    Closing,
    /// The peer's Close was received and answered.
    Closed,
    /// The peer broke the protocol.
    Failed,
}

impl Start {
    pub const ALL: &[Start] = &[
        Start::Connecting,
        Start::Requested,
        Start::Open,
        Start::MidMessage,
        #[cfg(feature = "deflate")]
        Start::MidCompressed,
        Start::Closing,
        Start::Closed,
        Start::Failed,
    ];
}

/// A server with its buffers of 1 KiB each. Both are empty, except for an unfinished message.
pub struct Scenario {
    pub ws: WebSocket<Server>,
    pub rx: ReadBuffer<Box<[u8]>>,
    pub tx: WriteBuffer<Box<[u8]>>,
}

impl Scenario {
    pub fn server(start: Start) -> Scenario {
        let mut scenario = Scenario {
            ws: match start {
                Start::Connecting | Start::Requested => WebSocket::server(Config::default()),
                _ => WebSocket::from_upgraded(Server, Config::default()),
            },
            rx: ReadBuffer::new(vec![0; 1024].into_boxed_slice()),
            tx: WriteBuffer::new(vec![0; 1024].into_boxed_slice()),
        };
        match start {
            Start::Connecting | Start::Open => {}
            Start::Requested => {
                assert_eq!(scenario.rx.extend(REQUEST), REQUEST.len());
                let event = scenario.ws.receive(&mut scenario.rx, &mut scenario.tx);
                assert!(matches!(event, Some(Event::UpgradeRequest(_))), "{event:?}");
            }
            Start::MidMessage => assert!(scenario.feed(&masked(0x01, b"Hel")).is_empty()),
            #[cfg(feature = "deflate")]
            Start::MidCompressed => {
                use sockless::deflate::{Context, DeflateConfig, DeflateParams};
                let agreement = DeflateParams { send: Context::FULL, receive: Context::FULL };
                scenario.ws = scenario.ws.with_deflate(agreement, &DeflateConfig::DEFAULT);
                assert!(scenario.feed(&masked(0x41, b"\xf2\x48\xcd")).is_empty());
            }
            Start::Closing => scenario.ws.close(CloseCode::NORMAL, "", &mut scenario.tx).unwrap(),
            Start::Closed => assert_eq!(scenario.feed(&close(1000, "")), ["close 1000 \"\""]),
            Start::Failed => assert_eq!(scenario.feed(b"\xff\xff").len(), 1),
        }
        scenario.tx.clear();
        scenario
    }

    /// Receives `bytes`. Returns a description of each event.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<String> {
        assert_eq!(self.rx.extend(bytes), bytes.len());
        let mut events = Vec::new();
        while let Some(event) = self.ws.receive(&mut self.rx, &mut self.tx) {
            events.push(words(&event));
        }
        events
    }

    /// Accepts a request inside its event.
    pub fn accept(&mut self) {
        assert_eq!(self.rx.extend(REQUEST), REQUEST.len());
        let event = self.ws.receive(&mut self.rx, &mut self.tx);
        let Some(Event::UpgradeRequest(request)) = event else { panic!("{event:?}") };
        self.ws.accept(&request, Accept::new(), &mut self.tx).unwrap();
    }

    /// Returns and removes the output.
    pub fn sent(&mut self) -> Vec<u8> {
        let sent = self.tx.bytes().to_vec();
        self.tx.clear();
        sent
    }
}

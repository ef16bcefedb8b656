//! The candidates, one file each, driven as their documentation shows.

mod embedded_websocket;
mod fastwebsockets;
mod sockless;
mod sockudo;
mod soketto;
mod tokio_websockets;
mod tungstenite;
mod websocket_sans_io;
#[cfg(wslay)]
mod wslay;
mod wtx;
mod yawc;

use crate::candidate::Candidate;

/// Every candidate, in the order of the table.
pub fn all() -> Vec<Box<dyn Candidate>> {
    vec![
        Box::new(sockless::Fixed),
        Box::new(sockless::Grown),
        Box::new(sockudo::Peer),
        Box::new(tokio_websockets::Peer),
        Box::new(tungstenite::Peer),
        Box::new(fastwebsockets::Peer),
        Box::new(yawc::Peer),
        Box::new(wtx::Peer),
        Box::new(soketto::Peer),
        Box::new(websocket_sans_io::Peer),
        Box::new(embedded_websocket::Peer),
        #[cfg(wslay)]
        Box::new(wslay::Peer),
    ]
}

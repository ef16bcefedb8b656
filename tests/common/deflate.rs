//! Connects two ends with compression.

use super::{Sevens, sevens};
use sockless::deflate::{DeflateConfig, DeflateParams};
use sockless::{Client, Config, ReadBuffer, Server, Storage, WebSocket, WriteBuffer};

/// Moves the output of one end to the other, and returns what it received.
pub fn transfer(tx: &mut WriteBuffer<impl Storage>, rx: &mut ReadBuffer<impl Storage>) -> Vec<u8> {
    let bytes = tx.bytes().to_vec();
    assert_eq!(rx.extend(&bytes), bytes.len());
    tx.clear();
    bytes
}

/// Returns a client and a server that have agreed on compression.
pub fn pair(
    agreement: DeflateParams,
    config: DeflateConfig,
) -> (WebSocket<Client<Sevens>>, WebSocket<Server>) {
    let client = WebSocket::from_upgraded(Client::new(sevens as Sevens), Config::default());
    let server = WebSocket::from_upgraded(Server, Config::default());
    (client.with_deflate(agreement, &config), server.with_deflate(agreement, &config))
}

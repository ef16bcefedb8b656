//! Two drivers for firmware, one over `embedded-io` and one over `embedded-io-async`. Both are
//! generic over the transport, with fixed buffers and without a heap.
//!
//! `cargo run --example embedded` connects a device and a gateway by a wire in memory. `cargo test
//! --example embedded` tests both drivers. On a board, the transport is a TCP socket of smoltcp or
//! embassy-net, or a modem's serial port.

mod asynchronous;
mod blocking;
mod transport;

#[cfg(test)]
mod tests;

use embassy_futures::{block_on, join::join};
use sockless::handshake::{Accept, ConnectRequest, Uri};
use sockless::{CloseCode, Config, Error, Event, FnEntropy, ReadBuffer, WebSocket, WriteBuffer};

use crate::transport::Wire;

/// Runs the device: opens a connection, sends a measurement, and closes after the reply.
async fn device(wire: &Wire, log: &mut Vec<String>) -> Result<(), Error> {
    let Ok(uri) = Uri::parse("ws://gateway.local/devices/7") else { return Ok(()) };
    // Use the random number generator of the board. Masking needs unpredictable keys.
    let entropy = FnEntropy::new(|bytes| {
        bytes.fill(0x5A);
        Ok(())
    });
    // At most 16 header lines, because the parser has an array for them on the stack.
    let mut ws = WebSocket::client(Config::new().with_max_headers(16), entropy);
    let (mut rx, mut tx) = (ReadBuffer::new([0; 512]), WriteBuffer::new([0; 512]));
    ws.connect(&ConnectRequest::new(&uri), &mut tx)?;
    let end = &mut wire.end(0);
    let driven = asynchronous::drive(&mut ws, end, &mut rx, &mut tx, async |ws, event, tx| {
        log.push(format!("device:  {event:?}"));
        match event {
            Event::UpgradeResponse(response) if ws.confirm(&response, &[]).is_ok() => {
                ws.send_text("21.5 \u{b0}C", tx)?;
            }
            Event::Text("thanks") => ws.close(CloseCode::NORMAL, "", tx)?,
            _ => {}
        }
        Ok(())
    });
    let Ok(()) = driven.await;
    Ok(())
}

/// Runs the gateway: accepts a connection and replies to every measurement.
async fn gateway(wire: &Wire, log: &mut Vec<String>) {
    let mut ws = WebSocket::server(Config::new().with_max_headers(16));
    let (mut rx, mut tx) = (ReadBuffer::new([0; 512]), WriteBuffer::new([0; 512]));
    let end = &mut wire.end(1);
    let driven = asynchronous::drive(&mut ws, end, &mut rx, &mut tx, async |ws, event, tx| {
        log.push(format!("gateway: {event:?}"));
        match event {
            Event::UpgradeRequest(request) => ws.accept(&request, Accept::new(), tx),
            Event::Text(_) => ws.send_text("thanks", tx),
            _ => Ok(()),
        }
    });
    let Ok(()) = driven.await;
    // The server ends the transport first (RFC 6455 section 7.1.1).
    wire.hang_up(1);
}

fn main() -> Result<(), Error> {
    let wire = Wire::new();
    let (mut at_device, mut at_gateway) = (Vec::new(), Vec::new());
    let (result, ()) =
        block_on(join(device(&wire, &mut at_device), gateway(&wire, &mut at_gateway)));
    result?;
    for line in at_gateway.iter().chain(&at_device) {
        println!("{line}");
    }
    // Run the blocking driver with fixed input.
    let mut ws = WebSocket::from_upgraded(sockless::Server, Config::new());
    let (mut rx, mut tx) = (ReadBuffer::new([0; 139]), WriteBuffer::new([0; 270]));
    let mut peer =
        transport::Script::new(b"\x89\x84\x00\x00\x00\x00ping\x88\x82\x00\x00\x00\x00\x03\xe8", 7);
    let Ok(()) = blocking::drive(&mut ws, &mut peer, &mut rx, &mut tx, |_, event, _| {
        println!("blocking: {event:?}");
        Ok(())
    });
    Ok(())
}

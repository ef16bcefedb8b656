//! Defines a candidate: a crate that can receive, send and accept a handshake, each prepared before
//! the measurement.

use crate::kernel::{Drain, Outcome, Source};
use crate::workload::{Message, Role, Tally};

/// The result of reading a Close that the candidate accepts.
pub const CLOSED: &str = "closed";

/// An open connection that receives.
pub trait Receive {
    /// Delivers the next `messages` messages, and answers the pings between them.
    fn receive(&mut self, messages: usize, tally: &mut Tally) -> Outcome;
}

/// An open connection that sends.
pub trait Send {
    /// Sends every message, and passes each to the kernel before the next. The caller keeps the
    /// payloads.
    fn send(&mut self) -> Outcome;
}

/// A server before its handshake.
pub trait Handshake {
    /// Reads one request from a stream that repeats the request, and responds.
    fn shake(&mut self) -> Outcome;
}

/// A crate to compare.
pub trait Candidate {
    fn name(&self) -> &'static str;

    /// `true` for a published Rust crate, which counts for "the fastest Rust peer".
    fn is_rust(&self) -> bool {
        true
    }

    /// `true` for a careful validator, which counts for "the best strict peer".
    fn is_strict(&self) -> bool {
        false
    }

    /// One sentence about the driver, and the work that the crate leaves to its caller.
    fn note(&self) -> &'static str;

    fn receiver(&self, role: Role, source: Source, drain: Drain) -> Option<Box<dyn Receive>>;

    /// Prepares each message in the form that the interface needs, before the measurement.
    fn sender(
        &self,
        role: Role,
        drain: Drain,
        messages: &'static [Message],
    ) -> Option<Box<dyn Send>>;

    fn handshake(&self, _source: Source, _drain: Drain) -> Option<Box<dyn Handshake>> {
        None
    }
}

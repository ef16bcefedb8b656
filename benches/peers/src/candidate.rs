//! What a candidate is: something that can receive, send and shake hands, each with everything set up beforehand.

use crate::kernel::{Drain, Outcome, Source};
use crate::workload::{Message, Role, Tally};

/// The outcome of reading a Close that the candidate had nothing to say against.
pub const CLOSED: &str = "closed";

/// An open connection that reads.
pub trait Receive {
    /// Delivers the next `messages` messages, answering the pings between them.
    fn receive(&mut self, messages: usize, tally: &mut Tally) -> Outcome;
}

/// An open connection that writes.
pub trait Send {
    /// Sends every message, each handed to the kernel before the next one begins. The caller keeps the payloads.
    fn send(&mut self) -> Outcome;
}

/// A server that has nothing yet.
pub trait Handshake {
    /// Reads one request from a stream that repeats it, and answers.
    fn shake(&mut self) -> Outcome;
}

/// A crate to compare.
pub trait Candidate {
    fn name(&self) -> &'static str;

    /// Whether it is a published Rust crate, and so counts for "the fastest Rust peer".
    fn is_rust(&self) -> bool {
        true
    }

    /// Whether it validates like a careful implementation, and so counts for "the best strict peer".
    fn is_strict(&self) -> bool {
        false
    }

    /// One sentence about how it was driven, and what it leaves to its caller.
    fn note(&self) -> &'static str;

    fn receiver(&self, role: Role, source: Source, drain: Drain) -> Option<Box<dyn Receive>>;

    /// Whatever the interface wants a message to be is made here, before anything is timed.
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

//! Signs of life of the peer, by the progress of the writes.

use crate::engine::Alarm;

/// The progress of the writes.
///
/// A transport that was full and accepts bytes is a sign of life, because the peer has made the
/// space. A transport with space proves nothing. A transport with a buffer of its own can accept
/// bytes while the peer reads none, and its flush can take a moment although the peer does nothing.
#[derive(Debug)]
pub(crate) struct Progress {
    /// The number of bytes that had been written when the transport refused more, if it did so the
    /// last time.
    refused_at: Option<u64>,
    wait: Wait,
}

/// The wait for the transport to write and flush what the application has queued. Replies and our
/// ping do not count, because no send waits for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    No,
    /// Since this time of the alarm. The wait may be a moment, which proves nothing.
    Since(u64),
    /// For so long that a timer was due meanwhile.
    Long,
}

impl Progress {
    pub(crate) const fn new() -> Progress {
        Progress { refused_at: None, wait: Wait::No }
    }

    /// Returns `true` if the transport wakes both sides when it goes on.
    pub(crate) const fn is_awaited(&self) -> bool {
        self.refused_at.is_some() || !matches!(self.wait, Wait::No)
    }

    /// Notes how many bytes have been written.
    pub(crate) fn written(&mut self, written: u64, alarm: &Alarm) {
        if self.refused_at.is_some_and(|refused_at| written > refused_at) {
            self.refused_at = Some(written);
            alarm.alive();
        }
    }

    /// Notes where the transport refuses bytes, and whether what the application has queued waits
    /// for the transport.
    pub(crate) fn polled(&mut self, refused_at: Option<u64>, waits: bool, alarm: &Alarm) {
        self.refused_at = refused_at;
        self.wait = match (self.wait, waits) {
            (Wait::No, true) => Wait::Since(alarm.now()),
            (wait, true) => wait,
            (Wait::Long, false) => {
                alarm.alive();
                Wait::No
            }
            (_, false) => Wait::No,
        };
    }

    /// Notes that a timer is due. The silence that the limits measure starts over with the wait:
    /// from then on the peer is expected to read.
    pub(crate) fn timer_is_due(&mut self, alarm: &Alarm) {
        if let Wait::Since(time) = self.wait {
            alarm.alive_at(time);
            self.wait = Wait::Long;
        }
    }
}

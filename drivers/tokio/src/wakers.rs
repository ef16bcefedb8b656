//! Wakes both users of a connection.
//!
//! A transport remembers one waker for each direction: the last. A stream whose reads flush
//! replies, and whose blocked writes read ahead, polls both directions from both sides, and the two
//! sides may be two tasks. The transport is polled with a waker that wakes whichever of them waits.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};

/// Who waits for the transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The task that receives.
    Receiving = 0,
    /// The task that sends.
    Sending = 1,
}

#[derive(Debug, Default)]
struct Both([Mutex<Option<Waker>>; 2]);

/// The wakers of both sides, as one waker for the transport.
#[derive(Clone, Debug)]
pub(crate) struct Wakers {
    both: Arc<Both>,
    waker: Waker,
}

impl Wakers {
    pub(crate) fn new() -> Wakers {
        let both = Arc::new(Both::default());
        Wakers { waker: Waker::from(both.clone()), both }
    }

    /// Notes who is to be woken for `side`. Call it before the transport is polled.
    #[inline]
    pub(crate) fn register(&self, side: Side, waker: &Waker) {
        let mut slot = self.both.0[side as usize].lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *slot {
            Some(known) => known.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
    }

    /// Wakes one side, if it waits.
    pub(crate) fn wake(&self, side: Side) {
        self.both.wake_side(side);
    }

    /// Returns the waker to poll the transport with.
    #[inline]
    pub(crate) const fn waker(&self) -> &Waker {
        &self.waker
    }
}

impl Both {
    fn wake_side(&self, side: Side) {
        let mut slot = self.0[side as usize].lock().unwrap_or_else(PoisonError::into_inner);
        let waker = slot.take();
        drop(slot); // A waker may run the task, which registers again.
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Wake for Both {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        for side in [Side::Receiving, Side::Sending] {
            self.wake_side(side);
        }
    }
}

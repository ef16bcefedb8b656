//! wslay 1.1, in C: the event interface, reading through callbacks.

use std::ffi::{c_int, c_void};
use std::ptr::null_mut;

use crate::candidate::{CLOSED, Candidate, Receive, Send};
use crate::kernel::{Drain, Outcome, Source};
use crate::workload::{Kind, Message, Role, Tally};

/// The used part of wslay.h.
mod ffi {
    use std::ffi::{c_int, c_void};

    #[repr(C)]
    pub struct Context {
        _opaque: [u8; 0],
    }

    #[repr(C)]
    pub struct Received {
        pub rsv: u8,
        pub opcode: u8,
        pub msg: *const u8,
        pub msg_length: usize,
        pub status_code: u16,
    }

    #[repr(C)]
    pub struct Queued {
        pub opcode: u8,
        pub msg: *const u8,
        pub msg_length: usize,
    }

    #[repr(C)]
    pub struct Callbacks {
        pub recv:
            Option<unsafe extern "C" fn(*mut Context, *mut u8, usize, c_int, *mut c_void) -> isize>,
        pub send: Option<
            unsafe extern "C" fn(*mut Context, *const u8, usize, c_int, *mut c_void) -> isize,
        >,
        pub genmask:
            Option<unsafe extern "C" fn(*mut Context, *mut u8, usize, *mut c_void) -> c_int>,
        pub frame_start: Option<unsafe extern "C" fn()>,
        pub frame_chunk: Option<unsafe extern "C" fn()>,
        pub frame_end: Option<unsafe extern "C" fn()>,
        pub message: Option<unsafe extern "C" fn(*mut Context, *const Received, *mut c_void)>,
    }

    pub const ERR_WOULDBLOCK: c_int = -401;
    pub const ERR_CALLBACK_FAILURE: c_int = -400;

    unsafe extern "C" {
        pub fn wslay_event_context_server_init(
            context: *mut *mut Context,
            callbacks: *const Callbacks,
            user: *mut c_void,
        ) -> c_int;
        pub fn wslay_event_context_client_init(
            context: *mut *mut Context,
            callbacks: *const Callbacks,
            user: *mut c_void,
        ) -> c_int;
        pub fn wslay_event_context_free(context: *mut Context);
        pub fn wslay_event_config_set_max_recv_msg_length(context: *mut Context, length: u64);
        pub fn wslay_event_recv(context: *mut Context) -> c_int;
        pub fn wslay_event_send(context: *mut Context) -> c_int;
        pub fn wslay_event_queue_msg(context: *mut Context, message: *const Queued) -> c_int;
        pub fn wslay_event_set_error(context: *mut Context, error: c_int);
        pub fn wslay_event_get_read_enabled(context: *mut Context) -> c_int;
    }
}

pub struct Peer;

/// The state that the callbacks use.
struct Shared {
    source: Source,
    drain: Drain,
    tally: *mut Tally,
    goal: usize,
}

struct Open {
    context: *mut ffi::Context,
    shared: Box<Shared>,
}

struct Sender {
    open: Open,
    messages: &'static [Message],
}

unsafe extern "C" fn recv(
    context: *mut ffi::Context,
    space: *mut u8,
    room: usize,
    _: c_int,
    user: *mut c_void,
) -> isize {
    // SAFETY: `user` is the `Shared` that `open` registered, alive and unaliased during a call of
    // wslay; `space` has room for `room` bytes; the tally outlives the call of `receive` that set
    // it.
    unsafe {
        let shared = &mut *user.cast::<Shared>();
        if (*shared.tally).messages >= shared.goal {
            ffi::wslay_event_set_error(context, ffi::ERR_WOULDBLOCK);
            return -1;
        }
        let taken = shared.source.take(room);
        if taken.is_empty() {
            ffi::wslay_event_set_error(context, ffi::ERR_CALLBACK_FAILURE);
            return -1;
        }
        space.copy_from_nonoverlapping(taken.as_ptr(), taken.len());
        taken.len() as isize
    }
}

unsafe extern "C" fn send(
    _: *mut ffi::Context,
    bytes: *const u8,
    length: usize,
    _: c_int,
    user: *mut c_void,
) -> isize {
    // SAFETY: `user` is the registered `Shared`; wslay passes `length` readable bytes.
    unsafe { (*user.cast::<Shared>()).drain.put(std::slice::from_raw_parts(bytes, length)) };
    length as isize
}

unsafe extern "C" fn genmask(
    _: *mut ffi::Context,
    key: *mut u8,
    length: usize,
    _: *mut c_void,
) -> c_int {
    // SAFETY: wslay passes room for `length` bytes.
    fastrand::fill(unsafe { std::slice::from_raw_parts_mut(key, length) });
    0
}

unsafe extern "C" fn message(
    _: *mut ffi::Context,
    received: *const ffi::Received,
    user: *mut c_void,
) {
    // SAFETY: `user` is the registered `Shared`; the message is readable during this call, and null
    // only if it is empty.
    unsafe {
        let (shared, received) = (&mut *user.cast::<Shared>(), &*received);
        let payload = if received.msg_length == 0 {
            &[]
        } else {
            std::slice::from_raw_parts(received.msg, received.msg_length)
        };
        match received.opcode {
            1 => (*shared.tally).message(Kind::Text, payload),
            2 => (*shared.tally).binary(payload),
            _ => {}
        }
    }
}

fn open(role: Role, source: Source, drain: Drain) -> Option<Open> {
    let mut shared = Box::new(Shared { source, drain, tally: null_mut(), goal: 0 });
    let callbacks = ffi::Callbacks {
        recv: Some(recv),
        send: Some(send),
        genmask: Some(genmask),
        frame_start: None,
        frame_chunk: None,
        frame_end: None,
        message: Some(message),
    };
    let user: *mut c_void = std::ptr::from_mut(&mut *shared).cast();
    let mut context = null_mut();
    // SAFETY: wslay copies the callbacks; `user` does not move until the context is freed.
    let status = unsafe {
        match role {
            Role::Server => ffi::wslay_event_context_server_init(&mut context, &callbacks, user),
            Role::Client => ffi::wslay_event_context_client_init(&mut context, &callbacks, user),
        }
    };
    if status != 0 {
        return None;
    }
    // SAFETY: wslay has just made the context.
    unsafe { ffi::wslay_event_config_set_max_recv_msg_length(context, 64 << 20) };
    Some(Open { context, shared })
}

impl Drop for Open {
    fn drop(&mut self) {
        // SAFETY: the context was made in `open`, and is freed once.
        unsafe { ffi::wslay_event_context_free(self.context) };
    }
}

impl Candidate for Peer {
    fn name(&self) -> &'static str {
        "wslay (C)"
    }

    fn is_rust(&self) -> bool {
        false
    }

    fn note(&self) -> &'static str {
        "event interface with callbacks, messages buffered by it; shared library of the system; no handshake"
    }

    fn receiver(&self, role: Role, source: Source, drain: Drain) -> Option<Box<dyn Receive>> {
        Some(Box::new(open(role, source, drain)?))
    }

    fn sender(
        &self,
        role: Role,
        drain: Drain,
        messages: &'static [Message],
    ) -> Option<Box<dyn Send>> {
        Some(Box::new(Sender { open: open(role, Source::empty(), drain)?, messages }))
    }
}

impl Receive for Open {
    fn receive(&mut self, messages: usize, tally: &mut Tally) -> Outcome {
        self.shared.goal = tally.messages + messages;
        self.shared.tally = tally;
        // SAFETY: the context and everything that its callbacks use are alive.
        let (received, sent, open) = unsafe {
            let received = ffi::wslay_event_recv(self.context);
            let sent = ffi::wslay_event_send(self.context);
            (received, sent, ffi::wslay_event_get_read_enabled(self.context) != 0)
        };
        match received.min(sent) {
            0 if open => Ok(()),
            0 => Err(CLOSED.into()),
            status => Err(format!("status {status}")),
        }
    }
}

impl Send for Sender {
    fn send(&mut self) -> Outcome {
        for message in self.messages {
            let queued = ffi::Queued {
                opcode: if message.kind == Kind::Text { 1 } else { 2 },
                msg: message.payload.as_ptr(),
                msg_length: message.payload.len(),
            };
            // SAFETY: wslay copies the payload before `queue` returns; the context is alive.
            let status = unsafe {
                ffi::wslay_event_queue_msg(self.open.context, &queued)
                    .min(ffi::wslay_event_send(self.open.context))
            };
            if status != 0 {
                return Err(format!("status {status}"));
            }
        }
        Ok(())
    }
}

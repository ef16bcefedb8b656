//! An allocator that counts what each thread holds, and that a thread can forbid to be called.
//!
//! Install it in a test file by `#[global_allocator] static COUNTING: Counting = Counting;`.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, with counters.
pub struct Counting;

thread_local! {
    static WATCH: Watch = const { Watch {
        forbidden: Cell::new(false),
        largest: Cell::new(usize::MAX),
        held: Cell::new(0),
        most: Cell::new(0),
        calls: Cell::new(0),
    } };
}

struct Watch {
    forbidden: Cell<bool>,
    /// Larger allocations are refused.
    largest: Cell<usize>,
    /// Bytes allocated and not freed since the thread last reset the count. Negative if the thread
    /// freed older memory.
    held: Cell<isize>,
    most: Cell<isize>,
    calls: Cell<usize>,
}

impl Watch {
    fn change(&self, by: isize) {
        self.held.set(self.held.get() + by);
        self.most.set(self.most.get().max(self.held.get()));
        self.calls.set(self.calls.get() + 1);
        if self.forbidden.get() {
            // An allocator must not unwind, so the whole process ends.
            self.forbidden.set(false);
            eprintln!("the allocator was called:\n{}", std::backtrace::Backtrace::force_capture());
            std::process::abort();
        }
    }
}

/// The cost of `work` for its thread: the most bytes held at once, the bytes not freed, and the
/// number of calls of the allocator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    pub bytes: usize,
    pub left: isize,
    pub calls: usize,
}

/// Runs `work` and returns its cost.
pub fn cost_of<T>(work: impl FnOnce() -> T) -> (T, Cost) {
    WATCH.with(|watch| {
        watch.held.set(0);
        watch.most.set(0);
        watch.calls.set(0);
    });
    let result = work();
    let cost = WATCH.with(|watch| Cost {
        bytes: watch.most.get() as usize,
        left: watch.held.get(),
        calls: watch.calls.get(),
    });
    (result, cost)
}

/// Runs `work` and ends the process if it calls the allocator.
pub fn without_allocator<T>(work: impl FnOnce() -> T) -> T {
    WATCH.with(|watch| watch.forbidden.set(true));
    let result = work();
    WATCH.with(|watch| watch.forbidden.set(false));
    result
}

/// Runs `work`, and refuses its allocations of more than `largest` bytes.
pub fn with_allocations_up_to<T>(largest: usize, work: impl FnOnce() -> T) -> T {
    WATCH.with(|watch| watch.largest.set(largest));
    let result = work();
    WATCH.with(|watch| watch.largest.set(usize::MAX));
    result
}

fn refuses(size: usize) -> bool {
    WATCH.try_with(|watch| size > watch.largest.get()).unwrap_or(false)
}

fn change(by: isize) {
    // At the end of a thread the counters are gone.
    let _ = WATCH.try_with(|watch| watch.change(by));
}

#[expect(unsafe_code, reason = "an allocator cannot be had without")]
// SAFETY: every call is refused, or passed on unchanged to the system's allocator. The counting
// allocates nothing, keeps its state in thread-local cells without a destructor, and does not
// unwind.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if refuses(layout.size()) {
            return std::ptr::null_mut();
        }
        change(layout.size() as isize);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        change(-(layout.size() as isize));
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if refuses(layout.size()) {
            return std::ptr::null_mut();
        }
        change(layout.size() as isize);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if refuses(size) {
            return std::ptr::null_mut();
        }
        // Count both at once, because the memory may have to move.
        change(size as isize);
        change(-(layout.size() as isize));
        unsafe { System.realloc(at, layout, size) }
    }
}

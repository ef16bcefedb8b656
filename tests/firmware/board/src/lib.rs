//! Replaces the network driver and the console of a board by files of the host, over semihosting.
//!
//! All unsafe code of the firmware is in this file. It uses registers, linker symbols and traps.
#![no_std]

use core::convert::Infallible;
use core::ptr;

use cortex_m_rt::{ExceptionFrame, STACK_PAINT_VALUE, exception};
use cortex_m_semihosting::{debug, nr, syscall};
use embedded_io::{ErrorType, Read, Write};

/// The network of a scenario. Input is read from the file `input`, and output is written to the
/// file `output`.
///
/// Contents and lengths come from outside the image, so the optimizer can assume nothing about
/// them. The first four bytes of `input` limit the size of one read.
pub struct HostLink {
    input: usize,
    output: usize,
    piece: usize,
}

impl HostLink {
    fn open() -> Self {
        let output = open(b"output\0", nr::open::W_TRUNC_BINARY);
        let mut link = Self { input: open(b"input\0", nr::open::R_BINARY), output, piece: 4 };
        let mut piece = [0; 4];
        let Ok(_) = link.read(&mut piece);
        link.piece = u32::from_le_bytes(piece) as usize;
        link
    }
}

impl ErrorType for HostLink {
    type Error = Infallible;
}

impl Read for HostLink {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        let wanted = buffer.len().min(self.piece);
        // SAFETY: the call writes at most the given length to the given address. Both are within a
        // slice that is borrowed for the call.
        let missing = unsafe { syscall!(READ, self.input, buffer.as_mut_ptr(), wanted) };
        Ok(wanted.saturating_sub(missing))
    }
}

impl Write for HostLink {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        write(self.output, bytes);
        Ok(bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        write(self.output, bytes);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// Keeps the optimizer from removing the computation of `value`.
#[cfg(feature = "plant-a-panic")]
pub fn keep(value: u8) {
    core::hint::black_box(value);
}

/// Runs a scenario, writes the file `report`, and ends the emulator. The report has the verdict,
/// the stack's high-water mark and the size of the connection.
pub fn run(scenario: impl FnOnce(&mut HostLink) -> u32, connection: usize) -> ! {
    let verdict = scenario(&mut HostLink::open());
    let report = [verdict, stack_used() as u32, connection as u32].map(u32::to_le_bytes);
    write(open(b"report\0", nr::open::W_TRUNC_BINARY), report.as_flattened());
    debug::exit(debug::EXIT_SUCCESS);
    #[allow(clippy::empty_loop, reason = "the emulator has ended; a debugger may have gone on")]
    loop {}
}

/// Returns the stack's high-water mark in bytes. The start-up code fills the stack with a pattern,
/// and unused words still have the pattern.
fn stack_used() -> usize {
    unsafe extern "C" {
        static _stack_end: u32;
        static _stack_start: u32;
    }
    let top = &raw const _stack_start;
    let mut mark = &raw const _stack_end;
    // SAFETY: the linker script places the symbols at the two ends of the stack's own region of
    // RAM.
    while mark < top && unsafe { ptr::read_volatile(mark) } == STACK_PAINT_VALUE {
        mark = mark.wrapping_add(1);
    }
    top.addr() - mark.addr()
}

fn open(name: &[u8], mode: usize) -> usize {
    // SAFETY: the call reads the name, which is static, up to the given length without its NUL.
    unsafe { syscall!(OPEN, name.as_ptr(), mode, name.len() - 1) }
}

fn write(file: usize, bytes: &[u8]) {
    // SAFETY: the call reads the given length from the given address, a slice that is borrowed for
    // the call.
    let missing = unsafe { syscall!(WRITE, file, bytes.as_ptr(), bytes.len()) };
    if missing != 0 {
        fail();
    }
}

/// Ends the emulator with a failure.
fn fail() {
    debug::exit(debug::EXIT_FAILURE);
}

#[exception]
unsafe fn HardFault(_frame: &ExceptionFrame) -> ! {
    fail();
    #[allow(clippy::empty_loop, reason = "nothing is left to be done after a fault")]
    loop {}
}

/// Proves that no panic is reachable. This function is defined nowhere, so an image that could call
/// it does not link.
#[cfg(not(feature = "panics-link"))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    unsafe extern "C" {
        fn a_panic_can_be_reached() -> !;
    }
    // SAFETY: this call never runs, since a reachable call fails the link.
    unsafe { a_panic_can_be_reached() }
}

#[cfg(feature = "panics-link")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    fail();
    #[allow(clippy::empty_loop, reason = "nothing is left to be done after a panic")]
    loop {}
}

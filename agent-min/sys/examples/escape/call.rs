//! System calls as the kernel has them: most of what is tried here has no function in the C library.

use std::ffi::CStr;

use nix::errno::Errno;
use nix::libc::{self, c_long};

/// An argument that is no address, or an address of memory that stays there for the call.
#[derive(Debug)]
pub(crate) enum Argument<'a> {
    Number(c_long),
    Text(&'a CStr),
    Memory(&'a mut [u64]),
}

/// Makes a system call whose result says nothing.
pub(crate) fn done(number: c_long, arguments: &mut [Argument<'_>]) -> Result<(), Errno> {
    call(number, arguments).map(drop)
}

/// Makes a system call.
pub(crate) fn call(number: c_long, arguments: &mut [Argument<'_>]) -> Result<c_long, Errno> {
    let mut words: [c_long; 6] = [0; 6];
    for (word, argument) in words.iter_mut().zip(arguments) {
        *word = match argument {
            Argument::Number(number) => *number,
            Argument::Text(text) => text.as_ptr() as c_long,
            Argument::Memory(memory) => memory.as_mut_ptr() as c_long,
        };
    }
    let [a, b, c, d, e, f] = words;
    // SAFETY: addresses are of memory that the caller lends for the call, and of the size that the call fills, or ones
    // that the kernel chooses. The process was made for this call, and ends after it.
    Errno::result(unsafe { libc::syscall(number, a, b, c, d, e, f) })
}

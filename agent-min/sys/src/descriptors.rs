//! Closing descriptors that a process has no business with.

use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

use nix::libc;
use nix::sys::resource::{Resource, getrlimit};

/// The first that is none of the standard three.
pub(crate) const FIRST: RawFd = 3;

/// No descriptor of ours is at or above this. Asks the kernel, so not for a child between `fork` and
/// `execve`.
pub(crate) fn at_most() -> RawFd {
    const ENOUGH: RawFd = 65_536; // the agent holds fewer than a hundred
    getrlimit(Resource::RLIMIT_NOFILE)
        .map_or(ENOUGH, |(soft, _)| RawFd::try_from(soft).unwrap_or(ENOUGH).min(ENOUGH))
}

/// Closes every descriptor above the standard three but those of `keep`.
pub(crate) fn close_all_but(keep: &[BorrowedFd<'_>]) {
    let below = at_most();
    let mut first = FIRST;
    loop {
        let next = keep.iter().map(AsRawFd::as_raw_fd).filter(|fd| *fd >= first).min();
        // SAFETY: this is a process that has just begun: whoever calls says with `keep` what it still uses,
        // and nothing else holds descriptors yet. One that is lost by mistake fails with EBADF.
        unsafe { close_range(first, next.map(|fd| fd - 1), below) };
        match next {
            Some(kept) => first = kept + 1,
            None => return,
        }
    }
}

/// Closes the descriptors from `first` to `last`, or all from `first` up. Async-signal-safe.
///
/// # Safety
/// What owned the descriptors must not use them again.
pub(crate) unsafe fn close_range(first: RawFd, last: Option<RawFd>, below: RawFd) {
    let last_of_all = last.map_or(libc::c_uint::MAX, |last| last as libc::c_uint);
    if last.is_some_and(|last| last < first) {
        return;
    }
    // SAFETY: plain system calls; closing a number that is not open is an error without effect.
    unsafe {
        // Linux 5.9 and later; the widest integers of the call are passed whole on every word size.
        if libc::syscall(libc::SYS_close_range, first as libc::c_uint, last_of_all, 0 as libc::c_uint) == 0 {
            return;
        }
        let mut descriptor = first;
        while descriptor < below && last.is_none_or(|last| descriptor <= last) {
            libc::close(descriptor);
            descriptor += 1;
        }
    }
}

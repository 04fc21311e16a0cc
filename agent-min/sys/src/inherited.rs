//! What a process was given when it was started ([`crate::role::start`]), taken by number, each once.

use std::fs::File;
use std::io;
use std::net::TcpListener;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::libc;

use crate::child::KEPT_MAX;
use crate::descriptors;

/// A listening socket.
pub fn listener(number: RawFd) -> io::Result<TcpListener> {
    if socket_option(number, libc::SO_ACCEPTCONN)? != 1 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    Ok(descriptor(number)?.into())
}

/// A file or a pipe.
pub fn file(number: RawFd) -> io::Result<File> {
    Ok(descriptor(number)?.into())
}

/// Takes the descriptor, if it is open, and keeps it from programs that this process would start.
pub(crate) fn descriptor(number: RawFd) -> io::Result<OwnedFd> {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    let at = number.checked_sub(descriptors::FIRST).and_then(|at| usize::try_from(at).ok());
    let at = at.filter(|at| *at < KEPT_MAX).ok_or(io::ErrorKind::InvalidInput)?;
    // SAFETY: with this command the call changes nothing; a number that is not open is an error.
    Errno::result(unsafe { libc::fcntl(number, libc::F_GETFD) })?;
    if TAKEN.fetch_or(1 << at, Ordering::Relaxed) & (1 << at) != 0 {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    // SAFETY: it is open; it was there before this process opened anything, and this is the only place that
    // takes such descriptors, each once.
    let descriptor = unsafe { OwnedFd::from_raw_fd(number) };
    fcntl(&descriptor, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    Ok(descriptor)
}

/// An option of a socket that is a number; an error if `number` is no open socket.
pub(crate) fn socket_option(number: RawFd, option: libc::c_int) -> io::Result<libc::c_int> {
    let mut value: libc::c_int = 0;
    let mut length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: `value` has room for the `length` bytes that the kernel may write; a number that is not open,
    // or no socket, is an error without effect.
    let read = unsafe {
        libc::getsockopt(number, libc::SOL_SOCKET, option, (&raw mut value).cast(), &raw mut length)
    };
    if read == 0 { Ok(value) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use std::os::fd::IntoRawFd;

    use super::*;
    use crate::sandbox::testing::in_child;

    #[test]
    fn a_descriptor_is_taken_once_and_only_from_where_they_are_given() {
        for number in [-1, 0, 2, descriptors::FIRST + KEPT_MAX as RawFd, RawFd::MAX] {
            assert!(file(number).is_err(), "{number}");
            assert!(listener(number).is_err(), "{number}");
        }
        let child = in_child(|_| {
            let open = || File::open("/dev/null").expect("a descriptor").into_raw_fd();
            let number = open();
            let taken = file(number).map(drop).is_ok();
            let again = (open() == number).then(|| file(number).map(drop).map_err(|e| e.kind()));
            format!("{taken} {again:?} {}", listener(open()).is_err())
        });
        assert_eq!(child.report, "true Some(Err(AlreadyExists)) true");
    }
}

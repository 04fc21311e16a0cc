//! Puts a filter of system calls (seccomp(2)) over every thread of the process, and checks that it is there.

use nix::errno::Errno;
use nix::libc::{self, sock_filter};

use super::Role;
use super::bpf::{Answer, Assembly};
use super::calls::{ARCHITECTURE, DIAGNOSTICS, NETWORK, PROBE_ERRNO};

// From linux/seccomp.h.
const SET_MODE_FILTER: libc::c_uint = 1;
const GET_ACTION_AVAIL: libc::c_uint = 2;
const FILTER_FLAG_TSYNC: libc::c_ulong = 1;

const NETWORK_ASSEMBLY: Assembly = Assembly::of(ARCHITECTURE, NETWORK, Answer::KillProcess);
const DIAGNOSTICS_ASSEMBLY: Assembly = Assembly::of(ARCHITECTURE, DIAGNOSTICS, Answer::KillProcess);
static NETWORK_FILTER: [sock_filter; NETWORK_ASSEMBLY.length()] = NETWORK_ASSEMBLY.code();
static DIAGNOSTICS_FILTER: [sock_filter; DIAGNOSTICS_ASSEMBLY.length()] = DIAGNOSTICS_ASSEMBLY.code();

/// What a call off the list ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Punishment {
    Process,
    /// Before Linux 4.14.
    Thread,
}

/// `None` if this kernel has no filters, or not for every thread at once (before 3.17).
pub(super) fn install(role: Role) -> Option<Punishment> {
    if cfg!(target_arch = "x86") && has_only_socketcall() {
        return None;
    }
    let punishment = if kills_processes() { Punishment::Process } else { Punishment::Thread };
    load(filter(role)).ok()?;
    is_in_force().then_some(punishment)
}

pub(super) fn filter(role: Role) -> &'static [sock_filter] {
    match role {
        Role::Network => &NETWORK_FILTER,
        Role::Diagnostics => &DIAGNOSTICS_FILTER,
    }
}

/// Puts a filter over every thread. It can't be taken away again.
pub(super) fn load(filter: &[sock_filter]) -> Result<(), Errno> {
    let length = libc::c_ushort::try_from(filter.len()).map_err(|_| Errno::EINVAL)?;
    let program = libc::sock_fprog { len: length, filter: filter.as_ptr().cast_mut() };
    // SAFETY: the kernel copies the program, of the length that is said, and writes nothing to it.
    let loaded =
        unsafe { libc::syscall(libc::SYS_seccomp, SET_MODE_FILTER, FILTER_FLAG_TSYNC, &raw const program) };
    // A positive result is a thread with filters of its own, and means that none has got this one.
    if Errno::result(loaded)? == 0 { Ok(()) } else { Err(Errno::ESRCH) }
}

fn kills_processes() -> bool {
    let action = Answer::KillProcess.code();
    // SAFETY: the kernel reads one 32-bit number, which is there for the whole call.
    unsafe { libc::syscall(libc::SYS_seccomp, GET_ACTION_AVAIL, 0 as libc::c_ulong, &raw const action) == 0 }
}

/// Whether the lists' calls of sockets aren't there: i686 before Linux 4.3.
fn has_only_socketcall() -> bool {
    const NO_SOCKET: libc::c_int = -1;
    // SAFETY: there is no such descriptor, so nothing is accepted and no address is written.
    let answer =
        unsafe { libc::syscall(libc::SYS_accept4, NO_SOCKET, 0 as libc::c_ulong, 0 as libc::c_ulong, 0) };
    answer == -1 && Errno::last_raw() == libc::ENOSYS
}

/// Makes a call that only our filter answers in this way: the kernel itself would complain of the address.
fn is_in_force() -> bool {
    // SAFETY: the kernel writes to no null pointer.
    let answer = unsafe { libc::syscall(libc::SYS_sysinfo, std::ptr::null_mut::<libc::c_void>()) };
    answer == -1 && Errno::last_raw() == PROBE_ERRNO
}

#[cfg(test)]
#[path = "seccomp_tests.rs"]
mod tests;

//! What a process may use at most, and who may look into it.

use std::io;

use nix::libc;
use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigHandler, Signal, signal};

use super::Confinement;

/// Descriptors of the network process: 16 connections and one to refuse, the listening socket, the channel,
/// the reactor's three, the standard three; and some room.
const NETWORK_DESCRIPTORS: u64 = 64;
/// Descriptors of the diagnostics: each of its threads has a few, and keeps none.
const DIAGNOSTICS_DESCRIPTORS: u64 = 64;

/// No core file, and nobody but root can read this process's memory or trace it (PR_SET_DUMPABLE(2const)).
/// For the privileged process too; changing the user or running a program undoes it.
pub fn keep_memory_to_ourselves() -> io::Result<()> {
    limit(Resource::RLIMIT_CORE, 0)?;
    prctl::set_dumpable(false)?;
    if prctl::get_dumpable()? { Err(io::ErrorKind::Unsupported.into()) } else { Ok(()) }
}

/// Sets every limit of the role but the last; whether all hold.
pub(super) fn lower(confinement: Confinement<'_>) -> bool {
    // Where the kernel hands out huge pages unasked, the stack of a thread may lie so that its first byte takes 2 MiB.
    let _as_large_as_it_is = prctl::set_thp_disable(true);
    let of_both = [(Resource::RLIMIT_MEMLOCK, 0), (Resource::RLIMIT_MSGQUEUE, 0)];
    let of_role = match confinement {
        // They have threads to start yet; `lower_last` follows.
        Confinement::Network { .. } => [(Resource::RLIMIT_NOFILE, NETWORK_DESCRIPTORS)].as_slice(),
        Confinement::Diagnostics { memory, .. } => {
            &[(Resource::RLIMIT_NOFILE, DIAGNOSTICS_DESCRIPTORS), (Resource::RLIMIT_AS, memory)]
        }
    };
    let failed = of_both.iter().chain(of_role).filter(|(resource, most)| limit(*resource, *most).is_err());
    failed.count() == 0
}

/// From now on, no process, no thread, and no byte in a file. Until now there was one file at most: the log, where
/// standard error is one, for the line that says why a process can't begin its work.
pub(super) fn lower_last() -> bool {
    // A line that comes later gets lost, and must not be the end of the process.
    // SAFETY: ignoring a signal runs no code of ours in a handler.
    let harmless = unsafe { signal(Signal::SIGXFSZ, SigHandler::SigIgn) }.is_ok();
    let limits = [Resource::RLIMIT_FSIZE, Resource::RLIMIT_NPROC];
    limits.into_iter().filter(|resource| limit(*resource, 0).is_err()).count() == 0 && harmless
}

/// At most `most`, for good: without CAP_SYS_RESOURCE a limit can't be raised again.
fn limit(resource: Resource, most: u64) -> io::Result<()> {
    let (_, hard) = getrlimit(resource)?;
    // On 32-bit machines the C library's numbers may be narrower than a limit.
    let most = libc::rlim_t::try_from(most).unwrap_or(libc::rlim_t::MAX).min(hard);
    setrlimit(resource, most, most)?;
    if getrlimit(resource)? == (most, most) { Ok(()) } else { Err(io::ErrorKind::Unsupported.into()) }
}

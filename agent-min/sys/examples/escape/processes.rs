//! Programs, other processes, its own rights, and memory that can be executed.

use std::ffi::CStr;
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::libc::{self, c_char, c_int, c_long};

use crate::REACHED;
use crate::call::Argument::{Memory, Number, Text};
use crate::call::{call, done};
use crate::table::Probe;

/// Bytes of a page, at most.
const PAGE: usize = 65_536;
/// What is read in another process: it is a copy of this one, so that its memory is where ours is.
static SECRET: u64 = 0x7365_636d_6f6e;

pub(crate) const PROBES: &[Probe] = &[
    Probe::new("execve /bin/sh", |_| execute(None)),
    Probe::new("execute a file in memory", |_| execute(Some(memory_file()?))),
    Probe::new("fork", |_| fork()),
    Probe::new("start a thread", |_| {
        let thread = std::thread::Builder::new().spawn(|| ());
        thread.map(drop).map_err(|e| Errno::from_raw(e.raw_os_error().unwrap_or(0)))
    }),
    Probe::new("ptrace the monitor", |scene| seize(scene.monitor.pid())),
    Probe::new("ptrace a neighbour", |scene| seize(scene.neighbour.pid())),
    Probe::new("be traced by its parent", |_| done(libc::SYS_ptrace, &mut [Number(0)])), // PTRACE_TRACEME
    Probe::new("process_vm_readv of the monitor", |scene| read_memory_of(scene.monitor.pid())),
    Probe::new("process_vm_readv of a neighbour", |scene| read_memory_of(scene.neighbour.pid())),
    Probe::new("take a descriptor of the monitor", |scene| descriptor_of(scene.monitor.pid())),
    Probe::new("take a descriptor of a neighbour", |scene| descriptor_of(scene.neighbour.pid())),
    Probe::new("signal the monitor", |scene| signal(libc::SYS_kill, scene.monitor.pid())),
    Probe::new("signal a neighbour", |scene| signal(libc::SYS_kill, scene.neighbour.pid())),
    Probe::new("signal a neighbour's thread", |scene| signal(libc::SYS_tkill, scene.neighbour.pid())),
    Probe::new("become root", |_| done(libc::SYS_setuid, &mut [Number(0)])),
    Probe::new("join root's group", |_| done(libc::SYS_setgid, &mut [Number(0)])),
    Probe::new("join other groups", |_| done(libc::SYS_setgroups, &mut [Number(1), Memory(&mut [0])])),
    Probe::new("take a capability", |_| take_capabilities()),
    Probe::new("be dumped again", |_| {
        done(libc::SYS_prctl, &mut [Number(libc::PR_SET_DUMPABLE.into()), Number(1)])
    }),
    Probe::new("raise a limit", |_| raise_limit()),
    Probe::new("be scheduled in real time", |_| {
        done(
            libc::SYS_sched_setscheduler,
            &mut [Number(0), Number(libc::SCHED_FIFO.into()), Memory(&mut [1])],
        )
    }),
    Probe::new("switch off address randomisation", |_| {
        done(libc::SYS_personality, &mut [Number(libc::ADDR_NO_RANDOMIZE.into())])
    }),
    Probe::new("unshare users", |_| unshare(libc::CLONE_NEWUSER)),
    Probe::new("unshare mounts", |_| unshare(libc::CLONE_NEWNS)),
    Probe::new("unshare the network", |_| unshare(libc::CLONE_NEWNET)),
    Probe::new("join a network namespace", |scene| {
        let namespace = Number(scene.namespace.as_raw_fd().into());
        done(libc::SYS_setns, &mut [namespace, Number(libc::CLONE_NEWNET.into())])
    }),
    Probe::new("mmap memory to execute", |_| map(libc::PROT_READ | libc::PROT_EXEC).map(drop)),
    Probe::new("mprotect memory to execute", |_| {
        let address = Number(map(libc::PROT_READ)?);
        let protection = Number((libc::PROT_READ | libc::PROT_EXEC).into());
        done(libc::SYS_mprotect, &mut [address, Number(PAGE as c_long), protection])
    }),
];

/// Becomes a shell, or the script in a file. Only a failure returns.
fn execute(file: Option<c_int>) -> Result<(), Errno> {
    const COMMAND: &CStr = c"exit 77";
    const _: () = assert!(REACHED == 77);
    let argv: [*const c_char; 4] = [c"sh".as_ptr(), c"-c".as_ptr(), COMMAND.as_ptr(), std::ptr::null()];
    let (at, path, flags) = match file {
        None => (libc::AT_FDCWD, c"/bin/sh", 0),
        Some(file) => (file, c"", libc::AT_EMPTY_PATH),
    };
    let environment = argv.as_ptr().wrapping_add(3);
    // SAFETY: the path is a C string; both lists are of C strings and end with a null pointer.
    Errno::result(unsafe {
        match file {
            None => libc::syscall(libc::SYS_execve, path.as_ptr(), argv.as_ptr(), environment),
            Some(_) => {
                libc::syscall(libc::SYS_execveat, at, path.as_ptr(), argv.as_ptr(), environment, flags)
            }
        }
    })
    .map(drop)
}

fn memory_file() -> Result<c_int, Errno> {
    const SCRIPT: &CStr = c"#!/bin/sh\nexit 77\n";
    let file = call(libc::SYS_memfd_create, &mut [Text(c"script"), Number(0)])?;
    let length = SCRIPT.to_bytes().len() as c_long;
    let written = call(libc::SYS_write, &mut [Number(file), Text(SCRIPT), Number(length)])?;
    if written == length { c_int::try_from(file).map_err(|_| Errno::EBADF) } else { Err(Errno::EFBIG) }
}

/// By the bare call, so that no handler of the C library runs in the child.
fn fork() -> Result<(), Errno> {
    let child = call(libc::SYS_clone, &mut [Number(libc::SIGCHLD.into())])?;
    if child == 0 {
        // SAFETY: ends the child.
        unsafe { libc::_exit(0) }
    }
    Ok(())
}

/// A tracer that stops nobody. It lets go when it ends.
fn seize(pid: c_long) -> Result<(), Errno> {
    done(libc::SYS_ptrace, &mut [Number(libc::PTRACE_SEIZE as c_long), Number(pid)])
}

fn read_memory_of(pid: c_long) -> Result<(), Errno> {
    let mut read = 0_u64;
    let ours = libc::iovec { iov_base: (&raw mut read).cast(), iov_len: size_of::<u64>() };
    let theirs = libc::iovec { iov_base: (&raw const SECRET).cast_mut().cast(), iov_len: size_of::<u64>() };
    // SAFETY: the kernel writes eight bytes to our number, and reads those of the other process, whose memory is its.
    let copied = unsafe {
        libc::syscall(
            libc::SYS_process_vm_readv,
            pid,
            &raw const ours,
            1_usize,
            &raw const theirs,
            1_usize,
            0_usize,
        )
    };
    Errno::result(copied)?;
    if read == SECRET { Ok(()) } else { Err(Errno::EIO) }
}

/// pidfd_open and pidfd_getfd: the same numbers on every architecture, and not in every C library's list.
fn descriptor_of(pid: c_long) -> Result<(), Errno> {
    const PIDFD_OPEN: c_long = 434;
    const PIDFD_GETFD: c_long = 438;
    let process = call(PIDFD_OPEN, &mut [Number(pid), Number(0)])?;
    done(PIDFD_GETFD, &mut [Number(process), Number(2), Number(0)])
}

/// A signal that means nothing to who doesn't wait for it.
fn signal(by: c_long, pid: c_long) -> Result<(), Errno> {
    done(by, &mut [Number(pid), Number(libc::SIGURG.into())])
}

/// The right to administer the system, permitted and effective (capset(2), version 3).
fn take_capabilities() -> Result<(), Errno> {
    const SYS_ADMIN: u64 = 1 << 21;
    let (mut header, mut sets) = ([0x2008_0522], [SYS_ADMIN | SYS_ADMIN << 32, 0, 0]);
    done(libc::SYS_capset, &mut [Memory(&mut header), Memory(&mut sets)])
}

fn raise_limit() -> Result<(), Errno> {
    let limit = Number(libc::RLIMIT_NPROC as c_long);
    let mut unlimited = [u64::MAX; 2];
    done(libc::SYS_prlimit64, &mut [Number(0), limit, Memory(&mut unlimited), Number(0)])
}

fn unshare(what: c_int) -> Result<(), Errno> {
    done(libc::SYS_unshare, &mut [Number(what.into())])
}

/// New memory.
fn map(protection: c_int) -> Result<c_long, Errno> {
    #[cfg(target_pointer_width = "64")]
    const MMAP: c_long = libc::SYS_mmap;
    #[cfg(target_pointer_width = "32")]
    const MMAP: c_long = libc::SYS_mmap2;
    let flags = Number((libc::MAP_PRIVATE | libc::MAP_ANONYMOUS).into());
    let size = Number(PAGE as c_long);
    call(MMAP, &mut [Number(0), size, Number(protection.into()), flags, Number(-1), Number(0)])
}

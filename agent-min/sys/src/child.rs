//! From `fork` to `execve`, for every program that we start.
//!
//! The process that forks may have threads, so its child makes async-signal-safe calls only
//! (signal-safety(7)), on memory that was prepared before: nothing here allocates.

use std::ffi::CStr;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::libc;
use nix::unistd::{ForkResult, Pid, fork, getpid, pipe2};

use crate::descriptors;
use crate::process::{OomScore, oom_score_before_ours};

/// Descriptors that a program can be given beside the standard three.
pub(crate) const KEPT_MAX: usize = 5;

/// What the program is, and what it finds.
pub(crate) struct Launch<'a> {
    /// A list as `execve` wants it: C strings, then a null pointer.
    pub(crate) argv: &'a [*const libc::c_char],
    pub(crate) environment: &'a [*const libc::c_char],
    /// Where both outputs go; `None` leaves them where ours go.
    pub(crate) output: Option<BorrowedFd<'a>>,
    /// The i-th becomes descriptor 3 + i. At most [`KEPT_MAX`].
    pub(crate) keep: &'a [BorrowedFd<'a>],
    /// Waits for the permission to run.
    pub(crate) held: bool,
    /// Leads a process group of its own.
    pub(crate) leads_group: bool,
    /// Is killed when the thread that started it ends.
    pub(crate) dies_with_us: bool,
}

/// A process that becomes, or already is, its program.
#[derive(Debug)]
pub(crate) struct Launched {
    pub(crate) pid: Pid,
    /// Where the error number of a failed `execve` arrives; at its end, the program runs.
    error: File,
    /// One byte here is the permission to run; its end is the refusal.
    pub(crate) go: Option<File>,
}

impl Launch<'_> {
    pub(crate) fn fork(&self) -> io::Result<Launched> {
        if self.keep.len() > KEPT_MAX || self.argv.last() != Some(&std::ptr::null()) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let null = OpenOptions::new().read(true).open("/dev/null")?;
        let (error_out, error_in) = pipe2(OFlag::O_CLOEXEC)?;
        let go = if self.held { Some(pipe2(OFlag::O_CLOEXEC)?) } else { None };
        let child = Child {
            launch: self,
            stdin: null.as_fd(),
            go: go.as_ref(),
            parent: getpid(),
            close_below: descriptors::at_most(),
            // One of our own processes is worth what we are.
            oom_score: oom_score_before_ours().filter(|_| !self.dies_with_us),
        };
        // SAFETY: the child calls `Child::become_program` only, which makes async-signal-safe calls on
        // prepared memory and never returns.
        match unsafe { fork() }? {
            ForkResult::Child => child.become_program(error_in.as_raw_fd()),
            ForkResult::Parent { child: pid } => {
                Ok(Launched { pid, error: error_out.into(), go: go.map(|(_, go_in)| go_in.into()) })
            }
        }
    }
}

impl Launched {
    /// Waits until the program runs, or reaps the process and says why it can't.
    pub(crate) fn started(mut self) -> io::Result<Pid> {
        let mut errno = [0_u8; 4];
        if self.error.read_exact(&mut errno).is_ok() {
            self.reap();
            return Err(io::Error::from_raw_os_error(i32::from_ne_bytes(errno)));
        }
        Ok(self.pid)
    }

    pub(crate) fn reap(&self) {
        let _reaped = nix::sys::wait::waitpid(self.pid, None);
    }
}

/// Everything that the child needs, prepared.
struct Child<'a> {
    launch: &'a Launch<'a>,
    stdin: BorrowedFd<'a>,
    go: Option<&'a (OwnedFd, OwnedFd)>,
    parent: Pid,
    close_below: RawFd,
    oom_score: Option<&'a OomScore>,
}

impl Child<'_> {
    /// Becomes the program, or writes the error number to the error pipe and ends.
    fn become_program(&self, mut error: RawFd) -> ! {
        // SAFETY: async-signal-safe calls on descriptors and memory that the parent prepared and that `fork`
        // copied; `argv` and `environment` are null-terminated lists of C strings that outlive the call.
        unsafe {
            if let Some((go_out, go_in)) = self.go {
                wait_for_permission(go_out, go_in);
            }
            if self.arrange_process() && self.arrange_descriptors(&mut error) {
                reset_signals();
                if let Some(program) = self.launch.argv.first() {
                    libc::execve(*program, self.launch.argv.as_ptr(), self.launch.environment.as_ptr());
                }
            }
            let errno = Errno::last_raw().to_ne_bytes();
            libc::write(error, errno.as_ptr().cast(), errno.len());
            libc::_exit(127)
        }
    }

    /// # Safety
    /// Only in a child between `fork` and `execve`.
    unsafe fn arrange_process(&self) -> bool {
        // SAFETY: plain system calls on constants.
        unsafe {
            if self.launch.dies_with_us {
                if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong) != 0 {
                    return false;
                }
                if libc::getppid() != self.parent.as_raw() {
                    libc::_exit(127); // the parent ended before we asked to be told
                }
            }
            if let Some(score) = self.oom_score {
                give_back_oom_score(score);
            }
            libc::umask(0o022);
            (!self.launch.leads_group || libc::setpgid(0, 0) == 0) && libc::chdir(c"/".as_ptr()) == 0
        }
    }

    /// Puts every descriptor into its place and closes the rest. `error` is where the error pipe is, all
    /// along.
    ///
    /// # Safety
    /// Only in a child between `fork` and `execve`.
    unsafe fn arrange_descriptors(&self, error: &mut RawFd) -> bool {
        let keep = self.launch.keep;
        let error_place = keep.iter().fold(descriptors::FIRST, |place, _| place + 1);
        // SAFETY: plain system calls on descriptors that `fork` copied.
        unsafe {
            let output = self.launch.output.map(|fd| fd.as_raw_fd());
            if libc::dup2(self.stdin.as_raw_fd(), 0) < 0
                || output.is_some_and(|fd| libc::dup2(fd, 1) < 0 || libc::dup2(fd, 2) < 0)
            {
                return false;
            }
            // First above all places, so that no one lands on another that is still to move.
            let above = |fd: RawFd| libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, error_place + 1);
            let moved_error = above(*error);
            if moved_error < 0 {
                return false;
            }
            *error = moved_error;
            let mut moved = [-1; KEPT_MAX];
            for (to, from) in moved.iter_mut().zip(keep) {
                *to = above(from.as_raw_fd());
            }
            for ((place, from), _) in (descriptors::FIRST..).zip(moved).zip(keep) {
                if from < 0 || libc::dup2(from, place) < 0 {
                    return false;
                }
            }
            if libc::dup3(*error, error_place, libc::O_CLOEXEC) < 0 {
                return false;
            }
            *error = error_place;
            descriptors::close_range(error_place + 1, None, self.close_below);
        }
        true
    }
}

/// Returns when the parent has said so; ends the process if it says nothing.
///
/// # Safety
/// Only in a child between `fork` and `execve`.
unsafe fn wait_for_permission(go_out: &OwnedFd, go_in: &OwnedFd) {
    // SAFETY: plain system calls on descriptors that `fork` copied.
    unsafe {
        // Our own copy would keep the pipe from ever ending.
        libc::close(go_in.as_raw_fd());
        let mut byte = 0_u8;
        loop {
            match libc::read(go_out.as_raw_fd(), (&raw mut byte).cast(), 1) {
                1 => return,
                -1 if Errno::last_raw() == libc::EINTR => {}
                _ => libc::_exit(127),
            }
        }
    }
}

/// A program is no part of the agent: the kernel's killer treats it as it would have treated us.
///
/// # Safety
/// Only in a child between `fork` and `execve`.
unsafe fn give_back_oom_score(score: &OomScore) {
    const FILE: &CStr = c"/proc/self/oom_score_adj";
    // SAFETY: plain system calls on a constant and on prepared bytes.
    unsafe {
        let file = libc::open(FILE.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
        if file >= 0 {
            libc::write(file, score.text().as_ptr().cast(), score.text().len());
            libc::close(file);
        }
    }
}

/// Gives every signal its default meaning back (Rust ignores SIGPIPE) and unblocks all.
///
/// # Safety
/// Only in a child between `fork` and `execve`.
unsafe fn reset_signals() {
    const SIGNALS: std::ops::RangeInclusive<libc::c_int> = 1..=64;
    // SAFETY: `signal`, `sigemptyset` and `sigprocmask` are async-signal-safe; the numbers that the C library
    // keeps for itself are refused without effect; an all-zero `sigset_t` is a valid value to initialise.
    unsafe {
        for number in SIGNALS {
            libc::signal(number, libc::SIG_DFL);
        }
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &none, std::ptr::null_mut());
    }
}

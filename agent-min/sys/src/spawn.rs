//! Runs one program: an absolute path and a fixed argument list, no shell, an empty environment but for
//! `PATH` and `LANG`, `/dev/null` as input, one pipe for both outputs, every other descriptor closed, default
//! signals, and a process group of its own.
//!
//! The agent has threads, so between `fork` and `execve` only async-signal-safe calls are made
//! (signal-safety(7)); everything that allocates is prepared before.

use std::convert::Infallible;
use std::ffi::{CStr, CString};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::fcntl::OFlag;
use nix::libc;
use nix::unistd::{ForkResult, Pid, fork, pipe2};

/// The whole environment of every program.
pub const ENVIRONMENT: [&CStr; 2] =
    [c"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", c"LANG=C"];

/// A program with its whole argument list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The path, and again as the first argument.
    argv: Vec<CString>,
}

/// What becomes of a program that still writes when the agent has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Orphan {
    /// It gets SIGPIPE, which ends it: right for a check, whose answer nobody waits for any more.
    Ends,
    /// Its output is dropped and it goes on: right for a restart, which must not stop half-way with the
    /// service down. It holds the pipe's reading end itself, in the same descriptor as the writing end, so
    /// the pipe never breaks; and it writes without blocking, so a full pipe never holds it up.
    GoesOn,
}

/// A program that runs.
#[derive(Debug)]
pub struct Child {
    pub(crate) pid: Pid,
    pub(crate) output: File,
}

impl Command {
    /// A command, if `program` is an absolute path and no word holds a NUL.
    pub fn new<W: AsRef<str>>(program: &Path, args: impl IntoIterator<Item = W>) -> Option<Self> {
        if !program.is_absolute() {
            return None;
        }
        let mut argv = vec![CString::new(program.as_os_str().as_bytes()).ok()?];
        for arg in args {
            argv.push(CString::new(arg.as_ref()).ok()?);
        }
        Some(Self { argv })
    }

    /// The program's path.
    pub fn program(&self) -> &Path {
        let path = self.argv.first().map_or(b"".as_slice(), |path| path.to_bytes());
        Path::new(std::ffi::OsStr::from_bytes(path))
    }

    /// Starts the program. An error means that it did not start.
    pub fn spawn(&self, orphan: Orphan) -> io::Result<Child> {
        self.spawn_recorded(orphan, |_| Ok::<(), Infallible>(())).unwrap_or_else(|never| match never {})
    }

    /// Starts the program once `record` has taken down its process id.
    ///
    /// The process is there already, but waits: if `record` fails, or if we are killed before it is done, the
    /// program never runs. So a program that isn't on record has not run. The outer error is `record`'s; the
    /// inner one means that the program did not start.
    pub fn spawn_recorded<E>(
        &self,
        orphan: Orphan,
        record: impl FnOnce(u32) -> Result<(), E>,
    ) -> Result<io::Result<Child>, E> {
        let held = match self.fork_held(orphan) {
            Ok(held) => held,
            Err(e) => return Ok(Err(e)),
        };
        match record(held.child.id()) {
            Ok(()) => Ok(held.release()),
            Err(e) => {
                drop(held.go);
                let _reaped = nix::sys::wait::waitpid(held.child.pid, None);
                Err(e)
            }
        }
    }

    fn fork_held(&self, orphan: Orphan) -> io::Result<Held> {
        let null = OpenOptions::new().read(true).open("/dev/null")?;
        let (output, input) = pipe2(OFlag::O_CLOEXEC)?;
        let input = match orphan {
            Orphan::Ends => input,
            Orphan::GoesOn => both_ends(&input).unwrap_or(input),
        };
        // The reading end must not block: a daemon that keeps the writing end open is not waited for.
        nix::fcntl::fcntl(&output, nix::fcntl::FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        let (error_out, error_in) = pipe2(OFlag::O_CLOEXEC)?;
        let (go_out, go_in) = pipe2(OFlag::O_CLOEXEC)?;
        let argv = pointers(self.argv.iter().map(CString::as_c_str));
        let environment = pointers(ENVIRONMENT.into_iter());
        let plan = Plan {
            argv: &argv,
            environment: &environment,
            stdin: null.as_raw_fd(),
            output: input.as_raw_fd(),
            error: error_in.as_raw_fd(),
            go: go_out.as_raw_fd(),
            go_other_end: go_in.as_raw_fd(),
            close_below: descriptors_at_most(),
        };
        // SAFETY: the child calls `Plan::become_program` only, which makes async-signal-safe calls on prepared
        // memory and never returns.
        let pid = match unsafe { fork() }? {
            ForkResult::Child => plan.become_program(),
            ForkResult::Parent { child } => child,
        };
        Ok(Held {
            child: Child { pid, output: File::from(output) },
            go: File::from(go_in),
            error: File::from(error_out),
        })
    }
}

/// A process that waits to become its program.
struct Held {
    child: Child,
    go: File,
    error: File,
}

impl Held {
    fn release(mut self) -> io::Result<Child> {
        // Also here, so that the group exists whichever of the two runs first. It fails once the program
        // has started, and then the child has done it.
        let _done_by_the_child = nix::unistd::setpgid(self.child.pid, self.child.pid);
        let told = self.go.write_all(&[1]);
        drop(self.go);
        let mut errno = [0_u8; 4];
        if self.error.read_exact(&mut errno).is_ok() || told.is_err() {
            let _reaped = nix::sys::wait::waitpid(self.child.pid, None);
            told?;
            return Err(io::Error::from_raw_os_error(i32::from_ne_bytes(errno)));
        }
        Ok(self.child)
    }
}

impl fmt::Display for Command {
    /// As a reader would type it; a word that needs quotes gets them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, word) in self.argv.iter().enumerate() {
            let word = word.to_string_lossy();
            let plain = |c: char| c.is_ascii_alphanumeric() || "/._-=@:,+%".contains(c);
            let space = if at == 0 { "" } else { " " };
            if !word.is_empty() && word.chars().all(plain) {
                write!(f, "{space}{word}")?;
            } else {
                write!(f, "{space}'{}'", word.replace('\'', r"'\''"))?;
            }
        }
        Ok(())
    }
}

impl Child {
    /// Its process id, which is its process group's id too.
    pub fn id(&self) -> u32 {
        u32::try_from(self.pid.as_raw()).unwrap_or(0)
    }
}

/// The pipe behind `input`, opened for reading and writing at once. Needs `/proc`; `None` without it.
fn both_ends(input: &OwnedFd) -> Option<OwnedFd> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(format!("/proc/self/fd/{}", input.as_raw_fd()))
        .ok()
        .map(OwnedFd::from)
}

/// Null-terminated, as `execve` wants it. The pointers are good for as long as the strings are.
fn pointers<'a>(strings: impl Iterator<Item = &'a CStr>) -> Vec<*const libc::c_char> {
    strings.map(CStr::as_ptr).chain([std::ptr::null()]).collect()
}

/// No descriptor of ours is at or above this. Asked before `fork`.
fn descriptors_at_most() -> RawFd {
    const ENOUGH: RawFd = 65_536; // the agent holds fewer than a hundred
    let limit = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE);
    limit.map_or(ENOUGH, |(soft, _)| RawFd::try_from(soft).unwrap_or(ENOUGH).min(ENOUGH))
}

/// Everything that the child needs, prepared.
struct Plan<'a> {
    argv: &'a [*const libc::c_char],
    environment: &'a [*const libc::c_char],
    stdin: RawFd,
    output: RawFd,
    error: RawFd,
    /// A byte here is the permission to run; its end is the refusal.
    go: RawFd,
    go_other_end: RawFd,
    close_below: RawFd,
}

impl Plan<'_> {
    /// In the child: becomes the program, or writes the error number to the error pipe and ends.
    fn become_program(&self) -> ! {
        // SAFETY: async-signal-safe calls on descriptors and memory that the parent prepared and that `fork`
        // copied; `argv` and `environment` are null-terminated lists of C strings that outlive the call.
        unsafe {
            // Our own copy would keep the pipe from ever ending.
            libc::close(self.go_other_end);
            let mut byte = 0_u8;
            loop {
                match libc::read(self.go, (&raw mut byte).cast(), 1) {
                    1 => break,
                    -1 if nix::errno::Errno::last_raw() == libc::EINTR => {}
                    _ => libc::_exit(127),
                }
            }
            if libc::setpgid(0, 0) == 0
                && libc::dup2(self.stdin, 0) >= 0
                && libc::dup2(self.output, 1) >= 0
                && libc::dup2(self.output, 2) >= 0
                && (self.error == ERROR_FD || libc::dup3(self.error, ERROR_FD, libc::O_CLOEXEC) >= 0)
                && libc::chdir(c"/".as_ptr()) == 0
            {
                close_from(FIRST_TO_CLOSE, self.close_below);
                reset_signals();
                libc::umask(0o022);
                if let Some(program) = self.argv.first() {
                    libc::execve(*program, self.argv.as_ptr(), self.environment.as_ptr());
                }
            }
            let errno = nix::errno::Errno::last_raw().to_ne_bytes();
            libc::write(ERROR_FD, errno.as_ptr().cast(), errno.len());
            libc::_exit(127)
        }
    }
}

/// Where the error pipe is in the child, until `execve` closes it.
const ERROR_FD: RawFd = 3;
const FIRST_TO_CLOSE: RawFd = 4;

/// Closes every descriptor from `first` up.
///
/// # Safety
/// Only in a child between `fork` and `execve`: what owned the descriptors must not use them again.
unsafe fn close_from(first: RawFd, below: RawFd) {
    // SAFETY: plain system calls; closing a number that is not open is an error without effect.
    unsafe {
        // Linux 5.9 and later; the widest integers of the call are passed whole on every word size.
        if libc::syscall(libc::SYS_close_range, first as libc::c_uint, libc::c_uint::MAX, 0 as libc::c_uint)
            == 0
        {
            return;
        }
        let mut descriptor = first;
        while descriptor < below {
            libc::close(descriptor);
            descriptor = descriptor.saturating_add(1);
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

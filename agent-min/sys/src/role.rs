//! Starts one of the processes that the agent is made of: its own program again, with one word that says
//! which.
//!
//! The new process has `/dev/null` as input, our outputs, the descriptors that it is given from 3 on and no
//! other, an empty environment, default signals, and the kernel's promise to kill it when we end. That
//! promise, like [`RoleProcess::kill`], needs CAP_KILL once the process has another user.

use std::ffi::CStr;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::child::{KEPT_MAX, Launch};
use crate::process::{has_ended, pidfd_open};

/// Descriptors that a role can be given.
pub const DESCRIPTORS_MAX: usize = KEPT_MAX;

/// A process that we started and have to reap.
#[derive(Debug)]
#[must_use = "a process that nobody reaps stays a zombie"]
pub struct RoleProcess {
    pid: Pid,
    pidfd: Option<OwnedFd>,
    end: Option<End>,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With this status.
    Status(i32),
    /// By this signal.
    Signal(i32),
    /// Somebody else has reaped it.
    Unknown,
}

/// Starts `program`, an absolute path, with `argument`; the i-th of `keep` becomes its descriptor 3 + i.
///
/// The thread that calls must live as long as the process shall: the kernel's promise is tied to it. An error
/// means that nothing runs.
pub fn start(program: &CStr, argument: &CStr, keep: &[BorrowedFd<'_>]) -> io::Result<RoleProcess> {
    if program.to_bytes().first() != Some(&b'/') {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let launch = Launch {
        argv: &[program.as_ptr(), argument.as_ptr(), std::ptr::null()],
        environment: &[std::ptr::null()],
        output: None,
        keep,
        held: false,
        leads_group: false,
        dies_with_us: true,
    };
    let pid = launch.fork()?.started()?;
    Ok(RoleProcess { pid, pidfd: pidfd_open(pid), end: None })
}

impl RoleProcess {
    /// Its process id, for messages.
    pub fn id(&self) -> u32 {
        u32::try_from(self.pid.as_raw()).unwrap_or(0)
    }

    /// Becomes readable when the process ends; `None` before Linux 5.3, where only asking helps.
    pub fn watch(&self) -> Option<BorrowedFd<'_>> {
        self.pidfd.as_ref().map(AsFd::as_fd)
    }

    /// Whether it has ended. It stays a zombie until it is reaped.
    pub fn has_ended(&self) -> bool {
        self.end.is_some() || has_ended(self.pid)
    }

    /// How it ended; `None` while it runs. Never waits.
    pub fn reap(&mut self) -> Option<End> {
        if self.end.is_none() {
            self.end = self.wait_with(Some(WaitPidFlag::WNOHANG));
        }
        self.end
    }

    /// Waits until it has ended, and says how. To be called when it can't but end: it was killed, or has
    /// gone.
    pub fn wait(&mut self) -> End {
        loop {
            if let Some(end) = self.end {
                return end;
            }
            self.end = self.wait_with(None);
        }
    }

    fn wait_with(&self, flags: Option<WaitPidFlag>) -> Option<End> {
        match waitpid(self.pid, flags) {
            Ok(WaitStatus::Exited(_, status)) => Some(End::Status(status)),
            Ok(WaitStatus::Signaled(_, signal, _)) => Some(End::Signal(signal as i32)),
            Ok(_) | Err(Errno::EINTR) => None,
            Err(_) => Some(End::Unknown),
        }
    }

    /// Kills it. It has to be reaped all the same. Without effect once it has been: its id may be another's.
    pub fn kill(&mut self) -> io::Result<()> {
        match self.end {
            Some(_) => Ok(()),
            None => Ok(kill(self.pid, Signal::SIGKILL)?),
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "status {status}"),
            Self::Signal(signal) => match Signal::try_from(*signal) {
                Ok(name) => write!(f, "signal {name}"),
                Err(_) => write!(f, "signal {signal}"),
            },
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

#[cfg(test)]
#[path = "role_tests.rs"]
mod tests;

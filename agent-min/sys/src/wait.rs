//! Waits for a program, or for a moment, while the caller's other work goes on.
//!
//! The output is read as it comes: the first [`OUTPUT_KEPT`] bytes are kept, the rest is read and dropped, so
//! a talkative program never fills the pipe. At the deadline the whole process group gets SIGTERM and, a
//! grace later, SIGKILL. What counts is the program itself: a daemon that it started and that keeps the
//! pipe open is not waited for.

use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::Pid;

use crate::spawn::Child;

/// Bytes of a program's output that are kept.
pub const OUTPUT_KEPT: usize = 4096;
/// How long a program has between SIGTERM and SIGKILL.
pub const TERM_GRACE: Duration = Duration::from_secs(3);

/// How long a killed process may take to go: one that the kernel holds (state D) can't be waited for.
const KILL_GRACE: Duration = Duration::from_secs(2);
/// How often a child is looked at where the kernel has no pidfd (before Linux 5.3).
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Other work that must go on meanwhile.
pub trait Side {
    /// Becomes readable when there is some; `None` if there never is.
    fn fd(&self) -> Option<BorrowedFd<'_>>;
    /// Does it. Must not block, and must not leave the descriptor readable for ever.
    fn ready(&mut self);
}

/// No other work.
#[derive(Debug)]
pub struct Alone;

impl Side for Alone {
    fn fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    fn ready(&mut self) {}
}

/// How a program ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit status, negative for a signal; `None` if it could not be learned.
    pub exit: Option<i32>,
    /// Whether it was killed because its time was over.
    pub timed_out: bool,
    /// The beginning of what it wrote.
    pub output: Vec<u8>,
}

impl Child {
    /// Waits until the program has ended, at most until `deadline` and the two graces.
    pub fn wait(mut self, deadline: Instant, side: &mut dyn Side) -> Ended {
        let pidfd = pidfd_open(self.pid);
        let mut output = Vec::with_capacity(OUTPUT_KEPT);
        let mut reading = true;
        let mut stage = Stage::Running;
        let mut until = deadline;
        while !has_ended(self.pid) {
            if Instant::now() >= until {
                (stage, until) = match stage {
                    Stage::Running => (Stage::Terminated, self.signal_group(Signal::SIGTERM, TERM_GRACE)),
                    Stage::Terminated => (Stage::Killed, self.signal_group(Signal::SIGKILL, KILL_GRACE)),
                    Stage::Killed => break,
                };
            }
            self.wait_for_anything(pidfd.as_ref(), reading, until, side);
            reading = reading && self.read_some(&mut output);
        }
        while reading && self.read_some(&mut output) && output.len() < OUTPUT_KEPT {
            if !self.has_output() {
                break;
            }
        }
        if stage != Stage::Running {
            // Members of the group that outlived SIGTERM; the leader is not reaped yet, so the group's id
            // can't be anybody else's.
            let _gone_already = killpg(self.pid, Signal::SIGKILL);
        }
        Ended { exit: reap(self.pid), timed_out: stage != Stage::Running, output }
    }

    fn signal_group(&self, signal: Signal, grace: Duration) -> Instant {
        let _gone_already = killpg(self.pid, signal);
        Instant::now() + grace
    }

    fn wait_for_anything(&self, pidfd: Option<&OwnedFd>, reading: bool, until: Instant, side: &mut dyn Side) {
        let until = if pidfd.is_some() { until } else { until.min(Instant::now() + LOOK_EVERY) };
        let output = reading.then(|| self.output.as_fd());
        wait_readable([output, pidfd.map(AsFd::as_fd)], until, side);
    }

    /// Reads once. False at the end of the output, or where reading fails.
    fn read_some(&mut self, kept: &mut Vec<u8>) -> bool {
        let mut piece = [0_u8; 1024];
        match self.output.read(&mut piece) {
            Ok(0) => false,
            Ok(length) => {
                let room = OUTPUT_KEPT.saturating_sub(kept.len());
                kept.extend(piece.iter().take(length.min(room)));
                true
            }
            Err(e) => matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted),
        }
    }

    fn has_output(&self) -> bool {
        let mut fds = [PollFd::new(self.output.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
    }
}

/// Lets time pass until `until`, with the other work going on.
pub fn pause(until: Instant, side: &mut dyn Side) {
    while Instant::now() < until {
        wait_readable([None, None], until, side);
    }
}

/// Waits until there is other work, without an end.
pub fn wait_for_work(side: &dyn Side) {
    let Some(fd) = side.fd() else { return };
    let _interrupted = poll(&mut [PollFd::new(fd, PollFlags::POLLIN)], PollTimeout::NONE);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Running,
    Terminated,
    Killed,
}

/// Waits for the side's descriptor or one of the others, at most until `until`, and lets the side work.
fn wait_readable(others: [Option<BorrowedFd<'_>>; 2], until: Instant, side: &mut dyn Side) {
    let left = until.saturating_duration_since(Instant::now());
    // Rounded up, so that the last fraction of a millisecond is not spent in a busy loop.
    let milliseconds = left.as_millis().saturating_add(1).min(60_000);
    let timeout = PollTimeout::try_from(milliseconds).unwrap_or(PollTimeout::ZERO);
    let work = {
        let side = side.fd();
        let mut fds: Vec<PollFd<'_>> = side
            .into_iter()
            .chain(others.into_iter().flatten())
            .map(|fd| PollFd::new(fd, PollFlags::POLLIN))
            .collect();
        let _interrupted = poll(&mut fds, timeout);
        side.is_some() && fds.first().and_then(PollFd::any).unwrap_or(false)
    };
    if work {
        side.ready();
    }
}

/// A descriptor that becomes readable when the process ends; `None` before Linux 5.3.
fn pidfd_open(pid: Pid) -> Option<OwnedFd> {
    // SAFETY: a plain system call that returns a new descriptor or an error.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0 as libc::c_uint) };
    let fd = libc::c_int::try_from(fd).ok().filter(|fd| *fd >= 0)?;
    // SAFETY: the kernel has just given this descriptor to us, and nobody else knows it.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    (fd.as_raw_fd() >= 0).then_some(fd)
}

/// Whether the child has ended, without reaping it: its id and its group's stay its own until we have killed
/// what we mean to.
fn has_ended(pid: Pid) -> bool {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    match waitid(Id::Pid(pid), flags) {
        Ok(WaitStatus::StillAlive) | Err(Errno::EINTR) => false,
        Ok(_) | Err(_) => true,
    }
}

fn reap(pid: Pid) -> Option<i32> {
    match waitpid(pid, Some(WaitPidFlag::WNOHANG)) {
        Ok(WaitStatus::Exited(_, status)) => Some(status),
        Ok(WaitStatus::Signaled(_, signal, _)) => Some((signal as i32).saturating_neg()),
        Ok(_) | Err(_) => None,
    }
}

#[cfg(test)]
#[path = "wait_tests.rs"]
mod tests;

//! Waits for a program, or for a moment, while the caller's other work goes on.
//!
//! The output is read as it comes: the first bytes are kept in the caller's buffer, the rest is read and
//! dropped, so a talkative program never fills the pipe. At the deadline the whole process group gets SIGTERM
//! and, a grace later, SIGKILL. What counts is the program itself: a daemon that it started and that keeps
//! the pipe open is not waited for.

use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::libc;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::process::{has_ended, pidfd_open};
use crate::spawn::Child;

/// Bytes of a program's output that are worth keeping: the size of a buffer for [`Child::wait`].
pub const OUTPUT_KEPT: usize = 4096;
/// How long a program has between SIGTERM and SIGKILL.
pub const TERM_GRACE: Duration = Duration::from_secs(3);

/// How long a killed process may take to go: one that the kernel holds (state D) can't be waited for.
const KILL_GRACE: Duration = Duration::from_secs(2);
/// How often a child is looked at where the kernel has no pidfd (before Linux 5.3).
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Descriptors that other work can come from.
pub const SIDE_FDS: usize = 3;

/// Other work that must go on meanwhile.
pub trait Side {
    /// Each becomes readable when there is some; `None` if there never is.
    fn fds(&self) -> [Option<BorrowedFd<'_>>; SIDE_FDS];
    /// When there is some without that; `None` if there never is.
    fn due(&self) -> Option<Instant> {
        None
    }
    /// Does it. Must not block, and must not leave a descriptor readable for ever.
    fn ready(&mut self);
}

/// No other work.
#[derive(Debug)]
pub struct Alone;

impl Side for Alone {
    fn fds(&self) -> [Option<BorrowedFd<'_>>; SIDE_FDS] {
        [None; SIDE_FDS]
    }

    fn ready(&mut self) {}
}

/// How a program ended.
#[derive(Debug)]
pub struct Ended<'o> {
    /// Its exit status, negative for a signal; `None` if it could not be learned.
    pub exit: Option<i32>,
    /// Whether it was killed because its time was over.
    pub timed_out: bool,
    /// The beginning of what it wrote.
    pub output: &'o [u8],
}

impl Child {
    /// Waits until the program has ended, at most until `deadline` and the two graces. As much of its output
    /// is kept as `kept` has room for.
    pub fn wait<'o>(mut self, deadline: Instant, side: &mut dyn Side, kept: &'o mut [u8]) -> Ended<'o> {
        let pidfd = pidfd_open(self.pid);
        let mut output = Output { kept, length: 0 };
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
        while reading && self.read_some(&mut output) && !output.is_full() {
            if !self.has_output() {
                break;
            }
        }
        if stage != Stage::Running {
            // Members of the group that outlived SIGTERM; the leader is not reaped yet, so the group's id
            // can't be anybody else's.
            let _gone_already = killpg(self.pid, Signal::SIGKILL);
        }
        let Output { kept, length } = output;
        let output = kept.get(..length).unwrap_or_default();
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
    fn read_some(&mut self, output: &mut Output<'_>) -> bool {
        let mut piece = [0_u8; 1024];
        match self.output.read(&mut piece) {
            Ok(0) => false,
            Ok(length) => {
                output.keep(piece.get(..length).unwrap_or_default());
                true
            }
            Err(e) => matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted),
        }
    }

    fn has_output(&self) -> bool {
        readable([Some(self.output.as_fd())], Some(Instant::now())) == [true]
    }
}

/// Lets time pass until `until`, with the other work going on.
pub fn pause(until: Instant, side: &mut dyn Side) {
    while Instant::now() < until {
        wait_readable([None, None], until, side);
    }
}

/// Waits until there is other work.
pub fn wait_for_work(side: &dyn Side) {
    let (fds, due) = (side.fds(), side.due());
    if due.is_some() || fds.iter().any(Option::is_some) {
        let _which = readable(fds, due);
    }
}

/// Waits until at least one of the descriptors can be read, or has ended or failed, which reading will say;
/// at most until `until`. Which of them. None after a signal, too.
pub fn readable<const N: usize>(fds: [Option<BorrowedFd<'_>>; N], until: Option<Instant>) -> [bool; N] {
    let timeout = until.map_or(-1, |until| {
        let left = until.saturating_duration_since(Instant::now());
        // Rounded up, so that the last fraction of a millisecond is not spent in a busy loop.
        let milliseconds = left.as_nanos().div_ceil(1_000_000).min(60_000);
        libc::c_int::try_from(milliseconds).unwrap_or(60_000)
    });
    // The kernel skips negative descriptors (poll(2)).
    let mut polled = fds.map(|fd| libc::pollfd {
        fd: fd.map_or(-1, |fd| fd.as_raw_fd()),
        events: libc::POLLIN,
        revents: 0,
    });
    // SAFETY: the list is ours, of the length that is said, for the whole call.
    let ready = unsafe { libc::poll(polled.as_mut_ptr(), N as libc::nfds_t, timeout) };
    polled.map(|fd| ready > 0 && fd.revents != 0)
}

/// The beginning of an output, as far as there is room.
struct Output<'o> {
    kept: &'o mut [u8],
    length: usize,
}

impl Output<'_> {
    fn keep(&mut self, piece: &[u8]) {
        let room = self.kept.get_mut(self.length..).unwrap_or_default();
        for (to, from) in room.iter_mut().zip(piece) {
            *to = *from;
        }
        self.length = self.length.saturating_add(piece.len()).min(self.kept.len());
    }

    fn is_full(&self) -> bool {
        self.length == self.kept.len()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Running,
    Terminated,
    Killed,
}

/// Waits for the side's descriptor or one of the others, at most until `until`, and lets the side work.
fn wait_readable(others: [Option<BorrowedFd<'_>>; 2], until: Instant, side: &mut dyn Side) {
    let [first, second] = others;
    let [one, two, three] = side.fds();
    let due = side.due();
    let until = due.map_or(until, |due| until.min(due));
    let [one, two, three, ..] = readable([one, two, three, first, second], Some(until));
    if one || two || three || due.is_some_and(|due| Instant::now() >= due) {
        side.ready();
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

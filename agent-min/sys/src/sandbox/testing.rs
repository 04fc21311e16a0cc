//! Children of a test: a copy of the process that does something irrevocable to itself, says how it went, and
//! waits to be looked at.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};

use nix::libc;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, geteuid};

use crate::descriptors::close_all_but;
use crate::role::End;

/// A child that has reported, and waits.
pub(crate) struct Child {
    pub(crate) pid: Pid,
    pub(crate) report: String,
    go: Option<io::PipeWriter>,
}

/// Does `work` in a child, which needs the two descriptors that it is given to report and to wait.
pub(crate) fn in_child(work: impl FnOnce([BorrowedFd<'_>; 2]) -> String) -> Child {
    in_child_keeping(&[], work)
}

/// The same, in a child that has `keep` too.
pub(crate) fn in_child_keeping(
    keep: &[BorrowedFd<'_>],
    work: impl FnOnce([BorrowedFd<'_>; 2]) -> String,
) -> Child {
    let (mut report, mut said) = io::pipe().expect("a pipe");
    let (mut wait, go) = io::pipe().expect("a pipe");
    // SAFETY: the child, a copy of this thread alone, ends with `_exit`; the C library's allocator can be
    // used after `fork`, and no lock that another thread may hold is taken.
    let pid = match unsafe { fork() }.expect("a child") {
        ForkResult::Child => {
            end_some_day();
            // Ends of other tests' pipes.
            close_all_but(&[&[said.as_fd(), wait.as_fd()], keep].concat());
            let text = catch_unwind(AssertUnwindSafe(|| work([said.as_fd(), wait.as_fd()])));
            let text = text.unwrap_or_else(|panic| match panic.downcast_ref::<String>() {
                Some(message) => format!("panicked: {message}"),
                None => "panicked".into(),
            });
            let _sent = said.write_all(text.as_bytes());
            drop(said);
            let _end = wait.read(&mut [0]);
            // SAFETY: ends the process, without running what belongs to the parent.
            unsafe { libc::_exit(0) }
        }
        ForkResult::Parent { child } => child,
    };
    drop((said, wait));
    let mut text = String::new();
    report.read_to_string(&mut text).expect("a report");
    Child { pid, report: text, go: Some(go) }
}

/// Has this process end by SIGALRM after a minute or two, should a test fail to end it.
pub(crate) fn end_some_day() {
    // SAFETY: takes no pointer.
    unsafe { libc::alarm(100) };
}

impl Child {
    /// A line of its `/proc/PID/status`.
    pub(crate) fn status(&self, name: &str) -> String {
        status_in(&self.proc("status"), name)
    }

    /// A file of its `/proc`.
    pub(crate) fn proc(&self, name: &str) -> String {
        let mut text = String::new();
        File::open(format!("/proc/{}/{name}", self.pid))
            .expect("its file")
            .read_to_string(&mut text)
            .expect("text");
        text
    }

    /// Lets it end; what it said, and how it ended.
    pub(crate) fn ended(mut self) -> (String, End) {
        (std::mem::take(&mut self.report), self.end())
    }

    /// Lets it end; how it did.
    pub(crate) fn end(mut self) -> End {
        drop(self.go.take());
        match waitpid(self.pid, None) {
            Ok(WaitStatus::Exited(_, status)) => End::Status(status),
            Ok(WaitStatus::Signaled(_, signal, _)) => End::Signal(signal as i32),
            _ => End::Unknown,
        }
    }
}

/// The end of a child that made a denied call, before it could report anything.
pub(crate) fn killed() -> (String, End) {
    (String::new(), End::Signal(libc::SIGSYS))
}

/// The words after `name:`.
pub(crate) fn status_in(status: &str, name: &str) -> String {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.expect("a line").split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether we are root. If not, says which test can't show anything.
pub(crate) fn is_root(test: &str) -> bool {
    let root = geteuid().is_root();
    if !root {
        eprintln!("{test}: skipped, needs root");
    }
    root
}

/// The error number of a call, or 0.
pub(crate) fn errno<T>(result: io::Result<T>) -> i32 {
    result.err().and_then(|error| error.raw_os_error()).unwrap_or(0)
}

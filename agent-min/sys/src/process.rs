//! What `/proc` says of one process: whether it runs, and since when.
//!
//! A process id alone names nothing for long, because the kernel reuses it. Together with the start time
//! (clock ticks since boot, proc_pid_stat(5) field 22) it names one process for as long as the host is up.

use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::{self, Read, Write as _};
use std::os::fd::{FromRawFd, OwnedFd};
use std::path::Path;
use std::sync::OnceLock;

use crate::account::Account;
use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::{SigHandler, Signal, killpg, signal};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

/// One process, for as long as the host is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessMark {
    /// Its id.
    pub pid: u32,
    /// When it started, in clock ticks since boot.
    pub start: u64,
}

impl ProcessMark {
    /// The process that has this id now; `None` if there is none, or only its zombie.
    pub fn of(pid: u32) -> Option<Self> {
        let mut stat = [0_u8; 512];
        let mut file = File::open(ProcPath::new(format_args!("/proc/{pid}/stat"))?).ok()?;
        let read = file.read(&mut stat).ok()?;
        let (state, start) = parse_stat(stat.get(..read)?)?;
        (!matches!(state, b'Z' | b'X')).then_some(Self { pid, start })
    }

    /// Whether this very process still runs.
    pub fn runs(&self) -> bool {
        Self::of(self.pid) == Some(*self)
    }

    /// Kills the process group that this process leads, if it still runs.
    pub fn kill_group(&self) {
        if let (true, Ok(pid)) = (self.runs(), i32::try_from(self.pid)) {
            let _gone_already = killpg(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

/// Whether we have root's user id.
pub fn runs_as_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Whether a process can't be started for want of something that may be there again in a moment: processes,
/// descriptors, memory.
pub fn is_shortage(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::ENFILE | libc::EMFILE | libc::ENOMEM))
}

/// Our user and group.
pub fn our_account() -> Account {
    Account { uid: nix::unistd::geteuid().as_raw(), gid: nix::unistd::getegid().as_raw() }
}

/// Gives SIGCHLD its default meaning back. A parent that ignored it would have the kernel reap our children
/// before we learn how they ended (sigaction(2)).
pub fn keep_children_waitable() {
    // SAFETY: installing the default disposition runs no code of ours in a signal handler.
    let _previous = unsafe { signal(Signal::SIGCHLD, SigHandler::SigDfl) };
}

/// How soon the kernel kills a process when memory runs out, as it was before we changed ours.
#[derive(Debug)]
pub(crate) struct OomScore(ProcPath);

static OOM_SCORE_BEFORE: OnceLock<OomScore> = OnceLock::new();

impl OomScore {
    pub(crate) fn text(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// Makes the kernel kill this process later (below 0) or sooner (above) when memory runs out
/// (proc_pid_oom_score_adj(5)). Below where it was needs CAP_SYS_RESOURCE.
///
/// Programs that this process starts from then on get the score that was there before, and never one below 0,
/// which the service manager gave to us alone: a check that eats all memory is the one to go.
pub fn set_oom_score_adj(score: i16) -> io::Result<()> {
    const FILE: &str = "/proc/self/oom_score_adj";
    let before = std::fs::read_to_string(FILE)?.trim().parse().unwrap_or(0_i16).max(0);
    File::options().write(true).open(FILE)?.write_all(score.to_string().as_bytes())?;
    if let Some(text) = ProcPath::new(format_args!("{before}")) {
        let _the_first_stands = OOM_SCORE_BEFORE.set(OomScore(text));
    }
    Ok(())
}

/// What a child must set before it becomes its program; `None` while our own is untouched.
pub(crate) fn oom_score_before_ours() -> Option<&'static OomScore> {
    OOM_SCORE_BEFORE.get()
}

/// A descriptor that becomes readable when the process ends; `None` before Linux 5.3.
pub(crate) fn pidfd_open(pid: Pid) -> Option<OwnedFd> {
    // SAFETY: a plain system call that returns a new descriptor or an error.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0 as libc::c_uint) };
    let fd = libc::c_int::try_from(fd).ok().filter(|fd| *fd >= 0)?;
    // SAFETY: the kernel has just given this descriptor to us, and nobody else knows it.
    Some(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Whether the child has ended, without reaping it: its id and its group's stay its own until we have killed
/// what we mean to.
pub(crate) fn has_ended(pid: Pid) -> bool {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    match waitid(Id::Pid(pid), flags) {
        Ok(WaitStatus::StillAlive) | Err(Errno::EINTR) => false,
        Ok(_) | Err(_) => true,
    }
}

/// A short path with numbers in it, without the heap.
#[derive(Debug)]
pub(crate) struct ProcPath {
    bytes: [u8; 40],
    length: usize,
}

impl ProcPath {
    /// `None` if it is longer than every path in `/proc` that we read.
    pub(crate) fn new(text: fmt::Arguments<'_>) -> Option<Self> {
        let mut path = Self { bytes: [0; 40], length: 0 };
        path.write_fmt(text).ok()?;
        Some(path)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

impl fmt::Write for ProcPath {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let end = self.length + part.len();
        self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?.copy_from_slice(part.as_bytes());
        self.length = end;
        Ok(())
    }
}

impl AsRef<Path> for ProcPath {
    fn as_ref(&self) -> &Path {
        Path::new(std::str::from_utf8(self.as_bytes()).unwrap_or_default())
    }
}

/// State and start time. The program's name may hold spaces and parentheses, so fields are counted from the
/// last closing one.
fn parse_stat(stat: &[u8]) -> Option<(u8, u64)> {
    let name_end = stat.iter().rposition(|c| *c == b')')?;
    let rest = std::str::from_utf8(stat.get(name_end.checked_add(1)?..)?).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    let state = *fields.next()?.as_bytes().first()?;
    let start = fields.nth(18)?.parse().ok()?;
    Some((state, start))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::sandbox::testing::in_child;
    use crate::spawn::{Command, Orphan};
    use crate::wait::Alone;

    #[test]
    fn a_name_with_spaces_and_parentheses_does_not_shift_the_fields() {
        let stat = b"7 (a) S 1 (b) R 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 98765 100 1 2\n";
        assert_eq!(parse_stat(stat), Some((b'R', 98765)));
        assert_eq!(parse_stat(b"7 (a) R 1"), None);
        assert_eq!(parse_stat(b""), None);
    }

    #[test]
    fn what_we_start_gets_the_oom_score_that_was_there_before_ours() {
        let child = in_child(|_| {
            let before = std::fs::read_to_string("/proc/self/oom_score_adj").expect("a score");
            set_oom_score_adj(500).expect("higher than it was");
            let cat = Command::new(Path::new("/bin/cat"), ["/proc/self/oom_score_adj"]).expect("a command");
            let mut output = [0; 16];
            let until = Instant::now() + Duration::from_secs(20);
            let ended = cat.spawn(Orphan::Ends).expect("a child").wait(until, &mut Alone, &mut output);
            (ended.output == before.as_bytes()).to_string()
        });
        assert_eq!(child.report, "true");
        assert_eq!(child.proc("oom_score_adj"), "500\n");
    }

    #[test]
    fn this_process_runs_and_another_start_time_is_another_process() {
        let mark = ProcessMark::of(std::process::id()).expect("our own entry in /proc");
        assert!(mark.runs());
        assert!(!ProcessMark { start: mark.start + 1, ..mark }.runs());
    }
}

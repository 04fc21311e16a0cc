//! What `/proc` says of one process: whether it runs, and since when.
//!
//! A process id alone names nothing for long, because the kernel reuses it. Together with the start time
//! (clock ticks since boot, proc_pid_stat(5) field 22) it names one process for as long as the host is up.

use std::fs::File;
use std::io::Read;

use nix::sys::signal::{SigHandler, Signal, killpg, signal};
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
        let mut file = File::open(format!("/proc/{pid}/stat")).ok()?;
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

/// Gives SIGCHLD its default meaning back. A parent that ignored it would have the kernel reap our children
/// before we learn how they ended (sigaction(2)).
pub fn keep_children_waitable() {
    // SAFETY: installing the default disposition runs no code of ours in a signal handler.
    let _previous = unsafe { signal(Signal::SIGCHLD, SigHandler::SigDfl) };
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
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_does_not_shift_the_fields() {
        let stat = b"7 (a) S 1 (b) R 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 98765 100 1 2\n";
        assert_eq!(parse_stat(stat), Some((b'R', 98765)));
        assert_eq!(parse_stat(b"7 (a) R 1"), None);
        assert_eq!(parse_stat(b""), None);
    }

    #[test]
    fn this_process_runs_and_another_start_time_is_another_process() {
        let mark = ProcessMark::of(std::process::id()).expect("our own entry in /proc");
        assert!(mark.runs());
        assert!(!ProcessMark { start: mark.start + 1, ..mark }.runs());
    }
}

//! Processes: `/proc/PID/{stat,status,cmdline}`, those that hang, and how many more there can be.

use std::time::Duration;

use secmon_wire::diag::{Check, FactName, Facts, Finding, FindingId, Severity, WhyNotChecked};

use super::fields::{after, decimal, lines, named, number_at, percent, text, words};
use super::{FILE_MAX, KB, read};
use crate::Notes;
use crate::host::Host;

/// Processes that are looked at. More are not on a small host, unless they are the problem.
const PROCESSES_MAX: usize = 4096;
/// Bytes of `/proc/PID/stat` and `/proc/PID/status`.
const STAT_MAX: usize = 4096;
/// PHP workers that are looked at more closely.
const WORKERS_MAX: usize = 512;
/// `PF_KTHREAD`: a thread of the kernel. Some drivers' wait uninterruptibly for ever.
const KERNEL_THREAD: u64 = 0x0020_0000;
/// A process hangs if it is in the same wait in three looks with this between.
const BETWEEN: Duration = Duration::from_millis(500);
/// So many hanging processes are a warning; fewer are worth knowing.
const STUCK_WARNING: usize = 3;
/// The system's file handles in use, in per cent.
const FILES_WARNING: u64 = 70;
const FILES_CRITICAL: u64 = 90;
/// The system's threads in use, in per cent: the rest goes in one burst.
const THREADS_CRITICAL: u64 = 95;

/// One process, from `/proc/PID/stat`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Its name, as the kernel has it: at most 15 bytes.
    pub comm: String,
    /// `S`, `R`, `D`, …
    pub state: u8,
    /// Who started it.
    pub parent: u32,
    /// `PF_*`.
    pub flags: u64,
    /// Processor time that it used, in ticks.
    pub ticks: u64,
    /// When it started, in ticks since boot.
    pub start: u64,
    /// The processor that it ran on last.
    pub processor: u64,
}

/// What `/proc/PID/status` says beyond that.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// The effective user.
    pub uid: u32,
    /// The effective group.
    pub gid: u32,
    /// The other groups.
    pub groups: Vec<u32>,
    /// Memory that is its alone, in bytes; `None` before Linux 4.5.
    pub anonymous: Option<u64>,
    /// How often it has waited for something.
    pub switches: Option<u64>,
}

/// One worker of PHP-FPM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worker {
    /// Its process.
    pub pid: u32,
    /// Its pool.
    pub pool: String,
    /// Whose it is.
    pub uid: u32,
    /// Memory that is its alone, in bytes.
    pub anonymous: u64,
}

/// Reads `/proc/PID/stat`. The name may contain anything, parentheses and line ends included.
pub fn stat(bytes: &[u8]) -> Option<Process> {
    let open = bytes.iter().position(|byte| *byte == b'(')?;
    let close = bytes.iter().rposition(|byte| *byte == b')')?;
    let rest = bytes.get(close.checked_add(1)?..)?;
    let at = |place| number_at(rest, place);
    Some(Process {
        pid: decimal(bytes.get(..open)?.trim_ascii())?.try_into().ok()?,
        comm: text(bytes.get(open.checked_add(1)?..close)?),
        state: *words(rest).next()?.first()?,
        parent: at(1)?.try_into().ok()?,
        flags: at(6)?,
        ticks: at(11)?.saturating_add(at(12)?),
        start: at(19)?,
        processor: at(36).unwrap_or(0),
    })
}

/// Reads `/proc/PID/status`.
pub fn status(bytes: &[u8]) -> Option<Status> {
    let second = |name| Some(u32::try_from(number_at(after(bytes, name)?, 1)?).unwrap_or(u32::MAX));
    let groups = after(bytes, "Groups:")
        .map(|line| words(line).take(64).filter_map(|word| u32::try_from(decimal(word)?).ok()).collect());
    Some(Status {
        uid: second("Uid:")?,
        gid: second("Gid:")?,
        groups: groups.unwrap_or_default(),
        anonymous: named(bytes, "RssAnon").map(|kb| kb.saturating_mul(KB)),
        switches: named(bytes, "voluntary_ctxt_switches"),
    })
}

/// The pool in the title of a PHP-FPM worker, `php-fpm: pool www`.
pub fn pool_of(title: &[u8]) -> Option<String> {
    let name = title.strip_prefix(b"php-fpm: pool ")?;
    // The rest of the title's room is filled with zeros, or spaces.
    let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
    Some(text(name.get(..end)?.trim_ascii()))
}

/// All processes that can be seen.
pub(super) fn list(host: &dyn Host) -> Vec<Process> {
    let names = host.list("/proc", PROCESSES_MAX).unwrap_or_default();
    let numbered = names.iter().filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
    numbered.filter_map(|pid| stat(&host.read(&format!("/proc/{pid}/stat"), STAT_MAX).ok()?)).collect()
}

/// Whether other users' processes can be seen (`hidepid` of proc(5)).
pub(super) fn visible(host: &dyn Host) -> bool {
    host.read("/proc/1/stat", STAT_MAX).is_ok()
}

/// One process's status.
pub(super) fn status_of(host: &dyn Host, pid: u32) -> Option<Status> {
    status(&host.read(&format!("/proc/{pid}/status"), STAT_MAX).ok()?)
}

/// The workers of all pools among the processes.
pub(super) fn workers(host: &dyn Host, processes: &[Process]) -> Vec<Worker> {
    let named = processes.iter().filter(|process| process.comm.starts_with("php"));
    let found = named.filter_map(|process| {
        let title = host.read(&format!("/proc/{}/cmdline", process.pid), STAT_MAX).ok()?;
        let pool = pool_of(&title)?;
        let status = status_of(host, process.pid)?;
        Some(Worker { pid: process.pid, pool, uid: status.uid, anonymous: status.anonymous.unwrap_or(0) })
    });
    found.take(WORKERS_MAX).collect()
}

/// Looks for processes that hang: `sys-dstate`. Waits a second only where there may be one.
pub(super) fn check_stuck(host: &dyn Host, notes: &mut Notes) {
    if !visible(host) {
        return notes.skipped(Check::Processes, WhyNotChecked::Permission, "/proc");
    }
    notes.checked(Check::Processes);
    let mut stuck = waiting(host, &list(host));
    for _ in 0..2 {
        if stuck.is_empty() {
            return;
        }
        host.pause(BETWEEN);
        stuck.retain(|(process, switches)| {
            let again = host.read(&format!("/proc/{}/stat", process.pid), STAT_MAX).ok();
            let again = again.and_then(|bytes| stat(&bytes));
            let same = again.is_some_and(|again| again.state == b'D' && again.start == process.start);
            same && status_of(host, process.pid).and_then(|status| status.switches) == Some(*switches)
        });
    }
    if let Some((first, _)) = stuck.first() {
        let severity = if stuck.len() >= STUCK_WARNING { Severity::Warning } else { Severity::Info };
        let facts = Facts::new().text(FactName::Name, &first.comm);
        let facts = facts.number(FactName::Count, u64::try_from(stuck.len()).unwrap_or(0));
        notes.found(Finding::new(FindingId::SysDstate, severity).with(facts));
    }
}

/// Those in an uninterruptible wait, and which wait of theirs it is: a busy disk's users are in a new one each time.
fn waiting(host: &dyn Host, processes: &[Process]) -> Vec<(Process, u64)> {
    let waiting = processes.iter().filter(|p| p.state == b'D' && p.flags & KERNEL_THREAD == 0);
    waiting.filter_map(|p| Some((p.clone(), status_of(host, p.pid)?.switches?))).collect()
}

/// Looks at the system's limits: `sys-fd-max`, and `sys-pids` of the whole system.
pub(super) fn check_limits(host: &dyn Host, notes: &mut Notes) {
    if let Some(files) = read(host, "/proc/sys/fs/file-nr", FILE_MAX, Check::Kernel, notes)
        && let (Some(used), Some(most)) = (number_at(&files, 0), number_at(&files, 2))
    {
        notes.checked(Check::Kernel);
        let used = percent(used, most);
        if used >= FILES_WARNING {
            let severity = if used >= FILES_CRITICAL { Severity::Critical } else { Severity::Warning };
            let facts = Facts::new().number(FactName::Percent, used);
            notes.found(Finding::new(FindingId::SysFdMax, severity).with(facts));
        }
    }
    let limit = |path| decimal(host.read(path, FILE_MAX).ok()?.trim_ascii());
    let most = limit("/proc/sys/kernel/threads-max").min(limit("/proc/sys/kernel/pid_max"));
    let threads = host.read("/proc/loadavg", FILE_MAX).ok().and_then(|bytes| threads(&bytes));
    if let (Some(threads), Some(most)) = (threads, most)
        && percent(threads, most) >= THREADS_CRITICAL
    {
        let facts = Facts::new()
            .text(FactName::Unit, "the whole system")
            .number(FactName::Count, threads)
            .number(FactName::Limit, most);
        notes.found(Finding::new(FindingId::SysPids, Severity::Critical).with(facts));
    }
}

/// How many threads there are, by `/proc/loadavg` (`0.20 0.18 0.12 1/80 11206`).
pub fn threads(bytes: &[u8]) -> Option<u64> {
    let tasks = words(lines(bytes).next()?).nth(3)?;
    let stroke = tasks.iter().position(|byte| *byte == b'/')?;
    decimal(tasks.get(stroke.checked_add(1)?..)?)
}

#[cfg(test)]
#[path = "processes_tests.rs"]
mod tests;

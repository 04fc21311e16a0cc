//! Debian's packages: whether an upgrade was interrupted (`sys-dpkg-broken`).

use secmon_wire::diag::{Check, Facts, Finding, FindingId, Severity};

use super::{processes, why};
use crate::Notes;
use crate::host::{Denied, Host};

/// Where dpkg keeps what it has begun and not finished.
const UPDATES: &str = "/var/lib/dpkg/updates";
/// Entries of it that are looked at: one is enough.
const UPDATES_MAX: usize = 4;
/// An upgrade that runs for longer than this hangs, in ticks of 1/100 s.
const LONG: u64 = 3_600 * 100;

/// Looks for an upgrade that was begun, is not finished, and isn't running.
pub(super) fn check(host: &dyn Host, notes: &mut Notes) {
    match host.list(UPDATES, UPDATES_MAX) {
        // An empty list is how it should be; a system without dpkg is none of ours.
        Err(Denied::Absent) => return,
        Err(denied) => return notes.skipped(Check::Packages, why(denied), UPDATES),
        Ok(names) => {
            notes.checked(Check::Packages);
            if !names.iter().any(|name| name.bytes().all(|byte| byte.is_ascii_digit())) {
                return;
            }
        }
    }
    if !running(host) {
        notes.found(Finding::new(FindingId::SysDpkgBroken, Severity::Warning).with(Facts::new()));
    }
}

/// Whether packages are being installed now: services may be stopped for that.
pub(super) fn running(host: &dyn Host) -> bool {
    let uptime = super::sample::uptime_ticks(host).unwrap_or(0);
    let young = |start: u64| uptime.saturating_sub(start) < LONG;
    processes::list(host).iter().any(|process| process.comm == "dpkg" && young(process.start))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::FakeHost;

    fn found(host: &FakeHost) -> usize {
        let mut notes = Notes::default();
        check(host, &mut notes);
        notes.findings().len()
    }

    fn begun() -> FakeHost {
        FakeHost::default().file("/var/lib/dpkg/updates/0003", "").file("/proc/uptime", "3700.00 1.00\n")
    }

    #[test]
    fn an_upgrade_that_was_begun_and_does_not_run_is_broken() {
        assert_eq!(found(&begun()), 1);
        assert_eq!(found(&FakeHost::default().file("/var/lib/dpkg/updates/tmp.i", "")), 0);
        assert_eq!(found(&FakeHost::default()), 0);
    }

    #[test]
    fn an_upgrade_may_run_for_an_hour() {
        let dpkg = |start: u64| format!("9 (dpkg) R 1 9 9 0 -1 0 0 0 0 0 5 5 0 0 20 0 1 0 {start} 0 0");
        assert_eq!(found(&begun().file("/proc/9/stat", dpkg(10_001))), 0);
        assert_eq!(found(&begun().file("/proc/9/stat", dpkg(10_000))), 1);
    }
}

//! Memory: what is left of it, and whether everything waits for it.
//!
//! What ran out since the last look, and swapping, are counters ([`super::sample`]): the control plane compares them.

use secmon_wire::diag::{Check, FactName, Facts, Finding, FindingId, Severity};
use secmon_wire::{ActionId, Threshold};

use super::fields::named;
use super::pressure::{PER_CENT, Stalled, whole};
use super::processes::Worker;
use super::{FILE_MAX, KB, read};
use crate::Notes;
use crate::host::Host;
use crate::tuning::Thresholds;

/// Beside the share of memory that is left, below which new work is refused or swapped: so many bytes, on machines that have ten times as much: on a small board this is half of it.
const LOW_BYTES: u64 = 100_000_000;
/// Free swap of this share of memory, in per cent, is room enough to be no alarm.
const SWAP_ROOM_PERCENT: u64 = 25;
/// Everything waits for memory for more than 10 % of a minute: visitors notice. 30 %: they leave.
const STALL_WARNING: u32 = 10 * PER_CENT;
const STALL_CRITICAL: u32 = 30 * PER_CENT;
/// One PHP worker with more than this share of memory, in per cent, is what a restart would get rid of.
const GREEDY_PERCENT: u64 = 40;

/// `/proc/meminfo`, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// All.
    pub total: u64,
    /// What can be had without swapping.
    pub available: u64,
    /// Swap, all.
    pub swap: u64,
    /// Swap that is free.
    pub swap_free: u64,
}

/// Reads `/proc/meminfo`. Kernels before 3.14 don't say what is available: `None`.
pub fn meminfo(bytes: &[u8]) -> Option<Memory> {
    let get = |name| named(bytes, name).map(|kb| kb.saturating_mul(KB));
    let memory = Memory {
        total: get("MemTotal")?,
        available: get("MemAvailable")?,
        swap: get("SwapTotal").unwrap_or(0),
        swap_free: get("SwapFree").unwrap_or(0),
    };
    (memory.total > 0).then_some(memory)
}

/// Looks at memory: `mem-low`, `mem-psi`.
pub(super) fn check(host: &dyn Host, thresholds: &Thresholds, workers: &[Worker], notes: &mut Notes) {
    let Some(bytes) = read(host, "/proc/meminfo", FILE_MAX, Check::Memory, notes) else { return };
    let Some(memory) = meminfo(&bytes) else {
        return notes.skipped(Check::Memory, secmon_wire::diag::WhyNotChecked::Unsupported, "/proc/meminfo");
    };
    notes.checked(Check::Memory);
    if let Some(finding) = judge_left(&memory, thresholds) {
        notes.found(finding);
    }
    if let Some(pressure) = super::read_pressure(host, "memory", Check::Memory, notes) {
        let greediest = workers.iter().map(|worker| worker.anonymous).max().unwrap_or(0);
        if let Some(finding) = judge_stall(pressure.full, greediest, &memory) {
            notes.found(finding);
        }
    }
}

fn judge_left(memory: &Memory, thresholds: &Thresholds) -> Option<Finding> {
    let least = thresholds.of(Threshold::MemoryLow);
    let share = memory.available.saturating_mul(100) < memory.total.saturating_mul(least);
    let by_share_alone = thresholds.given(Threshold::MemoryLow).is_some();
    let little =
        !by_share_alone && memory.available < LOW_BYTES && memory.total >= LOW_BYTES.saturating_mul(10);
    if !share && !little {
        return None;
    }
    let roomy = memory.swap_free.saturating_mul(100) >= memory.total.saturating_mul(SWAP_ROOM_PERCENT);
    let severity = if roomy { Severity::Info } else { Severity::Warning };
    let facts = Facts::new().number(FactName::Free, memory.available).number(FactName::Size, memory.total);
    Some(Finding::new(FindingId::MemLow, severity).with(facts))
}

fn judge_stall(full: Stalled, greediest: u64, memory: &Memory) -> Option<Finding> {
    if full.avg60 <= STALL_WARNING {
        return None;
    }
    let severity = if full.avg60 > STALL_CRITICAL { Severity::Critical } else { Severity::Warning };
    let facts = Facts::new()
        .number(FactName::Percent, whole(full.avg60))
        .number(FactName::Free, memory.available)
        .number(FactName::Size, greediest);
    let finding = Finding::new(FindingId::MemPsi, severity).with(facts);
    let greedy = greediest.saturating_mul(100) > memory.total.saturating_mul(GREEDY_PERCENT);
    Some(if greedy { finding.action(ActionId::RestartPhp) } else { finding })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GB: u64 = 1_000_000_000;

    fn left(total: u64, available: u64, swap_free: u64) -> Option<Severity> {
        let memory = Memory { total, available, swap: swap_free, swap_free };
        judge_left(&memory, &Thresholds::default()).map(|finding| finding.severity)
    }

    #[test]
    fn little_memory_is_a_share_and_on_larger_machines_also_an_amount() {
        assert_eq!(left(2 * GB, 160_000_000, 0), None);
        assert_eq!(left(2 * GB, 159_999_999, 0), Some(Severity::Warning));
        assert_eq!(left(GB, 99_999_999, 0), Some(Severity::Warning));
        // A board of 256 MB with 90 MB left is well.
        assert_eq!(left(256_000_000, 90_000_000, 0), None);
        assert_eq!(left(256_000_000, 20_000_000, 0), Some(Severity::Warning));
        let none = Memory { total: GB, ..Memory::default() };
        assert_eq!(
            judge_left(&none, &Thresholds::default()).map(|finding| finding.id),
            Some(FindingId::MemLow)
        );
    }

    #[test]
    fn free_swap_makes_it_no_alarm() {
        assert_eq!(left(2 * GB, 100_000_000, GB / 2), Some(Severity::Info));
        assert_eq!(left(2 * GB, 100_000_000, GB / 2 - 1), Some(Severity::Warning));
    }

    #[test]
    fn waiting_for_memory_has_two_steps_and_a_restart_only_against_one_greedy_worker() {
        let memory = Memory { total: GB, available: GB / 10, swap: 0, swap_free: 0 };
        let judged = |avg60, greediest| {
            let finding = judge_stall(Stalled { avg60, avg300: 0 }, greediest, &memory)?;
            assert_eq!(finding.id, FindingId::MemPsi);
            Some((finding.severity, finding.action))
        };
        assert_eq!(judged(1_000, GB), None);
        assert_eq!(judged(1_001, GB / 10), Some((Severity::Warning, None)));
        assert_eq!(judged(3_000, 0), Some((Severity::Warning, None)));
        assert_eq!(judged(3_001, 4 * GB / 10), Some((Severity::Critical, None)));
        let restart = Some(ActionId::RestartPhp);
        assert_eq!(judged(3_001, 4 * GB / 10 + 1), Some((Severity::Critical, restart)));
    }

    #[test]
    fn this_machines_memory_adds_up() {
        let memory = meminfo(&std::fs::read("/proc/meminfo").expect("procfs")).expect("MemAvailable");
        assert!(memory.total > 0 && memory.available <= memory.total && memory.swap_free <= memory.swap);
    }

    #[test]
    fn a_kernel_that_does_not_say_what_is_available_is_not_judged() {
        assert_eq!(meminfo(b"MemTotal: 1000 kB\nMemFree: 500 kB\n"), None);
        assert_eq!(meminfo(b"MemTotal: 0 kB\nMemAvailable: 0 kB\n"), None);
    }

    #[test]
    fn what_the_manifest_says_is_a_share_alone() {
        let of = |value, available| {
            let memory = Memory { total: 2 * GB, available, swap: 0, swap_free: 0 };
            judge_left(&memory, &Thresholds::default().with(Threshold::MemoryLow, value)).is_some()
        };
        assert!(of(20, 399_999_999) && !of(20, 400_000_000));
        assert!(of(3, 59_999_999) && !of(3, 60_000_000), "though less than 100 MB");
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _read = meminfo(&bytes);
        }
    }
}

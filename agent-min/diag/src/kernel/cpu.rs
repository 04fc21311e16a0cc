//! The processor: whether it is full. What the provider takes away and quotas are counters ([`super::sample`]).

use std::time::Duration;

use secmon_wire::diag::{Check, FactName, Facts, Finding, FindingId, Severity};

use super::fields::{after, decimal, named, words};
use super::pressure::{PER_CENT, whole};
use super::processes::{self, Process};
use super::{FILE_MAX, read, units};
use crate::Notes;
use crate::host::Host;
use crate::stack::Stack;

/// Something waits for the processor for more than 60 % of a minute.
const WAIT: u32 = 60 * PER_CENT;
/// And one of the services for more than 10 %: a backup that waits for itself slows no visitor down.
const SERVICE_WAIT: u32 = 10 * PER_CENT;
/// And it is idle for less than this share of a second: otherwise the waiting is a matter of priorities and quotas.
const IDLE_PERCENT: u64 = 10;
/// Over how long idleness and the busiest process are measured.
const MEASURE: Duration = Duration::from_millis(1_000);

/// The first lines of `/proc/stat`, in ticks since boot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cpu {
    /// All time, what virtual machines of this host used not counted twice.
    pub total: u64,
    /// Idle, waiting for the disk included.
    pub idle: u64,
    /// Taken away by the hypervisor.
    pub steal: u64,
    /// How many processors there are.
    pub processors: u64,
    /// Tasks that run or could.
    pub running: u64,
    /// When the machine was started, in seconds since the epoch.
    pub boot: u64,
}

/// Reads `/proc/stat`.
pub fn stat(bytes: &[u8]) -> Option<Cpu> {
    let all = after(bytes, "cpu ")?;
    let mut cpu = Cpu::default();
    for (place, word) in words(all).enumerate().take(8) {
        let ticks = decimal(word)?;
        cpu.total = cpu.total.saturating_add(ticks);
        match place {
            3 | 4 => cpu.idle = cpu.idle.saturating_add(ticks),
            7 => cpu.steal = ticks,
            _ => {}
        }
    }
    let numbered = |line: &&[u8]| line.starts_with(b"cpu") && line.get(3).is_some_and(u8::is_ascii_digit);
    let processors = super::fields::lines(bytes).filter(numbered).count();
    cpu.processors = u64::try_from(processors).unwrap_or(0).max(1);
    cpu.running = named(bytes, "procs_running").unwrap_or(0);
    cpu.boot = named(bytes, "btime").unwrap_or(0);
    Some(cpu)
}

impl Cpu {
    /// How many per cent of the time since `earlier` were idle; `None` if no time has passed.
    pub fn idle_since(&self, earlier: &Self) -> Option<u64> {
        let total = self.total.checked_sub(earlier.total).filter(|total| *total > 0)?;
        Some(super::fields::percent(self.idle.saturating_sub(earlier.idle), total).min(100))
    }
}

/// `/proc/stat` now.
pub(super) fn now(host: &dyn Host) -> Option<Cpu> {
    stat(&host.read("/proc/stat", FILE_MAX).ok()?)
}

/// Looks at the processor: `cpu-saturated`. Waits a second only where it seems to be full.
pub(super) fn check(host: &dyn Host, stack: &Stack, notes: &mut Notes) {
    let Some(pressure) = super::read_pressure(host, "cpu", Check::Cpu, notes) else { return };
    let Some(before) = read(host, "/proc/stat", FILE_MAX, Check::Cpu, notes) else { return };
    notes.checked(Check::Cpu);
    let Some(before) = stat(&before) else { return };
    let visitors_wait = units::longest_wait(host, stack, "cpu").is_none_or(|wait| wait > SERVICE_WAIT);
    if pressure.some.avg60 <= WAIT || !visitors_wait {
        return;
    }
    let processes = processes::list(host);
    host.pause(MEASURE);
    let Some(after) = now(host) else { return };
    if !is_full(&before, &after) {
        return;
    }
    let mut facts = Facts::new().number(FactName::Percent, whole(pressure.some.avg60));
    if let Some(busiest) = busiest(&processes, &processes::list(host)) {
        facts = facts.text(FactName::Name, &busiest.comm);
    }
    notes.found(Finding::new(FindingId::CpuSaturated, Severity::Warning).with(facts));
}

fn is_full(before: &Cpu, after: &Cpu) -> bool {
    let idle = after.idle_since(before).unwrap_or(100);
    // The one that asks is running, too.
    idle < IDLE_PERCENT && after.running > after.processors
}

/// The process that used the most time between two looks.
fn busiest<'a>(before: &[Process], after: &'a [Process]) -> Option<&'a Process> {
    let used = |process: &Process| {
        let earlier = before.iter().find(|other| other.pid == process.pid && other.start == process.start);
        process.ticks.saturating_sub(earlier.map_or(0, |earlier| earlier.ticks))
    };
    after.iter().max_by_key(|process| used(process)).filter(|process| used(process) > 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::FakeHost;

    const FULL: &str = "some avg10=99.00 avg60=60.01 avg300=50.00 total=1\n";

    fn host(pressure: &str, later: &str) -> FakeHost {
        FakeHost::default()
            .file("/proc/pressure/cpu", pressure)
            .file(
                "/proc/stat",
                "cpu  100 0 50 1000 10 0 0 0 0 0\ncpu0 1 2\ncpu1 1 2\nprocs_running 9\nbtime 5\n",
            )
            .file_from(1_000, "/proc/stat", Ok(later.as_bytes()))
            .file("/proc/7/stat", "7 (idle one) S 1 7 7 0 -1 0 0 0 0 0 5 5 0 0 20 0 1 0 100 0 0")
            .file("/proc/9/stat", "9 (convert) R 1 9 9 0 -1 0 0 0 0 0 5 5 0 0 20 0 1 0 100 0 0")
            .file_from(
                1_000,
                "/proc/9/stat",
                Ok(b"9 (convert) R 1 9 9 0 -1 0 0 0 0 0 99 5 0 0 20 0 1 0 100 0 0"),
            )
    }

    fn stack() -> Stack {
        Stack { units: vec!["nginx.service".to_owned()], ..Stack::default() }
    }

    fn found(host: &FakeHost) -> Vec<String> {
        let mut notes = Notes::default();
        check(host, &stack(), &mut notes);
        notes.findings().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_processor_is_full_when_tasks_wait_and_it_is_never_idle() {
        let later = "cpu  290 0 50 1009 10 0 0 0 0 0\ncpu0 1 2\ncpu1 1 2\nprocs_running 3\n";
        let full = host(FULL, later);
        assert_eq!(found(&full), ["The processor is full: 60 % of the time something waits for it"]);
        let mut notes = Notes::default();
        check(&host(FULL, later), &stack(), &mut notes);
        let name = notes.findings()[0].facts.get(FactName::Name).cloned();
        assert_eq!(name, Some(secmon_wire::diag::Fact::Text("convert".try_into().expect("short"))));
    }

    #[test]
    fn waiting_beside_an_idle_processor_or_without_a_queue_is_no_finding() {
        let idle = "cpu  280 0 50 1020 10 0 0 0 0 0\ncpu0 1 2\ncpu1 1 2\nprocs_running 3\n";
        assert_eq!(found(&host(FULL, idle)), [""; 0]);
        let no_queue = "cpu  290 0 50 1009 10 0 0 0 0 0\ncpu0 1 2\ncpu1 1 2\nprocs_running 2\n";
        assert_eq!(found(&host(FULL, no_queue)), [""; 0]);
        let later = "cpu  290 0 50 1009 10 0 0 0 0 0\ncpu0 1 2\ncpu1 1 2\nprocs_running 3\n";
        let below = "some avg10=99.00 avg60=60.00 avg300=50.00 total=1\n";
        assert_eq!(found(&host(below, later)), [""; 0]);
    }

    #[test]
    fn a_full_processor_that_no_service_waits_for_is_somebody_elses() {
        let later = "cpu  290 0 50 1009 10 0 0 0 0 0\ncpu0 1 2\ncpu1 1 2\nprocs_running 3\n";
        let with = |wait: &str| {
            let own = format!("some avg10=0.00 avg60={wait} avg300=0.00 total=0\n");
            host(FULL, later)
                .file("/proc/self/mountinfo", "31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n")
                .file("/sys/fs/cgroup/system.slice/nginx.service/cpu.pressure", own)
        };
        assert_eq!(found(&with("10.00")), [""; 0]);
        assert_eq!(found(&with("10.01")).len(), 1);
    }

    #[test]
    fn a_kernel_without_pressure_says_so() {
        let mut notes = Notes::default();
        check(&FakeHost::default().file("/proc/stat", "cpu 1 2 3 4\n"), &stack(), &mut notes);
        assert_eq!(notes.what_was_not_checked()[0].detail, "/proc/pressure/cpu");
        assert!(notes.what_was_checked().is_empty());
    }

    #[test]
    fn an_old_kernels_short_line_has_no_steal() {
        let cpu = stat(b"cpu  10 0 5 100\nbtime 7\n").expect("a stat file");
        assert_eq!((cpu.total, cpu.idle, cpu.steal, cpu.processors, cpu.boot), (115, 100, 0, 1, 7));
        // Guests are counted in `user` already.
        let cpu = stat(b"cpu  10 0 5 100 3 0 0 2 900 900\n").expect("a stat file");
        assert_eq!((cpu.total, cpu.idle, cpu.steal), (120, 103, 2));
    }

    #[test]
    fn this_machines_processor_is_read() {
        let cpu = now(&crate::testing::ThisHost).expect("procfs");
        assert!(cpu.total > cpu.idle && cpu.processors >= 1 && cpu.boot > 1_000_000_000 && cpu.running >= 1);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _read = stat(&bytes);
        }
    }
}

//! What is only counted: totals since boot, of which the control plane compares two.
//!
//! A report has room for [`COUNTERS_MAX`](secmon_wire::limits::COUNTERS_MAX) counters, of all checks together; the
//! limits here leave a dozen to others.

use secmon_wire::diag::CounterId;

use super::disk::{Disk, disks, ext4_errors};
use super::fields::{decimal, named, words};
use super::units::{self, UNITS_MAX};
use super::{FILE_MAX, cpu, net, site_files};
use crate::Notes;
use crate::host::Host;
use crate::stack::Stack;

/// Things of one kind that are counted.
const DISKS_COUNTED: usize = 4;
const DEVICES_COUNTED: usize = 2;
const LOGS_COUNTED: usize = 5;
const UNITS_COUNTED: usize = 5;

/// Takes all counters down.
///
/// | counter | key | value |
/// |-|-|-|
/// | `cpu-steal`, `cpu-total` | | ticks of 1/100 s, of all processors |
/// | `cpu-throttled`, `cpu-throttle-periods` | unit | periods; only of units that have a quota |
/// | `disk-errors` | device | errors of an ext4 file system |
/// | `disk-free` | mount point | bytes |
/// | `disk-readonly` | mount point | 0 or 1 |
/// | `instance` | unit | another number after each start; not there while it doesn't run |
/// | `listen-drops`, `listen-overflows` | | connections |
/// | `log-size` | path | bytes |
/// | `net-errors`, `net-packets` | device | packets, received and sent |
/// | `oom-kills` | | processes |
/// | `pids-denied` | unit | processes that could not be started |
/// | `request-rate` | a finding | such requests in a minute; counted where access logs are read |
/// | `swap-pages` | | pages, in and out |
/// | `syn-cookies` | | connections that the queue of half-open ones had no room for |
/// | `tcp-memory-pressures` | | times |
/// | `unit-oom-kills` | unit, and `system.slice` for all | processes |
pub fn sample(host: &dyn Host, stack: &Stack, notes: &mut Notes) {
    sample_kernel(host, notes);
    sample_network(host, notes);
    sample_units(host, stack, notes);
    // What fills and empties in memory has no trend.
    let lasting = |disk: &&Disk| disk.matters && disk.mount.kind != "tmpfs";
    for disk in disks(host, stack).iter().filter(lasting).take(DISKS_COUNTED) {
        let point = &disk.mount.point;
        if let Ok(room) = host.filesystem(point) {
            notes.counted(CounterId::DiskFree, point, room.free);
        }
        let readonly = disk.mount.readonly || disk.mount.filesystem_readonly;
        notes.counted(CounterId::DiskReadonly, point, u64::from(readonly));
    }
    for (device, errors) in ext4_errors(host).iter().take(DISKS_COUNTED) {
        notes.counted(CounterId::DiskErrors, device, *errors);
    }
    for (path, size) in site_files::logs(host, stack).iter().take(LOGS_COUNTED) {
        notes.counted(CounterId::LogSize, path, *size);
    }
}

/// How long the system has been up, in ticks of 1/100 s.
pub(super) fn uptime_ticks(host: &dyn Host) -> Option<u64> {
    let text = host.read("/proc/uptime", FILE_MAX).ok()?;
    let seconds = words(&text).next()?.split(|byte| *byte == b'.').next()?;
    decimal(seconds)?.checked_mul(100)
}

fn sample_kernel(host: &dyn Host, notes: &mut Notes) {
    if let Some(cpu) = cpu::now(host) {
        notes.counted(CounterId::CpuSteal, "", cpu.steal);
        notes.counted(CounterId::CpuTotal, "", cpu.total);
    }
    let vmstat = host.read("/proc/vmstat", FILE_MAX).unwrap_or_default();
    // Kernels before 4.13 don't count those that were killed.
    if let Some(kills) = named(&vmstat, "oom_kill") {
        notes.counted(CounterId::OomKills, "", kills);
    }
    if let Some(pages) = net::swapped(&vmstat) {
        notes.counted(CounterId::SwapPages, "", pages);
    }
}

fn sample_network(host: &dyn Host, notes: &mut Notes) {
    let netstat = host.read("/proc/net/netstat", FILE_MAX).unwrap_or_default();
    let get = |name| net::counter(&netstat, "TcpExt", name);
    for (id, name) in [
        (CounterId::ListenDrops, "ListenDrops"),
        (CounterId::ListenOverflows, "ListenOverflows"),
        (CounterId::TcpMemoryPressures, "TCPMemoryPressures"),
    ] {
        if let Some(value) = get(name) {
            notes.counted(id, "", value);
        }
    }
    // Each cookie is counted as sent and as a full queue that allowed for one; a drop is a full queue without.
    if let Some(sent) = get("SyncookiesSent").max(get("TCPReqQFullDoCookies")) {
        let dropped = get("TCPReqQFullDrop").unwrap_or(0);
        notes.counted(CounterId::SynCookies, "", sent.saturating_add(dropped));
    }
    let dev = host.read("/proc/net/dev", FILE_MAX).unwrap_or_default();
    for device in net::devices(&dev).iter().take(DEVICES_COUNTED) {
        notes.counted(CounterId::NetErrors, &device.name, device.errors);
        notes.counted(CounterId::NetPackets, &device.name, device.packets);
    }
}

fn sample_units(host: &dyn Host, stack: &Stack, notes: &mut Notes) {
    let groups = units::groups(host);
    for unit in stack.units.iter().take(UNITS_COUNTED.min(UNITS_MAX)) {
        let number = |file: &str, name: &str| units::number(host, &groups, unit, file, name);
        if let Some(instance) = units::instance(host, unit) {
            notes.counted(CounterId::Instance, unit, instance);
        }
        if let Some(kills) = number("memory.events", "oom_kill") {
            notes.counted(CounterId::UnitOomKills, unit, kills);
        }
        if let Some(denied) = number("pids.events", "max") {
            notes.counted(CounterId::PidsDenied, unit, denied);
        }
        if let Some(periods) = number("cpu.stat", "nr_periods").filter(|periods| *periods > 0) {
            notes.counted(CounterId::CpuThrottlePeriods, unit, periods);
            notes.counted(CounterId::CpuThrottled, unit, number("cpu.stat", "nr_throttled").unwrap_or(0));
        }
    }
    // A unit's own group, and its count, go when it stops; that of all of them stays.
    if let units::Groups::Unified(root) = &groups {
        let events = host.read(&format!("{root}/system.slice/memory.events"), FILE_MAX).unwrap_or_default();
        if let Some(kills) = named(&events, "oom_kill") {
            notes.counted(CounterId::UnitOomKills, "system.slice", kills);
        }
    }
    if !units::is_systemd(host) {
        for server in &stack.web {
            // Its start is the instance where nothing else numbers them.
            if let Some(master) = server.master {
                notes.counted(CounterId::Instance, &server.name, master.started);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use secmon_wire::limits::COUNTERS_MAX;

    use super::*;
    use crate::testing::{FakeHost, ThisHost};

    fn all(host: &dyn Host, stack: &Stack) -> Vec<(CounterId, String, u64)> {
        let mut notes = Notes::default();
        sample(host, stack, &mut notes);
        notes.counters().iter().map(|c| (c.id, c.key.as_str().to_owned(), c.value)).collect()
    }

    #[test]
    fn what_an_older_kernel_does_not_count_is_not_noted_as_zero() {
        let host = FakeHost::default()
            .file("/proc/stat", "cpu  10 0 5 100 0 0 0 7\n")
            .file("/proc/vmstat", "pswpin 3\npswpout 4\n")
            .file("/proc/net/netstat", "TcpExt: SyncookiesSent ListenDrops\nTcpExt: 5 6\n");
        let expected = [
            (CounterId::CpuSteal, 7),
            (CounterId::CpuTotal, 122),
            (CounterId::SwapPages, 7),
            (CounterId::ListenDrops, 6),
            (CounterId::SynCookies, 5),
        ];
        let expected: Vec<_> = expected.into_iter().map(|(id, value)| (id, String::new(), value)).collect();
        assert_eq!(all(&host, &Stack::default()), expected);
    }

    #[test]
    fn units_are_counted_by_their_control_groups() {
        let group = "/sys/fs/cgroup/system.slice/mariadb.service";
        let host = FakeHost::default()
            .file("/proc/self/mountinfo", "31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n")
            .file("/proc/1/cgroup", "0::/init.scope\n")
            .link("/run/systemd/units/invocation:mariadb.service", "00000000000ff0000000000000000000")
            .file(&format!("{group}/memory.events"), "low 0\nhigh 0\nmax 4\noom 2\noom_kill 1\n")
            .file(&format!("{group}/pids.events"), "max 9\n")
            .file(&format!("{group}/cpu.stat"), "usage_usec 5\nnr_periods 40\nnr_throttled 8\n")
            .file("/sys/fs/cgroup/system.slice/memory.events", "oom 2\noom_kill 3\n");
        let stack = Stack { units: vec!["mariadb.service".to_owned()], ..Stack::default() };
        let unit = || "mariadb.service".to_owned();
        let expected = [
            (CounterId::Instance, unit(), 0xff),
            (CounterId::UnitOomKills, unit(), 1),
            (CounterId::PidsDenied, unit(), 9),
            (CounterId::CpuThrottlePeriods, unit(), 40),
            (CounterId::CpuThrottled, unit(), 8),
            (CounterId::UnitOomKills, "system.slice".to_owned(), 3),
        ];
        assert_eq!(all(&host, &stack), expected);
    }

    #[test]
    fn a_unit_without_a_quota_is_not_throttled() {
        let group = "/sys/fs/cgroup/system.slice/mariadb.service";
        let host = FakeHost::default()
            .file("/proc/self/mountinfo", "31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n")
            .file(&format!("{group}/cpu.stat"), "usage_usec 5\nnr_periods 0\nnr_throttled 0\n");
        let stack = Stack { units: vec!["mariadb.service".to_owned()], ..Stack::default() };
        assert_eq!(all(&host, &stack), []);
    }

    #[test]
    fn the_limits_leave_room_for_others() {
        let per_unit = 5;
        let most = 8 + DEVICES_COUNTED * 2 + UNITS_COUNTED * per_unit + 1 + DISKS_COUNTED * 3 + LOGS_COUNTED;
        assert!(most + 8 <= COUNTERS_MAX, "{most}");
    }

    #[test]
    fn this_machine_is_counted() {
        let counted = all(&ThisHost, &Stack::default());
        for id in [CounterId::CpuTotal, CounterId::OomKills, CounterId::SwapPages, CounterId::ListenOverflows]
        {
            assert!(counted.iter().any(|(known, _, _)| *known == id), "{id}");
        }
        assert!(uptime_ticks(&ThisHost).is_some_and(|ticks| ticks > 0));
    }
}

//! Disks: room, inodes, file systems that can no longer be written or have errors, and waiting for them.
//!
//! How fast they fill is for the control plane to see ([`super::sample`] notes what is free).

use std::time::Duration;

use secmon_wire::Threshold;
use secmon_wire::diag::{Check, FactName, Facts, Finding, FindingId, Severity, WhyNotChecked};

use super::fields::{decimal, lines, number_at, percent, text, words};
use super::mounts::{Mount, mount_of, mountinfo, writable_by_fstab};
use super::pressure::{PER_CENT, Pressure, whole};
use super::{FILE_MAX, read, read_pressure, units, why};
use crate::Notes;
use crate::host::{Filesystem, Host};
use crate::stack::Stack;
use crate::tuning::Thresholds;

/// Bytes of `/proc/self/mountinfo`: 256 mounts with long paths.
const MOUNTINFO_MAX: usize = 128 * 1024;
/// File systems that are judged.
pub(super) const DISKS_MAX: usize = 16;
/// Errors on a file system that are younger than this are news, in seconds.
const NEWS: u64 = 24 * 3_600;
/// Everything waits for the disk for more than 20 % of the last minute …
const STALL: u32 = 20 * PER_CENT;
/// … and has for five: their average, which forgets slowly, has reached 63 % of it by then.
const STALL_LONG: u32 = STALL * 63 / 100;
/// A service that waits for the disk for more than this of a minute is slow for that.
const SERVICE_WAIT: u32 = 5 * PER_CENT;
/// Over how long the busiest disk is looked for.
const MEASURE: Duration = Duration::from_millis(1_000);
/// Where programs keep what doesn't outlive a restart.
const TEMPORARY: [&str; 4] = ["/tmp", "/var/tmp", "/run", "/dev/shm"];

/// A file system that is worth a look.
#[derive(Debug)]
pub(super) struct Disk {
    /// Where it is mounted.
    pub(super) mount: Mount,
    /// Whether visitors are affected if nothing can be written to it.
    pub(super) matters: bool,
}

/// Looks at every file system on a disk, and at what else the site's software writes to.
pub fn check(host: &dyn Host, stack: &Stack, notes: &mut Notes) {
    let disks = disks(host, stack);
    if disks.is_empty() {
        notes.skipped(Check::Filesystems, WhyNotChecked::Failed, "/proc/self/mountinfo");
    }
    let fstab = host.read("/etc/fstab", FILE_MAX).unwrap_or_default();
    let writable = writable_by_fstab(&fstab);
    for disk in &disks {
        let point = &disk.mount.point;
        match host.filesystem(point) {
            Ok(room) => {
                notes.checked(Check::Filesystems);
                judge_room(disk, &room, &stack.thresholds)
                    .into_iter()
                    .for_each(|finding| notes.found(finding));
            }
            Err(denied) if disk.matters => notes.skipped(Check::Filesystems, why(denied), point),
            Err(_) => {}
        }
        if let Some(finding) = judge_writable(disk, writable.contains(point)) {
            notes.found(finding);
        }
    }
    check_errors(host, notes);
    check_stall(host, stack, notes);
}

/// The file systems to look at, those that matter first.
pub(super) fn disks(host: &dyn Host, stack: &Stack) -> Vec<Disk> {
    let mounts = mountinfo(&host.read("/proc/self/mountinfo", MOUNTINFO_MAX).unwrap_or_default());
    let mut paths = vec!["/", "/var", "/var/lib/php/sessions"];
    paths.extend(TEMPORARY);
    paths.extend(stack.databases.iter().filter_map(|database| database.data.as_deref()));
    for site in &stack.sites {
        paths.extend(site.root.as_deref());
        paths.extend(site.access_log.as_ref().map(|log| log.path.as_str()));
    }
    let needed = paths.into_iter().filter_map(|path| mount_of(&mounts, path));
    let rest = mounts.iter().filter(|mount| mount.is_disk() && mount.is_whole());
    let mut disks: Vec<Disk> = Vec::new();
    for (mount, matters) in needed.map(|mount| (mount, true)).chain(rest.map(|mount| (mount, false))) {
        let known = disks.iter().any(|disk| disk.mount.filesystem() == mount.filesystem());
        if !known && disks.len() < DISKS_MAX {
            disks.push(Disk { mount: mount.clone(), matters });
        }
    }
    disks
}

fn judge_room(disk: &Disk, room: &Filesystem, thresholds: &Thresholds) -> Vec<Finding> {
    let mut found = Vec::new();
    let file = || Facts::new().text(FactName::File, &disk.mount.point);
    let share = percent(room.free, room.size);
    let temporary = disk.mount.kind == "tmpfs" && TEMPORARY.contains(&disk.mount.point.as_str());
    let (id, severity) = if temporary {
        (FindingId::DiskTmpFull, judge_temporary(room))
    } else {
        (FindingId::DiskFull, judge_space(room, thresholds))
    };
    if let Some(severity) = severity.filter(|_| room.size > 0 && !room.readonly) {
        let facts = file().number(FactName::Free, room.free).number(FactName::Percent, share);
        found.push(Finding::new(id, disk.severity(severity)).with(facts));
    }
    if let Some(severity) = judge_inodes(room, thresholds).filter(|_| !room.readonly) {
        let share = percent(room.inodes_free, room.inodes);
        let facts = file().number(FactName::Count, room.inodes_free).number(FactName::Percent, share);
        found.push(Finding::new(FindingId::DiskInodes, disk.severity(severity)).with(facts));
    }
    found
}

/// A share alone calls a large disk full that has hundreds of gigabytes left, and an amount alone a small card
/// that is three quarters empty: each counts within sight of the other. What the manifest says is a share alone.
fn judge_space(room: &Filesystem, thresholds: &Thresholds) -> Option<Severity> {
    const GB: u64 = 1_000_000_000;
    let share = percent(room.free, room.size);
    let below = |per_cent: u64, most: u64| room.free < most && share < per_cent;
    let (full, low) = (thresholds.of(Threshold::DiskFull), thresholds.of(Threshold::DiskLow));
    let is_full = match thresholds.given(Threshold::DiskFull) {
        Some(_) => share < full,
        None => below(full, 10 * GB) || below(10, GB / 2),
    };
    let is_low = match thresholds.given(Threshold::DiskLow) {
        Some(_) => share < low,
        None => below(low, 50 * GB) || below(25, 2 * GB),
    };
    if is_full {
        Some(Severity::Critical)
    } else if is_low {
        Some(Severity::Warning)
    } else {
        None
    }
}

fn judge_temporary(room: &Filesystem) -> Option<Severity> {
    match percent(room.free, room.size) {
        0 => Some(Severity::Critical),
        1..5 => Some(Severity::Warning),
        _ => None,
    }
}

/// btrfs and others count no inodes: 0 of 0. Hundreds of thousands are enough, whatever their share.
fn judge_inodes(room: &Filesystem, thresholds: &Thresholds) -> Option<Severity> {
    if room.inodes == 0 {
        return None;
    }
    let (share, free) = (percent(room.inodes_free, room.inodes), room.inodes_free);
    let by_share_alone = thresholds.given(Threshold::InodesLow).is_some();
    let is_low = share < thresholds.of(Threshold::InodesLow) && (by_share_alone || free < 500_000);
    match (share, free) {
        (..3, ..100_000) if is_low => Some(Severity::Critical),
        _ => is_low.then_some(Severity::Warning),
    }
}

/// A mount for reading and writing of a file system for reading only was made read-only by the kernel, after
/// errors. One that `/etc/fstab` wants to be writable and isn't was made so by it or by somebody.
fn judge_writable(disk: &Disk, should_be: bool) -> Option<Finding> {
    let Mount { readonly, filesystem_readonly, point, .. } = &disk.mount;
    let by_kernel = *filesystem_readonly && !readonly;
    let against_fstab = should_be && (*readonly || *filesystem_readonly);
    if !disk.mount.is_disk() || !(by_kernel || against_fstab) {
        return None;
    }
    let facts = Facts::new().text(FactName::File, point);
    Some(Finding::new(FindingId::DiskReadonly, disk.severity(Severity::Critical)).with(facts))
}

/// ext4 counts its errors until the next fsck; only young ones are news.
fn check_errors(host: &dyn Host, notes: &mut Notes) {
    for (device, errors) in ext4_errors(host) {
        let path = format!("/sys/fs/ext4/{device}/last_error_time");
        let last = host.read(&path, FILE_MAX).ok().and_then(|bytes| number_at(&bytes, 0)).unwrap_or(0);
        if errors > 0 && last.saturating_add(NEWS) > host.clock() {
            let facts = Facts::new().text(FactName::Name, &device).number(FactName::Count, errors);
            notes.found(Finding::new(FindingId::DiskExt4Errors, Severity::Warning).with(facts).since(last));
        }
    }
}

/// Errors of each ext4 file system, by its device's name.
pub(super) fn ext4_errors(host: &dyn Host) -> Vec<(String, u64)> {
    let mut devices = host.list("/sys/fs/ext4", DISKS_MAX).unwrap_or_default();
    devices.sort_unstable();
    let count = |device: String| {
        let bytes = host.read(&format!("/sys/fs/ext4/{device}/errors_count"), FILE_MAX).ok()?;
        Some((device, number_at(&bytes, 0)?))
    };
    devices.into_iter().filter_map(count).collect()
}

fn check_stall(host: &dyn Host, stack: &Stack, notes: &mut Notes) {
    let Some(pressure) = read_pressure(host, "io", Check::Filesystems, notes) else { return };
    if !is_stalled(&pressure) {
        return;
    }
    let mut facts = Facts::new().number(FactName::Percent, whole(pressure.full.avg60));
    if let Some(before) = read(host, "/proc/diskstats", FILE_MAX, Check::Filesystems, notes) {
        host.pause(MEASURE);
        let after = host.read("/proc/diskstats", FILE_MAX).unwrap_or_default();
        if let Some(disk) = busiest(&busy(&before), &busy(&after)) {
            facts = facts.text(FactName::Name, disk);
        }
    }
    // A backup that waits for itself is only worth knowing.
    let services_wait = units::longest_wait(host, stack, "io").is_none_or(|wait| wait > SERVICE_WAIT);
    let severity = if services_wait { Severity::Warning } else { Severity::Info };
    notes.found(Finding::new(FindingId::DiskIoStall, severity).with(facts));
}

const fn is_stalled(pressure: &Pressure) -> bool {
    pressure.full.avg60 > STALL && pressure.full.avg300 > STALL_LONG
}

/// The time in milliseconds during which each disk was busy, by `/proc/diskstats`.
pub fn busy(bytes: &[u8]) -> Vec<(String, u64)> {
    let row = |line| Some((text(words(line).nth(2)?), decimal(words(line).nth(12)?)?));
    lines(bytes).filter_map(row).take(64).collect()
}

fn busiest<'a>(before: &[(String, u64)], after: &'a [(String, u64)]) -> Option<&'a str> {
    let used = |(name, now): &(String, u64)| {
        let earlier = before.iter().find(|(known, _)| known == name)?;
        now.checked_sub(earlier.1).filter(|used| *used > 0)
    };
    let most = after.iter().max_by_key(|row| used(row))?;
    used(most).map(|_| most.0.as_str())
}

impl Disk {
    /// Only worth knowing where no site and no database is: it must not pass for their trouble's cause.
    const fn severity(&self, severity: Severity) -> Severity {
        if self.matters { severity } else { Severity::Info }
    }
}

#[cfg(test)]
#[path = "disk_tests.rs"]
mod tests;

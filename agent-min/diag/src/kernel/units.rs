//! The services of systemd, without asking it: the links that it keeps for each running unit, and its control
//! groups. Of control groups, the unified hierarchy is read; older layouts have no numbers to read here.

use std::time::Duration;

use secmon_wire::ActionId;
use secmon_wire::diag::{Check, FactName, Facts, Finding, FindingId, Severity, WhyNotChecked};

use super::fields::{after, decimal, named, text};
use super::{FILE_MAX, packages};
use crate::Notes;
use crate::host::{Denied, Host};
use crate::stack::Stack;

/// Units that are looked at.
pub(super) const UNITS_MAX: usize = 12;
/// Looks at a unit in one run, and what is between them: a restart takes less than all of them, and the shortest
/// pause between two instances of a loop (systemd's default) is as long as one.
const LOOKS: usize = 11;
const BETWEEN: Duration = Duration::from_millis(100);
/// Instances of one unit that one run has seen, and that make a loop.
const LOOP: usize = 3;
/// Bytes of `/proc/self/mountinfo`.
const MOUNTINFO_MAX: usize = 128 * 1024;

/// Where the control groups of the system's services are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Groups {
    /// In the unified hierarchy, below this directory.
    Unified(String),
    /// In several hierarchies.
    Older,
}

/// Looks at the enabled services of what is installed: `sys-unit-down`, and, as far as one run sees it,
/// `sys-crash-loop` and `sys-pids`.
pub fn check(host: &dyn Host, stack: &Stack, notes: &mut Notes) {
    let units = stack.units.get(..UNITS_MAX).unwrap_or(&stack.units);
    if units.is_empty() {
        return;
    }
    if !is_systemd(host) {
        return notes.skipped(Check::Units, WhyNotChecked::Unsupported, "without systemd");
    }
    notes.checked(Check::Units);
    let groups = groups(host);
    if groups == Groups::Older {
        notes.skipped(Check::Units, WhyNotChecked::Unsupported, "control groups of version 1");
    }
    let mut seen: Vec<(&str, Vec<String>, bool)> =
        units.iter().map(|unit| (unit.as_str(), Vec::new(), false)).collect();
    for look in 0..LOOKS {
        if look > 0 {
            host.pause(BETWEEN);
        }
        for (unit, instances, runs) in &mut seen {
            let instance = host.read_link(&link(unit));
            *runs |= instance.is_ok() || is_in_group(host, &groups, unit);
            if let Ok(instance) = instance
                && !instances.contains(&instance)
            {
                instances.push(instance);
            }
        }
    }
    let upgrade = packages::running(host);
    for (unit, instances, runs) in seen {
        if instances.len() >= LOOP {
            let count = u64::try_from(instances.len()).unwrap_or(0);
            let facts = Facts::new().text(FactName::Unit, unit).number(FactName::Count, count);
            notes.found(Finding::new(FindingId::SysCrashLoop, Severity::Critical).with(facts));
        }
        // A package that is being installed stops its services.
        if !runs && !upgrade {
            notes.found(down(stack, unit));
        }
        if let Some((current, most)) = tasks(host, &groups, unit).filter(|(current, most)| current >= most) {
            let facts = Facts::new()
                .text(FactName::Unit, unit)
                .number(FactName::Count, current)
                .number(FactName::Limit, most);
            notes.found(Finding::new(FindingId::SysPids, Severity::Critical).with(facts));
        }
    }
}

fn down(stack: &Stack, unit: &str) -> Finding {
    let facts = Facts::new().text(FactName::Unit, unit);
    let finding = Finding::new(FindingId::SysUnitDown, Severity::Warning).with(facts);
    match action(stack, unit) {
        Some(action) => finding.action(action),
        None => finding,
    }
}

/// What restarts a unit.
pub(super) fn action(stack: &Stack, unit: &str) -> Option<ActionId> {
    let is = |name: &str| plain(name) == plain(unit);
    if stack.web.iter().any(|server| is(&server.name)) {
        Some(ActionId::RestartWeb)
    } else if stack.pools.iter().any(|pool| is(&pool.unit)) {
        Some(ActionId::RestartPhp)
    } else if stack.databases.iter().any(|database| is(&database.unit)) {
        Some(ActionId::RestartDb)
    } else {
        None
    }
}

/// A unit's name without `.service`.
pub(super) fn plain(unit: &str) -> &str {
    unit.strip_suffix(".service").unwrap_or(unit)
}

/// Whether systemd runs the services, and keeps the links (since version 235).
pub(super) fn is_systemd(host: &dyn Host) -> bool {
    host.metadata("/run/systemd/units").is_ok()
}

/// A number for the running instance of a unit, another one after each start; `None` if it doesn't run.
pub(super) fn instance(host: &dyn Host, unit: &str) -> Option<u64> {
    /// As many digits as a number in JSON can carry.
    const DIGITS: usize = 13;
    let id = host.read_link(&link(unit)).ok()?;
    u64::from_str_radix(id.get(..DIGITS)?, 16).ok()
}

/// Whether a unit is known not to run.
pub(super) fn is_down(host: &dyn Host, unit: &str) -> bool {
    is_systemd(host)
        && host.read_link(&link(unit)) == Err(Denied::Absent)
        && !is_in_group(host, &groups(host), unit)
}

/// Whether a process is in a unit's control group, whatever the hierarchy; true without systemd.
pub(super) fn is_its_process(host: &dyn Host, unit: &str, pid: u32) -> bool {
    let groups = host.read(&format!("/proc/{pid}/cgroup"), FILE_MAX).unwrap_or_default();
    let end = format!("/{}.service", plain(unit));
    !is_systemd(host) || super::fields::lines(&groups).any(|line| line.ends_with(end.as_bytes()))
}

fn link(unit: &str) -> String {
    format!("/run/systemd/units/invocation:{}.service", plain(unit))
}

fn is_in_group(host: &dyn Host, groups: &Groups, unit: &str) -> bool {
    directory(groups, unit).is_some_and(|path| host.metadata(&path).is_ok())
}

/// The directory of a unit's control group.
pub(super) fn directory(groups: &Groups, unit: &str) -> Option<String> {
    let Groups::Unified(root) = groups else { return None };
    let unit = plain(unit);
    // Instances of a template have a slice of their own; hyphens in its name would nest it.
    let slice = match unit.split_once('@') {
        Some((template, _)) => format!("system-{}.slice/", template.replace('-', "\\x2d")),
        None => String::new(),
    };
    Some(format!("{root}/system.slice/{slice}{unit}.service"))
}

/// Where the control groups are.
pub(super) fn groups(host: &dyn Host) -> Groups {
    let mountinfo = host.read("/proc/self/mountinfo", MOUNTINFO_MAX).unwrap_or_default();
    let mounts = super::mounts::mountinfo(&mountinfo);
    if mounts.iter().any(|mount| mount.kind == "cgroup") {
        return Groups::Older;
    }
    let Some(unified) = mounts.iter().find(|mount| mount.kind == "cgroup2") else { return Groups::Older };
    let first = host.read("/proc/1/cgroup", FILE_MAX).unwrap_or_default();
    Groups::Unified(format!("{}{}", unified.point, prefix(&first)))
}

/// The directory of all groups of this system, by `/proc/1/cgroup`: within a container it may not be the root.
pub fn prefix(cgroup: &[u8]) -> String {
    let path = after(cgroup, "0::").map(text).unwrap_or_default();
    path.trim_end_matches("/init.scope").trim_end_matches('/').to_owned()
}

/// A number in a file of a unit's control group, such as `oom_kill` in `memory.events`.
pub(super) fn number(host: &dyn Host, groups: &Groups, unit: &str, file: &str, name: &str) -> Option<u64> {
    let path = format!("{}/{file}", directory(groups, unit)?);
    named(&host.read(&path, FILE_MAX).ok()?, name)
}

/// For how much of the last minute one of the services had to wait for the processor, the disk or memory, the one that
/// waited most; `None` where their control groups don't say.
pub(super) fn longest_wait(host: &dyn Host, stack: &Stack, resource: &str) -> Option<u32> {
    let groups = groups(host);
    let waits = stack.units.iter().take(UNITS_MAX).filter_map(|unit| {
        let path = format!("{}/{resource}.pressure", directory(&groups, unit)?);
        Some(super::pressure::pressure(&host.read(&path, FILE_MAX).ok()?)?.some.avg60)
    });
    waits.max()
}

/// Tasks of a unit, and the most that it may have.
fn tasks(host: &dyn Host, groups: &Groups, unit: &str) -> Option<(u64, u64)> {
    let directory = directory(groups, unit)?;
    let read = |file: &str| decimal(host.read(&format!("{directory}/{file}"), FILE_MAX).ok()?.trim_ascii());
    // `max` for no limit is no number.
    Some((read("pids.current")?, read("pids.max")?))
}

#[cfg(test)]
#[path = "units_tests.rs"]
mod tests;

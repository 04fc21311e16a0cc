//! What two or more looks at a host say together: pure.
//!
//! The first look says nothing. Totals of another boot, totals that fell and looks from the future are not compared;
//! a total that fell was reset, and what it was before is not known.

use secmon_wire::OperationId;
use secmon_wire::diag::{CounterId, FactName, Facts, Finding, FindingId, Severity};

use super::rules::{RULES, Rise, Rule, facts};
use super::{OwnRestart, Sample, crash_loop, disk, killed};

/// A look is compared with the newest one that is at least so old: asking twice in a row gives the same answer twice.
const SETTLED_S: u64 = 60;
/// What happened within a time longer than this is worth knowing, and explains nothing of today.
const RECENT_S: u64 = 86_400;

/// A finding that no single look makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    /// It.
    pub finding: Finding,
    /// Within how many seconds it came about.
    pub within: u64,
}

/// Compares with what was counted before, newest first. `seen` is what the host itself found, and `ours` the restarts
/// that operators approved.
pub fn compare(past: &[Sample], now: &Sample, seen: &[Finding], ours: &[OwnRestart]) -> Vec<Compared> {
    let past: Vec<&Sample> = past.iter().filter(|sample| sample.taken < now.taken).collect();
    let mut found = Vec::new();
    found.extend(rebooted(&past, now));
    let same_boot: Vec<&Sample> = past.into_iter().filter(|sample| sample.boot == now.boot).collect();
    let looks = Looks { past: &same_boot, now };
    let victims = killed::victims(&looks, ours);
    let mut judged: Vec<Compared> = RULES.iter().flat_map(|rule| looks.judge(rule)).collect();
    killed::name(&mut judged, &victims, seen);
    found.extend(judged);
    found.extend(victims.iter().filter_map(killed::Victim::finding));
    found.extend(looks.php_full(seen));
    found.extend(looks.db_restarted(ours));
    found.extend(disk::read_only(&looks));
    found.extend(disk::fills(&looks));
    found.extend(crash_loop::crash_loops(&looks, ours));
    once_each(found, seen)
}

/// The looks since the host's start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Looks<'s> {
    /// Newest first.
    pub(super) past: &'s [&'s Sample],
    /// The last one.
    pub(super) now: &'s Sample,
}

impl<'s> Looks<'s> {
    /// The look that a counter is compared with, and what was counted then.
    pub(super) fn before(&self, id: CounterId, key: &str) -> Option<(&'s Sample, u64)> {
        let counted = |sample: &&'s Sample| Some((*sample, sample.counters.get(id, key)?));
        let mut counted = self.past.iter().filter_map(counted);
        let settled = |sample: &Sample| self.age(sample) >= SETTLED_S;
        let newest = counted.clone().find(|(sample, _)| settled(sample));
        newest.or_else(|| counted.next_back())
    }

    /// Seconds from a look to the last one.
    pub(super) fn age(&self, sample: &Sample) -> u64 {
        self.now.taken.saturating_sub(sample.taken)
    }

    /// What each counter of this kind did.
    pub(super) fn rises(&self, id: CounterId) -> impl Iterator<Item = Rise<'s>> {
        let now = self.now.counters.iter().filter(move |counter| counter.id == id);
        let looks = *self;
        now.filter_map(move |counter| {
            let (sample, before) = looks.before(id, &counter.key)?;
            let (key, value, seconds) = (counter.key.as_str(), counter.value, looks.age(sample));
            Some(Rise { key, by: value.checked_sub(before)?, value, seconds })
        })
    }

    fn rise(&self, id: CounterId, key: &str) -> Option<Rise<'s>> {
        self.rises(id).find(|rise| rise.key == key)
    }

    fn judge(&self, rule: &Rule) -> Vec<Compared> {
        let judged = self.rises(rule.counter).filter_map(|rise| {
            let whole = match rule.limit.whole() {
                Some(of) => Some(self.rise(of, rise.key)?.by),
                None => None,
            };
            let severity = rule.limit.judge(&rise, whole)?;
            let facts = facts(rule.finding, &rise, whole);
            Some(happened(rule.finding, severity, facts, rise.seconds))
        });
        judged.collect()
    }

    /// Pools that had no more workers to give while requests waited. Without those, a moment at its limit is none.
    fn php_full(&self, seen: &[Finding]) -> Option<Compared> {
        let queue = seen.iter().find(|f| f.id == FindingId::PhpQueue && f.severity > Severity::Info)?;
        let rise = self.rises(CounterId::FpmMaxChildren).filter(|rise| rise.by > 0).max_by_key(|r| r.by)?;
        let mut facts = Facts::new().number(FactName::Count, rise.by);
        if let Some(limit) = queue.facts.get_number(FactName::Limit) {
            facts = facts.number(FactName::Limit, limit);
        }
        Some(happened(FindingId::PhpMaxChildren, Severity::Warning, facts, rise.seconds))
    }

    /// Databases that run for a shorter time than at the look before, and that no operator of ours restarted.
    fn db_restarted(&self, ours: &[OwnRestart]) -> Vec<Compared> {
        let uptimes = self.now.counters.iter().filter(|counter| counter.id == CounterId::DbUptime);
        let judged = uptimes.filter_map(|uptime| {
            let (sample, before) = self.before(CounterId::DbUptime, &uptime.key)?;
            if uptime.value >= before {
                return None;
            }
            let by_us = |own: &&OwnRestart| own.operation == OperationId::RestartDb && own.at >= sample.taken;
            if ours.iter().any(|own| by_us(&own)) {
                return None;
            }
            let name = if uptime.key.is_empty() { "The database" } else { uptime.key.as_str() };
            let facts = Facts::new().text(FactName::Name, name).number(FactName::Seconds, uptime.value);
            let within = self.age(sample).min(uptime.value);
            Some(happened(FindingId::DbCrashRestart, Severity::Warning, facts, within))
        });
        judged.collect()
    }
}

/// Something that came about within so many seconds.
pub(super) fn happened(finding: FindingId, severity: Severity, facts: Facts, within: u64) -> Compared {
    let severity = if within > RECENT_S { Severity::Info } else { severity };
    Compared { finding: Finding::new(finding, severity).with(facts), within }
}

fn rebooted(past: &[&Sample], now: &Sample) -> Option<Compared> {
    let age = |sample: &Sample| now.taken.saturating_sub(sample.taken);
    let settled = past.iter().find(|sample| age(sample) >= SETTLED_S).or(past.last())?;
    let other = settled.boot != now.boot;
    other.then(|| happened(FindingId::SysRebooted, Severity::Info, Facts::new(), age(settled)))
}

/// Several counters make the same finding, and the host may have made it itself: what is known better stays.
fn once_each(found: Vec<Compared>, seen: &[Finding]) -> Vec<Compared> {
    let mut kept: Vec<Compared> = Vec::new();
    for new in found {
        if seen.iter().any(|own| same(own, &new.finding) && own.severity >= new.finding.severity) {
            continue;
        }
        match kept.iter_mut().find(|old| same(&old.finding, &new.finding)) {
            Some(old) if old.finding.severity < new.finding.severity => *old = new,
            Some(_) => {}
            None => kept.push(new),
        }
    }
    kept
}

/// Whether both are about one thing. What can be found of several things has a name for each.
fn same(a: &Finding, b: &Finding) -> bool {
    let several = [
        FindingId::CpuThrottled,
        FindingId::DiskExt4Errors,
        FindingId::DiskFillEta,
        FindingId::DiskLogGrowth,
        FindingId::DiskReadonly,
        FindingId::NetErrs,
        FindingId::SysCrashLoop,
        FindingId::SysPids,
    ];
    let thing = |finding: &Finding| {
        let names = [FactName::File, FactName::Name, FactName::Unit];
        names.map(|name| finding.facts.get(name).cloned())
    };
    a.id == b.id && (!several.contains(&a.id) || thing(a) == thing(b))
}

#[cfg(test)]
#[path = "compare_tests.rs"]
mod tests;

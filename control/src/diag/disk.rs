//! File systems over several looks: those that can no longer be written to, and those that fill up.

use secmon_wire::diag::{CounterId, FactName, Facts, FindingId, Severity};

use super::Sample;
use super::compare::{Compared, Looks, happened};

/// Free space must have fallen in two stretches of at least this length, one after the other: a backup that is written
/// once and removed is no trend.
const STRETCH_S: u64 = 1_800;
/// What was before says nothing about where it goes now.
const TREND_S: u64 = 86_400;
const WARNING_S: u64 = 24 * 3_600;
const CRITICAL_S: u64 = 4 * 3_600;

/// File systems that are read-only now and were not at an earlier look.
pub(super) fn read_only(looks: &Looks<'_>) -> Vec<Compared> {
    let now = looks.now.counters.iter().filter(|c| c.id == CounterId::DiskReadonly && c.value != 0);
    let judged = now.filter_map(|counter| {
        let writable =
            |sample: &&&Sample| sample.counters.get(CounterId::DiskReadonly, &counter.key) == Some(0);
        let last = looks.past.iter().find(writable)?;
        let facts = Facts::new().text(FactName::File, &counter.key);
        let mut found = happened(FindingId::DiskReadonly, Severity::Critical, facts, looks.age(last));
        // However long ago it began, it is so now.
        found.finding.severity = Severity::Critical;
        Some(found)
    });
    judged.collect()
}

/// File systems that will be full within a day if it goes on like this.
pub(super) fn fills(looks: &Looks<'_>) -> Vec<Compared> {
    let now = looks.now.counters.iter().filter(|counter| counter.id == CounterId::DiskFree);
    let judged = now.filter_map(|counter| {
        let point = |sample: &&Sample| {
            let age = looks.age(sample);
            Some((age, sample.counters.get(CounterId::DiskFree, &counter.key)?)).filter(|_| age <= TREND_S)
        };
        let mut older = looks.past.iter().filter_map(point);
        let middle = older.find(|(age, _)| *age >= STRETCH_S)?;
        let first = older.find(|(age, _)| age.saturating_sub(middle.0) >= STRETCH_S)?;
        let full_in = |from: (u64, u64), to: (u64, u64)| {
            let (fallen, seconds) = (from.1.checked_sub(to.1)?, from.0.checked_sub(to.0)?);
            let left = u128::from(counter.value).saturating_mul(u128::from(seconds));
            u64::try_from(left.checked_div(u128::from(fallen))?).ok()
        };
        let full_in = full_in(middle, (0, counter.value))?.max(full_in(first, middle)?);
        let severity = match full_in {
            ..CRITICAL_S => Severity::Critical,
            CRITICAL_S..WARNING_S => Severity::Warning,
            _ => return None,
        };
        let facts = Facts::new().text(FactName::File, &counter.key);
        let facts = facts.number(FactName::Hours, full_in.div_euclid(3_600).max(1));
        let facts = facts.number(FactName::Free, counter.value);
        Some(happened(FindingId::DiskFillEta, severity, facts, first.0))
    });
    judged.collect()
}

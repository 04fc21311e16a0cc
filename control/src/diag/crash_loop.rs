//! Units that are another process at every look.

use secmon_wire::diag::{CounterId, FactName, Facts, FindingId, Severity};

use super::OwnRestart;
use super::compare::{Compared, Looks, happened};

/// How far back a loop is looked for.
const LOOP_S: u64 = 300;
/// More changes than this are a loop.
const CHANGES: usize = 2;

/// Units whose instance changed again and again in the last minutes, more often than operators of ours restarted them.
pub(super) fn crash_loops(looks: &Looks<'_>, ours: &[OwnRestart]) -> Vec<Compared> {
    let now = looks.now.counters.iter().filter(|counter| counter.id == CounterId::Instance);
    let judged = now.filter_map(|counter| {
        let recent = looks.past.iter().take_while(|sample| looks.age(sample) <= LOOP_S);
        let mut newer = counter.value;
        let mut changes = 0_usize;
        let mut within = 0;
        for sample in recent {
            let Some(instance) = sample.counters.get(CounterId::Instance, &counter.key) else { continue };
            if instance != newer {
                changes = changes.saturating_add(1);
                within = looks.age(sample);
            }
            newer = instance;
        }
        let unit = counter.key.strip_suffix(".service").unwrap_or(&counter.key);
        let from = looks.now.taken.saturating_sub(LOOP_S);
        let by_us = |own: &&OwnRestart| {
            own.at >= from && own.unit.as_ref().is_some_and(|owned| owned.as_str() == unit)
        };
        let changes = changes.saturating_sub(ours.iter().filter(by_us).count());
        if changes <= CHANGES {
            return None;
        }
        let count = u64::try_from(changes).unwrap_or(u64::MAX);
        let facts = Facts::new().text(FactName::Unit, unit).number(FactName::Count, count);
        Some(happened(FindingId::SysCrashLoop, Severity::Critical, facts, within))
    });
    judged.collect()
}

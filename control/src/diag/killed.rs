//! Who was killed when memory ran out.
//!
//! A unit's own count says it; but the count goes when the unit stops, and begins anew when it starts again. Then the
//! count of all units together has risen, and the one unit that is another process or none since then was it.

use secmon_wire::diag::{CounterId, FactName, Facts, Finding, FindingId, Severity};

use super::OwnRestart;
use super::compare::{Compared, Looks, happened};

/// A unit that lost a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Victim<'s> {
    /// Its name, without `.service`.
    unit: &'s str,
    /// Whether it was the unit's main process: another one runs now, or none.
    whole: bool,
    /// Within how many seconds.
    within: u64,
}

/// All that are known.
pub(super) fn victims<'s>(looks: &Looks<'s>, ours: &[OwnRestart]) -> Vec<Victim<'s>> {
    let killed = || looks.rises(CounterId::UnitOomKills).filter(|rise| rise.by > 0);
    let own = killed().filter(|rise| !is_group(rise.key));
    let own: Vec<_> =
        own.map(|rise| Victim { unit: short(rise.key), whole: false, within: rise.seconds }).collect();
    if !own.is_empty() {
        return own;
    }
    let group = killed().find(|rise| is_group(rise.key)).map(|rise| (CounterId::UnitOomKills, rise.key));
    let host = || looks.rises(CounterId::OomKills).find(|rise| rise.by > 0);
    let total = group.or_else(|| host().map(|rise| (CounterId::OomKills, rise.key)));
    let Some((sample, _)) = total.and_then(|(id, key)| looks.before(id, key)) else { return own };
    let ran = sample.counters.iter().filter(|counter| counter.id == CounterId::Instance);
    let mut replaced = ran.filter(|then| {
        let by_us = |own: &&OwnRestart| {
            own.at >= sample.taken && own.unit.as_ref().is_some_and(|unit| unit.as_str() == short(&then.key))
        };
        looks.now.counters.get(then.id, &then.key) != Some(then.value) && !ours.iter().any(|own| by_us(&own))
    });
    match (replaced.next(), replaced.next()) {
        (Some(one), None) => {
            vec![Victim { unit: short(&one.key), whole: true, within: looks.age(sample) }]
        }
        // Two that are replaced at the same time: an upgrade, or nobody knows.
        _ => own,
    }
}

/// Names the first victim in what says that memory ran out, and what would start again what didn't come back by itself:
/// nothing else does.
pub(super) fn name(found: &mut [Compared], victims: &[Victim<'_>], seen: &[Finding]) {
    let mut down = seen.iter().filter(|own| FindingId::MemOom.explains(own.id));
    let start = down.find_map(|own| own.action.filter(|_| own.severity > Severity::Info));
    for oom in found.iter_mut().filter(|new| new.finding.id == FindingId::MemOom) {
        let name = victims.first().map_or("a process", |victim| victim.unit);
        oom.finding.facts = std::mem::take(&mut oom.finding.facts).text(FactName::Name, name);
        oom.finding.action = start;
    }
}

impl Victim<'_> {
    /// What a database or PHP makes of it.
    pub(super) fn finding(&self) -> Option<Compared> {
        let id = match self.unit {
            db if ["maria", "mysql", "postgres"].iter().any(|name| db.starts_with(name)) => {
                FindingId::DbOomKilled
            }
            php if php.contains("php") && !self.whole => FindingId::PhpKilledOom,
            _ => return None,
        };
        let facts = Facts::new().text(FactName::Name, self.unit);
        Some(happened(id, Severity::Warning, facts, self.within))
    }
}

/// Whether it is that of several units.
fn is_group(key: &str) -> bool {
    key.ends_with(".slice")
}

fn short(unit: &str) -> &str {
    unit.strip_suffix(".service").unwrap_or(unit)
}

//! What is usual on a host, by the looks of former days: a rate that the host often has is no flood: pure.
//!
//! The host judges a flood by its log's last two hours. Here it is judged by the days before. That can only excuse:
//! nothing is found here that the host did not find, and nothing that does harm is hidden: it becomes an information.
//! What is counted on a host that strangers have taken may be wrong, so it excuses no more than is written here,
//! and of what no site has when it is well it excuses nothing.

use secmon_wire::diag::{CounterId, FactName, Finding, FindingId, Severity};

use super::Sample;

/// A flood is so many times what is usual.
const TIMES: u64 = 5;
/// Days that must be known, each by one look at least.
const DAYS_MIN: usize = 3;
const DAY_S: u64 = 86_400;
/// What is younger may be part of what is judged.
const SETTLED_S: u64 = 3_600;

/// A flood that may be excused, the counter's key that says how many such requests there usually are, and the most
/// in a minute that is believed to be usual.
type Row = (FindingId, &'static str, u64);

/// Nobody's usual state is in here: failed logins, `xmlrpc.php`, and what single visitors do.
const ROWS: &[Row] = &[
    (FindingId::BenignSurge, PAGES, 600),
    (FindingId::FloodAjax, "flood-ajax", 240),
    (FindingId::FloodCachebust, "flood-cachebust", 120),
    (FindingId::FloodDistributed, PAGES, 600),
    (FindingId::FloodFacet, "flood-facet", 120),
    (FindingId::FloodPost, "flood-post", 120),
    (FindingId::FloodSearch, "flood-search", 120),
];
/// Every look at an access log counts these, so a look without them was about something else.
const PAGES: &str = "flood-distributed";

/// Takes the warning and the action from what is usual on the host. What did no harm either is not worth a line at all.
pub(super) fn excuse(findings: &mut Vec<Finding>, past: &[Sample], now: u64) {
    let excused = |finding: &Finding| {
        let (_, key, most) = ROWS.iter().find(|(id, ..)| *id == finding.id)?;
        let usual = usual(past, now, key)?.min(*most);
        let rate = finding.facts.get_number(FactName::Rate)?;
        (rate < usual.saturating_mul(TIMES)).then_some(usual)
    };
    findings.retain_mut(|finding| {
        let Some(usual) = excused(finding) else { return true };
        let harmless = finding.severity == Severity::Info;
        finding.severity = Severity::Info;
        finding.action = None;
        let facts = std::mem::take(&mut finding.facts);
        finding.facts = facts.number(FactName::Baseline, usual);
        !harmless
    });
}

/// The median of the busiest look of each day: neither one attack nor one quiet day changes it, and a host that grew
/// has it after as many days as it had before.
fn usual(past: &[Sample], now: u64, key: &str) -> Option<u64> {
    let mut days: Vec<(u64, u64)> = Vec::new();
    for sample in past {
        let age = now.checked_sub(sample.taken).filter(|age| *age >= SETTLED_S);
        let looked = sample.counters.get(CounterId::RequestRate, PAGES).is_some();
        let Some(day) = age.and_then(|age| age.checked_div(DAY_S)).filter(|_| looked) else { continue };
        let rate = sample.counters.get(CounterId::RequestRate, key).unwrap_or(0);
        match days.iter_mut().find(|(known, _)| *known == day) {
            Some((_, most)) => *most = rate.max(*most),
            None => days.push((day, rate)),
        }
    }
    let mut rates: Vec<u64> = days.into_iter().map(|(_, rate)| rate).collect();
    rates.sort_unstable();
    // The lower of two in the middle: half of the days are not most of them.
    let middle = rates.len().checked_sub(1)?.checked_div(2)?;
    rates.get(middle).copied().filter(|_| rates.len() >= DAYS_MIN)
}

#[cfg(test)]
#[path = "usual_tests.rs"]
mod tests;

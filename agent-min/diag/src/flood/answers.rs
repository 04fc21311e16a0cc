//! What the answers in the log say of the site itself: errors, visitors who gave up, a cache that doesn't help.

use secmon_wire::Threshold;
use secmon_wire::diag::{FactName, Facts, Finding, FindingId, Severity};

use super::kept::PathNote;
use super::rates::Tally;
use super::verdict::{Seen, Verdict, percent};

/// Requests in a minute from which on a share of errors means something.
const BUSY: u32 = 120;
const CRITICAL_PERCENT: u64 = 5;
const ERRORS_MIN: u32 = 5;
const GAVE_UP_MIN: u32 = 10;
const GAVE_UP_PERCENT: u64 = 5;
const BAD_GATEWAYS_MIN: u32 = 3;
const TIMEOUTS_MIN: u32 = 3;
/// What nginx' `fastcgi_read_timeout` and Apache's `Timeout` are where nobody changed them.
const DEFAULT_TIMEOUT: u64 = 60;
/// Pages that a cache had or had not, from which on its share means something.
const CACHED_MIN: u32 = 200;
const BYPASSED_PERCENT: u64 = 90;

/// Judges the window's answers.
pub(super) fn judge(seen: &Seen<'_>, found: &mut dyn FnMut(Verdict)) {
    let total = |tally: Tally| seen.state.rates.total(tally as usize);
    let mut say = |id, severity, facts: Facts, rate| {
        let finding = Finding::new(id, severity).with(facts);
        found(Verdict { finding, end: seen.end, rate });
    };
    let host = || Facts::new().text(FactName::Host, seen.settings.host);
    let bad = if seen.settings.apache { Tally::E503 } else { Tally::E502 };
    let code = if seen.settings.apache { 503 } else { 502 };
    if seen.state.rates.rate(&[bad as usize]) >= BAD_GATEWAYS_MIN && several(seen) {
        let facts = host().number(FactName::Code, code).number(FactName::Count, total(bad).into());
        say(FindingId::Http502, Severity::Critical, facts, total(bad));
    }
    if total(Tally::E504) >= TIMEOUTS_MIN {
        let slowest = notes(seen).max_by_key(|note| (note.timeouts, note.slowest));
        let milliseconds = slowest.map_or(0, |note| note.slowest);
        let seconds = if milliseconds > 0 { milliseconds / 1_000 } else { DEFAULT_TIMEOUT };
        let facts = host()
            .number(FactName::Seconds, seconds)
            .text(FactName::Path, &slowest.map_or("/".into(), |note| note.text.start()))
            .number(FactName::Count, total(Tally::E504).into());
        say(FindingId::Http504, Severity::Critical, facts, total(Tally::E504));
    }
    let (all, gave_up) = (total(Tally::All), total(Tally::GaveUp));
    if gave_up >= GAVE_UP_MIN && percent(gave_up, all) >= GAVE_UP_PERCENT {
        let facts = Facts::new().number(FactName::Count, gave_up.into());
        say(FindingId::Http499Burst, Severity::Warning, facts, gave_up);
    }
    if let Some(severity) = errors(seen) {
        let most = notes(seen).max_by_key(|note| note.errors);
        let facts = Facts::new()
            .number(FactName::Count, total(Tally::E5xx).into())
            .number(FactName::Percent, percent(total(Tally::E5xx), all))
            .text(FactName::Path, &most.map_or("/".into(), |note| note.text.start()));
        say(FindingId::Http5xxRate, severity, facts, total(Tally::E5xx));
    }
    let (hits, misses) = (total(Tally::CacheHit), total(Tally::CacheMiss));
    let bypassed = percent(misses, hits.saturating_add(misses));
    if hits.saturating_add(misses) >= CACHED_MIN && bypassed >= BYPASSED_PERCENT {
        let facts = Facts::new().number(FactName::Percent, bypassed);
        say(FindingId::HttpCfBypassCache, Severity::Info, facts, misses);
    }
}

fn errors(seen: &Seen<'_>) -> Option<Severity> {
    let errors = seen.state.rates.total(Tally::E5xx as usize);
    let share = percent(errors, seen.state.rates.total(Tally::All as usize));
    let given = seen.settings.errors_percent;
    if errors < ERRORS_MIN || !several(seen) || given.is_some_and(|least| share < least) {
        return None;
    }
    let usual = u64::from(Threshold::ServerErrors.row().usual);
    match seen.state.rates.rate(&[Tally::All as usize]) {
        BUSY.. if share >= CRITICAL_PERCENT => Some(Severity::Critical),
        BUSY.. if share < given.unwrap_or(usual) => None,
        _ => Some(Severity::Warning),
    }
}

/// Whether errors reach more than somebody who tries a broken path again and again.
fn several(seen: &Seen<'_>) -> bool {
    let sources = seen.state.error_sources.estimate();
    let paths = notes(seen).filter(|note| note.errors > 0).count();
    sources >= 3 || sources == 2 && paths >= 2
}

fn notes<'s>(seen: &Seen<'s>) -> impl Iterator<Item = &'s PathNote> {
    let state = seen.state;
    state.paths.iter().filter_map(|(at, _)| state.path.get(at))
}

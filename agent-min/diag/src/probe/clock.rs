//! Whether the clock is right, as far as the kernel and others know.

use secmon_wire::diag::{Check, FactName, Facts, Finding, FindingId, Severity, WhyNotChecked};

use super::{date, why};
use crate::Notes;
use crate::host::{Host, Page};

/// A clock that is this wrong needs a human; one-time passwords begin to fail.
const WRONG: u64 = 5;
/// And here TLS and signatures fail for certain.
const VERY_WRONG: u64 = 60;
/// Seconds after a start in which a clock may still be unsynchronized.
const SETTLING: u64 = 17 * 60;
/// The kernel gives up on a clock's error at this bound.
const MAX_ERROR_US: u64 = 16_000_000;

/// Asks the kernel. A clock that nobody keeps may still be right, so that alone is no finding: it is said to be
/// unknown, unless an answer from outside has told.
pub fn check(host: &dyn Host, notes: &mut Notes) {
    match host.clock_state() {
        Ok(state) if state.synchronized && state.max_error_us < MAX_ERROR_US => notes.checked(Check::Clock),
        Ok(_) => {
            let uptime = host.read("/proc/uptime", 64).ok().and_then(|text| seconds(&text));
            if uptime.is_none_or(|uptime| uptime >= SETTLING) {
                notes.skipped(Check::Clock, WhyNotChecked::Absent, "nothing keeps the clock right");
            }
        }
        Err(denied) => notes.skipped(Check::Clock, why(denied), ""),
    }
}

/// What an answer's `Date` says about the clock: by how many seconds it is wrong beyond doubt, if it is. The answer
/// came between `before` and `after`, and a `Date` has no fractions.
pub(super) fn skew(page: &Page, before: u64, after: u64) -> Option<u64> {
    let theirs = date::http(page.header("date")?)?;
    let ahead = before.saturating_sub(theirs.saturating_add(1));
    Some(ahead.max(theirs.saturating_sub(after)))
}

/// Takes down a clock that is wrong by this.
pub(super) fn report(wrong: u64, notes: &mut Notes) {
    notes.checked(Check::Clock);
    if wrong > WRONG {
        let severity = if wrong > VERY_WRONG { Severity::Critical } else { Severity::Warning };
        let facts = Facts::new().number(FactName::Seconds, wrong);
        notes.found(Finding::new(FindingId::ClockSkew, severity).with(facts));
    }
}

fn seconds(uptime: &[u8]) -> Option<u64> {
    let whole = uptime.split(|byte| *byte == b'.').next()?;
    super::bytes::decimal(whole)
}

#[cfg(test)]
#[path = "clock_tests.rs"]
mod tests;

//! What one look at a host brought, read and judged.

use std::time::{Duration, Instant};

use secmon_wire::diag::{Check, Counters, Finding, NotChecked, Report};
use secmon_wire::{AgentId, Area, WireError};

use super::{Areas, NotRun, Verdict};

/// One agent was asked.
#[derive(Clone, Debug)]
pub struct Visit {
    /// Which.
    pub agent: AgentId,
    /// When its answer was there.
    pub ended: Instant,
    /// What came of it.
    pub result: Result<Look, NotRun>,
}

/// A look that was made.
#[derive(Clone, Debug)]
pub struct Look {
    /// What was asked for, as far as the manifest allows it.
    pub asked: Areas,
    /// What was asked for and the manifest doesn't allow.
    pub not_allowed: Option<Areas>,
    /// What the agent said.
    pub seen: Seen,
    /// Causes and symptoms, with what only the comparison shows.
    pub verdict: Verdict,
    /// How many seconds before it the oldest look was that it could be compared with.
    pub compared: Option<u64>,
}

/// A report that was read.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The areas that the agent looked at.
    pub areas: Vec<Area>,
    /// The host's boot id.
    pub boot: [u8; 16],
    /// What it looked at.
    pub checked: Vec<Check>,
    /// The host's clock.
    pub clock: u64,
    /// To compare.
    pub counters: Counters,
    /// How long it took.
    pub duration_ms: u64,
    /// What it found.
    pub findings: Vec<Finding>,
    /// What it couldn't look at.
    pub not_checked: Vec<NotChecked>,
    /// The report as it came: canonical.
    pub bytes: Vec<u8>,
}

impl Visit {
    /// Whether it answers who arrived then: it came in while they waited, or it is a look that is still fresh.
    pub(super) fn serves(&self, arrived: Instant, now: Instant, fresh: Duration) -> bool {
        let age = now.saturating_duration_since(self.ended);
        self.ended >= arrived || (self.result.is_ok() && age <= fresh)
    }
}

impl Seen {
    /// Reads a canonical report.
    pub fn read(bytes: Vec<u8>) -> Result<Self, WireError> {
        let report = Report::read(&bytes)?;
        let findings = report.findings().collect();
        let Report { areas, boot, checked, clock, counters, duration_ms, not_checked, .. } = report;
        Ok(Self {
            areas: areas.iter().copied().collect(),
            boot,
            checked: checked.iter().copied().collect(),
            clock,
            counters,
            duration_ms,
            findings,
            not_checked: not_checked.iter().cloned().collect(),
            bytes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{host, visit};
    use super::*;

    #[test]
    fn a_failure_answers_those_who_waited_for_it_and_a_look_those_who_come_soon_after() {
        let (failed, looked) = (visit("web1", Err(NotRun::TooLate)), host("web1", vec![], vec![], vec![]));
        let fresh = Duration::from_secs(10);
        let second = Duration::from_secs(1);
        for (visit, later, serves) in [(failed, 1, false), (looked.clone(), 10, true), (looked, 11, false)] {
            let waited = visit.ended.checked_sub(second).expect("a clock that ran for a second");
            assert!(visit.serves(waited, visit.ended + fresh * 9, fresh));
            let arrived = visit.ended + second * later;
            assert_eq!(visit.serves(arrived, arrived, fresh), serves, "{later}");
        }
    }
}

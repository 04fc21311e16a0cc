//! What one run has seen so far.

use heapless::Vec;
use secmon_wire::diag::{
    Check, CounterId, Counters, Fact, Finding, NotChecked, ReportWriter, Skipped, WhyNotChecked,
};
use secmon_wire::limits::{CHECKS_MAX, FINDINGS_MAX, FLOODS_MAX, REPORT_MAX};
use secmon_wire::{Area, WireError};

/// Findings, counters, and what was looked at, in the order in which they came.
#[derive(Debug, Default)]
pub struct Notes {
    /// At most [`FINDINGS_MAX`]. Not in place: together they are larger than a thread's stack should be.
    findings: std::vec::Vec<Finding>,
    counters: Counters,
    checked: Vec<Check, CHECKS_MAX>,
    not_checked: Skipped,
}

impl Notes {
    /// Takes a finding down. Where there is no room left, the least severe one gives way.
    pub fn found(&mut self, mut finding: Finding) {
        if finding.flood.is_some() && self.findings.iter().filter(|f| f.flood.is_some()).count() >= FLOODS_MAX
        {
            finding.flood = None;
        }
        if let Some(known) = self.findings.iter_mut().find(|known| is_same(known, &finding)) {
            join(known, finding);
            return;
        }
        if self.findings.len() < FINDINGS_MAX {
            return self.findings.push(finding);
        }
        let least = self.findings.iter_mut().min_by_key(|kept| kept.severity);
        if let Some(least) = least.filter(|least| least.severity < finding.severity) {
            *least = finding;
        }
    }

    /// Takes a counter down, for the next run to compare with.
    pub fn counted(&mut self, id: CounterId, key: &str, value: u64) {
        let _no_room_is_no_harm = self.counters.add(id, key, value);
    }

    /// Something was looked at.
    pub fn checked(&mut self, what: Check) {
        if !self.checked.contains(&what) {
            let _one_for_each_there_is = self.checked.push(what);
        }
    }

    /// Something could not be looked at. Said once for the same thing.
    pub fn skipped(&mut self, what: Check, why: WhyNotChecked, detail: &str) {
        let skipped = NotChecked::new(what, why, detail);
        if !self.not_checked.contains(&skipped) {
            let _the_first_ones_say_enough = self.not_checked.push(skipped);
        }
    }

    /// Forgets findings of other areas than these.
    pub fn keep(&mut self, wanted: impl Fn(Area) -> bool) {
        self.findings.retain(|finding| wanted(finding.id.entry().area));
    }

    /// What was found so far.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The counters so far.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// What was looked at so far.
    pub fn what_was_checked(&self) -> &[Check] {
        &self.checked
    }

    /// What couldn't be looked at so far.
    pub fn what_was_not_checked(&self) -> &[NotChecked] {
        &self.not_checked
    }

    /// Adds what another run side by side has seen.
    pub fn merge(&mut self, other: Self) {
        other.findings.into_iter().for_each(|finding| self.found(finding));
        for counter in other.counters.iter() {
            self.counted(counter.id, &counter.key, counter.value);
        }
        other.checked.into_iter().for_each(|what| self.checked(what));
        for skipped in other.not_checked {
            self.skipped(skipped.what, skipped.why, &skipped.detail);
        }
    }

    /// The report, as it travels.
    pub fn write<'a>(&mut self, run: &Run<'_>, out: &'a mut [u8; REPORT_MAX]) -> Result<&'a [u8], WireError> {
        self.checked.sort_unstable();
        let report = ReportWriter {
            areas: run.areas,
            boot: run.boot,
            checked: &self.checked,
            clock: run.clock,
            counters: &self.counters,
            duration_ms: run.duration_ms,
            findings: &self.findings,
            not_checked: &self.not_checked,
        };
        report.write(out)
    }
}

/// Whether two findings are the same thing seen twice, by a probe and in a log: no name that both have differs.
fn is_same(known: &Finding, other: &Finding) -> bool {
    let differs = |name, text: &Fact| matches!(known.facts.get(name), Some(Fact::Text(own)) if Fact::Text(own.clone()) != *text);
    known.id == other.id
        && known.flood.is_none()
        && other.flood.is_none()
        && !other.facts.iter().any(|(name, fact)| matches!(fact, Fact::Text(_)) && differs(*name, fact))
}

/// Keeps the worse severity, the earlier beginning, and what only one of them knows.
fn join(known: &mut Finding, other: Finding) {
    known.severity = known.severity.max(other.severity);
    known.since = [known.since, other.since].into_iter().flatten().min();
    known.action = known.action.or(other.action);
    if known.line.is_empty() {
        known.line = other.line;
    }
    let mut facts = other.facts;
    for (name, fact) in known.facts.iter() {
        facts = match fact {
            Fact::Number(number) => facts.number(*name, *number),
            Fact::Text(text) => facts.text(*name, text),
        };
    }
    known.facts = facts;
}

/// What a report says of its run.
#[derive(Clone, Copy, Debug)]
pub struct Run<'r> {
    /// The areas that were looked at, sorted.
    pub areas: &'r [Area],
    /// The host's boot id.
    pub boot: [u8; 16],
    /// When it began, in seconds since the epoch.
    pub clock: u64,
    /// How long it took.
    pub duration_ms: u64,
}

#[cfg(test)]
mod tests {
    use secmon_wire::diag::{FactName, Facts, FindingId, Report, Severity};

    use super::*;

    #[test]
    fn a_full_page_keeps_what_is_severe() {
        let mut notes = Notes::default();
        for n in 0..FINDINGS_MAX {
            let facts = Facts::new().text(FactName::Path, &format!("/{n}"));
            notes.found(Finding::new(FindingId::Web413, Severity::Warning).with(facts));
        }
        notes.found(Finding::new(FindingId::DiskFull, Severity::Critical));
        notes.found(Finding::new(FindingId::SysRebooted, Severity::Info));
        let ids: std::vec::Vec<_> = notes.findings().iter().map(|finding| finding.id).collect();
        assert_eq!(ids.len(), FINDINGS_MAX);
        assert!(ids.contains(&FindingId::DiskFull));
        assert!(!ids.contains(&FindingId::SysRebooted));
    }

    #[test]
    fn what_a_probe_and_a_log_both_saw_is_one_finding() {
        let down = |file: &str| {
            let facts = Facts::new().text(FactName::File, file);
            Finding::new(FindingId::PhpDownStale, Severity::Warning).with(facts)
        };
        let mut notes = Notes::default();
        notes.found(down("/a.sock").since(9));
        let mut seen = down("/a.sock").line("connect() failed").since(5);
        seen.severity = Severity::Critical;
        notes.found(seen);
        notes.found(down("/b.sock"));
        let [one, other] = notes.findings() else { panic!("two: {:?}", notes.findings()) };
        assert_eq!(
            (one.severity, one.since, one.line.as_str()),
            (Severity::Critical, Some(5), "connect() failed")
        );
        assert_eq!(other.facts.get(FactName::File), Some(&Fact::Text("/b.sock".try_into().expect("short"))));
    }

    #[test]
    fn two_runs_side_by_side_become_one_report() {
        let (mut one, mut two) = (Notes::default(), Notes::default());
        one.checked(Check::Origin);
        two.checked(Check::Dns);
        two.checked(Check::Origin);
        two.counted(CounterId::DiskFree, "/", 7);
        two.skipped(Check::PhpErrorLog, WhyNotChecked::Permission, "/var/log/php.log");
        two.found(Finding::new(FindingId::DiskFull, Severity::Critical));
        two.found(Finding::new(FindingId::WebDown, Severity::Critical));
        one.merge(two);
        one.keep(|area| area == Area::Disk);
        let run = Run { areas: &[Area::Http], boot: [1; 16], clock: 5, duration_ms: 9 };
        let mut out = Box::new([0; REPORT_MAX]);
        let bytes = one.write(&run, &mut out).expect("room");
        let report = Report::read(bytes).expect("a report");
        assert_eq!(report.checked.as_slice(), [Check::Dns, Check::Origin]);
        assert_eq!(report.counters.get(CounterId::DiskFree, "/"), Some(7));
        assert_eq!(report.findings().count(), 1);
        assert_eq!(report.not_checked.len(), 1);
    }
}

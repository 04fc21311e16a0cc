//! Causes and symptoms of one host, from what its agent found and what the comparison added.

use secmon_wire::diag::{Advice, Finding, FindingId, Severity, conclude};
use secmon_wire::limits::FINDINGS_MAX;

use super::Compared;

/// What is wrong with a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Every finding, the worst causes first, each symptom after all causes.
    pub judged: Vec<Judged>,
    /// Findings that there was no room for.
    pub untold: usize,
}

/// A finding among the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// It.
    pub finding: Finding,
    /// Within how many seconds it came about, where only a comparison shows that it did.
    pub within: Option<u64>,
    /// What explains it; `None` for a cause.
    pub explained_by: Option<FindingId>,
    /// What is to be done about it.
    pub advice: Advice,
    /// How bad it is, with all that follows from it.
    pub severity: Severity,
}

impl Verdict {
    /// Judges the findings of one host.
    pub fn new(found: Vec<Finding>, compared: Vec<Compared>) -> Self {
        let alone = found.into_iter().map(|finding| (finding, None));
        let compared = compared.into_iter().map(|new| (new.finding, Some(new.within)));
        let mut all: Vec<(Finding, Option<u64>)> = alone.chain(compared).collect();
        all.sort_by_key(|(finding, _)| std::cmp::Reverse(finding.severity));
        let untold = all.len().saturating_sub(FINDINGS_MAX);
        all.truncate(FINDINGS_MAX);
        let findings: Vec<Finding> = all.iter().map(|(finding, _)| finding.clone()).collect();
        let conclusions = conclude(&findings);
        let judged = all.into_iter().zip(conclusions).map(|((finding, within), conclusion)| Judged {
            severity: finding.severity,
            explained_by: conclusion.explained_by,
            advice: conclusion.advice,
            finding,
            within,
        });
        let mut judged: Vec<Judged> = judged.collect();
        raise(&mut judged);
        judged.sort_by_key(|one| (one.explained_by.is_some(), std::cmp::Reverse(one.severity)));
        Self { judged, untold }
    }

    /// What explains the rest, the worst first.
    pub fn causes(&self) -> impl Iterator<Item = &Judged> {
        self.judged.iter().filter(|one| one.explained_by.is_none())
    }

    /// What `cause` explains, directly.
    pub fn symptoms(&self, cause: FindingId) -> impl Iterator<Item = &Judged> {
        self.judged.iter().filter(move |one| one.explained_by == Some(cause))
    }

    /// Whether nothing needs anybody.
    pub fn is_healthy(&self) -> bool {
        self.untold == 0 && self.judged.iter().all(|one| one.finding.severity == Severity::Info)
    }
}

/// Makes each cause as bad as what follows from it.
fn raise(judged: &mut [Judged]) {
    let explained: Vec<(FindingId, Severity)> =
        judged.iter().filter_map(|one| Some((one.explained_by?, one.finding.severity))).collect();
    for (mut by, severity) in explained {
        // The catalogue explains nothing in a circle, and so no way is longer than there are findings.
        for _ in 0..FINDINGS_MAX {
            let mut next = None;
            for one in judged.iter_mut().filter(|one| one.finding.id == by) {
                one.severity = one.severity.max(severity);
                next = next.or(one.explained_by);
            }
            match next {
                Some(cause) => by = cause,
                None => break,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(id: FindingId, severity: Severity) -> Finding {
        Finding::new(id, severity)
    }

    #[test]
    fn a_cause_is_as_bad_as_what_follows_from_it_and_comes_first() {
        let compared = Compared { finding: found(FindingId::MemOom, Severity::Warning), within: 60 };
        let verdict = Verdict::new(
            vec![
                found(FindingId::HttpDbErrorPage, Severity::Critical),
                found(FindingId::DbDown, Severity::Warning),
                found(FindingId::TlsExpiring, Severity::Warning),
                found(FindingId::BenignSurge, Severity::Info),
            ],
            vec![compared],
        );
        let causes: Vec<_> = verdict.causes().map(|one| (one.finding.id, one.severity)).collect();
        let expected = [
            (FindingId::MemOom, Severity::Critical),
            (FindingId::TlsExpiring, Severity::Warning),
            (FindingId::BenignSurge, Severity::Info),
        ];
        assert_eq!(causes, expected);
        assert!(!verdict.is_healthy());
        assert_eq!(verdict.causes().next().and_then(|one| one.within), Some(60));
    }

    #[test]
    fn informations_alone_are_health() {
        assert!(Verdict::new(vec![found(FindingId::BenignSurge, Severity::Info)], vec![]).is_healthy());
        assert!(Verdict::default().is_healthy());
    }

    #[test]
    fn more_findings_than_can_be_judged_lose_the_least_severe_and_say_so() {
        let mut many = vec![found(FindingId::Web413, Severity::Info); FINDINGS_MAX];
        many.push(found(FindingId::DiskFull, Severity::Critical));
        let verdict = Verdict::new(many, vec![]);
        assert_eq!((verdict.judged.len(), verdict.untold), (FINDINGS_MAX, 1));
        assert_eq!(verdict.judged[0].finding.id, FindingId::DiskFull);
    }
}

//! Cause and symptom: what of all findings is worth a line, and what to do about it.

use heapless::Vec;

use crate::limits::FINDINGS_MAX;
use crate::{ActionId, Area};

use super::fact::{Fact, FactName};
use super::finding::{Finding, Severity};
use super::table::{FindingId, WhyNot};

/// What is to be done about a cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Advice {
    /// This action may help.
    Do(ActionId),
    /// A restart doesn't help, or would harm.
    DoNotRestart(WhyNot),
    /// This action would help, but for another finding, for that finding's reason.
    NotYet {
        /// The action.
        action: ActionId,
        /// What is in the way.
        because: FindingId,
        /// Why.
        why: WhyNot,
    },
    /// No action of ours changes it.
    Nothing,
}

/// What one finding is among the others, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conclusion {
    /// The finding that explains this one; `None` if it is a cause itself.
    pub explained_by: Option<FindingId>,
    /// What is to be done, if it is a cause.
    pub advice: Advice,
}

/// Tells causes from symptoms. A symptom has another finding that explains it and is at least a warning; an
/// information explains nothing, and neither does a disk that is only going to be full. Of more than [`FINDINGS_MAX`]
/// findings, the first are concluded.
pub fn conclude(findings: &[Finding]) -> Vec<Conclusion, FINDINGS_MAX> {
    findings.iter().take(FINDINGS_MAX).map(|finding| judge(finding, findings)).collect()
}

fn judge(finding: &Finding, all: &[Finding]) -> Conclusion {
    let explains = |other: &Finding| other.id.explains(finding.id) && may_be_of(other, finding);
    let explaining = || all.iter().filter(|other| weighs(other) && explains(other));
    // Of several, the nearest: one that is not itself behind another of them.
    let nearest = |one: &&Finding| !explaining().any(|other| one.id.explains(other.id));
    let explained_by = explaining().find(nearest).map(|other| other.id);
    let advice = match finding.action {
        _ if explained_by.is_some() => Advice::Nothing,
        Some(action) => match what_forbids(action, all) {
            Some((because, why)) => Advice::NotYet { action, because, why },
            None => Advice::Do(action),
        },
        None => finding.id.entry().why.map_or(Advice::Nothing, Advice::DoNotRestart),
    };
    Conclusion { explained_by, advice }
}

/// Whether a finding can be the cause of another, or a reason against an action. A disk with little room left is
/// worth a warning, and is no trouble yet: only a full one is.
fn weighs(finding: &Finding) -> bool {
    match finding.id {
        FindingId::DiskFull | FindingId::DiskInodes | FindingId::DiskTmpFull => {
            finding.severity == Severity::Critical
        }
        _ => finding.severity > Severity::Info,
    }
}

/// Whether what a unit does can be behind this: a service's trouble is its own unit's and no other service's.
fn may_be_of(cause: &Finding, symptom: &Finding) -> bool {
    let Some(Fact::Text(unit)) = cause.facts.get(FactName::Unit) else { return true };
    match (symptom.facts.get(FactName::Unit), symptom.id.entry().area) {
        (Some(Fact::Text(other)), _) => plain(unit) == plain(other),
        (_, area @ (Area::Web | Area::Php | Area::Db)) => service(unit).is_none_or(|of| of == area),
        _ => true,
    }
}

fn plain(unit: &str) -> &str {
    unit.strip_suffix(".service").unwrap_or(unit)
}

/// Which of the services a unit runs, if its name says.
fn service(unit: &str) -> Option<Area> {
    const UNITS: [(&str, Area); 9] = [
        ("php", Area::Php),
        ("nginx", Area::Web),
        ("angie", Area::Web),
        ("openresty", Area::Web),
        ("apache", Area::Web),
        ("httpd", Area::Web),
        ("mariadb", Area::Db),
        ("mysql", Area::Db),
        ("postgres", Area::Db),
    ];
    UNITS.iter().find(|(name, _)| unit.starts_with(name)).map(|(_, area)| *area)
}

fn what_forbids(action: ActionId, all: &[Finding]) -> Option<(FindingId, WhyNot)> {
    let operation = action.operation()?;
    let mut serious = all.iter().filter(|other| weighs(other));
    serious.find_map(|other| {
        let entry = other.id.entry();
        let forbids = entry.forbids.contains(&operation);
        entry.why.filter(|_| forbids).map(|why| (other.id, why))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Facts;

    fn found(id: FindingId) -> Finding {
        Finding::new(id, Severity::Critical)
    }

    #[test]
    fn a_full_disk_is_the_only_cause_of_what_follows_from_it() {
        let findings = [
            found(FindingId::HttpDbErrorPage),
            found(FindingId::DbDown).action(ActionId::RestartDb),
            found(FindingId::DiskFull),
        ];
        let conclusions = conclude(&findings);
        let causes: std::vec::Vec<_> =
            findings.iter().zip(&conclusions).filter(|(_, c)| c.explained_by.is_none()).collect();
        assert_eq!(causes.len(), 1);
        assert_eq!(causes[0].0.id, FindingId::DiskFull);
        assert_eq!(causes[0].1.advice, Advice::DoNotRestart(WhyNot::Disk));
    }

    #[test]
    fn a_restart_is_proposed_unless_something_forbids_it() {
        let down = found(FindingId::PhpDownStale).action(ActionId::RestartPhp);
        assert_eq!(conclude(std::slice::from_ref(&down))[0].advice, Advice::Do(ActionId::RestartPhp));
        let flooded = conclude(&[down.clone(), found(FindingId::FloodXmlrpc)]);
        let not_yet = Advice::NotYet {
            action: ActionId::RestartPhp,
            because: FindingId::FloodXmlrpc,
            why: WhyNot::Flood,
        };
        assert_eq!(flooded[0].advice, not_yet);
        // What is only said for completeness forbids nothing.
        let mut info = found(FindingId::FloodXmlrpc);
        info.severity = Severity::Info;
        assert_eq!(conclude(&[down, info])[0].advice, Advice::Do(ActionId::RestartPhp));
    }

    #[test]
    fn a_mitigation_at_the_edge_is_no_restart_and_nothing_here_forbids_it() {
        let flood = found(FindingId::FloodXmlrpc).action(ActionId::CfPatternBlock);
        let conclusions = conclude(&[flood, found(FindingId::DiskFull)]);
        assert_eq!(conclusions[0].advice, Advice::Do(ActionId::CfPatternBlock));
    }

    #[test]
    fn a_disk_that_is_only_going_to_be_full_explains_and_forbids_nothing() {
        let mut disk = found(FindingId::DiskFull);
        disk.severity = Severity::Warning;
        let conclusions = conclude(&[found(FindingId::DbDown).action(ActionId::RestartDb), disk]);
        assert_eq!(conclusions[0].explained_by, None);
        assert_eq!(conclusions[0].advice, Advice::Do(ActionId::RestartDb));
    }

    #[test]
    fn a_service_that_starts_again_and_again_is_down_for_that_and_one_start_more_does_not_help() {
        let down = found(FindingId::PhpDownNosock).action(ActionId::RestartPhp);
        let conclusions = conclude(&[down, found(FindingId::SysUnitDown), found(FindingId::SysCrashLoop)]);
        assert_eq!(conclusions[0].explained_by, Some(FindingId::SysCrashLoop));
        assert_eq!(conclusions[0].advice, Advice::Nothing);
        assert!(conclusions[1].explained_by.is_some() && conclusions[2].explained_by.is_none());
    }

    #[test]
    fn a_unit_that_starts_again_and_again_explains_its_own_service_only() {
        let looping = |unit| found(FindingId::SysCrashLoop).with(Facts::new().text(FactName::Unit, unit));
        let down = |unit| found(FindingId::SysUnitDown).with(Facts::new().text(FactName::Unit, unit));
        for (unit, explained) in [
            ("php8.2-fpm", [false, true, false]),
            ("nginx.service", [true, false, false]),
            ("mysqld", [false, false, true]),
            // One that its owner named may run any of them.
            ("shop", [true, true, true]),
        ] {
            let services = [FindingId::WebDown, FindingId::PhpDownStale, FindingId::DbDown].map(found);
            let all = [&services[..], &[looping(unit)]].concat();
            let conclusions = conclude(&all);
            let by_it = [0, 1, 2].map(|at: usize| conclusions[at].explained_by.is_some());
            assert_eq!(by_it, explained, "{unit}");
        }
        for (unit, same) in [("nginx", true), ("nginx.service", true), ("mariadb", false)] {
            let by = conclude(&[down(unit), looping("nginx.service")])[0].explained_by;
            assert_eq!(by, Some(FindingId::SysCrashLoop).filter(|_| same), "{unit}");
        }
    }

    #[test]
    fn a_disk_that_the_kernel_made_read_only_is_so_for_its_errors() {
        let errors = found(FindingId::DiskExt4Errors);
        let conclusions = conclude(&[found(FindingId::DiskReadonly), errors, found(FindingId::DbDown)]);
        let by = [0, 1, 2].map(|at: usize| conclusions[at].explained_by);
        assert_eq!(by, [Some(FindingId::DiskExt4Errors), None, Some(FindingId::DiskReadonly)]);
    }

    #[test]
    fn of_several_explanations_the_nearest_is_told() {
        let [symptom, near, far] =
            [FindingId::Http502, FindingId::PhpQueue, FindingId::FloodSearch].map(found);
        for all in [[&symptom, &near, &far], [&far, &near, &symptom]] {
            let all = all.map(Clone::clone);
            let conclusions = conclude(&all);
            let of = |id| {
                let at = all.iter().position(|finding| finding.id == id).expect("there");
                conclusions[at].explained_by
            };
            assert_eq!(of(FindingId::Http502), Some(FindingId::PhpQueue));
            assert_eq!(of(FindingId::PhpQueue), Some(FindingId::FloodSearch));
            assert_eq!(of(FindingId::FloodSearch), None);
        }
    }

    #[test]
    fn an_information_explains_nothing() {
        let mut surge = found(FindingId::FloodSearch);
        surge.severity = Severity::Info;
        assert_eq!(conclude(&[found(FindingId::PhpQueue), surge])[0].explained_by, None);
    }
}

//! What a counter must have done between two looks to be a finding: one row each.
//!
//! Where a limit is per second, a short time between two looks counts as the span that the limit is about: a burst of
//! five seconds is not taken for a minute of it.

use secmon_wire::diag::{CounterId, FactName, Facts, FindingId, Severity};

/// One row.
#[derive(Debug)]
pub(super) struct Rule {
    /// What is counted.
    pub(super) counter: CounterId,
    /// What makes it a finding.
    pub(super) limit: Limit,
    /// Which.
    pub(super) finding: FindingId,
}

/// What a counter may do.
#[derive(Debug)]
pub(super) enum Limit {
    /// Not rise at all.
    Rise,
    /// Rise by so much in `per` seconds, taken over `over` seconds at least.
    Rate { per: u64, over: u64, warning: u64, critical: Option<u64> },
    /// Be so many percent of how much `of` rose, taken over `over` seconds at least. A rise below `least` is none.
    Share { of: CounterId, over: u64, least: u64, warning: u64, critical: Option<u64> },
    /// Be so many percent of how much `of` rose and at the same time rise by so much each second.
    ShareAndRate { of: CounterId, percent: u64, per_second: u64 },
}

/// What a counter did between two looks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rise<'c> {
    /// What was counted: a mount point, a device, a unit; empty where there is only one.
    pub(super) key: &'c str,
    /// By how much it rose.
    pub(super) by: u64,
    /// What it is now.
    pub(super) value: u64,
    /// In how many seconds.
    pub(super) seconds: u64,
}

const fn rate(
    counter: CounterId,
    [per, over]: [u64; 2],
    [warning, critical]: [u64; 2],
    finding: FindingId,
) -> Rule {
    let critical = if critical == NEVER { None } else { Some(critical) };
    Rule { counter, limit: Limit::Rate { per, over, warning, critical }, finding }
}

const fn share(
    counter: CounterId,
    of: CounterId,
    [over, least]: [u64; 2],
    [warning, critical]: [u64; 2],
    finding: FindingId,
) -> Rule {
    let critical = if critical == NEVER { None } else { Some(critical) };
    Rule { counter, limit: Limit::Share { of, over, least, warning, critical }, finding }
}

const fn rise(counter: CounterId, finding: FindingId) -> Rule {
    Rule { counter, limit: Limit::Rise, finding }
}

/// No rise is critical.
const NEVER: u64 = u64::MAX;

/// All of them. What needs more than one rise to be judged stands in modules of its own.
pub(super) const RULES: &[Rule] = &[
    share(CounterId::CpuSteal, CounterId::CpuTotal, [300, 1], [10, 25], FindingId::CpuSteal),
    share(
        CounterId::CpuThrottled,
        CounterId::CpuThrottlePeriods,
        [60, 10],
        [10, NEVER],
        FindingId::CpuThrottled,
    ),
    rate(CounterId::DbSlowQueries, [10, 60], [10, 20], FindingId::DbSlowRate),
    Rule {
        counter: CounterId::DbTmpDiskTables,
        limit: Limit::ShareAndRate { of: CounterId::DbTmpTables, percent: 50, per_second: 20 },
        finding: FindingId::DbTmpDisk,
    },
    rise(CounterId::DiskErrors, FindingId::DiskExt4Errors),
    rate(CounterId::ListenDrops, [1, 60], [1, 5], FindingId::NetListenOverflow),
    rate(CounterId::ListenOverflows, [1, 60], [1, 5], FindingId::NetListenOverflow),
    rate(CounterId::LogSize, [3_600, 3_600], [200_000_000, NEVER], FindingId::DiskLogGrowth),
    share(CounterId::NetErrors, CounterId::NetPackets, [3_600, 100], [1, NEVER], FindingId::NetErrs),
    rise(CounterId::OomKills, FindingId::MemOom),
    rise(CounterId::PidsDenied, FindingId::SysPids),
    rate(CounterId::SwapPages, [1, 120], [200, NEVER], FindingId::MemSwapThrash),
    rate(CounterId::SynCookies, [1, 60], [5, NEVER], FindingId::NetSynFlood),
    rise(CounterId::TcpMemoryPressures, FindingId::NetTcpMem),
];

impl Limit {
    /// How bad this rise is, beside how much the counter rose that it is a share of.
    pub(super) fn judge(&self, rise: &Rise<'_>, whole: Option<u64>) -> Option<Severity> {
        match *self {
            Self::Rise => (rise.by > 0).then_some(Severity::Warning),
            Self::Rate { per, over, warning, critical } => {
                let beyond = |limit: u64| wide(rise.by, per) > wide(limit, rise.seconds.max(over));
                worse(beyond, warning, critical)
            }
            Self::Share { over, least, warning, critical, .. } => {
                // A part of a short time is a part of that span.
                let stretch = over.max(rise.seconds);
                let part = wide(rise.by, rise.seconds).saturating_mul(100);
                let whole = wide(whole?, stretch);
                let beyond = |limit: u64| part > whole.saturating_mul(u128::from(limit));
                worse(beyond, warning, critical).filter(|_| rise.by >= least)
            }
            Self::ShareAndRate { percent, per_second, .. } => {
                let share = wide(rise.by, 100) > wide(whole?, percent);
                let rate = rise.by > per_second.saturating_mul(rise.seconds.max(60));
                (share && rate).then_some(Severity::Warning)
            }
        }
    }

    /// The counter that this one is a share of.
    pub(super) const fn whole(&self) -> Option<CounterId> {
        match self {
            Self::Rise | Self::Rate { .. } => None,
            Self::Share { of, .. } | Self::ShareAndRate { of, .. } => Some(*of),
        }
    }
}

fn worse(beyond: impl Fn(u64) -> bool, warning: u64, critical: Option<u64>) -> Option<Severity> {
    match critical {
        Some(limit) if beyond(limit) => Some(Severity::Critical),
        _ => beyond(warning).then_some(Severity::Warning),
    }
}

fn wide(a: u64, b: u64) -> u128 {
    u128::from(a).saturating_mul(u128::from(b))
}

/// The facts of a finding that a rise makes.
pub(super) fn facts(finding: FindingId, rise: &Rise<'_>, whole: Option<u64>) -> Facts {
    let facts = Facts::new();
    let percent = || {
        let part = wide(rise.by, 100).checked_div(u128::from(whole.unwrap_or_default()));
        part.and_then(|percent| u64::try_from(percent).ok()).unwrap_or(100).min(100)
    };
    let per_second = || rise.by.checked_div(rise.seconds).unwrap_or(rise.by);
    match finding {
        FindingId::CpuSteal => facts.number(FactName::Percent, percent()),
        FindingId::CpuThrottled => facts.number(FactName::Percent, percent()).text(FactName::Unit, rise.key),
        FindingId::DbSlowRate => {
            let slow = wide(rise.by, 10).checked_div(u128::from(rise.seconds)).unwrap_or_default();
            facts.number(FactName::Count, u64::try_from(slow).unwrap_or(u64::MAX))
        }
        FindingId::DbTmpDisk => {
            facts.number(FactName::Percent, percent()).number(FactName::Rate, per_second())
        }
        FindingId::DiskLogGrowth => facts.text(FactName::File, rise.key).number(FactName::Size, rise.value),
        FindingId::MemSwapThrash => facts.number(FactName::Rate, per_second()),
        FindingId::NetErrs => facts.text(FactName::Name, rise.key).number(FactName::Percent, percent()),
        FindingId::SysPids => facts.text(FactName::Unit, rise.key).number(FactName::Count, rise.by),
        FindingId::DiskExt4Errors => facts.text(FactName::Name, rise.key).number(FactName::Count, rise.by),
        _ => facts.number(FactName::Count, rise.by),
    }
}

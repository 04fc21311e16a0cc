//! A judgement on its way to a finding: what was seen in one window, and what a mitigation needs to know of it.

use std::net::IpAddr;

use secmon_wire::ActionId;
use secmon_wire::diag::{
    FLOOD_SOURCES_MAX, FactName, Facts, Finding, FindingId, Flood, Severity, Source, Window,
};

use super::kept::Visitor;
use super::rates::{Tally, WINDOW};
use super::request::Kind;
use super::state::State;
use super::whose::{Guard, Shown};
use super::{Impact, Settings};

/// Of a flood's requests, the first three sources must have made so many for it to be theirs.
const FEW_PERCENT: u64 = 80;
const FEW: usize = 3;
/// Requests that failed because the server couldn't keep up, at least, and their share.
const FAILED_MIN: u32 = 5;
const FAILED_PERCENT: u64 = 2;
/// Busy workers from which on visitors notice.
const BUSY_PERCENT: u64 = 80;

/// A finding, and when it was so.
#[derive(Clone, Debug)]
pub(super) struct Verdict {
    pub(super) finding: Finding,
    /// The end of its window.
    pub(super) end: u64,
    pub(super) rate: u32,
}

/// Whether a flood does harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Harm {
    None,
    /// Requests wait.
    Waiting,
    /// Requests fail.
    Failing,
}

/// One window, as the rules see it.
#[derive(Debug)]
pub(super) struct Seen<'s> {
    pub(super) state: &'s State,
    pub(super) settings: &'s Settings<'s>,
    pub(super) shown: Shown,
    pub(super) harm: Harm,
    pub(super) end: u64,
}

/// What is said of a flood beside its numbers.
#[derive(Debug)]
pub(super) struct Charge {
    pub(super) id: FindingId,
    pub(super) facts: Facts,
    pub(super) rate: u32,
    pub(super) count: u32,
    pub(super) pattern: Option<secmon_wire::diag::Pattern>,
    pub(super) spared: u32,
    pub(super) since: u64,
    /// What helps against many sources; a few are blocked.
    pub(super) action: ActionId,
}

impl<'s> Seen<'s> {
    /// `now` says whether what other checks saw is about this window.
    pub(super) fn new(
        state: &'s State,
        settings: &'s Settings<'s>,
        shown: Shown,
        end: u64,
        now: bool,
    ) -> Self {
        let failed = [Tally::GaveUp, Tally::E502, Tally::E504, Tally::E503];
        let failed = failed.iter().filter(|tally| **tally != Tally::E503 || settings.apache);
        let failed = failed.fold(0_u32, |sum, tally| sum.saturating_add(state.rates.total(*tally as usize)));
        let all = state.rates.total(Tally::All as usize);
        let waiting = |impact: &Impact| {
            impact.php_queue > 0 || impact.busy_percent.is_some_and(|busy| busy >= BUSY_PERCENT)
        };
        let harm = if failed >= FAILED_MIN && percent(failed, all) >= FAILED_PERCENT {
            Harm::Failing
        } else if now
            && settings.now.is_none_or(|now| now <= end.saturating_add(WINDOW))
            && waiting(settings.impact)
        {
            Harm::Waiting
        } else {
            Harm::None
        };
        Self { state, settings, shown, harm, end }
    }

    pub(super) fn total(&self, kind: Kind) -> u32 {
        self.state.rates.total(kind as usize)
    }

    pub(super) fn spared(&self, kind: Kind) -> u32 {
        self.state.spared.get(kind as usize).copied().unwrap_or(0)
    }

    /// What PHP had to do in the window.
    pub(super) fn load(&self) -> u32 {
        Kind::LOAD.iter().fold(0, |sum, kind| sum.saturating_add(self.total(*kind)))
    }

    /// Visitors who may be accused; none where the log doesn't show them.
    pub(super) fn visitors(&self) -> impl Iterator<Item = &'s Visitor> {
        let shown = self.shown == Shown::Visitors;
        let state = self.state;
        let all = state.visitors.iter().filter(move |_| shown);
        all.filter_map(|(at, _)| state.visitor.get(at)).filter(|visitor| visitor.guard == Guard::Nobodys)
    }

    /// The severity of a flood: without harm it is only worth knowing.
    pub(super) const fn severity(&self) -> Severity {
        match self.harm {
            Harm::None => Severity::Info,
            Harm::Waiting => Severity::Warning,
            Harm::Failing => Severity::Critical,
        }
    }

    /// Accuses: `share` says how many of a visitor's requests belong to it.
    pub(super) fn accuse(&self, charge: Charge, share: &dyn Fn(&Visitor) -> u32) -> Verdict {
        let mut sources = heapless::Vec::<Source, FLOOD_SOURCES_MAX>::new();
        for visitor in self.visitors() {
            let source =
                Source { address: visitor.address, bits: bits(visitor.address), count: share(visitor) };
            insert(&mut sources, source);
        }
        let few = sources.iter().take(FEW).fold(0_u64, |sum, source| sum.saturating_add(source.count.into()));
        let theirs =
            few.saturating_mul(100) >= u64::from(charge.count).saturating_mul(FEW_PERCENT) && few > 0;
        let action = if theirs { ActionId::CfTargetedBlock } else { charge.action };
        let flood = Flood {
            count: charge.count.into(),
            error: self.state.visitors.bound(),
            pattern: charge.pattern,
            sources,
            spared: charge.spared.into(),
            window: Window { end: self.end, seconds: WINDOW as u32 },
        };
        let facts = charge.facts.number(FactName::Rate, charge.rate.into());
        let mut finding = Finding::new(charge.id, self.severity()).with(facts).flood(flood);
        finding.since = Some(charge.since).filter(|since| *since > 0);
        finding.action = Some(action).filter(|_| self.harm != Harm::None);
        Verdict { finding, end: self.end, rate: charge.rate }
    }

    /// How many different visitors sent requests of this kind.
    pub(super) fn sources(&self, kind: Kind) -> u64 {
        self.state.sources.get(kind as usize).map_or(0, super::distinct::Distinct::estimate)
    }

    pub(super) fn since(&self, kind: Kind) -> u64 {
        self.state.first.get(kind as usize).copied().unwrap_or(0)
    }
}

/// Keeps the largest, the smaller address first where two are as large.
fn insert(sources: &mut heapless::Vec<Source, FLOOD_SOURCES_MAX>, source: Source) {
    if source.count == 0 {
        return;
    }
    let at = sources
        .iter()
        .position(|kept| (source.count, kept.address) > (kept.count, source.address))
        .unwrap_or(sources.len());
    if sources.is_full() && at < sources.len() {
        sources.pop();
    }
    let _no_room_for_the_least = sources.insert(at, source);
}

/// Bits of a visitor's address that count.
pub(super) const fn bits(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 64,
    }
}

/// How many of a hundred.
pub(super) fn percent(part: u32, whole: u32) -> u64 {
    u64::from(part).saturating_mul(100).checked_div(whole.into()).unwrap_or(0)
}

/// Adds a verdict to those of other windows. The same thing is said once: as it was when it was worst, since it
/// began, and with the time when it was last so.
pub(super) fn merge(verdicts: &mut Vec<Verdict>, new: Verdict) {
    let same = verdicts.iter_mut().find(|old| is_same(&old.finding, &new.finding));
    let Some(old) = same else {
        if verdicts.len() < VERDICTS_MAX {
            verdicts.push(new);
        }
        return;
    };
    let since = [old.finding.since, new.finding.since].into_iter().flatten().min();
    let end = old.end.max(new.end);
    if (new.finding.severity, new.rate) >= (old.finding.severity, old.rate) {
        *old = new;
    }
    (old.finding.since, old.end) = (since, end);
}

/// Different things that are said of one log.
const VERDICTS_MAX: usize = 64;

fn is_same(a: &Finding, b: &Finding) -> bool {
    a.id == b.id
        && a.facts.get(FactName::Address) == b.facts.get(FactName::Address)
        && a.facts.get(FactName::UserAgent) == b.facts.get(FactName::UserAgent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_kept_by_falling_count_and_the_least_gives_way() {
        let mut sources = heapless::Vec::new();
        for n in 0..100_u32 {
            let address = IpAddr::from([198, 51, 100, n as u8]);
            insert(&mut sources, Source { address, bits: 32, count: n * 7 % 101 });
        }
        let counts: Vec<u32> = sources.iter().map(|source| source.count).collect();
        assert_eq!(counts.len(), FLOOD_SOURCES_MAX);
        assert!(counts.is_sorted_by(|a, b| a >= b));
        assert_eq!(counts.first(), Some(&100));
    }

    #[test]
    fn the_same_thing_of_two_windows_is_said_once_as_it_was_at_its_worst() {
        let of = |severity, since, end, rate| Verdict {
            finding: Finding::new(FindingId::FloodXmlrpc, severity).since(since),
            end,
            rate,
        };
        let mut all = Vec::new();
        merge(&mut all, of(Severity::Critical, 100, 300, 50));
        merge(&mut all, of(Severity::Info, 301, 600, 90));
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].finding.severity, Severity::Critical);
        assert_eq!((all[0].finding.since, all[0].end, all[0].rate), (Some(100), 600, 50));
        let mut other = of(Severity::Info, 301, 600, 90);
        other.finding = other.finding.with(Facts::new().text(FactName::Address, "192.0.2.1"));
        merge(&mut all, other);
        assert_eq!(all.len(), 2);
    }
}

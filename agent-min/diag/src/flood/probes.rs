//! Searches for weak spots, false crawlers, and passwords that are tried: what single visitors do beside floods.

use std::net::IpAddr;

use secmon_wire::ActionId;
use secmon_wire::diag::{FactName, Facts, Finding, FindingId, Pattern, PatternField, Severity};

use super::agent::Crawler;
use super::kept::Visitor;
use super::kinds::{baseline, exceeds, top_path};
use super::request::Kind;
use super::state::State;
use super::verdict::{Charge, Seen, Verdict, percent};

/// Different paths in a window that nobody asks for by chance.
const PATHS_MIN: u64 = 20;
/// Scanners that are named in one window.
const SCANNERS_MAX: usize = 3;
/// Missing pages in one second from which on it is no search any more.
const BURST: u32 = 30;
const MISSING_FLOOR: u32 = 60;
/// What is normal at most: old links, and background noise.
const MISSING_NORMAL: u32 = 12;
/// A crawler's requests in a window from which on it is checked.
const CRAWLED_MIN: u32 = 20;
const FAILURES_MIN: u32 = 10;
const SLOW_SOURCES: u64 = 50;
const SLOW_TRIES_EACH: u64 = 3;

/// What is known of an address that claims to be a search engine's crawler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Identity {
    Real,
    False,
    /// The name servers don't say.
    Unknown,
}

/// Judges what isn't there: searches, and floods of it.
pub(super) fn missing(seen: &Seen<'_>, found: &mut dyn FnMut(Kind, Verdict)) {
    let burst = seen.state.missing_burst >= BURST;
    let paths = |visitor: &Visitor| visitor.probes.estimate();
    let mut scanners: Vec<&Visitor> = seen.visitors().filter(|visitor| paths(visitor) >= PATHS_MIN).collect();
    scanners.sort_by_key(|visitor| (std::cmp::Reverse(paths(visitor)), visitor.address));
    let all: u64 = scanners.iter().map(|visitor| paths(visitor)).fold(0, u64::saturating_add);
    // A page that names what isn't there sends each of its readers to the same places.
    let is_theme =
        scanners.len() > SCANNERS_MAX && all >= seen.state.missing_paths.estimate().saturating_mul(2);
    if is_theme || burst {
        scanners.clear();
    }
    for scanner in scanners.iter().take(SCANNERS_MAX) {
        found(Kind::Missing, scan(seen, scanner));
    }
    let theirs =
        scanners.iter().map(|visitor| count(visitor, Kind::MissingPage)).fold(0, u32::saturating_add);
    let pages = seen.total(Kind::MissingPage);
    let rest = pages.saturating_sub(theirs);
    let both = [Kind::MissingPage as usize, Kind::Missing as usize];
    let (rate, floods) = if burst {
        (seen.state.rates.rate(&both), both.as_slice())
    } else {
        let rate =
            u64::from(seen.state.rates.rate(&[Kind::MissingPage as usize])).saturating_mul(rest.into());
        let rate = rate.checked_div(pages.into()).unwrap_or(0);
        (u32::try_from(rate).unwrap_or(u32::MAX), &both[..1])
    };
    let usual = baseline(seen, Kind::MissingPage as usize, MISSING_NORMAL);
    if !exceeds(rate, MISSING_FLOOR, usual) {
        return;
    }
    let count_of = |visitor: &Visitor| {
        let counts = floods.iter().filter_map(|kind| visitor.by_kind.get(*kind));
        counts.fold(0_u32, |sum, count| sum.saturating_add(*count))
    };
    let path = top_path(seen, Kind::MissingPage).filter(|note| percent(note.by_kind[2], rest) >= 80);
    let total = floods.iter().fold(0_u32, |sum, kind| sum.saturating_add(seen.state.rates.total(*kind)));
    let charge = Charge {
        id: FindingId::Flood404Dyn,
        facts: Facts::new().number(FactName::Sources, seen.sources(Kind::MissingPage)),
        rate,
        count: total.saturating_sub(theirs),
        pattern: path.and_then(|note| Pattern::new(PatternField::Path, note.text.whole()?)),
        spared: seen.spared(Kind::MissingPage).saturating_add(seen.total(Kind::Crawled)),
        since: seen.since(Kind::MissingPage).max(seen.since(Kind::Missing)),
        action: ActionId::CfPatternBlock,
    };
    let is_scanner = |visitor: &Visitor| scanners.iter().any(|scanner| scanner.address == visitor.address);
    let share = |visitor: &Visitor| if is_scanner(visitor) { 0 } else { count_of(visitor) };
    found(Kind::MissingPage, seen.accuse(charge, &share));
}

fn scan(seen: &Seen<'_>, scanner: &Visitor) -> Verdict {
    let made = |visitor: &Visitor| {
        if visitor.address != scanner.address {
            return 0;
        }
        count(visitor, Kind::Missing).saturating_add(count(visitor, Kind::MissingPage))
    };
    let requests = made(scanner);
    let facts = Facts::new()
        .text(FactName::Address, &scanner.address.to_string())
        .number(FactName::Count, scanner.probes.estimate().min(requests.into()));
    let charge = Charge {
        id: FindingId::Scan404,
        facts,
        rate: scanner.pace.peak.max(requests.min(seen.state.rates.rate(&[Kind::Missing as usize]))),
        count: requests,
        pattern: None,
        spared: 0,
        since: seen.since(Kind::Missing).max(seen.since(Kind::MissingPage)),
        action: ActionId::CfTargetedBlock,
    };
    seen.accuse(charge, &made)
}

/// Judges those who claim to be a search engine's crawler and aren't.
pub(super) fn crawlers(
    seen: &Seen<'_>,
    identify: &mut dyn FnMut(IpAddr, Crawler) -> Identity,
    found: &mut dyn FnMut(Verdict),
) {
    for visitor in seen.visitors() {
        let crawled = count(visitor, Kind::Crawled);
        let Some(claim) = visitor.claims.filter(|_| crawled >= CRAWLED_MIN) else { continue };
        if identify(visitor.address, claim) != Identity::False {
            continue;
        }
        let facts = Facts::new()
            .text(FactName::Address, &visitor.address.to_string())
            .text(FactName::What, claim.name());
        let charge = Charge {
            id: FindingId::FakeBot,
            facts,
            rate: visitor.pace.peak.min(crawled),
            count: crawled,
            pattern: None,
            spared: seen.total(Kind::Crawled).saturating_sub(crawled),
            since: seen.since(Kind::Crawled),
            action: ActionId::CfTargetedBlock,
        };
        let share = |other: &Visitor| if other.address == visitor.address { crawled } else { 0 };
        found(seen.accuse(charge, &share));
    }
}

/// Somebody who got in after many failures.
pub(super) fn broken_in(seen: &Seen<'_>) -> Option<Verdict> {
    let (address, failures, when) =
        seen.state.broke_in.filter(|(_, failures, _)| *failures >= FAILURES_MIN)?;
    let facts =
        Facts::new().number(FactName::Count, failures.into()).text(FactName::Address, &address.to_string());
    let finding = Finding::new(FindingId::FloodLoginSuccess, Severity::Warning).with(facts).since(when);
    Some(Verdict { finding, end: seen.end, rate: failures })
}

/// Many who try a few passwords each, over the hour that ends at `end`.
pub(super) fn slow_logins(state: &State, end: u64) -> Option<Verdict> {
    let sources = state.login_sources.estimate();
    let tries = u64::from(state.logins);
    // Members who mistype are many, too, and most of them get in.
    if sources < SLOW_SOURCES
        || tries > sources.saturating_mul(SLOW_TRIES_EACH)
        || u64::from(state.got_in) >= tries
    {
        return None;
    }
    let facts = Facts::new().number(FactName::Sources, sources).number(FactName::Count, tries);
    let finding = Finding::new(FindingId::FloodLoginSlow, Severity::Info).with(facts);
    Some(Verdict { finding, end, rate: state.logins })
}

fn count(visitor: &Visitor, kind: Kind) -> u32 {
    visitor.by_kind.get(kind as usize).copied().unwrap_or(0)
}

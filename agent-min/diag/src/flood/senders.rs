//! Floods that only show in who sends the requests: one visitor, a network, a program, many; and the crowds that are
//! none.

use secmon_wire::ActionId;
use secmon_wire::diag::{FactName, Facts, Finding, FindingId, Pattern, PatternField, Severity, Source};

use super::agent::Agent;
use super::kept::{AgentNote, Network, Visitor, is_page};
use super::kinds::{TIMES_BASELINE, baseline, exceeds};
use super::rates::Tally;
use super::request::Kind;
use super::state::State;
use super::verdict::{Charge, Harm, Seen, Verdict, percent};

/// The share of the load from which on one visitor, or one crawler, makes a large part of it.
const SHARE_PERCENT: u64 = 30;
const TOP: usize = 10;
/// Programs behind one address that are more than one household has.
const MANY_BROWSERS: u32 = 5;

/// Requests in a minute that PHP works for, below which nothing is a flood.
#[derive(Clone, Copy, Debug)]
struct Floors {
    /// Of all.
    all: u32,
    /// Of one visitor who makes a large part of the load, and of a crowd that is worth a line.
    share: u32,
    /// Of a program that is no browser.
    tool: u32,
}

impl Floors {
    const fn of(all: u32) -> Self {
        Self { all, share: all / 2, tool: all / 4 }
    }

    const fn seen(seen: &Seen<'_>) -> Self {
        Self::of(seen.settings.floor)
    }
}

/// What is left to explain: the kinds that no flood of their own was found in.
#[derive(Debug)]
struct Rest {
    kinds: Vec<usize>,
    total: u32,
    rate: u32,
    baseline: Option<u32>,
}

impl Rest {
    fn new(seen: &Seen<'_>, flooded: &[Kind]) -> Self {
        let kinds = Kind::LOAD.iter().filter(|kind| is_rest(**kind) && !flooded.contains(kind));
        let kinds: Vec<usize> = kinds.map(|kind| *kind as usize).collect();
        let total = kinds.iter().fold(0_u32, |sum, kind| sum.saturating_add(seen.state.rates.total(*kind)));
        let baseline =
            kinds.iter().filter_map(|kind| seen.state.rates.baseline(*kind)).reduce(u32::saturating_add);
        Self { rate: seen.state.rates.rate(&kinds), total, baseline, kinds }
    }

    /// How many of a visitor's requests are in it.
    fn of(&self, visitor: &Visitor) -> u32 {
        let counts = self.kinds.iter().filter_map(|kind| visitor.by_kind.get(*kind));
        counts.fold(0, |sum, count| sum.saturating_add(*count))
    }
}

pub(super) const fn is_rest(kind: Kind) -> bool {
    is_page(kind) || matches!(kind, Kind::Bust | Kind::Facet | Kind::Search)
}

/// Judges who sends what no kind of its own explains: the narrowest answer only.
pub(super) fn judge(seen: &Seen<'_>, flooded: &[Kind]) -> Option<Verdict> {
    let rest = Rest::new(seen, flooded);
    // Where nothing is known of before and nothing is harmed, the log has only just begun.
    let known = |history: bool| Some(()).filter(|()| history || seen.harm != Harm::None);
    known(seen.state.rates.has_history())
        .and_then(|()| subnet(seen, &rest).or_else(|| single(seen, &rest)))
        .or_else(|| known(rest.baseline.is_some()).and_then(|()| by_agent(seen, &rest)))
        .or_else(|| many(seen, &rest))
}

/// Remembers who is always there, but for those who were accused.
pub(super) fn remember(state: &mut State, accused: &[Source], floor: u32) {
    let least = Floors::of(floor).share / TIMES_BASELINE;
    let is_accused = |address| accused.iter().any(|source| source.address == address);
    for at in 0..state.visitor.len() {
        let Some(visitor) = state.visitors.get(at).and_then(|_| state.visitor.get(at)) else { break };
        if visitor.pace.peak >= least && !is_accused(visitor.address) {
            let (hash, peak) = (state.hash_address(visitor.address), visitor.pace.peak);
            state.remember(hash, peak);
        }
    }
    for at in 0..state.network.len() {
        let Some(network) = state.networks.get(at).and_then(|_| state.network.get(at)) else { break };
        let accused = accused.iter().any(|source| super::whose::network(source.address) == network.address);
        if network.pace.peak >= least && !accused {
            let (hash, peak) = (state.hash_address(network.address), network.pace.peak);
            state.remember(!hash, peak);
        }
    }
}

fn single(seen: &Seen<'_>, rest: &Rest) -> Option<Verdict> {
    let mut most = [0_u32; TOP];
    for visitor in seen.visitors() {
        let count = rest.of(visitor);
        if let Some(least) = most.iter_mut().min().filter(|least| **least < count) {
            *least = count;
        }
    }
    most.sort_unstable();
    let there = most.iter().filter(|count| **count > 0).count();
    let median = most.get(TOP.saturating_sub(there).saturating_add(there / 2)).copied().unwrap_or(0);
    let (load, floors) = (seen.load(), Floors::seen(seen));
    let is_flood = |visitor: &&Visitor| {
        let count = rest.of(visitor);
        let rate = visitor.pace.peak.min(count);
        let large = percent(count, load) >= SHARE_PERCENT && count >= median.saturating_mul(TIMES_BASELINE);
        let before = seen.state.known(seen.state.hash_address(visitor.address));
        exceeds(rate, if large { floors.share } else { floors.all }, Some(before))
            && !is_browsing(visitor, count)
    };
    let top = seen.visitors().filter(is_flood).max_by_key(|visitor| rest.of(visitor))?;
    // Others who do the same belong to it; many small ones are somebody else.
    let least = rest.total / 10;
    let share = |visitor: &Visitor| Some(rest.of(visitor)).filter(|n| *n >= least && *n > 0).unwrap_or(0);
    let count = seen.visitors().map(&share).fold(0_u32, u32::saturating_add);
    let facts = Facts::new()
        .text(FactName::Address, &top.address.to_string())
        .number(FactName::Percent, percent(rest.of(top), load));
    Some(seen.accuse(
        charge(seen, FindingId::FloodSingleIp, facts, top.pace.peak, count, ActionId::CfTargetedBlock),
        &share,
    ))
}

/// Whoever fetches the pictures, too, has a screen: a household, somebody at work, or an office with many browsers,
/// which have most of the files from before.
fn is_browsing(visitor: &Visitor, count: u32) -> bool {
    let pages_for_a_file = if visitor.agents.count_ones() >= MANY_BROWSERS { 10 } else { 2 };
    visitor
        .by_kind
        .get(Kind::Asset as usize)
        .is_some_and(|assets| assets.saturating_mul(pages_for_a_file) >= count)
}

fn subnet(seen: &Seen<'_>, rest: &Rest) -> Option<Verdict> {
    let inside =
        |network: &Network, visitor: &Visitor| super::whose::network(visitor.address) == network.address;
    let of = |network: &Network| -> (u32, u32, u32) {
        let members = seen.visitors().filter(|visitor| inside(network, visitor));
        members.fold((0, 0, 0), |(sum, most, assets), visitor| {
            let count = rest.of(visitor);
            let files = visitor.by_kind.get(Kind::Asset as usize).copied().unwrap_or(0);
            (sum.saturating_add(count), most.max(count), assets.saturating_add(files))
        })
    };
    let networks = seen.state.networks.iter().filter_map(|(at, _)| seen.state.network.get(at));
    let is_flood = |network: &&Network| {
        let (sum, most, assets) = of(network);
        let before = seen.state.known(!seen.state.hash_address(network.address));
        exceeds(network.pace.peak.min(sum), Floors::seen(seen).all, Some(before))
            && network.members.estimate() >= 3
            && most.saturating_mul(2) < sum
            && assets.saturating_mul(2) < sum
    };
    let top = networks.filter(is_flood).max_by_key(|network| network.load)?;
    let (sum, _, _) = of(top);
    let bits = if top.address.is_ipv4() { 24 } else { 48 };
    let facts = Facts::new()
        .text(FactName::Address, &format!("{}/{bits}", top.address))
        .number(FactName::Sources, top.members.estimate());
    let charge = charge(seen, FindingId::FloodSubnet, facts, top.pace.peak, sum, ActionId::CfTargetedBlock);
    let mut verdict = seen.accuse(charge, &|visitor| if inside(top, visitor) { rest.of(visitor) } else { 0 });
    if let Some(flood) = &mut verdict.finding.flood {
        // The network is the source: its addresses change.
        flood.sources.clear();
        let _room = flood.sources.push(Source { address: top.address, bits, count: sum });
    }
    Some(verdict)
}

fn by_agent(seen: &Seen<'_>, rest: &Rest) -> Option<Verdict> {
    let pages = [Kind::Page as usize, Kind::Api as usize, Kind::Post as usize];
    let total = pages.iter().fold(0_u32, |sum, kind| sum.saturating_add(seen.state.rates.total(*kind)));
    let rate = seen.state.rates.rate(&pages);
    let notes = || seen.state.agents.iter().filter_map(|(at, _)| seen.state.agent.get(at));
    let one = notes().filter(|note| matches!(note.agent, Agent::Other | Agent::Tool)).find(|note| {
        exceeds(rate, Floors::seen(seen).all, rest.baseline)
            && note.pages.saturating_mul(2) >= total
            && note.sources.estimate() >= 20
            && note.assets.saturating_mul(10) < note.pages
    });
    let tool_rate = seen.state.rates.rate(&[Tally::Tool as usize]);
    let usual = baseline(seen, Tally::Tool as usize, u32::MAX);
    let tool = || {
        let tools = notes().filter(|note| note.agent == Agent::Tool);
        tools.max_by_key(|note| note.pages).filter(|_| exceeds(tool_rate, Floors::seen(seen).tool, usual))
    };
    let (note, rate) = one.map(|note| (note, rate)).or_else(|| Some((tool()?, tool_rate)))?;
    let name = if note.text.start().is_empty() { "-".into() } else { note.text.start() };
    let facts = Facts::new()
        .text(FactName::UserAgent, &name)
        .number(FactName::Percent, percent(note.pages, seen.load()))
        .number(FactName::Sources, note.sources.estimate());
    let mut charge = charge(seen, FindingId::FloodUa, facts, rate, note.pages, ActionId::CfPatternBlock);
    charge.pattern = note.text.whole().and_then(|text| Pattern::new(PatternField::UserAgent, text));
    // Which of the visitors used it isn't kept: only one who made nearly all of it is known to be a source.
    let most = note.pages.saturating_mul(9) / 10;
    Some(seen.accuse(charge, &|visitor| Some(rest.of(visitor)).filter(|count| *count >= most).unwrap_or(0)))
}

/// A flood without a single source, or a crowd.
fn many(seen: &Seen<'_>, rest: &Rest) -> Option<Verdict> {
    let usual = rest.baseline?;
    if !exceeds(rest.rate, Floors::seen(seen).share, Some(usual)) {
        return None;
    }
    let largest = seen.visitors().map(|visitor| rest.of(visitor)).max().unwrap_or(0);
    let assets = seen.state.rates.in_peak(&rest.kinds, Kind::Asset as usize);
    let usual_assets = seen.state.rates.baseline(Kind::Asset as usize).unwrap_or(0);
    // Files for each hundred pages: of what has been added now, and before.
    let added = (assets.saturating_sub(usual_assets), rest.rate.saturating_sub(usual));
    let (files, usual_files) = (percent(added.0, added.1), percent(usual_assets, usual.max(1)));
    let sources = seen.sources(Kind::Page);
    let facts = Facts::new().number(FactName::Sources, sources).number(FactName::Baseline, usual.into());
    let seen_all = seen.state.rates.total(Tally::Seen as usize);
    let well = percent(seen.state.rates.total(Tally::Well as usize), seen_all);
    let crowd = files.saturating_mul(2) >= usual_files
        && (files >= 50 || usual_files < 50)
        && well > 95
        && u64::from(seen_all) <= sources.saturating_mul(30);
    if crowd && files >= 20 {
        let facts = facts.number(FactName::Rate, rest.rate.into());
        let finding =
            Finding::new(FindingId::BenignSurge, Severity::Info).with(facts).since(seen.since(Kind::Page));
        return Some(Verdict { finding, end: seen.end, rate: rest.rate });
    }
    // Where the edge keeps the files, their absence says nothing; harm does.
    let bare = files < 20 && (usual_files >= 40 || seen.harm != Harm::None);
    let spread = percent(largest, rest.total) <= 5 && sources >= 20;
    if rest.rate < Floors::seen(seen).all || !bare || !spread {
        return None;
    }
    let charge =
        charge(seen, FindingId::FloodDistributed, facts, rest.rate, rest.total, ActionId::CfUnderAttack);
    Some(seen.accuse(charge, &|visitor| rest.of(visitor)))
}

fn charge(seen: &Seen<'_>, id: FindingId, facts: Facts, rate: u32, count: u32, action: ActionId) -> Charge {
    let spared = seen.state.spared.iter().fold(seen.total(Kind::Crawled), |sum, n| sum.saturating_add(*n));
    Charge { id, facts, rate, count, pattern: None, spared, since: seen.since(Kind::Page), action }
}

/// Crawlers that make a large part of the load, or fill carts.
pub(super) fn harvesters(seen: &Seen<'_>) -> Option<Verdict> {
    let rate = seen.state.rates.rate(&[Kind::Harvested as usize]);
    let harvested = seen.total(Kind::Harvested);
    let notes = seen.state.agents.iter().filter_map(|(at, _)| seen.state.agent.get(at));
    let top = notes.filter(|note| matches!(note.agent, Agent::Harvester(_))).max_by_key(|note| note.load)?;
    let Agent::Harvester(which) = top.agent else { return None };
    let name = super::agent::CRAWLERS.get(usize::from(which)).copied().unwrap_or_default();
    let is_same = |note: &&AgentNote| note.agent == top.agent;
    let notes = seen.state.agents.iter().filter_map(|(at, _)| seen.state.agent.get(at));
    let (load, carts) = notes.filter(is_same).fold((0_u32, 0_u32), |(load, carts), note| {
        (load.saturating_add(note.load), carts.saturating_add(note.carts))
    });
    let share = percent(load, seen.load());
    let carts_by_rate = u64::from(carts).saturating_mul(rate.into());
    let cart_rate = carts_by_rate.checked_div(harvested.into()).unwrap_or(0);
    if !(share >= SHARE_PERCENT && rate >= Floors::seen(seen).tool) && cart_rate < 10 {
        return None;
    }
    let facts = Facts::new().text(FactName::UserAgent, name).number(FactName::Percent, share);
    let mut charge = charge(seen, FindingId::CrawlAi, facts, rate, load, ActionId::CfRateLimit);
    charge.spared = 0;
    charge.since = seen.since(Kind::Harvested);
    charge.pattern = top.text.whole().and_then(|text| Pattern::new(PatternField::UserAgent, text));
    let of = |visitor: &Visitor| visitor.by_kind.get(Kind::Harvested as usize).copied().unwrap_or(0);
    let mut verdict = seen.accuse(charge, &of);
    // Its addresses change, its name doesn't.
    verdict.finding.action = verdict.finding.action.map(|_| ActionId::CfRateLimit);
    Some(verdict)
}

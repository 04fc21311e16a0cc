//! Floods of one kind of request: the rules' table, and what makes each more than a number.

use secmon_wire::ActionId;
use secmon_wire::diag::{FactName, Facts, FindingId, Pattern, PatternField};

use super::kept::{KeyNote, PathNote, column};
use super::request::Kind;
use super::state::State;
use super::verdict::{Charge, Harm, Seen, Verdict, percent};

/// One kind's rule.
#[derive(Debug)]
struct Rule {
    id: FindingId,
    kind: Kind,
    /// Requests in a minute below which it is none.
    floor: u32,
    /// The most that the log's own earlier minutes may excuse: a site has no more of it when it is well. Without a
    /// bound, an attack that is older than the log would be the normal state.
    normal_max: u32,
    /// Requests from one visitor in the window that are enough as well.
    one_visitor: u32,
    action: ActionId,
    /// How its path ends, if it has one.
    path: &'static str,
}

/// No bound: machines that belong to the site can send any number.
const ANY: u32 = u32::MAX;
const NEVER: u32 = u32::MAX;
/// Where a log may show so much of it without an attack, a site may have more of it every day.
const SOME: u32 = 5;
/// Passwords that nobody types in ten seconds.
const TYPED_MAX: u32 = 6;
/// How many times the baseline a flood is.
pub(super) const TIMES_BASELINE: u32 = 5;

const RULES: &[Rule] = &[
    Rule {
        id: FindingId::FloodXmlrpc,
        kind: Kind::Xmlrpc,
        floor: 20,
        normal_max: 4,
        one_visitor: 6,
        action: ActionId::CfPatternBlock,
        path: "/xmlrpc.php",
    },
    Rule {
        id: FindingId::FloodLogin,
        kind: Kind::Login,
        floor: 30,
        normal_max: 2,
        one_visitor: 10,
        action: ActionId::CfManagedChallenge,
        path: "/wp-login.php",
    },
    Rule {
        id: FindingId::FloodSearch,
        kind: Kind::Search,
        floor: 30,
        normal_max: 5,
        one_visitor: NEVER,
        action: ActionId::CfManagedChallenge,
        path: "",
    },
    Rule {
        id: FindingId::FloodCachebust,
        kind: Kind::Bust,
        floor: 60,
        normal_max: ANY,
        one_visitor: NEVER,
        action: ActionId::CfManagedChallenge,
        path: "",
    },
    Rule {
        id: FindingId::FloodFacet,
        kind: Kind::Facet,
        floor: 60,
        normal_max: 12,
        one_visitor: NEVER,
        action: ActionId::CfManagedChallenge,
        path: "",
    },
    Rule {
        id: FindingId::FloodPost,
        kind: Kind::Post,
        floor: 60,
        normal_max: ANY,
        one_visitor: NEVER,
        action: ActionId::CfManagedChallenge,
        path: "",
    },
    Rule {
        id: FindingId::FloodAjax,
        kind: Kind::Ajax,
        floor: 300,
        normal_max: 60,
        one_visitor: 60,
        action: ActionId::CfRateLimit,
        path: "/admin-ajax.php",
    },
    Rule {
        id: FindingId::FloodWpcron,
        kind: Kind::Cron,
        floor: 10,
        normal_max: 2,
        one_visitor: NEVER,
        action: ActionId::CfPatternBlock,
        path: "/wp-cron.php",
    },
];

/// Floods of each kind, and the kinds.
pub(super) fn judge(seen: &Seen<'_>, found: &mut dyn FnMut(Kind, Verdict)) {
    for rule in RULES {
        if let Some(verdict) = apply(seen, rule) {
            found(rule.kind, verdict);
        }
    }
}

fn apply(seen: &Seen<'_>, rule: &Rule) -> Option<Verdict> {
    let total = seen.total(rule.kind);
    let rate = seen.state.rates.rate(&[rule.kind as usize]);
    let baseline = baseline(seen, rule.kind as usize, rule.normal_max);
    let by_all = exceeds(rate, rule.floor, baseline) && total >= rule.floor / 2;
    if !by_all && !by_one_visitor(seen, rule) || !is_one(seen, rule.kind, total) {
        return None;
    }
    let mut facts = Facts::new().number(FactName::Sources, seen.sources(rule.kind));
    if let Some(baseline) = baseline {
        facts = facts.number(FactName::Baseline, baseline.into());
    }
    let path = if rule.path.is_empty() { top_path(seen, rule.kind) } else { path_ending(seen, rule.path) };
    if let Some(path) = path {
        facts = facts.text(FactName::Path, &path.text.start());
    }
    let charge = Charge {
        id: rule.id,
        facts,
        rate,
        count: total,
        pattern: pattern(seen, rule.kind, total, path),
        spared: seen.spared(rule.kind),
        since: seen.since(rule.kind),
        action: if has_one_shape(seen, rule.kind) { ActionId::CfPatternBlock } else { rule.action },
    };
    Some(seen.accuse(charge, &|visitor| visitor.by_kind.get(rule.kind as usize).copied().unwrap_or(0)))
}

/// The rule's floor, and five times what is normal.
pub(super) fn exceeds(rate: u32, floor: u32, baseline: Option<u32>) -> bool {
    rate >= floor && rate >= baseline.unwrap_or(0).saturating_mul(TIMES_BASELINE)
}

/// What is normal for the site, by what the log shows of the time before.
pub(super) fn baseline(seen: &Seen<'_>, tally: usize, most: u32) -> Option<u32> {
    seen.state.rates.baseline(tally).map(|own| own.min(most))
}

/// The rates of the open window that a site may have every day, for those who know the days before: by the finding
/// that they would be. That of the pages is always there.
pub(super) fn rates(state: &State, found: &mut dyn FnMut(FindingId, u32)) {
    let pages = Kind::LOAD.iter().filter(|kind| super::senders::is_rest(**kind));
    let pages: Vec<usize> = pages.map(|kind| *kind as usize).collect();
    found(FindingId::FloodDistributed, state.rates.rate(&pages));
    for rule in RULES.iter().filter(|rule| rule.normal_max >= SOME) {
        found(rule.id, state.rates.rate(&[rule.kind as usize]));
    }
}

fn by_one_visitor(seen: &Seen<'_>, rule: &Rule) -> bool {
    seen.visitors().any(|visitor| {
        let count = visitor.by_kind.get(rule.kind as usize).copied().unwrap_or(0);
        match rule.kind {
            // A school behind one address forgets passwords, too, but most of it gets in.
            Kind::Login if count <= visitor.by_kind.get(Kind::LoginOk as usize).copied().unwrap_or(0) => {
                false
            }
            // Nobody types that fast.
            Kind::Login if visitor.tries.peak >= TYPED_MAX => true,
            Kind::Ajax => count.min(visitor.pace.peak) >= rule.one_visitor,
            _ => count >= rule.one_visitor,
        }
    })
}

/// Whether so many requests of this kind are a flood, and not what a site's own machines or shoppers do.
fn is_one(seen: &Seen<'_>, kind: Kind, total: u32) -> bool {
    // What an estimate may be too low by is granted.
    let distinct = |which: usize, least: u64| {
        let distinct = seen.state.variables.get(which).map_or(0, super::distinct::Distinct::estimate);
        distinct.saturating_mul(100) >= u64::from(total).saturating_mul(least.saturating_sub(5))
    };
    match kind {
        Kind::Search => distinct(0, 80) && !of_people(seen, kind),
        Kind::Bust => {
            distinct(1, 90)
                && on_few_paths(seen, total)
                && is_new(seen, kind, total)
                && !of_people(seen, kind)
        }
        Kind::Facet => distinct(2, 90) && !of_people(seen, kind),
        Kind::Post => is_new(seen, kind, total) && !of_people(seen, kind),
        // Where most get in, the others have forgotten their passwords.
        Kind::Login => total > seen.total(Kind::LoginOk),
        _ => true,
    }
}

/// Whether it does harm; or else wasn't there before, as far as that is known, and is not what one program does.
fn is_new(seen: &Seen<'_>, kind: Kind, total: u32) -> bool {
    seen.harm != Harm::None
        || seen.state.rates.baseline(kind as usize).is_some() && !of_one_machine(seen, total)
}

/// Whether most of it comes from those who fetch the pictures, too: shoppers who filter, readers whose visit a
/// program for statistics counts.
fn of_people(seen: &Seen<'_>, kind: Kind) -> bool {
    let (mut all, mut theirs) = (0_u32, 0_u32);
    for visitor in seen.visitors() {
        let of = |kind: Kind| visitor.by_kind.get(kind as usize).copied().unwrap_or(0);
        all = all.saturating_add(of(kind));
        theirs = theirs.saturating_add(if of(Kind::Asset) >= of(kind) { of(kind) } else { 0 });
    }
    theirs > all / 2
}

fn on_few_paths(seen: &Seen<'_>, total: u32) -> bool {
    let mut most = [0_u32; 3];
    for (at, _) in seen.state.paths.iter() {
        let count = seen.state.path.get(at).map_or(0, |note| note.by_kind[0]);
        if let Some(least) = most.iter_mut().min()
            && *least < count
        {
            *least = count;
        }
    }
    percent(most.iter().sum(), total) >= 80
}

/// Whether nearly all of it comes from one program that doesn't even claim to be a browser: a tracker, an app.
fn of_one_machine(seen: &Seen<'_>, total: u32) -> bool {
    seen.state.agents.iter().filter_map(|(at, _)| seen.state.agent.get(at)).any(|note| {
        let counts = if note.busts > 0 { note.busts } else { note.pages };
        percent(counts, total) >= 90 && !note.text.start().starts_with("Mozilla/")
    })
}

/// Whether one regular expression matches the query: keys of 7 to 12 digits, each another.
fn has_one_shape(seen: &Seen<'_>, kind: Kind) -> bool {
    let (mut all, mut digits) = (0_u32, 0_u32);
    for note in notes(seen).filter(|note| kind == Kind::Bust && note.by_kind[0] > 0) {
        let text = note.text.start();
        let shaped = (7..=12).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        all = all.saturating_add(1);
        digits = digits.saturating_add(u32::from(shaped));
    }
    all >= 3 && percent(digits, all) >= 90
}

fn notes<'s>(seen: &Seen<'s>) -> impl Iterator<Item = &'s KeyNote> {
    let state = seen.state;
    state.keys.iter().filter_map(|(at, _)| state.key.get(at))
}

/// What the requests have in common.
fn pattern(seen: &Seen<'_>, kind: Kind, total: u32, path: Option<&PathNote>) -> Option<Pattern> {
    if kind == Kind::Search {
        return Pattern::new(PatternField::QueryKey, "s");
    }
    if let (Kind::Bust | Kind::Facet, Some(column)) = (kind, column(kind)) {
        let count = |note: &KeyNote| note.by_kind.get(column).copied().unwrap_or(0);
        let top = notes(seen).max_by_key(|note| count(note)).filter(|note| percent(count(note), total) >= 80);
        if let Some(pattern) = top.and_then(|note| Pattern::new(PatternField::QueryKey, note.text.whole()?)) {
            return Some(pattern);
        }
    }
    Pattern::new(PatternField::Path, path?.text.whole()?)
}

/// The path with the most requests of this kind.
pub(super) fn top_path<'s>(seen: &Seen<'s>, kind: Kind) -> Option<&'s PathNote> {
    let column = column(kind)?;
    let state = seen.state;
    let notes = state.paths.iter().filter_map(|(at, _)| state.path.get(at));
    notes
        .max_by_key(|note| note.by_kind.get(column).copied())
        .filter(|note| note.by_kind.get(column) > Some(&0))
}

/// The path with this ending that was asked for most.
fn path_ending<'s>(seen: &Seen<'s>, ending: &str) -> Option<&'s PathNote> {
    let state = seen.state;
    let named = state.paths.iter().filter_map(|(at, key)| Some((key.at_least(), state.path.get(at)?)));
    let named = named.filter(|(_, note)| note.text.whole().is_some_and(|path| path.ends_with(ending)));
    named.max_by_key(|(count, _)| *count).map(|(_, note)| note)
}

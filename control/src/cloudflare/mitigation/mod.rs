//! What to do against a flood: from an action, a zone and a finding to the changes. Pure: nothing is sent here, and
//! nobody's free text decides.

mod evidence;
mod rate;
mod unfit;

use secmon_wire::ActionId;
use secmon_wire::diag::{Finding, FindingId, Flood, Severity};
use serde::{Deserialize, Serialize};

use self::evidence::{Accused, Matched};
use self::rate::Limit;
use super::expression::{Field, Part, TooLong, all, from_any};
use super::protections::Unsaid;
use super::{AccessRule, Phase, Plan, Protections, Rule, RuleAction};

pub use unfit::{Unfit, Why};

/// Sources that are few.
const FEW: usize = 3;
/// Percent of a flood that carry a narrow answer.
const MOST_PERCENT: u64 = 80;

/// A zone, as far as it decides what can be done.
#[derive(Clone, Copy, Debug)]
pub struct Zone<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it is paid for.
    pub plan: Plan,
    /// What is left alone in it.
    pub protections: &'a Protections,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// Every visitor is checked.
    UnderAttack,
    /// A rule of a phase.
    Rule {
        /// Which.
        phase: Phase,
        /// It.
        rule: Rule,
    },
    /// Rules for addresses that didn't fit in a rule of a phase.
    Access(Vec<AccessRule>),
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Mitigation {
    /// All of it.
    pub changes: Vec<Change>,
    /// One line for people and the audit log.
    pub said: String,
    /// Sources that were left out, each with the reason.
    pub spared: Vec<String>,
}

impl Mitigation {
    /// Every visitor is checked. The one mitigation that needs no finding: a server that is flooded may not answer.
    pub fn under_attack(zone: &Zone<'_>) -> Self {
        let said = format!("check every visitor of {} (under-attack mode)", zone.name);
        Self { changes: vec![Change::UnderAttack], said, spared: Vec::new() }
    }
}

/// What an action does in a zone against what was found.
pub fn mitigate(action: ActionId, zone: &Zone<'_>, finding: &Finding) -> Result<Mitigation, Unfit> {
    attempt(action, zone, finding).map_err(|why| {
        let known = !matches!(why, Why::NoMitigation(_));
        let instead = carried(zone, finding).filter(|instead| known && *instead != action);
        Unfit { why, instead }
    })
}

/// The narrowest action that the evidence carries, for automatic use: only against floods that do harm.
pub fn narrowest(zone: &Zone<'_>, finding: &Finding) -> Option<ActionId> {
    carried(zone, finding).filter(|_| finding.severity > Severity::Info)
}

/// A few sources are blocked; then what only machines ask for; then addresses that make most of it are limited; then
/// who asks for the same is challenged. Everybody is checked only where a flood has nothing in common.
fn carried(zone: &Zone<'_>, finding: &Finding) -> Option<ActionId> {
    let usual = recommended(finding.id)?;
    let flood = finding.flood.as_ref()?;
    let accused = Accused::of(finding.id, flood, zone.protections);
    let limit = Limit::new(finding.id, flood, zone.plan.limits());
    // A crawler has other addresses tomorrow, and the same name.
    let few = finding.id != FindingId::CrawlAi && accused.percent(FEW, flood) >= MOST_PERCENT;
    let ladder = [
        (ActionId::CfTargetedBlock, few),
        (ActionId::CfPatternBlock, usual == ActionId::CfPatternBlock || evidence::is_of_digits(finding)),
        (ActionId::CfRateLimit, limit.is_ok_and(|limit| limit.percent >= MOST_PERCENT)),
        (ActionId::CfManagedChallenge, flood.pattern.is_some()),
        (ActionId::CfUnderAttack, is_flood(finding.id)),
    ];
    let fits = |action: &ActionId| attempt(*action, zone, finding).is_ok();
    ladder.into_iter().filter(|(_, carried)| *carried).map(|(action, _)| action).find(fits)
}

/// What follows when the narrowest action didn't help.
pub fn escalation(finding: &Finding) -> Option<ActionId> {
    (is_flood(finding.id) && finding.severity > Severity::Info).then_some(ActionId::CfUnderAttack)
}

/// What helps against such a finding if many sources are behind it; `None` where Cloudflare can't help.
pub const fn recommended(id: FindingId) -> Option<ActionId> {
    Some(match id {
        FindingId::FloodXmlrpc | FindingId::Flood404Dyn | FindingId::FloodUa | FindingId::FloodWpcron => {
            ActionId::CfPatternBlock
        }
        FindingId::FloodLogin
        | FindingId::FloodLoginSlow
        | FindingId::FloodSearch
        | FindingId::FloodCachebust
        | FindingId::FloodFacet
        | FindingId::FloodPost => ActionId::CfManagedChallenge,
        FindingId::FloodAjax | FindingId::CrawlAi => ActionId::CfRateLimit,
        FindingId::FloodSingleIp | FindingId::FloodSubnet | FindingId::Scan404 | FindingId::FakeBot => {
            ActionId::CfTargetedBlock
        }
        FindingId::FloodDistributed => ActionId::CfUnderAttack,
        _ => return None,
    })
}

fn is_flood(id: FindingId) -> bool {
    recommended(id).is_some() && id.as_str().starts_with("flood-")
}

fn attempt(action: ActionId, zone: &Zone<'_>, finding: &Finding) -> Result<Mitigation, Why> {
    let act = match action {
        ActionId::CfUnderAttack => under_attack,
        ActionId::CfTargetedBlock => targeted_block,
        ActionId::CfPatternBlock => pattern_block,
        ActionId::CfManagedChallenge => managed_challenge,
        ActionId::CfRateLimit => rate_limit,
        _ => return Err(Why::NoMitigation(action)),
    };
    match finding.id {
        FindingId::FloodDirect | FindingId::FloodSlowloris => return Err(Why::PastCloudflare),
        id if recommended(id).is_none() => return Err(Why::NotAtCloudflare(id)),
        _ => {}
    }
    act(zone, finding, finding.flood.as_ref().ok_or(Why::NoEvidence)?)
}

fn under_attack(zone: &Zone<'_>, _: &Finding, _: &Flood) -> Result<Mitigation, Why> {
    Ok(Mitigation::under_attack(zone))
}

fn targeted_block(zone: &Zone<'_>, finding: &Finding, flood: &Flood) -> Result<Mitigation, Why> {
    sources(zone, finding, flood, RuleAction::Block)
}

fn pattern_block(zone: &Zone<'_>, finding: &Finding, flood: &Flood) -> Result<Mitigation, Why> {
    let pattern = flood.pattern.as_ref().ok_or(Why::NoPattern)?;
    let matched = evidence::blocked(finding, pattern, zone.plan.limits(), zone.protections)?;
    custom(zone, matched, RuleAction::Block)
}

fn managed_challenge(zone: &Zone<'_>, finding: &Finding, flood: &Flood) -> Result<Mitigation, Why> {
    let pattern = flood.pattern.as_ref().ok_or(Why::NoPattern);
    match pattern.and_then(|pattern| evidence::challenged(pattern, zone.protections)) {
        Ok(matched) => custom(zone, matched, RuleAction::ManagedChallenge),
        Err(Why::NoPattern) => sources(zone, finding, flood, RuleAction::ManagedChallenge),
        Err(why) => Err(why),
    }
}

fn rate_limit(zone: &Zone<'_>, finding: &Finding, flood: &Flood) -> Result<Mitigation, Why> {
    let (plan, limits) = (zone.plan, zone.plan.limits());
    let pattern = flood.pattern.as_ref().ok_or(Why::NoPattern)?;
    let matched = evidence::counted(finding.id, pattern, limits, zone.protections)
        .map_err(|why| why.map_or_else(|why| why, |what| Why::Field(plan, what)))?;
    let paths: Vec<&str> = matched.paths.iter().map(String::as_str).collect();
    let protected = zone.protections.rate_parts(limits, &paths).map_err(|unsaid| {
        Why::Unprotected(
            plan,
            match unsaid {
                Unsaid::Named => "the protected ranges",
                Unsaid::UsersOf(users) => users,
            },
        )
    })?;
    let Limit { rate, .. } = Limit::new(finding.id, flood, limits)?;
    let mut said = format!(
        "block an address on {} for {} s when it makes more than {} {} in {} s; verified crawlers pass",
        zone.name, rate.mitigation_timeout, rate.requests, matched.said, rate.period
    );
    if !limits.counts_by(Field::Source) {
        said.push_str("; on this plan the server and payment services are counted too");
    }
    let expression = joined(matched.parts, protected)?;
    let rule = Rule { expression, action: RuleAction::Block, rate: Some(rate) };
    Ok(Mitigation { changes: vec![Change::Rule { phase: Phase::RateLimit, rule }], said, spared: Vec::new() })
}

/// A custom rule for requests.
fn custom(zone: &Zone<'_>, matched: Matched, action: RuleAction) -> Result<Mitigation, Why> {
    let protected = zone.protections.parts(action == RuleAction::ManagedChallenge);
    let said = format!("{} {} on {}; verified crawlers pass", verb(action), matched.said, zone.name);
    let rule = Rule { expression: joined(matched.parts, protected)?, action, rate: None };
    Ok(Mitigation { changes: vec![Change::Rule { phase: Phase::Custom, rule }], said, spared: Vec::new() })
}

/// A custom rule for those who sent the requests; access rules for those for whom there is no room in it.
fn sources(zone: &Zone<'_>, finding: &Finding, flood: &Flood, action: RuleAction) -> Result<Mitigation, Why> {
    let accused = Accused::of(finding.id, flood, zone.protections);
    let networks: Vec<_> = accused.networks.iter().map(|(network, _)| *network).collect();
    if networks.is_empty() {
        return Err(if flood.sources.is_empty() { Why::NoEvidence } else { Why::Nobody });
    }
    let protected = zone.protections.parts(action == RuleAction::ManagedChallenge);
    let (expression, rest) = from_any(&networks, &protected).map_err(|TooLong| Why::TooLong)?;
    let rule = Rule { expression, action, rate: None };
    let mut changes = vec![Change::Rule { phase: Phase::Custom, rule }];
    if !rest.is_empty() {
        changes.push(Change::Access(
            rest.iter().map(|network| AccessRule { network: *network, action }).collect(),
        ));
    }
    let mut named: Vec<String> = networks.iter().take(FEW).map(ToString::to_string).collect();
    if networks.len() > FEW {
        named.push("…".to_owned());
    }
    let what = match (networks.as_slice(), networks.iter().all(super::Network::is_host)) {
        ([_], true) => "1 address".to_owned(),
        ([_], false) => "1 network".to_owned(),
        (many, true) => format!("{} addresses", many.len()),
        (many, false) => format!("{} addresses and networks", many.len()),
    };
    let said = format!(
        "{} {what} ({}) on {}: {} % of {} requests",
        verb(action),
        named.join(", "),
        zone.name,
        accused.percent(usize::MAX, flood),
        flood.count
    );
    Ok(Mitigation { changes, said, spared: accused.spared })
}

fn joined(mut parts: Vec<Part>, protected: Vec<Part>) -> Result<String, Why> {
    parts.extend(protected);
    all(&parts).map_err(|TooLong| Why::TooLong)
}

const fn verb(action: RuleAction) -> &'static str {
    match action {
        RuleAction::Block => "block",
        RuleAction::ManagedChallenge => "challenge",
    }
}

#[cfg(test)]
#[path = "evidence_tests.rs"]
mod evidence_tests;
#[cfg(test)]
#[path = "safety_tests.rs"]
mod safety;
#[cfg(test)]
#[path = "mitigation_tests.rs"]
mod tests;

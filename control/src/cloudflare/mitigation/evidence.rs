//! What of a finding may be acted on: whom, and which requests.

use secmon_wire::ActionId;
use secmon_wire::diag::{Finding, FindingId, Flood, Pattern, PatternField, Source};

use super::unfit::Why;
use crate::cloudflare::expression::{Field, Literal, Part, Test};
use crate::cloudflare::limits::Limits;
use crate::cloudflare::{Network, Protections};

/// The window that the counts below are for.
const WINDOW: u64 = 300;
/// Names of arguments that visitors bring along.
const COMMON_ARGUMENTS: [&str; 10] =
    ["add-to-cart", "fbclid", "gclid", "p", "page", "page_id", "paged", "preview", "s", "ver"];
/// The home page.
const HOME: [&str; 2] = ["/", "/index.php"];

/// Whom a rule is for, and who was spared.
#[derive(Debug, Default)]
pub(super) struct Accused {
    /// The most requests first.
    pub(super) networks: Vec<(Network, u64)>,
    pub(super) spared: Vec<String>,
}

impl Accused {
    /// The sources of a flood that made more requests than a person could, and aren't protected.
    pub(super) fn of(id: FindingId, flood: &Flood, protections: &Protections) -> Self {
        let mut accused = Self::default();
        let least = least(id, flood.window.seconds);
        let mut all: Vec<(Network, u64)> = Vec::new();
        for source in &flood.sources {
            let Some(network) = network(source) else {
                accused.spared.push(format!("{}/{} (too wide)", source.address, source.bits));
                continue;
            };
            match all.iter_mut().find(|(known, _)| known.contains(&network)) {
                Some((_, count)) => *count = count.saturating_add(source.count.into()),
                None => all.push((network, source.count.into())),
            }
        }
        for (network, count) in all {
            match protections.guard(&network) {
                Some(guard) => accused.spared.push(format!("{network} ({})", guard.as_str())),
                None if count < least => accused.spared.push(format!("{network} (only {count} requests)")),
                None => accused.networks.push((network, count)),
            }
        }
        accused.networks.sort_by_key(|(network, count)| (std::cmp::Reverse(*count), *network));
        accused
    }

    /// Percent of the flood that the first few made.
    pub(super) fn percent(&self, few: usize, flood: &Flood) -> u64 {
        let made = self.networks.iter().take(few).fold(0_u64, |sum, (_, count)| sum.saturating_add(*count));
        made.saturating_mul(100).checked_div(flood.count).unwrap_or(0).min(100)
    }
}

/// The network of a source. A customer has a /64 of IPv6 and can use any address of it; no list takes less.
fn network(source: &Source) -> Option<Network> {
    let address = source.address.to_canonical();
    let mapped = address.is_ipv4() && source.address.is_ipv6();
    match (address.is_ipv4(), source.bits) {
        (true, 128) if mapped => Some(Network::host(address)),
        (true, 24 | 32) if !mapped => Network::new(address, source.bits),
        (false, 48 | 64) => Network::new(address, source.bits),
        (false, 128) => Network::new(address, 64),
        _ => None,
    }
}

/// Requests from which on it was no person. Pages: a person asks for one to nine a minute.
fn least(id: FindingId, seconds: u32) -> u64 {
    let in_window: u64 = match id {
        FindingId::FloodXmlrpc => 6,
        FindingId::FloodLogin | FindingId::FloodWpcron => 10,
        FindingId::Scan404 | FindingId::FakeBot => 20,
        FindingId::FloodSearch => 30,
        _ => 60,
    };
    // A short window excuses no more than a tenth.
    let share = in_window.saturating_mul(seconds.into()) / WINDOW;
    share.max(in_window / 10).max(5)
}

/// Which requests a rule is about.
#[derive(Debug)]
pub(super) struct Matched {
    pub(super) parts: Vec<Part>,
    /// For people: "requests for /x".
    pub(super) said: String,
    /// The paths, if it is about paths.
    pub(super) paths: Vec<String>,
}

/// The requests of a pattern that only a machine would send, so that they can be refused.
pub(super) fn blocked(
    finding: &Finding,
    pattern: &Pattern,
    limits: &Limits,
    protections: &Protections,
) -> Result<Matched, Why> {
    let of_digits = is_of_digits(finding) && pattern.field == PatternField::Path;
    let value = pattern.value.as_str();
    let mut matched = matched(pattern)?;
    let everybody = match pattern.field {
        PatternField::Path => {
            let path = normalised(value);
            if protections.exempts(&path, false) {
                return Err(Why::ProtectedPath(path));
            }
            HOME.contains(&path.as_str())
        }
        PatternField::QueryKey => COMMON_ARGUMENTS.contains(&value) || value.starts_with("utm_"),
        PatternField::UserAgent if is_browser(value) => return Err(Why::Browser),
        PatternField::UserAgent => false,
    };
    if of_digits && limits.regex {
        matched.parts.push(Test::QueryOfDigits.holds());
        matched.said.push_str(" with a number for a query");
    } else if everybody || of_digits {
        return Err(Why::Everybody(matched.said));
    } else if is_post(finding.id) {
        matched.parts.push(Test::Post.holds());
        matched.said = matched.said.replacen("requests", "POST requests", 1);
    }
    Ok(matched)
}

/// The requests of a pattern, whoever sends them: for a challenge.
pub(super) fn challenged(pattern: &Pattern, protections: &Protections) -> Result<Matched, Why> {
    let matched = matched(pattern)?;
    match matched.paths.last().filter(|path| protections.exempts(path, true)) {
        Some(path) => Err(Why::ProtectedPath(path.clone())),
        None => Ok(matched),
    }
}

/// The requests of a pattern, as far as a rate limiting rule of the plan can match them; else what it can't.
pub(super) fn counted(
    id: FindingId,
    pattern: &Pattern,
    limits: &Limits,
    protections: &Protections,
) -> Result<Matched, Result<&'static str, Why>> {
    let mut matched = challenged(pattern, protections).map_err(Err)?;
    let needs = match pattern.field {
        PatternField::Path => (Field::Path, "a path"),
        PatternField::QueryKey => (Field::Query, "a query"),
        PatternField::UserAgent => (Field::UserAgent, "a user agent"),
    };
    if !limits.counts_by(needs.0) {
        return Err(Ok(needs.1));
    }
    if is_post(id) && limits.counts_by(Field::Method) {
        matched.parts.push(Test::Post.holds());
        matched.said = matched.said.replacen("requests", "POST requests", 1);
    }
    Ok(matched)
}

fn matched(pattern: &Pattern) -> Result<Matched, Why> {
    let value = pattern.value.as_str();
    let literal = Literal::new(value).filter(|_| !value.trim().is_empty()).ok_or(Why::NoPattern)?;
    let (part, said, paths) = match pattern.field {
        PatternField::Path => {
            if !value.starts_with('/') {
                return Err(Why::NoPattern);
            }
            // The log has the path as it was sent; a rule sees it without doubled slashes.
            let path = normalised(value);
            let mut literals = vec![literal];
            literals.extend(Literal::new(&path).filter(|_| path != value));
            (Test::Path(literals), format!("requests for {value}"), vec![path])
        }
        PatternField::QueryKey => {
            (Test::Argument(literal), format!("requests with {value}= in the query"), Vec::new())
        }
        PatternField::UserAgent => {
            (Test::UserAgent(literal), format!("requests with the user agent \"{value}\""), Vec::new())
        }
    };
    Ok(Matched { parts: vec![part.holds()], said, paths })
}

fn normalised(path: &str) -> String {
    let mut text = String::with_capacity(path.len());
    for character in path.chars() {
        if character != '/' || !text.ends_with('/') {
            text.push(character);
        }
    }
    text
}

/// Whether the agent saw that the random queries are all numbers: that is what it proposes to block them for.
pub(super) fn is_of_digits(finding: &Finding) -> bool {
    finding.id == FindingId::FloodCachebust && finding.action == Some(ActionId::CfPatternBlock)
}

/// Whether all requests of such a flood are POST.
const fn is_post(id: FindingId) -> bool {
    matches!(id, FindingId::FloodAjax | FindingId::FloodLogin | FindingId::FloodPost | FindingId::FloodXmlrpc)
}

/// Whether people could have this user agent: it begins as browsers do, and doesn't say that it is another program.
fn is_browser(agent: &str) -> bool {
    let begins = ["Mozilla/", "Opera/"].iter().any(|name| agent.starts_with(name));
    let old = agent.contains("MSIE ") || agent.contains("Trident/");
    let other = agent.contains("compatible;") || agent.contains("+http");
    begins && (old || !other)
}

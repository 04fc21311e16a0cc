//! Who and what is left alone by every rule: crawlers that Cloudflare has verified, the proof of a certificate's
//! renewal, what the operators named, payment services, the server itself and Cloudflare. Where a machine would have
//! to solve a challenge or would be counted, its interfaces too.

use thiserror::Error;

use super::expression::{Field, Literal, Part, Test};
use super::known;
use super::limits::Limits;
use super::{Network, Spared};

/// Characters of all protections together in an expression. What a rule is about takes up to
/// 350 more.
const PROTECTED_MAX: usize = 3_650;
const ACME: &str = "/.well-known/acme-challenge/";
/// Interfaces for machines, which can't solve a challenge.
const MACHINES: [&str; 2] = ["/wp-json/", "/wc-api/"];
const SHOP_ARGUMENT: &str = "wc-ajax";

/// What is protected in a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protections {
    ranges: Vec<Network>,
    origin: Vec<Network>,
    cloudflare: Vec<Network>,
    paths: Vec<Literal>,
    /// All networks that an expression names, without those that are part of another.
    excepted: Vec<Network>,
}

/// Why a network is never blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// Nobody reaches a site from there.
    Reserved,
    /// It is Cloudflare's.
    Cloudflare,
    /// It is the server itself.
    Origin,
    /// An operator said so.
    Named,
    /// A service that the site needs.
    Service(&'static str),
}

/// What can't be protected as it was said.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ProtectionsError {
    /// Not a path.
    #[error(
        "protected path {0:?}: expected a path such as /webhooks/, longer than /, in printable ASCII without ?"
    )]
    Path(String),
    /// They would leave no room in a rule.
    #[error(
        "the protected ranges and paths take {0} characters of a rule; at most {PROTECTED_MAX} fit: join ranges"
    )]
    TooMany(usize),
}

/// A protection that a plan's rate limiting rules can't express.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unsaid {
    /// What an operator named.
    Named,
    /// Those who use this path for the site's owner.
    UsersOf(&'static str),
}

impl Guard {
    /// For people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reserved => "reserved",
            Self::Cloudflare => "Cloudflare",
            Self::Origin => "the server itself",
            Self::Named => "protected",
            Self::Service(name) => name,
        }
    }
}

impl Protections {
    /// Protections of what an operator named, and of `cloudflare` as in [`Self::new`].
    pub fn of(spared: &[Spared], cloudflare: &[Network]) -> Result<Self, ProtectionsError> {
        let (mut ranges, mut paths, mut origin) = (vec![], vec![], vec![]);
        for spared in spared {
            match spared {
                Spared::Range(range) => ranges.push(*range),
                Spared::Path(path) => paths.push(path.as_str()),
                Spared::Origin(address) => origin.push(*address),
                Spared::Probe(_) => {}
            }
        }
        Self::new(&ranges, &paths, &origin, cloudflare)
    }

    /// Protections of these ranges and paths, of the server's own addresses, and of `cloudflare`, what the API says
    /// is Cloudflare's, beside what is known of it.
    pub fn new(
        ranges: &[Network],
        paths: &[&str],
        origin: &[Network],
        cloudflare: &[Network],
    ) -> Result<Self, ProtectionsError> {
        let mut literals = Vec::new();
        for path in paths {
            let literal = Literal::new(path).filter(|_| path.starts_with('/') && *path != "/");
            let literal = literal.filter(|_| !path.contains(['?', '#']) && !path.contains("//"));
            literals.push(literal.ok_or_else(|| ProtectionsError::Path((*path).to_owned()))?);
        }
        let cloudflare: Vec<_> = parsed(known::CLOUDFLARE).chain(cloudflare.iter().copied()).collect();
        let services = SERVICES.iter().flat_map(|(list, _)| parsed(list));
        let mut excepted: Vec<Network> = ranges.iter().chain(origin).copied().chain(services).collect();
        excepted.extend(&cloudflare);
        let protections = Self {
            ranges: ranges.to_vec(),
            origin: origin.to_vec(),
            cloudflare,
            paths: literals,
            excepted: without_inner(excepted),
        };
        // Each with " and " before it.
        let lengths = protections.parts(true).into_iter().map(|part| format!(" and {part}").len());
        let length = lengths.fold(0_usize, usize::saturating_add);
        if length <= PROTECTED_MAX { Ok(protections) } else { Err(ProtectionsError::TooMany(length)) }
    }

    /// Why nothing in this network may be blocked, if so: one protected address is enough.
    pub fn guard(&self, network: &Network) -> Option<Guard> {
        let overlaps = |list: &[Network]| list.iter().any(|other| other.overlaps(network));
        let known = |list| parsed(list).any(|other| other.overlaps(network));
        if known(known::RESERVED) {
            return Some(Guard::Reserved);
        }
        if overlaps(&self.origin) {
            return Some(Guard::Origin);
        }
        if overlaps(&self.ranges) {
            return Some(Guard::Named);
        }
        if overlaps(&self.cloudflare) {
            return Some(Guard::Cloudflare);
        }
        SERVICES.iter().find(|(list, _)| known(list)).map(|(_, name)| Guard::Service(name))
    }

    /// Whether a rule never matches this path. `machines` says that it also leaves their interfaces alone.
    pub fn exempts(&self, path: &str, machines: bool) -> bool {
        self.prefixes(machines).any(|prefix| path.starts_with(prefix))
    }

    /// What every custom rule wants beside what it is about. `machines`: whether their interfaces are left alone, as a
    /// challenge must.
    pub(super) fn parts(&self, machines: bool) -> Vec<Part> {
        let mut parts = vec![Test::VerifiedBot.fails()];
        parts.extend(self.path_parts(machines));
        if machines {
            parts.extend(shop_part());
        }
        parts.push(Test::From(self.excepted.clone()).fails());
        parts
    }

    /// What a rate limiting rule for these paths wants beside what it is about, as far as the plan can say it.
    ///
    /// Below Business it can't name addresses. What an operator named is then a promise that can't be kept, and so is
    /// leaving alone those who use one of the paths for the site's owner: then there is no rule. Others send few
    /// requests to any one path, and what is sent too fast is refused for seconds only.
    pub(super) fn rate_parts(&self, limits: &Limits, paths: &[&str]) -> Result<Vec<Part>, Unsaid> {
        let mut parts = vec![Test::VerifiedBot.fails()];
        parts.extend(self.path_parts(true));
        if limits.counts_by(Field::Query) {
            parts.extend(shop_part());
        }
        if limits.counts_by(Field::Source) {
            parts.push(Test::From(self.excepted.clone()).fails());
            return Ok(parts);
        }
        if !self.ranges.is_empty() {
            return Err(Unsaid::Named);
        }
        let used = USERS.iter().find(|(path, _)| paths.iter().any(|of_rule| of_rule.ends_with(path)));
        match used {
            Some((_, users)) => Err(Unsaid::UsersOf(users)),
            None => Ok(parts),
        }
    }

    fn path_parts(&self, machines: bool) -> impl Iterator<Item = Part> {
        let literals = self.prefixes(machines).filter_map(Literal::new);
        literals.map(|prefix| Test::PathBegins(prefix).fails())
    }

    fn prefixes(&self, machines: bool) -> impl Iterator<Item = &str> {
        let interfaces = MACHINES.iter().copied().filter(move |_| machines);
        std::iter::once(ACME).chain(interfaces).chain(self.paths.iter().map(Literal::as_str))
    }
}

impl Default for Protections {
    /// What is protected though nobody named anything.
    fn default() -> Self {
        let none = Self {
            ranges: Vec::new(),
            origin: Vec::new(),
            cloudflare: parsed(known::CLOUDFLARE).collect(),
            paths: Vec::new(),
            excepted: Vec::new(),
        };
        Self::new(&[], &[], &[], &[]).unwrap_or(none)
    }
}

/// Services that the site needs.
const SERVICES: [(&[&str], &str); 3] =
    [(known::JETPACK, "Jetpack"), (known::PAYPAL, "PayPal"), (known::STRIPE, "Stripe")];
/// Who uses a path for the site's owner.
const USERS: [(&str, &str); 2] = [("/xmlrpc.php", "Jetpack"), ("/wp-cron.php", "the server itself")];

fn shop_part() -> Option<Part> {
    Literal::new(SHOP_ARGUMENT).map(|name| Test::Argument(name).fails())
}

fn parsed(list: &'static [&'static str]) -> impl Iterator<Item = Network> {
    list.iter().filter_map(|text| Network::parse(text))
}

/// Networks without those that are part of another of them, each once, in their order.
fn without_inner(networks: Vec<Network>) -> Vec<Network> {
    let mut kept: Vec<Network> = Vec::new();
    for network in networks {
        if kept.iter().any(|outer| outer.contains(&network)) {
            continue;
        }
        kept.retain(|inner| !network.contains(inner));
        kept.push(network);
    }
    kept
}

#[cfg(test)]
#[path = "protections_tests.rs"]
mod tests;

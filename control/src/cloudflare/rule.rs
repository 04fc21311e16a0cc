//! What we set in a zone: rules of a phase and rules for addresses. Plain data; what it costs and whether a zone's plan
//! has it is decided before, and sending it comes after.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Which of a zone's rulesets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Custom rules.
    Custom,
    /// Rate limiting rules.
    RateLimit,
}

/// What happens to a request that matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleAction {
    /// It is refused.
    Block,
    /// Its sender must show that they are a person.
    ManagedChallenge,
}

/// How often is too often.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// What is counted by, as the API calls it.
    pub characteristics: Vec<String>,
    /// Seconds over which is counted.
    pub period: u32,
    /// So many are allowed in them.
    pub requests: u32,
    /// Seconds for which the action lasts.
    pub mitigation_timeout: u32,
}

/// A rule of ours in a phase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// What matches.
    pub expression: String,
    /// What happens.
    pub action: RuleAction,
    /// In the rate limiting phase: how often is too often.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
}

/// An address, or a network of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// A rule of ours for one network, in a zone's IP access rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessRule {
    /// Whom it is for.
    #[serde(with = "network_text")]
    pub network: Network,
    /// What happens.
    pub action: RuleAction,
}

impl Phase {
    /// The name as it stands in paths of the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Custom => "http_request_firewall_custom",
            Self::RateLimit => "http_ratelimit",
        }
    }
}

impl RuleAction {
    /// The name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::ManagedChallenge => "managed_challenge",
        }
    }
}

impl Rule {
    /// The body that makes it, with its tag.
    pub fn to_json(&self, tag: &str) -> Value {
        let mut rule = json!({
            "ref": tag,
            "description": tag,
            "expression": self.expression,
            "action": self.action.as_str(),
            "enabled": true,
        });
        if let (Some(rate), Some(members)) = (&self.rate, rule.as_object_mut()) {
            members.insert(
                "ratelimit".to_owned(),
                json!({
                    "characteristics": rate.characteristics,
                    "period": rate.period,
                    "requests_per_period": rate.requests,
                    "mitigation_timeout": rate.mitigation_timeout,
                }),
            );
        }
        rule
    }

    /// Whether a rule that was read is this one as we set it: nobody changed what it does since.
    pub fn is_as_set(&self, found: &Value) -> bool {
        let set = self.to_json("");
        let same = |name: &str| found.get(name) == set.get(name);
        // What isn't said is the default.
        let enabled = found.get("enabled").is_none_or(|enabled| enabled == &Value::Bool(true));
        let rate = match (set.get("ratelimit"), found.get("ratelimit")) {
            (None, None) => true,
            (Some(set), Some(found)) => set
                .as_object()
                .is_some_and(|set| set.iter().all(|(name, value)| found.get(name) == Some(value))),
            _ => false,
        };
        enabled && rate && same("expression") && same("action")
    }
}

impl Network {
    /// A network, if the bits fit; bits of the address that don't count are cleared.
    pub fn new(address: IpAddr, bits: u8) -> Option<Self> {
        let kept = match address {
            IpAddr::V4(v4) => {
                let gone = 32_u32.checked_sub(u32::from(bits))?;
                let mask = u32::MAX.checked_shl(gone).unwrap_or(0);
                std::net::Ipv4Addr::from_bits(v4.to_bits() & mask).into()
            }
            IpAddr::V6(v6) => {
                let gone = 128_u32.checked_sub(u32::from(bits))?;
                let mask = u128::MAX.checked_shl(gone).unwrap_or(0);
                std::net::Ipv6Addr::from_bits(v6.to_bits() & mask).into()
            }
        };
        Some(Self { address: kept, bits })
    }

    /// One address.
    pub fn host(address: IpAddr) -> Self {
        Self { address, bits: if address.is_ipv4() { 32 } else { 128 } }
    }

    /// Reads `192.0.2.1`, `192.0.2.0/24` and the same for IPv6. Bits behind the mask must be clear.
    pub fn parse(text: &str) -> Option<Self> {
        let Some((address, bits)) = text.split_once('/') else { return text.parse().ok().map(Self::host) };
        let address: IpAddr = address.parse().ok()?;
        let digits = bits.bytes().all(|c| c.is_ascii_digit());
        let network = Self::new(address, bits.parse().ok().filter(|_| digits)?)?;
        (network.address == address).then_some(network)
    }

    /// Its first address.
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// How many bits of it count.
    pub const fn bits(&self) -> u8 {
        self.bits
    }

    /// Whether it is a single address.
    pub const fn is_host(&self) -> bool {
        matches!((self.address, self.bits), (IpAddr::V4(_), 32) | (IpAddr::V6(_), 128))
    }

    /// Whether every address of `other` is one of this network.
    pub fn contains(&self, other: &Self) -> bool {
        self.address.is_ipv4() == other.address.is_ipv4()
            && self.bits <= other.bits
            && Self::new(other.address, self.bits).is_some_and(|network| network == *self)
    }

    /// Whether they have an address in common.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.contains(other) || other.contains(self)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_host() { self.address.fmt(f) } else { write!(f, "{}/{}", self.address, self.bits) }
    }
}

mod network_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use super::Network;

    pub(super) fn serialize<S: Serializer>(network: &Network, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(network)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Network, D::Error> {
        let text = String::deserialize(from)?;
        Network::parse(&text).ok_or_else(|| D::Error::custom("not a network"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule() -> Rule {
        let rate = Rate {
            characteristics: vec!["cf.colo.id".to_owned(), "ip.src".to_owned()],
            period: 10,
            requests: 20,
            mitigation_timeout: 10,
        };
        Rule {
            expression: "http.request.uri.path eq \"/x\"".to_owned(),
            action: RuleAction::Block,
            rate: Some(rate),
        }
    }

    #[test]
    fn a_rule_is_known_again_with_what_the_api_adds_and_not_with_anything_changed() {
        let rule = rule();
        let mut found = rule.to_json("secmon:9f2c41d07be83a55");
        found["id"] = json!("1");
        found["version"] = json!("3");
        found["ratelimit"]["requests_to_origin"] = json!(false);
        assert!(rule.is_as_set(&found));
        for (pointer, value) in [
            ("/expression", json!("true")),
            ("/action", json!("managed_challenge")),
            ("/enabled", json!(false)),
            ("/ratelimit/period", json!(60)),
            ("/ratelimit/characteristics", json!(["ip.src"])),
        ] {
            let mut changed = found.clone();
            *changed.pointer_mut(pointer).expect("a member") = value;
            assert!(!rule.is_as_set(&changed), "{pointer}");
        }
        let mut without = found;
        without.as_object_mut().expect("an object").remove("ratelimit");
        assert!(!rule.is_as_set(&without));
    }

    #[test]
    fn networks_hold_what_is_in_them() {
        let network = |text| Network::parse(text).expect(text);
        assert!(network("10.0.0.0/8").contains(&network("10.1.2.3")));
        assert!(!network("10.1.2.3").contains(&network("10.0.0.0/8")));
        assert!(network("10.1.2.3").overlaps(&network("10.0.0.0/8")));
        assert!(network("0.0.0.0/0").contains(&network("192.0.2.1")));
        assert!(!network("0.0.0.0/0").overlaps(&network("::/0")));
        assert!(network("2001:db8::/32").contains(&network("2001:db8:1::/64")));
        assert_eq!(network("192.0.2.0/24").to_string(), "192.0.2.0/24");
        assert_eq!(network("192.0.2.1/32").to_string(), "192.0.2.1");
        for wrong in ["", "192.0.2.1/24", "192.0.2.0/33", "192.0.2.0/+4", "192.0.2", "::/129", "1.2.3.4/"] {
            assert_eq!(Network::parse(wrong), None, "{wrong}");
        }
    }
}

//! IP access rules of a zone: those with our notes are listed, added and removed; no other is touched.

use std::net::IpAddr;

use serde_json::{Value, json};

use super::client::Method;
use super::{ApiError, Network, ZoneApi, scope, segment};
use crate::cloudflare::AccessRule;

const PATH: &str = "/firewall/access_rules/rules";
/// What all of our notes begin with.
const OURS: &str = "secmon:";
const PER_PAGE: u64 = 500;
/// More than 50,000 rules in an account don't exist.
const PAGES_MAX: u64 = 100;

/// An IP access rule as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundAccessRule {
    /// Its id.
    pub id: String,
    /// Its notes.
    pub notes: String,
    /// Whom it is for, if that is an address or a network.
    pub network: Option<Network>,
    /// What happens to them, as the API calls it.
    pub mode: String,
}

impl ZoneApi {
    /// All rules whose notes begin with `secmon:`.
    pub async fn access_rules(&self) -> Result<Vec<FoundAccessRule>, ApiError> {
        let mut found: Vec<FoundAccessRule> = Vec::new();
        for page in 1..=PAGES_MAX {
            let query =
                [("notes", OURS.to_owned()), ("per_page", PER_PAGE.to_string()), ("page", page.to_string())];
            let call = self.read(PATH).with(query.to_vec());
            let (result, pages) = self.call(&call, scope::FIREWALL_EDIT).await?;
            let rules: Option<Vec<_>> =
                result.as_array().map(Vec::as_slice).and_then(|list| list.iter().map(read).collect());
            let rules = rules.ok_or_else(|| call.lost("its list of IP access rules is not one"))?;
            let full = u64::try_from(rules.len()).is_ok_and(|count| count >= PER_PAGE);
            // Rules that move to another page while they are read come twice.
            for rule in rules.into_iter().filter(|rule| rule.notes.starts_with(OURS)) {
                if !found.iter().any(|known| known.id == rule.id) {
                    found.push(rule);
                }
            }
            if pages.map_or(!full, |pages| page >= pages) {
                return Ok(found);
            }
        }
        Err(ApiError::Unavailable("its list of IP access rules has no end".to_owned()))
    }

    /// Adds a rule.
    pub async fn add_access_rule(&self, rule: &AccessRule, notes: &str) -> Result<FoundAccessRule, ApiError> {
        let network = rule.network;
        let target = match network.address() {
            _ if !network.is_host() => "ip_range",
            IpAddr::V4(_) => "ip",
            IpAddr::V6(_) => "ip6",
        };
        let body = json!({
            "mode": rule.action.as_str(),
            "configuration": { "target": target, "value": network.to_string() },
            "notes": notes,
        });
        let call = self.change(Method::POST, PATH, Some(body));
        let (result, _) = self.call(&call, scope::FIREWALL_EDIT).await?;
        read(&result).ok_or_else(|| call.lost("its IP access rule is not one"))
    }

    /// Removes a rule. One that isn't there is removed.
    pub async fn delete_access_rule(&self, id: &str) -> Result<(), ApiError> {
        match segment(id) {
            Some(id) => self.delete(&format!("{PATH}/{id}"), scope::FIREWALL_EDIT).await,
            None => Ok(()),
        }
    }
}

fn read(rule: &Value) -> Option<FoundAccessRule> {
    let text = |pointer: &str| rule.pointer(pointer).and_then(Value::as_str);
    Some(FoundAccessRule {
        id: segment(text("/id")?)?.to_owned(),
        notes: text("/notes").unwrap_or_default().to_owned(),
        network: text("/configuration/value").and_then(Network::parse),
        mode: text("/mode")?.to_owned(),
    })
}

//! Zones at Cloudflare: whether their stored tokens open, and what each token and zone is good for.

use std::sync::Arc;

use super::Finding;
use crate::cloudflare::api::Api;
use crate::cloudflare::{Check, Unchecked, Vault, WrongKey, check};
use crate::config::{ConfigError, DataKeys};
use crate::store::{Store, ZoneRow};

/// A zone, and what was found out about it.
#[derive(Debug)]
pub struct LookedAt {
    /// The zone as it is stored.
    pub row: ZoneRow,
    /// What was found out.
    pub result: Result<Check, NotLooked>,
}

/// Why nothing was found out.
#[derive(Debug, thiserror::Error)]
pub enum NotLooked {
    /// The stored token doesn't open.
    #[error(transparent)]
    WrongKey(#[from] WrongKey),
    /// The API, or the token.
    #[error(transparent)]
    Unchecked(#[from] Unchecked),
}

/// Whether every stored token opens with the data key.
pub fn check_credentials(store: &Store, keys: Result<DataKeys, ConfigError>) -> (Vec<Finding>, Vec<ZoneRow>) {
    let zones = match store.zones() {
        Ok(zones) => zones,
        Err(error) => return (vec![Finding::fail("zones", error.to_string())], Vec::new()),
    };
    // Without a key nothing opens, which the check of the environment has said already.
    let Ok(keys) = keys else { return (Vec::new(), zones) };
    let mut findings = Vec::new();
    if !keys.older().is_empty() {
        let text = "holds an older key as well; `secmon key rotate` encrypts every token with the newest and drops it";
        findings.push(Finding::warn("data key", text));
    }
    let vault = Vault::new(keys);
    let wrong: Vec<WrongKey> = zones.iter().filter_map(|zone| vault.open(zone).err()).collect();
    findings.extend(wrong.iter().map(|wrong| Finding::fail("data key", wrong.to_string())));
    if wrong.is_empty() && !zones.is_empty() {
        findings.push(Finding::ok("data key", format!("opens every stored token ({})", zones.len())));
    }
    (findings, zones)
}

/// Asks the API about each zone, one after the other.
pub async fn look_at_zones(api: &Arc<Api>, vault: &Vault, zones: Vec<ZoneRow>) -> Vec<LookedAt> {
    let mut all = Vec::new();
    for row in zones {
        let result = match vault.open(&row) {
            Ok(token) => check(&api.zone(row.zone.clone(), Arc::new(token))).await.map_err(Into::into),
            Err(wrong) => Err(wrong.into()),
        };
        all.push(LookedAt { row, result });
    }
    all
}

impl LookedAt {
    /// As findings, one for each thing to say.
    pub fn findings(&self) -> Vec<Finding> {
        let subject = format!("{} {}", self.row.client, self.row.seen.name);
        let check = match &self.result {
            Ok(check) => check,
            Err(error) => return vec![Finding::fail(subject, error.to_string())],
        };
        let plan = check.zone.plan;
        let mut findings = match check.missing[..] {
            [] => vec![Finding::ok(subject.clone(), format!("{plan} plan; its token works"))],
            _ => vec![Finding::fail(subject.clone(), missing(check))],
        };
        findings.extend(check.zone.idle().map(|text| Finding::warn(subject.clone(), text)));
        findings.extend(check.until.as_ref().map(|until| {
            let text =
                format!("its token ends on {until}; store a new one with `secmon cloudflare add` before");
            Finding::warn(subject.clone(), text)
        }));
        if !check.unproven.is_empty() {
            findings.push(Finding::warn(subject, unproven(check)));
        }
        findings
    }
}

/// What a token lacks.
pub fn missing(check: &Check) -> String {
    format!(
        "the API token lacks the permission {}; add it at dash.cloudflare.com, My Profile, API Tokens, Edit",
        check.missing.join(" and ")
    )
}

/// What a token may lack.
pub fn unproven(check: &Check) -> String {
    format!(
        "the API token may read, and only a change would show whether it may write; see that it has {}",
        check.unproven.join(", ")
    )
}

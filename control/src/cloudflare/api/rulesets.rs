//! Rulesets of a phase: reading them whole, and adding or removing single rules. A ruleset that others have rules in is
//! never written whole.

use serde_json::{Value, json};

use super::client::{Call, Failed, Method};
use super::{ApiError, ZoneApi, scope, segment};
use crate::cloudflare::Phase;

/// A ruleset as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Ruleset {
    /// Its id.
    pub id: String,
    /// Its version, which every change raises.
    pub version: String,
    /// Its rules, in order.
    pub rules: Vec<FoundRule>,
}

/// A rule as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundRule {
    /// Its id, which every change of it replaces.
    pub id: String,
    /// Its `ref`, which stays.
    pub reference: Option<String>,
    /// Its description.
    pub description: String,
    /// All of it.
    pub json: Value,
}

impl ZoneApi {
    /// The ruleset of a phase. None is what the API says in so many words, and no other 404.
    pub async fn entrypoint(&self, phase: Phase) -> Result<Option<Ruleset>, ApiError> {
        let call = self.read(&entrypoint(phase));
        match self.api.call(&call).await {
            Ok((result, _)) => ruleset(&call, &result).map(Some),
            Err(Failed::NoEntrypoint) => Ok(None),
            Err(failed) => Err(self.judge(failed, scope::WAF_EDIT).await),
        }
    }

    /// Makes the ruleset of a phase, with one rule in it. Refused where somebody has made one meanwhile: a `PUT` of the
    /// entry point would take theirs away.
    pub async fn create_entrypoint(&self, phase: Phase, rule: &Value) -> Result<Ruleset, ApiError> {
        let body = json!({ "name": "default", "kind": "zone", "phase": phase.as_str(), "rules": [rule] });
        let call = self.change(Method::POST, "/rulesets", Some(body));
        let (result, _) = self.call(&call, scope::WAF_EDIT).await?;
        ruleset(&call, &result)
    }

    /// Adds a rule behind all others.
    pub async fn add_rule(&self, ruleset_id: &str, rule: &Value) -> Result<Ruleset, ApiError> {
        let path = format!("/rulesets/{}/rules", segment(ruleset_id).ok_or(ApiError::NotFound)?);
        let call = self.change(Method::POST, &path, Some(rule.clone()));
        let (result, _) = self.call(&call, scope::WAF_EDIT).await?;
        ruleset(&call, &result)
    }

    /// Removes a rule. One that isn't there is removed.
    pub async fn delete_rule(&self, ruleset: &str, rule: &str) -> Result<(), ApiError> {
        match (segment(ruleset), segment(rule)) {
            (Some(ruleset), Some(rule)) => {
                self.delete(&format!("/rulesets/{ruleset}/rules/{rule}"), scope::WAF_EDIT).await
            }
            _ => Ok(()),
        }
    }

    pub(super) async fn delete(&self, path: &str, scope: &'static str) -> Result<(), ApiError> {
        match self.call(&self.change(Method::DELETE, path, None), scope).await {
            Ok(_) | Err(ApiError::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn entrypoint(phase: Phase) -> String {
    format!("/rulesets/phases/{}/entrypoint", phase.as_str())
}

fn ruleset(call: &Call<'_>, result: &Value) -> Result<Ruleset, ApiError> {
    read_ruleset(result).ok_or_else(|| call.lost("its ruleset is not one"))
}

fn read_ruleset(result: &Value) -> Option<Ruleset> {
    let id = segment(result.get("id")?.as_str()?)?.to_owned();
    let version = result.get("version").and_then(Value::as_str).unwrap_or_default().to_owned();
    // A ruleset without rules may be described without the list.
    let rules = match result.get("rules") {
        None | Some(Value::Null) => Vec::new(),
        Some(rules) => rules.as_array()?.iter().map(read_rule).collect::<Option<_>>()?,
    };
    Some(Ruleset { id, version, rules })
}

fn read_rule(json: &Value) -> Option<FoundRule> {
    let text = |name: &str| json.get(name).and_then(Value::as_str).map(str::to_owned);
    Some(FoundRule {
        id: text("id").filter(|id| segment(id).is_some())?,
        reference: text("ref"),
        description: text("description").unwrap_or_default(),
        json: json.clone(),
    })
}

//! One zone and all that is in it. Pure data.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::plan::Plan;
use crate::ruleset::Ruleset;
use crate::token::Token;

/// What has become of a zone at the service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ZoneStatus {
    /// Just made.
    Initializing,
    /// Its name servers don't point here yet.
    Pending,
    /// It is served.
    #[default]
    Active,
    /// Its name servers point elsewhere again.
    Moved,
}

/// A zone as it begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewZone {
    /// 32 lower case hexadecimal digits.
    pub id: String,
    /// The domain.
    pub name: String,
    /// What is paid for it.
    #[serde(default)]
    pub plan: Plan,
    /// Its status.
    #[serde(default)]
    pub status: ZoneStatus,
    /// Whether the service only answers for its names.
    #[serde(default)]
    pub paused: bool,
    /// `off`, `essentially_off`, `low`, `medium`, `high` or `under_attack`.
    #[serde(default = "medium")]
    pub security_level: String,
}

fn medium() -> String {
    "medium".to_owned()
}

impl NewZone {
    /// A served zone of the smallest plan, without any rule.
    #[must_use]
    pub fn new(id: &str, name: &str) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            plan: Plan::Free,
            status: ZoneStatus::Active,
            paused: false,
            security_level: medium(),
        }
    }

    /// The same with a plan.
    #[must_use]
    pub fn on(self, plan: Plan) -> Self {
        Self { plan, ..self }
    }
}

/// A rule for addresses.
#[derive(Clone, Debug)]
pub(crate) struct AccessRule {
    pub(crate) id: String,
    pub(crate) mode: String,
    pub(crate) notes: String,
    pub(crate) target: String,
    pub(crate) value: String,
    /// First and last address; none of a country or a network by number.
    pub(crate) addresses: Option<(IpAddr, IpAddr)>,
    pub(crate) created_on: String,
}

/// A zone.
#[derive(Clone, Debug)]
pub(crate) struct Zone {
    pub(crate) basics: NewZone,
    pub(crate) level_changed: Option<String>,
    pub(crate) rulesets: Vec<Ruleset>,
    pub(crate) access_rules: Vec<AccessRule>,
}

impl Zone {
    pub(crate) fn new(basics: NewZone) -> Self {
        Self { basics, level_changed: None, rulesets: Vec::new(), access_rules: Vec::new() }
    }

    pub(crate) fn entry_point(&self, phase: &str) -> Option<&Ruleset> {
        self.rulesets.iter().find(|ruleset| ruleset.phase == phase)
    }

    pub(crate) fn entry_point_mut(&mut self, phase: &str) -> Option<&mut Ruleset> {
        self.rulesets.iter_mut().find(|ruleset| ruleset.phase == phase)
    }

    /// As the API shows it to the holder of a token.
    pub(crate) fn shown(&self, token: &Token) -> Value {
        let limits = self.basics.plan.limits();
        let mut permissions: Vec<_> =
            token.permissions.iter().map(|permission| permission.listed()).collect();
        permissions.dedup();
        json!({
            "id": self.basics.id,
            "name": self.basics.name,
            "status": self.basics.status,
            "paused": self.basics.paused,
            "type": "full",
            "plan": {"id": format!("plan-{}", limits.legacy_id), "name": limits.name, "legacy_id": limits.legacy_id},
            "permissions": permissions,
            "owner": {"id": null, "type": "user", "email": null},
            "account": {"id": "0".repeat(32), "name": "Test account"},
            "meta": {"step": 4, "page_rule_quota": 3},
        })
    }

    pub(crate) fn shown_level(&self) -> Value {
        json!({
            "id": "security_level",
            "value": self.basics.security_level,
            "editable": true,
            "modified_on": self.level_changed,
        })
    }

    /// Everything that can be changed in it, for comparisons.
    pub(crate) fn snapshot(&self) -> Value {
        json!({
            "security_level": self.basics.security_level,
            "rulesets": self.rulesets.iter().map(|ruleset| ruleset.shown(true)).collect::<Vec<_>>(),
            "access_rules": self.access_rules.iter().map(|rule| rule.shown(&self.basics)).collect::<Vec<_>>(),
        })
    }
}

impl AccessRule {
    pub(crate) fn shown(&self, zone: &NewZone) -> Value {
        json!({
            "id": self.id,
            "mode": self.mode,
            "notes": self.notes,
            "configuration": {"target": self.target, "value": self.value},
            "allowed_modes": ["whitelist", "block", "challenge", "js_challenge", "managed_challenge"],
            "created_on": self.created_on,
            "modified_on": self.created_on,
            "scope": {"id": zone.id, "name": zone.name, "type": "zone"},
        })
    }
}

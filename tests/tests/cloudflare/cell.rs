//! One cell of the table: an action on a plan in a situation, with a client and a zone of its own.

use secmon_fake_cloudflare::Plan;
use secmon_tests::plane::cloudflare::{CUSTOM, Cloud, RATE_LIMIT, zone_id};
use secmon_wire::ActionId;
use serde_json::Value;

use super::situation::Situation;

/// Everything that mitigates.
pub(crate) const ACTIONS: [ActionId; 5] = [
    ActionId::CfTargetedBlock,
    ActionId::CfPatternBlock,
    ActionId::CfRateLimit,
    ActionId::CfManagedChallenge,
    ActionId::CfUnderAttack,
];
/// What somebody else adds between our look and our change.
pub(crate) const IN_BETWEEN: &str = "made in between";

/// A cell.
pub(crate) struct Cell {
    pub action: ActionId,
    pub plan: Plan,
    pub situation: &'static Situation,
    pub client: String,
    pub zone: String,
}

/// What of a zone belongs to others.
#[derive(Debug, PartialEq)]
pub(crate) struct Foreign {
    pub security_level: String,
    /// In the order in which they stand, of both phases.
    pub rules: [Vec<Value>; 2],
    pub access_rules: Vec<Value>,
}

impl Cell {
    /// The cell with this number.
    pub(crate) fn new(number: usize, action: ActionId, plan: Plan, situation: &'static Situation) -> Self {
        Self { action, plan, situation, client: format!("client{number:03}"), zone: zone_id(number) }
    }

    /// The phase that the action's rule goes to; under-attack mode is a setting.
    pub(crate) fn phase(&self) -> Option<&'static str> {
        match self.action {
            ActionId::CfUnderAttack => None,
            ActionId::CfRateLimit => Some(RATE_LIMIT),
            _ => Some(CUSTOM),
        }
    }

    /// The name of its zone.
    pub(crate) fn name(&self) -> String {
        format!("{}.example", self.client)
    }

    /// The verb of its change.
    pub(crate) fn verb(&self) -> &'static str {
        if self.phase().is_some() { "POST" } else { "PATCH" }
    }

    /// What others have in its zone now. What came in between isn't in it.
    pub(crate) fn foreign(&self, cloud: &Cloud) -> Foreign {
        let of_others = |rule: &Value| {
            !rule["ref"].as_str().is_some_and(|tag| tag.starts_with("secmon:"))
                && rule["description"] != IN_BETWEEN
        };
        let rules = [CUSTOM, RATE_LIMIT].map(|phase| {
            let all = cloud.cloudflare.rules(&self.zone, phase);
            all.into_iter().filter(of_others).collect()
        });
        Foreign {
            security_level: cloud.cloudflare.security_level(&self.zone),
            rules,
            access_rules: cloud.cloudflare.access_rules(&self.zone),
        }
    }
}

impl std::fmt::Display for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { action, plan, client, .. } = self;
        write!(f, "{action} on {plan:?}, {} ({client})", self.situation.name)
    }
}

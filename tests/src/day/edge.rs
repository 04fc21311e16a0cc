//! The edge of the day's one zone: the stand-in's own evaluation of the rules that are in force.

use secmon_control::cloudflare::{Change, LeaseId, RuleAction};
use secmon_fake_cloudflare::{DEFAULT_ZONE, Edit, FakeCloudflare, NewZone, Options};
use serde_json::{Value, json};

use super::Request;

/// The site's name.
pub(super) const SITE: &str = "example.com";

/// What becomes of a visit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The server gets it.
    Passed,
    /// Its sender must show first that they are a person; who is one, does.
    Challenged,
    /// The server never hears of it.
    Stopped,
}

/// The edge, and what was made there.
#[derive(Debug)]
pub(super) struct Edge {
    cloudflare: FakeCloudflare,
    made: Vec<Change>,
}

const TAG: LeaseId = LeaseId([7; 8]);

impl Edge {
    pub(super) fn new() -> Self {
        let zones = vec![NewZone::new(DEFAULT_ZONE, SITE)];
        let options = Options { zones, spec: None, ..Options::default() };
        Self { cloudflare: FakeCloudflare::start(options), made: Vec::new() }
    }

    pub(super) fn answer(&self, request: &Request) -> Answer {
        if self.made.is_empty() {
            return Answer::Passed;
        }
        let at = i64::try_from(request.at).expect("a time") * 1_000;
        self.cloudflare.edit(&Edit::AdvanceClock { ms: at - self.cloudflare.now_ms() });
        let Some(by) = self.cloudflare.visit(request.visit.clone()).by else { return Answer::Passed };
        match by == "under_attack" || self.challenges() {
            true if !request.is_flood => Answer::Challenged,
            _ => Answer::Stopped,
        }
    }

    pub(super) fn make(&mut self, changes: &[Change]) {
        for change in changes {
            match change {
                Change::UnderAttack => self.set_level("under_attack"),
                Change::Rule { phase, rule } => {
                    let Value::Object(rule) = rule.to_json(&TAG.tag()) else {
                        unreachable!("a rule is an object")
                    };
                    let phase = phase.as_str().to_owned();
                    self.cloudflare.edit(&Edit::AddRule { zone: zone(), phase, rule, place: None });
                }
                Change::Access(rules) => {
                    for rule in rules {
                        let target = if rule.network.is_host() { "ip" } else { "ip_range" };
                        let configuration = json!({"target": target, "value": rule.network.to_string()});
                        let rule = json!({
                            "mode": rule.action.as_str(), "configuration": configuration, "notes": TAG.tag(),
                        });
                        self.cloudflare.edit(&Edit::AddAccessRule { zone: zone(), rule });
                    }
                }
            }
            self.made.push(change.clone());
        }
    }

    /// Puts everything back.
    pub(super) fn clear(&mut self) {
        for change in std::mem::take(&mut self.made) {
            match change {
                Change::UnderAttack => self.set_level("medium"),
                Change::Rule { phase, .. } => {
                    let (phase, rule) = (phase.as_str().to_owned(), TAG.tag());
                    self.cloudflare.edit(&Edit::RemoveRule { zone: zone(), phase, rule });
                }
                Change::Access(rules) => {
                    for _ in rules {
                        self.cloudflare.edit(&Edit::RemoveAccessRule { zone: zone(), rule: TAG.tag() });
                    }
                }
            }
        }
    }

    fn set_level(&self, value: &str) {
        self.cloudflare.edit(&Edit::SetSecurityLevel { zone: zone(), value: value.to_owned() });
    }

    /// Whether the rule that is in force challenges. There is one at a time beside under-attack mode.
    fn challenges(&self) -> bool {
        let is = |change: &Change| match change {
            Change::Rule { rule, .. } => rule.action == RuleAction::ManagedChallenge,
            Change::Access(rules) => rules.iter().any(|rule| rule.action == RuleAction::ManagedChallenge),
            Change::UnderAttack => false,
        };
        self.made.iter().any(is)
    }
}

fn zone() -> String {
    DEFAULT_ZONE.to_owned()
}

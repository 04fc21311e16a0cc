//! A control plane in front of a fake Cloudflare: one zone in which others have rules, and a flood that was found.

use std::ops::{Deref, DerefMut};

use secmon_control::cloudflare::{Lease, LeaseId, State};
use secmon_fake_cloudflare::{DEFAULT_ZONE as ZONE, Edit, NewZone, Plan, Wait};
use secmon_tests::agent_host::{PATIENCE, until};
use secmon_tests::plane::cloudflare::{CUSTOM, Cloud, RATE_LIMIT, xmlrpc_flood};
use secmon_tests::plane::{Line, OWNER};
use serde_json::{Value, json};

pub(crate) const PHASES: [&str; 2] = [CUSTOM, RATE_LIMIT];
/// Neither what a new zone has nor what secmon sets.
pub(crate) const LEVEL: &str = "high";
/// What a control plane asks of a zone at its start: both rulesets and the access rules.
const READS_AT_START: usize = 3;

/// What a test has in its hands.
pub(crate) struct Stage {
    cloud: Cloud,
    /// What others have in the zone, as it was at the beginning.
    foreign: Value,
    /// Messages of before the last start.
    told_before: usize,
}

impl Deref for Stage {
    type Target = Cloud;

    fn deref(&self) -> &Cloud {
        &self.cloud
    }
}

impl DerefMut for Stage {
    fn deref_mut(&mut self) -> &mut Cloud {
        &mut self.cloud
    }
}

impl Stage {
    /// A control plane that isn't running yet.
    pub(crate) fn new() -> Self {
        let mut zone = NewZone::new(ZONE, "example.com").on(Plan::Pro);
        LEVEL.clone_into(&mut zone.security_level);
        let cloud = Cloud::new();
        cloud.client("acme");
        cloud.zone("acme", zone);
        for (phase, name) in [(PHASES[0], "office"), (PHASES[0], "shop"), (PHASES[1], "search")] {
            let mut rule = json!({"ref": name, "description": name, "action": "block", "expression": "ssl"});
            if phase == PHASES[1] {
                rule["ratelimit"] = json!({
                    "characteristics": ["cf.colo.id", "ip.src"],
                    "period": 10, "requests_per_period": 50, "mitigation_timeout": 10,
                });
            }
            let rule = rule.as_object().expect("an object").clone();
            cloud.cloudflare.edit(&Edit::AddRule {
                zone: zone_id(),
                phase: phase.to_owned(),
                rule,
                place: None,
            });
        }
        let network = json!({"target": "ip", "value": "198.51.100.77"});
        let rule = json!({"mode": "block", "notes": "theirs", "configuration": network});
        cloud.cloudflare.edit(&Edit::AddAccessRule { zone: zone_id(), rule });
        let mut stage = Self { cloud, foreign: Value::Null, told_before: 0 };
        stage.foreign = stage.foreign_now();
        stage
    }

    /// A running one whose agent has just seen a flood.
    pub(crate) fn running() -> Self {
        let mut stage = Self::new();
        stage.flood();
        stage.start();
        stage
    }

    /// Starts the control plane; returns once it has looked at the zone for what is left of before.
    pub(crate) fn start(&mut self) {
        let before = self.asked();
        self.plane.start();
        assert!(self.wait_asked(before + READS_AT_START), "{}", self.plane.log());
    }

    /// The agent of acme has just found a flood.
    pub(crate) fn flood(&self) {
        self.cloud.found("acme", &[xmlrpc_flood()], 0);
    }

    /// The operator approves; returns without waiting for anything.
    pub(crate) fn send(&mut self, action: &str) -> Line {
        let line = self.plane.line(action, "acme");
        self.plane.telegram.text(OWNER, line.to_string());
        line
    }

    /// An operator approves what then comes into force.
    pub(crate) fn put_in_force(&mut self, action: &str) -> Lease {
        self.flood();
        let line = self.send(action);
        assert_eq!(self.wait_last_word(&line), "succeeded", "{}", self.plane.log());
        self.wait_told(&format!("✓ in force acme {action}: "));
        self.open_leases().pop().expect("a lease")
    }

    /// Waits until the operator is told something with these words.
    pub(crate) fn wait_told(&self, words: &str) {
        until(&format!("the operator to be told {words:?} after {:?}", self.told_since("")), || {
            (!self.told_since(words).is_empty()).then_some(())
        });
    }

    /// What the operator was told with these words since the last start.
    pub(crate) fn told_since(&self, words: &str) -> Vec<String> {
        let sent = self.plane.telegram.sent();
        let texts = sent.iter().skip(self.told_before).map(|message| message.text().to_owned());
        texts.filter(|text| text.contains(words)).collect()
    }

    /// How many requests there were.
    pub(crate) fn asked(&self) -> usize {
        self.cloudflare.requests().len()
    }

    /// Waits for requests.
    pub(crate) fn wait_asked(&self, count: usize) -> bool {
        self.cloudflare.wait(&Wait { requests: Some(count), ..Wait::default() }, PATIENCE)
    }

    /// kill -9; whatever Cloudflare was to do comes to nothing from then on.
    pub(crate) fn kill(&mut self) {
        self.plane.kill();
        self.cloudflare.clear_plans();
        self.told_before = self.plane.telegram.sent().len();
    }

    /// A minute passes for leases while nothing runs.
    pub(crate) fn a_minute_later(&self) {
        self.plane.sql("UPDATE lease SET created = created - 61, expires = expires - 61");
    }

    /// The last word on an approval: the state of its outcome, or `rejected`. There is exactly one.
    pub(crate) fn wait_last_word(&self, line: &Line) -> String {
        until(&format!("the last word on {line}"), || self.last_words(line).pop());
        let mut words = self.last_words(line);
        assert_eq!(words.len(), 1, "{words:?}: {}", self.plane.log());
        words.remove(0)
    }

    /// All last words on an approval.
    pub(crate) fn last_words(&self, line: &Line) -> Vec<String> {
        let of_it = |record: &Value| record["nonce"] == line.nonce.as_str();
        let word = |record: Value| match record["event"].as_str()? {
            "outcome" if record["final"] == true => Some(record["state"].as_str()?.to_owned()),
            "rejected" => Some(format!("rejected: {}", record["reason"].as_str()?)),
            _ => None,
        };
        self.plane.audit().into_iter().filter(of_it).filter_map(word).collect()
    }

    /// Waits until every lease is in force or over.
    pub(crate) fn wait_settled(&self) -> Vec<Lease> {
        until("every lease to be in force or over", || {
            let open = self.open_leases();
            open.iter().all(|lease| lease.state == State::Active).then_some(open)
        })
    }

    /// Everything in the zone with a tag of secmon.
    pub(crate) fn tags(&self) -> Vec<String> {
        let rules = PHASES.into_iter().flat_map(|phase| self.cloudflare.rules(ZONE, phase));
        let access = self.cloudflare.access_rules(ZONE);
        let names =
            rules.map(|rule| rule["ref"].clone()).chain(access.iter().map(|rule| rule["notes"].clone()));
        let names = names.filter_map(|name| name.as_str().map(str::to_owned));
        names.filter(|name| name.starts_with("secmon:")).collect()
    }

    /// What holds whenever nothing is under way: what others have is as it was, everything of ours is there once for
    /// a lease in force and for nothing else.
    pub(crate) fn assert_accounted_for(&self, context: &str) {
        let open = self.wait_settled();
        assert_eq!(self.foreign_now(), self.foreign, "{context}");
        let under_attack = |lease: &&Lease| lease.action.as_str() == "cf-under-attack";
        let level = if open.iter().any(|lease| under_attack(&lease)) { "under_attack" } else { LEVEL };
        assert_eq!(self.cloudflare.security_level(ZONE), level, "{context}: {}", self.plane.log());
        let with_rules = open.iter().filter(|lease| !under_attack(lease));
        let mut expected: Vec<_> = with_rules.map(|lease| tag(lease.id)).collect();
        let mut tags = self.tags();
        expected.sort();
        tags.sort();
        assert_eq!(tags, expected, "{context}: {}", self.plane.log());
    }

    /// What holds after every test.
    pub(crate) fn finish(mut self) {
        self.cloud.finish();
    }

    /// What others have in the zone, in their order.
    fn foreign_now(&self) -> Value {
        let is_foreign =
            |rule: &Value, name: &str| !rule[name].as_str().is_some_and(|name| name.starts_with("secmon:"));
        let phases = PHASES.map(|phase| {
            let rules = self.cloudflare.rules(ZONE, phase).into_iter();
            rules.filter(|rule| is_foreign(rule, "ref")).collect::<Vec<_>>()
        });
        let access = self.cloudflare.access_rules(ZONE).into_iter();
        let access: Vec<_> = access.filter(|rule| is_foreign(rule, "notes")).collect();
        json!({"rules": phases, "access": access})
    }
}

/// What a lease's objects are called.
pub(crate) fn tag(lease: LeaseId) -> String {
    format!("secmon:{lease}")
}

fn zone_id() -> String {
    ZONE.to_owned()
}

//! What a test in the same process does with a running server. Every method is safe to call from sync and async tests;
//! only the `wait…` ones block, and the server has threads of its own.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::edge;
use crate::edit::Edit;
use crate::expression::Visit;
use crate::fault::Planned;
use crate::rate::RateLimit;
use crate::record::{RequestRecord, VisitRecord};
use crate::server::FakeCloudflare;
use crate::token::Token;
use crate::waiting::Wait;
use crate::zone::{NewZone, Zone};

/// What others do.
impl FakeCloudflare {
    /// Adds a zone, or puts it in the place of the one with its id.
    pub fn add_zone(&self, zone: NewZone) {
        self.shared.change(|state| state.add_zone(Zone::new(zone)));
    }

    /// Adds a token, or puts it in the place of the one with its secret.
    pub fn add_token(&self, token: Token) {
        self.shared.change(|state| state.add_token(token));
    }

    /// Makes an edit.
    ///
    /// # Panics
    /// When what it is about isn't there.
    #[track_caller]
    pub fn edit(&self, edit: &Edit) {
        let result = self.shared.change(|state| state.edit(edit));
        if let Err(why) = result {
            panic!("the edit can't be made: {why}: {edit:?}");
        }
    }

    /// Sets what the origin answers to paths; 200 where nothing is said.
    pub fn set_origin(&self, pages: &[(&str, u16)]) {
        let pages: BTreeMap<_, _> = pages.iter().map(|&(path, status)| (path.to_owned(), status)).collect();
        self.shared.change(|state| state.edge.origin = pages);
    }
}

/// What fails.
impl FakeCloudflare {
    /// Plans what happens to coming requests.
    pub fn plan(&self, planned: Planned) {
        self.shared.change(|state| state.faults.plan(planned));
    }

    /// Forgets all plans.
    pub fn clear_plans(&self) {
        self.shared.change(|state| state.faults.clear());
    }

    /// Plans that haven't happened often enough yet.
    #[must_use]
    pub fn plans_left(&self) -> Vec<Planned> {
        self.shared.peek(|state| state.faults.left())
    }

    /// Sets or lifts the limit of requests per token.
    pub fn limit_rate(&self, limit: Option<RateLimit>) {
        self.shared.change(|state| state.windows.limit = limit);
    }

    /// Milliseconds since the epoch, by the server's clock.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.shared.peek(|state| state.now_ms())
    }
}

/// What there is.
impl FakeCloudflare {
    /// Everything in a zone that can be changed: security level, rulesets and access rules. Null without the zone.
    #[must_use]
    pub fn zone(&self, zone: &str) -> Value {
        self.shared.peek(|state| state.zone(zone).map_or(Value::Null, Zone::snapshot))
    }

    /// A zone's security level; empty without the zone.
    #[must_use]
    pub fn security_level(&self, zone: &str) -> String {
        self.zone(zone)["security_level"].as_str().unwrap_or_default().to_owned()
    }

    /// The ruleset of a phase, if there is one.
    #[must_use]
    pub fn ruleset(&self, zone: &str, phase: &str) -> Option<Value> {
        self.shared.peek(|state| Some(state.zone(zone)?.entry_point(phase)?.shown(true)))
    }

    /// The rules of a phase; none without a ruleset.
    #[must_use]
    pub fn rules(&self, zone: &str, phase: &str) -> Vec<Value> {
        self.shared.peek(|state| {
            let zone = state.zone(zone);
            zone.and_then(|zone| zone.entry_point(phase))
                .map_or_else(Vec::new, |ruleset| ruleset.rules.clone())
        })
    }

    /// The access rules of a zone.
    #[must_use]
    pub fn access_rules(&self, zone: &str) -> Vec<Value> {
        self.zone(zone)["access_rules"].as_array().cloned().unwrap_or_default()
    }

    /// What the edge answers to a visit, which counts as one: the record of it.
    #[must_use]
    pub fn visit(&self, visit: Visit) -> VisitRecord {
        self.shared.change(|state| {
            let _ = edge::answer(state, visit.clone());
            state.edge.visits.last().cloned().unwrap_or(VisitRecord { visit, status: 0, by: None })
        })
    }
}

/// What clients did.
impl FakeCloudflare {
    /// Every request, oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.shared.peek(|state| state.requests.clone())
    }

    /// Every request that asked for a change, oldest first.
    #[must_use]
    pub fn changes(&self) -> Vec<RequestRecord> {
        self.requests().into_iter().filter(RequestRecord::changes).collect()
    }

    /// Every visit at the edge, oldest first.
    #[must_use]
    pub fn visits(&self) -> Vec<VisitRecord> {
        self.shared.peek(|state| state.edge.visits.clone())
    }

    /// Every breach of the specification so far, by requests or by the stand-in's own answers, and every planned edit
    /// that couldn't be made.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        self.shared.peek(|state| state.violations.clone())
    }

    /// Whether requests are checked against a specification.
    #[must_use]
    pub fn has_spec(&self) -> bool {
        self.shared.peek(|state| state.spec.is_some())
    }

    /// Fails the test when a request broke the specification.
    ///
    /// # Panics
    /// With the list of violations, when there are any.
    #[track_caller]
    pub fn assert_no_violations(&self) {
        let violations = self.violations();
        assert!(violations.is_empty(), "requests broke the API's specification: {violations:#?}");
    }

    /// Blocks until the condition holds; `false` when it didn't in time.
    #[must_use]
    pub fn wait(&self, condition: &Wait, timeout: Duration) -> bool {
        self.shared.wait(timeout, |state| condition.holds(state).then_some(())).is_some()
    }
}

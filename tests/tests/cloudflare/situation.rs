//! What a mitigation meets: the zone as it is, what fails on the way, and what was found before.

use secmon_fake_cloudflare::{Edit, Fault, Plan, Planned, TokenStatus, ZoneStatus};
use secmon_tests::plane::cloudflare::{CUSTOM, Cloud, RATE_LIMIT, login_flood, spread_flood, token_of};
use serde_json::{Value, json};

use super::cell::{Cell, IN_BETWEEN};

/// A situation, and what comes of every mitigation in it.
pub(crate) struct Situation {
    pub name: &'static str,
    pub prepare: fn(&Cell, &Cloud),
    pub ending: fn(&Cell) -> Ending,
}

/// What comes of an approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It stands.
    InForce,
    /// It was tried, and nothing of it is left. The answer has these words.
    Failed(&'static str),
    /// It wasn't tried: the reason in the record, and words of the answer.
    Rejected(&'static str, &'static str),
}

use Ending::{Failed, InForce, Rejected};

/// A Hang is one of the client's longest waits; the cells wait side by side.
pub(crate) const SITUATIONS: &[Situation] = &[
    Situation { name: "a fresh zone", prepare: found, ending: |_| InForce },
    Situation { name: "foreign rules", prepare: among_others, ending: |_| InForce },
    Situation {
        name: "no room",
        prepare: |cell, cloud| {
            found(cell, cloud);
            let Some(phase) = cell.phase() else { return };
            (0..room(cell)).for_each(|number| {
                cloud.cloudflare.edit(&add(cell, phase, &format!("foreign {number}"), None));
            });
        },
        ending: |cell| match cell.phase() {
            Some(_) => Rejected("cloudflare", "rules of this kind are in use; remove one first"),
            None => InForce,
        },
    },
    Situation {
        name: "no entry point",
        prepare: |cell, cloud| {
            found(cell, cloud);
            let other = if cell.phase() == Some(CUSTOM) { RATE_LIMIT } else { CUSTOM };
            cloud.cloudflare.edit(&add(cell, other, "foreign", None));
        },
        ending: |_| InForce,
    },
    Situation {
        name: "token revoked",
        prepare: |cell, cloud| {
            found(cell, cloud);
            cloud.cloudflare.edit(&Edit::RemoveToken { secret: token_of(&cell.zone) });
        },
        ending: |_| Rejected("cloudflare", "Cloudflare doesn't take the API token"),
    },
    Situation {
        name: "token switched off",
        prepare: |cell, cloud| {
            found(cell, cloud);
            let (secret, status) = (token_of(&cell.zone), Some(TokenStatus::Disabled));
            cloud.cloudflare.edit(&Edit::SetToken { secret, status, permissions: None });
        },
        ending: |_| Rejected("cloudflare", "Cloudflare doesn't take the API token"),
    },
    Situation {
        name: "an edit between look and change",
        prepare: |cell, cloud| {
            among_others(cell, cloud);
            in_between(cell, cloud);
        },
        // Theirs takes the last place.
        ending: |cell| match (cell.phase(), cell.plan) {
            (Some(RATE_LIMIT), Plan::Free | Plan::Pro) => Failed("exceeded maximum number of rules"),
            _ => InForce,
        },
    },
    Situation {
        name: "an entry point made between look and change",
        prepare: |cell, cloud| {
            found(cell, cloud);
            in_between(cell, cloud);
        },
        ending: |cell| match (cell.phase(), cell.plan) {
            (Some(RATE_LIMIT), Plan::Free) => Failed("exceeded maximum number of rules"),
            _ => InForce,
        },
    },
    Situation {
        name: "done, and no answer in time",
        prepare: |cell, cloud| after(cell, cloud, Fault::Hang),
        ending: |_| InForce,
    },
    Situation {
        name: "done, and the connection cut",
        prepare: |cell, cloud| after(cell, cloud, Fault::Cut),
        ending: |_| InForce,
    },
    Situation {
        name: "done, and answered 502",
        prepare: |cell, cloud| after(cell, cloud, Fault::Status { status: 502 }),
        ending: |_| InForce,
    },
    Situation {
        name: "not done, and no answer in time",
        prepare: |cell, cloud| instead(cell, cloud, Fault::Hang),
        ending: |_| Failed("the zone was read afterwards and it isn't there"),
    },
    Situation {
        name: "not done, and answered 500",
        prepare: |cell, cloud| instead(cell, cloud, Fault::Status { status: 500 }),
        ending: |_| Failed("the zone was read afterwards and it isn't there"),
    },
    Situation {
        name: "refused for too many requests",
        prepare: |cell, cloud| instead(cell, cloud, Fault::TooMany { retry_after: 1 }),
        ending: |_| Failed("too many requests to Cloudflare; the next in 1 s"),
    },
    Situation {
        name: "every look answered 503",
        prepare: |cell, cloud| {
            found(cell, cloud);
            let fault = Fault::Status { status: 503 };
            cloud.cloudflare.plan(Planned::on("GET", &cell.zone).for_ever().fails(fault));
        },
        ending: |_| Rejected("cloudflare", "Cloudflare's API can't be reached: it answered 503"),
    },
    Situation {
        name: "zone paused",
        prepare: |cell, cloud| {
            found(cell, cloud);
            let (zone, paused) = (cell.zone.clone(), Some(true));
            cloud.cloudflare.edit(&Edit::SetZone { zone, status: None, paused, plan: None });
        },
        ending: |_| Rejected("cloudflare", "the zone is paused: Cloudflare lets everything through"),
    },
    Situation {
        name: "zone pending",
        prepare: |cell, cloud| {
            found(cell, cloud);
            let (zone, status) = (cell.zone.clone(), Some(ZoneStatus::Pending));
            cloud.cloudflare.edit(&Edit::SetZone { zone, status, paused: None, plan: None });
        },
        ending: |_| Rejected("cloudflare", "the zone is pending, not active"),
    },
    Situation { name: "nothing found", prepare: |_, _| (), ending: needs_a_flood },
    Situation {
        name: "found 16 minutes ago",
        prepare: |cell, cloud| cloud.found(&cell.client, &[login_flood()], 16 * 60),
        ending: needs_a_flood,
    },
    Situation {
        name: "found 14 minutes ago",
        prepare: |cell, cloud| cloud.found(&cell.client, &[login_flood()], 14 * 60),
        ending: |_| InForce,
    },
    Situation {
        name: "a flood with nothing in common",
        prepare: |cell, cloud| cloud.found(&cell.client, &[spread_flood()], 0),
        ending: |cell| match cell.phase() {
            Some(_) => Rejected("unfit", "cf-under-attack would fit"),
            None => InForce,
        },
    },
];

fn needs_a_flood(cell: &Cell) -> Ending {
    match cell.phase() {
        Some(_) => Rejected("no-fresh-flood", "run /diag <client> first"),
        None => InForce,
    }
}

fn found(cell: &Cell, cloud: &Cloud) {
    cloud.found(&cell.client, &[login_flood()], 0);
}

/// As many rules of others as leave one place, up to three, and a security level that isn't the usual one.
fn among_others(cell: &Cell, cloud: &Cloud) {
    found(cell, cloud);
    let zone = || cell.zone.clone();
    cloud.cloudflare.edit(&Edit::SetSecurityLevel { zone: zone(), value: "high".to_owned() });
    for phase in [CUSTOM, RATE_LIMIT] {
        let most = if Some(phase) == cell.phase() { room(cell) - 1 } else { 1 };
        (0..most.min(3)).for_each(|number| {
            cloud.cloudflare.edit(&add(cell, phase, &format!("foreign {number}"), Some(1)));
        });
    }
    let rule = json!({
        "mode": "whitelist", "notes": "the office", "configuration": {"target": "ip", "value": "203.0.113.9"},
    });
    cloud.cloudflare.edit(&Edit::AddAccessRule { zone: zone(), rule });
}

/// Somebody else edits what the action changes, right before its change.
fn in_between(cell: &Cell, cloud: &Cloud) {
    let edit = match cell.phase() {
        Some(phase) => add(cell, phase, IN_BETWEEN, Some(1)),
        None => Edit::SetSecurityLevel { zone: cell.zone.clone(), value: "low".to_owned() },
    };
    cloud.cloudflare.plan(Planned::on(cell.verb(), &cell.zone).edits(edit));
}

fn after(cell: &Cell, cloud: &Cloud, fault: Fault) {
    among_others(cell, cloud);
    cloud.cloudflare.plan(Planned::on(cell.verb(), &cell.zone).fails_after(fault));
}

fn instead(cell: &Cell, cloud: &Cloud, fault: Fault) {
    among_others(cell, cloud);
    cloud.cloudflare.plan(Planned::on(cell.verb(), &cell.zone).fails(fault));
}

/// How many rules the phase of the action has room for: the published numbers; of rate limiting rules on enterprise,
/// those that every contract has.
fn room(cell: &Cell) -> usize {
    match (cell.phase(), cell.plan) {
        (Some(RATE_LIMIT), Plan::Free) => 1,
        (Some(RATE_LIMIT), Plan::Pro) => 2,
        (Some(RATE_LIMIT), _) => 5,
        (_, Plan::Free) => 5,
        (_, Plan::Pro) => 20,
        (_, Plan::Business) => 100,
        (_, Plan::Enterprise) => 1_000,
    }
}

/// Somebody else's rule.
fn add(cell: &Cell, phase: &str, description: &str, place: Option<usize>) -> Edit {
    let mut rule = json!({
        "action": "block", "description": description, "enabled": true,
        "expression": "(http.request.uri.path eq \"/old-backup.zip\")",
    });
    if phase == RATE_LIMIT {
        rule["ratelimit"] = json!({
            "characteristics": ["cf.colo.id", "ip.src"], "period": 10, "requests_per_period": 50,
            "mitigation_timeout": 10,
        });
    }
    let Value::Object(rule) = rule else { unreachable!("an object") };
    Edit::AddRule { zone: cell.zone.clone(), phase: phase.to_owned(), rule, place }
}

//! The events of what changes at Cloudflare, one constructor each. No token is ever in one.

use secmon_wire::{ActionId, ClientId, Intent};

use super::record::{Field, Record};
use crate::approval::Claimed;
use crate::cloudflare::{Asked, Collateral, Lease, LeaseId, Managed, Origin, Outcome, Path, Why};
use crate::dispatch::now;
use crate::store::ArmedRow;

/// A lease of an intent, whether it only gets more time, and those whose place it takes.
pub type Intended<'a> = (&'a Lease, bool, &'a [Lease]);

/// What is about to be changed, by an approval.
pub fn cloudflare_intent<'a>(
    claimed: &Claimed,
    leases: impl Iterator<Item = Intended<'a>>,
    overridden: bool,
) -> Record {
    approved(claimed, overridden).with("leases", leases.map(intended).collect::<Vec<_>>())
}

/// What is about to be changed, by nobody's hand.
pub fn automatic_intent<'a>(
    client: &ClientId,
    action: ActionId,
    leases: impl Iterator<Item = Intended<'a>>,
) -> Record {
    Record::new(now(), "intent")
        .with("action", action.as_str())
        .with("automatic", true)
        .with("client", client.as_str())
        .with("leases", leases.map(intended).collect::<Vec<_>>())
}

/// What is about to be put back.
pub fn restore_intent(claimed: &Claimed, leases: &[Lease], overridden: bool) -> Record {
    let ids: Vec<String> = leases.iter().map(|lease| lease.id.to_string()).collect();
    approved(claimed, overridden).with("leases", ids)
}

/// Who is about to be armed, or disarmed.
pub fn arming_intent(claimed: &Claimed, armed: Option<&ArmedRow>, overridden: bool) -> Record {
    let record = approved(claimed, overridden);
    match armed {
        Some(armed) => record.with("lease", armed.lease.to_string()).with("expires", armed.until),
        None => record,
    }
}

/// What came of an intent's leases.
pub fn cloudflare_outcome(done: &[(Lease, Outcome, bool)], intent: Option<Intent>) -> Record {
    let unknown = done.iter().any(|(_, outcome, _)| matches!(outcome, Outcome::Unknown(_)));
    let failed = done.iter().any(|(_, outcome, _)| matches!(outcome, Outcome::Failed(_)));
    let state = match (unknown, failed) {
        (true, _) => "unknown",
        (false, true) => "failed",
        (false, false) => "succeeded",
    };
    let why: Vec<String> = done
        .iter()
        .filter_map(|(lease, outcome, _)| match outcome {
            Outcome::Done => None,
            Outcome::Failed(why) | Outcome::Unknown(why) => Some(format!("{}: {why}", lease.zone_name)),
        })
        .collect();
    let leases = done.iter().map(|(lease, outcome, renewed)| {
        Field::object([
            ("expires", Field::from(lease.expires)),
            ("lease", Field::from(lease.id.to_string())),
            ("renewed", Field::from(*renewed)),
            ("state", Field::from(outcome.as_str())),
            ("zone", Field::from(lease.zone.as_str())),
        ])
    });
    let mut record = Record::new(now(), "outcome")
        .with("final", !unknown)
        .with("leases", leases.collect::<Vec<_>>())
        .with("reason", why.join("; "))
        .with("state", state);
    if let Some((lease, _, _)) = done.first() {
        record = record.with("action", lease.action.as_str()).with("client", lease.client.as_str());
        record = match lease.origin {
            Origin::Automatic => record.with("automatic", true),
            Origin::Approved { operator, nonce, .. } => {
                record.with("operator", operator.0).with("nonce", nonce.hex().as_str())
            }
        };
    }
    match intent {
        Some(intent) => record.with("intent", intent_field(intent)),
        None => record,
    }
}

/// What came of a `cf-restore`.
pub fn restore_outcome(asked: &Asked<'_>, ends: &[(Lease, Result<Lease, String>)]) -> Record {
    let not_ended = ends.iter().filter_map(|(lease, end)| {
        end.as_ref().err().map(|why| format!("{} {}: {why}", lease.zone_name, lease.id))
    });
    let reason = not_ended.collect::<Vec<_>>().join("; ");
    let state = if reason.is_empty() { "succeeded" } else { "failed" };
    outcome(asked).with("reason", reason).with("state", state)
}

/// What came of arming or disarming.
pub fn arming_outcome(asked: &Asked<'_>, kept: &Result<(), String>) -> Record {
    outcome(asked)
        .with("reason", kept.as_ref().err().cloned().unwrap_or_default())
        .with("state", if kept.is_ok() { "succeeded" } else { "failed" })
}

/// More time was approved, and nothing shows whether it was given before the control plane stopped.
pub fn renewal_unknown(asked: &Asked<'_>) -> Record {
    outcome(asked)
        .with("reason", "the control plane stopped while the lease was renewed")
        .with("state", "unknown")
}

/// A lease is about to be ended.
pub fn lease_ending(lease: &Lease, why: Why) -> Record {
    let record = of_lease("lease-ending", lease).with("why", why.as_str());
    match why {
        Why::Restored(operator, nonce) => {
            record.with("operator", operator.0).with("nonce", nonce.hex().as_str())
        }
        _ => record,
    }
}

/// An automatic lease gets more time.
pub fn lease_prolonged(lease: &Lease) -> Record {
    of_lease("lease-prolonged", lease).with("expires", lease.expires)
}

/// A lease ended.
pub fn lease_ended(lease: &Lease) -> Record {
    of_lease("lease-ended", lease).with("how", lease.ending.clone().unwrap_or_default())
}

/// Pages were looked at after a mitigation.
pub fn collateral(lease: &Lease, found: &Collateral) -> Record {
    let broken = found.broken.iter().map(|broken| {
        Field::object([
            ("before", Field::from(broken.before.map(|before| before.to_string()).unwrap_or_default())),
            ("now", Field::from(broken.now.to_string())),
            ("page", Field::from(broken.page.to_string())),
        ])
    });
    let looked = u64::try_from(found.looked).unwrap_or(u64::MAX);
    of_lease("collateral", lease).with("broken", broken.collect::<Vec<_>>()).with("looked", looked)
}

/// An object with our tag that no lease in force accounts for is about to be removed.
pub fn orphan(zone: &Managed, lease: LeaseId, what: &str) -> Record {
    Record::new(now(), "orphan")
        .with("lease", lease.to_string())
        .with("what", what)
        .with("zone", zone.id.as_str())
        .with("zone_name", zone.name.as_str())
}

/// A client is not armed any more: its time is over.
pub fn arming_ended(armed: &ArmedRow) -> Record {
    Record::new(now(), "disarmed")
        .with("client", armed.client.as_str())
        .with("lease", armed.lease.to_string())
        .with("why", "expired")
}

/// The switch kept the automatic dispatch from a change.
pub fn auto_suppressed(client: &ClientId, action: ActionId, path: Path, by: &str) -> Record {
    Record::new(now(), "auto-suppressed")
        .with("action", action.as_str())
        .with("by", by)
        .with("client", client.as_str())
        .with("path", path.as_str())
}

fn approved(claimed: &Claimed, overridden: bool) -> Record {
    let record = Record::new(now(), "intent")
        .with("action", claimed.action().as_str())
        .with("approval_ts", claimed.ts())
        .with("chat", claimed.chat().0)
        .with("client", claimed.client().as_str())
        .with("nonce", claimed.nonce().hex().as_str())
        .with("operator", claimed.operator().0)
        .with("transport", claimed.transport().as_str())
        .with("via", claimed.via().as_str());
    if overridden { record.with("auto_dispatch_overridden_by", "approve") } else { record }
}

fn outcome(asked: &Asked<'_>) -> Record {
    Record::new(now(), "outcome")
        .with("action", asked.action.as_str())
        .with("client", asked.client.as_str())
        .with("final", true)
        .with("intent", intent_field(asked.intent))
        .with("nonce", asked.nonce.hex().as_str())
        .with("operator", asked.operator.0)
}

fn intent_field(intent: Intent) -> Field {
    Field::object([("hash", Field::from(intent.hash.hex().as_str())), ("seq", Field::from(intent.seq))])
}

fn of_lease(event: &str, lease: &Lease) -> Record {
    Record::new(now(), event)
        .with("action", lease.action.as_str())
        .with("client", lease.client.as_str())
        .with("lease", lease.id.to_string())
        .with("zone", lease.zone.as_str())
        .with("zone_name", lease.zone_name.as_str())
}

fn intended((lease, renewed, replaces): Intended<'_>) -> Field {
    let held = serde_json::to_value(&lease.held).ok().and_then(Field::from_json);
    let replaces: Vec<String> = replaces.iter().map(|lease| lease.id.to_string()).collect();
    Field::object([
        ("changes", Field::from(held)),
        ("expires", Field::from(lease.expires)),
        ("lease", Field::from(lease.id.to_string())),
        ("reason", Field::from(lease.reason.as_str())),
        ("renewed", Field::from(renewed)),
        ("replaces", Field::from(replaces)),
        ("said", Field::from(lease.said.as_str())),
        ("zone", Field::from(lease.zone.as_str())),
        ("zone_name", Field::from(lease.zone_name.as_str())),
    ])
}

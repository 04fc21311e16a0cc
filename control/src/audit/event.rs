//! The events that the control plane records, one constructor each. No code, token or key is ever in one.

use secmon_wire::Hash;

pub use super::cloudflare_event::*;
use super::record::{Field, Record};
use crate::approval::{Claimed, Rejected};
use crate::chat::Due;
use crate::dispatch::{IntentFields, Outcome, Recorded, now};
use crate::fleet::MissingWalls;
use crate::store::AgentRow;

/// The control plane started.
pub fn started(version: &str) -> Record {
    Record::new(now(), "started").with("version", version)
}

/// Messages of somebody unknown, counted.
pub fn stranger(due: &Due) -> Record {
    Record::new(now(), "ignored")
        .with("sender", due.sender.0)
        .with("reason", due.reason.as_str())
        .with("count", due.count)
}

/// An agent says that other walls are missing around its network process than it did; `""` is none.
pub fn agent_sandbox(agent: &AgentRow, missing: &MissingWalls) -> Record {
    Record::new(now(), "agent-sandbox")
        .with("agent", agent.id.as_str())
        .with("client", agent.client.as_str())
        .with("missing", missing.as_str())
}

/// An approval that was rejected.
pub fn rejected(rejected: &Rejected) -> Record {
    let mut record = Record::new(now(), "rejected")
        .with("operator", rejected.operator.0)
        .with("reason", rejected.reason.code())
        .with("transport", rejected.transport.as_str())
        .with("detail", rejected.reason.explain());
    if let Some(via) = rejected.via {
        record = record.with("via", via.as_str());
    }
    if let Some(action) = rejected.action {
        record = record.with("action", action.as_str());
    }
    if let Some(client) = &rejected.client {
        record = record.with("client", client.as_str());
    }
    if let Some(nonce) = rejected.nonce {
        record = record.with("nonce", nonce.hex().as_str());
    }
    record
}

/// What is about to be sent. `ts` is the envelope's.
pub fn intent(fields: &IntentFields, claimed: &Claimed, manifest: Hash) -> Record {
    Record::new(fields.ts, "intent")
        .with("action", fields.action.as_str())
        .with("agent", fields.agent.as_str())
        .with("approval_ts", claimed.ts())
        .with("chat", claimed.chat().0)
        .with("client", fields.client.as_str())
        .with("manifest", manifest.hex().as_str())
        .with("nonce", fields.nonce.hex().as_str())
        .with("operator", fields.operator.0)
        .with("transport", claimed.transport().as_str())
        .with("unit", fields.unit.as_str())
        .with("via", claimed.via().as_str())
}

/// What became of an intent. A proven outcome carries the host's own words and signature.
pub fn outcome(recorded: &Recorded, outcome: &Outcome<'_>) -> Record {
    let envelope = recorded.envelope();
    let intent = [
        ("hash", Field::from(envelope.intent.hash.hex().as_str())),
        ("seq", Field::from(envelope.intent.seq)),
    ];
    let record = Record::new(now(), "outcome")
        .with("action", envelope.action.as_str())
        .with("agent", envelope.agent_id.as_str())
        .with("client", recorded.client().as_str())
        .with("final", outcome.is_final())
        .with("intent", Field::object(intent))
        .with("nonce", envelope.nonce.hex().as_str())
        .with("operator", recorded.operator().0)
        .with("reason", outcome.reason())
        .with("state", outcome.state());
    match outcome {
        Outcome::Proven(receipted) => record
            .with("receipt", String::from_utf8_lossy(&receipted.row().body).into_owned())
            .with("receipt_signature", secmon_wire::to_hex::<128>(&receipted.row().signature).as_str()),
        Outcome::Unknown(_) | Outcome::NeverRan | Outcome::Lost(_) => record,
    }
}

//! The intent on disk, and the envelope that binds it. An envelope exists only for a recorded intent.

use std::time::Duration;

use secmon_wire::limits::ENVELOPE_MAX;
use secmon_wire::{AgentId, ClientId, Envelope, Intent, Nonce, OperationId, Unit, operation, signature};

use super::{Agents, Routed, Unproven, now};
use crate::approval::{ChatId, Operator, Reason, Rejected, Transport};
use crate::audit::{AuditLog, event};
use crate::fleet::keys::SigningKey;
use crate::store::{AgentRow, ReceiptRow};

/// What an answer may take beyond the operation's own timeout: preflight, checks, network.
const ANSWER_MARGIN_S: u64 = 30;

/// An approval whose intent is on disk.
#[derive(Debug)]
pub struct Recorded {
    operator: Operator,
    transport: Transport,
    chat: ChatId,
    client: ClientId,
    agent: AgentRow,
    unit: Unit,
    envelope: Envelope,
    body: heapless::Vec<u8, ENVELOPE_MAX>,
    signature: [u8; 64],
}

/// What an intent's record holds, as far as an envelope is made from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntentFields {
    /// Who approved.
    pub operator: Operator,
    /// What.
    pub action: OperationId,
    /// For whom.
    pub client: ClientId,
    /// Who runs it.
    pub agent: AgentId,
    /// On what.
    pub unit: Unit,
    /// The approval's nonce.
    pub nonce: Nonce,
    /// The time stamp of the record, which is the envelope's.
    pub ts: u64,
}

impl Recorded {
    /// Writes the intent to the audit log, waits until it is on disk, and makes the envelope.
    pub async fn record(routed: Routed, audit: &AuditLog, key: &SigningKey) -> Result<Self, Rejected> {
        let claimed = routed.claimed();
        let ts = now();
        let fields = IntentFields {
            operator: claimed.operator(),
            action: routed.capability().action,
            client: claimed.client().clone(),
            agent: routed.agent().id.clone(),
            unit: routed.capability().unit.clone(),
            nonce: claimed.nonce(),
            ts,
        };
        let record = event::intent(&fields, claimed, routed.manifest());
        let sealed = match audit.append(record).await {
            Ok(sealed) => sealed,
            Err(error) => return Err(claimed.rejected(Reason::AuditUnavailable(error.to_string()))),
        };
        let intent = Intent { hash: sealed.hash, seq: sealed.seq };
        let (transport, chat) = (claimed.transport(), claimed.chat());
        Self::restore(fields, intent, routed.agent().clone(), transport, chat, key)
            .map_err(|error| claimed.rejected(Reason::AuditUnavailable(error.to_string())))
    }

    /// The same envelope again from the intent's record: Ed25519 signatures are deterministic.
    pub fn restore(
        fields: IntentFields,
        intent: Intent,
        agent: AgentRow,
        transport: Transport,
        chat: ChatId,
        key: &SigningKey,
    ) -> Result<Self, secmon_wire::WireError> {
        let IntentFields { operator, action, client, agent: agent_id, unit, nonce, ts } = fields;
        let envelope = Envelope { action, agent_id, intent, nonce, ts };
        let mut buffer = [0; ENVELOPE_MAX];
        let body = envelope.write(&mut buffer)?;
        let signature = key.sign(&signature::envelope_message(body)?);
        let body = heapless::Vec::from_slice(body).map_err(|_| secmon_wire::WireError::NoSpace)?;
        Ok(Self { operator, transport, chat, client, agent, unit, envelope, body, signature })
    }

    /// Sends the envelope, once, and returns the agent's answer, unverified.
    pub async fn send(&self, agents: &Agents) -> Result<ReceiptRow, Unproven> {
        let seconds = u64::from(operation(self.envelope.action).timeout_s).saturating_add(ANSWER_MARGIN_S);
        let timeout = Duration::from_secs(seconds);
        agents.execute(&self.agent, &self.body, &self.signature, timeout).await.map_err(Unproven::Call)
    }

    /// Who approved.
    pub const fn operator(&self) -> Operator {
        self.operator
    }

    /// Where the outcome is told.
    pub const fn transport(&self) -> Transport {
        self.transport
    }

    /// Where the outcome is told.
    pub const fn chat(&self) -> ChatId {
        self.chat
    }

    /// For whom.
    pub const fn client(&self) -> &ClientId {
        &self.client
    }

    /// Who runs it.
    pub const fn agent(&self) -> &AgentRow {
        &self.agent
    }

    /// On what, by the manifest that was checked.
    pub const fn unit(&self) -> &Unit {
        &self.unit
    }

    /// What was sent.
    pub const fn envelope(&self) -> &Envelope {
        &self.envelope
    }
}

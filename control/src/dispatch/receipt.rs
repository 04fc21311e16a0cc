//! Whether an answer proves an outcome: the host's signature, over a receipt for exactly this intent.

use secmon_wire::{Receipt, WireError, signature};

use super::{CallError, Recorded};
use crate::fleet::keys::is_signed_by;
use crate::store::{AgentRow, ReceiptRow};

/// A receipt that this intent's agent signed for this intent.
#[derive(Clone, Debug)]
pub struct Receipted {
    receipt: Receipt,
    row: ReceiptRow,
}

/// Why an answer proves nothing. The outcome is then unknown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unproven {
    /// No answer, or one without a receipt.
    #[error("{0}")]
    Call(CallError),
    /// Not a receipt.
    #[error("the receipt is not valid: {0}")]
    Malformed(WireError),
    /// Not signed by the agent's receipt key.
    #[error("the receipt's signature is not the agent's")]
    Forged,
    /// A receipt for something else.
    #[error("the receipt is for another intent")]
    OtherIntent,
    /// The host kept a receipt of this number that says something else.
    #[error("{0}")]
    Forked(String),
    /// The agent's receipts of that time are gone.
    #[error("the agent no longer holds the receipts of that time; look at the host's own log")]
    Rotated,
    /// The agent isn't in the registry any more.
    #[error("the agent is no longer registered")]
    Unregistered,
    /// The control plane stopped before it saw the answer.
    #[error("the control plane was restarted before the answer came")]
    Restarted,
}

impl Receipted {
    /// Verifies an answer to an intent.
    pub fn verify(recorded: &Recorded, row: ReceiptRow, agent: &AgentRow) -> Result<Self, Unproven> {
        let receipt = authentic(&row, agent)?;
        let envelope = recorded.envelope();
        let same = receipt.intent == envelope.intent
            && receipt.nonce == envelope.nonce
            && receipt.action == envelope.action
            && receipt.unit.as_ref().is_none_or(|unit| unit == recorded.unit());
        if same { Ok(Self { receipt, row }) } else { Err(Unproven::OtherIntent) }
    }

    /// What the host says.
    pub const fn receipt(&self) -> &Receipt {
        &self.receipt
    }

    /// What the host signed.
    pub const fn row(&self) -> &ReceiptRow {
        &self.row
    }
}

/// A receipt of this agent, whatever it is for.
pub(super) fn authentic(row: &ReceiptRow, agent: &AgentRow) -> Result<Receipt, Unproven> {
    let receipt = Receipt::read(&row.body).map_err(Unproven::Malformed)?;
    let message = signature::receipt_message(&row.body).map_err(Unproven::Malformed)?;
    if !is_signed_by(&agent.receipt_key, &message, &row.signature) || receipt.agent_id != agent.id {
        return Err(Unproven::Forged);
    }
    Ok(receipt)
}

#[cfg(test)]
#[path = "receipt_tests.rs"]
pub(super) mod tests;

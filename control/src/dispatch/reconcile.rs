//! Finding out what became of an intent without an outcome, from the agent's own receipts.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secmon_wire::limits::FRESHNESS_S;
use secmon_wire::{Receipt, operation};

use super::intent::IntentFields;
use super::receipt::authentic;
use super::sandbox::PATIENCE;
use super::{Dispatcher, Outcome, Receipted, Recorded, Unproven, now};
use crate::approval::{Operator, Reason, Rejected};
use crate::audit::{Found, find_intents};
use crate::chat::Reply;
use crate::store::{AgentRow, PendingRow, ReceiptRow};

/// The first look comes soon: most answers are lost to a restart of the agent.
const FIRST_WAIT: Duration = Duration::from_secs(2);
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Beyond the freshness window: the preflight and the checks around an operation.
const SETTLE_S: u64 = 60;

/// What one look at an agent's receipts shows.
enum Look {
    Proven(Box<Receipted>),
    NeverRan,
    Lost(Unproven),
    Later(String),
}

impl Dispatcher {
    /// Looks until the outcome is final.
    pub(super) async fn reconcile(&self, recorded: Recorded) {
        let mut wait = FIRST_WAIT;
        loop {
            tokio::time::sleep(wait).await;
            match self.look(&recorded).await {
                Look::Proven(receipted) => return self.close(&recorded, Outcome::Proven(&receipted)).await,
                Look::NeverRan => return self.close(&recorded, Outcome::NeverRan).await,
                Look::Lost(why) => return self.close(&recorded, Outcome::Lost(&why)).await,
                Look::Later(why) => {
                    tracing::info!("intent {}: still unknown: {why}", recorded.envelope().intent.seq);
                    wait = wait.saturating_mul(2).min(LONGEST_WAIT);
                }
            }
        }
    }

    async fn look(&self, recorded: &Recorded) -> Look {
        let agent = match self.store.agent(&recorded.agent().id) {
            Ok(Some(agent)) => agent,
            Ok(None) => return Look::Lost(Unproven::Unregistered),
            Err(error) => return Look::Later(error.to_string()),
        };
        // Health first: whatever runs after it was asked shows a later clock.
        let clock = match self.watch.ask(&agent, PATIENCE).await {
            Ok(report) => report.health().clock,
            Err(error) => return Look::Later(error.to_string()),
        };
        let rows = match self.agents.receipts(&agent).await {
            Ok(rows) => rows,
            Err(error) => return Look::Later(error.to_string()),
        };
        let mut receipts = Vec::new();
        for row in rows {
            match authentic(&row, &agent) {
                Ok(receipt) => receipts.push((receipt, row)),
                Err(why) => return Look::Later(why.to_string()),
            }
        }
        let known = match self.store.receipt_before(&agent.id, recorded.envelope().intent.seq) {
            Ok(known) => known,
            Err(error) => return Look::Later(error.to_string()),
        };
        judge(recorded, &agent, receipts, Clocks { agent: clock, ours: now() }, known)
    }

    /// Takes up everything that was claimed and not closed when the control plane stopped.
    pub async fn resume(self: &Arc<Self>, audit_log: PathBuf) -> Result<(), ResumeError> {
        let pending = self.store.pending()?;
        if pending.is_empty() {
            return Ok(());
        }
        let nonces: Vec<_> = pending.iter().map(|row| row.nonce).collect();
        let mut found = tokio::task::spawn_blocking(move || find_intents(&audit_log, &nonces))
            .await
            .map_err(|error| ResumeError::Task(error.to_string()))??;
        for row in pending {
            match found.remove(&row.nonce) {
                None => self.never_recorded(row).await,
                Some(intent) => self.take_up(row, intent).await?,
            }
        }
        Ok(())
    }

    /// Claimed, but no intent on disk: so nothing was sent.
    async fn never_recorded(&self, row: PendingRow) {
        if let Err(error) = self.leases.drop_unrecorded(row.nonce) {
            // Tried again at the next start.
            tracing::error!("{error}");
            return;
        }
        let rejected = Rejected {
            operator: row.operator,
            transport: row.transport,
            via: None,
            action: Some(row.action),
            client: Some(row.client),
            nonce: Some(row.nonce),
            reason: Reason::Interrupted,
        };
        let reply = self.reject(&rejected).await;
        self.post(row.transport, row.chat, &reply);
        self.forget(row.nonce);
    }

    async fn take_up(self: &Arc<Self>, row: PendingRow, found: Found) -> Result<(), ResumeError> {
        if let Some(summary) = found.outcome {
            // Recorded, but the reply may not have been stored.
            self.post(row.transport, row.chat, &Reply::repeated(&row.client, row.action, &summary));
            self.forget(row.nonce);
            return Ok(());
        }
        let damaged = || ResumeError::Intent(found.seq);
        if row.action.operation().is_none() {
            // Cloudflare may be slow or away, and nobody else waits for it.
            let this = Arc::clone(self);
            tokio::spawn(async move {
                match this.leases.resume(&row, &found).await {
                    Ok(told) => this.tell(row.transport, row.chat, row.nonce, told),
                    Err(error) => tracing::error!("{} {}: {error}", row.client, row.action),
                }
            });
            return Ok(());
        }
        let fields = IntentFields {
            operator: Operator(row.operator.0),
            action: row.action.operation().ok_or_else(damaged)?,
            client: row.client,
            agent: found.agent.clone().ok_or_else(damaged)?,
            unit: found.unit.clone().ok_or_else(damaged)?,
            nonce: row.nonce,
            ts: found.ts,
        };
        let Some(agent) = self.store.agent(&fields.agent)? else { return Err(damaged()) };
        let intent = secmon_wire::Intent { hash: found.hash, seq: found.seq };
        let recorded = Recorded::restore(fields, intent, agent, row.transport, row.chat, &self.key)
            .map_err(|_| ResumeError::Intent(found.seq))?;
        if !found.told_unknown {
            self.close(&recorded, Outcome::Unknown(&Unproven::Restarted)).await;
        }
        let this = Arc::clone(self);
        tokio::spawn(async move { this.reconcile(recorded).await });
        Ok(())
    }
}

/// Why open approvals couldn't be taken up at the start.
#[derive(Debug, thiserror::Error)]
pub enum ResumeError {
    /// The database.
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
    /// The audit log.
    #[error("audit log: {0}")]
    Audit(#[from] std::io::Error),
    /// The look-up died.
    #[error("audit log: {0}")]
    Task(String),
    /// An intent in the log from which no envelope can be made.
    #[error("audit record {0}: the intent names an agent or action that is not registered any more")]
    Intent(u64),
}

/// Both clocks before the receipts were asked for: an agent's that jumps ahead decides nothing alone.
struct Clocks {
    agent: u64,
    ours: u64,
}

/// What an agent's authentic receipts, the clocks before they were asked for, and the last receipt number
/// that we knew before this intent say of it.
fn judge(
    recorded: &Recorded,
    agent: &AgentRow,
    receipts: Vec<(Receipt, ReceiptRow)>,
    clocks: Clocks,
    known: u64,
) -> Look {
    let envelope = recorded.envelope();
    let complete = holds_all_after(known, receipts.iter().map(|(receipt, _)| receipt.seq));
    if let Some((_, row)) = receipts.into_iter().find(|(receipt, _)| receipt.nonce == envelope.nonce) {
        return match Receipted::verify(recorded, row, agent) {
            Ok(receipted) => Look::Proven(Box::new(receipted)),
            Err(why) => Look::Lost(why),
        };
    }
    let window =
        FRESHNESS_S.saturating_add(u64::from(operation(envelope.action).timeout_s)).saturating_add(SETTLE_S);
    if clocks.agent.min(clocks.ours) <= envelope.ts.saturating_add(window) {
        return Look::Later("not among the agent's receipts yet".to_owned());
    }
    if complete { Look::NeverRan } else { Look::Lost(Unproven::Rotated) }
}

/// Whether these receipt numbers, in order, are all there are after `known`. An agent drops refusals before
/// runs, so there may be a gap anywhere.
fn holds_all_after(known: u64, numbers: impl Iterator<Item = u64>) -> bool {
    let mut next = known.saturating_add(1);
    for number in numbers.filter(|number| *number > known) {
        if number != next {
            return false;
        }
        next = next.saturating_add(1);
    }
    true
}

#[cfg(test)]
#[path = "reconcile_tests.rs"]
mod tests;

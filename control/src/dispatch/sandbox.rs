//! Asks agents how they are, and has the audit log say it once when an agent's sandbox changed.
//!
//! Who holds an audit log asks through here and nowhere else, so that nothing is learned and not recorded. The
//! event is on disk before it is remembered: a crash in between writes it a second time, and loses none.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use secmon_wire::AgentId;
use tokio::sync::OwnedMutexGuard;
use tokio::task::JoinSet;

use super::{Agents, CallError};
use crate::audit::{AuditError, AuditLog, event};
use crate::fleet::{MissingWalls, SelfReport};
use crate::store::{AgentRow, Store, StoreError};

/// Agents that are asked at the same time when all are.
const ASKED_AT_ONCE: usize = 8;
/// How long an agent may take where no operator waits.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// The agents, and what the audit log says of their sandboxes.
#[derive(Debug)]
pub struct SandboxWatch {
    agents: Arc<Agents>,
    ledger: Ledger,
}

/// Compares, records, remembers.
#[derive(Debug)]
struct Ledger {
    store: Arc<Store>,
    audit: AuditLog,
    turns: Mutex<HashMap<AgentId, Arc<tokio::sync::Mutex<()>>>>,
}

/// The right to ask an agent and to record its answer, which one has at a time: two that learn the same at once
/// write it once, and an answer that came late doesn't undo a newer one.
#[derive(Debug)]
struct Turn<'a> {
    ledger: &'a Ledger,
    agent: &'a AgentRow,
    _alone: OwnedMutexGuard<()>,
}

/// Why a change isn't recorded, or may be recorded again.
#[derive(Debug, thiserror::Error)]
enum Unrecorded {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Audit(#[from] AuditError),
}

impl SandboxWatch {
    /// A watch over these agents.
    pub fn new(agents: Arc<Agents>, store: Arc<Store>, audit: AuditLog) -> Self {
        Self { agents, ledger: Ledger { store, audit, turns: Mutex::default() } }
    }

    /// What an agent says of itself within `patience`; what is new about its sandbox is in the audit log then.
    pub async fn ask(&self, agent: &AgentRow, patience: Duration) -> Result<SelfReport, CallError> {
        let asked = async {
            let turn = self.ledger.turn(agent).await;
            (self.agents.health(agent).await, turn)
        };
        let answer = tokio::time::timeout(patience, asked).await;
        let (report, turn) = answer.map_err(|_| CallError::TooLate)?;
        let report = report?;
        turn.note(report.missing()).await;
        Ok(report)
    }

    /// Asks an agent for the record's sake alone.
    pub async fn look(&self, agent: &AgentRow) {
        if let Err(error) = self.ask(agent, PATIENCE).await {
            tracing::info!("{}: its sandbox is not known: {error}", agent.id);
        }
    }

    /// Asks every agent for the record's sake.
    pub async fn look_at_all(self: Arc<Self>) {
        let agents = match self.ledger.store.agents() {
            Ok(agents) => agents,
            Err(error) => return tracing::error!("the agents' sandboxes are not known: {error}"),
        };
        for_each(agents, ASKED_AT_ONCE, |agent| {
            let this = Arc::clone(&self);
            async move { this.look(&agent).await }
        })
        .await;
    }
}

impl Ledger {
    async fn turn<'a>(&'a self, agent: &'a AgentRow) -> Turn<'a> {
        let turn = {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(turns.entry(agent.id.clone()).or_default())
        };
        Turn { ledger: self, agent, _alone: turn.lock_owned().await }
    }
}

impl Turn<'_> {
    /// Records what is missing, if the log doesn't say so already. What can't be recorded now is compared again
    /// the next time.
    async fn note(self, missing: &MissingWalls) {
        if let Err(error) = self.record(missing).await {
            tracing::error!("{}: a change of its sandbox will be recorded again: {error}", self.agent.id);
        }
    }

    async fn record(&self, missing: &MissingWalls) -> Result<(), Unrecorded> {
        let Ledger { store, audit, .. } = self.ledger;
        if store.recorded_walls(&self.agent.id)? != *missing {
            audit.append(event::agent_sandbox(self.agent, missing)).await?;
            store.remember_walls(&self.agent.id, missing)?;
        }
        Ok(())
    }
}

/// Runs `act` on each item, on at most `limit` of them at a time, and waits for the last.
async fn for_each<T, F>(items: Vec<T>, limit: usize, act: impl Fn(T) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut running = JoinSet::new();
    for item in items {
        if running.len() >= limit {
            // One that panicked has ended as well.
            let _ended = running.join_next().await;
        }
        running.spawn(act(item));
    }
    while running.join_next().await.is_some() {}
}

#[cfg(test)]
#[path = "sandbox_tests.rs"]
mod tests;

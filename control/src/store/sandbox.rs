//! What the audit log last said of each agent's sandbox.

use rusqlite::{OptionalExtension, params};
use secmon_wire::AgentId;

use super::{Store, StoreError};
use crate::fleet::MissingWalls;

impl Store {
    /// What the audit log says is missing around an agent's network process; nothing if it never said anything.
    pub fn recorded_walls(&self, agent: &AgentId) -> Result<MissingWalls, StoreError> {
        let text: Option<String> = self
            .connection()
            .query_row("SELECT missing FROM sandbox WHERE agent = ?1", [agent.as_str()], |row| row.get(0))
            .optional()?;
        MissingWalls::new(&text.unwrap_or_default()).ok_or(StoreError::Damaged("sandbox"))
    }

    /// Remembers what the audit log says now.
    pub fn remember_walls(&self, agent: &AgentId, missing: &MissingWalls) -> Result<(), StoreError> {
        self.connection().execute(
            "INSERT INTO sandbox (agent, missing) VALUES (?1, ?2)
             ON CONFLICT (agent) DO UPDATE SET missing = excluded.missing",
            params![agent.as_str(), missing.as_str()],
        )?;
        Ok(())
    }
}

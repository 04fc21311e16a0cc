//! Receipts, verbatim, for ever.

use rusqlite::{OptionalExtension, params};
use secmon_wire::{AgentId, Receipt};

use super::{Store, StoreError, from_sql, to_sql};

/// What a host signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptRow {
    /// The canonical body.
    pub body: Vec<u8>,
    /// Ed25519 by the host's receipt key.
    pub signature: [u8; 64],
}

impl Store {
    /// Keeps a verified receipt. The same one again changes nothing; another one under the same number is
    /// an error: the host's chain forked.
    pub fn keep_receipt(&self, receipt: &Receipt, row: &ReceiptRow, now: u64) -> Result<(), StoreError> {
        let connection = self.connection();
        connection.execute(
            "INSERT OR IGNORE INTO receipt (agent, seq, intent, body, signature, stored_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                receipt.agent_id.as_str(),
                to_sql(receipt.seq)?,
                to_sql(receipt.intent.seq)?,
                row.body,
                row.signature,
                to_sql(now)?
            ],
        )?;
        let kept: Vec<u8> = connection.query_row(
            "SELECT body FROM receipt WHERE agent = ?1 AND seq = ?2",
            params![receipt.agent_id.as_str(), to_sql(receipt.seq)?],
            |row| row.get(0),
        )?;
        if kept == row.body { Ok(()) } else { Err(StoreError::ForkedReceipts(receipt.seq)) }
    }

    /// The number of the last receipt kept of an agent for an intent before `intent_seq`; 0 if none is.
    pub fn receipt_before(&self, agent: &AgentId, intent_seq: u64) -> Result<u64, StoreError> {
        let last: Option<i64> = self.connection().query_row(
            "SELECT max(seq) FROM receipt WHERE agent = ?1 AND intent < ?2",
            params![agent.as_str(), to_sql(intent_seq)?],
            |row| row.get(0),
        )?;
        last.map_or(Ok(0), from_sql)
    }

    /// The last receipt kept of an agent.
    pub fn last_receipt(&self, agent: &AgentId) -> Result<Option<ReceiptRow>, StoreError> {
        let row = self
            .connection()
            .query_row(
                "SELECT body, signature FROM receipt WHERE agent = ?1 ORDER BY seq DESC LIMIT 1",
                [agent.as_str()],
                |row| Ok(ReceiptRow { body: row.get(0)?, signature: row.get(1)? }),
            )
            .optional()?;
        Ok(row)
    }
}

//! Approvals whose outcome isn't final.

use rusqlite::params;
use secmon_wire::{ActionId, ClientId, Nonce};

use super::{Store, StoreError, from_sql};
use crate::approval::{ChatId, Operator, Transport};

/// One approval that was claimed and not closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingRow {
    /// Its nonce, by which its intent is found in the audit log.
    pub nonce: Nonce,
    /// Who approved.
    pub operator: Operator,
    /// What.
    pub action: ActionId,
    /// For whom.
    pub client: ClientId,
    /// Where the outcome is to be told.
    pub transport: Transport,
    /// Where the outcome is to be told.
    pub chat: ChatId,
    /// When it was claimed.
    pub claimed_at: u64,
}

impl Store {
    /// All that is open, oldest first.
    pub fn pending(&self) -> Result<Vec<PendingRow>, StoreError> {
        let connection = self.connection();
        let mut statement = connection.prepare(
            "SELECT nonce, operator, action, client, transport, chat, claimed_at
             FROM pending ORDER BY claimed_at, nonce",
        )?;
        let mut rows = statement.query([])?;
        let mut pending = Vec::new();
        while let Some(row) = rows.next()? {
            let (action, client, transport): (String, String, String) =
                (row.get(2)?, row.get(3)?, row.get(4)?);
            pending.push(PendingRow {
                nonce: Nonce(row.get(0)?),
                operator: Operator(row.get(1)?),
                action: ActionId::new(&action).ok_or(StoreError::Damaged("action"))?,
                client: ClientId::new(&client).ok_or(StoreError::Damaged("client id"))?,
                transport: Transport::new(&transport).ok_or(StoreError::Damaged("transport"))?,
                chat: ChatId(row.get(5)?),
                claimed_at: from_sql(row.get(6)?)?,
            });
        }
        Ok(pending)
    }

    /// Marks an approval as closed: its outcome or rejection is in the audit log.
    pub fn close(&self, nonce: Nonce) -> Result<(), StoreError> {
        self.connection().execute("DELETE FROM pending WHERE nonce = ?1", params![nonce.0])?;
        Ok(())
    }
}

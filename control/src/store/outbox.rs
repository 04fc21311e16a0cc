//! Messages to operators: they stay here until their transport has delivered them.

use rusqlite::{OptionalExtension, params};

use super::{Store, StoreError};
use crate::approval::{ChatId, Transport};

/// A message that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxRow {
    /// Its number; messages of a transport are delivered in this order.
    pub id: i64,
    /// Where to.
    pub chat: ChatId,
    /// The reply, as JSON.
    pub reply: String,
}

impl Store {
    /// Puts a message in.
    pub fn post(&self, transport: Transport, chat: ChatId, reply: &str) -> Result<(), StoreError> {
        self.connection().execute(
            "INSERT INTO outbox (transport, chat, reply) VALUES (?1, ?2, ?3)",
            params![transport.as_str(), chat.0, reply],
        )?;
        Ok(())
    }

    /// The oldest message of a transport.
    pub fn next_post(&self, transport: Transport) -> Result<Option<OutboxRow>, StoreError> {
        self.oldest_post(transport, None)
    }

    /// The oldest message of a transport to a chat.
    pub fn next_post_to(&self, transport: Transport, chat: ChatId) -> Result<Option<OutboxRow>, StoreError> {
        self.oldest_post(transport, Some(chat))
    }

    fn oldest_post(
        &self,
        transport: Transport,
        chat: Option<ChatId>,
    ) -> Result<Option<OutboxRow>, StoreError> {
        let row = self
            .connection()
            .query_row(
                "SELECT id, chat, reply FROM outbox WHERE transport = ?1 AND chat = ifnull(?2, chat)
                 ORDER BY id LIMIT 1",
                params![transport.as_str(), chat.map(|chat| chat.0)],
                |row| Ok(OutboxRow { id: row.get(0)?, chat: ChatId(row.get(1)?), reply: row.get(2)? }),
            )
            .optional()?;
        Ok(row)
    }

    /// Takes a delivered message out.
    pub fn delivered(&self, id: i64) -> Result<(), StoreError> {
        self.connection().execute("DELETE FROM outbox WHERE id = ?1", [id])?;
        Ok(())
    }
}

//! Messages to operators: they stay here until their transport has delivered them.
//!
//! A full disk must not silence the control plane, least of all when it says so. What the database can't take
//! waits in memory, and what it can't remove is remembered as delivered.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{MutexGuard, PoisonError};

use rusqlite::params;

use super::{Store, StoreError};
use crate::approval::{ChatId, Transport};

/// Messages that wait in memory, at most.
const IN_MEMORY_MAX: usize = 1000;

/// A message that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxRow {
    /// Its number; messages of a transport are delivered in this order. Negative in memory.
    pub id: i64,
    /// Where to.
    pub chat: ChatId,
    /// The reply, as JSON.
    pub reply: String,
}

/// Where a message waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Posted {
    /// In the database.
    Stored,
    /// In memory: it is lost if the control plane stops before it is delivered.
    InMemory,
}

/// What the database couldn't take, and what it couldn't remove.
#[derive(Debug, Default)]
pub(super) struct Spill {
    waiting: VecDeque<(Transport, OutboxRow)>,
    delivered: BTreeSet<i64>,
    last_id: i64,
}

impl Store {
    /// Puts a message in.
    pub fn post(&self, transport: Transport, chat: ChatId, reply: &str) -> Result<Posted, StoreError> {
        let stored = self.connection().execute(
            "INSERT INTO outbox (transport, chat, reply) VALUES (?1, ?2, ?3)",
            params![transport.as_str(), chat.0, reply],
        );
        match stored {
            Ok(_) => Ok(Posted::Stored),
            Err(_) if self.spill().keep(transport, chat, reply) => Ok(Posted::InMemory),
            Err(error) => Err(error.into()),
        }
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
        let spill = self.spill();
        let connection = self.connection();
        let mut statement = connection.prepare(
            "SELECT id, chat, reply FROM outbox WHERE transport = ?1 AND chat = ifnull(?2, chat) ORDER BY id",
        )?;
        let mut rows = statement.query(params![transport.as_str(), chat.map(|chat| chat.0)])?;
        while let Some(row) = rows.next()? {
            let row = OutboxRow { id: row.get(0)?, chat: ChatId(row.get(1)?), reply: row.get(2)? };
            if !spill.delivered.contains(&row.id) {
                return Ok(Some(row));
            }
        }
        let wanted = |row: &OutboxRow| chat.is_none_or(|chat| row.chat == chat);
        let found = spill.waiting.iter().find(|(of, row)| *of == transport && wanted(row));
        Ok(found.map(|(_, row)| row.clone()))
    }

    /// Takes a delivered message out. After an error it may be delivered again, but only by another process.
    pub fn delivered(&self, id: i64) -> Result<(), StoreError> {
        let mut spill = self.spill();
        if id < 0 {
            spill.waiting.retain(|(_, row)| row.id != id);
            return Ok(());
        }
        spill.delivered.insert(id);
        // Also those that couldn't be removed before.
        while let Some(id) = spill.delivered.first().copied() {
            self.connection().execute("DELETE FROM outbox WHERE id = ?1", [id])?;
            spill.delivered.remove(&id);
        }
        Ok(())
    }

    /// Always locked before the connection.
    fn spill(&self) -> MutexGuard<'_, Spill> {
        self.spill.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Spill {
    /// Keeps a message in memory, if there is room.
    fn keep(&mut self, transport: Transport, chat: ChatId, reply: &str) -> bool {
        if self.waiting.len() >= IN_MEMORY_MAX {
            return false;
        }
        self.last_id = self.last_id.saturating_sub(1);
        self.waiting.push_back((transport, OutboxRow { id: self.last_id, chat, reply: reply.to_owned() }));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAT: ChatId = ChatId(5);

    fn next(store: &Store) -> Option<String> {
        store.next_post(Transport::Telegram).expect("a readable database").map(|row| row.reply)
    }

    fn deliver(store: &Store) -> Result<(), StoreError> {
        let row = store.next_post(Transport::Telegram).expect("a readable database").expect("a message");
        store.delivered(row.id)
    }

    fn set_writable(store: &Store, writable: bool) {
        store.connection().pragma_update(None, "query_only", !writable).expect("a pragma");
    }

    #[test]
    fn what_the_database_cannot_take_is_delivered_from_memory_and_only_once() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::open(&dir.path().join("db")).expect("a database");
        let post = |text| store.post(Transport::Telegram, CHAT, text).expect("room");
        assert_eq!(post("first"), Posted::Stored);
        set_writable(&store, false);
        assert_eq!(post("second"), Posted::InMemory);
        assert_eq!(next(&store).as_deref(), Some("first"));
        deliver(&store).expect_err("the row can't be removed");
        assert_eq!(next(&store).as_deref(), Some("second"), "the first one is not delivered again");
        assert_eq!(store.next_post_to(Transport::Telegram, ChatId(6)).expect("readable"), None);
        assert_eq!(store.next_post(Transport::Console).expect("readable"), None);
        deliver(&store).expect("removed from memory");
        assert_eq!(next(&store), None);
        set_writable(&store, true);
        assert_eq!(post("third"), Posted::Stored);
        deliver(&store).expect("both rows are removed");
        let left: i64 = store
            .connection()
            .query_row("SELECT count(*) FROM outbox", [], |row| row.get(0))
            .expect("a count");
        assert_eq!(left, 0);
    }

    #[test]
    fn memory_is_bounded() {
        let mut spill = Spill::default();
        for _ in 0..IN_MEMORY_MAX {
            assert!(spill.keep(Transport::Telegram, CHAT, "x"));
        }
        assert!(!spill.keep(Transport::Telegram, CHAT, "x"));
    }
}

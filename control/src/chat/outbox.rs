//! Where replies and announcements are put for the transports to deliver.

use std::sync::Arc;

use tokio::sync::Notify;

use super::Reply;
use crate::approval::{ChatId, Operator, Transport};
use crate::store::{Posted, Store};

/// A way into the outbox. Clones put into the same one.
#[derive(Clone, Debug)]
pub struct Outbox {
    store: Arc<Store>,
    posted: Arc<Notify>,
    operators: Arc<[Operator]>,
}

impl Outbox {
    /// Over an open store; `posted` is notified when something waits. `operators` are told of what nobody asked for.
    pub fn new(
        store: Arc<Store>,
        posted: Arc<Notify>,
        operators: impl IntoIterator<Item = Operator>,
    ) -> Self {
        Self { store, posted, operators: operators.into_iter().collect() }
    }

    /// Puts a reply in. What can't be stored is logged: nothing else can be done for it.
    pub fn post(&self, transport: Transport, chat: ChatId, reply: &Reply) {
        match self.store.post(transport, chat, &reply.to_json()) {
            Ok(posted) => {
                if posted == Posted::InMemory {
                    tracing::error!("outbox: the database can't be written; a reply waits in memory");
                }
                self.posted.notify_waiters();
            }
            Err(error) => tracing::error!("outbox: {error}; not sent: {}", reply.plain()),
        }
    }

    /// Tells every operator, in their private chat with the bot.
    pub fn announce(&self, reply: &Reply) {
        for operator in self.operators.iter() {
            // A private chat has its user's number.
            self.post(Transport::Telegram, ChatId(operator.0), reply);
        }
    }
}

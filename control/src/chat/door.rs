//! The front door: every message of every transport comes through [`Door::receive`].

use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinHandle;

use super::commands;
use super::strangers::{Due, Strangers};
use crate::approval::{
    Approval, Claimed, Inbound, KnownSender, PlainText, Rejected, Senders, Stranger, TotpSecret, is_attempt,
};
use crate::audit::{AuditLog, event};
use crate::diag::Desk;
use crate::dispatch::{Dispatcher, now};
use crate::policy::Policy;
use crate::store::Store;

/// What the gates need, and where an approval goes.
#[derive(Debug)]
pub struct Door {
    /// Who is heard.
    pub senders: Senders,
    /// Who may approve what.
    pub policy: Policy,
    /// The shared secret for codes, if they are configured.
    pub totp: Option<TotpSecret>,
    /// Clients, claims, outbox.
    pub store: Arc<Store>,
    /// The audit log.
    pub audit: AuditLog,
    /// Where claimed approvals go.
    pub dispatcher: Arc<Dispatcher>,
    /// Where looks at servers are asked for.
    pub desk: Arc<Desk>,
    /// Unknown senders, counted.
    pub strangers: Mutex<Strangers>,
}

/// What a known sender's message is.
enum Request {
    Approve(Claimed),
    Command(Inbound),
    Nothing,
}

impl Door {
    /// Takes one message. When this returns, an approval is claimed or rejected on disk; its dispatch goes
    /// on by itself, in the task that is returned. Replies are in the outbox.
    pub async fn receive(self: &Arc<Self>, inbound: Inbound) -> Option<JoinHandle<()>> {
        let (transport, chat) = (inbound.transport, inbound.chat);
        let known = match self.senders.admit(inbound) {
            Ok(known) => known,
            Err(stranger) => {
                self.ignore(&stranger).await;
                return None;
            }
        };
        match self.understand(known) {
            Ok(Request::Approve(claimed)) => {
                return Some(tokio::spawn(Arc::clone(&self.dispatcher).dispatch(claimed)));
            }
            // Some commands ask servers, and no approval waits for that.
            Ok(Request::Command(inbound)) => {
                let door = Arc::clone(self);
                return Some(tokio::spawn(async move {
                    let reply = commands::answer(&door, &inbound).await;
                    door.dispatcher.post(transport, chat, &reply);
                }));
            }
            Ok(Request::Nothing) => {}
            Err(rejected) => {
                let reply = self.dispatcher.reject(&rejected).await;
                self.dispatcher.post(transport, chat, &reply);
            }
        }
        None
    }

    /// Writes the records of unknown senders that became due.
    pub async fn sweep(&self) {
        let due = self.strangers().sweep(now());
        for due in due {
            self.record(due).await;
        }
    }

    fn understand(&self, known: KnownSender) -> Result<Request, Rejected> {
        if let Some(command) = known.pressed() {
            return Ok(Request::Command(command));
        }
        let attempt = is_attempt(&known.inbound().text);
        let text = match known.plain() {
            Ok(text) => text.compose(),
            Err(rejected) if attempt => return Err(rejected),
            Err(_) => return Ok(Request::Nothing),
        };
        if is_attempt(&text.inbound().text) {
            return self.approve(text).map(Request::Approve);
        }
        Ok(Request::Command(text.into_inbound()))
    }

    /// The gates, in order.
    fn approve(&self, text: PlainText) -> Result<Claimed, Rejected> {
        let now = now();
        let approval = Approval::parse(text, |client| self.store.client_exists(client))?;
        approval.fresh(now)?.authorize(self.policy)?.claim(self.totp.as_ref(), &*self.store, now)
    }

    async fn ignore(&self, stranger: &Stranger) {
        let (sender, chat, why) = (stranger.sender, stranger.chat.0, stranger.reason.as_str());
        let due = self.strangers().count(stranger, now());
        if let Some(due) = due {
            tracing::warn!(
                "message of {sender} in chat {chat} ignored ({why}); \
                 if this is one of yours, add the id to SECMON_TELEGRAM_ALLOWED_USER_IDS"
            );
            self.record(due).await;
        }
    }

    async fn record(&self, due: Due) {
        if let Err(error) = self.audit.append(event::stranger(&due)).await {
            tracing::error!("audit: {error}; {} messages of {} are not in it", due.count, due.sender);
        }
    }

    fn strangers(&self) -> std::sync::MutexGuard<'_, Strangers> {
        self.strangers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

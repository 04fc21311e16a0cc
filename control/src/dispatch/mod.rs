//! From a claimed approval to its outcome: `Claimed → Routed → Recorded → Receipted → Closed`.
//!
//! Nothing leaves before its intent is on disk, and an envelope leaves at most once: an answer that didn't
//! come is found later among the agent's receipts, never provoked by sending again.

mod agents;
mod close;
mod intent;
mod receipt;
mod reconcile;
mod route;
mod sandbox;

use std::sync::Arc;

pub use agents::{Agents, CallError};
pub use close::{Closed, Outcome};
pub use intent::{IntentFields, Recorded};
pub use receipt::{Receipted, Unproven};
pub use reconcile::ResumeError;
pub use route::{Routed, offered};
pub use sandbox::SandboxWatch;

use crate::approval::{ChatId, Claimed, Reason, Rejected, Transport};
use crate::audit::AuditLog;
use crate::chat::{Outbox, Reply};
use crate::cloudflare::{Leases, Told};
use crate::config::Secret;
use crate::fleet::keys::SigningKey;
use crate::store::Store;

/// After this long without an outcome the operator is told that the operation runs.
const SLOW: std::time::Duration = std::time::Duration::from_secs(2);

/// All that dispatching needs.
#[derive(Debug)]
pub struct Dispatcher {
    store: Arc<Store>,
    audit: AuditLog,
    agents: Arc<Agents>,
    watch: Arc<SandboxWatch>,
    key: SigningKey,
    manifest_secret: Secret,
    leases: Arc<Leases>,
    outbox: Outbox,
}

impl Dispatcher {
    /// A dispatcher over an open store and audit log.
    pub fn new(
        store: Arc<Store>,
        audit: AuditLog,
        agents: Arc<Agents>,
        key: SigningKey,
        manifest_secret: Secret,
        leases: Arc<Leases>,
        outbox: Outbox,
    ) -> Self {
        let watch = SandboxWatch::new(Arc::clone(&agents), Arc::clone(&store), audit.clone());
        Self { store, audit, agents, watch: Arc::new(watch), key, manifest_secret, leases, outbox }
    }

    /// Through which agents are asked how they are.
    pub const fn watch(&self) -> &Arc<SandboxWatch> {
        &self.watch
    }

    /// Everything after the claim, to the first word on the outcome.
    pub async fn dispatch(self: Arc<Self>, claimed: Claimed) {
        let (transport, chat, nonce) = (claimed.transport(), claimed.chat(), claimed.nonce());
        if claimed.action().operation().is_none() {
            let asking = self.tell_when_slow(transport, chat, Reply::asking_cloudflare(&claimed));
            let approved = self.leases.approve(&claimed).await;
            asking.abort();
            match approved {
                Ok(told) => self.tell(transport, chat, nonce, told),
                Err(reason) => {
                    let reply = self.reject(&claimed.rejected(reason)).await;
                    self.post(transport, chat, &reply);
                    self.forget(nonce);
                }
            }
            return;
        }
        let recorded = match self.record(claimed).await {
            Ok(recorded) => recorded,
            Err(rejected) => {
                let reply = self.reject(&rejected).await;
                self.post(transport, chat, &reply);
                self.forget(nonce);
                return;
            }
        };
        let running = self.tell_when_slow(transport, chat, Reply::running(&recorded));
        let sent = recorded.send(&self.agents).await;
        running.abort();
        match sent.and_then(|row| Receipted::verify(&recorded, row, recorded.agent())) {
            Ok(receipted) => {
                self.close(&recorded, Outcome::Proven(&receipted)).await;
                // Nobody waits for it.
                tokio::spawn(async move { self.watch.look(recorded.agent()).await });
            }
            // This one looks as well.
            Err(unproven) => {
                self.close(&recorded, Outcome::Unknown(&unproven)).await;
                tokio::spawn(async move { self.reconcile(recorded).await });
            }
        }
    }

    /// Routes the approval and puts its intent on disk.
    async fn record(&self, claimed: Claimed) -> Result<Recorded, Rejected> {
        let routed = Routed::route(claimed, &self.store, &self.agents, &self.manifest_secret).await?;
        Recorded::record(routed, &self.audit, &self.key).await
    }

    /// Says that an operation runs, if it takes longer than an operator likes to wait for a sign of life.
    fn tell_when_slow(
        self: &Arc<Self>,
        transport: Transport,
        chat: ChatId,
        reply: Reply,
    ) -> tokio::task::JoinHandle<()> {
        let this = Arc::clone(self);
        tokio::spawn(async move {
            tokio::time::sleep(SLOW).await;
            this.post(transport, chat, &reply);
        })
    }

    /// Writes a rejection to the audit log and words the reply. A rejection stands whether or not it could
    /// be written; the reply says if it couldn't.
    pub async fn reject(&self, rejected: &Rejected) -> Reply {
        let written = self.audit.append(crate::audit::event::rejected(rejected)).await;
        if let Err(error) = &written
            && !matches!(rejected.reason, Reason::AuditUnavailable(_))
        {
            tracing::error!("audit: {error}");
        }
        Reply::rejected(rejected, written.is_ok())
    }

    /// Tells what came of an approval at Cloudflare, and finds out what isn't known of it yet.
    fn tell(self: &Arc<Self>, transport: Transport, chat: ChatId, nonce: secmon_wire::Nonce, told: Told) {
        self.post(transport, chat, &told.reply);
        if told.is_final {
            self.forget(nonce);
        }
        if !told.open.is_empty() {
            tokio::spawn(Arc::clone(&self.leases).find_out(told.open));
        }
    }

    /// Puts a reply into the outbox.
    pub fn post(&self, transport: Transport, chat: ChatId, reply: &Reply) {
        self.outbox.post(transport, chat, reply);
    }

    /// Everything that changes zones at Cloudflare.
    pub const fn leases(&self) -> &Arc<Leases> {
        &self.leases
    }

    fn forget(&self, nonce: secmon_wire::Nonce) {
        if let Err(error) = self.store.close(nonce) {
            tracing::error!("{error}; the approval {nonce} will be closed at the next start");
        }
    }
}

/// Seconds since the epoch.
pub fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

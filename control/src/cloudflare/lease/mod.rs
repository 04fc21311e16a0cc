//! Leases: every change at Cloudflare, from the intent on disk to the way back.
//!
//! A lease is in the database and in the audit log before its first call, and one task at a time writes to a zone. What
//! was interrupted is found again by the tags that its objects carry.

mod aftermath;
mod change;
mod end;
mod keeper;
mod make;
mod order;
mod record;
mod zone;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use ring::rand::{SecureRandom, SystemRandom};
use tokio::sync::{Notify, OwnedMutexGuard};

pub use end::Why;
pub use make::Outcome;
pub(super) use order::last_resort;
pub use order::{Asked, Automatic, Told};
pub use record::{Held, Lease, Origin, Previous, State, Way};
pub use zone::{Managed, ZoneError};

use super::api::Api;
use super::auto::{Permit, Switch};
use super::{Edge, LeaseId, ZoneId};
use crate::audit::AuditLog;
use crate::chat::Outbox;
use crate::cloudflare::{Network, Vault};
use crate::config::Durations;
use crate::store::Store;

/// By which right a zone is changed.
#[derive(Debug)]
pub enum Licence {
    /// An operator approved it.
    Approval,
    /// Automatic, and not switched off just now.
    Automatic(Permit),
}

impl std::fmt::Display for Licence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Approval => f.write_str("approved"),
            Self::Automatic(permit) => write!(f, "automatic: {}", permit.path().as_str()),
        }
    }
}

/// Everything that changes zones goes through here.
#[derive(Debug)]
pub struct Leases {
    store: Arc<Store>,
    audit: AuditLog,
    api: Arc<Api>,
    vault: Vault,
    switch: Switch,
    durations: Durations,
    outbox: Outbox,
    /// Cloudflare's own networks, as the API says; once.
    networks: tokio::sync::OnceCell<Vec<Network>>,
    /// One writer at a time for each zone.
    turns: Mutex<HashMap<ZoneId, Arc<tokio::sync::Mutex<()>>>>,
    /// Through which pages are looked at after a mitigation.
    edge: Option<Edge>,
    /// Told when there may be something to do sooner.
    changed: Notify,
}

/// The right to write to a zone.
#[derive(Debug)]
pub(super) struct Turn(
    #[expect(dead_code, reason = "held for as long as the turn lasts")] OwnedMutexGuard<()>,
);

/// What [`Leases`] is made of.
#[derive(Debug)]
pub struct Parts {
    /// The database.
    pub store: Arc<Store>,
    /// The audit log.
    pub audit: AuditLog,
    /// Cloudflare.
    pub api: Arc<Api>,
    /// What credentials are encrypted with.
    pub vault: Vault,
    /// The kill switch.
    pub switch: Switch,
    /// How long leases last.
    pub durations: Durations,
    /// Where operators are told.
    pub outbox: Outbox,
}

impl Leases {
    /// Over an open store and audit log.
    pub fn new(parts: Parts) -> Self {
        let Parts { store, audit, api, vault, switch, durations, outbox } = parts;
        Self {
            store,
            audit,
            api,
            vault,
            networks: tokio::sync::OnceCell::new(),
            switch,
            durations,
            outbox,
            edge: None,
            turns: Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// The kill switch.
    pub const fn switch(&self) -> &Switch {
        &self.switch
    }

    /// Waits for the right to write to a zone.
    async fn turn(&self, zone: &ZoneId) -> Turn {
        let turn = {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(turns.entry(zone.clone()).or_default())
        };
        Turn(turn.lock_owned().await)
    }

    /// Waits for the right to write to each of these zones; in one order, so that no two wait for each other.
    async fn turns(&self, zones: &[Managed]) -> Vec<Turn> {
        let mut ids: Vec<&ZoneId> = zones.iter().map(|zone| &zone.id).collect();
        ids.sort();
        ids.dedup();
        let mut turns = Vec::with_capacity(ids.len());
        for id in ids {
            turns.push(self.turn(id).await);
        }
        turns
    }
}

fn new_id() -> Option<LeaseId> {
    let mut id = [0; 8];
    SystemRandom::new().fill(&mut id).ok().map(|()| LeaseId(id))
}

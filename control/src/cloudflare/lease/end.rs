//! Ending a lease: what stood there before is put back, unless somebody else changed it meanwhile.

use secmon_wire::Nonce;

use super::change::{Undone, undo};
use super::record::{Lease, State, Way};
use super::{Leases, ZoneError};
use crate::approval::Operator;
use crate::audit::event;
use crate::cloudflare::LeaseId;
use crate::cloudflare::api::{ApiError, ZoneApi};
use crate::dispatch::now;
use crate::store::StoreError;

/// For so long after it was made, an object that isn't there may still come: a request that was under way.
pub(super) const SETTLE_S: u64 = 60;

/// Why a lease ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Its time is over.
    Expired,
    /// An operator approved `cf-restore`.
    Restored(Operator, Nonce),
    /// Another lease takes its place.
    Replaced,
    /// The flood is over, says the automatic dispatch.
    Quiet,
    /// It was refused, and nothing of it can come any more.
    Failed,
    /// An answer didn't come, and what was asked for may still happen.
    Lost,
}

/// Why a lease couldn't be ended now; it is tried again.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotEnded {
    /// The API.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The zone or its credentials.
    #[error(transparent)]
    Zone(#[from] ZoneError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No record, no act.
    #[error("audit log: {0}")]
    Audit(#[from] crate::audit::AuditError),
    /// An object of it may still appear.
    #[error("a request may still be under way")]
    Unsettled,
}

impl Why {
    /// The word in records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Restored(..) => "restore",
            Self::Replaced => "replaced",
            Self::Quiet => "quiet",
            Self::Failed => "failed",
            Self::Lost => "lost",
        }
    }
}

impl Leases {
    /// Ends a lease; the caller has the zone's turn. What can't be done now is left for the next try.
    pub(super) async fn end(&self, id: LeaseId, why: Why) -> Result<Lease, NotEnded> {
        let Some(mut lease) = self.store.lease(id)? else {
            return Err(StoreError::Damaged("lease").into());
        };
        if lease.state == State::Ended {
            return Ok(lease);
        }
        if lease.state != State::Ending {
            self.audit.append(event::lease_ending(&lease, why)).await?;
            lease.state = State::Ending;
            self.store.update_lease(&lease)?;
        }
        let api = self.api_of(&lease.zone)?;
        let said = self.put_back(&api, &mut lease).await?;
        if why == Why::Lost && now() < lease.created.saturating_add(SETTLE_S) {
            // Looked for again, for something that comes late.
            for held in &mut lease.held {
                held.ended = None;
            }
            self.store.update_lease(&lease)?;
            return Err(NotEnded::Unsettled);
        }
        lease.ending = Some(said);
        // The record first: a lease whose end isn't recorded is ended again, which changes nothing.
        self.audit.append(event::lease_ended(&lease)).await?;
        lease.state = State::Ended;
        self.store.update_lease(&lease)?;
        Ok(lease)
    }

    /// Puts every change back that isn't yet, the last one first.
    async fn put_back(&self, api: &ZoneApi, lease: &mut Lease) -> Result<String, NotEnded> {
        let tag = lease.id.tag();
        let mut said = Vec::new();
        for at in (0..lease.held.len()).rev() {
            let Some(held) = lease.held.get(at).filter(|held| held.ended.is_none()) else { continue };
            let undone = undo(api, held, &tag).await?;
            let (way, what) = match undone {
                Undone::Restored(what) | Undone::Gone(what) => (Way::PutBack, what),
                Undone::LeftAlone(what) => (Way::LeftAlone, what),
            };
            said.push(what);
            if let Some(held) = lease.held.get_mut(at) {
                held.ended = Some(way);
            }
            lease.ending = Some(said.join("; "));
            self.store.update_lease(lease)?;
        }
        Ok(lease.ending.clone().unwrap_or_else(|| said.join("; ")))
    }
}

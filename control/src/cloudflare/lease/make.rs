//! Making a lease: planned on disk, recorded, then made; whole or not at all.

use super::change::{Made, make, previous, stands};
use super::record::{Held, Lease, Origin, State};
use super::{Leases, Licence, Managed, Why, new_id};
use crate::approval::Reason;
use crate::cloudflare::{Change, Mitigation};
use crate::dispatch::now;
use secmon_wire::{ActionId, ClientId};

/// What one zone needs for an approved or decided mitigation.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) zone: Managed,
    pub(super) step: Step,
    /// Leases of the same action whose place it takes.
    pub(super) replaces: Vec<Lease>,
}

/// A new lease, or more time for one that does the same.
#[derive(Debug)]
pub(super) enum Step {
    Make(Lease),
    Renew(Lease),
}

/// What came of making a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is in force.
    Done,
    /// It isn't, and nothing of it is left.
    Failed(String),
    /// Nobody knows; the zone is read until somebody does.
    Unknown(String),
}

/// What a lease is made from.
#[derive(Debug)]
pub(super) struct Order<'a> {
    pub(super) client: &'a ClientId,
    pub(super) action: ActionId,
    pub(super) origin: Origin,
    pub(super) reason: &'a str,
    pub(super) lasts_s: u64,
}

impl Outcome {
    /// The word in records.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Done => "succeeded",
            Self::Failed(_) => "failed",
            Self::Unknown(_) => "unknown",
        }
    }
}

impl Step {
    pub(super) const fn lease(&self) -> &Lease {
        match self {
            Self::Make(lease) | Self::Renew(lease) => lease,
        }
    }
}

impl Leases {
    /// Reads the zone and decides; changes nothing. The caller has the zone's turn.
    pub(super) async fn plan(
        &self,
        zone: Managed,
        order: &Order<'_>,
        mitigation: Mitigation,
    ) -> Result<Planned, Reason> {
        let refused = |why: String| Reason::Cloudflare(format!("{}: {why}", zone.name));
        let seen = zone.api.zone().await.map_err(|error| refused(error.to_string()))?;
        if let Some(why) = seen.idle() {
            return Err(Reason::Cloudflare(format!("{}: {why}", zone.name)));
        }
        let mut replaces = Vec::new();
        let open = self
            .store
            .open_leases_of(order.client)
            .map_err(|error| Reason::StoreUnavailable(error.to_string()))?;
        for mut lease in open {
            if lease.zone != zone.id || lease.action != order.action {
                continue;
            }
            let same = lease.state == State::Active && lease.does_the_same_as(&mitigation.changes);
            if same && self.is_in_place(&zone, &lease).await.map_err(|error| refused(error.to_string()))? {
                lease.expires = now().saturating_add(order.lasts_s).max(lease.expires);
                return Ok(Planned { zone, step: Step::Renew(lease), replaces: Vec::new() });
            }
            replaces.push(lease);
        }
        let mut held = Vec::new();
        for change in mitigation.changes {
            let ours = replaces.iter().filter(|lease| shares_phase(lease, &change)).count();
            let most = match &change {
                Change::Rule { phase, .. } => zone.plan.limits().rules(*phase).saturating_add(ours),
                Change::UnderAttack | Change::Access(_) => usize::MAX,
            };
            let before = previous(&zone.api, &change, most).await.map_err(|why| refused(why.to_string()))?;
            held.push(Held { change, previous: before, ended: None });
        }
        let id = new_id().ok_or_else(|| refused("the system has no random numbers".to_owned()))?;
        let created = now();
        let lease = Lease {
            id,
            client: order.client.clone(),
            zone: zone.id.clone(),
            zone_name: zone.name.clone(),
            action: order.action,
            origin: order.origin,
            said: mitigation.said,
            reason: order.reason.to_owned(),
            created,
            expires: created.saturating_add(order.lasts_s),
            state: State::Planned,
            held,
            ending: None,
        };
        Ok(Planned { zone, step: Step::Make(lease), replaces })
    }

    async fn is_in_place(
        &self,
        zone: &Managed,
        lease: &Lease,
    ) -> Result<bool, crate::cloudflare::api::ApiError> {
        for held in &lease.held {
            if !stands(&zone.api, &held.change, &lease.id.tag()).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Does what was planned and recorded. The caller has the zone's turn.
    pub(super) async fn carry_out(&self, planned: Planned, licence: &Licence) -> (Lease, Outcome) {
        let Planned { zone, step, replaces } = planned;
        let mut lease = match step {
            Step::Renew(lease) => {
                let kept = self.store.update_lease(&lease);
                let outcome =
                    kept.map_or_else(|error| Outcome::Failed(error.to_string()), |()| Outcome::Done);
                return (lease, outcome);
            }
            Step::Make(lease) => lease,
        };
        for old in replaces {
            if let Err(error) = self.end(old.id, Why::Replaced).await {
                let why = format!("the lease {} that it replaces can't be ended: {error}", old.id);
                return self.failed(lease, why, Why::Failed).await;
            }
        }
        let tag = lease.id.tag();
        for held in &lease.held {
            match make(&zone.api, &held.change, &tag, licence).await {
                Made::Done => {}
                Made::Refused(error) => return self.failed(lease, error.to_string(), Why::Failed).await,
                Made::Absent(why) => {
                    let why = format!("{why}; the zone was read afterwards and it isn't there");
                    return self.failed(lease, why, Why::Lost).await;
                }
                Made::Unclear(why) => return (lease, Outcome::Unknown(why)),
            }
        }
        lease.state = State::Active;
        if let Err(error) = self.store.update_lease(&lease) {
            // Found in its place at the next look.
            tracing::error!("lease {}: {error}", lease.id);
        }
        (lease, Outcome::Done)
    }

    /// Takes back what was made of it. What can't be taken back now is tried again by the keeper.
    async fn failed(&self, lease: Lease, why: String, ending: Why) -> (Lease, Outcome) {
        if let Err(error) = self.end(lease.id, ending).await {
            tracing::warn!("lease {}: {error}; looked at again soon", lease.id);
        }
        (lease, Outcome::Failed(why))
    }
}

fn shares_phase(lease: &Lease, change: &Change) -> bool {
    let Change::Rule { phase, .. } = change else { return false };
    lease.held.iter().any(|held| matches!(&held.change, Change::Rule { phase: of, .. } if of == phase))
}

//! A client's zones with what it takes to change them.

use std::sync::Arc;

use secmon_wire::ClientId;

use super::Leases;
use crate::cloudflare::api::ZoneApi;
use crate::cloudflare::{Network, Plan, Probe, Protections, ProtectionsError, Spared, WrongKey, ZoneId};
use crate::store::{StoreError, ZoneRow};

/// A zone that secmon has credentials for.
#[derive(Clone, Debug)]
pub struct Managed {
    /// Its id.
    pub id: ZoneId,
    /// Its name.
    pub name: String,
    /// What it is paid for.
    pub plan: Plan,
    /// With its token.
    pub api: ZoneApi,
    /// Whom and what no mitigation may hit.
    pub protections: Protections,
    /// What is looked at through the edge after a change.
    pub probes: Vec<Probe>,
}

/// Why a zone can't be changed.
#[derive(Debug, thiserror::Error)]
pub enum ZoneError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There are no credentials for it.
    #[error("secmon has no credentials for this zone any more; `secmon cloudflare add` gives it some")]
    NoCredentials,
    /// They were encrypted with another key.
    #[error(transparent)]
    WrongKey(#[from] WrongKey),
    /// What is to be protected can't be.
    #[error(transparent)]
    Protections(#[from] ProtectionsError),
}

impl Leases {
    /// A client's zones, by name.
    pub fn zones_of(&self, client: &ClientId) -> Result<Vec<Managed>, ZoneError> {
        self.store.zones_of(client)?.into_iter().map(|row| self.open(row)).collect()
    }

    /// What reads and puts back in one zone. It doesn't depend on what is protected there, which may have become too
    /// much for a rule since.
    pub(super) fn api_of(&self, zone: &ZoneId) -> Result<ZoneApi, ZoneError> {
        let row = self.store.zone(zone)?.ok_or(ZoneError::NoCredentials)?;
        let token = self.vault.open(&row)?;
        Ok(self.api.zone(row.zone, Arc::new(token)))
    }

    /// What is looked at through the edge after a change in a zone.
    pub(super) fn probes_of(&self, zone: &ZoneId) -> Result<Vec<Probe>, StoreError> {
        Ok(probes(self.store.spared(zone)?))
    }

    fn open(&self, row: ZoneRow) -> Result<Managed, ZoneError> {
        let token = self.vault.open(&row)?;
        let spared = self.store.spared(&row.zone)?;
        let cloudflare: &[Network] = self.networks.get().map_or(&[], Vec::as_slice);
        Ok(Managed {
            protections: Protections::of(&spared, cloudflare)?,
            api: self.api.zone(row.zone.clone(), Arc::new(token)),
            id: row.zone,
            name: row.seen.name,
            plan: row.seen.plan,
            probes: probes(spared),
        })
    }

    /// Asks once what Cloudflare's own networks are. Until it says, those that are known are taken.
    pub(super) async fn learn_networks(&self) {
        if let Err(error) = self.networks.get_or_try_init(|| self.api.ips()).await {
            tracing::warn!("Cloudflare's networks can't be asked for, the known ones are taken: {error}");
        }
    }
}

fn probes(spared: Vec<Spared>) -> Vec<Probe> {
    let probe = |spared| match spared {
        Spared::Probe(probe) => Some(probe),
        Spared::Range(_) | Spared::Path(_) | Spared::Origin(_) => None,
    };
    spared.into_iter().filter_map(probe).collect()
}

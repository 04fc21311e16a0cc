//! Which agent runs an approved action, and whether its verified manifest lists it.

use secmon_wire::{ActionId, Capability, ClientId, Hash, Manifest, OperationId, signature};

use super::{Agents, CallError};
use crate::approval::{Claimed, Reason, Rejected};
use crate::config::Secret;
use crate::store::{AgentRow, Store, StoreError};

/// What somebody could carry out for a client, by the registry: what isn't offered can't be routed either.
pub fn offered(store: &Store, client: &ClientId) -> Result<Vec<ActionId>, StoreError> {
    let mut offered = Vec::new();
    for action in ActionId::ALL {
        if let Some(operation) = action.operation()
            && store.agent_for(client, operation)?.is_some()
        {
            offered.push(*action);
        }
    }
    if !store.zones_of(client)?.is_empty() {
        offered.extend(ActionId::ALL.iter().filter(|action| action.operation().is_none()));
    }
    Ok(offered)
}

/// A claimed approval with the agent whose manifest, pulled just now, lists the action.
#[derive(Debug)]
pub struct Routed {
    claimed: Claimed,
    agent: AgentRow,
    capability: Capability,
    manifest: Hash,
}

impl Routed {
    /// Finds the agent, pulls its manifest and checks it.
    pub async fn route(
        claimed: Claimed,
        store: &Store,
        agents: &Agents,
        manifest_secret: &Secret,
    ) -> Result<Self, Rejected> {
        let Some(operation) = claimed.action().operation() else {
            return Err(claimed.rejected(Reason::NotOffered));
        };
        let agent = match store.agent_for(claimed.client(), operation) {
            Ok(Some(agent)) => agent,
            Ok(None) => return Err(claimed.rejected(Reason::NotOffered)),
            Err(error) => return Err(claimed.rejected(Reason::StoreUnavailable(error.to_string()))),
        };
        let served = match agents.manifest(&agent).await {
            Ok(served) => served,
            Err(CallError::BadAnswer(why)) => return Err(claimed.rejected(Reason::ManifestInvalid(why))),
            Err(error) => return Err(claimed.rejected(Reason::Unreachable(error.to_string()))),
        };
        match listed(&served, &agent, operation, manifest_secret) {
            Ok(capability) => Ok(Self { claimed, agent, capability, manifest: signature::sha256(&served) }),
            Err(reason) => Err(claimed.rejected(reason)),
        }
    }

    /// The approval.
    pub const fn claimed(&self) -> &Claimed {
        &self.claimed
    }

    /// Who runs it.
    pub const fn agent(&self) -> &AgentRow {
        &self.agent
    }

    /// What the manifest says of it.
    pub const fn capability(&self) -> &Capability {
        &self.capability
    }

    /// SHA-256 of the manifest that was checked.
    pub const fn manifest(&self) -> Hash {
        self.manifest
    }
}

/// The capability for `operation`, if the manifest is authentic, this agent's, and lists it.
pub(super) fn listed(
    served: &[u8],
    agent: &AgentRow,
    operation: OperationId,
    manifest_secret: &Secret,
) -> Result<Capability, Reason> {
    let invalid = |why: &str| Reason::ManifestInvalid(why.to_owned());
    let manifest = Manifest::read(served).map_err(|error| invalid(&error.to_string()))?;
    if !manifest.mac_is_valid(manifest_secret.expose().as_bytes()) {
        return Err(invalid("its HMAC signature does not match SECMON_MANIFEST_SECRET"));
    }
    if manifest.body.agent_id != agent.id || manifest.body.client_id != agent.client {
        return Err(invalid("it names another agent or client"));
    }
    let issued = agent.read_manifest().map_err(|error| Reason::StoreUnavailable(error.to_string()))?.body.seq;
    if manifest.body.seq < issued {
        let served = manifest.body.seq;
        return Err(Reason::ManifestInvalid(format!(
            "the server has number {served} and {issued} was issued; copy the new one to it and restart the agent"
        )));
    }
    manifest.body.capability(operation).cloned().ok_or(Reason::NotListed)
}

#[cfg(test)]
#[path = "route_tests.rs"]
mod tests;

//! Clients and their agents.

use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};
use secmon_wire::limits::MANIFEST_MAX;
use secmon_wire::{AgentId, ClientId, Manifest, OperationId};

use super::{Store, StoreError, from_sql, to_sql};
use crate::fleet::RegistryError;
use crate::fleet::keys::PublicKey;

/// A client: whose site it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientRow {
    /// Its id.
    pub id: ClientId,
    /// When it was added, in seconds since the epoch.
    pub created: u64,
}

/// A server of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentRow {
    /// Its id, unique over all clients.
    pub id: AgentId,
    /// Whose it is.
    pub client: ClientId,
    /// Where it listens: host:port.
    pub address: String,
    /// The key that its receipts are signed with.
    pub receipt_key: PublicKey,
    /// When its certificate ends, in seconds since the epoch.
    pub not_after: u64,
    /// Its manifest, as issued: canonical bytes.
    pub manifest: Vec<u8>,
    /// When it was added, in seconds since the epoch.
    pub created: u64,
}

const AGENT_COLUMNS: &str = "id, client, address, receipt_key, not_after, manifest, created";

impl AgentRow {
    /// The manifest as issued, parsed.
    pub fn read_manifest(&self) -> Result<Manifest, StoreError> {
        Manifest::read(&self.manifest).map_err(|_| StoreError::Damaged("manifest"))
    }
}

impl Store {
    /// Adds a client.
    pub fn add_client(&self, id: &ClientId, now: u64) -> Result<(), RegistryError> {
        let added = self
            .connection()
            .execute(
                "INSERT INTO client (id, created) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                params![id.as_str(), to_sql(now)?],
            )
            .map_err(StoreError::from)?;
        if added == 0 { Err(RegistryError::ClientExists(id.clone())) } else { Ok(()) }
    }

    /// All clients, sorted by id.
    pub fn clients(&self) -> Result<Vec<ClientRow>, StoreError> {
        let connection = self.connection();
        let mut query = connection.prepare_cached("SELECT id, created FROM client ORDER BY id")?;
        let rows = query.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))?;
        rows.map(|row| {
            let (id, created) = row?;
            let id = ClientId::new(&id).ok_or(StoreError::Damaged("client"))?;
            Ok(ClientRow { id, created: from_sql(created)? })
        })
        .collect()
    }

    /// Whether there is such a client.
    pub fn client_exists(&self, id: &ClientId) -> Result<bool, StoreError> {
        client_exists(&self.connection(), id)
    }

    /// Adds an agent, if its client exists, its name is free, and no other agent of the client offers one
    /// of its operations.
    pub fn add_agent(&self, agent: &AgentRow) -> Result<(), RegistryError> {
        let mut connection = self.connection();
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(StoreError::from)?;
        if !client_exists(&transaction, &agent.client)? {
            return Err(RegistryError::NoClient(agent.client.clone()));
        }
        if find_agent(&transaction, &agent.id)?.is_some() {
            return Err(RegistryError::AgentExists(agent.id.clone()));
        }
        refuse_shared_operation(&transaction, &agent.read_manifest()?)?;
        transaction
            .execute(
                "INSERT INTO agent (id, client, address, receipt_key, not_after, manifest, created)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![
                    agent.id.as_str(),
                    agent.client.as_str(),
                    agent.address,
                    agent.receipt_key,
                    to_sql(agent.not_after)?,
                    agent.manifest,
                    to_sql(agent.created)?,
                ],
            )
            .map_err(StoreError::from)?;
        transaction.commit().map_err(StoreError::from)?;
        Ok(())
    }

    /// Makes `manifest` the one in force for its agent. It must be newer than the one before.
    pub fn update_manifest(&self, manifest: &Manifest) -> Result<(), RegistryError> {
        let mut connection = self.connection();
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(StoreError::from)?;
        let id = &manifest.body.agent_id;
        let agent = find_agent(&transaction, id)?.ok_or_else(|| RegistryError::NoAgent(id.clone()))?;
        if agent.client != manifest.body.client_id {
            let manifest = manifest.body.client_id.clone();
            return Err(RegistryError::OtherClient { client: agent.client, manifest });
        }
        let (found, current) = (manifest.body.seq, agent.read_manifest()?.body.seq);
        if found <= current {
            return Err(RegistryError::NotNewer { agent: agent.id, found, current });
        }
        refuse_shared_operation(&transaction, manifest)?;
        transaction
            .execute(
                "UPDATE agent SET manifest = ?2 WHERE id = ?1",
                params![id.as_str(), canonical(manifest)?],
            )
            .map_err(StoreError::from)?;
        transaction.commit().map_err(StoreError::from)?;
        Ok(())
    }

    /// All agents, sorted by client and id.
    pub fn agents(&self) -> Result<Vec<AgentRow>, StoreError> {
        select_agents(&self.connection(), None)
    }

    /// The agent with this id.
    pub fn agent(&self, id: &AgentId) -> Result<Option<AgentRow>, StoreError> {
        find_agent(&self.connection(), id)
    }

    /// The agents of a client, sorted by id.
    pub fn agents_of(&self, client: &ClientId) -> Result<Vec<AgentRow>, StoreError> {
        select_agents(&self.connection(), Some(client))
    }

    /// The one agent of a client whose manifest lists an operation.
    pub fn agent_for(
        &self,
        client: &ClientId,
        operation: OperationId,
    ) -> Result<Option<AgentRow>, StoreError> {
        for agent in self.agents_of(client)? {
            if agent.read_manifest()?.body.capability(operation).is_some() {
                return Ok(Some(agent));
            }
        }
        Ok(None)
    }
}

pub(super) fn client_exists(connection: &Connection, id: &ClientId) -> Result<bool, StoreError> {
    Ok(connection.prepare_cached("SELECT 1 FROM client WHERE id = ?1")?.exists([id.as_str()])?)
}

fn find_agent(connection: &Connection, id: &AgentId) -> Result<Option<AgentRow>, StoreError> {
    let sql = format!("SELECT {AGENT_COLUMNS} FROM agent WHERE id = ?1");
    let mut query = connection.prepare_cached(&sql)?;
    query.query_row([id.as_str()], raw_agent).optional()?.map(RawAgent::parse).transpose()
}

fn select_agents(connection: &Connection, client: Option<&ClientId>) -> Result<Vec<AgentRow>, StoreError> {
    let sql =
        format!("SELECT {AGENT_COLUMNS} FROM agent WHERE ?1 IS NULL OR client = ?1 ORDER BY client, id");
    let mut query = connection.prepare_cached(&sql)?;
    let rows = query.query_map([client.map(ClientId::as_str)], raw_agent)?;
    rows.map(|row| row?.parse()).collect()
}

/// An approval names a client and an action; which server it means must never be a matter of choice.
fn refuse_shared_operation(connection: &Connection, manifest: &Manifest) -> Result<(), RegistryError> {
    let client = &manifest.body.client_id;
    for other in select_agents(connection, Some(client))? {
        if other.id == manifest.body.agent_id {
            continue;
        }
        let offered = other.read_manifest()?.body;
        let mut asked = manifest.body.operations.iter();
        let shared = asked.find(|capability| offered.capability(capability.action).is_some());
        if let Some(capability) = shared {
            let operation = capability.action;
            return Err(RegistryError::Offered { operation, client: client.clone(), by: other.id });
        }
    }
    Ok(())
}

fn canonical(manifest: &Manifest) -> Result<Vec<u8>, StoreError> {
    let mut out = [0; MANIFEST_MAX];
    manifest.write(&mut out).map(<[u8]>::to_vec).map_err(|_| StoreError::Damaged("manifest"))
}

/// An agent's columns before their values are checked.
struct RawAgent {
    id: String,
    client: String,
    address: String,
    receipt_key: Vec<u8>,
    not_after: i64,
    manifest: Vec<u8>,
    created: i64,
}

fn raw_agent(row: &Row<'_>) -> rusqlite::Result<RawAgent> {
    Ok(RawAgent {
        id: row.get(0)?,
        client: row.get(1)?,
        address: row.get(2)?,
        receipt_key: row.get(3)?,
        not_after: row.get(4)?,
        manifest: row.get(5)?,
        created: row.get(6)?,
    })
}

impl RawAgent {
    fn parse(self) -> Result<AgentRow, StoreError> {
        Ok(AgentRow {
            id: AgentId::new(&self.id).ok_or(StoreError::Damaged("agent"))?,
            client: ClientId::new(&self.client).ok_or(StoreError::Damaged("client"))?,
            address: self.address,
            receipt_key: self.receipt_key.try_into().map_err(|_| StoreError::Damaged("receipt key"))?,
            not_after: from_sql(self.not_after)?,
            manifest: self.manifest,
            created: from_sql(self.created)?,
        })
    }
}

#[cfg(test)]
#[path = "fleet_tests.rs"]
mod tests;

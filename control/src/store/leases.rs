//! Leases, the flood reports they are made from, and which clients are armed.

use rusqlite::{Row, params};
use secmon_wire::{ActionId, AgentId, ClientId, Nonce};

use super::{Store, StoreError, from_sql, to_sql};
use crate::approval::{ChatId, Operator, Transport};
use crate::cloudflare::{Lease, LeaseId, Origin, State, ZoneId};

const COLUMNS: &str = "id, client, zone, zone_name, action, nonce, operator, transport, chat, said, reason, \
                       created, expires, state, held, ending";

/// A client whose floods are answered automatically.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArmedRow {
    /// Which.
    pub client: ClientId,
    /// The name of this arming in the audit log.
    pub lease: LeaseId,
    /// Who armed it.
    pub operator: Operator,
    /// Since when.
    pub since: u64,
    /// Until when.
    pub until: u64,
}

impl Store {
    /// Keeps new leases, all or none.
    pub fn add_leases(&self, leases: &[Lease]) -> Result<(), StoreError> {
        let mut connection = self.connection();
        let transaction = connection.transaction()?;
        for lease in leases {
            let (nonce, operator, transport, chat) = match lease.origin {
                Origin::Automatic => (None, None, None, None),
                Origin::Approved { operator, nonce, transport, chat } => {
                    (Some(nonce.0), Some(operator.0), Some(transport.as_str()), Some(chat.0))
                }
            };
            transaction.execute(
                &format!(
                    "INSERT INTO lease ({COLUMNS})
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)"
                ),
                params![
                    lease.id.0,
                    lease.client.as_str(),
                    lease.zone.as_str(),
                    lease.zone_name,
                    lease.action.as_str(),
                    nonce,
                    operator,
                    transport,
                    chat,
                    lease.said,
                    lease.reason,
                    to_sql(lease.created)?,
                    to_sql(lease.expires)?,
                    lease.state.as_str(),
                    held_text(lease)?,
                    lease.ending,
                ],
            )?;
        }
        Ok(transaction.commit()?)
    }

    /// Writes what of a lease can change: state, expiry, what was put back, how it ended.
    pub fn update_lease(&self, lease: &Lease) -> Result<(), StoreError> {
        self.connection().execute(
            "UPDATE lease SET state = ?2, expires = ?3, held = ?4, ending = ?5 WHERE id = ?1",
            params![
                lease.id.0,
                lease.state.as_str(),
                to_sql(lease.expires)?,
                held_text(lease)?,
                lease.ending
            ],
        )?;
        Ok(())
    }

    /// The lease with this number, if there ever was one.
    pub fn lease(&self, id: LeaseId) -> Result<Option<Lease>, StoreError> {
        Ok(self.leases_where("id = ?1", params![id.0])?.pop())
    }

    /// All that haven't ended, oldest first.
    pub fn open_leases(&self) -> Result<Vec<Lease>, StoreError> {
        self.leases_where("state <> 'ended'", params![])
    }

    /// Those of a client that haven't ended, oldest first.
    pub fn open_leases_of(&self, client: &ClientId) -> Result<Vec<Lease>, StoreError> {
        self.leases_where("state <> 'ended' AND client = ?1", params![client.as_str()])
    }

    /// Those that an approval made, oldest first.
    pub fn leases_by(&self, nonce: Nonce) -> Result<Vec<Lease>, StoreError> {
        self.leases_where("nonce = ?1", params![nonce.0])
    }

    fn leases_where(
        &self,
        condition: &str,
        parameters: &[&dyn rusqlite::ToSql],
    ) -> Result<Vec<Lease>, StoreError> {
        let connection = self.connection();
        let mut query = connection
            .prepare(&format!("SELECT {COLUMNS} FROM lease WHERE {condition} ORDER BY created, id"))?;
        let mut rows = query.query(parameters)?;
        let mut leases = Vec::new();
        while let Some(row) = rows.next()? {
            leases.push(read_lease(row)?);
        }
        Ok(leases)
    }

    /// Keeps a report that found a flood.
    pub fn keep_flood(
        &self,
        agent: &AgentId,
        client: &ClientId,
        taken: u64,
        report: &[u8],
    ) -> Result<(), StoreError> {
        self.connection().execute(
            "INSERT INTO flood_report (agent, client, taken, report) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (agent) DO UPDATE SET taken = excluded.taken, report = excluded.report",
            params![agent.as_str(), client.as_str(), to_sql(taken)?, report],
        )?;
        Ok(())
    }

    /// The reports of a client's agents that found a flood since then, newest first.
    pub fn floods_since(
        &self,
        client: &ClientId,
        since: u64,
    ) -> Result<Vec<(AgentId, u64, Vec<u8>)>, StoreError> {
        let connection = self.connection();
        let mut query = connection.prepare_cached(
            "SELECT agent, taken, report FROM flood_report WHERE client = ?1 AND taken >= ?2
             ORDER BY taken DESC",
        )?;
        let mut rows = query.query(params![client.as_str(), to_sql(since)?])?;
        let mut floods = Vec::new();
        while let Some(row) = rows.next()? {
            let agent: String = row.get(0)?;
            let agent = AgentId::new(&agent).ok_or(StoreError::Damaged("agent id"))?;
            floods.push((agent, from_sql(row.get(1)?)?, row.get(2)?));
        }
        Ok(floods)
    }

    /// Arms a client, or prolongs it.
    pub fn arm(&self, armed: &ArmedRow) -> Result<(), StoreError> {
        self.connection().execute(
            "INSERT OR REPLACE INTO armed (client, lease, operator, since, until) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                armed.client.as_str(),
                armed.lease.0,
                armed.operator.0,
                to_sql(armed.since)?,
                to_sql(armed.until)?
            ],
        )?;
        Ok(())
    }

    /// Disarms a client; whether it was armed.
    pub fn disarm(&self, client: &ClientId) -> Result<bool, StoreError> {
        Ok(self.connection().execute("DELETE FROM armed WHERE client = ?1", [client.as_str()])? > 0)
    }

    /// All armed clients.
    pub fn armed(&self) -> Result<Vec<ArmedRow>, StoreError> {
        let connection = self.connection();
        let mut query =
            connection.prepare("SELECT client, lease, operator, since, until FROM armed ORDER BY client")?;
        let mut rows = query.query([])?;
        let mut armed = Vec::new();
        while let Some(row) = rows.next()? {
            let client: String = row.get(0)?;
            armed.push(ArmedRow {
                client: ClientId::new(&client).ok_or(StoreError::Damaged("client id"))?,
                lease: LeaseId(row.get(1)?),
                operator: Operator(row.get(2)?),
                since: from_sql(row.get(3)?)?,
                until: from_sql(row.get(4)?)?,
            });
        }
        Ok(armed)
    }
}

fn held_text(lease: &Lease) -> Result<String, StoreError> {
    serde_json::to_string(&lease.held).map_err(|_| StoreError::Damaged("lease"))
}

fn read_lease(row: &Row<'_>) -> Result<Lease, StoreError> {
    const DAMAGED: StoreError = StoreError::Damaged("lease");
    let text = |at: usize| row.get::<_, String>(at);
    let origin = match (row.get::<_, Option<[u8; 8]>>(5)?, row.get::<_, Option<i64>>(6)?) {
        (Some(nonce), Some(operator)) => Origin::Approved {
            operator: Operator(operator),
            nonce: Nonce(nonce),
            transport: Transport::new(&text(7)?).ok_or(DAMAGED)?,
            chat: ChatId(row.get(8)?),
        },
        (None, None) => Origin::Automatic,
        _ => return Err(DAMAGED),
    };
    Ok(Lease {
        id: LeaseId(row.get(0)?),
        client: ClientId::new(&text(1)?).ok_or(DAMAGED)?,
        zone: ZoneId::new(&text(2)?).ok_or(DAMAGED)?,
        zone_name: text(3)?,
        action: ActionId::new(&text(4)?).ok_or(DAMAGED)?,
        origin,
        said: text(9)?,
        reason: text(10)?,
        created: from_sql(row.get(11)?)?,
        expires: from_sql(row.get(12)?)?,
        state: State::new(&text(13)?).ok_or(DAMAGED)?,
        held: serde_json::from_str(&text(14)?).map_err(|_| DAMAGED)?,
        ending: row.get(15)?,
    })
}

#[cfg(test)]
#[path = "leases_tests.rs"]
mod tests;

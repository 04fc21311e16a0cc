//! Clients' zones at Cloudflare, with their encrypted API tokens and what is spared in them.

use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};
use secmon_wire::ClientId;

use super::{Store, StoreError, from_sql, to_sql};
use crate::cloudflare::{Plan, Spared, ZoneId};
use crate::fleet::RegistryError;

/// A zone of a client.
#[derive(Clone, PartialEq, Eq)]
pub struct ZoneRow {
    /// Its id.
    pub zone: ZoneId,
    /// Whose it is.
    pub client: ClientId,
    /// The API token for it, encrypted.
    pub credential: String,
    /// When the token was stored, in seconds since the epoch.
    pub added: u64,
    /// What the API said of it when it was last asked.
    pub seen: SeenZone,
}

/// What the API said of a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenZone {
    /// Its name: a domain.
    pub name: String,
    /// What it is paid for.
    pub plan: Plan,
    /// `active`, or what else it is.
    pub status: String,
    /// Whether Cloudflare is switched off for it.
    pub paused: bool,
    /// When the API said so, in seconds since the epoch.
    pub checked: u64,
}

/// Whether a zone is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Put {
    /// It is.
    Added,
    /// It was there, and got a new token.
    Renewed,
}

const COLUMNS: &str = "zone, client, credential, added, name, plan, status, paused, checked";

impl std::fmt::Debug for ZoneRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ZoneRow")
            .field("zone", &self.zone)
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Stores a zone with its token. A zone of the same client gets the new token and keeps what is spared in it.
    /// `opens` says whether a credential that is stored already opens: beside one that doesn't, another key's tokens
    /// would make a store that no key opens whole.
    pub fn put_zone<E: From<RegistryError>>(
        &self,
        row: &ZoneRow,
        opens: impl Fn(&ZoneRow) -> Result<(), E>,
    ) -> Result<Put, E> {
        let mut connection = self.connection();
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(registry::<E>)?;
        let known = select(&transaction, None).map_err(RegistryError::from)?;
        let before = known.iter().find(|other| other.zone == row.zone);
        if !super::fleet::client_exists(&transaction, &row.client).map_err(RegistryError::from)? {
            return Err(RegistryError::NoClient(row.client.clone()).into());
        }
        if let Some(other) = before.filter(|other| other.client != row.client) {
            return Err(
                RegistryError::ZoneTaken { name: other.seen.name.clone(), by: other.client.clone() }.into()
            );
        }
        known.iter().filter(|other| other.zone != row.zone).try_for_each(opens)?;
        insert(&transaction, row).map_err(RegistryError::from)?;
        transaction.commit().map_err(registry::<E>)?;
        Ok(if before.is_some() { Put::Renewed } else { Put::Added })
    }

    /// All zones, sorted by client and name.
    pub fn zones(&self) -> Result<Vec<ZoneRow>, StoreError> {
        select(&self.connection(), None)
    }

    /// The zones of a client, sorted by name.
    pub fn zones_of(&self, client: &ClientId) -> Result<Vec<ZoneRow>, StoreError> {
        select(&self.connection(), Some(client))
    }

    /// The zone with this id.
    pub fn zone(&self, zone: &ZoneId) -> Result<Option<ZoneRow>, StoreError> {
        let connection = self.connection();
        let sql = format!("SELECT {COLUMNS} FROM cloudflare_zone WHERE zone = ?1");
        let row = connection.query_row(&sql, [zone.as_str()], raw).optional()?;
        row.map(RawZone::parse).transpose()
    }

    /// Remembers what the API says of a zone now.
    pub fn saw_zone(&self, zone: &ZoneId, seen: &SeenZone) -> Result<(), StoreError> {
        self.connection().execute(
            "UPDATE cloudflare_zone SET name = ?2, plan = ?3, status = ?4, paused = ?5, checked = ?6 WHERE zone = ?1",
            params![zone.as_str(), seen.name, seen.plan.as_str(), seen.status, seen.paused, to_sql(seen.checked)?],
        )?;
        Ok(())
    }

    /// Forgets a zone with its token and what is spared in it. While a lease of it is open, its token is what puts it
    /// back.
    pub fn remove_zone(&self, row: &ZoneRow) -> Result<(), RegistryError> {
        let mut connection = self.connection();
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(StoreError::from)?;
        let sql = "SELECT count(*) FROM lease WHERE zone = ?1 AND state <> 'ended'";
        let open: i64 =
            transaction.query_row(sql, [row.zone.as_str()], |row| row.get(0)).map_err(StoreError::from)?;
        if open > 0 {
            return Err(RegistryError::InForce { client: row.client.clone(), name: row.seen.name.clone() });
        }
        transaction
            .execute("DELETE FROM cloudflare_zone WHERE zone = ?1", [row.zone.as_str()])
            .map_err(StoreError::from)?;
        Ok(transaction.commit().map_err(StoreError::from)?)
    }

    /// What is spared in a zone, sorted.
    pub fn spared(&self, zone: &ZoneId) -> Result<Vec<Spared>, StoreError> {
        let connection = self.connection();
        let mut query = connection.prepare_cached(
            "SELECT kind, value FROM cloudflare_protection WHERE zone = ?1 ORDER BY kind, value",
        )?;
        let rows = query
            .query_map([zone.as_str()], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
        rows.map(|row| {
            let (kind, value) = row?;
            Spared::new(&kind, &value).ok_or(StoreError::Damaged("protection"))
        })
        .collect()
    }

    /// Spares these from now on.
    pub fn spare(&self, zone: &ZoneId, spared: &[Spared]) -> Result<(), StoreError> {
        let sql = "INSERT INTO cloudflare_protection (zone, kind, value) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
        self.for_each_spared(sql, zone, spared).map(|_| ())
    }

    /// Spares these no longer. Returns how many of them were spared.
    pub fn spare_no_longer(&self, zone: &ZoneId, spared: &[Spared]) -> Result<usize, StoreError> {
        let sql = "DELETE FROM cloudflare_protection WHERE zone = ?1 AND kind = ?2 AND value = ?3";
        self.for_each_spared(sql, zone, spared)
    }

    fn for_each_spared(&self, sql: &str, zone: &ZoneId, spared: &[Spared]) -> Result<usize, StoreError> {
        let mut connection = self.connection();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut changed: usize = 0;
        for one in spared {
            let count = transaction.execute(sql, params![zone.as_str(), one.kind(), one.value()])?;
            changed = changed.saturating_add(count);
        }
        transaction.commit()?;
        Ok(changed)
    }

    /// Replaces every stored credential by what `seal` makes of it: all of them, or none.
    pub fn reseal<E: From<StoreError>>(
        &self,
        seal: impl Fn(&ZoneRow) -> Result<String, E>,
    ) -> Result<usize, E> {
        let mut connection = self.connection();
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(StoreError::from)?;
        let rows = select(&transaction, None)?;
        for row in &rows {
            let sql = "UPDATE cloudflare_zone SET credential = ?2 WHERE zone = ?1";
            transaction.execute(sql, params![row.zone.as_str(), seal(row)?]).map_err(StoreError::from)?;
        }
        transaction.commit().map_err(StoreError::from)?;
        Ok(rows.len())
    }
}

fn registry<E: From<RegistryError>>(error: rusqlite::Error) -> E {
    RegistryError::from(StoreError::from(error)).into()
}

fn insert(connection: &Connection, row: &ZoneRow) -> Result<(), StoreError> {
    let seen = &row.seen;
    connection.execute(
        "INSERT INTO cloudflare_zone (zone, client, credential, added, name, plan, status, paused, checked)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (zone) DO UPDATE SET credential = excluded.credential, added = excluded.added,
             name = excluded.name, plan = excluded.plan, status = excluded.status, paused = excluded.paused,
             checked = excluded.checked",
        params![
            row.zone.as_str(),
            row.client.as_str(),
            row.credential,
            to_sql(row.added)?,
            seen.name,
            seen.plan.as_str(),
            seen.status,
            seen.paused,
            to_sql(seen.checked)?,
        ],
    )?;
    Ok(())
}

fn select(connection: &Connection, client: Option<&ClientId>) -> Result<Vec<ZoneRow>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM cloudflare_zone WHERE ?1 IS NULL OR client = ?1 ORDER BY client, name, zone"
    );
    let mut query = connection.prepare_cached(&sql)?;
    let rows = query.query_map([client.map(ClientId::as_str)], raw)?;
    rows.map(|row| row?.parse()).collect()
}

/// A zone's columns before their values are checked.
struct RawZone {
    zone: String,
    client: String,
    credential: String,
    added: i64,
    name: String,
    plan: String,
    status: String,
    paused: bool,
    checked: i64,
}

fn raw(row: &Row<'_>) -> rusqlite::Result<RawZone> {
    Ok(RawZone {
        zone: row.get(0)?,
        client: row.get(1)?,
        credential: row.get(2)?,
        added: row.get(3)?,
        name: row.get(4)?,
        plan: row.get(5)?,
        status: row.get(6)?,
        paused: row.get(7)?,
        checked: row.get(8)?,
    })
}

impl RawZone {
    fn parse(self) -> Result<ZoneRow, StoreError> {
        Ok(ZoneRow {
            zone: ZoneId::new(&self.zone).ok_or(StoreError::Damaged("zone"))?,
            client: ClientId::new(&self.client).ok_or(StoreError::Damaged("client"))?,
            credential: self.credential,
            added: from_sql(self.added)?,
            seen: SeenZone {
                name: self.name,
                plan: Plan::new(&self.plan).ok_or(StoreError::Damaged("plan"))?,
                status: self.status,
                paused: self.paused,
                checked: from_sql(self.checked)?,
            },
        })
    }
}

#[cfg(test)]
#[path = "zones_tests.rs"]
mod tests;

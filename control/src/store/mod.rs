//! SQLite (WAL, `synchronous=FULL`): migrations here, typed queries in the modules beside this one.
//!
//! What is committed survives a power cut. No SQL stands anywhere else in the control plane.

mod claims;
mod fleet;
mod leases;
mod outbox;
mod pending;
mod receipts;
mod samples;
mod sandbox;
mod settings;
mod zones;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::Connection;

pub use fleet::{AgentRow, ClientRow};
pub use leases::ArmedRow;
pub use outbox::{OutboxRow, Posted};
pub use pending::PendingRow;
pub use receipts::ReceiptRow;
pub use zones::{Put, SeenZone, ZoneRow};

/// One schema change each, applied in order and never edited.
const MIGRATIONS: &[&str] = &[
    include_str!("001_first.sql"),
    include_str!("002_sandbox.sql"),
    include_str!("003_samples.sql"),
    include_str!("004_cloudflare_zones.sql"),
    include_str!("005_leases.sql"),
];

/// The database of a data directory.
#[derive(Debug)]
pub struct Store {
    connection: Mutex<Connection>,
    spill: Mutex<outbox::Spill>,
}

/// Why the database can't be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file can't be opened as a database.
    #[error("{path}: {source}; check that the file is there and yours, or restore it from a backup")]
    Open { path: PathBuf, source: rusqlite::Error },
    /// It was written by a later version.
    #[error("{path}: written by a later secmon (schema {found}, this one knows {known}); upgrade secmon")]
    Newer { path: PathBuf, found: usize, known: usize },
    /// A query failed: a full disk, a damaged file, a lock held for too long.
    #[error("database: {0}")]
    Query(#[from] rusqlite::Error),
    /// A host signed two different receipts under one number.
    #[error("the agent's receipt {0} differs from the one that was kept; the host's chain forked")]
    ForkedReceipts(u64),
    /// A stored value doesn't parse any more.
    #[error("database: the stored {0} is damaged; restore the database from a backup")]
    Damaged(&'static str),
}

impl Store {
    /// Opens the database at `path`, creating or migrating it.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let at = |source| StoreError::Open { path: path.to_owned(), source };
        let mut connection = Connection::open(path).map_err(at)?;
        connection.busy_timeout(Duration::from_secs(5)).map_err(at)?;
        connection.pragma_update(None, "journal_mode", "WAL").map_err(at)?;
        connection.pragma_update(None, "synchronous", "FULL").map_err(at)?;
        connection.pragma_update(None, "foreign_keys", true).map_err(at)?;
        migrate(&mut connection, path)?;
        Ok(Self { connection: Mutex::new(connection), spill: Mutex::default() })
    }

    /// The connection. A thread that panicked while it held the lock left no half transaction behind:
    /// SQLite rolled it back when the guard of its transaction was dropped.
    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let found: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let found = usize::try_from(found).map_err(|_| StoreError::Damaged("schema version"))?;
    let pending = MIGRATIONS.get(found..).ok_or_else(|| StoreError::Newer {
        path: path.to_owned(),
        found,
        known: MIGRATIONS.len(),
    })?;
    for migration in pending {
        transaction.execute_batch(migration)?;
    }
    let known = i64::try_from(MIGRATIONS.len()).map_err(|_| StoreError::Damaged("schema version"))?;
    transaction.pragma_update(None, "user_version", known)?;
    transaction.commit()?;
    Ok(())
}

/// SQLite's integers are signed; everything that we count or date fits in them.
fn to_sql(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(|_| StoreError::Damaged("number"))
}

fn from_sql(number: i64) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(|_| StoreError::Damaged("number"))
}

//! The audit log: what happened, in an order that nobody can change unseen.
//!
//! One canonical-JSON record per line, each bound to the one before by its hash. `chain` and `canonical` are
//! pure; `writer` is the only way to add a record, and a record counts only when it is on the disk;
//! `verify` trusts nothing and shares only the canonical form with the writer. Nothing here ever starts a
//! second chain, drops a line or goes on after a write whose fate is unknown.

pub mod canonical;
mod chain;
mod cloudflare_event;
mod commit;
mod error;
pub mod event;
mod file;
mod find;
mod record;
mod recover;
mod tail;
pub mod verify;
mod writer;

pub use chain::{Head, Sealed, record_hash, seal};
pub use commit::{Committer, RECORD_MAX};
pub use error::{AuditChainError, AuditError};
pub use file::{Create, DiskFile, LogFile};
pub use find::{Found, find_intents, holds_text};
pub use record::{Field, Record, SEALED_FIELDS};
pub use recover::{RecoverError, Recovered, recover};
pub use writer::{AuditLog, AuditWriter, Opened};

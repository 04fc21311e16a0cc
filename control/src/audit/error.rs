//! What can go wrong with the audit log, and what the operator does about it.

use std::io;
use std::path::PathBuf;

/// The log on disk is not one that may be continued. Nothing may act until this is settled by hand.
#[derive(Debug, thiserror::Error)]
pub enum AuditChainError {
    /// There is no file, and none was to be made.
    #[error(
        "{path}: there is no audit log; run `secmon init` on a new installation, or put the log back from a \
         backup: a lost log is never replaced by an empty one"
    )]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// Another process writes it.
    #[error("{path}: another process holds the audit log; stop the other secmon first")]
    Locked {
        /// The log.
        path: PathBuf,
    },
    /// A system call failed.
    #[error(
        "{path}: the audit log can't be {attempt}: {source}; check its owner, its permissions and the disk"
    )]
    Unreadable {
        /// The log.
        path: PathBuf,
        /// What was tried.
        attempt: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// The last line is no sound record.
    #[error(
        "{path}: the last line of the audit log can't be continued: {why}; run `secmon-audit-verify {path}`, \
         then `secmon audit recover` if the line was torn by a crash"
    )]
    LastLine {
        /// The log.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Recovery would hide something other than a torn tail.
    #[error(
        "{path}:{line}: {why}; this is not what a crash leaves, so it is not cut away: keep the file, find out who \
         changed it, and put the log back from a backup"
    )]
    NotTorn {
        /// The log.
        path: PathBuf,
        /// The first line that is wrong.
        line: u64,
        /// What is wrong with it.
        why: String,
    },
}

/// A record was not recorded. Whatever it was about must not happen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuditError {
    /// There is no room. What was written of the record has been removed again, and the next one may succeed.
    #[error("the audit log's disk is full ({cause}): nothing was recorded; free some space and try again")]
    Full {
        /// The system's words.
        cause: String,
    },
    /// The state of the log is not known any more. No record is taken until a restart has checked it.
    #[error(
        "the audit log has stopped ({cause}): check the disk, then run `secmon-audit-verify` on the log, `secmon audit \
         recover` if its last line is torn, and restart secmon"
    )]
    Poisoned {
        /// What happened first.
        cause: String,
    },
    /// The record is longer than a record may be.
    #[error("the audit record has {bytes} bytes; at most {limit} are allowed")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The writer has ended.
    #[error("the audit log is closed; restart secmon")]
    Closed,
}

impl AuditError {
    /// Whether the same append may succeed later without a restart.
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Full { .. })
    }
}

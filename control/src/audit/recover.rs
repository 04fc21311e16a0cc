//! Recovery by hand from a torn tail: the cut bytes are kept aside, and the chain says that it was cut.
//!
//! Only what an interrupted write can leave is cut away: unreadable lines at the very end of a chain that
//! is otherwise sound. Such a record was never acknowledged, so nothing was done on its account. Anything else
//! is tampering, and recovering from it would hide it.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::chain::Sealed;
use super::commit::Committer;
use super::error::{AuditChainError, AuditError};
use super::file::{Create, DiskFile, LogFile, sync_directory};
use super::record::Record;
use super::tail::{self, Tail};
use super::verify::{LINE_MAX, Report, verify_file};

/// What recovery did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Recovered {
    /// The chain is sound; nothing was touched.
    Sound {
        /// How many records it has.
        records: u64,
    },
    /// A torn tail was moved aside.
    Cut {
        /// How many bytes.
        bytes: u64,
        /// SHA-256 of these, in hex.
        sha256: String,
        /// Where they are now.
        kept: PathBuf,
        /// The record that says so.
        recorded: Sealed,
    },
}

/// Recovery did not finish.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// The log is not one that can be recovered; it was not touched.
    #[error(transparent)]
    Chain(#[from] AuditChainError),
    /// The tail could not be kept aside; the log was not touched.
    #[error("{path}: the torn tail can't be kept there: {source}; the log was not touched")]
    Keep {
        /// Where it was to go.
        path: PathBuf,
        /// Why that failed.
        source: io::Error,
    },
    /// The tail is kept aside and cut away, but the record of that is missing.
    #[error("the torn tail is kept in {kept}, but the recovery could not be recorded: {source}")]
    Record {
        /// Where the tail is.
        kept: PathBuf,
        /// Why the record is missing.
        source: AuditError,
    },
}

/// Moves a torn tail of the log at `path` into `<path>.torn-<now>` and records that at `now` (seconds since the
/// epoch). No other process may have the log open.
pub fn recover(path: &Path, now: u64) -> Result<Recovered, RecoverError> {
    let mut log = DiskFile::open(path, Create::Never)?;
    let failed = |attempt| {
        let path = path.to_owned();
        move |source| AuditChainError::Unreadable { path, attempt, source }
    };
    let report = verify_file(log.file(), &[], &mut |_| {}).map_err(failed("read"))?;
    let Some(first) = torn_from(path, &report)? else {
        return Ok(Recovered::Sound { records: report.records });
    };
    let (offset, cut) = tail_from(&log, first).map_err(failed("read"))?;
    let sha256 = data_encoding::HEXLOWER.encode(&Sha256::digest(&cut));
    let kept = kept_path(path, now);
    keep(&kept, &cut).map_err(|source| RecoverError::Keep { path: kept.clone(), source })?;
    log.truncate(offset).and_then(|()| log.sync()).map_err(failed("cut"))?;
    let (head, length) = match tail::read(&log).map_err(failed("read"))? {
        Tail::Sound { head, length } => (head, length),
        Tail::Broken { why } => return Err(AuditChainError::LastLine { path: path.to_owned(), why }.into()),
    };
    let bytes = cut.len() as u64;
    let record = Record::new(now, "audit-recovered")
        .with("cut_bytes", bytes)
        .with("cut_sha256", sha256.as_str())
        .with("kept", kept.file_name().map(|name| name.to_string_lossy().into_owned()));
    match Committer::new(log, head, length).commit(vec![record]).pop() {
        Some(Ok(recorded)) => Ok(Recovered::Cut { bytes, sha256, kept, recorded }),
        Some(Err(source)) => Err(RecoverError::Record { kept, source }),
        None => Err(RecoverError::Record { kept, source: AuditError::Closed }),
    }
}

/// The first line of a torn tail; `None` if the chain is sound.
fn torn_from(path: &Path, report: &Report) -> Result<Option<u64>, AuditChainError> {
    let Some(first) = report.breaks.first() else { return Ok(None) };
    let last = report.lines;
    let whole_tail = report.breaks.len() as u64 == last.saturating_sub(first.line).saturating_add(1);
    match report.breaks.iter().find(|found| !found.reason.is_torn()) {
        None if whole_tail => Ok(Some(first.line)),
        None => Err(not_torn(path, first.line, format!("{}, and sound records come after it", first.reason))),
        Some(found) => Err(not_torn(path, found.line, found.reason.to_string())),
    }
}

fn not_torn(path: &Path, line: u64, why: String) -> AuditChainError {
    AuditChainError::NotTorn { path: path.to_owned(), line, why }
}

/// Where line `first` starts, and everything from there.
fn tail_from(log: &DiskFile, first: u64) -> io::Result<(u64, Vec<u8>)> {
    let length = log.file().metadata()?.len();
    let mut block = vec![0; 1 << 20];
    let (mut offset, mut line) = (0_u64, 1_u64);
    'blocks: while line < first && offset < length {
        let size = usize::try_from(length.saturating_sub(offset)).unwrap_or(usize::MAX).min(block.len());
        let part = block.get_mut(..size).unwrap_or_default();
        log.read_at(part, offset)?;
        for newline in memchr::memchr_iter(b'\n', part) {
            line = line.saturating_add(1);
            if line == first {
                offset = offset.saturating_add(newline as u64).saturating_add(1);
                break 'blocks;
            }
        }
        offset = offset.saturating_add(size as u64);
    }
    let size = length.saturating_sub(offset);
    if size > LINE_MAX as u64 {
        return Err(io::Error::other(format!(
            "the torn tail has {size} bytes, more than any write of secmon"
        )));
    }
    let mut tail = vec![0; usize::try_from(size).unwrap_or_default()];
    log.read_at(&mut tail, offset)?;
    Ok((offset, tail))
}

fn kept_path(path: &Path, now: u64) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".torn-{now}"));
    PathBuf::from(name)
}

fn keep(path: &Path, cut: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(cut)?;
    file.sync_all()?;
    sync_directory(path)
}

#[cfg(test)]
#[path = "recover_tests.rs"]
mod tests;

//! The file under the audit log: the few operations that writing needs, as a trait, and the real one.
//!
//! Tests put a file behind the same trait that fails where a disk fails. Nothing here knows what a record is.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::error::AuditChainError;

/// What committing asks of a file.
pub trait LogFile: Send {
    /// Writes some of `bytes` at the end; returns how many.
    fn append(&mut self, bytes: &[u8]) -> io::Result<usize>;
    /// Returns when everything that was written is on the disk.
    fn sync(&mut self) -> io::Result<()>;
    /// Cuts the file to `length` bytes.
    fn truncate(&mut self, length: u64) -> io::Result<()>;
    /// The length of the file, or an error if the name doesn't lead to this file any more.
    fn length(&mut self) -> io::Result<u64>;
}

/// Whether opening may make the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Create {
    /// For the one who sets up an installation.
    IfMissing,
    /// For everybody else: a log that has vanished is an error.
    Never,
}

/// A log on disk, locked for this process.
#[derive(Debug)]
pub struct DiskFile {
    file: File,
    path: PathBuf,
}

impl DiskFile {
    /// Opens and locks the log. A new one has mode 0600, and its name is on the disk when this returns.
    pub fn open(path: &Path, create: Create) -> Result<Self, AuditChainError> {
        let failed = |attempt, source| AuditChainError::Unreadable { path: path.to_owned(), attempt, source };
        let mut options = OpenOptions::new();
        options.read(true).append(true).mode(0o600);
        let file = match options.open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && create == Create::IfMissing => {
                let file = options.create_new(true).open(path).map_err(|source| failed("created", source))?;
                file.sync_all().map_err(|source| failed("created", source))?;
                sync_directory(path).map_err(|source| failed("created", source))?;
                file
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(AuditChainError::Missing { path: path.to_owned() });
            }
            opened => opened.map_err(|source| failed("opened", source))?,
        };
        match file.try_lock() {
            Ok(()) => Ok(Self { file, path: path.to_owned() }),
            Err(TryLockError::WouldBlock) => Err(AuditChainError::Locked { path: path.to_owned() }),
            Err(TryLockError::Error(source)) => Err(failed("locked", source)),
        }
    }

    pub(super) const fn file(&self) -> &File {
        &self.file
    }

    /// Reads exactly `buffer` at `offset`.
    pub(super) fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }
}

/// Makes the entry of `path` in its directory durable.
pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(directory)?.sync_all()
}

impl LogFile for DiskFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }

    fn length(&mut self) -> io::Result<u64> {
        let ours = self.file.metadata()?;
        let named = std::fs::metadata(&self.path)?;
        if (ours.dev(), ours.ino()) != (named.dev(), named.ino()) {
            return Err(io::Error::other("the file was moved away or replaced while secmon was writing it"));
        }
        Ok(ours.len())
    }
}

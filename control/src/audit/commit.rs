//! Commits batches of records: all of a batch is on the disk, or none of it counts.
//!
//! Stage, write, sync, and only then move the head. A batch that failed is cut away again; a full disk is then
//! worth another try, and everything else ends the log until a restart: after a failed sync the kernel may
//! report the next one as successful although the data never reached the disk, so none is believed.

use std::io;

use super::chain::{Head, Sealed, seal};
use super::error::AuditError;
use super::file::LogFile;
use super::record::Record;

/// Bytes of the longest record, sealed and with its newline.
pub const RECORD_MAX: usize = 1 << 20;

/// The end of a log that is being written.
#[derive(Debug)]
pub struct Committer<F> {
    file: F,
    head: Head,
    /// Where the last committed record ends.
    length: u64,
    poisoned: Option<String>,
}

impl<F: LogFile> Committer<F> {
    /// A committer for `file`, which ends with the record `head` after `length` bytes.
    pub const fn new(file: F, head: Head, length: u64) -> Self {
        Self { file, head, length, poisoned: None }
    }

    /// The last committed record.
    pub const fn head(&self) -> Head {
        self.head
    }

    /// Commits `records` with one sync; returns one answer for each, in order. A record that is too long is
    /// left out and doesn't hold up the others.
    pub fn commit(&mut self, records: Vec<Record>) -> Vec<Result<Sealed, AuditError>> {
        let mut staged = Vec::new();
        let mut answers = Vec::with_capacity(records.len());
        let mut head = self.head;
        for record in records {
            let (line, sealed) = seal(head, record);
            if line.len() > RECORD_MAX {
                answers.push(Err(AuditError::TooLong { bytes: line.len(), limit: RECORD_MAX }));
                continue;
            }
            staged.extend_from_slice(&line);
            head = sealed.head();
            answers.push(Ok(sealed));
        }
        if staged.is_empty() {
            return answers;
        }
        match self.publish(&staged) {
            Ok(()) => {
                self.head = head;
                self.length = self.length.saturating_add(staged.len() as u64);
                answers
            }
            Err(error) => answers.into_iter().map(|answer| answer.and(Err(error.clone()))).collect(),
        }
    }

    fn publish(&mut self, staged: &[u8]) -> Result<(), AuditError> {
        if let Some(cause) = &self.poisoned {
            return Err(AuditError::Poisoned { cause: cause.clone() });
        }
        match self.file.length() {
            Ok(length) if length == self.length => {}
            Ok(length) => {
                let expected = self.length;
                return Err(self.poison(format!(
                    "the file has {length} bytes instead of {expected}: somebody else wrote it"
                )));
            }
            Err(error) => return Err(self.poison(format!("the file can't be looked at: {error}"))),
        }
        self.write(staged).and_then(|()| self.file.sync()).map_err(|error| self.cut_back(&error))
    }

    fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.file.append(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Removes what a failed batch left behind, and says whether there can be another one.
    fn cut_back(&mut self, failure: &io::Error) -> AuditError {
        let undone =
            self.file.truncate(self.length).and_then(|()| self.file.sync()).and_then(|()| self.file.length());
        match undone {
            Ok(length) if length == self.length && is_full(failure) => {
                AuditError::Full { cause: failure.to_string() }
            }
            Ok(length) if length == self.length => self.poison(format!("writing failed: {failure}")),
            Ok(length) => self.poison(format!("writing failed: {failure}, and the file kept {length} bytes")),
            Err(error) => self.poison(format!("writing failed: {failure}, and could not be undone: {error}")),
        }
    }

    fn poison(&mut self, cause: String) -> AuditError {
        self.poisoned = Some(cause.clone());
        AuditError::Poisoned { cause }
    }
}

/// Failures that end when somebody makes room.
fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

#[cfg(test)]
#[path = "commit_tests.rs"]
mod tests;

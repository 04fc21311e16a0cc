//! The one writer of an audit log: a thread of its own, because every step of it waits for a disk.
//!
//! Appends that wait at the same time share one write and one sync. An append returns when its record is on
//! the disk; an append whose caller stopped waiting is written all the same.

use std::io;
use std::path::Path;
use std::thread::{self, JoinHandle};

use tokio::sync::{mpsc, oneshot};

use super::chain::{Head, Sealed};
use super::commit::Committer;
use super::error::{AuditChainError, AuditError};
use super::file::{Create, DiskFile, LogFile};
use super::record::Record;
use super::tail::{self, Tail};

/// Appends that may wait for the writer; further ones wait for a place.
const QUEUE: usize = 1024;
/// Records that share one sync, at most.
const BATCH: usize = 256;

/// A handle to the log. Clones write the same chain.
#[derive(Clone, Debug)]
pub struct AuditLog {
    jobs: mpsc::Sender<Job>,
}

/// The writer's thread. It ends when the last [`AuditLog`] is gone.
#[derive(Debug)]
pub struct AuditWriter {
    thread: JoinHandle<()>,
}

/// What opening returns.
#[derive(Debug)]
pub struct Opened {
    /// To append with.
    pub log: AuditLog,
    /// To wait for at the end.
    pub writer: AuditWriter,
    /// The last record that was there.
    pub head: Head,
}

#[derive(Debug)]
struct Job {
    record: Record,
    answer: oneshot::Sender<Result<Sealed, AuditError>>,
}

impl AuditLog {
    /// Opens and locks the log at `path`, and refuses one that can't be continued.
    pub fn open(path: &Path, create: Create) -> Result<Opened, AuditChainError> {
        let file = DiskFile::open(path, create)?;
        let failed =
            |attempt| move |source| AuditChainError::Unreadable { path: path.to_owned(), attempt, source };
        match tail::read(&file).map_err(failed("read"))? {
            Tail::Broken { why } => Err(AuditChainError::LastLine { path: path.to_owned(), why }),
            Tail::Sound { head, length } => {
                let committer = Committer::new(file, head, length);
                let (log, writer) = Self::over(committer).map_err(failed("served by a thread"))?;
                Ok(Opened { log, writer, head })
            }
        }
    }

    /// A log over any kind of file, such as one that fails.
    pub fn over<F: LogFile + 'static>(committer: Committer<F>) -> io::Result<(Self, AuditWriter)> {
        let (jobs, waiting) = mpsc::channel(QUEUE);
        let thread =
            thread::Builder::new().name("audit".to_owned()).spawn(move || write(committer, waiting))?;
        Ok((Self { jobs }, AuditWriter { thread }))
    }

    /// Records `record`. When this returns `Ok`, it is on the disk; when it returns an error, it isn't in the
    /// chain, and what it was about must not happen.
    pub async fn append(&self, record: Record) -> Result<Sealed, AuditError> {
        let (answer, answered) = oneshot::channel();
        self.jobs.send(Job { record, answer }).await.map_err(|_| AuditError::Closed)?;
        answered.await.map_err(|_| AuditError::Closed)?
    }
}

impl AuditWriter {
    /// Waits until the writer has written everything and ended; the caller has dropped every [`AuditLog`].
    pub fn join(self) {
        if let Err(panic) = self.thread.join() {
            std::panic::resume_unwind(panic);
        }
    }
}

fn write<F: LogFile>(mut committer: Committer<F>, mut waiting: mpsc::Receiver<Job>) {
    let mut jobs = Vec::with_capacity(BATCH);
    while waiting.blocking_recv_many(&mut jobs, BATCH) > 0 {
        let (records, answers): (Vec<_>, Vec<_>) = jobs.drain(..).map(|job| (job.record, job.answer)).unzip();
        for (answer, outcome) in answers.into_iter().zip(committer.commit(records)) {
            // A caller that has gone away doesn't undo its record.
            let _gone = answer.send(outcome);
        }
    }
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;

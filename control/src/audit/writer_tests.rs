use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;
use crate::audit::verify::verify_file;

fn record(number: u64) -> Record {
    Record::new(1_767_225_600, "intent").with("number", number)
}

fn log_path() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("audit.jsonl");
    (directory, path)
}

fn open(path: &Path) -> Opened {
    AuditLog::open(path, Create::IfMissing).expect("opens")
}

fn close(opened: Opened) {
    drop(opened.log);
    opened.writer.join();
}

fn records(path: &Path) -> u64 {
    let report = verify_file(&fs::File::open(path).expect("exists"), &[], &mut |_| {}).expect("readable");
    assert!(report.is_sound(), "{report:?}");
    report.records
}

fn refusal(path: &Path) -> AuditChainError {
    AuditLog::open(path, Create::Never).expect_err("refused")
}

#[tokio::test]
async fn a_chain_is_continued_after_a_restart() {
    let (_directory, path) = log_path();
    let opened = open(&path);
    assert_eq!(opened.head, Head::START);
    let first = opened.log.append(record(1)).await.expect("room");
    close(opened);
    let opened = AuditLog::open(&path, Create::Never).expect("opens");
    assert_eq!(opened.head, first.head());
    assert_eq!(opened.log.append(record(2)).await.expect("room").seq, 2);
    close(opened);
    assert_eq!(records(&path), 2);
}

#[test]
fn a_new_log_is_its_owners_alone() {
    let (_directory, path) = log_path();
    close(open(&path));
    assert_eq!(fs::metadata(&path).expect("exists").permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_missing_log_is_not_replaced_by_an_empty_one() {
    let (_directory, path) = log_path();
    let error = refusal(&path);
    assert!(
        matches!(error, AuditChainError::Missing { .. }) && error.to_string().contains("secmon init"),
        "{error}"
    );
    assert!(!path.exists());
    close(open(&path));
    close(AuditLog::open(&path, Create::Never).expect("the empty log of a new installation is fine"));
}

#[test]
fn two_control_planes_can_not_write_one_chain() {
    let (_directory, path) = log_path();
    let opened = open(&path);
    assert!(matches!(refusal(&path), AuditChainError::Locked { .. }));
    close(opened);
    close(AuditLog::open(&path, Create::Never).expect("free again"));
}

#[tokio::test]
async fn a_last_line_that_can_not_be_continued_is_refused() {
    let (_directory, path) = log_path();
    let opened = open(&path);
    for number in 0..3 {
        opened.log.append(record(number)).await.expect("room");
    }
    close(opened);
    let good = fs::read_to_string(&path).expect("text");
    let last = good.lines().last().expect("three lines").to_owned();
    let faults = [
        (good.trim_end().to_owned(), "no newline"),
        (good[..good.len() - 20].to_owned(), "no newline"),
        (format!("{}\n", &good[..good.len() - 20]), "torn"),
        (format!("{good}\n"), "empty line"),
        (format!("{good}{{}}\n"), "missing record_hash"),
        (good.replace("\"number\":2", "\"number\":9"), "content was changed"),
        (format!("{good}\0\0\0\n"), "NUL"),
        (format!("{good}{}\n", last.replace("prev_hash", "prev_hush")), "missing prev_hash"),
    ];
    for (text, why) in faults {
        fs::write(&path, &text).expect("written");
        let error = refusal(&path);
        assert!(matches!(error, AuditChainError::LastLine { .. }), "{error}");
        assert!(error.to_string().contains(why), "{error} should contain {why}");
        assert_eq!(fs::read_to_string(&path).expect("text"), text, "the file stays as it was");
    }
    fs::write(&path, &good).expect("written");
    close(AuditLog::open(&path, Create::Never).expect("the untouched log is fine"));
}

#[tokio::test]
async fn a_log_is_opened_by_its_last_line_however_long_that_is() {
    let (_directory, path) = log_path();
    for (size, seq) in [(65_400, 1), (65_536, 2), (200_000, 3), (1, 4)] {
        let opened = open(&path);
        let sealed = opened.log.append(record(1).with("text", "x".repeat(size))).await.expect("room");
        assert_eq!(sealed.seq, seq);
        close(opened);
    }
    assert_eq!(records(&path), 4);
}

#[tokio::test]
async fn a_log_that_was_moved_away_is_not_written_any_more() {
    let (directory, path) = log_path();
    let opened = open(&path);
    opened.log.append(record(1)).await.expect("room");
    fs::rename(&path, directory.path().join("audit.jsonl.1")).expect("moved");
    assert!(matches!(opened.log.append(record(2)).await, Err(AuditError::Poisoned { .. })));
    fs::write(&path, "").expect("another file");
    assert!(matches!(opened.log.append(record(3)).await, Err(AuditError::Poisoned { .. })));
    assert_eq!(records(&directory.path().join("audit.jsonl.1")), 1);
    close(opened);
}

/// A file whose syncs wait for permission, and tell how much had been written before each.
struct Gated {
    written: usize,
    permits: Receiver<()>,
    syncing: Sender<usize>,
}

impl LogFile for Gated {
    fn append(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.written += bytes.len();
        Ok(bytes.len())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.syncing.send(self.written).map_err(io::Error::other)?;
        self.permits.recv().map_err(io::Error::other)
    }

    fn truncate(&mut self, _length: u64) -> io::Result<()> {
        Ok(())
    }

    fn length(&mut self) -> io::Result<u64> {
        Ok(self.written as u64)
    }
}

#[tokio::test]
async fn appends_return_after_the_sync_and_those_that_waited_share_one() {
    let (permit, permits) = channel();
    let (syncing, syncs) = channel();
    let file = Gated { written: 0, permits, syncing };
    let (log, writer) = AuditLog::over(Committer::new(file, Head::START, 0)).expect("a thread");
    let append = |number| {
        let log = log.clone();
        tokio::spawn(async move { log.append(record(number)).await })
    };
    let first = append(0);
    let first_length = tokio::task::spawn_blocking(move || (syncs.recv(), syncs)).await.expect("no panic");
    let (Ok(_), syncs) = first_length else { panic!("the writer is gone") };
    let others: Vec<_> = (1..20).map(append).collect();
    while log.jobs.capacity() > QUEUE - 19 {
        tokio::task::yield_now().await;
    }
    assert!(!first.is_finished(), "nothing is acknowledged before the sync is done");
    permit.send(()).expect("the writer waits");
    permit.send(()).expect("the writer will wait once more");
    assert_eq!(first.await.expect("no panic").expect("room").seq, 1);
    for other in others {
        other.await.expect("no panic").expect("room");
    }
    drop(log);
    writer.join();
    assert_eq!(syncs.iter().count(), 1, "nineteen appends shared the second sync");
}

#[tokio::test]
async fn an_append_nobody_waits_for_is_written_all_the_same() {
    let (_directory, path) = log_path();
    let opened = open(&path);
    {
        let mut forgotten = Box::pin(opened.log.append(record(1)));
        let started =
            std::future::poll_fn(|context| std::task::Poll::Ready(forgotten.as_mut().poll(context)));
        let _pending_or_done = started.await;
    }
    assert_eq!(opened.log.append(record(2)).await.expect("room").seq, 2);
    close(opened);
    assert_eq!(records(&path), 2);
}

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;

use super::*;
use crate::audit::verify::verify_stream;

/// What the next operation of its kind does.
#[derive(Clone, Copy, Debug)]
enum Sync {
    Works,
    FailsNotPersisted(io::ErrorKind),
    FailsButPersisted(io::ErrorKind),
}

/// A file whose cache and platter are told apart, and that fails as it is told.
#[derive(Debug, Default)]
struct Disk {
    cache: Vec<u8>,
    platter: Vec<u8>,
    /// Bytes that still fit; everything fits without it.
    room: Option<usize>,
    /// Bytes that one write takes at most.
    write_max: Option<usize>,
    syncs: VecDeque<Sync>,
    truncate_fails: bool,
    synced: usize,
}

#[derive(Clone, Debug, Default)]
struct FakeFile(Arc<Mutex<Disk>>);

impl FakeFile {
    fn disk<T>(&self, look: impl FnOnce(&mut Disk) -> T) -> T {
        look(&mut self.0.lock().expect("no panic while held"))
    }

    fn cache(&self) -> Vec<u8> {
        self.disk(|disk| disk.cache.clone())
    }

    fn platter(&self) -> Vec<u8> {
        self.disk(|disk| disk.platter.clone())
    }
}

impl LogFile for FakeFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.disk(|disk| {
            let fits =
                disk.room.unwrap_or(usize::MAX).min(disk.write_max.unwrap_or(usize::MAX)).min(bytes.len());
            if fits == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            disk.cache.extend_from_slice(&bytes[..fits]);
            disk.room = disk.room.map(|room| room - fits);
            Ok(fits)
        })
    }

    fn sync(&mut self) -> io::Result<()> {
        self.disk(|disk| {
            disk.synced += 1;
            match disk.syncs.pop_front().unwrap_or(Sync::Works) {
                Sync::Works => disk.platter = disk.cache.clone(),
                Sync::FailsNotPersisted(kind) => return Err(kind.into()),
                Sync::FailsButPersisted(kind) => {
                    disk.platter = disk.cache.clone();
                    return Err(kind.into());
                }
            }
            Ok(())
        })
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.disk(|disk| {
            if disk.truncate_fails {
                return Err(io::Error::other("truncate failed"));
            }
            let length = usize::try_from(length).expect("small");
            disk.room = disk.room.map(|room| room + disk.cache.len().saturating_sub(length));
            disk.cache.truncate(length);
            Ok(())
        })
    }

    fn length(&mut self) -> io::Result<u64> {
        Ok(self.disk(|disk| disk.cache.len()) as u64)
    }
}

fn record(number: u64) -> Record {
    Record::new(1_767_225_600 + number, "intent").with("number", number)
}

fn batch(numbers: std::ops::Range<u64>) -> Vec<Record> {
    numbers.map(record).collect()
}

fn open(file: &FakeFile) -> Committer<FakeFile> {
    Committer::new(file.clone(), Head::START, 0)
}

/// How many records there are, if the bytes are a sound chain.
fn sound(bytes: &[u8]) -> u64 {
    let report = verify_stream(&mut &*bytes, &[], &mut |_| {}).expect("memory can be read");
    assert!(report.is_sound(), "{report:?}");
    report.records
}

#[test]
fn a_batch_costs_one_sync_and_each_record_gets_its_place() {
    let file = FakeFile::default();
    let mut log = open(&file);
    let places: Vec<_> = log.commit(batch(0..5)).into_iter().map(|a| a.expect("room").seq).collect();
    assert_eq!(places, [1, 2, 3, 4, 5]);
    assert_eq!(file.disk(|disk| disk.synced), 1);
    log.commit(batch(5..6)).pop().expect("one answer").expect("room");
    assert_eq!(sound(&file.platter()), 6);
}

#[test]
fn short_writes_are_continued() {
    let file = FakeFile::default();
    file.disk(|disk| disk.write_max = Some(7));
    let mut log = open(&file);
    assert!(log.commit(batch(0..3)).iter().all(Result::is_ok));
    assert_eq!(sound(&file.platter()), 3);
}

#[test]
fn a_disk_that_is_full_at_any_byte_leaves_no_trace_and_the_next_record_succeeds_once_there_is_room() {
    let staged = {
        let file = FakeFile::default();
        let mut log = open(&file);
        log.commit(batch(0..1));
        let before = file.cache().len();
        log.commit(batch(1..3));
        file.cache().len() - before
    };
    for room in 0..staged {
        let file = FakeFile::default();
        let mut log = open(&file);
        assert!(log.commit(batch(0..1)).iter().all(Result::is_ok));
        let before = file.platter();
        file.disk(|disk| disk.room = Some(room));
        for answer in log.commit(batch(1..3)) {
            assert!(answer.expect_err("no room").is_retryable(), "{room}");
        }
        assert_eq!((file.cache(), file.platter()), (before.clone(), before), "{room}");
        file.disk(|disk| disk.room = None);
        let places: Vec<_> =
            log.commit(batch(1..3)).into_iter().map(|a| a.expect("room again").seq).collect();
        assert_eq!(places, [2, 3]);
        assert_eq!(sound(&file.platter()), 3);
    }
}

#[test]
fn a_failed_sync_is_never_believed_later() {
    for failure in [Sync::FailsNotPersisted, Sync::FailsButPersisted] {
        let file = FakeFile::default();
        let mut log = open(&file);
        assert!(log.commit(batch(0..2)).iter().all(Result::is_ok));
        file.disk(|disk| disk.syncs.push_back(failure(io::ErrorKind::Other)));
        let error = log.commit(batch(2..3)).pop().expect("one answer").expect_err("the sync failed");
        assert!(matches!(error, AuditError::Poisoned { .. }) && !error.is_retryable(), "{error}");
        assert!(error.to_string().contains("secmon audit recover"), "{error}");
        let again = log.commit(batch(3..4)).pop().expect("one answer").expect_err("stopped");
        assert_eq!(again, error, "the first cause is what every later append hears");
        assert_eq!(sound(&file.platter()), 2, "what was not acknowledged is gone");
        assert_eq!(log.head().seq, 2);
    }
}

#[test]
fn a_sync_that_found_the_disk_full_can_be_tried_again_after_the_record_was_removed() {
    for failure in [Sync::FailsNotPersisted, Sync::FailsButPersisted] {
        let file = FakeFile::default();
        let mut log = open(&file);
        file.disk(|disk| disk.syncs.push_back(failure(io::ErrorKind::QuotaExceeded)));
        assert!(log.commit(batch(0..1)).pop().expect("one").expect_err("no room").is_retryable());
        assert_eq!((file.cache(), file.platter()), (Vec::new(), Vec::new()));
        assert!(log.commit(batch(0..1)).iter().all(Result::is_ok));
        assert_eq!(sound(&file.platter()), 1);
    }
}

#[test]
fn what_can_not_be_undone_ends_the_log() {
    let torn = |disk: &mut Disk| {
        disk.room = Some(10);
        disk.truncate_fails = true;
    };
    let unsure = |disk: &mut Disk| {
        disk.room = Some(10);
        disk.syncs.push_back(Sync::FailsNotPersisted(io::ErrorKind::StorageFull));
    };
    for fault in [torn as fn(&mut Disk), unsure] {
        let file = FakeFile::default();
        let mut log = open(&file);
        file.disk(fault);
        let answer = log.commit(batch(0..1)).pop().expect("one answer");
        assert!(matches!(answer, Err(AuditError::Poisoned { .. })), "{answer:?}");
        let before = file.cache();
        file.disk(|disk| (disk.room, disk.truncate_fails) = (None, false));
        assert!(matches!(log.commit(batch(0..1)).pop(), Some(Err(AuditError::Poisoned { .. }))));
        assert_eq!(file.cache(), before, "nothing is written any more");
    }
}

#[test]
fn a_file_that_somebody_else_wrote_is_not_continued() {
    let file = FakeFile::default();
    let mut log = open(&file);
    assert!(log.commit(batch(0..1)).iter().all(Result::is_ok));
    file.disk(|disk| disk.cache.push(b'x'));
    let before = file.cache();
    let error = log.commit(batch(1..2)).pop().expect("one answer").expect_err("not ours");
    assert!(error.to_string().contains("somebody else wrote it"), "{error}");
    assert_eq!(file.cache(), before);
}

#[test]
fn a_record_that_is_too_long_does_not_hold_up_its_neighbours() {
    let file = FakeFile::default();
    let mut log = open(&file);
    let long = record(1).with("text", "x".repeat(RECORD_MAX));
    let answers = log.commit(vec![record(0), long, record(2)]);
    assert!(matches!(&answers[..], [Ok(_), Err(AuditError::TooLong { .. }), Ok(_)]), "{answers:?}");
    assert_eq!(sound(&file.platter()), 2);
}

fn fault() -> impl Strategy<Value = (Option<usize>, Option<usize>, Vec<u8>, bool)> {
    (
        proptest::option::weighted(0.4, 0_usize..600),
        proptest::option::weighted(0.3, 1_usize..40),
        proptest::collection::vec(0_u8..6, 0..3),
        proptest::bool::weighted(0.2),
    )
}

proptest! {
    /// Whatever fails in whatever order: what was acknowledged is on the platter, and whatever the machine's
    /// crash leaves there is a sound chain with at most a torn line after it.
    #[test]
    fn what_was_acknowledged_survives_every_crash(steps in proptest::collection::vec((fault(), 1_u64..4), 1..8)) {
        let file = FakeFile::default();
        let mut log = open(&file);
        let mut acknowledged = 0;
        for ((room, write_max, syncs, truncate_fails), count) in steps {
            file.disk(|disk| {
                (disk.room, disk.write_max, disk.truncate_fails) = (room, write_max, truncate_fails);
                disk.syncs = syncs.iter().map(|kind| match kind {
                    0 => Sync::FailsNotPersisted(io::ErrorKind::Other),
                    1 => Sync::FailsButPersisted(io::ErrorKind::Other),
                    2 => Sync::FailsNotPersisted(io::ErrorKind::StorageFull),
                    3 => Sync::FailsButPersisted(io::ErrorKind::StorageFull),
                    _ => Sync::Works,
                }).collect();
            });
            for sealed in log.commit(batch(0..count)).into_iter().flatten() {
                acknowledged = sealed.seq;
            }
            let platter = file.platter();
            let whole = memchr::memrchr(b'\n', &platter).map_or(0, |newline| newline + 1);
            prop_assert!(sound(&platter[..whole]) >= acknowledged);
            prop_assert_eq!(log.head().seq, acknowledged);
        }
    }
}

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use super::*;
use crate::audit::Create;
use crate::dispatch::receipt::tests::case;

struct Place {
    directory: tempfile::TempDir,
    agent: AgentRow,
}

impl Place {
    /// A database with web1 of acme in it, and an empty audit log.
    fn new() -> Self {
        let place = Self { directory: tempfile::tempdir().expect("a directory"), agent: case().agent };
        place.sql("INSERT INTO client VALUES ('acme', 0)");
        place.sql("INSERT INTO agent VALUES ('web1', 'acme', 'localhost:1', x'', 0, x'', 0)");
        let opened = AuditLog::open(&place.log(), Create::IfMissing).expect("a new log");
        drop(opened.log);
        opened.writer.join();
        place
    }

    fn log(&self) -> std::path::PathBuf {
        self.directory.path().join("audit.jsonl")
    }

    /// As after a start of the control plane.
    fn ledger(&self) -> (Ledger, crate::audit::AuditWriter) {
        let store = Store::open(&self.directory.path().join("secmon.db")).expect("a database");
        let opened = AuditLog::open(&self.log(), Create::Never).expect("a sound log");
        let ledger = Ledger { store: Arc::new(store), audit: opened.log, turns: Mutex::default() };
        (ledger, opened.writer)
    }

    /// Notes this in a control plane that ends right after it.
    async fn note(&self, missing: &str) {
        let (ledger, writer) = self.ledger();
        ledger.turn(&self.agent).await.note(&walls(missing)).await;
        drop(ledger);
        tokio::task::spawn_blocking(|| writer.join()).await.expect("the writer ends");
    }

    fn sql(&self, statement: &str) {
        let path = self.directory.path().join("secmon.db");
        drop(Store::open(&path).expect("a database"));
        rusqlite::Connection::open(path).expect("a database").execute_batch(statement).expect(statement);
    }

    /// What the audit log says was missing, in order.
    fn recorded(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.log()).expect("a log");
        let record = |line: &str| {
            let record: Value = serde_json::from_str(line).expect("a record");
            assert_eq!(
                [&record["event"], &record["agent"], &record["client"]],
                ["agent-sandbox", "web1", "acme"]
            );
            record["missing"].as_str().expect("text").to_owned()
        };
        text.lines().map(record).collect()
    }
}

fn walls(text: &str) -> MissingWalls {
    MissingWalls::new(text).expect("names")
}

#[tokio::test]
async fn each_change_is_recorded_once_over_any_number_of_starts() {
    let place = Place::new();
    for missing in ["", "", "landlock-tcp", "landlock-tcp", "landlock-tcp uid", "", "", "uid"] {
        place.note(missing).await;
    }
    assert_eq!(place.recorded(), ["landlock-tcp", "landlock-tcp uid", "", "uid"]);
}

#[tokio::test]
async fn many_who_learn_the_same_at_once_record_it_once() {
    let place = Place::new();
    let (ledger, _writer) = place.ledger();
    let ledger = Arc::new(ledger);
    let mut learning = JoinSet::new();
    for _ in 0..16 {
        let (ledger, agent) = (Arc::clone(&ledger), place.agent.clone());
        learning.spawn(async move { ledger.turn(&agent).await.note(&walls("uid")).await });
    }
    learning.join_all().await;
    assert_eq!(place.recorded(), ["uid"]);
}

/// The end of the process between the two writes leaves what a second write that fails leaves.
#[tokio::test]
async fn an_end_between_the_record_and_its_memory_repeats_the_record_and_loses_none() {
    let place = Place::new();
    place.sql("CREATE TRIGGER crash BEFORE INSERT ON sandbox BEGIN SELECT raise(ABORT, 'crash'); END");
    place.note("uid").await;
    assert_eq!(place.recorded(), ["uid"], "recorded before it is remembered");
    place.sql("DROP TRIGGER crash");
    place.note("uid").await;
    place.note("uid").await;
    assert_eq!(place.recorded(), ["uid", "uid"]);
}

#[tokio::test]
async fn what_the_audit_log_could_not_take_is_not_remembered_as_recorded() {
    let place = Place::new();
    let (ledger, writer) = place.ledger();
    // A log that somebody else wrote takes no more records.
    let sound = std::fs::read(place.log()).expect("a log");
    std::fs::write(place.log(), b"x").expect("written");
    ledger.turn(&place.agent).await.note(&walls("uid")).await;
    assert_eq!(ledger.store.recorded_walls(&place.agent.id).expect("a query"), walls(""));
    drop(ledger);
    writer.join();
    std::fs::write(place.log(), sound).expect("put back");
    place.note("uid").await;
    assert_eq!(place.recorded(), ["uid"]);
}

#[tokio::test]
async fn all_are_visited_and_never_too_many_at_once() {
    let (now, most, visited) =
        (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    for_each((0..100).collect(), 8, |at| {
        let (now, most, visited) = (Arc::clone(&now), Arc::clone(&most), Arc::clone(&visited));
        async move {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            visited.fetch_add(1, Ordering::SeqCst);
            now.fetch_sub(1, Ordering::SeqCst);
            assert_ne!(at, 5, "one that panics holds up nobody");
        }
    })
    .await;
    assert_eq!((visited.load(Ordering::SeqCst), most.load(Ordering::SeqCst)), (100, 8));
}

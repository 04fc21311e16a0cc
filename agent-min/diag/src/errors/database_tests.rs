//! Lines of real servers, on both sides of each threshold.
#![expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should")]

use proptest::prelude::*;

use super::*;
use crate::discover::fake::FakeHost;
use crate::host::Endpoint;

const NOW: u64 = 1_795_311_290;

fn database(kind: DatabaseKind) -> Database {
    Database {
        kind,
        unit: String::new(),
        listen: Endpoint::Unix("/run/mysqld/mysqld.sock".into()),
        data: Some("/var/lib/mysql".into()),
        error_log: None,
        buffer_pool: 0,
    }
}

fn judged(host: &FakeHost, started: Option<u64>, lines: &[(u64, Said<'_>)]) -> Vec<(FindingId, Severity)> {
    let mut db = Db::new(NOW, started);
    for (age, said) in lines {
        db.said(NOW - age, said, b"the line");
    }
    let mut notes = Notes::default();
    db.judge(host, &database(DatabaseKind::MariaDb), &mut notes);
    notes.findings().iter().map(|finding| (finding.id, finding.severity)).collect()
}

fn ids(lines: &[(u64, Said<'_>)]) -> Vec<FindingId> {
    judged(&FakeHost::new(NOW), Some(1), lines).into_iter().map(|(id, _)| id).collect()
}

#[test]
fn lines_of_mariadb_and_mysql_say_what_they_say() {
    for (line, said) in [
        (
            "2026-11-22 10:07:07 8 [Warning] Access denied for user 'wpuser'@'localhost' (using password: YES)",
            Some(Said::Refused("wpuser")),
        ),
        (
            "2026-11-22T10:07:07.123456Z 8 [Note] [MY-010926] [Server] Access denied for user 'wp'@'localhost' (x)",
            Some(Said::Refused("wp")),
        ),
        ("261122 10:07:07 [ERROR] /usr/sbin/mariadbd got signal 11 ;", Some(Said::Crashed)),
        ("2026-11-22T10:07:07Z UTC - mysqld got signal 11 ;", Some(Said::Crashed)),
        (
            "2026-11-22 10:07:13 0 [Note] InnoDB: Starting crash recovery from checkpoint LSN=44880",
            Some(Said::Recovering),
        ),
        (
            "2026-11-22T10:07:13.1Z 1 [System] [MY-013576] [InnoDB] InnoDB initialization has started.",
            Some(Said::Starting),
        ),
        (
            "2026-11-22T10:07:13.1Z 1 [System] [MY-013577] [InnoDB] InnoDB initialization has ended.",
            Some(Said::Settled),
        ),
        ("2026-11-22 10:07:13 0 [Note] /usr/sbin/mariadbd: ready for connections.", Some(Said::Settled)),
        ("2026-11-22 10:07:13 0 [Note] /usr/sbin/mariadbd: Shutdown complete", Some(Said::Stopped)),
        (
            "2026-11-22T13:34:41.316693Z 0 [System] [MY-010910] [Server] /usr/sbin/mysqld: Shutdown complete \
             (mysqld 9.7.4-2)  (Debian).",
            Some(Said::Stopped),
        ),
        ("2026-11-22 10:07:13 0 [ERROR] Aborting", Some(Said::Settled)),
        (
            "2026-11-22 10:07:13 0 [ERROR] InnoDB: Database page corruption on disk or a failed read of file './x/y.ibd'",
            Some(Said::Corrupt),
        ),
        (
            "2026-11-22 11:14:18 0 [ERROR] InnoDB: Failed to read page 3 from file './shop/goods.ibd': Page read from \
             tablespace is corrupted.",
            Some(Said::Corrupt),
        ),
        (
            "2026-11-22 11:14:18 4 [ERROR] mariadbd: Table `shop`.`goods` is corrupted. Please drop the table and recreate.",
            Some(Said::Corrupt),
        ),
        (
            "2026-11-22 10:07:13 0 [ERROR] InnoDB: Page [page id: space=0, page number=5] log sequence number 99 is in the \
             future! Current system log sequence number 5.",
            Some(Said::Corrupt),
        ),
        ("2026-11-22 10:07:13 0 [Note] InnoDB: log sequence number 47193; transaction id 22", None),
        (
            "2026-11-22 10:07:13 9 [ERROR] mariadbd: Table './x/y' is marked as crashed and should be repaired",
            Some(Said::Corrupt),
        ),
        (
            "2026-11-22 10:07:13 9 [ERROR] mariadbd: Disk is full writing './x/y.MYD' (Errcode: 28 \"No space left on device\")",
            Some(Said::DiskFull { quota: false }),
        ),
        (
            "2026-11-22 10:07:13 9 [ERROR] Error writing file './x' (Errcode: 122 \"Disk quota exceeded\")",
            Some(Said::DiskFull { quota: true }),
        ),
        ("Attempting backtrace. Include this in the bug report.", None),
    ] {
        assert_eq!(mysql(line), said, "{line}");
    }
}

#[test]
fn lines_of_postgresql_say_what_they_say() {
    for (line, said) in [
        ("FATAL:  password authentication failed for user \"wp\"", Some(Said::Refused("wp"))),
        (
            "LOG:  server process (PID 99) was terminated by signal 11: Segmentation fault",
            Some(Said::Crashed),
        ),
        ("LOG:  server process (PID 99) exited with exit code 1", None),
        (
            "LOG:  database system was not properly shut down; automatic recovery in progress",
            Some(Said::Recovering),
        ),
        ("LOG:  database system is ready to accept connections", Some(Said::Settled)),
        ("LOG:  database system is shut down", Some(Said::Stopped)),
        ("ERROR:  invalid page in block 3 of relation base/1/2", Some(Said::Corrupt)),
        ("PANIC:  could not locate a valid checkpoint record", Some(Said::Corrupt)),
        (
            "ERROR:  could not extend file \"base/1/2\": No space left on device",
            Some(Said::DiskFull { quota: false }),
        ),
        ("ERROR:  canceling statement due to lock timeout", Some(Said::LockWait)),
        (
            "LOG:  process 9 still waiting for ShareLock on transaction 5 after 1000.1 ms",
            Some(Said::LockWait),
        ),
        ("ERROR:  syntax error: LOG:  database system is ready to accept connections", None),
        ("STATEMENT:  select 'x'", None),
    ] {
        let line = format!("2026-11-22 01:34:50.123 UTC [123] wp@shop {line}");
        assert_eq!(postgres(&line), said, "{line}");
    }
}

#[test]
fn what_wordpress_says_is_taken_from_before_its_query() {
    for (line, said) in [
        ("Got error 28 from storage engine for query SELECT 1", Some(Said::DiskFull { quota: false })),
        ("Got error 122 from storage engine for query SELECT 1", Some(Said::DiskFull { quota: true })),
        ("Got error 127 from storage engine for query SELECT 1", None),
        ("Lock wait timeout exceeded; try restarting transaction for query UPDATE x", Some(Said::LockWait)),
        ("Table './a/b' is marked as crashed and should be repaired for query SELECT 1", Some(Said::Corrupt)),
        ("Unknown column for query SELECT ' is marked as crashed'", None),
    ] {
        let text = format!("[22-Nov-2026 01:34:50 UTC] WordPress database error {line}");
        assert_eq!(wordpress(&text), said, "{line}");
    }
}

#[test]
fn refused_logins_are_a_sites_password_only_if_one_user_fails_again_and_again() {
    let refused = |user, ages: [u64; 3]| ages.map(|age| (age, Said::Refused(user)));
    assert_eq!(ids(&refused("wp", [62, 30, 2])), [FindingId::DbAuthFail]);
    assert!(ids(&refused("wp", [63, 30, 2])).is_empty());
    assert_eq!(ids(&refused("wp", [80, 70, 60])), [FindingId::DbAuthFail]);
    assert!(ids(&refused("wp", [80, 70, 61])).is_empty());
    let host = FakeHost::new(NOW);
    assert_eq!(judged(&host, Some(NOW - 5), &refused("wp", [3, 2, 1])).len(), 1);
    assert_eq!(judged(&host, Some(NOW - 4), &refused("wp", [3, 2, 1])), [], "one was before it started");
    assert!(ids(&refused("root", [3, 2, 1])).is_empty());
    assert!(ids(&refused(crate::probe::ACCOUNT, [3, 2, 1])).is_empty());
    assert!(ids(&[(3, Said::Refused("a")), (2, Said::Refused("b")), (1, Said::Refused("c"))]).is_empty());
}

#[test]
fn a_repair_lasts_until_the_server_is_ready_or_gone() {
    let host = FakeHost::new(NOW);
    let recovering = [(60, Said::Recovering)];
    let warning = [(FindingId::DbRecovering, Severity::Warning)];
    assert_eq!(judged(&host, Some(NOW - 61), &recovering), warning);
    for end in [Said::Settled, Said::Stopped] {
        assert_eq!(judged(&host, Some(NOW - 61), &[(60, Said::Recovering), (5, end)]), []);
    }
    assert_eq!(judged(&host, None, &recovering), []);
    assert_eq!(judged(&host, Some(NOW - 30), &recovering), [], "a newer start");
    for (age, is_slow) in [(5, false), (6, true)] {
        let starting = judged(&host, Some(NOW - age), &[(age, Said::Starting)]);
        assert_eq!(starting, if is_slow { warning.to_vec() } else { Vec::new() }, "{age}");
        assert_eq!(judged(&host, Some(NOW - age), &[(age, Said::Starting), (1, Said::Settled)]), []);
    }
    let long = [(901, Said::Recovering)];
    assert_eq!(judged(&host, Some(NOW - 902), &long), [(FindingId::DbRecovering, Severity::Critical)]);
}

#[test]
fn damage_is_said_for_an_hour_and_until_a_restart_for_a_day() {
    let host = FakeHost::new(NOW);
    let corrupt = |age| [(age, Said::Corrupt)];
    let found = [(FindingId::DbCorrupt, Severity::Critical)];
    assert_eq!(judged(&host, Some(NOW - 5), &corrupt(3_600)), found);
    assert_eq!(judged(&host, Some(NOW - 5), &corrupt(3_601)), []);
    assert_eq!(judged(&host, Some(NOW - 9_000), &corrupt(3_601)), found);
    assert_eq!(judged(&host, None, &corrupt(86_400)), found);
    assert_eq!(judged(&host, None, &corrupt(86_401)), []);
}

#[test]
fn a_disk_that_has_room_again_is_not_full_but_a_quota_may_be() {
    let mut host = FakeHost::new(NOW);
    let full = |quota, age| [(age, Said::DiskFull { quota })];
    let found = [(FindingId::DbDiskFull, Severity::Critical)];
    host.free = Some(1_000_000);
    assert_eq!(judged(&host, Some(1), &full(false, 900)), found);
    assert_eq!(judged(&host, Some(1), &full(false, 901)), []);
    host.free = Some(50_000_000_000);
    assert_eq!(judged(&host, Some(1), &full(false, 1)), []);
    assert_eq!(judged(&host, Some(1), &full(true, 900)), found);
    host.free = None;
    assert_eq!(judged(&host, Some(1), &full(false, NOW_S)), found);
    assert_eq!(judged(&host, Some(1), &full(false, NOW_S + 1)), []);
}

#[test]
fn a_crash_counts_for_an_hour_or_until_a_stop_in_order_and_waits_from_five() {
    assert_eq!(ids(&[(3_600, Said::Crashed)]), [FindingId::DbCrashRestart]);
    assert!(ids(&[(3_601, Said::Crashed)]).is_empty());
    assert_eq!(ids(&[(9, Said::Crashed), (8, Said::Settled)]), [FindingId::DbCrashRestart]);
    assert!(ids(&[(9, Said::Crashed), (8, Said::Settled), (7, Said::Stopped)]).is_empty());
    assert_eq!(ids(&[(300, Said::LockWait); 5]), [FindingId::DbLockWait]);
    assert!(ids(&[(300, Said::LockWait); 4]).is_empty());
}

proptest! {
    #[test]
    fn any_line_is_read_or_not(text in "\\PC{0,160}") {
        let _either = (mysql(&text), postgres(&text), wordpress(&text));
        let _either = mysql(&format!("2026-11-22 10:07:07 8 [Warning] {text}"));
        let _either = postgres(&format!("2026-11-22 10:07:07 UTC FATAL:  {text}"));
        let _either = wordpress(&format!("WordPress database error {text}"));
    }
}

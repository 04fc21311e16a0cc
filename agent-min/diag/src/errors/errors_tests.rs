//! Whole logs: from the file to the finding.

use std::path::PathBuf;

use secmon_wire::diag::{FactName, FindingId, Severity};

use super::*;
use crate::discover::fake::FakeHost;
use crate::stack::{Process, WebServer};

/// A directory of real logs, where there is one beside the repository.
fn real_log(name: &str) -> Option<Vec<u8>> {
    let beside = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared"));
    let shared = std::env::var_os("SECMON_SHARED").map_or(beside, PathBuf::from);
    let log = std::fs::read(shared.join("data/access-logs").join(name)).ok();
    if log.is_none() {
        println!("skipped: no {name}");
    }
    log
}

fn nginx() -> Stack {
    let web = WebServer {
        kind: WebKind::Nginx,
        name: "nginx".into(),
        master: Some(Process { pid: 1, started: 1, uid: 0 }),
        listens: Vec::new(),
        error_logs: vec!["/error.log".into()],
        limit: None,
    };
    Stack { web: vec![web], ..Stack::default() }
}

fn php(log: &str) -> Stack {
    let pool = crate::stack::Pool {
        name: "www".into(),
        version: String::new(),
        unit: "php-fpm".into(),
        listen: crate::host::Endpoint::Unix("/run/php.sock".into()),
        status_listen: None,
        status_path: None,
        max_children: 5,
        error_logs: vec![log.into()],
    };
    Stack { pools: vec![pool], ..Stack::default() }
}

fn run(host: &FakeHost, stack: &Stack) -> Notes {
    let mut notes = Notes::default();
    check(host, stack, &mut notes);
    notes
}

fn ids(notes: &Notes) -> Vec<FindingId> {
    notes.findings().iter().map(|finding| finding.id).collect()
}

/// When a log's last line was written, in its own clock.
fn end_of(log: &[u8]) -> u64 {
    log.rsplit(|c| *c == b'\n').find_map(time::stamp).expect("a moment").0
}

#[test]
fn a_flooded_host_has_a_full_queue_and_502s() {
    let Some(log) = real_log("lab-C-error.log") else { return };
    let end = end_of(&log);
    let host = FakeHost::new(end + 5).file_of("/error.log", &log, end);
    let notes = run(&host, &nginx());
    assert_eq!(ids(&notes), [FindingId::PhpBacklogFull, FindingId::Http502]);
    let count = notes.findings()[1].facts.get_number(FactName::Count);
    // The last 256 KiB have them all.
    assert_eq!(count, Some(420));
    assert_eq!(notes.what_was_checked(), [Check::WebErrorLog]);
    // A quarter of an hour later it is over.
    let later = FakeHost::new(end + 900).file_of("/error.log", &log, end);
    assert_eq!(ids(&run(&later, &nginx())), []);
}

#[test]
fn one_time_at_the_limit_of_workers_is_only_worth_knowing() {
    for name in ["lab-A-fpm.log", "lab-C-fpm.log"] {
        let Some(log) = real_log(name) else { return };
        let end = end_of(&log);
        let notes = run(&FakeHost::new(end + 5).file_of("/fpm.log", &log, end), &php("/fpm.log"));
        assert_eq!(ids(&notes), [FindingId::PhpMaxChildren], "{name}");
        assert_eq!(notes.findings()[0].severity, Severity::Info, "{name}");
    }
}

#[test]
fn an_old_wordpress_under_a_new_php_is_told_by_its_core() {
    let Some(log) = real_log("wordpress-php-error-2020-2023.log") else { return };
    let is_of = |line: &[u8]| line.windows(13).any(|part| part == b"[05-Jun-2023 ");
    // The log isn't sorted: what follows that day in it came earlier.
    let lines: Vec<&[u8]> = log.split(|c| *c == b'\n').filter(|line| is_of(line)).collect();
    let day = lines.join(&b'\n');
    let end = end_of(&day);
    let host = FakeHost::new(end + 5).file_of("/php.log", &day, end);
    let notes = run(&host, &php("/php.log"));
    assert_eq!(ids(&notes), [FindingId::PhpFatalPlugin]);
    let plugin = notes.findings()[0].facts.get(FactName::Plugin).cloned();
    assert_eq!(plugin, Some(secmon_wire::diag::Fact::Text("core".try_into().expect("short"))));
}

#[test]
fn a_quota_that_php_complains_of_is_the_databases_full_disk() {
    let Some(log) = real_log("wordpress-php-error-2020-2023.log") else { return };
    let has = |line: &[u8]| line.windows(9).any(|part| part == b"error 122");
    let lines: Vec<&[u8]> = log.split(|c| *c == b'\n').filter(|line| has(line)).collect();
    assert_eq!(lines.len(), 32);
    let last = lines.iter().max_by_key(|line| time::stamp(line)).expect("one");
    let end = end_of(last);
    let host = FakeHost::new(end + 5).file_of("/php.log", &lines.join(&b'\n'), end);
    let mut stack = php("/php.log");
    stack.databases.push(crate::stack::Database {
        kind: crate::stack::DatabaseKind::MySql,
        unit: "mysql".into(),
        listen: crate::host::Endpoint::Unix("/run/mysqld/mysqld.sock".into()),
        data: None,
        error_log: None,
        buffer_pool: 0,
    });
    assert_eq!(ids(&run(&host, &stack)), [FindingId::DbDiskFull]);
}

#[test]
fn a_log_that_may_not_be_read_is_said_and_one_that_is_shared_is_read_once() {
    let mut stack = php("/fpm.log");
    stack.pools.push(stack.pools[0].clone());
    let notes = run(&FakeHost::new(9).file("/fpm.log", "x").refuse("/fpm.log"), &stack);
    let [skipped] = notes.what_was_not_checked() else { panic!("one") };
    assert_eq!((skipped.what, skipped.why), (Check::PhpErrorLog, WhyNotChecked::Permission));
    let line = "[22-Nov-2026 01:34:33] WARNING: [pool www] server reached pm.max_children setting (2), consider raising it\n";
    let now = end_of(line.as_bytes()) + 1;
    let notes = run(&FakeHost::new(now).file("/fpm.log", line), &stack);
    assert_eq!(notes.findings()[0].facts.get_number(FactName::Count), Some(1));
}

#[test]
fn lines_from_the_future_do_not_count() {
    let line = "2026/11/22 01:34:50 [alert] 1#1: 768 worker_connections are not enough\n\
                2026/11/22 01:20:00 [notice] 1#1: x\n";
    let moment = time::stamp(line.as_bytes()).expect("a moment").0;
    let now = moment - 890;
    let host = FakeHost::new(now).file("/error.log", line);
    assert_eq!(ids(&run(&host, &nginx())), []);
    let host =
        FakeHost::new(moment + 5).file_of("/error.log", line.lines().next().expect("one").as_bytes(), moment);
    assert_eq!(ids(&run(&host, &nginx())), [FindingId::WebWorkersExhausted]);
}

#[test]
fn a_database_that_has_refused_our_account_today_is_not_asked_again_while_somebody_listens() {
    const MOMENT: u64 = 1_795_312_800; // 2026-11-22 02:00:00
    let database = crate::stack::Database {
        kind: crate::stack::DatabaseKind::MariaDb,
        unit: "mariadb".into(),
        listen: Endpoint::Unix("/run/mysqld/mysqld.sock".into()),
        data: None,
        error_log: Some("/db.log".into()),
        buffer_pool: 0,
    };
    let refused = |user: &str| {
        format!(
            "2026-11-22  2:00:00 12 [Warning] Access denied for user '{user}'@'localhost' (using password: NO)\n"
        )
    };
    let listening = "00: 00000002 00000000 00010000 0001 01 1 /run/mysqld/mysqld.sock\n";
    let asked = |after: u64, line: &str, sockets: &str| {
        let host = FakeHost::new(MOMENT + after).file_of("/db.log", line.as_bytes(), MOMENT);
        !must_not_be_asked(&host.file("/proc/net/unix", sockets), &database)
    };
    let ours = refused("secmon-diag");
    assert!(!asked(60, &ours, listening));
    assert!(!asked(DAY_S - 60, &ours, listening));
    assert!(asked(DAY_S + 60, &ours, listening), "somebody may have made the account since");
    assert!(asked(60, &refused("wordpress"), listening), "another's affair");
    assert!(asked(60, &ours, "\n"), "nobody listens, and nobody writes a line");
    let tcp =
        crate::stack::Database { listen: Endpoint::Tcp(([127, 0, 0, 1], 3306).into()), ..database.clone() };
    assert!(!must_not_be_asked(&FakeHost::new(MOMENT).file_of("/db.log", ours.as_bytes(), MOMENT), &tcp));
}

#[test]
fn a_log_that_only_the_manifest_names_is_read_as_whoevers_it_is() {
    let web = "2026/11/22 12:34:45 [error] 7#7: *1 connect() to unix:/run/php.sock failed (2: No such file or directory) \
               while connecting to upstream, client: 192.0.2.1, server: a.de, request: \"GET / HTTP/1.1\", \
               upstream: \"fastcgi://unix:/run/php.sock:\", host: \"a.de\"\n";
    let php = "[22-Nov-2026 12:34:45] WARNING: [pool www] server reached pm.max_children setting (5), consider raising it\n";
    for (text, expected) in [(web, FindingId::PhpDownNosock), (php, FindingId::PhpMaxChildren)] {
        let end = end_of(text.as_bytes());
        let host =
            FakeHost::new(end + 5).file_of("/srv/any.log", text.as_bytes(), end).file("/proc/net/unix", "");
        let mut stack = Stack { pools: php_pools(), ..nginx() };
        let listed = secmon_wire::Tuning::new(&[], &[], &["/srv/any.log"], &[]).expect("a tuning");
        crate::tuning::apply(&mut stack, &listed);
        let notes = run(&host, &stack);
        assert_eq!(ids(&notes), [expected], "{text}");
        assert_eq!(notes.what_was_checked(), [Check::WebErrorLog]);
        // The logs that were found are not looked at any more.
        assert!(notes.what_was_not_checked().iter().all(|skip| !skip.detail.starts_with('/')));
    }
}

fn php_pools() -> Vec<crate::stack::Pool> {
    php("/php.log").pools
}

use proptest::prelude::*;

use super::*;
use crate::stack::{Listen, WebKind, WebServer};
use crate::testing::{FakeHost, ThisHost};

const SOCKET: &str = "/run/php/php8.2-fpm.sock";

pub(in crate::kernel) fn pool(max_children: u64) -> Pool {
    Pool {
        name: "www".to_owned(),
        version: "8.2".to_owned(),
        unit: "php8.2-fpm".to_owned(),
        listen: Endpoint::Unix(SOCKET.to_owned()),
        status_listen: None,
        status_path: None,
        max_children,
        error_logs: Vec::new(),
    }
}

fn php() -> Stack {
    Stack { pools: vec![pool(5)], ..Stack::default() }
}

fn web() -> Stack {
    let listens = [80, 443].map(|port| Listen { address: [0, 0, 0, 0].into(), port, tls: port == 443 });
    let nginx = WebServer {
        kind: WebKind::Nginx,
        name: "nginx".to_owned(),
        master: None,
        listens: listens.to_vec(),
        error_logs: Vec::new(),
        limit: Some(768),
    };
    Stack { web: vec![nginx], ..Stack::default() }
}

/// A table of local sockets with so many connections waiting, at each of the five looks.
fn with_waiting(waiting: [usize; 5]) -> FakeHost {
    let row = |flags, state| format!("0000000030167c3d: 00000003 00000000 {flags} 0001 {state} 7 {SOCKET}\n");
    waiting.iter().enumerate().fold(FakeHost::default(), |host, (look, waiting)| {
        let table = row("00010000", "01") + &row("00000000", "02").repeat(*waiting);
        host.file_from(look as u64 * 200, "/proc/net/unix", Ok(table.as_bytes()))
    })
}

fn found(host: &FakeHost, stack: &Stack) -> Vec<(Severity, Option<ActionId>, String)> {
    let mut notes = Notes::default();
    check(host, stack, &mut notes);
    notes.findings().iter().map(|f| (f.severity, f.action, f.to_string())).collect()
}

#[test]
fn three_of_five_looks_must_meet_a_queue() {
    assert_eq!(found(&with_waiting([9, 9, 0, 0, 0]), &php()), []);
    let queue = (Severity::Warning, None, "2 requests wait for PHP (5 workers)".to_owned());
    assert_eq!(found(&with_waiting([1, 0, 2, 0, 3]), &php()), [queue]);
}

#[test]
fn as_many_waiting_as_workers_is_critical() {
    let severity = |waiting| found(&with_waiting([waiting; 5]), &php())[0].0;
    assert_eq!(severity(4), Severity::Warning);
    assert_eq!(severity(5), Severity::Critical);
}

#[test]
fn another_spelling_of_the_path_is_the_same_socket() {
    let mut stack = php();
    stack.pools[0].listen = Endpoint::Unix("/var/run/php/php8.2-fpm.sock".to_owned());
    assert_eq!(found(&with_waiting([1; 5]), &stack).len(), 1);
    assert_eq!(spelled("/var/runner/x"), "/var/runner/x");
}

fn line(pid: u32, comm: &str, processor: u32) -> String {
    let zeros = "0 ".repeat(16);
    format!("{pid} ({comm}) S 1 9 9 0 -1 0 0 0 0 0 5 6 0 0 20 0 1 0 100 {zeros}{processor} 0 0")
}

/// All five workers asleep since `ran` milliseconds on the second processor, whose clock says 1 000 s, and the
/// processors that idle.
fn hanging(ran: u64, idle: u64) -> FakeHost {
    let stat =
        |ticks: u64| format!("cpu  {} 0 0 {} 0 0 0 0\n", ticks * (100 - idle) / 100, ticks * idle / 100);
    let mut host = with_waiting([9; 5])
        .file("/proc/2/stat", line(2, "kworker/1:0", 1))
        .file("/proc/2/sched", "kworker/1:0 (2, #threads: 1)\nse.exec_start : 1000000.886\n")
        .file("/proc/3/stat", line(3, "kworker/0:0", 0))
        .file("/proc/3/sched", "kworker/0:0 (3, #threads: 1)\nse.exec_start : 9000000.886\n")
        .file("/proc/stat", stat(10_000))
        .file_from(500, "/proc/stat", Ok(stat(20_000).as_bytes()));
    for pid in 10..15 {
        host = host
            .file(&format!("/proc/{pid}/stat"), line(pid, "php-fpm8.2", 1))
            .file(&format!("/proc/{pid}/cmdline"), "php-fpm: pool www\0")
            .file(
                &format!("/proc/{pid}/status"),
                "Uid:\t33\t33\t33\t33\nGid:\t33\t33\t33\t33\nRssAnon:\t 9 kB\n",
            )
            .file(
                &format!("/proc/{pid}/sched"),
                format!(
                    "php-fpm8.2 (10, #threads: 1)\n---\nse.exec_start   :   {ran}.886\nse.vruntime : 1.0\n"
                ),
            );
    }
    host
}

#[test]
fn a_restart_is_proposed_only_when_all_workers_have_hung_for_minutes_on_an_idle_processor() {
    let action = |host: FakeHost| found(&host, &php())[0].1;
    assert_eq!(action(hanging(700_000, 90)), Some(ActionId::RestartPhp));
    assert_eq!(action(hanging(700_001, 90)), None, "one second less than five minutes");
    assert_eq!(action(hanging(700_000, 49)), None, "they are at work");
    let one_works = hanging(700_000, 90).file_from(0, "/proc/12/sched", Ok(b"se.exec_start : 999000.1\n"));
    assert_eq!(action(one_works), None);
    let elsewhere = |ran: u64| {
        let sched = format!("se.exec_start : {ran}.1\n");
        hanging(700_000, 90)
            .file_from(0, "/proc/12/stat", Ok(line(12, "php-fpm8.2", 0).as_bytes()))
            .file_from(0, "/proc/12/sched", Ok(sched.as_bytes()))
    };
    assert_eq!(action(elsewhere(8_700_000)), Some(ActionId::RestartPhp), "each by its own processor's clock");
    assert_eq!(action(elsewhere(8_700_001)), None);
    let unknown = hanging(700_000, 90).file_from(0, "/proc/12/sched", Err(Denied::Absent));
    assert_eq!(action(unknown), None);
}

fn listening(waiting: u32, port: u16) -> String {
    format!(
        "  0: 00000000:{port:04X} 00000000:0000 0A 00000000:{waiting:08X} 00:00000000 00000000 0 0 7 1 0 100 0 0 10 0\n"
    )
}

#[test]
fn a_web_servers_queue_is_found_by_its_port() {
    let with = |waiting: u32, port| FakeHost::default().file("/proc/net/tcp", listening(waiting, port));
    assert_eq!(found(&with(0, 443), &web()), []);
    assert_eq!(found(&with(9, 3306), &web()), []);
    let sentence = "9 connections wait for the web server to accept them".to_owned();
    assert_eq!(found(&with(9, 443), &web()), [(Severity::Warning, None, sentence)]);
}

#[test]
fn a_web_servers_queue_that_is_empty_a_second_later_was_a_reloads() {
    let until = |at| {
        let over = listening(0, 443);
        FakeHost::default().file("/proc/net/tcp", listening(1, 443)).file_from(
            at,
            "/proc/net/tcp",
            Ok(over.as_bytes()),
        )
    };
    assert_eq!(found(&until(1_800), &web()), []);
    assert_eq!(found(&until(1_801), &web()).len(), 1);
}

#[test]
fn a_queue_that_is_nearly_full_is_critical() {
    let severity = |waiting| judge_port(80, &[(waiting, 10); 5], false).map(|finding| finding.severity);
    assert_eq!(severity(7), Some(Severity::Warning));
    assert_eq!(severity(8), Some(Severity::Critical));
    assert_eq!(
        judge_port(80, &[(9, 0); 5], false).map(|f| f.severity),
        Some(Severity::Warning),
        "no room known"
    );
    assert_eq!(judge_port(80, &[(9, 10), (9, 10)], false), None);
    let idle = judge_port(80, &[(9, 10); 5], true).and_then(|finding| finding.action);
    assert_eq!(idle, Some(ActionId::RestartWeb));
}

#[cfg(target_endian = "little")]
#[test]
fn the_kernels_list_is_asked_before_the_table() {
    // A listening TCP socket on port 80 with 3 of 4 places taken.
    let mut tcp = vec![0_u8; 88];
    tcp[0] = 88;
    tcp[4] = 20;
    tcp[16] = 2;
    tcp[17] = state::LISTEN;
    tcp[21] = 80;
    tcp[72] = 3;
    tcp[76] = 4;
    let host = FakeHost::default().file("/proc/net/tcp", listening(0, 80)).dump_from(
        0,
        &tcp_request(Family::V4, bit(state::LISTEN), false),
        Ok(vec![tcp]),
    );
    let found = tcp_listeners(&host).expect("an answer");
    assert_eq!(
        found.iter().map(|s| (s.local.port(), s.waiting, s.backlog)).collect::<Vec<_>>(),
        [(80, 3, Some(4))]
    );
}

#[test]
fn what_the_kernel_does_not_say_is_not_checked() {
    let mut notes = Notes::default();
    let stack = Stack { pools: php().pools, ..web() };
    check(&FakeHost::default(), &stack, &mut notes);
    let skipped: Vec<_> = notes.what_was_not_checked().iter().map(|skip| skip.what).collect();
    assert_eq!(skipped, [Check::PhpSocket, Check::Listeners]);
    assert!(notes.what_was_checked().is_empty());
    let mut notes = Notes::default();
    check(&FakeHost::default(), &Stack::default(), &mut notes);
    assert!(notes.what_was_not_checked().is_empty());
}

#[test]
fn this_machines_own_queues_are_seen() {
    let directory = std::env::temp_dir().join(format!("secmon-queues-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory");
    let path = directory.join("s.sock");
    let _listener = std::os::unix::net::UnixListener::bind(&path).expect("a socket");
    let _waits = std::os::unix::net::UnixStream::connect(&path).expect("a connection");
    let all = unix_listeners(&ThisHost).expect("procfs");
    let own = all.iter().find(|listener| listener.path == path.to_string_lossy()).expect("our own");
    assert_eq!(own.waiting, 1);
    std::fs::remove_dir_all(&directory).expect("removed");
    let sched = std::fs::read("/proc/self/sched").unwrap_or_default();
    assert!(sched.is_empty() || last_ran(&sched).is_some(), "a kernel that has the file has this line");
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _read = last_ran(&bytes);
    }
}

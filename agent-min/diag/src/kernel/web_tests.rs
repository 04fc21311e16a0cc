use proptest::prelude::*;
use secmon_wire::diag::NotChecked;

use super::*;
use crate::stack::{Process, WebKind};
use crate::testing::FakeHost;

const LINK: &str = "/run/systemd/units/invocation:nginx.service";
const PASSWD: &str =
    "root:x:0:0:root:/root:/bin/bash\nbroken\nwww-data:x:33:33::/var/www:/usr/sbin/nologin\n";

fn server(name: &str) -> WebServer {
    WebServer {
        kind: WebKind::Nginx,
        name: name.to_owned(),
        master: None,
        listens: vec![Listen { address: [0, 0, 0, 0].into(), port: 80, tls: false }],
        error_logs: Vec::new(),
        limit: None,
    }
}

fn stack() -> Stack {
    Stack { web: vec![server("nginx")], units: vec!["nginx.service".to_owned()], ..Stack::default() }
}

fn listening(uid: u32) -> String {
    format!(
        "  0: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000 {uid} 0 7 1 0 100 0 0 10 0\n"
    )
}

/// systemd without a running nginx, and nobody on port 80.
fn host() -> FakeHost {
    FakeHost::default()
        .link("/run/systemd/units/invocation:ssh.service", "00")
        .file("/proc/net/tcp", "head\n")
        .file("/etc/passwd", PASSWD)
}

fn found(host: &FakeHost, stack: &Stack) -> Vec<(Severity, Option<ActionId>, String)> {
    let mut notes = Notes::default();
    check(host, stack, &mut notes);
    notes.findings().iter().map(|f| (f.severity, f.action, f.to_string())).collect()
}

#[test]
fn a_server_that_should_run_and_does_not_is_down() {
    let sentence = "nginx is not running: nothing listens on port 80".to_owned();
    let down = (Severity::Critical, Some(ActionId::RestartWeb), sentence);
    assert_eq!(found(&host(), &stack()), [down]);
}

#[test]
fn a_server_that_runs_is_restarted_or_is_not_enabled_is_not_down() {
    assert_eq!(found(&host().link(LINK, "01"), &stack()), []);
    assert_eq!(found(&host().link_from(900, LINK, Ok("01")), &stack()), []);
    let others = Stack { units: vec!["apache2.service".to_owned()], ..stack() };
    assert_eq!(found(&host(), &others), []);
    let mut by_hand = stack();
    by_hand.web[0].master = Some(Process { pid: 77, started: 1, uid: 0 });
    assert_eq!(found(&host().file("/proc/77/stat", ""), &by_hand), []);
    assert_eq!(found(&host(), &by_hand).len(), 1, "that process is gone");
}

#[test]
fn a_port_that_answers_anyway_is_not_down() {
    assert_eq!(found(&host().connection_from(0, "127.0.0.1:80", Ok(())), &stack()), []);
    assert_eq!(found(&host().connection_from(0, "127.0.0.1:80", Err(Denied::Timeout)), &stack()), []);
}

#[test]
fn an_upgrade_may_stop_the_server() {
    let upgrade = host()
        .file("/proc/9/stat", "9 (dpkg) R 1 9 9 0 -1 0 0 0 0 0 5 5 0 0 20 0 1 0 10000 0 0")
        .file("/proc/uptime", "200.00 1.00\n");
    assert_eq!(found(&upgrade, &stack()), []);
}

#[test]
fn somebody_else_on_the_port_is_named_as_well_as_the_kernel_lets() {
    let taken = |uid| host().file_from(0, "/proc/net/tcp", Ok(listening(uid).as_bytes()));
    let sentence = |who: &str| format!("Port 80 is taken by {who}, so the web server cannot start");
    let expected = |who| vec![(Severity::Critical, None, sentence(who))];
    assert_eq!(found(&taken(33), &stack()), expected("a process of www-data"));
    assert_eq!(found(&taken(4_000), &stack()), expected("a process of user 4000"));
}

#[test]
fn the_owner_is_the_service_of_the_sockets_control_group() {
    let group = |inode| crate::host::Metadata {
        size: 0,
        modified: 0,
        mode: 0o040_755,
        uid: 0,
        gid: 0,
        inode,
        device: 1,
    };
    let host = host()
        .file("/proc/self/mountinfo", "31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n")
        .stat("/sys/fs/cgroup/system.slice/apache2.service", group(41))
        .stat("/sys/fs/cgroup/system.slice/nginx.service", group(42));
    let row = |id| Socket {
        cgroup: Some(id),
        ..super::super::sockets::tcp_row(listening(0).as_bytes()).expect("a row")
    };
    assert_eq!(owner(&host, &row(41)).as_deref(), Some("apache2"));
    assert_eq!(owner(&host, &row(43)).as_deref(), Some("a process of root"));
    let listen = server("nginx").listens[0];
    let judged =
        |stack: &Stack, id| conflict(&host, stack, &server("nginx"), &listen, &row(id)).map(|f| f.severity);
    assert_eq!(judged(&stack(), 42), None, "its own");
    assert_eq!(judged(&stack(), 41), Some(Severity::Critical));
    let both = Stack { web: vec![server("nginx"), server("apache2")], ..stack() };
    assert_eq!(judged(&both, 41), Some(Severity::Warning), "it may serve the sites");
}

#[test]
fn without_systemd_processes_tell_and_hidden_ones_are_not_guessed() {
    let plain = || FakeHost::default().file("/proc/net/tcp", "head\n").file("/etc/passwd", PASSWD);
    let line =
        |pid: u32, comm: &str| format!("{pid} ({comm}) S 1 9 9 0 -1 0 0 0 0 0 5 6 0 0 20 0 1 0 100 0 0");
    let visible = plain().file("/proc/1/stat", line(1, "init"));
    assert_eq!(found(&visible, &stack()).len(), 1);
    assert_eq!(
        found(
            &plain().file("/proc/1/stat", line(1, "init")).file("/proc/8/stat", line(8, "nginx")),
            &stack()
        ),
        []
    );
    assert_eq!(found(&plain(), &stack()), []);
}

#[test]
fn an_unreadable_table_is_said_and_so_is_that_there_is_no_web_server() {
    let mut notes = Notes::default();
    check(&FakeHost::default(), &stack(), &mut notes);
    assert_eq!(notes.what_was_not_checked()[0].what, Check::Listeners);
    assert_eq!(notes.what_was_not_checked()[0].detail.as_str(), "the web server's ports");
    let mut notes = Notes::default();
    check(&FakeHost::default(), &Stack::default(), &mut notes);
    assert!(notes.what_was_checked().is_empty() && notes.findings().is_empty());
    assert_eq!(notes.what_was_not_checked(), [NotChecked::new(Check::Listeners, WhyNotChecked::Absent, "")]);
}

#[test]
fn ports_are_those_of_servers_and_sites_each_once() {
    let mut both = server("nginx");
    both.listens.push(Listen { address: [0, 0, 0, 0].into(), port: 443, tls: false });
    both.listens.push(Listen { address: [0, 0, 0, 0].into(), port: 443, tls: true });
    let stack = Stack { web: vec![both], ..Stack::default() };
    assert_eq!(ports_and_tls(&stack), [(80, false), (443, true)]);
    let silent = Stack { web: vec![WebServer { listens: Vec::new(), ..server("x") }], ..Stack::default() };
    assert_eq!(ports(&silent), [80, 443]);
    assert!(ports(&Stack::default()).is_empty());
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), uid in any::<u32>()) {
        let _read = user(&bytes, uid);
    }
}

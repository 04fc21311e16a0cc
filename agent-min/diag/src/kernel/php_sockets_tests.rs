use super::*;
use crate::kernel::queues::tests::pool;
use crate::stack::{Process, Site, WebKind, WebServer};
use crate::testing::FakeHost;

const SOCKET: &str = "/run/php/php8.2-fpm.sock";
const OTHER: &str = "/run/php/php8.3-fpm.sock";

fn site(php: Endpoint) -> Site {
    Site {
        names: vec!["example.com".to_owned()],
        listens: Vec::new(),
        root: None,
        access_log: None,
        certificates: Vec::new(),
        php: Some(php),
        real_ip: false,
    }
}

fn unix(path: &str) -> Endpoint {
    Endpoint::Unix(path.to_owned())
}

/// A site and its pool.
fn stack() -> Stack {
    Stack {
        sites: vec![site(unix(SOCKET))],
        pools: vec![pool(5)],
        units: vec!["php8.2-fpm.service".to_owned()],
        ..Stack::default()
    }
}

fn socket(mode: u32, uid: u32, gid: u32) -> Metadata {
    Metadata { size: 0, modified: 0, mode: 0o140_000 | mode, uid, gid, inode: 5, device: 1 }
}

fn table(paths: &[&str]) -> String {
    paths.iter().map(|path| format!("0: 00000002 00000000 00010000 0001 01 7 {path}\n")).collect()
}

fn host(listening: &[&str]) -> FakeHost {
    let host = FakeHost::default().file("/proc/net/unix", format!("Num RefCount\n{}", table(listening)));
    listening.iter().fold(host, |host, path| host.stat(path, socket(0o660, 33, 33)))
}

fn found(host: &FakeHost, stack: &Stack) -> Vec<(FindingId, Option<ActionId>, String)> {
    let mut notes = Notes::default();
    check(host, stack, &mut notes);
    notes.findings().iter().map(|f| (f.id, f.action, f.to_string())).collect()
}

const RESTART: Option<ActionId> = Some(ActionId::RestartPhp);

#[test]
fn a_socket_at_which_somebody_listens_is_fine() {
    assert_eq!(found(&host(&[SOCKET]), &stack()), []);
    let spelled = Stack { sites: vec![site(unix("/var/run/php/php8.2-fpm.sock"))], ..stack() };
    assert_eq!(
        found(&host(&[SOCKET]).stat("/var/run/php/php8.2-fpm.sock", socket(0o660, 33, 33)), &spelled),
        []
    );
}

#[test]
fn a_link_to_a_socket_is_that_socket() {
    let linked = || Stack { sites: vec![site(unix("/run/php/php-fpm.sock"))], ..stack() };
    let links = |host: FakeHost| {
        host.link("/run/php/php-fpm.sock", "/etc/alternatives/php-fpm.sock")
            .link("/etc/alternatives/php-fpm.sock", SOCKET)
    };
    assert_eq!(found(&links(host(&[SOCKET])), &linked()), []);
    assert_eq!(found(&links(host(&[])), &linked())[0].0, FindingId::PhpDownNosock);
    let relative = host(&[SOCKET]).link("/run/php/php-fpm.sock", "php8.2-fpm.sock");
    assert_eq!(found(&relative, &linked()), []);
    let endless = host(&[]).link("/run/php/php-fpm.sock", "php-fpm.sock");
    assert_eq!(found(&endless, &linked()).len(), 1);
}

#[test]
fn no_socket_is_a_stopped_service() {
    let sentence = format!("PHP-FPM is not running: {SOCKET} is not there");
    assert_eq!(found(&host(&[]), &stack()), [(FindingId::PhpDownNosock, RESTART, sentence)]);
}

#[test]
fn a_socket_without_a_listener_is_a_dead_service() {
    let stale = host(&[]).stat(SOCKET, socket(0o660, 33, 33));
    let sentence = format!("PHP-FPM has died: {SOCKET} is there, and nobody listens");
    assert_eq!(found(&stale, &stack()), [(FindingId::PhpDownStale, RESTART, sentence.clone())]);
    // We may not ask it, but this host's list of sockets is sure.
    let closed =
        host(&[]).stat(SOCKET, socket(0o660, 33, 33)).connection_from(0, SOCKET, Err(Denied::Permission));
    assert_eq!(found(&closed, &stack()), [(FindingId::PhpDownStale, RESTART, sentence)]);
}

#[test]
fn a_containers_socket_is_not_on_this_hosts_list() {
    let shared = Stack { pools: Vec::new(), ..stack() };
    let there = || host(&[]).stat(SOCKET, socket(0o660, 33, 33));
    assert_eq!(found(&there().connection_from(0, SOCKET, Ok(())), &shared), []);
    let closed = there().connection_from(0, SOCKET, Err(Denied::Permission));
    let mut notes = Notes::default();
    check(&closed, &shared, &mut notes);
    assert!(notes.findings().is_empty());
    assert_eq!(notes.what_was_not_checked()[0].detail, SOCKET);
}

#[test]
fn a_restart_or_an_upgrade_is_not_down() {
    let restarted = host(&[]).file_from(900, "/proc/net/unix", Ok(table(&[SOCKET]).as_bytes())).stat_from(
        900,
        SOCKET,
        Ok(socket(0o660, 33, 33)),
    );
    assert_eq!(found(&restarted, &stack()), []);
    let upgrade = host(&[])
        .file("/proc/9/stat", "9 (dpkg) R 1 9 9 0 -1 0 0 0 0 0 5 5 0 0 20 0 1 0 10000 0 0")
        .file("/proc/uptime", "200.00 1.00\n");
    assert_eq!(found(&upgrade, &stack()), []);
}

#[test]
fn another_version_that_listens_is_what_the_site_should_name() {
    let no_pool = Stack { pools: Vec::new(), ..stack() };
    let sentence = format!("The site wants PHP at {SOCKET}, and only {OTHER} runs");
    let mismatch = [(FindingId::PhpSockMismatch, None, sentence)];
    assert_eq!(found(&host(&[OTHER]), &no_pool), mismatch);
    // The removed package's configuration is still there; its service isn't.
    let removed = Stack { units: vec!["php8.3-fpm.service".to_owned()], ..stack() };
    assert_eq!(found(&host(&[OTHER]), &removed), mismatch);
    // An enabled service of that version has stopped.
    assert_eq!(found(&host(&[OTHER]), &stack())[0].0, FindingId::PhpDownNosock);
}

#[test]
fn a_pool_that_no_site_uses_is_looked_at_only_if_it_is_unknown_what_they_use() {
    let elsewhere = Stack { sites: vec![site(unix(OTHER))], ..stack() };
    assert_eq!(found(&host(&[OTHER]), &elsewhere), []);
    let unknown = Stack { sites: Vec::new(), ..stack() };
    assert_eq!(found(&host(&[]), &unknown).len(), 1);
    let disabled = Stack { units: vec!["nginx.service".to_owned()], ..unknown };
    assert_eq!(found(&host(&[]), &disabled), []);
}

#[test]
fn a_pool_over_tcp_is_down_if_its_address_refuses() {
    let tcp = |text: &str| Endpoint::Tcp(text.parse().expect("an address"));
    let on = |text: &str| {
        let mut stack = Stack { sites: vec![site(tcp(text))], ..stack() };
        stack.pools[0].listen = tcp(text);
        stack
    };
    let empty = || FakeHost::default().file("/proc/net/tcp", "head\n");
    let down = found(&empty(), &on("127.0.0.1:9000"));
    assert_eq!(down[0].2, "PHP-FPM is not running: 127.0.0.1:9000 is not there");
    assert_eq!(found(&empty(), &on("192.0.2.7:9000")), [], "another host's");
    let listens = "  0: 00000000:2328 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 7 1 0\n";
    assert_eq!(found(&FakeHost::default().file("/proc/net/tcp", listens), &on("127.0.0.1:9000")), []);
}

/// nginx whose worker has these rights.
fn with_worker(host: FakeHost, status: &str) -> (FakeHost, Stack) {
    let nginx = WebServer {
        kind: WebKind::Nginx,
        name: "nginx".to_owned(),
        master: Some(Process { pid: 70, started: 1, uid: 0 }),
        listens: Vec::new(),
        error_logs: Vec::new(),
        limit: None,
    };
    let host = host
        .file("/proc/71/stat", "71 (nginx) S 70 9 9 0 -1 0 0 0 0 0 5 6 0 0 20 0 1 0 100 0 0")
        .file("/proc/71/status", status);
    (host, Stack { web: vec![nginx], ..stack() })
}

#[test]
fn a_web_server_that_may_not_open_the_socket_is_told_from_one_that_may() {
    let with = |status: &str| {
        let (host, stack) = with_worker(host(&[SOCKET]), status);
        found(&host, &stack)
    };
    assert_eq!(with("Uid:\t33\t33\t33\t33\nGid:\t33\t33\t33\t33\nGroups:\t33 \n"), []);
    assert_eq!(with("Uid:\t101\t101\t101\t101\nGid:\t101\t101\t101\t101\nGroups:\t33 101 \n"), []);
    let sentence = format!("The web server may not open PHP's socket {SOCKET}");
    let refused = [(FindingId::PhpSockPerm, None, sentence)];
    assert_eq!(with("Uid:\t101\t101\t101\t101\nGid:\t101\t101\t101\t101\nGroups:\t101 \n"), refused);
}

#[test]
fn another_process_of_the_web_servers_name_is_not_the_web_server() {
    let stranger = "Uid:\t101\t101\t101\t101\nGid:\t101\t101\t101\t101\n";
    let with = |group: &str| {
        let (host, stack) = with_worker(host(&[SOCKET]), stranger);
        let host = host.link("/run/systemd/units/invocation:nginx.service", "01");
        found(&host.file("/proc/70/cgroup", format!("0::{group}\n")), &stack).len()
    };
    assert_eq!(with("/system.slice/docker-0123.scope"), 0);
    assert_eq!(with("/system.slice/nginx.service"), 1);
}

#[test]
fn rights_by_an_access_list_are_not_seen_in_the_mode_and_not_doubted() {
    let (host, stack) = with_worker(host(&[SOCKET]), "Uid:\t101\t101\t101\t101\nGid:\t101\t101\t101\t101\n");
    let pools = "[www]\nuser = apache\nlisten.acl_users = apache,nginx\n";
    assert_eq!(found(&host.file("/etc/php-fpm.d/www.conf", pools), &stack), []);
}

#[test]
fn the_owners_bits_count_for_the_owner_even_if_others_have_more() {
    let process = |uid, gid| Status { uid, gid, ..Status::default() };
    assert!(!may_write(&socket(0o066, 33, 33), &process(33, 33)));
    assert!(!may_write(&socket(0o606, 33, 33), &process(101, 33)));
    assert!(may_write(&socket(0o602, 33, 33), &process(101, 101)));
    assert!(may_write(&socket(0o000, 33, 33), &process(0, 0)));
}

#[test]
fn without_php_there_is_nothing_to_look_at() {
    let mut notes = Notes::default();
    check(&FakeHost::default(), &Stack::default(), &mut notes);
    assert!(notes.what_was_checked().is_empty() && notes.findings().is_empty());
    let [skipped] = notes.what_was_not_checked() else { panic!("one: {:?}", notes.what_was_not_checked()) };
    assert_eq!((skipped.what, skipped.why), (Check::PhpSocket, WhyNotChecked::Absent));
}

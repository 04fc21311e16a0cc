use proptest::prelude::*;

use super::*;
use crate::stack::{WebKind, WebServer};
use crate::testing::FakeHost;

const UNIFIED: &str = "31 23 0:28 / /sys/fs/cgroup rw,relatime - cgroup2 cgroup2 rw\n";
const LINK: &str = "/run/systemd/units/invocation:nginx.service";
const GROUP: &str = "/sys/fs/cgroup/system.slice/nginx.service";

fn stack() -> Stack {
    let nginx = WebServer {
        kind: WebKind::Nginx,
        name: "nginx".to_owned(),
        master: None,
        listens: Vec::new(),
        error_logs: Vec::new(),
        limit: None,
    };
    Stack { web: vec![nginx], units: vec!["nginx.service".to_owned()], ..Stack::default() }
}

fn host() -> FakeHost {
    FakeHost::default()
        .file("/proc/self/mountinfo", UNIFIED)
        .file("/proc/1/cgroup", "0::/init.scope\n")
        .link("/run/systemd/units/invocation:ssh.service", "00")
}

fn id(n: u32) -> String {
    format!("{n:032x}")
}

fn found(host: &FakeHost) -> Vec<(Severity, Option<ActionId>, String)> {
    let mut notes = Notes::default();
    check(host, &stack(), &mut notes);
    notes.findings().iter().map(|f| (f.severity, f.action, f.to_string())).collect()
}

#[test]
fn a_unit_runs_if_it_has_a_link_or_a_group() {
    assert_eq!(found(&host().link(LINK, &id(1))), []);
    assert_eq!(found(&host().file(&format!("{GROUP}/cgroup.procs"), "7\n")), []);
    let down = (Severity::Warning, Some(ActionId::RestartWeb), "nginx.service is down".to_owned());
    assert_eq!(found(&host()), [down]);
}

#[test]
fn a_restart_is_not_down_and_no_loop() {
    let restarting = host()
        .link_from(0, LINK, Ok(&id(1)))
        .link_from(400, LINK, Err(Denied::Absent))
        .link_from(900, LINK, Ok(&id(2)));
    assert_eq!(found(&restarting), []);
    let comes_back = host().link_from(900, LINK, Ok(&id(2)));
    assert_eq!(found(&comes_back), []);
}

#[test]
fn three_instances_in_a_second_are_a_loop() {
    let looping = host().link_from(0, LINK, Ok(&id(1))).link_from(400, LINK, Ok(&id(2))).link_from(
        900,
        LINK,
        Ok(&id(3)),
    );
    let sentence = "nginx.service restarts again and again (3 times)".to_owned();
    assert_eq!(found(&looping), [(Severity::Critical, None, sentence)]);
}

#[test]
fn an_upgrade_may_stop_services() {
    let upgrade = host()
        .file("/proc/9/stat", "9 (dpkg) R 1 9 9 0 -1 0 0 0 0 0 5 5 0 0 20 0 1 0 10000 0 0")
        .file("/proc/uptime", "200.00 1.00\n");
    assert_eq!(found(&upgrade), []);
}

#[test]
fn a_unit_at_its_limit_of_tasks_can_start_no_more() {
    let with = |current: &str, most: &str| {
        host()
            .link(LINK, &id(1))
            .file(&format!("{GROUP}/pids.current"), format!("{current}\n"))
            .file(&format!("{GROUP}/pids.max"), format!("{most}\n"))
    };
    assert_eq!(found(&with("511", "512")), []);
    assert_eq!(found(&with("512", "max")), []);
    let sentence = "No more processes can be started in nginx.service".to_owned();
    assert_eq!(found(&with("512", "512")), [(Severity::Critical, None, sentence)]);
}

#[test]
fn other_service_managers_and_older_control_groups_are_said() {
    let mut notes = Notes::default();
    check(&FakeHost::default(), &stack(), &mut notes);
    assert_eq!(notes.what_was_not_checked()[0].detail, "without systemd");
    assert!(notes.what_was_checked().is_empty() && notes.findings().is_empty());

    let older = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n32 31 0:33 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                 41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
    let hybrid = host().file_from(0, "/proc/self/mountinfo", Ok(older.as_bytes()));
    let mut notes = Notes::default();
    check(&hybrid, &stack(), &mut notes);
    assert_eq!(notes.what_was_not_checked()[0].detail, "control groups of version 1");
    assert_eq!(notes.findings().len(), 1, "the links are enough to see that it is down");
}

#[test]
fn nothing_installed_is_nothing_to_say() {
    let mut notes = Notes::default();
    check(&FakeHost::default(), &Stack::default(), &mut notes);
    assert!(notes.what_was_not_checked().is_empty() && notes.what_was_checked().is_empty());
}

#[test]
fn groups_are_where_this_systems_first_process_is() {
    assert_eq!(prefix(b"0::/init.scope\n"), "");
    assert_eq!(prefix(b"0::/\n"), "");
    assert_eq!(prefix(b"0::/machine.slice/box/payload/init.scope\n"), "/machine.slice/box/payload");
    assert_eq!(prefix(b"9:name=systemd:/\n"), "");
    let unified = Groups::Unified("/sys/fs/cgroup".to_owned());
    assert_eq!(directory(&unified, "nginx").as_deref(), Some(GROUP));
    let instance = "/sys/fs/cgroup/system.slice/system-postgresql.slice/postgresql@15-main.service";
    assert_eq!(directory(&unified, "postgresql@15-main.service").as_deref(), Some(instance));
    assert_eq!(directory(&Groups::Older, "nginx"), None);
}

#[test]
fn an_instance_is_a_number_of_its_own() {
    let first = host().link(LINK, "0123456789abcdef0123456789abcdef");
    assert_eq!(super::instance(&first, "nginx"), Some(0x0_1234_5678_9abc));
    assert_eq!(super::instance(&host().link(LINK, "short"), "nginx"), None);
    assert_eq!(super::instance(&host(), "nginx"), None);
    assert!(
        is_down(&host(), "nginx.service")
            && !is_down(&first, "nginx")
            && !is_down(&FakeHost::default(), "nginx")
    );
}

#[test]
fn this_machines_groups_are_one_or_the_other() {
    if let Groups::Unified(root) = groups(&crate::testing::ThisHost) {
        assert!(root.starts_with('/'));
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _read = prefix(&bytes);
    }
}

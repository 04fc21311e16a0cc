//! Faults made for real, on a host with real services, and what the diagnostics say of each: one cause, its own, and
//! nothing any more once it is mended.
//!
//! The table is [`FAULTS`]. Each fault is a line of shell, and so is its end.

use std::collections::BTreeSet;
use std::sync::Mutex;

use secmon_tests::agent_host::{text, until};
use secmon_tests::plane::{Plane, Totp};
use secmon_tests::testbed::{Guest, Testbed};

/// One fault.
struct Fault {
    /// The only cause that may be reported.
    finding: &'static str,
    /// Makes it.
    make: &'static str,
    /// Ends it.
    mend: &'static str,
}

const fn fault(finding: &'static str, make: &'static str, mend: &'static str) -> Fault {
    Fault { finding, make, mend }
}

/// In groups that don't touch each other's services: each has a host of its own.
const FAULTS: [&[Fault]; 2] = [
    &[
        fault("web-down", "systemctl stop nginx", "systemctl start nginx"),
        fault(
            "web-down",
            "systemctl kill --signal KILL nginx; until ! pgrep -x nginx; do :; done",
            "systemctl restart nginx",
        ),
    ],
    &[
        fault("php-down-nosock", "systemctl stop php8.2-fpm", "systemctl start php8.2-fpm"),
        fault("db-down", "systemctl stop mariadb", "systemctl start mariadb"),
    ],
];

/// What a technician on the host is told: causes that are more than an information.
fn causes(bed: &Testbed) -> (BTreeSet<String>, String) {
    let output = bed.attempt(&["secmon-agent", "diag"]);
    let said = text(&output.stdout);
    let grave = |line: &&str| line.starts_with("critical: ") || line.starts_with("warning: ");
    let id = |line: &str| Some(line.rsplit_once(" [")?.1.strip_suffix(']')?.to_owned());
    let causes: BTreeSet<String> = said.lines().filter(grave).filter_map(id).collect();
    assert_eq!(output.status.code(), Some(i32::from(!causes.is_empty())), "{said}{}", text(&output.stderr));
    (causes, said)
}

fn until_only(bed: &Testbed, expected: &[&str], what: &str) {
    let expected: BTreeSet<String> = expected.iter().map(|id| (*id).to_owned()).collect();
    let last = Mutex::new(String::new());
    let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        until(what, || {
            let (causes, said) = causes(bed);
            *last.lock().expect("a text") = said;
            (causes == expected).then_some(())
        });
    }));
    assert!(found.is_ok(), "{what}: not only {expected:?}: {}", last.lock().expect("a text"));
}

fn host(name: &str) -> Option<Testbed> {
    let bed = Testbed::boot(Guest::Systemd, name)?;
    let plane = Plane::new(Totp::On);
    bed.install_agent(&plane, &[("restart-web", "nginx")]);
    bed.shell("mariadb -e \"CREATE USER 'secmon-diag'@localhost IDENTIFIED VIA unix_socket\"");
    Some(bed)
}

fn try_faults(group: usize) {
    let Some(bed) = host(&format!("faults{group}")) else { return };
    until_only(&bed, &[], "a healthy host");
    for Fault { finding, make, mend } in FAULTS[group] {
        bed.shell(make);
        until_only(&bed, &[finding], make);
        println!("{finding}: {make}");
        bed.shell(mend);
        until_only(&bed, &[], mend);
    }
}

#[test]
fn faults_of_the_web_server() {
    try_faults(0);
}

#[test]
fn faults_of_php_and_the_database() {
    try_faults(1);
}

#[test]
fn a_healthy_host_is_healthy_in_fifty_runs() {
    let Some(bed) = host("healthy") else { return };
    for run in 0..50 {
        let (causes, said) = causes(&bed);
        assert!(causes.is_empty(), "run {run}: {said}");
        assert!(said.starts_with("nothing found\nchecked: "), "run {run}: {said}");
    }
}

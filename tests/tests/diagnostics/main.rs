//! Faults made for real, on a host with real services, and what the diagnostics say of each: one cause, its own, and
//! nothing any more once it is mended.
//!
//! The tables are in the files of this directory, one for each part of a host. Each fault is a line of shell, and so
//! is its end.

mod machine;
#[macro_use]
mod php_db;
mod tuning;
mod variants;
mod web;

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

/// What a technician on the host is told: causes that are more than an information.
fn causes(bed: &Testbed) -> (BTreeSet<String>, String) {
    let output = bed.attempt(&["secmon-agent", "diag"]);
    let said = text(&output.stdout);
    let grave = |line: &&str| line.starts_with("critical: ") || line.starts_with("warning: ");
    let id = |line: &str| Some(line.rsplit_once(" [")?.1.strip_suffix(']')?.to_owned());
    let mut causes: BTreeSet<String> = said.lines().filter(grave).filter_map(id).collect();
    assert_eq!(output.status.code(), Some(i32::from(!causes.is_empty())), "{said}{}", text(&output.stderr));
    // The processors are this machine's, and who else is busy on it is no fault of a container's.
    if !bed.guest().is_machine() {
        causes.remove("cpu-saturated");
    }
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
    let bed = host_of(Guest::Systemd, name)?;
    bed.shell("mariadb -e \"CREATE USER 'secmon-diag'@localhost IDENTIFIED VIA unix_socket\"");
    Some(bed)
}

/// Any host, with an agent.
fn host_of(guest: Guest, name: &str) -> Option<Testbed> {
    let bed = Testbed::boot(guest, name)?;
    let plane = Plane::new(Totp::On);
    bed.install_agent(&plane, &[("restart-web", "nginx")]);
    Some(bed)
}

/// Makes and mends each on a host of that name, which belongs to them alone.
fn try_faults(name: &str, faults: &[Fault]) {
    let Some(bed) = host(name) else { return };
    try_faults_on(&bed, faults);
}

fn try_faults_on(bed: &Testbed, faults: &[Fault]) {
    until_only(bed, &[], "a healthy host");
    for Fault { finding, make, mend } in faults {
        bed.shell(make);
        until_only(bed, &[finding], make);
        println!("{finding}: {make}");
        bed.shell(mend);
        until_only(bed, &[], mend);
    }
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

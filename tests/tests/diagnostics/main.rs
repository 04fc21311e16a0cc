//! Faults made for real, on a host with real services, and what the diagnostics say of each: one cause, its own, and
//! nothing any more once it is mended.
//!
//! The tables are in the files of this directory, one for each part of a host. Each fault is a line of shell, and so
//! is its end.

mod growth;
mod kernel;
mod machine;
#[macro_use]
mod php_db;
mod proofs;
mod tuning;
mod variants;
mod web;

use std::collections::BTreeSet;
use std::process::Output;
use std::sync::Mutex;

use secmon_tests::agent_host::{text, until};
use secmon_tests::plane::{Plane, Totp};
use secmon_tests::testbed::{Guest, Testbed};
use serde_json::Value;

/// Makes the tests, and the list of all that they provoke.
macro_rules! tables {
    ($($test:ident: $run:path, $faults:path;)+) => {
        /// Every table, each of which is made for real by a test of its own.
        const TABLES: &[&[Fault]] = &[$($faults),+];

        $(
            #[test]
            fn $test() {
                $run($faults);
            }
        )+
    };
}

tables! {
    a_service_that_ends_whenever_it_was_started: machine::on_a_host_that_loops, machine::LOOPS;
    faults_of_certificates_and_the_edge: web::certificates::on_a_host, web::certificates::CERTIFICATES;
    faults_of_pages: web::pages::on_a_host, web::pages::PAGES;
    faults_of_php: php_db::on_a_host_with_a_plugin, php_db::PHP;
    faults_of_the_database: php_db::on_a_host_with_a_database, php_db::DATABASE;
    faults_of_the_machine: machine::on_a_host, machine::MACHINE;
    faults_of_the_network: machine::on_a_host_with_few_ports, machine::NETWORK;
    faults_of_apache: variants::apache::with_tls, variants::apache::WEB_SERVER;
    faults_of_mysql: variants::databases::mysql, variants::databases::MYSQL;
    faults_of_php_behind_a_port: variants::apache::by_a_port, variants::apache::PHP_BY_PORT;
    faults_of_php_within_apache: variants::apache::with_the_module, variants::apache::PHP_WITHIN;
    faults_of_postgresql: variants::databases::postgresql, variants::databases::POSTGRESQL;
    faults_that_only_a_second_look_finds: growth::on_a_host, growth::GROWTH;
    faults_that_take_a_kernel_of_their_own: kernel::on_a_machine, kernel::KERNEL;
    faults_of_the_web_server: web::on_a_host, web::WEB_SERVER;
}

/// One fault.
struct Fault {
    /// The only cause that may be reported.
    finding: &'static str,
    /// What must be said to follow from it, if anything.
    hence: Option<&'static str>,
    /// Makes it.
    make: &'static str,
    /// Ends it, if that can be.
    mend: Option<&'static str>,
}

const fn fault(finding: &'static str, make: &'static str, mend: &'static str) -> Fault {
    Fault { finding, hence: None, make, mend: Some(mend) }
}

/// What nothing ends: the last of its table.
const fn lasting(finding: &'static str, make: &'static str) -> Fault {
    Fault { finding, hence: None, make, mend: None }
}

impl Fault {
    /// The same from which this follows.
    const fn hence(self, finding: &'static str) -> Self {
        Self { hence: Some(finding), ..self }
    }
}

/// Who looks.
enum Eyes<'t> {
    /// A technician on the host, who sees what is.
    Technician(&'t Testbed),
    /// The control plane, which also sees what grew since it looked before, at these areas.
    Plane(&'t Plane, &'static str),
}

/// What is more than an information.
struct Seen {
    causes: BTreeSet<String>,
    symptoms: BTreeSet<String>,
    said: String,
}

impl Eyes<'_> {
    fn look(&self) -> Seen {
        match self {
            Self::Technician(bed) => on_the_host(bed),
            Self::Plane(plane, areas) => from_afar(&plane.attempt(&["diag", "acme", areas, "--json"])),
        }
    }

    /// As if it were a minute later, and what was before the last look long ago.
    fn look_later(&self) -> Seen {
        if let Self::Plane(plane, _) = self {
            plane.sql(
                "DELETE FROM sample WHERE taken < (SELECT MAX(taken) FROM sample);
                UPDATE sample SET taken = taken - 61;",
            );
        }
        self.look()
    }
}

fn on_the_host(bed: &Testbed) -> Seen {
    let output = bed.attempt(&["secmon-agent", "diag"]);
    let said = text(&output.stdout);
    let id = |line: &str| Some(line.rsplit_once(" [")?.1.strip_suffix(']')?.to_owned());
    let grave = |line: &&str| line.starts_with("critical: ") || line.starts_with("warning: ");
    let mut causes: BTreeSet<String> = said.lines().filter(grave).filter_map(id).collect();
    let symptoms = said.lines().filter(|line| line.starts_with("  hence: ")).filter_map(id).collect();
    assert_eq!(output.status.code(), Some(i32::from(!causes.is_empty())), "{said}{}", text(&output.stderr));
    // The processors are this machine's, and who else is busy on it is no fault of a container's.
    if !bed.guest().is_machine() {
        causes.remove("cpu-saturated");
    }
    Seen { causes, symptoms, said }
}

fn from_afar(output: &Output) -> Seen {
    let said = text(&output.stdout);
    let answer: Value =
        serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}{}", text(&output.stderr)));
    let findings = answer["hosts"][0]["findings"].as_array().unwrap_or_else(|| panic!("{said}"));
    let grave = findings.iter().filter(|finding| finding["severity"] != "info");
    let (causes, symptoms): (Vec<_>, Vec<_>) = grave.partition(|finding| finding["explained_by"].is_null());
    let ids = |of: Vec<&Value>| {
        of.into_iter().filter_map(|finding| finding["id"].as_str().map(str::to_owned)).collect()
    };
    let (causes, symptoms): (BTreeSet<String>, _) = (ids(causes), ids(symptoms));
    assert_eq!(output.status.code(), Some(i32::from(!causes.is_empty())), "{said}");
    Seen { causes, symptoms, said }
}

fn until_only(look: &dyn Fn() -> Seen, expected: &[&str], hence: Option<&str>, what: &str) {
    let expected: BTreeSet<String> = expected.iter().map(|id| (*id).to_owned()).collect();
    let last = Mutex::new(String::new());
    let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        until(what, || {
            let seen = look();
            *last.lock().expect("a text") = seen.said;
            (seen.causes == expected && hence.is_none_or(|id| seen.symptoms.contains(id))).then_some(())
        });
    }));
    assert!(found.is_ok(), "{what}: not only {expected:?}, {hence:?}: {}", last.lock().expect("a text"));
}

/// A host with a database that the diagnostics may ask.
fn host(name: &str) -> Option<Testbed> {
    let bed = host_of(Guest::Systemd, name)?;
    bed.shell(DATABASE_USER);
    Some(bed)
}

const DATABASE_USER: &str = "mariadb -e \"CREATE USER 'secmon-diag'@localhost IDENTIFIED VIA unix_socket\"";

/// Any host, with an agent.
fn host_of(guest: Guest, name: &str) -> Option<Testbed> {
    Some(host_and_plane(guest, name)?.0)
}

/// The same with its control plane.
fn host_and_plane(guest: Guest, name: &str) -> Option<(Testbed, Plane)> {
    let bed = Testbed::boot(guest, name)?;
    let plane = Plane::new(Totp::On);
    bed.install_agent(&plane, &[("restart-web", "nginx")]);
    Some((bed, plane))
}

/// Makes and mends each on a host that belongs to them alone.
fn try_faults_on(bed: &Testbed, faults: &[Fault]) {
    try_faults_seen(bed, &Eyes::Technician(bed), faults);
}

fn try_faults_seen(bed: &Testbed, eyes: &Eyes<'_>, faults: &[Fault]) {
    until_only(&|| eyes.look_later(), &[], None, "a healthy host");
    for Fault { finding, hence, make, mend } in faults {
        bed.shell(make);
        until_only(&|| eyes.look(), &[finding], *hence, make);
        println!("{finding}: {make}");
        if let Some(mend) = mend {
            bed.shell(mend);
            until_only(&|| eyes.look_later(), &[], None, mend);
        }
    }
}

#[test]
fn a_healthy_host_is_healthy_in_fifty_runs() {
    let Some(bed) = host("healthy") else { return };
    for run in 0..50 {
        let Seen { causes, said, .. } = Eyes::Technician(&bed).look();
        assert!(causes.is_empty(), "run {run}: {said}");
        assert!(said.starts_with("nothing found\nchecked: "), "run {run}: {said}");
    }
}

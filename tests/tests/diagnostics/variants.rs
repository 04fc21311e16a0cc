//! Faults of what stands on other hosts: Apache, PHP over TCP, PostgreSQL, MySQL. And hosts where none of it stands:
//! what isn't installed is no fault.

pub(crate) mod apache;
pub(crate) mod databases;

use secmon_tests::testbed::Guest;

use crate::{host_of, on_the_host, until_only};

#[test]
fn a_host_without_web_server_php_and_database_is_healthy_and_says_what_it_lacks() {
    let Some(bed) = host_of(Guest::Bare, "bare") else { return };
    until_only(&|| on_the_host(&bed), &[], None, "a bare host");
    let said = on_the_host(&bed).said;
    for check in ["web-config", "listeners", "origin", "access-log", "php-socket", "db-socket"] {
        let checked = said.lines().find_map(|line| line.strip_prefix("checked: ")).expect("a line");
        assert!(!checked.split(", ").any(|name| name == check), "{check}: {said}");
    }
    for absent in ["listeners", "origin", "access-log", "php-socket", "db-socket"] {
        assert!(said.contains(&format!("\nnot checked: {absent}: absent\n")), "{absent}: {said}");
    }
}

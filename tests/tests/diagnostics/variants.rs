//! Faults of what stands on other hosts: Apache, PHP over TCP, PostgreSQL, MySQL. And hosts where none of it stands:
//! what isn't installed is no fault.

mod apache;
mod databases;

use secmon_tests::testbed::Guest;

use crate::{causes, host_of, until_only};

/// These mostly wait, so they do that side by side.
#[test]
fn faults_of_apache_postgresql_and_mysql() {
    let tables = [
        apache::web_server,
        apache::php_by_a_port,
        apache::php_within,
        databases::postgresql,
        databases::mysql,
    ];
    std::thread::scope(|scope| tables.into_iter().for_each(|table| drop(scope.spawn(table))));
}

#[test]
fn a_host_without_web_server_php_and_database_is_healthy_and_says_what_it_lacks() {
    let Some(bed) = host_of(Guest::Bare, "bare") else { return };
    until_only(&bed, &[], "a bare host");
    let (_, said) = causes(&bed);
    for check in ["web-config", "listeners", "origin", "access-log", "php-socket", "db-socket"] {
        let checked = said.lines().find_map(|line| line.strip_prefix("checked: ")).expect("a line");
        assert!(!checked.split(", ").any(|name| name == check), "{check}: {said}");
    }
    for absent in ["listeners", "origin", "access-log", "php-socket", "db-socket"] {
        assert!(said.contains(&format!("\nnot checked: {absent}: absent\n")), "{absent}: {said}");
    }
}

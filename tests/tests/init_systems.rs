//! Approvals on hosts without systemd: real OpenRC and real sysvinit as PID 1, with the services' own init scripts.

use secmon_tests::plane::{Plane, Totp};
use secmon_tests::testbed::{Guest, Testbed};

/// Every operation with Debian's script for it and the service's pid file.
const SERVICES: &[(&str, &str, &str)] = &[
    ("restart-db", "mariadb", "/run/mysqld/mysqld.pid"),
    ("restart-php", "php8.2-fpm", "/run/php/php8.2-fpm.pid"),
    ("restart-web", "nginx", "/run/nginx.pid"),
];

/// `pid P start T`, as proc(5) tells it of the process in a pid file.
fn instance(bed: &Testbed, pid_file: &str) -> String {
    bed.shell(&format!(
        "pid=$(cat {pid_file}) && echo pid $pid start $(sed 's/.*) //' /proc/$pid/stat | cut -d ' ' -f 20)"
    ))
}

fn assert_services_are_replaced(guest: Guest, name: &str, manager: &str, init: &str) {
    let Some(bed) = Testbed::boot(guest, name) else { return };
    let mut plane = Plane::new(Totp::On);
    let operations: Vec<_> = SERVICES.iter().map(|(action, unit, _)| (*action, *unit)).collect();
    bed.install_agent(&plane, &operations);
    plane.start();
    assert_eq!(bed.exec(&["cat", "/proc/1/comm"]), init);
    // Nobody told the agent which service manager there is.
    let check = bed.exec(&["secmon-agent", "check"]);
    assert!(check.contains(&format!("service manager: {manager}\n")), "{check}");
    // Where nothing collects what is written to standard error, the script gives it a file.
    let log = bed.exec(&["cat", "/var/log/secmon-agent.log"]);
    assert!(log.contains("secmon-agent: listening on "), "{log}");

    for (action, unit, pid_file) in SERVICES {
        let before = instance(&bed, pid_file);
        let answer = plane.approve_when_due(action, "acme");
        let after = instance(&bed, pid_file);
        assert!(answer.starts_with(&format!("✓ succeeded acme {action}: {unit} on web1")), "{answer}");
        assert_ne!(before, after, "{unit} was replaced");
        let receipt = plane.last_receipt();
        assert_eq!((receipt["before"].as_str(), receipt["after"].as_str()), (Some(&*before), Some(&*after)));
    }
    assert_eq!(bed.page(), "200");

    let (action, _, pid_file) = SERVICES[2];
    let before = instance(&bed, pid_file);
    bed.shell("echo 'bogus_directive on;' >/etc/nginx/conf.d/bad.conf");
    let answer = plane.approve_when_due(action, "acme");
    assert!(answer.starts_with("✗ refused acme restart-web: preflight: "), "{answer}");
    assert!(answer.contains("unknown directive"), "nginx's own line: {answer}");
    assert_eq!(instance(&bed, pid_file), before, "nginx wasn't touched");
    plane.finish();
}

#[test]
fn openrc_replaces_real_services() {
    assert_services_are_replaced(Guest::OpenRc, "openrc", "openrc", "openrc-init");
}

#[test]
fn sysvinit_replaces_real_services() {
    assert_services_are_replaced(Guest::SysV, "sysv", "sysv", "init");
}

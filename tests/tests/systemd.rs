//! Approvals on a real host: real systemd, real nginx, php-fpm and MariaDB, the agent as an ordinary unit.
//!
//! Each test has a host of its own, which boots in a second, so that they run side by side and no fault of one
//! is in the way of another.

use std::time::Instant;

use secmon_fake_telegram::Incoming;
use secmon_tests::agent_host::until;
use secmon_tests::plane::{Plane, Totp};
use secmon_tests::testbed::{Guest, Testbed};

/// Every operation with the unit that Debian has for it.
const UNITS: &[(&str, &str)] =
    &[("restart-db", "mariadb"), ("restart-php", "php8.2-fpm"), ("restart-web", "nginx")];

/// A running control plane and a host with an agent that offers `operations`.
fn stage(name: &str, operations: &[(&str, &str)]) -> Option<(Plane, Testbed)> {
    let bed = Testbed::boot(Guest::Systemd, name)?;
    let mut plane = Plane::new(Totp::On);
    bed.install_agent(&plane, operations);
    plane.start();
    Some((plane, bed))
}

/// Approves a restart of `unit`, which must succeed, and shows by the receipt, the answer and systemd itself that
/// the unit was replaced.
fn assert_replaced(plane: &mut Plane, bed: &Testbed, action: &str, unit: &str) {
    let before = bed.property(unit, "InvocationID");
    let answer = plane.approve_when_due(action, "acme");
    let after = bed.property(unit, "InvocationID");
    assert!(answer.starts_with(&format!("✓ succeeded acme {action}: {unit} on web1")), "{answer}");
    assert_ne!(before, after, "{unit} was replaced");
    for words in [format!("old {before}"), format!("new {after}")] {
        assert!(answer.contains(&words), "{words} / {answer}");
    }
    let receipt = plane.last_receipt();
    assert_eq!((receipt["before"].as_str(), receipt["after"].as_str()), (Some(&*before), Some(&*after)));
}

/// Approves; the answer must begin with `start`, and the unit must still be the same instance.
fn assert_untouched(plane: &mut Plane, bed: &Testbed, (action, unit): (&str, &str), start: &str) -> String {
    let before = bed.property(unit, "InvocationID");
    let answer = plane.approve_when_due(action, "acme");
    assert!(answer.starts_with(start), "{start:?}: {answer}");
    assert_eq!(bed.property(unit, "InvocationID"), before, "{unit} wasn't touched");
    answer
}

#[test]
fn a_minimum_interval_of_three_seconds_never_reaches_systemds_start_limit() {
    let Some((mut plane, bed)) = stage("interval", UNITS) else { return };
    bed.exec(&["secmon-agent", "check"]);
    // systemd allows five starts in ten seconds: a sixth at a shorter interval would fail.
    for _ in 0..6 {
        for (action, unit) in UNITS {
            assert_replaced(&mut plane, &bed, action, unit);
        }
    }
    assert_eq!(bed.page(), "200");
    plane.finish();
}

#[test]
fn a_broken_configuration_is_refused_with_the_line_of_the_services_own_check() {
    let Some((mut plane, bed)) = stage("preflight", UNITS) else { return };
    for (operation, file, broken, line) in [
        (
            UNITS[2],
            "/etc/nginx/conf.d/bad.conf",
            "bogus_directive on;",
            "unknown directive \"bogus_directive\"",
        ),
        (
            UNITS[1],
            "/etc/php/8.2/fpm/pool.d/zz.conf",
            "[www]\nbogus_entry = 1",
            "unknown entry 'bogus_entry'",
        ),
        (
            UNITS[0],
            "/etc/mysql/mariadb.conf.d/99-bad.cnf",
            "[mariadbd]\nbogus_option = 1",
            "unknown variable 'bogus_option=1'",
        ),
    ] {
        bed.shell(&format!("echo '{broken}' >{file}"));
        let start = format!("✗ refused acme {}: preflight: ", operation.0);
        let answer = assert_untouched(&mut plane, &bed, operation, &start);
        assert!(answer.contains(line), "{line:?}: {answer}");
        assert_eq!(bed.page(), "200");
        bed.exec(&["rm", file]);
        assert_replaced(&mut plane, &bed, operation.0, operation.1);
    }
    plane.finish();
}

#[test]
fn php_that_does_not_come_up_is_a_failure_with_the_last_line_of_its_journal() {
    let Some((mut plane, bed)) = stage("journal", UNITS) else { return };
    // The check doesn't bind sockets, so only the start finds that nginx has this one.
    let pool = "/etc/php/8.2/fpm/pool.d/zz.conf";
    bed.shell(&format!("printf '[www]\\nlisten = 0.0.0.0:80\\n' >{pool}"));
    let answer = plane.approve_when_due("restart-php", "acme");
    assert!(answer.starts_with("✗ failed acme restart-php: exit: 1 "), "{answer}");
    assert_eq!(bed.property("php8.2-fpm", "ActiveState"), "failed");
    let last = bed.shell("journalctl --no-pager -o cat -n 1 _SYSTEMD_UNIT=php8.2-fpm.service");
    assert!(last.contains("ERROR"), "php-fpm says why: {last:?}");
    assert!(answer.contains(&last), "{last:?}: {answer}");

    bed.exec(&["rm", pool]);
    assert_replaced(&mut plane, &bed, "restart-php", "php8.2-fpm");
    assert_eq!(bed.page(), "200");
    plane.finish();
}

#[test]
fn a_unit_that_is_masked_or_not_installed_fails_as_absent_and_says_what_there_is() {
    let operations = [("restart-db", "mariadb"), ("restart-php", "php-fpm"), ("restart-web", "nginx")];
    let Some((mut plane, bed)) = stage("absent", &operations) else { return };
    bed.exec(&["systemctl", "mask", "nginx"]);
    let answer = assert_untouched(&mut plane, &bed, UNITS[2], "✗ failed acme restart-web: absent: ");
    assert!(answer.contains("nginx.service is masked"), "{answer}");
    assert_eq!(bed.page(), "200", "a masked unit goes on running");
    bed.exec(&["systemctl", "unmask", "nginx"]);
    assert_replaced(&mut plane, &bed, "restart-web", "nginx");

    let answer = assert_untouched(&mut plane, &bed, UNITS[1], "✗ failed acme restart-php: absent: ");
    assert!(answer.contains("no unit php-fpm.service"), "{answer}");
    assert!(answer.contains("there is: php8.2-fpm"), "the manifest should name it: {answer}");
    plane.finish();
}

#[test]
fn a_start_limit_that_somebody_else_has_used_up_is_called_by_its_name() {
    let Some((mut plane, bed)) = stage("limit", UNITS) else { return };
    // Whatever this machine is busy with, all six starts are within the window.
    bed.shell(
        "mkdir -p /run/systemd/system/nginx.service.d && \
         printf '[Unit]\\nStartLimitIntervalSec=100\\n' >/run/systemd/system/nginx.service.d/limit.conf && \
         systemctl daemon-reload && systemctl reset-failed nginx && for n in 1 2 3 4 5; do systemctl restart nginx; done",
    );
    let answer = plane.approve_when_due("restart-web", "acme");
    assert_eq!(bed.property("nginx", "Result"), "start-limit-hit");
    assert!(answer.starts_with("✗ failed acme restart-web: exit: 1 "), "{answer}");
    assert!(answer.contains("start of the service was attempted too often"), "{answer}");

    bed.exec(&["systemctl", "reset-failed", "nginx"]);
    let answer = plane.approve_when_due("restart-web", "acme");
    assert!(answer.starts_with("✓ succeeded acme restart-web: nginx on web1"), "{answer}");
    assert_eq!(bed.page(), "200");
    plane.finish();
}

#[test]
fn a_restart_of_four_seconds_succeeds_and_a_second_one_meanwhile_is_refused() {
    let Some((mut plane, bed)) = stage("slow", UNITS) else { return };
    bed.shell(
        "mkdir -p /run/systemd/system/nginx.service.d && \
         printf '[Service]\\nExecStop=\\nExecStop=/bin/sleep 4\\n' >/run/systemd/system/nginx.service.d/slow.conf && \
         systemctl daemon-reload",
    );
    let before = bed.property("nginx", "InvocationID");
    let (first, second) = (plane.new_operator(), plane.new_operator());
    let line = plane.line("restart-web", "acme");
    let begun = Instant::now();
    plane.telegram.receive(&Incoming::new(first, line.to_string()));
    until("the restart to begin", || (bed.property("nginx", "ActiveState") == "deactivating").then_some(()));
    let line = plane.line("restart-web", "acme");
    let answer = plane.ask(second, line).text().to_owned();
    assert!(answer.starts_with("✗ refused acme restart-web: busy: "), "{answer}");
    assert_eq!(bed.property("nginx", "ActiveState"), "deactivating", "the first is still under way");

    let answer = plane.expect("✓ succeeded acme restart-web: nginx on web1");
    assert!(begun.elapsed().as_secs() >= 4, "the restart takes four seconds");
    let after = bed.property("nginx", "InvocationID");
    assert!(
        answer.contains(&format!("old {before}")) && answer.contains(&format!("new {after}")),
        "{answer}"
    );
    let stops = bed.shell("journalctl --no-pager -o cat -u nginx | grep -c '^Stopping nginx'");
    assert_eq!(stops, "1", "one restart happened");
    assert_eq!(bed.page(), "200");
    plane.finish();
}

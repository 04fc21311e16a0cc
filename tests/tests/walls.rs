//! The walls around the agent's processes on a real host under systemd, seen from outside and tried from inside.

use secmon_tests::plane::{Plane, Totp};
use secmon_tests::testbed::{Guest, Testbed};

#[test]
fn each_process_has_what_its_work_takes_and_nothing_else() {
    let Some(bed) = Testbed::boot(Guest::Systemd, "walls") else { return };
    let mut plane = Plane::new(Totp::On);
    bed.install_agent(&plane, &[("restart-web", "nginx")]);
    plane.start();
    let answer = plane.approve_when_due("restart-web", "acme");
    assert!(answer.starts_with("✓ succeeded acme restart-web"), "{answer}");
    bed.assert_agent_is_walled_in_while_it_looks(&plane);
    plane.finish();
}

#[test]
fn nothing_that_is_tried_inside_the_walls_gets_out() {
    let Some(bed) = Testbed::boot(Guest::Systemd, "escape") else { return };
    bed.assert_nothing_escapes();
    let plane = Plane::new(Totp::On);
    bed.install_agent(&plane, &[("restart-web", "nginx")]);
    bed.assert_nothing_escapes_in_the_agents_unit();
}

//! The released agents on real ARM kernels with a real systemd, in emulated machines. It takes minutes, so it is
//! only run when asked for:
//!
//!     cross/build --escape aarch64-unknown-linux-musl armv7-unknown-linux-musleabihf
//!     cargo test --package secmon-tests --test machines -- --ignored --nocapture

use secmon_tests::agent_host::text;
use secmon_tests::plane::{Plane, Totp};
use secmon_tests::testbed::{Guest, Testbed};

fn assert_nginx_is_restarted(guest: Guest, name: &str, machine: &str) {
    let Some(bed) = Testbed::boot(guest, name) else { return };
    assert_eq!(bed.exec(&["uname", "-m"]), machine);
    let mut plane = Plane::new(Totp::On);
    bed.install_agent(&plane, &[("restart-web", "nginx")]);
    plane.start();

    let before = bed.property("nginx", "InvocationID");
    let answer = plane.approve_when_due("restart-web", "acme");
    let after = bed.property("nginx", "InvocationID");
    assert!(answer.starts_with("✓ succeeded acme restart-web: nginx on web1"), "{answer}");
    assert_ne!(before, after, "nginx was replaced");
    let receipt = plane.last_receipt();
    assert_eq!((receipt["before"].as_str(), receipt["after"].as_str()), (Some(&*before), Some(&*after)));
    assert_eq!(bed.page(), "200");

    let look = bed.attempt(&["secmon-agent", "diag"]);
    let said = text(&look.stdout);
    assert!(matches!(look.status.code(), Some(0 | 1)), "{said}{}", text(&look.stderr));
    assert!(said.contains("\nchecked: ") && said.contains("filesystems"), "{said}");
    println!("{guest:?}: {said}");

    bed.assert_agent_is_walled_in();
    bed.assert_nothing_escapes();
    plane.finish();
}

#[test]
#[ignore = "boots an emulated machine"]
fn the_arm64_agent_restarts_a_real_nginx() {
    assert_nginx_is_restarted(Guest::Arm64, "arm64", "aarch64");
}

#[test]
#[ignore = "boots an emulated machine"]
fn the_armhf_agent_restarts_a_real_nginx() {
    assert_nginx_is_restarted(Guest::ArmHf, "armhf", "aarch64");
}

//! What takes a kernel of its own, which a container hasn't: a clock that jumps, Debian's own kernel under the walls.
//! One emulated machine for all, because it boots in a quarter of a minute.

use secmon_tests::agent_host::{envelope, now, sign, text, until};
use secmon_tests::plane::{Plane, Totp};
use secmon_tests::testbed::{Guest, Testbed};
use serde_json::{Value, json};

/// What the clock jumps by, in seconds.
const HOUR: i64 = 3600;
/// restart-php's minimum interval: longer than a jump.
const LONG: u32 = 7200;
/// How far apart two readings of one clock may be here, in seconds.
const SLACK: u64 = 120;

#[test]
fn a_machine_with_a_kernel_of_its_own_keeps_its_walls_and_bears_jumps_of_its_clock() {
    let Some(bed) = Testbed::boot(Guest::Amd64, "own-kernel") else { return };
    let mut plane = Plane::new(Totp::On);
    bed.install_agent_with_intervals(
        &plane,
        &[("restart-web", "nginx", 3), ("restart-php", "php8.2-fpm", LONG)],
    );
    plane.start();

    bed.assert_agent_is_walled_in();
    bed.assert_nothing_escapes();
    an_hour_off_means_refusals_that_say_so_and_a_clock_put_right_means_none(&bed, &mut plane);
    plane.finish();
    what_ran_is_remembered_whatever_the_clock_says(&Orders { bed: &bed, plane: &plane });
}

fn an_hour_off_means_refusals_that_say_so_and_a_clock_put_right_means_none(bed: &Testbed, plane: &mut Plane) {
    assert_succeeds(plane);
    for (jump, agent, doctor) in [(HOUR, "behind", "ahead"), (-HOUR, "ahead of", "behind")] {
        set_clock(bed, jump);
        let before = bed.property("nginx", "InvocationID");
        let operator = plane.new_operator();
        let line = plane.line("restart-web", "acme");
        let answer = plane.ask(operator, line).text().to_owned();
        assert!(answer.starts_with("✗ refused acme restart-web: stale: "), "{answer}");
        assert!(answer.contains(&format!(" s {agent} ")) && answer.contains("this host's clock"), "{answer}");
        assert_eq!(bed.property("nginx", "InvocationID"), before, "nothing was restarted");
        let receipt = plane.last_receipt();
        assert_eq!(receipt["state"], "refused");
        let clock = receipt["clock"].as_u64().expect("a clock");
        assert!(clock.abs_diff(now().saturating_add_signed(jump)) < SLACK, "the host's own time: {receipt}");
        let said = text(&plane.attempt(&["doctor"]).stdout);
        let is_said = said.contains(&format!(" s {doctor}: it refuses every approval"));
        assert!(is_said, "{said}");

        set_clock(bed, 0);
        assert_succeeds(plane);
    }
}

fn assert_succeeds(plane: &mut Plane) {
    let answer = plane.approve_when_due("restart-web", "acme");
    assert!(answer.starts_with("✓ succeeded acme restart-web"), "{answer}");
}

/// As if the control plane's clock had jumped along.
fn what_ran_is_remembered_whatever_the_clock_says(orders: &Orders<'_>) {
    let (web, web_receipt) = orders.run("restart-web", 0);
    let php_receipt = orders.send(&orders.fresh("restart-php", 0));
    assert_eq!(php_receipt["state"], "succeeded", "{php_receipt}");
    for jump in [HOUR, -HOUR, 0] {
        set_clock(orders.bed, jump);
        let restarts = orders.restarts();
        let mut used = orders.fresh("restart-web", jump);
        used["nonce"] = web["nonce"].clone();
        assert_eq!(orders.send(&web), web_receipt, "the same envelope, the same receipt");
        assert_refused(&orders.send(&used), "nonce: ");
        assert_refused(&orders.send(&orders.fresh("restart-web", jump + HOUR)), "stale: ");
        assert_refused(&orders.send(&orders.fresh("restart-web", jump - HOUR)), "stale: ");
        // It ran a moment ago, as this clock sees it an hour before or after.
        let early = orders.send(&orders.fresh("restart-php", jump));
        assert_refused(&early, "interval: possible again in ");
        let wait = early["reason"].as_str().and_then(|reason| reason.split(' ').nth(4)?.parse::<u64>().ok());
        let left = u64::from(LONG) - jump.unsigned_abs();
        assert!(wait.is_some_and(|wait| wait.abs_diff(left) < SLACK), "{early}");
        assert_eq!(orders.restarts(), restarts);

        let (_, receipt) = orders.run("restart-web", jump);
        assert_ne!(orders.restarts(), restarts, "an operation that is due isn't locked: {receipt}");
    }
}

fn assert_refused(receipt: &Value, reason: &str) {
    assert_eq!(receipt["state"], "refused", "{receipt}");
    assert!(receipt["reason"].as_str().is_some_and(|said| said.starts_with(reason)), "{reason}: {receipt}");
}

/// Sets the machine's clock that far from this one's.
fn set_clock(bed: &Testbed, off_by: i64) {
    bed.exec(&["date", "-s", &format!("@{}", now().saturating_add_signed(off_by))]);
}

/// Envelopes that the control plane's keys sign, and no gate of it has seen.
struct Orders<'a> {
    bed: &'a Testbed,
    plane: &'a Plane,
}

impl Orders<'_> {
    /// One that is that far from now.
    fn fresh(&self, action: &str, off_by: i64) -> Value {
        let mut order = envelope(action);
        order["ts"] = json!(now().saturating_add_signed(off_by));
        order
    }

    /// One that succeeds, and its receipt, as soon as its short interval is over.
    fn run(&self, action: &str, off_by: i64) -> (Value, Value) {
        until("an operation that is due", || {
            let order = self.fresh(action, off_by);
            let receipt = self.send(&order);
            let is_early = receipt["reason"].as_str().is_some_and(|reason| reason.starts_with("interval: "));
            assert!(is_early || receipt["state"] == "succeeded", "{receipt}");
            (!is_early).then_some((order, receipt))
        })
    }

    /// The receipt for it.
    fn send(&self, order: &Value) -> Value {
        let body = order.to_string();
        let signed = [b"secmon-envelope-v1\0", body.as_bytes()].concat();
        let signature = sign(&self.plane.data("dispatch.key"), &signed);
        let header = format!("Secmon-Signature: {signature}");
        let arguments = ["-H", &header, "--data-binary", &body];
        let answer = self.bed.curl(self.plane, &arguments, "/v1/execute");
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.canonical()
    }

    /// Which nginx and which php-fpm run.
    fn restarts(&self) -> [String; 2] {
        ["nginx", "php8.2-fpm"].map(|unit| self.bed.property(unit, "InvocationID"))
    }
}

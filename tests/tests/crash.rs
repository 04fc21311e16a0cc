//! Crashes at the worst moments, on either side: the outcome ends right, the operator hears it, and nothing
//! runs twice.

use std::process::Command;

use secmon_tests::agent_host::until;
use secmon_tests::hostile_agent::{Deed, HostileAgent, unchanged};
use secmon_tests::plane::{OPERATIONS, OWNER, Plane, Totp};
use serde_json::{Value, json};

/// What the records say of the one intent: each outcome's state, and whether it is final.
fn outcomes(plane: &Plane) -> Vec<(Value, Value)> {
    plane.events("outcome").iter().map(|record| (record["state"].clone(), record["final"].clone())).collect()
}

#[test]
fn a_control_plane_that_dies_during_a_restart_learns_its_outcome_and_tells_it() {
    let (mut plane, site) = Plane::running(Totp::Off);
    let service = site.service("restart-web");
    let old = service.pid();
    let mut visit = service.hold();
    let line = plane.line("restart-web", "acme");
    plane.telegram.text(OWNER, line.to_string());
    visit.arrival();
    assert_eq!((plane.events("intent").len(), outcomes(&plane)), (1, vec![]));
    plane.kill();
    visit.release();
    until("the service to be replaced", || service.pid().filter(|pid| Some(*pid) != old));
    plane.start();
    let unknown = plane.expect("? unknown acme restart-web: ");
    assert!(unknown.contains("the control plane was restarted before the answer came"), "{unknown}");
    plane.expect("✓ succeeded acme restart-web: ");
    assert_eq!(outcomes(&plane), [(json!("unknown"), json!(false)), (json!("succeeded"), json!(true))]);
    site.receipt(&plane.events("outcome")[1]);
    assert_eq!(service.restarts(), 1);
    // Nothing is taken up a second time.
    plane.kill();
    plane.start();
    plane.assert_quiet();
    assert_eq!((outcomes(&plane).len(), service.restarts()), (2, 1));
    assert_eq!(
        plane.ask(OWNER, line).text(),
        "✗ rejected acme restart-web: replay: this nonce was used before"
    );
    drop(visit);
    assert!(plane.approve_when_due("restart-web", "acme").starts_with("✓ succeeded"));
    plane.finish();
}

#[test]
fn a_control_plane_that_comes_back_while_the_restart_still_runs_waits_for_its_outcome() {
    let (mut plane, site) = Plane::running(Totp::Off);
    let service = site.service("restart-web");
    let mut visit = service.hold();
    let line = plane.line("restart-web", "acme");
    plane.telegram.text(OWNER, line.to_string());
    visit.arrival();
    plane.kill();
    plane.start();
    plane.expect("? unknown acme restart-web: the control plane was restarted");
    // The first look finds nothing yet.
    plane.wait_log("still unknown: not among the agent's receipts yet");
    visit.release();
    plane.expect("✓ succeeded acme restart-web: ");
    assert_eq!((outcomes(&plane).len(), service.restarts()), (2, 1));
    plane.finish();
}

#[test]
fn an_agent_that_dies_during_a_restart_that_ends_well_reports_it_after_its_return() {
    let (mut plane, mut site) = Plane::running(Totp::Off);
    let old = site.service("restart-web").pid();
    let mut visit = site.service("restart-web").hold();
    let line = plane.line("restart-web", "acme");
    plane.telegram.text(OWNER, line.to_string());
    visit.arrival();
    site.kill();
    let unknown = plane.expect("? unknown acme restart-web: ");
    assert!(unknown.contains("It may have been executed."), "{unknown}");
    visit.release();
    until("the service to be replaced", || site.service("restart-web").pid().filter(|pid| Some(*pid) != old));
    site.start();
    plane.expect("✓ succeeded acme restart-web: ");
    assert_eq!(outcomes(&plane), [(json!("unknown"), json!(false)), (json!("succeeded"), json!(true))]);
    site.receipt(&plane.events("outcome")[1]);
    assert_eq!(site.service("restart-web").restarts(), 1);
    drop(visit);
    assert!(plane.approve_when_due("restart-web", "acme").starts_with("✓ succeeded"));
    plane.finish();
}

#[test]
fn an_agent_that_comes_back_while_the_restart_still_runs_reports_its_end() {
    let (mut plane, mut site) = Plane::running(Totp::Off);
    let old = site.service("restart-web").pid();
    let mut visit = site.service("restart-web").hold();
    let line = plane.line("restart-web", "acme");
    plane.telegram.text(OWNER, line.to_string());
    visit.arrival();
    site.kill();
    plane.expect("? unknown acme restart-web: ");
    site.start();
    plane.wait_log("still unknown: not among the agent's receipts yet");
    assert_eq!((outcomes(&plane).len(), site.service("restart-web").pid()), (1, old));
    visit.release();
    plane.expect("✓ succeeded acme restart-web: ");
    assert_ne!(site.service("restart-web").pid(), old);
    assert_eq!(site.service("restart-web").restarts(), 1);
    plane.finish();
}

#[test]
fn an_agent_that_dies_together_with_its_restart_reports_that_it_failed() {
    let (mut plane, mut site) = Plane::running(Totp::Off);
    let old = site.service("restart-web").pid();
    let visit = site.service("restart-web").hold();
    let line = plane.line("restart-web", "acme");
    plane.telegram.text(OWNER, line.to_string());
    let script = visit.arrival();
    site.kill();
    let killed = Command::new("kill").args(["-9", &script.to_string()]).status().expect("kill runs");
    assert!(killed.success());
    plane.expect("? unknown acme restart-web: ");
    site.start();
    plane.expect("✗ failed acme restart-web: interrupted: ");
    assert_eq!(outcomes(&plane), [(json!("unknown"), json!(false)), (json!("failed"), json!(true))]);
    assert_eq!((site.service("restart-web").pid(), site.service("restart-web").restarts()), (old, 1));
    drop(visit);
    assert!(plane.approve_when_due("restart-web", "acme").starts_with("✓ succeeded"));
    plane.finish();
}

#[test]
fn both_sides_dying_at_once_changes_nothing_about_the_outcome() {
    let (mut plane, mut site) = Plane::running(Totp::Off);
    let old = site.service("restart-web").pid();
    let mut visit = site.service("restart-web").hold();
    let line = plane.line("restart-web", "acme");
    plane.telegram.text(OWNER, line.to_string());
    visit.arrival();
    plane.kill();
    site.kill();
    visit.release();
    until("the service to be replaced", || site.service("restart-web").pid().filter(|pid| Some(*pid) != old));
    plane.start();
    plane.expect("? unknown acme restart-web: the control plane was restarted");
    site.start();
    plane.expect("✓ succeeded acme restart-web: ");
    assert_eq!((outcomes(&plane).len(), site.service("restart-web").restarts()), (2, 1));
    plane.finish();
}

#[test]
fn a_control_plane_that_dies_before_the_intent_is_recorded_has_executed_nothing_and_says_so() {
    let mut plane = Plane::new(Totp::Off);
    let mut site = plane.site("acme", "web1", OPERATIONS);
    let liar = HostileAgent::in_front_of(&plane, &mut site, |request, genuine| match request.line.as_str() {
        "GET /v1/manifest" | "GET /v1/health" => Deed::Silence,
        _ => Deed::Send(unchanged(&genuine.answer())),
    });
    plane.start();
    let line = plane.line("restart-web", "acme");
    plane.telegram.text(OWNER, line.to_string());
    let manifest_asked = || liar.requests().iter().any(|line| line == "GET /v1/manifest");
    until("the manifest to be asked for", || manifest_asked().then_some(()));
    plane.kill();
    liar.give_way(&mut site);
    plane.start();
    let answer = plane.reply();
    let expected = "the control plane stopped before it was sent; nothing was executed";
    assert_eq!(answer.text(), format!("✗ rejected acme restart-web: {expected}"));
    let rejected = &plane.events("rejected")[0];
    assert_eq!((&rejected["reason"], &rejected["nonce"]), (&json!("interrupted"), &json!(line.nonce)));
    assert_eq!(plane.events("intent"), Vec::<Value>::new());
    assert_eq!(site.service("restart-web").restarts(), 0);
    assert_eq!(
        plane.ask(OWNER, line).text(),
        "✗ rejected acme restart-web: replay: this nonce was used before"
    );
    let line = plane.line("restart-web", "acme");
    assert!(plane.ask(OWNER, line).text().starts_with("✓ succeeded"));
    plane.finish();
}

#[test]
fn a_replay_stays_a_replay_after_a_restart_of_either_side_and_of_both() {
    let (mut plane, mut site) = Plane::running(Totp::On);
    let line = plane.line("restart-web", "acme");
    assert!(plane.ask(OWNER, &line).text().starts_with("✓ succeeded"));
    let replay = |plane: &mut Plane| {
        // Another operator's code, so that it is the nonce that is refused.
        let operator = plane.new_operator();
        let again = secmon_tests::plane::Line { otp: plane.line("restart-web", "acme").otp, ..line.clone() };
        let answer = plane.ask(operator, again);
        assert_eq!(answer.text(), "✗ rejected acme restart-web: replay: this nonce was used before");
        // The owner's own code is used up as well.
        let stale_code = secmon_tests::plane::Line { nonce: plane.line("a", "b").nonce, ..line.clone() };
        let answer = plane.ask(OWNER, stale_code);
        assert!(answer.text().starts_with("✗ rejected acme restart-web: "), "{}", answer.text());
    };
    replay(&mut plane);
    plane.kill();
    plane.start();
    replay(&mut plane);
    site.kill();
    site.start();
    replay(&mut plane);
    plane.stop();
    site.kill();
    site.start();
    plane.start();
    replay(&mut plane);
    assert_eq!(site.service("restart-web").restarts(), 1);
    assert_eq!(plane.events("intent").len(), 1);
    assert!(plane.approve_when_due("restart-web", "acme").starts_with("✓ succeeded"));
    plane.finish();
}

//! A control plane that dies while it changes a zone: whatever it was doing, after its return nothing of its own is
//! left that no lease accounts for, what others have is untouched, and the outcome is recorded and told once.

#[path = "cloudflare_crash/stage.rs"]
mod stage;

use std::fs;

use secmon_control::cloudflare::State;
use secmon_fake_cloudflare::{DEFAULT_ZONE as ZONE, Edit, Fault, Planned, RequestRecord, Token, TokenStatus};
use secmon_tests::agent_host::until;
use secmon_tests::plane::Line;
use secmon_tests::plane::cloudflare::token_of;
use serde_json::{Map, Value, json};
use stage::{LEVEL, PHASES, Stage, tag};

/// When a held request takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    /// Never: the connection was lost on the way there.
    Before,
    /// At once: the answer was lost.
    After,
}

impl Stage {
    /// Approves, and kills the control plane while the request after so many is under way. None when there was no such
    /// request, and the approval had its last word instead.
    fn die_at(&mut self, action: &str, request: u32, held: Held) -> Option<Line> {
        let before = self.asked();
        let plan = Planned::default().skip(request);
        let plan = match held {
            Held::Before => plan.fails(Fault::Hang),
            Held::After => plan.fails_after(Fault::Hang),
        };
        self.cloudflare.plan(plan);
        let line = self.send(action);
        let at = before + request as usize;
        let is_held = until("a held request, or the last word", || {
            let is_held = self.asked() > at;
            (is_held || !self.last_words(&line).is_empty()).then_some(is_held)
        });
        if is_held {
            self.kill();
            return Some(line);
        }
        self.cloudflare.clear_plans();
        None
    }

    /// The last request that was made.
    fn last_request(&self) -> RequestRecord {
        self.cloudflare.requests().pop().expect("a request")
    }

    /// Puts everything back, and shows that it was.
    fn restore(&mut self, context: &str) {
        if !self.open_leases().is_empty() {
            let line = self.send("cf-restore");
            assert_eq!(self.wait_last_word(&line), "succeeded", "{context}");
        }
        assert_eq!(self.open_leases(), [], "{context}");
        self.assert_accounted_for(context);
    }
}

/// Kills at each request of an action and then of its restoration, with and without its effect.
fn dies_at_every_request(action: &str) {
    let mut stage = Stage::running();
    for held in [Held::Before, Held::After] {
        let mut changed = false;
        for request in 0.. {
            let context = format!("{action}, request {request} held {held:?}");
            stage.flood();
            let Some(line) = stage.die_at(action, request, held) else {
                assert!(changed, "{context}: nothing was changed");
                stage.restore(&context);
                break;
            };
            let is_change = stage.last_request().changes();
            changed |= is_change;
            let recorded =
                stage.plane.events("intent").iter().any(|intent| intent["nonce"] == line.nonce.as_str());
            assert!(recorded || !is_change, "{context}: a change before its intent");
            stage.a_minute_later();
            stage.start();
            let word = stage.wait_last_word(&line);
            let expected = match (recorded, is_change && held == Held::After) {
                (false, _) => "rejected: interrupted",
                (true, false) => "failed",
                (true, true) => "succeeded",
            };
            assert_eq!(word, expected, "{context}: {}", stage.plane.log());
            stage.wait_told(match word.as_str() {
                "succeeded" => "✓ in force acme ",
                "failed" => "✗ failed acme ",
                _ => "✗ rejected acme ",
            });
            stage.assert_accounted_for(&context);
            assert_eq!(!stage.open_leases().is_empty(), word == "succeeded", "{context}");
            // Nothing is taken up a second time.
            stage.kill();
            stage.start();
            stage.assert_accounted_for(&context);
            assert_eq!(stage.wait_last_word(&line), word, "{context}");
            stage.restore(&context);
        }
    }
    for held in [Held::Before, Held::After] {
        for request in 0.. {
            let context = format!("cf-restore of {action}, request {request} held {held:?}");
            stage.put_in_force(action);
            let Some(line) = stage.die_at("cf-restore", request, held) else {
                assert!(request > 0, "{context}: nothing was asked");
                break;
            };
            stage.start();
            assert_eq!(stage.wait_last_word(&line), "succeeded", "{context}: {}", stage.plane.log());
            assert_eq!(stage.wait_settled(), [], "{context}");
            stage.assert_accounted_for(&context);
            stage.kill();
            stage.start();
            assert_eq!(stage.wait_last_word(&line), "succeeded", "{context}");
        }
    }
    assert_eq!(stage.open_leases(), []);
    stage.finish();
}

#[test]
fn under_attack_mode_survives_a_crash_at_each_of_its_requests() {
    dies_at_every_request("cf-under-attack");
}

#[test]
fn a_block_survives_a_crash_at_each_of_its_requests() {
    dies_at_every_request("cf-pattern-block");
}

/// The rule that a request was to add, as the API would have it.
fn rule_of(request: &RequestRecord) -> Map<String, Value> {
    let body = request.body.clone().expect("a body");
    body.as_object().expect("a rule").clone()
}

impl Stage {
    /// Kills while the change of a block is on its way; the approval, and the change, which wasn't carried out.
    fn die_at_the_block(&mut self) -> (Line, RequestRecord) {
        self.cloudflare.plan(Planned::on("POST", "/rules").fails(Fault::Hang));
        let line = self.send("cf-pattern-block");
        until("the change to be on its way", || self.last_request().changes().then_some(()));
        self.kill();
        (line, self.last_request())
    }

    /// The held request arrives after all.
    fn arrives(&self, request: &RequestRecord) {
        let (zone, phase, rule) = (ZONE.to_owned(), PHASES[0].to_owned(), rule_of(request));
        self.cloudflare.edit(&Edit::AddRule { zone, phase, rule, place: None });
    }

    /// Takes back the last record, as if the crash had come before it; what it was.
    fn unwrite(&self) -> Value {
        let path = self.plane.data("audit.jsonl");
        let log = fs::read_to_string(&path).expect("an audit log");
        let last = log.lines().next_back().expect("a record");
        let end = log.len() - last.len() - 1;
        fs::write(&path, &log[..end]).expect("a written log");
        serde_json::from_str(last).expect("JSON")
    }
}

#[test]
fn a_lease_whose_intent_never_got_into_the_log_is_over_before_it_began() {
    let mut stage = Stage::running();
    let (line, _) = stage.die_at_the_block();
    assert_eq!((&stage.unwrite()["event"], stage.open_leases().len()), (&json!("intent"), 1));
    stage.start();
    assert_eq!(stage.wait_last_word(&line), "rejected: interrupted");
    until("the lease to be over", || stage.open_leases().is_empty().then_some(()));
    stage.assert_accounted_for("between lease and intent");
    stage.wait_told("✗ rejected acme cf-pattern-block: ");
    stage.put_in_force("cf-pattern-block");
    stage.restore("afterwards");
    stage.finish();
}

#[test]
fn a_mitigation_that_stood_when_its_outcome_was_not_yet_recorded_is_recorded_once() {
    let mut stage = Stage::running();
    stage.cloudflare.plan(Planned::on("POST", "/rules").fails_after(Fault::Hang));
    let line = stage.send("cf-pattern-block");
    until("the change to be made", || stage.last_request().changes().then_some(()));
    stage.kill();
    stage.plane.sql("UPDATE lease SET state = 'active'");
    stage.start();
    assert_eq!(stage.wait_last_word(&line), "succeeded");
    stage.wait_told("✓ in force acme cf-pattern-block: ");
    stage.assert_accounted_for("between lease and outcome");
    stage.finish();
}

#[test]
fn an_outcome_that_was_recorded_but_perhaps_not_told_is_told_again_and_not_recorded_again() {
    let mut stage = Stage::running();
    stage.flood();
    let line = stage.send("cf-pattern-block");
    assert_eq!(stage.wait_last_word(&line), "succeeded");
    stage.kill();
    let operator = stage.plane.events("intent")[0]["operator"].clone();
    stage.plane.sql(&format!(
        "INSERT OR IGNORE INTO pending (nonce, operator, action, client, transport, chat, claimed_at)
         VALUES (X'{}', {operator}, 'cf-pattern-block', 'acme', 'telegram', {operator}, 1)",
        line.nonce
    ));
    stage.start();
    stage.wait_told("acme cf-pattern-block: succeeded (told again after a restart)");
    assert_eq!(stage.wait_last_word(&line), "succeeded");
    stage.assert_accounted_for("between outcome and reply");
    stage.finish();
}

#[test]
fn a_change_that_arrives_after_the_crash_is_found_while_it_may_still_come() {
    let mut stage = Stage::running();
    let (line, request) = stage.die_at_the_block();
    stage.start();
    stage.arrives(&request);
    assert_eq!(stage.wait_last_word(&line), "succeeded");
    stage.wait_told("✓ in force acme cf-pattern-block: ");
    stage.assert_accounted_for("late");
    stage.restore("late");
    stage.finish();
}

#[test]
fn a_change_that_arrives_after_its_lease_was_given_up_is_removed_at_the_next_start() {
    let mut stage = Stage::running();
    let (line, request) = stage.die_at_the_block();
    stage.a_minute_later();
    stage.start();
    assert_eq!(stage.wait_last_word(&line), "failed");
    stage.assert_accounted_for("given up");
    stage.arrives(&request);
    assert_eq!(stage.tags().len(), 1);
    stage.kill();
    stage.start();
    assert_eq!(stage.plane.wait_events("orphan", 1).len(), 1);
    stage.wait_told("↩ removed a rule on example.com");
    until("the rule to be removed", || stage.tags().is_empty().then_some(()));
    stage.assert_accounted_for("much too late");
    stage.finish();
}

#[test]
fn an_automatic_mitigation_that_the_crash_interrupted_is_finished_and_announced() {
    for held in [Held::Before, Held::After] {
        let mut stage = Stage::running();
        let plan = Planned::on("POST", "/rules");
        stage.cloudflare.plan(match held {
            Held::Before => plan.fails(Fault::Hang),
            Held::After => plan.fails_after(Fault::Hang),
        });
        stage.send("cf-pattern-block");
        until("the change to be on its way", || stage.last_request().changes().then_some(()));
        stage.kill();
        // Nobody approved it.
        stage.plane.sql("UPDATE lease SET nonce = NULL, operator = NULL, transport = NULL, chat = NULL");
        stage.plane.sql("DELETE FROM pending");
        stage.a_minute_later();
        stage.start();
        let outcomes = stage.plane.wait_events("outcome", 1);
        let state = if held == Held::After { "succeeded" } else { "failed" };
        assert_eq!(
            (&outcomes[0]["state"], &outcomes[0]["automatic"]),
            (&json!(state), &json!(true)),
            "{held:?}"
        );
        stage.wait_told(if held == Held::After { "✓ in force" } else { "✗ failed" });
        stage.assert_accounted_for("automatic");
        stage.kill();
        stage.start();
        stage.assert_accounted_for("automatic");
        assert_eq!(stage.plane.events("outcome").len(), 1, "{held:?}");
        stage.restore("automatic");
        stage.finish();
    }
}

#[test]
fn a_lease_whose_end_a_crash_interrupts_ends_all_the_same() {
    for (action, method) in [("cf-pattern-block", "DELETE"), ("cf-under-attack", "PATCH")] {
        let mut stage = Stage::running();
        for held in [Held::Before, Held::After] {
            let context = format!("{action} {held:?}");
            stage.put_in_force(action);
            stage.kill();
            stage.plane.sql("UPDATE lease SET created = 1, expires = 2 WHERE state = 'active'");
            let plan = Planned::on(method, "");
            stage.cloudflare.plan(match held {
                Held::Before => plan.fails(Fault::Hang),
                Held::After => plan.fails_after(Fault::Hang),
            });
            stage.plane.start();
            until("the way back to begin", || (stage.last_request().fault.is_some()).then_some(()));
            stage.kill();
            assert_eq!(stage.open_leases()[0].state, State::Ending, "{context}");
            stage.start();
            until("the lease to be over", || stage.open_leases().is_empty().then_some(()));
            stage.assert_accounted_for(&context);
            stage.wait_told("its time is over");
        }
        let ends = stage.plane.events("lease-ended").len();
        stage.kill();
        stage.start();
        stage.assert_accounted_for("over");
        assert_eq!((ends, stage.plane.events("lease-ended").len()), (2, 2));
        stage.finish();
    }
}

#[test]
fn a_restored_older_database_has_its_forgotten_rules_removed_and_no_others() {
    let mut stage = Stage::running();
    stage.plane.stop();
    let (database, backup) = (stage.plane.data("secmon.db"), stage.plane.at("backup.db"));
    fs::copy(&database, &backup).expect("a backup");
    stage.start();
    let lease = stage.put_in_force("cf-pattern-block");
    assert_eq!(stage.tags(), [tag(lease.id)]);
    stage.plane.stop();
    fs::copy(&backup, &database).expect("a restored backup");
    for journal in ["secmon.db-wal", "secmon.db-shm"] {
        // There may be none.
        let _gone = fs::remove_file(stage.plane.data(journal));
    }
    // Another control plane's, which isn't ours to remove.
    let theirs = json!({"ref": "secmon:00112233445566ff", "action": "block", "expression": "ssl"});
    let (zone, phase) = (ZONE.to_owned(), PHASES[0].to_owned());
    let rule = theirs.as_object().expect("an object").clone();
    stage.cloudflare.edit(&Edit::AddRule { zone: zone.clone(), phase: phase.clone(), rule, place: None });
    stage.start();
    let orphans = stage.plane.wait_events("orphan", 1);
    assert_eq!(orphans[0]["lease"], json!(lease.id.to_string()));
    until("the rule to be removed", || (stage.tags().len() == 1).then_some(()));
    assert_eq!(stage.tags(), ["secmon:00112233445566ff"]);
    stage.wait_told("↩ removed a rule on example.com");
    stage.cloudflare.edit(&Edit::RemoveRule { zone, phase, rule: "secmon:00112233445566ff".to_owned() });
    stage.assert_accounted_for("restored");
    stage.finish();
}

#[test]
fn a_lease_whose_token_was_revoked_is_told_of_once_and_ends_with_a_new_token() {
    let mut stage = Stage::running();
    stage.put_in_force("cf-under-attack");
    stage.kill();
    stage.plane.sql("UPDATE lease SET created = 1, expires = 2");
    let (secret, status) = (token_of(ZONE), Some(TokenStatus::Disabled));
    stage.cloudflare.edit(&Edit::SetToken { secret, status, permissions: None });
    stage.plane.start();
    stage.wait_told("! can't put back acme cf-under-attack on example.com");
    let tries = stage.asked();
    let token = "another-token-for-tests-only-BBBBBBBBBBBBBBB";
    stage.cloudflare.add_token(Token::new(token));
    stage.hand_over("acme", ZONE, token);
    until("the lease to be over", || stage.open_leases().is_empty().then_some(()));
    assert!(stage.asked() > tries);
    assert_eq!(stage.told_since("can't put back").len(), 1);
    assert_eq!(stage.cloudflare.security_level(ZONE), LEVEL);
    stage.assert_accounted_for("a new token");
    stage.finish();
}

#[test]
fn a_control_plane_serves_though_the_way_back_that_it_takes_up_hangs() {
    let mut stage = Stage::running();
    stage.put_in_force("cf-under-attack");
    stage.cloudflare.plan(Planned::on("PATCH", "").fails(Fault::Hang));
    let line = stage.send("cf-restore");
    until("the way back to begin", || (stage.last_request().fault.is_some()).then_some(()));
    stage.kill();
    stage.cloudflare.plan(Planned::default().for_ever().fails(Fault::Hang));
    stage.plane.start();
    assert_eq!(stage.last_words(&line), Vec::<String>::new(), "it serves before Cloudflare answers");
    stage.kill();
    stage.start();
    assert_eq!(stage.wait_last_word(&line), "succeeded");
    stage.assert_accounted_for("after a hang");
    stage.finish();
}

//! Operations from outside: a real agent restarts a real service, once, for a fresh and rightly signed envelope
//! and for nothing else, and says so in a receipt that openssl can verify.

use std::fs;
use std::thread;

use secmon_tests::agent_host::{Answer, Host, ed25519, envelope, nonce, now, set_mode, sha256, text, until};
use serde_json::{Value, json};

/// Sends `envelope` and returns its verified receipt.
fn run(host: &Host, envelope: &Value) -> Value {
    host.receipt(&host.execute(&envelope.to_string()))
}

fn with(envelope: &Value, field: &str, value: impl Into<Value>) -> Value {
    let mut changed = envelope.clone();
    changed[field] = value.into();
    changed
}

fn assert_refused(receipt: &Value, word: &str) {
    assert_eq!(receipt["state"], "refused", "{receipt}");
    let reason = receipt["reason"].as_str().expect("a reason");
    assert!(reason.starts_with(&format!("{word}: ")), "{receipt}");
}

fn receipts(host: &Host) -> Vec<Value> {
    let answer = host.get("/v1/receipts").canonical();
    answer["receipts"].as_array().expect("a list").clone()
}

#[test]
fn an_approved_restart_replaces_the_process_and_the_receipt_proves_it() {
    let host = Host::running();
    let old = host.web.pid().expect("a running service");
    let mut order = envelope("restart-web");
    order["intent"] = json!({"hash": sha256(b"an audit record"), "seq": 41});
    let before = now();
    let receipt = run(&host, &order);
    let new = host.web.pid().expect("a running service");
    assert_ne!(new, old);
    let names: Vec<&String> = receipt.as_object().expect("an object").keys().collect();
    assert_eq!(
        names,
        [
            "action",
            "after",
            "agent_id",
            "before",
            "clock",
            "duration_ms",
            "exit",
            "intent",
            "nonce",
            "prev",
            "reason",
            "seq",
            "state",
            "unit",
            "v"
        ]
    );
    for (field, value) in [
        ("action", json!("restart-web")),
        ("agent_id", json!("web1")),
        ("exit", json!(0)),
        ("intent", order["intent"].clone()),
        ("nonce", order["nonce"].clone()),
        ("prev", json!("")),
        ("reason", json!("")),
        ("seq", json!(1)),
        ("state", json!("succeeded")),
        ("unit", json!("openlitespeed")),
        ("v", json!(1)),
    ] {
        assert_eq!(receipt[field], value, "{field}");
    }
    assert!((before..=now()).contains(&receipt["clock"].as_u64().expect("a clock")), "{receipt}");
    assert_ne!(receipt["before"], receipt["after"]);
    assert_eq!(host.web.restarts(), 1);
    assert_eq!(host.php.restarts() + host.db.restarts(), 0, "only the unit of this operation");
    let health = host.get("/v1/health").canonical();
    assert_eq!((&health["last_intent"], &health["receipts"]), (&json!(41), &json!(1)));
    until("a line about the receipt", || {
        host.log().iter().any(|line| line.contains(order["nonce"].as_str().expect("a nonce"))).then_some(())
    });
}

#[test]
fn each_operation_restarts_its_own_unit_and_the_receipts_form_a_chain() {
    let host = Host::running();
    let mut prev = String::new();
    let mut kept = Vec::new();
    for (seq, (action, service)) in
        [("restart-web", &host.web), ("restart-php", &host.php), ("restart-db", &host.db)]
            .into_iter()
            .enumerate()
    {
        let old = service.pid();
        let body = envelope(action).to_string();
        let answer = host.execute(&body);
        let receipt = host.receipt(&answer);
        assert_eq!(
            (&receipt["state"], &receipt["action"]),
            (&json!("succeeded"), &json!(action)),
            "{receipt}"
        );
        assert_eq!((&receipt["prev"], &receipt["seq"]), (&json!(prev), &json!(seq + 1)), "{receipt}");
        assert_ne!(service.pid(), old);
        prev = sha256(&answer.body);
        kept.push(json!({"body": receipt, "signature": answer.header("secmon-signature")}));
    }
    assert_eq!(receipts(&host), kept);
}

#[test]
fn the_script_gets_a_fixed_argument_an_empty_environment_and_no_descriptor_of_ours() {
    let host = Host::running();
    assert_eq!(run(&host, &envelope("restart-web"))["state"], "succeeded");
    let log = host.web.log();
    let asked = log.iter().find(|line| line.starts_with("restart ")).expect("a restart");
    assert_eq!(asked.split(' ').skip(2).collect::<Vec<_>>(), ["restart"], "{log:?}");
    assert!(!log.iter().any(|line| line.starts_with("unexpected")), "{log:?}");
    let environment = fs::read_to_string(host.web.file("environment")).expect("a listing");
    for variable in environment.lines() {
        let name = variable.split('=').next().unwrap_or_default();
        // The shell itself adds PWD, OLDPWD, SHLVL and _.
        assert!(["PATH", "LANG", "LC_ALL", "PWD", "OLDPWD", "SHLVL", "_"].contains(&name), "{environment}");
    }
    let descriptors = fs::read_to_string(host.web.file("descriptors")).expect("a listing");
    assert!(!descriptors.contains("socket:") && !descriptors.contains("anon_inode"), "{descriptors}");
    assert!(!descriptors.contains("state") && !descriptors.contains("bundle"), "{descriptors}");
}

#[test]
fn the_same_envelope_again_returns_the_same_receipt_and_restarts_nothing() {
    let mut host = Host::running();
    let body = envelope("restart-web").to_string();
    let first = host.execute(&body);
    assert_eq!(host.receipt(&first)["state"], "succeeded");
    let pid = host.web.pid();
    let same = |again: &Answer| assert_same_receipt(&first, again);
    same(&host.execute(&body));
    host.kill();
    host.start();
    same(&host.execute(&body));
    assert_eq!((host.web.pid(), host.web.restarts()), (pid, 1));
    let next = run(&host, &envelope("restart-php"));
    assert_eq!(
        (&next["state"], &next["seq"]),
        (&json!("succeeded"), &json!(2)),
        "a replay is no receipt of its own"
    );
}

/// Two answers carry the same receipt, byte for byte.
fn assert_same_receipt(first: &Answer, again: &Answer) {
    assert_eq!((again.status, text(&again.body)), (first.status, text(&first.body)));
    assert_eq!(again.header("secmon-signature"), first.header("secmon-signature"));
}

#[test]
fn a_nonce_seen_with_another_body_is_refused_also_after_a_crash() {
    let mut host = Host::running();
    let order = envelope("restart-web");
    assert_eq!(run(&host, &order)["state"], "succeeded");
    let other = with(&order, "action", "restart-php");
    assert_refused(&run(&host, &other), "nonce");
    host.kill();
    host.start();
    let later = with(&order, "ts", order["ts"].as_u64().expect("a time") + 1);
    assert_refused(&run(&host, &later), "nonce");
    assert_eq!((host.web.restarts(), host.php.restarts()), (1, 0));
    assert_eq!(run(&host, &with(&other, "nonce", nonce()))["state"], "succeeded");
}

#[test]
fn a_nonce_is_remembered_when_many_others_came_after_it() {
    let host = Host::running();
    let order = envelope("restart-web");
    let first = run(&host, &order);
    assert_eq!(first["state"], "succeeded");
    for _ in 0..40 {
        assert_refused(&run(&host, &with(&envelope("restart-php"), "ts", 1)), "stale");
    }
    let again = host.execute(&order.to_string());
    let receipt = host.receipt(&again);
    if receipt != first {
        assert_refused(&receipt, "nonce");
    }
    assert_eq!(host.web.restarts(), 1);
    let kept = receipts(&host);
    assert_eq!(kept.len(), 16);
    for pair in kept.windows(2) {
        let body = pair[0]["body"].to_string();
        assert!(host.is_receipt_signature(body.as_bytes(), pair[0]["signature"].as_str().expect("hex")));
        let number = |kept: &Value| kept["body"]["seq"].as_u64().expect("a number");
        assert!(number(&pair[0]) < number(&pair[1]), "oldest first: {pair:?}");
        if number(&pair[0]) + 1 == number(&pair[1]) {
            assert_eq!(pair[1]["body"]["prev"], sha256(body.as_bytes()), "each bound to the one before");
        }
    }
    assert_eq!(run(&host, &envelope("restart-php"))["state"], "succeeded");
}

#[test]
fn a_time_stamp_within_300_seconds_is_fresh_and_one_beyond_is_stale() {
    let mut host = Host::installed();
    let mut manifest = host.manifest();
    manifest["operations"].as_array_mut().expect("a list").truncate(2);
    host.install_manifest(&manifest);
    host.start();
    // Well ahead: an emulated machine takes seconds to judge, and the clock catches up meanwhile.
    for ts in [0, now() - 302, now() - 86_400, now() + 360, 9_007_199_254_740_991] {
        assert_refused(&run(&host, &with(&envelope("restart-php"), "ts", ts)), "stale");
    }
    // The clock goes on while the envelope travels. The receipt's clock says whether it was judged in the
    // second in which it was made; restart-web isn't listed here, so a fresh one ends as unlisted, at once.
    let judged = |offset: i64| {
        until("an envelope that is judged in the second in which it was made", || {
            let made = now();
            let ts = made.checked_add_signed(offset).expect("a time after 1970");
            let receipt = run(&host, &with(&envelope("restart-web"), "ts", ts));
            (receipt["clock"] == made).then_some(receipt)
        })
    };
    for offset in [-301, 301] {
        assert_refused(&judged(offset), "stale");
    }
    for offset in [-300, 300] {
        assert_refused(&judged(offset), "unlisted");
    }
    assert_eq!(host.php.restarts(), 0);
    assert_eq!(run(&host, &with(&envelope("restart-php"), "ts", now() + 300))["state"], "succeeded");
}

#[test]
fn only_the_dispatch_keys_signature_over_these_very_bytes_opens_the_door() {
    let host = Host::running();
    let order = envelope("restart-web");
    let body = order.to_string();
    let good = host.sign(&body);
    let (stranger, public) = (host.at("work/stranger.key"), host.at("work/stranger.pub"));
    ed25519(&stranger, &public);
    let other = with(&order, "nonce", nonce()).to_string();
    let flipped = format!("{}{}", &good[..127], if good.ends_with('0') { '1' } else { '0' });
    for (what, signature) in [
        ("a stranger's", host.sign_with(&stranger, &body)),
        ("the agent's own", host.sign_with(&host.bundle("receipt.key"), &body)),
        ("of another envelope", host.sign(&other)),
        ("one digit wrong", flipped),
        ("zeros", "0".repeat(128)),
        ("upper case", good.to_uppercase()),
        ("too short", good[..126].to_owned()),
        ("too long", format!("{good}00")),
        ("no hex", "x".repeat(128)),
        ("empty", String::new()),
    ] {
        let answer = host.execute_signed(&body, &signature);
        assert_eq!(answer.status, 403, "{what}");
        answer.error(403);
    }
    host.curl(&["--data-binary", &body], "/v1/execute").error(403);
    let (right, wrong) =
        (format!("Secmon-Signature: {good}"), format!("Secmon-Signature: {}", "0".repeat(128)));
    for [first, second] in [[&right, &wrong], [&wrong, &right]] {
        let answer = host.curl(&["-H", first, "-H", second, "--data-binary", &body], "/v1/execute");
        assert!([400, 403].contains(&answer.status), "two signatures: {answer:?}");
    }
    let elsewhere = with(&order, "agent_id", "web2").to_string();
    host.execute(&elsewhere).error(403);
    assert_eq!((host.web.restarts(), receipts(&host).len()), (0, 0), "nothing ran, and nothing was recorded");
    assert_eq!(run(&host, &order)["state"], "succeeded", "the nonce was not used up");
}

#[test]
fn an_envelope_with_a_fault_of_form_is_refused_even_if_rightly_signed() {
    let host = Host::running();
    let path = format!("{}/vectors/envelopes.json", env!("CARGO_MANIFEST_DIR"));
    let vectors: Value = serde_json::from_slice(&fs::read(path).expect("vectors")).expect("JSON");
    let cases = vectors["refused"].as_array().expect("a list");
    assert!(cases.len() > 50);
    for case in cases {
        let body = case["text"].as_str().expect("a text");
        let answer = host.execute(body);
        let expected = if body.len() > 512 { 413 } else { 400 };
        assert_eq!(answer.status, expected, "{case}");
        answer.error(expected);
    }
    host.execute("").error(400);
    assert_eq!(host.web.restarts() + host.php.restarts() + host.db.restarts(), 0);
    assert_eq!(receipts(&host).len(), 0);
    assert_eq!(run(&host, &envelope("restart-web"))["state"], "succeeded");
}

#[test]
fn an_operation_that_the_manifest_does_not_list_is_refused_with_a_receipt() {
    let mut host = Host::installed();
    let mut manifest = host.manifest();
    manifest["operations"] = json!([{"action": "restart-php", "min_interval_s": 3, "unit": "lsphp"}]);
    host.install_manifest(&manifest);
    host.start();
    for action in ["restart-web", "restart-db"] {
        let receipt = run(&host, &envelope(action));
        assert_refused(&receipt, "unlisted");
        assert_eq!((&receipt["unit"], &receipt["exit"]), (&json!(""), &Value::Null), "{receipt}");
    }
    assert_eq!(host.web.restarts() + host.db.restarts(), 0);
    assert_eq!(run(&host, &envelope("restart-php"))["state"], "succeeded");
}

#[test]
fn a_second_run_waits_for_the_manifests_interval_also_after_a_crash() {
    let mut host = Host::running();
    assert_eq!(run(&host, &envelope("restart-web"))["state"], "succeeded");
    assert_refused(&run(&host, &envelope("restart-web")), "interval");
    host.kill();
    host.start();
    let receipt = until("the interval to pass", || {
        let receipt = run(&host, &envelope("restart-web"));
        (receipt["state"] != "refused").then_some(receipt)
    });
    assert_eq!(receipt["state"], "succeeded");
    assert_eq!(host.web.restarts(), 2);
}

#[test]
fn a_long_interval_survives_a_crash() {
    let mut host = Host::installed();
    let mut manifest = host.manifest();
    manifest["operations"][2]["min_interval_s"] = json!(3600);
    host.install_manifest(&manifest);
    host.start();
    assert_eq!(run(&host, &envelope("restart-web"))["state"], "succeeded");
    host.kill();
    host.start();
    assert_refused(&run(&host, &envelope("restart-web")), "interval");
    assert_eq!(host.web.restarts(), 1);
    assert_eq!(
        run(&host, &envelope("restart-php"))["state"],
        "succeeded",
        "each operation has its own interval"
    );
}

#[test]
fn a_service_that_does_not_come_back_is_a_failure_and_says_so() {
    let host = Host::running();
    fs::write(host.web.file("broken"), "").expect("a written file");
    let receipt = run(&host, &envelope("restart-web"));
    assert_eq!(receipt["state"], "failed", "{receipt}");
    assert!(
        ["exit: ", "inactive: "].iter().any(|w| receipt["reason"].as_str().is_some_and(|r| r.starts_with(w))),
        "{receipt}"
    );
    assert_eq!((host.web.pid(), &receipt["exit"]), (None, &json!(1)), "{receipt}");
    assert_eq!(run(&host, &envelope("restart-php"))["state"], "succeeded");
}

#[test]
fn a_service_that_was_down_is_started() {
    let host = Host::running();
    host.web.control("stop");
    assert_eq!(host.web.pid(), None);
    let receipt = run(&host, &envelope("restart-web"));
    assert_eq!((&receipt["state"], &receipt["before"]), (&json!("succeeded"), &json!("")), "{receipt}");
    assert!(host.web.pid().is_some());
}

#[test]
fn a_script_that_restarts_nothing_is_no_success() {
    let host = Host::running();
    let script = host.at("init.d/openlitespeed");
    let lazy =
        fs::read_to_string(&script).expect("a script").replace("    stop\n    start\n", "    exit 0\n");
    fs::write(&script, lazy).expect("a written file");
    let old = host.web.pid();
    let receipt = run(&host, &envelope("restart-web"));
    assert_eq!(receipt["state"], "failed", "{receipt}");
    assert!(receipt["reason"].as_str().is_some_and(|reason| reason.starts_with("unchanged: ")), "{receipt}");
    assert_eq!((&receipt["before"], host.web.pid()), (&receipt["after"], old));
}

#[test]
fn a_service_that_is_not_installed_is_absent() {
    let host = Host::running();
    fs::rename(host.at("init.d/openlitespeed"), host.at("init.d/moved")).expect("a moved file");
    let receipt = run(&host, &envelope("restart-web"));
    assert_eq!(receipt["state"], "failed", "{receipt}");
    assert!(receipt["reason"].as_str().is_some_and(|reason| reason.starts_with("absent: ")), "{receipt}");
    assert_eq!(run(&host, &envelope("restart-php"))["state"], "succeeded");
}

#[test]
fn a_script_that_others_can_write_is_not_run() {
    let host = Host::running();
    let script = host.at("init.d/openlitespeed");
    set_mode(&script, 0o777);
    let receipt = run(&host, &envelope("restart-web"));
    assert_ne!(receipt["state"], "succeeded", "{receipt}");
    assert_eq!(host.web.restarts(), 0);
    set_mode(&script, 0o755);
    let receipt = until("the interval to pass", || {
        let receipt = run(&host, &envelope("restart-web"));
        (!receipt["reason"].as_str().is_some_and(|reason| reason.starts_with("interval: ")))
            .then_some(receipt)
    });
    assert_eq!(receipt["state"], "succeeded", "{receipt}");
}

#[test]
fn a_service_that_keeps_the_scripts_output_open_delays_nothing() {
    let host = Host::running();
    fs::write(host.web.file("keeps_output"), "").expect("a written file");
    let receipt = run(&host, &envelope("restart-web"));
    assert_eq!(receipt["state"], "succeeded", "{receipt}");
    assert!(receipt["duration_ms"].as_u64().is_some_and(|ms| ms < 20_000), "{receipt}");
    assert!(host.web.pid().is_some(), "the new process outlives the operation");
}

#[test]
fn output_without_end_or_with_control_characters_still_ends_in_a_receipt() {
    let host = Host::running();
    let script = host.at("init.d/openlitespeed");
    let loud = fs::read_to_string(&script).expect("a script").replace(
        "    visit\n",
        "    head -c 3000000 /dev/zero | tr '\\000' '\\001'; head -c 300000 /dev/urandom >&2; exit 7\n",
    );
    fs::write(&script, loud).expect("a written file");
    let receipt = run(&host, &envelope("restart-web"));
    assert_eq!((&receipt["state"], &receipt["exit"]), (&json!("failed"), &json!(7)), "{receipt}");
    assert!(
        receipt["reason"].as_str().is_some_and(|reason| reason.starts_with("exit: ") && reason.len() <= 200)
    );
    assert_eq!(run(&host, &envelope("restart-php"))["state"], "succeeded");
}

#[test]
fn while_an_operation_runs_others_are_served_and_its_own_repetition_waits_for_it() {
    let host = Host::running();
    let mut visit = host.web.hold();
    let body = envelope("restart-web").to_string();
    let (first, again) = thread::scope(|scope| {
        let first = scope.spawn(|| host.execute(&body));
        visit.arrival();
        assert_eq!(host.get("/v1/health").status, 200);
        assert_eq!(host.get("/v1/manifest").status, 200);
        let again = scope.spawn(|| host.execute(&body));
        let other = host.execute(&envelope("restart-web").to_string());
        if other.status == 200 {
            assert_eq!(host.receipt(&other)["state"], "refused", "never two at once");
        } else {
            other.error(503);
        }
        visit.release();
        (first.join().expect("an answer"), again.join().expect("an answer"))
    });
    assert_eq!(host.receipt(&first)["state"], "succeeded");
    assert_same_receipt(&first, &again);
    assert_eq!(host.web.restarts(), 1);
}

#[test]
fn a_client_that_gives_up_changes_nothing_for_the_operation() {
    let host = Host::running();
    let mut visit = host.web.hold();
    let body = envelope("restart-web").to_string();
    let (signature, length) = (host.sign(&body), body.len());
    let mut raw = host.raw();
    raw.send(format!("POST /v1/execute HTTP/1.1\r\nHost: a\r\nSecmon-Signature: {signature}\r\nContent-Length: {length}\r\n\r\n{body}").as_bytes());
    visit.arrival();
    drop(raw);
    visit.release();
    let receipt = host.receipt(&host.execute(&body));
    assert_eq!((&receipt["state"], host.web.restarts()), (&json!("succeeded"), 1), "{receipt}");
}

//! One approval after another against the real agent: what runs, what is refused, what comes back.

use secmon_wire::signature::sha256;
use secmon_wire::{Health, OperationId, OutcomeState, Receipt, Unit};

use crate::host::{Agent, Host, Response, SERVICE, Talk, now, post, wait_until};

const WEB: OperationId = OperationId::RestartWeb;

#[test]
fn an_approved_restart_replaces_the_service_and_comes_back_as_a_signed_receipt() {
    let host = Host::new();
    let agent = host.start();
    let first = host.receipt(&agent, &host.envelope(WEB, 1, now()));
    assert_eq!((first.state, first.reason.as_str(), first.exit), (OutcomeState::Succeeded, "", Some(0)));
    assert_eq!((first.seq, first.prev, first.before.as_str()), (1, None, ""));
    let old = host.service_pid().expect("a service");
    assert!(first.after.starts_with(&format!("pid {old} start ")), "{}", first.after);
    assert_eq!(first.unit.as_ref().map(Unit::as_str), Some("lsws"));
    drop(agent);

    // After the interval, which the agent remembers over its own restart.
    let agent = host.start();
    wait_until("the interval is over", || now() >= first.clock + 4);
    let second = host.receipt(&agent, &host.envelope(WEB, 2, now()));
    assert_eq!(second.state, OutcomeState::Succeeded, "{}", second.reason);
    assert_eq!(second.before, first.after);
    assert_ne!(host.service_pid(), Some(old));
    assert_eq!((second.seq, second.prev.is_some(), host.runs()), (2, true, 2));
}

#[test]
fn the_same_envelope_again_gets_the_same_receipt_and_runs_nothing() {
    let host = Host::new();
    let agent = host.start();
    let envelope = host.envelope(WEB, 1, now());
    let first = host.execute(&agent, &envelope);
    assert_eq!(host.execute(&agent, &envelope), first);
    drop(agent);
    let agent = host.start();
    assert_eq!(host.execute(&agent, &envelope), first);
    assert_eq!((host.runs(), first.status), (1, 200));
}

#[test]
fn every_refusal_is_a_signed_receipt_with_its_reason_and_nothing_runs() {
    let host = Host::with_operations(&[(WEB, "lsws", 600)]);
    let agent = host.start();
    let refused = |body: &[u8], reason: &str| {
        let receipt = host.receipt(&agent, body);
        assert_eq!(receipt.state, OutcomeState::Refused, "{reason}");
        assert!(receipt.reason.starts_with(reason), "{} / {reason}", receipt.reason);
        receipt
    };
    refused(&host.envelope(WEB, 1, now() - 302), "stale: ");
    refused(&host.envelope(WEB, 2, now() + 400), "stale: ");
    let unlisted = refused(&host.envelope(OperationId::RestartDb, 3, now()), "unlisted: ");
    assert_eq!(unlisted.unit, None);
    assert_eq!(host.runs(), 0);
    let accepted = host.receipt(&agent, &host.envelope(WEB, 4, now() - 290));
    assert_eq!(accepted.state, OutcomeState::Succeeded);
    refused(&host.envelope(WEB, 5, now()), "interval: ");
    refused(&host.envelope(WEB, 4, now()), "nonce: ");
    // A refusal uses its nonce up as well.
    refused(&host.envelope(WEB, 3, now()), "nonce: ");
    assert_eq!(host.runs(), 1);
}

#[test]
fn what_is_not_from_our_control_plane_or_not_for_us_gets_no_receipt() {
    let host = Host::new();
    let other = Host::new();
    let agent = host.start();
    let envelope = host.envelope(WEB, 1, now());
    let sent = |body: &[u8], signature: &str| {
        let mut tls = agent.connect(host.control());
        tls.send(&post(body, signature));
        let Response { status, body, .. } = tls.receive();
        (status, String::from_utf8(body).expect("text"))
    };
    let forbidden = (403, r#"{"error":"forbidden","v":1}"#.to_owned());
    assert_eq!(sent(&envelope, &other.sign(&envelope)), forbidden);
    assert_eq!(sent(&envelope, &host.sign(&host.envelope(WEB, 2, now()))), forbidden);
    for no_signature in ["", "00", &"0".repeat(128), &host.sign(&envelope).to_uppercase()] {
        assert_eq!(sent(&envelope, no_signature), forbidden, "{no_signature}");
    }
    let elsewhere = host.envelope_for("web2", WEB, 3, now());
    assert_eq!(sent(&elsewhere, &host.sign(&elsewhere)), forbidden);
    for (malformed, code) in [
        (b"".as_slice(), "not-json"),
        (b"{}", "missing-field"),
        (b"{ }", "not-canonical"),
        (b"not json", "not-json"),
        (&[envelope.as_slice(), b"\n"].concat(), "not-canonical"),
    ] {
        let answer = sent(malformed, &host.sign(malformed));
        assert_eq!(answer, (400, format!(r#"{{"error":"{code}","v":1}}"#)));
    }
    assert_eq!(agent.get(host.control(), "/v1/receipts").text(), r#"{"receipts":[],"v":1}"#);
    assert_eq!(host.runs(), 0);
    // The neighbour that is signed as it should be runs.
    assert_eq!(host.receipt(&agent, &envelope).state, OutcomeState::Succeeded);
}

/// As [`SERVICE`], but each run waits for a line on a FIFO first.
pub(crate) fn waiting_service() -> String {
    SERVICE.replace("[ -f", "read -r _ < @DIR@/gate\n[ -f")
}

pub(crate) fn make_gate(host: &Host) {
    let made = std::process::Command::new("mkfifo").arg(host.path("gate")).status().expect("mkfifo");
    assert!(made.success());
}

pub(crate) fn open_gate(host: &Host) {
    std::fs::write(host.path("gate"), "go\n").expect("a line");
}

#[test]
fn while_an_operation_runs_its_envelope_waits_others_are_busy_and_health_is_answered() {
    let host = Host::with_operations(&[(OperationId::RestartPhp, "lsphp", 3), (WEB, "lsws", 3)]);
    make_gate(&host);
    host.write_service(&waiting_service());
    let agent = host.start();
    let envelope = host.envelope(WEB, 1, now());
    let request = post(&envelope, &host.sign(&envelope));
    let (mut one, mut two) = (agent.connect(host.control()), agent.connect(host.control()));
    one.send(&request);
    wait_until("the init script runs", || host.runs() == 1);
    two.send(&request);
    for (nonce, action) in [(2, WEB), (3, OperationId::RestartPhp)] {
        let busy = host.receipt(&agent, &host.envelope(action, nonce, now()));
        assert_eq!(busy.state, OutcomeState::Refused);
        assert!(busy.reason.starts_with("busy: "), "{}", busy.reason);
    }
    let health = Health::read(&agent.get(host.control(), "/v1/health").body).expect("health");
    assert_eq!((health.receipts, health.last_intent), (2, 3));
    open_gate(&host);
    let response = one.receive();
    assert_eq!(two.receive(), response);
    let receipt = host.read_receipt(&response);
    assert_eq!((receipt.state, receipt.seq, host.runs()), (OutcomeState::Succeeded, 3, 1));
}

#[test]
fn a_restart_that_does_not_do_its_work_is_a_failure_with_its_reason() {
    for (script, reason, exit) in [
        (
            "#!/bin/sh\necho starting\necho 'lsws: [emerg] no such port' >&2\nexit 3\n",
            "exit: 3 lsws: [emerg] no such port",
            Some(3),
        ),
        ("#!/bin/sh\nkill -9 $$\n", "exit: signal 9", Some(-9)),
        ("#!/bin/missing\n", "exit: ", None),
    ] {
        let host = Host::new();
        host.write_service(script);
        let agent = host.start();
        let receipt = host.receipt(&agent, &host.envelope(WEB, 1, now()));
        assert_eq!((receipt.state, receipt.exit), (OutcomeState::Failed, exit), "{}", receipt.reason);
        assert!(receipt.reason.starts_with(reason), "{} / {reason}", receipt.reason);
    }
}

#[test]
fn a_service_that_is_not_there_is_absent_and_the_receipt_says_what_is() {
    let host = Host::new();
    std::fs::rename(host.path("init.d/lsws"), host.path("init.d/nginx")).expect("a script");
    let agent = host.start();
    let receipt = host.receipt(&agent, &host.envelope(WEB, 1, now()));
    assert_eq!(receipt.state, OutcomeState::Failed);
    assert!(receipt.reason.starts_with("absent: no "), "{}", receipt.reason);
    assert!(receipt.reason.ends_with("there is: nginx"), "{}", receipt.reason);
    assert_eq!(host.runs(), 0);
}

#[test]
fn an_init_script_that_others_can_write_is_not_run() {
    use std::os::unix::fs::PermissionsExt;
    let host = Host::new();
    let mode = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(host.path("init.d/lsws"), mode).expect("a mode");
    let agent = host.start();
    let receipt = host.receipt(&agent, &host.envelope(WEB, 1, now()));
    assert!(receipt.reason.contains("written by others"), "{}", receipt.reason);
    assert_eq!((receipt.state, host.runs()), (OutcomeState::Failed, 0));
}

/// The bodies of the kept receipts, as the agent lists them.
fn listed(host: &Host, agent: &Agent) -> Vec<String> {
    let response = agent.get(host.control(), "/v1/receipts");
    let text = response.text().strip_prefix(r#"{"receipts":["#).expect("a list").to_owned();
    let text = text.strip_suffix(r#"],"v":1}"#).expect("a list").to_owned();
    text.split(r#"{"body":"#)
        .skip(1)
        .map(|item| item.split(r#","signature":"#).next().unwrap_or_default().into())
        .collect()
}

#[test]
fn kept_receipts_are_listed_in_order_and_chained() {
    let host = Host::new();
    let agent = host.start();
    for nonce in 1..=18 {
        let body = host.envelope(if nonce == 1 { WEB } else { OperationId::RestartDb }, nonce, now());
        assert_eq!(host.receipt(&agent, &body).seq, nonce);
    }
    let bodies = listed(&host, &agent);
    let receipts: Vec<Receipt> =
        bodies.iter().map(|b| Receipt::read(b.as_bytes()).expect("a receipt")).collect();
    // The run stays, the two oldest refusals went.
    let numbers: Vec<u64> = receipts.iter().map(|r| r.seq).collect();
    assert_eq!(numbers, [vec![1], (4..=18).collect()].concat());
    for (before, receipt) in bodies.iter().zip(&receipts).map(|(b, r)| (b, r.seq)).skip(1).zip(&receipts[2..])
    {
        assert_eq!(receipt.seq, before.1 + 1);
        assert_eq!(receipt.prev, Some(sha256(before.0.as_bytes())));
    }
}

#[test]
fn an_envelope_whose_receipt_is_no_longer_kept_is_refused_and_not_run_again() {
    let host = Host::new();
    let agent = host.start();
    let ts = now();
    let first = host.envelope(OperationId::RestartDb, 1, ts);
    assert!(host.receipt(&agent, &first).reason.starts_with("unlisted: "));
    for nonce in 2..=17 {
        host.receipt(&agent, &host.envelope(OperationId::RestartDb, nonce, ts));
    }
    let again = host.receipt(&agent, &first);
    assert!(again.reason.starts_with("nonce: "), "{}", again.reason);
    assert_eq!(again.seq, 18);
}

#[test]
fn nothing_runs_and_nothing_is_answered_when_the_state_cannot_be_written() {
    let host = Host::new();
    let mut agent = host.start();
    // A file size limit fails writes as a broken disk does.
    let limited = std::process::Command::new("prlimit")
        .args(["--fsize=0:0", "--pid", &agent.child.id().to_string()])
        .status();
    let Ok(true) = limited.map(|status| status.success()) else {
        panic!("this test needs prlimit (util-linux)");
    };
    let envelope = host.envelope(WEB, 1, now());
    let mut tls = agent.connect(host.control());
    tls.send(&post(&envelope, &host.sign(&envelope)));
    assert!(tls.try_receive().is_err(), "an answer without a record");
    assert_eq!(agent.child.wait().expect("its end").code(), Some(1));
    let last = agent.log.iter().last().expect("a last line");
    assert!(last.contains("nothing runs without a record"), "{last}");
    assert_eq!(host.runs(), 0);
    // With the disk back, the same envelope is as good as ever.
    let agent = host.start();
    assert_eq!(host.receipt(&agent, &envelope).state, OutcomeState::Succeeded);
}

//! What comes back from a host is proof or it is nothing: lies, silence and noise end as unknown or rejected,
//! never as succeeded, and the genuine agent's receipt settles them later.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use secmon_tests::agent_host::{Answer, Issuer, PATIENCE, Purpose, ed25519, sign};
use secmon_tests::hostile_agent::{Deed, Front, Genuine, HostileAgent, Request, http, unchanged};
use secmon_tests::plane::{OPERATIONS, OWNER, Plane, Site, Totp};
use serde_json::{Value, json};

const RECEIPT_CONTEXT: &[u8] = b"secmon-receipt-v1\0";

/// What becomes of the genuine agent's answer to an envelope.
type Spoil = fn(&Answer, &Keys) -> Deed;

/// Keys that a liar may sign with.
#[derive(Clone)]
struct Keys {
    /// The host's own receipt key.
    own: std::path::PathBuf,
    /// Any other.
    other: std::path::PathBuf,
}

/// A receipt with changes, signed with a key.
fn signed(answer: &Answer, key: &std::path::Path, change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut receipt: Value = serde_json::from_slice(&answer.body).expect("a receipt");
    change(&mut receipt);
    let body = receipt.to_string();
    http(200, Some(&sign(key, &[RECEIPT_CONTEXT, body.as_bytes()].concat())), body.as_bytes())
}

fn genuine_signature(answer: &Answer) -> Option<&str> {
    answer.header("secmon-signature")
}

/// Every way in which an answer to an envelope proves nothing, and what the operator is told.
const SPOILT: &[(&str, &str, Spoil)] = &[
    ("no answer", "no answer: ", |_, _| Deed::Break(Vec::new())),
    ("noise", "no answer: ", |_, _| Deed::Break(b"\x15\x03\x03\x00\x02 noise \r\n\r\n".to_vec())),
    ("half an answer", "no answer: ", |answer, _| {
        let mut bytes = unchanged(answer);
        bytes.truncate(bytes.len() / 2);
        Deed::Break(bytes)
    }),
    ("no receipt", "the receipt is not valid: ", |answer, _| {
        Deed::Send(http(200, genuine_signature(answer), b"<html>200 OK</html>"))
    }),
    ("empty", "the receipt is not valid: ", |answer, _| {
        Deed::Send(http(200, genuine_signature(answer), b""))
    }),
    ("no signature", "the receipt carries no signature", |answer, _| {
        Deed::Send(http(200, None, &answer.body))
    }),
    ("too long", "longer than 1536 bytes", |answer, _| {
        Deed::Send(http(200, genuine_signature(answer), &[b' '; 1537]))
    }),
    ("internal error", "the agent answered 500", |_, _| Deed::Send(http(500, None, b"oops"))),
    ("too busy", "the agent answered 503 (busy)", |_, _| {
        Deed::Send(http(503, None, br#"{"error":"busy","v":1}"#))
    }),
    ("redirection", "the agent answered 307", |_, _| {
        Deed::Send(b"HTTP/1.1 307 T\r\nLocation: https://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n".to_vec())
    }),
    ("another host's key", "the receipt's signature is not the agent's", |answer, keys| {
        Deed::Send(signed(answer, &keys.other, |_| ()))
    }),
    ("succeeded that was failed", "the receipt's signature is not the agent's", |answer, _| {
        let body = String::from_utf8_lossy(&answer.body).replace("\"failed\"", "\"succeeded\"");
        Deed::Send(http(200, genuine_signature(answer), body.as_bytes()))
    }),
    ("failed that was succeeded", "the receipt's signature is not the agent's", |answer, _| {
        let body = String::from_utf8_lossy(&answer.body).replace("\"succeeded\"", "\"failed\"");
        Deed::Send(http(200, genuine_signature(answer), body.as_bytes()))
    }),
    ("another agent", "the receipt's signature is not the agent's", |answer, keys| {
        Deed::Send(signed(answer, &keys.own, |receipt| receipt["agent_id"] = json!("web99")))
    }),
    ("another intent's hash", "the receipt is for another intent", |answer, keys| {
        Deed::Send(signed(answer, &keys.own, |receipt| receipt["intent"]["hash"] = json!("5e".repeat(32))))
    }),
    ("another intent's number", "the receipt is for another intent", |answer, keys| {
        Deed::Send(signed(answer, &keys.own, |receipt| receipt["intent"]["seq"] = json!(1)))
    }),
    ("another nonce", "the receipt is for another intent", |answer, keys| {
        Deed::Send(signed(answer, &keys.own, |receipt| receipt["nonce"] = json!("0123456789abcdef")))
    }),
    ("another action", "the receipt is for another intent", |answer, keys| {
        Deed::Send(signed(answer, &keys.own, |receipt| receipt["action"] = json!("restart-php")))
    }),
    ("another unit", "the receipt is for another intent", |answer, keys| {
        Deed::Send(signed(answer, &keys.own, |receipt| receipt["unit"] = json!("nginx")))
    }),
];

#[test]
fn an_answer_that_proves_nothing_is_unknown_until_the_genuine_agent_is_asked() {
    let mut plane = Plane::new(Totp::Off);
    let other = plane.at("other.key");
    ed25519(&other, &plane.at("other.pub"));
    let mut sieges = Vec::new();
    for (number, (name, told, spoil)) in SPOILT.iter().enumerate() {
        let mut site = plane.site(&format!("client{number}"), &format!("web{number}"), &["restart-web"]);
        if *name == "succeeded that was failed" {
            std::fs::write(site.service("restart-web").file("broken"), "").expect("a written file");
        }
        let keys = Keys { own: site.bundle("receipt.key"), other: other.clone() };
        let liar = HostileAgent::in_front_of(&plane, &mut site, move |request, genuine| {
            let answer = genuine.answer();
            match request.line.as_str() {
                "POST /v1/execute" => spoil(&answer, &keys),
                // Nothing is settled before the genuine agent takes over.
                "GET /v1/receipts" => Deed::Send(http(503, None, b"")),
                _ => Deed::Send(unchanged(&answer)),
            }
        });
        sieges.push((*name, *told, site, liar));
    }
    plane.start();
    for (name, told, site, liar) in &sieges {
        let line = plane.line("restart-web", &site.client);
        let answer = plane.ask(OWNER, line).text().to_owned();
        assert!(answer.starts_with(&format!("? unknown {} restart-web: ", site.client)), "{name}: {answer}");
        assert!(answer.contains(told) && answer.contains("It may have been executed."), "{name}: {answer}");
        assert_eq!(liar.requests().iter().filter(|line| *line == "POST /v1/execute").count(), 1, "{name}");
        let outcome = plane.events("outcome").pop().expect("an outcome");
        assert_eq!((&outcome["state"], &outcome["final"]), (&json!("unknown"), &json!(false)), "{name}");
        assert_eq!(outcome["receipt"], Value::Null, "{name}");
        assert_eq!(site.service("restart-web").restarts(), 1, "{name}");
    }
    let mut sites = Vec::new();
    for (name, _, mut site, liar) in sieges {
        liar.give_way(&mut site);
        sites.push((name, site));
    }
    for (name, site) in &sites {
        let state = if *name == "succeeded that was failed" { "failed" } else { "succeeded" };
        let words = format!("{state} {} restart-web: ", site.client);
        let told = plane.telegram.wait_message(PATIENCE, |message| message.text().contains(&words));
        assert!(told.is_some(), "{name}: nothing says {words}: {}", plane.log());
        let outcomes = plane.events("outcome");
        let last =
            outcomes.iter().rfind(|outcome| outcome["client"] == site.client.as_str()).expect("an outcome");
        assert_eq!((&last["state"], &last["final"]), (&json!(state), &json!(true)), "{name}");
        site.receipt(last);
        assert_eq!(site.service("restart-web").restarts(), 1, "{name}");
    }
    assert_eq!(plane.events("outcome").len(), 2 * SPOILT.len());
    plane.finish();
}

#[test]
fn forged_receipts_settle_nothing_when_the_outcome_is_looked_up_either() {
    let mut plane = Plane::new(Totp::Off);
    let mut site = plane.site("acme", "web1", OPERATIONS);
    let liar = HostileAgent::in_front_of(&plane, &mut site, |request, genuine| {
        let answer = genuine.answer();
        match request.line.as_str() {
            "POST /v1/execute" => Deed::Break(Vec::new()),
            "GET /v1/receipts" => {
                let body = String::from_utf8_lossy(&answer.body).replace("\"succeeded\"", "\"failed\"");
                Deed::Send(http(200, None, body.as_bytes()))
            }
            _ => Deed::Send(unchanged(&answer)),
        }
    });
    plane.start();
    let line = plane.line("restart-web", "acme");
    assert!(plane.ask(OWNER, line).text().starts_with("? unknown acme restart-web: no answer: "));
    plane.wait_log("still unknown: the receipt's signature is not the agent's");
    assert_eq!(plane.events("outcome").len(), 1);
    liar.give_way(&mut site);
    plane.expect("✓ succeeded acme restart-web: ");
    plane.finish();
}

/// What becomes of the genuine answer with a manifest; another agent's manifest is there to be served.
type Swap = fn(&Answer, &[u8]) -> Deed;

/// What a liar serves instead of the manifest, the reason in the record, and what the operator is told.
const FALSE_MANIFESTS: &[(&str, &str, &str, Swap)] = &[
    ("another unit", "manifest-invalid", "its HMAC signature does not match", |answer, _| {
        let edited = String::from_utf8_lossy(&answer.body).replace("\"lsws\"", "\"nginx\"");
        Deed::Send(http(200, None, edited.as_bytes()))
    }),
    ("another interval", "manifest-invalid", "its HMAC signature does not match", |answer, _| {
        let edited =
            String::from_utf8_lossy(&answer.body).replace("\"min_interval_s\":3", "\"min_interval_s\":4");
        Deed::Send(http(200, None, edited.as_bytes()))
    }),
    ("another agent's", "manifest-invalid", "it names another agent or client", |_, others| {
        Deed::Send(http(200, None, others))
    }),
    ("too long", "manifest-invalid", "longer than 4096 bytes", |_, _| {
        Deed::Send(http(200, None, &[b' '; 4097]))
    }),
    ("none", "manifest-invalid", "the agent's manifest is not valid", |_, _| {
        Deed::Send(http(200, None, b"{}"))
    }),
    ("white space in it", "manifest-invalid", "the agent's manifest is not valid", |answer, _| {
        Deed::Send(http(200, None, &[b" ", &answer.body[..]].concat()))
    }),
    ("not found", "unreachable", "the agent answered 404", |_, _| Deed::Send(http(404, None, b""))),
    ("connection closed", "unreachable", "the agent is unreachable (no answer: ", |_, _| {
        Deed::Break(Vec::new())
    }),
    ("noise", "unreachable", "the agent is unreachable (no answer: ", |_, _| {
        Deed::Break(b"noise\r\n\r\n".to_vec())
    }),
    ("silence", "unreachable", "the agent is unreachable (no answer: the deadline passed)", |_, _| {
        Deed::Silence
    }),
];

#[test]
fn a_manifest_that_is_not_what_was_signed_sends_nothing() {
    let mut plane = Plane::new(Totp::Off);
    let stranger = plane.site("stranger", "web99", &["restart-web"]);
    let others = stranger.manifest();
    let mut sieges = Vec::new();
    for (number, (name, reason, told, lie)) in FALSE_MANIFESTS.iter().enumerate() {
        let mut site = plane.site(&format!("client{number}"), &format!("web{number}"), &["restart-web"]);
        let others = others.clone();
        let liar = HostileAgent::in_front_of(&plane, &mut site, move |request, genuine| {
            let answer = genuine.answer();
            if request.line == "GET /v1/manifest" {
                lie(&answer, &others)
            } else {
                Deed::Send(unchanged(&answer))
            }
        });
        sieges.push((*name, *reason, *told, site, liar));
    }
    plane.start();
    for (name, reason, told, site, liar) in &mut sieges {
        assert_rejected(&mut plane, site, name, reason, told);
        assert!(
            !liar.requests().iter().any(|line| line.starts_with("POST")),
            "{name}: {:?}",
            liar.requests()
        );
    }
    for (name, _, _, mut site, liar) in sieges {
        liar.give_way(&mut site);
        assert_accepted(&mut plane, &site, name);
    }
    plane.finish();
}

#[test]
fn whoever_cannot_prove_to_be_the_agent_gets_nothing() {
    let mut plane = Plane::new(Totp::Off);
    let stranger = plane.site("stranger", "web99", &["restart-web"]);
    let issuer = Issuer::new(&plane.at(""), "rogue");
    let name = |number: u32| format!("web{number}.agent.secmon.internal");
    let rogue = issuer.issue(&plane.at(""), "rogue-agent", Purpose::server(&name(1)));
    let fronts = [
        ("another agent's certificate", Front::Certificate(stranger.bundle("agent"))),
        ("a certificate of another authority", Front::Certificate(rogue)),
        ("the control plane's own certificate", Front::Certificate(plane.data("control"))),
        ("no TLS", Front::Plain),
    ];
    plane.start();
    for (number, (name, front)) in fronts.iter().enumerate() {
        let mut site = plane.site(&format!("client{number}"), &format!("web{number}"), &["restart-web"]);
        let liar =
            HostileAgent::presenting(front, &plane, &mut site, |_: &Request, genuine: &Genuine<'_>| {
                Deed::Send(unchanged(&genuine.answer()))
            });
        assert_rejected(&mut plane, &mut site, name, "unreachable", "the agent is unreachable (");
        assert!(!liar.requests().iter().any(|line| line.contains("/v1/")), "{name}: {:?}", liar.requests());
        liar.give_way(&mut site);
        assert_accepted(&mut plane, &site, name);
    }
    plane.finish();
}

#[test]
fn an_agent_that_does_not_listen_is_unreachable_and_nothing_is_sent() {
    let mut plane = Plane::new(Totp::Off);
    let mut site = plane.site("acme", "web1", &["restart-web"]);
    plane.start();
    assert_rejected(&mut plane, &mut site, "nobody", "unreachable", "the agent is unreachable (");
    let status = plane.ask(OWNER, "/status acme");
    assert!(status.text().starts_with("acme web1: "), "{}", status.text());
    assert!(!status.text().contains("up 0 h"), "{}", status.text());
    site.start();
    assert_accepted(&mut plane, &site, "nobody");
    plane.finish();
}

#[test]
fn a_slow_agent_is_waited_for_and_the_operator_hears_that_it_runs() {
    let mut plane = Plane::new(Totp::Off);
    let mut site = plane.site("acme", "web1", &["restart-web"]);
    let _liar = HostileAgent::in_front_of(&plane, &mut site, |request, genuine| {
        let bytes = unchanged(&genuine.answer());
        if request.line == "POST /v1/execute" { Deed::Drip(bytes, 80) } else { Deed::Send(bytes) }
    });
    plane.start();
    let line = plane.line("restart-web", "acme");
    assert!(plane.ask(OWNER, line).text().starts_with("✓ succeeded acme restart-web"));
    let sent = plane.telegram.sent();
    let [running, _outcome] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!(running.text(), "… acme restart-web: lsws on web1");
    assert_eq!(plane.events("outcome").len(), 1);
    plane.finish();
}

/// Takes as long as the control plane waits for an answer, which is the timeout of the operation and more.
#[test]
fn an_agent_that_never_answers_is_given_up_after_its_deadline() {
    let mut plane = Plane::new(Totp::Off);
    let mut site = plane.site("acme", "web1", &["restart-web"]);
    let liar = HostileAgent::in_front_of(&plane, &mut site, |request, genuine| {
        let answer = genuine.answer();
        if request.line == "POST /v1/execute" { Deed::Silence } else { Deed::Send(unchanged(&answer)) }
    });
    plane.start();
    let line = plane.line("restart-web", "acme");
    plane.telegram.text(OWNER, line.to_string());
    let told = |message: &secmon_fake_telegram::SentMessage| message.text().starts_with("? unknown acme");
    let told = plane.telegram.wait_message(3 * PATIENCE, told).expect("an outcome");
    assert!(told.text().contains("no answer: the deadline passed"), "{}", told.text());
    assert_eq!(plane.events("outcome")[0]["state"], "unknown");
    liar.give_way(&mut site);
    let settled =
        |message: &secmon_fake_telegram::SentMessage| message.text().starts_with("✓ succeeded acme");
    assert!(plane.telegram.wait_message(PATIENCE, settled).is_some(), "{}", plane.log());
    assert_eq!(site.service("restart-web").restarts(), 1);
    plane.finish();
}

#[test]
fn what_the_hosts_own_manifest_does_not_list_is_refused_there_whatever_is_served_and_sent() {
    let mut plane = Plane::new(Totp::Off);
    let mut site = plane.site("acme", "web1", OPERATIONS);
    let former = site.manifest();
    site.install_manifest(&plane, |body| {
        let operations = body["operations"].as_array_mut().expect("a list");
        operations.retain(|operation| operation["action"] != "restart-web");
        body["seq"] = json!(2);
    });
    let _liar =
        HostileAgent::in_front_of(&plane, &mut site, move |request, genuine| match request.line.as_str() {
            "GET /v1/manifest" => Deed::Send(http(200, None, &former)),
            _ => Deed::Send(unchanged(&genuine.answer())),
        });
    plane.start();
    let line = plane.line("restart-web", "acme");
    let answer = plane.ask(OWNER, line);
    assert!(answer.text().starts_with("✗ refused acme restart-web: unlisted: "), "{}", answer.text());
    let outcome = &plane.events("outcome")[0];
    assert_eq!((&outcome["state"], &outcome["final"]), (&json!("refused"), &json!(true)));
    site.receipt(outcome);
    assert_eq!(site.service("restart-web").restarts(), 0);
    let line = plane.line("restart-php", "acme");
    assert!(plane.ask(OWNER, line).text().starts_with("✓ succeeded acme restart-php"));
    plane.finish();
}

#[test]
fn a_hosts_own_refusals_and_failures_are_told_in_its_words() {
    let (mut plane, site) = Plane::running(Totp::Off);
    let mut visit = site.service("restart-web").hold();
    let line = plane.line("restart-web", "acme");
    plane.telegram.text(OWNER, line.to_string());
    visit.arrival();
    let line = plane.line("restart-php", "acme");
    let busy = plane.ask(OWNER, line).text().to_owned();
    assert!(busy.starts_with("✗ refused acme restart-php: busy: another operation is under way"), "{busy}");
    visit.release();
    plane.expect("✓ succeeded acme restart-web: ");
    drop(visit);
    let line = plane.line("restart-php", "acme");
    assert!(plane.ask(OWNER, line).text().starts_with("✓ succeeded acme restart-php: "));
    let line = plane.line("restart-php", "acme");
    let again = plane.ask(OWNER, line).text().to_owned();
    assert!(again.starts_with("✗ refused acme restart-php: interval: possible again in "), "{again}");
    std::fs::write(site.service("restart-db").file("broken"), "").expect("a written file");
    let line = plane.line("restart-db", "acme");
    let failed = plane.ask(OWNER, line).text().to_owned();
    assert!(failed.starts_with("✗ failed acme restart-db: exit: 1 the service does not come up"), "{failed}");
    let states: Vec<Value> = plane.events("outcome").iter().map(|outcome| outcome["state"].clone()).collect();
    assert_eq!(states, ["refused", "succeeded", "succeeded", "refused", "failed"]);
    plane.events("outcome").iter().for_each(|outcome| drop(site.receipt(outcome)));
    plane.finish();
}

#[test]
fn a_connection_that_closes_before_the_envelope_never_runs_anything_twice() {
    let mut plane = Plane::new(Totp::Off);
    let mut site = plane.site("acme", "web1", OPERATIONS);
    // Says that it keeps the connection, and closes it after the first answer on it.
    let lies = Arc::new(AtomicBool::new(true));
    let lying = Arc::clone(&lies);
    let _liar = HostileAgent::in_front_of(&plane, &mut site, move |request, genuine| {
        let bytes = unchanged(&genuine.answer());
        if request.line == "GET /v1/manifest" && lying.load(Ordering::SeqCst) {
            Deed::Break(bytes)
        } else {
            Deed::Send(bytes)
        }
    });
    plane.start();
    for action in OPERATIONS {
        let line = plane.line(action, "acme");
        let answer = plane.ask(OWNER, line).text().to_owned();
        // An envelope may have left on the dying connection: then nobody can know, and it is never sent again.
        let known = answer.starts_with("✓ succeeded") || answer.starts_with("? unknown");
        assert!(known, "{action}: {answer}");
        lies.store(false, Ordering::SeqCst);
        assert!(site.service(action).restarts() <= 1, "{action}");
    }
    plane.finish();
}

/// Nothing was sent, nothing ran, and the record says why.
fn assert_rejected(plane: &mut Plane, site: &mut Site, name: &str, reason: &str, told: &str) {
    let before = site.services();
    let line = plane.line("restart-web", &site.client);
    let answer = plane.ask(OWNER, &line).text().to_owned();
    assert!(answer.starts_with(&format!("✗ rejected {} restart-web: ", site.client)), "{name}: {answer}");
    assert!(answer.contains(told), "{name}: {answer}");
    let record = plane.events("rejected").pop().expect("a rejection");
    assert_eq!((&record["reason"], &record["nonce"]), (&json!(reason), &json!(line.nonce)), "{name}");
    assert!(!plane.events("intent").iter().any(|intent| intent["client"] == site.client.as_str()), "{name}");
    assert_eq!(site.services(), before, "{name}");
}

/// The genuine agent at the same address does what is approved.
fn assert_accepted(plane: &mut Plane, site: &Site, name: &str) {
    let line = plane.line("restart-web", &site.client);
    let answer = plane.ask(OWNER, line).text().to_owned();
    assert!(answer.starts_with(&format!("✓ succeeded {} restart-web: ", site.client)), "{name}: {answer}");
    assert_eq!(site.service("restart-web").restarts(), 1, "{name}");
}

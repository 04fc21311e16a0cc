//! Every gate between a message and a service: what it refuses, for every action there is, and that the same
//! message without the flaw passes. One table drives it all.

mod gate_table;

use gate_table::{Case, GATES, Gate, Read, Verdict, is_on_a_host};
use secmon_fake_telegram::{Form, Incoming};
use secmon_tests::agent_host::{nonce, now};
use secmon_tests::plane::{ALLOWED_CHAT, Line, OPERATIONS, OWNER, Plane, STRANGER, Site, Totp};
use secmon_wire::ActionId;
use serde_json::{Value, json};

#[test]
fn without_codes_every_gate_refuses_every_action_and_its_neighbour_passes() {
    every_gate(Totp::Off);
}

#[test]
fn with_codes_every_gate_refuses_every_action_and_its_neighbour_passes() {
    every_gate(Totp::On);
}

/// Three clients: acme, where everything that can run on a host would run; bare, whose host serves a genuine
/// manifest that lists nothing; idle, without hosts.
fn every_gate(totp: Totp) {
    let (mut plane, acme) = Plane::running(totp);
    let mut bare = plane.site("bare", "bare1", OPERATIONS);
    bare.install_manifest(&plane, |body| {
        body["operations"] = json!([]);
        body["seq"] = json!(2);
    });
    bare.start();
    plane.client("idle");
    plane.assert_quiet();
    plane.new_audit();
    let untouched = (acme.services(), bare.services());
    for action in ActionId::ALL {
        for gate in GATES.iter().filter(|gate| (gate.applies)(totp, *action)) {
            let context = format!("{}, {action}, codes {totp:?}", gate.name);
            refused(&mut plane, gate, *action, &context);
            assert_eq!((acme.services(), bare.services()), untouched, "{context}");
        }
    }
    assert_eq!(plane.events("intent"), Vec::<Value>::new());
    for action in ActionId::ALL {
        if is_on_a_host(*action) {
            executed(&mut plane, &acme, *action);
        }
    }
    assert_eq!(bare.services(), untouched.1);
    plane.finish();
}

/// A message with the flaw, and then the same one without.
fn refused(plane: &mut Plane, gate: &Gate, action: ActionId, context: &str) {
    let operator = plane.new_operator();
    let line = plane.line(action.as_str(), "acme");
    let mut case = Case { incoming: Incoming::new(operator, ""), line, text: None };
    let mut neighbour = case.line.clone();
    (gate.flaw)(plane, &mut case);
    plane.new_audit();
    case.incoming.text = case.text.clone().unwrap_or_else(|| case.line.to_string());
    match gate.verdict {
        Verdict::Silence(reason) => {
            plane.telegram.receive(&case.incoming);
            plane.assert_quiet();
            let sender = match case.incoming.form {
                Form::Channel => case.incoming.chat_id(),
                _ => case.incoming.from,
            };
            let record = only(plane.new_audit(), context);
            let expected = json!({"event": "ignored", "sender": sender, "reason": reason, "count": 1});
            assert_eq!(unsealed(record), expected, "{context}");
        }
        Verdict::Rejection(reason, words, read) => {
            let answer = plane.send(&case.incoming).text().to_owned();
            assert!(answer.starts_with("✗ rejected") && answer.contains(words), "{context}: {answer}");
            assert_rejected(plane, operator, &case.line, reason, read, context);
        }
    }
    // What was refused before the claim has used up neither nonce nor code. What was used up is replaced.
    let claimed = matches!(gate.verdict, Verdict::Rejection("no-zone" | "not-offered" | "not-listed", ..));
    if claimed || matches!(gate.verdict, Verdict::Rejection("nonce-replay", ..)) {
        neighbour.nonce = nonce();
    }
    if claimed || matches!(gate.verdict, Verdict::Rejection("otp-replay" | "nonce-replay", ..)) {
        neighbour.otp = neighbour.otp.map(|_| plane.codes().at(now() + 30));
    }
    "idle".clone_into(&mut neighbour.client);
    passes(plane, operator, &neighbour, context);
}

/// The line goes through every gate up to the look for a host or a zone, which its client doesn't have.
fn passes(plane: &mut Plane, operator: i64, line: &Line, context: &str) {
    let (reason, words) = if OPERATIONS.contains(&line.action.as_str()) {
        ("not-offered", "no server of this client offers this action")
    } else {
        ("no-zone", "this client has no zone at Cloudflare; `secmon cloudflare add` makes one known")
    };
    let answer = plane.ask(operator, line).text().to_owned();
    assert_eq!(answer, format!("✗ rejected idle {}: {words}", line.action), "{context}: {line}");
    assert_rejected(plane, operator, line, reason, Read::All, context);
}

/// The one new record is a rejection of this line for this reason.
fn assert_rejected(plane: &mut Plane, operator: i64, line: &Line, reason: &str, read: Read, context: &str) {
    let mut record = unsealed(only(plane.new_audit(), context));
    let detail = record.as_object_mut().and_then(|record| record.remove("detail"));
    let detail = detail.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned();
    assert!(!detail.is_empty(), "{context}: {record}");
    if let Some(otp) = &line.otp {
        assert!(!detail.contains(otp.as_str()), "{context}: {detail}");
    }
    let mut expected = json!({
        "event": "rejected", "operator": operator, "reason": reason, "transport": "telegram", "via": "line",
    });
    if read != Read::Nothing {
        expected["client"] = line.client.clone().into();
        expected["nonce"] = line.nonce.clone().into();
    }
    if read == Read::All {
        expected["action"] = line.action.clone().into();
    }
    assert_eq!(record, expected, "{context}");
}

/// An approval without a flaw: the service is a new process, and the host signed that it is.
fn executed(plane: &mut Plane, site: &Site, action: ActionId) {
    let operator = plane.new_operator();
    let service = site.service(action.as_str());
    let (old, restarts) = (service.pid().expect("a running service"), service.restarts());
    let mut line = plane.line(action.as_str(), "acme");
    let answer = plane.ask(operator, &line).text().to_owned();
    assert!(answer.starts_with(&format!("✓ succeeded acme {action}: ")), "{answer}");
    let new = service.pid().expect("a running service");
    assert!(new != old && service.restarts() == restarts + 1, "{action}: {old} → {new}");
    let records = plane.new_audit();
    let [intent, outcome] = &records[..] else { panic!("{action}: {records:?}") };
    let said = |record: &Value| {
        ["event", "action", "agent", "client", "nonce", "operator"].map(|key| record[key].clone())
    };
    let expected = |event: &str| {
        [
            json!(event),
            json!(action.as_str()),
            json!("web1"),
            json!("acme"),
            json!(line.nonce),
            json!(operator),
        ]
    };
    assert_eq!((said(intent), said(outcome)), (expected("intent"), expected("outcome")));
    assert_eq!((&intent["via"], &intent["chat"]), (&json!("line"), &json!(operator)));
    assert_eq!(outcome["intent"], json!({"hash": intent["record_hash"], "seq": intent["seq"]}));
    assert_eq!((&outcome["state"], &outcome["final"]), (&json!("succeeded"), &json!(true)));
    let receipt = site.receipt(outcome);
    assert_eq!((&receipt["state"], &receipt["unit"]), (&json!("succeeded"), &intent["unit"]));
    assert_ne!(receipt["before"], receipt["after"]);
    let instance = |key: &str| receipt[key].as_str().expect("an instance").to_owned();
    assert!(
        answer.ends_with(&format!("\nold {}\nnew {}", instance("before"), instance("after"))),
        "{answer}"
    );
    // The same line again, with a code that is still good.
    line.otp = line.otp.map(|_| plane.codes().at(now() + 30));
    let answer = plane.ask(operator, &line).text().to_owned();
    assert_eq!(answer, format!("✗ rejected acme {action}: replay: this nonce was used before"));
    assert_rejected(plane, operator, &line, "nonce-replay", Read::All, action.as_str());
    assert_eq!((service.pid(), service.restarts()), (Some(new), restarts + 1));
}

#[test]
fn in_an_allowed_group_an_operator_is_heard_and_answered_there() {
    let (mut plane, site) = Plane::running(Totp::Off);
    let old = site.service("restart-web").pid();
    let line = plane.line("restart-web", "acme");
    let answer = plane.send(&Incoming::new(OWNER, line.to_string()).in_chat(ALLOWED_CHAT));
    assert!(answer.text().starts_with("✓ succeeded acme restart-web"), "{}", answer.text());
    assert_ne!(site.service("restart-web").pid(), old);
    assert_eq!(plane.events("intent")[0]["chat"], ALLOWED_CHAT);
    // Words in the group's own name are nobody's words.
    let line = plane.line("restart-php", "acme");
    let anonymous = Incoming::new(OWNER, line.to_string()).in_chat(ALLOWED_CHAT).form(Form::Anonymous);
    plane.telegram.receive(&anonymous);
    plane.assert_quiet();
    assert_eq!(site.service("restart-php").restarts(), 0);
    plane.finish();
}

#[test]
fn five_wrong_codes_lock_an_operator_out_also_after_a_restart_and_nobody_else() {
    let (mut plane, site) = Plane::running(Totp::On);
    let operator = plane.new_operator();
    let untouched = site.services();
    for attempt in 1..=5 {
        let mut line = plane.line("restart-web", "acme");
        line.otp = Some(plane.codes().wrong(now()));
        let answer = plane.ask(operator, line).text().to_owned();
        assert_eq!(answer, "✗ rejected acme restart-web: wrong otp", "attempt {attempt}");
    }
    let line = plane.line("restart-web", "acme");
    let locked = "locked out after wrong codes; 15 min left";
    assert_eq!(plane.ask(operator, line).text(), format!("✗ rejected acme restart-web: {locked}"));
    plane.kill();
    plane.start();
    let line = plane.line("restart-php", "acme");
    assert_eq!(plane.ask(operator, line).text(), format!("✗ rejected acme restart-php: {locked}"));
    assert_eq!(site.services(), untouched);
    let reasons: Vec<Value> =
        plane.events("rejected").iter().map(|record| record["reason"].clone()).collect();
    let mut expected = vec![json!("otp-wrong"); 5];
    expected.extend([json!("locked-out"), json!("locked-out")]);
    assert_eq!(reasons, expected);
    let line = plane.line("restart-web", "acme");
    let answer = plane.ask(OWNER, line);
    assert!(answer.text().starts_with("✓ succeeded"), "{}", answer.text());
    plane.finish();
}

#[test]
fn a_prepared_line_is_approved_by_six_digits_in_answer_to_it_and_by_nothing_else() {
    let (mut plane, site) = Plane::running(Totp::On);
    let prepared = plane.ask(OWNER, "/prepare restart-web acme");
    let line = prepared.text().lines().find(|line| line.starts_with("APPROVE: restart-web acme otp= nonce="));
    let line = line.unwrap_or_else(|| panic!("no line: {}", prepared.text())).to_owned();
    let button = &prepared.buttons()[0];
    assert_eq!(button["copy_text"]["text"], line.as_str(), "{button}");
    let block = prepared.first.entities.iter().any(|entity| format!("{entity:?}").contains("\"pre\""));
    assert!(block, "a block to tap and copy: {:?}", prepared.first.entities);
    // Digits that answer nothing approve nothing; nor does anything but six digits in answer.
    let code = plane.codes().at(now());
    assert_eq!(plane.ask(OWNER, &code).text(), "I don't know that. /help");
    let in_answer = |text: &str| Incoming::new(OWNER, text).reply_to(prepared.message_id);
    for text in ["12345", "1234567", "yes", "12 34 56"] {
        assert_eq!(plane.send(&in_answer(text)).text(), "I don't know that. /help");
    }
    let wrong = plane.codes().wrong(now());
    assert_eq!(plane.send(&in_answer(&wrong)).text(), "✗ rejected acme restart-web: wrong otp");
    assert_eq!(site.service("restart-web").restarts(), 0);
    let answer = plane.send(&in_answer(&code));
    assert!(answer.text().starts_with("✓ succeeded acme restart-web"), "{}", answer.text());
    assert_eq!(site.service("restart-web").restarts(), 1);
    let intent = &plane.events("intent")[0];
    assert_eq!(intent["via"], "reply");
    assert!(line.contains(intent["nonce"].as_str().expect("a nonce")));
    let code = plane.codes().at(now() + 30);
    let again = plane.send(&in_answer(&code));
    assert_eq!(again.text(), "✗ rejected acme restart-web: replay: this nonce was used before");
    assert_eq!(plane.events("rejected").last().expect("a rejection")["via"], "reply");
    assert_eq!(site.service("restart-web").restarts(), 1);
    plane.finish();
}

#[test]
fn commands_answer_operators_and_nobody_else() {
    let (mut plane, _site) = Plane::running(Totp::Off);
    for (command, words) in [
        ("/help", "APPROVE: <action> <client> nonce=<16 hex> ts=<epoch>"),
        ("/start", "Actions: restart-web, restart-php"),
        ("/whoami", "You are 1000."),
        ("/clients", "web1: restart-db → postgresql, restart-php → lsphp, restart-web → lsws"),
        ("/status", "acme web1: up 0 h"),
        ("/status acme", "acme web1: up 0 h"),
        ("/status nobody", "Unknown client; /clients lists them."),
        ("/status acme more", "Use: /status [client]"),
        ("/prepare restart-web acme", "\nAPPROVE: restart-web acme nonce="),
        ("/prepare restart-web", "Use: /prepare <action> <client>"),
        ("/prepare restart-all acme", "Unknown action; /help lists them."),
        ("/help@secmon_bot", "APPROVE: "),
        ("hello", "I don't know that. /help"),
    ] {
        let answer = plane.ask(OWNER, command);
        assert!(answer.text().contains(words), "{command}: {}", answer.text());
        plane.telegram.text(STRANGER, command);
    }
    plane.assert_quiet();
    assert_eq!(plane.telegram.sent_to(STRANGER), []);
    let ignored = plane.events("ignored");
    assert_eq!(ignored.len(), 1, "one record a minute: {ignored:?}");
    plane.wait_log(&format!("message of {STRANGER} in chat {STRANGER} ignored"));
    plane.finish();
}

#[test]
fn the_console_goes_through_the_same_gates() {
    let (mut plane, site) = Plane::running(Totp::On);
    let line = plane.line("restart-web", "acme");
    assert_eq!(plane.console(STRANGER, &[line.to_string(), "/help".to_owned()]), "");
    let without_code = Line { otp: None, ..line.clone() };
    let said = plane.console(OWNER, &[without_code.to_string(), "/whoami".to_owned()]);
    assert_eq!(said, "✗ rejected acme restart-web: otp=<6 digits> is missing\nYou are 1000.\n");
    assert_eq!(site.service("restart-web").restarts(), 0);
    let said = plane.console(OWNER, &[line.to_string()]);
    assert!(said.starts_with("✓ succeeded acme restart-web: "), "{said}");
    assert_eq!(site.service("restart-web").restarts(), 1);
    assert_eq!(plane.events("intent")[0]["transport"], "console");
    // What was used up at the console is used up in the chat.
    let operator = plane.new_operator();
    let answer = plane.ask(operator, &line).text().to_owned();
    assert_eq!(answer, "✗ rejected acme restart-web: replay: this nonce was used before");
    assert_eq!(plane.events("ignored").len(), 1);
    plane.finish();
}

fn only(mut records: Vec<Value>, context: &str) -> Value {
    assert_eq!(records.len(), 1, "{context}: {records:#?}");
    records.remove(0)
}

/// A record without what every record has.
fn unsealed(mut record: Value) -> Value {
    if let Some(record) = record.as_object_mut() {
        for key in ["seq", "ts", "prev_hash", "record_hash"] {
            assert!(record.remove(key).is_some(), "no {key}: {record:?}");
        }
    }
    record
}

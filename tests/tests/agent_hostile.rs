//! A hostile control plane, from outside: its keys are in the wrong hands, and it gets no more than the manifest says.

use std::collections::BTreeSet;
use std::thread;

use secmon_tests::agent_host::{Answer, Host, envelope, now, sha256, text, until};
use serde_json::{Value, json};

const ACTIONS: [&str; 3] = ["restart-web", "restart-php", "restart-db"];

fn run(host: &Host, envelope: &Value) -> Value {
    host.receipt(&host.execute(&envelope.to_string()))
}

fn with(envelope: &Value, field: &str, value: impl Into<Value>) -> Value {
    let mut changed = envelope.clone();
    changed[field] = value.into();
    changed
}

fn restarts(host: &Host) -> [usize; 3] {
    [host.web.restarts(), host.php.restarts(), host.db.restarts()]
}

fn receipts(host: &Host) -> Vec<Value> {
    let answer = host.get("/v1/receipts").canonical();
    answer["receipts"].as_array().expect("a list").clone()
}

/// The first word of a refusal's reason; a run's state.
fn word(receipt: &Value) -> String {
    if receipt["state"] != "refused" {
        return receipt["state"].as_str().expect("a state").to_owned();
    }
    let reason = receipt["reason"].as_str().expect("a reason");
    reason.split(": ").next().expect("a word").to_owned()
}

/// Sends bodies with their right signatures on one connection, one after the other.
fn send_all(host: &Host, bodies: &[String]) -> Vec<Answer> {
    let mut raw = host.raw();
    let answer = |body: &String| {
        raw.send(&host.order(body.as_bytes()));
        raw.answer()
    };
    bodies.iter().map(answer).collect()
}

/// What a hostile control plane writes where the agent expects something else.
fn hostile_values() -> Vec<Value> {
    let words = [
        "",
        " ",
        "nginx",
        "nginx.service",
        "sshd",
        "restart-ssh",
        "restart-web ",
        " restart-web",
        "Restart-Web",
        "RESTART-WEB",
        "restart-web\0",
        "restart-web\0.service",
        "restart-web\n",
        "restart-web;reboot",
        "restart-web $(reboot)",
        "`reboot`",
        "|reboot",
        "-h",
        "--help",
        "restart-web --force",
        "/bin/sh",
        "../../../../bin/sh",
        "..",
        "/etc/passwd",
        "/proc/self/exe",
        "%s%s%n",
        "restart\u{2011}web",
        "ｒestart-web",
        "restart-we\u{0431}",
        "\u{202e}bew-tratser",
        "\u{feff}restart-web",
        "restart-web\u{0301}",
        "😀",
        "\u{7f}",
        "null",
        "web1/../web2",
        "web1.",
        "WEB1",
        "5e",
        "5E5E5E5E5E5E5E5E",
        "0x00000000000001",
        "0000000000000001 ",
        "١٢٣٤٥٦٧٨٩٠١٢٣٤٥٦",
    ];
    let long = "a".repeat(200);
    let mut values: Vec<Value> = words.map(Value::from).into();
    values.extend([
        json!(long),
        json!("a".repeat(33)),
        Value::Null,
        json!(true),
        json!(-1),
        json!(0),
        json!(1.5),
    ]);
    values.extend([json!(u64::MAX), json!(i64::MIN), json!(9_007_199_254_740_992_u64), json!(1e300)]);
    values.extend([json!([]), json!({}), json!(["restart-web"]), json!({"unit": "sshd"})]);
    values
}

/// An honest envelope with one thing wrong in its bytes, which no JSON library would write.
fn hostile_bytes() -> Vec<Vec<u8>> {
    let honest = || envelope("restart-web").to_string();
    let replaced = |from: &str, to: &str| {
        let bytes = honest().replacen(from, to, 1);
        assert_ne!(bytes.len(), honest().len(), "{from}");
        bytes.into_bytes()
    };
    let mut invalid = replaced("restart-web", "restart-web!");
    let position = invalid.iter().position(|byte| *byte == b'!').expect("the mark");
    invalid[position] = 0xff;
    let mut truncated = honest().into_bytes();
    truncated.pop();
    let mut raw_nul = replaced("restart-web", "restart-web!");
    raw_nul[position] = 0;
    vec![
        invalid,
        raw_nul,
        truncated,
        replaced("restart-web", r"\u0072estart-web"),
        replaced("restart-web", r"restart-web\u0000"),
        replaced("restart-web", r"restart-web\/"),
        replaced("{", "{ "),
        replaced("{", "\u{feff}{"),
        replaced("{", "[{"),
        replaced("\"v\":1", "\"v\":1,\"v\":1"),
        replaced("\"v\":1", "\"v\":01"),
        replaced("\"v\":1", "\"v\":1.0"),
        replaced("\"v\":1", "\"v\":1e0"),
        replaced("\"v\":1", "\"v\":+1"),
        replaced("\"action\":\"restart-web\"", "\"action\":\"restart-web\",\"action\":\"restart-db\""),
        [honest().as_bytes(), b"\n"].concat(),
        [honest().as_bytes(), b"\0"].concat(),
        [honest().as_bytes(), honest().as_bytes()].concat(),
        [b"\0", honest().as_bytes()].concat(),
        "[".repeat(500).into_bytes(),
        "{\"a\":".repeat(80).into_bytes(),
        vec![0; 512],
        vec![0xff; 512],
        b"null".to_vec(),
        b"\"restart-web\"".to_vec(),
    ]
}

/// 400, or a signed refusal: whatever is in a signed envelope, it is one of the two.
fn assert_goes_nowhere(host: &Host, answer: &Answer, what: &str) {
    match answer.status {
        400 | 403 => assert!(!answer.error(answer.status).is_empty(), "{what}"),
        200 => assert_eq!(host.receipt(answer)["state"], "refused", "{what}"),
        other => panic!("{other} for {what}"),
    }
}

#[test]
fn whatever_stands_in_a_field_of_a_signed_envelope_goes_nowhere() {
    let host = Host::running();
    let (monitor, network) = (host.monitor(), host.network());
    let mut bodies = BTreeSet::new();
    for value in hostile_values() {
        for field in ["action", "agent_id", "nonce", "ts", "v", "intent"] {
            let honest = envelope("restart-web");
            if honest[field] != value {
                bodies.insert(with(&honest, field, value.clone()).to_string());
            }
        }
        for field in ["hash", "seq"] {
            let mut changed = envelope("restart-web");
            // Any number below 2^53 is a record's, and is bound and not looked at.
            changed["intent"][field] = value.clone();
            if field == "hash" || value.as_u64().is_none_or(|number| number >= 1 << 53) {
                bodies.insert(changed.to_string());
            }
        }
        for field in ["unit", "argv", "command", "env", "a", "zz", "restart-web", "V"] {
            bodies.insert(with(&envelope("restart-web"), field, value.clone()).to_string());
        }
        let mut changed = envelope("restart-web");
        changed["intent"]["unit"] = value;
        bodies.insert(changed.to_string());
    }
    for field in ["action", "agent_id", "nonce", "ts", "v", "intent"] {
        let mut cut = envelope("restart-web");
        cut.as_object_mut().expect("an object").remove(field);
        bodies.insert(cut.to_string());
    }
    let fits = |body: &String| body.len() <= 512;
    let bodies: Vec<String> = bodies.into_iter().filter(fits).collect();
    assert!(bodies.len() > 800, "{}", bodies.len());
    thread::scope(|scope| {
        for part in bodies.chunks(bodies.len().div_ceil(4)) {
            scope.spawn(|| {
                for (body, answer) in part.iter().zip(send_all(&host, part)) {
                    assert_goes_nowhere(&host, &answer, body);
                }
            });
        }
    });
    let mut raw = host.raw();
    for body in hostile_bytes() {
        raw.send(&host.order(&body));
        assert_goes_nowhere(&host, &raw.answer(), &text(&body));
    }
    assert_eq!(restarts(&host), [0; 3]);
    for kept in receipts(&host) {
        assert_eq!(kept["body"]["state"], "refused", "{kept}");
    }
    assert_eq!((host.monitor(), host.network()), (monitor, network), "neither has ended");
    assert_eq!(run(&host, &envelope("restart-web"))["state"], "succeeded");
    assert_eq!(restarts(&host), [1, 0, 0]);
}

#[test]
fn a_control_plane_gone_wild_gets_one_run_per_interval_and_a_receipt_for_each_envelope() {
    const CONNECTIONS: usize = 4;
    const EACH: usize = 24;
    let mut host = Host::installed();
    let mut manifest = host.manifest();
    manifest["operations"] = json!([
        {"action": "restart-php", "min_interval_s": 3600, "unit": "lsphp"},
        {"action": "restart-web", "min_interval_s": 3600, "unit": "openlitespeed"},
    ]);
    host.install_manifest(&manifest);
    host.start();
    let storm = |_| {
        let bodies: Vec<String> = (0..EACH).map(|i| envelope(ACTIONS[i % 3]).to_string()).collect();
        send_all(&host, &bodies)
    };
    let mut answers: Vec<Answer> = thread::scope(|scope| {
        let parts: Vec<_> = (0..CONNECTIONS).map(|i| scope.spawn(move || storm(i))).collect();
        parts.into_iter().flat_map(|part| part.join().expect("answers")).collect()
    });
    // Each is verified by openssl on the way.
    let number = |answer: &Answer| host.receipt(answer)["seq"].as_u64().expect("a number");
    answers.sort_by_cached_key(number);
    let mut prev = String::new();
    let mut words = Vec::new();
    for (answer, seq) in answers.iter().zip(1..) {
        let receipt = answer.canonical();
        assert_eq!((&receipt["seq"], &receipt["prev"]), (&json!(seq), &json!(prev)), "one unbroken chain");
        prev = sha256(&answer.body);
        words.push((receipt["action"].as_str().expect("an action").to_owned(), word(&receipt)));
    }
    assert_eq!(words.len(), CONNECTIONS * EACH);
    let count =
        |action: &str, word: &str| words.iter().filter(|w| **w == (action.into(), word.into())).count();
    for action in ["restart-web", "restart-php"] {
        assert_eq!(count(action, "succeeded"), 1, "{words:?}");
        // So many in one second are more than there are places for nonces; then all are as if used.
        let refused = ["interval", "busy", "nonce"].map(|word| count(action, word));
        assert_eq!(refused.iter().sum::<usize>(), CONNECTIONS * EACH / 3 - 1, "{words:?}");
    }
    let refused = count("restart-db", "unlisted") + count("restart-db", "nonce");
    assert_eq!(refused, CONNECTIONS * EACH / 3, "{words:?}");
    assert_eq!(restarts(&host), [1, 1, 0]);
}

#[test]
fn two_runs_of_an_operation_are_an_interval_apart_however_hard_it_is_tried() {
    let host = Host::running();
    let mut runs = Vec::new();
    until("three runs", || {
        let receipt = run(&host, &envelope("restart-web"));
        match word(&receipt).as_str() {
            "succeeded" => runs.push(receipt),
            "interval" => {}
            _ => panic!("{receipt}"),
        }
        (runs.len() == 3).then_some(())
    });
    // The receipt's clock is of the end of a run, and its duration tells the beginning, in whole seconds.
    let begun = |receipt: &Value| {
        let number = |name: &str| receipt[name].as_u64().expect("a number");
        number("clock") * 1000 - number("duration_ms")
    };
    for pair in runs.windows(2) {
        assert!(begun(&pair[1]) - begun(&pair[0]) >= 2_000, "{runs:?}");
    }
    assert_eq!(host.web.restarts(), 3);
}

#[test]
fn floods_of_signed_envelopes_make_no_second_run_and_hide_none() {
    const EACH: u64 = 120;
    let host = Host::running();
    let order = envelope("restart-web");
    let first = host.execute(&order.to_string());
    let ran = host.receipt(&first);
    assert_eq!(ran["state"], "succeeded");
    let at = now();
    let stamped = |action: &str, ts: u64| with(&envelope(action), "ts", ts).to_string();
    // The run's own nonce and time stamp under other bodies, old time stamps, and the edge of freshness.
    let same_nonce =
        |i| with(&with(&order, "intent", json!({"hash": "5e".repeat(32), "seq": i + 2})), "v", 1);
    let old: Vec<String> = (0..EACH).map(|i| stamped("restart-web", 1 + i)).collect();
    let hour: Vec<String> = (0..EACH).map(|i| stamped("restart-web", at - 3_600 - i)).collect();
    let copies: Vec<String> = (0..EACH).map(|i| same_nonce(i).to_string()).collect();
    let refused = |bodies: &[String], words: &[&str]| {
        let answers = send_all(&host, bodies);
        assert_eq!(answers.len(), bodies.len());
        for receipt in answers.iter().map(Answer::canonical) {
            assert!(words.contains(&word(&receipt).as_str()), "{receipt}");
        }
    };
    let is_known = || {
        let kept = receipts(&host);
        assert!(kept.iter().any(|kept| kept["body"] == ran), "the receipt of the run is still there");
        let again = host.execute(&order.to_string());
        assert_eq!((again.status, text(&again.body)), (200, text(&first.body)));
    };
    for flood in [&old, &hour] {
        refused(flood, &["stale"]);
        is_known();
    }
    refused(&copies, &["nonce"]);
    is_known();
    // Nothing of it keeps the neighbour from running.
    let neighbour = envelope("restart-php");
    let php = run(&host, &neighbour);
    assert_eq!(php["state"], "succeeded");
    // The far future fills every place that nonces have; what was there is not forgotten into a second run.
    for direction in [1, EACH] {
        let ts = |i: u64| 9_007_199_254_740_991 - i.abs_diff(direction);
        refused(&(0..EACH).map(|i| stamped("restart-web", ts(i))).collect::<Vec<_>>(), &["stale"]);
    }
    let edge: Vec<String> = (0..EACH).map(|i| stamped("restart-web", now() + 290 - i % 60)).collect();
    refused(&edge, &["nonce", "interval", "stale"]);
    is_known();
    assert!(receipts(&host).iter().any(|kept| kept["body"] == php));
    for (action, ran) in [("restart-php", &neighbour), ("restart-web", &order)] {
        let changed = with(ran, "ts", now()).to_string();
        assert_eq!(word(&host.receipt(&host.execute(&changed))), "nonce", "{action}");
    }
    assert_eq!(restarts(&host), [1, 1, 0]);
    let health = host.get("/v1/health").canonical();
    assert_eq!(health["receipts"].as_u64(), Some(2 + 6 * EACH + 2), "each was told, however often");
}

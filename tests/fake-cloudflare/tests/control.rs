//! The server as a process, and its control endpoints.
#![expect(clippy::unwrap_used, reason = "a helper that can't go on fails its test")]

mod support;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use support::{CUSTOM, Client, ZONE, entry, start};

struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts the program; what it says of itself.
fn program(words: &[&str]) -> (Process, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fake-cloudflare"));
    let mut child = command.args(words).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (Process(child), line)
}

#[test]
fn the_program_says_where_it_listens_and_can_be_set_up_from_outside() {
    let (_process, line) = program(&["--empty"]);
    let words: Vec<_> = line.split_whitespace().collect();
    let address = |url: &str| url.trim_start_matches("http://").split('/').next().unwrap().parse().unwrap();
    let secret = "D".repeat(40);
    let mut client = Client::to(address(words[2]), &secret);
    assert_eq!(client.call("GET", ".", None).status, 401);
    let zone = json!({"id": ZONE, "name": "example.com", "plan": "pro"});
    assert_eq!(client.control("POST", "zones", &zone).json(), json!({"zones": 1}));
    client.control("POST", "tokens", &json!({"secret": secret, "permissions": ["zone_read", "waf_write"]}));
    assert_eq!(client.ok("GET", ".", None)["plan"]["legacy_id"], "pro");
    assert_eq!(client.call("GET", "./settings/security_level", None).status, 403);
    let mut edge = Client::to(address(words[4]), "");
    edge.send("GET", "/", "", "");
    assert_eq!(edge.answer().unwrap().status, 200);
    assert_eq!(client.control("GET", "visits", &Value::Null).json()[0]["status"], 200);
}

#[test]
fn faults_and_edits_are_planned_from_outside() {
    let (server, mut client) = start();
    let edit = json!({"do": "add_rule", "zone": ZONE, "phase": CUSTOM, "place": null,
        "rule": {"ref": "theirs", "action": "block", "expression": "ssl"}});
    let plan = json!({"method": "GET", "path": "/entrypoint", "before": [edit],
        "fault": {"kind": "status", "status": 503}});
    assert_eq!(client.control("POST", "faults", &plan).json(), json!({"faults": 1}));
    assert_eq!(client.call("GET", &entry(CUSTOM), None).status, 503);
    assert_eq!(client.ok("GET", &entry(CUSTOM), None)["rules"][0]["ref"], "theirs");
    client.control("POST", "faults", &json!({"times": null, "fault": {"kind": "cut"}}));
    assert_eq!(client.control("GET", "faults", &Value::Null).json().as_array().unwrap().len(), 1);
    assert_eq!(client.control("DELETE", "faults", &Value::Null).status, 200);
    assert!(server.plans_left().is_empty());
    let level = json!({"do": "set_security_level", "zone": ZONE, "value": "high"});
    assert_eq!(client.control("POST", "edit", &level).status, 200);
    let zone = client.control("GET", &format!("zone?id={ZONE}"), &Value::Null).json();
    assert_eq!(zone, server.zone(ZONE));
    assert_eq!(zone["security_level"], "high");
    let nothing = json!({"do": "remove_zone", "zone": "x"});
    assert_eq!(client.control("POST", "edit", &nothing).status, 400);
    assert_eq!(client.control("POST", "edit", &json!({"do": "explode"})).status, 400);
    assert_eq!(client.control("PUT", "edit", &level).status, 405);
    assert_eq!(client.control("GET", "unknown", &Value::Null).status, 404);
}

#[test]
fn what_happened_is_read_and_waited_for_from_outside() {
    let (_server, mut client) = start();
    let wait = "wait?timeout_ms=1&requests=1&method=GET&path=level";
    assert_eq!(client.control("GET", wait, &Value::Null).status, 408);
    client.ok("GET", "./settings/security_level", None);
    assert_eq!(client.control("GET", wait, &Value::Null).json()["requests"], 1);
    let log = client.control("GET", "requests", &Value::Null).json();
    assert_eq!(log[0]["path"], format!("/zones/{ZONE}/settings/security_level"));
    assert_eq!((&log[0]["status"], &log[0]["token"]), (&json!(200), &json!(client.token)));
    assert_eq!(client.control("GET", "violations", &Value::Null).json(), json!([]));
    let question = json!({"expression": "ip.src in {192.0.2.0/24}", "visit": {"ip": "192.0.2.200"}});
    assert_eq!(client.control("POST", "evaluate", &question).json(), json!({"matches": true}));
    let broken = json!({"expression": "ip.src in", "visit": {}});
    assert_eq!(client.control("POST", "evaluate", &broken).status, 400);
    let limit = json!({"requests": 1, "window_s": 300});
    assert_eq!(client.control("POST", "rate_limit", &limit).json(), limit);
    client.control("POST", "origin", &json!({"/x": 500}));
    client.ok("GET", ".", None);
    assert_eq!(client.call("GET", ".", None).status, 429);
}

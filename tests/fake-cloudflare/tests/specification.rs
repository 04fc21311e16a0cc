//! Requests against the specification, and the stand-in's own answers too: every other test asserts that there was no
//! breach. Without the specification file there is nothing to check against, and the tests say so.

mod support;

use secmon_fake_cloudflare::{Fault, Planned, find_spec};
use serde_json::json;
use support::{CUSTOM, ZONE, block, entry, start};

#[test]
fn requests_that_break_the_specification_are_recorded_though_answered() {
    if find_spec().is_none() {
        eprintln!("skipped: there is no specs/cloudflare-openapi.json");
        return;
    }
    let (server, mut client) = start();
    assert!(server.has_spec());
    client.ok("PUT", &entry(CUSTOM), Some(&json!({"rules": [block("a", "ssl")]})));
    server.assert_no_violations();
    let mut rule = block("b", "ssl");
    rule["colour"] = json!("red");
    client.ok("PUT", &entry(CUSTOM), Some(&json!({"rules": [rule], "extra": 1})));
    client.ok("GET", "/zones?colour=red&per_page=500", None);
    client.ok("PATCH", "./settings/security_level", Some(&json!({"value": "low", "x": 1})));
    client.call("GET", "./settings/ssl", None);
    client.call("PUT", &entry("http_nonsense"), Some(&json!({"rules": []})));
    let token = format!("Authorization: Bearer {}\r\nContent-Type: text/plain\r\n", client.token);
    let path = format!("/client/v4/zones/{ZONE}/settings/security_level");
    // The first header counts, so that the type of the body is wrong.
    client.send("PATCH", &path, &token, "{\"value\":\"low\"}");
    assert!(client.answer().is_some());
    let found = server.violations();
    let wanted = [
        "/extra: unknown member",
        "/rules/0/colour: unknown member",
        "query parameter colour: unknown",
        "query parameter per_page: 500 is out of range",
        "/x: unknown member",
        "the specification has no such operation",
        "path parameter ruleset_phase",
        "the body's type is \"text/plain\"",
    ];
    for what in wanted {
        assert!(found.iter().any(|violation| violation.contains(what)), "{what}: {found:#?}");
    }
}

#[test]
fn a_request_that_a_fault_keeps_from_happening_is_checked_too() {
    if find_spec().is_none() {
        eprintln!("skipped: there is no specs/cloudflare-openapi.json");
        return;
    }
    let (server, mut client) = start();
    server.plan(Planned::on("PATCH", "").fails(Fault::Status { status: 500 }));
    client.call("PATCH", "./settings/security_level", Some(&json!({})));
    assert_eq!(server.violations().len(), 1);
}

//! Rulesets: versions, ids, positions, quotas and what the service refuses.
#![expect(clippy::unwrap_used, reason = "a helper that can't go on fails its test")]

mod support;

use secmon_fake_cloudflare::Plan;
use serde_json::{Value, json};
use support::{CUSTOM, Client, RATE, ZONE, block, entry, names, start, start_on};

/// Makes an entry point with these rules; the ruleset's path.
fn with_rules(client: &mut Client, rules: &[Value]) -> String {
    let made = client.ok("PUT", &entry(CUSTOM), Some(&json!({"rules": rules})));
    format!("./rulesets/{}", made["id"].as_str().unwrap())
}

fn id_of(ruleset: &Value, place: usize) -> String {
    ruleset["rules"][place]["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_phase_has_no_entry_point_until_one_is_put() {
    let (server, mut client) = start();
    assert_eq!(client.call("GET", &entry(CUSTOM), None).refusal(), (404, 10003));
    let made = client.ok("PUT", &entry(CUSTOM), Some(&json!({"rules": [block("a", "ssl")]})));
    assert_eq!(
        (&made["version"], &made["kind"], &made["phase"]),
        (&json!("1"), &json!("zone"), &json!(CUSTOM))
    );
    assert_eq!(client.ok("GET", &entry(CUSTOM), None), made);
    assert_eq!(client.call("GET", &entry(RATE), None).refusal(), (404, 10003));
    assert_eq!(server.ruleset(ZONE, CUSTOM), Some(made));
    server.assert_no_violations();
}

#[test]
fn a_second_ruleset_of_a_phase_is_refused() {
    let (server, mut client) = start();
    let body = json!({"name": "default", "kind": "zone", "phase": RATE, "rules": []});
    let made = client.ok("POST", "./rulesets", Some(&body));
    assert_eq!(client.call("POST", "./rulesets", Some(&body)).refusal(), (400, 20217));
    let listed = client.ok("GET", "./rulesets", None);
    assert_eq!((listed[0]["id"].clone(), listed[0].get("rules")), (made["id"].clone(), None));
    server.assert_no_violations();
}

#[test]
fn put_replaces_the_whole_list_and_what_is_left_out_is_gone() {
    let (server, mut client) = start();
    let path = with_rules(&mut client, &[block("a", "ssl"), block("b", "ssl")]);
    let before = client.ok("GET", &path, None);
    let after = client.ok("PUT", &path, Some(&json!({"rules": [block("c", "ssl"), block("b", "ssl")]})));
    assert_eq!(names(after["rules"].as_array().unwrap()), ["c", "b"]);
    assert_eq!(after["version"], "2");
    // The rule that stayed is the same in every byte.
    assert_eq!(after["rules"][1], before["rules"][1]);
    assert_ne!(id_of(&after, 0), id_of(&before, 0));
    server.assert_no_violations();
}

#[test]
fn each_change_is_a_version_and_a_rule_keeps_its_id() {
    let (server, mut client) = start();
    let path = with_rules(&mut client, &[block("a", "ssl")]);
    let added = client.ok("POST", &format!("{path}/rules"), Some(&block("b", "ssl")));
    assert_eq!((&added["version"], names(added["rules"].as_array().unwrap())), (&json!("2"), vec!["a", "b"]));
    let rule = format!("{path}/rules/{}", id_of(&added, 1));
    let changed = client.ok("PATCH", &rule, Some(&block("b", "not ssl")));
    assert_eq!(id_of(&changed, 1), id_of(&added, 1));
    assert_eq!((&changed["rules"][1]["version"], &changed["version"]), (&json!("2"), &json!("3")));
    let removed = client.ok("DELETE", &rule, None);
    assert_eq!((&removed["version"], names(removed["rules"].as_array().unwrap())), (&json!("4"), vec!["a"]));
    assert_eq!(client.call("DELETE", &rule, None).status, 404);
    assert_eq!(client.call("PATCH", &rule, Some(&block("b", "ssl"))).status, 404);
    let versions = client.ok("GET", &format!("{path}/versions"), None);
    let numbers: Vec<_> =
        versions.as_array().unwrap().iter().map(|version| version["version"].clone()).collect();
    assert_eq!(numbers, ["4", "3", "2", "1"]);
    assert_eq!(client.ok("GET", &format!("{path}/versions/3"), None), changed);
    assert_eq!(client.call("GET", &format!("{}/versions/9", entry(CUSTOM)), None).status, 404);
    server.assert_no_violations();
}

#[test]
fn the_same_rule_posted_twice_is_there_twice() {
    let (_server, mut client) = start();
    let path = format!("{}/rules", with_rules(&mut client, &[]));
    client.ok("POST", &path, Some(&block("a", "ssl")));
    let twice = client.ok("POST", &path, Some(&block("a", "ssl")));
    assert_eq!(names(twice["rules"].as_array().unwrap()), ["a", "a"]);
}

#[test]
fn a_rule_comes_where_its_position_says_and_a_lone_position_only_moves_it() {
    let (server, mut client) = start();
    let path = with_rules(&mut client, &[block("a", "ssl"), block("b", "ssl")]);
    let mut first = block("first", "ssl");
    first["position"] = json!({"index": 1});
    let added = client.ok("POST", &format!("{path}/rules"), Some(&first));
    assert_eq!(names(added["rules"].as_array().unwrap()), ["first", "a", "b"]);
    assert_eq!(added["rules"][0].get("position"), None);
    let rule = format!("{path}/rules/{}", id_of(&added, 0));
    let after = json!({"position": {"after": id_of(&added, 1)}});
    let moved = client.ok("PATCH", &rule, Some(&after));
    assert_eq!(names(moved["rules"].as_array().unwrap()), ["a", "first", "b"]);
    assert_eq!(moved["rules"][1], added["rules"][0]);
    let nowhere = json!({"position": {"before": "0".repeat(32)}});
    assert_eq!(client.call("PATCH", &rule, Some(&nowhere)).status, 400);
    assert_eq!(client.ok("GET", &path, None), moved);
    server.assert_no_violations();
}

#[test]
fn a_patch_replaces_the_whole_rule() {
    let (_server, mut client) = start();
    let path = with_rules(&mut client, &[block("a", "ssl")]);
    let id = id_of(&client.ok("GET", &path, None), 0);
    let rule = format!("{path}/rules/{id}");
    assert_eq!(client.call("PATCH", &rule, Some(&json!({"enabled": false}))).status, 400);
    let bare = json!({"action": "block", "expression": "ssl", "enabled": false});
    let changed = client.ok("PATCH", &rule, Some(&bare));
    assert_eq!(changed["rules"][0].get("description"), None);
    assert_eq!((&changed["rules"][0]["ref"], &changed["rules"][0]["id"]), (&json!(id), &json!(id)));
}

#[test]
fn a_deleted_ruleset_leaves_its_phase_as_if_there_never_was_one() {
    let (server, mut client) = start();
    let path = with_rules(&mut client, &[block("a", "ssl")]);
    let gone = client.call("DELETE", &path, None);
    assert_eq!((gone.status, gone.body.len()), (204, 0));
    assert_eq!(client.call("DELETE", &path, None).status, 404);
    assert_eq!(client.call("GET", &entry(CUSTOM), None).refusal(), (404, 10003));
    assert_eq!(server.ruleset(ZONE, CUSTOM), None);
    server.assert_no_violations();
}

#[test]
fn a_full_phase_takes_no_more_and_stays_as_it_is() {
    for (plan, custom, rate) in [(Plan::Free, 5, 1), (Plan::Pro, 20, 2)] {
        let (server, mut client) = start_on(plan);
        let limit = json!({"characteristics": ["cf.colo.id", "ip.src"], "period": 10, "requests_per_period": 1,
            "mitigation_timeout": 10});
        let path_rule = block("x", "not cf.client.bot");
        let mut rate_rule = path_rule.clone();
        rate_rule["ratelimit"] = limit;
        for (phase, rule, most) in [(CUSTOM, path_rule, custom), (RATE, rate_rule, rate)] {
            let made = client.ok("PUT", &entry(phase), Some(&json!({"rules": vec![&rule; most]})));
            let path = format!("./rulesets/{}/rules", made["id"].as_str().unwrap());
            assert_eq!(client.call("POST", &path, Some(&rule)).status, 400);
            let more = json!({"rules": vec![&rule; most + 1]});
            assert_eq!(client.call("PUT", &entry(phase), Some(&more)).status, 400);
            assert_eq!(server.ruleset(ZONE, phase), Some(made));
        }
        server.assert_no_violations();
    }
}

#[test]
fn a_refused_rule_says_where_it_stands_and_changes_nothing() {
    let (server, mut client) = start();
    let rules = json!({"rules": [block("a", "ssl"), block("b", "http.host ~ \"x\"")]});
    let answer = client.call("PUT", &entry(CUSTOM), Some(&rules));
    assert_eq!(answer.json()["errors"][0]["source"]["pointer"], "/rules/1/expression");
    let broken = json!({"rules": [block("a", "http.host eq \"x")]});
    assert_eq!(client.call("PUT", &entry(CUSTOM), Some(&broken)).refusal(), (400, 20127));
    assert_eq!(server.ruleset(ZONE, CUSTOM), None);
    assert_eq!(client.call("PUT", &entry(CUSTOM), None).refusal(), (400, 6007));
}

//! The edge: what a visitor gets, as the rules say.
#![expect(clippy::unwrap_used, reason = "a helper that can't go on fails its test")]

mod support;

use secmon_fake_cloudflare::{DEFAULT_TOKEN, Edit, FakeCloudflare, NewZone, Plan, Visit, ZoneStatus};
use serde_json::{Value, json};
use support::{Answer, CUSTOM, Client, RATE, ZONE, block, entry, start_on};

fn visit(server: &FakeCloudflare, path: &str, headers: &str) -> Answer {
    let mut client = Client::to(server.edge_addr(), DEFAULT_TOKEN);
    client.send("GET", path, headers, "");
    client.answer().unwrap()
}

fn put(client: &mut Client, phase: &str, rules: &[Value]) {
    client.ok("PUT", &entry(phase), Some(&json!({"rules": rules})));
}

#[test]
fn a_visitor_is_let_through_blocked_or_challenged_as_the_first_matching_rule_says() {
    let (server, mut client) = start_on(Plan::Business);
    server.set_origin(&[("/missing", 404)]);
    let mut challenge = block("c", "starts_with(http.request.uri.path, \"/wp-\") and not cf.client.bot");
    challenge["action"] = json!("managed_challenge");
    let bad = block("b", "ip.src in {192.0.2.0/24} and http.user_agent contains \"bad\"");
    let mut off = block("off", "true");
    off["enabled"] = json!(false);
    put(&mut client, CUSTOM, &[off, bad, challenge]);
    for (path, headers, status, challenged) in [
        ("/", "", 200, false),
        ("/missing", "", 404, false),
        ("/wp-login.php", "", 403, true),
        ("/wp-login.php?x=1", "X-Test-Verified-Bot: 1\r\n", 200, false),
        ("/", "X-Test-Ip: 192.0.2.9\r\nUser-Agent: a bad one\r\n", 403, false),
        ("/", "X-Test-Ip: 192.0.2.9\r\nUser-Agent: a good one\r\n", 200, false),
        ("/", "X-Test-Ip: 198.51.100.9\r\nUser-Agent: a bad one\r\n", 200, false),
    ] {
        let answer = visit(&server, path, headers);
        assert_eq!(answer.status, status, "{path} {headers}");
        assert_eq!(answer.head.contains("cf-mitigated: challenge\r\n"), challenged, "{path} {headers}");
    }
    let visits = server.visits();
    assert_eq!((visits.len(), visits[0].by.clone()), (7, None));
    assert_eq!(visits[2].by.as_deref(), server.rules(ZONE, CUSTOM)[2]["id"].as_str());
    server.assert_no_violations();
}

#[test]
fn under_attack_challenges_everybody_while_the_zone_is_served() {
    let (server, _client) = start_on(Plan::Free);
    let (zone, value) = (ZONE.to_owned(), "under_attack".to_owned());
    server.edit(&Edit::SetSecurityLevel { zone: zone.clone(), value });
    let answer = visit(&server, "/wp-json/", "");
    assert_eq!((answer.status, answer.head.contains("cf-mitigated: challenge")), (403, true));
    server.edit(&Edit::SetZone { zone: zone.clone(), status: None, paused: Some(true), plan: None });
    assert_eq!(visit(&server, "/", "").status, 200);
    server.edit(&Edit::SetZone { zone: zone.clone(), status: None, paused: Some(false), plan: None });
    assert_eq!(visit(&server, "/", "").status, 403);
    server.edit(&Edit::SetZone { zone, status: Some(ZoneStatus::Pending), paused: None, plan: None });
    assert_eq!(visit(&server, "/", "").status, 200);
}

#[test]
fn a_rate_rule_strikes_after_its_count_and_until_its_timeout() {
    let (server, mut client) = start_on(Plan::Free);
    let mut rule = block("r", "http.request.uri.path eq \"/wp-login.php\"");
    rule["ratelimit"] = json!({"characteristics": ["cf.colo.id", "ip.src"], "period": 10,
        "requests_per_period": 2, "mitigation_timeout": 10});
    put(&mut client, RATE, &[rule]);
    let status = |path: &str, ip: &str| server.visit(Visit::of(path).from(ip)).status;
    let login = "/wp-login.php";
    assert_eq!([1, 2, 3, 4].map(|_| status(login, "192.0.2.1")), [200, 200, 429, 429]);
    assert_eq!(status(login, "192.0.2.2"), 200);
    assert_eq!(status("/", "192.0.2.1"), 200);
    server.edit(&Edit::AdvanceClock { ms: 10_001 });
    assert_eq!(status(login, "192.0.2.1"), 200);
}

#[test]
fn access_rules_go_before_everything_and_one_address_before_a_range() {
    let (server, mut client) = start_on(Plan::Free);
    put(&mut client, CUSTOM, &[block("b", "http.request.uri.path eq \"/x\"")]);
    for (mode, target, value) in [
        ("block", "ip_range", "192.0.2.0/24"),
        ("whitelist", "ip", "192.0.2.7"),
        ("managed_challenge", "ip_range", "2001:db8::/64"),
    ] {
        let rule = json!({"mode": mode, "configuration": {"target": target, "value": value}, "notes": ""});
        client.ok("POST", "./firewall/access_rules/rules", Some(&rule));
    }
    let status = |ip: &str| server.visit(Visit::of("/x").from(ip)).status;
    assert_eq!(status("192.0.2.1"), 403);
    assert_eq!(status("192.0.2.7"), 200);
    assert_eq!(status("2001:db8::1"), 403);
    assert_eq!(server.visit(Visit::of("/").from("2001:db8:0:1::1")).status, 200);
}

#[test]
fn skip_rules_spare_their_visitors_and_logs_change_nothing() {
    let (server, mut client) = start_on(Plan::Enterprise);
    let rule = |action: &str, expression: &str, parameters: Value| json!({"action": action, "expression": expression, "action_parameters": parameters});
    let here = rule("skip", "http.request.uri.path eq \"/a\"", json!({"ruleset": "current"}));
    let there = rule("skip", "http.request.uri.path eq \"/b\"", json!({"phases": [RATE]}));
    let log = json!({"action": "log", "expression": "true"});
    put(&mut client, CUSTOM, &[log, here, there, block("b", "not http.request.uri.path eq \"/b\"")]);
    let mut limit = block("r", "true");
    limit["ratelimit"] = json!({"characteristics": ["cf.colo.id", "ip.src"], "period": 10,
        "requests_per_period": 1, "mitigation_timeout": 10});
    put(&mut client, RATE, &[limit]);
    let status = |path: &str| server.visit(Visit::of(path)).status;
    assert_eq!([status("/c"), status("/b"), status("/b")], [403, 200, 200]);
    assert_eq!([status("/a"), status("/a")], [200, 429]);
    server.assert_no_violations();
}

#[test]
fn a_host_belongs_to_the_zone_of_its_name() {
    let (server, _client) = start_on(Plan::Free);
    let other = "023e105f4ecef8ad9ca31a8372d0c353";
    server.add_zone(NewZone {
        security_level: "under_attack".to_owned(),
        ..NewZone::new(other, "example.org")
    });
    let status = |host: &str| server.visit(Visit { host: host.to_owned(), ..Visit::default() }).status;
    assert_eq!(status("www.example.org"), 403);
    assert_eq!(status("example.com"), 200);
    assert_eq!(status("notexample.org"), 200);
}

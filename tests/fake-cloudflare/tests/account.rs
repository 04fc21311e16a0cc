//! Tokens and what they may do, zones, the security level and access rules.

mod support;

use secmon_fake_cloudflare::{
    DEFAULT_TOKEN, Edit, FakeCloudflare, NewZone, Options, Permission, Plan, Token, TokenStatus, ZoneStatus,
};
use serde_json::{Value, json};
use support::{Client, ZONE, entry, start, start_on};

const OTHER_ZONE: &str = "023e105f4ecef8ad9ca31a8372d0c353";
const OTHER_TOKEN: &str = "other-token-for-tests-only-BBBBBBBBBBBBBBB";
const LEVEL: &str = "./settings/security_level";
const ACCESS: &str = "./firewall/access_rules/rules";

#[test]
fn a_token_is_verified_with_its_status() {
    let (server, mut client) = start();
    for (status, word) in [
        (TokenStatus::Active, "active"),
        (TokenStatus::Disabled, "disabled"),
        (TokenStatus::Expired, "expired"),
    ] {
        server.add_token(Token::new(OTHER_TOKEN).in_status(status));
        client.token = OTHER_TOKEN.to_owned();
        let answer = client.call("GET", "/user/tokens/verify", None);
        assert_eq!((answer.status, &answer.json()["result"]["status"]), (200, &json!(word)));
        // The code of an error stands in a message that says that all is well.
        assert_eq!(answer.json()["messages"][0]["code"], 10000);
        let works = client.call("GET", ".", None).status == 200;
        assert_eq!(works, status == TokenStatus::Active);
    }
    server.assert_no_violations();
}

#[test]
fn what_is_no_token_is_refused_by_its_form_and_what_is_unknown_by_name() {
    let (_server, mut client) = start();
    client.token = "c".repeat(37);
    assert_eq!(client.call("GET", "/user/tokens/verify", None).refusal(), (400, 6003));
    client.token = "unknown-token-for-tests-only-CCCCCCCCCCCCC".to_owned();
    assert_eq!(client.call("GET", "/user/tokens/verify", None).refusal(), (401, 1000));
    assert_eq!(client.call("GET", &entry("http_ratelimit"), None).refusal(), (401, 10000));
    client.send("GET", "/client/v4/zones", "", "");
    assert_eq!(client.answer().unwrap().refusal(), (400, 9106));
    client.send("GET", "/client/v4/ips", "", "");
    let ips = client.answer().unwrap().json();
    assert!(!ips["result"]["ipv4_cidrs"].as_array().unwrap().is_empty());
}

#[test]
fn each_operation_needs_its_permission_and_no_other() {
    use Permission::{FirewallRead, FirewallWrite, SettingsRead, SettingsWrite, WafRead, WafWrite, ZoneRead};
    let (server, mut client) = start();
    client.ok("PUT", &entry("http_ratelimit"), Some(&json!({"rules": []})));
    let level = json!({"value": "high"});
    let rule = json!({"mode": "block", "configuration": {"target": "ip", "value": "192.0.2.1"}, "notes": ""});
    let calls: [(&str, String, Option<&Value>, &[Permission]); 7] = [
        ("GET", ".".to_owned(), None, &[ZoneRead]),
        ("GET", LEVEL.to_owned(), None, &[SettingsRead, SettingsWrite]),
        ("PATCH", LEVEL.to_owned(), Some(&level), &[SettingsWrite]),
        ("GET", entry("http_ratelimit"), None, &[WafRead, WafWrite]),
        ("PUT", entry("http_ratelimit"), Some(&json!({"rules": []})), &[WafWrite]),
        ("GET", ACCESS.to_owned(), None, &[FirewallRead, FirewallWrite]),
        ("POST", ACCESS.to_owned(), Some(&rule), &[FirewallWrite]),
    ];
    client.token = OTHER_TOKEN.to_owned();
    let all = [ZoneRead, SettingsRead, SettingsWrite, WafRead, WafWrite, FirewallRead, FirewallWrite];
    for (method, path, body, enough) in &calls {
        for permission in all {
            server.add_token(Token::new(OTHER_TOKEN).with(&[permission]));
            let status = client.call(method, path, *body).status;
            let wanted = if enough.contains(&permission) { 200 } else { 403 };
            assert_eq!(status, wanted, "{method} {path} {permission:?}");
        }
    }
    server.assert_no_violations();
}

#[test]
fn a_token_reaches_its_zones_alone() {
    let (server, mut client) = start();
    server.add_zone(NewZone::new(OTHER_ZONE, "example.org").on(Plan::Pro));
    server.add_token(Token::new(OTHER_TOKEN).for_zones(&[OTHER_ZONE]));
    let names = |answer: &Value| {
        let zones = answer.as_array().unwrap().clone();
        zones.iter().map(|zone| zone["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&client.ok("GET", "/zones", None)), ["example.com", "example.org"]);
    assert_eq!(names(&client.ok("GET", "/zones?name=example.org", None)), ["example.org"]);
    client.token = OTHER_TOKEN.to_owned();
    assert_eq!(names(&client.ok("GET", "/zones", None)), ["example.org"]);
    assert_eq!(client.call("GET", ".", None).refusal(), (403, 9109));
    let zone = client.ok("GET", &format!("/zones/{OTHER_ZONE}"), None);
    assert_eq!((&zone["plan"]["legacy_id"], &zone["status"]), (&json!("pro"), &json!("active")));
    assert_eq!(client.call("GET", "/zones/xyz", None).refusal(), (404, 7003));
    assert_eq!(client.call("GET", &format!("/zones/{}", "0".repeat(32)), None).status, 403);
}

#[test]
fn a_zone_shows_what_has_become_of_it() {
    let (server, mut client) = start();
    let state = |client: &mut Client| {
        let zone = client.ok("GET", ".", None);
        (zone["status"].as_str().unwrap().to_owned(), zone["paused"].as_bool().unwrap())
    };
    assert_eq!(state(&mut client), ("active".to_owned(), false));
    let zone = ZONE.to_owned();
    server.edit(&Edit::SetZone { zone, status: Some(ZoneStatus::Moved), paused: Some(true), plan: None });
    assert_eq!(state(&mut client), ("moved".to_owned(), true));
    server.edit(&Edit::RemoveZone { zone: ZONE.to_owned() });
    assert_eq!(client.call("GET", ".", None).status, 403);
}

#[test]
fn the_security_level_is_read_as_it_is_and_set_to_what_exists() {
    let zones =
        vec![NewZone { security_level: "essentially_off".to_owned(), ..NewZone::new(ZONE, "example.com") }];
    let server = FakeCloudflare::start(Options { zones, ..Options::default() });
    let mut client = Client::new(&server);
    assert_eq!(client.ok("GET", LEVEL, None)["value"], "essentially_off");
    assert_eq!(client.ok("PATCH", LEVEL, Some(&json!({"value": "under_attack"})))["value"], "under_attack");
    server.assert_no_violations();
    assert_eq!(client.call("PATCH", LEVEL, Some(&json!({"value": "panic"}))).status, 400);
    assert_eq!(server.security_level(ZONE), "under_attack");
}

fn access(target: &str, value: &str, notes: &str) -> Value {
    json!({"mode": "block", "configuration": {"target": target, "value": value}, "notes": notes})
}

#[test]
fn access_rules_are_made_once_found_by_notes_and_removed_once() {
    let (server, mut client) = start();
    let made = client.ok("POST", ACCESS, Some(&access("ip", "192.0.2.1", "secmon:1 x")));
    let again = access("ip", "192.0.2.1", "other");
    assert_eq!(client.call("POST", ACCESS, Some(&again)).refusal(), (400, 10009));
    client.ok("POST", ACCESS, Some(&access("ip6", "2001:db8::1", "mine")));
    client.ok("POST", ACCESS, Some(&access("ip_range", "192.0.2.0/24", "SECMON:2")));
    let found = client.ok("GET", &format!("{ACCESS}?notes=secmon%3A"), None);
    assert_eq!(found.as_array().unwrap().len(), 2);
    let found =
        client.ok("GET", &format!("{ACCESS}?configuration.target=ip&configuration.value=192.0.2.1"), None);
    assert_eq!(found, json!([made]));
    let rule = format!("{ACCESS}/{}", made["id"].as_str().unwrap());
    assert_eq!(
        client.ok("PATCH", &rule, Some(&json!({"mode": "managed_challenge"})))["mode"],
        "managed_challenge"
    );
    assert_eq!(client.ok("DELETE", &rule, None), json!({"id": made["id"]}));
    assert_eq!(client.call("DELETE", &rule, None).status, 404);
    assert_eq!(server.access_rules(ZONE).len(), 2);
    server.assert_no_violations();
}

#[test]
fn access_rules_come_in_pages() {
    let (server, mut client) = start();
    for last in 0..23 {
        let rule = access("ip", &format!("192.0.2.{last}"), "n");
        server.edit(&Edit::AddAccessRule { zone: ZONE.to_owned(), rule });
    }
    let first = client.call("GET", ACCESS, None).json();
    assert_eq!(
        (first["result"].as_array().unwrap().len(), &first["result_info"]["total_pages"]),
        (20, &json!(2))
    );
    let second = client.call("GET", &format!("{ACCESS}?page=2"), None).json();
    assert_eq!((second["result"].as_array().unwrap().len(), &second["result_info"]["count"]), (3, &json!(3)));
    assert_eq!(client.call("GET", &format!("{ACCESS}?page=3"), None).json()["result"], json!([]));
    assert_eq!(client.ok("GET", &format!("{ACCESS}?per_page=100"), None).as_array().unwrap().len(), 23);
    assert_eq!(client.call("GET", &format!("{ACCESS}?per_page=0"), None).status, 400);
}

#[test]
fn a_full_account_and_a_country_below_enterprise_are_refused() {
    let (server, mut client) = start_on(Plan::Enterprise);
    client.ok("POST", ACCESS, Some(&access("country", "XX", "")));
    server.add_zone(NewZone::new(ZONE, "example.com"));
    assert_eq!(client.call("POST", ACCESS, Some(&access("country", "XX", ""))).status, 400);
    let options = Options { access_rule_quota: 1, ..Options::default() };
    let server = FakeCloudflare::start(options);
    let mut client = Client::to(server.addr(), DEFAULT_TOKEN);
    client.ok("POST", ACCESS, Some(&access("ip", "192.0.2.1", "")));
    assert_eq!(client.call("POST", ACCESS, Some(&access("ip", "192.0.2.2", ""))).status, 400);
}

//! Mitigations of more than one change: several zones of a client, and addresses that don't fit in one rule.

use std::io::{Read, Write};
use std::net::TcpStream;

use secmon_fake_cloudflare::{Edit, FakeCloudflare, Fault, NewZone, Options, Plan, Planned, Token};
use secmon_tests::plane::cloudflare::{CUSTOM, Cloud, flood, login_flood, token_of, zone_id};
use secmon_wire::diag::FindingId;
use serde_json::{Value, json};

/// A running control plane with one client that has two zones, alpha and beta.
fn two_zones() -> (Cloud, [String; 2]) {
    let mut cloud = Cloud::new();
    cloud.client("acme");
    let zones = [zone_id(1), zone_id(2)];
    for (zone, name) in zones.iter().zip(["alpha.example", "beta.example"]) {
        cloud.zone("acme", NewZone::new(zone, name).on(Plan::Pro));
    }
    cloud.found("acme", &[login_flood()], 0);
    cloud.plane.start();
    (cloud, zones)
}

#[test]
fn one_approval_changes_every_zone_of_its_client_and_one_restore_puts_all_back() {
    let (mut cloud, zones) = two_zones();
    let answer = cloud.approve("cf-pattern-block", "acme");
    assert_eq!(answer.matches("✓ in force acme cf-pattern-block: ").count(), 2, "{answer}");
    let intent = cloud.plane.events("intent").remove(0);
    let intended: Vec<_> = (0..2).map(|at| intent["leases"][at]["lease"].clone()).collect();
    let ours: Vec<_> = zones.iter().map(|zone| json!(cloud.ours(zone, CUSTOM)[0].0.to_string())).collect();
    assert_eq!(intended, ours);
    let answer = cloud.approve("cf-restore", "acme");
    let lines: Vec<_> = answer.lines().skip(1).collect();
    assert_eq!(lines.len(), 2, "{answer}");
    for name in ["alpha", "beta"] {
        assert!(answer.contains(&format!("\n{name}.example cf-pattern-block: rule removed")), "{answer}");
    }
    assert!(zones.iter().all(|zone| cloud.ours(zone, CUSTOM).is_empty()));
    cloud.finish();
}

#[test]
fn a_zone_that_cannot_be_changed_keeps_all_of_them_as_they_are_and_one_that_refuses_only_itself() {
    let (mut cloud, zones) = two_zones();
    let secret = token_of(&zones[1]);
    cloud.cloudflare.edit(&Edit::RemoveToken { secret: secret.clone() });
    let answer = cloud.approve("cf-pattern-block", "acme");
    assert!(answer.starts_with("✗ rejected acme cf-pattern-block: beta.example: "), "{answer}");
    assert!(answer.ends_with("; nothing was changed"), "{answer}");
    assert_eq!(cloud.cloudflare.changes(), []);
    cloud.cloudflare.add_token(Token::new(&secret).for_zones(&[&zones[1]]));
    let refused =
        Fault::Error { status: 400, code: 20127, message: "could not parse filter expression".to_owned() };
    cloud.cloudflare.plan(Planned::on("POST", &zones[1]).fails(refused));
    let answer = cloud.approve("cf-pattern-block", "acme");
    assert!(answer.starts_with("✓ in force acme cf-pattern-block: "), "{answer}");
    let failed =
        "\n\n✗ failed acme cf-pattern-block on beta.example: Cloudflare refused it (400, code 20127): ";
    assert!(answer.contains(failed), "{answer}");
    assert_eq!(zones.each_ref().map(|zone| cloud.ours(zone, CUSTOM).len()), [1, 0]);
    let outcome = cloud.plane.events("outcome").remove(0);
    let states: Vec<_> = (0..2).map(|at| outcome["leases"][at]["state"].clone()).collect();
    assert_eq!((&outcome["state"], states), (&json!("failed"), vec![json!("succeeded"), json!("failed")]));
    let open = cloud.open_leases();
    assert_eq!((open.len(), open[0].zone_name.as_str()), (1, "alpha.example"));
    cloud.finish();
}

/// The networks of a flood from as many sources as a report names.
fn sources() -> Vec<String> {
    (0..32).map(|number| format!("2001:db8:1{number:02}:5a5a::")).collect()
}

/// So many protected addresses leave room for some of a flood's sources.
const RANGES: usize = 159;

/// A running control plane with one client in whose zone so much is protected that a rule hasn't room for a flood's
/// sources.
fn crowded(options: Options) -> (Cloud, String) {
    let mut cloud = Cloud::facing(Options { zones: Vec::new(), tokens: Vec::new(), ..options });
    cloud.client("acme");
    let zone = zone_id(1);
    cloud.zone("acme", NewZone::new(&zone, "acme.example").on(Plan::Pro));
    let ranges: Vec<_> =
        (0..RANGES).map(|number| format!("145.100.{}.{}", 110 + number / 100, 101 + number % 100)).collect();
    let mut arguments = vec!["cloudflare", "protect", "acme", "acme.example"];
    arguments.extend(ranges.iter().flat_map(|range| ["--range", range.as_str()]));
    cloud.plane.secmon(&arguments);
    let sources = sources();
    let sources: Vec<_> = sources.iter().map(|address| (address.as_str(), 64, 900)).collect();
    cloud.found("acme", &[flood(FindingId::FloodSingleIp, None, &sources)], 0);
    let rule = json!({
        "mode": "whitelist", "notes": "the office", "configuration": {"target": "ip", "value": "203.0.113.9"},
    });
    cloud.cloudflare.edit(&Edit::AddAccessRule { zone: zone.clone(), rule });
    cloud.plane.start();
    (cloud, zone)
}

/// Access rules of ours: their notes and networks.
fn ours(cloudflare: &FakeCloudflare, zone: &str) -> Vec<(String, String)> {
    let all = cloudflare.access_rules(zone).into_iter();
    let ours = all.filter(|rule| rule["notes"].as_str().is_some_and(|notes| notes.starts_with("secmon:")));
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    ours.map(|rule| (text(&rule["notes"]), text(&rule["configuration"]["value"]))).collect()
}

#[test]
fn sources_without_room_in_a_rule_get_rules_of_their_own_and_lose_them_again() {
    let (mut cloud, zone) = crowded(Options::default());
    let before = cloud.cloudflare.access_rules(&zone);
    let answer = cloud.approve("cf-targeted-block", "acme");
    assert!(answer.starts_with("✓ in force acme cf-targeted-block: "), "{answer}");
    let (rules, access) = (cloud.ours(&zone, CUSTOM), ours(&cloud.cloudflare, &zone));
    assert!(rules.len() == 1 && access.len() > 1, "{answer}: {access:?}");
    let tag = format!("secmon:{}", rules[0].0);
    let expression = rules[0].1["expression"].as_str().expect("text");
    for source in sources() {
        let in_rule = expression.contains(&source);
        let in_access = access.iter().any(|(notes, network)| *notes == tag && network.starts_with(&source));
        assert!(in_rule != in_access, "{source}: {in_rule} {in_access}");
    }
    assert_eq!(cloud.approve("cf-restore", "acme").lines().count(), 2);
    assert_eq!(cloud.cloudflare.access_rules(&zone), before);
    assert_eq!(cloud.ours(&zone, CUSTOM).len(), 0);
    cloud.finish();
}

#[test]
fn when_not_all_of_them_can_be_made_nothing_is_left_of_any() {
    let cut = || Planned::on("POST", "/access_rules/").skip(1).fails_after(Fault::Cut);
    let cases = [(3, None, "quota_exceeded"), (50_000, Some(cut()), "the connection broke; ")];
    for (access_rule_quota, planned, why) in cases {
        let (mut cloud, zone) = crowded(Options { access_rule_quota, ..Options::default() });
        planned.into_iter().for_each(|planned| cloud.cloudflare.plan(planned));
        let before = cloud.cloudflare.access_rules(&zone);
        let answer = cloud.approve("cf-targeted-block", "acme");
        assert!(answer.starts_with("✗ failed acme cf-targeted-block on acme.example: "), "{answer}");
        assert!(answer.contains(why), "{answer}");
        let removed = cloud.cloudflare.changes().into_iter().filter(|request| request.method == "DELETE");
        assert!(removed.count() > 2, "{why}: a rule, and access rules");
        assert_eq!(cloud.cloudflare.access_rules(&zone), before, "{why}");
        assert_eq!(cloud.ours(&zone, CUSTOM).len(), 0, "{why}");
        cloud.finish();
    }
}

#[test]
fn what_is_in_force_is_put_back_whatever_is_protected_by_then() {
    let (mut cloud, zone) = crowded(Options::default());
    let answer = cloud.approve("cf-targeted-block", "acme");
    assert!(answer.starts_with("✓ in force acme cf-targeted-block: "), "{answer}");
    let protect = ["cloudflare", "protect", "acme", "acme.example"];
    let more: Vec<_> = (0..99).map(|number| format!("145.101.1.{}", 101 + number)).collect();
    let more = more.iter().flat_map(|range| ["--range", range.as_str()]);
    let refused = cloud.plane.attempt(&protect.into_iter().chain(more).collect::<Vec<_>>());
    assert!(!refused.status.success(), "more than fits in a rule");
    // Cloudflare may have got networks since, for which there is less room.
    cloud.plane.stop();
    let ranges = (0..99).map(|number| format!("('{zone}', 'range', '145.102.1.{}')", 101 + number));
    let ranges: Vec<_> = ranges.collect();
    cloud.plane.sql(&format!("INSERT INTO cloudflare_protection VALUES {}", ranges.join(", ")));
    cloud.plane.start();
    let answer = cloud.approve("cf-pattern-block", "acme");
    assert!(answer.contains("characters of a rule; at most"), "{answer}");
    let answer = cloud.approve("cf-restore", "acme");
    assert!(answer.starts_with("✓ restored acme\n"), "{answer}");
    assert_eq!((cloud.ours(&zone, CUSTOM).len(), ours(&cloud.cloudflare, &zone).len()), (0, 0));
    cloud.finish();
}

/// A thousand rules of others, made by one request: the stand-in would hold each of many to the specification.
fn fill(cloud: &Cloud, zone: &str) {
    let rule = json!({"action": "block", "expression": "(http.request.uri.path eq \"/old-backup.zip\")"});
    let body =
        json!({"name": "default", "kind": "zone", "phase": CUSTOM, "rules": vec![rule; 1_000]}).to_string();
    let token = token_of(zone);
    let mut stream = TcpStream::connect(cloud.cloudflare.addr()).expect("a connection");
    let head = format!(
        "POST /client/v4/zones/{zone}/rulesets HTTP/1.1\r\nHost: api\r\nConnection: close\r\nAuthorization: Bearer \
         {token}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all([head.as_bytes(), body.as_bytes()].concat().as_slice()).expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer:.200}");
}

#[test]
fn a_thousand_rules_are_all_that_enterprise_has_room_for() {
    let mut cloud =
        Cloud::facing(Options { zones: Vec::new(), tokens: Vec::new(), spec: None, ..Options::default() });
    let zone = |number| NewZone::new(&zone_id(number), "acme.example").on(Plan::Enterprise);
    cloud.crowd(vec![("acme".to_owned(), zone(1))]);
    fill(&cloud, &zone_id(1));
    let before = cloud.cloudflare.rules(&zone_id(1), CUSTOM);
    assert_eq!(before.len(), 1_000);
    cloud.found("acme", &[login_flood()], 0);
    cloud.plane.start();
    for action in ["cf-targeted-block", "cf-pattern-block", "cf-managed-challenge"] {
        let answer = cloud.approve(action, "acme");
        let why = "acme.example: 1000 of 1000 rules of this kind are in use; remove one first";
        assert!(answer.starts_with(&format!("✗ rejected acme {action}: {why}")), "{answer}");
    }
    let answer = cloud.approve("cf-rate-limit", "acme");
    assert!(answer.starts_with("✓ in force acme cf-rate-limit: "), "{answer}");
    assert_eq!(cloud.cloudflare.rules(&zone_id(1), CUSTOM), before);
    cloud.finish();
}

use serde_json::json;

use super::testing::{Answer, Script, TOKEN, ZONE, no, ok};
use super::*;
use crate::cloudflare::{AccessRule, Phase, Plan, RuleAction};

const RULESET: &str = r#"{"id":"r1","version":"4","rules":[{"id":"a","ref":"secmon:9f2c41d07be83a55","expression":"x"},{"id":"b","description":"mine"}]}"#;

fn zone(status: &str, more: &str) -> Answer {
    ok(&format!(r#"{{"id":"{ZONE}","name":"example.com","status":"{status}","paused":false{more}}}"#))
}

fn verified() -> Answer {
    ok(r#"{"id":"t","status":"active"}"#)
}

fn denied() -> Answer {
    no(403, 10000, "Authentication error")
}

#[tokio::test]
async fn a_zone_is_read_with_its_plan() {
    let more = r##","plan":{"legacy_id":"business"},"permissions":["#waf:edit"]"##;
    let script =
        Script::new(vec![zone("active", more), zone("pending", ""), ok(r#"{"id":"another","name":"x"}"#)]);
    let state = script.zone().zone().await.expect("a zone");
    let permissions = vec!["#waf:edit".to_owned()];
    let (name, status) = ("example.com".to_owned(), "active".to_owned());
    assert_eq!(state, ZoneState { name, status, paused: false, plan: Plan::Business, permissions });
    assert_eq!(state.idle(), None);
    let state = script.zone().zone().await.expect("a zone");
    assert_eq!(state.plan, Plan::Free);
    assert!(state.idle().expect("not active").contains("the zone is pending"));
    assert_eq!(script.asked(), ["GET /zones/Z", "GET /zones/Z"]);
}

#[tokio::test]
async fn another_zone_than_the_one_asked_for_is_no_answer() {
    let other = ok(
        r#"{"id":"00000000000000000000000000000000","name":"a.example","status":"active","paused":false}"#,
    );
    let script = Script::new(vec![other.clone(), other.clone(), other]);
    assert!(matches!(script.zone().zone().await, Err(ApiError::Unavailable(_))));
}

#[tokio::test]
async fn the_security_level_is_read_and_set_word_for_word() {
    let script = Script::new(vec![
        ok(r#"{"id":"security_level","value":"essentially_off"}"#),
        ok(r#"{"id":"security_level","value":"under_attack"}"#),
        ok(r#"{"id":"security_level","value":"medium"}"#),
    ]);
    let zone = script.zone();
    assert_eq!(zone.security_level().await.as_deref(), Ok("essentially_off"));
    assert_eq!(zone.set_security_level("under_attack").await, Ok(()));
    let other = zone.set_security_level("under_attack").await.expect_err("another level");
    assert!(matches!(other, ApiError::Unknown(_)), "{other:?}");
    let set = r#"PATCH /zones/Z/settings/security_level {"value":"under_attack"}"#;
    assert_eq!(script.asked(), ["GET /zones/Z/settings/security_level", set, set]);
}

#[tokio::test]
async fn rules_are_read_added_and_removed_one_by_one() {
    let script = Script::new(vec![
        ok(RULESET),
        no(404, 10003, "could not find entrypoint ruleset in the http_ratelimit phase"),
        ok(RULESET),
        ok(RULESET),
        ok(RULESET),
        no(404, 10009, "gone"),
        Answer::Http(204, "", String::new()),
    ]);
    let zone = script.zone();
    let found = zone.entrypoint(Phase::Custom).await.expect("read").expect("a ruleset");
    assert_eq!((found.id.as_str(), found.version.as_str()), ("r1", "4"));
    let seen: Vec<_> = found
        .rules
        .iter()
        .map(|rule| (rule.id.as_str(), rule.reference.as_deref(), &*rule.description))
        .collect();
    assert_eq!(seen, [("a", Some("secmon:9f2c41d07be83a55"), ""), ("b", None, "mine")]);
    assert_eq!(found.rules[0].json["expression"], "x");
    assert_eq!(zone.entrypoint(Phase::RateLimit).await, Ok(None));
    let rule = json!({ "action": "block" });
    zone.create_entrypoint(Phase::RateLimit, &rule).await.expect("made");
    zone.add_rule("r1", &rule).await.expect("added");
    zone.delete_rule("r1", "a").await.expect("removed");
    zone.delete_rule("r1", "a").await.expect("removed before");
    assert_eq!(
        script.asked(),
        [
            "GET /zones/Z/rulesets/phases/http_request_firewall_custom/entrypoint",
            "GET /zones/Z/rulesets/phases/http_ratelimit/entrypoint",
            r#"POST /zones/Z/rulesets {"kind":"zone","name":"default","phase":"http_ratelimit","rules":[{"action":"block"}]}"#,
            r#"POST /zones/Z/rulesets/r1/rules {"action":"block"}"#,
            "DELETE /zones/Z/rulesets/r1/rules/a",
            "DELETE /zones/Z/rulesets/r1/rules/a",
        ]
    );
}

#[tokio::test]
async fn only_a_404_of_the_api_itself_says_that_there_is_no_ruleset() {
    for answer in [Answer::Http(404, "", "<html>".to_owned()), no(404, 7003, "Could not route to /zones/x")] {
        let script = Script::new(vec![answer.clone(), answer.clone(), answer]);
        let error = script.zone().entrypoint(Phase::Custom).await.expect_err("no answer");
        assert!(matches!(error, ApiError::Unavailable(_) | ApiError::NotFound), "{error:?}");
    }
}

#[tokio::test]
async fn an_id_that_is_none_never_gets_into_a_path() {
    let script = Script::new(Vec::new());
    let zone = script.zone();
    for id in ["", "..", "a/b", "a?b", "é", &"a".repeat(65)] {
        assert_eq!(zone.add_rule(id, &json!({})).await, Err(ApiError::NotFound), "{id}");
        assert_eq!(zone.delete_rule(id, "a").await, Ok(()));
        assert_eq!(zone.delete_access_rule(id).await, Ok(()));
    }
    assert_eq!(script.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn our_access_rules_are_found_on_every_page_and_others_are_left_out() {
    let page = |rules: &[(&str, &str)], total: u64| {
        let rule = |(id, notes): &(&str, &str)| json!({ "id": id, "notes": notes, "mode": "block", "configuration": { "target": "ip", "value": "192.0.2.1" } });
        let list: Vec<_> = rules.iter().map(rule).collect();
        let body = json!({ "success": true, "result": list, "result_info": { "total_pages": total } });
        Answer::Http(200, "", body.to_string())
    };
    let script = Script::new(vec![
        page(&[("1", "secmon:9f2c41d07be83a55"), ("2", "about secmon:x"), ("3", "")], 2),
        page(&[("1", "secmon:9f2c41d07be83a55"), ("4", "secmon:0000000000000000 acme")], 2),
    ]);
    let found = script.zone().access_rules().await.expect("rules");
    assert_eq!(found.iter().map(|rule| rule.id.as_str()).collect::<Vec<_>>(), ["1", "4"]);
    assert_eq!(found[0].network, Network::parse("192.0.2.1"));
    let path = "GET /zones/Z/firewall/access_rules/rules?notes=secmon%3A&per_page=500&page=";
    assert_eq!(script.asked(), [format!("{path}1"), format!("{path}2")]);
}

#[tokio::test]
async fn an_access_rule_names_its_kind_of_network() {
    for (text, target) in [
        ("192.0.2.1", "ip"),
        ("2001:db8::1", "ip6"),
        ("192.0.2.0/24", "ip_range"),
        ("2001:db8::/64", "ip_range"),
    ] {
        let answer = json!({ "id": "1", "mode": "block", "notes": "n", "configuration": { "value": text } });
        let script = Script::new(vec![ok(&answer.to_string()), ok(r#"{"id":"1"}"#)]);
        let network = Network::parse(text).expect(text);
        let rule = AccessRule { network, action: RuleAction::Block };
        let found = script.zone().add_access_rule(&rule, "n").await.expect("added");
        assert_eq!(found.network, Some(network));
        script.zone().delete_access_rule("1").await.expect("removed");
        let body =
            json!({ "mode": "block", "notes": "n", "configuration": { "target": target, "value": text } });
        let path = "/zones/Z/firewall/access_rules/rules";
        assert_eq!(script.asked(), [format!("POST {path} {body}"), format!("DELETE {path}/1")]);
    }
}

#[tokio::test]
async fn the_networks_of_cloudflare_need_no_token_and_must_all_be_networks() {
    let script = Script::new(vec![ok(r#"{"ipv4_cidrs":["192.0.2.0/24"],"ipv6_cidrs":["2001:db8::/32"]}"#)]);
    assert_eq!(script.api.ips().await.expect("networks").len(), 2);
    assert_eq!(script.asked(), ["GET /ips without a token"]);
    for bad in [
        r#"{"ipv4_cidrs":[],"ipv6_cidrs":["2001:db8::/32"]}"#,
        r#"{"ipv4_cidrs":["192.0.2.0/24"]}"#,
        r#"{"ipv4_cidrs":["192.0.2.0/24","x"],"ipv6_cidrs":["2001:db8::/32"]}"#,
    ] {
        let script = Script::new(vec![ok(bad)]);
        assert!(matches!(script.api.ips().await, Err(ApiError::Unavailable(_))), "{bad}");
    }
}

#[tokio::test]
async fn a_read_is_tried_again_and_a_change_never_is() {
    let bad = [
        Answer::HangUp,
        Answer::Half,
        Answer::Endless,
        Answer::Http(502, "", "<html>".to_owned()),
        Answer::Http(200, "", "<html>".to_owned()),
        Answer::Http(302, "Location: http://127.0.0.1:1/\r\n", String::new()),
    ];
    for answer in bad {
        let script = Script::new(vec![answer.clone(), ok(r#"{"value":"medium"}"#)]);
        assert_eq!(script.zone().security_level().await.as_deref(), Ok("medium"), "{answer:?}");
        assert_eq!(script.asked().len(), 2);

        let script = Script::new(vec![answer.clone(), ok(r#"{"value":"under_attack"}"#)]);
        let error = script.zone().set_security_level("under_attack").await.expect_err("nothing is known");
        assert!(matches!(error, ApiError::Unknown(_)) && !error.changed_nothing(), "{answer:?}: {error:?}");
        assert_eq!(script.asked().len(), 1, "{answer:?}");
    }
}

#[tokio::test]
async fn a_change_that_found_nobody_changed_nothing() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let base = ApiUrl::new(&format!("http://{free}")).expect("a URL");
    let api = Arc::new(Api::new(base).expect("a client"));
    let zone = api.zone(ZoneId::new(ZONE).expect("a zone"), Arc::new(Secret::new(TOKEN.to_owned())));
    let error = zone.set_security_level("under_attack").await.expect_err("nobody");
    assert_eq!(error, ApiError::Unavailable("no connection".to_owned()));
}

#[tokio::test]
async fn a_429_is_obeyed_by_the_next_call_of_the_token() {
    let slower = Answer::Http(429, "retry-after: 1\r\n", String::new());
    let script = Script::new(vec![slower.clone(), ok(r#"{"value":"medium"}"#)]);
    let start = std::time::Instant::now();
    assert_eq!(script.zone().security_level().await.as_deref(), Ok("medium"));
    assert!(start.elapsed().as_millis() >= 1_000);

    let script = Script::new(vec![slower, ok(r#"{"value":"under_attack"}"#)]);
    let refused = script.zone().set_security_level("under_attack").await.expect_err("too many");
    assert_eq!(refused, ApiError::RateLimited { retry_after_s: 1 });
    assert_eq!(script.asked().len(), 1, "its caller decides whether it is sent again");

    let script = Script::new(vec![Answer::Http(429, "retry-after: 120\r\n", String::new())]);
    let refused = script.zone().set_security_level("under_attack").await.expect_err("too many");
    assert_eq!(refused, ApiError::RateLimited { retry_after_s: 120 });
    let next = script.zone().set_security_level("under_attack").await.expect_err("too soon");
    assert!(matches!(next, ApiError::RateLimited { retry_after_s: 119..=120 }), "{next:?}");
    assert_eq!(script.asked().len(), 1, "what has to wait for too long isn't sent");
}

#[tokio::test]
async fn the_ratelimit_header_stops_reads_before_the_api_does() {
    let header = "Ratelimit: \"default\";r=3;t=200\r\nRatelimit-Policy: \"default\";q=1200;w=300\r\n";
    let body = r#"{"success":true,"result":{"value":"medium"}}"#.to_owned();
    let script = Script::new(vec![Answer::Http(200, header, body), ok(r#"{"value":"low"}"#)]);
    script.zone().security_level().await.expect("a level");
    let waits = script.zone().security_level().await.expect_err("too soon");
    assert!(matches!(waits, ApiError::RateLimited { retry_after_s: 199..=200 }), "{waits:?}");
    assert_eq!(script.zone().set_security_level("low").await, Ok(()), "changes have a reserve");
}

#[tokio::test]
async fn a_revoked_token_and_a_missing_permission_are_told_apart() {
    for (answers, expected) in [
        (vec![denied(), verified()], ApiError::ScopeMissing(scope::WAF_EDIT)),
        (vec![denied(), no(401, 1000, "Invalid API Token"), denied()], ApiError::TokenInvalid),
        (vec![denied(), ok(r#"{"id":"t","status":"disabled"}"#)], ApiError::TokenInvalid),
        (vec![no(401, 1000, "Invalid API Token")], ApiError::TokenInvalid),
        (vec![no(400, 6003, "Invalid request headers")], ApiError::TokenInvalid),
        // A token of an account from before there were prefixes.
        (vec![denied(), denied(), zone("active", "")], ApiError::ScopeMissing(scope::WAF_EDIT)),
    ] {
        let script = Script::new(answers);
        let error = script.zone().add_rule("r1", &json!({})).await.expect_err("denied");
        assert_eq!(error, expected, "{:?}", script.asked());
        assert!(error.changed_nothing());
    }
}

#[tokio::test]
async fn a_token_of_a_person_and_one_of_an_account_are_verified_where_they_belong() {
    let script = Script::new(vec![ok(r#"{"id":"t","status":"active","expires_on":"2027-01-01T00:00:00Z"}"#)]);
    let until = Some("2027-01-01T00:00:00Z".to_owned());
    assert_eq!(script.zone().verify_token().await, Ok(TokenState::Active { until }));

    let account = r#","account":{"id":"acc1"}"#;
    let script = Script::new(vec![denied(), zone("active", account), ok(r#"{"id":"t","status":"expired"}"#)]);
    assert_eq!(script.zone().verify_token().await, Ok(TokenState::Expired { on: None }));
    assert_eq!(
        script.asked(),
        ["GET /user/tokens/verify", "GET /zones/Z", "GET /accounts/acc1/tokens/verify"]
    );

    let of_account = Arc::new(Secret::new(TOKEN.replace("cfut_", "cfat_")));
    let script = Script::new(vec![zone("active", account), verified()]);
    let zone = script.api.zone(ZoneId::new(ZONE).expect("a zone"), of_account);
    assert_eq!(zone.verify_token().await, Ok(TokenState::Active { until: None }));

    let script = Script::new(vec![denied(), denied()]);
    assert_eq!(script.zone().verify_token().await, Err(ApiError::TokenInvalid));
}

#[tokio::test]
async fn no_error_and_no_debug_form_shows_the_token() {
    let shown = format!("Bearer {TOKEN} is not good; {}", "x".repeat(500));
    let script = Script::new(vec![no(400, 1, &shown), no(400, 2, &format!("quota of {TOKEN}"))]);
    let zone = script.zone();
    for _ in 0..2 {
        let error = zone.set_security_level("low").await.expect_err("refused");
        let text = format!("{error} {error:?} {zone:?} {:?}", script.api);
        assert!(text.contains("(token)") && !text.contains("hunter2"), "{text}");
        assert!(error.to_string().len() < 300, "{error}");
    }
}

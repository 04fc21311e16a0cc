//! Planned failures, other people's edits, and the limit of requests.

mod support;

use secmon_fake_cloudflare::{Edit, FakeCloudflare, Fault, Options, Planned, RateLimit, TokenStatus, Wait};
use serde_json::{Value, json};
use support::{CUSTOM, Client, PATIENCE, ZONE, block, entry, names, start};

const LEVEL: &str = "./settings/security_level";
const SETTING: &str = "/settings/security_level";

fn attack() -> Value {
    json!({"value": "under_attack"})
}

fn zone() -> String {
    ZONE.to_owned()
}

#[test]
fn failures_without_an_answer_come_before_the_change_or_after_it() {
    for fault in [Fault::Cut, Fault::Reset] {
        for after in [false, true] {
            let (server, mut client) = start();
            let plan = Planned::on("PATCH", SETTING);
            server.plan(if after { plan.fails_after(fault.clone()) } else { plan.fails(fault.clone()) });
            assert!(client.try_call("PATCH", LEVEL, Some(&attack())).is_none());
            let level = if after { "under_attack" } else { "medium" };
            assert_eq!(server.security_level(ZONE), level, "{fault:?}");
            let record = server.requests().pop().unwrap();
            assert_eq!((record.status, record.carried_out), (None, after));
            assert!(server.plans_left().is_empty());
            assert_eq!(Client::new(&server).ok("GET", LEVEL, None)["value"], level);
        }
    }
}

#[test]
fn a_hanging_request_is_never_answered_and_its_change_is_made_or_not() {
    for after in [false, true] {
        let (server, mut client) = start();
        let plan = Planned::on("PATCH", "");
        server.plan(if after { plan.fails_after(Fault::Hang) } else { plan.fails(Fault::Hang) });
        let (path, body) = (format!("/client/v4/zones/{ZONE}{SETTING}"), attack().to_string());
        let token = format!("Authorization: Bearer {}\r\n", client.token);
        client.send("PATCH", &path, &token, &body);
        let came = Wait { requests: Some(1), ..Wait::default() };
        assert!(server.wait(&came, PATIENCE));
        assert_eq!(server.security_level(ZONE) == "under_attack", after);
        client.stream.set_read_timeout(Some(std::time::Duration::from_millis(50))).unwrap();
        assert!(client.answer().is_none());
    }
}

#[test]
fn answers_that_lie_are_sent_as_planned() {
    let error = |status, code| Fault::Error { status, code, message: "no".to_owned() };
    for (fault, status) in [
        (Fault::Status { status: 502 }, 502),
        (error(403, 10000), 403),
        (error(200, 10000), 200),
        (error(404, 10003), 404),
        (error(429, 971), 429),
        (Fault::Answer { status: 200, body: "{}".to_owned() }, 200),
        (Fault::Garbage, 200),
    ] {
        let (server, mut client) = start();
        server.plan(Planned::on("GET", SETTING).fails(fault.clone()));
        let answer = client.call("GET", LEVEL, None);
        assert_eq!(answer.status, status, "{fault:?}");
        match &fault {
            Fault::Error { code, .. } => assert_eq!(answer.refusal(), (status, u64::from(*code))),
            Fault::Answer { body, .. } => assert_eq!(answer.body, body.as_bytes()),
            _ => assert!(serde_json::from_slice::<Value>(&answer.body).is_err()),
        }
        assert_eq!(server.requests()[0].status, Some(status));
        assert_eq!(client.ok("GET", LEVEL, None)["value"], "medium");
    }
}

#[test]
fn a_change_can_be_made_though_the_answer_says_no() {
    let (server, mut client) = start();
    server.plan(Planned::on("PATCH", "").fails_after(Fault::Status { status: 504 }));
    assert_eq!(client.call("PATCH", LEVEL, Some(&attack())).status, 504);
    assert_eq!(server.security_level(ZONE), "under_attack");
}

#[test]
fn distorted_answers_are_of_requests_that_were_carried_out() {
    let (server, mut client) = start();
    server.plan(Planned::on("PATCH", "").fails(Fault::Truncated));
    let half = client.call("PATCH", LEVEL, Some(&attack()));
    assert!(serde_json::from_slice::<Value>(&half.body).is_err());
    assert_eq!(server.security_level(ZONE), "under_attack");
    server.plan(Planned::on("PATCH", "").fails(Fault::CutMiddle));
    assert!(client.try_call("PATCH", LEVEL, Some(&json!({"value": "low"}))).is_none());
    assert_eq!(server.security_level(ZONE), "low");
    server.plan(Planned::on("GET", "").fails(Fault::Delay { ms: 1 }));
    assert_eq!(Client::new(&server).ok("GET", LEVEL, None)["value"], "low");
}

#[test]
fn plans_wait_for_their_request_and_happen_as_often_as_planned() {
    let (server, mut client) = start();
    server.plan(Planned::on("GET", SETTING).skip(1).times(2).fails(Fault::TooMany { retry_after: 17 }));
    let statuses: Vec<_> = (0..4).map(|_| client.call("GET", LEVEL, None)).collect();
    assert_eq!(statuses.iter().map(|answer| answer.status).collect::<Vec<_>>(), [200, 429, 429, 200]);
    for header in [
        "retry-after: 17\r\n",
        "Ratelimit: \"default\";r=0;t=17\r\n",
        "Ratelimit-Policy: \"default\";q=1200;w=300\r\n",
    ] {
        assert!(statuses[1].head.contains(header), "{}", statuses[1].head);
    }
    server.plan(Planned::on("GET", "").for_ever().fails(Fault::Status { status: 500 }));
    assert_eq!(client.call("GET", LEVEL, None).status, 500);
    assert_eq!(client.call("GET", LEVEL, None).status, 500);
    server.clear_plans();
    assert_eq!(client.call("GET", LEVEL, None).status, 200);
}

#[test]
fn somebody_else_edits_between_the_read_and_the_write() {
    let (server, mut client) = start();
    let rules = json!({"rules": [block("theirs", "ssl"), block("ours", "ssl"), block("last", "ssl")]});
    let id = client.ok("PUT", &entry(CUSTOM), Some(&rules))["id"].as_str().unwrap().to_owned();
    let added = block("new", "ssl").as_object().unwrap().clone();
    let (phase, theirs) = (CUSTOM.to_owned(), "theirs".to_owned());
    let set = json!({"enabled": false, "description": null}).as_object().unwrap().clone();
    server.plan(
        Planned::on("POST", "/rules")
            .edits(Edit::AddRule { zone: zone(), phase: phase.clone(), rule: added, place: Some(1) })
            .edits(Edit::MoveRule { zone: zone(), phase: phase.clone(), rule: theirs, place: 9 })
            .edits(Edit::RemoveRule { zone: zone(), phase: phase.clone(), rule: "our*".to_owned() })
            .edits(Edit::ChangeRule { zone: zone(), phase: phase.clone(), rule: "last".to_owned(), set })
            .then_edits(Edit::SetSecurityLevel { zone: zone(), value: "high".to_owned() }),
    );
    let after = client.ok("POST", &format!("./rulesets/{id}/rules"), Some(&block("mine", "ssl")));
    let rules = after["rules"].as_array().unwrap();
    assert_eq!(names(rules), ["new", "last", "theirs", "mine"]);
    assert_eq!((&rules[1]["enabled"], rules[1].get("description")), (&json!(false), None));
    assert_eq!(after["version"], "6");
    assert_eq!(server.security_level(ZONE), "high");
    server.edit(&Edit::RemoveRuleset { zone: zone(), phase });
    assert_eq!(server.ruleset(ZONE, CUSTOM), None);
    server.assert_no_violations();
}

#[test]
fn an_edit_that_is_about_nothing_is_told() {
    let (server, mut client) = start();
    let edit = Edit::RemoveRule { zone: zone(), phase: CUSTOM.to_owned(), rule: "x".to_owned() };
    server.plan(Planned::on("GET", "").edits(edit));
    client.ok("GET", LEVEL, None);
    assert!(server.violations()[0].contains("no such ruleset"));
}

#[test]
fn a_token_can_be_lost_midway() {
    let (server, mut client) = start();
    let secret = client.token.clone();
    let disable =
        Edit::SetToken { secret: secret.clone(), status: Some(TokenStatus::Disabled), permissions: None };
    server.plan(Planned::on("PATCH", "").edits(disable));
    client.ok("GET", LEVEL, None);
    assert_eq!(client.call("PATCH", LEVEL, Some(&attack())).refusal(), (401, 10000));
    let readable = [secmon_fake_cloudflare::Permission::SettingsRead].into_iter().collect();
    let status = Some(TokenStatus::Active);
    server.edit(&Edit::SetToken { secret: secret.clone(), status, permissions: Some(readable) });
    client.ok("GET", LEVEL, None);
    assert_eq!(client.call("PATCH", LEVEL, Some(&attack())).refusal(), (403, 9109));
    server.edit(&Edit::RemoveToken { secret });
    assert_eq!(client.call("GET", "/user/tokens/verify", None).refusal(), (401, 1000));
    assert_eq!(server.security_level(ZONE), "medium");
}

#[test]
fn too_many_requests_of_a_token_are_refused_until_the_clock_has_moved() {
    let limit = RateLimit { requests: 2, window_s: 300 };
    let server = FakeCloudflare::start(Options { rate_limit: Some(limit), ..Options::default() });
    let mut client = Client::new(&server);
    assert!(client.call("GET", LEVEL, None).head.contains("Ratelimit: \"default\";r=1;t=300\r\n"));
    client.ok("GET", LEVEL, None);
    let refused = client.call("PATCH", LEVEL, Some(&attack()));
    assert_eq!(refused.status, 429);
    assert!(refused.head.contains("retry-after: 300\r\n"), "{}", refused.head);
    assert_eq!(server.security_level(ZONE), "medium");
    server.edit(&Edit::AdvanceClock { ms: 299_000 });
    assert_eq!(client.call("GET", LEVEL, None).status, 429);
    server.edit(&Edit::AdvanceClock { ms: 2_000 });
    client.ok("GET", LEVEL, None);
    server.limit_rate(None);
    assert!(!client.call("GET", LEVEL, None).head.contains("Ratelimit"));
    server.assert_no_violations();
}

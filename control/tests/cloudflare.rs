//! The client of Cloudflare's API against a stand-in that keeps state, and that holds every request to the
//! specification where that is at hand.

use std::sync::Arc;

use secmon_control::cloudflare::api::{Api, ApiError, TokenState, ZoneApi, scope};
use secmon_control::cloudflare::{
    AccessRule, Network, Phase, Plan, Rate, Rule, RuleAction, Unchecked, ZoneId, check,
};
use secmon_control::config::{ApiUrl, Secret};
use secmon_fake_cloudflare::{
    DEFAULT_TOKEN, DEFAULT_ZONE, Edit, FakeCloudflare, Fault, Options, Permission, Planned, Token,
    TokenStatus,
};

const TAG: &str = "secmon:9f2c41d07be83a55";

fn zone(fake: &FakeCloudflare, token: &str) -> ZoneApi {
    let api = Arc::new(Api::new(ApiUrl::new(&fake.url()).expect("a URL")).expect("a client"));
    api.zone(ZoneId::new(DEFAULT_ZONE).expect("a zone"), Arc::new(Secret::new(token.to_owned())))
}

fn rule(expression: &str) -> Rule {
    Rule { expression: expression.to_owned(), action: RuleAction::Block, rate: None }
}

#[tokio::test]
async fn everything_that_is_set_reads_back_and_goes_again() {
    let fake = FakeCloudflare::start(Options::default());
    let zone = zone(&fake, DEFAULT_TOKEN);
    assert_eq!(zone.zone().await.expect("a zone").plan, Plan::Free);
    assert_eq!(zone.security_level().await.as_deref(), Ok("medium"));
    zone.set_security_level("under_attack").await.expect("set");
    assert_eq!(fake.security_level(DEFAULT_ZONE), "under_attack");

    let rate = Rate {
        characteristics: vec!["cf.colo.id".to_owned(), "ip.src".to_owned()],
        period: 10,
        requests: 20,
        mitigation_timeout: 10,
    };
    let limit = Rule { rate: Some(rate), ..rule("(http.request.uri.path eq \"/wp-login.php\")") };
    for (phase, rule) in [(Phase::Custom, rule("(ip.src in {198.51.100.7})")), (Phase::RateLimit, limit)] {
        assert_eq!(zone.entrypoint(phase).await, Ok(None));
        let made = zone.create_entrypoint(phase, &rule.to_json(TAG)).await.expect("made");
        let found = zone.entrypoint(phase).await.expect("read").expect("a ruleset");
        assert_eq!(found, made);
        assert_eq!(found.rules[0].reference.as_deref(), Some(TAG));
        assert!(rule.is_as_set(&found.rules[0].json), "{:?}", found.rules);
        zone.delete_rule(&found.id, &found.rules[0].id).await.expect("removed");
        zone.delete_rule(&found.id, &found.rules[0].id).await.expect("removed before");
        assert_eq!(zone.entrypoint(phase).await.expect("read").expect("a ruleset").rules, []);
        let added = zone.add_rule(&found.id, &rule.to_json(TAG)).await.expect("added");
        assert_eq!(added.rules.len(), 1);
        fake.edit(&Edit::RemoveRuleset { zone: DEFAULT_ZONE.to_owned(), phase: phase.as_str().to_owned() });
        assert_eq!(zone.entrypoint(phase).await, Ok(None));
    }

    for text in ["198.51.100.7", "198.51.100.0/24", "2001:db8::1", "2001:db8::/64"] {
        let network = Network::parse(text).expect(text);
        let rule = AccessRule { network, action: RuleAction::Block };
        let added = zone.add_access_rule(&rule, TAG).await.expect(text);
        assert_eq!(added.network, Some(network));
        assert_eq!(zone.access_rules().await.expect("rules"), std::slice::from_ref(&added));
        zone.delete_access_rule(&added.id).await.expect("removed");
        zone.delete_access_rule(&added.id).await.expect("removed before");
    }
    let api = Api::new(ApiUrl::new(&fake.url()).expect("a URL")).expect("a client");
    assert!(api.ips().await.expect("networks").len() > 1);
    fake.assert_no_violations();
}

#[tokio::test]
async fn our_access_rules_are_found_among_those_of_others_on_many_pages() {
    let fake = FakeCloudflare::start(Options::default());
    for number in 0..1_200_u32 {
        let notes = if number % 2 == 0 { format!("{TAG} {number}") } else { format!("see {TAG}") };
        let value = std::net::Ipv4Addr::from_bits(0xc612_0000 + number).to_string();
        let configuration = serde_json::json!({ "target": "ip", "value": value });
        let rule = serde_json::json!({ "mode": "block", "notes": notes, "configuration": configuration });
        fake.edit(&Edit::AddAccessRule { zone: DEFAULT_ZONE.to_owned(), rule });
    }
    assert_eq!(zone(&fake, DEFAULT_TOKEN).access_rules().await.expect("rules").len(), 600);
    fake.assert_no_violations();
}

#[tokio::test]
async fn a_token_is_checked_permission_by_permission() {
    let fake = FakeCloudflare::start(Options::default());
    let good = check(&zone(&fake, DEFAULT_TOKEN)).await.expect("checked");
    assert_eq!((good.missing, good.unproven), (Vec::new(), Vec::new()));
    for (lacks, missing) in [
        (Permission::SettingsWrite, scope::SETTINGS_EDIT),
        (Permission::WafWrite, scope::WAF_EDIT),
        (Permission::FirewallWrite, scope::FIREWALL_EDIT),
    ] {
        let rest: Vec<Permission> = Permission::NEEDED.into_iter().filter(|one| *one != lacks).collect();
        let secret = "lacks-something-AAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        fake.add_token(Token::new(secret).with(&rest));
        assert_eq!(check(&zone(&fake, secret)).await.expect("checked").missing, [missing]);
    }
    let reader = "reads-alone-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let reads =
        [Permission::ZoneRead, Permission::SettingsRead, Permission::WafRead, Permission::FirewallRead];
    fake.add_token(Token::new(reader).with(&reads));
    let found = check(&zone(&fake, reader)).await.expect("checked");
    assert_eq!(found.unproven, [scope::SETTINGS_EDIT, scope::WAF_EDIT, scope::FIREWALL_EDIT]);
    let refused = zone(&fake, reader).set_security_level("high").await;
    assert_eq!(refused, Err(ApiError::ScopeMissing(scope::SETTINGS_EDIT)));

    let elsewhere = "of-another-zone-AAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    fake.add_token(Token::new(elsewhere).for_zones(&["00000000000000000000000000000000"]));
    let error = check(&zone(&fake, elsewhere)).await.expect_err("another zone's");
    assert_eq!(error, Unchecked::Api(ApiError::ScopeMissing(scope::ZONE_READ)));
    assert_eq!(fake.security_level(DEFAULT_ZONE), "medium");
    fake.assert_no_violations();
}

#[tokio::test]
async fn a_token_that_was_revoked_in_the_middle_is_said_to_be() {
    let fake = FakeCloudflare::start(Options::default());
    let zone = zone(&fake, DEFAULT_TOKEN);
    assert!(matches!(zone.verify_token().await, Ok(TokenState::Active { .. })));
    fake.edit(&Edit::RemoveToken { secret: DEFAULT_TOKEN.to_owned() });
    assert_eq!(zone.set_security_level("high").await, Err(ApiError::TokenInvalid));
    assert_eq!(zone.verify_token().await, Err(ApiError::TokenInvalid));
    for (status, expected) in [
        (TokenStatus::Disabled, Unchecked::Disabled),
        (TokenStatus::Expired, Unchecked::Expired { on: None }),
    ] {
        fake.add_token(Token::new(DEFAULT_TOKEN).in_status(status));
        let error = check(&zone).await.expect_err("not active");
        assert_eq!(error, expected);
    }
}

/// A rule's change under every failure: what the client says fits what became of the zone.
#[tokio::test]
async fn a_change_under_every_failure_is_never_said_to_be_less_than_it_was() {
    let hard = [
        Fault::Status { status: 502 },
        Fault::Error { status: 500, code: 1, message: "oops".to_owned() },
        Fault::Garbage,
        Fault::Truncated,
        Fault::CutMiddle,
        Fault::Cut,
        Fault::Reset,
    ];
    let soft = [
        Fault::Error { status: 400, code: 20127, message: "no".to_owned() },
        Fault::Error { status: 200, code: 971, message: "no".to_owned() },
        Fault::TooMany { retry_after: 1 },
    ];
    let uncertain = hard.iter().map(|fault| (fault, false));
    for (fault, certain) in uncertain.chain(soft.iter().map(|fault| (fault, true))) {
        for after in [false, true] {
            if certain && after {
                continue;
            }
            let fake = FakeCloudflare::start(Options::default());
            let zone = zone(&fake, DEFAULT_TOKEN);
            let plan = Planned::on("PATCH", "security_level");
            fake.plan(if after { plan.fails_after(fault.clone()) } else { plan.fails(fault.clone()) });
            let error = zone.set_security_level("under_attack").await.expect_err("it fails");
            assert_eq!(error.changed_nothing(), certain, "{fault:?}: {error:?}");
            if error.changed_nothing() {
                assert_eq!(fake.security_level(DEFAULT_ZONE), "medium", "{fault:?}");
            }
            assert_eq!(fake.changes().len(), 1, "{fault:?}: a change is sent once");
        }
    }
}

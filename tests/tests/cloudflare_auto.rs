//! Automatic dispatch by the real program: an armed client's host tells of a flood, the zone changes by itself, and what
//! operators say stops it.

use std::sync::{Arc, Mutex};

use secmon_fake_cloudflare::{NewZone, Plan};
use secmon_tests::agent_host::{now, until};
use secmon_tests::hostile_agent::{Deed, HostileAgent, http, unchanged};
use secmon_tests::plane::cloudflare::{CUSTOM, Cloud, report, xmlrpc_flood, zone_id};
use secmon_tests::plane::{OPERATIONS, Site};
use secmon_wire::ActionId;
use secmon_wire::diag::Finding;

/// What an agent finds until it is told something else.
type Found = Arc<Mutex<Vec<Finding>>>;

fn confirmed() -> Vec<Finding> {
    vec![xmlrpc_flood().action(ActionId::CfPatternBlock)]
}

/// A genuine agent of acme whose looks at floods find what a test wants.
fn finding(cloud: &Cloud, site: &mut Site, first: Vec<Finding>) -> (HostileAgent, Found) {
    let found: Found = Arc::new(Mutex::new(first));
    let says = Arc::clone(&found);
    let agent = HostileAgent::in_front_of(&cloud.plane, site, move |request, genuine| {
        if !request.line.starts_with("GET /v1/diag") {
            return Deed::Send(unchanged(&genuine.answer()));
        }
        let findings = says.lock().expect("no panic").clone();
        Deed::Send(http(200, None, &report(&findings, now())))
    });
    (agent, found)
}

fn looks(agent: &HostileAgent) -> usize {
    agent.requests().iter().filter(|line| line.contains("/v1/diag")).count()
}

#[test]
fn an_armed_client_is_defended_after_two_looks_and_what_was_made_ends_by_an_operator() {
    let mut cloud = Cloud::new();
    let mut site = cloud.plane.site("acme", "web1", OPERATIONS);
    let (agent, found) = finding(&cloud, &mut site, confirmed());
    let zone = zone_id(1);
    cloud.zone("acme", NewZone::new(&zone, "acme.example").on(Plan::Pro));
    cloud.plane.start();

    // A flood alone does nothing, and neither does arming without one look more.
    assert_eq!(looks(&agent), 0, "nobody is armed");
    let answer = cloud.approve("enable-cf-auto", "acme");
    assert!(answer.starts_with("✓ armed"), "{answer}");
    until("the first look", || (looks(&agent) > 0).then_some(()));
    assert_eq!(cloud.cloudflare.changes().len(), 0, "one look is not enough");

    let intents = cloud.plane.wait_events("intent", 2);
    let intent = &intents[1];
    assert_eq!(
        (&intent["automatic"], &intent["action"]),
        (&true.into(), &"cf-targeted-block".into()),
        "{intent}"
    );
    assert_eq!(looks(&agent), 2);
    let outcomes = cloud.plane.wait_events("outcome", 2);
    assert_eq!(outcomes[1]["state"], "succeeded", "{}", outcomes[1]);
    let ours = cloud.ours(&zone, CUSTOM);
    assert_eq!(ours.len(), 1);
    let lease = cloud.open_leases().pop().expect("a lease");
    assert!(!lease.is_approved() && lease.id == ours[0].0);
    cloud.plane.expect("⚡ automatic (flood-xmlrpc)\n✓ in force acme cf-targeted-block: block 2 addresses");

    // It is one lease as any other: restored by hand, and disarmed it doesn't come back.
    found.lock().expect("no panic").clear();
    let answer = cloud.approve("disable-cf-auto", "acme");
    assert!(answer.contains("✓ disarmed"), "{answer}");
    let answer = cloud.approve("cf-restore", "acme");
    assert!(answer.contains("rule removed"), "{answer}");
    assert_eq!(cloud.ours(&zone, CUSTOM).len(), 0);
    let before = looks(&agent);
    *found.lock().expect("no panic") = confirmed();
    cloud.plane.stop();
    cloud.plane.start();
    let answer = cloud.approve("disable-cf-auto", "acme");
    assert!(answer.contains("✓ disarmed"), "{answer}");
    assert_eq!(looks(&agent), before, "nobody is armed");
    cloud.finish();
}

#[test]
fn an_arming_outlives_a_restart_and_ends_with_its_time() {
    let mut cloud = Cloud::new();
    let mut site = cloud.plane.site("acme", "web1", OPERATIONS);
    let (agent, _found) = finding(&cloud, &mut site, Vec::new());
    cloud.zone("acme", NewZone::new(&zone_id(1), "acme.example"));
    cloud.plane.start();
    let answer = cloud.approve("enable-cf-auto", "acme");
    assert!(answer.starts_with("✓ armed"), "{answer}");
    until("a look", || (looks(&agent) > 0).then_some(()));
    cloud.plane.stop();
    let before = looks(&agent);
    cloud.plane.start();
    until("a look after the restart", || (looks(&agent) > before).then_some(()));
    cloud.plane.stop();
    cloud.plane.sql(&format!("UPDATE armed SET until = {}", now() - 1));
    let before = looks(&agent);
    cloud.plane.start();
    cloud.told("the time of enable-cf-auto is over");
    assert_eq!(looks(&agent), before, "nobody is armed any more");
    assert_eq!(cloud.store().armed().expect("armed clients").len(), 0);
    assert_eq!(cloud.cloudflare.changes().len(), 0);
    cloud.finish();
}

#[test]
fn what_does_not_help_is_escalated_and_what_the_log_only_remembers_is_not() {
    let mut cloud = Cloud::new();
    for client in ["acme", "globex"] {
        cloud.plane.client(client);
    }
    let mut helped = cloud.plane.another_site("acme", "web1", OPERATIONS);
    let mut harmed = cloud.plane.another_site("globex", "web2", OPERATIONS);
    let (steady, _found) = finding(&cloud, &mut helped, confirmed());
    // At each look there are more of them: whatever was made doesn't stop them.
    let count = Arc::new(Mutex::new(1_500));
    let _grows = HostileAgent::in_front_of(&cloud.plane, &mut harmed, move |request, genuine| {
        if !request.line.starts_with("GET /v1/diag") {
            return Deed::Send(unchanged(&genuine.answer()));
        }
        let mut findings = confirmed();
        let mut count = count.lock().expect("no panic");
        *count += 300;
        findings[0].flood.as_mut().expect("a flood").count = *count;
        Deed::Send(http(200, None, &report(&findings, now())))
    });
    let (calm, attacked) = (zone_id(1), zone_id(2));
    cloud.zone("acme", NewZone::new(&calm, "acme.example"));
    cloud.zone("globex", NewZone::new(&attacked, "globex.example"));
    cloud.plane.start();
    for client in ["acme", "globex"] {
        let answer = cloud.approve("enable-cf-auto", client);
        assert!(answer.starts_with("✓ armed"), "{answer}");
    }
    let level = |zone: &str| cloud.cloudflare.security_level(zone);
    until("the narrow answers", || {
        (cloud.ours(&calm, CUSTOM).len() + cloud.ours(&attacked, CUSTOM).len() == 2).then_some(())
    });
    assert_eq!((level(&calm).as_str(), level(&attacked).as_str()), ("medium", "medium"));
    let looked = looks(&steady);
    until("two more looks", || (looks(&steady) >= looked + 2).then_some(()));
    until("under-attack mode", || (level(&attacked) == "under_attack").then_some(()));
    let looked = looks(&steady);
    until("one look more", || (looks(&steady) > looked).then_some(()));
    assert_eq!(level(&calm), "medium", "the narrow answer helped");
    assert_eq!(cloud.ours(&attacked, CUSTOM).len(), 1, "the narrow one stays");
    cloud.finish();
}

#[test]
fn under_attack_mode_comes_at_once_by_policy_and_one_host_that_answers_is_enough() {
    let mut cloud = Cloud::new();
    cloud.plane.set("SECMON_CF_AUTO_POLICY", "under-attack");
    let mut site = cloud.plane.site("acme", "web1", &["restart-php"]);
    let _unreachable = cloud.plane.another_site("acme", "web2", &["restart-web"]);
    let (agent, _found) = finding(&cloud, &mut site, confirmed());
    let zone = zone_id(1);
    let high = NewZone { security_level: "high".to_owned(), ..NewZone::new(&zone, "acme.example") };
    cloud.zone("acme", high);
    cloud.plane.start();
    let answer = cloud.approve("enable-cf-auto", "acme");
    assert!(answer.starts_with("✓ armed"), "{answer}");
    until("under-attack mode", || (cloud.cloudflare.security_level(&zone) == "under_attack").then_some(()));
    assert!(looks(&agent) >= 2);
    assert_eq!(cloud.ours(&zone, CUSTOM).len(), 0);
    cloud.plane.expect("⚡ automatic (flood-xmlrpc)\n✓ in force acme cf-under-attack");
    let answer = cloud.approve("disable-cf-auto", "acme");
    assert!(answer.contains("✓ disarmed"), "{answer}");
    assert_eq!(cloud.cloudflare.security_level(&zone), "under_attack", "disarming puts nothing back");
    cloud.approve("cf-restore", "acme");
    assert_eq!(cloud.cloudflare.security_level(&zone), "high", "as it was before");
    cloud.finish();
}

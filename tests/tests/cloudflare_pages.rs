//! What operators see around mitigations: pages that one broke, `/cf`, and what the command line says of leases.

use secmon_fake_cloudflare::{Edit, NewZone, Plan};
use secmon_tests::agent_host::{PATIENCE, text};
use secmon_tests::plane::OWNER;
use secmon_tests::plane::cloudflare::{Cloud, flood, xmlrpc_flood, zone_id};
use secmon_wire::diag::{Finding, FindingId, PatternField};
use serde_json::json;

const NAME: &str = "acme.example";

/// A running control plane with one zone in which these pages were named, before a stand-in for the edge.
fn watched(pages: &[&str], finding: Finding) -> Cloud {
    let mut cloud = Cloud::new();
    let edge = cloud.cloudflare.edge_url();
    cloud.plane.set("SECMON_CLOUDFLARE_EDGE", &edge);
    cloud.client("acme");
    cloud.zone("acme", NewZone::new(&zone_id(1), NAME).on(Plan::Pro));
    for page in pages {
        cloud.plane.secmon(&["cloudflare", "protect", "acme", NAME, "--probe", page]);
    }
    cloud.found("acme", &[finding], 0);
    cloud.plane.start();
    cloud
}

#[test]
fn machines_that_under_attack_mode_turns_away_are_said_with_a_button_that_puts_it_back() {
    let mut cloud = watched(&["/hook/", "/closed/"], xmlrpc_flood());
    cloud.cloudflare.set_origin(&[("/wp-json/", 401), ("/closed/", 403)]);
    let answer = cloud.approve("cf-under-attack", "acme");
    assert!(answer.contains("Apps, webhooks and monitors can't pass it"), "{answer}");
    let told = cloud.plane.reply();
    assert_eq!(
        told.text(),
        "⚠ turned away acme cf-under-attack on acme.example:\n/wp-json/: challenged now, 401 before\n\
         /hook/: challenged now, 200 before\nPeople pass a challenge; apps, webhooks and monitors don't."
    );
    let buttons = told.buttons();
    assert_eq!(buttons.len(), 1, "{buttons:?}");
    assert_eq!(buttons[0]["callback_data"], "/prepare cf-restore acme");
    let record = cloud.plane.wait_events("collateral", 1).remove(0);
    let broken = json!([
        {"before": "401", "now": "challenged", "page": "/wp-json/"},
        {"before": "200", "now": "challenged", "page": "/hook/"},
    ]);
    assert_eq!((&record["broken"], &record["looked"]), (&broken, &json!(4)));
    let visits = cloud.cloudflare.visits();
    let agents: Vec<_> = visits.iter().map(|visit| visit.visit.user_agent.as_str()).collect();
    assert!(visits.len() == 8 && agents.iter().all(|agent| agent.starts_with("secmon/")), "{agents:?}");
    assert!(visits.iter().all(|visit| visit.visit.host == NAME && visit.visit.cookie.is_empty()));
    cloud.finish();
}

#[test]
fn a_page_that_a_block_hits_is_said_and_one_that_was_broken_before_is_not() {
    let pattern = Some((PatternField::Path, "/shop/hook"));
    let sources = &[("203.0.113.7", 32, 2_000), ("203.0.113.8", 32, 2_000)];
    let mut cloud = watched(&["/shop/hook", "/gone"], flood(FindingId::Flood404Dyn, pattern, sources));
    cloud.cloudflare.set_origin(&[("/shop/hook", 404), ("/gone", 403)]);
    let answer = cloud.approve("cf-pattern-block", "acme");
    assert!(answer.starts_with("✓ in force"), "{answer}");
    let told = cloud.plane.expect("⚠ turned away");
    assert!(told.ends_with("on acme.example:\n/shop/hook: refused (403) now, 404 before"), "{told}");
    cloud.finish();
}

#[test]
fn a_mitigation_that_breaks_nothing_is_recorded_and_nobody_is_told() {
    let mut cloud = watched(&["/"], xmlrpc_flood());
    cloud.cloudflare.set_origin(&[("/wp-json/", 403)]);
    cloud.approve("cf-pattern-block", "acme");
    let record = cloud.plane.wait_events("collateral", 1).remove(0);
    assert_eq!((&record["broken"], &record["looked"]), (&json!([]), &json!(2)));
    assert_eq!(cloud.plane.ask(OWNER, "/whoami").text(), format!("You are {OWNER}."));
    cloud.finish();
}

#[test]
fn what_is_in_force_armed_and_switched_off_is_shown_wherever_somebody_asks() {
    let mut cloud = watched(&[], xmlrpc_flood());
    cloud.plane.client("empty");
    let cf = |cloud: &mut Cloud, client: &str| {
        let message = cloud.plane.ask(OWNER, format!("/cf {client}"));
        let buttons: Vec<_> =
            message.buttons().iter().map(|button| button["callback_data"].clone()).collect();
        (message.text().to_owned(), buttons)
    };
    assert_eq!(cf(&mut cloud, "nobody").0, "Unknown client; /clients lists them.");
    assert_eq!(cf(&mut cloud, "").0, "Use: /cf <client>");
    let none = cf(&mut cloud, "empty").0;
    assert!(
        none.starts_with(
            "empty has no zone at Cloudflare; on the control plane, secmon cloudflare add empty"
        )
    );
    let calm = "acme.example (pro): active\n  nothing of secmon in force\nautomatic: not armed";
    assert_eq!(cf(&mut cloud, "acme"), (calm.to_owned(), vec![json!("/prepare enable-cf-auto acme")]));

    cloud.approve("cf-pattern-block", "acme");
    assert!(cloud.cloudflare.visits().is_empty(), "no page was named");
    cloud.approve("enable-cf-auto", "acme");
    cloud.plane.secmon(&["auto", "off"]);
    let busy = "acme.example (pro): active\n  cf-pattern-block: block POST requests for /xmlrpc.php on acme.example; \
                verified crawlers pass, 24 h left (approved)\nautomatic: armed, 24 h left; switched off by `secmon \
                auto off`";
    let buttons = vec![json!("/prepare cf-restore acme"), json!("/prepare disable-cf-auto acme")];
    assert_eq!(cf(&mut cloud, "acme"), (busy.to_owned(), buttons));

    let doctor = text(&cloud.plane.attempt(&["doctor", "--offline"]).stdout);
    for line in [
        "warn  armed: acme for 1440 min more, but automatic changes are switched off by `secmon auto off`",
        "ok    leases: 1 in force at Cloudflare",
    ] {
        assert!(doctor.contains(line), "{line} in {doctor}");
    }
    let refused = cloud.plane.attempt(&["cloudflare", "remove", "acme", NAME]);
    let why = text(&refused.stderr);
    assert!(!refused.status.success() && why.contains("approve cf-restore acme first"), "{why}");

    let (zone, paused) = (zone_id(1), Some(true));
    cloud.cloudflare.edit(&Edit::SetZone { zone, status: None, paused, plan: None });
    let (paused, _) = cf(&mut cloud, "acme");
    assert!(
        paused.starts_with("acme.example (pro): the zone is paused: Cloudflare lets everything"),
        "{paused}"
    );
    cloud.approve("cf-restore", "acme");
    cloud.plane.secmon(&["cloudflare", "remove", "acme", NAME]);
    cloud.finish();
}

#[test]
fn leases_that_could_not_be_put_back_are_found_by_the_doctor() {
    let mut cloud = watched(&[], xmlrpc_flood());
    cloud.approve("cf-pattern-block", "acme");
    cloud.plane.stop();
    cloud.run_out("acme");
    cloud.plane.sql("UPDATE lease SET expires = expires - 3600");
    let doctor = text(&cloud.plane.attempt(&["doctor", "--offline"]).stdout);
    let line =
        "warn  acme cf-pattern-block on acme.example: its time was over 60 min ago and it is still in force";
    assert!(doctor.contains(line), "{line} in {doctor}");
    cloud.plane.start();
    let ended = cloud.plane.telegram.wait_message(PATIENCE, |message| message.text().starts_with("↩ ended"));
    assert!(ended.is_some(), "{}", cloud.plane.log());
    let doctor = text(&cloud.plane.attempt(&["doctor", "--offline"]).stdout);
    assert!(!doctor.contains("cf-pattern-block"), "{doctor}");
    cloud.finish();
}

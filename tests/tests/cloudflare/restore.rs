//! How a lease ends other than by its own action in the matrix: its time runs out, somebody was faster, it is renewed,
//! or another takes its place.

use secmon_control::cloudflare::State;
use secmon_fake_cloudflare::{Edit, NewZone, Plan};
use secmon_tests::agent_host::until;
use secmon_tests::plane::cloudflare::{CUSTOM, Cloud, RATE_LIMIT, flood, login_flood, zone_id};
use secmon_wire::diag::{FindingId, PatternField};
use serde_json::{Value, json};

/// A running control plane with one client for each of these actions, which is approved; the zones.
fn in_force(actions: &[&str]) -> (Cloud, Vec<(String, String)>) {
    let mut cloud = Cloud::new();
    let clients: Vec<_> = (1..=actions.len()).map(|at| (format!("client{at}"), zone_id(at))).collect();
    let zone = |(client, id): &(String, String)| {
        let mut zone = NewZone::new(id, &format!("{client}.example")).on(Plan::Business);
        "essentially_off".clone_into(&mut zone.security_level);
        (client.clone(), zone)
    };
    cloud.crowd(clients.iter().map(zone).collect());
    clients.iter().for_each(|(client, _)| cloud.found(client, &[login_flood()], 0));
    cloud.plane.start();
    for ((client, _), action) in clients.iter().zip(actions) {
        let answer = cloud.approve(action, client);
        assert!(answer.starts_with(&format!("✓ in force {client} {action}: ")), "{answer}");
    }
    (cloud, clients)
}

fn of_lease(cloud: &Cloud, client: &str, event: &str) -> Vec<Value> {
    cloud.plane.events(event).into_iter().filter(|record| record["client"] == client).collect()
}

/// Everything ended, and nothing of ours stands in these zones.
fn nothing_left(cloud: &Cloud, clients: &[(String, String)]) {
    for (client, zone) in clients {
        assert_eq!(cloud.open_leases_of(client), [], "{client}");
        let ours = [CUSTOM, RATE_LIMIT].map(|phase| cloud.ours(zone, phase).len());
        assert_eq!(ours, [0, 0], "{client}");
        assert_eq!(cloud.cloudflare.security_level(zone), "essentially_off", "{client}");
    }
}

const ACTIONS: &[&str] =
    &["cf-targeted-block", "cf-pattern-block", "cf-rate-limit", "cf-managed-challenge", "cf-under-attack"];

#[test]
fn what_ran_out_is_put_back_by_a_running_control_plane_and_after_a_start() {
    let (mut cloud, clients) = in_force(ACTIONS);
    let ended = |cloud: &Cloud, client: &str, action: &str| {
        let told = cloud.told(&format!("↩ ended {client} {action} on {client}.example: its time is over; "));
        let how = if action == "cf-under-attack" {
            "security level essentially_off again."
        } else {
            "rule removed."
        };
        assert!(told.ends_with(how), "{told}");
        let ending = of_lease(cloud, client, "lease-ending");
        assert_eq!((ending.len(), &ending[0]["why"]), (1, &json!("expired")), "{ending:?}");
        until("the end to be recorded", || (of_lease(cloud, client, "lease-ended").len() == 1).then_some(()));
    };
    let ((client, _), action) = (&clients[0], ACTIONS[0]);
    cloud.run_out(client);
    // An approval makes it look at its leases, which it otherwise does when it believes that the first runs out.
    let answer = cloud.approve("disable-cf-auto", client);
    assert!(answer.contains("disarmed"), "{answer}");
    ended(&cloud, client, action);
    assert_eq!(cloud.open_leases().len(), ACTIONS.len() - 1, "the others have time left");
    cloud.plane.stop();
    clients.iter().for_each(|(client, _)| cloud.run_out(client));
    assert_eq!(cloud.ours(&clients[1].1, CUSTOM).len(), 1);
    cloud.plane.start();
    for ((client, _), action) in clients.iter().zip(ACTIONS).skip(1) {
        ended(&cloud, client, action);
    }
    until("the last lease to end", || cloud.open_leases().is_empty().then_some(()));
    nothing_left(&cloud, &clients);
    cloud.finish();
}

#[test]
fn what_somebody_else_changed_or_removed_meanwhile_is_left_alone_and_said() {
    let actions =
        ["cf-pattern-block", "cf-rate-limit", "cf-under-attack", "cf-pattern-block", "cf-under-attack"];
    let (mut cloud, clients) = in_force(&actions);
    let zone = |at: usize| clients[at].1.clone();
    let set = |at: usize, phase: &str, set: Value| Edit::ChangeRule {
        zone: zone(at),
        phase: phase.to_owned(),
        rule: "secmon:*".to_owned(),
        set: set.as_object().expect("members").clone(),
    };
    let level = |at, value: &str| Edit::SetSecurityLevel { zone: zone(at), value: value.to_owned() };
    let theirs = json!({"action": "managed_challenge"});
    let remove = Edit::RemoveRule { zone: zone(3), phase: CUSTOM.to_owned(), rule: "secmon:*".to_owned() };
    let edits = [
        set(0, CUSTOM, theirs),
        set(1, RATE_LIMIT, json!({"enabled": false})),
        level(2, "high"),
        remove,
        level(4, "essentially_off"),
    ];
    edits.iter().for_each(|edit| cloud.cloudflare.edit(edit));
    let before: Vec<_> = clients.iter().map(|(_, zone)| cloud.cloudflare.zone(zone)).collect();
    let how = [
        "somebody changed the rule meanwhile; it stays",
        "somebody changed the rule meanwhile; it stays",
        "somebody set the security level to high meanwhile; it stays",
        "the rule was gone already",
        "the security level was essentially_off again already",
    ];
    let changes = cloud.cloudflare.changes().len();
    for (((client, zone), action), (how, before)) in clients.iter().zip(actions).zip(how.iter().zip(&before))
    {
        let answer = cloud.approve("cf-restore", client);
        assert_eq!(answer, format!("✓ restored {client}\n{client}.example {action}: {how}"));
        assert_eq!(cloud.cloudflare.zone(zone), *before, "{client}");
        assert_eq!(of_lease(&cloud, client, "lease-ended")[0]["how"], json!(how));
    }
    assert_eq!(cloud.cloudflare.changes().len(), changes, "nothing was sent");
    assert_eq!(cloud.open_leases(), []);
    // What was left alone stays so when the control plane looks for what it left behind.
    cloud.plane.stop();
    let requests = cloud.cloudflare.requests().len();
    cloud.plane.start();
    // The last thing that it reads in a zone, when it removes what is left behind.
    let looked = |zone: &str| {
        let requests = cloud.cloudflare.requests().into_iter().skip(requests);
        requests
            .filter(|request| request.path.contains(zone) && request.path.contains("/access_rules/"))
            .count()
    };
    until("every zone to be looked at", || clients.iter().all(|(_, zone)| looked(zone) > 0).then_some(()));
    for ((_, zone), before) in clients.iter().zip(&before) {
        assert_eq!(cloud.cloudflare.zone(zone), *before);
    }
    cloud.finish();
}

#[test]
fn the_same_approved_again_is_given_more_time_and_nothing_is_sent() {
    let (mut cloud, clients) = in_force(&["cf-pattern-block", "cf-under-attack"]);
    let changes = cloud.cloudflare.changes().len();
    for ((client, zone), action) in clients.iter().zip(["cf-pattern-block", "cf-under-attack"]) {
        let before = cloud.cloudflare.zone(zone);
        let store = cloud.store();
        let mut lease = cloud.open_leases_of(client).remove(0);
        let expires = lease.expires;
        lease.expires -= 600;
        store.update_lease(&lease).expect("a kept lease");
        let answer = cloud.approve(action, client);
        assert!(answer.starts_with(&format!("✓ renewed {client} {action}: ")), "{answer}");
        let renewed = cloud.open_leases_of(client);
        assert_eq!((renewed.len(), renewed[0].id), (1, lease.id), "{action}");
        assert!((expires..expires + 120).contains(&renewed[0].expires), "{action}");
        assert_eq!(cloud.cloudflare.zone(zone), before, "{action}");
        let intent = of_lease(&cloud, client, "intent").remove(1);
        assert_eq!(intent["leases"][0]["renewed"], json!(true));
        let outcome = of_lease(&cloud, client, "outcome").remove(1);
        assert_eq!(
            (&outcome["state"], &outcome["leases"][0]["renewed"]),
            (&json!("succeeded"), &json!(true))
        );
    }
    assert_eq!(cloud.cloudflare.changes().len(), changes, "nothing was sent");
    let answer = cloud.approve("cf-restore", &clients[1].0);
    assert!(answer.ends_with("security level essentially_off again"), "{answer}");
    let _answer = cloud.approve("cf-restore", &clients[0].0);
    nothing_left(&cloud, &clients);
    cloud.finish();
}

#[test]
fn a_newer_flood_takes_the_place_of_the_older_ones_rule() {
    let (mut cloud, clients) = in_force(&["cf-pattern-block"]);
    let (client, zone) = &clients[0];
    let (old, _) = cloud.ours(zone, CUSTOM).remove(0);
    let agent = (PatternField::UserAgent, "python-requests/2.31");
    cloud.found(client, &[flood(FindingId::FloodUa, Some(agent), &[("203.0.113.7", 32, 900)])], 0);
    let answer = cloud.approve("cf-pattern-block", client);
    assert!(answer.starts_with(&format!("✓ in force {client} cf-pattern-block: ")), "{answer}");
    let ours = cloud.ours(zone, CUSTOM);
    assert_eq!(ours.len(), 1, "{ours:?}");
    assert!(ours[0].1["expression"].as_str().is_some_and(|text| text.contains("python-requests/2.31")));
    assert_ne!(ours[0].0, old);
    let intent = of_lease(&cloud, client, "intent").remove(1);
    assert_eq!(intent["leases"][0]["replaces"], json!([old.to_string()]));
    let ending = of_lease(&cloud, client, "lease-ending");
    assert_eq!((&ending[0]["lease"], &ending[0]["why"]), (&json!(old.to_string()), &json!("replaced")));
    let open = cloud.open_leases();
    assert_eq!((open.len(), open[0].state), (1, State::Active));
    let answer = cloud.approve("cf-restore", client);
    assert_eq!(answer, format!("✓ restored {client}\n{client}.example cf-pattern-block: rule removed"));
    nothing_left(&cloud, &clients);
    assert!(cloud.approve("cf-restore", client).contains("there is no mitigation to put back"));
    cloud.finish();
}

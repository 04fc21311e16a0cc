//! Every mitigation on every plan in every situation: the zone, the audit log and the chat afterwards, and the zone
//! once it was put back.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use secmon_control::cloudflare::State;
use secmon_fake_cloudflare::{NewZone, Plan};
use secmon_tests::agent_host::until;
use secmon_tests::plane::OWNER;
use secmon_tests::plane::cloudflare::{CUSTOM, Cloud, RATE_LIMIT};
use secmon_wire::ActionId;
use serde_json::{Value, json};

use super::cell::{ACTIONS, Cell, Foreign, IN_BETWEEN};
use super::situation::{Ending, SITUATIONS};

/// What of Telegram's 4,096 characters is spent on an expression.
const SHOWN: usize = 700;

#[test]
fn every_mitigation_on_every_plan_ends_as_its_situation_has_it_and_is_put_back() {
    let plans = [[Plan::Free, Plan::Pro], [Plan::Business, Plan::Enterprise]];
    thread::scope(|scope| {
        for (action, plans) in ACTIONS.iter().flat_map(|action| plans.map(|plans| (*action, plans))) {
            scope.spawn(move || side_by_side(action, &plans));
        }
    });
}

/// A test of its own has them: it takes the stand-in seconds to hold so many to the specification.
fn is_a_thousand_rules(cell: &Cell) -> bool {
    cell.situation.name == "no room" && cell.plan == Plan::Enterprise && cell.phase() == Some(CUSTOM)
}

/// One control plane, of which all cells ask at once.
fn side_by_side(action: ActionId, plans: &[Plan]) {
    let cells = plans.iter().flat_map(|plan| SITUATIONS.iter().map(|situation| (*plan, situation)));
    let cells: Vec<Cell> = cells
        .enumerate()
        .map(|(number, (plan, situation))| Cell::new(number + 1, action, plan, situation))
        .filter(|cell| !is_a_thousand_rules(cell))
        .collect();
    let mut cloud = Cloud::new();
    let zone = |cell: &Cell| NewZone::new(&cell.zone, &cell.name()).on(cell.plan);
    cloud.crowd(cells.iter().map(|cell| (cell.client.clone(), zone(cell))).collect());
    cells.iter().for_each(|cell| (cell.situation.prepare)(cell, &cloud));
    let before: Vec<_> = cells.iter().map(|cell| cell.foreign(&cloud)).collect();
    let rulesets: Vec<_> = cells.iter().map(|cell| ruleset(&cloud, cell)).collect();
    cloud.plane.start();
    for cell in &cells {
        let line = cloud.plane.line(action.as_str(), &cell.client);
        cloud.plane.telegram.text(OWNER, line.to_string());
    }
    // Every cell that is wrong is told, not only the first.
    let is_wrong = |((cell, before), ruleset): &((&Cell, &Foreign), &Option<Value>)| {
        let look = || {
            let answer = answer(&cloud, &format!(" {} {action}", cell.client));
            let ending = (cell.situation.ending)(cell);
            chat(cell, ending, &answer);
            zone_after(&cloud, cell, ending, before);
            audit(&cloud, cell, ending, before, ruleset);
        };
        catch_unwind(AssertUnwindSafe(look)).is_err()
    };
    let wrong = cells.iter().zip(&before).zip(&rulesets).filter(is_wrong).count();
    assert_eq!(wrong, 0, "{action} on {plans:?}: cells that are wrong");
    put_back(&mut cloud, &cells, &before);
    cloud.finish();
}

/// The bot's answer with these words, which is none that only says that it works.
fn answer(cloud: &Cloud, words: &str) -> String {
    until(&format!("an answer with {words:?}"), || {
        let sent = cloud.plane.telegram.sent();
        let is_answer = |text: &str| text.contains(words) && !text.starts_with("… ");
        sent.iter().map(|message| message.text()).find(|text| is_answer(text)).map(str::to_owned)
    })
}

fn ruleset(cloud: &Cloud, cell: &Cell) -> Option<Value> {
    cloud.cloudflare.ruleset(&cell.zone, cell.phase()?)
}

fn chat(cell: &Cell, ending: Ending, answer: &str) {
    let Cell { client, action, .. } = cell;
    match ending {
        Ending::InForce => {
            assert!(answer.starts_with(&format!("✓ in force {client} {action}: ")), "{cell}: {answer}");
            let time = if *action == ActionId::CfUnderAttack { ", for 60 min." } else { ", for 24 h." };
            assert!(answer.contains(time), "{cell}: {answer}");
        }
        Ending::Failed(why) => {
            let start = format!("✗ failed {client} {action} on {}: ", cell.name());
            assert!(answer.starts_with(&start) && answer.contains(why), "{cell}: {answer}");
        }
        Ending::Rejected(_, why) => {
            let start = format!("✗ rejected {client} {action}: ");
            assert!(answer.starts_with(&start) && answer.contains(why), "{cell}: {answer}");
        }
    }
}

fn zone_after(cloud: &Cloud, cell: &Cell, ending: Ending, before: &Foreign) {
    let after = cell.foreign(cloud);
    assert_eq!((&after.rules, &after.access_rules), (&before.rules, &before.access_rules), "{cell}");
    let in_force = ending == Ending::InForce;
    let ours = [CUSTOM, RATE_LIMIT].map(|phase| cloud.ours(&cell.zone, phase).len());
    let Some(phase) = cell.phase() else {
        let level = if in_force { "under_attack" } else { before.security_level.as_str() };
        assert_eq!((after.security_level.as_str(), ours), (level, [0, 0]), "{cell}");
        return;
    };
    assert_eq!(after.security_level, before.security_level, "{cell}");
    let expected = [CUSTOM, RATE_LIMIT].map(|known| usize::from(in_force && known == phase));
    assert_eq!(ours, expected, "{cell}");
    let rules = cloud.cloudflare.rules(&cell.zone, phase);
    if let Some(place) = rules.iter().position(|rule| rule["description"] == IN_BETWEEN) {
        assert_eq!(place, 0, "{cell}");
    }
    if in_force {
        let (lease, rule) = cloud.ours(&cell.zone, phase).remove(0);
        assert_eq!(rules.last(), Some(&rule), "{cell}: ours stands behind all others");
        let tag = format!("secmon:{lease}");
        assert_eq!((&rule["ref"], &rule["description"]), (&json!(tag), &json!(tag)), "{cell}");
    }
}

fn audit(cloud: &Cloud, cell: &Cell, ending: Ending, before: &Foreign, ruleset: &Option<Value>) {
    let of_cell = |record: &Value| record["client"] == cell.client.as_str();
    let records: Vec<_> = cloud.plane.audit().into_iter().filter(of_cell).collect();
    let named = |event: &str| records.iter().filter(|record| record["event"] == event).collect::<Vec<_>>();
    if let Ending::Rejected(reason, _) = ending {
        let [rejected] = named("rejected")[..] else { panic!("{cell}: {records:?}") };
        assert_eq!((records.len(), &rejected["reason"]), (1, &json!(reason)), "{cell}");
        assert_eq!(cloud.open_leases_of(&cell.client), [], "{cell}");
        return;
    }
    let ([intent], [outcome]) = (&named("intent")[..], &named("outcome")[..]) else {
        panic!("{cell}: {records:?}");
    };
    let lease = &intent["leases"][0];
    assert_eq!(intent["leases"].as_array().map(Vec::len), Some(1), "{cell}");
    assert_eq!((&lease["zone"], &lease["zone_name"]), (&json!(cell.zone), &json!(cell.name())), "{cell}");
    let held = &lease["changes"][0];
    let previous = match (cell.phase(), ruleset) {
        (None, _) => json!({"level": before.security_level}),
        (Some(_), None) => json!("no-ruleset"),
        (Some(_), Some(was)) => json!({"ruleset": {"id": was["id"], "version": was["version"]}}),
    };
    assert_eq!(held["previous"], previous, "{cell}");
    assert_eq!(outcome["intent"]["seq"], intent["seq"], "{cell}");
    let state = if ending == Ending::InForce { "succeeded" } else { "failed" };
    assert_eq!((&outcome["state"], &outcome["final"]), (&json!(state), &json!(true)), "{cell}");
    assert_eq!(outcome["leases"][0]["lease"], lease["lease"], "{cell}");
    let of_zone = |path: &str| path.contains(&cell.zone);
    let changes = cloud.cloudflare.changes().into_iter().filter(|request| of_zone(&request.path));
    let first = changes.map(|request| request.at_ms).min().expect("a request that changes");
    let recorded = intent["ts"].as_i64().expect("a time") * 1000;
    assert!(recorded <= first, "{cell}: the intent is recorded before the call");
    if ending == Ending::InForce
        && let Some(phase) = cell.phase()
    {
        let (id, rule) = cloud.ours(&cell.zone, phase).remove(0);
        assert_eq!(lease["lease"], json!(id.to_string()), "{cell}");
        assert_eq!(held["change"]["rule"]["rule"]["expression"], rule["expression"], "{cell}");
        let expression: String = rule["expression"].as_str().expect("text").chars().take(SHOWN).collect();
        let answer = answer(cloud, &format!(" {} {}", cell.client, cell.action));
        assert!(answer.contains(&expression), "{cell}: {answer}");
    }
    let states: Vec<_> = cloud.open_leases_of(&cell.client).iter().map(|lease| lease.state).collect();
    let expected: &[State] = match ending {
        Ending::InForce => &[State::Active],
        // A request without an answer may still come; until it can't, the lease is looked after.
        Ending::Failed(why) if why.contains("isn't there") => &[State::Ending],
        _ => &[],
    };
    assert_eq!(states, expected, "{cell}");
}

/// Puts back whatever is in force.
fn put_back(cloud: &mut Cloud, cells: &[Cell], before: &[Foreign]) {
    let in_force = |(cell, _): &(&Cell, &Foreign)| (cell.situation.ending)(cell) == Ending::InForce;
    let restored: Vec<_> = cells.iter().zip(before).filter(in_force).collect();
    for (cell, _) in &restored {
        let line = cloud.plane.line("cf-restore", &cell.client);
        cloud.plane.telegram.text(OWNER, line.to_string());
    }
    for (cell, before) in restored {
        let how = match cell.phase() {
            Some(_) => "rule removed".to_owned(),
            None => format!("security level {} again", before.security_level),
        };
        let answer = answer(cloud, &format!(" restored {}\n", cell.client));
        let expected = format!("✓ restored {}\n{} {}: {how}", cell.client, cell.name(), cell.action);
        assert_eq!(answer, expected, "{cell}");
        assert_eq!(cell.foreign(cloud), *before, "{cell}");
        let ours = [CUSTOM, RATE_LIMIT].map(|phase| cloud.ours(&cell.zone, phase).len());
        assert_eq!(ours, [0, 0], "{cell}");
        assert_eq!(cloud.open_leases_of(&cell.client), [], "{cell}");
        let of_cell = |record: &Value| record["client"] == cell.client.as_str();
        let events: Vec<_> = cloud.plane.audit().into_iter().filter(of_cell).collect();
        let names: Vec<_> = events.iter().filter_map(|record| record["event"].as_str()).collect();
        let expected = ["intent", "outcome", "intent", "lease-ending", "lease-ended", "outcome"];
        assert_eq!(names, expected, "{cell}");
        assert_eq!(events[4]["how"], json!(how), "{cell}");
    }
}

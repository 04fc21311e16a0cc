#![expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should")]

use secmon_wire::ActionId;
use secmon_wire::diag::{Counters, Facts};

use super::*;

const NOW: u64 = 1_767_225_600;

/// A look so many hours ago that counted these.
fn look(hours: u64, counted: &[(&str, u64)]) -> Sample {
    let mut counters = Counters::new();
    for (key, rate) in counted {
        assert!(counters.add(CounterId::RequestRate, key, *rate));
    }
    Sample { taken: NOW - hours * 3_600, boot: [1; 16], counters }
}

/// A look a day, the newest first, each with so many searches a minute.
fn days(rates: &[u64]) -> Vec<Sample> {
    let days = rates.iter().zip(0_u64..);
    days.map(|(rate, day)| look(day * 24 + 12, &[(PAGES, 100), ("flood-search", *rate)])).collect()
}

fn flood(id: FindingId, rate: u64) -> Finding {
    let facts = Facts::new().number(FactName::Rate, rate).number(FactName::Sources, 40);
    Finding::new(id, Severity::Critical).with(facts).action(ActionId::CfManagedChallenge)
}

fn judged(id: FindingId, rate: u64, past: &[Sample]) -> Option<Finding> {
    let mut findings = vec![flood(id, rate)];
    excuse(&mut findings, past, NOW);
    findings.pop()
}

fn searched(rate: u64, past: &[Sample]) -> (Severity, bool) {
    let finding = judged(FindingId::FloodSearch, rate, past).expect("a flood is never hidden");
    (finding.severity, finding.action.is_some())
}

const EXCUSED: (Severity, bool) = (Severity::Info, false);
const ACCUSED: (Severity, bool) = (Severity::Critical, true);

#[test]
fn nothing_is_excused_by_the_first_looks() {
    assert_eq!(searched(40, &[]), ACCUSED);
    assert_eq!(searched(40, &days(&[50, 50])), ACCUSED, "two days");
    assert_eq!(searched(40, &days(&[50, 50, 50])), EXCUSED, "three days");
    let one_day: Vec<Sample> = (1..20).map(|hour| look(hour, &[(PAGES, 9), ("flood-search", 50)])).collect();
    assert_eq!(searched(40, &one_day), ACCUSED, "many looks on one day");
}

#[test]
fn a_quiet_host_is_flooded_by_what_a_busy_one_always_has() {
    assert_eq!(searched(60, &days(&[0, 2, 1, 0, 3])), ACCUSED);
    assert_eq!(searched(60, &days(&[20, 25, 18, 30, 22])), EXCUSED);
    // Five times what is usual is a flood on a busy host, too.
    assert_eq!(searched(109, &days(&[20, 25, 18, 30, 22])), EXCUSED);
    assert_eq!(searched(110, &days(&[20, 25, 18, 30, 22])), ACCUSED);
}

#[test]
fn a_host_that_grew_is_known_as_it_is_now_after_as_many_days_as_before() {
    assert_eq!(searched(200, &days(&[60, 60, 60, 5, 5, 5])), ACCUSED, "half of them");
    assert_eq!(searched(200, &days(&[60, 60, 60, 60, 5, 5, 5])), EXCUSED);
    // And one that shrank is judged by what it is now.
    assert_eq!(searched(200, &days(&[5, 5, 5, 5, 60, 60, 60])), ACCUSED);
}

#[test]
fn the_busiest_look_of_a_day_stands_for_it() {
    let nights = (0..4).map(|day| look(day * 24 + 3, &[(PAGES, 5)]));
    let noons = (0..4).map(|day| look(day * 24 + 12, &[(PAGES, 200), ("flood-search", 30)]));
    assert_eq!(searched(100, &nights.clone().chain(noons).collect::<Vec<_>>()), EXCUSED);
    assert_eq!(searched(100, &nights.collect::<Vec<_>>()), ACCUSED);
}

#[test]
fn what_was_counted_within_the_hour_or_in_the_future_says_nothing_of_what_is_usual() {
    let mut past = days(&[0, 0, 0]);
    past[0].taken = NOW - 3_599;
    past[0].counters = look(0, &[(PAGES, 900), ("flood-search", 900)]).counters;
    past.truncate(3);
    assert_eq!(searched(400, &past), ACCUSED);
    let mut past = days(&[90, 90, 90]);
    past[0].taken = NOW - 3_599;
    assert_eq!(searched(40, &past), ACCUSED, "the third day is of now");
    past[0].taken = NOW + 86_400;
    assert_eq!(searched(40, &past), ACCUSED, "the third day is of tomorrow");
}

#[test]
fn looks_at_something_else_say_nothing_of_requests() {
    let mut past = days(&[50, 50, 50]);
    past.extend((0..9).map(|hour| look(20 + hour * 24, &[])));
    assert_eq!(searched(40, &past), EXCUSED);
}

#[test]
fn no_number_however_wrong_excuses_more_than_is_written_here() {
    let most = |id: FindingId| ROWS.iter().find(|(row, ..)| *row == id).map(|(_, _, most)| *most);
    let past: Vec<Sample> = (0..7)
        .map(|day| {
            let keys = FindingId::ALL.iter().filter(|id| id.as_str().starts_with("flood-"));
            look(day * 24 + 12, &keys.map(|id| (id.as_str(), u64::from(u32::MAX))).collect::<Vec<_>>())
        })
        .collect();
    for id in FindingId::ALL.iter().filter(|id| id.as_str().starts_with("flood-")) {
        let limit = most(*id).map_or(0, |most| most * TIMES);
        let at = judged(*id, limit, &past).expect("a flood is never hidden");
        assert_eq!((at.severity, at.action.is_some()), ACCUSED, "{id} at {limit}");
        if limit > 0 {
            let below = judged(*id, limit - 1, &past).expect("a flood is never hidden");
            assert_eq!((below.severity, below.action.is_some()), EXCUSED, "{id} below {limit}");
            assert_eq!(below.facts.get_number(FactName::Baseline), Some(limit / TIMES));
        }
    }
    for id in
        [FindingId::FloodLogin, FindingId::FloodXmlrpc, FindingId::FloodSingleIp, FindingId::FloodSubnet]
    {
        assert_eq!(most(id), None, "{id}");
    }
}

#[test]
fn what_comes_every_day_and_does_no_harm_is_not_worth_a_line() {
    for (id, rate, kept) in [
        (FindingId::BenignSurge, 499, false),
        (FindingId::BenignSurge, 500, true),
        (FindingId::FloodSearch, 249, false),
        (FindingId::FloodSearch, 250, true),
        (FindingId::FloodLogin, 1, true),
    ] {
        let mut harmless = flood(id, rate);
        (harmless.severity, harmless.action) = (Severity::Info, None);
        let mut findings = vec![harmless];
        excuse(&mut findings, &days(&[50; 5]), NOW);
        assert_eq!(findings.len(), usize::from(kept), "{id} {rate}");
    }
}

#[test]
fn other_findings_stay_as_they_are() {
    let down = Finding::new(FindingId::DbDown, Severity::Critical).action(ActionId::RestartDb);
    let mut findings = vec![down.clone()];
    excuse(&mut findings, &days(&[50; 7]), NOW);
    assert_eq!(findings, [down]);
}

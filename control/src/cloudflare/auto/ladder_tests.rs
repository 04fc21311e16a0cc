use super::*;

const NOW: u64 = 1_767_225_600;

fn ladder() -> Ladder {
    Ladder::new(AutoPolicy::Ladder, 2, Level::Off, 0)
}

#[test]
fn one_look_is_not_enough_and_a_harmless_one_between_begins_anew() {
    let mut ladder = ladder();
    assert_eq!(ladder.judge(Seen::Flood, NOW), Step::Stay);
    assert_eq!(ladder.judge(Seen::Suspicious, NOW + 15), Step::Stay);
    assert_eq!(ladder.judge(Seen::Flood, NOW + 30), Step::Stay);
    assert_eq!(ladder.judge(Seen::Flood, NOW + 45), Step::Narrow);
}

#[test]
fn what_does_not_help_for_two_more_looks_is_escalated_and_what_does_is_not() {
    let mut ladder = ladder();
    ladder.rose(Level::Narrow, NOW);
    assert_eq!(ladder.judge(Seen::Flood, NOW + 15), Step::Stay);
    assert_eq!(ladder.judge(Seen::Quiet, NOW + 30), Step::Stay);
    assert_eq!(ladder.judge(Seen::Flood, NOW + 45), Step::Stay);
    assert_eq!(ladder.judge(Seen::Flood, NOW + 60), Step::UnderAttack);
    ladder.rose(Level::UnderAttack, NOW + 60);
    for look in 0..10 {
        assert_eq!(ladder.judge(Seen::Flood, NOW + 75 + 15 * look), Step::Stay, "there is nothing above");
    }
}

#[test]
fn under_attack_mode_comes_at_once_where_the_policy_says_so() {
    let mut ladder = Ladder::new(AutoPolicy::UnderAttack, 2, Level::Off, 0);
    assert_eq!(ladder.judge(Seen::Flood, NOW), Step::Stay);
    assert_eq!(ladder.judge(Seen::Flood, NOW + 15), Step::UnderAttack);
}

#[test]
fn it_stays_for_its_least_time_and_until_it_has_been_quiet_for_long_enough() {
    let mut ladder = ladder();
    ladder.rose(Level::Narrow, NOW);
    assert_eq!(ladder.judge(Seen::Quiet, NOW + 15), Step::Stay);
    assert_eq!(ladder.judge(Seen::Quiet, NOW + 15 + QUIET_S), Step::Stay, "too early");
    assert_eq!(ladder.judge(Seen::Quiet, NOW + ON_S), Step::Back);
    assert_eq!(ladder.judge(Seen::Suspicious, NOW + ON_S + 15), Step::Stay);
    assert_eq!(ladder.judge(Seen::Quiet, NOW + ON_S + 30), Step::Stay, "quiet begins anew");
    assert_eq!(ladder.judge(Seen::Quiet, NOW + ON_S + 30 + QUIET_S), Step::Back);
}

#[test]
fn what_comes_back_stays_longer_each_time_and_then_stays_on_and_says_so_once() {
    let mut ladder = ladder();
    let mut now = NOW;
    for stays in [ON_S, 2 * ON_S] {
        ladder.rose(Level::Narrow, now);
        assert_eq!(ladder.judge(Seen::Quiet, now), Step::Stay);
        assert_eq!(ladder.judge(Seen::Quiet, now + stays - 1), Step::Stay);
        assert_eq!(ladder.judge(Seen::Quiet, now + stays), Step::Back);
        now += stays;
        ladder.fell(now);
    }
    ladder.rose(Level::Narrow, now);
    assert_eq!(ladder.judge(Seen::Quiet, now), Step::Stay);
    let first = NOW + ON_S;
    // With its own least time it would only come to that when the first change of mind is forgotten.
    ladder.stay_s = ON_S;
    assert_eq!(ladder.judge(Seen::Quiet, now + ON_S), Step::Hold);
    assert_eq!(ladder.judge(Seen::Quiet, now + ON_S + 15), Step::Stay, "said once");
    assert_eq!(ladder.judge(Seen::Quiet, first + HOUR_S), Step::Back, "an hour later it may");
}

#[test]
fn looks_are_rare_while_nothing_is_there_and_frequent_otherwise() {
    let mut ladder = ladder();
    assert_eq!(ladder.pause(), CALM);
    let _step = ladder.judge(Seen::Suspicious, NOW);
    assert_eq!(ladder.pause(), ALERT);
    let _step = ladder.judge(Seen::Quiet, NOW);
    assert_eq!(ladder.pause(), CALM);
    ladder.rose(Level::Narrow, NOW);
    assert_eq!(ladder.pause(), ALERT);
}

#[test]
fn a_mitigation_that_somebody_put_back_is_no_change_of_mind_of_ours() {
    let mut ladder = ladder();
    ladder.rose(Level::UnderAttack, NOW);
    ladder.gone();
    assert_eq!((ladder.level(), ladder.flips.len()), (Level::Off, 0));
    assert_eq!(ladder.judge(Seen::Quiet, NOW + 86_400), Step::Stay);
}

#[test]
fn what_cannot_be_told_from_the_past_neither_counts_as_a_flood_nor_as_quiet() {
    let mut ladder = ladder();
    ladder.rose(Level::Narrow, NOW);
    for look in 0..100 {
        assert_eq!(ladder.judge(Seen::Unclear, NOW + 15 * look), Step::Stay);
    }
    assert_eq!(ladder.judge(Seen::Quiet, NOW + 1500), Step::Stay, "quiet begins now");
    assert_eq!(ladder.judge(Seen::Quiet, NOW + 1500 + QUIET_S), Step::Back);
}

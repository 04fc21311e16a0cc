//! What automatic dispatch makes of whole days: quiet ones are left alone, and floods are answered while they last.

use std::thread;

use secmon_control::cloudflare::Plan;
use secmon_tests::day::{Day, Figures, crowd, directory, floods, recorded_days};
use secmon_wire::ActionId;

/// The recorded days on which a flood does harm; all others are to be left alone.
const HARMED: [&str; 2] =
    ["a search flood of a minute that fells the server", "three seconds of a flood from a few addresses"];

fn replay(days: Vec<Day>) -> Vec<Figures> {
    let days = days.into_iter().map(|day| thread::spawn(move || day.replay(Plan::Free)));
    let days: Vec<_> = days.collect();
    days.into_iter().map(|day| day.join().expect("a day that ends")).collect()
}

#[test]
fn recorded_quiet_days_and_crowds_are_left_alone_and_harmful_floods_are_not() {
    let recorded = match directory() {
        Some(directory) => recorded_days(&directory),
        None => {
            println!("skipped: no recorded logs");
            Vec::new()
        }
    };
    for day in replay(recorded.into_iter().chain([crowd()]).collect()) {
        let harmed = HARMED.contains(&day.name.as_str());
        assert_eq!(!day.made.is_empty(), harmed, "{day}");
        assert!(day.seconds_to_mitigation().is_none_or(|seconds| seconds <= 75), "two looks: {day}");
        assert_eq!((day.others_blocked, day.others_challenged, day.flips()), (0, 0, 0), "{day}");
        assert_eq!(day.backs.len(), usize::from(harmed), "what is over is put back: {day}");
    }
}

#[test]
fn a_flood_is_answered_by_the_narrowest_means_and_stays_answered() {
    let floods: Vec<Day> = floods().into_iter().take(2).collect();
    let expected = [ActionId::CfManagedChallenge, ActionId::CfTargetedBlock];
    for (day, action) in replay(floods).into_iter().zip(expected) {
        assert!(day.made.iter().all(|(made, _)| *made == action), "{day}");
        assert!(day.seconds_to_mitigation().is_some_and(|seconds| seconds <= 75), "two looks: {day}");
        assert!(day.flood_stopped * 10 >= day.flood_after * 9, "{day}");
        assert!(day.others_blocked == 0 && day.others_challenged * 100 <= day.others, "{day}");
        assert_eq!(day.flips(), 1, "{day}");
        assert_eq!(day.backs.len(), day.made.len(), "everything is put back: {day}");
    }
}

//! What a log's own past may excuse, and what is part of that past.

use secmon_wire::diag::{FindingId, Severity};

use super::fake::{Hit, common, hit, log, post, quiet, visitor};
use super::preview::{LATE, LATE_IN_A_ROW};
use super::*;

/// What is found while requests wait for PHP: what the log's last window shows is a warning, what is over is not.
fn found_now(bytes: &[u8]) -> Vec<(FindingId, Severity)> {
    let waiting = Impact { php_queue: 3, ..Impact::default() };
    let findings = judge_log(bytes, None, &Settings::new(&waiting)).findings;
    findings.iter().map(|finding| (finding.id, finding.severity)).collect()
}

/// Quiet minutes, and so many requests in each minute of the last ones.
fn then(quiet_minutes: u64, minutes: u64, each: u64, make: impl Fn(u64, u64) -> Hit) -> Vec<Hit> {
    let mut hits = quiet(0..quiet_minutes + minutes);
    for minute in quiet_minutes..quiet_minutes + minutes {
        hits.extend((0..each).map(|n| make(minute * 60 + n * 59 / each, minute * each + n)));
    }
    hits
}

#[test]
fn lines_from_another_time_count_for_no_window() {
    // Late enough in the day for the hours before it.
    const BEGIN: u64 = 4 * 3_600;
    let flood = |n: u64, ago: u64| Hit {
        at: fake::T + BEGIN + 600 + n / 4 - ago,
        ..post(0, visitor(n), "/xmlrpc.php")
    };
    let mixed = |ago: u64| -> Vec<u8> {
        let mut hits = quiet(BEGIN / 60..BEGIN / 60 + 12);
        hits.sort_by_key(|hit| hit.at);
        let mut lines = String::new();
        let mut n = 0;
        for hit in hits {
            lines.push_str(&common(&hit));
            if hit.at >= fake::T + BEGIN + 600 {
                lines.push_str(&common(&flood(n, ago)));
                n += 1;
            }
        }
        lines.into_bytes()
    };
    assert_eq!(
        found_now(&mixed(LATE / 2)),
        [(FindingId::FloodXmlrpc, Severity::Warning)],
        "late, and counted"
    );
    assert_eq!(found_now(&mixed(LATE * 2)), [], "from elsewhere");
}

#[test]
fn a_clock_that_was_set_back_blinds_nobody() {
    let mut lines = String::new();
    let mut quiet = quiet(400..410);
    quiet.sort_by_key(|hit| hit.at);
    quiet.iter().for_each(|hit| lines.push_str(&common(hit)));
    let flood = |n: u64| common(&post(600 + n, visitor(n), "/xmlrpc.php"));
    let few: String = (0..u64::from(LATE_IN_A_ROW) - 1).map(flood).collect();
    assert_eq!(found_now((lines.clone() + &few).as_bytes()), []);
    lines.extend((0..120).map(flood));
    assert_eq!(found_now(lines.as_bytes()), [(FindingId::FloodXmlrpc, Severity::Warning)]);
}

#[test]
fn a_clock_that_ran_ahead_for_a_moment_hides_nothing_of_what_follows() {
    let in_order = |mut hits: Vec<Hit>| -> String {
        hits.sort_by_key(|hit| hit.at);
        hits.iter().map(common).collect()
    };
    let flood = (0..120).map(|n| post(40 * 60 + n / 2, visitor(n), "/xmlrpc.php"));
    let parts =
        [quiet(0..30), quiet(120..121), quiet(31..50).into_iter().chain(flood).collect(), quiet(50..150)];
    let lines: String = parts.into_iter().map(in_order).collect();
    let findings = judge_log(lines.as_bytes(), None, &Settings::new(&Impact::default())).findings;
    assert_eq!(findings.iter().map(|finding| finding.id).collect::<Vec<_>>(), [FindingId::FloodXmlrpc]);
}

#[test]
fn a_log_excuses_no_more_than_a_well_site_has() {
    let attack = |at, n| post(at, visitor(n), "/xmlrpc.php");
    // Just too little to be one, for long, and then four times that.
    let mut hits = then(10, 40, 18, attack);
    assert_eq!(found_now(&log(hits.clone())), []);
    hits.extend((0..72).map(|n| post(3_000 + n * 59 / 72, visitor(n), "/xmlrpc.php")));
    assert_eq!(found_now(&log(hits)), [(FindingId::FloodXmlrpc, Severity::Warning)]);
}

#[test]
fn a_flood_that_goes_on_does_not_become_what_is_normal() {
    let bust = |at, n| hit(at, visitor(n), format!("/?{}", 8_890_121_518 + n * 7919));
    let one = |at, n| hit(at, "198.51.100.9", format!("/post-{}/", n % 9));
    let net = |at, n| hit(at, format!("198.51.100.{}", n % 6), "/post-1/");
    for (id, bytes) in [
        (FindingId::FloodCachebust, log(then(15, 45, 90, bust))),
        (FindingId::FloodSingleIp, log(then(15, 45, 130, one))),
        (FindingId::FloodSubnet, log(then(15, 45, 150, net))),
    ] {
        assert_eq!(found_now(&bytes), [(id, Severity::Warning)], "{id}");
    }
}

#[test]
fn what_is_usual_in_the_log_is_no_flood_and_five_times_that_is() {
    let form = |at, n| post(at, visitor(n), "/contact/");
    let usual = || then(0, 40, 30, form);
    for (each, expected) in [(100, vec![]), (150, vec![(FindingId::FloodPost, Severity::Warning)])] {
        let mut hits = usual();
        hits.extend((0..each).map(|n| form(2_400 + n * 59 / each, n)));
        assert_eq!(found_now(&log(hits)), expected, "{each}");
    }
}

#[test]
fn a_log_that_has_just_begun_has_no_ratio_and_accuses_nobody_by_it() {
    // A busy site after its log was rotated, with nothing to compare with.
    let busy = |minutes: u64| -> Vec<Hit> {
        (0..minutes * 150)
            .map(|n| hit(n * 60 / 150, visitor(n % 900), format!("/post-{}/", n % 40)))
            .collect()
    };
    let impact = Impact::default();
    for minutes in [1, 4, 20] {
        let findings = judge_log(&log(busy(minutes)), None, &Settings::new(&impact)).findings;
        assert_eq!(findings.iter().map(|finding| finding.id).collect::<Vec<_>>(), [], "{minutes}");
    }
}

//! Lines about PHP, and what the sockets say to them.
#![expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should")]

use super::super::said::Request;
use super::*;
use crate::discover::fake::FakeHost;

const NOW: u64 = 1_795_311_290;
const SOCKET: &str = "/run/php/php8.2-fpm.sock";
const ASKED: Request<'static> = Request { path: "/shop", host: "shop.test", referred: false };
const HEAD: &str = "Num       RefCount Protocol Flags    Type St Inode Path\n";

fn listens(path: &str) -> String {
    format!("0000000000000000: 00000002 00000000 00010000 0001 01 12345 {path}\n")
}

fn host(sockets: &str) -> FakeHost {
    FakeHost::new(NOW).file("/proc/net/unix", &format!("{HEAD}{sockets}"))
}

fn judged(host: &FakeHost, started: u64, lines: &[(u64, Said<'_>)]) -> Vec<Finding> {
    judged_after_change(host, started, 0, lines)
}

fn judged_after_change(
    host: &FakeHost,
    started: u64,
    changed: u64,
    lines: &[(u64, Said<'_>)],
) -> Vec<Finding> {
    let mut upstream = Upstream::new(NOW, started);
    for (age, said) in lines {
        upstream.said(WebKind::Nginx, NOW - age, said, b"the line");
    }
    let mut notes = Notes::default();
    upstream.judge(host, &Stack::default(), &|_| Details { changed, ..Details::default() }, &mut notes);
    notes.findings().to_vec()
}

fn ids(host: &FakeHost, lines: &[(u64, Said<'_>)]) -> Vec<FindingId> {
    judged(host, 0, lines).iter().map(|finding| finding.id).collect()
}

fn unreachable(failure: Failure) -> [(u64, Said<'static>); 1] {
    [(9, Said::Unreachable(failure, SOCKET, ASKED))]
}

#[test]
fn a_socket_that_is_gone_stale_or_back_is_told_apart() {
    let absent = unreachable(Failure::Absent);
    let refused = unreachable(Failure::Refused);
    assert_eq!(ids(&host(""), &absent), [FindingId::PhpDownNosock]);
    assert_eq!(ids(&host("").file(SOCKET, ""), &refused), [FindingId::PhpDownStale]);
    let action = judged(&host(""), 0, &absent)[0].action;
    assert_eq!(action, Some(ActionId::RestartPhp));
    for lines in [absent, refused] {
        assert!(ids(&host(&listens(SOCKET)).file(SOCKET, ""), &lines).is_empty());
    }
    assert!(ids(&host(""), &[(301, Said::Unreachable(Failure::Absent, SOCKET, ASKED))]).is_empty());
}

#[test]
fn without_the_list_of_sockets_a_connection_tells() {
    let refused = unreachable(Failure::Refused);
    let host = FakeHost::new(NOW).file(SOCKET, "");
    assert!(ids(&host, &refused).is_empty());
    assert!(ids(&host.clone().socket(SOCKET, Denied::Permission), &refused).is_empty());
    assert_eq!(ids(&host.socket(SOCKET, Denied::Refused), &refused), [FindingId::PhpDownStale]);
}

#[test]
fn another_version_that_listens_beside_is_what_the_site_should_want() {
    let host = host(&listens("/var/run/php/php8.3-fpm.sock"));
    let findings = judged(&host, 0, &unreachable(Failure::Absent));
    assert_eq!(findings[0].id, FindingId::PhpSockMismatch);
    assert_eq!(findings[0].action, None);
    assert_eq!(
        findings[0].to_string(),
        format!("The site wants PHP at {SOCKET}, and only /var/run/php/php8.3-fpm.sock runs")
    );
}

#[test]
fn a_socket_that_no_site_wants_any_more_is_nobodys_problem() {
    for failure in [Failure::Absent, Failure::Permission] {
        let lines = unreachable(failure);
        let host = host("");
        assert_eq!(judged_after_change(&host, 0, NOW - 10, &lines).len(), 1);
        assert!(judged_after_change(&host, 0, NOW - 9, &lines).is_empty());
    }
}

#[test]
fn php_over_the_network_is_tried_again() {
    let lines = [(9, Said::Unreachable(Failure::Refused, "127.0.0.1:9000", ASKED))];
    assert_eq!(ids(&host("").socket("127.0.0.1:9000", Denied::Refused), &lines), [FindingId::PhpDownNosock]);
    assert!(ids(&host("").file("127.0.0.1:9000", ""), &lines).is_empty());
}

#[test]
fn a_socket_that_may_not_be_opened_is_said_until_it_is_made_anew() {
    let lines = unreachable(Failure::Permission);
    let there = |modified| host("").file_of(SOCKET, b"", modified);
    assert_eq!(ids(&there(NOW - 60), &lines), [FindingId::PhpSockPerm]);
    assert!(ids(&there(NOW - 3), &lines).is_empty());
    assert!(
        ids(&there(NOW - 500), &[(NOW_S + 1, Said::Unreachable(Failure::Permission, SOCKET, ASKED))])
            .is_empty()
    );
}

#[test]
fn a_full_queue_is_only_said_while_it_is() {
    let full = |age| [(age, Said::Unreachable(Failure::Full, SOCKET, ASKED))];
    assert_eq!(ids(&host(""), &full(NOW_S)), [FindingId::PhpBacklogFull]);
    assert!(ids(&host(""), &full(NOW_S + 1)).is_empty());
}

#[test]
fn a_burst_of_failed_answers_is_an_error_of_the_gateway() {
    let hung = |ages: &[u64]| ages.iter().map(|age| (*age, Said::HungUp(ASKED))).collect::<Vec<_>>();
    let found = ids(&host(""), &hung(&[65, 30, 5]));
    assert_eq!(found, [FindingId::PhpWorkerCrash, FindingId::Http502]);
    assert_eq!(ids(&host(""), &hung(&[66, 30, 5])), [FindingId::PhpWorkerCrash]);
    assert!(ids(&host(""), &hung(&[30, 5])).is_empty());
    assert!(ids(&host(""), &hung(&[601, 30, 5])).is_empty());
    assert!(judged(&host(""), NOW - 4, &hung(&[65, 30, 5])).is_empty(), "what a restart cut off");
}

#[test]
fn answers_that_failed_while_php_was_away_are_over_when_it_is_back() {
    let lines = [9, 8, 7].map(|age| (age, Said::Unreachable(Failure::Refused, SOCKET, ASKED)));
    let down = host("").file(SOCKET, "");
    assert_eq!(ids(&down, &lines), [FindingId::PhpDownStale, FindingId::Http502]);
    assert!(ids(&host(&listens(SOCKET)).file(SOCKET, ""), &lines).is_empty());
}

#[test]
fn late_answers_count_from_three_in_five_minutes() {
    let late = |count| vec![(300, Said::NoAnswer(ASKED)); count];
    assert_eq!(ids(&host(""), &late(3)), [FindingId::Http504]);
    assert!(ids(&host(""), &late(2)).is_empty());
    let said = judged(&host(""), 0, &late(3))[0].to_string();
    assert_eq!(said, "the site: PHP takes longer than 60 s; slowest /shop (3 in 5 min)");
}

#[test]
fn a_change_of_the_configuration_ends_late_answers_and_headers_that_were_too_large() {
    let late = vec![(9, Said::NoAnswer(ASKED)); 3];
    let headers = vec![(9, Said::BigHeader(ASKED)); 3];
    let ids = |changed, lines: &[(u64, Said<'_>)]| {
        let found = judged_after_change(&host(""), 0, changed, lines);
        found.iter().map(|finding| finding.id).collect::<Vec<_>>()
    };
    for (lines, id) in [(&late, FindingId::Http504), (&headers, FindingId::Http502)] {
        assert_eq!(ids(NOW - 10, lines), [id]);
        // Both are known to a second. What is still so will be said again.
        assert!(ids(NOW - 9, lines).is_empty(), "{id}");
        let and_one_that_was_under_way = [lines.as_slice(), &[(2, lines[0].1)]].concat();
        assert!(ids(NOW - 9, &and_one_that_was_under_way).is_empty(), "{id}");
    }
}

use secmon_wire::ActionId;
use secmon_wire::diag::FactName;

use super::super::fake::{FakeHost, Hit, T, hit, log, post, quiet, visitor};
use super::*;

const LOG: &str = "/var/log/nginx/access.log";

fn site(path: &str) -> Site {
    Site {
        names: vec!["example.org".into()],
        listens: Vec::new(),
        root: None,
        access_log: Some(AccessLog { path: path.into(), format: None }),
        certificates: Vec::new(),
        php: None,
        real_ip: false,
    }
}

fn stack(paths: &[&str]) -> Stack {
    Stack { sites: paths.iter().map(|path| site(path)).collect(), ..Stack::default() }
}

fn run(host: &FakeHost, impact: &Impact) -> Notes {
    let mut notes = Notes::default();
    check(host, &stack(&[LOG]), impact, &mut notes);
    notes
}

fn ids(notes: &Notes) -> Vec<FindingId> {
    notes.findings().iter().map(|finding| finding.id).collect()
}

/// Ten quiet minutes, and a flood in the eleventh.
fn flooded() -> Vec<u8> {
    let flood = (0..120).map(|n| post(600 + n / 3, visitor(n), "/xmlrpc.php"));
    log(quiet(0..10).into_iter().chain(flood).collect())
}

fn host(after: u64, bytes: Vec<u8>) -> FakeHost {
    let clock = T + 640 + after;
    FakeHost { clock, ..FakeHost::default() }.file(LOG, bytes, clock)
}

#[test]
fn a_flood_of_now_has_an_action_and_one_that_is_over_is_information_and_then_nothing() {
    let queue = Impact { php_queue: 9, ..Impact::default() };
    let of = |after| {
        let notes = run(&host(after, flooded()), &queue);
        assert_eq!(notes.what_was_checked(), [Check::AccessLog]);
        notes.findings().first().map(|finding| (finding.severity, finding.action))
    };
    assert_eq!(of(5), Some((Severity::Warning, Some(ActionId::CfPatternBlock))));
    // What waits now is not this flood's doing.
    assert_eq!(of(400), Some((Severity::Info, None)));
    assert_eq!(of(3_500), Some((Severity::Info, None)));
    assert_eq!(of(3_700), None);
}

#[test]
fn the_rates_of_now_are_counted_for_those_who_know_the_days_before() {
    let searches = (0..90).map(|n| hit(600 + n / 3, visitor(n), format!("/?s=casino+{n}")));
    let bytes = log(quiet(0..11).into_iter().chain(searches).collect());
    let counted = |host: &FakeHost, paths: &[&str]| -> Vec<(String, u64)> {
        let mut notes = Notes::default();
        check(host, &stack(paths), &Impact::default(), &mut notes);
        let rates = notes.counters().iter().filter(|counter| counter.id == CounterId::RequestRate);
        rates.map(|counter| (counter.key.to_string(), counter.value)).collect()
    };
    let expected = [("flood-distributed".to_owned(), 96), ("flood-search".to_owned(), 90)];
    assert_eq!(counted(&host(5, bytes.clone()), &[LOG]), expected);
    // Beside a quieter site, the busier one counts, in whatever order they come.
    let quieter = log(quiet(0..11));
    let two = || host(5, bytes.clone()).file("/var/log/nginx/b.log", quieter.clone(), T + 645);
    assert_eq!(counted(&two(), &[LOG, "/var/log/nginx/b.log"]), expected);
    assert_eq!(counted(&two(), &["/var/log/nginx/b.log", LOG]), expected);
    // What is over is not what there is now, and what isn't read isn't known.
    assert_eq!(counted(&host(1_000, bytes), &[LOG]), [("flood-distributed".to_owned(), 0)]);
    assert_eq!(counted(&FakeHost::default(), &[LOG]), []);
}

#[test]
fn what_failed_in_a_flood_that_is_over_is_no_longer_harm() {
    let mut hits: Vec<Hit> = quiet(0..10);
    hits.extend((0..120).map(|n| Hit { status: 502, ..post(600 + n / 3, visitor(n), "/xmlrpc.php") }));
    let of = |after| {
        let notes = run(&host(after, log(hits.clone())), &Impact::default());
        (ids(&notes), notes.findings()[0].severity, notes.findings()[0].action.is_some())
    };
    let all = vec![FindingId::FloodXmlrpc, FindingId::Http502, FindingId::Http5xxRate];
    assert_eq!(of(5), (all, Severity::Critical, true));
    assert_eq!(of(900), (vec![FindingId::FloodXmlrpc], Severity::Info, false));
}

#[test]
fn what_was_rotated_away_within_the_hour_is_read_too() {
    let bytes = flooded();
    let at = bytes.len() * 98 / 100;
    let cut = bytes[..at].iter().rposition(|byte| *byte == b'\n').expect("a line") + 1;
    for old in [format!("{LOG}.1"), format!("{LOG}-20261122")] {
        let host = host(5, bytes[cut..].to_vec());
        let clock = host.clock;
        let whole = host.file(&old, &bytes[..cut], clock - 30).file(&format!("{LOG}.2.gz"), b"", clock - 30);
        assert_eq!(ids(&run(&whole, &Impact::default())), [FindingId::FloodXmlrpc], "{old}");
        let stale = whole.file(&old, &bytes[..cut], clock - 20_000);
        assert_eq!(ids(&run(&stale, &Impact::default())), [], "{old}");
    }
}

#[test]
fn a_log_that_cannot_be_read_is_never_fine() {
    for (denied, why) in [
        (Denied::Permission, WhyNotChecked::Permission),
        (Denied::Absent, WhyNotChecked::Absent),
        (Denied::Failed, WhyNotChecked::Failed),
    ] {
        let mut host = host(5, flooded());
        host.denied.insert(LOG.into(), denied);
        let notes = run(&host, &Impact::default());
        assert_eq!(notes.what_was_checked(), []);
        let skipped = notes.what_was_not_checked();
        assert_eq!(
            (skipped[0].what, skipped[0].why, skipped[0].detail.as_str()),
            (Check::AccessLog, why, LOG)
        );
    }
    let nonsense = "something else entirely\n".repeat(30);
    let notes = run(&host(5, nonsense.into_bytes()), &Impact::default());
    assert_eq!(notes.what_was_not_checked()[0].why, WhyNotChecked::Unsupported);
    let mut late = host(5, flooded().repeat(20));
    late.left = Some(TIME_LEFT);
    assert_eq!(run(&late, &Impact::default()).what_was_not_checked()[0].why, WhyNotChecked::Timeout);
}

#[test]
fn a_host_without_a_web_server_has_no_log_to_look_at() {
    let mut notes = Notes::default();
    check(&FakeHost::default(), &Stack::default(), &Impact::default(), &mut notes);
    assert_eq!((notes.findings(), notes.what_was_checked()), ([].as_slice(), [].as_slice()));
    let [skipped] = notes.what_was_not_checked() else { panic!("one: {:?}", notes.what_was_not_checked()) };
    assert_eq!((skipped.what, skipped.why), (Check::AccessLog, WhyNotChecked::Absent));
}

#[test]
fn a_log_of_two_sites_is_read_once_and_the_ninth_log_is_said_to_be_unread() {
    let paths: Vec<String> = (0..9).map(|n| format!("/var/log/nginx/{n}.log")).collect();
    let mut host = FakeHost { clock: T + 645, ..FakeHost::default() };
    for path in &paths {
        host = host.file(path, flooded(), T + 640);
    }
    let paths: Vec<&str> = paths.iter().map(String::as_str).chain(["/var/log/nginx/0.log"]).collect();
    let mut notes = Notes::default();
    check(&host, &stack(&paths), &Impact::default(), &mut notes);
    assert_eq!(notes.findings().len(), 8);
    let unread: Vec<_> = notes.what_was_not_checked().iter().map(|skipped| skipped.detail.as_str()).collect();
    assert_eq!(unread, ["/var/log/nginx/8.log"]);
}

#[test]
fn the_hosts_own_requests_accuse_nobody() {
    let own = (0..200).map(|n| post(600 + n / 5, "198.51.100.7", "/xmlrpc.php"));
    let bytes = log(quiet(0..10).into_iter().chain(own).collect());
    let trie = "  |-- 198.51.100.7\n     /32 host LOCAL\n";
    assert_eq!(ids(&run(&host(5, bytes.clone()), &Impact::default())), [FindingId::FloodXmlrpc]);
    let known = host(5, bytes).file("/proc/net/fib_trie", trie, 0);
    assert_eq!(ids(&run(&known, &Impact::default())), []);
}

#[test]
fn only_who_is_no_crawler_for_certain_is_called_a_false_one() {
    let google = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";
    let crawl = (0..60)
        .map(|n| Hit { agent: google.into(), ..hit(600 + n / 2, "198.51.100.9", format!("/post-{n}/")) });
    let bytes = log(quiet(0..10).into_iter().chain(crawl).collect());
    let real = ("198.51.100.9", "crawl-198-51-100-9.googlebot.com", "198.51.100.9");
    for (names, found) in [
        (vec![], false),
        (vec![real], false),
        (vec![("198.51.100.9", "", "")], true),
        (vec![("198.51.100.9", "host9.example.net", "198.51.100.9")], true),
        (vec![("198.51.100.9", "crawl-198-51-100-9.googlebot.com", "203.0.113.1")], true),
        (vec![("198.51.100.9", "crawl-198-51-100-9.googlebot.com", "")], true),
        (vec![("198.51.100.9", "googlebot.com.example.net", "198.51.100.9")], true),
    ] {
        let mut host = host(5, bytes.clone()).file("/etc/resolv.conf", "# none\nnameserver 192.0.2.53\n", 0);
        host.names = names.clone();
        let notes = run(&host, &Impact::default());
        assert_eq!(ids(&notes) == [FindingId::FakeBot], found, "{names:?}: {:?}", ids(&notes));
        if found {
            assert!(notes.findings()[0].facts.get(FactName::Address).is_some());
        }
    }
}

#[test]
fn what_a_look_at_this_host_has_asked_of_it_is_nobodys_visit_and_the_name_alone_hides_nobody() {
    let counted = |from: &str, agent: &str| {
        let lines = (0..5).map(|n| Hit { agent: agent.to_owned(), ..hit(600 + n, from, "/") });
        let impact = Impact::default();
        let exempt = [("203.0.113.9".parse().expect("an address"), 32)];
        let settings = Settings { exempt: &exempt, ..Settings::new(&impact) };
        crate::flood::judge_log(&log(lines.collect()), None, &settings).lines
    };
    for own in ["127.0.0.1", "::1", "203.0.113.9"] {
        assert_eq!(counted(own, "secmon-diag/0.1.0"), 0, "{own}");
        assert_eq!(counted(own, "curl/7.88.1"), 5, "another program on {own}");
    }
    assert_eq!(counted("198.51.100.7", "secmon-diag/0.1.0"), 5, "a stranger under our name");
}

#[test]
fn the_manifest_moves_the_rate_of_a_flood_and_the_share_of_errors() {
    let of = |threshold, value, hits: &[Hit]| {
        let mut notes = Notes::default();
        let thresholds = crate::tuning::Thresholds::default().with(threshold, value);
        let stack = Stack { thresholds, ..stack(&[LOG]) };
        check(&host(5, log(hits.to_vec())), &stack, &Impact::default(), &mut notes);
        ids(&notes)
    };
    // From one address, half the rate is a flood.
    let flood = |count| -> Vec<Hit> {
        let one = (0..count).map(|n| hit(600 + n * 30 / count, "198.51.100.9", format!("/post-{}/", n % 9)));
        quiet(0..10).into_iter().chain(one).collect()
    };
    for (rate, count) in [(120, 60_u64), (300, 150), (80, 40)] {
        assert_eq!(of(Threshold::FloodRate, rate, &flood(count)), [FindingId::FloodSingleIp], "{rate}");
        assert!(of(Threshold::FloodRate, rate, &flood(count - 1)).is_empty(), "{rate}");
    }
    let mut errors = quiet(0..10);
    errors.extend((0..9).map(|n| Hit { status: 500, ..hit(600 + n, visitor(n), "/") }));
    let is_said = |percent| of(Threshold::ServerErrors, percent, &errors).contains(&FindingId::Http5xxRate);
    assert!(is_said(2));
    assert!(!is_said(50), "5 in 100 are no news to this owner");
}

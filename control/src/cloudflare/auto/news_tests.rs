use secmon_wire::diag::{Flood, Source};

use super::*;

const NOW: u64 = 1_767_225_600;
const WINDOW: u64 = 300;

/// A flood that does harm, so many requests in a window that ended then.
fn flood(count: u64, end: u64) -> Finding {
    let source = Source { address: [198, 51, 100, 7].into(), bits: 32, count: 1 };
    let flood = Flood {
        count,
        error: 0,
        pattern: None,
        sources: [source].into_iter().collect(),
        spared: 0,
        window: Window { end, seconds: 300 },
    };
    Finding::new(FindingId::FloodSearch, Severity::Critical).flood(flood).action(ActionId::CfManagedChallenge)
}

fn agent() -> AgentId {
    AgentId::new("web1").expect("an id")
}

fn weigh(news: &mut News, findings: &[Finding], now: u64) -> Seen {
    news.weigh(&[Told { agent: &agent(), clock: now, findings: findings.iter().collect() }], now).0
}

#[test]
fn a_flood_is_one_until_something_is_done_about_it() {
    let mut news = News::new(0);
    assert_eq!(weigh(&mut news, &[], NOW), Seen::Quiet);
    assert_eq!(weigh(&mut news, &[flood(900, NOW)], NOW), Seen::Flood);
    assert_eq!(weigh(&mut news, &[flood(900, NOW - 400)], NOW), Seen::Flood, "it was once worse");
}

#[test]
fn what_the_log_remembers_of_before_a_change_says_nothing_of_it() {
    let mut news = News::new(0);
    assert_eq!(weigh(&mut news, &[flood(2_000, NOW)], NOW), Seen::Flood);
    news.changed(NOW);
    // A little still came in until the edge knew; then no more, and the window forgets it.
    for (count, after) in [(2_200, 15), (2_200, 30), (2_200, 45), (1_900, 60), (900, 200), (100, 290)] {
        let at = NOW + after;
        assert_eq!(weigh(&mut news, &[flood(count, at)], at), Seen::Unclear, "{after}");
    }
    for after in [300, 600, 899] {
        assert_eq!(weigh(&mut news, &[flood(2_000, NOW - 5)], NOW + after), Seen::Unclear, "{after}");
    }
}

#[test]
fn a_flood_that_goes_on_after_a_change_is_told_from_one_that_is_over() {
    let mut news = News::new(NOW);
    assert_eq!(
        weigh(&mut news, &[flood(2_000, NOW + 15)], NOW + 15),
        Seen::Unclear,
        "the first is the measure"
    );
    assert_eq!(
        weigh(&mut news, &[flood(2_024, NOW + 30)], NOW + 30),
        Seen::Unclear,
        "a few more are nothing"
    );
    assert_eq!(weigh(&mut news, &[flood(2_300, NOW + 30)], NOW + 30), Seen::Flood);
    // One that is as old as the window doesn't grow in it.
    let mut news = News::new(NOW);
    for after in [15, 30, 285, 299] {
        assert_eq!(weigh(&mut news, &[flood(2_000, NOW + after)], NOW + after), Seen::Unclear, "{after}");
    }
    assert_eq!(weigh(&mut news, &[flood(2_000, NOW + WINDOW)], NOW + WINDOW), Seen::Flood);
    assert_eq!(weigh(&mut news, &[flood(2_000, NOW - 5)], NOW + LINGERS_S), Seen::Flood, "it was once worse");
}

#[test]
fn another_flood_than_the_one_that_was_answered_counts_at_once() {
    let mut news = News::new(NOW);
    assert_eq!(weigh(&mut news, &[flood(2_000, NOW + 15)], NOW + 15), Seen::Unclear);
    let other = Finding { id: FindingId::FloodXmlrpc, ..flood(100, NOW + 30) };
    let both = [flood(2_000, NOW + 30), other.clone()];
    let (agent, web2) = (agent(), AgentId::new("web2").expect("an id"));
    let told = Told { agent: &agent, clock: NOW + 30, findings: both.iter().collect() };
    assert_eq!(news.weigh(&[told], NOW + 30), (Seen::Flood, Some(&other)));
    let again = [flood(2_000, NOW + 30)];
    let told = Told { agent: &web2, clock: NOW + 30, findings: again.iter().collect() };
    assert_eq!(news.weigh(&[told], NOW + 30).0, Seen::Flood, "the same on another host");
}

#[test]
fn harmless_floods_matter_while_they_are_there_and_scans_never() {
    let mut news = News::new(0);
    let harmless = |id, end| Finding { id, severity: Severity::Info, action: None, ..flood(900, end) };
    assert_eq!(weigh(&mut news, &[harmless(FindingId::FloodSearch, NOW - 600)], NOW), Seen::Suspicious);
    assert_eq!(weigh(&mut news, &[harmless(FindingId::FloodSearch, NOW - 601)], NOW), Seen::Quiet);
    assert_eq!(weigh(&mut news, &[harmless(FindingId::Scan404, NOW)], NOW), Seen::Quiet);
    // What isn't worse than usual there keeps the action that would fit.
    let usual = Finding { severity: Severity::Info, ..flood(900, NOW) };
    assert_eq!(weigh(&mut news, &[usual], NOW), Seen::Suspicious);
}

#[test]
fn a_hosts_wrong_clock_changes_nothing() {
    let mut news = News::new(NOW);
    let agent = agent();
    for (after, count, seen) in
        [(15, 2_000, Seen::Unclear), (30, 2_000, Seen::Unclear), (45, 2_600, Seen::Flood)]
    {
        let clock = NOW + after - 86_400;
        let findings = [flood(count, clock)];
        assert_eq!(
            news.weigh(&[Told { agent: &agent, clock, findings: findings.iter().collect() }], NOW + after).0,
            seen
        );
    }
}

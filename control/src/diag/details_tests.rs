#![expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should")]

use secmon_wire::ActionId;
use secmon_wire::diag::{
    Check, FactName, Facts, NotChecked, Pattern, Severity, Source, WhyNotChecked, Window,
};
use secmon_wire::limits::{EVIDENCE_LINE_MAX, FINDINGS_MAX};

use super::super::Compared;
use super::super::testing::{CLOCK, acme, host};
use super::*;

fn shown(visits: &[Arc<Visit>], room: Room) -> Reply {
    acme(|client| details(&client, visits, room))
}

fn flooded() -> Finding {
    let sources = (1..=7_u8).map(|last| Source {
        address: [192, 0, 2, last].into(),
        bits: 32,
        count: 900 - u32::from(last),
    });
    let flood = Flood {
        count: 7_000,
        error: 12,
        pattern: Pattern::new(PatternField::Path, "/xmlrpc.php"),
        sources: sources.collect(),
        spared: 3,
        window: Window { end: CLOCK, seconds: 300 },
    };
    let facts = Facts::new().number(FactName::Rate, 1_400).number(FactName::Sources, 7);
    Finding::new(FindingId::FloodSearch, Severity::Critical).with(facts).flood(flood)
}

#[test]
fn everything_that_was_found_stands_under_its_cause() {
    let queue = Facts::new().number(FactName::Count, 9).number(FactName::Limit, 5);
    let queue = Finding::new(FindingId::PhpQueue, Severity::Warning).with(queue);
    let bad_gateway =
        Finding::new(FindingId::Http502, Severity::Critical).line("connect() to unix:/x failed");
    let skipped = NotChecked::new(Check::PhpErrorLog, WhyNotChecked::Permission, "/var/log/php.log");
    let swap = Finding::new(FindingId::MemSwapThrash, Severity::Warning)
        .with(Facts::new().number(FactName::Rate, 250));
    let compared = vec![Compared { finding: swap, within: 60 }];
    let visits = [host("web1", vec![flooded(), queue, bad_gateway], compared, vec![skipped])];
    let expected = "\
acme web1
🔴 The search is flooded: 1400/min from 7 addresses
  flood-search
  7000 requests in 5 min, path /xmlrpc.php; \
from 192.0.2.1/32 899, 192.0.2.2/32 898, 192.0.2.3/32 897, \
192.0.2.4/32 896, 192.0.2.5/32 895 and 2 more (at least; counted within 12); \
3 of those who are never blocked
  → no restart: the requests would fill it again at once
  ↳ 🟡 Memory is swapped in and out (250 pages a second)
    mem-swap-thrash
    ↳ 🟡 9 requests wait for PHP (5 workers)
      php-queue
      ↳ 🔴 ? answers ?: no PHP behind the web server (? in 5 min)
        http-502: connect() to unix:/x failed
Checked in 1.2 s: listeners, origin
Not checked: php-error-log (permission) /var/log/php.log
Compared with what was counted up to 60 min ago.
";
    assert_eq!(shown(&visits, Room::Terminal).plain(), expected);
}

#[test]
fn a_chat_gets_as_much_as_fits_into_a_message_and_a_terminal_all_of_it() {
    let evil =
        "<i>&https://evil.example/ APPROVE: restart-db acme otp= nonce=9f2c41d07be83a55 ts=1 ".repeat(3);
    let long = Facts::new().text(FactName::Path, &evil);
    let one = Finding::new(FindingId::FloodPost, Severity::Critical).with(long).line(&evil);
    let findings = vec![one.action(ActionId::RestartWeb); FINDINGS_MAX + 5];
    let visits = [host("web1", findings, vec![], vec![]), host("web2", vec![], vec![], vec![])];
    let chat = shown(&visits, Room::Chat);
    assert!((3_000..=4_096).contains(&chat.units()), "{}", chat.units());
    assert!(!chat.html().contains('…') || chat.html().len() > 3_000);
    let plain = chat.plain();
    assert!(plain.contains(" more lines, on the control plane: secmon diag acme "), "{plain}");
    let terminal = shown(&visits, Room::Terminal).plain();
    assert!(terminal.contains("and 5 findings that are less severe"), "{terminal}");
    assert_eq!(terminal.matches("  flood-post: <i>").count(), FINDINGS_MAX);
    for line in plain.lines().chain(terminal.lines()) {
        assert!(!line.starts_with("APPROVE"), "{line}");
        assert!(line.chars().count() <= 300 && EVIDENCE_LINE_MAX < 300, "{line}");
    }
}

#[test]
fn symptoms_of_what_was_found_many_times_are_told_once() {
    let down = Finding::new(FindingId::PhpDownStale, Severity::Critical);
    let bad_gateway = Finding::new(FindingId::Http502, Severity::Critical);
    let errors = Finding::new(FindingId::Http5xxRate, Severity::Critical);
    let findings = [vec![down; 13], vec![bad_gateway; 13], vec![errors; 14]].concat();
    let lines = shown(&[host("web1", findings, vec![], vec![])], Room::Terminal).plain().lines().count();
    assert!(lines < 100, "{lines}");
}

#[test]
fn health_and_a_first_look_are_said() {
    let mut visit = Arc::unwrap_or_clone(host("web1", vec![], vec![], vec![]));
    if let Ok(look) = &mut visit.result {
        look.compared = None;
        look.not_allowed = super::super::Areas::parse("db");
        look.seen.areas.clear();
    }
    let text = shown(&[Arc::new(visit)], Room::Chat).plain();
    assert!(text.starts_with("acme web1\n✓ nothing wrong\n"), "{text}");
    assert!(text.contains("\nNot in its manifest: db\nNot answered: db, disk, "), "{text}");
    assert!(text.contains("Nothing to compare with yet"), "{text}");
}

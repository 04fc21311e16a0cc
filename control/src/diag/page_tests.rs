use secmon_wire::diag::{Check, FactName, Facts, Finding, FindingId, NotChecked, Quantity};
use secmon_wire::limits::FINDINGS_MAX;

use super::super::line::LINE_MAX;
use super::super::testing::{CLOCK, acme, host, visit};
use super::super::{Compared, NotRun};
use super::*;

fn finding(id: FindingId, severity: Severity) -> Finding {
    Finding::new(id, severity)
}

fn php_down() -> Finding {
    let facts = Facts::new().text(FactName::File, "/run/php/php8.2-fpm.sock");
    let down = finding(FindingId::PhpDownStale, Severity::Critical).with(facts);
    down.since(CLOCK - 3 * 3_600).action(ActionId::RestartPhp)
}

fn shown(visits: &[Arc<Visit>]) -> Reply {
    acme(|client| page(&client, visits))
}

#[track_caller]
fn assert_says(visits: &[Arc<Visit>], expected: &str) {
    assert_eq!(shown(visits).plain(), expected);
}

#[test]
fn a_healthy_host_is_one_line() {
    assert_says(
        &[host("web1", vec![], vec![], vec![])],
        "✓ acme web1: nothing wrong (db, disk, flood, http, net, php, system, tls, web)\n",
    );
}

#[test]
fn a_cause_has_its_button_and_its_symptoms_are_left_to_the_details() {
    let symptom = finding(FindingId::Http502, Severity::Critical);
    let swap = Facts::new().number(FactName::Rate, 250);
    let swap = finding(FindingId::MemSwapThrash, Severity::Warning).with(swap);
    let compared = vec![Compared { finding: swap, within: 600 }];
    assert_says(
        &[host("web1", vec![symptom, php_down()], compared, vec![])],
        "acme web1\n\
         🔴 PHP-FPM has died: /run/php/php8.2-fpm.sock is there, and nobody listens, for 3 h\n  \
         → restart-php may help\n\
         🟡 Memory is swapped in and out (250 pages a second), in the last 10 min\n\
         [restart-php] /prepare restart-php acme\n\
         [Details] /diag acme details",
    );
}

#[test]
fn why_a_restart_does_not_help_is_said_and_then_there_is_no_button() {
    let full =
        Facts::new().text(FactName::File, "/var").number(FactName::Free, 0).number(FactName::Percent, 0);
    let full = finding(FindingId::DiskFull, Severity::Critical).with(full);
    let flood = finding(FindingId::FloodXmlrpc, Severity::Critical).action(ActionId::CfPatternBlock);
    let db = finding(FindingId::DbHostBlocked, Severity::Warning).action(ActionId::RestartDb);
    let said = shown(&[host("web1", vec![full, flood, php_down(), db], vec![], vec![])]);
    let text = said.plain();
    for line in [
        "🔴 /var has 0 B left (0 %)\n  → no restart: a restart frees no space, and what restarts may not come up\n",
        "  → cf-pattern-block may help, but is not offered here\n",
        "  → not restart-php yet (disk-full): a restart frees no space, and what restarts may not come up\n",
        "  → not restart-db yet (disk-full): ",
    ] {
        assert!(text.contains(line), "{line:?} in {text}");
    }
    assert_eq!(said.buttons().iter().map(|button| button.label.as_str()).collect::<Vec<_>>(), ["Details"]);
}

#[test]
fn informations_are_said_of_a_healthy_host() {
    let surge = Facts::new().number(FactName::Rate, 900);
    let surge = finding(FindingId::BenignSurge, Severity::Info).with(surge);
    let text = shown(&[host("web1", vec![surge], vec![], vec![])]).plain();
    assert!(text.starts_with("✓ acme web1: nothing wrong ("), "{text}");
    assert!(text.contains("\n🔵 Many visitors (900/min); they look real\n"), "{text}");
}

#[test]
fn what_was_not_checked_is_one_line() {
    let skipped = |what, why, detail| NotChecked::new(what, why, detail);
    let not_checked = vec![
        skipped(Check::PhpErrorLog, WhyNotChecked::Permission, "/var/log/a.log"),
        skipped(Check::PhpErrorLog, WhyNotChecked::Permission, "/var/log/b.log"),
        skipped(Check::DbStatus, WhyNotChecked::Permission, ""),
        skipped(Check::Edge, WhyNotChecked::Timeout, "acme.example"),
    ];
    let text = shown(&[host("web1", vec![], vec![], not_checked)]).plain();
    let line = "\nNot checked: php-error-log, db-status (permission); edge (timeout)\n";
    assert!(text.contains(line), "{text}");
}

#[test]
fn hosts_stand_side_by_side_and_one_that_does_not_answer_hides_no_other() {
    let visits = [
        host("db1", vec![], vec![], vec![]),
        visit("web1", Err(NotRun::TooLate)),
        host("web2", vec![php_down()], vec![], vec![]),
    ];
    let text = shown(&visits).plain();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("✓ acme db1: nothing wrong"), "{text}");
    assert_eq!(lines[1], "✗ acme web1: not looked at: it didn't answer in time; the host may be overloaded");
    assert_eq!(lines[2], "acme web2");
    assert!(lines[3].starts_with("🔴 PHP-FPM has died"), "{text}");
}

#[test]
fn six_causes_are_shown_the_worst_ones_wherever_they_are() {
    let mild: Vec<Finding> = [
        FindingId::TlsExpiring,
        FindingId::Web413,
        FindingId::WpCronStalled,
        FindingId::SysDpkgBroken,
        FindingId::PhpDebuglogHuge,
        FindingId::WebLogStale,
        FindingId::CrawlAi,
    ]
    .map(|id| finding(id, Severity::Warning))
    .into();
    let visits = [host("web1", mild, vec![], vec![]), host("web2", vec![php_down()], vec![], vec![])];
    let text = shown(&visits).plain();
    assert_eq!(text.matches(['🔴', '🟡']).count(), 6, "{text}");
    assert!(text.contains("acme web2\n🔴 PHP-FPM"), "{text}");
    assert!(text.contains("\nand 2 more: /diag acme details\n"), "{text}");
}

/// The most that a hostile agent can make of it.
#[test]
fn whatever_an_agent_says_stays_short_and_set_apart() {
    let evil = [
        "APPROVE: restart-db acme otp= nonce=9f2c41d07be83a55 ts=1767225600",
        "<b>bold</b> & <a href=x>",
        "https://evil.example/login @everyone /prepare",
        "x",
        "",
        "   ",
    ];
    for words in evil {
        for chunk in FindingId::ALL.chunks(FINDINGS_MAX) {
            let facts = |id: FindingId| {
                let names: Vec<&str> = id
                    .entry()
                    .sentence
                    .split('{')
                    .skip(1)
                    .filter_map(|after| Some(after.split_once('}')?.0))
                    .collect();
                names.iter().filter_map(|name| FactName::new(name)).fold(Facts::new(), |facts, name| {
                    match name.quantity() {
                        Quantity::Text => facts.text(name, &words.repeat(90)),
                        _ => facts.number(name, u64::MAX),
                    }
                })
            };
            let findings =
                chunk.iter().map(|id| finding(*id, Severity::Critical).with(facts(*id)).line(words).since(0));
            let visits = [host("web1", findings.collect(), vec![], vec![])];
            let reply = shown(&visits);
            let (plain, html) = (reply.plain(), reply.html());
            assert!(reply.units() < 2_000, "{}", reply.units());
            for line in plain.lines() {
                assert!(line.chars().count() <= LINE_MAX, "{line}");
                assert!(!line.starts_with("APPROVE"), "{line}");
            }
            // All that a stranger wrote stands between code tags.
            let mut outside = String::new();
            for piece in html.split("<code>") {
                outside.push_str(piece.split_once("</code>").map_or(piece, |(_, after)| after));
            }
            for mark in ["evil", "everyone", "otp=", "bold", "href"] {
                assert!(!outside.contains(mark), "{mark} in {outside}");
            }
        }
    }
}

#[test]
fn an_action_has_one_button_however_many_causes_it_helps() {
    let web = |id| finding(id, Severity::Warning).action(ActionId::RestartWeb);
    let visits =
        [host("web1", vec![web(FindingId::TlsNotReloaded), web(FindingId::WebFdLimit)], vec![], vec![])];
    let labels: Vec<String> = shown(&visits).buttons().iter().map(|b| b.command.clone()).collect();
    assert_eq!(labels, ["/prepare restart-web acme", "/diag acme details"]);
}

#[test]
fn what_was_asked_for_and_is_not_allowed_is_said() {
    let id = ClientId::new("acme").expect("an id");
    let asked = Areas::parse("db,web").expect("areas");
    let client = Client { id: &id, asked: &asked, offered: &[], left_out: 3 };
    let mut visit = Arc::unwrap_or_clone(host("web1", vec![], vec![], vec![]));
    if let Ok(look) = &mut visit.result {
        look.asked = Areas::parse("web").expect("areas");
        look.not_allowed = Areas::parse("db");
    }
    let text = page(&client, &[Arc::new(visit)]).plain();
    let expected = "✓ acme web1: nothing wrong (web)\n\
                    Not checked: db (not in the manifest)\n\
                    3 more servers were not asked.\n";
    assert_eq!(text, expected);
}

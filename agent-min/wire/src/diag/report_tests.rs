use std::vec::Vec as List;

use proptest::prelude::*;

use super::*;
use crate::ActionId;
use crate::diag::{
    CounterId, FactName, Facts, FindingId, Flood, Pattern, PatternField, Quantity, Severity, Source, Window,
};
use crate::limits::{FACTS_MAX, FLOODS_MAX};

fn facts(n: u64, text: &str) -> Facts {
    FactName::ALL.iter().step_by(4).fold(Facts::new(), |facts, name| match name.quantity() {
        Quantity::Text => facts.text(*name, text),
        _ => facts.number(*name, n),
    })
}

fn flood(pattern: &str, n: u32) -> Flood {
    let addresses = ["192.0.2.1", "2001:db8::"];
    let sources = addresses.iter().zip([32, 64]);
    Flood {
        count: u64::from(n),
        error: n,
        pattern: Pattern::new(PatternField::Path, pattern),
        sources: sources
            .map(|(address, bits)| Source { address: address.parse().expect("an address"), bits, count: n })
            .collect(),
        spared: 0,
        window: Window { end: 1_767_225_600, seconds: 300 },
    }
}

fn written(findings: &[Finding], counters: &Counters, not_checked: &[NotChecked]) -> List<u8> {
    let mut out = Box::new([0; REPORT_MAX]);
    let report = ReportWriter {
        areas: &[Area::Db, Area::Web],
        boot: [7; 16],
        checked: &[Check::DbSocket, Check::Listeners],
        clock: 1_767_225_600,
        counters,
        duration_ms: 42,
        findings,
        not_checked,
    };
    report.write(&mut out).expect("room").to_vec()
}

proptest! {
    #[test]
    fn what_is_written_is_what_is_read(n in 0..=crate::limits::INTEGER_MAX, text in "\\PC{0,200}", short: u32, which in 0..FindingId::ALL.len()) {
        let id = FindingId::ALL[which];
        let plain = Finding::new(id, Severity::Warning).with(facts(n, &text)).line(&text).since(n);
        let whole = plain.clone().action(ActionId::CfPatternBlock).flood(flood("/xmlrpc.php", short));
        let mut counters = Counters::new();
        for id in CounterId::ALL {
            prop_assert!(counters.add(*id, &text, n));
        }
        let skipped = [NotChecked::new(Check::PhpErrorLog, WhyNotChecked::Permission, &text)];
        let bytes = written(&[plain.clone(), whole.clone()], &counters, &skipped);
        let report = Report::read(&bytes).expect("a report");
        prop_assert_eq!(report.findings().collect::<List<_>>(), [plain, whole]);
        prop_assert_eq!(&report.counters, &counters);
        prop_assert_eq!(report.not_checked.as_slice(), skipped.as_slice());
        prop_assert_eq!(report.checked.as_slice(), [Check::DbSocket, Check::Listeners]);
    }

    #[test]
    fn no_bytes_panic_the_reader(at in 0..1000_usize, byte: u8) {
        let mut counters = Counters::new();
        counters.add(CounterId::DiskFree, "/", 5);
        let finding = Finding::new(FindingId::FloodXmlrpc, Severity::Critical).flood(flood("/x", 3));
        let mut bytes = written(&[finding], &counters, &[]);
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok(report) = Report::read(&bytes) {
            report.findings().for_each(drop);
        }
    }
}

#[test]
fn the_fullest_report_fits() {
    let long = "\"".repeat(500);
    let facts = || {
        let texts = FactName::ALL.iter().filter(|name| name.quantity() == Quantity::Text);
        texts.take(FACTS_MAX).fold(Facts::new(), |facts, name| facts.text(*name, &long))
    };
    let full = |id: FindingId| {
        let mut full = flood(&"x".repeat(100), u32::MAX);
        while full.sources.push(full.sources[1]).is_ok() {}
        Finding::new(id, Severity::Critical)
            .with(facts())
            .line(&long)
            .since(crate::limits::INTEGER_MAX)
            .flood(full)
    };
    let findings: List<Finding> = FindingId::ALL
        .iter()
        .take(FINDINGS_MAX)
        .enumerate()
        .map(|(at, id)| Finding { flood: full(*id).flood.filter(|_| at < FLOODS_MAX), ..full(*id) })
        .collect();
    let mut counters = Counters::new();
    for n in 0.. {
        if !counters.add(CounterId::DiskFree, &format!("{n:>40}"), u64::MAX) {
            break;
        }
    }
    let skipped: List<_> =
        (0..CHECKS_MAX).map(|_| NotChecked::new(Check::Origin, WhyNotChecked::Failed, &long)).collect();
    let bytes = written(&findings, &counters, &skipped);
    assert_eq!(Report::read(&bytes).expect("a report").findings().count(), FINDINGS_MAX);
}

#[test]
fn names_sort_as_variants_do() {
    assert!(Check::ALL.is_sorted_by_key(|check| check.as_str()));
    assert!(WhyNotChecked::ALL.is_sorted_by_key(|why| why.as_str()));
}

#[test]
fn what_is_no_report_is_refused() {
    let counters = Counters::new();
    let finding = Finding::new(FindingId::FloodXmlrpc, Severity::Critical).flood(flood("/x", 3));
    let good = std::string::String::from_utf8(written(&[finding], &counters, &[])).expect("text");
    Report::read(good.as_bytes()).expect("a report");
    for (from, to) in [
        ("\"v\":1", "\"v\":2"),
        ("flood-xmlrpc", "flood-unheard"),
        ("192.0.2.1/32", "192.0.2.1/31"),
        ("192.0.2.1/32", "192.0.2.1/24"),
        ("192.0.2.1/32", "192.0.2.1/+32"),
        ("2001:db8::/64", "2001:db8::1/64"),
        ("\"line\":\"\"", "\"line\":\"\\\\\""),
        ("\"db\",\"web\"", "\"web\",\"db\""),
        ("\"db-socket\"", "\"db-socket\",\"db-socket\""),
        ("\"critical\"", "\"grave\""),
        ("\"line\":\"\"", "\"line\":\"\\u0007\""),
        ("\"value\":\"/x\"", "\"value\":\"\""),
        ("0707", "07"),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_ne!(good, bad, "{from}");
        assert!(Report::read(bad.as_bytes()).is_err(), "{to}");
    }
}

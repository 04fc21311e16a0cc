//! Reports of the diagnostics: what reads writes back byte for byte, each finding is a line that a phone can show, and
//! of the causes none explains another.
#![no_main]

use secmon_wire::diag::{Report, ReportWriter, conclude};
use secmon_wire::limits::REPORT_MAX;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(report) = Report::read(bytes) else { return };
    let findings: Vec<_> = report.findings().collect();
    let writer = ReportWriter {
        areas: &report.areas,
        boot: report.boot,
        checked: &report.checked,
        clock: report.clock,
        counters: &report.counters,
        duration_ms: report.duration_ms,
        findings: &findings,
        not_checked: &report.not_checked,
    };
    let mut out = Box::new([0; REPORT_MAX]);
    assert_eq!(writer.write(&mut out), Ok(bytes));
    for (finding, conclusion) in findings.iter().zip(conclude(&findings)) {
        let line = finding.to_string();
        assert!(line.len() < 1_000 && line.chars().all(|c| c == ' ' || c.is_ascii_graphic()), "{line}");
        assert!(findings.iter().any(|cause| conclusion.explained_by.is_none_or(|by| by == cause.id)));
    }
});

//! `diag`: looks at this host for whoever is logged in on it, as the control plane would, and prints what was found.

use std::fmt::Write as _;
use std::io::Read;
use std::os::fd::AsFd;
use std::path::Path;

use secmon_sys::channel::pipe_for;
use secmon_sys::clock::wall_seconds;
use secmon_wire::diag::{Advice, Report, Severity, conclude};

use crate::areas::Areas;
use crate::bundle;
use crate::config::Config;
use crate::diagnostics::{LENGTH_SIZE, REPORT_SIZE};
use crate::monitor::Diagnosis;
use crate::run::examiner;

/// What there is to print.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) text: Vec<u8>,
    /// Whether nothing is more than an information.
    pub(crate) well: bool,
}

/// Has one run made by a process like the agent's own, which looks as this host's manifest says, though at any area, and
/// shows it: the report as it is, or for people.
#[inline(never)] // see cli.rs
pub(crate) fn look(config: &Path, areas: Areas, raw: bool) -> Result<View, String> {
    let config = Config::load(config).map_err(|e| e.to_string())?;
    let tuning = bundle::tuning(&config).map_err(|e| e.to_string())?;
    let (mut reader, writer) = pipe_for(REPORT_SIZE).map_err(|e| e.to_string())?;
    let _which_walls_check_says = Diagnosis::run_once(examiner(&config, tuning)?, areas, writer.as_fd())?;
    drop(writer);
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).map_err(|e| e.to_string())?;
    let body = bytes.get(LENGTH_SIZE..).unwrap_or_default();
    let report = Report::read(body).map_err(|e| format!("the diagnostics process wrote no report: {e}"))?;
    let well = report.findings().all(|finding| finding.severity == Severity::Info);
    let text = if raw { [body, b"\n"].concat() } else { show(&report, wall_seconds()).into_bytes() };
    Ok(View { text, well })
}

/// Causes first, each with its symptoms below it.
fn show(report: &Report<'_>, now: u64) -> String {
    let findings: Vec<_> = report.findings().collect();
    let conclusions = conclude(&findings);
    let all = || findings.iter().zip(&conclusions);
    let mut out = String::new();
    let mut line = |text: std::fmt::Arguments<'_>| {
        let _strings_take_all = out.write_fmt(text);
        out.push('\n');
    };
    for (cause, conclusion) in all().filter(|(_, conclusion)| conclusion.explained_by.is_none()) {
        line(format_args!("{}: {cause} [{}]", cause.severity, cause.id));
        if let Some(since) = cause.since {
            line(format_args!("  for {} s", now.saturating_sub(since)));
        }
        if !cause.line.is_empty() {
            line(format_args!("  {}", cause.line));
        }
        match conclusion.advice {
            Advice::Do(action) => line(format_args!("  {action} may help")),
            Advice::DoNotRestart(why) => line(format_args!("  no restart: {}", why.sentence())),
            Advice::NotYet { action, because, why } => {
                line(format_args!("  no {action} because of {because}: {}", why.sentence()));
            }
            Advice::Nothing => {}
        }
        for (symptom, _) in all().filter(|(_, symptom)| symptom.explained_by == Some(cause.id)) {
            line(format_args!("  hence: {symptom} [{}]", symptom.id));
        }
    }
    // What is explained by a symptom has no cause among the lines above.
    let is_cause = |id| all().any(|(finding, c)| finding.id == id && c.explained_by.is_none());
    for (finding, conclusion) in all() {
        if let Some(by) = conclusion.explained_by.filter(|by| !is_cause(*by)) {
            line(format_args!("hence, by {by}: {finding} [{}]", finding.id));
        }
    }
    if findings.is_empty() {
        line(format_args!("nothing found"));
    }
    let checked: Vec<_> = report.checked.iter().map(|check| check.as_str()).collect();
    line(format_args!("checked: {}", checked.join(", ")));
    for skipped in &report.not_checked {
        let of = if skipped.detail.is_empty() { "" } else { " of " };
        line(format_args!("not checked: {}{of}{}: {}", skipped.what, skipped.detail, skipped.why));
    }
    out
}

#[cfg(test)]
mod tests {
    use secmon_diag::{Notes, Run};
    use secmon_wire::diag::{Check, FactName, Facts, Finding, FindingId, WhyNotChecked};
    use secmon_wire::limits::REPORT_MAX;
    use secmon_wire::{ActionId, Area};

    use super::*;

    #[test]
    fn causes_come_with_their_symptoms_and_what_to_do() {
        let mut notes = Notes::default();
        let queue = Facts::new().number(FactName::Count, 9).number(FactName::Limit, 5);
        notes.found(Finding::new(FindingId::PhpQueue, Severity::Critical).with(queue));
        notes.found(Finding::new(FindingId::Http504, Severity::Critical));
        let down = Facts::new().text(FactName::File, "/run/php/a.sock");
        let down = Finding::new(FindingId::PhpDownStale, Severity::Critical).with(down);
        notes.found(down.since(40).action(ActionId::RestartPhp).line("connect() failed"));
        notes.checked(Check::PhpSocket);
        notes.skipped(Check::PhpErrorLog, WhyNotChecked::Permission, "/var/log/php.log");
        let run = Run { areas: &[Area::Php], boot: [0; 16], clock: 50, duration_ms: 7 };
        let mut out = Box::new([0; REPORT_MAX]);
        let bytes = notes.write(&run, &mut out).expect("room");
        let text = show(&Report::read(bytes).expect("a report"), 100);
        assert_eq!(
            text,
            "critical: 9 requests wait for PHP (5 workers) [php-queue]\n  \
             hence: ?: PHP takes longer than ?; slowest ? (? in 5 min) [http-504]\n\
             critical: PHP-FPM has died: /run/php/a.sock is there, and nobody listens [php-down-stale]\n  \
             for 60 s\n  connect() failed\n  restart-php may help\n\
             checked: php-socket\nnot checked: php-error-log of /var/log/php.log: permission\n"
        );
    }
}

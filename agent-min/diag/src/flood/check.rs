//! The check: which logs are read, and what of their verdicts still matters now.

use std::time::Duration;

use secmon_wire::Threshold;
use secmon_wire::diag::{Check, CounterId, Finding, FindingId, Severity, WhyNotChecked};

use super::crawlers::Checker;
use super::format::Format;
use super::pass::Pass;
use super::preview::Preview;
use super::tail::{self, BUFFER, SPAN};
use super::verdict::Verdict;
use super::{Impact, PREVIEW, Settings, own};
use crate::Notes;
use crate::host::{Denied, Host};
use crate::stack::{AccessLog, Site, Stack, WebKind};

/// Logs that are read in one run; further ones are said to be unread.
const LOGS_MAX: usize = 8;
/// What is over for longer is no reason to act.
const OVER: u64 = 600;
/// What is over for longer isn't worth a line.
const PAST: u64 = 3_600;
/// Less than this left, and the pass ends where it is.
const TIME_LEFT: Duration = Duration::from_millis(150);
/// Lines between two looks at the time.
const LINES_A_LOOK: u32 = 4096;
/// Lines of which none was understood say that the format isn't.
const UNREADABLE: u64 = 20;

/// Judges the access logs.
pub fn check(host: &dyn Host, stack: &Stack, impact: &Impact, notes: &mut Notes) {
    let mut logs: Vec<(&AccessLog, &Site)> = Vec::new();
    for site in &stack.sites {
        let Some(log) = &site.access_log else { continue };
        if !logs.iter().any(|(known, _)| known.path == log.path) {
            logs.push((log, site));
        }
    }
    if logs.is_empty() {
        let of_sites = if stack.sites.is_empty() { "" } else { "access_log off" };
        notes.skipped(Check::AccessLog, WhyNotChecked::Absent, of_sites);
    }
    let exempt = if logs.is_empty() { Vec::new() } else { own::addresses(host) };
    let elapsed = host.elapsed().as_nanos() as u64;
    let seed = elapsed ^ host.clock().rotate_left(32);
    let mut checker = Checker::new(host, seed);
    let mut buffer = vec![0; BUFFER];
    let mut rates = Vec::new();
    for (at, (log, site)) in logs.into_iter().enumerate() {
        if at >= LOGS_MAX {
            notes.skipped(Check::AccessLog, WhyNotChecked::Timeout, &log.path);
            continue;
        }
        let settings = Settings {
            host: site.names.first().map_or("the site", String::as_str),
            now: Some(host.clock()),
            apache: !stack.web.is_empty() && stack.web.iter().all(|web| web.kind == WebKind::Apache),
            exempt: &exempt,
            floor: u32::try_from(stack.thresholds.of(Threshold::FloodRate)).unwrap_or(u32::MAX),
            errors_percent: stack.thresholds.given(Threshold::ServerErrors),
            seed,
            ..Settings::new(impact)
        };
        match judge(host, log, &settings, &mut checker, &mut buffer) {
            Ok(Outcome { verdicts, whole, understood, rates: of_log }) => {
                if !understood {
                    notes.skipped(Check::AccessLog, WhyNotChecked::Unsupported, &log.path);
                    continue;
                }
                rates.extend(of_log);
                if whole {
                    notes.checked(Check::AccessLog);
                } else {
                    notes.skipped(Check::AccessLog, WhyNotChecked::Timeout, &log.path);
                }
                verdicts
                    .into_iter()
                    .filter_map(|verdict| as_of(verdict, host.clock()))
                    .for_each(|f| notes.found(f));
            }
            Err(denied) => notes.skipped(Check::AccessLog, why(denied), &log.path),
        }
    }
    // Of several logs, the busiest stands for the host. That there is nothing of a kind needs no room.
    rates.sort_unstable_by_key(|(_, rate)| std::cmp::Reverse(*rate));
    for (id, rate) in rates.into_iter().filter(|(id, rate)| *rate > 0 || *id == FindingId::FloodDistributed) {
        notes.counted(CounterId::RequestRate, id.as_str(), rate.into());
    }
}

struct Outcome {
    verdicts: Vec<Verdict>,
    /// Whether there was time for all of it.
    whole: bool,
    /// Whether any line was.
    understood: bool,
    /// How many requests of some kinds there are in a minute now.
    rates: Vec<(FindingId, u32)>,
}

fn judge(
    host: &dyn Host,
    log: &AccessLog,
    settings: &Settings<'_>,
    checker: &mut Checker<'_>,
    buffer: &mut [u8],
) -> Result<Outcome, Denied> {
    let format = Format::new(log.format.as_deref());
    let preview = Preview::new(&tail::last_part(host, &log.path, PREVIEW)?, &format, settings.now);
    let pieces = tail::pieces(host, &log.path, &format, preview.end.saturating_sub(SPAN))?;
    let mut pass = Pass::new(format, preview, settings);
    let mut identify = |address, claim| checker.identify(address, claim);
    let (mut whole, mut until_look) = (true, LINES_A_LOOK);
    for piece in &pieces {
        tail::each_line(host, piece, buffer, &mut |line| {
            pass.line(line, &mut identify);
            until_look = until_look.saturating_sub(1);
            if until_look == 0 {
                until_look = LINES_A_LOOK;
                whole = host.left() > TIME_LEFT;
            }
            whole
        })?;
    }
    let (lines, junk) = pass.lines();
    let understood = lines > 0 || junk < UNREADABLE;
    let mut rates = Vec::new();
    pass.rates(host.clock(), &mut |id, rate| rates.push((id, rate)));
    Ok(Outcome { rates, verdicts: pass.finish(&mut identify), whole, understood })
}

/// The finding as it is now: what is over is only worth knowing, and soon forgotten.
pub(super) fn as_of(verdict: Verdict, now: u64) -> Option<Finding> {
    let mut finding = verdict.finding;
    let age = now.saturating_sub(verdict.end);
    let of_now = finding.id.as_str().starts_with("http-") || finding.id == FindingId::BenignSurge;
    // How the log is made doesn't pass; that somebody got in doesn't either.
    let stays = matches!(finding.id, FindingId::WebRealipMissing | FindingId::FloodLoginSuccess);
    if age > PAST && finding.id != FindingId::WebRealipMissing || age > OVER && of_now {
        return None;
    }
    if age > OVER && !stays {
        finding.severity = Severity::Info;
        finding.action = None;
    }
    Some(finding)
}

const fn why(denied: Denied) -> WhyNotChecked {
    match denied {
        Denied::Absent => WhyNotChecked::Absent,
        Denied::Permission => WhyNotChecked::Permission,
        Denied::Timeout => WhyNotChecked::Timeout,
        Denied::Unsupported => WhyNotChecked::Unsupported,
        Denied::Refused | Denied::Full | Denied::Failed => WhyNotChecked::Failed,
    }
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;

//! What a web server's error log says of the PHP behind it.
//!
//! A line says what was; whether it still is, the socket says. So nothing is reported of a PHP that has come back.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

use std::time::Duration;

use secmon_wire::ActionId;
use secmon_wire::diag::{FactName, Facts, Finding, FindingId, Severity};

use super::NOW_S;
use super::said::{Failure, Request, Said};
use super::tally::{Tallies, Tally};
use super::web::because;
use crate::Notes;
use crate::discover::Details;
use crate::host::{Denied, Endpoint, Host};
use crate::stack::{Stack, WebKind};

const FIVE_MINUTES_S: u64 = 300;
const TEN_MINUTES_S: u64 = 600;
/// Answers that failed within a minute: what a reload loses is less.
const BURST_S: u64 = 60;
/// Answers that came too late in five minutes: fewer are one slow page.
const LATE: u64 = 3;
/// Workers that hung up in ten minutes.
const HANG_UPS: u64 = 3;
/// What is read of the list of local sockets; under a flood it has a row for each that waits.
const SOCKETS_MAX: usize = 1024 * 1024;
/// How long a connection to a local address may take.
const CONNECT: Duration = Duration::from_millis(200);
/// What both servers wait for PHP where nothing is said.
const WAIT_S: (u64, u64) = (60, 300);

/// All web servers' lines about PHP.
#[derive(Debug)]
pub(crate) struct Upstream {
    now: u64,
    /// When the newest master of PHP-FPM started: what was before is over.
    started: u64,
    absent: Tallies,
    refused: Tallies,
    permission: Tallies,
    full: Tally,
    hung_up: Tally,
    late: Tally,
    late_paths: Tallies,
    late_hosts: Tallies,
    failed: Tally,
    failed_hosts: Tallies,
    code: u64,
    kind: WebKind,
}

impl Upstream {
    pub(crate) fn new(now: u64, started: u64) -> Self {
        Self {
            now,
            started,
            absent: Tallies::default(),
            refused: Tallies::default(),
            permission: Tallies::default(),
            full: Tally::default(),
            hung_up: Tally::default(),
            late: Tally::default(),
            late_paths: Tallies::default(),
            late_hosts: Tallies::default(),
            failed: Tally::default(),
            failed_hosts: Tallies::default(),
            code: 502,
            kind: WebKind::Nginx,
        }
    }

    /// Takes a line of a server of this kind in.
    pub(crate) fn said(&mut self, kind: WebKind, at: u64, said: &Said<'_>, line: &[u8]) {
        if at <= self.started {
            return;
        }
        let within = |seconds: u64| at.saturating_add(seconds) >= self.now;
        match *said {
            Said::Unreachable(failure, to, request) if within(FIVE_MINUTES_S) => {
                match failure {
                    Failure::Absent => self.absent.add(to, at, line),
                    Failure::Refused => self.refused.add(to, at, line),
                    Failure::Permission => self.permission.add(to, at, line),
                    Failure::Full => self.full.add(at, line),
                }
                self.failure(kind, at, &request, line);
            }
            Said::HungUp(request) if within(TEN_MINUTES_S) => {
                self.hung_up.add(at, line);
                if within(FIVE_MINUTES_S) {
                    self.failure(kind, at, &request, line);
                }
            }
            Said::BigHeader(request) if within(FIVE_MINUTES_S) => self.failure(kind, at, &request, line),
            Said::NoAnswer(request) if within(FIVE_MINUTES_S) => {
                self.kind = kind;
                self.late.add(at, line);
                self.late_paths.add(request.path, at, line);
                self.late_hosts.add(request.host, at, line);
            }
            _ => {}
        }
    }

    /// Each of these was an answer 502, or with Apache 503.
    fn failure(&mut self, kind: WebKind, at: u64, request: &Request<'_>, line: &[u8]) {
        self.code = if kind == WebKind::Apache { 503 } else { 502 };
        self.failed.add(at, line);
        self.failed_hosts.add(request.host, at, line);
    }

    /// Says what it comes to.
    pub(crate) fn judge(&self, host: &dyn Host, stack: &Stack, details: &dyn Fn(WebKind) -> Details, notes: &mut Notes) {
        let sockets = Listening::read(host);
        for (to, tally) in self.absent.iter().chain(self.refused.iter()) {
            notes_down(host, &sockets, to, tally, notes);
        }
        for (to, tally) in self.permission.iter() {
            self.judge_permission(host, to, tally, notes);
        }
        if self.is_now(&self.full) {
            notes.found(because(Finding::new(FindingId::PhpBacklogFull, Severity::Critical), &self.full));
        }
        if self.hung_up.count >= HANG_UPS {
            let facts = Facts::new().number(FactName::Count, self.hung_up.count);
            let finding = Finding::new(FindingId::PhpWorkerCrash, Severity::Warning).with(facts);
            notes.found(because(finding, &self.hung_up).action(ActionId::RestartPhp));
        }
        if self.failed.three_within(BURST_S) && self.is_now(&self.failed) {
            let facts = Facts::new()
                .text(FactName::Host, &shown_host(&self.failed_hosts, stack))
                .number(FactName::Code, self.code)
                .number(FactName::Count, self.failed.count);
            let finding = Finding::new(FindingId::Http502, Severity::Critical).with(facts);
            notes.found(because(finding, &self.failed));
        }
        self.judge_late(stack, details, notes);
    }

    fn judge_permission(&self, host: &dyn Host, to: &str, tally: &Tally, notes: &mut Notes) {
        /// `S_IWOTH`: whoever may write to a socket may connect to it.
        const WRITABLE_BY_ALL: u32 = 0o002;
        let metadata = host.metadata(to);
        let mended = metadata.is_ok_and(|it| it.modified > tally.last || it.mode & WRITABLE_BY_ALL != 0);
        if self.is_now(tally) && !mended {
            let facts = Facts::new().text(FactName::File, to);
            notes.found(because(Finding::new(FindingId::PhpSockPerm, Severity::Critical).with(facts), tally));
        }
    }

    fn judge_late(&self, stack: &Stack, details: &dyn Fn(WebKind) -> Details, notes: &mut Notes) {
        if self.late.count < LATE {
            return;
        }
        let wait = details(self.kind).wait;
        let wait = wait.unwrap_or(if self.kind == WebKind::Apache { WAIT_S.1 } else { WAIT_S.0 });
        let path = self.late_paths.most().map_or("?", |(path, _)| path);
        let facts = Facts::new()
            .text(FactName::Host, &shown_host(&self.late_hosts, stack))
            .number(FactName::Seconds, wait)
            .text(FactName::Path, if path.is_empty() { "?" } else { path })
            .number(FactName::Count, self.late.count);
        notes.found(because(Finding::new(FindingId::Http504, Severity::Critical).with(facts), &self.late));
    }

    const fn is_now(&self, tally: &Tally) -> bool {
        tally.some() && tally.last.saturating_add(NOW_S) >= self.now
    }
}

/// The site that most lines name, if it is one of ours: visitors write that name.
fn shown_host(hosts: &Tallies, stack: &Stack) -> String {
    let named = hosts.most().map(|(name, _)| name).unwrap_or_default();
    let mut names = stack.sites.iter().flat_map(|site| &site.names);
    let known = names.clone().find(|name| *name == named);
    known.or_else(|| names.next()).map_or_else(|| "the site".to_owned(), Clone::clone)
}

/// Looks whether PHP is still unreachable at this socket or address, and notes it then.
fn notes_down(host: &dyn Host, sockets: &Listening, to: &str, tally: &Tally, notes: &mut Notes) {
    let facts = Facts::new().text(FactName::File, to);
    let id = if to.starts_with('/') {
        if sockets.has(host, to) {
            return;
        }
        match host.metadata(to) {
            Err(Denied::Absent) => FindingId::PhpDownNosock,
            _ => FindingId::PhpDownStale,
        }
    } else {
        let Ok(address) = to.parse() else { return };
        match host.connect(&Endpoint::Tcp(address), CONNECT) {
            Err(Denied::Refused) => FindingId::PhpDownNosock,
            _ => return,
        }
    };
    let finding = Finding::new(id, Severity::Critical);
    if let Some(other) = sockets.sibling(to).filter(|_| id == FindingId::PhpDownNosock) {
        let facts = facts.text(FactName::What, &other);
        let finding = Finding::new(FindingId::PhpSockMismatch, Severity::Critical).with(facts);
        notes.found(because(finding, tally));
        return;
    }
    notes.found(because(finding.with(facts), tally).action(ActionId::RestartPhp));
}

/// The local sockets that somebody listens on.
struct Listening(Option<Vec<String>>);

impl Listening {
    fn read(host: &dyn Host) -> Self {
        let text = host.read("/proc/net/unix", SOCKETS_MAX).ok().filter(|text| text.len() < SOCKETS_MAX);
        Self(text.map(|text| listening(&text)))
    }

    /// Whether somebody listens there; where the list can't be read, a connection tells.
    fn has(&self, host: &dyn Host, path: &str) -> bool {
        match &self.0 {
            Some(paths) => paths.iter().any(|known| known == path || same_run(known, path)),
            None => {
                let tried = host.connect(&Endpoint::Unix(path.to_owned()), CONNECT);
                !matches!(tried, Err(Denied::Refused | Denied::Absent))
            }
        }
    }

    /// Another socket of PHP-FPM beside this one.
    fn sibling(&self, path: &str) -> Option<String> {
        let (directory, _) = path.rsplit_once('/').filter(|(_, name)| name.contains("php"))?;
        let beside = |known: &&String| {
            known.rsplit_once('/').is_some_and(|(other, name)| {
                (other == directory || same_run(other, directory)) && name.starts_with("php") && name.ends_with(".sock")
            })
        };
        self.0.as_ref()?.iter().find(beside).cloned()
    }
}

/// `/var/run` is `/run`.
fn same_run(one: &str, other: &str) -> bool {
    let plain = |path: &str| path.strip_prefix("/var").filter(|rest| rest.starts_with("/run")).is_some();
    (plain(one) || plain(other)) && one.trim_start_matches("/var") == other.trim_start_matches("/var")
}

/// The paths in `/proc/net/unix` that are listened on.
pub fn listening(text: &[u8]) -> Vec<String> {
    /// `__SO_ACCEPTCON` in the column of flags.
    const LISTENS: &str = "00010000";
    /// More paths are not kept.
    const PATHS_MAX: usize = 1024;
    let mut paths = Vec::new();
    for line in text.split(|c| *c == b'\n') {
        let line = String::from_utf8_lossy(line);
        // A path may have blanks; it is the last column.
        let mut fields = line.splitn(2, " /");
        let (Some(before), Some(path)) = (fields.next(), fields.next()) else { continue };
        if before.split_ascii_whitespace().nth(3) == Some(LISTENS) && paths.len() < PATHS_MAX {
            paths.push(format!("/{path}"));
        }
    }
    paths
}

#[cfg(test)]
#[path = "upstream_tests.rs"]
mod tests;

//! What a web server's error log says of the PHP behind it.
//!
//! A line says what was; whether it still is, the socket says. So nothing is reported of a PHP that has come back.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

use std::time::Duration;

use secmon_wire::ActionId;
use secmon_wire::diag::{FactName, Facts, Finding, FindingId, Severity};

use super::listening::{Listening, same_run};
use super::said::{Failure, Said};
use super::tally::{Tallies, Tally};
use super::web::because;
use super::{NOW_S, START_S};
use crate::Notes;
use crate::discover::Details;
use crate::host::{Denied, Endpoint, Host};
use crate::probe::THE_SITE;
use crate::stack::{Stack, WebKind};

const FIVE_MINUTES_S: u64 = 300;
const TEN_MINUTES_S: u64 = 600;
/// Answers that failed within a minute: what a reload loses is less.
const BURST_S: u64 = 60;
/// Answers that came too late in five minutes: fewer are one slow page.
const LATE: u64 = 3;
/// Workers that hung up in ten minutes.
const HANG_UPS: u64 = 3;
/// How long a connection to a local address may take.
pub(super) const CONNECT: Duration = Duration::from_millis(200);
/// What both servers wait for PHP where nothing is said.
const WAIT_S: u64 = 60;

/// All web servers' lines about PHP.
#[derive(Debug)]
pub(crate) struct Upstream {
    now: u64,
    /// When the newest master of PHP-FPM started: what was before is over.
    started: u64,
    down: Tallies,
    permission: Tallies,
    full: Tally,
    hung_up: Tally,
    hung_up_lately: Tally,
    big_headers: Tally,
    late: Tally,
    late_paths: Tallies,
    late_hosts: Tallies,
    failed_hosts: Tallies,
    kind: WebKind,
}

impl Upstream {
    pub(crate) fn new(now: u64, started: u64) -> Self {
        Self {
            now,
            started,
            down: Tallies::default(),
            permission: Tallies::default(),
            full: Tally::default(),
            hung_up: Tally::default(),
            hung_up_lately: Tally::default(),
            big_headers: Tally::default(),
            late: Tally::default(),
            late_paths: Tallies::default(),
            late_hosts: Tallies::default(),
            failed_hosts: Tallies::default(),
            kind: WebKind::Nginx,
        }
    }

    /// Takes a line of a server of this kind in.
    pub(crate) fn said(&mut self, kind: WebKind, at: u64, said: &Said<'_>, line: &[u8]) {
        // What a socket can still show needs no such limit.
        let before = at <= self.started.saturating_add(START_S);
        if before
            && !matches!(
                said,
                Said::Unreachable(Failure::Absent | Failure::Refused | Failure::Permission, ..)
            )
        {
            return;
        }
        let within = |seconds: u64| at.saturating_add(seconds) >= self.now;
        let request = match *said {
            Said::Unreachable(failure, to, request) if within(FIVE_MINUTES_S) => {
                match failure {
                    Failure::Absent | Failure::Refused => self.down.add(to, at, line),
                    Failure::Permission => self.permission.add(to, at, line),
                    Failure::Full => self.full.add(at, line),
                }
                request
            }
            Said::HungUp(request) if within(TEN_MINUTES_S) => {
                self.hung_up.add(at, line);
                if within(FIVE_MINUTES_S) {
                    self.hung_up_lately.add(at, line);
                }
                request
            }
            Said::BigHeader(request) if within(FIVE_MINUTES_S) => {
                self.big_headers.add(at, line);
                request
            }
            Said::NoAnswer(request) if within(FIVE_MINUTES_S) => {
                self.kind = kind;
                self.late.add(at, line);
                self.late_paths.add(request.path, at, line);
                self.late_hosts.add(request.host, at, line);
                return;
            }
            _ => return,
        };
        self.kind = kind;
        self.failed_hosts.add(request.host, at, line);
    }

    /// Says what it comes to.
    pub(crate) fn judge(
        &self,
        host: &dyn Host,
        stack: &Stack,
        details: &dyn Fn(WebKind) -> Details,
        notes: &mut Notes,
    ) {
        let sockets = Listening::read(host);
        let mut failing: Vec<&Tally> = Vec::new();
        for (to, tally) in self.down.iter() {
            if !self.is_asked_no_more(to, tally, stack, details)
                && note_down(host, &sockets, to, tally, notes)
            {
                failing.push(tally);
            }
        }
        for (to, tally) in self.permission.iter() {
            if self.is_now(tally)
                && !may_be_opened(host, to, tally)
                && !self.is_asked_no_more(to, tally, stack, details)
            {
                failing.push(tally);
                let facts = Facts::new().text(FactName::File, to);
                notes.found(because(
                    Finding::new(FindingId::PhpSockPerm, Severity::Critical).with(facts),
                    tally,
                ));
            }
        }
        if self.is_now(&self.full) {
            failing.push(&self.full);
            notes.found(because(Finding::new(FindingId::PhpBacklogFull, Severity::Critical), &self.full));
        }
        if self.hung_up.count >= HANG_UPS {
            let facts = Facts::new().number(FactName::Count, self.hung_up.count);
            let finding = Finding::new(FindingId::PhpWorkerCrash, Severity::Warning).with(facts);
            notes.found(because(finding, &self.hung_up).action(ActionId::RestartPhp));
        }
        if self.is_now(&self.hung_up_lately) {
            failing.push(&self.hung_up_lately);
        }
        if self.is_now(&self.big_headers) && self.big_headers.three_since(details(self.kind).changed) {
            failing.push(&self.big_headers);
        }
        self.judge_failing(&failing, stack, notes);
        self.judge_late(stack, details, notes);
    }

    /// Of the causes that still are there, one must have cost several answers within a minute.
    fn judge_failing(&self, failing: &[&Tally], stack: &Stack, notes: &mut Notes) {
        let burst = |tally: &&&Tally| tally.three_within(BURST_S) && self.is_now(tally);
        let Some(worst) = failing.iter().filter(burst).max_by_key(|tally| tally.count) else { return };
        let count = failing.iter().fold(0_u64, |sum, tally| sum.saturating_add(tally.count));
        // nginx says 502 where Apache says 503.
        let code = if self.kind == WebKind::Apache { 503 } else { 502 };
        let facts = Facts::new()
            .text(FactName::Host, &shown_host(&self.failed_hosts, stack))
            .number(FactName::Code, code)
            .number(FactName::Count, count);
        notes.found(because(Finding::new(FindingId::Http502, Severity::Critical).with(facts), worst));
    }

    /// Whether the configuration was changed since, and no site wants this socket any more.
    fn is_asked_no_more(
        &self,
        to: &str,
        tally: &Tally,
        stack: &Stack,
        details: &dyn Fn(WebKind) -> Details,
    ) -> bool {
        let wants = |endpoint: &Endpoint| match endpoint {
            Endpoint::Unix(path) => path == to || same_run(path, to),
            Endpoint::Tcp(address) => address.to_string() == to,
        };
        let wanted = stack.sites.iter().filter_map(|site| site.php.as_ref()).any(wants);
        !wanted && details(self.kind).changed >= tally.last
    }

    fn judge_late(&self, stack: &Stack, details: &dyn Fn(WebKind) -> Details, notes: &mut Notes) {
        if self.late.count < LATE {
            return;
        }
        let details = details(self.kind);
        // A limit that was changed since, or a site that is gone, is not what these lines are about.
        if !self.late.three_since(details.changed) {
            return;
        }
        let facts = Facts::new()
            .text(FactName::Host, &shown_host(&self.late_hosts, stack))
            .number(FactName::Seconds, details.wait.unwrap_or(WAIT_S))
            .number(FactName::Count, self.late.count);
        // Apache doesn't say which.
        let facts = match self.late_paths.most() {
            Some((path, _)) if !path.is_empty() => facts.text(FactName::Path, path),
            _ => facts,
        };
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
    known.or_else(|| names.next()).map_or_else(|| THE_SITE.to_owned(), Clone::clone)
}

/// Whether a socket was made anew since, or anybody may connect to it now.
fn may_be_opened(host: &dyn Host, to: &str, tally: &Tally) -> bool {
    /// `S_IWOTH`: whoever may write to a socket may connect to it.
    const WRITABLE_BY_ALL: u32 = 0o002;
    host.metadata(to).is_ok_and(|it| it.modified >= tally.last || it.mode & WRITABLE_BY_ALL != 0)
}

/// Looks whether PHP is still unreachable at this socket or address, and notes it then.
fn note_down(host: &dyn Host, sockets: &Listening, to: &str, tally: &Tally, notes: &mut Notes) -> bool {
    let facts = Facts::new().text(FactName::File, to);
    let id = if to.starts_with('/') {
        if sockets.has(host, to) {
            return false;
        }
        match host.metadata(to) {
            Err(Denied::Absent) => FindingId::PhpDownNosock,
            _ => FindingId::PhpDownStale,
        }
    } else {
        let Ok(address) = to.parse() else { return false };
        match host.connect(&Endpoint::Tcp(address), CONNECT) {
            Err(Denied::Refused) => FindingId::PhpDownNosock,
            _ => return false,
        }
    };
    let finding = Finding::new(id, Severity::Critical);
    if let Some(other) = sockets.sibling(to).filter(|_| id == FindingId::PhpDownNosock) {
        let facts = facts.text(FactName::What, &other);
        let finding = Finding::new(FindingId::PhpSockMismatch, Severity::Critical).with(facts);
        notes.found(because(finding, tally));
        return true;
    }
    notes.found(because(finding.with(facts), tally).action(ActionId::RestartPhp));
    true
}

#[cfg(test)]
#[path = "upstream_tests.rs"]
mod tests;

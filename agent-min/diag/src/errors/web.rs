//! What a web server's error log says of the server itself.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

use secmon_wire::ActionId;
use secmon_wire::diag::{FactName, Facts, Finding, FindingId, Severity};

use super::said::Said;
use super::tally::{Tallies, Tally};
use super::{NOW_S, START_S};
use crate::Notes;
use crate::discover::Details;
use crate::host::Host;
use crate::stack::{Stack, WebKind, WebServer};

/// How long a server that doesn't run may have failed to start, and it is still the reason.
const DOWN_S: u64 = 86_400;
/// How long ago a server may have been full, and a human should still know.
const LATELY_S: u64 = 600;
const HOUR_S: u64 = 3_600;
/// Uploads to the same page that were refused in an hour.
const TOO_LARGE: u64 = 5;
/// Answers with a header that is too large in an hour.
const BIG_HEADERS: u64 = 3;
/// Workers that died in an hour, and it is no single accident.
const DEATHS: u64 = 3;

/// One server's log, as far as it has been read.
#[derive(Debug)]
pub(crate) struct Web<'a> {
    server: &'a WebServer,
    now: u64,
    broken: Option<(Broken, Tally)>,
    no_connections: Tally,
    few_connections: Tally,
    connections: u64,
    workers_busy: Tally,
    no_handles: Tally,
    too_large: Tallies,
    big_headers: Tallies,
    deaths: Tally,
}

/// Why it can't start.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Broken {
    Configuration(Option<String>),
    Port(u16),
    Key(Option<String>),
}

impl<'a> Web<'a> {
    pub(crate) fn new(server: &'a WebServer, now: u64) -> Self {
        Self {
            server,
            now,
            broken: None,
            no_connections: Tally::default(),
            few_connections: Tally::default(),
            connections: 0,
            workers_busy: Tally::default(),
            no_handles: Tally::default(),
            too_large: Tallies::default(),
            big_headers: Tallies::default(),
            deaths: Tally::default(),
        }
    }

    pub(crate) const fn kind(&self) -> WebKind {
        self.server.kind
    }

    /// Takes a line in. What was said before the server started is over.
    pub(crate) fn said(&mut self, at: u64, said: &Said<'_>, line: &[u8]) {
        let started = self.server.master.map_or(0, |master| master.started);
        if at <= started.saturating_add(START_S) {
            return;
        }
        let within = |seconds: u64| at.saturating_add(seconds) >= self.now;
        match *said {
            Said::Broken(file) if within(DOWN_S) => {
                self.cannot_start(at, Broken::Configuration(owned(file)), line)
            }
            Said::PortTaken(port) if within(DOWN_S) => self.cannot_start(at, Broken::Port(port), line),
            Said::KeyMismatch(file) if within(DOWN_S) => {
                self.cannot_start(at, Broken::Key(owned(file)), line)
            }
            Said::NoConnections(limit) if within(LATELY_S) => {
                self.connections = limit;
                self.no_connections.add(at, line);
            }
            Said::FewConnections(limit) if within(NOW_S) => {
                self.connections = limit;
                self.few_connections.add(at, line);
            }
            Said::WorkersBusy if within(LATELY_S) => self.workers_busy.add(at, line),
            Said::NoHandles if within(LATELY_S) => self.no_handles.add(at, line),
            // Scanners post junk anywhere; people come from a page, or upload to WordPress.
            Said::TooLarge(request)
                if within(HOUR_S) && (request.referred || request.path.contains("/wp-admin/")) =>
            {
                self.too_large.add(request.path, at, line);
            }
            Said::BigHeader(request) if within(HOUR_S) => self.big_headers.add(request.path, at, line),
            Said::WorkerDied if within(HOUR_S) => self.deaths.add(at, line),
            _ => {}
        }
    }

    /// Only the last reason counts: what came before it was mended or hidden by it. The journal is read after the
    /// log, so a line that comes later may be older.
    fn cannot_start(&mut self, at: u64, broken: Broken, line: &[u8]) {
        if self.broken.as_ref().is_some_and(|(known, tally)| *known != broken && at < tally.last) {
            return;
        }
        let mut tally = match self.broken.take() {
            Some((known, tally)) if known == broken => tally,
            _ => Tally::default(),
        };
        tally.add(at, line);
        self.broken = Some((broken, tally));
    }

    /// Says what it comes to. `details` reads the configuration again, and only where that is needed.
    pub(crate) fn judge(
        &self,
        host: &dyn Host,
        stack: &Stack,
        details: &dyn Fn() -> Details,
        notes: &mut Notes,
    ) {
        self.judge_start(host, stack, details, notes);
        if self.broken.is_some() && self.server.master.is_none() {
            // All else was said by a server that has ended since.
            return;
        }
        let name = || Facts::new().text(FactName::Name, &self.server.name);
        let full = |tally: &Tally| self.urgent(tally);
        let limit = |limit| name().number(FactName::Limit, limit);
        if self.no_connections.some() {
            let finding = Finding::new(FindingId::WebWorkersExhausted, full(&self.no_connections));
            notes.found(because(finding.with(limit(self.connections)), &self.no_connections));
        } else if self.few_connections.some() {
            // Idle connections that make room for others harm nobody yet.
            let finding = Finding::new(FindingId::WebWorkersExhausted, Severity::Warning);
            notes.found(because(finding.with(limit(self.connections)), &self.few_connections));
        }
        if self.workers_busy.some() {
            let facts = limit(self.server.limit.unwrap_or(DEFAULT_WORKERS));
            let finding = Finding::new(FindingId::WebApacheMaxworkers, full(&self.workers_busy));
            notes.found(because(finding.with(facts), &self.workers_busy));
        }
        if self.no_handles.some() {
            let finding = Finding::new(FindingId::WebFdLimit, full(&self.no_handles)).with(name());
            notes.found(because(finding, &self.no_handles).action(ActionId::RestartWeb));
        }
        if self.deaths.some() {
            let severity = if self.deaths.count >= DEATHS { Severity::Critical } else { Severity::Warning };
            let facts = name().number(FactName::Count, self.deaths.count);
            let finding = Finding::new(FindingId::WebWorkerCrash, severity).with(facts);
            notes.found(because(finding, &self.deaths).action(ActionId::RestartWeb));
        }
        self.judge_sizes(details, notes);
    }

    fn judge_start(&self, host: &dyn Host, stack: &Stack, details: &dyn Fn() -> Details, notes: &mut Notes) {
        let Some((broken, tally)) = &self.broken else { return };
        let severity = if self.server.master.is_some() { Severity::Warning } else { Severity::Critical };
        let facts = Facts::new().text(FactName::Name, &self.server.name);
        let finding = match broken {
            Broken::Port(port) => {
                let Some(holder) = self.holder(*port, stack) else { return };
                let facts = facts.text(FactName::Name, &holder).number(FactName::Code, (*port).into());
                Finding::new(FindingId::WebPortConflict, severity).with(facts)
            }
            Broken::Configuration(file) | Broken::Key(file) => {
                if is_mended(host, file.as_deref(), tally.last) || details().changed > tally.last {
                    return;
                }
                let id = match broken {
                    Broken::Key(_) => FindingId::TlsKeyMismatch,
                    _ => FindingId::WebConfigBroken,
                };
                Finding::new(id, severity).with(facts)
            }
        };
        notes.found(because(finding, tally));
    }

    /// The other web server that wants the port. Nobody, if this one runs and was only started twice. Who else may
    /// have it, whoever looks at the port itself says, and whether that is still so.
    fn holder(&self, port: u16, stack: &Stack) -> Option<String> {
        let wants = |other: &&WebServer| {
            other.kind != self.server.kind
                && other.master.is_some()
                && (other.listens.is_empty() || other.listens.iter().any(|listen| listen.port == port))
        };
        stack.web.iter().find(wants).map(|other| other.name.clone())
    }

    fn judge_sizes(&self, details: &dyn Fn() -> Details, notes: &mut Notes) {
        // Both are known to a second. What is still refused will be said again.
        let changed_since = |tally: &Tally| details().changed >= tally.last;
        if let Some((path, tally)) = self.too_large.most()
            && tally.count >= TOO_LARGE
            && !changed_since(tally)
        {
            let facts = Facts::new().number(FactName::Count, tally.count).text(FactName::Path, path);
            notes.found(because(Finding::new(FindingId::Web413, Severity::Warning).with(facts), tally));
        }
        if let Some((path, tally)) = self.big_headers.most()
            && tally.count >= BIG_HEADERS
            && tally.three_since(details().changed)
        {
            let facts = Facts::new().number(FactName::Count, tally.count).text(FactName::Path, path);
            notes.found(because(
                Finding::new(FindingId::WebUpstreamHeader, Severity::Warning).with(facts),
                tally,
            ));
        }
    }

    const fn urgent(&self, tally: &Tally) -> Severity {
        if tally.last.saturating_add(NOW_S) >= self.now { Severity::Critical } else { Severity::Warning }
    }
}

/// What Apache runs where nothing is said.
const DEFAULT_WORKERS: u64 = 256;

/// With the line that decided it, and when it began.
pub(crate) fn because(finding: Finding, tally: &Tally) -> Finding {
    finding.line(&tally.shown()).since(tally.first)
}

fn owned(file: Option<&str>) -> Option<String> {
    file.map(str::to_owned)
}

/// Whether the file at fault is gone or was changed since.
fn is_mended(host: &dyn Host, file: Option<&str>, since: u64) -> bool {
    let Some(file) = file else { return false };
    match host.metadata(file) {
        Ok(metadata) => metadata.modified > since,
        Err(denied) => denied == crate::host::Denied::Absent,
    }
}

/// Which reader a server's lines need; none for one whose log nobody here knows.
pub(crate) fn reader(kind: WebKind) -> Option<fn(&str) -> Option<Said<'_>>> {
    match kind {
        WebKind::Nginx => Some(super::said::nginx),
        WebKind::Apache => Some(super::said::apache),
        WebKind::Other => None,
    }
}

#[cfg(test)]
#[path = "web_tests.rs"]
mod tests;

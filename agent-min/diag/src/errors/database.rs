//! What a database server's error log says, and what PHP says of the database.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

use secmon_wire::diag::{FactName, Facts, Finding, FindingId, Severity};

use super::tally::{Tallies, Tally};
use super::web::because;
use super::{NOW_S, START_S};
use crate::Notes;
use crate::host::Host;
use crate::stack::{Database, DatabaseKind};

const MINUTE_S: u64 = 60;
const FIVE_MINUTES_S: u64 = 300;
const QUARTER_S: u64 = 900;
const HOUR_S: u64 = 3_600;
const DAY_S: u64 = 86_400;
/// Queries that waited for a lock in vain within five minutes.
const WAITS: u64 = 5;
/// A sound start is over by then.
const START_TAKES_S: u64 = 5;
/// What people and scanners try at a database's page, and we ourselves, not a site.
const GUESSED: [&str; 7] = ["root", "admin", "pma", "phpmyadmin", "mysql", "postgres", crate::probe::ACCOUNT];
/// A disk with more room than this can be written to again.
const ROOM: u64 = 200 * 1024 * 1024;

/// One server's log, as far as it has been read.
#[derive(Debug)]
pub(crate) struct Db {
    now: u64,
    /// When the server started; `None` if it doesn't run.
    started: Option<u64>,
    refused: Tallies,
    crash: Tally,
    recovery: Tally,
    recovering: bool,
    corrupt: Tally,
    full: Tally,
    quota: bool,
    waits: Tally,
}

impl Db {
    pub(crate) fn new(now: u64, started: Option<u64>) -> Self {
        Self {
            now,
            started,
            refused: Tallies::default(),
            crash: Tally::default(),
            recovery: Tally::default(),
            recovering: false,
            corrupt: Tally::default(),
            full: Tally::default(),
            quota: false,
            waits: Tally::default(),
        }
    }

    /// Takes in a line of a server of this kind.
    pub(crate) fn line(&mut self, kind: DatabaseKind, at: u64, text: &str, line: &[u8]) {
        let said = match kind {
            DatabaseKind::Postgres => postgres(text),
            DatabaseKind::MariaDb | DatabaseKind::MySql => mysql(text),
        };
        if let Some(said) = said {
            self.said(at, &said, line);
        }
    }

    /// Takes in what PHP says of the database.
    pub(crate) fn php(&mut self, at: u64, text: &str, line: &[u8]) {
        if let Some(said) = wordpress(text) {
            self.said(at, &said, line);
        }
    }

    fn said(&mut self, at: u64, said: &Said<'_>, line: &[u8]) {
        let within = |seconds: u64| at.saturating_add(seconds) >= self.now;
        let before_start = self.started.is_some_and(|started| at <= started.saturating_add(START_S));
        match *said {
            // What was refused before it was started anew, others may have mended meanwhile.
            Said::Refused(user) if within(NOW_S) && !before_start && !GUESSED.contains(&user) => {
                self.refused.add(user, at, line);
            }
            Said::Crashed if within(HOUR_S) => self.crash.add(at, line),
            Said::Recovering | Said::Starting => {
                self.recovering = matches!(said, Said::Recovering) || !within(START_TAKES_S);
                self.recovery = Tally::default();
                self.recovery.add(at, line);
            }
            Said::Settled => self.recovering = false,
            Said::Stopped => {
                self.recovering = false;
                // Who has stopped it in order since knows of the crash.
                self.crash = Tally::default();
            }
            Said::Corrupt if within(DAY_S) => self.corrupt.add(at, line),
            Said::DiskFull { quota } if within(QUARTER_S) => {
                self.quota = quota;
                self.full.add(at, line);
            }
            Said::LockWait if within(FIVE_MINUTES_S) => self.waits.add(at, line),
            _ => {}
        }
    }

    /// Says what it comes to, of this server.
    pub(crate) fn judge(&self, host: &dyn Host, database: &Database, notes: &mut Notes) {
        let name = || Facts::new().text(FactName::Name, name(database.kind));
        let mut found = |id, severity, facts, tally: &Tally| {
            notes.found(because(Finding::new(id, severity).with(facts), tally));
        };
        let refused = |(_, tally): &(&str, &Tally)| {
            tally.three_within(MINUTE_S) && tally.last.saturating_add(MINUTE_S) >= self.now
        };
        if let Some((user, tally)) = self.refused.iter().find(refused) {
            let facts = name().text(FactName::What, user).number(FactName::Count, tally.count);
            found(FindingId::DbAuthFail, Severity::Critical, facts, tally);
        }
        if self.crash.some() {
            let facts = name().number(FactName::Count, self.crash.count);
            found(FindingId::DbCrashRestart, Severity::Warning, facts, &self.crash);
        }
        // A repair that a newer start has overtaken, or that ended with the server, is over.
        if self.recovering
            && let Some(started) = self.started
            && started <= self.recovery.last.saturating_add(1)
        {
            let long = self.recovery.last.saturating_add(QUARTER_S) < self.now;
            let severity = if long { Severity::Critical } else { Severity::Warning };
            found(FindingId::DbRecovering, severity, name(), &self.recovery);
        }
        let restarted = self.started.is_some_and(|started| started > self.corrupt.last);
        let lately = self.corrupt.last.saturating_add(HOUR_S) >= self.now;
        if self.corrupt.some() && (lately || !restarted) {
            found(FindingId::DbCorrupt, Severity::Critical, name(), &self.corrupt);
        }
        if self.full.some() && self.is_still_full(host, database) {
            found(FindingId::DbDiskFull, Severity::Critical, name(), &self.full);
        }
        if self.waits.count >= WAITS {
            let facts = Facts::new().number(FactName::Count, self.waits.count);
            found(FindingId::DbLockWait, Severity::Warning, facts, &self.waits);
        }
    }

    /// Whether what could not be written could be now: the file system says, but for quotas.
    fn is_still_full(&self, host: &dyn Host, database: &Database) -> bool {
        let lately = self.full.last.saturating_add(NOW_S) >= self.now;
        let data = database.data.as_deref().and_then(|data| host.filesystem(data).ok());
        match data {
            Some(data) if !self.quota => data.free < ROOM || (lately && data.free < data.size / 20),
            _ => lately || self.quota,
        }
    }
}

/// What people call it.
pub(crate) const fn name(kind: DatabaseKind) -> &'static str {
    match kind {
        DatabaseKind::MariaDb => "MariaDB",
        DatabaseKind::MySql => "MySQL",
        DatabaseKind::Postgres => "PostgreSQL",
    }
}

/// What a line says, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said<'a> {
    /// This user's login was refused.
    Refused(&'a str),
    /// The server died by its own fault.
    Crashed,
    /// It repairs itself after that.
    Recovering,
    /// It reads what it keeps, which takes long where that has to be repaired.
    Starting,
    /// It is ready, or couldn't start: no repair is under way.
    Settled,
    /// It was stopped in order.
    Stopped,
    /// What it keeps is damaged.
    Corrupt,
    /// It can't write.
    DiskFull {
        /// Because of somebody's quota.
        quota: bool,
    },
    /// A query waited for a lock in vain.
    LockWait,
}

/// Reads a line of MariaDB's or MySQL's log.
pub fn mysql(line: &str) -> Option<Said<'_>> {
    let (_, len) = super::time::stamp(line.as_bytes())?;
    let rest = line.get(len..)?;
    // A zone, and `0 [Note] `, `140 [Warning] [MY-010055] [Server] `, ` UTC - ` before a signal.
    let mut message =
        rest.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, ' ' | 'Z' | '+' | '-' | ':'));
    while let Some((_, after)) = message.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
        message = after;
    }
    let message = message.strip_prefix("UTC - ").unwrap_or(message);
    if let Some(user) = message.strip_prefix("Access denied for user '") {
        return user.split_once('\'').map(|(user, _)| Said::Refused(user));
    }
    if let Some((program, rest)) = message.split_once(" got signal ")
        && (program.ends_with("mysqld") || program.ends_with("mariadbd"))
    {
        return rest.starts_with(|c: char| c.is_ascii_digit()).then_some(Said::Crashed);
    }
    // MySQL 8 and later say their version after it.
    if message.contains(": Shutdown complete") {
        return Some(Said::Stopped);
    }
    if message.contains(": ready for connections") || message == "Aborting" {
        return Some(Said::Settled);
    }
    // MySQL has the engine in brackets, and says that it repairs itself only where it was told to say all.
    match message.strip_prefix("InnoDB: ").unwrap_or(message) {
        "InnoDB initialization has started." => return Some(Said::Starting),
        "InnoDB initialization has ended." => return Some(Said::Settled),
        message if message.starts_with("Starting crash recovery") => return Some(Said::Recovering),
        _ => {}
    }
    let damaged = [
        "Database page corruption",
        "Page read from tablespace is corrupted",
        "is corrupted. Please drop the table",
        "is marked as crashed",
        "log sequence number",
    ];
    if damaged.iter().any(|mark| message.contains(mark))
        && (!message.contains("log sequence number") || message.contains("is in the future"))
    {
        return Some(Said::Corrupt);
    }
    full_disk(message)
}

/// Errors of the operating system and of the storage engine: 28 is a full disk, 122 a quota.
fn full_disk(message: &str) -> Option<Said<'static>> {
    let has = |marks: [&str; 3]| marks.iter().any(|mark| message.contains(mark));
    if has(["Errcode: 28 ", "No space left on device", "Disk is full writing"]) {
        return Some(Said::DiskFull { quota: false });
    }
    has(["Errcode: 122 ", "Disk quota exceeded", "Disk quota exceeded"])
        .then_some(Said::DiskFull { quota: true })
}

/// Reads what WordPress says of its database; the query, which visitors write parts of, comes after it.
pub fn wordpress(text: &str) -> Option<Said<'static>> {
    let (_, message) = text.split_once("WordPress database error ")?;
    if message.starts_with("Lock wait timeout exceeded") {
        return Some(Said::LockWait);
    }
    if let Some(code) = message.strip_prefix("Got error ") {
        let engine = code.split_once(' ').is_some_and(|(_, rest)| rest.starts_with("from storage engine"));
        return match super::said::number(code) {
            28 if engine => Some(Said::DiskFull { quota: false }),
            122 if engine => Some(Said::DiskFull { quota: true }),
            _ => None,
        };
    }
    let head = message.split_once(" for query ").map_or(message, |(head, _)| head);
    head.contains("is marked as crashed").then_some(Said::Corrupt)
}

/// Reads a line of PostgreSQL's log, whatever stands between its time and its level.
pub fn postgres(line: &str) -> Option<Said<'_>> {
    let (_, len) = super::time::stamp(line.as_bytes())?;
    let rest = line.get(len..)?;
    let (level, message) = ["LOG:  ", "FATAL:  ", "PANIC:  ", "ERROR:  ", "WARNING:  "]
        .iter()
        .filter_map(|level| rest.split_once(level).map(|(before, message)| (before.len(), *level, message)))
        .min()
        .map(|(_, level, message)| (level, message))?;
    if let Some(user) = message.strip_prefix("password authentication failed for user \"") {
        return user.split_once('"').map(|(user, _)| Said::Refused(user));
    }
    match (level, message) {
        ("LOG:  ", message) if message.starts_with("server process (PID ") => {
            message.contains("was terminated by signal ").then_some(Said::Crashed)
        }
        ("LOG:  ", message) if message.starts_with("database system was not properly shut down") => {
            Some(Said::Recovering)
        }
        ("LOG:  ", "database system is ready to accept connections") => Some(Said::Settled),
        ("LOG:  ", "database system is shut down") => Some(Said::Stopped),
        (_, message) if message.starts_with("invalid page in block ") => Some(Said::Corrupt),
        ("PANIC:  ", message) if message.starts_with("could not locate a valid checkpoint record") => {
            Some(Said::Corrupt)
        }
        (_, message)
            if message.starts_with("could not ") && message.ends_with(": No space left on device") =>
        {
            Some(Said::DiskFull { quota: false })
        }
        ("ERROR:  ", message) if message.starts_with("canceling statement due to lock timeout") => {
            Some(Said::LockWait)
        }
        ("LOG:  ", message) if message.starts_with("process ") => {
            message.contains(" still waiting for ").then_some(Said::LockWait)
        }
        _ => None,
    }
}

#[cfg(test)]
#[path = "database_tests.rs"]
mod tests;

//! What the error logs say: of the web servers, of PHP, of the databases, of the renewal of certificates, and of what
//! systemd's journal has of all these.
//!
//! Of each log the last 256 KiB are read, at most 24 logs, and of them only lines that are newer than the window of
//! what they tell, and newer than the start of who wrote them where a start ends it. Visitors write parts of these
//! lines: they are counted by what the server itself puts first, and shown redacted and cut.

pub mod acme;
pub mod database;
pub mod listening;
pub mod php;
pub mod php_message;
pub mod said;
mod stale;
mod tail;
mod tally;
pub mod time;
pub mod units;
pub mod upstream;
mod web;

use std::cell::OnceCell;

use secmon_wire::diag::{Check, WhyNotChecked};

use crate::Notes;
use crate::discover::{self, Details};
use crate::host::{Endpoint, Host};
use crate::journal::{self, Journal};
use crate::probe::ACCOUNT;
use crate::stack::{Database, Stack, WebKind};
use acme::Acme;
use database::Db;
use listening::Listening;
use php::Php;
use said::Said;
use tail::Tail;
use units::{Killed, Unit};
use upstream::Upstream;
use web::Web;

/// What is not older than this is happening now.
const NOW_S: u64 = 120;
/// How exactly the start of a process is known: the kernel counts it from a boot that it knows to a second.
const START_S: u64 = 1;
/// Clocks differ; a line from further ahead is a mistake.
const FUTURE_S: u64 = 600;
/// More logs than this are not read: 6 MiB in all.
const LOGS_MAX: usize = 24;

/// Messages of one service that are read from the journal.
const MESSAGES_MAX: usize = 300;
const DAY_S: u64 = 86_400;

/// Reads all logs and judges them together: the same cause often shows in several.
pub fn check(host: &dyn Host, stack: &Stack, notes: &mut Notes) {
    let now = host.clock();
    let servers = discover::running(host);
    let php_started = discover::php_started(&servers);
    let details = Cached { host, nginx: OnceCell::new(), apache: OnceCell::new() };
    let details = |kind| details.get(kind);
    let mut logs = Logs { host, now, left: LOGS_MAX, read: Vec::new() };
    let mut all = All {
        webs: stack.web.iter().map(|server| Web::new(server, now)).collect(),
        upstream: Upstream::new(now, php_started),
        php: Php::new(now, php_started),
        dbs: stack
            .databases
            .iter()
            .map(|db| Db::new(now, discover::database_started(&servers, db.kind)))
            .collect(),
        acme: Acme::default(),
        units: Vec::new(),
        killed: Killed::default(),
    };
    for (server, web) in stack.web.iter().zip(0..) {
        for path in &server.error_logs {
            logs.each(Check::WebErrorLog, path, notes, |at, text, line| {
                all.web_line(web, server.kind, at, text, line)
            });
        }
    }
    for path in stack.pools.iter().flat_map(|pool| &pool.error_logs) {
        logs.each(Check::PhpErrorLog, path, notes, |at, text, line| all.php_line(at, text, line));
    }
    for path in &stack.error_logs {
        logs.each(Check::WebErrorLog, path, notes, |at, text, line| all.any_line(stack, at, text, line));
    }
    for (database, db) in stack.databases.iter().zip(0..) {
        if let Some(path) = &database.error_log {
            logs.each(Check::DbErrorLog, path, notes, |at, text, line| {
                if let Some(db) = all.dbs.get_mut::<usize>(db) {
                    db.line(database.kind, at, text, line);
                }
            });
        }
    }
    acme::read(host, &mut all.acme, notes);
    all.journal(host, stack, now, notes);
    for web in &all.webs {
        web.judge(host, stack, &|| details(web.kind()), notes);
    }
    all.upstream.judge(host, stack, &details, notes);
    all.php.judge(host, notes);
    for (database, db) in stack.databases.iter().zip(&all.dbs) {
        db.judge(host, database, notes);
    }
    all.acme.judge(notes);
    for (name, unit) in &all.units {
        unit.judge(now, name, notes);
    }
    all.killed.judge(now, notes);
    stale::check(host, stack, &details, notes);
}

/// Whether a database that is there has refused our own account within a day: asking it again would only write
/// another line into its log. Where nobody listens, or the log can't be read, it may be asked.
pub(crate) fn must_not_be_asked(host: &dyn Host, database: &Database) -> bool {
    let Endpoint::Unix(socket) = &database.listen else { return false };
    let ours = format!("Access denied for user '{ACCOUNT}'@");
    let now = host.clock();
    let refused = |at: u64, line: &[u8]| {
        now.saturating_sub(at) < DAY_S && String::from_utf8_lossy(line).contains(&ours)
    };
    let lately = match (&database.error_log, journal::path(host)) {
        (Some(path), _) => {
            Tail::read(host, path).is_ok_and(|tail| tail.lines().any(|(at, line)| refused(at, line)))
        }
        (None, Some(path)) => {
            let field = format!("_SYSTEMD_UNIT={}.service", database.unit);
            let mut lately = false;
            let read = journal::with(host, &path, |journal| {
                let entries = journal.newest(&field, now.saturating_sub(DAY_S), MESSAGES_MAX);
                lately = entries.iter().any(|entry| refused(entry.at, &entry.message));
            });
            lately && read.is_ok()
        }
        (None, None) => false,
    };
    lately && Listening::read(host).has(host, socket)
}

/// All that lines are counted for.
struct All<'a> {
    webs: Vec<Web<'a>>,
    upstream: Upstream,
    php: Php,
    dbs: Vec<Db>,
    acme: Acme,
    units: Vec<(String, Unit)>,
    killed: Killed,
}

impl All<'_> {
    /// Reads the journal: what the services wrote to their terminals, what systemd says of them, and the kernel.
    fn journal(&mut self, host: &dyn Host, stack: &Stack, now: u64, notes: &mut Notes) {
        let unlogged = stack.databases.iter().filter(|database| database.error_log.is_none());
        let Some(path) = journal::path(host) else {
            unlogged
                .for_each(|database| notes.skipped(Check::DbErrorLog, WhyNotChecked::Absent, &database.unit));
            return;
        };
        match journal::with(host, &path, |journal| self.messages(journal, stack, now)) {
            Ok(()) => {
                notes.checked(Check::Units);
                unlogged.for_each(|_| notes.checked(Check::DbErrorLog));
            }
            Err(why) => {
                notes.skipped(Check::Units, why, &path);
                unlogged.for_each(|database| notes.skipped(Check::DbErrorLog, why, &database.unit));
            }
        }
    }

    fn messages(&mut self, journal: &mut Journal<'_>, stack: &Stack, now: u64) {
        let mut of_unit = |field: &str, unit: &str, since: u64, each: &mut dyn FnMut(u64, &str, &[u8])| {
            let field = format!("{field}={unit}");
            for entry in journal.newest(&field, now.saturating_sub(since), MESSAGES_MAX) {
                each(entry.at, &String::from_utf8_lossy(&entry.message), &entry.message);
            }
        };
        for (index, server) in stack.web.iter().enumerate() {
            let unit = format!("{}.service", server.name);
            of_unit("_SYSTEMD_UNIT", &unit, DAY_S, &mut |at, text, line| {
                self.web_line(index, server.kind, at, text, line);
            });
        }
        for (index, database) in stack.databases.iter().enumerate() {
            let unit = format!("{}.service", database.unit);
            of_unit("_SYSTEMD_UNIT", &unit, DAY_S, &mut |at, text, line| {
                if let Some(db) = self.dbs.get_mut(index) {
                    db.line(database.kind, at, text, line);
                }
            });
        }
        of_unit("_SYSTEMD_UNIT", "certbot.service", 3 * DAY_S, &mut |at, text, line| {
            self.acme.line(now, at, text, line);
        });
        of_unit("_TRANSPORT", "kernel", 3_600, &mut |at, text, _| self.killed.message(now, at, text));
        for name in stack.units.iter().filter(|name| name.ends_with(".service")) {
            let mut unit = Unit::default();
            of_unit("UNIT", name, 600, &mut |at, text, _| unit.message(now, at, name, text));
            self.units.push((name.clone(), unit));
        }
    }

    fn web_line(&mut self, index: usize, kind: WebKind, at: u64, text: &str, line: &[u8]) {
        let Some(said) = web::reader(kind).and_then(|read| read(text)) else { return };
        if let Said::Php(text) = said {
            self.php_words(at, text, line);
            return;
        }
        if let Some(web) = self.webs.get_mut(index) {
            web.said(at, &said, line);
        }
        self.upstream.said(kind, at, &said, line);
    }

    /// A line of whoever may have written it: the first web server that can have, or else PHP.
    fn any_line(&mut self, stack: &Stack, at: u64, text: &str, line: &[u8]) {
        let reads = |kind| web::reader(kind).is_some_and(|read| read(text).is_some());
        match stack.web.iter().position(|server| reads(server.kind)) {
            Some(index) => {
                let kind = stack.web.get(index).map_or(WebKind::Other, |server| server.kind);
                self.web_line(index, kind, at, text, line);
            }
            None => self.php_line(at, text, line),
        }
    }

    fn php_line(&mut self, at: u64, text: &str, line: &[u8]) {
        self.php.fpm(at, text, line);
        self.php_words(at, text, line);
    }

    /// PHP's own words, wherever they were logged. They are of the first database, if of any.
    fn php_words(&mut self, at: u64, text: &str, line: &[u8]) {
        self.php.message(at, text, line);
        if let Some(db) = self.dbs.first_mut() {
            db.php(at, text, line);
        }
    }
}

/// The logs that may still be read.
struct Logs<'h> {
    host: &'h dyn Host,
    now: u64,
    left: usize,
    read: Vec<String>,
}

impl Logs<'_> {
    /// Hands each line to `each`, or notes why not. A log that several share is read once.
    fn each(&mut self, what: Check, path: &str, notes: &mut Notes, mut each: impl FnMut(u64, &str, &[u8])) {
        if self.read.iter().any(|known| known == path) {
            return;
        }
        let Some(left) = self.left.checked_sub(1) else {
            notes.skipped(what, WhyNotChecked::Unsupported, path);
            return;
        };
        self.left = left;
        self.read.push(path.to_owned());
        match Tail::read(self.host, path) {
            Ok(tail) => {
                for (at, line) in tail.lines().filter(|(at, _)| *at <= self.now.saturating_add(FUTURE_S)) {
                    each(at, &String::from_utf8_lossy(line), line);
                }
                notes.checked(what);
            }
            Err(denied) => notes.skipped(what, discover::why(denied), path),
        }
    }
}

/// The configurations' details, read at most once each.
struct Cached<'h> {
    host: &'h dyn Host,
    nginx: OnceCell<Details>,
    apache: OnceCell<Details>,
}

impl Cached<'_> {
    fn get(&self, kind: WebKind) -> Details {
        let cell = match kind {
            WebKind::Nginx => &self.nginx,
            WebKind::Apache => &self.apache,
            WebKind::Other => return Details::default(),
        };
        cell.get_or_init(|| discover::details(self.host, kind)).clone()
    }
}

#[cfg(test)]
#[path = "errors_tests.rs"]
mod tests;

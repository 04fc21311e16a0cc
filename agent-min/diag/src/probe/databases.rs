//! Database servers, asked over their own sockets whether they answer and how busy they are.

use std::time::Duration;

use secmon_wire::ActionId;
use secmon_wire::diag::{Check, CounterId, FactName, Facts, Finding, FindingId, Severity, WhyNotChecked};

use super::mariadb::{self, Numbers, Session};
use super::postgres_packets::Said;
use super::{AGAIN_AFTER, address, mysql, postgres, why};
use crate::Notes;
use crate::errors::must_not_be_asked;
use crate::host::{Denied, Endpoint, Host};
use crate::kernel::sock_diag::{Family, bit, tcp_message, tcp_request};
use crate::kernel::sockets::{Socket, state};
use crate::stack::{Database, DatabaseKind, Stack};

/// More servers than this are not asked.
const DATABASES_MAX: usize = 4;
/// A greeting takes less than a millisecond. Two looks, and what lies between them, fit into a run.
const PATIENCE: Duration = Duration::from_millis(900);
/// Between two looks at the numbers.
const SAMPLE: Duration = Duration::from_millis(500);
/// So many looks must agree.
const SAMPLES: usize = 3;
/// Share of the connections that are taken.
const CONNECTIONS_WARN: u64 = 70;
const CONNECTIONS_CRITICAL: u64 = 90;
/// Queries at once, for each processor.
const RUNNING_PER_CPU: u64 = 4;
/// Queries that wait for rows.
const LOCK_WAITS: u64 = 5;
/// Where MariaDB and MySQL listen for the network if nothing else is configured.
const MYSQL_PORT: u16 = 3306;

/// Asks every server.
pub fn check(host: &dyn Host, stack: &Stack, notes: &mut Notes) {
    if stack.databases.is_empty() {
        notes.skipped(Check::DbSocket, WhyNotChecked::Absent, "");
    }
    for (count, database) in stack.databases.iter().enumerate() {
        if count >= DATABASES_MAX {
            return notes.skipped(Check::DbSocket, WhyNotChecked::Timeout, "more servers");
        }
        let mut state = look(host, database);
        if let State::Trouble(trouble) = state {
            // Who was waited for in vain has had his time.
            host.pause(if trouble == Trouble::Hung { SAMPLE } else { AGAIN_AFTER });
            let again = look(host, database);
            // Of two different troubles, the later one counts; what couldn't be seen twice was seen once.
            state = match again {
                State::Unknown(_) => state,
                again => again,
            };
        }
        match state {
            State::In(session) => {
                notes.checked(Check::DbSocket);
                measure(host, database, session, notes);
            }
            State::Answers(why_no_numbers) => {
                notes.checked(Check::DbSocket);
                notes.skipped(Check::DbStatus, why_no_numbers, &database.unit);
            }
            State::Trouble(Trouble::Down) if !is_wanted(stack, database) => {}
            State::Trouble(trouble) => {
                notes.checked(Check::DbSocket);
                notes.found(report(database, trouble));
            }
            State::Unknown(why) => notes.skipped(Check::DbSocket, why, &address(&database.listen)),
        }
    }
}

/// What a look at a server found.
#[derive(Debug)]
enum State<'h> {
    /// It answers and lets us in.
    In(Session<'h>),
    /// It answers; why its numbers can't be had.
    Answers(WhyNotChecked),
    /// It doesn't serve anybody.
    Trouble(Trouble),
    /// It couldn't be asked.
    Unknown(WhyNotChecked),
}

/// Why a server doesn't serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    Down,
    Hung,
    TooMany,
    Blocked,
    NotYet,
}

fn look<'h>(host: &'h dyn Host, database: &Database) -> State<'h> {
    let looked = match database.kind {
        DatabaseKind::MariaDb | DatabaseKind::MySql => look_at_mysql(host, database),
        DatabaseKind::Postgres => look_at_postgres(host, database),
    };
    looked.unwrap_or_else(|denied| match denied {
        Denied::Absent | Denied::Refused => State::Trouble(Trouble::Down),
        // A full queue of connections means that nobody takes them.
        Denied::Full => State::Trouble(Trouble::Hung),
        Denied::Timeout if super::allowed(host, Duration::ZERO).is_some() => State::Trouble(Trouble::Hung),
        denied => State::Unknown(why(denied)),
    })
}

fn look_at_mysql<'h>(host: &'h dyn Host, database: &Database) -> Result<State<'h>, Denied> {
    if must_not_be_asked(host, database) {
        return Ok(State::Answers(WhyNotChecked::Permission));
    }
    Ok(match mariadb::look(host, &database.listen, PATIENCE)? {
        mariadb::Look::In(session) => State::In(session),
        mariadb::Look::NoAccount => State::Answers(WhyNotChecked::Permission),
        mariadb::Look::Refuses(mysql::TOO_MANY_CONNECTIONS) => State::Trouble(Trouble::TooMany),
        mariadb::Look::Refuses(mysql::HOST_BLOCKED) => State::Trouble(Trouble::Blocked),
        mariadb::Look::Refuses(_) | mariadb::Look::Strange => State::Unknown(WhyNotChecked::Failed),
    })
}

fn look_at_postgres<'h>(host: &'h dyn Host, database: &Database) -> Result<State<'h>, Denied> {
    Ok(match postgres::look(host, &database.listen, PATIENCE)? {
        postgres::Look::Said(Said::TooMany) => State::Trouble(Trouble::TooMany),
        postgres::Look::Said(Said::NotYet) => State::Trouble(Trouble::NotYet),
        postgres::Look::Said(Said::Asks | Said::Refuses) => State::Answers(WhyNotChecked::Unsupported),
        postgres::Look::Answers => State::Answers(WhyNotChecked::Unsupported),
        postgres::Look::Said(Said::Other) => State::Unknown(WhyNotChecked::Failed),
    })
}

/// A server that is installed and not enabled may be off because its owner wants that.
fn is_wanted(stack: &Stack, database: &Database) -> bool {
    let plain = |unit: &str| unit.strip_suffix(".service").unwrap_or(unit).to_owned();
    stack.units.is_empty() || stack.units.iter().any(|unit| plain(unit) == plain(&database.unit))
}

fn report(database: &Database, trouble: Trouble) -> Finding {
    let facts = Facts::new().text(FactName::Name, product(database.kind));
    let found = |id| Finding::new(id, Severity::Critical);
    match trouble {
        Trouble::Down => found(FindingId::DbDown).with(facts).action(ActionId::RestartDb),
        Trouble::Hung => found(FindingId::DbHung).with(facts).action(ActionId::RestartDb),
        Trouble::Blocked => found(FindingId::DbHostBlocked).with(facts).action(ActionId::RestartDb),
        // PHP holds the connections: they are free again when it has been restarted.
        Trouble::TooMany => found(FindingId::DbTooManyConn).with(facts).action(ActionId::RestartPhp),
        // It must keep a restart away, so it is no mere information.
        Trouble::NotYet => Finding::new(FindingId::DbRecovering, Severity::Warning).with(facts),
    }
}

const fn product(kind: DatabaseKind) -> &'static str {
    match kind {
        DatabaseKind::MariaDb => "MariaDB",
        DatabaseKind::MySql => "MySQL",
        DatabaseKind::Postgres => "PostgreSQL",
    }
}

fn measure(host: &dyn Host, database: &Database, mut session: Session<'_>, notes: &mut Notes) {
    let first = match session.numbers() {
        Ok(numbers) => numbers,
        Err(denied) => return notes.skipped(Check::DbStatus, why(denied), &database.unit),
    };
    notes.checked(Check::DbStatus);
    count(database, &first, notes);
    if let Ok(limit) = session.limit() {
        notes_connections(&first, limit, notes);
    }
    let cpus = host.read("/sys/devices/system/cpu/online", 128).ok().and_then(|list| processors(&list));
    let limits = Limits { running: cpus.unwrap_or(1) * RUNNING_PER_CPU, lock_waits: LOCK_WAITS };
    let mut least = Busy::default();
    if limits.reached(busy(&first, 0)) {
        least = busy(&first, silent(host, database));
    }
    for _ in 1..SAMPLES {
        if !limits.reached(least) {
            break;
        }
        host.pause(SAMPLE);
        // Whoever can't be asked a second time is not accused.
        least = session
            .numbers()
            .map_or(Busy::default(), |numbers| least.min(busy(&numbers, silent(host, database))));
    }
    session.end();
    let facts = |count| Facts::new().number(FactName::Count, count);
    if least.lock_waits >= limits.lock_waits {
        let finding = Finding::new(FindingId::DbLockWait, Severity::Warning);
        notes.found(finding.with(facts(least.lock_waits)));
    }
    if least.running >= limits.running {
        let finding = Finding::new(FindingId::DbRunningPile, Severity::Warning);
        notes.found(finding.with(facts(least.running)));
    }
}

/// How much of what can pile up has.
#[derive(Clone, Copy, Debug, Default)]
struct Busy {
    running: u64,
    lock_waits: u64,
}

impl Busy {
    fn min(self, other: Self) -> Self {
        Self { running: self.running.min(other.running), lock_waits: self.lock_waits.min(other.lock_waits) }
    }
}

fn busy(numbers: &Numbers, silent: u64) -> Busy {
    // One of them is our own question.
    let running = numbers.running.saturating_sub(1).saturating_sub(silent);
    Busy { running, lock_waits: numbers.lock_waits_now }
}

/// Connections over the network that have not said a word: the server counts them as running until they have logged
/// in or it gives them up. Where the kernel doesn't say, there are none.
fn silent(host: &dyn Host, database: &Database) -> u64 {
    let port = match &database.listen {
        Endpoint::Tcp(address) => address.port(),
        Endpoint::Unix(_) => MYSQL_PORT,
    };
    let mut count = 0;
    for family in [Family::V4, Family::V6] {
        let request = tcp_request(family, bit(state::ESTABLISHED), true);
        let _none_without_ipv6 = host.sockets(&request, &mut |message| {
            let is_silent = |socket: &Socket| {
                socket.local.port() == port && socket.traffic.is_some_and(|(_, received)| received == 0)
            };
            count += u64::from(tcp_message(message).as_ref().is_some_and(is_silent));
        });
    }
    count
}

struct Limits {
    running: u64,
    lock_waits: u64,
}

impl Limits {
    fn reached(&self, busy: Busy) -> bool {
        busy.running >= self.running || busy.lock_waits >= self.lock_waits
    }
}

fn count(database: &Database, numbers: &Numbers, notes: &mut Notes) {
    for (id, value) in [
        (CounterId::DbUptime, numbers.uptime),
        (CounterId::DbSlowQueries, numbers.slow_queries),
        (CounterId::DbTmpTables, numbers.tmp_tables),
        (CounterId::DbTmpDiskTables, numbers.tmp_disk_tables),
    ] {
        // Its name stands in the sentences that come of it.
        notes.counted(id, product(database.kind), value);
    }
}

fn notes_connections(numbers: &Numbers, limit: u64, notes: &mut Notes) {
    let others = numbers.connected.saturating_sub(1);
    let Some(percent) = others.saturating_mul(100).checked_div(limit) else { return };
    let severity = match percent {
        CONNECTIONS_CRITICAL.. => Severity::Critical,
        CONNECTIONS_WARN.. => Severity::Warning,
        _ => return,
    };
    let facts = Facts::new().number(FactName::Busy, others).number(FactName::Limit, limit);
    notes.found(Finding::new(FindingId::DbConnNearLimit, severity).with(facts));
}

/// How many processors a list such as `0-3,8` names.
pub fn processors(list: &[u8]) -> Option<u64> {
    let list = str::from_utf8(list).ok()?.trim();
    let counts = list.split(',').map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
        last.checked_sub(first)?.checked_add(1)
    });
    counts.sum::<Option<u64>>().filter(|count| *count > 0 && *count <= 4_096)
}

#[cfg(test)]
#[path = "databases_tests.rs"]
mod tests;

//! PHP-FPM's own status page, asked for over the pool's socket, past the web server.
//!
//! Where the status has no socket of its own (`pm.status_listen`), the question waits in the same queue as every
//! visitor, so no answer is an answer, too.

use std::time::Duration;

use secmon_wire::diag::{Check, CounterId, FactName, Facts, Finding, FindingId, Severity, WhyNotChecked};

use super::bytes::{decimal, find};
use super::exchange::Exchange;
use super::fastcgi::{HEADER, OUTPUT_MAX, Piece, body, get, piece};
use super::{AGAIN_AFTER, address, allowed, why};
use crate::Notes;
use crate::host::{Denied, Endpoint, Host};
use crate::stack::{Pool, Stack};

/// More pools than this are not asked.
const POOLS_MAX: usize = 8;
/// The status page of an idle pool takes less than a millisecond.
const PATIENCE: Duration = Duration::from_millis(2_000);

/// What a status page says, of what is used here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// How often all workers were busy since the start.
    pub max_children_reached: u64,
    /// Workers that are busy now.
    pub active: u64,
}

/// Asks every pool that has a status page.
pub fn check(host: &dyn Host, stack: &Stack, notes: &mut Notes) {
    for (count, pool) in stack.pools.iter().enumerate() {
        if count >= POOLS_MAX {
            return notes.skipped(Check::PhpStatus, WhyNotChecked::Timeout, "more pools");
        }
        let Some(path) = &pool.status_path else {
            notes.skipped(
                Check::PhpStatus,
                WhyNotChecked::Absent,
                &format!("pm.status_path of {}", pool.name),
            );
            continue;
        };
        let begun = host.elapsed();
        let asked = pool.status_listen.as_ref().unwrap_or(&pool.listen);
        match ask(host, asked, path) {
            Ok(status) => {
                notes.checked(Check::PhpStatus);
                notes.counted(CounterId::FpmMaxChildren, &key(pool), status.max_children_reached);
            }
            Err(Denied::Timeout) if host.elapsed().saturating_sub(begun) >= PATIENCE => {
                notes.checked(Check::PhpStatus);
                let facts = Facts::new().text(FactName::Name, &pool.name);
                notes.found(Finding::new(FindingId::PhpStatus, Severity::Warning).with(facts));
            }
            Err(Denied::Full) => full(host, pool, asked, path, notes),
            Err(denied) => notes.skipped(Check::PhpStatus, why(denied), &address(asked)),
        }
    }
}

/// A socket whose queue is full refuses visitors as well. A moment later it may be over.
fn full(host: &dyn Host, pool: &Pool, asked: &Endpoint, path: &str, notes: &mut Notes) {
    host.pause(AGAIN_AFTER);
    match ask(host, asked, path) {
        Err(Denied::Full) => {
            notes.checked(Check::PhpStatus);
            let facts =
                Facts::new().text(FactName::Name, &pool.name).number(FactName::Limit, pool.max_children);
            notes.found(Finding::new(FindingId::PhpBacklogFull, Severity::Critical).with(facts));
        }
        Ok(_) => notes.checked(Check::PhpStatus),
        Err(denied) => notes.skipped(Check::PhpStatus, why(denied), &address(asked)),
    }
}

/// Pools of two versions may have the same name.
fn key(pool: &Pool) -> String {
    if pool.version.is_empty() { pool.name.clone() } else { format!("{}/{}", pool.version, pool.name) }
}

fn ask(host: &dyn Host, to: &Endpoint, path: &str) -> Result<Status, Denied> {
    let request = get(path, "json").ok_or(Denied::Unsupported)?;
    let time = allowed(host, PATIENCE).ok_or(Denied::Timeout)?;
    let mut exchange = Exchange::open(host, to, time)?;
    exchange.send(&request)?;
    let mut output = Vec::new();
    let mut header = [0; HEADER];
    loop {
        exchange.fill(&mut header)?;
        match piece(header).ok_or(Denied::Failed)? {
            Piece::Output(length, padding) if output.len() + length <= OUTPUT_MAX => {
                let begin = output.len();
                output.resize(begin + length, 0);
                exchange.fill(output.get_mut(begin..).unwrap_or_default())?;
                exchange.fill(&mut vec![0; padding])?;
            }
            Piece::Output(..) => return Err(Denied::Failed),
            Piece::Other(length) => exchange.fill(&mut vec![0; length])?,
            Piece::End => break,
        }
    }
    // A path that is not the status page's runs a script, or is not found.
    body(&output).and_then(status).ok_or(Denied::Absent)
}

/// Reads the status page's JSON: one object without others inside, whose names stand for themselves.
pub fn status(json: &[u8]) -> Option<Status> {
    let number = |name: &[u8]| {
        let quoted = [b"\"", name, b"\":"].concat();
        let at = find(json, &quoted)?.checked_add(quoted.len())?;
        let digits = json.get(at..)?;
        let end = digits.iter().position(|byte| !byte.is_ascii_digit())?;
        decimal(digits.get(..end)?)
    };
    Some(Status {
        max_children_reached: number(b"max children reached")?,
        active: number(b"active processes")?,
    })
}

#[cfg(test)]
#[path = "fpm_tests.rs"]
mod tests;

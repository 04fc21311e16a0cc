//! Queues of connections that nobody has accepted yet: of PHP-FPM's sockets (`php-queue`) and of the web server's
//! ports (`web-accept-queue`). A queue counts if several looks within a second meet it.

use std::time::Duration;

use secmon_wire::ActionId;
use secmon_wire::diag::{Check, FactName, Facts, Finding, FindingId, Severity};

use super::cpu::{self, Cpu};
use super::fields::{after, decimal};
use super::processes::{self, Process, Worker};
use super::sock_diag::{Family, UnixListener, bit, tcp_message, tcp_request, unix_message, unix_request};
use super::sockets::{Socket, state, table, tcp_row, unix_row};
use super::{FILE_MAX, why};
use crate::Notes;
use crate::host::{Denied, Endpoint, Host};
use crate::stack::{Pool, Stack};

/// Looks, and what is between them.
const LOOKS: usize = 5;
const BETWEEN: Duration = Duration::from_millis(200);
/// Looks that must meet a queue.
const MET: usize = 3;
/// After a reload, Apache takes nobody for up to a second.
const RELOAD: Duration = Duration::from_millis(1_000);
/// A web server's queue as full as this will overflow, in per cent of its room.
const FULL_PERCENT: u64 = 80;
/// A processor as idle as this is not what all wait for, in per cent.
const IDLE_PERCENT: u64 = 50;
/// Workers that have not run for this long hang, in milliseconds: no limit of PHP's or the web server's is longer.
const HANGS: u64 = 300_000;
/// Listening sockets that are looked at.
pub(super) const LISTENERS_MAX: usize = 512;

/// Looks five times within a second.
pub fn check(host: &dyn Host, stack: &Stack, notes: &mut Notes) {
    let ports = super::web::ports(stack);
    if stack.pools.is_empty() && ports.is_empty() {
        return;
    }
    let before = cpu::now(host);
    let mut pools: Vec<Vec<u32>> = vec![Vec::new(); stack.pools.len()];
    let mut web: Vec<Vec<(u32, u32)>> = vec![Vec::new(); ports.len()];
    for look in 0..LOOKS {
        if look > 0 {
            host.pause(BETWEEN);
        }
        let (local, tcp) = (unix_listeners(host), tcp_listeners(host));
        for (pool, seen) in stack.pools.iter().zip(&mut pools) {
            seen.extend(waiting_for(&pool.listen, local.as_deref().ok(), tcp.as_deref().ok()));
        }
        for (port, seen) in ports.iter().zip(&mut web) {
            seen.extend(queue_of(*port, tcp.as_deref().unwrap_or_default()));
        }
        note(look, &local, Check::PhpSocket, !stack.pools.is_empty(), notes);
        note(look, &tcp, Check::Listeners, !ports.is_empty(), notes);
    }
    let idle = before.zip(cpu::now(host)).and_then(|(before, after): (Cpu, Cpu)| after.idle_since(&before));
    let idle = idle.is_some_and(|idle| idle >= IDLE_PERCENT);
    if pools.iter().any(|seen| judge_waiting(seen).is_some()) {
        let processes = processes::list(host);
        let workers = processes::workers(host, &processes);
        for (pool, seen) in stack.pools.iter().zip(&pools) {
            let workers: Vec<&Worker> = workers.iter().filter(|worker| worker.pool == pool.name).collect();
            let hang = || idle && all_hang(host, &processes, &workers);
            notes_found(judge_pool(pool, seen, workers.len(), hang), notes);
        }
    }
    let full = |(port, seen): (&u16, &Vec<(u32, u32)>)| Some((*port, judge_port(*port, seen, idle)?));
    let full: Vec<(u16, Finding)> = ports.iter().zip(&web).filter_map(full).collect();
    if full.is_empty() {
        return;
    }
    host.pause(RELOAD);
    let tcp = tcp_listeners(host).unwrap_or_default();
    let waits = |port| queue_of(port, &tcp).is_none_or(|(waiting, _)| waiting > 0);
    full.into_iter().filter(|(port, _)| waits(*port)).for_each(|(_, finding)| notes.found(finding));
}

/// Local sockets that listen, by sock_diag(7), or by the table where that doesn't answer; without the room of their
/// queues then (0).
pub(super) fn unix_listeners(host: &dyn Host) -> Result<Vec<UnixListener>, Denied> {
    let mut found: Vec<UnixListener> = Vec::new();
    let asked = host.sockets(&unix_request(), &mut |message| {
        found.extend(unix_message(message).filter(|_| found.len() < LISTENERS_MAX));
    });
    if asked.is_ok() {
        return Ok(found);
    }
    found.clear();
    let mut waiting: Vec<String> = Vec::new();
    let _whole = table(host, "/proc/net/unix", &mut |line| match unix_row(line) {
        Some(row) if row.listens && found.len() < LISTENERS_MAX => {
            found.push(UnixListener { path: row.path, waiting: 0, backlog: 0 });
        }
        Some(row) if row.waits && waiting.len() < LISTENERS_MAX => waiting.push(row.path),
        _ => {}
    })?;
    for path in waiting {
        if let Some(listener) = found.iter_mut().find(|listener| listener.path == path) {
            listener.waiting = listener.waiting.saturating_add(1);
        }
    }
    Ok(found)
}

/// TCP sockets that listen, by sock_diag(7), or by the tables where that doesn't answer.
pub(super) fn tcp_listeners(host: &dyn Host) -> Result<Vec<Socket>, Denied> {
    let mut found: Vec<Socket> = Vec::new();
    let ask = |family, found: &mut Vec<Socket>| {
        host.sockets(&tcp_request(family, bit(state::LISTEN), false), &mut |message| {
            found.extend(tcp_message(message).filter(|_| found.len() < LISTENERS_MAX));
        })
    };
    if ask(Family::V4, &mut found).is_ok() {
        // A kernel without IPv6 has no second list.
        let _none_without_ipv6 = ask(Family::V6, &mut found);
        return Ok(found);
    }
    found.clear();
    let read = |path, found: &mut Vec<Socket>| {
        table(host, path, &mut |line| {
            let row = tcp_row(line).filter(|row| row.state == state::LISTEN);
            found.extend(row.filter(|_| found.len() < LISTENERS_MAX));
        })
    };
    let _whole = read("/proc/net/tcp", &mut found)?;
    let _none_without_ipv6 = read("/proc/net/tcp6", &mut found);
    Ok(found)
}

/// A socket's path in one spelling: `/var/run` is `/run`.
pub(super) fn spelled(path: &str) -> &str {
    path.strip_prefix("/var").filter(|rest| rest.starts_with("/run/")).unwrap_or(path)
}

fn note<T>(look: usize, read: &Result<T, Denied>, what: Check, wanted: bool, notes: &mut Notes) {
    if look == 0 && wanted {
        match read {
            Ok(_) => notes.checked(what),
            Err(denied) => notes.skipped(what, why(*denied), ""),
        }
    }
}

fn notes_found(finding: Option<Finding>, notes: &mut Notes) {
    if let Some(finding) = finding {
        notes.found(finding);
    }
}

fn waiting_for(listen: &Endpoint, local: Option<&[UnixListener]>, tcp: Option<&[Socket]>) -> Option<u32> {
    match listen {
        Endpoint::Unix(path) => {
            let at = local?.iter().find(|listener| spelled(&listener.path) == spelled(path));
            at.map(|listener| listener.waiting)
        }
        Endpoint::Tcp(address) => queue_of(address.port(), tcp?).map(|(waiting, _)| waiting),
    }
}

/// Connections that wait at a port, and the room for them.
fn queue_of(port: u16, listeners: &[Socket]) -> Option<(u32, u32)> {
    let mut at_port = listeners.iter().filter(|socket| socket.local.port() == port).peekable();
    at_port.peek()?;
    // With `reuseport` each worker has a queue of its own.
    let sum = |sum: (u32, u32), socket: &Socket| {
        (sum.0.saturating_add(socket.waiting), sum.1.saturating_add(socket.backlog.unwrap_or(0)))
    };
    Some(at_port.fold((0, 0), sum))
}

/// What usually waits, if enough looks met anything.
fn judge_waiting(seen: &[u32]) -> Option<u32> {
    let mut met: Vec<u32> = seen.iter().copied().filter(|waiting| *waiting > 0).collect();
    met.sort_unstable();
    if met.len() >= MET { met.get(met.len() / 2).copied() } else { None }
}

fn judge_pool(pool: &Pool, seen: &[u32], workers: usize, hang: impl Fn() -> bool) -> Option<Finding> {
    let waiting = u64::from(judge_waiting(seen)?);
    let full = waiting >= pool.max_children;
    let facts = Facts::new()
        .number(FactName::Count, waiting)
        .number(FactName::Limit, pool.max_children)
        .number(FactName::Busy, u64::try_from(workers).unwrap_or(0))
        .text(FactName::Name, &pool.name);
    let severity = if full { Severity::Critical } else { Severity::Warning };
    let finding = Finding::new(FindingId::PhpQueue, severity).with(facts);
    // New workers help where the old ones wait for what never comes, and only there.
    Some(if full && hang() { finding.action(ActionId::RestartPhp) } else { finding })
}

fn judge_port(port: u16, seen: &[(u32, u32)], idle: bool) -> Option<Finding> {
    let waiting = u64::from(judge_waiting(&seen.iter().map(|(waiting, _)| *waiting).collect::<Vec<_>>())?);
    let room = seen.iter().map(|(_, room)| u64::from(*room)).max().unwrap_or(0);
    let full = room > 0 && waiting.saturating_mul(100) >= room.saturating_mul(FULL_PERCENT);
    let facts = Facts::new()
        .number(FactName::Count, waiting)
        .number(FactName::Limit, room)
        .number(FactName::Code, u64::from(port));
    let severity = if full { Severity::Critical } else { Severity::Warning };
    let finding = Finding::new(FindingId::WebAcceptQueue, severity).with(facts);
    Some(if idle { finding.action(ActionId::RestartWeb) } else { finding })
}

/// Whether none of these workers has run for minutes. Each processor's clock lags behind by what interrupts and the
/// hypervisor took of it, so the last one that ran there tells what time it is.
fn all_hang(host: &dyn Host, processes: &[Process], workers: &[&Worker]) -> bool {
    let mut all: Vec<(&Process, u64)> = Vec::new();
    for process in processes {
        let sched = host.read(&format!("/proc/{}/sched", process.pid), FILE_MAX).unwrap_or_default();
        all.extend(last_ran(&sched).map(|ran| (process, ran)));
    }
    let hangs = |worker: &&Worker| {
        let Some((own, ran)) = all.iter().find(|(process, _)| process.pid == worker.pid) else {
            return false;
        };
        let there = all.iter().filter(|(other, _)| other.processor == own.processor);
        let now = there.map(|(_, ran)| *ran).max().unwrap_or(0);
        now.saturating_sub(*ran) >= HANGS
    };
    !workers.is_empty() && workers.iter().all(hangs)
}

/// When a process last ran, in milliseconds of its processor's clock, by `/proc/PID/sched`; `None` on kernels that
/// don't say.
pub fn last_ran(sched: &[u8]) -> Option<u64> {
    let value = after(sched, "se.exec_start")?.trim_ascii_start().strip_prefix(b":")?.trim_ascii();
    decimal(value.split(|byte| *byte == b'.').next()?)
}

#[cfg(test)]
#[path = "queues_tests.rs"]
pub(super) mod tests;

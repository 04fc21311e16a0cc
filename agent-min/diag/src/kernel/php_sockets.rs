//! Whether PHP-FPM is there where the sites look for it: `php-down-nosock`, `php-down-stale`, `php-sock-perm` and
//! `php-sock-mismatch`. By the sockets themselves; what the web server's log says of them is another check's.

use std::time::Duration;

use secmon_wire::ActionId;
use secmon_wire::diag::{Check, FactName, Facts, Finding, FindingId, Severity, WhyNotChecked};

use super::processes::{self, Status};
use super::queues::{spelled, tcp_listeners, unix_listeners};
use super::sock_diag::UnixListener;
use super::web::{is_enabled, listens_at};
use super::{FILE_MAX, fields, packages, units, why};
use crate::Notes;
use crate::host::{Denied, Endpoint, Host, Metadata};
use crate::stack::{Pool, Stack, WebServer};

/// Sockets that are looked at.
const SOCKETS_MAX: usize = 32;
/// A restart takes less than this.
const RESTART: Duration = Duration::from_millis(1_000);
/// A connection to a local socket takes less than this.
const CONNECT: Duration = Duration::from_millis(200);
/// Pools' files that are searched for access lists.
const POOL_FILES_MAX: usize = 16;
/// Links that lead to a socket, one after the other: Debian's `/run/php/php-fpm.sock` is two away from it.
const LINKS_MAX: usize = 4;

/// Where PHP should be, and the pool that should be there.
type Wanted<'s> = (Endpoint, Option<&'s Pool>);

/// What is wrong with a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    Absent,
    Stale,
}

/// Looks at every socket at which a site or an enabled service wants PHP.
pub fn check(host: &dyn Host, stack: &Stack, notes: &mut Notes) {
    let wanted = wanted(host, stack);
    if wanted.is_empty() {
        return notes.skipped(Check::PhpSocket, WhyNotChecked::Absent, "");
    }
    notes.checked(Check::PhpSocket);
    let suspects: Vec<Wanted<'_>> =
        wanted.iter().filter(|wanted| look(host, wanted, notes).is_some()).cloned().collect();
    if !suspects.is_empty() && !packages::running(host) {
        host.pause(RESTART);
        for suspect in suspects {
            if let Some(wrong) = look(host, &suspect, notes) {
                notes.found(judge(host, stack, &suspect, wrong));
            }
        }
    }
    check_permissions(host, stack, &wanted, notes);
}

/// What the sites use; the enabled pools, if it isn't known what the sites use.
fn wanted<'s>(host: &dyn Host, stack: &'s Stack) -> Vec<Wanted<'s>> {
    let mut wanted: Vec<Wanted<'s>> = Vec::new();
    for endpoint in stack.sites.iter().filter_map(|site| site.php.as_ref()) {
        let endpoint = resolved(host, endpoint);
        if wanted.len() < SOCKETS_MAX && !wanted.iter().any(|(known, _)| same(known, &endpoint)) {
            let pool = stack.pools.iter().find(|pool| same(&resolved(host, &pool.listen), &endpoint));
            wanted.push((endpoint, pool));
        }
    }
    if wanted.is_empty() {
        let enabled = stack.pools.iter().filter(|pool| is_enabled(stack, &pool.unit));
        wanted.extend(enabled.take(SOCKETS_MAX).map(|pool| (pool.listen.clone(), Some(pool))));
    }
    wanted
}

/// The socket itself, if what a site names is a link to it.
fn resolved(host: &dyn Host, endpoint: &Endpoint) -> Endpoint {
    let Endpoint::Unix(path) = endpoint else { return endpoint.clone() };
    let mut path = path.clone();
    for _ in 0..LINKS_MAX {
        match host.read_link(&path) {
            Ok(target) if target.starts_with('/') => path = target,
            Ok(target) => {
                let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
                path = format!("{directory}/{target}");
            }
            Err(_) => break,
        }
    }
    Endpoint::Unix(path)
}

fn same(one: &Endpoint, other: &Endpoint) -> bool {
    match (one, other) {
        (Endpoint::Unix(one), Endpoint::Unix(other)) => spelled(one) == spelled(other),
        // A pool on all addresses is one on this one, too.
        (Endpoint::Tcp(one), Endpoint::Tcp(other)) => {
            one.port() == other.port()
                && (one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified())
        }
        _ => false,
    }
}

fn look(host: &dyn Host, (endpoint, pool): &Wanted<'_>, notes: &mut Notes) -> Option<Wrong> {
    match endpoint {
        Endpoint::Unix(path) => match host.metadata(path) {
            Err(Denied::Absent) => Some(Wrong::Absent),
            Err(denied) => {
                notes.skipped(Check::PhpSocket, why(denied), path);
                None
            }
            Ok(_) if unix_listeners(host).is_ok_and(|listeners| listens(&listeners, path)) => None,
            Ok(_) => match host.connect(endpoint, CONNECT) {
                Err(Denied::Refused) => Some(Wrong::Stale),
                // We may not ask, and the list of this host's sockets says no. Only a pool of this host is sure
                // to be on that list: a container's isn't.
                Err(Denied::Permission) if pool.is_some() => Some(Wrong::Stale),
                Err(Denied::Permission) => {
                    notes.skipped(Check::PhpSocket, WhyNotChecked::Permission, path);
                    None
                }
                _ => None,
            },
        },
        // Another host's PHP is none of ours to find.
        Endpoint::Tcp(address) if !address.ip().is_loopback() && !address.ip().is_unspecified() => None,
        Endpoint::Tcp(address) => {
            let listens = tcp_listeners(host).is_ok_and(|listeners| listens_at(*address, &listeners));
            let refused = matches!(host.connect(endpoint, CONNECT), Err(Denied::Refused));
            (!listens && refused).then_some(Wrong::Absent)
        }
    }
}

fn listens(listeners: &[UnixListener], path: &str) -> bool {
    listeners.iter().any(|listener| spelled(&listener.path) == spelled(path))
}

fn judge(host: &dyn Host, stack: &Stack, (endpoint, pool): &Wanted<'_>, wrong: Wrong) -> Finding {
    let file = name(endpoint);
    let facts = Facts::new().text(FactName::File, &file);
    // Configuration that a removed package left behind is no pool that could be started.
    let startable = pool.is_some_and(|pool| is_enabled(stack, &pool.unit));
    if wrong == Wrong::Absent
        && !startable
        && let Some(other) = other_pool(host, &file)
    {
        let facts = facts.text(FactName::What, &other);
        return Finding::new(FindingId::PhpSockMismatch, Severity::Critical).with(facts);
    }
    let id = match wrong {
        Wrong::Absent => FindingId::PhpDownNosock,
        Wrong::Stale => FindingId::PhpDownStale,
    };
    let finding = Finding::new(id, Severity::Critical).with(facts);
    if pool.is_some() { finding.action(ActionId::RestartPhp) } else { finding }
}

/// Another socket of PHP-FPM that listens.
fn other_pool(host: &dyn Host, wanted: &str) -> Option<String> {
    let listeners = unix_listeners(host).ok()?;
    let fpm = |path: &str| path.contains("php") && path.contains("fpm");
    let mut others = listeners.into_iter().map(|listener| listener.path);
    others.find(|path| fpm(path) && spelled(path) != spelled(wanted))
}

fn name(endpoint: &Endpoint) -> String {
    match endpoint {
        Endpoint::Unix(path) => path.clone(),
        Endpoint::Tcp(address) => address.to_string(),
    }
}

fn check_permissions(host: &dyn Host, stack: &Stack, wanted: &[Wanted<'_>], notes: &mut Notes) {
    let Some(web) = web_worker(host, stack) else { return };
    for (endpoint, pool) in wanted {
        let Endpoint::Unix(path) = endpoint else { continue };
        let Ok(metadata) = host.metadata(path) else { continue };
        if may_write(&metadata, &web) || has_access_list(host, *pool) {
            continue;
        }
        let facts = Facts::new()
            .text(FactName::File, path)
            .text(
                FactName::State,
                &format!("owner {}:{}, mode {:o}", metadata.uid, metadata.gid, metadata.mode & 0o777),
            )
            .number(FactName::Code, u64::from(web.uid));
        notes.found(Finding::new(FindingId::PhpSockPerm, Severity::Critical).with(facts));
    }
}

/// As whom the web server's workers run: a child of its master, which must be its unit's where there are units. A
/// container's process of the same name has other rights, and another file.
fn web_worker(host: &dyn Host, stack: &Stack) -> Option<Status> {
    let own = |server: &WebServer| {
        let master = server.master?.pid;
        units::is_its_process(host, &server.name, master).then_some(master)
    };
    let masters: Vec<u32> = stack.web.iter().filter_map(own).collect();
    let processes = processes::list(host);
    let worker = processes.iter().find(|process| masters.contains(&process.parent))?;
    processes::status_of(host, worker.pid)
}

/// Whether a process may connect to a socket: that takes the right to write to it.
fn may_write(socket: &Metadata, process: &Status) -> bool {
    if process.uid == 0 {
        return true;
    }
    let bit = if process.uid == socket.uid {
        0o200
    } else if process.gid == socket.gid || process.groups.contains(&socket.gid) {
        0o020
    } else {
        0o002
    };
    socket.mode & bit != 0
}

/// Whether a pool's file gives rights that the mode of the socket doesn't show, as Red Hat's do.
fn has_access_list(host: &dyn Host, pool: Option<&Pool>) -> bool {
    let version = pool.map_or("", |pool| pool.version.as_str());
    let packed: String = version.split('.').collect();
    let directories = [
        "/etc/php-fpm.d".to_owned(),
        format!("/etc/php/{version}/fpm/pool.d"),
        format!("/etc/php{packed}/php-fpm.d"),
    ];
    directories.iter().any(|directory| {
        let files = host.list(directory, POOL_FILES_MAX).unwrap_or_default();
        files.iter().any(|file| {
            let content = host.read(&format!("{directory}/{file}"), FILE_MAX).unwrap_or_default();
            fields::lines(&content).any(|line| line.trim_ascii_start().starts_with(b"listen.acl_"))
        })
    })
}

#[cfg(test)]
#[path = "php_sockets_tests.rs"]
mod tests;

//! Whether the web server listens: `web-down`, and `web-port-conflict` where somebody else does in its place.

use std::time::Duration;

use secmon_wire::ActionId;
use secmon_wire::diag::{Check, FactName, Facts, Finding, FindingId, Severity, WhyNotChecked};

use super::queues::tcp_listeners;
use super::sockets::Socket;
use super::units::{self, plain};
use super::{fields, packages, processes, why};
use crate::Notes;
use crate::host::{Denied, Endpoint, Host};
use crate::stack::{Listen, Stack, WebServer};

/// Ports that are looked at.
const PORTS_MAX: usize = 16;
/// A restart takes less than this.
const RESTART: Duration = Duration::from_millis(1_000);
/// A connection to this host itself takes less than this.
const CONNECT: Duration = Duration::from_millis(300);
/// Control groups among which a port's owner is looked for.
const GROUPS_MAX: usize = 256;
/// Bytes of `/etc/passwd`.
const PASSWD_MAX: usize = 64 * 1024;

/// The ports of all web servers.
pub(super) fn ports(stack: &Stack) -> Vec<u16> {
    ports_and_tls(stack).into_iter().map(|(port, _)| port).collect()
}

/// The ports of all web servers, and whether each speaks TLS.
pub(super) fn ports_and_tls(stack: &Stack) -> Vec<(u16, bool)> {
    let servers = stack.web.iter().flat_map(|server| &server.listens);
    let sites = stack.sites.iter().flat_map(|site| &site.listens);
    let mut ports: Vec<(u16, bool)> = servers.chain(sites).map(|listen| (listen.port, listen.tls)).collect();
    if ports.is_empty() && !stack.web.is_empty() {
        ports = vec![(80, false), (443, true)];
    }
    ports.sort_unstable();
    // One of both kinds is taken for TLS, whose handshake is allowed for.
    ports.reverse();
    ports.dedup_by_key(|(port, _)| *port);
    ports.reverse();
    ports.truncate(PORTS_MAX);
    ports
}

/// Looks for every web server that should run at what listens on its ports.
pub fn check(host: &dyn Host, stack: &Stack, notes: &mut Notes) {
    if stack.web.is_empty() {
        return notes.skipped(Check::Listeners, WhyNotChecked::Absent, "");
    }
    let should_run = |server: &&WebServer| !server.listens.is_empty() && is_enabled(stack, &server.name);
    let servers: Vec<&WebServer> = stack.web.iter().filter(should_run).collect();
    if servers.is_empty() {
        return;
    }
    let listeners = match tcp_listeners(host) {
        Ok(listeners) => listeners,
        Err(denied) => return notes.skipped(Check::Listeners, why(denied), "the web server's ports"),
    };
    notes.checked(Check::Listeners);
    if servers.iter().all(|server| runs(host, server)) || packages::running(host) {
        return;
    }
    host.pause(RESTART);
    let listeners = tcp_listeners(host).unwrap_or(listeners);
    for server in servers.into_iter().filter(|server| !runs(host, server)) {
        let taken = server.listens.iter().find_map(|listen| Some((listen, owner_row(listen, &listeners)?)));
        let finding = match taken {
            Some((listen, row)) => conflict(host, stack, server, listen, row),
            None => down(host, server),
        };
        finding.into_iter().for_each(|finding| notes.found(finding));
    }
}

/// Whether a service is among those that start with the host; all are where that isn't known.
pub(super) fn is_enabled(stack: &Stack, name: &str) -> bool {
    stack.units.is_empty() || stack.units.iter().any(|unit| plain(unit) == plain(name))
}

/// Whether the server's processes or its unit are there. What can't be seen is taken to run.
fn runs(host: &dyn Host, server: &WebServer) -> bool {
    let master = server.master.is_some_and(|master| host.metadata(&format!("/proc/{}", master.pid)).is_ok());
    if units::is_systemd(host) {
        return master || !units::is_down(host, &server.name);
    }
    master || !processes::visible(host) || processes::list(host).iter().any(|p| p.comm == server.name)
}

fn owner_row<'l>(listen: &Listen, listeners: &'l [Socket]) -> Option<&'l Socket> {
    listeners.iter().find(|row| {
        let address = row.local.ip();
        let same = address == listen.address || address.is_unspecified() || listen.address.is_unspecified();
        same && row.local.port() == listen.port
    })
}

fn down(host: &dyn Host, server: &WebServer) -> Option<Finding> {
    let listen = server.listens.first()?;
    let answer = host.connect(&Endpoint::Tcp(listen.reachable()), CONNECT);
    if !matches!(answer, Err(Denied::Refused)) {
        return None;
    }
    let facts =
        Facts::new().text(FactName::Name, &server.name).number(FactName::Code, u64::from(listen.port));
    let finding = Finding::new(FindingId::WebDown, Severity::Critical).with(facts);
    Some(finding.action(ActionId::RestartWeb))
}

/// Another web server that is known takes the port: perhaps on purpose, and it may serve the sites, too.
fn conflict(
    host: &dyn Host,
    stack: &Stack,
    server: &WebServer,
    listen: &Listen,
    row: &Socket,
) -> Option<Finding> {
    let owner = owner(host, row)?;
    if owner == server.name {
        return None;
    }
    let known = stack.web.iter().any(|other| other.name == owner);
    let severity = if known { Severity::Warning } else { Severity::Critical };
    let facts = Facts::new()
        .text(FactName::Name, &owner)
        .number(FactName::Code, u64::from(listen.port))
        .text(FactName::What, &server.name);
    Some(Finding::new(FindingId::WebPortConflict, severity).with(facts))
}

/// Whose a socket is: the service's name where the kernel tells its control group, or else the user's.
fn owner(host: &dyn Host, row: &Socket) -> Option<String> {
    let group = row.cgroup.and_then(|id| {
        let root = match units::groups(host) {
            units::Groups::Unified(root) => format!("{root}/system.slice"),
            units::Groups::Older => return None,
        };
        let names = host.list(&root, GROUPS_MAX).ok()?;
        let is_it = |name: &String| host.metadata(&format!("{root}/{name}")).is_ok_and(|m| m.inode == id);
        names.into_iter().filter(|name| name.ends_with(".service")).find(is_it)
    });
    if let Some(group) = group {
        return Some(plain(&group).to_owned());
    }
    let passwd = host.read("/etc/passwd", PASSWD_MAX).unwrap_or_default();
    Some(match user(&passwd, row.uid) {
        Some(name) => format!("a process of {name}"),
        None => format!("a process of user {}", row.uid),
    })
}

/// The name of a user in `/etc/passwd`.
pub fn user(passwd: &[u8], uid: u32) -> Option<String> {
    fields::lines(passwd).find_map(|line| {
        let mut parts = line.split(|byte| *byte == b':');
        let name = parts.next()?;
        let id = fields::decimal(parts.nth(1)?)?;
        (id == u64::from(uid)).then(|| fields::text(name))
    })
}

/// A local server's listening address, as its socket must be found.
pub(super) fn listens_at(address: std::net::SocketAddr, listeners: &[Socket]) -> bool {
    let listen = Listen { address: address.ip(), port: address.port(), tls: false };
    owner_row(&listen, listeners).is_some()
}

#[cfg(test)]
#[path = "web_tests.rs"]
mod tests;

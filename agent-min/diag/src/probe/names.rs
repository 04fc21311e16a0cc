//! Names: whether the resolvers that this host uses answer, and whether its sites can be found in public.
//!
//! Resolvers are asked directly, over UDP: what `/etc/hosts` says is not what visitors see, and the system's own
//! resolver library would hide which of the servers is silent.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use secmon_wire::diag::{Check, FactName, Facts, Finding, FindingId, Severity, WhyNotChecked};

use super::dns::{Kind, MESSAGE_MAX, Said, answer, question};
use super::{allowed, why};
use crate::Notes;
use crate::host::{Denied, Host};
use crate::networks::{is_cloudflare, is_private};
use crate::stack::{Site, Stack};

/// As many as the C library uses (resolv.conf(5), MAXNS).
const SERVERS_MAX: usize = 3;
/// A lookup that isn't cached takes some 100 ms. One that takes longer than this has its answer in the resolver's cache
/// by the second question.
const PATIENCE: Duration = Duration::from_millis(500);
/// The file that names the resolvers.
const RESOLV_CONF: &str = "/etc/resolv.conf";
/// The stub of systemd-resolved, and who stands behind it.
const STUB: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 53));
const BEHIND_STUB: &str = "/run/systemd/resolve/resolv.conf";
const FILE_MAX: usize = 4 * 1024;
/// A second name to ask for, that is known to everybody and tells nobody anything.
const KNOWN_NAME: &str = "cloudflare.com";
/// More sites than this are not looked up.
const SITES_MAX: usize = 6;
/// Ends of names that are not in the public DNS (RFC 2606, RFC 6761, RFC 8375, and what networks use at home).
const NOT_PUBLIC: [&str; 12] = [
    "arpa",
    "corp",
    "example",
    "home",
    "internal",
    "intranet",
    "invalid",
    "lan",
    "local",
    "localdomain",
    "localhost",
    "test",
];

/// Asks every resolver, and then for the sites.
pub fn check(host: &dyn Host, stack: &Stack, notes: &mut Notes) {
    let servers = match host.read(RESOLV_CONF, FILE_MAX) {
        Ok(text) => servers(&text),
        Err(denied) => return notes.skipped(Check::Dns, why(denied), RESOLV_CONF),
    };
    if servers.is_empty() {
        return notes.skipped(Check::Dns, WhyNotChecked::Absent, RESOLV_CONF);
    }
    let site = public_sites(stack).next().map(|(_, name)| name);
    let mut working = None;
    let mut failing = Vec::new();
    for server in &servers {
        match answers(host, *server, site.unwrap_or(KNOWN_NAME)) {
            Ok(()) => working = working.or(Some(*server)),
            Err(_) => failing.push(*server),
        }
    }
    let mut silent = Vec::new();
    for server in failing {
        // Half a question proves nothing.
        if allowed(host, PATIENCE) != Some(PATIENCE) {
            notes.skipped(Check::Dns, WhyNotChecked::Timeout, &server.to_string());
        } else if answers(host, server, KNOWN_NAME).is_ok() {
            working = working.or(Some(server));
        } else {
            silent.push(server);
        }
    }
    if working.is_some() || !silent.is_empty() {
        notes.checked(Check::Dns);
    }
    for server in silent {
        // Without the first one, every lookup waits for a timeout; the later ones are only there for then.
        let severity = match working {
            None => Severity::Critical,
            Some(_) if servers.first() == Some(&server) => Severity::Warning,
            Some(_) => Severity::Info,
        };
        let address = behind(host, server).to_string();
        let facts = Facts::new().text(FactName::Address, &address);
        notes.found(Finding::new(FindingId::DnsBroken, severity).with(facts));
    }
    if let Some(server) = working {
        public_sites(stack).take(SITES_MAX).for_each(|(site, name)| judge(host, server, (site, name), notes));
    }
}

/// The resolvers that a `resolv.conf` names. One with a zone (`fe80::1%eth0`) can't be asked from here.
pub fn servers(text: &[u8]) -> Vec<IpAddr> {
    let lines = text.split(|byte| *byte == b'\n').filter_map(|line| str::from_utf8(line).ok());
    let named = lines.filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        (words.next() == Some("nameserver")).then(|| words.next()).flatten()?.parse().ok()
    });
    named.take(SERVERS_MAX).collect()
}

/// The sites whose first name visitors could look up, with it.
pub(super) fn public_sites(stack: &Stack) -> impl Iterator<Item = (&Site, &str)> {
    stack.asked().filter_map(|site| {
        let name = site.names.first().map(String::as_str).filter(|name| is_public(name))?;
        Some((site, name))
    })
}

fn is_public(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name.rsplit_once('.').is_some_and(|(_, end)| {
        let known = !NOT_PUBLIC.iter().any(|other| end.eq_ignore_ascii_case(other));
        known && end.bytes().any(|byte| byte.is_ascii_alphabetic())
    })
}

/// The addresses of a name, from the first resolver that answers.
pub fn lookup(host: &dyn Host, name: &str) -> Result<Vec<IpAddr>, Denied> {
    let text = host.read(RESOLV_CONF, FILE_MAX)?;
    let mut last = Denied::Absent;
    for server in servers(&text) {
        match ask(host, server, name, Kind::A) {
            Ok(Said::Addresses(addresses)) => return Ok(addresses),
            Ok(Said::NoSuchName) => return Err(Denied::Absent),
            Ok(Said::Unable) => last = Denied::Failed,
            Err(denied) => last = denied,
        }
    }
    Err(last)
}

/// Whether it answers. That there is no such name is an answer; that it can't tell is none.
fn answers(host: &dyn Host, server: IpAddr, name: &str) -> Result<(), Denied> {
    match ask(host, server, name, Kind::A)? {
        Said::Addresses(_) | Said::NoSuchName => Ok(()),
        Said::Unable => Err(Denied::Failed),
    }
}

/// Who is silent behind a stub that is; the stub itself if nobody is.
fn behind(host: &dyn Host, server: IpAddr) -> IpAddr {
    if server != STUB {
        return server;
    }
    let upstream = host.read(BEHIND_STUB, FILE_MAX).map(|text| servers(&text)).unwrap_or_default();
    let silent = |upstream: &IpAddr| {
        allowed(host, PATIENCE).is_some() && answers(host, *upstream, KNOWN_NAME).is_err()
    };
    upstream.into_iter().find(silent).unwrap_or(server)
}

fn ask(host: &dyn Host, server: IpAddr, name: &str, kind: Kind) -> Result<Said, Denied> {
    let time = allowed(host, PATIENCE).ok_or(Denied::Timeout)?;
    // Only the local network could forge an answer, and it gains nothing: a number that changes is enough.
    let id = host.elapsed().subsec_nanos() as u16;
    let question = question(id, name, kind).ok_or(Denied::Unsupported)?;
    let mut message = [0; MESSAGE_MAX];
    let length = host.ask(SocketAddr::new(server, 53), &question, &mut message, time)?;
    answer(&question, message.get(..length).unwrap_or_default()).ok_or(Denied::Failed)
}

fn judge(host: &dyn Host, server: IpAddr, (site, name): (&Site, &str), notes: &mut Notes) {
    let four = match ask(host, server, name, Kind::A) {
        Ok(Said::NoSuchName) => {
            // Asked once more: a zone that is being changed is nobody's problem.
            if ask(host, server, name, Kind::A) == Ok(Said::NoSuchName) {
                report(name, "does not exist in the DNS", Severity::Warning, notes);
            }
            return;
        }
        Ok(Said::Addresses(four)) => four,
        Ok(Said::Unable) => return notes.skipped(Check::Dns, WhyNotChecked::Failed, name),
        Err(denied) => return notes.skipped(Check::Dns, why(denied), name),
    };
    // Only a site that is prepared for Cloudflare's addresses is meant to be behind it, and even that may be by
    // choice for this name: worth knowing, no alarm.
    let direct = |address: &IpAddr| !is_cloudflare(*address) && !is_private(*address);
    if site.real_ip && !four.is_empty() && four.iter().all(direct) {
        report(name, "points past Cloudflare", Severity::Info, notes);
    }
}

fn report(name: &str, what: &str, severity: Severity, notes: &mut Notes) {
    let facts = Facts::new().text(FactName::Host, name).text(FactName::What, what);
    notes.found(Finding::new(FindingId::DnsSiteWrong, severity).with(facts));
}

#[cfg(test)]
#[path = "names_tests.rs"]
mod tests;

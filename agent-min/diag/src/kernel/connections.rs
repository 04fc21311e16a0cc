//! Who is connected to whom: half-open connections, ports that run out, clients that come past Cloudflare, and PHP
//! that waits for somebody else. One pass over all TCP sockets in fixed memory; more only where PHP seems to wait.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use secmon_wire::diag::{Check, FactName, Facts, Finding, FindingId, Severity, WhyNotChecked};

use super::fields::{number_at, percent};
use super::processes::{self, Worker};
use super::queues::unix_listeners;
use super::sock_diag::{CONNECTIONS, Family, tcp_message, tcp_request};
use super::sockets::{Socket, state, table, tcp_row};
use super::tally::Tally;
use super::{FILE_MAX, net, why};
use crate::Notes;
use crate::host::{Denied, Endpoint, Host};
use crate::networks::{is_cloudflare, is_private, spared, visitor};
use crate::stack::{Pool, Stack};

/// So many half-open connections at one port are no accident of slow clients.
const HALF_OPEN_MAX: u32 = 200;
/// The local ports to one service in use, in per cent.
const PORTS_WARNING: u64 = 80;
const PORTS_CRITICAL: u64 = 95;
/// From so many addresses Cloudflare itself connects to a site that is behind it.
const EDGES: usize = 3;
/// Strangers who reach such a site directly: monitors and the owner are fewer …
const STRANGERS: usize = 5;
/// … or this many, if they have this share of the connections, in per cent.
const FEW_STRANGERS: usize = 3;
const STRANGERS_PERCENT: u64 = 10;
/// Requests of one client that were begun and not answered, beyond those that PHP may be working on.
const UNANSWERED_MAX: u32 = 50;
/// Of the web server's connections, in per cent: then others don't get one.
const OCCUPIED_PERCENT: u64 = 80;
/// A server has sent less than this in a TLS handshake, and a client of HTTP/1.1 has sent less before its first request's
/// end: bytes.
const HANDSHAKE: u64 = 8 * 1024;
/// Addresses that are told apart.
const DISTINCT_MAX: usize = 4096;
/// Connections of PHP's user to others that are remembered.
const OUTBOUND_MAX: usize = 512;
/// What is between three looks at PHP's connections to others.
const BETWEEN: Duration = Duration::from_millis(500);

/// Clients that reach the web server without Cloudflare, for those who judge floods.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Direct {
    /// Connections that come through Cloudflare.
    pub edge: u32,
    /// Connections that don't, and are not from this host or a private network.
    pub connections: u32,
    /// Those who have most of these, with how many at least; an IPv6 client is its /64.
    pub clients: Vec<(IpAddr, u32)>,
    /// Ports of PHP-FPM, and the connections that each has.
    pub php: Vec<(u16, u32)>,
}

/// Looks at all connections: `net-syn-flood`, `net-ephemeral`, `web-origin-exposed`, `flood-slowloris`, and
/// `php-outbound-stuck`.
pub fn check(host: &dyn Host, stack: &Stack, notes: &mut Notes) {
    let workers = processes::workers(host, &processes::list(host));
    let mut survey = Survey::new(host, stack, &workers);
    match survey.look(host) {
        Ok(true) => notes.checked(Check::Connections),
        Ok(false) => notes.skipped(Check::Connections, WhyNotChecked::Unsupported, "too many connections"),
        Err(denied) => return notes.skipped(Check::Connections, why(denied), ""),
    }
    let cookies = net::number(host, "/proc/sys/net/ipv4/tcp_syncookies") != Some(0);
    let findings = [
        survey.judge_half_open(cookies),
        survey.judge_ports(),
        survey.judge_exposed(),
        survey.judge_unanswered(php_requests(host, stack), stack),
        survey.judge_outbound(host, stack, &workers),
    ];
    findings.into_iter().flatten().for_each(|finding| notes.found(finding));
}

/// Who is connected directly; `None` if the kernel doesn't say.
pub fn direct(host: &dyn Host, stack: &Stack) -> Option<Direct> {
    let mut survey = Survey::new(host, stack, &[]);
    let _whole = survey.look(host).ok()?;
    Some(Direct {
        edge: survey.edge,
        connections: survey.direct,
        php: survey.pools,
        clients: survey.clients.top().into_iter().map(|(key, count)| (key.ip(), count)).collect(),
    })
}

/// What one pass has seen.
#[derive(Debug, Default)]
struct Survey {
    /// The web server's ports, and whether each speaks TLS.
    web: Vec<(u16, bool)>,
    /// Ports of PHP-FPM, and the connections that each has.
    pools: Vec<(u16, u32)>,
    /// The local ports that the kernel gives to connections.
    range: (u16, u16),
    /// Whose connections may be PHP's.
    php: Vec<u32>,
    half_open: Tally,
    services: Tally,
    edge: u32,
    direct: u32,
    edges: Distinct,
    strangers: Distinct,
    clients: Tally,
    unanswered: Tally,
    /// Connections of PHP's user to somebody else's web server: whose, and our port.
    outbound: Vec<(SocketAddr, u16)>,
}

impl Survey {
    fn new(host: &dyn Host, stack: &Stack, workers: &[Worker]) -> Self {
        let range = host.read("/proc/sys/net/ipv4/ip_local_port_range", FILE_MAX).unwrap_or_default();
        let bound = |place| number_at(&range, place).and_then(|port| u16::try_from(port).ok());
        let mut php: Vec<u32> = workers.iter().map(|worker| worker.uid).collect();
        php.sort_unstable();
        php.dedup();
        let port = |pool: &Pool| match &pool.listen {
            Endpoint::Tcp(address) => Some((address.port(), 0)),
            Endpoint::Unix(_) => None,
        };
        Self {
            pools: stack.pools.iter().filter_map(port).collect(),
            web: super::web::ports_and_tls(stack),
            range: bound(0).zip(bound(1)).unwrap_or((32_768, 60_999)),
            php,
            ..Self::default()
        }
    }

    /// Passes over all connections; whether that was all of them.
    fn look(&mut self, host: &dyn Host) -> Result<bool, Denied> {
        let mut ask = |family| {
            host.sockets(&tcp_request(family, CONNECTIONS, true), &mut |message| {
                if let Some(socket) = tcp_message(message) {
                    self.add(&socket);
                }
            })
        };
        if ask(Family::V4).is_ok() {
            // A kernel without IPv6 has no second list.
            let _none_without_ipv6 = ask(Family::V6);
            return Ok(true);
        }
        let mut read = |path| {
            table(host, path, &mut |line| {
                if let Some(socket) = tcp_row(line).filter(|socket| socket.state != state::LISTEN) {
                    self.add(&socket);
                }
            })
        };
        let whole = read("/proc/net/tcp")?;
        Ok(whole && read("/proc/net/tcp6").unwrap_or(true))
    }

    fn add(&mut self, socket: &Socket) {
        let (ours, theirs) = (socket.local.port(), socket.remote);
        if socket.state == state::SYN_RECEIVED {
            return self.half_open.add(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), ours));
        }
        let web = self.web.iter().find(|(port, _)| *port == ours).copied();
        if let Some((_, tls)) = web {
            if socket.state == state::ESTABLISHED && theirs.ip() != socket.local.ip() {
                self.add_client(theirs.ip(), socket.traffic, tls);
            }
            return;
        }
        if socket.state == state::ESTABLISHED
            && let Some((_, count)) = self.pools.iter_mut().find(|(port, _)| *port == ours)
        {
            *count = count.saturating_add(1);
        }
        if (self.range.0..=self.range.1).contains(&ours) {
            self.services.add(theirs);
        }
        let open = matches!(socket.state, state::ESTABLISHED | state::SYN_SENT);
        let web_server = matches!(theirs.port(), 80 | 443) && !is_private(theirs.ip());
        let room = self.outbound.len() < OUTBOUND_MAX;
        if open && web_server && room && self.php.contains(&socket.uid) {
            self.outbound.push((theirs, ours));
        }
    }

    fn add_client(&mut self, address: IpAddr, traffic: Option<(u64, u64)>, tls: bool) {
        if is_cloudflare(address) {
            self.edge = self.edge.saturating_add(1);
            self.edges.add(address);
        } else if !is_private(address) {
            let client = visitor(address);
            self.direct = self.direct.saturating_add(1);
            self.clients.add_address(client);
            if spared(address).is_none() {
                self.strangers.add(client);
            }
            let unanswered = |(sent, received): (u64, u64)| {
                if tls { sent < HANDSHAKE && received < HANDSHAKE } else { sent <= 1 }
            };
            if traffic.is_some_and(unanswered) {
                self.unanswered.add_address(client);
            }
        }
    }

    fn judge_half_open(&self, cookies: bool) -> Option<Finding> {
        let (port, count) =
            self.half_open.top().first().copied().filter(|(_, count)| *count > HALF_OPEN_MAX)?;
        let facts = Facts::new()
            .number(FactName::Count, u64::from(count))
            .number(FactName::Code, u64::from(port.port()));
        // Without cookies the kernel drops what its queue has no room for.
        let severity = if cookies { Severity::Warning } else { Severity::Critical };
        Some(Finding::new(FindingId::NetSynFlood, severity).with(facts))
    }

    fn judge_ports(&self) -> Option<Finding> {
        let (service, count) = self.services.top().first().copied()?;
        let ports = u64::from(self.range.1.saturating_sub(self.range.0)).saturating_add(1);
        let used = percent(u64::from(count), ports);
        if used < PORTS_WARNING {
            return None;
        }
        let severity = if used >= PORTS_CRITICAL { Severity::Critical } else { Severity::Warning };
        let facts =
            Facts::new().number(FactName::Percent, used).text(FactName::Address, &service.to_string());
        Some(Finding::new(FindingId::NetEphemeral, severity).with(facts))
    }

    fn judge_exposed(&mut self) -> Option<Finding> {
        let strangers = self.strangers.count();
        let share =
            percent(u64::from(self.direct), u64::from(self.direct).saturating_add(u64::from(self.edge)));
        let many = strangers >= STRANGERS || strangers >= FEW_STRANGERS && share >= STRANGERS_PERCENT;
        if self.edges.count() < EDGES || !many {
            return None;
        }
        let count = u64::try_from(strangers).unwrap_or(u64::MAX);
        let facts = Facts::new().number(FactName::Count, count).number(FactName::Percent, share);
        Some(Finding::new(FindingId::WebOriginExposed, Severity::Warning).with(facts))
    }

    fn judge_unanswered(&self, php: u32, stack: &Stack) -> Option<Finding> {
        let (client, count) = self.unanswered.top().first().copied()?;
        if count <= UNANSWERED_MAX.saturating_add(php) {
            return None;
        }
        let limit = stack.web.iter().filter_map(|server| server.limit).max();
        let occupied = limit.is_some_and(|limit| percent(u64::from(count), limit) >= OCCUPIED_PERCENT);
        let severity = if occupied { Severity::Critical } else { Severity::Info };
        let facts = Facts::new()
            .number(FactName::Count, u64::from(count))
            .text(FactName::Address, &client.ip().to_string());
        Some(Finding::new(FindingId::FloodSlowloris, severity).with(facts))
    }

    /// Looks twice more, if half of PHP's workers may wait for one server.
    fn judge_outbound(&self, host: &dyn Host, stack: &Stack, workers: &[Worker]) -> Option<Finding> {
        let mut steady = self.outbound.clone();
        for _ in 0..2 {
            most_waited_for(&steady, workers.len())?;
            host.pause(BETWEEN);
            let mut again = Self::new(host, stack, workers);
            let _whole = again.look(host).ok()?;
            steady.retain(|connection| again.outbound.contains(connection));
        }
        let (server, count) = most_waited_for(&steady, workers.len())?;
        let most = stack.pools.iter().map(|pool| pool.max_children).fold(0_u64, u64::saturating_add);
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        let severity = if count >= most { Severity::Critical } else { Severity::Warning };
        let facts = Facts::new()
            .number(FactName::Count, count)
            .number(FactName::Limit, most)
            .text(FactName::Address, &server.to_string());
        Some(Finding::new(FindingId::PhpOutboundStuck, severity).with(facts))
    }
}

/// The server to which at least half of so many workers, and two, have connections.
fn most_waited_for(connections: &[(SocketAddr, u16)], workers: usize) -> Option<(SocketAddr, usize)> {
    let mut servers = Tally::default();
    connections.iter().for_each(|(server, _)| servers.add(*server));
    let (server, _) = servers.top().first().copied()?;
    let count = connections.iter().filter(|(other, _)| *other == server).count();
    (count >= 2 && count.saturating_mul(2) >= workers).then_some((server, count))
}

/// Requests that PHP may have at one time, and has no answer for yet.
fn php_requests(host: &dyn Host, stack: &Stack) -> u32 {
    if stack.pools.is_empty() {
        return 0;
    }
    let workers = stack.pools.iter().map(|pool| u32::try_from(pool.max_children).unwrap_or(u32::MAX));
    let waiting = unix_listeners(host).unwrap_or_default().into_iter().map(|listener| listener.waiting);
    workers.chain(waiting).fold(0, u32::saturating_add)
}

/// How many different addresses there are, up to a limit.
#[derive(Debug, Default)]
struct Distinct {
    seen: Vec<IpAddr>,
    full: bool,
}

impl Distinct {
    fn add(&mut self, address: IpAddr) {
        if self.full {
            return;
        }
        self.seen.push(address);
        // Half of the room must be won back, or the next time comes too soon.
        if self.seen.len() >= DISTINCT_MAX {
            self.full = self.count() > DISTINCT_MAX / 2;
        }
    }

    fn count(&mut self) -> usize {
        self.seen.sort_unstable();
        self.seen.dedup();
        self.seen.len()
    }
}

#[cfg(test)]
#[path = "connections_tests.rs"]
mod tests;

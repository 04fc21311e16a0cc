//! Whether who claims to be a search engine's crawler is one: its address has a name in the engine's domain, and
//! that name leads back to the address. The first alone could be forged by anybody with a network of his own.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::agent::Crawler;
use super::probes::Identity;
use crate::host::{Denied, Host};
use crate::probe::names::lookup;

/// Addresses that are checked in one run, and the time for each question.
const CHECKS_MAX: usize = 4;
const TIME: Duration = Duration::from_millis(300);
/// Less than this left, and nobody is checked.
const TIME_LEFT: Duration = Duration::from_millis(1_200);
/// A datagram of DNS without extensions (RFC 1035 §2.3.4).
const ANSWER_MAX: usize = 512;
const LABELS_MAX: usize = 32;
const NAME_MAX: usize = 255;
const TYPE_PTR: [u8; 2] = [0, 12];
const NO_SUCH_NAME: u8 = 3;

/// Checks addresses, each once.
pub(super) struct Checker<'h> {
    host: &'h dyn Host,
    server: Option<SocketAddr>,
    known: Vec<(IpAddr, Identity)>,
    id: u16,
}

impl<'h> Checker<'h> {
    /// `seed` is any number that strangers don't know.
    pub(super) fn new(host: &'h dyn Host, seed: u64) -> Self {
        Self { host, server: None, known: Vec::new(), id: seed as u16 }
    }

    /// Who it is, as far as the name servers say.
    pub(super) fn identify(&mut self, address: IpAddr, claim: Crawler) -> Identity {
        if let Some((_, identity)) = self.known.iter().find(|(known, _)| *known == address) {
            return *identity;
        }
        if self.known.len() >= CHECKS_MAX || self.host.left() < TIME_LEFT {
            return Identity::Unknown;
        }
        let identity = self.check(address, claim).unwrap_or(Identity::Unknown);
        self.known.push((address, identity));
        identity
    }

    fn check(&mut self, address: IpAddr, claim: Crawler) -> Option<Identity> {
        // Of an IPv6 visitor only the network is known.
        let IpAddr::V4(v4) = address else { return None };
        let server = match self.server {
            Some(server) => server,
            None => *self.server.insert(nameserver(&self.host.read("/etc/resolv.conf", 4096).ok()?)?),
        };
        self.id = self.id.wrapping_mul(31).wrapping_add(7);
        let question = question(self.id, v4.octets());
        let mut answer = [0; ANSWER_MAX];
        let len = self.host.ask(server, &question, &mut answer, TIME).ok()?;
        let names = match names(answer.get(..len)?, &question)? {
            Names::None => return Some(Identity::False),
            Names::Some(names) => names,
        };
        let is_theirs = |name: &&String| claim.names().iter().any(|ending| name.ends_with(ending));
        let Some(name) = names.iter().find(is_theirs) else { return Some(Identity::False) };
        match lookup(self.host, name) {
            Ok(addresses) if addresses.contains(&address) => Some(Identity::Real),
            Ok(_) | Err(Denied::Absent) => Some(Identity::False),
            Err(_) => None,
        }
    }
}

/// The first name server that is an address.
fn nameserver(text: &[u8]) -> Option<SocketAddr> {
    let text = std::str::from_utf8(text).ok()?;
    let servers = text.lines().filter_map(|line| line.trim().strip_prefix("nameserver"));
    servers.filter_map(|server| server.trim().parse::<IpAddr>().ok()).next().map(|ip| SocketAddr::new(ip, 53))
}

/// Asks for the name of an address (RFC 1035 §3.5).
fn question(id: u16, octets: [u8; 4]) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    out.extend(id.to_be_bytes());
    // Recursion desired; one question.
    out.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for octet in octets.iter().rev() {
        let text = octet.to_string();
        out.push(text.len() as u8);
        out.extend(text.bytes());
    }
    out.extend(b"\x07in-addr\x04arpa\x00");
    out.extend(TYPE_PTR);
    out.extend([0, 1]);
    out
}

/// What an answer says.
#[derive(Debug, PartialEq, Eq)]
enum Names {
    /// There is none.
    None,
    Some(Vec<String>),
}

/// The names in an answer to this question; nothing of an answer to another, or of a server that couldn't say.
fn names(answer: &[u8], question: &[u8]) -> Option<Names> {
    let same = |range: std::ops::Range<usize>| answer.get(range.clone()) == question.get(range);
    let (flags, code) = (answer.get(2)?, answer.get(3)? & 15);
    if !same(0..2) || flags & 0x80 == 0 || flags & 2 != 0 || !same(12..question.len()) {
        return None;
    }
    if code == NO_SUCH_NAME {
        return Some(Names::None);
    }
    if code != 0 {
        return None;
    }
    let count = u16::from_be_bytes([*answer.get(6)?, *answer.get(7)?]);
    let mut at = question.len();
    let mut names = Vec::new();
    for _ in 0..count.min(16) {
        at = name(answer, at)?.1;
        let head = answer.get(at..at.checked_add(10)?)?;
        let [t1, t2, _, _, _, _, _, _, l1, l2] = *head.first_chunk::<10>()?;
        let data = at.checked_add(10)?;
        if [t1, t2] == TYPE_PTR {
            names.push(name(answer, data)?.0);
        }
        at = data.checked_add(usize::from(u16::from_be_bytes([l1, l2])))?;
    }
    Some(if names.is_empty() { Names::None } else { Names::Some(names) })
}

/// A name in lower case, and where what follows it begins. Pointers may only point back, so they end.
fn name(message: &[u8], start: usize) -> Option<(String, usize)> {
    let (mut out, mut at, mut lowest, mut after) = (String::new(), start, start, None);
    for _ in 0..LABELS_MAX {
        match *message.get(at)? {
            0 => return Some((out, after.unwrap_or(at.checked_add(1)?))),
            length @ 1..64 => {
                let begin = at.checked_add(1)?;
                let end = begin.checked_add(length.into())?;
                let label = message.get(begin..end)?;
                if !out.is_empty() {
                    out.push('.');
                }
                out.extend(label.iter().map(|byte| {
                    let fine = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
                    if fine { char::from(byte.to_ascii_lowercase()) } else { '?' }
                }));
                if out.len() > NAME_MAX {
                    return None;
                }
                at = end;
            }
            high @ 192.. => {
                let low = *message.get(at.checked_add(1)?)?;
                after = after.or(at.checked_add(2));
                at = usize::from(u16::from_be_bytes([high & 63, low]));
                if at >= lowest {
                    return None;
                }
                lowest = at;
            }
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
#[path = "crawlers_tests.rs"]
mod tests;

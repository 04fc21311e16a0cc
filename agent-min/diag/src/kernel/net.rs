//! The network's own limits: `net-conntrack-full`, `net-tcp-mem`; and the files of counters beside them.

use secmon_wire::diag::{Check, FactName, Facts, Finding, FindingId, Severity, WhyNotChecked};

use super::fields::{after, decimal, lines, named, number_at, percent, text, words};
use super::{FILE_MAX, read};
use crate::Notes;
use crate::host::Host;

/// Devices whose counters are noted.
const DEVICES_MAX: usize = 32;
/// The table of connections in use, in per cent.
const CONNTRACK_WARNING: u64 = 75;
const CONNTRACK_CRITICAL: u64 = 90;
/// TCP's memory in use, in per cent: the kernel drops and prunes long before all of it is gone.
const TCP_MEMORY_WARNING: u64 = 80;
const TCP_MEMORY_CRITICAL: u64 = 95;

/// Packets and what was lost of them on one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// `eth0`.
    pub name: String,
    /// Received and sent.
    pub packets: u64,
    /// Errors and drops, of both.
    pub errors: u64,
}

/// Looks at the tables that the kernel keeps of connections.
pub fn check(host: &dyn Host, notes: &mut Notes) {
    // Where the file is absent, connections are not tracked.
    if let (Some(count), Some(most)) = (
        number(host, "/proc/sys/net/netfilter/nf_conntrack_count"),
        number(host, "/proc/sys/net/netfilter/nf_conntrack_max"),
    ) {
        let used = percent(count, most);
        let facts = Facts::new()
            .number(FactName::Percent, used)
            .number(FactName::Count, count)
            .number(FactName::Limit, most);
        let steps = (CONNTRACK_WARNING, CONNTRACK_CRITICAL);
        judge(used, steps, FindingId::NetConntrackFull, facts, notes);
    }
    let Some(sockstat) = read(host, "/proc/net/sockstat", FILE_MAX, Check::Network, notes) else { return };
    notes.checked(Check::Network);
    // The limit is the whole machine's: a container doesn't see it, and can't change it.
    let limits = host.read("/proc/sys/net/ipv4/tcp_mem", FILE_MAX).ok();
    let Some(most) = limits.and_then(|bytes| number_at(&bytes, 2)) else { return };
    let Some(used) = tcp_pages(&sockstat) else {
        return notes.skipped(Check::Network, WhyNotChecked::Unsupported, "/proc/net/sockstat");
    };
    let used = percent(used, most);
    let facts = Facts::new().number(FactName::Percent, used);
    judge(used, (TCP_MEMORY_WARNING, TCP_MEMORY_CRITICAL), FindingId::NetTcpMem, facts, notes);
}

fn judge(used: u64, (warning, critical): (u64, u64), id: FindingId, facts: Facts, notes: &mut Notes) {
    if used >= warning {
        let severity = if used >= critical { Severity::Critical } else { Severity::Warning };
        notes.found(Finding::new(id, severity).with(facts));
    }
}

/// The number in a file that has nothing else.
pub(super) fn number(host: &dyn Host, path: &str) -> Option<u64> {
    decimal(host.read(path, FILE_MAX).ok()?.trim_ascii())
}

/// Pages that TCP uses, by `/proc/net/sockstat`.
pub fn tcp_pages(bytes: &[u8]) -> Option<u64> {
    decimal(words(after(bytes, "TCP:")?).skip_while(|word| *word != b"mem").nth(1)?)
}

/// A counter of `/proc/net/netstat` or `/proc/net/snmp`: a line of names and one of numbers for each table. Which
/// there are, and in which order, differs between kernels.
pub fn counter(bytes: &[u8], table: &str, name: &str) -> Option<u64> {
    let mut of_table =
        lines(bytes).filter_map(|line| line.strip_prefix(table.as_bytes())?.strip_prefix(b":"));
    let (names, numbers) = (of_table.next()?, of_table.next()?);
    let place = words(names).position(|word| word == name.as_bytes())?;
    number_at(numbers, place)
}

/// Reads `/proc/net/dev`: devices that are really there, not the host's own loop and what containers are made of.
pub fn devices(bytes: &[u8]) -> Vec<Device> {
    const OURS: [&str; 6] = ["br-", "docker", "dummy", "ifb", "lo", "veth"];
    let real = |device: &Device| !OURS.iter().any(|ours| device.name.starts_with(ours));
    lines(bytes).skip(2).filter_map(device).filter(real).take(DEVICES_MAX).collect()
}

/// Pages swapped in and out, by `/proc/vmstat`.
pub fn swapped(vmstat: &[u8]) -> Option<u64> {
    Some(named(vmstat, "pswpin")?.saturating_add(named(vmstat, "pswpout")?))
}

fn device(line: &[u8]) -> Option<Device> {
    // A large number follows the colon without a space.
    let colon = line.iter().position(|byte| *byte == b':')?;
    let name = text(line.get(..colon)?.trim_ascii());
    let numbers = line.get(colon.checked_add(1)?..)?;
    let at = |place| number_at(numbers, place);
    let sum = |places: [usize; 4]| {
        places.into_iter().try_fold(0_u64, |sum, place| Some(sum.saturating_add(at(place)?)))
    };
    Some(Device { name, packets: at(1)?.saturating_add(at(9)?), errors: sum([2, 3, 10, 11])? })
}

#[cfg(test)]
#[path = "net_tests.rs"]
mod tests;

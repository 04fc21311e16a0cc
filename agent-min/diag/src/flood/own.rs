//! The host's own addresses, which must never be blocked: what it asks itself looks like anybody's request.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::host::Host;

/// Bytes of either list that are read.
const LIST_MAX: usize = 64 * 1024;
/// Addresses that are kept.
const ADDRESSES_MAX: usize = 64;

/// All of them, with the bits that count.
pub(super) fn addresses(host: &dyn Host) -> Vec<(IpAddr, u8)> {
    let mut own = Vec::new();
    let read = |path| host.read(path, LIST_MAX).unwrap_or_default();
    own.extend(v4(&read("/proc/net/fib_trie")).map(|v4| (IpAddr::from(v4), 32)));
    // A provider hands out a /64 to each host, and visitors are counted by those.
    own.extend(v6(&read("/proc/net/if_inet6")).map(|v6| (IpAddr::from(v6), 64)));
    own.sort_unstable();
    own.dedup();
    own.truncate(ADDRESSES_MAX);
    own
}

/// `|-- 192.0.2.1` with `/32 host LOCAL` in the line behind it.
fn v4(text: &[u8]) -> impl Iterator<Item = Ipv4Addr> {
    let mut last = None;
    text.split(|byte| *byte == b'\n').filter_map(move |line| {
        let line = line.trim_ascii();
        if let Some(address) = line.strip_prefix(b"|-- ") {
            last = std::str::from_utf8(address).ok().and_then(|address| address.parse().ok());
            None
        } else {
            last.filter(|_| line == b"/32 host LOCAL")
        }
    })
}

/// `20010db8000000000000000000000001 02 40 00 80 eth0`.
fn v6(text: &[u8]) -> impl Iterator<Item = Ipv6Addr> {
    text.split(|byte| *byte == b'\n').filter_map(|line| {
        let digits = std::str::from_utf8(line.get(..32)?).ok()?;
        u128::from_str_radix(digits, 16).ok().map(Ipv6Addr::from_bits)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_addresses_are_read_as_the_kernel_lists_them() {
        let trie = b"Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n     +-- 192.0.2.0/24 2 0 2\n        |-- 192.0.2.0\n           /24 link UNICAST\n        |-- 192.0.2.7\n           /32 host LOCAL\n        |-- 192.0.2.255\n           /32 link BROADCAST\n";
        assert_eq!(v4(trie).collect::<Vec<_>>(), [Ipv4Addr::new(192, 0, 2, 7)]);
        let list = b"20010db8000000000000000000000007 02 40 00 80     eth0\nnonsense\n";
        assert_eq!(v6(list).map(|v6| v6.to_string()).collect::<Vec<_>>(), ["2001:db8::7"]);
    }

    #[test]
    fn this_machines_own_lists_are_read() {
        let trie = std::fs::read("/proc/net/fib_trie").unwrap_or_default();
        let there = trie.windows(14).any(|window| window == b"/32 host LOCAL");
        assert_eq!(v4(&trie).next().is_some(), there);
    }
}

//! Whose addresses a log shows, and who must never be accused.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::networks::{self, Spared};

/// Lines from which a log's last part says whose addresses it has.
pub(super) const ENOUGH_LINES: u32 = 200;
const MOST_PERCENT: u32 = 80;

/// Whether an address may be accused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guard {
    /// Anybody's: it may.
    Nobodys,
    /// A proxy's: its requests count, and it isn't to blame for them.
    Proxy,
    /// One that must never be blocked: its requests count for nothing.
    Spared,
}

/// What the addresses in a log are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Shown {
    /// Visitors'.
    #[default]
    Visitors,
    /// Those of Cloudflare's edge, or of a proxy of our own.
    Proxies,
}

/// Counts whose addresses a log's last lines have.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Census {
    lines: u32,
    edge: u32,
    private: u32,
}

impl Census {
    pub(super) fn add(&mut self, address: IpAddr) {
        self.lines = self.lines.saturating_add(1);
        self.edge = self.edge.saturating_add(u32::from(networks::is_cloudflare(address)));
        self.private = self.private.saturating_add(u32::from(networks::is_private(address)));
    }

    pub(super) const fn shown(&self) -> Shown {
        if is_most(self.edge.saturating_add(self.private), self.lines) {
            Shown::Proxies
        } else {
            Shown::Visitors
        }
    }

    /// How many percent of the lines have an address of Cloudflare's, if visitors' addresses are missing for that.
    pub(super) fn edge_percent(&self) -> Option<u64> {
        let missing = self.lines >= ENOUGH_LINES && is_most(self.edge, self.lines);
        missing.then(|| super::verdict::percent(self.edge, self.lines))
    }
}

const fn is_most(part: u32, whole: u32) -> bool {
    whole > 0 && part.saturating_mul(100) >= whole.saturating_mul(MOST_PERCENT)
}

/// Who is who.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whose<'s> {
    pub(super) shown: Shown,
    /// Networks of the owner: first address, and bits that count.
    pub(super) exempt: &'s [(IpAddr, u8)],
    /// Whether private networks are spared: not in a test that uses them for strangers.
    pub(super) spare_private: bool,
}

impl Whose<'_> {
    /// Whether this address may be accused.
    pub(super) fn guard(&self, address: IpAddr) -> Guard {
        if is_among(address, self.exempt) {
            return Guard::Spared;
        }
        match networks::spared(address) {
            None => Guard::Nobodys,
            Some(Spared::Cloudflare) => Guard::Proxy,
            Some(Spared::Private) if self.shown == Shown::Proxies && self.spare_private => Guard::Proxy,
            Some(Spared::Private) if !self.spare_private => Guard::Nobodys,
            Some(_) => Guard::Spared,
        }
    }
}

/// Whether an address is in one of these networks.
pub(super) fn is_among(address: IpAddr, networks: &[(IpAddr, u8)]) -> bool {
    networks.iter().any(|(network, bits)| within(address, *network, *bits))
}

/// Whether an address is in a network.
fn within(address: IpAddr, network: IpAddr, bits: u8) -> bool {
    match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(u32::from(bits))).unwrap_or(0);
            (address.to_bits() ^ network.to_bits()) & mask == 0
        }
        (IpAddr::V6(address), IpAddr::V6(network)) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(u32::from(bits))).unwrap_or(0);
            (address.to_bits() ^ network.to_bits()) & mask == 0
        }
        _ => false,
    }
}

/// The network that neighbours share: /24, or /48 of IPv6.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(v4) => Ipv4Addr::from_bits(v4.to_bits() & 0xffff_ff00).into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 80)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn whose(exempt: &[(IpAddr, u8)]) -> Whose<'_> {
        Whose { shown: Shown::Visitors, exempt, spare_private: true }
    }

    #[test]
    fn a_log_shows_proxies_from_four_of_five_lines_on() {
        for (edge, visitors, shown, percent) in [
            (200, 0, Shown::Proxies, Some(100)),
            (199, 0, Shown::Proxies, None),
            (160, 40, Shown::Proxies, Some(80)),
            (159, 41, Shown::Visitors, None),
        ] {
            let mut census = Census::default();
            (0..edge).for_each(|_| census.add(of("172.70.1.1")));
            (0..visitors).for_each(|_| census.add(of("198.51.100.1")));
            assert_eq!((census.shown(), census.edge_percent()), (shown, percent), "{edge} {visitors}");
        }
        let mut local = Census::default();
        (0..500).for_each(|_| local.add(of("127.0.0.1")));
        assert_eq!((local.shown(), local.edge_percent()), (Shown::Proxies, None));
    }

    #[test]
    fn who_must_never_be_blocked_is_guarded_and_a_neighbour_is_not() {
        let exempt = [(of("198.51.100.0"), 24), (of("2001:db8:5::"), 48)];
        for (address, guard) in [
            ("198.51.100.7", Guard::Spared),
            ("198.51.101.7", Guard::Nobodys),
            ("2001:db8:5:1::1", Guard::Spared),
            ("2001:db8:6:1::1", Guard::Nobodys),
            ("172.70.1.1", Guard::Proxy),
            ("192.0.101.21", Guard::Spared),
            ("127.0.0.1", Guard::Spared),
        ] {
            assert_eq!(whose(&exempt).guard(of(address)), guard, "{address}");
        }
    }

    #[test]
    fn behind_a_proxy_of_our_own_its_address_hides_everybody() {
        let whose = Whose { shown: Shown::Proxies, ..whose(&[]) };
        assert_eq!(whose.guard(of("127.0.0.1")), Guard::Proxy);
    }
}

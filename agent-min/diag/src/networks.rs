//! Whose address this is, as far as published lists say: Cloudflare's edge, private networks, and those services that
//! must never be blocked.
//!
//! The lists are as their owners publish them (cloudflare.com/ips, jetpack.com/support/how-to-add-jetpack-ips-allowlist,
//! stripe.com/files/ips/ips_webhooks.txt, paypal.com's merchant addresses). They change rarely; an address that is
//! missing here is only not spared.

use std::net::{IpAddr, Ipv6Addr};

/// Why an address must never be blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spared {
    /// This host itself, or a network that isn't routed in public.
    Private,
    /// Cloudflare's edge: every visitor comes from there.
    Cloudflare,
    /// Jetpack, which uses xmlrpc.php for what the site's owner asked for.
    Jetpack,
    /// PayPal's payment messages.
    PayPal,
    /// Stripe's payment messages.
    Stripe,
}

/// Whether the address is Cloudflare's edge. WARP and Private Relay users (104.28.0.0/16, which older lists
/// still have) are visitors.
pub fn is_cloudflare(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => holds(CLOUDFLARE_V4, v4.to_bits()),
        IpAddr::V6(v6) => {
            let top = (v6.to_bits() >> 96) as u32;
            holds(CLOUDFLARE_V6, top)
        }
    }
}

/// Whether the address is the host itself, or in a network that isn't routed in public.
pub fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_unspecified() || holds(PRIVATE_V4, v4.to_bits()),
        IpAddr::V6(v6) => {
            v6.is_loopback() || v6.is_unspecified() || v6.is_unique_local() || v6.is_unicast_link_local()
        }
    }
}

/// Why the address must never be blocked; `None` for anybody.
pub fn spared(address: IpAddr) -> Option<Spared> {
    if is_private(address) {
        return Some(Spared::Private);
    }
    if is_cloudflare(address) {
        return Some(Spared::Cloudflare);
    }
    let IpAddr::V4(v4) = address.to_canonical() else { return None };
    let bits = v4.to_bits();
    let lists = [(JETPACK, Spared::Jetpack), (PAYPAL, Spared::PayPal), (STRIPE, Spared::Stripe)];
    lists.iter().find(|(list, _)| holds(list, bits)).map(|(_, why)| *why)
}

/// What counts as one visitor: an IPv4 address, or a /64 of IPv6, since every customer has at least one of those.
pub fn visitor(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64)).into(),
        v4 => v4,
    }
}

/// The first bits of an address (of an IPv6 one: of its first 32 bits), and how many of them count.
type Prefix = (u32, u8);

fn holds(list: &[Prefix], address: u32) -> bool {
    list.iter().any(|(prefix, bits)| {
        let mask = u32::MAX.checked_shl(32_u32.saturating_sub(u32::from(*bits))).unwrap_or(0);
        address & mask == *prefix
    })
}

const fn v4(a: u8, b: u8, c: u8, d: u8, bits: u8) -> Prefix {
    (u32::from_be_bytes([a, b, c, d]), bits)
}

const fn v6(a: u16, b: u16, bits: u8) -> Prefix {
    ((a as u32) << 16 | b as u32, bits)
}

const CLOUDFLARE_V4: &[Prefix] = &[
    v4(103, 21, 244, 0, 22),
    v4(103, 22, 200, 0, 22),
    v4(103, 31, 4, 0, 22),
    v4(104, 16, 0, 0, 13),
    v4(104, 24, 0, 0, 14),
    v4(108, 162, 192, 0, 18),
    v4(131, 0, 72, 0, 22),
    v4(141, 101, 64, 0, 18),
    v4(162, 158, 0, 0, 15),
    v4(172, 64, 0, 0, 13),
    v4(173, 245, 48, 0, 20),
    v4(188, 114, 96, 0, 20),
    v4(190, 93, 240, 0, 20),
    v4(197, 234, 240, 0, 22),
    v4(198, 41, 128, 0, 17),
];
const CLOUDFLARE_V6: &[Prefix] = &[
    v6(0x2400, 0xcb00, 32),
    v6(0x2405, 0x8100, 32),
    v6(0x2405, 0xb500, 32),
    v6(0x2606, 0x4700, 32),
    v6(0x2803, 0xf800, 32),
    v6(0x2a06, 0x98c0, 29),
    v6(0x2c0f, 0xf248, 32),
];
const PRIVATE_V4: &[Prefix] = &[
    v4(10, 0, 0, 0, 8),
    v4(100, 64, 0, 0, 10),
    v4(169, 254, 0, 0, 16),
    v4(172, 16, 0, 0, 12),
    v4(192, 168, 0, 0, 16),
];
const JETPACK: &[Prefix] = &[
    v4(54, 217, 201, 243, 32),
    v4(54, 232, 116, 4, 32),
    v4(122, 248, 245, 244, 32),
    v4(192, 0, 80, 0, 20),
    v4(192, 0, 96, 0, 20),
    v4(192, 0, 112, 0, 20),
    v4(195, 234, 108, 0, 22),
];
const PAYPAL: &[Prefix] = &[
    v4(64, 4, 240, 0, 21),
    v4(64, 4, 248, 0, 22),
    v4(66, 211, 168, 0, 22),
    v4(91, 243, 72, 0, 23),
    v4(173, 0, 80, 0, 20),
    v4(185, 177, 52, 0, 22),
    v4(192, 160, 215, 0, 24),
    v4(198, 54, 216, 0, 23),
];
const STRIPE: &[Prefix] = &[
    v4(3, 18, 12, 63, 32),
    v4(3, 69, 109, 8, 32),
    v4(3, 120, 168, 93, 32),
    v4(3, 130, 192, 231, 32),
    v4(13, 235, 14, 237, 32),
    v4(13, 235, 122, 149, 32),
    v4(18, 211, 135, 69, 32),
    v4(35, 154, 171, 200, 32),
    v4(35, 157, 207, 129, 32),
    v4(52, 15, 183, 38, 32),
    v4(54, 88, 130, 119, 32),
    v4(54, 88, 130, 237, 32),
    v4(54, 187, 174, 169, 32),
    v4(54, 187, 205, 235, 32),
    v4(54, 187, 216, 72, 32),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_prefix_is_a_network_and_not_an_address_in_one() {
        for list in [CLOUDFLARE_V4, CLOUDFLARE_V6, PRIVATE_V4, JETPACK, PAYPAL, STRIPE] {
            for (prefix, bits) in list {
                assert!((1..=32).contains(bits));
                assert!(u32::from(*bits) + prefix.trailing_zeros() >= 32, "{prefix:x}/{bits}");
                assert!(holds(list, *prefix));
            }
        }
    }

    #[test]
    fn the_first_and_last_address_of_a_network_are_in_it_and_their_neighbours_are_not() {
        for (address, whose) in [
            ("103.21.243.255", None),
            ("103.21.244.0", Some(Spared::Cloudflare)),
            ("103.21.247.255", Some(Spared::Cloudflare)),
            ("103.21.248.0", None),
            ("104.27.255.255", Some(Spared::Cloudflare)),
            ("104.28.0.1", None),
            ("172.70.222.233", Some(Spared::Cloudflare)),
            ("172.72.0.0", None),
            ("::ffff:172.70.222.233", Some(Spared::Cloudflare)),
            ("2606:4700::1", Some(Spared::Cloudflare)),
            ("2606:4701::1", None),
            ("2a06:98c7:ffff::1", Some(Spared::Cloudflare)),
            ("2a06:98c8::1", None),
            ("10.1.2.3", Some(Spared::Private)),
            ("172.31.255.255", Some(Spared::Private)),
            ("172.32.0.0", None),
            ("127.9.9.9", Some(Spared::Private)),
            ("::1", Some(Spared::Private)),
            ("fd00::1", Some(Spared::Private)),
            ("fe80::1", Some(Spared::Private)),
            ("192.0.95.255", Some(Spared::Jetpack)),
            ("192.0.128.0", None),
            ("173.0.84.1", Some(Spared::PayPal)),
            ("54.187.216.72", Some(Spared::Stripe)),
            ("54.187.216.73", None),
            ("203.0.113.9", None),
        ] {
            assert_eq!(spared(address.parse().expect("an address")), whose, "{address}");
        }
    }

    #[test]
    fn a_visitor_is_an_address_or_a_customers_network() {
        let of = |text: &str| visitor(text.parse().expect("an address")).to_string();
        assert_eq!(of("192.0.2.7"), "192.0.2.7");
        assert_eq!(of("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
    }
}
